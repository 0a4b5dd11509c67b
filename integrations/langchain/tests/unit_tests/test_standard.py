"""LangChain's own unit tests."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.tools import BaseTool
from langchain_romaine import RomaineEmbeddings, create_recall_tool, create_remember_tool
from langchain_tests.unit_tests import EmbeddingsUnitTests, ToolsUnitTests

from romaine import RoleplayMemory


class TestRomaineEmbeddings(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return RomaineEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"dim": 64}


class TestRecallTool(ToolsUnitTests):
    @pytest.fixture(autouse=True)
    def _remember(self, memory: RoleplayMemory) -> None:
        self.memory = memory

    @property
    def tool_constructor(self) -> BaseTool:
        return create_recall_tool(self.memory, user="ana")

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"query": "Where is the key?", "top_k": 2}


class TestRememberTool(ToolsUnitTests):
    @pytest.fixture(autouse=True)
    def _remember(self, memory: RoleplayMemory) -> None:
        self.memory = memory

    @property
    def tool_constructor(self) -> BaseTool:
        return create_remember_tool(self.memory, user="ana")

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"text": "Ana is allergic to honey."}
