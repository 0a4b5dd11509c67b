from __future__ import annotations

import gzip
import json

import pytest

from romaine.errors import InputFileError
from romaine.train.recipe import DataKind
from romaine.train.records import Example, read_examples

SECRET = "a very private sentence"
WHOLE = gzip.compress(b'"a text"\n' * 5000)
DAMAGED = WHOLE[:20] + b"\xff" * 20 + WHOLE[40:]


def lines(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_texts_of_every_shape(tmp_path):
    path = tmp_path / "chat.jsonl.gz"
    records = [
        "plain",
        {"source": "s", "turns": [["a", "hello"], ["b", "hi"]]},
        {"query": "q", "positive": "p"},
    ]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, records)).encode()))
    name = path.name
    assert list(read_examples(path, DataKind.TEXTS)) == [
        Example(name, ("plain",)),
        Example("s", ("hello",)),
        Example("s", ("hi",)),
        Example(name, ("q",)),
        Example(name, ("p",)),
    ]
    table = tmp_path / "sts.csv"
    table.write_text('"one, two",three,4.5\n', encoding="utf-8")
    assert [record.texts[0] for record in read_examples(table, DataKind.TEXTS)] == ["one, two", "three"]
    plain = tmp_path / "lines.txt"
    plain.write_text("a\nb\n", encoding="utf-8")
    assert [record.texts[0].strip() for record in read_examples(plain, DataKind.TEXTS)] == ["a", "b"]


def test_pairs_and_triplets(tmp_path):
    path = lines(
        tmp_path / "p.jsonl", {"query": "q", "positive": "p"}, {"anchor": "q", "answer": "p", "negative": "n"}
    )
    assert list(read_examples(path, DataKind.PAIRS)) == [
        Example("p.jsonl", ("q", "p")),
        Example("p.jsonl", ("q", "p", "n")),
    ]
    table = tmp_path / "p.tsv"
    table.write_text("q\tp\nq\tp\tn\n", encoding="utf-8")
    assert [record.texts for record in read_examples(table, DataKind.PAIRS)] == [("q", "p"), ("q", "p", "n")]


def test_scored_pairs_and_dialogues(tmp_path):
    path = lines(tmp_path / "s.jsonl", {"sentence1": "a", "sentence2": "b", "score": 3})
    assert list(read_examples(path, DataKind.SCORED)) == [Example("s.jsonl", ("a", "b"), 3.0)]
    table = tmp_path / "s.csv"
    table.write_text("a,b,2.5\n", encoding="utf-8")
    assert list(read_examples(table, DataKind.SCORED)) == [Example("s.csv", ("a", "b"), 2.5)]
    packed = tmp_path / "s.csv.gz"
    packed.write_bytes(gzip.compress(table.read_bytes()))
    assert list(read_examples(packed, DataKind.SCORED)) == [Example("s.csv.gz", ("a", "b"), 2.5)]
    chat = lines(tmp_path / "d.jsonl", {"source": "x", "turns": [["me", "hi"], ["you", "ho"]]})
    assert list(read_examples(chat, DataKind.DIALOGUES)) == [
        Example("x", ("hi", "ho"), speakers=("me", "you"))
    ]


def test_lines_that_may_not_be_learned_from_are_passed_over(tmp_path):
    spans = [(1, 2), (4, 4)]
    table = tmp_path / "s.csv"
    table.write_text("".join(f"a{n},b{n},{n}\n" for n in range(1, 7)), encoding="utf-8")
    scored = read_examples(table, DataKind.SCORED, lines=spans)
    assert [example.score for example in scored] == [1.0, 2.0, 4.0]
    texts = read_examples(table, DataKind.TEXTS, lines=spans)
    assert [example.texts[0] for example in texts] == ["a1", "b1", "a2", "b2", "a4", "b4"]
    path = lines(tmp_path / "p.jsonl", *({"query": f"q{n}", "positive": "p"} for n in range(1, 7)))
    pairs = read_examples(path, DataKind.PAIRS, lines=spans)
    assert [example.texts[0] for example in pairs] == ["q1", "q2", "q4"]


@pytest.mark.parametrize(
    ("name", "kind", "content"),
    [
        ("a.pdf", "texts", b"x"),
        ("a.jsonl", "texts", b"{broken"),
        ("a.jsonl", "texts", b"3"),
        ("a.txt", "texts", b"\xff\xfe\xfa"),
        ("a.txt.gz", "texts", b"no gzip"),
        ("a.txt", "pairs", b"x"),
        ("a.csv", "dialogues", b"x"),
        ("a.jsonl", "pairs", json.dumps({"query": SECRET}).encode()),
        ("a.jsonl", "scored", json.dumps({"sentence1": SECRET, "sentence2": "b", "score": "x"}).encode()),
        ("a.jsonl", "scored", b'{"sentence1": "a", "sentence2": "b", "score": NaN}'),
        ("a.jsonl", "dialogues", json.dumps({"turns": [SECRET]}).encode()),
        ("a.jsonl", "dialogues", json.dumps({"turns": [["a", 3]]}).encode()),
        ("a.jsonl", "texts", json.dumps({"turns": [[SECRET, 3]]}).encode()),
        ("a.jsonl", "pairs", json.dumps({"query": "q", "positive": "p", "negative": [SECRET]}).encode()),
        ("a.jsonl", "scored", b'{"sentence1": "a", "sentence2": "b", "score": 1%s}' % (b"0" * 400)),
        ("a.jsonl.gz", "texts", DAMAGED),
        ("a.index", "dictionary", b"word\tA\tB\n"),
        ("a.csv.gz", "scored", b"no gzip"),
        ("a.csv", "pairs", (SECRET + "\n").encode()),
        ("a.csv", "scored", b"a,b\n"),
        ("a.index", "dictionary", b"word\tA\n"),
        ("data.noun", "wordnet", SECRET.encode()),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_never_quoted(tmp_path, name, kind, content):
    path = tmp_path / name
    path.write_bytes(content)
    (tmp_path / "a.dict.dz").write_bytes(DAMAGED)
    with pytest.raises(InputFileError, match=name) as raised:
        list(read_examples(path, DataKind(kind)))
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content", "where"),
    [
        ("a.jsonl", b'"fine"\n\n{"text": \n', "line 3 is not"),
        ("a.jsonl.gz", WHOLE[:-12], r"after row [1-9]\d*: Compressed file ended"),
        ("a.csv", b"a,b\nc," + b"x" * 200_000, "after row 1: field larger"),
    ],
)
def test_where_a_file_is_broken_is_said(tmp_path, name, content, where):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=where):
        list(read_examples(path, DataKind.TEXTS))


def test_a_byte_order_mark_is_no_text(tmp_path):
    for name in ("a.jsonl", "a.txt"):
        (tmp_path / name).write_bytes(b'\xef\xbb\xbf"hello"')
    assert [record.texts[0] for record in read_examples(tmp_path / "a.jsonl", DataKind.TEXTS)] == ["hello"]
    assert [record.texts[0] for record in read_examples(tmp_path / "a.txt", DataKind.TEXTS)] == ['"hello"']


def test_a_missing_file_is_named(tmp_path):
    for kind, name in (("texts", "gone.txt"), ("dictionary", "gone.index"), ("wordnet", "gone.noun")):
        with pytest.raises(InputFileError, match="gone"):
            list(read_examples(tmp_path / name, DataKind(kind)))
