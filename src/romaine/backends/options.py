"""What has to be known to find a model and load it, besides its name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from romaine.backends.spec import spec
from romaine.checks import optional_path, optional_positive_int, optional_str, optional_str_tuple
from romaine.errors import UnknownNameError

DEVICES = ("cpu", "cuda", "mps", "coreml", "dml")
"""Kinds of device; "cuda" and the like may be followed by a number, e.g. "cuda:1"."""

DTYPES = ("float32", "float16", "bfloat16")
"""What weights and arithmetic may be on torch."""


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """How to find a model and load it. Handed on whole, from whoever asks down to the backend that loads it.

    The attributes are the arguments of `Embedder` of the same name; a backend uses those that apply to it.

    Raises:
        OptionError: If a value is not allowed. Whether a device is there, its backend says when it loads.
    """

    backend: str = "auto"
    threads: int | None = None
    device: str | None = None
    providers: tuple[str, ...] | None = None
    dtype: str = "float32"
    variant: str | None = None
    cache_folder: Path | None = None
    local_files_only: bool = False
    revision: str | None = None
    token: str | None = field(default=None, repr=False)
    allow_rejected: bool = False
    require_verified: bool = False
    allow_pickle: bool = False
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        if self.backend != "auto":
            spec(self.backend)  # a name nobody knows is an error now, not when the model is first used
        optional_positive_int("threads", self.threads)
        kind, _, number = str(self.device).partition(":")
        if self.device is not None and (kind not in DEVICES or not (number or "0").isdecimal()):
            raise UnknownNameError("device", self.device, DEVICES)
        object.__setattr__(self, "providers", optional_str_tuple("providers", self.providers))
        if self.dtype not in DTYPES:
            raise UnknownNameError("dtype", self.dtype, DTYPES)
        if self.variant is not None:
            from romaine.models.layouts import VARIANTS  # which importing romaine does not need

            if self.variant not in VARIANTS:
                raise UnknownNameError("variant", self.variant, VARIANTS)
        object.__setattr__(self, "cache_folder", optional_path("cache_folder", self.cache_folder))
        optional_str("token", self.token)


DEFAULTS = LoadOptions()
