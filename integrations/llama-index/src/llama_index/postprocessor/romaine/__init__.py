"""The ranking of romaine's memory as a LlamaIndex node postprocessor."""

from __future__ import annotations

from llama_index.postprocessor.romaine.base import RomaineRerank

__all__ = ["RomaineRerank"]
