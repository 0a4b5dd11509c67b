# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import importlib.util
import math
import shutil
import sys
from pathlib import Path

import pytest
from haystack import Document
from romaine import Embedder, UnfamiliarTextWarning
from romaine.errors import DimensionError, MissingExtraError, ModelError

from haystack_integrations.components.embedders.romaine import RomaineDocumentEmbedder, RomaineTextEmbedder


def test_a_text_has_the_embedding_that_romaine_gives() -> None:
    embedding = RomaineTextEmbedder(dim=64).run("Where is the key?")["embedding"]
    assert embedding == Embedder(dim=64).embed_query("Where is the key?").tolist()
    assert all(type(value) is float for value in embedding)
    assert math.hypot(*embedding) == pytest.approx(1)


def test_texts_in_a_script_that_the_model_does_not_know_are_told_of_once() -> None:
    embedder = RomaineDocumentEmbedder(dim=64)
    texts = [
        Document(content=text)
        for text in ["열쇠를 세 번째 계단 밑에 숨겼어.", "그 얘기는 아무에게도 하지 마."]
    ]
    with pytest.warns(UnfamiliarTextWarning, match=r"romaine\[multilingual\]"):
        embedder.run(texts)
    embedder.run(texts)  # warnings are errors


def test_documents_have_the_embeddings_that_romaine_gives(documents: list[Document]) -> None:
    embedded = RomaineDocumentEmbedder(dim=64).run(documents)["documents"]
    vectors = Embedder(dim=64).embed_documents([document.content or "" for document in documents])
    assert [document.embedding for document in embedded] == vectors.tolist()
    assert [document.id for document in embedded] == [document.id for document in documents]


def test_documents_stay_as_they_are(documents: list[Document]) -> None:
    before = copy.deepcopy(documents)
    embedded = RomaineDocumentEmbedder().run(documents)["documents"]
    assert documents == before
    assert all(new is not old for new, old in zip(embedded, documents, strict=True))
    assert all(document.embedding is None for document in documents)


def test_no_documents_give_no_documents() -> None:
    assert RomaineDocumentEmbedder().run([]) == {"documents": []}


@pytest.mark.parametrize("text", ["", " \n", "\x00\ud800", "\U0001f600"])
def test_any_text_has_an_embedding(text: str) -> None:
    embedding = RomaineTextEmbedder().run(text)["embedding"]
    document = RomaineDocumentEmbedder().run([Document(id="1", content=text)])["documents"][0]
    assert document.content == text
    for values in (embedding, document.embedding):
        assert len(values) == 384
        assert all(math.isfinite(value) for value in values)


def test_a_document_without_content_is_embedded_as_the_empty_text() -> None:
    found = RomaineDocumentEmbedder().run([Document(content=None), Document(content="")])["documents"]
    assert found[0].embedding == found[1].embedding


def test_meta_comes_before_the_content() -> None:
    document = Document(content="It is cold.", meta={"title": "The well", "page": 3, "none": None})
    embedder = RomaineDocumentEmbedder(
        prefix="> ", suffix=" <", meta_fields_to_embed=["title", "none", "page", "missing"]
    )
    expected = Embedder().embed_documents(["> The well\n3\nIt is cold. <"])[0].tolist()
    assert embedder.run([document])["documents"][0].embedding == expected
    slashed = RomaineDocumentEmbedder(meta_fields_to_embed=["title"], embedding_separator=" / ")
    expected = Embedder().embed_documents(["The well / It is cold."])[0].tolist()
    assert slashed.run([document])["documents"][0].embedding == expected


def test_prefix_and_suffix_stand_around_the_text() -> None:
    expected = Embedder(query_prompt="").embed_query("query: key?").tolist()
    assert RomaineTextEmbedder(prefix="query: ", suffix="?").run("key")["embedding"] == expected


def test_the_models_own_prompts_hold_until_a_prefix_is_given(
    transformer_folder: Path, tmp_path: Path
) -> None:
    folder = with_prompts(transformer_folder, tmp_path / "model")
    plain = Embedder(transformer_folder)
    document = Document(content="key")

    def query(**options: str) -> list[float]:
        return RomaineTextEmbedder(folder, **options).run("key")["embedding"]

    def passage() -> list[float] | None:
        return RomaineDocumentEmbedder(folder).run([document])["documents"][0].embedding

    assert query() == plain.embed_query("find: key").tolist()
    assert passage() == plain.embed_documents(["text: key"])[0].tolist()
    assert query(prefix="") == plain.embed_query("key").tolist()


def with_prompts(folder: Path, target: Path) -> Path:
    """The model again, with prompts as sentence-transformers keeps them."""
    shutil.copytree(folder, target)
    (target / "config_sentence_transformers.json").write_text(
        '{"prompts": {"query": "find: ", "document": "text: "}, "default_prompt_name": null}'
    )
    return target


@pytest.mark.parametrize("text", [Document(content="x"), [Document(content="x")], ["x"], None, 7, b"x"])
def test_the_text_embedder_takes_text_only(text: object) -> None:
    with pytest.raises(TypeError, match="RomaineDocumentEmbedder"):
        RomaineTextEmbedder().run(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["x", ["x"], [Document(content="x"), "x"], None, Document(content="x")])
def test_the_document_embedder_takes_documents_only(wrong: object) -> None:
    with pytest.raises(TypeError, match="RomaineTextEmbedder"):
        RomaineDocumentEmbedder().run(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [RomaineTextEmbedder, RomaineDocumentEmbedder])
class TestBoth:
    def test_making_one_loads_nothing(self, kind: type[RomaineTextEmbedder]) -> None:
        kind("no/such-model", local_files_only=True)

    def test_warming_up_loads_once(self, kind: type[RomaineTextEmbedder]) -> None:
        embedder = kind()
        embedder.warm_up()
        first = embedder._embedder.get()
        embedder.warm_up()
        assert embedder._embedder.get() is first

    def test_a_model_that_is_not_there_is_told(self, kind: type[RomaineTextEmbedder], tmp_path: Path) -> None:
        with pytest.raises(ModelError):
            kind(tmp_path / "nowhere").warm_up()

    def test_a_dimension_that_was_not_trained_is_told(self, kind: type[RomaineTextEmbedder]) -> None:
        with pytest.raises(DimensionError, match="64"):
            kind(dim=63).warm_up()
        kind(dim=63, allow_untrained_dim=True).warm_up()

    def test_a_missing_extra_says_what_to_install(
        self,
        kind: type[RomaineTextEmbedder],
        transformer_folder: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        folder = shutil.copytree(transformer_folder, tmp_path / "model")
        (folder / "model.safetensors").touch()
        hide(monkeypatch, "torch")
        embedder = kind(folder, backend="torch")
        with pytest.raises(MissingExtraError, match=r"pip install 'romaine\[torch\]'"):
            embedder.warm_up()


def hide(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Makes a package look as if it were not installed, whether it is or not."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == package else find(name, *rest)
    )
    monkeypatch.setitem(sys.modules, package, None)
