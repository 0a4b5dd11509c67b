# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""A document store in the file of a romaine memory."""

from __future__ import annotations

from haystack_integrations.document_stores.romaine.document_store import RomaineMemoryStore

__all__ = ["RomaineMemoryStore"]
