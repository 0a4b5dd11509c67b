from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from romaine.cli.evaluate import app
from romaine.errors import InputFileError, MissingExtraError, OptionError
from tests import late_models
from tests.evaluate.conftest import locomo
from tests.evaluate.retrieval.conftest import write_beir


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    paths = []
    for name in ("harbour", "library", "desert"):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(locomo(name)), encoding="utf-8")
        paths.append(str(path))
    return paths


def test_prints_a_table(files: list[str]) -> None:
    result = CliRunner().invoke(app, ["memory", *files])
    assert result.exit_code == 0
    for name in ("questions", "hit@1", "recall@10", "mrr@10", "queries/s"):
        assert name in result.output


def test_tells_kinds_of_questions_and_sources_apart(tmp_path: Path) -> None:
    chat = {
        "source": "dev",
        "turns": [["Mira", "Where is the boat?"], ["Tobin", "Behind the lighthouse."]],
        "questions": [
            {"query": "Where is the boat?", "evidence": [1], "kind": "question"},
            {"query": "The boat lies behind the lighthouse.", "evidence": [0, 1], "kind": "summary"},
        ],
    }
    path = tmp_path / "chats.jsonl"
    path.write_text(json.dumps(chat) + "\n" + json.dumps(chat | {"source": "train"}))
    found = figures("memory", str(path), "--source", "dev")
    assert (found["conversations"], found["recall_all@10"]) == (1, 1)
    assert set(found["categories"]) == {"question", "summary"}
    shown = CliRunner().invoke(app, ["memory", str(path)]).output
    assert "by category" in shown
    assert "recall_all@10" in shown


def test_prints_json(files: list[str]) -> None:
    result = CliRunner().invoke(app, ["memory", *files, "--mode", "dense", "--dim", "64", "--json"])
    figures = json.loads(result.output)
    assert figures["questions"] == 6
    assert figures["dim"] == 64
    assert figures["mode"] == "dense"
    assert 0 < figures["turns"]["threshold"] < 1


@pytest.mark.parametrize("extra", [[], ["--json"], ["--pieces", "3", "--without", "cosine"]])
def test_calibrates(files: list[str], extra: list[str]) -> None:
    result = CliRunner().invoke(app, ["abstention", *files, *extra])
    assert result.exit_code == 0
    assert "silent" in result.output


def test_abstention_without_a_figure_that_there_is_not(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["abstention", str(tmp_path / "x.json"), "--without", "moon"])
    assert isinstance(result.exception, OptionError)
    assert "choose from cosine" in str(result.exception)


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    path = tmp_path / "pairs.csv"
    path.write_text("A boat.,The boat.,5\nA dog runs.,Two dogs run.,3\nHe reads.,Prices fell.,0\n")
    return str(path)


def figures(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def table(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_retrieval(tmp_path: Path) -> None:
    folder = str(write_beir(tmp_path / "small"))
    found = figures("retrieval", folder, "--dim", "64")
    assert list(found["metrics"])[:3] == ["nDCG@10", "MRR@10", "MAP@100"]
    assert (found["dim"], found["split"]) == (64, "test")
    shown = table("retrieval", folder)
    for name in ("small (test)", "nDCG@10", "recall@100"):
        assert name in shown


def test_retrieval_says_what_was_left_out(tmp_path: Path) -> None:
    rows = [("q1", "d1", 1), ("q1", "gone", 1), ("nobody", "d1", 1)]
    shown = " ".join(table("retrieval", str(write_beir(tmp_path / "b", qrels={"test": rows}))).split())
    assert "1 judged queries are not in queries.jsonl" in shown
    assert "1 relevant documents are not in the corpus" in shown


def test_matryoshka_of_each_benchmark(files: list[str], pairs: str, tmp_path: Path) -> None:
    beir = str(write_beir(tmp_path / "small"))
    for benchmark, paths, metric in (
        ("memory", files, "recall@5"),
        ("sts", [pairs], "Spearman"),
        ("retrieval", [beir], "nDCG@10"),
    ):
        found = figures("matryoshka", benchmark, *paths, "--dims", "32", "64")
        assert [row["dim"] for row in found["rows"]] == [32, 64]
        assert [row["bytes"] for row in found["rows"]] == [128, 256]
        assert found["metric"] == metric
        assert all(row["latency_ms"] > 0 for row in found["rows"])
    shown = table("matryoshka", "sts", pairs)
    assert "bytes" in shown
    assert "Spearman" in shown


def test_parity_of_built_in_and_own_texts(tmp_path: Path) -> None:
    found = figures("parity", "--dim", "64")
    assert [row["precision"] for row in found["rows"]] == ["float16", "int8", "binary"]
    assert found["rows"][0]["cosine_worst"] > 0.9999
    texts = tmp_path / "texts.txt"
    texts.write_text("the key\nthe soup\nthe boat\n")
    assert figures("parity", str(texts))["rows"][0]["texts"] == 3
    assert "static, binary vectors" in table("parity", str(texts))


def test_parity_needs_a_readable_file(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xff")
    for path in (tmp_path / "missing", binary):
        result = CliRunner().invoke(app, ["parity", str(path)])
        assert isinstance(result.exception, InputFileError)


def test_speed_of_every_backend() -> None:
    found = figures("speed", "--every-backend", "--rounds", "1", "--dim", "32")
    assert [(run["backend"], run["dim"]) for run in found["runs"]] == [("static", 32)]
    assert found["runs"][0]["texts_per_second"] > 0


def test_one_backend_and_every_backend_exclude_each_other() -> None:
    result = CliRunner().invoke(app, ["speed", "--every-backend", "--backend", "static"])
    assert isinstance(result.exception, OptionError)


@pytest.mark.parametrize("command", ["sts", "memory"])
def test_a_report_goes_where_it_is_wanted(
    command: str, pairs: str, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = files if command == "memory" else [pairs]
    monkeypatch.setattr("sys.argv", ["romaine", "eval", command, *paths])
    out = tmp_path / "report"
    found = figures(command, *paths, "--out", str(out))
    kept = json.loads((out / "report.json").read_text())
    assert {"command", "romaine", "measured"} <= {*kept}
    assert {name: kept[name] for name in found} == found
    page = (out / "report.html").read_text()
    assert f"romaine eval {command}" in page
    assert 'id="figure-scores"' in page
    assert {path.name for path in out.glob("*.png")} == {"scores-light.png", "scores-dark.png"}


def test_a_report_that_cannot_be_drawn_is_refused_before_anything_is_measured(
    pairs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("romaine.evaluate.sts.evaluate_sts", lambda *_, **__: pytest.fail("measured"))
    result = CliRunner().invoke(app, ["sts", pairs, "--out", str(tmp_path)])
    assert isinstance(result.exception, MissingExtraError)


def test_scores_of_another_scale_give_a_report_without_a_chart(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("A boat.,The boat.,1\nA dog runs.,Two dogs run.,0.5\nHe reads.,Prices fell.,0\n")
    table("sts", str(path), "--out", str(tmp_path / "report"))
    assert not list((tmp_path / "report").glob("*.png"))


@pytest.mark.filterwarnings("ignore")
def test_mteb_names_and_prompts_are_checked() -> None:
    pytest.importorskip("mteb")
    for arguments, reason in ((["Nothing"], "no task or benchmark"), (["x", "--prompt", "y"], "KEY=TEXT")):
        result = CliRunner().invoke(app, ["mteb", *arguments])
        assert isinstance(result.exception, OptionError)
        assert reason in str(result.exception)


def test_memory_takes_the_probes_in_place_of_files(files):
    found = json.loads(
        CliRunner().invoke(app, ["memory", "--probes", "ko", "--mode", "words", "--json"]).stdout
    )
    assert (found["questions"], found["mode"]) == (60, "words")
    assert found["recall@5"] > 0.5
    for wrong in ([], [*files, "--probes", "ko"]):
        assert "either files or --probes" in str(CliRunner().invoke(app, ["memory", *wrong]).exception)
    assert "'en', 'de'" in str(CliRunner().invoke(app, ["memory", "--probes", "eo"]).exception)


@pytest.mark.filterwarnings("ignore::romaine.truncation.TruncationWarning")
def test_late_interaction_is_asked_for_as_the_library_spells_it(
    files: list[str], minilm_folder: Path, tmp_path: Path
) -> None:
    oak = str(late_models.write_own(tmp_path / "little-oak", minilm_folder))

    def measured(*options: str) -> dict[str, Any]:
        asked = CliRunner().invoke(app, ["memory", *files, "--json", "--model", oak, *options])
        assert asked.exit_code == 0, asked.exception
        told = json.loads(asked.stdout)
        return {name: value for name, value in told.items() if name not in ("queries/s", "index_bytes")}

    usual, off = measured(), measured("--late-interaction", "off")
    assert usual == measured("--late-interaction", "stored") == measured("--late-interaction", "computed")
    assert usual != off
    for model, how, told in ((oak, "some", "'computed'"), ("little-gem", "stored", "none")):
        wrong = (
            CliRunner().invoke(app, ["memory", *files, "--model", model, "--late-interaction", how]).exception
        )
        assert isinstance(wrong, OptionError)
        assert told in str(wrong)
