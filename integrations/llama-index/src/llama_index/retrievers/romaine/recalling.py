"""The options of a recall, checked when a component is made and passed on at every call."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from romaine.memory.options import RecallOptions


def recall_options(**options: Any) -> dict[str, Any]:
    """Checks options of `RoleplayMemory.recall`.

    Args:
        **options: `recall`'s keyword arguments, without `vector` and `explain`.

    Returns:
        All of them, as `recall` takes them.

    Raises:
        OptionError: If a value is not allowed.
    """
    checked = RecallOptions(**options)
    return {field.name: getattr(checked, field.name) for field in fields(checked) if field.name in options}
