from __future__ import annotations

from pathlib import Path

import numpy as np

from romaine.text.rarity import rarities
from romaine.text.tokenizer import Tokenizer


def test_the_later_in_the_vocabulary_the_rarer() -> None:
    pieces = ("<pad>", ".", "a", "\u2581the", "\u0120of", "##ing", "\u2581x", "zeugma")
    found = rarities({piece: number for number, piece in enumerate(pieces)}, 10)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 0.1 + np.log([1, 1, 1, 1, 2, 3, 4, 4, 5, 5]), rtol=1e-6)


def test_a_vocabulary_of_old(minilm_folder: Path) -> None:
    tokenizer = Tokenizer.from_file(minilm_folder / "tokenizer.json")
    assert tokenizer.rarity.shape == (tokenizer.vocab_size,)

    def of(text: str) -> float:
        return float(tokenizer.rarity[tokenizer.encode([text], add_special_tokens=False).ids].mean())

    assert of("?") == of("a") < of("the") + 1e-6 < of("with") < of("key") < of("lantern")
    assert of("?") > 0
