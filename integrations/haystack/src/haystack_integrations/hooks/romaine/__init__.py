# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""A hook that gives an Agent a memory which fills and is recalled by itself."""

from __future__ import annotations

from haystack_integrations.hooks.romaine.memory_hook import RomaineMemoryHook

__all__ = ["RomaineMemoryHook"]
