"""Parquet in and out. The only file that imports pyarrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from romaine.bulk.records import Record
from romaine.errors import InputFileError, MissingExtraError, one_line

try:
    import pyarrow as pa
    from pyarrow import ipc, types
    from pyarrow import parquet as pq
except ImportError:
    raise MissingExtraError("Parquet", "parquet") from None

_ROWS_READ = 8192
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
    with _our_errors(source), pq.ParquetFile(source) as file:
        where, row = _name(source), first
        columns = check_columns(file.schema_arrow, field, where=where)
        for batch in file.iter_batches(_ROWS_READ, row_groups=groups, columns=columns):
            yield from records_of(batch, field, first_row=row, where=where)
            row += batch.num_rows


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


def parquet_rows(records: list[Record], vectors: NDArray[Any]) -> bytes:
    """Rows as one Arrow stream. Such streams can be appended to a file, which Parquet cannot."""
    table = table_of([record.id for record in records], vectors)
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


class ParquetRows:
    """Arrow streams in a file, which becomes Parquet when all are there."""

    def __init__(self, path: Path, sample: NDArray[Any]) -> None:
        self._path, self._empty = path, table_of([], sample)
        self.rows = whole = 0
        self._file = path.open("a+b")
        self._file.seek(0)
        try:
            for table in _streams(self._file):
                self.rows, whole = self.rows + table.num_rows, self._file.tell()
        except (pa.ArrowException, OSError):
            self._file.truncate(whole)  # the interrupted run was in the middle of it

    def append(self, data: bytes, rows: int) -> None:
        """Adds a stream."""
        self._file.write(data)
        self.rows += rows

    def close(self) -> None:
        """Closes it."""
        self._file.close()

    def finish(self, out: Path) -> None:
        """Writes `out`, a row group a stream.

        Raises:
            InputFileError: If ids of one stream are of another kind than those of the others.
        """
        written = out.with_name(out.name + ".part.parquet")
        try:
            with self._path.open("rb") as file:
                _write(written, _streams(file), self._empty)
            written.replace(out)
        finally:
            written.unlink(missing_ok=True)
        self._path.unlink()


def write_parquet(file: IO[bytes], streams: Iterable[bytes], sample: NDArray[Any]) -> None:
    """Writes what `parquet_rows` gave as one Parquet file, a row group each.

    Args:
        file: Where.
        streams: The rows.
        sample: Vectors as they come, (0, columns).

    Raises:
        InputFileError: If ids of one stream are of another kind than those of the others.
    """
    _write(file, (ipc.open_stream(stream).read_all() for stream in streams), table_of([], sample))


def _write(where: Any, tables: Iterator[Any], empty: Any) -> None:
    first = next(tables, empty)
    with pq.ParquetWriter(where, first.schema, use_dictionary=False) as writer:
        for table in chain([first], tables):
            if table.schema != first.schema:
                raise InputFileError(_OTHER_IDS)
            writer.write_table(table)


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
