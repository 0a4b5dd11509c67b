"""Local embeddings and a character's long memory.

    from romaine import Embedder

    vectors = Embedder(dim=64).embed_documents(["The key is under the third step."])

Importing this package loads numpy and nothing heavier: runtimes are imported when a model is opened.
"""

from __future__ import annotations

from romaine import errors
from romaine.arrays import slice_dim
from romaine.embedder import Embedder, TruncationWarning
from romaine.precision import Precision, similarity

__version__ = "0.1.0"

__all__ = ["Embedder", "Precision", "TruncationWarning", "__version__", "errors", "similarity", "slice_dim"]
