"""What the memory's routes take: checked as far as shapes go; the memory itself checks what values mean."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=500)]
Text = Annotated[str, Field(max_length=1_000_000)]
Names = Annotated[list[Name], Field(max_length=10_000)]
_ID = "01a2003c-5c62-7c97-ad15-67ece870e079"
MemoryId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", examples=[_ID])]
MemoryIds = Annotated[list[MemoryId], Field(min_length=1, max_length=1_000)]
KindName = Literal["turn", "fact", "lore", "summary"]
CategoryName = Literal["character_trait", "relationship", "plot_event", "world_detail", "preference", "other"]
Position = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]

_SCOPE = {"user": "ana", "character": "Cassian", "chat": "tavern"}


def _example(body: dict[str, Any]) -> ConfigDict:
    example: dict[str, Any] = {"scope": _SCOPE, **body}
    return ConfigDict(json_schema_extra={"example": example})


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AskedScope(_Body):
    """Whose memory: a user's, optionally one character's and one chat's."""

    user: Annotated[
        Name | None, Field(description="Not needed, and no other allowed, where the key is one user's.")
    ] = None
    character: Annotated[Name | None, Field(description="None for what all characters share.")] = None
    chat: Annotated[Name | None, Field(description="None for what holds in every chat.")] = None


class ScopedBody(_Body):
    """Every request says whose memory it is about."""

    model_config = _example({})

    scope: Annotated[AskedScope, Field(description="Whose memory.")] = AskedScope()


class TurnBody(_Body):
    """One message."""

    text: Text
    speaker: Name
    role: Literal["user", "character", "narrator", "system"]
    at: Annotated[datetime | None, Field(description="When it was said, UTC if it says nothing else.")] = None
    source_id: Annotated[
        Name | None, Field(description="Its id in the chat: the same one again edits and never doubles.")
    ] = None
    parent_id: Annotated[Name | None, Field(description="`source_id` of what it was made from.")] = None
    metadata: dict[str, Any] | None = None


class TurnsBody(ScopedBody):
    """Messages, in the order they were said."""

    model_config = _example(
        {
            "turns": [
                {
                    "text": "I left the silver key under the third step.",
                    "speaker": "Cassian",
                    "role": "character",
                    "source_id": "17",
                }
            ],
        }
    )

    turns: Annotated[list[TurnBody], Field(min_length=1, max_length=1_000)]
    known_by: Annotated[Names, Field(description="Who witnessed them; empty for all.")] = []


class NoteBody(ScopedBody):
    """What facts, lore and summaries have in common."""

    text: Annotated[Text, Field(min_length=1)]
    importance: Share = 1.0
    source_id: Name | None = None
    known_by: Names = []
    supersedes: Annotated[list[MemoryId], Field(max_length=1_000, description="What it corrects.")] = []
    pinned: bool = False
    metadata: dict[str, Any] | None = None


class LoreBody(NoteBody):
    """How the world is."""

    model_config = _example({"text": "The tavern has no windows."})

    category: CategoryName | None = None


class SummaryBody(NoteBody):
    """What a stretch of the chat came to."""

    model_config = _example({"text": "Ana and Cassian made peace."})

    parent_id: Annotated[Name | None, Field(description="What it was drawn from.")] = None


class FactBody(NoteBody):
    """Something that holds."""

    model_config = _example({"text": "Ana is afraid of bees.", "category": "character_trait"})

    category: CategoryName | None = None
    speaker: Name | None = None
    parent_id: Annotated[Name | None, Field(description="What it was drawn from.")] = None
    valid_from: Position | None = None
    valid_to: Position | None = None
    at: datetime | None = None


class RecallBody(ScopedBody):
    """A question to the memory."""

    model_config = _example({"query": ["Where was I?", "Where is the key?"], "k": 5})

    query: Annotated[
        Text | Annotated[list[Text], Field(min_length=1, max_length=100)],
        Field(description="What is asked, or the last few messages, the latest last."),
    ]
    k: Annotated[int, Field(ge=0, le=1_000)] = 5
    token_budget: Annotated[int | None, Field(ge=0)] = None
    min_score: float | Literal["auto"] | None = None
    kinds: list[KindName] | None = None
    speakers: Names | None = None
    as_character: Name | None = None
    as_of: Annotated[int | datetime | None, Field(description="Story position or time.")] = None
    include_superseded: bool = False
    neighbours: Annotated[int, Field(ge=0, le=100)] = 0
    order: Literal["score", "chronological"] = "score"
    diversity: Annotated[int | None, Field(ge=1)] = None
    dim: Annotated[int | None, Field(ge=1)] = None
    without_sources: Annotated[
        Names | None, Field(description="`source_id` of turns that the prompt shows already.")
    ] = None
    explain: Annotated[bool, Field(description="Whether to tell what was left out, and why.")] = False


class RetractBody(ScopedBody):
    """Discarded or deleted messages."""

    model_config = _example({"source_ids": ["17"]})

    source_ids: Annotated[Names, Field(min_length=1)]


class BranchBody(ScopedBody):
    """A fork of a chat."""

    model_config = _example({"at": 0, "to_chat": "what if"})

    at: Annotated[Position, Field(description="Position of the last turn that they share.")]
    to_chat: Annotated[Name, Field(description="Name of the fork.")]


class ForgetBody(ScopedBody):
    """What is to be deleted for good."""

    model_config = _example({"ids": [_ID]})

    ids: MemoryIds
    derived: Annotated[bool, Field(description="Whether what was made from it goes along.")] = True


class UsedBody(ScopedBody):
    """What was shown to a model."""

    model_config = _example({"ids": [_ID]})

    ids: MemoryIds


class UpdateBody(ScopedBody):
    """Fields to change; those not given stay, and null clears category and validity."""

    model_config = _example({"importance": 0.5, "category": "relationship"})

    text: Annotated[Text | None, Field(min_length=1)] = None
    importance: Share | None = None
    category: CategoryName | None = None
    known_by: Names | None = None
    valid_from: Position | None = None
    valid_to: Position | None = None
    metadata: dict[str, Any] | None = None
