"""Local embeddings and a character's long memory.

    from romaine import Embedder, RoleplayMemory, Scope, Turn

    vectors = Embedder(dim=64).embed_documents(["The key is under the third step."])

    memory = RoleplayMemory("memories.db")
    scope = Scope(user="ana", character="Cassian")
    memory.add_turns(scope, [Turn("The key is under the third step.", speaker="Cassian", role="character")])
    hits = memory.recall("Where is the key?", scope)

Importing this package loads numpy and nothing heavier: runtimes are imported when a model is opened, the
memory when it is named.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from romaine import errors
from romaine.arrays import slice_dim
from romaine.embedder import Embedder
from romaine.precision import Precision, similarity
from romaine.token_vectors import TokenVectors
from romaine.truncation import TruncationWarning
from romaine.unfamiliar import UnfamiliarTextWarning

if TYPE_CHECKING:
    from romaine.memory import DocumentRanker, Hit, Memory, RoleplayMemory, Scope, SparseEncoder, Turn

__version__ = "0.1.0"

__all__ = [
    "DocumentRanker",
    "Embedder",
    "Hit",
    "Memory",
    "Precision",
    "RoleplayMemory",
    "Scope",
    "SparseEncoder",
    "TokenVectors",
    "TruncationWarning",
    "Turn",
    "UnfamiliarTextWarning",
    "__version__",
    "errors",
    "similarity",
    "slice_dim",
]

_OF_MEMORY = frozenset(
    {"DocumentRanker", "Hit", "Memory", "RoleplayMemory", "Scope", "SparseEncoder", "Turn"}
)


def __getattr__(name: str) -> Any:
    if name in _OF_MEMORY:
        return getattr(import_module("romaine.memory"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
