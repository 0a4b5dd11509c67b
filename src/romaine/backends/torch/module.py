"""Builds transformers' module of a model: its config, its weights, and every reason to refuse them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from romaine.backends.base import LoadOptions
from romaine.backends.torch import nomic
from romaine.backends.torch.rotary import make_stateless
from romaine.backends.torch.settings import DTYPES, parse_device, quiet_loading
from romaine.backends.torch.weights import read_weights
from romaine.errors import ModelFormatError, UnsafeModelError, one_line
from romaine.models.card import ModelCard
from romaine.models.files import LocalModel
from romaine.models.layouts import PLAIN_MODULES
from romaine.models.tree import FileTree, read_json_object

_DROPPED_CONFIG_KEYS = {
    "auto_map",
    "_name_or_path",
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_internal",
    "experts_implementation",
    "torch_dtype",
    "dtype",
    "transformers_version",
    "backbone",
    "use_timm_backbone",
    "use_pretrained_backbone",
    "timm_model",
}
"""What could make transformers run or fetch something (code, kernels, another model's weights), and the
precision, which is the caller's choice."""

_HEADS = re.compile(
    r"(^|\.)(pooler|cls|lm_head|classifier|vocab_transform|vocab_layer_norm|vocab_projector|generator_\w+)\."
    r"|^(head|decoder|qa_outputs)\.|(^|\.)(position_ids|token_type_ids|inv_freq|original_inv_freq)$"
)
"""Weights of a training head, or constants that older versions stored: not needed for token states."""


def load_module(model: LocalModel, card: ModelCard, options: LoadOptions) -> torch.nn.Module:
    """Loads a model as transformers' own module, in eval mode on the device asked for.

    `module(input_ids=..., attention_mask=...).last_hidden_state` is (n, length, hidden size); pool it by
    `card.pooling` with `romaine.backends.torch.pool`. A rotary embedding that depends on the length of its
    input is stateless here, and everything exports to ONNX with dynamic batch and length.

    Of `options`, `device`, `dtype`, `allow_pickle` and `trust_remote_code` apply.

    Raises:
        ModelFormatError: If files are missing, damaged or do not fit each other or transformers' class.
        UnsafeModelError: If loading would run code from the folder and that is not allowed.
        OptionError: If the device is not there.
    """
    device, dtype = parse_device(options.device), DTYPES[options.dtype]
    modules = FileTree.of_folder(model.folder).modules
    further = sorted({module.kind for module in modules} - PLAIN_MODULES)
    if further:
        raise ModelFormatError(
            f"{model.id} has the modules {', '.join(further)} besides its transformer, which this backend"
            " would leave out. Use backend='sentence-transformers'."
        )
    config_path = model.path("config")
    config = read_json_object(config_path)
    if _known_type(config) is None and options.trust_remote_code:
        module = _load_with_remote_code(config_path.parent, dtype, options)
    else:
        weights = read_weights(model, allow_pickle=options.allow_pickle)
        module = _build(model.id, config, weights, dtype)
    make_stateless(module)
    if module.config.hidden_size != card.full_dim:
        raise ModelFormatError(
            f"{model.id} has states of {module.config.hidden_size} components, its card says {card.full_dim}"
        )
    ready: torch.nn.Module = module.eval().requires_grad_(False).to(device)
    return ready


def _known_type(config: Mapping[str, Any]) -> Any:
    """The config class transformers itself has for this config, or None."""
    name = config.get("model_type")
    return CONFIG_MAPPING[name] if isinstance(name, str) and name in CONFIG_MAPPING else None


def _build(
    model_id: str, raw: Mapping[str, Any], weights: dict[str, torch.Tensor], dtype: torch.dtype
) -> Any:
    config_class = _known_type(raw)
    if config_class is None:
        raise _unknown_architecture(model_id, raw)
    if "quantization_config" in raw:
        raise ModelFormatError(
            f"{model_id} is quantised for another runtime; use its full-precision or ONNX files"
        )
    if raw["model_type"] == nomic.MODEL_TYPE:
        weights = nomic.translate_weights(weights)
    try:
        with quiet_loading():
            if raw["model_type"] == nomic.MODEL_TYPE and nomic.has_original_keys(raw):
                config = config_class(**nomic.translate_config(raw, weights))
            else:
                config = config_class.from_dict(_without_dropped(raw))
    except ModelFormatError:
        raise
    except Exception as error:  # transformers' config classes raise many types for a bad value
        raise ModelFormatError(
            f"{model_id} has a config that its class refuses: {one_line(error)}"
        ) from error
    if config.is_encoder_decoder or type(config) not in MODEL_MAPPING:
        raise ModelFormatError(
            f"{model_id} ({raw['model_type']}) is not a text encoder that gives token states"
        )
    model_class = MODEL_MAPPING[type(config)]
    if isinstance(model_class, (tuple, list)):
        model_class = model_class[0]
    return _with_weights(model_id, model_class, config, weights, dtype)


def _with_weights(
    model_id: str, model_class: Any, config: Any, weights: dict[str, torch.Tensor], dtype: torch.dtype
) -> Any:
    takes_pooler = "add_pooling_layer" in inspect.signature(model_class.__init__).parameters
    extra: dict[str, Any] = {"add_pooling_layer": False} if takes_pooler else {}
    if model_class._supports_sdpa:
        extra["attn_implementation"] = "sdpa"
    try:
        with quiet_loading():
            module, report = model_class.from_pretrained(
                None,
                config=config,
                state_dict=weights,
                dtype=dtype,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are reported, and refused below
                local_files_only=True,
                **extra,
            )
    except Exception as error:  # whatever transformers makes of a config and weights that do not fit
        raise ModelFormatError(f"{model_id} cannot be built from its config: {one_line(error)}") from error
    _refuse_misfits(model_id, report)
    return module


def _refuse_misfits(model_id: str, report: Mapping[str, Any]) -> None:
    wrong = {
        "missing": sorted(report["missing_keys"]),
        "of another shape than the config says": sorted(name for name, *_shapes in report["mismatched_keys"]),
        "not part of this architecture": sorted(
            name for name in report["unexpected_keys"] if not _HEADS.search(name)
        ),
    }
    found = [f"{len(names)} {what} (first: {names[0]})" for what, names in wrong.items() if names]
    if found:
        raise ModelFormatError(f"the weights of {model_id} do not fit its config: {'; '.join(found)}")


def _unknown_architecture(model_id: str, raw: Mapping[str, Any]) -> ModelFormatError | UnsafeModelError:
    problem = (
        f"{model_id} has the architecture {raw.get('model_type')!r}, which transformers"
        f" {transformers.__version__} does not have"
    )
    if "auto_map" in raw:
        return UnsafeModelError(
            f"{problem}; its own code would have to run. Pass trust_remote_code=True if you trust it."
        )
    return ModelFormatError(problem)


def _load_with_remote_code(folder: Path, dtype: torch.dtype, options: LoadOptions) -> Any:
    try:
        with quiet_loading():
            return transformers.AutoModel.from_pretrained(
                folder,
                trust_remote_code=True,
                local_files_only=True,
                use_safetensors=not options.allow_pickle,
                dtype=dtype,
            )
    except Exception as error:  # anything: it is somebody else's code
        raise ModelFormatError(f"the code in {folder} failed to load its model: {one_line(error)}") from error


def _without_dropped(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_dropped(item) for key, item in value.items() if key not in _DROPPED_CONFIG_KEYS}
    return value
