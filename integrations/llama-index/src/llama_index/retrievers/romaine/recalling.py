"""The options of a recall, checked when a component is made and passed on at every call."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from romaine.memory.options import RecallOptions


def as_keywords(options: RecallOptions) -> dict[str, Any]:
    """Returns checked options as the keyword arguments of `RoleplayMemory.recall` that return hits."""
    return {field.name: getattr(options, field.name) for field in fields(options) if field.name != "explain"}
