from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from romaine.errors import OptionError
from romaine.train.texts import fill_evenly, read_records, sample_texts


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 50), min_size=1, max_size=6), st.integers(0, 100))
def test_shares_use_up_what_there_is_and_no_more(available, total):
    shares = fill_evenly(available, total)
    assert sum(shares.values()) == min(total, sum(available.values()))
    assert all(shares[source] <= count for source, count in available.items())


def test_every_shape_is_read(tmp_path):
    chat = tmp_path / "chat.jsonl.gz"
    lines = [
        '"plain"',
        json.dumps({"source": "s", "turns": [["a", "hello"], ["b", "hi"]]}),
        json.dumps({"query": "q", "positive": "p"}),
    ]
    chat.write_bytes(gzip.compress("\n".join(lines).encode()))
    assert list(read_records(chat)) == [
        ("chat.jsonl.gz", "plain"),
        ("s", "hello"),
        ("s", "hi"),
        ("chat.jsonl.gz", "q"),
        ("chat.jsonl.gz", "p"),
    ]
    table = tmp_path / "sts.csv"
    table.write_text('"one, two",three,4.5\n', encoding="utf-8")
    assert [text for _, text in read_records(table)] == ["one, two", "three"]
    lines_file = tmp_path / "lines.txt"
    lines_file.write_text("a\n\nb\n", encoding="utf-8")
    assert sample_texts([lines_file], limit=9) in (["a", "b"], ["b", "a"])


def test_a_sample_is_balanced_unrepeated_and_independent_of_order(tmp_path):
    records = [json.dumps({"source": "big", "text": f"big {i}"}) for i in range(100)]
    records += [json.dumps({"source": "small", "text": f"small {i}"}) for i in range(10)]
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    first.write_text("\n".join(records + records[:20]), encoding="utf-8")
    second.write_text("\n".join(reversed(records)), encoding="utf-8")
    texts = sample_texts([first], limit=30)
    assert len(set(texts)) == len(texts) == 30
    assert sum(text.startswith("small") for text in texts) == 10
    assert sample_texts([second], limit=30) == texts
    assert sample_texts([first], limit=30, seed=1) != texts


def test_long_texts_are_cut_at_a_space(tmp_path):
    path = tmp_path / "long.txt"
    path.write_text("word " * 100, encoding="utf-8")
    assert sample_texts([path], limit=1, max_chars=22) == ["word word word word"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pdf", b"x"),
        ("a.jsonl", b"{broken"),
        ("a.jsonl", b"3"),
        ("a.txt", b"\xff\xfe\xfa"),
        ("a.txt.gz", b"no gzip"),
        ("a.txt", b""),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(OptionError, match=name):
        sample_texts([path], limit=5)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(OptionError, match=r"gone\.txt"):
        sample_texts([tmp_path / "gone.txt"], limit=5)
