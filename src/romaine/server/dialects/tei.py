"""Text Embeddings Inference's `/embed` and `/info`; its `/rerank` stands with the others."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from romaine import __version__
from romaine.errors import OptionError
from romaine.server.embedding import Asked, DirectRoute, Texts, answer, json_response, read, takes

router = APIRouter(tags=["Text Embeddings Inference"], route_class=DirectRoute)


class InputsBody(Asked):
    """A request for embeddings."""

    inputs: Texts = Field(description="A text or texts.")
    normalize: bool | None = Field(None, description="AnswerRows are always unit length; false is refused.")


@router.post("/embed", openapi_extra=takes(InputsBody, {"inputs": "Where is the key?"}))
@router.post("/", openapi_extra=takes(InputsBody, {"inputs": "Where is the key?"}))
async def embed(request: Request) -> Response:
    """Embeds a text, or texts."""
    body = read(request, InputsBody)
    if body.normalize is False:
        raise OptionError("normalize=False is not possible: vectors are always unit length; leave it out")
    texts = [body.inputs] if isinstance(body.inputs, str) else body.inputs
    return await answer(request, body, texts, lambda made: list(made.rows))


@router.get("/info")
async def info(request: Request) -> Response:
    """What is known of the first model; loads it."""
    served, settings = request.app.state.models[None], request.app.state.settings
    embedder = await served.embedder()
    return json_response(
        {
            "model_id": served.name,
            "model_sha": None,
            "model_dtype": "float32",
            "model_type": {"embedding": {"pooling": embedder.card.pooling.value}},
            "max_concurrent_requests": settings.max_requests,
            "max_input_length": embedder.max_tokens,
            "max_batch_tokens": settings.batch_tokens,
            "max_batch_requests": None,
            "max_client_batch_size": settings.max_items,
            "auto_truncate": True,
            "tokenization_workers": 1,
            "version": __version__,
            "sha": None,
            "docker_label": None,
        }
    )
