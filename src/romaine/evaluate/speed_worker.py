"""The process that `romaine.evaluate.speed` starts: opens a model as a new program does and times it."""

from __future__ import annotations

import json
import random
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from romaine.errors import RomaineError
from romaine.evaluate.subject import Subject

if TYPE_CHECKING:
    from romaine.embedder import Embedder

T = TypeVar("T")

CHARACTERS = 140
"""Length of a text about which speed is told: a chat turn of two or three sentences."""
QUERIES = 40

_MAX_TEXTS = 4_096  # so that the vectors of one call weigh little beside a model
_FEWEST_TEXTS = 32
_ROUND_SECONDS = 0.4
_LINUX_STATUS = Path("/proc/self/status")


def chat_texts(count: int, *, seed: int = 0) -> list[str]:
    """Different texts of about `CHARACTERS` characters, put together from the built-in sentences."""
    sentences = (
        resources.files("romaine.models").joinpath("calibration.txt").read_text(encoding="utf-8").splitlines()
    )
    choose = random.Random(seed)  # noqa: S311 - no secret
    texts = []
    for number in range(count):
        text = f"{number}."
        while len(text) < CHARACTERS:
            text += " " + choose.choice(sentences)
        texts.append(text[:CHARACTERS])
    return texts


def throughput(embedder: Embedder, *, rounds: int) -> tuple[list[float], int]:
    """Texts per second of each round, and how many texts a call had."""
    trial = chat_texts(_FEWEST_TEXTS)
    embedder.embed_documents(trial)
    rate = len(trial) / _seconds(lambda: embedder.embed_documents(trial))
    texts = chat_texts(min(_MAX_TEXTS, max(_FEWEST_TEXTS, int(rate * _ROUND_SECONDS))))
    calls = max(1, round(rate * _ROUND_SECONDS / len(texts)))

    def one_round() -> None:
        for _ in range(calls):
            embedder.embed_documents(texts)

    return [calls * len(texts) / _seconds(one_round) for _ in range(rounds)], len(texts)


def latencies(items: Iterable[T], run: Callable[[T], object]) -> list[float]:
    """Milliseconds of each call of `run`, one at a time."""
    return [1000 * _seconds(partial(run, item)) for item in items]


def median_ms(items: Sequence[T], run: Callable[[T], object]) -> float:
    """Median milliseconds of one call of `run`, after one that pays for what is loaded lazily.

    Args:
        items: What it is called with, one after the other; at least one.
        run: What is timed.
    """
    run(items[0])
    return statistics.median(latencies(items, run))


def measure(subject: Subject, *, started: float, rounds: int) -> dict[str, Any]:
    """Opens the model and, where `rounds` is above 0, times it.

    Args:
        subject: The model.
        started: `time.perf_counter()` before romaine was imported.
        rounds: How often the throughput is measured.
    """
    embedder = subject.embedder().warm_up()
    embedder.embed_query(chat_texts(1)[0])
    figures: dict[str, Any] = {
        "load_seconds": time.perf_counter() - started,
        "model": embedder.card.id,
        "backend": embedder.backend,
        "dim": embedder.dim,
    }
    if rounds:
        figures["texts_per_second"], figures["texts"] = throughput(embedder, rounds=rounds)
        figures["query_ms"] = latencies(chat_texts(QUERIES, seed=1), embedder.embed_query)
    figures["peak_bytes"] = peak_bytes()
    return figures


def main(started: float) -> None:
    """Reads the order from stdin and writes the figures, or what went wrong, to stdout as JSON."""
    order = json.load(sys.stdin)
    try:
        subject = Subject.from_json(order["subject"])
        answer = measure(subject, started=started, rounds=order["rounds"])
    except RomaineError as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)  # noqa: T201 - this is its answer


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def peak_bytes() -> int | None:
    """The most memory this process has held so far, in bytes; None where the system does not tell."""
    if sys.platform == "win32":
        return _windows_peak()
    if _LINUX_STATUS.exists():
        # ru_maxrss would be wrong: a process started by a larger one inherits that one's peak through exec.
        found = re.search(r"^VmHWM:\s+(\d+) kB", _LINUX_STATUS.read_text(encoding="ascii"), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    return _unix_peak()


if sys.platform == "win32":

    def _windows_peak() -> int | None:
        import ctypes
        from ctypes import wintypes

        class Counters(ctypes.Structure):
            """PROCESS_MEMORY_COUNTERS of psapi.h."""

            _fields_ = [
                ("cb", wintypes.DWORD),
                ("PageFaultCount", wintypes.DWORD),
                ("PeakWorkingSetSize", ctypes.c_size_t),
                *((f"unused{number}", ctypes.c_size_t) for number in range(7)),
            ]

        counters = Counters(cb=ctypes.sizeof(Counters))
        kernel = ctypes.WinDLL("kernel32")
        kernel.GetCurrentProcess.restype = wintypes.HANDLE
        kernel.K32GetProcessMemoryInfo.argtypes = [wintypes.HANDLE, ctypes.c_void_p, wintypes.DWORD]
        told = kernel.K32GetProcessMemoryInfo(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.cb)
        return int(counters.PeakWorkingSetSize) if told else None

else:

    def _unix_peak() -> int | None:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
