"""`embed_dataset`: a column of vectors for a `ray.data.Dataset`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from romaine.bulk import Steps
from romaine.bulk.files import npy_rows
from romaine.checks import positive_int
from romaine.embedder import DEFAULT_MODEL, Embedder
from romaine.errors import OptionError
from romaine.options import explains

if TYPE_CHECKING:
    from ray.data import Dataset


@explains
def embed_dataset(
    dataset: Dataset,
    *,
    model: str | Path | Embedder = DEFAULT_MODEL,
    dim: int | None = None,
    role: str = "document",
    field: str = "text",
    column: str = "embedding",
    concurrency: int | tuple[int, int] | None = None,
    num_cpus: float = 1,
    num_gpus: float = 0,
    rows_per_batch: int = 2048,
) -> Dataset:
    """Adds a column with the vectors of a column of texts. Lazily: nothing runs before rows are asked for.

    Each actor loads the model once. A folder given as `model` must be there on all nodes.

    Args:
        dataset: Any `ray.data.Dataset`.
        model: A model's name or folder, or an `Embedder` with further options, which is loaded anew there.
        dim: Matryoshka dimension of the vectors; None for the embedder's, or all of it.
        role: "document" or "query".
        field: The column of the texts.
        column: The name of the new column, a list of fixed size in the embedder's precision.
        concurrency: How many actors at most, or the least and the most; None for what there is room for.
        num_cpus: Cores that each actor takes, and threads that it runs.
        num_gpus: GPUs that each actor takes; for models whose embedder has `device="cuda"`.
        rows_per_batch: Rows embedded at a time.

    Returns:
        The dataset with one more column.

    Raises:
        OptionError: If an option is not allowed.
        ModelError: If the model cannot be found or loaded here.
    """
    positive_int("rows_per_batch", rows_per_batch)
    if column == field:
        raise OptionError(f"column={column!r} is the column of the texts; give the vectors another name")
    from romaine.distributed.cluster import our_errors

    steps = Steps(embedder=embedder_of(model, dim), role=role, rows=npy_rows)
    with our_errors():
        return dataset.map_batches(
            DatasetActor,
            fn_constructor_args=(steps, num_cpus, field, column),
            batch_format="pyarrow",
            batch_size=rows_per_batch,
            **actor_pool(concurrency, num_cpus=num_cpus, num_gpus=num_gpus),
        )


class DatasetActor:
    """Has a model and embeds batches of rows."""

    def __init__(self, steps: Steps, num_cpus: float, field: str, column: str) -> None:
        self._steps, self._field, self._column = steps.on_threads(max(1, int(num_cpus))), field, column

    def __call__(self, table: Any) -> Any:
        """A `pyarrow.Table` with one more column."""
        from romaine.bulk.parquet import texts_of, with_vectors

        vectors = self._steps.vectors(texts_of(table, self._field))
        return with_vectors(table, self._column, vectors)


def embedder_of(model: str | Path | Embedder, dim: int | None) -> Embedder:
    """The embedder meant, its model found and its options checked."""
    if not isinstance(model, Embedder):
        return Embedder(model, dim=dim).warm_up()
    return (model if dim is None else model.with_dim(dim)).warm_up()


def actor_pool(
    concurrency: int | tuple[int, int] | None, *, num_cpus: float, num_gpus: float
) -> dict[str, Any]:
    """How Ray Data is to run actors.

    Raises:
        OptionError: If a number is not allowed.
    """
    for name, value, least in (("num_cpus", num_cpus, 0.0), ("num_gpus", num_gpus, 0.0)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value < 1e6:
            raise OptionError(f"{name}={value!r} is not allowed: it must be a number of at least 0")
    if isinstance(concurrency, tuple):
        for number in concurrency:
            positive_int("concurrency", number)
    elif concurrency is not None:
        # one is enough to go on with where others were lost
        concurrency = (1, positive_int("concurrency", concurrency))
    from ray.data import ActorPoolStrategy

    if concurrency is None:
        from romaine.distributed.cluster import cores

        concurrency = 1, max(1, int(cores() // max(num_cpus, 1)))
    least, most = concurrency
    strategy = ActorPoolStrategy(min_size=least, max_size=most)
    return {"compute": strategy, "num_cpus": num_cpus, "num_gpus": num_gpus or None}
