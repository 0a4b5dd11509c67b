"""`RomaineChatMessageHistory`: a conversation's messages, kept where the character's memory is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import uuid4

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import BaseMessage

from langchain_romaine.checks import check_memory
from langchain_romaine.messages import Speakers, session_prefix, source_id, to_message, to_turn
from langchain_romaine.scopes import is_own
from romaine import Memory, RoleplayMemory, Scope
from romaine.errors import MemoryNotFoundError, OptionError
from romaine.memory.checks import check_names
from romaine.memory.records import Kind, whole_scope
from romaine.options import explains


class RomaineChatMessageHistory(BaseChatMessageHistory):
    """The messages of one conversation, written straight into a `romaine.RoleplayMemory`.

    Two things are told apart. `session_id` says which conversation messages belong to: `messages` and `clear`
    mean that one only. The scope - user, character and chat - says who can recall them. Without a `chat`, the
    character remembers what was said in every later conversation with this user; with one, only in that chat.

    A message with an `id` is stored once per conversation; added again with other content, it replaces the
    stored one. Messages without an id are always added. The memory stays the caller's to close.

    Args:
        session_id: The conversation.
        memory: Where messages are kept; share one among histories and retrievers.
        scope: Whose memory, in place of `user`, `character` and `chat`.
        user: Who the memory belongs to.
        character: The character it is; None for what all characters of the user share.
        chat: The chat in which alone the messages may be recalled; None for every chat.
        known_by: Characters who witness the conversation; empty for all in scope.
        human_name: Speaker of human messages without a name; None for `user`.
        ai_name: Speaker of the model's messages without a name; None for `character`, or else "AI".

    Raises:
        romaine.errors.OptionError: If a name is empty or no str, or `known_by` leaves the character out.
    """

    @explains
    def __init__(
        self,
        session_id: str,
        *,
        memory: RoleplayMemory,
        scope: Scope | None = None,
        user: str | None = None,
        character: str | None = None,
        chat: str | None = None,
        known_by: Collection[str] = (),
        human_name: str | None = None,
        ai_name: str | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(session_id, str) or not session_id:
            raise OptionError(f"session_id={session_id!r} must be a non-empty str: the conversation's name")
        self.scope = whole_scope(scope, user=user, character=character, chat=chat)
        whose = self.scope.character
        witnesses = check_names("known_by", known_by)
        if whose is not None and witnesses and whose not in witnesses:
            raise OptionError(
                f"known_by leaves out character={whose!r}, who could not look back at this conversation;"
                " add the character, or give none"
            )
        self.session_id = session_id
        self.memory = check_memory(memory)
        self.known_by = witnesses
        self._speakers = Speakers(human=human_name or self.scope.user, ai=ai_name or whose or "AI")

    def __repr__(self) -> str:
        return f"RomaineChatMessageHistory({self.session_id!r}, memory={self.memory!r}, scope={self.scope!r})"

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]  # a property, as LangChain allows
        """The messages of this conversation, in order."""
        return [to_message(turn) for turn in self._turns()]

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Adds messages, in order and as one durable write.

        Args:
            messages: What was said.

        Raises:
            romaine.errors.OptionError: If something else than messages is given.
            romaine.errors.StorageError: If it cannot be written; nothing is, then.
        """
        if not isinstance(messages, Sequence) or not all(isinstance(m, BaseMessage) for m in messages):
            raise OptionError("messages must be a sequence of BaseMessage, e.g. [HumanMessage(text)]")
        turns = [
            to_turn(message, self._speakers, source_id=source_id(self.session_id, message.id or str(uuid4())))
            for message in messages
        ]
        self.memory.add_turns(self.scope, turns, known_by=self.known_by)

    def clear(self) -> None:
        """Deletes the messages of this conversation for good.

        Other conversations stay, and so do facts and summaries, even those drawn from these messages. What a
        fork shares with its parent goes from the fork only; what was said here goes from its forks, too.
        """
        while turns := self._turns():
            try:
                self.memory.forget(self.scope, [turn.id for turn in turns], derived=False)
            except MemoryNotFoundError:  # somebody else was faster; look again
                continue

    def _turns(self) -> list[Memory]:
        """The turns of this conversation, those a fork has from its parent included."""
        said = self.memory.list(self.scope, kinds=[Kind.TURN], source_prefix=session_prefix(self.session_id))
        return [turn for turn in said if is_own(turn, self.scope)]
