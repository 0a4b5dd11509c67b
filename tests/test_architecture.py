"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import romaine

PACKAGE = Path(romaine.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# A module may import from its own layer and from those after it.
LAYERS = (
    ("cli", "mcp", "server", "__main__"),
    ("evaluate", "train"),
    ("distributed",),
    ("export", "bulk"),
    ("formats",),
    ("memory",),
    ("embedder",),
    ("token_vectors",),
    ("lazy_model", "pipeline", "embedder_options", "shares"),
    ("backends",),
    ("models", "text", "precision"),
    (
        "arrays",
        "bounded",
        "checks",
        "deserialise",
        "options",
        "processes",
        "progress",
        "side_by_side",
        "truncation",
        "unfamiliar",
    ),
    ("choice", "plugins"),
    ("errors",),
)
# memory/records.py is plain data, which the readers of chat formats produce
PLAIN_DATA = {"romaine.memory.records"}

RUNTIMES = {
    "sqlite3": {"memory/sqlite"},
    "psycopg": {"memory/postgres"},
    "psycopg_pool": {"memory/postgres"},
    "onnxruntime": {"backends/onnx", "export"},
    "onnx": {"export"},
    "torch": {"backends/torch", "backends/sentence_transformers.py", "export", "train"},
    "transformers": {"backends/torch", "train", "export"},
    "sentence_transformers": {"backends/sentence_transformers.py", "train", "export"},
    "tokenizers": {"text/tokenizer.py", "train"},
    "huggingface_hub": {"models"},
    "typer": {"cli"},
    "ir_measures": {"evaluate/retrieval/metrics.py"},
    "lightgbm": {"train"},
    "matplotlib": {"evaluate/report/charts.py", "train"},
    "jinja2": {"evaluate/report/write.py", "server/page/rendering.py"},
    "mteb": {"evaluate/mteb.py"},
    "mcp": {"mcp"},
    "kiwipiepy": {"memory/language/korean.py"},
    "mcp_types": {"mcp"},
    "fastapi": {"server"},
    "starlette": {"mcp", "server"},
    "uvicorn": {"server"},
    "pydantic": {"mcp", "server"},
    "pydantic_settings": {"server"},
    "prometheus_client": {"server"},
    "orjson": {"server"},
    "pyarrow": {"bulk/parquet.py"},
    "ray": {"distributed"},
    "fsspec": {"distributed"},
}


def imports(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def layer(name: str) -> int | None:
    return next((i for i, names in enumerate(LAYERS) if name in names), None)


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_imports_go_one_way(path):
    own = layer(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))
    if own is None:
        return
    for name in imports(path):
        if not name.startswith("romaine.") or name in PLAIN_DATA:
            continue
        imported = layer(name.split(".")[1])
        assert imported is None or imported >= own, f"{relative(path)} imports {name}, which is above it"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_runtime_is_imported_in_its_own_place_only(path):
    for name in imports(path):
        allowed = RUNTIMES.get(name.split(".")[0])
        assert allowed is None or any(
            relative(path) == place or relative(path).startswith(place + "/") for place in allowed
        ), f"{relative(path)} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_nothing_outside_the_analyzer_knows_a_language(path):
    if relative(path).startswith("memory/language/"):
        return
    assert not [name for name in imports(path) if name.startswith("romaine.memory.language.")]
    assert "snowballstemmer" not in path.read_text(encoding="utf-8")


def test_one_place_chooses_the_storage_engine():
    engines = ("romaine.memory.sqlite", "romaine.memory.postgres")
    choosing = {
        relative(path)
        for path in MODULES
        if not relative(path).startswith(("memory/sqlite/", "memory/postgres/"))
        and any(name.startswith(engines) for name in imports(path))
    }
    assert choosing == {"memory/store.py"}


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_files_stay_readable(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350
    assert path.name != "utils.py"


def test_importing_loads_numpy_at_most():
    code = (
        "import sys; before = set(sys.modules); import romaine; "
        "print(*sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {
        "onnxruntime",
        "torch",
        "tokenizers",
        "transformers",
        "huggingface_hub",
        "safetensors",
        "typer",
        "rich",
    }
    assert not heavy & set(loaded)
    assert "numpy" in loaded


def test_the_face():
    assert romaine.__all__ == sorted(romaine.__all__, key=lambda name: (not name[0].isupper(), name))
    for name in romaine.__all__:
        assert getattr(romaine, name) is not None
        assert name in dir(romaine)
    with pytest.raises(AttributeError, match="no attribute 'Embeder'"):
        _ = romaine.Embeder


def test_a_class_name_is_used_once():
    named: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                named.setdefault(node.name, []).append(str(path.relative_to(PACKAGE)))
    assert {name: places for name, places in named.items() if len(places) > 1} == {}
