"""What more cores gain: threads and workers of `embed_documents`, `romaine embed` with `--workers`.

    python benchmarks/bulk.py [--texts 100000] [--cores 2] [--onnx MODEL] [--rounds 5]

Runs of one and of several cores alternate, on texts of their own in each round, and medians are compared.
Start-up is taken off: each way also embeds a tenth of the texts, by which all its processes have started,
and only what it takes longer for all counts. `start` is the rest: seconds that do not grow with the texts.
`others` is how many cores the other programs of the machine kept busy meanwhile:
where it is not near 0, the ratios are not to be trusted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table
from texts import chat_turns

from romaine import Embedder

Found = dict[str, tuple[float, float, float]]
"""Texts a second, seconds to start and cores taken by others, for each way."""


def seconds_of(run: Callable[[], object]) -> tuple[float, float]:
    """Wall time, and cores that others kept busy meanwhile."""
    before, start, own = psutil.cpu_times(), time.perf_counter(), sum(os.times()[:4])
    run()
    wall, own = time.perf_counter() - start, sum(os.times()[:4]) - own
    after = psutil.cpu_times()
    busy = sum(after[:3]) - sum(before[:3])  # user, nice, system
    return wall, max(0.0, busy - own) / wall


def compare(ways: dict[str, Callable[[int, int], object]], count: int, rounds: int) -> Found:
    """Medians over rounds of each way with the texts of the round's number and how many of them."""
    few = count // 10
    seen: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, run in ways.items():
            short, _ = seconds_of(lambda run=run, number=number: run(number, few))
            wall, others = seconds_of(lambda run=run, number=number: run(number, count))
            rate = (count - few) / max(wall - short, 1e-9)
            seen[name].append((rate, wall - count / rate, others))
    return {
        name: tuple(statistics.median(column) for column in zip(*each, strict=True))
        for name, each in seen.items()
    }


def lists(count: int, cores: int, rounds: int) -> Found:
    """Threads and workers of `embed_documents`."""
    texts = [chat_turns(count, seed=number) for number in range(rounds)]
    embedders = {1: Embedder(threads=1).warm_up(), cores: Embedder(threads=cores).warm_up()}
    want = embedders[1].embed_documents(texts[0][:20_000]).tobytes()
    assert want == embedders[cores].embed_documents(texts[0][:20_000]).tobytes()
    assert want == embedders[1].embed_documents(texts[0][:20_000], workers=cores).tobytes()

    def run(threads: int, **how: int) -> Callable[[int, int], object]:
        return lambda number, some: embedders[threads].embed_documents(texts[number][:some], **how)

    return compare(
        {
            "embed_documents, one core": run(1),
            f"embed_documents, threads={cores}": run(cores),
            f"embed_documents, workers={cores}": run(1, workers=cores),
        },
        count,
        rounds,
    )


def commands(folder: Path, suffix: str, count: int, cores: int, rounds: int, model: list[str]) -> Found:
    """`romaine embed` in one process and in several."""
    for number in range(rounds):
        turns = [turn.replace("\n", " ") + "\n" for turn in chat_turns(count, seed=number)]
        for some in (count, count // 10):
            (folder / f"{number}-{some}.txt").write_text("".join(turns[:some]), encoding="utf-8")

    def run(*options: str) -> Callable[[int, int], object]:
        out = ["--out", str(folder / f"out{suffix}"), "--overwrite", *model, *options]
        command = [sys.executable, "-m", "romaine", "embed"]
        return lambda number, some: subprocess.run(
            [*command, str(folder / f"{number}-{some}.txt"), *out], check=True, stderr=subprocess.DEVNULL
        )

    return compare(
        {
            f"romaine embed, {suffix}, one core": run("--threads", "1"),
            f"romaine embed, {suffix}, threads": run("--threads", str(cores)),
            f"romaine embed, {suffix}, --workers {cores}": run("--workers", str(cores)),
        },
        count,
        rounds,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--onnx", help="an ONNX model, by name or folder, that is measured as well")
    parser.add_argument("--onnx-texts", type=int, default=1000)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="part of a name: lists, .npy, .parquet or .jsonl", default="")
    options = parser.parse_args()
    os.environ.pop("OMP_NUM_THREADS", None)
    table = Table("", "texts/s", "of one core", "start", "others", title=f"{options.cores} cores")

    def show(found: Found) -> None:
        one = next(iter(found.values()))[0]
        for name, (rate, start, others) in found.items():
            table.add_row(name, f"{rate:,.0f}", f"{rate / one:.2f}x", f"{start:.1f} s", f"{others:.2f}")
        table.add_section()

    if options.only in "lists":
        show(lists(options.texts, options.cores, options.rounds))
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".npy", ".parquet", ".jsonl"):
            # numbers as text take so long to write that fewer tell as much
            count = options.texts // 5 if suffix == ".jsonl" else options.texts
            if options.only in suffix:
                show(commands(Path(folder), suffix, count, options.cores, options.rounds, []))
        if options.onnx:
            model = ["--model", options.onnx]
            show(commands(Path(folder), ".npy", options.onnx_texts, options.cores, options.rounds, model))
    Console().print(table)


if __name__ == "__main__":
    main()
