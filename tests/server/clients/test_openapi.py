"""The OpenAPI document, and requests that schemathesis makes of it: none is answered with a 5xx."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest


def test_what_schemathesis_makes_up_is_never_a_5xx(server, tmp_path):
    pytest.importorskip("schemathesis")
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            *("run", server.url + "/openapi.json", "--checks", "not_a_server_error"),
            *("--max-examples", os.environ.get("ROMAINE_FUZZ_EXAMPLES", "25"), "--seed", "1"),
            *("--phases", "examples,coverage,fuzzing", "--request-timeout", "30"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=900,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_every_body_has_a_schema_and_an_example(server):
    paths = json.loads(urllib.request.urlopen(server.url + "/openapi.json").read())["paths"]
    posts = {path: each["post"] for path, each in paths.items() if "post" in each and "memory" not in path}
    assert {"/v1/embeddings", "/embeddings", "/api/embed", "/embed", "/v1/rerank", "/rerank"} <= posts.keys()
    for post in posts.values():
        content = post["requestBody"]["content"]["application/json"]
        assert content["example"]
        assert content["schema"]["properties"]
