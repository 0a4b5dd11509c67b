"""Very long conversations with questions about them: LoCoMo (Maharana et al. 2024) and REALTALK.

LoCoMo keeps its sessions under ``conversation``, REALTALK at the top level with ``clean_text`` and a time per
message. A file holds one conversation or a list of them. A question with ``before`` is a message of the chat.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from romaine.errors import FormatError
from romaine.formats.reading import (
    ReadOptions,
    Skips,
    UniqueIds,
    list_field,
    name_field,
    object_field,
    open_file,
    read_document,
    text_field,
)
from romaine.formats.result import Chat, ImportResult, Skipped
from romaine.formats.times import parse_time
from romaine.memory.records import Role, Turn

_SESSION = re.compile(r"session_([1-9]\d{0,5})")
_EVIDENCE = re.compile(r"D\d+:\d+")
_QUESTION = "question"


@dataclass(frozen=True, kw_only=True)
class Session:
    """One sitting of a conversation.

    Attributes:
        number: As the file counts it.
        at: When it began, or None where the file does not say.
        turns: Its turns in order; `source_id` is the turn's ``dia_id``, e.g. ``"D3:12"``.
    """

    number: int
    at: datetime | None
    turns: tuple[Turn, ...]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question whose answer stands in known turns.

    Attributes:
        text: The question.
        evidence: `source_id` of the turns that answer it, at least one, each once.
        answer: The answer as text, or None.
        category: The data set's number or name for the kind of question, or None.
        before: `source_id` of the turn that is the question, where it is one of the chat: only turns before
            that may answer it. None where all may.
    """

    text: str
    evidence: tuple[str, ...]
    answer: str | None = None
    category: int | str | None = None
    before: str | None = None


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """A conversation and what is asked about it.

    Attributes:
        name: The file's id of it, or None.
        speakers: Who takes part, in the order the file names them.
        sessions: In order of their numbers.
        questions: Those with at least one turn of evidence in the conversation.
        skipped: What was left out.
    """

    name: str | None
    speakers: tuple[str, ...]
    sessions: tuple[Session, ...]
    questions: tuple[Question, ...]
    skipped: tuple[Skipped, ...]

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The turns of all sessions, in order."""
        return tuple(turn for session in self.sessions for turn in session.turns)


def read_conversation(path: str | os.PathLike[str]) -> Conversation:
    """Reads a file that holds one conversation.

    Raises:
        FormatError: If it cannot be read, is damaged, or holds no conversation or several.
    """
    conversations = read_conversations(path)
    if len(conversations) != 1:
        raise FormatError(
            f"{os.fspath(path)!r} holds {len(conversations)} conversations where one is wanted; "
            "use read_conversations"
        )
    return conversations[0]


def read_conversations(path: str | os.PathLike[str]) -> tuple[Conversation, ...]:
    """Reads a file that holds one conversation or a list of them.

    A turn that shares a picture reads ``TEXT [shares CAPTION]``. The evidence of a question is every ``D1:3``
    in its evidence field that is a turn of the conversation; a question with none is skipped. Turns without
    text are kept, so that what is counted over the turns stays comparable.

    Raises:
        FormatError: If it cannot be read, is damaged or holds no conversation.
    """
    options = ReadOptions()
    with open_file(path) as stream:
        document = read_document(stream, repr(os.fspath(path)), options.budget)
    return parse_conversations(document, options)


def is_locomo(document: Any) -> bool:
    """Tells whether a JSON document holds conversations in sessions."""
    first = document[0] if isinstance(document, list) and document else document
    return isinstance(first, dict) and any(
        _SESSION.fullmatch(key) and isinstance(value, list) for key, value in _session_holder(first).items()
    )


def read_locomo(document: Any, options: ReadOptions) -> ImportResult:
    """Reads conversations as chats to import, without the questions; turns without text are skipped.

    The first of the two speakers is the user unless the caller names another.

    Raises:
        FormatError: If the document holds no conversation.
    """
    conversations = parse_conversations(document, options)
    skipped = Skips(options.budget)
    for conversation in conversations:
        where = f"{conversation.name}, " if conversation.name else ""
        for entry in conversation.skipped:
            if not entry.where.startswith(_QUESTION):
                skipped.add(where + entry.where, entry.why)
        for turn in conversation.turns:
            if not turn.text.strip():
                skipped.add(f"{where}turn {turn.source_id}", "no text")
    user, *others = conversations[0].speakers or (None,)
    options = options.known_as(user=user, character=others[0] if others else None)
    chats = [
        Chat(turns=tuple(turn for turn in part.turns if turn.text.strip()), title=part.name)
        for part in conversations
    ]
    return options.result("locomo", chats=chats, skipped=skipped)


def parse_conversations(document: Any, options: ReadOptions) -> tuple[Conversation, ...]:
    """Reads the conversations of a JSON document.

    Raises:
        FormatError: If it holds none.
    """
    if not is_locomo(document):
        raise FormatError(
            "no conversation here: expected session_1, session_2, ... lists at the top level or under "
            "'conversation'"
        )
    parts = document if isinstance(document, list) else [document]
    return tuple(_conversation(part if isinstance(part, dict) else {}, options) for part in parts)


def _session_holder(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return object_field(record, "conversation") or record


def _conversation(record: Mapping[str, Any], options: ReadOptions) -> Conversation:
    holder = _session_holder(record)
    skipped = Skips(options.budget)
    speakers = _speakers(record, holder)
    options = options.known_as(user=speakers[0] if speakers else None)
    found = (match for key, value in holder.items() if (match := _SESSION.fullmatch(key)) and value)
    numbers = sorted({int(match[1]) for match in found})
    ids = UniqueIds(options.budget)
    sessions = tuple(_session(holder, number, ids, options, skipped) for number in numbers)
    known = {turn.source_id for session in sessions for turn in session.turns}
    questions = _questions(list_field(record, "qa"), known, options, skipped)
    conversation = Conversation(
        name=name_field(record, "sample_id"),
        speakers=speakers,
        sessions=sessions,
        questions=questions,
        skipped=tuple(skipped),
    )
    return options.budget.keep(conversation)


def _speakers(record: Mapping[str, Any], holder: Mapping[str, Any]) -> tuple[str, ...]:
    names = object_field(record, "name")
    first = name_field(holder, "speaker_a") or name_field(names, "speaker_1")
    second = name_field(holder, "speaker_b") or name_field(names, "speaker_2")
    return tuple(name for name in (first, second) if name)


def _session(
    holder: Mapping[str, Any], number: int, ids: UniqueIds, options: ReadOptions, skipped: Skips
) -> Session:
    began = parse_time(holder.get(f"session_{number}_date_time"))
    turns = []
    for index, message in enumerate(list_field(holder, f"session_{number}"), 1):
        where = f"session {number}, message {index}"
        if not isinstance(message, dict):
            skipped.add(where, "not an object")
            continue
        speaker = name_field(message, "speaker")
        if speaker is None:
            skipped.add(where, "no speaker")
            continue
        turn = Turn(
            _spoken(message),
            speaker=speaker,
            role=Role.USER if speaker == options.user_name else Role.CHARACTER,
            at=parse_time(message.get("date_time")) or began,
            source_id=ids.claim(name_field(message, "dia_id") or f"D{number}:{index}"),
        )
        turns.append(options.budget.keep(turn))
    at = began or (turns[0].at if turns else None)
    return options.budget.keep(Session(number=number, at=at, turns=tuple(turns)))


def _spoken(message: Mapping[str, Any]) -> str:
    text = text_field(message, "clean_text", "text") or ""
    caption = text_field(message, "blip_caption")
    return f"{text} [shares {caption}]".lstrip() if caption else text


def _questions(
    entries: list[Any], known: set[str | None], options: ReadOptions, skipped: Skips
) -> tuple[Question, ...]:
    questions = []
    for number, entry in enumerate(entries, 1):
        where = f"{_QUESTION} {number}"
        text = text_field(entry, "question") if isinstance(entry, dict) else None
        if text is None:
            skipped.add(where, "no question text")
            continue
        named = (match[0] for match in _EVIDENCE.finditer(_flat(entry.get("evidence"))))
        evidence = tuple(dict.fromkeys(name for name in named if name in known))
        if not evidence:
            skipped.add(where, "no evidence in the conversation")
            continue
        before = name_field(entry, "before")
        if before is not None and before not in known:
            skipped.add(where, "asked before a turn that is not in the conversation")
            continue
        answer, category = entry.get("answer"), entry.get("category")
        question = Question(
            text=text,
            evidence=evidence,
            answer=str(answer) if isinstance(answer, (str, int, float)) else None,
            category=category
            if isinstance(category, (int, str)) and not isinstance(category, bool)
            else None,
            before=before,
        )
        questions.append(options.budget.keep(question))
    return tuple(questions)


def _flat(evidence: object) -> str:
    if isinstance(evidence, str):
        return evidence
    return " ".join(item for item in evidence if isinstance(item, str)) if isinstance(evidence, list) else ""
