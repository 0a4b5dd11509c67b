from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from romaine.cli.models import app
from romaine.errors import ModelNotFoundError, OfflineError, RejectedModelError
from romaine.models import catalog
from tests.models.conftest import transformer_files, write_files

LEAF = "tss-deposium/gemma300-leaf-embeddings-test"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ROMAINE_CACHE", str(tmp_path / "romaine-cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("COLUMNS", "400")


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None:
        raise result.exception
    assert result.exit_code == 0
    return result.stdout


def test_the_table_has_every_model_and_its_facts():
    table = run()
    for name in catalog.names():
        assert name in table
    lettuce = next(line for line in table.splitlines() if "lettuce" in line)
    for fact in (
        "NomicBERT",
        "64 128 256 512 768",
        "4096",
        "547.7 MB",
        "Apache-2.0",
        "0.924",
        "needs download",
    ):
        assert fact in lettuce
    assert next(line for line in table.splitlines() if line.startswith(LEAF)).rstrip().endswith("rejected")


def test_a_narrow_terminal_gets_lines(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    listed = run()
    assert "little-gem: ready offline\n" in listed
    assert f"{LEAF}: rejected\n" in listed
    assert all(len(line) <= 80 for line in listed.splitlines() if line.startswith(" "))


def test_quality_has_published_and_measured_figures_in_columns_of_their_own(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    listed = run("--quality")
    by_model = {block.splitlines()[0]: block for block in listed.strip().split("\n\n")}
    assert list(by_model) == list(catalog.names())
    leaf = by_model[LEAF]
    header = next(line for line in leaf.splitlines() if "published" in line)
    failure = next(line for line in leaf.splitlines() if "STSBenchmark Spearman" in line)
    assert failure.rstrip().endswith("0.223")
    assert len(failure.rstrip()) <= header.index("measured")
    assert f"published: model card of {LEAF}" in leaf
    own = by_model["little-gem"]
    header = next(line for line in own.splitlines() if "published" in line)
    figure = next(line for line in own.splitlines() if "Spearman" in line)
    assert not figure[header.index("published") : header.index("published") + len("published")].strip()
    assert "measured: romaine " in own
    assert (
        "no published figure is known here, none was measured" in by_model["nomic-ai/modernbert-embed-base"]
    )


def test_quality_as_json():
    rows = json.loads(run("--quality", "--json"))
    leaf = next(row for row in rows if row["model"] == LEAF)
    assert (leaf["figure"], leaf["published"], leaf["measured"]) == ("STSBenchmark Spearman", 0.223, None)
    assert {row["model"] for row in rows} == {*catalog.names()}


def test_the_list_tells_a_few_figures_and_which_were_measured_here():
    table = run()
    assert "0.4312" in table
    assert "NanoClimateFEVER" not in table
    own = next(line for line in table.splitlines() if line.startswith("little-gem"))
    assert "(measured)" in own


def test_show_tells_every_figure_and_where_it_is_from():
    shown = run("show", LEAF)
    assert f"published    STSBenchmark Spearman 0.223 (model card of {LEAF}" in shown
    assert "STS22 Polish Spearman 0.132" in shown
    assert "measured " not in shown


def test_json_has_the_same_rows():
    rows = {row["id"]: row for row in json.loads(run("--json"))}
    assert list(rows) == [*catalog.names(), *catalog.installable()]
    assert rows[LEAF]["status"] == "rejected"
    assert rows["Zeolit/lettuce-emb-768d-v4"]["dims"] == [64, 128, 256, 512, 768]


def test_a_cached_model_is_ready(tmp_path):
    commit = "0" * 40
    root = tmp_path / "hub" / "models--sentence-transformers--all-MiniLM-L6-v2"
    write_files(root / "snapshots" / commit, transformer_files())
    write_files(root / "refs", {"main": commit.encode()})
    row = next(line for line in run().splitlines() if "MiniLM" in line)
    assert row.rstrip().endswith("ready offline")


def test_show_by_short_name():
    shown = run("show", "all-MiniLM-L6-v2")
    assert "384" in shown
    assert "no limit" not in shown
    assert json.loads(run("show", "nomic-embed-text-v1.5", "--json"))["layer_norm"] is True


def test_show_a_folder(minilm_folder):
    assert "BERT" in run("show", minilm_folder)


def test_forget_says_how_many(tmp_path):
    from romaine.backends.registry import resolve_model

    folder = write_files(tmp_path / "m", transformer_files())
    resolve_model(folder)
    assert "forgot 3" in run("forget", folder)


def test_errors_are_ours(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelNotFoundError):
        run("show", "nothing")
    with pytest.raises(RejectedModelError):
        run("download", LEAF)
    with pytest.raises(OfflineError):
        run("download", "all-MiniLM-L6-v2")
