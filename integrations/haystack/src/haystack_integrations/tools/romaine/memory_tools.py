# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""`RomaineRecallTool` and `RomaineRememberTool`: a model says what, the application says whose memory."""

# without `from __future__ import annotations`: Haystack up to 3.3 finds the State by the annotation itself
from collections.abc import Callable
from typing import Any

from haystack import Document
from haystack.components.agents.state import State
from haystack.core.serialization import component_to_dict, generate_qualified_class_name
from haystack.tools.tool import Tool
from haystack.utils import deserialize_component_inplace

from haystack_integrations.common.romaine.recalled import recalled_text
from haystack_integrations.components.retrievers.romaine import RomaineMemoryRetriever
from haystack_integrations.components.writers.romaine import RomaineMemoryWriter


class _MemoryTool(Tool):
    """A tool over one of romaine's components, with one argument that a model may give.

    The function also takes the Agent's State. Haystack puts that in whatever a model gives, and the function
    has no other parameter, so every further argument is refused.
    """

    _holds: str  # the name of the component, and of the attribute

    def __init__(
        self,
        component: RomaineMemoryRetriever | RomaineMemoryWriter,
        function: Callable[..., Any],
        *,
        name: str,
        description: str,
        argument: tuple[str, str],
        outputs_to_string: dict[str, Any] | None = None,
        outputs_to_state: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        self._component = component
        argument_name, meaning = argument
        super().__init__(
            name=name,
            description=description,
            parameters={
                "type": "object",
                "properties": {argument_name: {"type": "string", "description": meaning}},
                "required": [argument_name],
                "additionalProperties": False,
            },
            function=function,
            outputs_to_string=outputs_to_string,
            outputs_to_state=outputs_to_state,
        )

    def warm_up(self) -> None:
        """Opens the memory's file, unless that has happened."""
        self._component.warm_up()

    async def warm_up_async(self) -> None:
        """Does what `warm_up` does, in a worker thread; the event loop stays free."""
        await self._component.warm_up_async()

    def close(self) -> None:
        """Closes the file; what uses it next opens it again."""
        self._component.close()

    async def close_async(self) -> None:
        """Does what `close` does, in a worker thread."""
        await self._component.close_async()

    def to_dict(self) -> dict[str, Any]:
        """Serializes the tool.

        :returns: A dictionary that `from_dict` takes.
        """
        held = component_to_dict(self._component, self._holds)
        data = {self._holds: held, "name": self.name, "description": self.description}
        return {"type": generate_qualified_class_name(type(self)), "data": data}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Tool:
        """Makes a tool of what `to_dict` gave.

        :param data: The dictionary.
        :returns: The tool, its file not opened.
        """
        given = dict(data["data"])
        deserialize_component_inplace(given, key=cls._holds)
        return cls(**given)


class RomaineRecallTool(_MemoryTool):
    """Lets a model search a memory. It gives a query and nothing else.

    Whose memory it searches is bound in the retriever, or comes from the Agent's `hook_context` or state
    under `user`, `character` and `chat`. What the retriever is made with holds: `top_k`, filters, `where`.

    ### Usage example

    ```python
    from haystack_integrations.components.retrievers.romaine import RomaineMemoryRetriever
    from haystack_integrations.tools.romaine import RomaineRecallTool

    tool = RomaineRecallTool(RomaineMemoryRetriever("memories.db", user="ana", top_k=3))
    print(tool.parameters["properties"].keys())  # query
    ```
    """

    _holds = "retriever"

    def __init__(
        self,
        retriever: RomaineMemoryRetriever,
        *,
        name: str = "recall",
        description: str = "Searches your memory of earlier conversations and of what you were told.",
        documents_to_state: str | None = None,
    ) -> None:
        """Makes the tool; nothing is opened.

        :param retriever: Finds; what it is bound to, no run can change.
        :param name: What a model calls it by.
        :param description: When to use it, for the model.
        :param documents_to_state: Key of the Agent's state to put the found Documents under, or None.
        """
        self.retriever = retriever
        self.documents_to_state = documents_to_state
        super().__init__(
            retriever,
            self._recall,
            name=name,
            description=description,
            argument=("query", "What to look for, as a question or in key words."),
            outputs_to_string={"source": "documents", "handler": recalled_text},
            outputs_to_state={documents_to_state: {"source": "documents"}} if documents_to_state else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Serializes the tool.

        :returns: A dictionary that `from_dict` takes.
        """
        data = super().to_dict()
        data["data"]["documents_to_state"] = self.documents_to_state
        return data

    def _recall(self, query: str, state: State | None = None) -> dict[str, list[Document]]:
        found: dict[str, list[Document]] = self.retriever.run(query, state=state)
        return found


class RomaineRememberTool(_MemoryTool):
    """Lets a model note a fact. It gives the text and nothing else; the same thing is kept once.

    Whose memory it becomes is bound in the writer, or comes from the Agent's `hook_context` or state under
    `user`, `character` and `chat`.

    ### Usage example

    ```python
    from haystack_integrations.components.writers.romaine import RomaineMemoryWriter
    from haystack_integrations.tools.romaine import RomaineRememberTool

    tool = RomaineRememberTool(RomaineMemoryWriter("memories.db", user="ana"))
    print(tool.invoke(text="Ana's dog is called Pip."))  # It is noted.
    ```
    """

    _holds = "writer"

    def __init__(
        self,
        writer: RomaineMemoryWriter,
        *,
        name: str = "remember",
        description: str = "Notes a fact that will matter in later conversations.",
    ) -> None:
        """Makes the tool; nothing is opened.

        :param writer: Its file and what it is bound to, which no run can change.
        :param name: What a model calls it by.
        :param description: When to use it, for the model.
        """
        self.writer = writer
        super().__init__(
            writer,
            self._remember,
            name=name,
            description=description,
            argument=("text", "The fact, as one sentence that says all it needs."),
        )

    def _remember(self, text: str, state: State | None = None) -> str:
        scope = self.writer.scope.resolve(state=state)
        added = self.writer.memory_file.open().add_fact(scope, text)
        return "It is noted." if added.stored else "It was noted before."
