from __future__ import annotations

import pytest

from romaine.models.catalog import BUNDLED_FOLDER
from romaine.text.familiar import Familiar
from romaine.text.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def english() -> Tokenizer:
    return Tokenizer.from_file(BUNDLED_FOLDER / "tokenizer.json")


@pytest.mark.parametrize(
    ("text", "unfamiliar", "pieces"),
    [
        ("The key, the KEY!", 0, 4),
        ("I am 42.", 1, 2),  # signs and digits count as nothing
        ("*** ... 1987", 0, 0),
        ("", 0, 0),
        ("鍵", 1, 1),
    ],
)
def test_letters_alone_are_counted(english: Tokenizer, text: str, unfamiliar: int, pieces: int) -> None:
    assert english.unfamiliar([text]) == (unfamiliar, pieces)


@pytest.mark.parametrize("text", ["열쇠를 어디에 숨겼어?", "Где ключи от дома?", "钥匙藏在哪里了"])
def test_an_english_tokenizer_reads_other_scripts_letter_by_letter(english: Tokenizer, text: str) -> None:
    unfamiliar, pieces = english.unfamiliar([text])
    assert unfamiliar >= 0.8 * pieces > 0


def count(vocabulary: list[str], ids: list[int]) -> tuple[int, int]:
    return Familiar(vocabulary, lambda number: vocabulary[number], 0).count(ids)


def test_a_vocabulary_that_was_made_for_a_script_of_words_knows_them_alone() -> None:
    few = ["[UNK]", "水", "火"]
    many = [*few, *map(chr, range(0x4E00, 0x4E00 + 2500))]
    assert count(few, [0, 1, 2]) == (3, 3)
    assert count(many, [0, 1, 2]) == (1, 3)


def test_bytes_and_halves_of_letters_are_unfamiliar() -> None:
    vocabulary = ["<unk>", "<0xEC>", "\ufffd", "\u2581key", "\u2581a", "##ing", "##b", "."]
    assert count(vocabulary, [1, 2, 3, 4, 5, 6, 7]) == (4, 6)
