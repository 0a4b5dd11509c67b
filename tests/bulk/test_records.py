from __future__ import annotations

import io

import pytest

from romaine.bulk import read_jsonl, read_lines
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
