from __future__ import annotations

from collections.abc import Callable

import pytest

from romaine.errors import PluginError
from romaine.plugins import plugins

Install = Callable[[str, str, str], None]

POINTS = """[romaine.tests]
beta = first
alpha = first:Thing.size [extra]
[romaine.others]
gamma = first
"""


def test_nothing_installed_is_nothing() -> None:
    assert plugins("romaine.no_such_group") == ()


def test_entry_points_are_listed_by_name_without_importing_anything(install: Install) -> None:
    install("first", POINTS, "1 / 0")
    install("second", "[romaine.tests]\nbeta = second\nours = second\n", "")
    found = plugins("romaine.tests", taken={"ours"})
    assert [(plugin.name, plugin.value, plugin.package) for plugin in found] == [
        ("alpha", "first:Thing.size", "first 1.0"),
        ("beta", "first", "first 1.0"),  # of two of one name, always the same
    ]
    assert str(found[0]) == "'alpha' of first 1.0"


def test_loading_gives_what_is_named(install: Install) -> None:
    install("first", POINTS, "class Thing:\n    size = 3\n")
    thing, module = plugins("romaine.tests")
    assert thing.load() == 3
    assert module.load().__name__ == "first"  # type: ignore[attr-defined]


@pytest.mark.parametrize("code", ["", "1 / 0", "import no_such_module", "def ("])
def test_what_cannot_be_loaded_is_told_with_its_package(install: Install, code: str) -> None:
    install("first", POINTS, code)
    with pytest.raises(PluginError, match=r"'alpha' of first 1.0 cannot be loaded from 'first:Thing.size'"):
        plugins("romaine.tests")[0].load()
