from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from romaine import Embedder
from romaine.errors import ModelNotFoundError, OptionError, RejectedModelError
from romaine.evaluate.parity import TextVectors, compare, measure_parity
from romaine.evaluate.runs import Run, find_runs
from romaine.evaluate.subject import Subject
from romaine.precision import Precision

TEXTS = [
    f"{who} {what}"
    for who in ("the fisherman", "a tired nurse", "my cousin", "the old clock")
    for what in ("waits by the harbour", "sings", "forgot the bread", "fell down the stairs", "is late")
]


@pytest.fixture(scope="module")
def static_subject(static_embedding_folder: Path) -> Subject:
    return Subject(model=static_embedding_folder, threads=1)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def random_vectors(rows: int, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((rows, 16)))


def test_the_same_vectors_agree_wholly() -> None:
    vectors = TextVectors(documents=random_vectors(30), queries=random_vectors(4, seed=1))
    found = compare(vectors, vectors, k=5)
    assert found.mean == pytest.approx(1)
    assert found.worst == pytest.approx(1)
    assert found.recall == 1
    assert (found.k, found.texts) == (5, 34)


def test_other_vectors_do_not() -> None:
    exact, other = (
        TextVectors(documents=random_vectors(200)),
        TextVectors(documents=random_vectors(200, seed=1)),
    )
    found = compare(exact, other)
    assert abs(found.mean) < 0.1
    assert found.worst < -0.3
    assert found.recall < 0.15


def test_one_wrong_vector_shows_in_the_worst_cosine() -> None:
    documents = random_vectors(50)
    changed = documents.copy()
    changed[7] = -changed[7]
    found = compare(TextVectors(documents=documents), TextVectors(documents=changed))
    assert found.worst == pytest.approx(-1, abs=1e-6)
    assert found.mean == pytest.approx(1 - 2 / 50, abs=1e-6)


def test_no_more_are_compared_than_there_are() -> None:
    few = TextVectors(documents=random_vectors(4))
    assert compare(few, few, k=10).k == 3


def test_every_installed_way_is_found_the_most_exact_first(
    minilm_folder: Path, minilm_int8_folder: Path, tmp_path: Path
) -> None:
    assert [str(run) for run in find_runs(Subject(model=minilm_folder)).found] == [
        "torch",
        "sentence-transformers",
    ]
    found = find_runs(Subject(model=minilm_int8_folder))
    assert [str(run) for run in found.found] == ["onnx int8"]
    assert not found.found[0].is_full_precision
    assert set(found.refused) == {"static", "torch", "sentence-transformers"}
    assert found.found[0].of(Subject(model="x", dim=3)) == Subject(
        model="x", dim=3, backend="onnx", variant="int8"
    )


def test_a_table_runs_on_two_backends_that_agree(static_subject: Subject) -> None:
    report = measure_parity(static_subject, texts=TEXTS)
    assert str(report.reference) == "sentence-transformers"
    assert [row.name for row in report.runs] == ["static"]
    assert report.runs[0].agreement.worst > 0.9999
    assert {row.precision for row in report.rows if row not in report.runs} == set(Precision) - {
        Precision.FLOAT32
    }
    by_form = {row.precision: row.agreement for row in report.rows if row not in report.runs}
    assert by_form[Precision.FLOAT16].mean > by_form[Precision.INT8].mean > by_form[Precision.BINARY].mean
    assert by_form[Precision.INT8].recall > 0.9
    assert by_form[Precision.BINARY].mean > 0.7
    assert {"onnx", "torch"} <= set(report.refused)
    values = report.to_json()
    assert values["reference"]["backend"] == "sentence-transformers"
    assert len(values["rows"]) == 4


def test_ways_can_be_chosen_and_queries_given(static_subject: Subject) -> None:
    report = measure_parity(
        static_subject,
        texts=TEXTS,
        queries=["who waits?"],
        runs=[Run(backend="static")],
        precisions=["int8"],
        k=3,
    )
    assert str(report.reference) == "static"
    assert [row.name for row in report.rows] == ["static, int8 vectors"]
    assert report.rows[0].agreement.k == 3


def test_a_form_is_compared_as_the_embedder_gives_it(static_subject: Subject) -> None:
    plain = static_subject.embedder()
    packed = Embedder(static_subject.model, precision="int8", threads=1)
    assert plain.int8_limit == packed.int8_limit
    report = measure_parity(static_subject, texts=TEXTS, runs=[Run(backend="static")], precisions=["int8"])
    codes = packed.embed_documents(TEXTS).astype(np.float32)
    cosine = np.einsum("ij,ij->i", unit(codes), plain.embed_documents(TEXTS))
    assert report.rows[0].agreement.mean == pytest.approx(float(cosine.mean()), abs=1e-5)


@pytest.mark.parametrize(("texts", "queries"), [(["one"], None), (TEXTS, []), ([], None)])
def test_too_little_to_compare_is_refused(
    static_subject: Subject, texts: list[str], queries: list[str] | None
) -> None:
    with pytest.raises(OptionError, match="at least 2 texts"):
        measure_parity(static_subject, texts=texts, queries=queries)


def test_what_cannot_be_run_says_why(static_subject: Subject, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="precision"):
        measure_parity(static_subject, texts=TEXTS, precisions=["int4"])
    with pytest.raises(ModelNotFoundError):
        find_runs(Subject(model=str(tmp_path / "nothing")))
    with pytest.raises(RejectedModelError, match=r"0\.223"):
        find_runs(Subject(model="gemma300-leaf-embeddings-test"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(OptionError, match="nothing that is installed can run"):
        measure_parity(Subject(model=tmp_path / "empty"), texts=TEXTS)
