"""A chat store of LlamaIndex's `Memory` that fills a character's long memory."""

from __future__ import annotations

from llama_index.storage.chat_store.romaine.base import RomaineChatStore

__all__ = ["RomaineChatStore"]
