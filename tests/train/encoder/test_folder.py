from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize

from romaine import Embedder
from romaine.export.export import HEAD_FILE
from romaine.train.encoder.folder import write_plain
from romaine.train.encoder.model import encode_pooled, new_student

TEXTS = ["I found the silver key", "the captain waits"]


def test_what_is_written_opens_with_every_loader_and_gives_the_same(
    small_teacher_folder: Path, tmp_path: Path
) -> None:
    model = new_student(small_teacher_folder, token_dim=8, frozen=0, max_tokens=16)
    write_plain(model, tmp_path / "plain", dims=(48, 16), window=64)
    expected = encode_pooled(model, TEXTS, max_tokens=16)
    opened = Embedder(tmp_path / "plain", backend="torch", threads=1)
    library = SentenceTransformer(str(tmp_path / "plain"), device="cpu")
    for found in (library.encode(TEXTS), opened.embed_documents(TEXTS)):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    head = load_file(tmp_path / "plain" / HEAD_FILE)["weight"]
    assert head.shape == (8, expected.shape[1])
    assert opened.card.dims == (16, 48)
    assert opened.card.max_tokens == 64


def test_a_model_without_a_head_has_no_file_of_one(small_teacher_folder: Path, tmp_path: Path) -> None:
    modules = [*SentenceTransformer(str(small_teacher_folder), device="cpu"), Normalize()]
    write_plain(SentenceTransformer(modules=modules, device="cpu"), tmp_path, dims=(48,), window=32)
    assert not (tmp_path / HEAD_FILE).exists()
