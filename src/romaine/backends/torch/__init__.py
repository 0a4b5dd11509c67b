"""The torch backend: transformers' own classes, without code from the model's folder.

    load         a backend for `Embedder`
    load_module  the bare transformers module, for exporting and training; pool its states with `pool`

Threads: torch has one intra-op thread count for the whole process. It is left alone unless the caller names a
number, which is then set for the process.
"""

from __future__ import annotations

from romaine.errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401
    import transformers as _transformers  # noqa: F401
except ModuleNotFoundError as error:
    if error.name not in {"torch", "transformers"}:
        raise
    raise MissingExtraError("backend 'torch'", "torch") from error

from romaine.backends.torch.encoder import TorchBackend, load, pool
from romaine.backends.torch.module import load_module

__all__ = ["TorchBackend", "load", "load_module", "pool"]
