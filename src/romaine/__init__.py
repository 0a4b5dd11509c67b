"""Local embeddings and a character's long memory.

    from romaine import Embedder

    vectors = Embedder(dim=64).embed_documents(["The key is under the third step."])
"""

from __future__ import annotations

__version__ = "0.1.0"
