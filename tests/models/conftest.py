"""A hub cache as the hub's own client leaves it, and model folders without real weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> Path:
    """Hash records and the hub cache of one test only."""
    for name in (
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "HF_HOME",
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("ROMAINE_CACHE", str(tmp_path / "romaine-cache"))
    return tmp_path / "romaine-cache"


def safetensors(name: str = "embedding.weight", rows: int = 4, columns: int = 8) -> bytes:
    return save({name: np.ones((rows, columns), dtype=np.float32)})


def transformer_files(**config: object) -> dict[str, bytes]:
    """A plain transformer's files; the weights are no transformer's, which nobody here looks at."""
    return {
        "config.json": json.dumps({"model_type": "bert", "hidden_size": 8, **config}).encode(),
        "model.safetensors": safetensors(),
        "tokenizer.json": b'{"version": "1.0"}',
    }


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture
def cached(tmp_path) -> Callable[..., Path]:
    """Puts a repository into the hub cache: blobs, a ref, and a snapshot of links."""

    def put(repo: str, files: Mapping[str, bytes], *, revision: str = "main", commit: str = COMMIT) -> Path:
        root = tmp_path / "hub" / ("models--" + repo.replace("/", "--"))
        snapshot = root / "snapshots" / commit
        for number, (name, content) in enumerate(files.items()):
            blob = root / "blobs" / f"{number:040x}"
            link = snapshot / name
            for folder in (blob.parent, link.parent):
                folder.mkdir(parents=True, exist_ok=True)
            blob.write_bytes(content)
            depth = len(Path(name).parts) + 1
            link.symlink_to(Path(*[".."] * depth) / "blobs" / blob.name)
        ref = root / "refs" / revision
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(commit)
        return snapshot

    return put


@pytest.fixture
def folder(tmp_path) -> Path:
    """A plain transformer in a folder."""
    return write_files(tmp_path / "some-model", transformer_files())


@pytest.fixture
def static_folder(tmp_path, static_embedding_folder) -> Path:
    """A real static model that a test may damage."""
    return Path(shutil.copytree(static_embedding_folder, tmp_path / "static-model"))
