"""Opens a folder for one backend without the catalog, so that a backend's tests are about the backend."""

from __future__ import annotations

from pathlib import Path

from romaine.arrays import Pooling
from romaine.models.card import ModelCard
from romaine.models.files import LocalModel

_FILES = {
    "config": ("config.json",),
    "tokenizer": ("tokenizer.json",),
    "weights": ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"),
}


def local_model(
    folder: Path, *, full_dim: int, max_tokens: int | None = None, pooling: Pooling = Pooling.MEAN
) -> LocalModel:
    card = ModelCard(
        id=folder.name,
        kind="test",
        full_dim=full_dim,
        dims=(full_dim,),
        max_tokens=max_tokens,
        pooling=pooling,
    )
    there = {
        use: [folder / name for name in names if (folder / name).is_file()] for use, names in _FILES.items()
    }
    files = {use: paths[0] for use, paths in there.items() if paths}
    return LocalModel(id=folder.name, folder=folder, layout="test", card=card, files=files)
