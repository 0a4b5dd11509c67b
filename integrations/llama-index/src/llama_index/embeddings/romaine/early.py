"""What can be told of settings before a model is loaded: it is told when a component is made."""

from __future__ import annotations

from importlib.util import find_spec

from llama_index.core.bridge.pydantic import BaseModel

from romaine.backends.options import LoadOptions
from romaine.embedder_options import EmbedderOptions
from romaine.errors import MisnamedOptionError, OptionError
from romaine.models import catalog
from romaine.options import misnamed


def check_early(model: str, options: EmbedderOptions) -> None:
    """Checks the dimension of a model that is known by name, and whether the device is there.

    Raises:
        DimensionError: If the model cannot give the dimension.
        OptionError: If no runtime here has the device.
    """
    card = catalog.find(model)
    if card is not None:
        card.check_dim(options.dim, allow_untrained=options.allow_untrained_dim)
    if options.device is not None and not options.device.startswith("cpu") and options.providers is None:
        _check_device(options.device, options)


def _check_device(device: str, options: LoadOptions) -> None:
    from romaine.backends.onnx.session import parse_providers  # loads a runtime, as the other one does

    try:
        parse_providers(options)
    except OptionError:
        if options.backend not in ("auto", "torch", "sentence-transformers") or find_spec("torch") is None:
            raise
        from romaine.backends.torch.settings import parse_device

        parse_device(device)


def check_names(model: type[BaseModel], given: object) -> None:
    """Checks the names of a component's settings, before pydantic refuses one without saying what is meant.

    Raises:
        MisnamedOptionError: If there is none of a name; it says which one is meant, or those there are.
    """
    message = misnamed(model, given if isinstance(given, dict) else ())
    if message is not None:
        raise MisnamedOptionError(message)
