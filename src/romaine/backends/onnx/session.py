"""Opens ONNX Runtime sessions: threads, memory, providers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime as ort

from romaine.backends.base import LoadOptions
from romaine.errors import ModelFormatError, OptionError, one_line

CPU = "CPUExecutionProvider"
_PROVIDERS = {
    "cpu": CPU,
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "mps": "CoreMLExecutionProvider",
    "dml": "DmlExecutionProvider",
}
_ERRORS_ONLY = 3  # ORT's severities: 0 verbose ... 3 error, 4 fatal


def open_session(
    path: Path, *, providers: Sequence[Any] = (CPU,), threads: int | None = None
) -> ort.InferenceSession:
    """Loads a graph with the settings that suit batches of varying shape.

    Args:
        path: The .onnx file; tensors it keeps in other files must be inside its folder.
        providers: ONNX Runtime's execution providers.
        threads: Intra-op threads, or None for the number of physical cores.

    Raises:
        ModelFormatError: If ONNX Runtime cannot read it.
    """
    settings = ort.SessionOptions()
    settings.log_severity_level = _ERRORS_ONLY
    settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    settings.intra_op_num_threads = threads or physical_cores()
    settings.inter_op_num_threads = 1
    # Memory plans are kept for every shape ever seen, and every batch has another shape.
    settings.enable_mem_pattern = False
    # Threads wait for the next operator awake, but sleep once a batch is done.
    settings.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return ort.InferenceSession(str(path), settings, providers=list(providers))
    except Exception as error:
        raise ModelFormatError(
            f"{path} cannot be loaded by ONNX Runtime {ort.__version__} ({one_line(error)})."
            " It is damaged, cut off, made for a newer version, or keeps tensors in files that are missing or"
            " outside its folder. Download it again, or export it (romaine export)."
        ) from error


def parse_providers(options: LoadOptions) -> list[Any]:
    """Turns `providers`, else `device`, into what ONNX Runtime takes.

    Raises:
        OptionError: If one is not in this build of ONNX Runtime, naming those that are.
    """
    available = ort.get_available_providers()
    if options.providers is not None:
        absent = [name for name in options.providers if name not in available]
        if absent or not options.providers:
            raise _not_available(f"providers={list(options.providers)!r}", available)
        return list(options.providers)
    kind, _, index = (options.device or "cpu").partition(":")
    name = _PROVIDERS[kind]
    if name not in available:
        raise _not_available(f"device={options.device!r} (provider {name})", available)
    if name == CPU:
        return [CPU]
    return [(name, {"device_id": index}) if index else name, CPU]


def physical_cores() -> int:
    """Cores this process may use, hardware threads of one core counted once."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        doubled = Path("/sys/devices/system/cpu/smt/active").read_text(encoding="ascii").strip() == "1"
    except OSError:
        doubled = False
    return max(1, usable // 2 if doubled else usable)


def _not_available(asked: str, available: Sequence[str]) -> OptionError:
    return OptionError(
        f"{asked} is not available to ONNX Runtime {ort.__version__} here; available: {', '.join(available)}."
        " For another, install the build of onnxruntime that has it (e.g. onnxruntime-gpu)."
    )
