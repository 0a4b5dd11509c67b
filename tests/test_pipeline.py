"""What a chunk tells besides its vectors."""

from __future__ import annotations

from pathlib import Path

import pytest

from romaine import Embedder
from romaine.errors import TextTooLongError
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


@pytest.mark.parametrize("count", [0, 3, 1500, 5000])
def test_threads_give_the_same_bits_as_one(count: int) -> None:
    texts = [f"turn {n}: the key " + "and the lantern " * (n % 40) + f"word{n * 7919}" for n in range(count)]
    one, four = Embedder(dim=64, threads=1), Embedder(dim=64, threads=4)
    assert four.opened.backend.side_by_side == 4  # type: ignore[attr-defined]
    assert one.embed_documents(texts).tobytes() == four.embed_documents(texts).tobytes()


def test_threads_report_texts_that_are_too_long_as_one_does() -> None:
    backend = Embedder(dim=64, threads=3).opened.backend
    pipeline = Pipeline(truncate=Truncate.ERROR, batch_tokens=8192, batch_size=None)
    backend.max_tokens = 5
    texts = ["key"] * 1999 + ["key " * 9]
    with pytest.raises(TextTooLongError):
        list(pipeline.run(backend, texts, normalise_layer=False))
