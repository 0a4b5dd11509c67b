"""How much memory a JSON document takes when it is parsed, told from its bytes before it is.

Both ways of telling err upwards, whatever the bytes are. They count the bytes that make objects: brackets,
braces, colons, commas and quotes. The sizes are those of this interpreter's objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from sys import getsizeof
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_Bytes: TypeAlias = NDArray[np.uint8]

_CHUNK = 64 * 1024  # bytes looked at at a time, so that looking takes no memory to speak of

_LIST = 96  # with room for its first items
_ITEM = 18  # a comma: a place in a list, twice while the list moves to where there is more room
_DICT = getsizeof({"": 0}) + 16
# a dict has the most room to spare when it has just grown: past two thirds of a power of two
_MEMBER = max(getsizeof(dict.fromkeys(map(str, range(n)))) // n for n in (11, 22, 43, 86, 171, 1366, 10923))
_MEMBER_GROWING = _MEMBER // 2
_KEY = _MEMBER + _MEMBER_GROWING  # the parser's own table of the keys it has seen
_STRING = 80  # what holds the characters, for the widest ones
_NUMBER = 32
#: No JSON takes more memory than this for each of its bytes: lists in lists do at most.
WORST_GROWTH = 70

_MOST_KEYS = 5_000
_LONG_KEY = 200


def text_cost(data: bytes) -> int:
    """Returns how many bytes UTF-8 takes as a str: one, two or four for each character."""
    characters, highest = 0, 0
    for chunk in _chunks(data):
        characters += int(np.count_nonzero((chunk & 0xC0) != 0x80))
        highest = max(highest, int(chunk.max()))
    return characters * int(_width(highest))


def rough_cost(data: bytes) -> tuple[int, int]:
    """Tells the cost as if all keys were different and all texts wide.

    Returns:
        What the parsed document takes at most, and what parsing it takes besides, for a while.
    """
    has_escapes = b"\\" in data  # one byte is found far sooner than two
    if has_escapes and b"\\u" in data:
        width = 4
    else:
        width = int(_width(max((int(chunk.max()) for chunk in _chunks(data)), default=0)))
    cost = len(data) * width
    each = {"[": _LIST, "{": _DICT, '"': _STRING // 2, ":": _MEMBER + _KEY + _NUMBER, ",": _ITEM + _NUMBER}
    for chunk in _chunks(data):
        cost += sum(int(np.count_nonzero(chunk == ord(sign))) * size for sign, size in each.items())
    # a text with escapes is put together in a buffer that moves as it grows
    return cost, len(data) * width * 3 // 4 if has_escapes else 0


def close_cost(data: bytes) -> tuple[int, int]:
    """Tells the cost with each string as wide as it is and each key once; returns it as `rough_cost` does.

    Within a text, most of the bytes that are counted stand beside bytes which they never stand beside in
    JSON itself, and are passed over. Takes twice the document's bytes for a while.
    """
    has_escapes = b"\\" in data
    if has_escapes:  # without escaped quotes each text ends at the next; other escapes get their width
        stand_ins = {rb"\\": b"__", rb"\"": b"__", rb"\ud": b"\xf0__", rb"\uD": b"\xf0__", rb"\u": b"\xe0_"}
        for escape, stand_in in stand_ins.items():
            data = data.replace(escape, stand_in)
    tally = _Tally()
    for start in range(0, len(data), _CHUNK):
        tally.add(data, start)
    cost, longest = tally.cost()
    return cost, longest * 3 // 4 if has_escapes else 0


class _Tally:
    """What a document has been found to hold so far, for `close_cost`."""

    def __init__(self) -> None:
        self._cost = 0
        self._keys: set[bytes] = set()
        self._open = (0, 0)  # bytes since the last quote, and the highest of them
        self._longest = 0

    def add(self, data: bytes, start: int) -> None:
        """Adds the chunk that begins there."""
        chunk = np.frombuffer(data, np.uint8, min(_CHUNK, len(data) - start), start)
        before = _shifted(data, start - 1, len(chunk))
        after = _shifted(data, start + 1, len(chunk))
        self._cost += int(np.count_nonzero(chunk == ord("["))) * _LIST
        self._cost += _beside(chunk == ord("{"), after, _AFTER_BRACE) * _DICT
        self._cost += _beside(chunk == ord(","), before, _BEFORE_COMMA) * _ITEM
        digits = chunk - np.uint8(ord("0")) < 10
        # numbers of one digit are there already
        self._cost += _beside(digits & _WITHIN_NUMBER[before], after, _AFTER_VALUE) * _NUMBER
        colons = before[chunk == ord(":")]
        members, apart = (int(np.count_nonzero(table[colons])) for table in (_BEFORE_COLON, _IS_SPACE))
        self._cost += members * _MEMBER + apart * (_KEY + _STRING)
        quotes = np.flatnonzero(chunk == ord('"'))
        self._cost += int(np.count_nonzero(_AFTER_VALUE[after[quotes]])) * _STRING
        self._add_texts(chunk, quotes)
        is_key_end = after[quotes] == ord(":")
        begins = np.concatenate((np.full(1, -_LONG_KEY, np.intp), quotes[:-1]))  # the first began earlier
        self._add_keys(data, start + begins[is_key_end], start + quotes[is_key_end])

    def cost(self) -> tuple[int, int]:
        """Returns what all of it takes, and what its longest text takes."""
        self._close()
        keys = len(self._keys) * (_KEY + _STRING)
        return self._cost + keys, self._longest

    def _add_texts(self, chunk: _Bytes, quotes: NDArray[np.intp]) -> None:
        """Adds what stands between quotes, each as wide as its widest character."""
        starts = np.concatenate((np.zeros(1, np.intp), quotes + 1))
        starts = starts[starts < len(chunk)]
        highest = np.maximum.reduceat(chunk, starts)
        lengths = np.diff(starts, append=len(chunk))
        self._open = (self._open[0] + int(lengths[0]), max(self._open[1], int(highest[0])))
        if not len(quotes):
            return
        self._close()
        is_open = len(starts) == len(quotes) + 1
        closed = slice(1, -1 if is_open else None)
        costs = lengths[closed] * _width(highest[closed])
        self._cost += int(costs.sum())
        self._longest = max(self._longest, int(costs.max(initial=0)))
        self._open = (int(lengths[-1]), int(highest[-1])) if is_open else (0, 0)

    def _close(self) -> None:
        length, highest = self._open
        cost = length * int(_width(highest))
        self._cost += cost
        self._longest = max(self._longest, cost)

    def _add_keys(self, data: bytes, begins: NDArray[np.intp], ends: NDArray[np.intp]) -> None:
        """Adds keys by where they begin and end; those that are short and seen before cost nothing."""
        is_short = ends - begins < _LONG_KEY
        places = zip(begins[is_short].tolist(), ends[is_short].tolist(), strict=True)
        keys = (data[begin:end] for begin, end in places)
        different = int(np.count_nonzero(~is_short))
        if len(self._keys) < _MOST_KEYS:
            self._keys.update(keys)
        else:
            different += sum(key not in self._keys for key in keys)
        self._cost += different * (_KEY + _STRING)


def _table(characters: bytes) -> NDArray[np.bool_]:
    table = np.zeros(256, dtype=bool)
    table[list(characters)] = True
    return table


_SPACE = b" \t\n\r"
_IS_SPACE = _table(_SPACE)
_AFTER_BRACE = _table(b'"}' + _SPACE)
_BEFORE_COLON = _table(b'"' + _SPACE)
_BEFORE_COMMA = _table(b'"]}0123456789elNy' + _SPACE)  # ends of strings, numbers, true, null, NaN, Infinity
_AFTER_VALUE = _table(b",]}" + _SPACE)
_WITHIN_NUMBER = _table(b"0123456789.eE+-")


def _beside(here: NDArray[np.bool_], beside: _Bytes, allowed: NDArray[np.bool_]) -> int:
    """Counts the places where the byte beside is an allowed one."""
    return int(np.count_nonzero(allowed[beside[here]]))


def _chunks(data: bytes) -> Iterator[_Bytes]:
    whole = np.frombuffer(data, dtype=np.uint8)
    for start in range(0, len(whole), _CHUNK):
        yield whole[start : start + _CHUNK]


def _shifted(data: bytes, start: int, length: int) -> _Bytes:
    """The bytes from there on, with a space for what lies outside."""
    part = data[max(0, start) : start + length]
    return np.frombuffer(b" " * (start < 0) + part + b" " * (start + length > len(data)), np.uint8)


def _width(highest: int | _Bytes) -> NDArray[np.int64]:
    """Bytes of a character in a str, by the highest byte of its UTF-8."""
    return np.array((1, 2, 4))[np.searchsorted(np.array((0xC4, 0xF0)), highest, side="right")]
