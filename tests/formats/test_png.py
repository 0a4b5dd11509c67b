from __future__ import annotations

import base64
import json
import struct
import zlib

import pytest

from romaine.errors import FormatError
from romaine.formats import read
from romaine.formats.png import MAX_TEXT_BYTES
from tests.formats.samples import CARD, CARD_PICTURE, EXAMPLES, chunk, encoded, png

OLD = {"name": "Old", "description": "An old card."}


def names(data: bytes) -> str | None:
    return read(("card.png", data)).character_name


def test_the_card_in_a_picture_reads_as_its_json_does() -> None:
    from_picture = read(EXAMPLES / "cassian.card.png")
    assert from_picture == read(EXAMPLES / "cassian.card.json")
    assert names(CARD_PICTURE) == "Cassian"


def test_the_newer_chunk_wins_in_either_order() -> None:
    old, new = chunk(b"tEXt", b"chara\0" + encoded(OLD)), chunk(b"tEXt", b"ccv3\0" + encoded(CARD))
    assert names(png(old, new)) == names(png(new, old)) == "Cassian"


@pytest.mark.parametrize(
    "text_chunk",
    [
        chunk(b"zTXt", b"chara\0\0" + zlib.compress(encoded(CARD))),
        chunk(b"iTXt", b"chara\0\0\0en\0translated\0" + encoded(CARD)),
        chunk(b"iTXt", b"chara\0\1\0\0\0" + zlib.compress(encoded(CARD))),
        chunk(b"tEXt", b"Chara\0" + encoded(CARD)[:40] + b"\n" + encoded(CARD)[40:]),
    ],
)
def test_other_text_chunks_are_read_too(text_chunk: bytes) -> None:
    assert names(png(text_chunk)) == "Cassian"


def test_a_damaged_chunk_is_an_error() -> None:
    damaged = bytearray(CARD_PICTURE)
    damaged[damaged.index(b"chara") + 20] ^= 1
    with pytest.raises(FormatError, match="checksum"):
        names(bytes(damaged))


@pytest.mark.parametrize("length", [9, 20, 40, 60, len(CARD_PICTURE) - 13, len(CARD_PICTURE) - 30])
def test_a_picture_that_was_cut_off_is_an_error(length: int) -> None:
    with pytest.raises(FormatError, match="cut off"):
        names(CARD_PICTURE[:length])


def test_a_picture_without_a_card_is_an_error() -> None:
    with pytest.raises(FormatError, match="no character card"):
        names(png(chunk(b"tEXt", b"Software\0paint")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"!!! not base64 !!!", "base64"),
        (base64.b64encode(b"\xff\xfe"), "UTF-8"),
        (base64.b64encode(b"{"), "JSON"),
        (base64.b64encode(b"[]"), "no character card"),
        (base64.b64encode(b'{"spec": "chara_card_v2", "data": 3}'), "no name"),
    ],
)
def test_a_card_that_is_none_is_an_error(text: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        names(png(chunk(b"tEXt", b"chara\0" + text)))


def test_a_bomb_expands_no_further_than_the_limit() -> None:
    bomb = zlib.compress(b"A" * (MAX_TEXT_BYTES + 1_000_000))
    assert len(bomb) < 100_000
    with pytest.raises(FormatError, match="expands to more"):
        names(png(chunk(b"zTXt", b"chara\0\0" + bomb)))


def test_a_chunk_that_claims_to_be_huge_is_not_read() -> None:
    head = b"\x89PNG\r\n\x1a\n"
    with pytest.raises(FormatError, match="at most"):
        names(head + struct.pack(">I4s", 0xFFFFFFFF, b"tEXt") + b"chara\0")
    with pytest.raises(FormatError, match="cut off"):
        names(head + struct.pack(">I4s", 0xFFFFFFFF, b"IDAT"))


def test_the_sample_card_is_a_valid_version_2_card() -> None:
    document = json.loads((EXAMPLES / "cassian.card.json").read_text(encoding="utf-8"))
    assert document["spec"] == "chara_card_v2"
    assert set(document["data"]) >= {"name", "description", "extensions", "character_book", "tags"}
