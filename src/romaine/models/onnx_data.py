"""The files an ONNX graph keeps tensors in, read from the graph without a runtime.

A walk over the protobuf wire format (https://protobuf.dev/programming-guides/encoding) with the field numbers
of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Tensors may be in a graph, in the graphs of a
node's branches and loops, in attributes, sparse, or in functions. The weights themselves are stepped over.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from romaine.errors import ModelFormatError

_VARINT, _BYTES = 0, 2  # wire types
_FIXED = {1: 8, 5: 4}  # bytes by wire type
_LONGEST_VARINT = 10
_FIELDS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
"""By kind of message, the kind of what its fields hold, of those fields that can lead to a tensor."""
_KEY, _VALUE = 1, 2  # of an entry

_Buffer: TypeAlias = "mmap.mmap | bytes"


def external_data(path: Path) -> tuple[str, ...]:
    """The locations that an ONNX file's tensors name, each once, in order.

    A tensor that names a location counts as lying there whatever else it says: a reader of the format may
    take the last of two contradicting fields.

    Raises:
        ModelFormatError: If the file cannot be read or is no protobuf message.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return tuple(sorted(set(_locations(data))))
    except (OSError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        raise ModelFormatError(f"{path} is not a readable ONNX file ({error}). Download it again.") from None


def _locations(data: _Buffer) -> Iterator[str]:
    pending = [("model", 0, len(data))]  # not recursion: branches may be nested at any depth
    while pending:
        kind, begin, end = pending.pop()
        if kind == "entry":
            yield from _location(data, begin, end)
            continue
        for number, start, stop in _messages(data, begin, end):
            if number in _FIELDS[kind]:
                pending.append((_FIELDS[kind][number], start, stop))


def _location(data: _Buffer, begin: int, end: int) -> Iterator[str]:
    fields = [(number, data[start:stop]) for number, start, stop in _messages(data, begin, end)]
    if (_KEY, b"location") in fields:
        yield from (value.decode("utf-8") for number, value in fields if number == _VALUE)


def _messages(data: _Buffer, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, begin and end of the fields that hold bytes."""
    while begin < end:
        tag, begin = _varint(data, begin, end)
        kind = tag & 7
        if kind in _FIXED:
            begin += _FIXED[kind]
        elif kind == _VARINT:
            _, begin = _varint(data, begin, end)
        elif kind == _BYTES:
            size, begin = _varint(data, begin, end)
            if begin + size > end:
                raise ValueError(f"a field of {size} bytes at {begin} ends behind its message")
            yield tag >> 3, begin, begin + size
            begin += size
        else:
            raise ValueError(f"a field at {begin} has the wire type {kind}, which there is none of")
    if begin > end:
        raise ValueError(f"a field ends at {begin}, behind its message")


def _varint(data: _Buffer, begin: int, end: int) -> tuple[int, int]:
    value = 0
    for index, place in enumerate(range(begin, min(end, begin + _LONGEST_VARINT))):
        value |= (data[place] & 0x7F) << 7 * index
        if data[place] < 0x80:
            return value, place + 1
    raise ValueError(f"the number at {begin} does not end")
