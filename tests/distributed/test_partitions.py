from __future__ import annotations

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from romaine.bulk import read_jsonl, read_lines
from romaine.distributed.partitions import count_rows, file_system, partitions_of, read_partition
from romaine.errors import InputFileError, OptionError

MEMORY = fsspec.filesystem("memory")


def read_all(path: str, *, size: int, format_: str = "auto") -> list[tuple[object, str]]:
    """All partitions, one after another, numbered as a run numbers them."""
    found, first = [], 0
    for cut in partitions_of(MEMORY, path, format_=format_, size=size):
        lines, texts = count_rows(MEMORY, cut)
        numbered = type(cut)(**{**vars(cut), "first": first})
        records = list(read_partition(MEMORY, numbered, field="text"))
        assert len(records) == texts
        found += [(record.id, record.text) for record in records]
        first += lines
    return found


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab \n\r\té\u2028"), max_size=60), st.integers(1, 20))
def test_lines_are_those_of_one_machine_wherever_they_are_cut(text: str, size: int) -> None:
    MEMORY.pipe_file("/cut/texts.txt", text.encode())
    lines = text.split("\n")
    want = read_lines([line + "\n" for line in lines[:-1]] + lines[-1:] * bool(lines[-1]))
    assert read_all("/cut", size=size) == [(record.id, record.text) for record in want]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(['"a"', '{"text": "b", "id": "x"}', "", "  "]), max_size=12), st.integers(1, 40)
)
def test_jsonl_is_that_of_one_machine(lines: list[str], size: int) -> None:
    MEMORY.pipe_file("/cut.jsonl", "\n".join(lines).encode())
    want = read_jsonl([line + "\n" for line in lines])
    assert read_all("/cut.jsonl", size=size) == [(record.id, record.text) for record in want]


@pytest.mark.parametrize(("size", "count"), [(1, 4), (1 << 20, 1)])
def test_row_groups_stay_whole(size: int, count: int) -> None:
    with MEMORY.open("/groups/a.parquet", "wb") as file:
        pq.write_table(pa.table({"text": [f"turn {n}" for n in range(10)]}), file, row_group_size=3)
    MEMORY.pipe_file("/groups/_manifest.json", b"not ours to read")
    assert len(partitions_of(MEMORY, "/groups", format_="auto", size=size)) == count
    assert read_all("/groups", size=size) == [(n, f"turn {n}") for n in range(10)]


def test_files_of_a_folder_are_numbered_together() -> None:
    MEMORY.pipe_file("/several/b.txt", b"three\n")
    MEMORY.pipe_file("/several/a.jsonl", b'"one"\n"two"\n')
    assert read_all("/several", size=5) == [(0, "one"), (1, "two"), (2, "three")]


def test_what_is_wrong_names_the_file() -> None:
    MEMORY.pipe_file("/bad.jsonl", b'"a"\n{"secret": 1}\n')
    with pytest.raises(InputFileError, match=r"/bad.jsonl: line 2 has no text"):
        read_all("/bad.jsonl", size=1 << 20)
    MEMORY.pipe_file("/bad.parquet", b"PAR1")
    with pytest.raises(InputFileError, match=r"/bad.parquet cannot be read as Parquet"):
        read_all("/bad.parquet", size=1 << 20)
    with pytest.raises(InputFileError, match="is not there"):
        partitions_of(MEMORY, "/nothing", format_="auto", size=1)


def test_an_address_that_needs_a_package_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "adlfs", None)
    with pytest.raises(OptionError, match="adlfs"), file_system("abfs://bucket/texts"):
        pass
