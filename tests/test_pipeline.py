"""What a chunk tells besides its vectors."""

from __future__ import annotations

from pathlib import Path

import pytest

from romaine import Embedder
from romaine.pipeline import Pipeline
from romaine.text.pieces import Truncate


@pytest.mark.parametrize(("truncate", "expected"), [(Truncate.END, 256), (Truncate.POOL, 1212)])
def test_it_tells_the_tokens_of_each_text_that_went_through(
    minilm_int8_folder: Path, truncate: Truncate, expected: int
) -> None:
    backend = Embedder(minilm_int8_folder).opened.backend
    assert backend.max_tokens == 256
    pipeline = Pipeline(truncate=truncate, batch_tokens=8192, batch_size=None)
    (chunk,) = pipeline.run(backend, ["key", "", "key " * 1202], normalise_layer=False)
    assert chunk.tokens.tolist() == [3, 2, expected]
