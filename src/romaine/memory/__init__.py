"""The roleplay memory: what was said, kept in one file and found again."""

from __future__ import annotations

from romaine.memory.candidates import Candidates, Spread
from romaine.memory.copying import Copied, CopiedUser, copy
from romaine.memory.document_ranker import DocumentRanker, Passage, RankedDocument
from romaine.memory.edits import Forgotten
from romaine.memory.encoder import MemoryEmbedder
from romaine.memory.health import Health
from romaine.memory.hits import Explanation, Rejected
from romaine.memory.language import Analyzer, DefaultAnalyzer
from romaine.memory.large_indexing import index_large
from romaine.memory.learned import LearnedRanker, Trees
from romaine.memory.lifecycle import DecayResult, Lifecycle
from romaine.memory.listing import HeldScope, Stats
from romaine.memory.memory import RoleplayMemory
from romaine.memory.notes import NoteAdded
from romaine.memory.query import Query
from romaine.memory.ranking import Ranker, Ranking, Reranker, Signals, WeightedRanker, Weights
from romaine.memory.records import Category, Hit, Kind, Memory, Role, Scope, Turn
from romaine.memory.reembedding import reembed
from romaine.memory.sparse import SparseEncoder, SparseVector
from romaine.memory.storage import Storage
from romaine.memory.turns import TurnsAdded

__all__ = [
    "Analyzer",
    "Candidates",
    "Category",
    "Copied",
    "CopiedUser",
    "DecayResult",
    "DefaultAnalyzer",
    "DocumentRanker",
    "Explanation",
    "Forgotten",
    "Health",
    "HeldScope",
    "Hit",
    "Kind",
    "LearnedRanker",
    "Lifecycle",
    "Memory",
    "MemoryEmbedder",
    "NoteAdded",
    "Passage",
    "Query",
    "RankedDocument",
    "Ranker",
    "Ranking",
    "Rejected",
    "Reranker",
    "Role",
    "RoleplayMemory",
    "Scope",
    "Signals",
    "SparseEncoder",
    "SparseVector",
    "Spread",
    "Stats",
    "Storage",
    "Trees",
    "Turn",
    "TurnsAdded",
    "WeightedRanker",
    "Weights",
    "copy",
    "index_large",
    "reembed",
]
