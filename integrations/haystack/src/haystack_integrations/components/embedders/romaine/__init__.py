# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""Embedders that run here: local models as static tables, ONNX or torch, and BM25 terms as sparse vectors."""

from __future__ import annotations

from haystack_integrations.components.embedders.romaine.document_embedder import RomaineDocumentEmbedder
from haystack_integrations.components.embedders.romaine.sparse_embedders import (
    RomaineSparseDocumentEmbedder,
    RomaineSparseTextEmbedder,
)
from haystack_integrations.components.embedders.romaine.text_embedder import RomaineTextEmbedder

__all__ = [
    "RomaineDocumentEmbedder",
    "RomaineSparseDocumentEmbedder",
    "RomaineSparseTextEmbedder",
    "RomaineTextEmbedder",
]
