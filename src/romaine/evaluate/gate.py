"""The floors a model has to reach before anybody builds on it, as data, each with the reason for its figure.

They were set between what sound and broken models were measured to have on the built-in probe set, with
room on both sides; docs/evaluation.md has the table. They part sound from broken, not good from better.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from romaine.precision import Precision


@dataclass(frozen=True)
class Limit:
    """One figure that must be reached, or must not be exceeded.

    Attributes:
        value: The figure.
        why: The reason for it.
        is_ceiling: Whether it must not be exceeded.
    """

    value: float
    why: str
    is_ceiling: bool = False

    def holds(self, found: float) -> bool:
        """Whether `found` is on the right side; not-a-number never is."""
        return found <= self.value if self.is_ceiling else found >= self.value

    def __str__(self) -> str:
        return f"{'at most' if self.is_ceiling else 'at least'} {self.value:g}"


@dataclass(frozen=True, kw_only=True)
class RoleFloors:
    """What a model of one architecture needs in each role.

    Attributes:
        similarity: Spearman of cosine and grade over the probe pairs, at full dim.
        memory: Recall@5 of the turns that answer the probe questions, among all turns, at full dim.
    """

    similarity: Limit
    memory: Limit


STATIC = RoleFloors(
    similarity=Limit(
        0.30, "tables whose rows were shuffled have -0.09 to -0.04, eight sound ones 0.45 to 0.50"
    ),
    memory=Limit(0.14, "tables whose rows were shuffled find 0.02 to 0.04, eight sound ones 0.25 to 0.29"),
)
"""For tables: they know no word order, so that a sound one is far below a transformer."""

CONTEXTUAL = RoleFloors(
    similarity=Limit(
        0.55,
        "all-MiniLM-L6-v2 has 0.70, multilingual-e5-small in 4 bits 0.69, the former with its first and"
        " last layer swapped 0.17; a transformer no better than a static table is not worth its cost",
    ),
    memory=Limit(
        0.32,
        "all-MiniLM-L6-v2 finds 0.40, multilingual-e5-small in 4 bits 0.38; pooled wrongly, the former"
        " finds 0.24 (first token) or 0.28 (maximum)",
    ),
)
"""For models that read a text as a whole."""

STATIC_ELSEWHERE = RoleFloors(
    similarity=Limit(
        0.20,
        "over 50 to 90 pairs a language, tables whose rows were shuffled have -0.09 to 0.21, one of the"
        " pieces of a sound encoder, not trained further, 0.25 to 0.49",
    ),
    memory=Limit(
        0.28,
        "tables whose rows were shuffled find 0.06 to 0.27, one that knows English alone 0.00 to 0.25, one of"
        " the pieces of a sound encoder 0.31 to 0.53",
    ),
)
"""For tables, in each language other than English that a model's card claims."""

CONTEXTUAL_ELSEWHERE = RoleFloors(
    similarity=Limit(
        0.40,
        "multilingual-e5-small in 4 bits has 0.54 to 0.59, one that knows English, all-MiniLM-L6-v2, 0.2",
    ),
    memory=Limit(
        0.40, "multilingual-e5-small in 4 bits finds 0.56 to 0.81, all-MiniLM-L6-v2 finds 0.05 to 0.21"
    ),
)
"""The same for models that read a text as a whole."""

SIMILARITY_LOSS = Limit(
    0.06,
    "share of Spearman lost with each halving of the dim; a table trained for short vectors loses"
    " nothing down to 32 components",
    is_ceiling=True,
)
MEMORY_LOSS = Limit(
    0.13,
    "share of recall@5 in a question's own chat lost with each halving of the dim; a table trained for"
    " short vectors loses 0.03 to 0.10, the same one with its components reversed 0.19 to 0.53",
    is_ceiling=True,
)
LOSS_BY_CHANCE = 0.03
"""Share that may be lost on top: three questions, which ties may decide."""

SAME_RUNTIME = Limit(
    0.9999, "lowest cosine of a text's vectors on two runtimes in full precision; rounding alone costs 1e-6"
)
SAME_RUNTIME_RECALL = Limit(
    0.98, "share of the 10 nearest turns that stay the same; only ties may change places"
)
INT8_FILE = Limit(
    0.95,
    "lowest cosine of a text's int8 and full-precision vectors; sound files of all-MiniLM-L6-v2 have"
    " 0.99 and more, larger models somewhat less",
)
INT8_FILE_MEAN = Limit(
    0.985, "mean cosine of int8 and full-precision vectors; sound files have 0.995 and more"
)
INT8_FILE_RECALL = Limit(
    0.85, "share of the 10 nearest turns that stay the same in int8; sound files keep 0.95 and more"
)
FORMS: Mapping[Precision, Limit] = MappingProxyType(
    {
        Precision.FLOAT16: Limit(0.99, "share of the 10 nearest turns kept; only ties may change"),
        Precision.INT8: Limit(
            0.85,
            "share of the 10 nearest turns kept; 0.98 with a range that fits, little with one that clips"
            " or wastes the codes",
        ),
        Precision.BINARY: Limit(
            0.30, "share of the 10 nearest turns kept; one bit a component keeps 0.45 to 0.6"
        ),
    }
)
"""What each smaller form of vectors must keep."""

UNIT_LENGTH = Limit(
    1e-3,
    "how far a vector that is claimed to be of unit length may be off; float16 is off by 5e-4",
    is_ceiling=True,
)


def allowed_loss(limit: Limit, *, dim: int, full_dim: int) -> float:
    """The share of a figure that may be lost at `dim`: the limit's for each halving from `full_dim` on."""
    return LOSS_BY_CHANCE + limit.value * math.log2(full_dim / dim)
