from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from romaine import Embedder
from romaine.cli.evaluate import app
from romaine.errors import DimensionError, InputFileError, OptionError, VectorError
from romaine.evaluate.sts import best_threshold, evaluate_sts, iter_scored_pairs, read_scored_pairs, spearman

ROWS = (
    '"the dog barks, loudly",the hound barks,4.5\n'
    "\n"
    "a red boat,a kettle of soup,0.2\n"
    "he opens the door,she opens a door,3.1\n"
    "rain on the roof,rain falls on the roof,4.4\n"
)
SECRET = "a very private sentence"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=3, max_size=40))
def test_agrees_with_scipy_where_values_tie(pairs):
    stats = pytest.importorskip("scipy.stats")
    first, second = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    ours = spearman(first, second)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        assert math.isnan(ours)
    else:
        assert ours == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-12)


def test_a_monotone_relation_is_one():
    values = np.array([0.1, 5.0, -3.0, 2.0])
    assert spearman(values, np.exp(values)) == 1
    assert spearman(values, -values) == -1


@pytest.mark.parametrize(
    ("first", "second"),
    [([1, 2], [1, 2, 3]), ([[1, 2]], [[1, 2]]), ([1, float("nan")], [1, 2]), ([1, 2], [1, float("inf")])],
)
def test_values_without_ranks_are_refused(first, second):
    with pytest.raises(VectorError):
        spearman(first, second)


def test_measures_each_dimension_on_its_slice(file):
    embedder = Embedder()
    report = evaluate_sts(file, embedder=embedder, dims=[32, 384])
    assert list(report.spearman) == [384, 32]
    assert report.pairs == 4
    pairs = read_scored_pairs(file)
    small = embedder.with_dim(32)
    cosines = (small.embed_queries(pairs.left) * small.embed_queries(pairs.right)).sum(axis=1)
    assert report.spearman[32] == pytest.approx(spearman(cosines, pairs.scores))


def test_tells_the_cosine_that_parts_alike_from_unlike(file, tmp_path):
    report = evaluate_sts(file, dims=[32, 384])
    pairs = read_scored_pairs(file)
    for dim, found in report.thresholds.items():
        small = Embedder(dim=dim)
        cosines = (small.embed_queries(pairs.left) * small.embed_queries(pairs.right)).sum(axis=1)
        assert found.cosine == pytest.approx(cosines[pairs.scores >= 4].min(), abs=1e-6)
        assert (found.kept, found.dropped) == (1, 1)
    lone = tmp_path / "lone.csv"
    lone.write_text("a b,a c,5\nb,c d,4\nc,a,3\n", encoding="utf-8")
    assert set(evaluate_sts(lone, dims=[32]).thresholds.values()) == {None}


@given(
    st.lists(st.integers(-4, 4), min_size=1, max_size=12),
    st.lists(st.integers(-4, 4), min_size=1, max_size=12),
)
def test_no_threshold_parts_better(matching, other):
    above, below = np.array(matching, dtype=float), np.array(other, dtype=float)
    found = best_threshold(above, below)
    assert found.kept == pytest.approx((above >= found.cosine).mean())
    assert found.dropped == pytest.approx((below < found.cosine).mean())
    tried = [(above >= t).mean() + (below < t).mean() for t in range(-5, 6)]
    assert found.kept + found.dropped == pytest.approx(max(tried))


def test_all_trained_dimensions_by_default(file):
    embedder = Embedder()
    assert tuple(evaluate_sts(file, embedder=embedder).spearman) == embedder.dims[::-1]


def test_what_cannot_be_measured_is_an_error(file, tmp_path):
    with pytest.raises(DimensionError):
        evaluate_sts(file, dims=[50])
    with pytest.raises(OptionError, match="dims"):
        evaluate_sts(file, dims=[])
    with pytest.raises(OptionError, match="precision"):
        evaluate_sts(file, embedder=Embedder(precision="int8"))
    level = tmp_path / "level.csv"
    level.write_text("a,b,1\nc,d,1\ne,f,1\n", encoding="utf-8")
    with pytest.raises(VectorError, match="scores are equal"):
        evaluate_sts(level)
    blank = tmp_path / "blank.csv"
    blank.write_text('"","",1\n"","",2\n"","",3\n', encoding="utf-8")
    with pytest.raises(VectorError, match="cosines at"):
        evaluate_sts(blank)


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("sentence1,sentence2,score\na,b,1\n", "row 1"),
        (f"a,b,1\n{SECRET},4\n", "row 2: 2 columns"),
        (f"a,b,1\na,b,1\n{SECRET},b,nan\n", "row 3"),
        (f"a,b,1\na,b,2\n{SECRET},b,1,2\n", "row 3: 4 columns"),
        (f'a,b,1\na,b,2\n"{SECRET}"x,b,1\n', "row 3: not CSV"),
        ("a,b,1\n", "1 pairs"),
        ("", "0 pairs"),
    ],
)
def test_a_malformed_file_is_named_by_row_and_never_quoted(tmp_path, content, where):
    path = tmp_path / "pairs.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputFileError, match=where) as raised:
        read_scored_pairs(path)
    assert SECRET not in str(raised.value)
    assert "pairs.csv" in str(raised.value)


def test_a_file_that_is_no_text_or_not_there(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("grün,blau,1\n".encode("latin-1"))
    with pytest.raises(InputFileError, match="UTF-8"):
        read_scored_pairs(path)
    with pytest.raises(InputFileError, match=r"gone\.csv"):
        read_scored_pairs(tmp_path / "gone.csv")
    with pytest.raises(InputFileError):
        read_scored_pairs(tmp_path)


def test_a_byte_order_mark_is_no_text(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_bytes(b"\xef\xbb\xbfone,two,1\n")
    assert list(iter_scored_pairs(path)) == [("one", "two", 1.0)]


@pytest.mark.parametrize(
    "dims", [["--dims", "64", "384"], ["--dims", "384", "--dims", "64"], ["--dims=64", "--dims=384"]]
)
def test_command_line_prints_json(file, dims):
    result = CliRunner().invoke(app, ["sts", *dims, str(file), "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.output)
    assert figures["model"] == "little-gem"
    assert list(figures["spearman"]) == list(figures["thresholds"]) == ["384", "64"]
    assert list(figures["thresholds"]["64"]) == ["cosine", "kept", "dropped"]


def test_command_line_prints_a_table(file):
    result = CliRunner().invoke(app, ["sts", str(file)])
    assert result.exit_code == 0
    assert "Spearman" in result.output
    assert "alike from" in result.output
    assert "384" in result.output
