from __future__ import annotations

from pathlib import Path

import pytest

from romaine.errors import InputFileError, UnknownNameError
from romaine.evaluate.retrieval.beir import open_beir
from tests.evaluate.retrieval.conftest import write_beir

SECRET = "nobody may read this"


def test_reads_title_and_text_as_one(beir: Path) -> None:
    folder = open_beir(beir)
    documents = {document.id: document.text for document in folder.documents()}
    assert documents["d1"] == "Harbour The boat is moored behind the old lighthouse."
    assert documents["d2"] == "Copper kettles are sold at the market on Fridays."
    assert list(folder.queries()) == ["q1", "q2", "q3", "q4"]
    assert folder.judgements()["q1"] == {"d1": 2, "d5": 1}
    assert (folder.name, folder.split) == ("small", "test")


def test_takes_a_missing_title_numbers_as_ids_blank_lines_and_a_byte_order_mark(beir: Path) -> None:
    (beir / "corpus.jsonl").write_bytes(
        b'\xef\xbb\xbf{"_id": 7, "text": "x"}\r\n\r\n{"_id": "8", "text": ""}'
    )
    assert [(d.id, d.text) for d in open_beir(beir).documents()] == [("7", "x"), ("8", "")]


def test_judgements_need_no_header(beir: Path) -> None:
    (beir / "qrels" / "test.tsv").write_text("q1\td1\t1\n")
    assert open_beir(beir).judgements() == {"q1": {"d1": 1}}


def test_chooses_the_only_split_or_test(tmp_path: Path) -> None:
    rows = [("q1", "d1", 1)]
    assert open_beir(write_beir(tmp_path / "a", qrels={"dev": rows})).split == "dev"
    several = write_beir(tmp_path / "b", qrels={"dev": rows, "test": rows})
    assert open_beir(several).split == "test"
    assert open_beir(several, split="dev").split == "dev"
    for split in ("train", "../dev"):
        with pytest.raises(UnknownNameError, match="'dev', 'test'"):
            open_beir(several, split=split)


@pytest.mark.parametrize("missing", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_says_what_is_missing(beir: Path, missing: str) -> None:
    (beir / missing).unlink()
    with pytest.raises(InputFileError, match=missing):
        open_beir(beir)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (SECRET, "is not valid JSON"),
        (f'["{SECRET}"]', "a JSON object is needed, got list"),
        (f'{{"text": "{SECRET}"}}', '"_id" must be a string'),
        (f'{{"_id": "", "text": "{SECRET}"}}', '"_id" must be a string'),
        (f'{{"_id": true, "text": "{SECRET}"}}', '"_id" must be a string'),
        (f'{{"_id": "{SECRET}", "text": 1}}', '"text" must be a string, got int'),
        (f'{{"_id": "{SECRET}"}}', '"text" must be a string, got NoneType'),
        ('{"_id": "1", "text": "again"}', "stands in an earlier line"),
        ("[" * 100_000, "nested too deep"),
    ],
)
@pytest.mark.parametrize("file", ["corpus.jsonl", "queries.jsonl"])
def test_a_malformed_line_is_named_and_not_shown(beir: Path, file: str, line: str, reason: str) -> None:
    (beir / file).write_text(f'{{"_id": "1", "text": "fine"}}\n\n{line}\n')
    folder = open_beir(beir)
    with pytest.raises(InputFileError, match=reason) as caught:
        list(folder.documents()) if file == "corpus.jsonl" else folder.queries()
    assert f"{file}, line 3" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_text_that_is_not_utf8_is_an_error(beir: Path) -> None:
    (beir / "corpus.jsonl").write_bytes(b'{"_id": "1", "text": "\xff"}\n')
    with pytest.raises(InputFileError, match=r"corpus\.jsonl, line 1 is not UTF-8"):
        list(open_beir(beir).documents())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"{SECRET}", "with tabs between them"),
        (f"{SECRET}\td1", "with tabs between them"),
        (f"{SECRET}\t\t1", "with tabs between them"),
        (f"q1\td1\t{SECRET}", "whole number"),
        ("q1\td1\t0.5", "whole number"),
        ("q1\td1\t1\t1", "with tabs between them"),
        ("q9\td9\t2", "judged before"),
    ],
)
def test_a_malformed_judgement_is_named_and_not_shown(beir: Path, line: str, reason: str) -> None:
    (beir / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\nq9\td9\t1\n{line}\n")
    with pytest.raises(InputFileError, match=reason) as caught:
        open_beir(beir).judgements()
    assert "test.tsv, line 3" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_the_corpus_is_a_stream(beir: Path) -> None:
    with (beir / "corpus.jsonl").open("a") as file:
        file.write("not JSON\n")
    documents = open_beir(beir).documents()
    assert next(documents).id == "d1"
