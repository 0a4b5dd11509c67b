# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""`RomaineMemoryStore`: documents in the file of a memory, in one scope."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from haystack import Document, default_from_dict, default_to_dict
from haystack.document_stores.types import DuplicatePolicy
from romaine import RoleplayMemory, Scope
from romaine.checks import optional_str_tuple
from romaine.errors import OptionError
from romaine.memory.records import whole_scope
from romaine.options import explains

from haystack_integrations.common.romaine.memory_file import RomaineMemoryFile
from haystack_integrations.document_stores.romaine.documents import (
    matching,
    stored_documents,
    to_document,
    write_documents,
)


class RomaineMemoryStore:
    """Documents in the file of a `romaine.RoleplayMemory`, in exactly one scope.

    What is written here is found by `RomaineMemoryRetriever` beside what was said, and by no other user.
    Everything a Document has comes back equal, embedding and blob included; tuples in its meta come back as
    lists. The memory embeds the content with its own model; a Document's own embedding is only kept.

    ### Usage example

    ```python
    from haystack import Document
    from haystack_integrations.document_stores.romaine import RomaineMemoryStore

    store = RomaineMemoryStore("memories.db", user="ana")
    store.write_documents([Document(content="The silver key is under the third step.")])
    print(store.count_documents())
    ```
    """

    @explains
    def __init__(
        self,
        memory_file: RomaineMemoryFile | RoleplayMemory | str | Path,
        *,
        scope: Scope | None = None,
        user: str | None = None,
        character: str | None = None,
        chat: str | None = None,
    ) -> None:
        """Stores the settings; nothing is opened.

        :param memory_file: The file, with its settings or by its path, or an open memory.
        :param scope: Whose they are, in place of `user`, `character` and `chat`.
        :param user: Who the documents belong to.
        :param character: The character who knows them, or None for all of the user's.
        :param chat: The chat they belong to, or None for all of the user's.
        :raises OptionError: If `user` is missing or a value is not allowed.
        """
        self.memory_file = RomaineMemoryFile.of(memory_file)
        self.scope = whole_scope(scope, user=user, character=character, chat=chat)
        self._writing = threading.Lock()  # between looking whether an id is there and writing it

    def count_documents(self) -> int:
        """Counts the documents of the scope.

        :returns: How many there are.
        """
        return len(stored_documents(self.memory_file.open(), self.scope))

    def filter_documents(self, filters: dict[str, Any] | None = None) -> list[Document]:
        """Returns the documents that a filter matches.

        :param filters: In Haystack's grammar, over the same fields as with `RomaineMemoryRetriever`: a
            Document's own meta and what the memory knows of it, as `meta.created_at`. None or empty for all.
        :returns: The documents, in the order they were written first.
        :raises FilterError: If the filter is malformed or compares what cannot be compared.
        """
        stored = stored_documents(self.memory_file.open(), self.scope).values()
        matches = matching(filters)
        return [to_document(memory) for memory in stored if matches is None or matches(memory)]

    def write_documents(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Writes documents, all of them or none. They are on the disk when this returns.

        :param documents: The documents.
        :param policy: What to do with ids that are there already; `NONE` means `FAIL`.
        :returns: How many were written.
        :raises ValueError: If `documents` is not a list of Documents, or a meta is not what JSON can hold.
        :raises DuplicateDocumentError: If the policy is to fail and an id is there already.
        """
        memory = self.memory_file.open()
        with self._writing:
            return len(write_documents(memory, self.scope, documents, policy=policy))

    def delete_documents(self, document_ids: list[str]) -> None:
        """Deletes documents for good, from the file and its log as well, with what was made from them.

        :param document_ids: Their ids; those that are not there are ignored.
        :raises ValueError: If `document_ids` is not a list of str.
        """
        ids = optional_str_tuple("document_ids", document_ids)
        if ids is None:  # which `stored_documents` takes for all of them
            raise OptionError("document_ids=None is not allowed: it must be a list of str")
        memory = self.memory_file.open()
        with self._writing:
            doomed = stored_documents(memory, self.scope, ids=ids).values()
            if doomed:
                memory.forget(self.scope, [found.id for found in doomed])

    async def count_documents_async(self) -> int:
        """Does what `count_documents` does, in a worker thread; the event loop stays free.

        :returns: How many there are.
        """
        return await asyncio.to_thread(self.count_documents)

    async def filter_documents_async(self, filters: dict[str, Any] | None = None) -> list[Document]:
        """Does what `filter_documents` does, in a worker thread.

        :param filters: As there.
        :returns: The documents.
        """
        return await asyncio.to_thread(self.filter_documents, filters)

    async def write_documents_async(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Does what `write_documents` does, in a worker thread.

        :param documents: As there.
        :param policy: As there.
        :returns: How many were written.
        """
        return await asyncio.to_thread(self.write_documents, documents, policy)

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        """Does what `delete_documents` does, in a worker thread.

        :param document_ids: As there.
        """
        await asyncio.to_thread(self.delete_documents, document_ids)

    def close(self) -> None:
        """Closes the file; what uses it next opens it again."""
        self.memory_file.close()

    async def close_async(self) -> None:
        """Does what `close` does, in a worker thread."""
        await self.memory_file.close_async()

    def to_dict(self) -> dict[str, Any]:
        """Serializes the store, without its documents: they are in the file.

        :returns: A dictionary that `from_dict` takes.
        """
        return default_to_dict(
            self,
            memory_file=self.memory_file,
            user=self.scope.user,
            character=self.scope.character,
            chat=self.scope.chat,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RomaineMemoryStore:
        """Makes a store of what `to_dict` gave.

        :param data: The dictionary.
        :returns: The store, not opened.
        """
        return default_from_dict(cls, data)
