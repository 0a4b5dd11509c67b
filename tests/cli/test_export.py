from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from romaine import Embedder


def export(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "romaine", "export", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_model_becomes_a_folder_that_opens(nomic_folder, tmp_path):
    done = export(nomic_folder, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    (file,) = json.loads(done.stdout)["files"]
    assert file["variant"] == "fp32"
    assert file["worst_cosine"] >= 0.9999
    texts = ["The key is under the third step.", "ok"]
    exported = Embedder(tmp_path / "out", backend="onnx").embed_documents(texts)
    original = Embedder(nomic_folder, backend="torch").embed_documents(texts)
    assert np.einsum("ij,ij->i", exported, original).min() >= 0.9999


@pytest.mark.parametrize("model", ["nothing/here", "little-gem"])
def test_what_cannot_be_exported_is_one_line(model, tmp_path):
    done = export(model, "--out", tmp_path / "out", "--offline")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
