# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""The ranking of a character's long memory, over any documents."""

from __future__ import annotations

from haystack_integrations.components.rankers.romaine.ranker import RomaineRanker

__all__ = ["RomaineRanker"]
