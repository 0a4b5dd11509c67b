"""What beginners get wrong, answered with what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from romaine import RoleplayMemory
from romaine.errors import OptionError
from romaine.options import misnamed


def check_memory(memory: object) -> RoleplayMemory:
    """Returns a memory as it is.

    Raises:
        OptionError: If it is something else, a path for instance.
    """
    if isinstance(memory, RoleplayMemory):
        return memory
    if isinstance(memory, (str, Path)):
        raise OptionError(
            f"memory={str(memory)!r} is a path; open it once, share it and close it when all are done:"
            f" memory=RoleplayMemory({str(memory)!r})"
        )
    raise OptionError(
        f'memory={memory!r} must be a romaine.RoleplayMemory, e.g. RoleplayMemory("memories.db")'
    )


def check_keywords(
    face: Callable[..., Any], given: object, remedies: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Says what to write in place of names that a class does not have.

    Args:
        face: The class, or a function.
        given: What it was called with, by name.
        remedies: What to do instead of names that other classes have, where there is more to say.

    Raises:
        OptionError: If a name is unknown.
    """
    if not isinstance(given, Mapping):
        return
    for name in given:
        if name in remedies:
            raise OptionError(f"{name}=... is not known here; {remedies[name]}")
    if (wrong := misnamed(face, given)) is not None:
        raise OptionError(wrong)
