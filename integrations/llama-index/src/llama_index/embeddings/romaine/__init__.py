"""romaine's embedder as a LlamaIndex embedding model."""

from __future__ import annotations

from llama_index.embeddings.romaine.base import RomaineEmbedding
from llama_index.embeddings.romaine.cache import GuardedCache

__all__ = ["GuardedCache", "RomaineEmbedding"]
