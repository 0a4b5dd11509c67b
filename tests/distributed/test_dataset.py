from __future__ import annotations

import numpy as np
import pytest

from romaine import Embedder
from romaine.distributed import embed_dataset
from romaine.distributed.dataset import actor_pool
from romaine.errors import DimensionError, MisnamedOptionError, OptionError

TEXTS = [f"turn {n}: the key {'and the lantern ' * (n % 7)}" for n in range(300)]


def test_a_column_of_the_same_bits_as_on_one_machine(ray_data) -> None:
    dataset = ray_data.from_items(
        [{"n": n, "mes": text} for n, text in enumerate(TEXTS)], override_num_blocks=5
    )
    made = embed_dataset(dataset, dim=64, field="mes", column="vector", concurrency=2, rows_per_batch=32)
    rows = sorted(made.take_all(), key=lambda row: row["n"])
    assert [row["mes"] for row in rows] == TEXTS
    vectors = np.array([row["vector"] for row in rows], dtype=np.float32)
    assert vectors.tobytes() == Embedder(dim=64).embed_documents(TEXTS).tobytes()


def test_the_options_of_an_embedder_count(ray_data) -> None:
    embedder = Embedder(dim=64, precision="int8", query_prompt="ask: ")
    made = embed_dataset(ray_data.from_items([{"text": "the key"}]), model=embedder, role="query").take_all()
    assert np.array_equal(made[0]["embedding"], embedder.embed_query("the key"))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"dim": 1000}, DimensionError, "1000"),
        ({"column": "text"}, OptionError, "another name"),
        ({"concurrency": 0}, OptionError, "concurrency=0"),
        ({"num_gpus": -1}, OptionError, "num_gpus=-1"),
        ({"num_cpus": "two"}, OptionError, "num_cpus='two'"),
        ({"rows_per_batch": 0}, OptionError, "rows_per_batch=0"),
        ({"top_k": 3}, MisnamedOptionError, "no option top_k"),
    ],
)
def test_what_is_not_allowed(
    ray_data, options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        embed_dataset(ray_data.from_items([{"text": "a"}]), **options)


@pytest.mark.parametrize("row", [{"mes": "secret"}, {"mes": "secret", "text": 3}])
def test_rows_without_texts_are_named_and_not_quoted(ray_data, row: dict[str, object]) -> None:
    from ray.exceptions import RayError

    with pytest.raises(RayError, match="InputFileError: the dataset") as caught:
        embed_dataset(ray_data.from_items([row])).take_all()
    assert "secret" not in str(caught.value)


def test_gpus_are_passed_through(ray_data) -> None:
    pool = actor_pool((2, 4), num_cpus=2, num_gpus=0.5)
    assert (pool["compute"].min_size, pool["compute"].max_size) == (2, 4)
    assert (pool["num_cpus"], pool["num_gpus"]) == (2, 0.5)
