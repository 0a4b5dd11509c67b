"""What the dialects share: a request's texts through a model, and an answer in their shape."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import orjson
from fastapi import HTTPException, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from romaine.arrays import FloatArray
from romaine.errors import OptionError, TextTooLongError
from romaine.models.card import ModelCard
from romaine.server import metrics
from romaine.server.batching import EmbeddedTexts
from romaine.server.models import Served

Texts = str | list[str]
RoleName = Literal["query", "document"]
_QUERIES = frozenset({"query", "search_query", "retrieval.query"})
_DOCUMENTS = frozenset({"document", "passage", "search_document", "retrieval.passage"})
_INDICES_TOLD = 50


class DirectRoute(APIRoute):
    """A route whose function takes the request and gives the response, with nothing in between.

    FastAPI's way of arguments costs more than embedding a short text. OpenAPI's document has it all the same.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The function itself."""
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


class Asked(BaseModel):
    """What every dialect's requests may hold. What is not known is passed over: clients send much."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model: str | None = Field(None, description="Name of a model served; the first one if not given.")
    dimensions: int | None = Field(None, description="Components of the vectors, one of those trained for.")
    truncate: bool | None = Field(
        None, description="False refuses a text over the window, which is cut else."
    )
    input_type: str | None = Field(None, description="query or document: which prompt is used.")
    prompt_name: str | None = Field(None, description="As input_type.")


Body = TypeVar("Body", bound=BaseModel)


def read(request: Request, kind: type[Body]) -> Body:
    """Reads a request's body, whatever Content-Type it says: clients send JSON under several or none.

    Raises:
        ValidationError: If it is no JSON or has another shape.
    """
    body: bytes = request.scope["state"]["body"].take() or b"{}"  # the gate has read it
    try:
        return kind.model_validate_json(body)
    except ValidationError:
        if b"\\ud" not in body.lower():
            raise
        return kind.model_validate_json(_whole(body))


def _whole(body: bytes) -> bytes:
    """JSON in which halves of surrogate pairs are U+FFFD: JavaScript cuts strings inside an emoji."""
    with contextlib.suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(body), ensure_ascii=False)
        return re.sub("[\ud800-\udfff]", "\ufffd", text).encode()
    return body


def takes(kind: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """A route's `openapi_extra` for a body that `read` reads."""
    content = {"schema": kind.model_json_schema(), "example": example}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


class AnswerRows(NamedTuple):
    """What an answer is made of.

    Attributes:
        rows: Unit vectors, float32 (n, dim).
        tokens: Tokens that went through the model.
        model: Its name.
    """

    rows: FloatArray
    tokens: int
    model: str


async def answer(
    request: Request, asked: Asked, texts: Sequence[Any], render: Callable[[AnswerRows], Any]
) -> Response:
    """Embeds texts and answers.

    Args:
        request: The request.
        asked: What it holds.
        texts: Its texts, or lists of token ids.
        render: Makes of vectors what is sent as JSON; called in the worker thread.

    Raises:
        HTTPException: If the model is not served or there are too many texts.
        OptionError: If another value is not allowed.
        TextTooLongError: If a text is over the window and must not be cut.
        TooBusyError: If too much is waiting.
    """
    served, role = model_of(request, asked), role_of(request, asked)
    check_count(request, texts)
    embedder = await served.embedder()
    dim = dim_of(embedder.card, asked)
    if not texts:
        empty = AnswerRows(np.empty((0, dim), dtype=np.float32), 0, served.name)
        return json_response(render(empty))
    prompt = getattr(embedder.card.prompts, role)
    prompted = [prompt + text for text in texts] if prompt else texts

    def finish(made: EmbeddedTexts) -> tuple[bytes, dict[str, str]]:
        check_cut(made, asked, embedder.max_tokens)
        count(served.name, made)
        vectors = AnswerRows(made.vectors, int(made.tokens.sum()), served.name)
        return dumped(render(vectors)), told(served, texts, np.flatnonzero(made.cut).tolist())

    body, headers = await served.embed(prompted, dim, finish, request.is_disconnected)
    return Response(body, media_type="application/json", headers=headers)


def model_of(request: Request, asked: Asked) -> Served:
    """The model that a request names."""
    served: Served = request.app.state.models[asked.model]
    return served


def role_of(request: Request, asked: Asked) -> RoleName:
    """The role of a request's texts: as it says, or as the server is set.

    Raises:
        OptionError: If it names a prompt that no model has.
    """
    said = (asked.prompt_name or asked.input_type or "").lower()
    if said in _QUERIES:
        return "query"
    if said in _DOCUMENTS:
        return "document"
    if asked.prompt_name:
        raise OptionError(f"prompt_name={asked.prompt_name!r} is unknown; allowed are 'query' and 'document'")
    role: RoleName = request.app.state.settings.role
    return role


def dim_of(card: ModelCard, asked: Asked) -> int:
    """The dimension of a request's vectors.

    Raises:
        OptionError: If the model was not trained for it.
    """
    if asked.dimensions is None or asked.dimensions in card.dims:
        return asked.dimensions or card.full_dim
    trained = ", ".join(map(str, card.dims))
    raise OptionError(f"dimensions={asked.dimensions} is not one that this model was trained for: {trained}")


def check_count(request: Request, texts: Sequence[Any]) -> None:
    """Refuses too many texts.

    Raises:
        HTTPException: 413 if there are.
    """
    limit = request.app.state.settings.max_items
    if len(texts) > limit:
        raise HTTPException(
            413, f"{len(texts)} texts are over the {limit} of one request; send them in parts"
        )


def check_cut(made: EmbeddedTexts, asked: Asked, window: int | None) -> None:
    """Refuses texts over the window where they must not be cut.

    Raises:
        TextTooLongError: If one is.
    """
    if asked.truncate is False and made.cut.any():
        first = int(made.cut.argmax())
        raise TextTooLongError(
            f"text {first} is over the model's window of {window} tokens; shorten it, or leave out"
            " truncate=false to have its end cut"
        )


def told(served: Served, texts: Sequence[str], cut: Sequence[int]) -> dict[str, str]:
    """Headers that tell what became of texts.

    `X-Truncated` says how many lost their end, and which, as far as a header has room; `X-Unfamiliar-Script`
    names the model if it does not know how most of them are written.
    """
    headers = {}
    if cut:
        headers["X-Truncated"] = f"{len(cut)}; inputs={','.join(map(str, cut[:_INDICES_TOLD]))}"
    if served.misreads(texts):
        headers["X-Unfamiliar-Script"] = served.name.encode("ascii", "replace").decode()
    return headers


def count(model: str, made: EmbeddedTexts) -> None:
    """Adds to the metrics."""
    metrics.TOKENS.labels(model).inc(int(made.tokens.sum()))
    metrics.CUT.labels(model).inc(int(made.cut.sum()))


def dumped(value: Any) -> bytes:
    """JSON; rows of an array as they are."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def json_response(value: Any) -> Response:
    """An answer of JSON."""
    return Response(dumped(value), media_type="application/json")


def as_base64(row: FloatArray) -> str:
    """The bytes of a vector, little endian, as OpenAI's clients read them."""
    return base64.b64encode(row.astype("<f4", copy=False).tobytes()).decode("ascii")
