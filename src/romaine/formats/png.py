"""Character cards in a PNG picture: base64 of the card's JSON in a text chunk ``ccv3`` or ``chara``.

Chunks and their layout: PNG specification (ISO/IEC 15948), sections 5 and 11.3.4. The picture itself is never
decoded, and compressed text is expanded up to a limit only.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from collections.abc import Iterator
from string import whitespace
from typing import BinaryIO

from romaine.bounded.parsing import parse_json
from romaine.errors import FormatError
from romaine.formats.cards import read_card
from romaine.formats.reading import ReadOptions
from romaine.formats.result import ImportResult

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Largest text chunk that is read and largest text one may expand to, in bytes.
MAX_TEXT_BYTES = 32 * 1024 * 1024
#: Most chunks that are looked at; a picture of any size has far fewer.
_MAX_CHUNKS = 200_000
_TEXT_CHUNKS = {b"tEXt", b"zTXt", b"iTXt"}
#: The newer card wins.
_KEYWORDS = ("ccv3", "chara")


def read_png_card(stream: BinaryIO, options: ReadOptions) -> ImportResult:
    """Reads the card in a picture.

    Raises:
        FormatError: If the picture is damaged, has no card, or the card is no valid one.
    """
    cards: dict[str, bytes] = {}
    for kind, data in _text_chunks(stream):
        keyword = data.split(b"\0", 1)[0].decode("latin-1").lower()
        if keyword in _KEYWORDS and keyword not in cards:
            cards[keyword] = _text_of(kind, data)
    encoded = next((cards[keyword] for keyword in _KEYWORDS if keyword in cards), None)
    if encoded is None:
        raise FormatError("the PNG has no character card (no text chunk 'ccv3' or 'chara')")
    try:
        card = base64.b64decode(encoded.translate(None, whitespace.encode()), validate=True)
    except binascii.Error:
        raise FormatError(
            "the character card in the PNG is not valid base64; export the card again"
        ) from None
    return read_card(parse_json(card, "the character card in the PNG", options.budget, keep=True), options)


def _text_chunks(stream: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    if stream.read(len(PNG_SIGNATURE)) != PNG_SIGNATURE:
        raise FormatError("not a PNG picture")
    for _ in range(_MAX_CHUNKS):
        length, kind = struct.unpack(">I4s", _exactly(stream, 8))
        if kind == b"IEND":
            return
        if kind not in _TEXT_CHUNKS:
            _skip(stream, length + 4)
            continue
        if length > MAX_TEXT_BYTES:
            raise FormatError(
                f"a text chunk of the PNG has {length:,} bytes; at most {MAX_TEXT_BYTES:,} are read"
            )
        data = _exactly(stream, length)
        (checksum,) = struct.unpack(">I", _exactly(stream, 4))
        if zlib.crc32(kind + data) != checksum:
            raise FormatError("a text chunk of the PNG is damaged: its checksum does not match")
        yield kind, data
    raise FormatError(f"the PNG has more than {_MAX_CHUNKS:,} chunks")


def _exactly(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if len(data) != length:
        raise FormatError("the PNG ends too early; it was cut off")
    return data


def _skip(stream: BinaryIO, length: int) -> None:
    # The last byte is read, because seeking past the end of a file is no error.
    stream.seek(length - 1, 1)
    _exactly(stream, 1)


def _text_of(kind: bytes, data: bytes) -> bytes:
    """Returns the text of a chunk: after the keyword, and in iTXt after flags, language and translation."""
    rest = data.split(b"\0", 1)[1] if b"\0" in data else b""
    if kind == b"tEXt":
        return rest
    if kind == b"zTXt":
        return _inflate(rest[1:])
    fields = rest[2:].split(b"\0", 2)
    text = fields[2] if len(fields) == 3 else b""
    return _inflate(text) if rest[:1] == b"\1" else text


def _inflate(data: bytes) -> bytes:
    expander = zlib.decompressobj()
    try:
        text = expander.decompress(data, MAX_TEXT_BYTES)
    except zlib.error:
        raise FormatError("a compressed text chunk of the PNG is damaged") from None
    if expander.unconsumed_tail:
        raise FormatError(f"a compressed text chunk of the PNG expands to more than {MAX_TEXT_BYTES:,} bytes")
    return text
