"""Checkpoints that survive a kill at any moment: one safetensors file, replaced in one step."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from romaine.errors import InputFileError, OptionError

_FACTS = "romaine"  # key of the metadata


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A saved state.

    Attributes:
        tensors: By name, on the CPU.
        facts: What is known about them, as JSON has it.
    """

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Writes a checkpoint beside `path`, brings it to the disk, then gives it that name.

    Raises:
        OptionError: If it cannot be written.
    """
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(dict(tensors), partial, metadata={_FACTS: json.dumps(facts)})
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        raise OptionError(f"{path} cannot be written: {error}; choose another --out") from error


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads what `write_checkpoint` wrote.

    Raises:
        InputFileError: If the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})[_FACTS])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is not a dict)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InputFileError(
            f"{path} is no checkpoint of a training run ({error}); delete {path.parent} to start afresh"
        ) from error
    return Checkpoint(tensors=tensors, facts=facts)
