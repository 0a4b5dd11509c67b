"""LangChain's own unit tests."""

from __future__ import annotations

from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_romaine import RomaineEmbeddings
from langchain_tests.unit_tests import EmbeddingsUnitTests


class TestRomaineEmbeddings(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return RomaineEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"dim": 64}
