"""OpenAI's `/v1/embeddings` and `/v1/models`; clients of llama.cpp, RisuAI and KoboldCpp send the same."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Request
from pydantic import Field
from starlette.responses import Response

from romaine.errors import OptionError
from romaine.server.embedding import (
    AnswerRows,
    Asked,
    DirectRoute,
    answer,
    as_base64,
    json_response,
    read,
    takes,
)
from romaine.server.models import Served

router = APIRouter(tags=["OpenAI"], route_class=DirectRoute)

TokenId = Annotated[int, Field(strict=True, ge=0)]


class EmbeddingsBody(Asked):
    """A request for embeddings."""

    input: str | list[str] | list[TokenId] | list[list[TokenId]] = Field(
        description="A text, texts, or token ids of the model's own tokenizer."
    )
    encoding_format: Literal["float", "base64"] = "float"


_EXAMPLE = {"model": "little-gem", "input": ["The key is under the third step."]}


@router.post("/v1/embeddings", openapi_extra=takes(EmbeddingsBody, _EXAMPLE))
@router.post("/embeddings", openapi_extra=takes(EmbeddingsBody, _EXAMPLE))
@router.post("/api/extra/embeddings", openapi_extra=takes(EmbeddingsBody, _EXAMPLE), tags=["KoboldCpp"])
async def embeddings(request: Request) -> Response:
    """Embeds texts; the answers come in the order of the input."""
    body = read(request, EmbeddingsBody)
    texts: list[Any] = [body.input] if isinstance(body.input, str) else list(body.input)
    if texts and isinstance(texts[0], int):
        texts = [texts]
    if texts and isinstance(texts[0], list):
        texts = await _decoded(request.app.state.models[body.model], texts)
    shape = as_base64 if body.encoding_format == "base64" else lambda row: row

    def render(made: AnswerRows) -> dict[str, Any]:
        return {
            "object": "list",
            "data": [
                {"object": "embedding", "index": i, "embedding": shape(row)}
                for i, row in enumerate(made.rows)
            ],
            "model": made.model,
            "usage": {"prompt_tokens": made.tokens, "total_tokens": made.tokens},
        }

    return await answer(request, body, texts, render)


_NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}


@router.get("/v1/models")
async def models(request: Request) -> Response:
    """The models served."""
    return json_response({"object": "list", "data": [_described(each) for each in request.app.state.models]})


@router.get("/v1/models/{name:path}", openapi_extra={"parameters": [_NAME]})
async def model(request: Request) -> Response:
    """One of them."""
    return json_response(_described(request.app.state.models[request.path_params["name"]]))


def _described(served: Served) -> dict[str, Any]:
    return {"id": served.name, "object": "model", "created": 0, "owned_by": "romaine"}


async def _decoded(served: Served, ids: list[list[int]]) -> list[str]:
    """Texts of token ids.

    Raises:
        OptionError: If an id is not one of the model's.
        HTTPException: 400 if its backend has no tokenizer that decodes.
    """
    backend = (await served.embedder()).opened.backend
    tokenizer = getattr(backend, "tokenizer", None)
    if tokenizer is None:
        raise HTTPException(400, f"model {served.name!r} takes no token ids; send texts")
    highest = max((max(each, default=0) for each in ids), default=0)
    if highest >= tokenizer.vocab_size:
        raise OptionError(
            f"token id {highest} is not of {served.name!r}, whose ids are below {tokenizer.vocab_size}: send"
            " texts (in langchain-openai with check_embedding_ctx_length=False), or its own tokenizer's ids"
        )
    return list(tokenizer.decode(ids))
