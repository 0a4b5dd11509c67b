from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from romaine import Embedder
from romaine.bulk import Record, Steps
from romaine.bulk.files import npy_rows
from romaine.errors import TextTooLongError, WorkerError


def records(count: int) -> list[Record]:
    return [Record(text=f"turn number {n}", id=n) for n in range(count)]


def one_per_turn(records, vectors) -> bytes:
    """Each worker says who it is."""
    time.sleep(0.2)  # so that none does all of it before the others are there
    return str(os.getpid()).encode()


def killed(records, vectors) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


@pytest.fixture
def small_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("romaine.bulk.embedding._TEXTS_PER_JOB", 16)


@pytest.mark.usefixtures("small_jobs")
def test_processes_of_their_own_give_the_same_bits_in_order() -> None:
    embedder = Embedder(dim=64)
    steps = Steps(embedder=embedder, role="document", rows=npy_rows)
    got = list(steps.run(records(500), workers=2))
    assert [record.id for batch, _ in got for record in batch] == list(range(500))
    want = embedder.embed_documents([record.text for record in records(500)])
    assert b"".join(rows for _, rows in got) == want.tobytes()
    who = Steps(embedder=embedder, role="document", rows=one_per_turn).run(records(300), workers=2)
    pids = {int(rows) for _, rows in who}
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.usefixtures("small_jobs")
def test_a_worker_that_is_killed_is_an_error_of_ours() -> None:
    steps = Steps(embedder=Embedder(dim=64), role="document", rows=killed)
    with pytest.raises(WorkerError, match="--workers"):
        list(steps.run(records(100), workers=2))


@pytest.mark.usefixtures("small_jobs")
def test_an_error_of_the_model_comes_through(minilm_int8_folder: Path) -> None:
    embedder = Embedder(minilm_int8_folder, truncate="error")
    steps = Steps(embedder=embedder, role="document", rows=npy_rows)
    with pytest.raises(TextTooLongError):
        list(steps.run([Record(text="key " * 999, id=0)], workers=2))


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
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
