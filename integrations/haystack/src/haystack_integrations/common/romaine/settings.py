# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""The settings of `romaine.Embedder` as Haystack has them, checked when given, and what they make."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any

from haystack.utils import ComponentDevice, Secret
from romaine import Embedder
from romaine.checks import optional_str
from romaine.embedder import DEFAULT_MODEL
from romaine.embedder_options import EmbedderOptions
from romaine.errors import OptionError
from romaine.options import keywords

HUB_TOKEN = Secret.from_env_var(["HF_API_TOKEN", "HF_TOKEN"], strict=False)
"""Where Haystack's components look for the hub's access token; read when a model is loaded."""


_NAMES = {"show_progress": "progress_bar"}  # options of `Embedder` that Haystack has another name for
_HAYSTACKS_OWN = frozenset({"device", "token"})  # a ComponentDevice and a Secret here


@dataclass(frozen=True, kw_only=True)
class EmbedderSettings:
    """Settings of an embedder. `romaine.Embedder` says what each means, and what is wrong with a value.

    :param model: Its name or folder.
    :param device: Where it runs.
    :param token: Access token of the hub.
    :param options: All other options.
    """

    model: str | Path = DEFAULT_MODEL
    device: ComponentDevice | None = None
    token: Secret | None = HUB_TOKEN
    options: EmbedderOptions = field(default_factory=EmbedderOptions)

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
        self._make(token=None)  # refuses what else is not allowed; loads nothing
        object.__setattr__(self, "model", os.fspath(self.model))  # as YAML can hold it

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> EmbedderSettings:
        """Returns the settings that a component is made with.

        :param given: Its parameters by name; others than settings are left alone.
        :returns: The settings.
        :raises OptionError: If a value is not allowed.
        """
        values: dict[str, Any] = {}
        for name, (here, default) in _options().items():
            if here in given:
                values[name] = value = given[here]
                if isinstance(default, bool) and not isinstance(value, bool):
                    # "false", as a quoted YAML value, would be taken for true
                    raise OptionError(f"{here}={value!r} is not allowed: it must be True or False")
        optional_str("revision", given.get("revision"))
        own = {name: given[name] for name in ("model", *_HAYSTACKS_OWN)}
        return cls(**own, options=EmbedderOptions(**values))

    def make(self) -> Embedder:
        """Returns the embedder that these settings describe, with the token as it is now; loads nothing."""
        token = self.token.resolve_value() if self.token is not None else None
        return self._make(token=token or None)  # a variable that is set to nothing is no token

    def init_parameters(self, *, without: Collection[str] = ()) -> dict[str, Any]:
        """Returns the settings under their names, as YAML can hold them, for `to_dict`.

        :param without: Those that the component does not have.
        :returns: The values by name.
        """
        values = {here: _plain(getattr(self.options, name)) for name, (here, _) in _options().items()}
        own = {"model": self.model, "device": self.device, "token": self.token}
        return {name: value for name, value in (own | values).items() if name not in without}

    def _make(self, *, token: str | None) -> Embedder:
        device = self.device.to_torch_str() if self.device is not None else None
        return Embedder(self.model, **keywords(self.options) | {"device": device, "token": token})


def _options() -> dict[str, tuple[str, Any]]:
    """By the name of an option of `Embedder`, its name here and its default."""
    return {
        option.name: (_NAMES.get(option.name, option.name), option.default)
        for option in fields(EmbedderOptions)
        if option.name not in _HAYSTACKS_OWN
    }


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return list(value)
    return os.fspath(value) if isinstance(value, Path) else value


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
