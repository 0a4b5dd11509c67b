"""A chat model for tests: it calls the tools and says the words that a script holds, one step a turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseGen,
    LLMMetadata,
)
from llama_index.core.bridge.pydantic import Field
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection

Step = str | list[ToolSelection] | Callable[[list[ChatMessage]], "Step"]
"""Words, calls of tools, or what makes one of them of the prompt."""


def call(tool: str, **arguments: Any) -> list[ToolSelection]:
    return [ToolSelection(tool_id=f"{tool}-1", tool_name=tool, tool_kwargs=arguments)]


class ScriptedLLM(CustomLLM, FunctionCallingLLM):
    steps: list[Any] = Field(default_factory=list)
    prompts: list[list[ChatMessage]] = Field(default_factory=list)
    schemas: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(is_chat_model=True, is_function_calling_model=True)

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        self.prompts.append(list(messages))
        step: Any = self.steps.pop(0) if self.steps else "Nothing more."
        step = step(list(messages)) if callable(step) else step
        if isinstance(step, str):
            return ChatResponse(message=ChatMessage(role="assistant", content=step), delta=step)
        calls = {"tool_calls": step}
        return ChatResponse(message=ChatMessage(role="assistant", content="", additional_kwargs=calls))

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        yield self.chat(messages, **kwargs)

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text=prompt)

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        yield self.complete(prompt)

    def _prepare_chat_with_tools(
        self, tools: Any, user_msg: Any = None, chat_history: Any = None, **kwargs: Any
    ) -> dict[str, Any]:
        self.schemas.extend(tool.metadata.to_openai_tool() for tool in tools)
        return {"messages": [*(chat_history or []), *([user_msg] if user_msg else [])]}

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        return list(response.message.additional_kwargs.get("tool_calls", []))
