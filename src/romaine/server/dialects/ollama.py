"""Ollama's `/api/embed`, `/api/embeddings`, `/api/tags`, `/api/show` and `/api/version`."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from fastapi import APIRouter, Request
from pydantic import AliasChoices, BaseModel, Field
from starlette.responses import Response

from romaine import __version__
from romaine.server.embedding import AnswerRows, Asked, DirectRoute, Texts, answer, json_response, read, takes
from romaine.server.models import Served

router = APIRouter(tags=["Ollama"], route_class=DirectRoute)


class EmbedBody(Asked):
    """A request for embeddings; `keep_alive` and `options` are the server's to set, and passed over."""

    input: Texts = Field(default_factory=list, description="A text or texts.")


class PromptBody(Asked):
    """A request of Ollama's first clients."""

    prompt: str = ""


class ShowBody(BaseModel):
    """Which model."""

    model: str | None = Field(None, validation_alias=AliasChoices("model", "name"))


@router.post(
    "/api/embed", openapi_extra=takes(EmbedBody, {"model": "little-gem", "input": ["Where is the key?"]})
)
async def embed(request: Request) -> Response:
    """Embeds texts; times are in nanoseconds."""
    started = time.perf_counter_ns()
    body = read(request, EmbedBody)
    served = request.app.state.models[body.model]
    loaded = served.is_loaded
    await served.embedder()
    load = 0 if loaded else time.perf_counter_ns() - started

    def render(made: AnswerRows) -> dict[str, Any]:
        return {
            "model": body.model or made.model,
            "embeddings": list(made.rows),
            "total_duration": time.perf_counter_ns() - started,
            "load_duration": load,
            "prompt_eval_count": made.tokens,
        }

    return await answer(request, body, [body.input] if isinstance(body.input, str) else body.input, render)


@router.post(
    "/api/embeddings", openapi_extra=takes(PromptBody, {"model": "little-gem", "prompt": "Where is the key?"})
)
async def embeddings(request: Request) -> Response:
    """Embeds one text."""
    body = read(request, PromptBody)
    return await answer(request, body, [body.prompt], lambda made: {"embedding": made.rows[0]})


@router.get("/api/tags")
async def tags(request: Request) -> Response:
    """The models served."""
    return json_response({"models": [_tag(each) for each in request.app.state.models]})


@router.get("/api/ps")
async def running(request: Request) -> Response:
    """Those that are loaded."""
    return json_response({"models": [_tag(each) for each in request.app.state.models if each.is_loaded]})


@router.post("/api/show", openapi_extra=takes(ShowBody, {"model": "little-gem"}))
async def show(request: Request) -> Response:
    """What is known of a model; loads it."""
    served = request.app.state.models[read(request, ShowBody).model]
    card = (await served.embedder()).card
    family = card.kind.lower()
    return json_response(
        {
            "license": card.license,
            "modelfile": "",
            "parameters": "",
            "template": "",
            "details": _details(family),
            "model_info": {
                "general.architecture": family,
                f"{family}.embedding_length": card.full_dim,
                f"{family}.context_length": card.max_tokens,
                f"{family}.trained_dims": list(card.dims),
            },
            "capabilities": ["embedding"],
        }
    )


@router.get("/api/version")
async def version(_request: Request) -> Response:
    """The version of this package."""
    return json_response({"version": __version__})


def _tag(served: Served) -> dict[str, Any]:
    return {
        "name": served.name,
        "model": served.name,
        "modified_at": "1970-01-01T00:00:00Z",
        "size": 0,
        # tells models apart in a list; of the files themselves it would need them to be loaded
        "digest": hashlib.sha256(served.source.encode()).hexdigest(),
        "details": _details("embedding"),
    }


def _details(family: str) -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "romaine",
        "family": family,
        "families": [family],
        "parameter_size": "",
        "quantization_level": "",
    }
