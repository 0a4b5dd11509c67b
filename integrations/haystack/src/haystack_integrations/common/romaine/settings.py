# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""The settings of `romaine.Embedder` as Haystack has them, checked when given, and what they make."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from haystack.utils import ComponentDevice, Secret
from romaine import Embedder
from romaine.checks import optional_str
from romaine.errors import OptionError

DEFAULT_MODEL = "little-gem"
"""The model in romaine's wheel."""

HUB_TOKEN = Secret.from_env_var(["HF_API_TOKEN", "HF_TOKEN"], strict=False)
"""Where Haystack's components look for the hub's access token; read when a model is loaded."""


@dataclass(frozen=True, kw_only=True)
class EmbedderSettings:
    """Settings of an embedder. `romaine.Embedder` says what each means, and what is wrong with a value."""

    model: str | Path = DEFAULT_MODEL
    backend: str = "auto"
    dim: int | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    truncate: str = "end"
    batch_tokens: int = 8192
    batch_size: int | None = None
    threads: int | None = None
    device: ComponentDevice | None = None
    providers: Sequence[str] | None = None
    dtype: str = "float32"
    variant: str | None = None
    cache_folder: str | Path | None = None
    local_files_only: bool = False
    revision: str | None = None
    token: Secret | None = HUB_TOKEN
    progress_bar: bool = False
    allow_untrained_dim: bool = False
    allow_rejected: bool = False
    require_verified: bool = False
    allow_pickle: bool = False
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.model, (str, Path)):
            raise OptionError(f"model must be a str or Path, got {type(self.model).__name__}")
        if self.device is not None and not isinstance(self.device, ComponentDevice):
            raise OptionError(
                f"device={self.device!r} must be a ComponentDevice or None, e.g."
                ' ComponentDevice.from_str("cuda:0")'
            )
        if self.token is not None and not isinstance(self.token, Secret):
            raise OptionError(
                f"token must be a Secret or None, got {type(self.token).__name__}, e.g."
                ' Secret.from_env_var("HF_TOKEN")'
            )
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, bool) and not isinstance(value, bool):
                # "false", as a quoted YAML value, would be taken for true
                raise OptionError(f"{field.name}={value!r} is not allowed: it must be True or False")
        optional_str("revision", self.revision)
        self._make(token=None)  # refuses what else is not allowed; loads nothing
        # as YAML can hold them
        object.__setattr__(self, "model", os.fspath(self.model))
        if self.cache_folder is not None:
            object.__setattr__(self, "cache_folder", os.fspath(self.cache_folder))
        if self.providers is not None:
            object.__setattr__(self, "providers", list(self.providers))

    def make(self) -> Embedder:
        """Returns the embedder that these settings describe, with the token as it is now; loads nothing."""
        token = self.token.resolve_value() if self.token is not None else None
        return self._make(token=token or None)  # a variable that is set to nothing is no token

    def init_parameters(self) -> dict[str, Any]:
        """Returns the settings under their names, for `to_dict`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def _make(self, *, token: str | None) -> Embedder:
        return Embedder(
            self.model,
            backend=self.backend,
            dim=self.dim,
            query_prompt=self.query_prompt,
            document_prompt=self.document_prompt,
            truncate=self.truncate,
            batch_tokens=self.batch_tokens,
            batch_size=self.batch_size,
            threads=self.threads,
            device=self.device.to_torch_str() if self.device is not None else None,
            providers=self.providers,
            dtype=self.dtype,
            variant=self.variant,
            cache_folder=self.cache_folder,
            local_files_only=self.local_files_only,
            revision=self.revision,
            token=token,
            show_progress=self.progress_bar,
            allow_untrained_dim=self.allow_untrained_dim,
            allow_rejected=self.allow_rejected,
            require_verified=self.require_verified,
            allow_pickle=self.allow_pickle,
            trust_remote_code=self.trust_remote_code,
        )


class WarmEmbedder:
    """An embedder that is loaded at first use, once, however many threads ask.

    :param settings: What it is to be.
    """

    def __init__(self, settings: EmbedderSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._embedder: Embedder | None = None

    def get(self) -> Embedder:
        """Returns the embedder with its model loaded.

        :returns: The same one every time.
        """
        if self._embedder is None:
            with self._lock:
                if self._embedder is None:
                    self._embedder = self._settings.make().warm_up()
        return self._embedder
