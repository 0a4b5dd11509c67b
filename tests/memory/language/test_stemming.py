from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from romaine.memory.language import scripts
from romaine.memory.language.latin import LANGUAGES
from romaine.memory.language.stemming import stem

_SUFFIXES = """
s ss sses ies eed ed ing ated bled ized y ational tional enci anci izer bli alli entli eli ousli
ization ation ator alism iveness fulness ousness aliti iviti biliti logi icate ative alize iciti
ical ful ness al ance ence er ic able ible ant ement ment ent sion tion ou ism ate iti ous ive ize e
ll bly logy logies blies bling
"""
ALGORITHMS = sorted(
    {language.stemmer for language in LANGUAGES.values() if language.stemmer}
    | {name for *_, name in scripts.STEMMERS}
)


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


def test_stems_english_as_sqlite_does() -> None:
    stems = [
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
        "apo",
        "psycho",
        "incredi",
        "assem",
        "no",
    ]
    words = [one + suffix for one in stems for suffix in _SUFFIXES.split()]
    words += [
        "as",
        "us",
        "s",
        "ts",
        "go",
        "by",
        "oy",
        "terribly",
        "possibly",
        "technologies",
        "analogy",
        "nobly",
        "eulogy",
        "humbly",
    ]
    assert [stem("porter", word) for word in words] == fts5_porter(words)


@pytest.mark.parametrize(
    ("algorithm", "words"),
    [
        ("german", ("schlüssel", "schlüsseln")),
        ("french", ("continuer", "continuait")),
        ("russian", ("ключи", "ключом")),
        ("spanish", ("llaves", "llave")),
    ],
)
def test_inflections_share_a_stem(algorithm: str, words: tuple[str, str]) -> None:
    assert stem(algorithm, words[0]) == stem(algorithm, words[1])


def test_threads_do_not_disturb_each_other() -> None:
    words = [f"running{i}s" for i in range(200)]
    expected = [stem("german", word) for word in words]
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: [stem("german", word) for word in words], range(8)):
            assert found == expected


@settings(deadline=None)
@given(st.sampled_from(ALGORITHMS), st.text(max_size=30))
def test_takes_any_text(algorithm: str, text: str) -> None:
    assert stem(algorithm, text) == stem(algorithm, text)
