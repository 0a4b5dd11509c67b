"""How torch and transformers run: where, how precisely, and without a word."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers.utils import logging as transformers_logging

from romaine.errors import OptionError

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
"""By the names that `LoadOptions.dtype` may have."""

_lock = threading.Lock()


def parse_device(name: str | None) -> torch.device:
    """Returns the device of that name; None is the CPU.

    Raises:
        OptionError: If it is not "cpu", "cuda", "cuda:N" or "mps", or is not there, naming those that are.
    """
    there = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        there.append("mps")
    kind, _, number = (name or "cpu").partition(":")
    if f"{kind}:{number or 0}" not in there and (kind not in there or number not in ("", "0")):
        raise OptionError(
            f"device={name!r} is not available to torch here; available: {', '.join(there)}."
            " For a GPU, install the torch build that fits its driver."
        )
    return torch.device(name or "cpu")


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Silences transformers' loading report and progress bar, and puts both back as they were."""
    with _lock:
        verbosity = transformers_logging.get_verbosity()
        bar = transformers_logging.is_progress_bar_enabled()
        transformers_logging.set_verbosity(transformers_logging.CRITICAL)
        transformers_logging.disable_progress_bar()
        try:
            yield
        finally:
            transformers_logging.set_verbosity(verbosity)
            if bar:
                transformers_logging.enable_progress_bar()
