"""The bundled model as it is shipped."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest

from romaine import Embedder
from romaine.evaluate.sts import spearman
from romaine.models.catalog import BUNDLED_FOLDER, bundled_card

# Pairs written for this test, from unrelated (0) to the same (5).
GRADED = (
    (
        "The silver key is under the cellar stairs.",
        "The silver key is below the stairs of the cellar.",
        5,
    ),
    ("My brother is allergic to walnuts.", "My brother has a walnut allergy.", 5),
    ("She grew up in a fishing village.", "Her childhood was spent in a fishing village.", 5),
    ("We should leave before the storm.", "Let's go before the storm comes.", 5),
    ("The captain lost his ship.", "The captain's ship sank in the storm.", 4),
    ("I adopted a small black kitten.", "I have a new cat at home.", 4),
    ("He plays the violin every evening.", "He practises the violin at night.", 4),
    ("I adopted a small black kitten.", "My dog loves the park.", 2),
    ("He plays the violin every evening.", "He listens to piano music.", 2),
    ("She bakes bread on Sundays.", "She cooked soup for dinner.", 2),
    ("The train to Vienna leaves at nine.", "The bus to school was late.", 2),
    ("The train to Vienna leaves at nine.", "My sister painted the door green.", 0),
    ("The silver key is under the cellar stairs.", "Bananas are rich in potassium.", 0),
    ("My brother is allergic to walnuts.", "The lighthouse was built a century ago.", 0),
    ("We should leave before the storm.", "He bought a second-hand guitar.", 0),
    ("She bakes bread on Sundays.", "The election results came in overnight.", 0),
)
SCORES = np.asarray([score for *_, score in GRADED], dtype=np.float64)


def correlation(dim: int) -> float:
    embedder = Embedder(dim=dim)
    left, right = (embedder.embed_documents([pair[side] for pair in GRADED]) for side in (0, 1))
    return spearman(np.einsum("ij,ij->i", left, right).astype(np.float64), SCORES)


def test_it_fits_the_wheel():
    assert sum(path.stat().st_size for path in BUNDLED_FOLDER.rglob("*") if path.is_file()) <= 8_000_000


def test_its_files_are_those_of_its_card():
    card = bundled_card()
    assert set(card.sha256) == set(card.files.values())
    for path, digest in card.sha256.items():
        assert sha256((BUNDLED_FOLDER / path).read_bytes()).hexdigest() == digest


def test_its_card_says_what_it_is():
    card = bundled_card()
    assert (card.id, card.kind, card.license, card.bundled) == ("little-gem", "static", "Apache-2.0", True)
    assert card.dims[:4] == (32, 64, 128, 256)
    assert card.rejection is None
    assert 0.5 < card.duplicate_threshold < 1
    assert all(measure.command for measure in card.measured)


def test_it_orders_pairs_as_people_do():
    assert correlation(bundled_card().full_dim) > 0.85


@pytest.mark.parametrize("dim", [256, 128, 64, 32])
def test_a_slice_is_not_far_below_the_whole(dim):
    assert correlation(dim) > correlation(bundled_card().full_dim) - 0.1


def test_the_shipped_verdict_is_of_the_shipped_model(tmp_path, monkeypatch):
    monkeypatch.setenv("ROMAINE_CACHE", str(tmp_path))
    Embedder(require_verified=True).warm_up()
