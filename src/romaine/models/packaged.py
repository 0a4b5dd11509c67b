"""Models that other distributions ship, found by their entry points; nothing of theirs is imported.

An entry point of the group ``romaine.models`` has the model's name and, as its value, a package whose folder
holds what a model's folder holds: `romaine.json`, weights and tokenizer. docs/how-it-is-built.md shows one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from romaine.errors import ModelFormatError, PluginError, one_line
from romaine.models.card import ModelCard
from romaine.models.card_json import CARD_FILE, read_card
from romaine.plugins import Plugin, plugins
from romaine.unfamiliar import MULTILINGUAL, MULTILINGUAL_EXTRA

GROUP = "romaine.models"

EXTRAS: Mapping[str, str] = MappingProxyType({MULTILINGUAL: MULTILINGUAL_EXTRA, "oakleaf": "oakleaf"})
"""Models of this project with a distribution of their own, and the extra of `romaine` that installs each."""


@dataclass(frozen=True, kw_only=True)
class PackagedModel:
    """A model that an installed distribution brings.

    Attributes:
        folder: Where its files are.
        package: Name and version of the distribution.
        card: What its `romaine.json` says.
    """

    folder: Path
    package: str
    card: ModelCard


def packaged_names(*, taken: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the models that are installed so, but for those `taken`, which nobody takes the place of."""
    return tuple(plugin.name for plugin in plugins(GROUP, taken=taken) if _is_name(plugin.name))


def find_packaged(name: str, *, taken: tuple[str, ...]) -> PackagedModel | None:
    """The installed model of a name, or None.

    Raises:
        PluginError: If the distribution has no such package.
        ModelFormatError: If the package has no `romaine.json`, or that of another model.
    """
    if not _is_name(name):
        return None
    plugin = next((plugin for plugin in plugins(GROUP, taken=taken) if plugin.name == name), None)
    if plugin is None:
        return None
    folder = _folder(plugin)
    card = read_card(folder / CARD_FILE)
    if card.id != name:
        raise ModelFormatError(
            f"model {plugin} is called {card.id!r} in its {CARD_FILE}; a model has one name."
            " Update or uninstall that package"
        )
    # only the model in this package's own wheel needs no record of its files
    return PackagedModel(folder=folder, package=plugin.package, card=replace(card, bundled=False))


def _is_name(name: str) -> bool:
    """Whether a name cannot be meant as a hub id or a path."""
    return name.replace("-", "").replace("_", "").replace(".", "").isalnum()


def _folder(plugin: Plugin) -> Path:
    try:
        spec = find_spec(plugin.value)  # of a package at the top this runs nothing
        places = [Path(place) for place in (spec and spec.submodule_search_locations) or ()]
    except Exception as error:  # whatever somebody else's package does
        raise PluginError(f"model {plugin} cannot be found in {plugin.value!r} ({one_line(error)})") from None
    found = next((place for place in places if (place / CARD_FILE).is_file()), None)
    if found is None:
        raise PluginError(
            f"model {plugin} names {plugin.value!r}, where no package with a {CARD_FILE} is;"
            " update or uninstall that package"
        )
    return found
