"""`SparseEncoder`: the memory's words as sparse vectors, for hybrid search in stores of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.checks import one_text, text_list
from romaine.errors import OptionError
from romaine.memory.language import Analyzer, analyzer_named, number
from romaine.memory.lexical import K1, B

SPARSE_DIM = 1 << 29
"""Components of a sparse vector. pgvector allows 10^9 and Qdrant 2^32; terms are hashed into them."""

_TURN_LENGTH = 16.0  # terms of a chat turn, about


@dataclass(frozen=True, eq=False)
class SparseVector:
    """The components of a vector of `SPARSE_DIM` that are not zero.

    Attributes:
        indices: Ascending, int64 (n,).
        values: Above zero, float32 (n,).
    """

    indices: NDArray[np.int64]
    values: FloatArray


@dataclass(frozen=True, kw_only=True)
class SparseEncoder:
    """Makes of texts sparse vectors whose dot product is BM25 (Robertson and Zaragoza 2009).

    Documents carry the saturated counts of their terms, queries how rare each term is. A store that weighs
    terms by itself (Qdrant with `Modifier.IDF`) takes the encoder as it is, in which all terms of a query
    weigh 1; for others (pgvector, Milvus) `fit` it on what is stored. A dot product cannot know that terms
    are forms of one word, so a text that holds two of them counts both; English texts never do.

    Attributes:
        analyzer: What finds the terms, or its name.
        k1: How soon the repetition of a term counts no more; the memory's own, which suits chat turns. 1.2 is
            usual for longer texts.
        b: How much long documents pay for their length, 0 to 1; the memory's own. 0.75 is usual for longer
            texts.
        average_length: Terms of an average document.
        documents: How many documents were fitted on; 0 for an encoder that was not.
        frequencies: How many of those hold each component.
    """

    analyzer: Analyzer | str = "default"
    k1: float = K1
    b: float = B
    average_length: float = _TURN_LENGTH
    documents: int = 0
    frequencies: Mapping[int, int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.analyzer, str):
            object.__setattr__(self, "analyzer", analyzer_named(self.analyzer))
        if not isinstance(self.analyzer, Analyzer):
            raise OptionError(f"analyzer={self.analyzer!r} is neither an Analyzer nor the name of one")
        if not (self.k1 >= 0 and 0 <= self.b <= 1 and self.average_length > 0):
            raise OptionError(
                f"k1={self.k1!r}, b={self.b!r}, average_length={self.average_length!r}: k1 is 0 or more, b"
                " from 0 to 1, average_length above 0"
            )

    def fit(self, texts: Iterable[str]) -> SparseEncoder:
        """Returns an encoder that weighs terms by how rare they are in these documents.

        Raises:
            TextTypeError: If one of them is not a str.
            OptionError: If there are none.
        """
        counted = [self._counts(text) for text in text_list(texts)]
        if not counted:
            raise OptionError("texts=[] is empty: fit on the documents that are searched")
        return replace(
            self,
            average_length=max(sum(sum(counts.values()) for counts in counted) / len(counted), 1.0),
            documents=len(counted),
            frequencies=Counter(index for counts in counted for index in counts),
        )

    def encode_documents(self, texts: Sequence[str]) -> list[SparseVector]:
        """Makes vectors of what is searched; a text without words has one of no components.

        Raises:
            TextTypeError: If one of them is not a str.
        """
        return [self._document(self._counts(text)) for text in text_list(texts)]

    def encode_query(self, text: str) -> SparseVector:
        """Makes a vector of what is asked, without its stop words if it has other words.

        Raises:
            TextTypeError: If it is not a str.
        """
        words = self._analyzer.words(one_text(text))
        content = [word for word in words if not word.is_stop] or words
        indices = sorted({_index(number(form)) for word in content for form in word.forms})
        return _vector(indices, [self._rarity(index) for index in indices])

    def to_dict(self) -> dict[str, Any]:
        """Returns all of it as what JSON can hold; `from_dict` makes an encoder of that."""
        return {
            "analyzer": self._analyzer.id,
            "k1": self.k1,
            "b": self.b,
            "average_length": self.average_length,
            "documents": self.documents,
            "frequencies": {str(index): count for index, count in self.frequencies.items()},
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> SparseEncoder:
        """Makes an encoder of what `to_dict` gave.

        Raises:
            OptionError: If it is something else.
        """
        try:
            frequencies = {int(index): int(count) for index, count in record["frequencies"].items()}
            return cls(**{**record, "frequencies": frequencies})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise OptionError(
                f"this is no record of a SparseEncoder ({error}); give what to_dict made"
            ) from None

    @property
    def _analyzer(self) -> Analyzer:
        assert isinstance(self.analyzer, Analyzer)
        return self.analyzer

    def _counts(self, text: str) -> Counter[int]:
        return Counter(map(_index, self._analyzer.numbers(text)))

    def _document(self, counts: Counter[int]) -> SparseVector:
        length = sum(counts.values())
        slack = self.k1 * (1 - self.b + self.b * length / self.average_length)
        indices = sorted(counts)
        return _vector(indices, [counts[i] * (self.k1 + 1) / (counts[i] + slack) for i in indices])

    def _rarity(self, index: int) -> float:
        """The idf as in Lucene, never negative; 1 where nothing was fitted."""
        if not self.documents:
            return 1.0
        frequency = self.frequencies.get(index, 0)
        return float(np.log1p((self.documents - frequency + 0.5) / (frequency + 0.5)))


def _index(term: int) -> int:
    return term % SPARSE_DIM


def _vector(indices: list[int], values: list[float]) -> SparseVector:
    return SparseVector(np.array(indices, dtype=np.int64), np.array(values, dtype=np.float32))
