from __future__ import annotations

import json

import numpy as np

from romaine.train.parallel import aligned, parallel_examples
from romaine.train.recipe import DataKind, DataSource

GERMAN = {"eins": "one", "zwei": "two", "drei": "three", "vier": "four", "hof": "yard", "tor": "gate"}


def encode(texts):
    """A teacher that knows both languages: one axis for each English word."""
    axes = {word: axis for axis, word in enumerate(GERMAN.values())}
    vectors = np.zeros((len(texts), len(axes)), dtype=np.float32)
    for row, text in enumerate(texts):
        vectors[row, axes[GERMAN.get(text, text)]] = 1
    return vectors


def test_records_missing_on_either_side_are_passed_over():
    left, right = encode(["eins", "zwei", "vier"]), encode(["two", "three", "four", "gate"])
    assert aligned(left, right).tolist() == [[1, 0], [2, 2]]
    assert aligned(left, right[:0]).shape == (0, 2)


def test_the_order_of_both_files_is_kept():
    assert aligned(encode(["eins", "zwei"]), encode(["two", "one"])).tolist() in ([[0, 1]], [[1, 0]])


def test_random_gaps_are_all_found():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ours, theirs = (np.sort(rng.choice(200, 180, replace=False)) for _ in range(2))
    both = aligned(vectors[ours], vectors[theirs])
    assert {int(ours[row]) for row, _ in both} == set(ours.tolist()) & set(theirs.tolist())
    assert all(ours[row] == theirs[column] for row, column in both)


def write(path, *pairs):
    records = [{"query": query, "positive": positive} for query, positive in pairs]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_questions_find_translations_and_translated_answers(tmp_path):
    german = write(tmp_path / "de.jsonl", ("eins", "Hof!"), ("zwei", "Tor!"), ("drei", "?"))
    english = write(tmp_path / "en.jsonl", ("two", "gate"), ("three", "what"))
    source = DataSource(
        kind=DataKind.PARALLEL, file="de.jsonl", translation="en.jsonl", lines=((1, 2),), max_chars=10
    )
    found = [example.texts for example in parallel_examples(german, english, source, encode)]
    assert found == [("zwei", "two"), ("Tor!", "gate"), ("zwei", "gate"), ("two", "Tor!")]


def test_scored_sentences_give_translations_alone(tmp_path):
    for name, rows in (("de", "eins,Hof,5\nzwei,Tor,1\n"), ("en", "one,yard,5\ntwo,gate,1\n")):
        (tmp_path / f"{name}.csv").write_text(rows, encoding="utf-8")
    source = DataSource(kind=DataKind.PARALLEL, file="de.csv", translation="en.csv")
    found = parallel_examples(tmp_path / "de.csv", tmp_path / "en.csv", source, encode)
    assert [e.texts for e in found] == [("eins", "one"), ("Hof", "yard"), ("zwei", "two"), ("Tor", "gate")]
