"""A character's long memory as a block of LlamaIndex's `Memory`."""

from __future__ import annotations

from llama_index.memory.romaine.base import RomaineMemoryBlock

__all__ = ["RomaineMemoryBlock"]
