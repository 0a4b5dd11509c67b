"""Reads a checkpoint's tensors: safetensors, whole or in shards; a pickle only when the caller allows it."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from romaine.errors import ModelFormatError, UnsafeModelError, one_line
from romaine.models.files import LocalModel
from romaine.models.layouts import is_pickle
from romaine.models.tree import read_json_object


def read_weights(model: LocalModel, *, allow_pickle: bool) -> dict[str, torch.Tensor]:
    """Reads all tensors of a model onto the CPU.

    Args:
        model: The model, with the file "weights".
        allow_pickle: Whether a .bin or .pt file may be opened. Even then nothing but tensors is unpickled.

    Raises:
        ModelFormatError: If there are no weights, or they are damaged.
        UnsafeModelError: If they are in a pickle that is not allowed, or that holds more than tensors.
    """
    weights: dict[str, torch.Tensor] = {}
    for part in _shards(model.path("weights")):
        weights.update(_read(part, allow_pickle=allow_pickle))
    return weights


def _shards(path: Path) -> list[Path]:
    if not path.name.endswith(".index.json"):
        return [path]
    listed = read_json_object(path).get("weight_map")
    names: set[str] = set()
    for name in listed.values() if isinstance(listed, dict) else [listed]:
        if not isinstance(name, str) or Path(name).name != name:
            raise ModelFormatError(f"{path} names the shard {name!r}; a shard must lie in the same folder")
        names.add(name)
    return [path.parent / name for name in sorted(names)]


def _read(path: Path, *, allow_pickle: bool) -> Mapping[str, torch.Tensor]:
    if is_pickle(path.name):
        return _read_pickle(path, allow_pickle=allow_pickle)
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, LookupError, TypeError, MemoryError) as error:
        raise ModelFormatError(
            f"{path} is not a complete safetensors file ({one_line(error)}). Delete it and download it again."
        ) from error


def _read_pickle(path: Path, *, allow_pickle: bool) -> Mapping[str, torch.Tensor]:
    if not allow_pickle:
        raise UnsafeModelError(
            f"{path} is a pickle, and opening one can run code that came with it. Use a model with"
            " model.safetensors, or pass allow_pickle=True to read its tensors (and nothing else)."
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UnsafeModelError(
            f"{path} holds more than tensors, so it stays closed: {one_line(error)}"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        raise ModelFormatError(f"{path} is not a complete torch file ({one_line(error)})") from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(
        isinstance(value, torch.Tensor) for value in content.values()
    ):
        raise ModelFormatError(f"{path} is not a state dict: a mapping from names to tensors is needed")
    return content
