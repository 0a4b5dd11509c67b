"""Runs the Python of a page in its order, in one namespace, and checks what the ends of its lines say."""

from __future__ import annotations

import re
from typing import Any


def run_python(text: str) -> None:
    """Runs a page; ``print(...)  # text`` has to print that text."""
    printed: list[str] = []
    names: dict[str, Any] = {
        "__name__": "page",
        "print": lambda *values: printed.append(" ".join(map(str, values))),
    }
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    for block in blocks:
        exec(compile(block, "page", "exec"), names)
    assert printed == re.findall(r"print\(.*\)  # (.*)$", "\n".join(blocks), re.MULTILINE)
    for value in names.values():
        if hasattr(value, "close") and not isinstance(value, type):
            value.close()
