"""LangChain's own integration tests."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool
from langchain_core.vectorstores import VectorStore
from langchain_romaine import (
    RomaineEmbeddings,
    RomaineMemoryRetriever,
    RomaineVectorStore,
    create_recall_tool,
    create_remember_tool,
)
from langchain_tests.integration_tests import (
    EmbeddingsIntegrationTests,
    RetrieversIntegrationTests,
    ToolsIntegrationTests,
    VectorStoreIntegrationTests,
)

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


class TestRomaineVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, memory: RoleplayMemory) -> VectorStore:
        return RomaineVectorStore(memory, user="ana")


class TestRecallTool(ToolsIntegrationTests):
    @pytest.fixture(autouse=True)
    def _remember(self, cassian: RoleplayMemory) -> None:
        self.memory = cassian

    @property
    def tool_constructor(self) -> BaseTool:
        return create_recall_tool(self.memory, user="ana", character="Cassian")

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"query": "Where is the key?", "top_k": 2}


class TestRememberTool(ToolsIntegrationTests):
    @pytest.fixture(autouse=True)
    def _remember(self, cassian: RoleplayMemory) -> None:
        self.memory = cassian

    @property
    def tool_constructor(self) -> BaseTool:
        return create_remember_tool(self.memory, user="ana", character="Cassian")

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"text": "Ana is allergic to honey."}
