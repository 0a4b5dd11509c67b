# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from haystack_integrations.common.romaine import RomaineMemoryFile
from haystack_integrations.components.embedders.romaine import RomaineDocumentEmbedder, RomaineTextEmbedder
from haystack_integrations.components.retrievers.romaine import RomaineMemoryRetriever
from haystack_integrations.components.writers.romaine import RomaineMemoryWriter
from haystack_integrations.document_stores.romaine import RomaineMemoryStore

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def run(*examples: str) -> dict[str, object]:
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, "example", "exec"), names)
    return names


def examples_of(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", inspect.cleandoc(text), flags=re.DOTALL)


def test_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = run(*examples_of(README))
    key = "The silver key is under the third step."
    said = "Cassian I left the silver key under the third step."
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == key
    assert shown[1].startswith(said)
    for made in (value for value in names.values() if not isinstance(value, type)):
        for end in ("close", "shutdown"):
            getattr(made, end, lambda: None)()


@pytest.mark.parametrize(
    "kind",
    [
        RomaineTextEmbedder,
        RomaineDocumentEmbedder,
        RomaineMemoryFile,
        RomaineMemoryRetriever,
        RomaineMemoryWriter,
        RomaineMemoryStore,
    ],
)
def test_the_examples_of_the_docstrings_run(
    kind: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = examples_of(kind.__doc__ or "")
    run(example)


@pytest.mark.parametrize(
    "kind", [RomaineTextEmbedder, RomaineDocumentEmbedder, RomaineMemoryFile, RomaineMemoryRetriever]
)
def test_the_readme_names_every_setting(kind: type) -> None:
    about_settings = README.split("## Settings")[1].split("## Coming from")[0]
    unnamed = {"memory_file", "path", "scope", "user", "character", "chat", "filters", "filter_policy"}
    for name in inspect.signature(kind.__init__).parameters.keys() - unnamed - {"self"}:
        assert f"`{name}`" in about_settings, name


@pytest.mark.parametrize(
    "kind",
    [
        RomaineTextEmbedder,
        RomaineDocumentEmbedder,
        RomaineMemoryFile,
        RomaineMemoryRetriever,
        RomaineMemoryWriter,
        RomaineMemoryStore,
    ],
)
def test_every_parameter_is_explained(kind: type) -> None:
    public = [kind.__init__, *(f for n, f in inspect.getmembers(kind, callable) if not n.startswith("_"))]
    for function in public:
        doc = inspect.getdoc(function) or ""
        if "those of `RomaineTextEmbedder`" in doc:
            doc += inspect.getdoc(RomaineTextEmbedder.__init__) or ""
        parameters = inspect.signature(function).parameters.keys() - {"self"}
        missing = [name for name in parameters if f":param {name}:" not in doc]
        assert not missing, (function, missing)
        if inspect.signature(function).return_annotation not in ("None", None):
            assert ":returns:" in doc, function
