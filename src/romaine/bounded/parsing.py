"""JSON documents and lines, parsed only where the memory for them is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from romaine.bounded.budget import Budget
from romaine.bounded.json_cost import WORST_GROWTH, close_cost, rough_cost, text_cost
from romaine.errors import FormatError

#: Longest line of a JSONL file, in bytes: a message with hundreds of swipes has room.
MAX_LINE_BYTES = 32 * 1024 * 1024
#: Looking closely at a document takes it and two more of it.
_LOOKING = 3
#: The document and its text, of characters of four bytes.
_WIDEST = 5
_DECODER = json.JSONDecoder(parse_constant=lambda _: None)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parse_json(data: bytes, where: str, budget: Budget | None = None, *, keep: bool = False) -> Any:
    """Parses UTF-8 JSON, with or without a byte order mark.

    NaN and infinities, which JSON does not have but Python writes, become None.

    Args:
        data: The JSON.
        where: What it is, for errors.
        budget: What reading the file may take; the length of the data is granted to it. None for what the
            data alone may take.
        keep: Whether the value stays until the file is read.

    Raises:
        FormatError: If it is not UTF-8, not JSON, nested too deep, holds an endless number or takes more
            memory than there is.
    """
    budget = Budget() if budget is None else budget
    budget.grant(len(data))
    cost = _parsing_cost(data, where, budget, budget.room * 3 // 4 if keep else budget.room)
    try:
        begin = len(_BYTE_ORDER_MARK) if data.startswith(_BYTE_ORDER_MARK) else 0
        value = _DECODER.decode(str(memoryview(data)[begin:], "utf-8"))
    except UnicodeDecodeError as error:
        raise FormatError(f"{where} is not UTF-8 text at byte {error.start}; save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise FormatError(f"{where} is not valid JSON: {error}; repair or export it again") from None
    except RecursionError:
        raise FormatError(f"{where} is JSON nested too deep to be a chat or a card") from None
    except ValueError:  # an integer of more digits than Python converts
        raise FormatError(f"{where} holds a number too long to read") from None
    if keep:
        budget.spend(cost, where)
    return value


def _parsing_cost(data: bytes, where: str, budget: Budget, enough: int) -> int:
    """Returns what the value takes at most, after checking that there is room to make it.

    Tells it as roughly as will do: up to `enough` bytes, nobody needs to know how many fewer it takes.
    """
    most = len(data) * WORST_GROWTH
    if most <= enough:
        return most
    cost, besides = rough_cost(data)
    if cost <= enough and cost + besides + _WIDEST * len(data) <= budget.room:
        return cost
    budget.check(len(data) * _LOOKING, where)
    cost, besides = close_cost(data)
    budget.check(len(data) + text_cost(data) + cost + besides, where)
    return cost


def check_cost(data: bytes, where: str) -> None:
    """Checks that parsing JSON takes no more memory than its length allows.

    Raises:
        FormatError: If it does.
    """
    budget = Budget()
    budget.grant(len(data))
    _parsing_cost(data, where, budget, budget.room)


def read_line(stream: BinaryIO, where: str) -> bytes:
    """Reads one line, ``b""`` at the end.

    Raises:
        FormatError: If it is longer than `MAX_LINE_BYTES`.
    """
    line = stream.readline(MAX_LINE_BYTES + 1)
    if len(line) > MAX_LINE_BYTES:
        raise FormatError(f"{where} has more than {MAX_LINE_BYTES:,} bytes; it is no JSONL file")
    return line


def read_json_lines(stream: BinaryIO, budget: Budget) -> Iterator[tuple[int, Any]]:
    """Yields the number, from 1, and the value of every line that is not blank.

    Raises:
        FormatError: As `parse_json` and `read_line`; the message names the line.
    """
    number = 1
    while line := read_line(stream, f"line {number}"):
        if not line.isspace():
            yield number, parse_json(line, f"line {number}", budget)
        number += 1
