from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from romaine.memory.codec import VectorFormat, vector_checksum
from romaine.memory.loading import cut, index_rows_of
from romaine.memory.rows import LOADED
from romaine.memory.stored import Segment

DIM = 4
NAMES = [name.strip()[2:] for name in LOADED.split(",")]
HOW = VectorFormat.FLOAT32


def row(number: int, **changes: Any) -> list[Any]:
    """The values of `LOADED` that stand for a turn, of which some are not what was stored."""
    vector, context = HOW.pack(np.eye(DIM, dtype=np.float32)[[number % DIM, (number + 1) % DIM]])
    stored = {
        "no": number, "kind": "turn", "category": None, "speaker": b"Ana", "known_by": None,
        "importance": 1.0, "pinned": 0, "cold": 0, "position": number, "created_at": 5,
        "valid_from": None, "valid_to": None,
        "terms": np.array([number, 7], "<u4").tobytes(), "vector": vector, "context": context,
        "checksum": vector_checksum(vector, context, 3), "previous": 3,
    }  # fmt: skip
    assert list(stored) == NAMES
    return list({**stored, **changes}.values())


def loaded(*rows: list[Any], witness: Segment | None = None) -> Any:
    columns = list(zip(*rows, strict=True))
    return index_rows_of(
        columns,
        HOW,
        DIM,
        witness=witness,
        terms_of=lambda blobs: [np.frombuffer(blob, "<u4") for blob in blobs],
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "turm"}, {"category": "ploot"}, {"terms": b"12345"}, {"vector": b"short"}, {"context": b""},
        {"checksum": 5}, {"checksum": None}, {"vector": bytes(16)}, {"previous": None}, {"previous": "3\x00"},
        {"previous": 3.5}, {"previous": b"3"},
    ],
    ids=str,
)  # fmt: skip
def test_a_row_that_is_not_what_was_stored_is_left_out_and_told(changes: dict[str, Any]) -> None:
    found = loaded(row(1), row(2, **changes), row(3))
    assert (found.row_ids, list(found.damaged)) == ([1, 3], [2])
    assert found.vectors.tolist() == np.eye(DIM)[[1, 3]].tolist()
    assert found.contexts.tolist() == np.eye(DIM)[[2, 0]].tolist()
    assert [terms.tolist() for terms in found.terms] == [[1, 7], [3, 7]]
    assert (found.speakers, found.positions) == (["Ana", "Ana"], [1, 3])


def test_only_what_was_witnessed_is_taken_or_called_damaged() -> None:
    secret = {"known_by": b'["Brona"]'}
    rows = row(1), row(2, **secret), row(3, **secret, checksum=0), row(4, known_by=b'["Odo"]')
    found = loaded(*rows, witness=Segment(1, "Odo"))
    assert (found.row_ids, list(found.damaged)) == ([1, 4], [])
    assert found.known_by == [frozenset(), {"Odo"}]
    assert (len(loaded(*rows).row_ids), loaded(*rows).damaged) == (3, [3])


def test_no_rows_are_columns_of_nothing() -> None:
    found = loaded()
    assert (len(found.row_ids), len(found.terms), found.vectors.shape) == (0, 0, (0, DIM))


def test_parts_are_cut_one_after_another() -> None:
    assert [part.tolist() for part in cut(np.arange(5, dtype=np.uint32), [2, 0, 3])] == [
        [0, 1],
        [],
        [2, 3, 4],
    ]
    assert cut(np.empty(0, np.uint32), []) == []
