"""SillyTavern's Extras: `/api/embeddings/compute`, and `/api/modules`, by which it knows that it is there."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from romaine.server.embedding import Asked, DirectRoute, Texts, answer, json_response, read, takes

router = APIRouter(tags=["SillyTavern Extras"], route_class=DirectRoute)


class ComputeBody(Asked):
    """A request for embeddings."""

    text: Texts = Field(description="A text or texts.")


@router.post("/api/embeddings/compute", openapi_extra=takes(ComputeBody, {"text": "Where is the key?"}))
async def compute(request: Request) -> Response:
    """Embeds a text, or texts."""
    body = read(request, ComputeBody)
    if isinstance(body.text, str):
        return await answer(request, body, [body.text], lambda made: {"embedding": made.rows[0]})
    return await answer(request, body, body.text, lambda made: {"embedding": list(made.rows)})


@router.get("/api/modules")
async def modules(_request: Request) -> Response:
    """What of Extras is here."""
    return json_response({"modules": ["embeddings"]})
