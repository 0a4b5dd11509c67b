"""What the tests of the torch backend share."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from romaine import arrays
from romaine.backends.base import LoadOptions, Truncate
from romaine.backends.torch import TorchBackend, load
from tests.backends.local import local_model

TEXTS = [
    "The key is under the third step.",
    "x",
    "",
    "Where did she hide it, and when will he find out? " * 3,
]
LONG = "the lantern swings over seven grey stairs while rain counts the panes " * 20


def open_folder(folder: Path, full_dim: int, **options: object) -> TorchBackend:
    model = local_model(folder, full_dim=full_dim)
    return load(model, model.card, LoadOptions(**options))  # type: ignore[arg-type]


def vectors_of(backend: TorchBackend, texts: list[str], truncate: Truncate = Truncate.END) -> np.ndarray:
    return backend.encode(backend.split(texts, truncate).inputs)  # type: ignore[arg-type]


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("nd,nd->n", arrays.l2_normalize(a), arrays.l2_normalize(b))


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
