"""LangChain's own integration tests."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_romaine import RomaineEmbeddings, RomaineMemoryRetriever
from langchain_tests.integration_tests import EmbeddingsIntegrationTests, RetrieversIntegrationTests

from romaine import RoleplayMemory


class TestRomaineEmbeddings(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return RomaineEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"dim": 64}


class TestRomaineMemoryRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _remember(self, cassian: RoleplayMemory) -> None:
        self.memory = cassian

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return RomaineMemoryRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"memory": self.memory, "user": "ana", "character": "Cassian"}

    @property
    def retriever_query_example(self) -> str:
        return "Where is the key?"
