"""What goes into the memory and what comes out of it: frozen records, checked when they are made.

A `Turn` is one message, a `Memory` what is stored of it, a `Hit` a memory with its score, a `Scope` whose
memory it is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

from romaine.choice import Choice
from romaine.errors import OptionError, UnknownNameError
from romaine.memory.checks import (
    as_utc,
    check_count,
    check_id,
    check_metadata,
    check_name,
    check_names,
    check_optional_name,
    check_share,
    check_text,
)
from romaine.options import explains


class Role(Choice):
    """Who a message comes from."""

    USER = "user"
    CHARACTER = "character"
    NARRATOR = "narrator"
    SYSTEM = "system"

    @classmethod
    def parse(cls, value: object) -> Role:
        """As `Choice.parse`; where a name is that of an LLM's messages, the error says what it is here."""
        try:
            return super().parse(value)
        except UnknownNameError:
            here = {"assistant": cls.CHARACTER, "ai": cls.CHARACTER, "human": cls.USER}.get(
                str(value).lower()
            )
            if here is None:
                raise
            remedy = f"What LLMs call {value!r} is {here.value!r} here."
            raise UnknownNameError("role", value, [role.value for role in cls], remedy) from None


class Kind(Choice):
    """What a memory is."""

    TURN = "turn"
    FACT = "fact"
    LORE = "lore"
    SUMMARY = "summary"


class Category(Choice):
    """What a fact is about."""

    CHARACTER_TRAIT = "character_trait"
    RELATIONSHIP = "relationship"
    PLOT_EVENT = "plot_event"
    WORLD_DETAIL = "world_detail"
    PREFERENCE = "preference"
    OTHER = "other"


def utc_now() -> datetime:
    """Returns the present moment, aware, in UTC."""
    return datetime.now(timezone.utc)


def uuid7() -> str:
    """Returns a new UUID version 7 (RFC 9562, 5.7): 48 bits of Unix milliseconds, then 74 random bits.

    Ids of later milliseconds sort after earlier ones, so new rows land at the end of the id's B-tree.
    """
    milliseconds = time.time_ns() // 1_000_000
    bits = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    bits = bits & ~(0xF << 76) | 0x7 << 76  # version
    bits = bits & ~(0x3 << 62) | 0x2 << 62  # variant
    return str(UUID(int=bits))


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Whose memory is meant: a user's, optionally one character's and one chat's.

    A stored memory is visible to a scope that asks when the users are equal and each of the memory's
    `character` and `chat` is None or equal to the asking scope's. Names have no wildcards.

    Attributes:
        user: Who the memory belongs to; never empty.
        character: The character whose memory it is, or None for what every character of the user shares.
        chat: The chat it belongs to, or None for what holds in every chat.
    """

    user: str
    character: str | None = None
    chat: str | None = None

    def __post_init__(self) -> None:
        check_name("user", self.user)
        if self.character is not None:
            check_name("character", self.character)
        if self.chat is not None:
            check_name("chat", self.chat)


def check_scope(scope: object) -> Scope:
    """Returns a scope as it is.

    Raises:
        OptionError: If it is not one.
    """
    if not isinstance(scope, Scope):
        raise OptionError(f"scope={scope!r} is not a Scope; make one with Scope(user=...)")
    return scope


def scope_names(
    scope: Scope | None, *, user: str | None, character: str | None, chat: str | None
) -> dict[str, str | None]:
    """The names of a scope that is given whole or by its names, which adapters let their users choose.

    Raises:
        OptionError: If it is given in both ways, or a value is not allowed.
    """
    names = {"user": user, "character": character, "chat": chat}
    given = [f"{name}=..." for name, value in names.items() if value is not None]
    if scope is None:
        return {name: check_optional_name(name, value) for name, value in names.items()}
    if given:
        raise OptionError(
            f"scope=... and {', '.join(given)} both say whose memory it is; leave out one or the other"
        )
    return dict(vars(check_scope(scope)))


def whole_scope(scope: Scope | None, *, user: str | None, character: str | None, chat: str | None) -> Scope:
    """As `scope_names`, where all of it has to be known.

    Raises:
        OptionError: As there, or if there is no user.
    """
    names = scope_names(scope, user=user, character=character, chat=chat)
    if names["user"] is None:
        raise OptionError(
            "no user: a memory is always somebody's; give scope=Scope(user=...), or user=... and, as it is"
            " needed, character=... and chat=..."
        )
    return Scope(**names)  # type: ignore[arg-type]  # the user is a str


@dataclass(frozen=True)
class Turn:
    """One message of a chat.

    Attributes:
        text: What was said, verbatim.
        speaker: Name of who said it.
        role: A `Role` or its name.
        at: When it was said, or None for the moment it is stored; a naive time is taken as UTC.
        source_id: The message's id in the chat it comes from; a chat holds each at most once.
        parent_id: `source_id` of the message it answers or was made from; it is retracted with that one.
        metadata: Anything JSON can hold; None for nothing, or for what is stored of this message already.
    """

    text: str
    _: KW_ONLY
    speaker: str
    role: Role
    at: datetime | None = None
    source_id: str | None = None
    parent_id: str | None = None
    metadata: Mapping[str, Any] | None = field(default=None, hash=False)

    @explains
    def __init__(
        self,
        text: str,
        *,
        speaker: str,
        role: Role | str,
        at: datetime | None = None,
        source_id: str | None = None,
        parent_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        for name, value in (
            ("text", check_text(text)),
            ("speaker", check_name("speaker", speaker)),
            ("role", Role.parse(role)),
            ("at", None if at is None else as_utc(at, "at")),
            ("source_id", check_optional_name("source_id", source_id)),
            ("parent_id", check_optional_name("parent_id", parent_id)),
            ("metadata", None if metadata is None else check_metadata(metadata)),
        ):
            object.__setattr__(self, name, value)


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What is stored: a turn, a fact, a piece of lore or a summary.

    Attributes:
        scope: Whose memory it is.
        kind: A `Kind` or its name.
        text: Verbatim.
        speaker: Who said it, or None where nobody did (lore).
        role: A `Role` or its name, or None.
        id: UUIDv7.
        position: Order in its chat, from 0; a fact has that of the turn it was drawn from, or of the chat's
            latest turn when it was stored. None outside a chat.
        created_at: When it was said or else stored, UTC.
        source_id: The message's id where it comes from.
        parent_id: `source_id` or id of what it answers or was made from.
        known_by: Characters who witnessed it; empty means all in scope.
        category: A `Category` or its name, or None.
        importance: 0 to 1; decay lowers it.
        pinned: Never cold, never trimmed.
        cold: Faded: found only with a lower score.
        access_count: How often it was marked as used.
        last_used_at: When it was last, UTC.
        superseded_by: Id of the memory that replaces it, as far as the asking scope can see that one.
        valid_from: Story position from which it holds, or None for always.
        valid_to: Story position from which it no longer holds, or None.
        token_count: Tokens of the text as the embedder counts them.
        metadata: Anything JSON can hold.
    """

    scope: Scope
    kind: Kind
    text: str
    speaker: str | None = None
    role: Role | None = None
    id: str = field(default_factory=uuid7)
    position: int | None = None
    created_at: datetime = field(default_factory=utc_now)
    source_id: str | None = None
    parent_id: str | None = None
    known_by: frozenset[str] = frozenset()
    category: Category | None = None
    importance: float = 1.0
    pinned: bool = False
    cold: bool = False
    access_count: int = 0
    last_used_at: datetime | None = None
    superseded_by: str | None = None
    valid_from: int | None = None
    valid_to: int | None = None
    token_count: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        check_scope(self.scope)
        check_text(self.text)
        check_id(self.id)
        for name in ("speaker", "source_id", "parent_id", "superseded_by"):
            check_optional_name(name, getattr(self, name))
        for name in ("position", "valid_from", "valid_to"):
            check_count(name, getattr(self, name), optional=True)
        for name in ("access_count", "token_count"):
            check_count(name, getattr(self, name))
        if self.valid_from is not None and self.valid_to is not None and self.valid_to < self.valid_from:
            raise OptionError(
                f"valid_to={self.valid_to} is before valid_from={self.valid_from}; it must not be"
            )
        check_share("importance", self.importance)
        values = {
            "kind": Kind.parse(self.kind),
            "role": None if self.role is None else Role.parse(self.role),
            "category": None if self.category is None else Category.parse(self.category),
            "created_at": as_utc(self.created_at, "created_at"),
            "last_used_at": None if self.last_used_at is None else as_utc(self.last_used_at, "last_used_at"),
            "known_by": check_names("known_by", self.known_by),
            "metadata": check_metadata(self.metadata),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def as_checked(cls, **fields: Any) -> Memory:
        """Makes a memory of all its fields, which were checked before; a recall reads a dozen of them."""
        memory = object.__new__(cls)
        memory.__dict__.update(fields)
        return memory

    def with_checked(self, **changes: Any) -> Memory:
        """The memory with other fields, which were checked before."""
        return self.as_checked(**{**self.__dict__, **changes})


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A memory that was found.

    Attributes:
        memory: What was found.
        score: How well it fits, in the ranker's unit; higher is better. It has no bounds, may be negative and
            compares within one recall only.
        parts: Every term of the score by name; they add up to it.
        confidence: How likely it holds an answer, or part of one, 0 to 1, by the model's calibration. It is
            comparable between recalls. Whatever ranks, it is judged by the default ranker's score.
        neighbours: The turns before and after it, in order, without itself.
    """

    memory: Memory
    score: float
    parts: Mapping[str, float] = field(default_factory=dict, hash=False)
    confidence: float = 0.0
    neighbours: tuple[Memory, ...] = ()
