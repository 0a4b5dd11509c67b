"""Options of torch: where and how precisely to compute."""

from __future__ import annotations

import torch

from romaine.backends.base import LoadOptions
from romaine.errors import OptionError

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def dtype_of(options: LoadOptions) -> torch.dtype:
    """Returns what `dtype` names; `LoadOptions` has refused other names."""
    return _DTYPES[options.dtype]


def parse_device(name: str | None) -> torch.device:
    """Returns the device of that name; None is the CPU.

    Raises:
        OptionError: If it is not "cpu", "cuda", "cuda:N" or "mps", or is not there, naming those that are.
    """
    try:
        device = torch.device(name or "cpu")
    except (RuntimeError, TypeError):
        raise _not_there(name) from None
    if device.type == "cpu":
        there = device.index in {None, 0}
    elif device.type == "cuda":
        there = (device.index or 0) < torch.cuda.device_count()
    else:
        there = device.type == "mps" and torch.backends.mps.is_available()
    if not there:
        raise _not_there(name)
    return device


def _not_there(name: object) -> OptionError:
    there = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        there.append("mps")
    return OptionError(
        f"device={name!r} is not available to torch here; available: {', '.join(there)}."
        " For a GPU, install the torch build that fits its driver."
    )
