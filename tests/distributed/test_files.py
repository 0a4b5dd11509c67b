from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from romaine import Embedder
from romaine.cli import app
from romaine.distributed import embed_files
from romaine.errors import InputFileError, OptionError, UnknownNameError

SMALL = {"dim": 64, "partition_bytes": 16 << 10}


def rows(folder: Path) -> tuple[list[object], np.ndarray]:
    table = pq.read_table(folder)
    return table["id"].to_pylist(), np.array(table["embedding"].to_pylist(), dtype=np.float32)


def test_a_node_that_is_killed_loses_nothing_and_doubles_nothing(cluster, lines, tmp_path: Path) -> None:
    texts, out = lines(20_000), tmp_path / "out.parquet"
    done: list[int] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            embed_files(tmp_path / "in", out, **SMALL, concurrency=(3, 3), on_progress=done.append)
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


class InterruptionError(Exception):
    pass


def interrupted(after: int) -> Callable[[int], None]:
    """A caller that is lost when some partitions are done."""
    seen: list[int] = []

    def advance(rows: int) -> None:
        seen.append(rows)
        if len(seen) > after:
            raise InterruptionError

    return advance


def test_a_lost_run_is_gone_on_with(cluster, lines, tmp_path: Path) -> None:
    texts, out = lines(3000), tmp_path / "out.parquet"
    with pytest.raises(InterruptionError):
        embed_files(tmp_path / "in", out, **SMALL, on_progress=interrupted(3))
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir() if path.name.startswith("part-")}
    assert 3 <= len(before) < 14
    (out / "_writing-0123-part-000013.parquet").write_bytes(b"PAR1 half of")
    with pytest.raises(OptionError, match="--resume"):
        embed_files(tmp_path / "in", out, **SMALL)
    with pytest.raises(OptionError, match="same settings"):
        embed_files(tmp_path / "in", out, **SMALL | {"dim": 128}, resume=True)
    done: list[int] = []
    assert embed_files(tmp_path / "in", out, **SMALL, resume=True, on_progress=done.append) == 3000
    assert done[0] > 0
    assert sum(done) == 3000
    assert all((out / name).stat().st_mtime_ns == when for name, when in before.items())
    ids, vectors = rows(out)
    assert ids == list(range(3000))
    assert vectors.tobytes() == Embedder(dim=64).embed_documents(texts).tobytes()
    with (tmp_path / "in" / "texts.txt").open("a") as file:
        file.write("one more")
    with pytest.raises(InputFileError, match="not what it was"):
        embed_files(tmp_path / "in", out, **SMALL, resume=True)


def test_onnx_vectors_are_those_of_one_machine(
    cluster, lines, tmp_path: Path, minilm_int8_folder: Path
) -> None:
    texts = lines(60)
    embedder = Embedder(minilm_int8_folder)
    embed_files((tmp_path / "in").as_uri(), (tmp_path / "out.parquet").as_uri(), model=embedder)
    ids, vectors = rows(tmp_path / "out.parquet")
    assert ids == list(range(60))
    np.testing.assert_allclose(vectors, embedder.embed_documents(texts), atol=1e-6)


def test_jsonl_in_and_out_by_the_command(cluster, tmp_path: Path) -> None:
    texts = ["the key", "the lantern", "soup"]
    lines = [json.dumps({"mes": text, "id": f"t{n}"}) for n, text in enumerate(texts)]
    (tmp_path / "in.jsonl").write_text("\n\n".join(lines))
    options = ["--field", "mes", "--out", str(tmp_path / "out.jsonl"), "--dim", "64", "--workers", "1"]
    ran = CliRunner().invoke(app, ["embed", str(tmp_path / "in.jsonl"), *options, "--engine", "ray"])
    assert ran.exit_code == 0, ran.output
    (part,) = (tmp_path / "out.jsonl").glob("part-*")
    made = [json.loads(line) for line in part.read_text().splitlines()]
    assert [each["id"] for each in made] == ["t0", "t1", "t2"]
    vectors = np.array([each["embedding"] for each in made], dtype=np.float32)
    assert vectors.tobytes() == Embedder(dim=64).embed_documents(texts).tobytes()


def test_errors_on_a_node_are_ours_and_quote_no_text(cluster, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "fine"}\n{"secret": "hello"}\n')
    with pytest.raises(InputFileError, match=r"in.jsonl: line 2 has no text") as caught:
        embed_files(tmp_path / "in.jsonl", tmp_path / "out.parquet")
    assert "hello" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"out": "out.npy"}, OptionError, r"\.parquet, \.jsonl"),
        ({"format": "csv"}, UnknownNameError, "'lines', 'jsonl', 'parquet'"),
        ({"role": "passage"}, UnknownNameError, "'document', 'query'"),
        ({"partition_bytes": 0}, OptionError, "partition_bytes=0"),
        ({"source": "nothing.txt"}, InputFileError, "nothing.txt is not there"),
        ({"source": "s4://bucket/texts"}, InputFileError, "Protocol not known: s4"),
    ],
)
def test_what_is_not_allowed_is_said_before_a_cluster_is_asked(
    tmp_path: Path, options: dict[str, object], error: type[Exception], message: str
) -> None:
    (tmp_path / "in.txt").write_text("the key\n")
    given = {"source": tmp_path / "in.txt", "out": tmp_path / "out.parquet"} | options
    with pytest.raises(error, match=message):
        embed_files(**given)


def test_a_cluster_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="make test-ray has it")
    code = (
        "import sys; from romaine.distributed import embed_files; from romaine.errors import WorkerError\n"
        "try: embed_files(sys.argv[1], sys.argv[2], address='nowhere')\n"
        "except WorkerError as error: print(error)"
    )
    (tmp_path / "in.txt").write_text("the key\n")
    command = [sys.executable, "-c", code, str(tmp_path / "in.txt"), str(tmp_path / "out.parquet")]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert said.stdout.startswith("Ray failed with "), said.stderr
