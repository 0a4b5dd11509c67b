"""A character's long memory as tools of a LlamaIndex agent."""

from __future__ import annotations

from llama_index.tools.romaine.base import RomaineMemoryToolSpec

__all__ = ["RomaineMemoryToolSpec"]
