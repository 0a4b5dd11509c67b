from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from romaine.errors import InputFileError
from romaine.train.cleaning import GRAM, Contamination, cut, measuring_texts, text_key

WORDS = st.text(alphabet="abcdefghij", min_size=1, max_size=6)


@settings(deadline=None)
@given(
    st.lists(WORDS, min_size=GRAM, max_size=30), st.lists(WORDS, max_size=8), st.lists(WORDS, max_size=8),
    st.integers(0, 100),
)  # fmt: skip
def test_thirteen_words_in_a_row_are_always_found(measured, before, after, start):
    start = min(start, len(measured) - GRAM)
    shared = measured[start : start + GRAM]
    text = " ".join([*before, *(word.upper() + "," for word in shared), *after])
    assert Contamination([" ".join(measured)]).holds(text)


@settings(deadline=None)
@given(st.lists(WORDS, min_size=GRAM, max_size=30), st.integers(5, GRAM - 1))
def test_fewer_words_are_let_through(measured, count):
    text = " ".join([*measured[:count], *(f"new{i}" for i in range(GRAM))])
    assert not Contamination([" ".join(measured)]).holds(text)


def test_short_texts_count_as_a_whole():
    contamination = Contamination(["A man is playing a guitar.", "Thanks a lot!"])
    assert contamination.holds("a man is playing, a guitar")
    assert not contamination.holds("a man is playing a big guitar")
    assert not contamination.holds("Thanks a lot!")


def test_measuring_files_of_every_shape(tmp_path):
    (tmp_path / "a.csv").write_text("one,two,3\n", encoding="utf-8")
    (tmp_path / "b.json").write_text(json.dumps({"x": [{"text": "three"}, "four"]}), encoding="utf-8")
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b'{"t": "five"}\n\n"six"\n'))
    (tmp_path / "d.txt").write_text("seven\n", encoding="utf-8")
    (tmp_path / "e.tsv").write_text("eight\tnine, ten\n", encoding="utf-8")
    (tmp_path / "f.tsv.gz").write_bytes(gzip.compress(b"eleven\ttwelve, thirteen\n"))
    found = list(measuring_texts(sorted(tmp_path.iterdir())))
    assert found == [
        "one", "two", "3", "three", "four", "five", "six", "seven\n", "eight", "nine, ten",
        "eleven", "twelve, thirteen",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content"), [("a.pdf", b""), ("a.json", b"{"), ("a.txt", b"\xff"), ("a.csv.gz", b"x"),
     ("a.txt.gz", gzip.compress(b"a text\n" * 5000, mtime=0)[:30] + b"\xff" * 30)],
)  # fmt: skip
def test_a_measuring_file_that_cannot_be_used_is_named(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=name):
        list(measuring_texts([path]))


def test_the_line_of_a_measuring_file_that_is_no_json_is_said(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('"fine"\n{"secret": \n', encoding="utf-8")
    with pytest.raises(InputFileError, match="line 2 is not JSON"):
        list(measuring_texts([path]))


def test_keys_are_blind_to_case_and_punctuation():
    assert text_key("Hello, world!") == text_key(" hello world ")
    assert text_key("?!") != text_key("!!")


def test_texts_are_cut_at_a_space():
    assert cut("word " * 100, 22) == "word word word word"
    assert cut(" short ", 12) == "short"
