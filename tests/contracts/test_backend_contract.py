"""Every backend keeps the same promises, with real weights and with small random models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from romaine import Embedder
from romaine.errors import TextTooLongError
from romaine.evaluate.contract import BLANK, CONTRACT_CHECKS, ODD, SAME, SAME_INT8, TEXTS, Promise, cosines
from romaine.truncation import TruncationWarning

LONG = "the lantern swings over seven grey stairs while rain counts the panes. " * 60


@dataclass(frozen=True)
class Case:
    backend: str
    folder: str
    same: float = SAME
    windowed: bool = True

    def __str__(self) -> str:
        return f"{self.backend}-{self.folder.removesuffix('_folder')}"


CASES = (
    Case("torch", "minilm_folder"),
    Case("torch", "nomic_folder"),
    Case("torch", "nomic_odd_folder"),
    Case("torch", "modernbert_folder"),
    Case("sentence-transformers", "minilm_folder"),
    Case("sentence-transformers", "modernbert_folder"),
    Case("sentence-transformers", "dense_folder"),
    Case("sentence-transformers", "static_embedding_folder", windowed=False),
    Case("onnx", "minilm_onnx_folder"),
    Case("onnx", "nomic_onnx_folder"),
    Case("onnx", "modernbert_onnx_folder"),
    Case("onnx", "minilm_int8_folder", same=SAME_INT8),
    Case("static", "static_embedding_folder", windowed=False),
    Case("static", "sse_folder", windowed=False),
    Case("static", "model2vec_folder", windowed=False),
)

_open: dict[Case, Embedder] = {}


def embedder_of(case: Case, request: pytest.FixtureRequest) -> Embedder:
    """Loads each case once for all checks."""
    if case not in _open:
        folder: Path = request.getfixturevalue(case.folder)
        _open[case] = Embedder(folder, backend=case.backend, allow_untrained_dim=True, batch_tokens=512)
    return _open[case]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("check", CONTRACT_CHECKS, ids=lambda check: check.name)
def test_contract(check: Promise, case: Case, request: pytest.FixtureRequest) -> None:
    check.run(embedder_of(case, request), same=case.same)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_unit_length_at_any_dim(case: Case, request: pytest.FixtureRequest) -> None:
    embedder = embedder_of(case, request)
    full = embedder.embed_documents(TEXTS)
    for dim in (1, 7, embedder.full_dim - 1):
        vectors = embedder.with_dim(dim).embed_documents(TEXTS)
        assert vectors.shape == (len(TEXTS), dim)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        assert cosines(vectors, full[:, :dim]).min() >= case.same


@pytest.mark.parametrize("case", [case for case in CASES if case.windowed], ids=str)
def test_over_long_text(case: Case, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(case.folder)
    embedder = embedder_of(case, request)
    window = embedder.max_tokens
    assert window is not None
    text = LONG if embedder.count_tokens([LONG])[0] > window else LONG * 20
    fresh = Embedder(folder, backend=case.backend)
    with pytest.warns(TruncationWarning, match=str(window)):
        cut = fresh.embed_documents([text, TEXTS[0]])
    assert fresh.truncated == 1
    further = text + " and this is past the end of the window"
    assert cosines(fresh.embed_documents([further]), cut[:1])[0] >= case.same
    refusing = Embedder(folder, backend=case.backend, truncate="error")
    with pytest.raises(TextTooLongError, match=str(window)):
        refusing.embed_documents([TEXTS[0], text])
    pooling = Embedder(folder, backend=case.backend, truncate="pool")
    pooled = pooling.embed_documents([text, TEXTS[0]])
    np.testing.assert_allclose(np.linalg.norm(pooled, axis=1), 1, atol=1e-5)
    assert cosines(pooled[1:], cut[1:])[0] >= case.same
    assert cosines(pooling.embed_documents([further]), pooled[:1])[0] < 0.999999


@pytest.mark.parametrize("name", ["minilm", "nomic", "modernbert"])
def test_torch_equals_onnx(name: str, request: pytest.FixtureRequest) -> None:
    ours = embedder_of(Case("torch", f"{name}_folder"), request)
    graph = embedder_of(Case("onnx", f"{name}_onnx_folder"), request)
    texts = [*TEXTS, *ODD, LONG[:400], LONG[:560], BLANK[0]]
    assert cosines(ours.embed_documents(texts), graph.embed_documents(texts)).min() >= 0.9999
    assert ours.count_tokens(texts) == graph.count_tokens(texts)
    assert ours.max_tokens == graph.max_tokens


@pytest.mark.parametrize("folder", ["minilm_folder", "modernbert_folder"])
def test_torch_equals_sentence_transformers(folder: str, request: pytest.FixtureRequest) -> None:
    ours = embedder_of(Case("torch", folder), request)
    theirs = embedder_of(Case("sentence-transformers", folder), request)
    texts = [*TEXTS, *ODD, LONG[:400], BLANK[0]]
    assert cosines(ours.embed_documents(texts), theirs.embed_documents(texts)).min() >= 0.9999
    assert cosines(ours.embed_queries(texts), theirs.embed_queries(texts)).min() >= 0.9999
    assert ours.count_tokens(texts) == theirs.count_tokens(texts)


def test_static_equals_sentence_transformers(request: pytest.FixtureRequest) -> None:
    ours = embedder_of(Case("static", "static_embedding_folder", windowed=False), request)
    theirs = embedder_of(Case("sentence-transformers", "static_embedding_folder", windowed=False), request)
    texts = [*TEXTS, *ODD]
    assert cosines(ours.embed_documents(texts), theirs.embed_documents(texts)).min() >= 0.9999


def test_int8_onnx_is_close_to_torch(request: pytest.FixtureRequest) -> None:
    ours = embedder_of(Case("onnx", "minilm_int8_folder", same=SAME_INT8), request)
    full = embedder_of(Case("torch", "minilm_folder"), request)
    found = cosines(ours.embed_documents(TEXTS), full.embed_documents(TEXTS))
    assert found.min() >= 0.98
    assert found.mean() >= 0.995
