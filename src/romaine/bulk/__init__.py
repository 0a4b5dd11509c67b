"""Embeds streams too large for memory into a file, and goes on where an interrupted run stopped."""

from romaine.bulk.embedding import Steps, embed_to_file
from romaine.bulk.records import Record, read_jsonl, read_lines

__all__ = ["Record", "Steps", "embed_to_file", "read_jsonl", "read_lines"]
