"""Options that stand in one dataclass and are offered by many faces: the package's, the commands', adapters'.

The dataclass is the home of their names, types and defaults; what they mean is said once, in the docstring of
the function that people call with them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

T = TypeVar("T")


def taken(options: type[T], given: Mapping[str, Any]) -> T:
    """Makes options of what a function was called with: `taken(RecallOptions, locals())`, its first line.

    Args:
        options: A dataclass.
        given: Values by name, among them all of its fields; what else there is, is left alone.

    Raises:
        KeyError: If the function has no argument for one of the fields.
        OptionError: As the dataclass.
    """
    return options(**{field.name: given[field.name] for field in fields(options)})  # type: ignore[arg-type]


def keywords(options: object, of: type | None = None) -> dict[str, Any]:
    """The values of options by name, to call a function with.

    Args:
        options: An instance of a dataclass.
        of: A class it inherits from, whose fields alone are wanted.
    """
    return {field.name: getattr(options, field.name) for field in fields(of or type(options))}


def meanings(face: Callable[..., Any]) -> dict[str, str]:
    """What the docstring of a function or class says of each argument, each on one line."""
    args = inspect.getdoc(face) or ""
    args = args.partition("\nArgs:\n")[2]
    args = re.split(r"\n\S", args, maxsplit=1)[0]
    found = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", args, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}
