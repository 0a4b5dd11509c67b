from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from romaine.memory.stemmer import porter_stem

_SUFFIXES = """
s ss sses ies eed ed ing ated bled ized y ational tional enci anci izer bli alli entli eli ousli
ization ation ator alism iveness fulness ousness aliti iviti biliti logi icate ative alize iciti
ical ful ness al ance ence er ic able ible ant ement ment ent sion tion ou ism ate iti ous ive ize e
ll
"""


def fts5_porter(words: list[str]) -> list[str]:
    """SQLite's own Porter stemmer, which is the reference."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE t USING fts5(word, tokenize='porter unicode61')")
        connection.execute("CREATE VIRTUAL TABLE v USING fts5vocab('t', 'instance')")
    except sqlite3.OperationalError:
        pytest.skip("this SQLite was built without FTS5")
    connection.executemany("INSERT INTO t(rowid, word) VALUES (?, ?)", enumerate(words))
    terms = dict(connection.execute("SELECT doc, term FROM v"))
    connection.close()
    return [terms[i] for i in range(len(words))]


def test_stems_as_sqlite_does() -> None:
    stems = (
        "rel",
        "hop",
        "happ",
        "adopt",
        "cri",
        "agr",
        "tr",
        "fizz",
        "plast",
        "syzyg",
        "yell",
        "toy",
        "oat",
        "troubl",
    )
    words = [stem + suffix for stem in stems for suffix in _SUFFIXES.split()]
    assert [porter_stem(word) for word in words] == fts5_porter(words)


@pytest.mark.parametrize(
    ("word", "stem"),
    [
        ("running", "run"),
        ("ponies", "poni"),
        ("relational", "relat"),
        ("happiness", "happi"),
        ("as", "as"),
        ("", ""),
    ],
)
def test_stems_words(word: str, stem: str) -> None:
    assert porter_stem(word) == stem


@settings(deadline=None)
@given(st.text(max_size=30))
def test_takes_any_text(text: str) -> None:
    assert isinstance(porter_stem(text), str)
