"""Memories in a SQLite file: the one place with SQL."""

from __future__ import annotations

from romaine.memory.sqlite.database import SqliteStorage

__all__ = ["SqliteStorage"]
