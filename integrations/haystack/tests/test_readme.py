# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from haystack_integrations.common.romaine import RomaineMemoryFile
from haystack_integrations.components.embedders.romaine import (
    RomaineDocumentEmbedder,
    RomaineSparseDocumentEmbedder,
    RomaineSparseTextEmbedder,
    RomaineTextEmbedder,
)
from haystack_integrations.components.retrievers.romaine import RomaineMemoryRetriever
from haystack_integrations.components.writers.romaine import RomaineMemoryWriter
from haystack_integrations.document_stores.romaine import RomaineMemoryStore
from haystack_integrations.hooks.romaine import RomaineMemoryHook
from haystack_integrations.tools.romaine import RomaineRecallTool, RomaineRememberTool

ROOT = Path(__file__).parents[3]
README = Path(__file__).parent.parent / "README.md"
PAGE = ROOT / "docs" / "how-to" / "haystack.md"
KINDS = [
    RomaineTextEmbedder,
    RomaineDocumentEmbedder,
    RomaineSparseTextEmbedder,
    RomaineSparseDocumentEmbedder,
    RomaineMemoryFile,
    RomaineMemoryRetriever,
    RomaineMemoryWriter,
    RomaineMemoryStore,
    RomaineMemoryHook,
    RomaineRecallTool,
    RomaineRememberTool,
]


def run(*examples: str) -> dict[str, object]:
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, "example", "exec"), names)
    for made in [value for value in names.values() if not isinstance(value, type)]:
        for end in ("close", "shutdown"):
            getattr(made, end, lambda: None)()
    return names


def examples_of(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", inspect.cleandoc(text), flags=re.DOTALL)


# Qdrant's local mode says that it builds no indexes
@pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")
@pytest.mark.parametrize("page", [README, PAGE], ids=["README.md", "haystack.md"])
def test_what_a_page_shows_runs_and_runs_again(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a line prints stands behind it, on a second run in the same folder, too."""
    monkeypatch.chdir(tmp_path)
    text = page.read_text("utf-8")
    expected = re.findall(r"^ *print\(.*\)  # (.*)$", text, flags=re.MULTILINE)
    assert len(expected) == text.count("print(")
    for _ in range(2):
        run(*examples_of(text))
        assert capsys.readouterr().out.splitlines() == expected


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_of_the_docstrings_run(
    kind: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = examples_of(kind.__doc__ or "")
    run(example)


@pytest.mark.parametrize(
    "kind", [RomaineTextEmbedder, RomaineDocumentEmbedder, RomaineMemoryFile, RomaineMemoryRetriever]
)
def test_the_page_names_every_setting(kind: type) -> None:
    about_settings = PAGE.read_text("utf-8").split("## Settings")[1].split("## Coming from")[0]
    unnamed = {"memory_file", "path", "scope", "user", "character", "chat", "filters", "filter_policy"}
    for name in inspect.signature(kind.__init__).parameters.keys() - unnamed - {"self"}:
        assert f"`{name}`" in about_settings, name


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_is_explained(kind: type) -> None:
    public = [kind.__init__, *(f for n, f in inspect.getmembers(kind, callable) if not n.startswith("_"))]
    public = [function for function in public if "romaine" in function.__module__]
    for function in public:
        doc = inspect.getdoc(function) or ""
        if "those of `RomaineTextEmbedder`" in doc:
            doc += inspect.getdoc(RomaineTextEmbedder.__init__) or ""
        parameters = inspect.signature(function).parameters.keys() - {"self"}
        missing = [name for name in parameters if f":param {name}:" not in doc]
        assert not missing, (function, missing)
        if inspect.signature(function).return_annotation not in ("None", None):
            assert ":returns:" in doc, function
