"""`/v1/rerank` as Cohere and Jina have it, `/v2/rerank` (Cohere) and `/rerank` (Text Embeddings Inference).

Texts are ranked as the memory ranks what it holds: by meaning and by words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import numpy as np
from fastapi import APIRouter, Request
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from starlette.responses import Response

from romaine.memory.document_ranker import score_texts
from romaine.server.batching import EmbeddedTexts
from romaine.server.embedding import (
    Asked,
    DirectRoute,
    check_count,
    check_cut,
    count,
    dim_of,
    dumped,
    json_response,
    model_of,
    read,
    takes,
    told,
)

router = APIRouter(tags=["Rerank"], route_class=DirectRoute)


class TextDocument(BaseModel):
    """A document as an object."""

    text: str


class RerankBody(Asked):
    """A request of Cohere's or Jina's clients."""

    query: str
    documents: list[str | TextDocument]
    top_n: int | None = Field(None, ge=1, description="How many of the best are answered; all if not given.")
    return_documents: bool = Field(False, description="Whether texts are sent back.")


class TextsBody(Asked):
    """A request of Text Embeddings Inference's clients."""

    query: str
    texts: list[str]
    raw_scores: bool = Field(False, description="Scores of any size instead of 0 to 1.")
    return_text: bool = Field(False, description="Whether texts are sent back.")


_EXAMPLE = {
    "query": "Where is the key?",
    "documents": ["The moon is up.", "The key is under the third step."],
    "top_n": 1,
}


@router.post("/v1/rerank", openapi_extra=takes(RerankBody, _EXAMPLE))
@router.post("/v2/rerank", openapi_extra=takes(RerankBody, _EXAMPLE))
@router.post("/rerank/v1/rerank", include_in_schema=False)
async def rerank(request: Request) -> Response:
    """Ranks documents, the best first; relevance is 0 to 1 and compares within this answer."""
    body = read(request, RerankBody)
    texts = [each if isinstance(each, str) else each.text for each in body.documents]
    model = model_of(request, body).name

    def render(order: list[int], scores: NDArray[np.float64], tokens: int) -> dict[str, Any]:
        results = [
            {"index": i, "relevance_score": share(scores[i])}
            | ({"document": {"text": texts[i]}} if body.return_documents else {})
            for i in order[: body.top_n]
        ]
        return {
            "id": str(uuid4()),
            "object": "list",
            "model": model,
            "results": results,
            "usage": {"total_tokens": tokens},
            "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
        }

    return await _ranked(request, body, body.query, texts, render)


@router.post(
    "/rerank", openapi_extra=takes(TextsBody, {"query": "Where is the key?", "texts": ["The moon."]})
)
async def rerank_texts(request: Request) -> Response:
    """Ranks texts, the best first."""
    body = read(request, TextsBody)

    def render(order: list[int], scores: NDArray[np.float64], _tokens: int) -> list[dict[str, Any]]:
        return [
            {"index": i, "score": float(scores[i]) if body.raw_scores else share(scores[i])}
            | ({"text": body.texts[i]} if body.return_text else {})
            for i in order
        ]

    return await _ranked(request, body, body.query, body.texts, render)


async def _ranked(
    request: Request,
    asked: Asked,
    query: str,
    texts: Sequence[str],
    render: Callable[[list[int], NDArray[np.float64], int], Any],
) -> Response:
    served = model_of(request, asked)
    check_count(request, texts)
    embedder = await served.embedder()
    dim = dim_of(embedder.card, asked)
    if not texts:
        return json_response(render([], np.zeros(0), 0))
    prompts = embedder.card.prompts

    def finish(made: EmbeddedTexts) -> tuple[bytes, dict[str, str]]:
        check_cut(made, asked, embedder.max_tokens)
        count(served.name, made)
        scores = score_texts(query, texts, query_vector=made.vectors[0], vectors=made.vectors[1:])
        order = np.argsort(-scores, kind="stable").tolist()
        cut = (np.flatnonzero(made.cut[1:])).tolist()
        return dumped(render(order, scores, int(made.tokens.sum()))), told(served, [query, *texts], cut)

    prompted = [prompts.query + query, *(prompts.document + text for text in texts)]
    body, headers = await served.embed(prompted, dim, finish, request.is_disconnected)
    return Response(body, media_type="application/json", headers=headers)


def share(score: float) -> float:
    """A score of any size as 0 to 1, in the same order."""
    return float(1 / (1 + np.exp(-score)))
