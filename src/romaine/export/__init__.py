"""torch models as ONNX files that pool and normalise inside and need no torch to run (extra `export`)."""

from __future__ import annotations

from romaine.errors import MissingExtraError

try:
    import onnx as _onnx  # noqa: F401
    import onnxscript as _onnxscript  # noqa: F401
    import torch as _torch  # noqa: F401
    import transformers as _transformers  # noqa: F401
except ModuleNotFoundError as error:
    if error.name not in {"onnx", "onnxscript", "torch", "transformers"}:
        raise
    raise MissingExtraError("exporting to ONNX", "export") from error

from romaine.export.export import ExportedFile, ExportReport, export_model
from romaine.export.parity import Limits, Parity
from romaine.export.quantize import Rounding, quantize

__all__ = ["ExportReport", "ExportedFile", "Limits", "Parity", "Rounding", "export_model", "quantize"]
