"""Parquet in and out. The only file that imports pyarrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from romaine.bulk.records import Block, Record
from romaine.errors import InputFileError, MissingExtraError, one_line
from romaine.processes import Bytes, Place

try:
    import pyarrow as pa
    from pyarrow import ipc, types
    from pyarrow import parquet as pq
except ImportError:
    raise MissingExtraError("Parquet", "parquet") from None

_ROWS_READ = 8192
_ROWS_OF_GROUP = 8192
_OTHER_IDS = (
    "Parquet needs ids that are all integers of 64 bits or all strings; the input has others. Write JSONL, or"
    " give all texts ids of one kind."
)


def read_parquet(
    source: str | Path | IO[bytes],
    *,
    field: str = "text",
    groups: Sequence[int] | None = None,
    first: int = 0,
) -> Iterator[Record]:
    """Reads the column `field`, and the column "id" if there is one, a few thousand rows at a time.

    Args:
        source: A file, or one that is open.
        field: The column of the texts.
        groups: The row groups to read; all of them if not given.
        first: Number of the first row that is read.

    Raises:
        InputFileError: If it is no Parquet file, has no such column of strings, or a row has no text or an id
            that is neither an int nor a str; with its number, counted from 0.
    """
    for batch in _batches(source, field, rows=_ROWS_READ, groups=groups):
        yield from records_of(batch, field, first_row=first, where=_name(source))
        first += batch.num_rows


class ParquetTexts:
    """The column `field` of a Parquet file, and its column "id" if there is one. Errors as `read_parquet`."""

    def __init__(self, path: Path, *, field: str = "text") -> None:
        self._path, self._field = path, field

    def blocks(self, rows: int) -> Iterator[Block]:
        """As `romaine.bulk.records.Input.blocks`."""
        first = 0
        for batch in _batches(self._path, self._field, rows=rows):
            # as bytes: a batch takes along to other processes all the rows that it was cut from
            read = partial(_records_in, bytes(_stream_of(batch)), self._field, first, str(self._path))
            yield Block(rows=batch.num_rows, read=read)
            first += batch.num_rows


def _batches(
    source: str | Path | IO[bytes], field: str, *, rows: int, groups: Sequence[int] | None = None
) -> Iterator[Any]:
    with _our_errors(source), pq.ParquetFile(source) as file:
        columns = check_columns(file.schema_arrow, field, where=_name(source))
        yield from file.iter_batches(rows, row_groups=groups, columns=columns)


def _records_in(stream: bytes, field: str, first: int, where: str) -> Iterator[Record]:
    return records_of(ipc.open_stream(stream).read_all(), field, first_row=first, where=where)


def _stream_of(table: Any) -> memoryview:
    """A table or batch as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, table.schema) as writer:
        writer.write(table)
    return memoryview(sink.getvalue())


def row_groups(source: str | Path | IO[bytes]) -> list[tuple[int, int]]:
    """Rows of each row group, and bytes of its texts and all else, uncompressed.

    Raises:
        InputFileError: If it is no Parquet file.
    """
    with _our_errors(source), pq.ParquetFile(source) as file:
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        return [(group.num_rows, group.total_byte_size) for group in groups]


def check_columns(schema: Any, field: str, *, where: str) -> list[str]:
    """The columns to be read of a table of this `pyarrow.Schema`.

    Raises:
        InputFileError: If `field` is not there or holds no strings.
    """
    if field not in schema.names:
        raise InputFileError(
            f"{where} has no column {field!r}; name one with --field:"
            f" {', '.join(map(repr, schema.names[:20]))}"
        )
    kind = schema.field(field).type
    if not _is_text(kind.value_type if types.is_dictionary(kind) else kind):
        raise InputFileError(f"{where}: column {field!r} holds {kind}, not strings")
    return [field, "id"] if "id" in schema.names and field != "id" else [field]


def records_of(batch: Any, field: str, *, first_row: int, where: str) -> Iterator[Record]:
    """The rows of a `pyarrow.RecordBatch` or table with the columns that `check_columns` named.

    Raises:
        InputFileError: As `read_parquet`.
    """
    try:
        texts = batch.column(field).to_pylist()
    except UnicodeDecodeError:
        raise InputFileError(f"{where}: a text after row {first_row} is not UTF-8") from None
    has_ids = "id" in batch.schema.names and field != "id"
    ids = batch.column("id").to_pylist() if has_ids else range(first_row, first_row + len(texts))
    for row, (text, id_) in enumerate(zip(texts, ids, strict=True), first_row):
        if text is None:
            raise InputFileError(f"{where}: row {row} has no text in column {field!r}")
        if isinstance(id_, bool) or not isinstance(id_, (int, str)):
            raise InputFileError(f"{where}: row {row} has an id that is {type(id_).__name__}, not int or str")
        yield Record(text=text, id=id_)


def table_of(ids: Sequence[Any], vectors: NDArray[Any]) -> Any:
    """A `pyarrow.Table` of "id" (int64 or string) and "embedding" (a list of fixed size), one row a vector.

    Raises:
        InputFileError: If ids are not all int or all str.
    """
    kind = pa.string() if ids and isinstance(ids[0], str) else pa.int64()
    try:
        column = pa.array(ids, type=kind)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        raise InputFileError(_OTHER_IDS) from None
    return pa.table({"id": column, "embedding": _lists(vectors)})


def parquet_rows(records: list[Record], vectors: NDArray[Any]) -> memoryview:
    """Rows as one Arrow stream. Such streams can be appended to a file, which Parquet cannot."""
    return _stream_of(table_of([record.id for record in records], vectors))


class ParquetRows:
    """Arrow streams in a file to go on from, and the Parquet file that is made of them meanwhile."""

    def __init__(self, path: Path, sample: NDArray[Any]) -> None:
        self._path, self._written = path, path.with_name(path.name + ".parquet")
        self._groups = _RowGroups(self._written, table_of([], sample))
        self.rows = whole = 0
        self._file = path.open("a+b")
        self._file.seek(0)
        try:
            for table in _streams(self._file):
                self._groups.add(table)
                self.rows, whole = self.rows + table.num_rows, self._file.tell()
        except (pa.ArrowException, OSError):
            self._file.truncate(whole)  # the interrupted run was in the middle of it

    def place(self, rows: int) -> Place | None:
        """Nowhere: how long a stream is is known when it is there."""
        del rows
        return None

    def append(self, data: Bytes | None, rows: int) -> None:
        """Adds a stream.

        Raises:
            InputFileError: If its ids are of another kind than those of the others.
        """
        self._groups.add(ipc.open_stream(data).read_all())
        self._file.write(data or b"")
        self.rows += rows

    def finish(self, out: Path) -> None:
        """Names the Parquet file."""
        self._groups.finish()
        self._file.close()
        self._written.replace(out)
        self._path.unlink()

    def close(self) -> None:
        """Leaves nothing but the streams."""
        self._file.close()
        self._groups.close()
        self._written.unlink(missing_ok=True)


def write_parquet(file: IO[bytes], streams: Iterable[Bytes], sample: NDArray[Any]) -> None:
    """Writes what `parquet_rows` gave as one Parquet file.

    Args:
        file: Where.
        streams: The rows.
        sample: Vectors as they come, (0, columns).

    Raises:
        InputFileError: If ids of one stream are of another kind than those of the others.
    """
    groups = _RowGroups(file, table_of([], sample))
    try:
        for stream in streams:
            groups.add(ipc.open_stream(stream).read_all())
        groups.finish()
    finally:
        groups.close()


class _RowGroups:
    """A Parquet file of tables, a few thousand rows a group."""

    def __init__(self, where: Path | IO[bytes], empty: Any) -> None:
        self._where, self._empty = where, empty
        self._waiting: list[Any] = []
        self._writer: Any = None

    def add(self, table: Any) -> None:
        self._writer = self._writer or pq.ParquetWriter(
            self._where, table.schema, use_dictionary=False, write_statistics=["id"]
        )
        if table.schema != self._writer.schema:
            raise InputFileError(_OTHER_IDS)
        self._waiting.append(table)
        if sum(each.num_rows for each in self._waiting) >= _ROWS_OF_GROUP:
            self._write()

    def finish(self) -> None:
        if self._writer is None:
            self.add(self._empty)
        self._write()
        self._writer.close()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _write(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting))
            self._waiting = []


def texts_of(table: Any, field: str) -> list[str]:
    """The texts in a column of a `pyarrow.Table`.

    Raises:
        InputFileError: If there is no such column of strings, or a row has no text.
    """
    check_columns(table.schema, field, where="the dataset")
    return [
        record.text for record in records_of(table.select([field]), field, first_row=0, where="the dataset")
    ]


def with_vectors(table: Any, column: str, vectors: NDArray[Any]) -> Any:
    """A table and its rows' vectors, a list of fixed size each, in one more column."""
    return table.append_column(column, _lists(vectors))


def _lists(vectors: NDArray[Any]) -> Any:
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])


def _streams(file: IO[bytes]) -> Iterator[Any]:
    """The tables of all streams of a file; a torn one raises what pyarrow says."""
    while file.peek(1):  # type: ignore[attr-defined]
        yield ipc.open_stream(_Kept(file)).read_all()


class _Kept:
    """A file that stays open when pyarrow has read what it wanted of it."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self.read = file.read
        self.tell = file.tell

    def close(self) -> None:
        """Does nothing."""


def _is_text(kind: Any) -> bool:
    return any(check(kind) for check in (types.is_string, types.is_large_string, types.is_string_view))


@contextmanager
def _our_errors(source: str | Path | IO[bytes]) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InputFileError(f"{_name(source)} cannot be read as Parquet ({one_line(error)})") from None


def _name(source: str | Path | IO[bytes]) -> str:
    return str(source) if isinstance(source, (str, Path)) else str(getattr(source, "path", "the input"))
