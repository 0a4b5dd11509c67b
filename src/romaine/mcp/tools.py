"""The tools: what each does with the memory of one scope, and how it is announced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from pydantic import BaseModel

from romaine.mcp.shapes import (
    CountResult,
    DeleteArguments,
    FoundText,
    IdArguments,
    NoArguments,
    NoteArguments,
    NoteResult,
    PageArguments,
    PageResult,
    RememberedText,
    RetractArguments,
    SearchArguments,
    SearchResult,
    StatsResult,
    TurnsArguments,
    TurnsResult,
    UpdateArguments,
)
from romaine.memory import Memory, RoleplayMemory, Scope, Turn


@dataclass(frozen=True, kw_only=True)
class OpenMemory:
    """The memory that a request may use: a file that is open, and whose memory in it."""

    memory: RoleplayMemory
    scope: Scope

    def pinned(self) -> list[Memory]:
        """What is pinned, in the order of the story."""
        count = self.memory.stats(self.scope).pinned
        found: list[Memory] = []
        # notes first: there are few of them, and it is mostly they that are pinned
        for kinds in (["fact", "lore", "summary"], ["turn"]):
            if len(found) < count:
                listed = self.memory.list(self.scope, kinds=kinds)
                found += [memory for memory in listed if memory.pinned]
        return sorted(found, key=lambda memory: (memory.position is None, memory.position or 0))


def add_memory(within: OpenMemory, given: NoteArguments) -> NoteResult:
    """Adds a note."""
    options: dict[str, Any] = {
        "importance": given.importance,
        "supersedes": given.supersedes,
        "pinned": given.pinned,
    }
    if given.kind == "summary":
        added = within.memory.add_summary(within.scope, given.text, **options)
    elif given.kind == "lore":
        added = within.memory.add_lore(within.scope, given.text, category=given.category, **options)
    else:
        options |= {"category": given.category, "speaker": given.speaker}
        added = within.memory.add_fact(within.scope, given.text, **options)
    return NoteResult(id=added.twin_id or added.memory.id, stored=added.stored, reason=added.reason)


def add_turns(within: OpenMemory, given: TurnsArguments) -> TurnsResult:
    """Adds what was said."""
    added = within.memory.add_turns(within.scope, [Turn(**turn.model_dump()) for turn in given.turns])
    return TurnsResult(added=added.added, edited=added.edited, unchanged=added.unchanged, ids=list(added.ids))


def search_memories(within: OpenMemory, given: SearchArguments) -> SearchResult:
    """Finds what fits."""
    found = within.memory.recall(
        given.query,
        within.scope,
        k=given.limit,
        token_budget=given.token_budget,
        min_score="auto" if given.only_if_sure else None,
        kinds=given.kinds,
        speakers=given.speakers,
        neighbours=given.neighbours,
        explain=True,
    )
    shown = [memory for hit in found.hits for memory in (hit.memory, *hit.neighbours)]
    return SearchResult(
        memories=[FoundText.of_hit(hit) for hit in found.hits],
        tokens=sum(memory.token_count for memory in shown),
        left_out=sum(rejected.reason == "budget" for rejected in found.rejected),
    )


def get_memories(within: OpenMemory, given: PageArguments) -> PageResult:
    """Lists a page."""
    if given.pinned:
        chosen = [memory for memory in within.pinned() if _is_asked_for(memory, given)]
        listed = chosen[given.offset : given.offset + given.limit + 1]
    else:
        listed = within.memory.list(
            within.scope,
            kinds=given.kinds,
            include_superseded=given.include_superseded,
            offset=given.offset,
            limit=given.limit + 1,
        )
    page: list[Memory] = []
    tokens = 0
    for memory in listed[: given.limit]:
        tokens += memory.token_count
        if page and tokens > given.token_budget:  # one at least, or there is no way past it
            break
        page.append(memory)
    rest = len(page) < len(listed)
    return PageResult(
        memories=[RememberedText.of(memory) for memory in page],
        next_offset=given.offset + len(page) if rest else None,
    )


def get_memory(within: OpenMemory, given: IdArguments) -> RememberedText:
    """Shows one."""
    shown: RememberedText = RememberedText.of(within.memory.get(within.scope, given.memory_id))
    return shown


def update_memory(within: OpenMemory, given: UpdateArguments) -> RememberedText:
    """Changes one."""
    fields = given.model_dump(exclude={"memory_id", "pinned"}, exclude_unset=True)
    changed = within.memory.get(within.scope, given.memory_id)
    if fields:
        changed = within.memory.update(within.scope, given.memory_id, **fields)
    if given.pinned is not None:
        pin = within.memory.pin if given.pinned else within.memory.unpin
        changed = pin(within.scope, given.memory_id)
    shown: RememberedText = RememberedText.of(changed)
    return shown


def delete_memory(within: OpenMemory, given: DeleteArguments) -> CountResult:
    """Deletes one for good."""
    gone = within.memory.forget(within.scope, given.memory_id, derived=given.derived)
    return CountResult(memories=gone.memories)


def retract_turns(within: OpenMemory, given: RetractArguments) -> CountResult:
    """Takes messages out."""
    return CountResult(memories=within.memory.retract(within.scope, given.source_ids))


def memory_stats(within: OpenMemory, given: NoArguments) -> StatsResult:  # noqa: ARG001 - as all tools
    """Counts."""
    stats = within.memory.stats(within.scope)
    return StatsResult(
        total=stats.total,
        kinds={kind.value: count for kind, count in stats.memories.items()},
        pinned=stats.pinned,
        superseded=stats.superseded,
        tokens=stats.tokens,
    )


def _is_asked_for(memory: Memory, given: PageArguments) -> bool:
    return (given.kinds is None or memory.kind.value in given.kinds) and (
        given.include_superseded or memory.superseded_by is None
    )


@dataclass(frozen=True, kw_only=True)
class MemoryTool:
    """A tool.

    Attributes:
        run: Does it; blocks.
        takes: Model of its arguments.
        gives: Model of its result.
        title: For people.
        description: For models.
        reads: Whether it only reads.
        destroys: Whether it may take away or replace what is there.
        repeats: Whether the same call again changes nothing more.
    """

    run: Callable[[OpenMemory, Any], BaseModel]
    takes: type[BaseModel]
    gives: type[BaseModel]
    title: str
    description: str
    reads: bool = False
    destroys: bool = False
    repeats: bool = True

    @property
    def name(self) -> str:
        """What clients call it by."""
        return self.run.__name__

    def announced(self) -> types.Tool:
        """Returns what `tools/list` says of it."""
        return types.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=self.takes.model_json_schema(),
            output_schema=self.gives.model_json_schema(),
            annotations=types.ToolAnnotations(
                title=self.title,
                read_only_hint=self.reads,
                destructive_hint=self.destroys,
                idempotent_hint=self.repeats,
                open_world_hint=False,
            ),
        )


_ALL = (
    MemoryTool(
        run=search_memories,
        takes=SearchArguments,
        gives=SearchResult,
        title="Search memories",
        description="Find what was said or noted that fits a question, by meaning and by words, best first."
        " Ask before answering about anything that happened earlier.",
        reads=True,
    ),
    MemoryTool(
        run=get_memories,
        takes=PageArguments,
        gives=PageResult,
        title="List memories",
        description="List memories page by page in the order of the story, all or only the pinned ones."
        " To find something, use search_memories.",
        reads=True,
    ),
    MemoryTool(
        run=get_memory,
        takes=IdArguments,
        gives=RememberedText,
        title="Show a memory",
        description="Show one memory by its id.",
        reads=True,
    ),
    MemoryTool(
        run=add_memory,
        takes=NoteArguments,
        gives=NoteResult,
        title="Remember something",
        description="Note one fact, piece of lore or summary that should last. What is there already is not"
        " stored again; name the ids of what it corrects in `supersedes`.",
    ),
    MemoryTool(
        run=add_turns,
        takes=TurnsArguments,
        gives=TurnsResult,
        title="Record messages",
        description="Record messages of the chat word for word, in order. With `source_id`, the same message"
        " again adds nothing and a changed text replaces the old one.",
        destroys=True,
        repeats=False,
    ),
    MemoryTool(
        run=update_memory,
        takes=UpdateArguments,
        gives=RememberedText,
        title="Change a memory",
        description="Change the text, category, importance or pin of one memory; what is not given stays."
        " If the story itself has changed, rather add_memory with `supersedes`: the past is kept then.",
        destroys=True,
    ),
    MemoryTool(
        run=delete_memory,
        takes=DeleteArguments,
        gives=CountResult,
        title="Delete a memory",
        description="Delete one memory for good, with what was made from it. Only when the user asks for it.",
        destroys=True,
    ),
    MemoryTool(
        run=retract_turns,
        takes=RetractArguments,
        gives=CountResult,
        title="Take messages back",
        description="Take back messages that the user discarded or deleted, by source_id, with what was made"
        " from them.",
        destroys=True,
    ),
    MemoryTool(
        run=memory_stats,
        takes=NoArguments,
        gives=StatsResult,
        title="Count memories",
        description="Count how much is remembered, by kind.",
        reads=True,
    ),
)

TOOLS = {tool.name: tool for tool in _ALL}
