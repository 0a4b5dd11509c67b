from __future__ import annotations

import inspect

import pytest

from romaine import errors
from romaine.errors import MissingExtraError, RomaineError, UnknownNameError, one_line


@pytest.mark.parametrize(
    "error", [c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__]
)
def test_one_tree_with_documented_classes(error):
    assert issubclass(error, RomaineError)
    assert error.__doc__


def test_an_unknown_name_lists_what_is_allowed_and_guesses():
    error = UnknownNameError("backend", "onyx", ["onnx", "torch"], "See `romaine models`.")
    assert (
        str(error)
        == "unknown backend 'onyx'. Did you mean 'onnx'? Allowed: 'onnx', 'torch'. See `romaine models`."
    )
    assert isinstance(error, ValueError)


def test_a_missing_extra_gives_the_pip_line():
    error = MissingExtraError("backend 'torch'", "torch")
    assert str(error) == "backend 'torch' needs: pip install 'romaine[torch]'"
    assert isinstance(error, ImportError)


def test_an_error_of_others_is_quoted_on_one_line() -> None:
    assert one_line(ValueError("shape\n  (3, 4)\tis odd")) == "ValueError: shape (3, 4) is odd"
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert len(one_line(RuntimeError("x" * 10_000))) < 350
