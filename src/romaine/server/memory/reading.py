"""Routes that read; they write nothing."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from romaine.memory.exchange import to_json
from romaine.memory.plain import explanation_to_json, stats_to_json
from romaine.server.keys import Caller
from romaine.server.memory import answers, bodies
from romaine.server.memory.access import OpenFile, QueryScope, answered, scope_of
from romaine.server.memory.writing import MemoryPath

router = APIRouter()

_OF_ALL_USERS = ("file_bytes",)


@router.post("/recall", response_model=answers.RecallAnswer, response_model_exclude_unset=True)
def recall(body: bodies.RecallBody, caller: Caller, memory: OpenFile) -> Response:
    """Finds what fits a question or what is being said. Writes nothing; `mark_used` says what was of use."""
    scope = scope_of(caller, body.scope)
    options: dict[str, Any] = body.model_dump(exclude={"scope", "query"})
    found = explanation_to_json(memory.recall(body.query, scope, **options | {"explain": True}))
    return answered(found if body.explain else {"hits": found["hits"]})


@router.get("/memories", response_model=answers.MemoriesAnswer)
def list_(
    memory: OpenFile,
    scope: QueryScope,
    kinds: Annotated[list[bodies.KindName] | None, Query()] = None,
    include_superseded: bool = True,
    source_ids: Annotated[list[bodies.Name] | None, Query()] = None,
    source_prefix: bodies.Name | None = None,
    offset: Annotated[int, Query(ge=0, le=1 << 53)] = 0,
    limit: Annotated[int, Query(ge=0, le=1_000)] = 100,
) -> Response:
    """Lists what a scope sees, in the order of the story; what has no place in it comes last."""
    listed = memory.list(
        scope,
        kinds=kinds,
        include_superseded=include_superseded,
        source_ids=source_ids,
        source_prefix=source_prefix,
        offset=offset,
        limit=limit,
    )
    return answered({"memories": [to_json(each) for each in listed]})


@router.get("/memories/{memory_id}", response_model=answers.MemoryRecord)
def get(memory_id: MemoryPath, memory: OpenFile, scope: QueryScope) -> Response:
    """Shows one memory."""
    return answered(to_json(memory.get(scope, memory_id)))


@router.get("/stats", response_model=answers.StatsAnswer)
def stats(memory: OpenFile, scope: QueryScope) -> Response:
    """Counts what a scope sees."""
    counted = stats_to_json(memory.stats(scope))
    return answered({name: value for name, value in counted.items() if name not in _OF_ALL_USERS})


@router.get("/scopes", response_model=answers.ScopesAnswer)
def scopes(memory: OpenFile, scope: QueryScope) -> Response:
    """Lists the scopes of a user that hold something."""
    held = [vars(each) | {"scope": vars(each.scope)} for each in memory.scopes(scope.user)]
    told = [{name: value for name, value in each.items() if value is not None} for each in held]
    return answered({"scopes": told})
