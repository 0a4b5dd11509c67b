from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from romaine import Embedder


def romaine(*arguments, stdin=b""):
    return subprocess.run(
        [sys.executable, "-m", "romaine", *map(str, arguments)], input=stdin, capture_output=True, check=False
    )


@pytest.fixture
def turns(tmp_path):
    path = tmp_path / "turns.txt"
    path.write_bytes("The key is here.\n\ncaf\u00e9\n".encode() + b"not \xff utf-8\n")
    return path


def test_file_to_npy(turns, tmp_path, static_embedding_folder):
    out = tmp_path / "vectors.npy"
    done = romaine("embed", turns, "--out", out, "--model", static_embedding_folder)
    assert done.returncode == 0, done.stderr
    vectors = np.load(out)
    assert vectors.shape[0] == 4
    np.testing.assert_array_equal(
        vectors[0], Embedder(static_embedding_folder).embed_query("The key is here.")
    )


def test_stdin_to_stdout(static_embedding_folder):
    done = romaine(
        "embed",
        "--model",
        static_embedding_folder,
        "--format",
        "jsonl",
        stdin=b'{"id": "a", "text": "hello"}\n',
    )
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert row["id"] == "a"
    assert np.linalg.norm(row["embedding"]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.txt"], "nothing.txt is not there"),
        (["-", "--dim", "0"], "dim=0"),
        (["-", "--precision", "int4"], "precision 'int4'"),
        (["-", "--model", "../secret"], "../secret"),
        (["-", "--backend", "onyx"], "Did you mean 'onnx'"),
        (["-", "--resume"], "--resume needs --out"),
        (["-", "--out", "x.csv"], ".npy, .jsonl"),
        (["-", "--workers", "0"], "--workers=0"),
        (["-", "--format", "parquet"], "needs a file"),
        (["-", "--address", "auto"], "--engine ray"),
        (["-", "--engine", "ray"], "file or folder"),
        (["-", "--engine", "ray", "--out", "x.npy"], "file or folder"),
    ],
)
def test_errors_are_one_line(arguments, message, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "romaine", "embed", *arguments],
        input=b"a\n",
        capture_output=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 1
    assert message in done.stderr.decode()
    assert done.stderr.splitlines()[-1].startswith(b"error: ")
    assert b"Traceback" not in done.stderr


def test_version_and_help():
    assert romaine("--version").stdout.startswith(b"romaine 0.")
    assert b"embed" in romaine("--help").stdout
    assert romaine("embed", "--nonsense").returncode == 2
