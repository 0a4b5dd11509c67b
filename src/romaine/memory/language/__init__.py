"""The one place that knows languages. A file's `Analyzer` makes of texts what they are found by."""

from __future__ import annotations

from romaine.memory.language.analyzer import Analyzer, Word, number
from romaine.memory.language.chat import language_of
from romaine.memory.language.default import DefaultAnalyzer, is_stop_word, stem_of
from romaine.memory.language.registry import DEFAULT, analyzer_named, analyzer_names
from romaine.memory.language.times import SaidTime, said_times

__all__ = [
    "DEFAULT",
    "Analyzer",
    "DefaultAnalyzer",
    "SaidTime",
    "Word",
    "analyzer_named",
    "analyzer_names",
    "is_stop_word",
    "language_of",
    "number",
    "said_times",
    "stem_of",
]
