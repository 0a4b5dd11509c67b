"""What the README shows does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from langchain_romaine import RomaineEmbeddings, RomaineMemoryRetriever

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_print_what_they_say(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = re.findall(r"^ *print\(.*\)  # (.*)$", example, flags=re.MULTILINE)
    exec(compile(example, "README.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.splitlines() == expected
    assert expected


def test_every_setting_is_named() -> None:
    named = set(re.findall(r"`(\w+)`", README))
    assert set(RomaineEmbeddings.model_fields) <= named
    inherited = set(RomaineMemoryRetriever.__mro__[1].model_fields)  # type: ignore[attr-defined]
    assert set(RomaineMemoryRetriever.model_fields) - inherited <= named | {"memory", "scope_from_config"}
