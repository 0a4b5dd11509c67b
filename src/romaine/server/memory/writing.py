"""Routes that write. Each is one transaction, on the disk when it is answered, and done once per key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.responses import Response

from romaine.memory import (
    DecayResult,
    Forgotten,
    Kind,
    Memory,
    NoteAdded,
    RoleplayMemory,
    Scope,
    Turn,
    TurnsAdded,
)
from romaine.memory.receipts import Answer
from romaine.server.keys import Caller
from romaine.server.memory import answers, bodies
from romaine.server.memory.access import OpenFile, Retried, Retry, scope_of, written

router = APIRouter()

MemoryPath = Annotated[bodies.MemoryId, Path()]


@router.post("/turns", response_model=answers.TurnsAnswer)
def add_turns(body: bodies.TurnsBody, caller: Caller, memory: OpenFile, retry: Retried) -> Response:
    """Adds what was said, all of it or nothing. A turn whose `source_id` is there is edited, not doubled."""
    scope = scope_of(caller, body.scope)
    turns = [Turn(**turn.model_dump()) for turn in body.turns]

    def answer(added: TurnsAdded) -> Answer:
        return {**vars(added), "ids": list(added.ids)}

    return written(
        memory, retry, scope.user, lambda m: m.add_turns(scope, turns, known_by=body.known_by), answer
    )


@router.post("/facts", response_model=answers.NoteAnswer)
def add_fact(body: bodies.FactBody, caller: Caller, memory: OpenFile, retry: Retried) -> Response:
    """Adds a fact, unless the scope has it already."""
    return _note(body, caller, memory, retry, RoleplayMemory.add_fact)


@router.post("/lore", response_model=answers.NoteAnswer)
def add_lore(body: bodies.LoreBody, caller: Caller, memory: OpenFile, retry: Retried) -> Response:
    """Adds how the world is, unless the scope has it already."""
    return _note(body, caller, memory, retry, RoleplayMemory.add_lore)


@router.post("/summaries", response_model=answers.NoteAnswer)
def add_summary(body: bodies.SummaryBody, caller: Caller, memory: OpenFile, retry: Retried) -> Response:
    """Adds what a stretch of the chat came to, unless the scope has it already."""
    return _note(body, caller, memory, retry, RoleplayMemory.add_summary)


@router.post("/retract", response_model=answers.CountAnswer)
def retract(body: bodies.RetractBody, caller: Caller, memory: OpenFile, retry: Retried) -> Response:
    """Takes discarded messages out, with everything that was made from them."""
    scope = scope_of(caller, body.scope)
    return written(memory, retry, scope.user, lambda m: m.retract(scope, body.source_ids), _count)


@router.post("/branch", response_model=answers.BranchAnswer)
def branch(body: bodies.BranchBody, caller: Caller, memory: OpenFile, retry: Retried) -> Response:
    """Forks a chat: the fork sees it up to a position, as it is now, and neither what the other changes."""
    scope = scope_of(caller, body.scope)

    def answer(fork: Scope) -> Answer:
        return {"scope": dict(vars(fork))}

    return written(
        memory, retry, scope.user, lambda m: m.branch(scope, at=body.at, to_chat=body.to_chat), answer
    )


@router.post("/forget", response_model=answers.ForgottenAnswer)
def forget(body: bodies.ForgetBody, caller: Caller, memory: OpenFile, retry: Retried) -> Response:
    """Deletes memories for good, from the file, its log and all forks."""
    scope = scope_of(caller, body.scope)
    done: list[Forgotten] = []  # empty if it was done before

    def write(m: RoleplayMemory) -> None:
        done.append(m.forget(scope, body.ids, derived=body.derived))

    def live() -> dict[str, bool]:
        return {"pending": done[0].pending if done else not memory.erase()}

    return written(memory, retry, scope.user, write, _count, live=live)


@router.post("/mark_used", response_model=answers.CountAnswer)
def mark_used(body: bodies.UsedBody, caller: Caller, memory: OpenFile, retry: Retried) -> Response:
    """Notes that memories were shown to a model: they fade slower. What is not seen is left out."""
    scope = scope_of(caller, body.scope)
    found = [Memory(scope=scope, kind=Kind.TURN, text="", id=id_) for id_ in body.ids]
    return written(memory, retry, scope.user, lambda m: m.mark_used(scope, found), _count)


@router.post("/decay", response_model=answers.DecayAnswer)
def decay(body: bodies.ScopedBody, caller: Caller, memory: OpenFile, retry: Retried) -> Response:
    """Lets the facts and summaries of exactly this scope fade by one cycle."""
    scope = scope_of(caller, body.scope)

    def answer(result: DecayResult) -> Answer:
        return dict(vars(result))

    return written(memory, retry, scope.user, lambda m: m.decay(scope), answer)


@router.patch("/memories/{memory_id}", response_model=answers.ChangedAnswer)
def update(
    memory_id: MemoryPath, body: bodies.UpdateBody, caller: Caller, memory: OpenFile, retry: Retried
) -> Response:
    """Changes fields of a memory; those not given stay. A new text is embedded again."""
    scope = scope_of(caller, body.scope)
    fields: dict[str, Any] = body.model_dump(exclude={"scope"}, exclude_unset=True)
    return written(memory, retry, scope.user, lambda m: m.update(scope, memory_id, **fields), _changed)


@router.post("/memories/{memory_id}/pin", response_model=answers.ChangedAnswer)
def pin(
    memory_id: MemoryPath, body: bodies.ScopedBody, caller: Caller, memory: OpenFile, retry: Retried
) -> Response:
    """Keeps a memory warm whatever happens."""
    scope = scope_of(caller, body.scope)
    return written(memory, retry, scope.user, lambda m: m.pin(scope, memory_id), _changed)


@router.post("/memories/{memory_id}/unpin", response_model=answers.ChangedAnswer)
def unpin(
    memory_id: MemoryPath, body: bodies.ScopedBody, caller: Caller, memory: OpenFile, retry: Retried
) -> Response:
    """Lets a memory fade again."""
    scope = scope_of(caller, body.scope)
    return written(memory, retry, scope.user, lambda m: m.unpin(scope, memory_id), _changed)


def _note(
    body: bodies.NoteBody,
    caller: str | None,
    memory: RoleplayMemory,
    retry: Retry,
    add: Callable[..., NoteAdded],
) -> Response:
    scope = scope_of(caller, body.scope)
    fields = body.model_dump(exclude={"scope"})

    def answer(results: list[NoteAdded]) -> Answer:
        (added,) = results
        id_ = added.twin_id or added.memory.id
        return {"id": id_, "stored": added.stored, "reason": added.reason}

    return written(memory, retry, scope.user, lambda m: add(m, scope, **fields), answer)


def _count(memories: int) -> Answer:
    return {"memories": memories}


def _changed(memory: Memory) -> Answer:
    return {name: getattr(memory, name) for name in answers.ChangedAnswer.model_fields}
