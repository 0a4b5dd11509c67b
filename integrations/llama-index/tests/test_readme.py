"""The README and the page on LlamaIndex: their code runs, and every setting stands there."""

from __future__ import annotations

import gc
import re
from pathlib import Path

import llama_index.core
import pytest
from llama_index.embeddings.romaine import RomaineEmbedding

PACKAGE = Path(__file__).parents[1]
README = PACKAGE / "README.md"
PAGE = PACKAGE.parents[1] / "docs" / "how-to" / "llama-index.md"
KEY = "The silver key is under the third step."
MODELS_THAT_CALL_FUNCTIONS = (0, 14, 10)  # the core that brings the one for tests which the pages use

pytestmark = [
    pytest.mark.skipif(
        tuple(map(int, llama_index.core.__version__.split(".")[:3])) < MODELS_THAT_CALL_FUNCTIONS,
        reason="this core has no model for tests that calls functions",
    ),
    pytest.mark.skipif(not PAGE.exists(), reason="the documentation is in the repository"),
    pytest.mark.filterwarnings("ignore:.*deleted before being closed:ResourceWarning"),  # LlamaIndex's SQLite
]


def printed_by(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)  # an example sets it
    examples = re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    exec(compile("\n".join(examples), str(page), "exec"), {"__name__": "page"})
    gc.collect()
    return capsys.readouterr().out.splitlines()


def test_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed_by(README, tmp_path, monkeypatch, capsys)
    assert lines[:3] == [
        "Under the third step.",
        "I do not know.",
        "I left the silver key under the third step.",
    ]
    assert re.fullmatch(rf"{KEY} 0\.\d+", lines[3])
    assert lines[4] == "The harbour master owes us forty gold pieces."


def test_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed_by(PAGE, tmp_path, monkeypatch, capsys)
    assert lines[:2] == ["Under the third step.", "I do not know."]
    assert re.fullmatch(rf"{KEY} 0\.\d+", lines[2])
    assert lines[3].startswith("ana ")
    assert any(KEY in line for line in lines[4:])
    assert lines[-4:] == [
        *("The harbour master owes us forty gold pieces.", "256"),
        *("The key of the mill is lost.", "The mills stand still."),
    ]


def test_the_table_has_every_setting() -> None:
    table = re.findall(r"^\| (`.+?) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    documented = set(re.findall(r"`(\w+)`", " ".join(table)))
    assert documented >= set(RomaineEmbedding.model_fields)
    assert documented - set(RomaineEmbedding.model_fields) <= {"rate_limiter"}  # of newer cores only


def test_the_page_has_every_class() -> None:
    text = PAGE.read_text("utf-8")
    for folder in sorted((PACKAGE / "src").rglob("romaine")):
        exported = re.search(r"__all__ = (\[.*?\])", (folder / "__init__.py").read_text("utf-8"), re.DOTALL)
        names = eval(exported[1]) if exported else []  # a list of names, of our own
        named = [name for name in names if name.startswith("Romaine")]
        assert named
        assert all(f"`{name}`" in text for name in named)
