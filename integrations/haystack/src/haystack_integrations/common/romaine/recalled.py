# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""What was recalled, as a model reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from haystack import Document


def recalled_text(documents: Sequence[Document]) -> str:
    """Returns what a model is shown of recalled Documents.

    :param documents: As `RomaineMemoryRetriever` gives them.
    :returns: A line for each: the day and the speaker, where somebody said it, and the text. One with
        neighbours has a line for each of those as well, in the order of the story.
    """
    passages = ["\n  ".join(_lines(document)) for document in documents]
    return "\n".join(f"- {passage}" for passage in passages) or "Nothing is remembered of that."


def _lines(document: Document) -> list[str]:
    turns = [{**document.meta, "text": document.content or ""}, *document.meta.get("neighbours", ())]
    return [_line(turn) for turn in sorted(turns, key=lambda turn: turn.get("position") or 0)]


def _line(turn: Mapping[str, Any]) -> str:
    if not turn.get("speaker"):
        return str(turn["text"])
    return f"[{str(turn.get('created_at', ''))[:10]}] {turn['speaker']}: {turn['text']}"
