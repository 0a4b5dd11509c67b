"""The table of extension points is true: its classes and suites exist, and nothing public is missing."""

from __future__ import annotations

import importlib
import re
from contextlib import suppress
from pathlib import Path

import pytest

from tests.test_docs import DOCS, ROOT
from tests.test_site import INTEGRATIONS

PAGE = (DOCS / "extension-points.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("|")]
TO_COME = [row for row in ROWS if row.endswith("| to come |")]
NAME = re.compile(r"`((?:romaine|langchain_romaine|llama_index|haystack_integrations)(?:\.\w+)+)`")
# Not extension points: what they are made of
HELPERS = {"RomaineMemoryFile", "SCOPE_FIELDS", "__version__"}


def named(rows: list[str]) -> list[str]:
    return sorted({name for row in rows for name in NAME.findall(row)})


@pytest.mark.parametrize("name", named([row for row in ROWS if row not in TO_COME]))
def test_a_class_is_there(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    assert attribute in importlib.import_module(module).__all__


@pytest.mark.parametrize("name", named(TO_COME))
def test_what_is_to_come_is_not_there_yet(name: str) -> None:
    """Whoever brings it fills its row in."""
    module, _, attribute = name.rpartition(".")
    with suppress(ModuleNotFoundError):
        assert attribute not in importlib.import_module(module).__all__, f"fill in the row of {name}"


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:tests|integrations)/[\w./-]+)`", PAGE))))
def test_a_suite_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("module", INTEGRATIONS)
def test_every_public_class_has_a_row(module: str) -> None:
    for name in set(importlib.import_module(module).__all__) - HELPERS:
        assert f"`{module}.{name}`" in PAGE


def test_a_suite_of_a_framework_is_run_as_published() -> None:
    """No test of theirs is overridden, skipped or expected to fail."""
    for path in re.findall(r"`(integrations/[\w./-]+/test_(?:standard|document_store)\.py)`", PAGE):
        assert not re.search(r"xfail|skip", Path(ROOT, path).read_text("utf-8")), path
