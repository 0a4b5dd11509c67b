"""What other packages add: their entry points, listed without importing anything and loaded one at a time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from operator import attrgetter

from romaine.errors import PluginError


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One entry point.

    Attributes:
        group: What it is for, e.g. ``"romaine.formats"``.
        name: What callers write.
        value: Where it is: ``"package.module"`` or ``"package.module:attribute"``.
        package: Name and version of the distribution that adds it.
    """

    group: str
    name: str
    value: str
    package: str

    def __str__(self) -> str:
        return f"{self.name!r} of {self.package}"

    def load(self) -> object:
        """Imports what it names.

        Raises:
            PluginError: If that fails, whatever the reason.
        """
        module, _, attribute = self.value.partition(":")
        try:
            loaded = import_module(module.strip())
            return attrgetter(attribute.strip())(loaded) if attribute else loaded
        except Exception as error:  # it is somebody else's code that runs here
            raise PluginError(
                f"{self} cannot be loaded from {self.value!r} ({type(error).__name__}: {error});"
                " update or uninstall that package"
            ) from error


def plugins(group: str, *, taken: Collection[str] = ()) -> tuple[Plugin, ...]:
    """Everything that installed packages add to a group, by name.

    Args:
        group: E.g. ``"romaine.formats"``.
        taken: Names that are ours: an installed package cannot take their place.
    """
    return tuple(plugin for plugin in _installed(group) if plugin.name not in taken)


@cache
def _installed(group: str) -> tuple[Plugin, ...]:
    from importlib.metadata import entry_points

    found: dict[str, Plugin] = {}
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, point.value)):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"
        value = point.value.partition("[")[0].strip()  # extras have long meant nothing
        plugin = Plugin(group=group, name=point.name, value=value, package=package)
        found.setdefault(point.name, plugin)
    return tuple(found.values())
