"""The dense layers of a late-interaction model, where its graph ends before them."""

from __future__ import annotations

from functools import reduce

import numpy as np

from romaine.arrays import FloatArray
from romaine.errors import ModelFormatError, one_line
from romaine.models.files import LocalModel
from romaine.models.tree import read_json_object


def projection(model: LocalModel) -> FloatArray | None:
    """The product of the dense layers that follow a transformer; None if there are none.

    Returns:
        float32 (states_dim, token_dim), to be multiplied from the right.

    Raises:
        ModelFormatError: If one is not linear, has a bias, or is not readable as safetensors.
    """
    layers = sorted(
        use.removesuffix(":model")
        for use in model.files
        if use.startswith("module:") and use.endswith(":model")
    )
    matrices = [_matrix(model, layer) for layer in layers]
    try:
        return reduce(np.matmul, matrices) if matrices else None
    except ValueError as error:
        raise ModelFormatError(
            f"{model.id}: the dense layers do not follow each other ({one_line(error)}); download it again"
        ) from None


def _matrix(model: LocalModel, layer: str) -> FloatArray:
    settings = read_json_object(model.path(f"{layer}:config"))
    activation = str(settings.get("activation_function", "Identity")).rpartition(".")[2]
    if activation != "Identity" or settings.get("bias") or settings.get("use_residual"):
        raise ModelFormatError(
            f"{model.id}: {layer!r} has an activation ({activation}), a bias or a residual,"
            " and the ONNX file ends before it; export the model whole, e.g. with pylate-onnx-export"
        )
    from safetensors.numpy import load_file

    try:
        weight = load_file(model.path(f"{layer}:model"))["linear.weight"]
        return np.ascontiguousarray(weight.astype(np.float32).T)
    except Exception as error:  # safetensors' own, and whatever a damaged file makes of shapes
        raise ModelFormatError(
            f"{model.path(f'{layer}:model')} is not the weight of a dense layer ({one_line(error)});"
            " download the model again"
        ) from None
