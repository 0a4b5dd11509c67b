"""OpenAI's and Ollama's JavaScript clients, where npm can install them."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest

TEXTS = ["The key is under the third step.", "Où est la clé ?"]
_OPENAI = """
import OpenAI from "openai";
const client = new OpenAI({ baseURL: process.argv[2] + "/v1", apiKey: "none" });
const answer = await client.embeddings.create({ model: "little-gem", input: JSON.parse(process.argv[3]) });
console.log(JSON.stringify(answer.data.map((each) => each.embedding)));
"""
_OLLAMA = """
import { Ollama } from "ollama";
const client = new Ollama({ host: process.argv[2] });
const answer = await client.embed({ model: "little-gem", input: JSON.parse(process.argv[3]) });
console.log(JSON.stringify(answer.embeddings));
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    place = tmp_path_factory.mktemp("npm")
    (place / "package.json").write_text('{"private": true, "type": "module"}')
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "openai", "ollama"],
        cwd=place,
        capture_output=True,
        timeout=300,
    )
    if done.returncode:
        pytest.skip("npm cannot install the clients")
    return place


@pytest.mark.parametrize("script", [_OPENAI, _OLLAMA], ids=["openai", "ollama"])
def test_vectors_are_the_embedders(server, gem, folder, script):
    (folder / "ask.js").write_text(script)
    done = subprocess.run(
        ["node", "ask.js", server.url, json.dumps(TEXTS)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert np.array(json.loads(done.stdout)) == pytest.approx(gem.embed_documents(TEXTS), abs=1e-6)
