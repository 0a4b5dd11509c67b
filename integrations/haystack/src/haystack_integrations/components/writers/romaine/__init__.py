# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""A writer into a character's long memory."""

from __future__ import annotations

from haystack_integrations.components.writers.romaine.writer import RomaineMemoryWriter

__all__ = ["RomaineMemoryWriter"]
