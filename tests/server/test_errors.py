"""A status and a body for each error, and no text in the log."""

from __future__ import annotations

import json
import logging

import pytest

from romaine import errors
from romaine.server.errors import TooBusyError, answer_to


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.OptionError("no"), 400),
        (errors.TextTooLongError("no"), 413),
        (errors.MemoryNotFoundError("no"), 404),
        (errors.StorageLockedError("no"), 503),
        (errors.FormatError("no"), 400),
        (TimeoutError(), 504),
        (TooBusyError(2.2), 429),
    ],
)
def test_each_error_has_its_status(error, status):
    assert answer_to("/v1/embeddings", error).status_code == status


def test_who_comes_too_soon_is_told_when_to_come_again():
    assert answer_to("/embed", TooBusyError(2.6)).headers["retry-after"] == "3"
    assert answer_to("/embed", TooBusyError(0.01)).headers["retry-after"] == "1"


def test_what_was_not_foreseen_is_told_by_its_class_alone(caplog):
    caplog.set_level(logging.DEBUG)
    try:
        int(" ".join(["the", "secret", "text"]))
    except ValueError as error:
        answer = answer_to("/api/embed", error)
    assert answer.status_code == 500
    assert "ValueError" in json.loads(answer.body)["error"]
    assert "the secret" not in answer.body.decode()
    assert "ValueError" in caplog.text
    assert "the secret" not in caplog.text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.StorageLockedError("/srv/ana/memories.db is locked"), 503),
        (errors.StorageFullError("/srv/ana/memories.db: the disk is full"), 507),
        (errors.ModelFormatError("/srv/models/own has no weights"), 503),
    ],
)
def test_where_files_lie_is_for_the_log_alone(error, status, caplog):
    answer = answer_to("/v1/memory/turns", error)
    assert answer.status_code == status
    assert "/srv" not in answer.body.decode()
    assert "log says more" in answer.body.decode()
    assert "/srv" in caplog.text
