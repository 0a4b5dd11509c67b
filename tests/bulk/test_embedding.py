from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from romaine import Embedder
from romaine.bulk import Record, embed_to_file
from romaine.bulk.records import LineFile
from romaine.errors import InputFileError, OptionError, UnknownNameError


@pytest.fixture(scope="module")
def embedder(static_embedding_folder):
    return Embedder(static_embedding_folder, allow_untrained_dim=True)


@pytest.fixture
def small_steps(monkeypatch):
    monkeypatch.setattr("romaine.bulk.embedding._TEXTS_PER_STEP", 4)


def records(count):
    return [Record(text=f"turn number {n}", id=n) for n in range(count)]


def interrupted(count):
    """An input that breaks off, as a process that is killed does."""
    yield from records(count)
    raise KeyboardInterrupt


def rows(path):
    if path.suffix == ".npy":
        return np.load(path)
    if path.suffix == ".parquet":
        return np.array(pq.read_table(path)["embedding"].to_pylist(), dtype=np.float32)
    return np.array(
        [json.loads(line)["embedding"] for line in path.read_text().splitlines()], dtype=np.float32
    )


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("suffix", [".npy", ".jsonl", ".parquet"])
class TestFiles:
    def test_rows_are_the_vectors(self, embedder, tmp_path, suffix):
        out, steps = tmp_path / f"out{suffix}", []
        assert embed_to_file(embedder, records(10), out, on_progress=steps.append) == 10
        np.testing.assert_array_equal(rows(out), embedder.embed_documents([r.text for r in records(10)]))
        assert sum(steps) == 10
        assert [path.name for path in tmp_path.iterdir()] == [out.name]

    @pytest.mark.parametrize("torn_bytes", [0, 1, 37])
    def test_resuming_gives_the_same_file(self, embedder, tmp_path, suffix, torn_bytes):
        whole, out = tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}"
        embed_to_file(embedder, records(11), whole)
        with pytest.raises(KeyboardInterrupt):
            embed_to_file(embedder, interrupted(9), out)
        part = tmp_path / f"out{suffix}.part"
        part.write_bytes(part.read_bytes() + b"x" * torn_bytes)
        done = []
        assert embed_to_file(embedder, records(11), out, resume=True, on_progress=done.append) == 11
        assert done[0] == 8
        assert out.read_bytes() == whole.read_bytes()

    def test_an_unfinished_run_is_not_lost_by_accident(self, embedder, tmp_path, suffix):
        out = tmp_path / f"out{suffix}"
        with pytest.raises(KeyboardInterrupt):
            embed_to_file(embedder, interrupted(9), out)
        with pytest.raises(OptionError, match="--resume"):
            embed_to_file(embedder, records(9), out)
        assert embed_to_file(embedder, records(2), out, overwrite=True) == 2

    def test_other_settings_or_input_cannot_be_resumed(self, embedder, tmp_path, suffix):
        out = tmp_path / f"out{suffix}"
        with pytest.raises(KeyboardInterrupt):
            embed_to_file(embedder, interrupted(9), out)
        with pytest.raises(OptionError, match="same settings"):
            embed_to_file(embedder.with_dim(16), records(9), out, resume=True)
        with pytest.raises(InputFileError, match="another input"):
            embed_to_file(embedder, records(3), out, resume=True)

    def test_a_finished_file_is_not_replaced_by_accident(self, embedder, tmp_path, suffix):
        out = tmp_path / f"out{suffix}"
        embed_to_file(embedder, records(3), out)
        with pytest.raises(OptionError, match="--overwrite"):
            embed_to_file(embedder, records(3), out)

    def test_no_texts(self, embedder, tmp_path, suffix):
        out = tmp_path / f"out{suffix}"
        assert embed_to_file(embedder, [], out) == 0
        assert len(rows(out)) == 0


@pytest.mark.parametrize(
    ("precision", "dtype"), [("float16", np.float16), ("int8", np.int8), ("binary", np.uint8)]
)
def test_precisions_in_npy(static_embedding_folder, tmp_path, precision, dtype):
    embedder = Embedder(static_embedding_folder, precision=precision)
    embed_to_file(embedder, records(5), tmp_path / "out.npy")
    assert np.load(tmp_path / "out.npy").dtype == dtype


def test_unknown_ending_and_role(embedder, tmp_path):
    with pytest.raises(OptionError, match=r"'.csv'; .*\.npy, \.jsonl, \.parquet"):
        embed_to_file(embedder, records(1), tmp_path / "out.csv")
    with pytest.raises(UnknownNameError, match="'document', 'query'"):
        embed_to_file(embedder, records(1), tmp_path / "out.npy", role="passage")
    with pytest.raises(OptionError, match="workers=0"):
        embed_to_file(embedder, records(1), tmp_path / "out.npy", workers=0)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("suffix", [".npy", ".jsonl", ".parquet"])
def test_a_run_of_one_process_is_resumed_by_several(embedder, tmp_path, suffix):
    out, whole = tmp_path / f"out{suffix}", tmp_path / f"whole{suffix}"
    embed_to_file(embedder, records(40), whole)
    with pytest.raises(KeyboardInterrupt):
        embed_to_file(embedder, interrupted(9), out)
    assert embed_to_file(embedder, records(40), out, resume=True, workers=2) == 40
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([out.name, whole.name])


def test_workers_that_are_killed_leave_no_hole(tmp_path):
    """They put rows into the file themselves, some before those in front of them."""
    (tmp_path / "in.txt").write_text("".join(f"turn number {n}\n" for n in range(60_000)))
    command = [sys.executable, "-m", "romaine", "embed", "in.txt", "--dim", "64"]

    def run(out, *more):
        return subprocess.run(
            [*command, "--out", out, *more], cwd=tmp_path, check=True, capture_output=True, text=True
        )

    several = subprocess.Popen(
        [*command, "--out", "out.npy", "--workers", "3"], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    part = tmp_path / "out.npy.part"
    while several.poll() is None and not (part.exists() and rows_said(part)):
        time.sleep(0.01)
    several.kill()
    assert several.wait() == -signal.SIGKILL
    assert 0 < rows_said(part) < 60_000
    run("out.npy", "--resume", "--workers", "2")
    run("whole.npy")
    assert (tmp_path / "out.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


def rows_said(path):
    return len(np.load(path, mmap_mode="r")) if path.stat().st_size else 0


@pytest.mark.usefixtures("small_steps")
def test_the_command_gives_the_same_file_with_workers(embedder, tmp_path):
    lines = [
        '{"text": "the key", "id": 7}',
        "",
        '"caf\u00e9"',
        "  \u3000 ",
        '  "a lantern"',
        '{"text": "b", "id": 2}',
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(lines * 3))
    with (tmp_path / "in.jsonl").open("rb") as file:
        embed_to_file(embedder, LineFile(file, field="text"), tmp_path / "one.jsonl")
    with (tmp_path / "in.jsonl").open("rb") as file:
        embed_to_file(embedder, LineFile(file, field="text"), tmp_path / "two.jsonl", workers=2)
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    assert len(rows(tmp_path / "one.jsonl")) == 12
