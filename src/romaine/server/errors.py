"""Errors as each dialect's clients expect them: a status, and a body in the dialect's own shape."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response

from romaine import errors

logger = logging.getLogger("romaine.server")

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (errors.MemoryNotFoundError, 404),
    (errors.TextTooLongError, 413),
    (errors.StorageLockedError, 503),
    (errors.StorageFullError, 507),
    (errors.StorageReadOnlyError, 403),
    (errors.OptionError, 400),
    (errors.TextTypeError, 400),
    (errors.VectorError, 400),
    (errors.FormatError, 400),
    (errors.InputFileError, 400),
)
"""By class, the first that fits."""

_OF_THE_SERVER = (errors.ModelError, errors.BackendError, errors.MissingExtraError, errors.StorageError)

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
}
_TEI_TYPES = {429: "overloaded", 413: "validation", 400: "validation", 422: "validation"}


class TooBusyError(Exception):
    """More was asked than may wait.

    Args:
        retry_after: Seconds after which to ask again.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__("too much is waiting already; ask again later")
        self.retry_after = max(1, round(retry_after))


def error_response(
    path: str, status: int, message: str, *, headers: Mapping[str, str] | None = None, code: str | None = None
) -> Response:
    """An error in the shape of the dialect that a path belongs to.

    Args:
        path: The request's.
        status: HTTP status.
        message: What was wrong, what is allowed and what to do.
        headers: Headers of the answer.
        code: OpenAI's `code`.
    """
    body: dict[str, Any]
    if path.startswith("/api/"):
        body = {"error": message}
    elif path in {"/embed", "/info", "/rerank"}:
        body = {"error": message, "error_type": _TEI_TYPES.get(status, "backend")}
    elif path.startswith(("/v1/rerank", "/v2/rerank")):
        body = {"message": message, "detail": message}
    elif path.startswith("/page"):
        return PlainTextResponse(message, status_code=status, headers=dict(headers or {}))
    elif path.startswith("/v1/memory"):
        body = {"detail": message}
    else:
        kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
        body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return JSONResponse(body, status_code=status, headers=dict(headers or {}))


def answer_to(path: str, error: Exception) -> Response:
    """The answer that tells of an error; texts of the request are not in it, nor in the log."""
    if isinstance(error, (RequestValidationError, ValidationError)):
        return error_response(path, 422 if path.startswith(("/v1/memory", "/page")) else 400, _told(error))
    if isinstance(error, HTTPException):
        code = "model_not_found" if error.status_code == 404 and "model" in error.detail else None
        return error_response(path, error.status_code, error.detail, headers=error.headers, code=code)
    if isinstance(error, TooBusyError):
        return error_response(path, 429, str(error), headers={"Retry-After": str(error.retry_after)})
    if isinstance(error, TimeoutError) and not isinstance(error, errors.RomaineError):
        return error_response(path, 504, "the request took too long and was given up")
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 503)
    if isinstance(error, _OF_THE_SERVER):
        # their messages name folders of this machine, never texts: they are for its log
        logger.error("%s: %s", type(error).__name__, error)
        about = (type(error).__doc__ or "").partition("\n")[0]
        return error_response(path, status, f"{about} The server's log says more.")
    if isinstance(error, errors.RomaineError):
        return error_response(path, status, str(error))
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s, what it says is left out for the texts it may hold\n%s", type(error).__name__, frames)
    return error_response(path, 500, f"the server failed ({type(error).__name__}); its log says more")


def _told(error: RequestValidationError | ValidationError) -> str:
    """Where a request is not as it must be, and why, without what was given."""
    said = []
    for each in error.errors()[:5]:
        where = ".".join(str(part) for part in each["loc"] if part != "body")
        said.append(f"{where}: {each['msg']}" if where else str(each["msg"]))
    return "; ".join(said)


def add_handlers(app: FastAPI) -> None:
    """Makes an app answer errors so."""

    async def handle(request: Request, error: Exception) -> Response:
        return answer_to(request.url.path, error)

    for kind in (RequestValidationError, ValidationError, HTTPException, TooBusyError, TimeoutError):
        app.add_exception_handler(kind, handle)
    app.add_exception_handler(errors.RomaineError, handle)
