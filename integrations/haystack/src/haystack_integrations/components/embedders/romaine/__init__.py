# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""Embedders that run a local model: static tables, ONNX, torch or sentence-transformers."""

from __future__ import annotations

from haystack_integrations.components.embedders.romaine.document_embedder import RomaineDocumentEmbedder
from haystack_integrations.components.embedders.romaine.text_embedder import RomaineTextEmbedder

__all__ = ["RomaineDocumentEmbedder", "RomaineTextEmbedder"]
