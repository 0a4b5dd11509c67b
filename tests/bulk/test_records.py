from __future__ import annotations

import io
import pickle

import pytest

from romaine.bulk import read_jsonl, read_lines
from romaine.bulk.records import GivenRecords, Input, LineFile, Record
from romaine.errors import InputFileError


class TestReaders:
    def test_lines_keep_empty_ones(self):
        read = list(read_lines(io.StringIO("one\n\n  three \r\nlast")))
        assert [r.text for r in read] == ["one", "", "  three ", "last"]
        assert [r.id for r in read] == [0, 1, 2, 3]

    def test_jsonl(self):
        lines = '{"text": "a", "id": "x7"}\n\n"b"\n{"text": "c"}\n'
        read = list(read_jsonl(io.StringIO(lines)))
        assert [(r.id, r.text) for r in read] == [("x7", "a"), (2, "b"), (3, "c")]
        assert next(read_jsonl(io.StringIO('{"mes": "hello"}'), field="mes")).text == "hello"

    @pytest.mark.parametrize("bad", ['{"text": 3}', "{", "[1]", '{"mes": "a"}', "null", "[" * 100_000])
    def test_a_bad_line_is_named(self, bad):
        with pytest.raises(InputFileError, match="line 2"):
            list(read_jsonl(io.StringIO('"fine"\n' + bad)))


ODD = (
    b'{"text": "a", "id": "x7"}\n\n \t\r\n"b"\r\n\xe3\x80\x80\n  {"text": "c"}\n\x1c\n"d \xff \xe2\x80\xa8 e"'
)


class TestBlocks:
    @pytest.mark.parametrize("rows", [1, 2, 3, 100])
    @pytest.mark.parametrize("field", [None, "text"])
    def test_they_hold_what_the_readers_give(self, rows, field):
        text = io.StringIO(ODD.decode("utf-8", "surrogateescape"), newline="\n")
        want = list(read_lines(text) if field is None else read_jsonl(text))
        blocks = list(pickled(LineFile(io.BytesIO(ODD), field=field), rows))
        assert [record for block in blocks for record in block.records()] == want
        assert [block.rows for block in blocks] == [len(block.records()) for block in blocks]
        assert all(0 < block.rows <= rows for block in blocks)

    def test_what_is_left_of_one(self):
        given = [Record(text=str(n), id=n) for n in range(5)]
        (block,) = pickled(GivenRecords(iter(given)), 9)
        left = block.without(2).without(1)
        assert (left.rows, left.records()) == (2, given[3:])

    def test_a_list_of_records_is_no_input_of_blocks(self):
        assert isinstance(LineFile(io.BytesIO()), Input)
        assert not isinstance([], Input)


def pickled(texts, rows):
    return (pickle.loads(pickle.dumps(block)) for block in texts.blocks(rows))
