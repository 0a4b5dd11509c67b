from __future__ import annotations

import gc
import re
from pathlib import Path

import pytest
from llama_index.embeddings.romaine import RomaineEmbedding

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.filterwarnings("ignore:.*deleted before being closed:ResourceWarning")  # Memory's own SQLite
def test_the_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR")  # an example sets it
    examples = re.findall(r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(examples) == 6
    exec(compile("\n".join(examples), str(README), "exec"), {"__name__": "readme"})
    gc.collect()
    printed = capsys.readouterr().out
    assert printed.startswith("I left the silver key under the third step.\n")
    assert "Cassian: I left the silver key under the third step." in printed
    assert printed.rstrip().endswith("user: Do you still have the silver key?")


def test_the_table_has_every_setting() -> None:
    table = re.findall(r"^\| (`.+?) \|", README.read_text("utf-8"), re.MULTILINE)
    documented = set(re.findall(r"`(\w+)`", " ".join(table)))
    assert documented >= set(RomaineEmbedding.model_fields)
    assert documented - set(RomaineEmbedding.model_fields) <= {"rate_limiter"}  # of newer cores only
