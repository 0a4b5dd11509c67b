"""The ONNX backend: any encoder graph on ONNX Runtime, with `tokenizers` and nothing else.

    load          a backend for `Embedder`
    open_session  a graph with the settings this backend runs it with

The graph says what it takes and gives. Pooled vectors are returned as they are; token states are pooled here
by the card. Files written by `romaine.export` also carry, as metadata, what no graph can say by itself.
"""

from __future__ import annotations

from romaine.backends.onnx.contract import METADATA_MAX_TOKENS, METADATA_UNIFORM_ABOVE
from romaine.backends.onnx.encoder import OnnxBackend, load
from romaine.backends.onnx.session import open_session, parse_providers, physical_cores

__all__ = [
    "METADATA_MAX_TOKENS",
    "METADATA_UNIFORM_ABOVE",
    "OnnxBackend",
    "load",
    "open_session",
    "parse_providers",
    "physical_cores",
]
