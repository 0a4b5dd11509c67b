# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""Tools with which an Agent's model recalls and remembers."""

from __future__ import annotations

from haystack_integrations.tools.romaine.memory_tools import RomaineRecallTool, RomaineRememberTool

__all__ = ["RomaineRecallTool", "RomaineRememberTool"]
