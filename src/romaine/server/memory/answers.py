"""What the memory's routes answer. Answers to writes hold no texts, for they are kept for retries."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from romaine.server.memory.bodies import AskedScope, CategoryName, KindName


class ErrorAnswer(BaseModel):
    """What was wrong."""

    detail: Annotated[str, Field(description="What was wrong, what is allowed and what to do.")]


class TurnsAnswer(BaseModel):
    """What became of the turns."""

    added: int
    edited: int
    unchanged: int
    ids: Annotated[list[str], Field(description="Of each turn given, in order.")]


class NoteAnswer(BaseModel):
    """What became of a note."""

    id: Annotated[str, Field(description="Of the note, or of the one that says so already.")]
    stored: bool
    reason: Annotated[str | None, Field(description="same text, same words or same meaning")] = None


class ChangedAnswer(BaseModel):
    """The memory that was changed."""

    id: str
    pinned: bool
    cold: bool
    importance: float


class CountAnswer(BaseModel):
    """How many memories it was."""

    memories: int


class ForgottenAnswer(CountAnswer):
    """What became of memories that were to be forgotten."""

    pending: Annotated[
        bool, Field(description="Whether the file's log may still hold their text, because others read it.")
    ]


class DecayAnswer(BaseModel):
    """What one cycle did."""

    decayed: int
    cooled: int
    trimmed: int


class BranchAnswer(BaseModel):
    """The fork."""

    scope: AskedScope


class MemoryRecord(BaseModel):
    """A memory; what is null or empty is left out."""

    user: str
    character: str | None = None
    chat: str | None = None
    id: str
    kind: KindName
    text: str | None = None
    speaker: str | None = None
    role: str | None = None
    position: int | None = None
    created_at: str
    source_id: str | None = None
    parent_id: str | None = None
    known_by: list[str] = []
    category: CategoryName | None = None
    importance: float
    pinned: bool
    cold: bool
    access_count: int
    last_used_at: str | None = None
    superseded_by: str | None = None
    valid_from: int | None = None
    valid_to: int | None = None
    token_count: int
    metadata: dict[str, Any] = {}


class MemoriesAnswer(BaseModel):
    """A page of memories, in the order of the story."""

    memories: list[MemoryRecord]


class HitRecord(BaseModel):
    """A memory that was found."""

    memory: MemoryRecord
    score: Annotated[float, Field(description="Comparable within one recall only.")]
    confidence: Annotated[float, Field(description="How likely it holds an answer, 0 to 1.")]
    parts: Annotated[dict[str, float], Field(description="The terms of the score; they add up to it.")]
    neighbours: list[MemoryRecord]


class RejectedRecord(BaseModel):
    """A memory that was left out."""

    memory: MemoryRecord
    score: float
    parts: dict[str, float]
    reason: str


class RecallAnswer(BaseModel):
    """What was found, the best first; the rest only where `explain` is asked for."""

    hits: list[HitRecord]
    rejected: list[RejectedRecord] | None = None
    confidence: float | None = None
    threshold: Annotated[float | None, Field(description='Confidence under which "auto" gives nothing.')] = (
        None
    )
    evidence: dict[str, float] | None = None
    damaged: int | None = None


class StatsAnswer(BaseModel):
    """How much a scope sees."""

    total: int
    memories: dict[str, int]
    pinned: int
    cold: int
    superseded: int
    tokens: int
    last_position: Annotated[int | None, Field(description="Of the latest turn.")]
    full_dim: int
    vector_format: str
    embedder: str


class HeldAnswer(BaseModel):
    """A scope, and how many memories were stored in it."""

    scope: AskedScope
    memories: int
    forked_from: Annotated[str | None, Field(description="The chat that it is a fork of.")] = None
    forked_at: Annotated[int | None, Field(description="Last position that they share.")] = None


class ScopesAnswer(BaseModel):
    """The scopes of a user that hold something."""

    scopes: list[HeldAnswer]


class ImportedChat(BaseModel):
    """What became of a chat of a file."""

    user: str
    character: str | None
    chat: str | None
    added: int
    edited: int
    unchanged: int
    pinned: int
    retracted: int


class SkippedPart(BaseModel):
    """What of a file was left out."""

    where: str
    why: str


class ImportAnswer(BaseModel):
    """What became of a file."""

    file: str
    format: str
    chats: list[ImportedChat]
    notes: dict[str, int]
    restored: int
    skipped: list[SkippedPart]
    more_skipped: Annotated[int, Field(description="How many more were left out than are told.")]
