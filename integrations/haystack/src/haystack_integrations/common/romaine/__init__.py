# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""What romaine's components for Haystack share: a memory's file with its settings."""

from __future__ import annotations

from haystack_integrations.common.romaine.memory_file import RomaineMemoryFile

__all__ = ["RomaineMemoryFile"]
