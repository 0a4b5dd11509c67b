"""`RomaineChatStore`: what is said in a session is remembered as soon as it is said."""

from __future__ import annotations

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.storage.chat_store.base_db import MessageStatus
from llama_index.core.storage.chat_store.sql import SQLAlchemyChatStore
from llama_index.memory.romaine import RomaineMemoryBlock
from sqlalchemy.ext.asyncio import AsyncEngine

from romaine.errors import OptionError


class RomaineChatStore(SQLAlchemyChatStore):
    """LlamaIndex's own store of a session's messages, which also writes them to a character's memory.

    The messages of a session, prompts and tool calls included, are kept as LlamaIndex keeps them: in this
    process, or in a database. What user and assistant said is also written to the memory of the block, as
    soon as it is said, and found in later sessions. The memory only grows by it: neither a reset of the
    session nor what falls out of its window takes anything from there. `aforget` does.

    Args:
        block: Whose memory, and who speaks; give the same block as one of `memory_blocks`.
        table_name: As in LlamaIndex's own store; so are the others.
        async_database_uri: As there, e.g. "sqlite+aiosqlite:///sessions.db"; None to keep the session's
            messages in this process.
        async_engine: As there.
        db_schema: As there.

    Raises:
        OptionError: If `block` is no `RomaineMemoryBlock`.

    Examples:
        `pip install llama-index-embeddings-romaine`

        ```python
        block = RomaineMemoryBlock(memory=RoleplayMemory("memories.db"), user="ana", character="Cassian")
        memory = Memory(
            session_id="monday",
            token_limit=4000,
            memory_blocks=[block],
            sql_store=RomaineChatStore(block),
        )
        ```
    """

    _block: RomaineMemoryBlock = PrivateAttr()

    def __init__(
        self,
        block: RomaineMemoryBlock,
        *,
        table_name: str = "llama_index_memory",
        async_database_uri: str | None = None,
        async_engine: AsyncEngine | None = None,
        db_schema: str | None = None,
    ) -> None:
        if not isinstance(block, RomaineMemoryBlock):
            raise OptionError(
                f"block={block!r} must be a RomaineMemoryBlock: the one that is among the memory_blocks"
            )
        super().__init__(
            table_name=table_name,
            async_database_uri=async_database_uri,
            async_engine=async_engine,
            db_schema=db_schema,
        )
        self._block = block

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised components."""
        return "RomaineChatStore"

    async def get_messages(
        self,
        key: str,
        status: MessageStatus | None = MessageStatus.ACTIVE,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[ChatMessage]:
        """Returns the messages of a session with a status."""
        await self._block.aopen_session(key)  # so that it shows nothing which stands in these messages
        return await super().get_messages(key, status, limit, offset)

    async def add_message(
        self, key: str, message: ChatMessage, status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Adds a message to a session, and to the memory."""
        await super().add_message(key, message, status)
        await self._block.aremember(key, [message])

    async def add_messages(
        self, key: str, messages: list[ChatMessage], status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Adds messages to a session, and to the memory."""
        await super().add_messages(key, messages, status)
        await self._block.aremember(key, messages)

    async def set_messages(
        self, key: str, messages: list[ChatMessage], status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Replaces the messages of a session, and adds to the memory those that it does not have yet."""
        await super().set_messages(key, messages, status)
        await self._block.aremember(key, messages, only_new=True)

    async def aforget(self, key: str) -> int:
        """Deletes a session, from the memory as well and for good.

        Returns:
            How many memories went: what was said, and what was made from it.
        """
        await self.delete_messages(key)
        return await self._block.aforget(key)

    async def aclose(self) -> None:
        """Closes the connections to the session's database; the memory stays the caller's to close."""
        if self._async_engine is not None:
            await self._async_engine.dispose()
