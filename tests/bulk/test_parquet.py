from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from romaine import Embedder
from romaine.bulk import Record, embed_to_file
from romaine.bulk.parquet import ParquetTexts, read_parquet, row_groups
from romaine.errors import InputFileError


def written(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=3)
    return path


def test_it_reads_texts_and_ids(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.parquet", text=["a", "é", "", "d"], id=["w", "x", "y", "z"], rest=[1, 2, 3, 4]
    )
    assert [(each.id, each.text) for each in read_parquet(path)] == [
        ("w", "a"),
        ("x", "é"),
        ("y", ""),
        ("z", "d"),
    ]


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_blocks_hold_the_same_and_not_the_rows_around_them(tmp_path: Path, rows: int) -> None:
    path = written(tmp_path / "a.parquet", text=[f"text {n}" for n in range(7)])
    blocks = list(ParquetTexts(path).blocks(rows))
    assert [record for block in blocks for record in block.records()] == list(read_parquet(path))
    assert [block.rows for block in blocks] == [len(block.records()) for block in blocks]
    assert max(len(pickle.dumps(block)) for block in blocks) < 2000


def test_rows_without_an_id_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("romaine.bulk.parquet._ROWS_READ", 2)
    texts = pa.array(["a", "b", "a", "b", "c"]).dictionary_encode()
    path = written(tmp_path / "a.parquet", mes=texts)
    assert [(each.id, each.text) for each in read_parquet(path, field="mes")] == list(enumerate("ababc"))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"mes": ["a"]}, "no column 'text'; name one with --field: 'mes'"),
        ({"text": [1]}, "holds int64, not strings"),
        ({"text": ["secret", None]}, "row 1 has no text"),
        ({"text": ["a"], "id": [1.5]}, "row 0 has an id that is float"),
        ({"text": ["a", "b"], "id": ["x", None]}, "row 1 has an id that is NoneType"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, columns: dict[str, object], message: str) -> None:
    with pytest.raises(InputFileError, match=message) as caught:
        list(read_parquet(written(tmp_path / "a.parquet", **columns)))
    assert "secret" not in str(caught.value)


def test_bytes_that_are_not_utf_8(tmp_path: Path) -> None:
    texts = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff secret"], type=pa.binary()).buffers())
    with pytest.raises(InputFileError, match="not UTF-8") as caught:
        list(read_parquet(written(tmp_path / "a.parquet", text=texts)))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"no Parquet" * 100])
def test_other_files_are_an_error_of_ours(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(damage)
    with pytest.raises(InputFileError, match="cannot be read as Parquet"):
        list(read_parquet(tmp_path / "a.parquet"))


@pytest.mark.parametrize(
    ("precision", "kind"),
    [("float32", pa.float32()), ("float16", pa.float16()), ("int8", pa.int8()), ("binary", pa.uint8())],
)
def test_output_has_ids_and_lists_of_fixed_size(tmp_path: Path, precision: str, kind: pa.DataType) -> None:
    embedder = Embedder(dim=64, precision=precision)
    given = [Record(text=f"turn {n}", id=f"t{n}") for n in range(5)]
    embed_to_file(embedder, given, tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    vectors = embedder.embed_documents([each.text for each in given])
    assert table["id"].to_pylist() == [each.id for each in given]
    assert table.schema.field("embedding").type == pa.list_(kind, vectors.shape[1])
    np.testing.assert_array_equal(np.array(table["embedding"].to_pylist(), dtype=vectors.dtype), vectors)


def test_small_steps_do_not_make_small_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("romaine.bulk.embedding._TEXTS_PER_STEP", 3)
    monkeypatch.setattr("romaine.bulk.parquet._ROWS_OF_GROUP", 9)
    given = [Record(text=f"turn {n}", id=n) for n in range(20)]
    embed_to_file(Embedder(dim=64), given, tmp_path / "out.parquet")
    assert [rows for rows, _ in row_groups(tmp_path / "out.parquet")] == [9, 9, 2]


@pytest.mark.parametrize("ids", [[1, "a"], ["a", 1], [[1], [2]], [1 << 70, 2], [True, None], ["a", "\ud800"]])
@pytest.mark.parametrize("together", [True, False])
def test_ids_are_of_one_kind(
    tmp_path: Path, ids: list[object], together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("romaine.bulk.embedding._TEXTS_PER_STEP", 2 if together else 1)
    with pytest.raises(InputFileError, match="all integers of 64 bits or all strings"):
        embed_to_file(Embedder(), [Record(text="a", id=each) for each in ids], tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_the_command_reads_and_writes_it(tmp_path: Path) -> None:
    written(tmp_path / "in.parquet", mes=["the key", "the lantern"], id=[7, 9])
    command = [
        "-m",
        "romaine",
        "embed",
        "in.parquet",
        "--field",
        "mes",
        "--out",
        "out.parquet",
        "--dim",
        "64",
    ]
    subprocess.run([sys.executable, *command], cwd=tmp_path, check=True, capture_output=True)
    table = pq.read_table(tmp_path / "out.parquet")
    assert table["id"].to_pylist() == [7, 9]
    want = Embedder(dim=64).embed_documents(["the key", "the lantern"])
    np.testing.assert_array_equal(np.array(table["embedding"].to_pylist(), dtype=np.float32), want)


def test_without_pyarrow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from romaine.errors import MissingExtraError\n"
        "try: import romaine.bulk.parquet\n"
        "except MissingExtraError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said.strip() == "Parquet needs: pip install 'romaine[parquet]'"
