"""Streams many short texts through `romaine embed` and watches the memory of that process.

python benchmarks/streaming.py [--texts 1000000] [--dim 64]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table
from texts import chat_turns

LIMIT_MB = 500


def write_texts(path: Path, count: int) -> None:
    turns = [turn.replace("\n", " ") for turn in chat_turns(20_000, seed=7)]
    with path.open("w", encoding="utf-8") as out:
        for number in range(count):
            out.write(f"{turns[number % len(turns)]} {number}\n")


def peak_memory_mb(process: subprocess.Popen[bytes]) -> float:
    """The largest resident size seen until the process ends, children included."""
    peak, watched = 0, psutil.Process(process.pid)
    while process.poll() is None:
        try:
            family = [watched, *watched.children(recursive=True)]
            peak = max(peak, sum(member.memory_info().rss for member in family))
        except psutil.NoSuchProcess:
            break
        time.sleep(0.05)
    return peak / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=64)
    options = parser.parse_args()
    table = Table("output", "texts", "seconds", "texts/s", "peak MB", "limit MB", title="romaine embed")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "texts.txt"
        write_texts(source, options.texts)
        for suffix in (".npy", ".jsonl"):
            out = Path(folder) / f"vectors{suffix}"
            command = ["-m", "romaine", "embed", str(source), "--out", str(out), "--dim", str(options.dim)]
            start = time.perf_counter()
            process = subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL)
            peak = peak_memory_mb(process)
            seconds = time.perf_counter() - start
            if process.returncode:
                raise SystemExit(f"romaine embed ended with {process.returncode}")
            if suffix == ".npy":
                assert np.load(out, mmap_mode="r").shape == (options.texts, options.dim)
            rate = f"{options.texts / seconds:,.0f}"
            table.add_row(suffix, f"{options.texts:,}", f"{seconds:.1f}", rate, f"{peak:.0f}", str(LIMIT_MB))
            out.unlink()
    Console().print(table)


if __name__ == "__main__":
    main()
