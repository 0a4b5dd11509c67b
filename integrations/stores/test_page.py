"""Each framework's part of docs/how-to/vector-stores.md runs, and its prints print what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[2] / "docs/how-to/vector-stores.md").read_text(encoding="utf-8")
PARTS = {
    "langchain": ["LangChain"],
    "llama_index": ["LlamaIndex"],
    "haystack": ["Haystack", "Words in pgvector"],
}


def test_its_part_runs(
    framework: str,
    page_database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", page_database)
    for part in PARTS[framework]:
        names: dict[str, Any] = {"__name__": "page"}
        _, text = PAGE.split(f"\n## {part}\n")
        code = re.findall(r"^```python\n(.*?)^```$", text.split("\n## ")[0], re.DOTALL | re.MULTILINE)
        assert code
        for block in code:
            exec(compile(block, f"vector-stores.md, {part}", "exec"), names)
            said = re.findall(r"^print\(.*\)  # (.*)$", block, re.MULTILINE)
            assert capsys.readouterr().out.splitlines() == said, block
