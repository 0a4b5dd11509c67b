"""What more cores gain: threads of `embed_documents`, and `romaine embed` with and without `--workers`.

    python benchmarks/bulk.py [--texts 100000] [--cores 2] [--onnx MODEL] [--rounds 5]

Runs of one and of several cores alternate, on texts of their own in each round, and medians are compared.
Start-up is taken off: each command also embeds one text, and only what it takes longer for all counts.
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


def seconds_of(run: Callable[[], object]) -> tuple[float, float]:
    """Wall time, and cores that others kept busy meanwhile."""
    before, start, own = psutil.cpu_times(), time.perf_counter(), sum(os.times()[:4])
    run()
    wall, own = time.perf_counter() - start, sum(os.times()[:4]) - own
    after = psutil.cpu_times()
    busy = sum(after[:3]) - sum(before[:3])  # user, nice, system
    return wall, max(0.0, busy - own) / wall


def compare(
    ways: dict[str, Callable[[int], object]], count: int, rounds: int
) -> dict[str, tuple[float, float]]:
    """Texts a second and cores taken by others, for each way; the first round warms up."""
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, run in ways.items():
            wall, others = seconds_of(lambda run=run, number=number: run(number))
            rates[name].append((count / wall, others))
    return {
        name: (statistics.median(rate for rate, _ in each[1:]), statistics.mean(o for _, o in each[1:]))
        for name, each in rates.items()
    }


def threads(count: int, cores: int, rounds: int) -> dict[str, tuple[float, float]]:
    texts = [chat_turns(count, seed=number) for number in range(rounds + 1)]
    embedders = {1: Embedder(threads=1).warm_up(), cores: Embedder(threads=cores).warm_up()}
    assert (
        embedders[1].embed_documents(texts[0]).tobytes()
        == embedders[cores].embed_documents(texts[0]).tobytes()
    )
    return compare(
        {
            f"embed_documents, threads={each}": lambda number, one=embedder: one.embed_documents(
                texts[number]
            )
            for each, embedder in embedders.items()
        },
        count,
        rounds,
    )


def commands(
    folder: Path, suffix: str, count: int, cores: int, rounds: int, model: list[str]
) -> dict[str, tuple[float, float]]:
    (folder / "one.txt").write_text("the key\n")
    for number in range(rounds + 1):
        turns = (turn.replace("\n", " ") for turn in chat_turns(count, seed=number))
        (folder / f"{number}.txt").write_text("".join(turn + "\n" for turn in turns), encoding="utf-8")

    def embed(name: str, options: list[str]) -> None:
        out = ["--out", str(folder / f"out{suffix}"), "--overwrite", *model, *options]
        command = [sys.executable, "-m", "romaine", "embed", str(folder / name), *out]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)

    ways = {
        f"romaine embed, {suffix}, one core": ["--threads", "1"],
        f"romaine embed, {suffix}, threads": ["--threads", str(cores)],
        f"romaine embed, {suffix}, --workers {cores}": ["--workers", str(cores)],
    }
    found = {}
    for name, (rate, others) in compare(
        {name: lambda number, how=how: embed(f"{number}.txt", how) for name, how in ways.items()},
        count,
        rounds,
    ).items():
        start = statistics.median(
            seconds_of(lambda how=ways[name]: embed("one.txt", how))[0] for _ in range(3)
        )
        found[name] = count / (count / rate - start), others
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--onnx", help="an ONNX model, by name or folder, that is measured as well")
    parser.add_argument("--onnx-texts", type=int, default=1000)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ.pop("OMP_NUM_THREADS", None)
    table = Table("", "texts/s", "of one core", "others", title=f"{options.cores} cores")

    def show(found: dict[str, tuple[float, float]]) -> None:
        one = next(iter(found.values()))[0]
        for name, (rate, others) in found.items():
            table.add_row(name, f"{rate:,.0f}", f"{rate / one:.2f}x", f"{others:.2f}")
        table.add_section()

    show(threads(options.texts, options.cores, options.rounds))
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".npy", ".parquet", ".jsonl"):
            # numbers as text take so long to write that fewer tell as much
            count = options.texts // 10 if suffix == ".jsonl" else options.texts
            show(commands(Path(folder), suffix, count, options.cores, options.rounds, []))
        if options.onnx:
            model = ["--model", options.onnx]
            show(commands(Path(folder), ".npy", options.onnx_texts, options.cores, options.rounds, model))
    Console().print(table)


if __name__ == "__main__":
    main()
