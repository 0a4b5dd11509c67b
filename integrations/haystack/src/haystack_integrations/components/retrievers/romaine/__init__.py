# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""A retriever over a character's long memory."""

from __future__ import annotations

from haystack_integrations.components.retrievers.romaine.retriever import RomaineMemoryRetriever

__all__ = ["RomaineMemoryRetriever"]
