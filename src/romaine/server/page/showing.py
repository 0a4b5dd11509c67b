"""The page itself and its views: the chat as a timeline, notes, fading, the map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.background import BackgroundTask
from starlette.responses import Response

from romaine.errors import RomaineError
from romaine.memory import Memory, RoleplayMemory, Scope
from romaine.server.keys import Caller
from romaine.server.memory.access import OpenFile
from romaine.server.memory.bodies import Name
from romaine.server.memory.writing import MemoryPath
from romaine.server.page import fading, picture, recalling
from romaine.server.page.asked import AskedOf
from romaine.server.page.entering import sign_in_form
from romaine.server.page.rendering import POLICY, render, static_file
from romaine.server.page.tree import casts_of, largest

router = APIRouter()

ViewName = Literal["chat", "facts", "lore", "summaries", "fading", "map"]
VIEWS = {
    "chat": "Chat",
    "facts": "Facts",
    "lore": "Lore",
    "summaries": "Summaries",
    "fading": "Fading",
    "map": "Map",
}
_KINDS = {"facts": "fact", "lore": "lore", "summaries": "summary"}
_NOTES = ("fact", "lore", "summary")
_WINDOW = 40
_MOST_TURNS = 200
_TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}


@router.get("/")
def page(
    request: Request,
    caller: Caller,
    user: Name | None = None,
    character: Name | None = None,
    chat: Name | None = None,
    view: ViewName = "chat",
) -> Response:
    """The page, or the form that asks for a key."""
    state = request.app.state
    if state.keys is not None and request.scope["state"].get("key") is None:
        return sign_in_form()
    if state.memory is None:
        return render("problem.html", {"title": "This server has no memory", "no_memory": True})
    try:
        return _page(state.memory, caller, user, character, chat, view, has_keys=state.keys is not None)
    except RomaineError as error:
        return render("problem.html", {"title": str(error), "no_memory": False}, status=400)


def _page(
    memory: RoleplayMemory,
    caller: str | None,
    user: str | None,
    character: str | None,
    chat: str | None,
    view: ViewName,
    *,
    has_keys: bool,
) -> Response:
    if caller is not None and user not in (None, caller):
        raise HTTPException(403, "this key opens another user's memory")
    users = [caller] if caller is not None else memory.users()
    user = user or (users[0] if users else "me")
    held = memory.scopes(user)
    scope = Scope(user=user, character=character, chat=chat)
    if character is None and chat is None:
        scope = largest(held) or scope
    response = render(
        "page.html",
        {
            "scope": scope,
            "users": users,
            "casts": casts_of(held),
            "view": view,
            "views": VIEWS,
            "has_keys": has_keys,
            "full_dim": memory.embedder.full_dim,
            "least_dim": min(recalling.LEAST_DIM, memory.embedder.full_dim),
            "budget": recalling.BUDGET,
            "largest_budget": recalling.LARGEST_BUDGET,
            **_view(memory, scope, view),
        },
    )
    # the index of a long chat takes seconds to load, which whoever types next shall not wait for
    response.background = BackgroundTask(memory.recall, "", scope, k=0)
    return response


@router.get("/page/view")
def view_(memory: OpenFile, scope: AskedOf, view: ViewName = "chat") -> Response:
    """One view of a scope."""
    return render("view.html", {"scope": scope, "view": view, "views": VIEWS, **_view(memory, scope, view)})


@router.get("/page/scopes")
def scopes(memory: OpenFile, scope: AskedOf, view: ViewName = "chat") -> Response:
    """The tree of a user's scopes."""
    return render("scopes.html", {"scope": scope, "view": view, "casts": casts_of(memory.scopes(scope.user))})


def _view(memory: RoleplayMemory, scope: Scope, view: ViewName) -> dict[str, Any]:
    """What a view shows."""
    stats = memory.stats(scope)
    values: dict[str, Any] = {"stats": stats}
    if view == "chat":
        end = stats.last_position
        return values | {"end": -1 if end is None else end, "window": _WINDOW}
    if view in _KINDS:
        return values | {"kind": _KINDS[view], "chains": _chains(memory, scope, _KINDS[view], ""), "q": ""}
    if view == "fading":
        notes = memory.list(scope, kinds=_NOTES, include_superseded=False)
        chart = fading.fading_chart(notes, memory.lifecycle)
        return values | {"chart": chart, "lifecycle": memory.lifecycle, "cycles": fading.CYCLES}
    sample, vectors = memory.vectors(scope, limit=picture.MOST)
    return values | {"map": picture.memory_map(sample, vectors, memory.analyzer), "sampled": len(sample)}


@router.get("/page/turns")
def turns(
    memory: OpenFile,
    scope: AskedOf,
    start: Annotated[int, Query(ge=0, le=1 << 53)] = 0,
    count: Annotated[int, Query(ge=1, le=_MOST_TURNS)] = _WINDOW,
) -> Response:
    """What stands at some positions of the story."""
    listed = memory.list(scope, after=start - 1 if start else None, before=start + count)
    return render("turns.html", {"scope": scope, "memories": listed})


@router.get("/page/notes")
def notes(
    memory: OpenFile, scope: AskedOf, kind: Literal["fact", "lore", "summary"] = "fact", q: str = ""
) -> Response:
    """Notes of a kind that hold some words."""
    return render(
        "chains.html", {"scope": scope, "kind": kind, "chains": _chains(memory, scope, kind, q), "q": q}
    )


@router.get("/page/memory/{memory_id}")
def one(memory_id: MemoryPath, memory: OpenFile, scope: AskedOf) -> Response:
    """All about one memory, and what can be done with it."""
    shown = memory.get(scope, memory_id)
    newer = None if shown.superseded_by is None else memory.get(scope, shown.superseded_by)
    derived = [each for each in memory.derived(scope, [memory_id]) if each.id != memory_id]
    return render("memory.html", {"scope": scope, "memory": shown, "newer": newer, "derived": derived})


@router.get("/page/memory/{memory_id}/text")
def text(memory_id: MemoryPath, memory: OpenFile, scope: AskedOf) -> Response:
    """The whole text of one memory."""
    return render("text.html", {"memory": memory.get(scope, memory_id)})


@router.get("/page/static/{name}")
async def static(name: str) -> Response:
    """A script, the style or the mark."""
    found = static_file(name)
    if found is None:
        raise HTTPException(404, "there is no such file")
    media_type = _TYPES.get(name.rpartition(".")[2], "text/plain; charset=utf-8")
    # asked for again with each version's address, so that it may be kept
    return Response(
        found,
        media_type=media_type,
        headers=POLICY | {"Cache-Control": "private, max-age=31536000, immutable"},
    )


# --- notes and what they replaced --------------------------------------------------------------------------


@dataclass(frozen=True)
class NoteChain:
    """A note, and those that it replaced, the latest first."""

    note: Memory
    earlier: Sequence[Memory]


def _chains(memory: RoleplayMemory, scope: Scope, kind: str, words: str) -> list[NoteChain]:
    """Notes of a kind, the newest first, each with what it replaced."""
    listed = memory.list(scope, kinds=_NOTES)
    there = {each.id for each in listed}
    replaced: dict[str, list[Memory]] = {}
    for each in listed:
        if each.superseded_by is not None:
            replaced.setdefault(each.superseded_by, []).append(each)
    wanted = words.casefold()
    chains = [
        NoteChain(each, list(_earlier(each.id, replaced)))
        for each in reversed(listed)
        if each.kind.value == kind and (each.superseded_by is None or each.superseded_by not in there)
    ]
    return [
        chain
        for chain in chains
        if not wanted or any(wanted in each.text.casefold() for each in (chain.note, *chain.earlier))
    ]


def _earlier(memory_id: str, replaced: dict[str, list[Memory]]) -> Iterator[Memory]:
    waiting, seen = [memory_id], {memory_id}
    while waiting:
        for each in reversed(replaced.get(waiting.pop(), [])):
            if each.id not in seen:
                seen.add(each.id)
                waiting.append(each.id)
                yield each
