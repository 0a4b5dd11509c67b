"""A Ray cluster of three nodes, each a set of processes of its own, on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.enable_socket)  # nodes speak to each other over loopback
            item.add_marker(pytest.mark.filterwarnings("ignore"))  # those of Ray and what it imports


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Three nodes of one core each, and a head without any."""
    pytest.importorskip("ray", reason="make test-ray has it")
    import ray.data
    from ray.cluster_utils import Cluster

    started = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": 100 << 20},
    )
    for _ in range(3):
        started.add_node(num_cpus=1, object_store_memory=100 << 20)
    started.wait_for_nodes()
    ray.init(address=started.address, log_to_driver=False)
    yield started
    ray.shutdown()
    started.shutdown()


@pytest.fixture
def ray_data(cluster: Any) -> Any:
    """`ray.data` on it."""
    return sys.modules["ray.data"]


@pytest.fixture
def lines(tmp_path: Path) -> Callable[[int], list[str]]:
    """Writes a folder with a file of lines, and gives the lines."""

    def write(count: int) -> list[str]:
        texts = [f"turn {n}: the key {'and the lantern ' * (n % 7)}word{n * 7919}" for n in range(count)]
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "texts.txt").write_text("".join(text + "\n" for text in texts))
        return texts

    return write
