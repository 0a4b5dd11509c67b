"""What users give to the components over a memory, and what they are told if it is something else."""

from __future__ import annotations

from pathlib import Path

from romaine.errors import OptionError
from romaine.memory import RoleplayMemory


def open_memory(memory: object) -> RoleplayMemory:
    """Returns a memory as it is.

    Raises:
        OptionError: If it is not one; where it is a path, it says how to open it.
    """
    if isinstance(memory, RoleplayMemory):
        return memory
    if isinstance(memory, (str, Path)):
        raise OptionError(
            f"memory={str(memory)!r} is a path: give the open memory, RoleplayMemory({str(memory)!r}), which"
            " is yours to close and may be shared by all components"
        )
    raise OptionError(f"memory={memory!r} must be a romaine.RoleplayMemory")
