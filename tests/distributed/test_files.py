from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from romaine import Embedder
from romaine.distributed import embed_files


def rows(folder: Path) -> tuple[list[object], np.ndarray]:
    table = pq.read_table(folder)
    return table["id"].to_pylist(), np.array(table["embedding"].to_pylist(), dtype=np.float32)


def test_a_node_that_is_killed_loses_nothing_and_doubles_nothing(cluster, lines, tmp_path: Path) -> None:
    texts, out = lines(20_000), tmp_path / "out.parquet"
    done: list[int] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            embed_files(tmp_path / "in", out, dim=64, partition_bytes=16 << 10, on_progress=done.append)
        except BaseException as error:
            failed.append(error)

    running = threading.Thread(target=run)
    running.start()
    while len(done) < 6 and running.is_alive():
        time.sleep(0.01)
    cluster.remove_node(sorted(cluster.worker_nodes, key=str)[0], allow_graceful=False)
    at_the_kill = len(done)
    running.join(timeout=110)
    assert not running.is_alive()
    assert failed == []
    manifest = json.loads((out / "_manifest.json").read_text())
    assert at_the_kill < len(manifest["partitions"])
    ids, vectors = rows(out)
    assert ids == list(range(len(texts)))
    assert vectors.tobytes() == Embedder(dim=64).embed_documents(texts).tobytes()
    assert manifest["complete"]
    assert sum(done) == len(texts)
    assert not [path for path in out.iterdir() if path.name.startswith("_writing")]
    cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
    cluster.wait_for_nodes()
