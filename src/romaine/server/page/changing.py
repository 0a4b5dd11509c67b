"""Putting a memory right, each change with what undoes it. That stays in the browser, not on the server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, HTTPException
from starlette.responses import Response

from romaine.errors import OptionError, RomaineError
from romaine.memory import Memory, RoleplayMemory, Scope
from romaine.memory.exchange import from_json, to_json
from romaine.memory.plain import clean_text
from romaine.server.memory.access import OpenFile
from romaine.server.memory.writing import MemoryPath
from romaine.server.page.asked import AskedOf, Fields, Form, names
from romaine.server.page.rendering import CATEGORIES, render, told_now

router = APIRouter()

_LARGEST_UNDO = 3 << 20
"""Bytes of what undoes a change; more would not come back through the limit on a request's body."""

_NO_CHANGE = "Nothing was changed"


@dataclass(frozen=True, kw_only=True)
class Undo:
    """What undoes a change.

    Attributes:
        memories: As they were.
        superseded: Ids of memories that one of these had replaced, with that one's id.
        added: Ids of what the change added.
    """

    memories: Sequence[Memory] = ()
    superseded: Mapping[str, str] | None = None
    added: Sequence[str] = ()

    def to_json(self) -> str:
        """Returns it as a form's field holds it, in ASCII, so that no text is bent."""
        return json.dumps(
            {
                "memories": [to_json(memory) for memory in self.memories],
                "superseded": dict(self.superseded or {}),
                "added": list(self.added),
            }
        )

    @classmethod
    def from_json(cls, text: str, user: str) -> Undo:
        """Undoes `to_json`.

        Raises:
            OptionError: If it is none, or another user's.
        """
        try:
            given = json.loads(text)
            return cls(
                memories=[from_json(each, user=user) for each in given["memories"]],
                superseded={str(old): str(new) for old, new in given["superseded"].items()},
                added=[str(each) for each in given["added"]],
            )
        except (RomaineError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            raise OptionError("this undoes nothing: the page that offers it must be of this memory") from None


@dataclass(frozen=True, kw_only=True)
class _Done:
    said: str
    undo: Undo


@router.post("/page/memory/{memory_id}/{action}")
def change(memory_id: MemoryPath, action: str, memory: OpenFile, scope: AskedOf, fields: Form) -> Response:
    """Does one thing to a memory and offers to undo it."""
    if action not in _ACTIONS:
        raise HTTPException(404, f"{action!r} is nothing that can be done; there is {', '.join(_ACTIONS)}")
    return _told(scope, _ACTIONS[action](memory, scope, memory.get(scope, memory_id), fields))


@router.post("/page/note")
def add(memory: OpenFile, scope: AskedOf, fields: Form) -> Response:
    """Adds a fact, a piece of lore or a summary."""
    return _told(scope, _add(memory, scope, fields.get("kind", "fact"), fields, supersedes=[]))


@router.post("/page/undo")
def undo(memory: OpenFile, scope: AskedOf, fields: Form) -> Response:
    """Undoes a change."""
    given = Undo.from_json(fields.get("undo", ""), scope.user)
    if given.added:
        memory.forget(scope, given.added, derived=False)
    memory.restore(scope, given.memories, superseded=given.superseded)
    return render(
        "toast.html",
        {"said": "Undone", "scope": scope, "undo": None, "is_undo": True},
        headers=told_now("memory-changed"),
    )


def _told(scope: Scope, done: _Done) -> Response:
    as_text = done.undo.to_json()
    fits = len(as_text) <= _LARGEST_UNDO
    return render(
        "toast.html",
        {
            "said": done.said if fits else f"{done.said}. It is too long to be undone here",
            "undo": as_text if fits else None,
            "scope": scope,
            "is_undo": False,
        },
        headers=told_now("memory-changed"),
    )


# --- what can be done --------------------------------------------------------------------------------------


def _pin(memory: RoleplayMemory, scope: Scope, old: Memory, _: Fields) -> _Done:
    memory.pin(scope, old.id)
    return _Done(said="Pinned", undo=Undo(memories=[old]))


def _unpin(memory: RoleplayMemory, scope: Scope, old: Memory, _: Fields) -> _Done:
    memory.unpin(scope, old.id)
    return _Done(said="Unpinned", undo=Undo(memories=[old]))


def _edit(memory: RoleplayMemory, scope: Scope, old: Memory, fields: Fields) -> _Done:
    given: dict[str, Any] = {}
    text = _typed(fields.get("text", old.text))
    if text != _typed(old.text):
        if not text.strip():
            raise OptionError("the text is empty: write what it is to say, or forget it")
        given["text"] = text
    if "importance" in fields:
        try:
            given["importance"] = float(fields["importance"])
        except ValueError:
            raise OptionError("importance is a number from 0 to 1") from None
    if "category" in fields:
        given["category"] = fields["category"] if fields["category"] in CATEGORIES else None
    memory.update(scope, old.id, **given)
    return _Done(said="Changed", undo=Undo(memories=[old]))


def _witnesses(memory: RoleplayMemory, scope: Scope, old: Memory, fields: Fields) -> _Done:
    known_by = names(fields.get("known_by", ""))
    memory.update(scope, old.id, known_by=known_by)
    said = f"Known by {', '.join(known_by)} alone" if known_by else "Known by everybody"
    return _Done(said=said, undo=Undo(memories=[old]))


def _supersede(memory: RoleplayMemory, scope: Scope, old: Memory, fields: Fields) -> _Done:
    kind = "fact" if old.kind.value == "turn" else old.kind.value
    return _add(memory, scope, kind, fields, supersedes=[old.id])


def _retract(memory: RoleplayMemory, scope: Scope, old: Memory, _: Fields) -> _Done:
    if old.source_id is None:
        raise OptionError("only a message that has an id in its chat can be retracted; forget this one")
    taken = {each.id: each for each in memory.list(scope, source_ids=[old.source_id])}
    undo = _undo_of(memory, scope, list(taken))
    count = memory.retract(scope, [old.source_id])
    return _Done(said=_counted("Retracted", count), undo=undo)


def _forget(memory: RoleplayMemory, scope: Scope, old: Memory, _: Fields) -> _Done:
    undo = _undo_of(memory, scope, [old.id])
    gone = memory.forget(scope, old.id)
    said = _counted("Forgotten", gone.memories)
    return _Done(said=f"{said}; the file's log is emptied later" if gone.pending else said, undo=undo)


_ACTIONS: dict[str, Callable[[RoleplayMemory, Scope, Memory, Fields], _Done]] = {
    "pin": _pin,
    "unpin": _unpin,
    "edit": _edit,
    "witnesses": _witnesses,
    "supersede": _supersede,
    "retract": _retract,
    "forget": _forget,
}


def _add(
    memory: RoleplayMemory, scope: Scope, kind: str, fields: Fields, *, supersedes: Sequence[str]
) -> _Done:
    writers: dict[str, Callable[..., Any]] = {
        "fact": memory.add_fact,
        "lore": memory.add_lore,
        "summary": memory.add_summary,
    }
    text = fields.get("text", "").strip()
    if kind not in writers or not text:
        raise OptionError("the text is empty: write what is to be remembered")
    added = writers[kind](scope, text, supersedes=supersedes)
    if not added.stored:
        raise OptionError(f"{_NO_CHANGE}: there is a note with the {added.reason} already")
    return _Done(said="Replaced" if supersedes else "Added", undo=Undo(added=[added.memory.id]))


def _undo_of(memory: RoleplayMemory, scope: Scope, ids: Sequence[str]) -> Undo:
    """What brings memories back that are about to go, and what they replaced behind them."""
    going = memory.derived(scope, ids)
    gone = {each.id for each in going}
    notes = memory.list(scope, kinds=["fact", "lore", "summary"])
    return Undo(
        memories=going,
        superseded={each.id: by for each in notes if (by := each.superseded_by) is not None and by in gone},
    )


def _typed(text: str) -> str:
    """A text as it comes back from a browser's text field, which keeps neither CR nor NUL."""
    return clean_text(text).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


def _counted(what: str, count: int) -> str:
    return what if count == 1 else f"{what}, with {count - 1} made from it"
