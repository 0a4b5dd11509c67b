"""The table `memory` of a file: its columns, and which of its rows a segment sees."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from romaine.memory.rows import STORED
from romaine.memory.sqlite.codec import encode_optional
from romaine.memory.stored import Segment

COLUMNS = ", ".join(f"m.{name}" for name in STORED) + ", s.user, s.chat"
"""What `decoded` takes, of ``memory m JOIN space s``."""

INSERT = f"""INSERT INTO memory ({", ".join(STORED)}, changed, checksum)
    VALUES ({", ".join("?" for _ in STORED)}, ?, ?)"""  # noqa: S608
UPDATE = f"""UPDATE memory SET ({", ".join(STORED[1:])}, changed, checksum)
    = ({", ".join("?" for _ in STORED[1:])}, ?, ?) WHERE no = ?"""  # noqa: S608

TOKENS = "LEFT JOIN token t ON t.no = v.no AND t.of_vectors = v.checksum"
"""Joins to ``vector v`` what is kept of its tokens."""

SEEN = """m.space = :space
    AND (:everyone OR m.character IS NULL OR m.character = :character)
    AND (:until IS NULL OR m.position IS NULL OR m.position <= :until)
    AND CASE WHEN :as_of IS NULL THEN m.retired IS NULL
             ELSE m.born <= :as_of AND (m.retired IS NULL OR m.retired > :as_of) END
    AND m.root NOT IN (SELECT value FROM json_each(:hidden))"""
"""What a segment sees of ``memory m``; its values come from `values_of`."""


@lru_cache(maxsize=64)
def values_of(segment: Segment) -> dict[str, Any]:
    """Values of `SEEN`; not to be changed, since one who asks row by row gets the same ones again."""
    return {
        "space": segment.space,
        "character": encode_optional(segment.character),
        "everyone": segment.everyone,
        "until": segment.until,
        "as_of": segment.as_of,
        "hidden": json.dumps(sorted(segment.hidden)),
    }
