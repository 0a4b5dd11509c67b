"""The table of backends: where each lives, what it needs, and those other packages add."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from romaine.errors import MissingExtraError, UnknownNameError
from romaine.plugins import plugins

ENTRY_POINT_GROUP = "romaine.backends"


@dataclass(frozen=True, kw_only=True)
class BackendSpec:
    """One backend, described without importing it.

    Attributes:
        name: What callers write.
        module: Module that exports `load` (see `romaine.backends.base.Loader`).
        extra: The extra that brings its runtime, "" if the package itself does.
        probes: Top-level modules that must be importable.
        pools: Whether it reads the model's own pooling, rather than the card's.
        third_party: Whether another distribution provides it; it is then given any complete layout.
    """

    name: str
    module: str
    extra: str = ""
    probes: tuple[str, ...] = ()
    pools: bool = False
    third_party: bool = False

    @property
    def installed(self) -> bool:
        """Whether its runtime is here, found out without importing it."""
        return all(_is_importable(probe) for probe in self.probes)

    def require(self) -> None:
        """Makes sure that its runtime is here.

        Raises:
            MissingExtraError: If it is not installed.
        """
        if not self.installed:
            raise MissingExtraError(f"backend {self.name!r}", self.extra or "all")


BACKENDS: tuple[BackendSpec, ...] = (
    BackendSpec(name="static", module="romaine.backends.static", probes=("tokenizers",)),
    BackendSpec(name="onnx", module="romaine.backends.onnx", probes=("onnxruntime", "tokenizers")),
    BackendSpec(
        name="torch", module="romaine.backends.torch", extra="torch", probes=("torch", "transformers")
    ),
    BackendSpec(
        name="sentence-transformers",
        module="romaine.backends.sentence_transformers",
        extra="sentence-transformers",
        probes=("torch", "sentence_transformers"),
        pools=True,
    ),
)
"""Built-in backends, in the order in which "auto" prefers them."""


def spec(name: object) -> BackendSpec:
    """The backend called `name`.

    Raises:
        UnknownNameError: If there is none.
    """
    known = {item.name: item for item in BACKENDS}
    if isinstance(name, str):
        if name in known:
            return known[name]
        known |= {item.name: item for item in _third_party()}
        if name in known:
            return known[name]
    raise UnknownNameError("backend", name, ["auto", *known])


def backend_names() -> tuple[str, ...]:
    """Every backend's name, installed or not, third parties' last."""
    return tuple(item.name for item in (*BACKENDS, *_third_party()))


def available_backends() -> tuple[str, ...]:
    """Names of the backends whose runtimes are installed."""
    return tuple(item.name for item in (*BACKENDS, *_third_party()) if item.installed)


def _third_party() -> tuple[BackendSpec, ...]:
    """Backends of other distributions: entry points whose value is a module that exports `load`."""
    return tuple(
        BackendSpec(name=plugin.name, module=plugin.value, third_party=True)
        for plugin in plugins(ENTRY_POINT_GROUP, taken={"auto", *(item.name for item in BACKENDS)})
        if ":" not in plugin.value
    )


def _is_importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a half-removed package
        return False
