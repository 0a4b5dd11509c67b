"""Runs mem0 on pgvector for `postgres.py`, in an environment that has mem0ai and psycopg[binary,pool].

    python mem0_peer.py URL COLLECTION

Reads JSON a line and answers a line: {"fill": USER, "turns": [[text, source], ...]} adds turns as
`add(infer=False)` would, many at a time; {"search": [[user, question], ...], "k": k} gives for each the
sources found and the milliseconds taken. Turns and questions are embedded by romaine's bundled model, which
this process imports, too; no language model is asked.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
os.environ |= {"MEM0_TELEMETRY": "False", "OPENAI_API_KEY": "none", "OMP_NUM_THREADS": "1"}
os.environ["MEM0_DIR"] = tempfile.mkdtemp()

from mem0 import Memory
from mem0.utils.lemmatization import lemmatize_for_bm25

from romaine import Embedder

EMBEDDER = Embedder()


class Embedding:
    """What mem0 asks an embedder."""

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        """One text."""
        embed = EMBEDDER.embed_query if memory_action == "search" else EMBEDDER.embed_document
        vector: list[float] = embed(text).tolist()
        return vector

    def embed_batch(self, texts: list[str], memory_action: str | None = None) -> list[list[float]]:
        """Many of them."""
        return [self.embed(text, memory_action) for text in texts]


def opened(url: str, collection: str) -> Memory:
    store = {
        "connection_string": url,
        "collection_name": collection,
        "embedding_model_dims": EMBEDDER.dim,
    }
    memory = Memory.from_config(
        {
            "vector_store": {"provider": "pgvector", "config": store},
            "history_db_path": str(Path(os.environ["MEM0_DIR"]) / "history.db"),
        }
    )
    memory.embedding_model = Embedding()
    return memory


def name_of(user: str) -> str:
    """A user's name as mem0 takes it."""
    return user.replace(" ", "-")


def fill(memory: Memory, user: str, turns: list[tuple[str, str]]) -> None:
    """Adds the rows that `add(infer=False)` makes of turns, in one call of its store."""
    now = datetime.now(timezone.utc).isoformat()
    payloads = [
        {
            "user_id": name_of(user), "role": "user", "data": text, "source": source,
            "hash": hashlib.md5(text.encode()).hexdigest(), "created_at": now, "updated_at": now,
            "text_lemmatized": lemmatize_for_bm25(text),
        }
        for text, source in turns
    ]  # fmt: skip
    vectors = EMBEDDER.embed_documents([text for text, _ in turns]).tolist()
    memory.vector_store.insert(vectors=vectors, ids=[str(uuid.uuid4()) for _ in turns], payloads=payloads)


def search(memory: Memory, asked: list[tuple[str, str]], k: int) -> list[Any]:
    answers = []
    for user, question in asked:
        start = time.perf_counter()
        found = memory.search(question, top_k=k, filters={"user_id": name_of(user)}, threshold=0.0)["results"]
        answers.append([[hit["metadata"]["source"] for hit in found], (time.perf_counter() - start) * 1e3])
    return answers


def main() -> None:
    memory = opened(*sys.argv[1:3])
    for line in sys.stdin:
        job = json.loads(line)
        if "fill" in job:
            fill(memory, job["fill"], job["turns"])
            answer: Any = len(job["turns"])
        else:
            answer = search(memory, job["search"], job["k"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
