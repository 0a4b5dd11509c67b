"""Chats with questions and the turns that answer them, one JSON object a line.

``{"source": str, "turns": [[speaker, text], ...], "questions": [{"query": str, "evidence": [turn, ...]}]}``
with turns counted from 0; plain or gzip. It is what ranking is trained on; unlike LoCoMo's layout it knows no
sessions and no times.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterable
from typing import IO, Any, cast

from romaine.bounded.parsing import parse_json
from romaine.errors import FormatError, OptionError
from romaine.formats.locomo import Conversation, Question, Session
from romaine.formats.reading import MAX_DOCUMENT_BYTES, list_field, name_field, open_file, text_field
from romaine.formats.result import Skipped
from romaine.memory.records import Role, Turn

SUFFIXES = (".jsonl", ".jsonl.gz")
"""How files of this layout end."""

_SURE_SCORE = 1.0


def read_evidence(path: str | os.PathLike[str], *, sources: Iterable[str] = ()) -> list[Conversation]:
    """Reads the chats of a file, each as one session.

    A question whose evidence was aligned by a program (it has a `score`) counts if that is 1 or more or two
    turns answer it; the others point beside too often.

    Args:
        path: The file.
        sources: Which chats, by their `source`; all if empty.

    Raises:
        FormatError: If it cannot be read, is damaged or holds no such chat.
        OptionError: If it has none of `sources`.
    """
    wanted, seen, chats = set(sources), set(), []
    name = os.fspath(path)
    with open_file(path) as raw:
        packed = name.endswith(".gz")
        stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if packed else raw)
        number = 0
        try:
            while line := stream.readline(MAX_DOCUMENT_BYTES + 1):
                number += 1
                if len(line) > MAX_DOCUMENT_BYTES:
                    raise FormatError(
                        f"line {number} of {name!r} is longer than {MAX_DOCUMENT_BYTES:,} bytes; split it"
                    )
                if line.strip():
                    record = parse_json(line, f"line {number} of {name!r}")
                    chat = _chat(record, f"line {number} of {name!r}")
                    source = name_field(record, "source") or ""
                    seen.add(source)
                    if not wanted or source in wanted:
                        chats.append(chat)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FormatError(
                f"{name!r} is not whole gzip after line {number}: {error}; get it anew"
            ) from None
    if not seen:
        raise FormatError(f"{name!r} holds no chats: expected one JSON object with 'turns' a line")
    if not chats:
        raise OptionError(
            f"source={sorted(wanted)} is not in {name!r}: choose from {', '.join(map(repr, sorted(seen)))}"
        )
    return chats


def _chat(record: Any, where: str) -> Conversation:
    if not isinstance(record, dict) or not isinstance(record.get("turns"), list):
        raise FormatError(f"{where} is no chat: expected an object with 'turns', a list of [speaker, text]")
    turns = []
    for number, turn in enumerate(record["turns"]):
        if not (
            isinstance(turn, list)
            and len(turn) == 2
            and all(isinstance(part, str) for part in turn)
            and turn[0]
        ):
            raise FormatError(f"turn {number} in {where} is no [speaker, text] with a speaker")
        speaker, text = turn
        turns.append(Turn(text, speaker=speaker, role=Role.CHARACTER, source_id=_id(number)))
    questions, skipped = [], []
    for number, entry in enumerate(list_field(record, "questions"), 1):
        text = text_field(entry, "query") if isinstance(entry, dict) else None
        evidence = _evidence(entry, len(turns)) if text else ()
        if text is None:
            skipped.append(Skipped(where=f"question {number}", why="no question text"))
        elif not evidence:
            skipped.append(Skipped(where=f"question {number}", why="no evidence in the conversation"))
        elif len(evidence) == 1 and _score(entry) < _SURE_SCORE:
            skipped.append(Skipped(where=f"question {number}", why="aligned with one turn, and not surely"))
        else:
            questions.append(Question(text=text, evidence=evidence, category=name_field(entry, "kind")))
    return Conversation(
        name=name_field(record, "id"),
        speakers=tuple(dict.fromkeys(turn.speaker for turn in turns)),
        sessions=(Session(number=1, at=None, turns=tuple(turns)),),
        questions=tuple(questions),
        skipped=tuple(skipped),
    )


def _id(number: int) -> str:
    return f"D1:{number + 1}"


def _evidence(entry: Any, turns: int) -> tuple[str, ...]:
    numbers = (number for number in list_field(entry, "evidence") if isinstance(number, int))
    return tuple(dict.fromkeys(_id(number) for number in numbers if 0 <= number < turns))


def _score(entry: Any) -> float:
    score = entry.get("score")
    return float(score) if isinstance(score, (int, float)) else _SURE_SCORE
