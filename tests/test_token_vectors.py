"""Vectors of tokens through `Embedder.embed_tokens`, with models of every layout there is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from tokenizers import Tokenizer

from romaine import Embedder
from romaine.errors import ModelFormatError, OptionError, TextTooLongError, TextTypeError
from romaine.truncation import TruncationWarning
from tests import late_models, model_folders
from tests.late_models import STATES, TOKEN_DIM
from tests.models.test_late_layout import LAYOUTS

TEXTS = ("Ana: the silver key!", "", "Bo: harbour", "Ana: " + "rain " * 20)
BEFORE = (None, "Ana: hello", "Ana: where do we go tonight, my friend", "x")


@pytest.fixture(scope="session")
def own_folder(minilm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return late_models.write_own(tmp_path_factory.mktemp("models") / "little-oak", minilm_folder)


@pytest.fixture
def own(own_folder: Path) -> Embedder:
    return Embedder(own_folder).warm_up()


def tokenizer_of(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def by_hand(folder: Path, ids: list[int], graph: str = "model.onnx") -> np.ndarray:
    """What the graph itself says of one sequence of ids."""
    session = ort.InferenceSession(str(folder / graph))
    feeds = {"input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), dtype=np.int64)}
    return session.run([session.get_outputs()[-1].name], feeds)[0][0]


def test_tokens_of_a_text_are_those_the_graph_gives(own: Embedder, own_folder: Path) -> None:
    tokenizer = tokenizer_of(own_folder)
    found = own.embed_tokens(TEXTS)
    for text, each in zip(TEXTS, found, strict=True):
        ids = tokenizer.encode(text).ids
        assert each.ids.dtype == np.int64
        assert each.vectors.dtype == each.pooled.dtype == np.float32
        assert each.ids.tolist() == ids[1:-1]
        np.testing.assert_allclose(each.vectors, by_hand(own_folder, ids)[1:-1], atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(each.vectors, axis=1), 1, atol=1e-5)
    assert found[1].vectors.shape == (0, TOKEN_DIM)
    assert own.token_dim == own.card.token_dim == TOKEN_DIM
    pooled = np.stack([each.pooled for each in found])
    np.testing.assert_allclose(pooled, own.embed_documents(TEXTS), atol=1e-6)
    sliced = own.with_dim(8).embed_tokens(TEXTS)
    np.testing.assert_allclose(sliced[0].pooled, own.with_dim(8).embed_documents(TEXTS)[0], atol=1e-6)


def test_with_what_was_said_before_only_the_text_is_kept(own: Embedder, own_folder: Path) -> None:
    tokenizer = tokenizer_of(own_folder)
    for text, before, each in zip(TEXTS, BEFORE, own.embed_tokens(TEXTS, previous=BEFORE), strict=True):
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        assert each.ids.tolist() == plain
        whole = tokenizer.encode(text if before is None else f"{before}\n{text}").ids
        if len(plain):
            np.testing.assert_allclose(
                each.vectors, by_hand(own_folder, whole)[-1 - len(plain) : -1], atol=1e-6
            )


def test_too_long_together_the_text_before_loses_its_beginning(own: Embedder, own_folder: Path) -> None:
    tokenizer = tokenizer_of(own_folder)
    before, text = "one two three " * 12 + "last words", "rain " * 25
    (found,) = own.embed_tokens([text], previous=[before])
    room = 32 - 2 - 25
    ids = [101, *tokenizer.encode(before, add_special_tokens=False).ids[-room:], *[4542] * 25, 102]
    assert found.ids.tolist() == [4542] * 25
    np.testing.assert_allclose(found.vectors, by_hand(own_folder, ids)[1 + room : -1], atol=1e-6)
    assert own.truncated == 0


def test_a_text_over_the_window(own: Embedder, own_folder: Path) -> None:
    text = "rain snow " * 40
    with pytest.warns(TruncationWarning, match="1 texts exceed the 32 tokens of little-oak"):
        (cut,) = own.embed_tokens([text], previous=["before"])
    assert len(cut.ids) == 30
    assert own.truncated == 1
    (whole,) = Embedder(own_folder, truncate="pool").embed_tokens([text], previous=["before"])
    assert len(whole.ids) == len(whole.vectors) == 80
    np.testing.assert_allclose(whole.vectors[:30], cut.vectors, atol=1e-6)
    pooled = Embedder(own_folder, truncate="pool").embed_documents([text])
    np.testing.assert_allclose(whole.pooled, pooled[0], atol=1e-6)
    with pytest.raises(TextTooLongError, match="text 1 has 82 tokens, the model's window is 32"):
        Embedder(own_folder, truncate="error").embed_tokens(["a", text], previous=["x " * 99, None])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("is_query", [True, False])
def test_models_of_others(layout: str, is_query: bool, tmp_path: Path, minilm_folder: Path) -> None:
    folder = LAYOUTS[layout](tmp_path / "model", minilm_folder)
    embedder = Embedder(folder).warm_up()
    number = 0 if is_query else 1
    marker = number + 1 if layout == "ColBERT" else model_folders.VOCAB + number
    assert (embedder.token_dim, embedder.full_dim, embedder.max_tokens) == (TOKEN_DIM, TOKEN_DIM, 40)
    assert (embedder.backend, embedder.card.token_dim) == ("onnx", TOKEN_DIM)
    (found,) = embedder.embed_tokens(["the silver key"], query=is_query)
    assert found.ids.tolist() == [1996, 3165, 3145]
    whole = Embedder(late_models.write_export(tmp_path / "whole", minilm_folder))
    graph = tmp_path / "whole"
    vectors = by_hand(graph, [101, marker, 1996, 3165, 3145, 102])
    np.testing.assert_allclose(found.vectors, vectors[2:-1], atol=1e-5)
    mean = vectors.mean(axis=0)
    np.testing.assert_allclose(found.pooled, mean / np.linalg.norm(mean), atol=1e-5)
    embed = embedder.embed_queries if is_query else embedder.embed_documents
    np.testing.assert_allclose(embed(["the silver key"])[0], found.pooled, atol=1e-6)
    assert whole.fingerprint != embedder.fingerprint


def test_a_dense_layer_that_is_not_linear_is_refused(tmp_path: Path, minilm_folder: Path) -> None:
    folder = late_models.write_pylate(tmp_path, minilm_folder, projected=False, activation="Tanh")
    with pytest.raises(ModelFormatError, match=r"has an activation \(Tanh\), a bias or a residual"):
        Embedder(folder).warm_up()


def test_a_damaged_dense_layer_is_told(tmp_path: Path, minilm_folder: Path) -> None:
    folder = late_models.write_pylate(tmp_path, minilm_folder, projected=False)
    from safetensors.numpy import save_file

    save_file({"other": np.zeros((2, 2), dtype=np.float32)}, folder / "1_Dense" / "model.safetensors")
    with pytest.raises(ModelFormatError, match="is not the weight of a dense layer"):
        Embedder(folder).warm_up()


def test_a_card_that_the_graph_belies(tmp_path: Path, minilm_folder: Path) -> None:
    folder = late_models.write_own(tmp_path / "other", minilm_folder, token_dim=TOKEN_DIM + 2)
    with pytest.raises(ModelFormatError, match="has vectors of 10 components, its card says 12"):
        Embedder(folder).warm_up()


def test_a_graph_without_tokens_is_refused_where_the_card_promises_them(
    tmp_path: Path, minilm_folder: Path
) -> None:
    folder = late_models.write_own(tmp_path / "other", minilm_folder)
    import onnx

    model = onnx.load(folder / "model.onnx")
    del model.graph.output[1]
    onnx.save(model, folder / "model.onnx")
    with pytest.raises(ModelFormatError, match=r"gives no vectors of tokens: .* \(texts, tokens, dim\)"):
        Embedder(folder).warm_up()


def test_a_model_without_tokens_says_so(minilm_int8_folder: Path) -> None:
    for embedder in (Embedder(), Embedder(minilm_int8_folder)):
        assert embedder.token_dim is None
        with pytest.raises(OptionError, match="gives no vectors of tokens; choose a late-interaction model"):
            embedder.embed_tokens(["a"])


def test_arguments_that_do_not_fit(own: Embedder) -> None:
    with pytest.raises(OptionError, match="previous has 1 items for 2 texts"):
        own.embed_tokens(["a", "b"], previous=["c"])
    with pytest.raises(OptionError, match="previous has 2 items"):
        own.embed_tokens(["a", "b"], previous="ab")
    with pytest.raises(TextTypeError, match="a list of texts is needed"):
        own.embed_tokens("a")
    assert own.embed_tokens([]) == []


def test_a_prompt_that_fills_the_window(own_folder: Path) -> None:
    with pytest.raises(OptionError, match="no room for text besides 2 special tokens and 40 of the prompt"):
        Embedder(own_folder, document_prompt="word " * 40).embed_tokens(["a"])


def test_a_text_is_the_same_in_any_batch(own: Embedder) -> None:
    texts = [f"{'word ' * (n % 17)}{n}" for n in range(300)]
    together = own.embed_tokens(texts)
    for n in (0, 1, 16, 17, 299):
        (alone,) = own.embed_tokens([texts[n]])
        np.testing.assert_allclose(alone.vectors, together[n].vectors, atol=1e-6)


def test_odd_texts(own: Embedder) -> None:
    for text, before in (("\ud800 a", "\udc00"), ("\0", "\0"), ("\U0001f600 b", "\U0001f600")):
        (found,) = own.embed_tokens([text], previous=[before])
        assert found.ids.tolist() == own.embed_tokens([text])[0].ids.tolist()


def test_the_card_keeps_the_dimension(own: Embedder, tmp_path: Path) -> None:
    from romaine.models.card_json import read_card, write_card

    path = write_card(own.card, tmp_path)
    assert json.loads(path.read_text())["token_dim"] == TOKEN_DIM
    assert read_card(path).token_dim == TOKEN_DIM
    assert own.full_dim == STATES
