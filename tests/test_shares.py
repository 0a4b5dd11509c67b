from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from romaine import Embedder, TruncationWarning
from romaine.errors import OptionError, TextTooLongError

TEXTS = [f"turn {n} of {n % 7}: the key is under step {n * 31 % 97}!" for n in range(5000)]


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_several_processes_give_the_same_bits(precision: str) -> None:
    embedder = Embedder(dim=64, precision=precision, document_prompt="said: ")
    want = embedder.embed_documents(TEXTS)
    got = embedder.embed_documents(iter(TEXTS), workers=2)
    assert got.dtype == want.dtype
    assert got.tobytes() == want.tobytes()
    assert embedder.embed_documents([], workers=2).shape == (0, 64)


def test_they_say_how_many_texts_lost_their_end(minilm_int8_folder: Path) -> None:
    embedder = Embedder(minilm_int8_folder)
    texts = ["key " * 400, "key", "key " * 500]
    with pytest.warns(TruncationWarning, match="2 texts") as caught:
        got = embedder.embed_documents(texts, workers=2)
    assert caught[0].filename == __file__
    assert embedder.truncated == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(got, embedder.embed_documents(texts), atol=1e-5)
    with pytest.raises(TextTooLongError):
        Embedder(minilm_int8_folder, truncate="error").embed_documents(texts, workers=2)


def test_how_many_is_checked() -> None:
    with pytest.raises(OptionError, match="workers=0"):
        Embedder().embed_documents(["key"], workers=0)


def test_a_script_without_a_guard_is_told_what_it_lacks(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("from romaine import Embedder\nEmbedder().embed_documents(['a', 'b'], workers=2)\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    # what Python says of the processes may come after it
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("romaine.errors.WorkerError")]
    assert "__main__" in said
