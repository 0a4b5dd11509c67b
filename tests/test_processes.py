from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from romaine import Embedder
from romaine.bulk import Record, Steps
from romaine.bulk.files import npy_rows
from romaine.errors import TextTooLongError, WorkerError
from romaine.processes import Place, cores_of_each, in_processes


def who(thing: int) -> list[bytes]:
    time.sleep(0.05)  # so that none does all of it before the others are there
    return [f"{thing} ".encode(), str(os.getpid()).encode()]


def killed(_thing: int) -> list[bytes]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def test_results_come_in_order_from_several_processes() -> None:
    things = ((n, None) for n in range(40))
    got = [made.read(size).decode().split() for made, size in in_processes(who, things, workers=2)]
    assert [int(thing) for thing, _ in got] == list(range(40))
    pids = {int(pid) for _, pid in got}
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_what_has_a_place_is_put_there(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"....................")

    def things() -> Iterator[tuple[int, Place | None]]:
        yield 7, Place(path=path, begin=10)
        yield 8, None
        yield 9, Place(path=path)

    made = [place.read(size) for place, size in in_processes(str_of, things(), workers=2)]
    assert made == [b"<7>", b"<8>", b"<9>"]
    assert path.read_bytes() == b"<9>.......<7>......."


def test_shorter_results_come_without_what_was_there_before() -> None:
    things = [(n, None) for n in (10**12, *range(20), 10**9)]
    made = [place.read(size) for place, size in in_processes(str_of, things, workers=2)]
    assert made == [b"<%d>" % thing for thing, _ in things]


def str_of(thing: int) -> list[bytes]:
    return [f"<{thing}>".encode()]


def test_the_cores_are_shared() -> None:
    assert cores_of_each(1) == os.cpu_count()
    assert cores_of_each(10_000) == 1


def test_a_process_that_is_killed_is_an_error_of_ours() -> None:
    with pytest.raises(WorkerError, match="fewer workers"):
        list(in_processes(killed, ((n, None) for n in range(9)), workers=2))


def test_an_error_comes_through(minilm_int8_folder: Path) -> None:
    embedder = Embedder(minilm_int8_folder, truncate="error")
    steps = Steps(embedder=embedder, role="document", rows=npy_rows)
    with pytest.raises(TextTooLongError):
        list(steps.run([Record(text="key " * 999, id=0)], workers=2))


def test_they_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("the silver key\n" * 300_000)
    command = ["-m", "romaine", "embed", "texts.txt", "--out", "out.jsonl", "--workers", "2"]
    started = subprocess.Popen([sys.executable, *command], cwd=tmp_path, stderr=subprocess.DEVNULL)
    part = tmp_path / "out.jsonl.part"
    for _ in range(600):
        if part.exists() and part.stat().st_size:
            break
        time.sleep(0.1)
    family = psutil.Process(started.pid).children(recursive=True)
    assert len(family) >= 2
    started.kill()
    started.wait()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
