"""What the server keeps of scopes that are too large to be loaded: slices of vectors, and postings of words.

They are made when `romaine memory index` is called, and kept by triggers from then on, so that no write can
leave them out, whichever worker does it; a memory without large scopes pays nothing for them.

- `large_user`: whose rows are kept here, and whether all are.
- `large_row`: a row's terms, and the first components of its vectors, which pgvector's HNSW searches.
- `large_posting`: which row holds a term how often; `large_term`, `large_space`: what BM25 counts of a space.

They show whose they are by their space, so row-level security binds them by the spaces that it shows.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from romaine.errors import StorageError
from romaine.memory.codec import VectorFormat
from romaine.memory.postgres.address import Address
from romaine.memory.postgres.schema import BOUND

INDEX = "large_row_nearest"
"""Of the contexts in `large_row`; made when there are rows, which is faster."""

SWITCHING = "romaine.switching"
"""What a transaction sets that gives all rows other vectors: the triggers leave that to who indexes anew."""

_ROW_BYTES = 750
"""Of a row's neighbours while the graph is made, beside its vector; measured 715."""

# The graph is made in memory as far as it fits, and thirteen times as slowly from there on. A quarter of what
# the administrator says that there is for caching is not too much for the time that it takes.
_GIVE_MEMORY = """SELECT set_config('maintenance_work_mem', greatest(
        pg_size_bytes(current_setting('maintenance_work_mem')),
        least(pg_size_bytes(current_setting('effective_cache_size')) / 4,
            (reltuples * (%s + 2 * atttypmod))::bigint + (8 << 20))) / 1024 || 'kB', false)
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'context'
    WHERE pg_class.oid = %s::regclass"""

_TABLES = (
    """CREATE TABLE large_user (
        owner uuid PRIMARY KEY, is_complete boolean NOT NULL DEFAULT false, reached bigint NOT NULL DEFAULT 0
    )""",
    "CREATE TABLE large_space (space bigint PRIMARY KEY, rows bigint NOT NULL, tokens bigint NOT NULL)",
    """CREATE TABLE large_row (
        no bigint PRIMARY KEY, space bigint NOT NULL, terms integer[] NOT NULL,
        slice halfvec({dim}) NOT NULL, context halfvec({dim}) NOT NULL
    )""",
    "CREATE INDEX large_row_by_space ON large_row (space, no)",
    """CREATE TABLE large_posting (
        space bigint NOT NULL, term integer NOT NULL, no bigint NOT NULL, count smallint NOT NULL,
        length integer NOT NULL, PRIMARY KEY (space, term, no) INCLUDE (count, length)
    )""",
    """CREATE TABLE large_term (
        space bigint NOT NULL, term integer NOT NULL, documents bigint NOT NULL, PRIMARY KEY (space, term)
    )""",
)
TABLES = ("large_space", "large_row", "large_posting", "large_term")
"""All but `large_user`, each with the column `space`."""

_POLICIES = (
    f"CREATE POLICY bound ON large_user USING ({BOUND})",
    *(f"CREATE POLICY bound ON {table} USING (space IN (SELECT no FROM space))" for table in TABLES),  # noqa: S608
    *(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY" for table in (*TABLES, "large_user")),
    *(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY" for table in (*TABLES, "large_user")),
)

# Of one component at place i of a vector b, as VectorFormat packs it.
_COMPONENTS = {
    VectorFormat.FLOAT32: """(1 - 2 * (get_byte(b, 4*i+3) >> 7))
        * (128 + (get_byte(b, 4*i+2) & 127) + get_byte(b, 4*i+1) / 256.0::float8)
        * power(2::float8, ((get_byte(b, 4*i+3) & 127) << 1) + (get_byte(b, 4*i+2) >> 7) - 134)""",
    VectorFormat.FLOAT16: """(1 - 2 * (get_byte(b, 2*i+1) >> 7))
        * (CASE (get_byte(b, 2*i+1) >> 2) & 31 WHEN 0 THEN 0 ELSE 1024 END
            + ((get_byte(b, 2*i+1) & 3) << 8) + get_byte(b, 2*i))
        * power(2::float8, greatest((get_byte(b, 2*i+1) >> 2) & 31, 1) - 25)""",
    VectorFormat.INT8: "((get_byte(b, i) + 128) % 256 - 128)",
}
_SLICE = """CREATE FUNCTION large_slice(b bytea) RETURNS halfvec LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT l2_normalize(array_agg({component} ORDER BY i)::halfvec)
    FROM generate_series(0, {dim} - 1) AS i $$"""
_SLICE_OF_HALFVEC = """CREATE FUNCTION large_slice(b halfvec) RETURNS halfvec
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT l2_normalize(subvector(b, 1, {dim})::halfvec) $$"""

_FUNCTIONS = (
    """CREATE FUNCTION large_add(given bigint[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        WITH fresh AS (
            INSERT INTO large_row (no, space, terms, slice, context)
            SELECT v.no, m.space, v.terms, large_slice(v.vector), large_slice(v.context)
            FROM vector v JOIN memory m ON m.no = v.no WHERE v.no = ANY (given)
            ON CONFLICT DO NOTHING RETURNING no, space, terms
        ), held AS (
            INSERT INTO large_posting (space, term, no, count, length)
            SELECT space, term, no, least(count(*), 32767), length
            FROM (SELECT space, no, cardinality(terms) AS length, unnest(terms) AS term FROM fresh) t
            GROUP BY space, term, no, length RETURNING space, term
        ), counted AS (
            INSERT INTO large_term (space, term, documents)
            SELECT space, term, count(*) FROM held GROUP BY space, term
            ON CONFLICT (space, term) DO UPDATE SET documents = large_term.documents + excluded.documents
        )
        INSERT INTO large_space (space, rows, tokens)
        SELECT space, count(*), sum(cardinality(terms)) FROM fresh GROUP BY space
        ON CONFLICT (space) DO UPDATE
            SET rows = large_space.rows + excluded.rows, tokens = large_space.tokens + excluded.tokens;
    END $$""",
    """CREATE FUNCTION large_enter() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    DECLARE given bigint[];
    BEGIN
        IF current_setting('romaine.switching', true) = 'on' THEN RETURN NULL; END IF;
        SELECT array_agg(e.no) INTO given FROM entering e JOIN large_user u ON u.owner = e.owner;
        IF given IS NOT NULL THEN PERFORM large_add(given); END IF;
        RETURN NULL;
    END $$""",
    """CREATE FUNCTION large_leave() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        IF current_setting('romaine.switching', true) = 'on'
            OR NOT EXISTS (SELECT FROM leaving e JOIN large_row l ON l.no = e.no) THEN RETURN NULL; END IF;
        WITH was AS (
            DELETE FROM large_row l USING leaving e WHERE l.no = e.no RETURNING l.no, l.space, l.terms
        ), held AS (
            SELECT DISTINCT space, no, term FROM was, unnest(terms) AS term
        ), left_out AS (
            DELETE FROM large_posting p USING held h
            WHERE p.space = h.space AND p.term = h.term AND p.no = h.no
        ), counted AS (
            UPDATE large_term t SET documents = t.documents - c.documents
            FROM (SELECT space, term, count(*) AS documents FROM held GROUP BY space, term) c
            WHERE t.space = c.space AND t.term = c.term
        )
        UPDATE large_space s SET rows = s.rows - c.rows, tokens = s.tokens - c.tokens
        FROM (SELECT space, count(*) AS rows, sum(cardinality(terms)) AS tokens FROM was GROUP BY space) c
        WHERE s.space = c.space;
        RETURN NULL;
    END $$""",
)
# of one statement, what was replaced leaves before what replaces it enters: triggers go by their names
_TRIGGERS = (
    """CREATE TRIGGER large_1_leaves AFTER UPDATE ON vector REFERENCING OLD TABLE AS leaving
        FOR EACH STATEMENT EXECUTE FUNCTION large_leave()""",
    """CREATE TRIGGER large_2_enters AFTER UPDATE ON vector REFERENCING NEW TABLE AS entering
        FOR EACH STATEMENT EXECUTE FUNCTION large_enter()""",
    """CREATE TRIGGER large_deleted AFTER DELETE ON vector REFERENCING OLD TABLE AS leaving
        FOR EACH STATEMENT EXECUTE FUNCTION large_leave()""",
    """CREATE TRIGGER large_inserted AFTER INSERT ON vector REFERENCING NEW TABLE AS entering
        FOR EACH STATEMENT EXECUTE FUNCTION large_enter()""",
)


def prepare(
    connection: psycopg.Connection[Any], address: Address, vector_format: VectorFormat, dim: int, role: str
) -> None:
    """Makes the tables, functions and triggers if they are not there.

    Args:
        connection: In autocommit, as the tables' owner.
        address: Where.
        vector_format: How vectors are kept.
        dim: Components of a slice; those that are there keep theirs.
        role: Whom they are granted to, or "none".

    Raises:
        StorageError: If pgvector is not there and cannot be had.
    """
    with connection.transaction():
        connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(address.schema)))
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s), -1)", (address.schema,))
        found = connection.execute("SELECT to_regclass('large_user')").fetchone()
        if found is not None and found[0] is not None:
            return
        where = _extension(connection, address)
        connection.execute(
            sql.SQL("SET LOCAL search_path TO {}, {}").format(
                sql.Identifier(address.schema), sql.Identifier(where)
            )
        )
        given: dict[str, Any] = {"dim": sql.Literal(dim)}
        component = _COMPONENTS.get(vector_format)
        if component is None:
            make_slice = sql.SQL(_SLICE_OF_HALFVEC).format(**given)
        else:
            make_slice = sql.SQL(_SLICE).format(component=sql.SQL(component), **given)
        connection.execute(make_slice)
        for statement in (*_TABLES, *_POLICIES, *_FUNCTIONS, *_TRIGGERS):
            connection.execute(sql.SQL(statement).format(**given) if "{dim}" in statement else statement)
        if role != "none":
            for table in (*TABLES, "large_user"):
                connection.execute(
                    sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}").format(
                        sql.Identifier(table), sql.Identifier(role)
                    )
                )


def free_index(connection: psycopg.Connection[Any], address: Address, *, is_empty: bool) -> None:
    """Drops the index before rows go in if it serves nobody: making it of all rows at once is faster.

    One that recalls of others ask stays; without it these would compare all slices until it is made again.

    Args:
        connection: In autocommit, as the tables' owner.
        address: Where.
        is_empty: Whether no row is kept that is of any use.
    """
    is_valid = _index_state(connection, address)
    if is_valid is False or (is_valid and is_empty):
        connection.execute(
            sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(address.schema, INDEX))
        )


def make_index(connection: psycopg.Connection[Any], address: Address) -> None:
    """Makes the index that finds what is nearest, beside whoever writes, and looks at how much is there.

    Every name is in full, and what is set changes only the speed: a pooler may do each statement elsewhere.
    """
    for table in TABLES:
        name = sql.Identifier(address.schema, table)
        connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(name))
    free_index(connection, address, is_empty=False)
    make = sql.SQL("CREATE INDEX CONCURRENTLY IF NOT EXISTS {} ON {} USING hnsw (context {})").format(
        sql.Identifier(INDEX),
        sql.Identifier(address.schema, "large_row"),
        sql.Identifier(_extension(connection, address), "halfvec_ip_ops"),
    )
    row = sql.Identifier(address.schema, "large_row").as_string(None)
    connection.execute(_GIVE_MEMORY, (_ROW_BYTES, row))
    try:
        connection.execute(make)
    except psycopg.errors.DiskFull:  # a container's /dev/shm, through which parallel workers share the graph
        free_index(connection, address, is_empty=False)
        connection.execute("SET max_parallel_maintenance_workers = 0")
        connection.execute(make)
    for setting in ("maintenance_work_mem", "max_parallel_maintenance_workers"):
        connection.execute(sql.SQL("RESET {}").format(sql.Identifier(setting)))


def _index_state(connection: psycopg.Connection[Any], address: Address) -> bool | None:
    """Whether the index is whole; None if there is none. Waits for whoever makes it."""
    with connection.transaction():
        row = sql.Identifier(address.schema, "large_row")
        connection.execute(sql.SQL("LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE").format(row))
        query = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"
        name = sql.Identifier(address.schema, INDEX).as_string(None)
        found = connection.execute(query, (name,)).fetchone()
    return None if found is None else bool(found[0])


def _extension(connection: psycopg.Connection[Any], address: Address) -> str:
    """The schema of pgvector, which is made if it is not there."""
    query = """SELECT nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE extname = 'vector'"""
    row = connection.execute(query).fetchone()
    if row is None:
        try:
            connection.execute("CREATE EXTENSION vector SCHEMA public")
        except psycopg.Error:
            raise StorageError(
                f"{address.shown}: large scopes need pgvector; have an administrator install it and do CREATE"
                " EXTENSION vector in this database"
            ) from None
        return "public"
    return str(row[0])
