"""Memories in a Postgres database (extra `postgres`): the one place with its SQL and its driver."""

from __future__ import annotations

from romaine.memory.postgres.address import Address
from romaine.memory.postgres.database import PostgresStorage, exists

__all__ = ["Address", "PostgresStorage", "exists"]
