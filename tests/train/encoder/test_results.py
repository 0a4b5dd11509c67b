"""`romaine train encoder` from the command line to files that open; and one that was stopped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from romaine import Embedder
from romaine.cli import app

runner = CliRunner()


def test_a_run_ends_in_a_folder_that_opens(encoder_recipe: Path, chat_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["train", "encoder", str(encoder_recipe), "--data", str(chat_folder), "--out", str(out)]
    result = runner.invoke(app, [*command, "--threads", "1"])
    assert result.exit_code == 0, result.output
    embedder = Embedder(out, threads=1)
    assert embedder.card.id == "small"
    assert embedder.card.dims == (16, 48)
    vectors = embedder.embed_documents(["Ann: I found the silver key", "the captain"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    metrics = json.loads((out / "metrics.json").read_text("utf-8"))
    assert metrics["readings"][0]["step"] == 0
    assert metrics["readings"][-1]["step"] >= 10
    assert metrics["data"]["evidence"]["licence"] == "CC0-1.0"
