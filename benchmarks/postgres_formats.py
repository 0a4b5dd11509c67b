"""What a memory costs in Postgres by how its vectors and texts are kept: bytes, and CPU time of both sides.

    python benchmarks/postgres_formats.py postgresql://...  # a database to try things in, with pgvector

CPU of the server is that of its process (Linux, on this machine), else it is left out.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

import psycopg

from romaine import RoleplayMemory, Scope, Turn
from romaine.embedder import Embedder

ROWS, TIMES = 2_000, 9
FORMATS = ("float32", "float16", "int8", "halfvec")
SCOPE = Scope(user="ana", chat="tavern")
SCHEMA = "romaine_formats"
TEXT = "the silver key {} hangs by door {} of the harbour, and Odo said he’d never seen the like of it"


def server_cpu(connection: psycopg.Connection) -> float:
    """CPU seconds of the process that serves a connection."""
    try:
        fields = Path(f"/proc/{connection.info.backend_pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / 100


def fill(url: str, embedder: Embedder, vector_format: str) -> None:
    with RoleplayMemory(url, embedder=embedder, vector_format=vector_format) as memory:
        for start in range(0, ROWS, 500):
            numbers = range(start, start + 500)
            said = (TEXT.format(i, i * 7 % 31) for i in numbers)
            memory.add_turns(SCOPE, [Turn(text, speaker="Ana", role="user") for text in said])


def cold(url: str, embedder: Embedder) -> float:
    """Milliseconds of CPU here for the first recall of a scope, least of several."""
    taken = []
    for _ in range(TIMES):
        with RoleplayMemory(url, embedder=embedder) as memory:
            memory.recall("x", Scope(user="nobody"))
            start = time.process_time()
            memory.recall("which key hangs by door 5", SCOPE)
            taken.append(1000 * (time.process_time() - start))
    return min(taken)


def read(connection: psycopg.Connection, query: str, repeat: int = 40) -> tuple[float, float]:
    """Milliseconds of CPU for a query of all rows: here with decoding, and on the server."""
    here, there = time.process_time(), server_cpu(connection)
    for _ in range(repeat):
        for (value,) in connection.execute(query, binary=True):
            if isinstance(value, bytes) and query.endswith("-- text"):
                value.decode("utf-8", "surrogatepass")
    return (
        1000 * (time.process_time() - here) / repeat,
        1000 * (server_cpu(connection) - there) / repeat,
    )


def main() -> None:
    url = sys.argv[1]
    ours = url + ("&" if "?" in url else "?") + f"schema={SCHEMA}"
    embedder = Embedder(dim=64)
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        for vector_format in FORMATS:
            connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            fill(ours, embedder, vector_format)
            size, rest = (
                connection.execute(f"SELECT pg_total_relation_size('{SCHEMA}.{table}')").fetchone()[0] / ROWS
                for table in ("vector", "memory")
            )
            here, there = read(connection, f"SELECT vector FROM {SCHEMA}.vector")
            print(
                f"{vector_format:8} {size:6,.0f} bytes a row with both vectors, {rest:,.0f} besides;"
                f" first recall of {ROWS:,}: {cold(ours, embedder):.0f} ms CPU here;"
                f" reading one vector of each: {here:.1f} ms here, {there:.1f} ms on the server"
            )
        as_text = f"SELECT convert_from(text, 'UTF8') AS text FROM {SCHEMA}.memory"
        connection.execute(f"CREATE TABLE {SCHEMA}.said AS {as_text}")
        for kind, table in (("bytea", "memory"), ("text", "said")):
            figures = [read(connection, f"SELECT text FROM {SCHEMA}.{table} -- text") for _ in range(5)]
            query = f"SELECT avg(pg_column_size(text)) FROM {SCHEMA}.{table}"
            (size,) = connection.execute(query).fetchone()
            here, there = (median(each) for each in zip(*figures, strict=True))
            print(
                f"text as {kind:5} {size:.0f} bytes; reading all: {here:.2f} ms here,"
                f" {there:.2f} ms on the server"
            )
        connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")


if __name__ == "__main__":
    main()
