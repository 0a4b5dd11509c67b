# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""What was recalled, as a model reads it."""

from __future__ import annotations

from collections.abc import Sequence

from haystack import Document


def recalled_text(documents: Sequence[Document]) -> str:
    """Returns what a model is shown of recalled Documents.

    :param documents: As `RomaineMemoryRetriever` gives them.
    :returns: A line for each: the day and the speaker, where somebody said it, and the text.
    """
    return "\n".join(_line(document) for document in documents) or "Nothing is remembered of that."


def _line(document: Document) -> str:
    speaker, text = document.meta.get("speaker"), document.content or ""
    if not speaker:
        return f"- {text}"
    return f"- [{str(document.meta.get('created_at', ''))[:10]}] {speaker}: {text}"
