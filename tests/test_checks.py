from __future__ import annotations

from pathlib import Path

import pytest

from romaine.checks import (
    one_text,
    optional_path,
    optional_positive_int,
    optional_str,
    optional_str_tuple,
    positive_int,
    text_list,
)
from romaine.errors import OptionError, TextTypeError


def test_what_is_right_passes():
    assert positive_int("n", 3) == 3
    assert optional_positive_int("n", None) is None
    assert optional_path("cache_folder", "a/b") == Path("a/b")
    assert optional_path("cache_folder", None) is None
    assert optional_str("prompt", None) is None
    assert optional_str("prompt", "") == ""
    assert one_text("a") == "a"
    assert text_list(t for t in "ab") == ["a", "b"]


@pytest.mark.parametrize("value", [0, -1, 1.0, "1", True])
def test_not_a_positive_int(value):
    with pytest.raises(OptionError, match="n="):
        optional_positive_int("n", value)


def test_a_prompt_must_be_text():
    with pytest.raises(OptionError, match="prompt must be a str or None, got bytes"):
        optional_str("prompt", b"x")


@pytest.mark.parametrize("value", ["CPUExecutionProvider", [1], 3, {"a"}])
def test_one_name_is_no_list_of_names(value):
    with pytest.raises(OptionError, match="providers="):
        optional_str_tuple("providers", value)


@pytest.mark.parametrize("value", [3, b"folder", ["folder"]])
def test_not_a_path(value):
    with pytest.raises(OptionError, match="cache_folder must be a path"):
        optional_path("cache_folder", value)


def test_names_become_a_tuple():
    assert optional_str_tuple("providers", ["a", "b"]) == ("a", "b")
    assert optional_str_tuple("providers", None) is None


def test_messages_do_not_show_what_was_said():
    with pytest.raises(TextTypeError) as caught:
        text_list(["public", b"my secret"])
    assert "secret" not in str(caught.value)
    with pytest.raises(TextTypeError, match="got bytes"):
        one_text(b"my secret")
