from __future__ import annotations

from collections.abc import Callable

import pytest

from romaine.errors import OptionError, UnknownNameError
from romaine.memory.language import DEFAULT, Analyzer, analyzer_named, analyzer_names, registry


class Shouted(Analyzer):
    """All that another language takes."""

    id = "shouted"
    version = 1

    def terms(self, text: str) -> list[str]:
        return text.upper().split()


SHOUTED = Shouted()


@pytest.fixture
def installed(install: Callable[..., None]) -> None:
    points = "\n".join(f"{name} = {__name__}:SHOUTED" for name in ("shouted", "mislabelled", "default"))
    install("loud_words", f"[{registry.ENTRY_POINT_GROUP}]\n{points}\n", "")


def test_there_is_a_default() -> None:
    assert analyzer_named("default") is DEFAULT
    assert analyzer_names()[0] == "default"


@pytest.mark.parametrize("name", analyzer_names())
def test_each_is_found_by_its_id(name: str) -> None:
    assert analyzer_named(name).id == name


def test_another_distribution_brings_one(installed: None) -> None:
    assert analyzer_names()[-2:] == ("mislabelled", "shouted")
    assert analyzer_named("shouted").terms("the key") == ["THE", "KEY"]
    assert analyzer_named("default") is DEFAULT  # which nobody takes the place of


def test_an_unknown_name_lists_those_there_are(installed: None) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown analyzer 'shoutd'. Did you mean 'shouted'\?"):
        analyzer_named("shoutd")


def test_what_is_no_analyzer_of_that_name_is_refused(installed: None) -> None:
    with pytest.raises(OptionError, match="whose id is its name"):
        analyzer_named("mislabelled")


def test_an_analyzer_needs_terms_alone() -> None:
    assert [(word.token, word.forms, word.is_stop, word.is_name) for word in SHOUTED.words("the key")] == [
        ("THE", ("THE",), False, False),
        ("KEY", ("KEY",), False, False),
    ]
    assert SHOUTED.name_keys("ana vale") == {"ANA", "VALE"}
    assert SHOUTED.asks("where？")
    assert not SHOUTED.asks("there")
