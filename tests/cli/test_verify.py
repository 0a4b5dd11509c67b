from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from romaine import Embedder
from romaine.cli import app
from romaine.errors import RejectedModelError
from tests.evaluate.verify import broken

LEAF = "gemma300-leaf-embeddings-test"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROMAINE_CACHE", str(tmp_path / "romaine-cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return broken.shuffled_table(tmp_path_factory.mktemp("cli") / "shuffled")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["verify", *map(str, arguments)])


def test_the_bundled_model_passes_every_check_in_time() -> None:
    result = run("little-gem", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["verdict"] == "PASS"
    assert found["reasons"] == []
    assert found["seconds"] < 60
    checks = {finding["check"] for finding in found["findings"]}
    assert checks == {
        "contract",
        "finite",
        "unit length",
        "similarity",
        "memory",
        "dims",
        "parity",
        "speed",
    }
    dims = {f["subject"].rpartition(" ")[2] for f in found["findings"] if f["check"] == "dims"}
    assert dims == {str(dim) for dim in Embedder().dims[:-1]}
    told = {f["subject"]: f["value"] for f in found["findings"] if f["check"] == "speed"}
    assert told["load time"] > 0
    assert told["texts per second"] > 0


def test_a_rejected_model_ends_in_one_and_says_why(shuffled: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "report"
    result = run(shuffled, "--out", out)
    assert result.exit_code == 1
    assert "REJECT" in result.stdout
    assert "similarity: Spearman at dim" in result.stdout
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "REJECT" in page
    assert "similarity: Spearman at dim" in page
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["verdict"] == "REJECT"
    with pytest.raises(RejectedModelError, match="Spearman"):
        Embedder(shuffled, require_verified=True).warm_up()


def test_a_verdict_is_kept_only_where_that_is_wanted(tmp_path: Path) -> None:
    folder = broken.write_static(tmp_path / "sound", broken.bundled_matrix(), bits=8)
    assert run(folder, "--no-store").exit_code == 0
    assert not (folder / "romaine-verdict.json").exists()
    assert run(folder).exit_code == 0
    assert Embedder(folder, require_verified=True).warm_up()


def test_a_model_the_catalog_rejects_is_told_with_its_published_figures() -> None:
    result = run(LEAF)
    assert result.exit_code == 1
    assert "REJECT" in result.stdout
    for figure in ("published quality", "0.223", "0.373", "-0.14", "0.12"):
        assert figure in result.stdout
    as_json = run(LEAF, "--json")
    assert as_json.exit_code == 1
    assert "0.223" in json.loads(as_json.stdout)["reasons"][0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-model"], "no-such-model"),
        (["sentence-transformers/all-MiniLM-L6-v2"], "network"),
        (["little-gem", "--backend", "oxnn"], "Did you mean 'onnx'"),
        (["little-gem", "--backend", "torch"], "no backend can run little-gem"),
        (["little-gem", "--out", __file__], "the report cannot be written to"),
    ],
)
def test_what_cannot_be_told_ends_in_two(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_a_table_with_a_row_that_is_no_number_is_rejected(tmp_path: Path) -> None:
    """It does not even open; a look at its file says why."""
    pytest.importorskip("matplotlib")
    reason = "finite: weights: NaN or infinite values in table"
    out = tmp_path / "report"
    result = run(broken.nan_table_row(tmp_path / "nan"), "--json", "--out", out)
    assert result.exit_code == 1, result.output
    assert json.loads(result.stdout)["reasons"] == [reason]
    assert reason in (out / "report.html").read_text(encoding="utf-8")
