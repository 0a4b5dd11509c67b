"""What a server must stand: floods, ends under load, and requests that are wrong in every way."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.server.conftest import running_server

PATHS = ("/v1/embeddings", "/api/embed", "/api/embeddings", "/api/embeddings/compute", "/embed", "/rerank")
NESTED = b'{"input": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize("path", [*PATHS, "/v1/rerank", "/api/show", "/api/extra/embeddings"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"input": "\\ud83d"}',
        b'{"input": "a\x00b"}',
        NESTED,
        NESTED.replace(b"input", b"x"),
        b'{"input": 1' + b"0" * 5000 + b"}",
        b'{"input": [1, "a", null, {}]}',
        b'{"input": [[-1]], "dimensions": 1e400}',
        b'{"input": "x", "encoding_format": "xml"}',
        b'{"inputs": {"a": "b"}, "query": 3, "text": null, "prompt": []}',
        b'{"model": {"$gt": ""}, "input": "x"}',
        b'{"input": "x", "dimensions": true, "model": "../../etc/passwd"}',
    ],
    ids=range(17),
)
def test_what_is_wrong_is_told_and_never_a_5xx(server, path, body):
    status, said = server.post(path, body)
    assert status < 500
    if status >= 400:
        assert "Error" not in json.dumps(said).replace("RequestValidationError", "") or "error" in said


def test_too_much_at_once_is_told(server):
    assert server.post("/v1/embeddings", {"input": ["x"] * 2049})[0] == 413
    assert server.post("/v1/embeddings", {"input": "x" * (9 << 20)})[0] == 413
    assert server.post("/v1/embeddings", {"input": ["x"] * 2048, "dimensions": 32})[0] == 200


def test_what_comes_slowly_is_given_up_and_keeps_nobody(tmp_path):
    with running_server(tmp_path / "log", "--timeout", "1") as server:
        port = int(server.url.rpartition(":")[2])
        slow = socket.create_connection(("127.0.0.1", port))
        slow.sendall(b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        assert server.post("/v1/embeddings", {"input": "hi"}, timeout=30)[0] == 200
        slow.settimeout(20)
        assert b" 408 " in slow.recv(100)
        slow.close()


def test_a_flood_gets_429_and_all_accepted_ones_finish(tmp_path, minilm_int8_folder):
    flags = ("--models", f"minilm={minilm_int8_folder}", "--max-waiting-tokens", "2000")
    with running_server(tmp_path / "log", *flags) as server:
        server.post("/v1/embeddings", {"input": "load the model"})
        with ThreadPoolExecutor(40) as pool:
            found = list(
                pool.map(
                    lambda i: server.post("/v1/embeddings", {"input": [f"text {i} " + "key " * 60] * 8}),
                    range(120),
                )
            )
        statuses = [status for status, _ in found]
        assert set(statuses) == {200, 429}
        assert all(len(said["data"]) == 8 for status, said in found if status == 200)
        assert server.post("/v1/embeddings", {"input": "after"})[0] == 200


def test_who_leaves_is_not_worked_for(tmp_path, minilm_int8_folder):
    with running_server(tmp_path / "log", "--models", f"minilm={minilm_int8_folder}") as server:
        server.post("/v1/embeddings", {"input": "load the model"})
        port = int(server.url.rpartition(":")[2])
        with ThreadPoolExecutor(1) as pool:
            long = pool.submit(server.post, "/v1/embeddings", {"input": ["key " * 200] * 60})
            time.sleep(0.2)
            leaves = socket.create_connection(("127.0.0.1", port))
            leaves.sendall(
                b'POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15\r\n\r\n{"inputs": "x"}'
            )
            time.sleep(0.2)
            leaves.close()
            assert long.result()[0] == 200
        lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
        assert [each["status"] for each in lines if each["route"] == "/embed"] == [499]


def test_more_requests_at_once_than_allowed_get_429(tmp_path):
    with running_server(tmp_path / "log", "--max-requests", "2", "--timeout", "3") as server:
        port = int(server.url.rpartition(":")[2])
        with contextlib.ExitStack() as stack:
            for _ in range(2):
                held = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                held.sendall(b"POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
            time.sleep(0.5)
            assert server.post("/v1/embeddings", {"input": "x"})[0] == 429


@pytest.mark.parametrize("flags", [(), ("--workers", "2")], ids=["one process", "two workers"])
def test_what_was_accepted_is_finished_when_it_is_told_to_end(tmp_path, minilm_int8_folder, flags):
    models = ("--models", f"minilm={minilm_int8_folder}", "--batch-tokens", "200")
    with running_server(tmp_path / "log", *models, *flags) as server:
        for _ in range(4):
            server.post("/v1/embeddings", {"input": "load the model"})
        with ThreadPoolExecutor(16) as pool:
            asked = [
                pool.submit(server.post, "/v1/embeddings", {"input": [f"text {i} " + "key " * 30] * 20})
                for i in range(16)
            ]
            time.sleep(0.4)
            server.process.send_signal(signal.SIGTERM)
            done = refused = 0
            for each in asked:
                try:
                    status, said = each.result()
                    done += status == 200 and len(said["data"]) == 20
                except OSError:  # it was not accepted any more
                    refused += 1
        assert done
        assert done + refused == 16
        assert server.process.wait(60) in {0, -signal.SIGTERM}
    assert "Traceback" not in server.log.read_text()


def test_workers_share_a_port_and_their_figures(tmp_path):
    with running_server(tmp_path / "log", "--workers", "2") as server:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda i: server.post("/embed", {"inputs": f"text {i}"})[0], range(40)))
        assert found == [200] * 40
        shown = urllib.request.urlopen(server.url + "/metrics").read().decode()
        wanted = 'romaine_request_seconds_count{route="/embed",status="200"}'
        counted = [line for line in shown.splitlines() if line.startswith(wanted)]
        assert float(counted[0].split()[-1]) == 40


def test_settings_may_come_from_the_environment(tmp_path):
    file = tmp_path / "romaine.toml"
    file.write_text('models = ["gem=little-gem"]\n')
    with running_server(tmp_path / "log", ROMAINE_CONFIG=str(file), ROMAINE_ROLE="query") as server:
        status, said = server.post("/v1/embeddings", {"input": "x", "model": "gem"})
        assert status == 200
        assert np.shape(said["data"][0]["embedding"]) == (384,)


def test_memory_stays_flat_over_many_requests(tmp_path):
    psutil = pytest.importorskip("psutil")
    many = int(os.environ.get("ROMAINE_MANY_REQUESTS", "3000"))
    with running_server(tmp_path / "log", "--no-access-log") as server:
        port = int(server.url.rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port)

        def ask(count):
            for i in range(count):
                connection.request("POST", "/v1/embeddings", json.dumps({"input": f"text {i % 50}"}))
                connection.getresponse().read()

        ask(1000)
        before = psutil.Process(server.process.pid).memory_info().rss
        ask(many)
        connection.close()
        assert psutil.Process(server.process.pid).memory_info().rss - before < 20 << 20
