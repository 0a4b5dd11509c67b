"""What the tools take and give, as pydantic models: the schemas that clients see, and the checks."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from romaine.memory import Hit, Memory
from romaine.memory.plain import clean_text

MAX_TOKENS = 8_000
"""What a search or a page gives at most, so that no answer pushes the chat out of a model's window."""


def _unpacked(value: Any) -> Any:
    """A list that a client sent as JSON text, which some do."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


_Text = Annotated[str, Field(min_length=1, max_length=50_000)]
_Name = Annotated[str, Field(min_length=1, max_length=500)]
_UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_Id = Annotated[str, Field(pattern=_UUID, description="Id of a memory.")]
_Names = Annotated[list[_Name], Field(max_length=200), BeforeValidator(_unpacked)]
_Kind = Literal["turn", "fact", "lore", "summary"]
_Category = Literal["character_trait", "relationship", "plot_event", "world_detail", "preference", "other"]
_Kinds = Annotated[list[_Kind] | None, Field(description="Only these kinds."), BeforeValidator(_unpacked)]
_Importance = Annotated[float, Field(ge=0, le=1)]
_Tokens = Annotated[int, Field(ge=1, le=MAX_TOKENS, description="How many tokens the answer may have.")]


class Arguments(BaseModel):
    """What a tool takes; a name that it does not know is an error."""

    model_config = ConfigDict(extra="forbid")


class NoteArguments(Arguments):
    """Of `add_memory`."""

    text: Annotated[_Text, Field(description="One thing to remember, in a whole sentence with names.")]
    kind: Annotated[
        Literal["fact", "lore", "summary"],
        Field(description="fact: about somebody; lore: how the world is; summary: what a stretch came to."),
    ] = "fact"
    category: Annotated[_Category | None, Field(description="What it is about; not of summaries.")] = None
    importance: _Importance = 1.0
    pinned: Annotated[bool, Field(description="Always to be kept in view.")] = False
    speaker: Annotated[_Name | None, Field(description="Whose words, or whom a fact is about.")] = None
    supersedes: Annotated[
        list[_Id],
        Field(max_length=200, description="Ids of memories that it corrects."),
        BeforeValidator(_unpacked),
    ] = []

    @model_validator(mode="after")
    def _fits_its_kind(self) -> NoteArguments:
        if self.speaker is not None and self.kind != "fact":
            raise ValueError(f"speaker goes with kind='fact', not with {self.kind!r}; leave it out")
        if self.category is not None and self.kind == "summary":
            raise ValueError("category goes with facts and lore, not with a summary; leave it out")
        return self


class SaidTurn(Arguments):
    """One message of the chat."""

    text: Annotated[str, Field(max_length=50_000, description="What was said, word for word.")]
    speaker: Annotated[_Name, Field(description="Who said it, by name.")]
    role: Annotated[
        Literal["user", "character", "narrator", "system"],
        Field(description="user: the person; character: whom the model plays."),
    ]
    source_id: Annotated[
        _Name | None, Field(description="The message's id in the chat; the same id again edits.")
    ] = None
    at: Annotated[datetime | None, Field(description="When it was said; now if not given.")] = None


class TurnsArguments(Arguments):
    """Of `add_turns`."""

    turns: Annotated[list[SaidTurn], Field(min_length=1, max_length=200), BeforeValidator(_unpacked)]


class SearchArguments(Arguments):
    """Of `search_memories`."""

    query: Annotated[
        _Text | Annotated[list[_Text], Field(min_length=1, max_length=20)],
        Field(description="A question, or the last few messages with the latest last."),
        BeforeValidator(_unpacked),
    ]
    limit: Annotated[int, Field(ge=1, le=50, description="How many at most.")] = 8
    token_budget: _Tokens = 1_500
    kinds: _Kinds = None
    speakers: Annotated[_Names | None, Field(description="Only what these said.")] = None
    neighbours: Annotated[int, Field(ge=0, le=5, description="Turns to show before and after each.")] = 0
    only_if_sure: Annotated[
        bool, Field(description="Give nothing where it is doubtful that the answer is there.")
    ] = False


class PageArguments(Arguments):
    """Of `get_memories`."""

    kinds: _Kinds = None
    pinned: Annotated[bool, Field(description="Only those that are pinned.")] = False
    include_superseded: Annotated[bool, Field(description="Also what was corrected since.")] = False
    offset: Annotated[int, Field(ge=0, le=10_000_000, description="`next_offset` of the page before.")] = 0
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    token_budget: _Tokens = 4_000


class IdArguments(Arguments):
    """Of `get_memory`."""

    memory_id: _Id


class UpdateArguments(IdArguments):
    """Of `update_memory`."""

    text: Annotated[_Text | None, Field(description="The new text.")] = None
    category: _Category | None = None
    importance: _Importance | None = None
    pinned: bool | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> UpdateArguments:
        if not self.model_fields_set - {"memory_id"}:
            raise ValueError("nothing to change; give text, category, importance or pinned")
        return self


class DeleteArguments(IdArguments):
    """Of `delete_memory`."""

    derived: Annotated[bool, Field(description="Whether what was made from it goes along.")] = True


class RetractArguments(Arguments):
    """Of `retract_turns`."""

    source_ids: Annotated[_Names, Field(min_length=1, description="`source_id` of each message.")]


class NoArguments(Arguments):
    """Of tools that take none."""


class RememberedText(BaseModel):
    """A memory."""

    id: str
    kind: _Kind
    text: str
    speaker: str | None = None
    role: str | None = None
    position: int | None = Field(None, description="Order in its chat, from 0.")
    created_at: str
    category: str | None = None
    importance: float
    pinned: bool = False
    source_id: str | None = None
    superseded_by: str | None = Field(None, description="Id of what corrects it.")

    @classmethod
    def of(cls, memory: Memory, **more: Any) -> Any:
        """Shows a memory."""
        return cls(
            id=memory.id,
            kind=memory.kind.value,
            text=clean_text(memory.text),
            speaker=memory.speaker and clean_text(memory.speaker),
            role=memory.role and memory.role.value,
            position=memory.position,
            created_at=memory.created_at.isoformat(timespec="seconds"),
            category=memory.category and memory.category.value,
            importance=memory.importance,
            pinned=memory.pinned,
            source_id=memory.source_id and clean_text(memory.source_id),
            superseded_by=memory.superseded_by,
            **more,
        )


class FoundText(RememberedText):
    """A memory that was found."""

    score: float = Field(description="How well it fits, within this search.")
    confidence: float = Field(description="How likely it holds an answer, 0 to 1.")
    neighbours: list[RememberedText] = Field([], description="Turns before and after it.")

    @classmethod
    def of_hit(cls, hit: Hit) -> FoundText:
        """Shows a hit."""
        near = [RememberedText.of(memory) for memory in hit.neighbours]
        sure = {"score": round(hit.score, 3), "confidence": round(hit.confidence, 3)}
        found: FoundText = cls.of(hit.memory, neighbours=near, **sure)
        return found


class SearchResult(BaseModel):
    """What a search found, the best first."""

    memories: list[FoundText]
    tokens: int = Field(description="Of their texts.")
    left_out: int = Field(description="How many more fit but for the token budget.")


class PageResult(BaseModel):
    """A page of memories, in the order of the story."""

    memories: list[RememberedText]
    next_offset: int | None = Field(None, description="Where the next page begins; none if this is the last.")


class NoteResult(BaseModel):
    """What became of a note."""

    id: str = Field(description="Id of the note, or of the one that says so already.")
    stored: bool
    reason: str | None = Field(None, description="Why it is not stored: same text, words or meaning.")


class TurnsResult(BaseModel):
    """What became of the turns."""

    added: int
    edited: int
    unchanged: int
    ids: list[str] = Field(description="Id of each, in order.")


class CountResult(BaseModel):
    """How many memories it was."""

    memories: int


class StatsResult(BaseModel):
    """How much there is."""

    total: int
    kinds: dict[str, int]
    pinned: int
    superseded: int
    tokens: int
