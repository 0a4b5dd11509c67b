"""What beginners get wrong, answered with what to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from romaine import RoleplayMemory
from romaine.errors import OptionError


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


def check_keywords(given: Iterable[object], remedies: Mapping[str, str]) -> None:
    """Says what to write in place of names that other classes have.

    Raises:
        OptionError: If one of these names is given.
    """
    for name in given:
        if isinstance(name, str) and name in remedies:
            raise OptionError(f"{name}=... is not known here; {remedies[name]}")
