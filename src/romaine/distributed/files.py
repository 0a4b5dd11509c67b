"""`embed_files`: files into a folder of part files, partition by partition, on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from romaine import errors
from romaine.bulk import Steps
from romaine.bulk.files import rows_of_format
from romaine.checks import positive_int
from romaine.distributed.dataset import actor_pool, embedder_of
from romaine.distributed.manifest import Manifest
from romaine.distributed.partitions import (
    Partition,
    count_rows,
    file_system,
    partitions_of,
    read_partition,
)
from romaine.embedder import DEFAULT_MODEL, Embedder
from romaine.errors import InputFileError, OptionError, RomaineError, UnknownNameError, WorkerError
from romaine.options import explains
from romaine.processes import Bytes

FORMATS = ("auto", "lines", "jsonl", "parquet")
_OUT = (".parquet", ".jsonl")


@explains
def embed_files(
    source: str | Path,
    out: str | Path,
    *,
    model: str | Path | Embedder = DEFAULT_MODEL,
    dim: int | None = None,
    role: str = "document",
    format: str = "auto",  # noqa: A002
    field: str = "text",
    address: str | None = None,
    concurrency: int | tuple[int, int] | None = None,
    num_cpus: float = 1,
    num_gpus: float = 0,
    partition_bytes: int = 8 << 20,
    resume: bool = False,
    overwrite: bool = False,
    on_progress: Callable[[int], None] = lambda _rows: None,
) -> int:
    """Embeds a file or a folder of files into a folder of part files, each partition of the input into one.

    A part file has its name once all of it is there, and a partition that has one is not done again, neither
    after a lost node nor by a later run with `resume`. What each is of stands in `_manifest.json`.

    Args:
        source: A file or folder of texts: a path or an address that fsspec knows, such as "s3://bucket/texts".
        out: A folder, ending in .parquet or .jsonl: a path or such an address. All nodes must reach both.
        model: A model's name or folder, or an `Embedder` with further options, which is loaded anew there.
        dim: Matryoshka dimension of the vectors; None for the embedder's, or all of it.
        role: "document" or "query".
        format: "lines", "jsonl", "parquet", or "auto" to go by the endings of the files.
        field: Where the text stands: a key of JSON, a column of Parquet.
        address: Of the cluster, "auto", "host:port" or "ray://host:port"; None for one on this machine only,
            unless this process is connected to one.
        concurrency: How many actors at most, or the least and the most; None for what there is room for.
        num_cpus: Cores that each actor takes, and threads that it runs.
        num_gpus: GPUs that each actor takes; for models whose embedder has `device="cuda"`.
        partition_bytes: Bytes of input for a part file, more or less.
        resume: Go on with what is in `out`.
        overwrite: Replace what is in `out`.
        on_progress: Called with the number of rows of each partition, those done before included.

    Returns:
        Rows in `out`.

    Raises:
        OptionError: If an option is not allowed, something is in `out`, or it was begun with other settings.
        InputFileError: If the input is not there, cannot be used, or is not what it was when `out` was begun.
        ModelError: If the model cannot be found or loaded here.
        WorkerError: If the cluster is lost; what is done is kept.
    """
    source, out = _address(source), _address(out)
    suffix = "." + out.rstrip("/").rpartition(".")[2]
    if suffix not in _OUT:
        raise OptionError(f"{out}: a cluster writes a folder whose name ends in one of {', '.join(_OUT)}")
    if format not in FORMATS:
        raise UnknownNameError("format", format, FORMATS)
    positive_int("partition_bytes", partition_bytes)
    embedder = embedder_of(model, dim)
    steps = Steps(embedder=embedder, role=role, rows=rows_of_format(suffix))
    settings = {
        "fingerprint": embedder.fingerprint,
        "dim": embedder.dim,
        "precision": embedder.precision.value,
        "role": role,
        "field": field,
        "suffix": suffix,
        "partition_bytes": partition_bytes,
    }
    with file_system(source) as (inputs, path), file_system(out) as (outputs, folder):
        cuts = partitions_of(inputs, path, format_=format, size=partition_bytes)
        manifest = Manifest(outputs, folder, settings)
        known = manifest.begin(cuts, resume=resume, overwrite=overwrite)
        from romaine.distributed.cluster import connected

        with connected(address):
            pool = actor_pool(concurrency, num_cpus=num_cpus, num_gpus=num_gpus)
            if known is None:
                known = _numbered(cuts, inputs) if cuts else []
                manifest.write(known)
            done = manifest.done()
            on_progress(sum(known[number].rows for number in done))
            left = [number for number in range(len(known)) if number not in done]
            if left:
                made = _jobs(left).map_batches(
                    PartitionActor,
                    fn_constructor_args=(steps, known, inputs, manifest, num_cpus),
                    batch_size=1,
                    batch_format="numpy",
                    **pool,
                )
                for row in _rows(made):
                    if row["error"]:
                        raise _error(str(row["error"]), str(row["said"]))
                    on_progress(int(row["rows"]))
        manifest.finish(known)
    return sum(partition.rows for partition in known)


class PartitionActor:
    """Has a model and embeds partitions, each into its file."""

    def __init__(
        self, steps: Steps, partitions: Sequence[Partition], inputs: Any, manifest: Manifest, num_cpus: float
    ) -> None:
        self._steps = steps.on_threads(max(1, int(num_cpus)))
        self._partitions, self._inputs, self._manifest = partitions, inputs, manifest

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Does the partition of this number and says how many rows it has, or what was wrong.

        An error is returned, not raised: Ray would try again, write it into its logs and lose its class.
        """
        try:
            return {
                "rows": [self._embed(int(number)) for number in batch["number"]],
                "error": [""],
                "said": [""],
            }
        except RomaineError as error:
            return {"rows": [0], "error": [type(error).__name__], "said": [str(error)]}

    def _embed(self, number: int) -> int:
        partition, steps = self._partitions[number], self._steps
        records = read_partition(self._inputs, partition, field=str(self._manifest.settings["field"]))
        count = 0

        def rows() -> Iterator[Bytes]:
            nonlocal count
            for texts, made in steps.run(records, workers=1):
                count += texts
                yield made or b""

        name = self._manifest.part(number)
        with self._manifest.new_file(name) as file:
            if name.endswith(".parquet"):
                from romaine.bulk.parquet import write_parquet

                write_parquet(file, rows(), steps.vectors([]))
            else:
                file.writelines(rows())
            if count != partition.rows:
                raise InputFileError(f"{partition.path} has changed since the run began; pass --overwrite")
        return count


def _numbered(cuts: Sequence[Partition], inputs: Any) -> list[Partition]:
    """The partitions with the numbers of their rows, counted on the cluster."""
    counts = {}
    jobs = _jobs(range(len(cuts))).map_batches(
        _count, fn_args=(cuts, inputs), batch_size=1, batch_format="numpy"
    )
    for row in _rows(jobs):
        counts[int(row["number"])] = int(row["lines"]), int(row["texts"])
    firsts = accumulate((counts[number][0] for number in range(len(cuts))), initial=0)
    return [
        replace(cut, first=first, rows=counts[number][1])
        for number, (cut, first) in enumerate(zip(cuts, firsts, strict=False))
    ]


def _count(batch: dict[str, Any], cuts: Sequence[Partition], inputs: Any) -> dict[str, Any]:
    counts = [count_rows(inputs, cuts[int(number)]) for number in batch["number"]]
    lines, texts = zip(*counts, strict=True)
    return {"number": batch["number"], "lines": list(lines), "texts": list(texts)}


def _jobs(numbers: Sequence[int]) -> Any:
    """A dataset of one block a partition: what is lost with a node is no more than one."""
    import ray.data

    from romaine.distributed.cluster import our_errors

    with our_errors():
        return ray.data.from_items(
            [{"number": number} for number in numbers], override_num_blocks=len(numbers)
        )


def _rows(dataset: Any) -> Iterator[dict[str, Any]]:
    from romaine.distributed.cluster import our_errors

    with our_errors():
        rows = iter(dataset.iter_rows())
    while True:
        with our_errors():
            row = next(rows, None)
        if row is None:
            return
        yield row


def _error(name: str, said: str) -> RomaineError:
    """The error of a node, of its class where a message is all that the class needs."""
    kind = getattr(errors, name, WorkerError)
    return WorkerError(said) if "__init__" in vars(kind) else kind(said)


def _address(place: str | Path) -> str:
    """As the nodes understand it: they have other working directories."""
    return str(place) if "://" in str(place) else str(Path(place).absolute())
