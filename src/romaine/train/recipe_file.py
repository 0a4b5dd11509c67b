"""Recipes as TOML files, read strictly: an unknown key or a value of another type is an error."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from romaine.choice import Choice
from romaine.errors import InputFileError, OptionError, UnknownNameError
from romaine.train.objectives import TASKS, Task
from romaine.train.recipe import Recipe

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")

_LOSS = "loss"  # tells which task a table of [[phases.tasks]] is


def read_recipe(path: str | Path) -> Recipe:
    """Reads a recipe.

    Args:
        path: A TOML file, or the name of a recipe in the package (see `bundled_recipes`).

    Raises:
        InputFileError: If the file is missing or not TOML.
        OptionError: If a key is unknown or missing, or a value impossible.
    """
    return parse_recipe(recipe_source(path), where=str(path))


def recipe_source(path: str | Path) -> str:
    """The text of a recipe file, or of a recipe in the package.

    Raises:
        InputFileError: If there is none.
    """
    names = bundled_recipes()
    if str(path) in names:
        return resources.files(__package__).joinpath("recipes", f"{path}.toml").read_text("utf-8")
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileError(
            f"{path} cannot be read ({error}); give a TOML file or one of: {', '.join(names)}"
        ) from None


def bundled_recipes() -> tuple[str, ...]:
    """Names of the recipes in the package."""
    folder = resources.files(__package__).joinpath("recipes")
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir()))


def parse_recipe(source: str, *, where: str = "recipe") -> Recipe:
    """Builds a recipe of TOML text.

    Args:
        source: TOML.
        where: What to call it in messages.

    Raises:
        InputFileError: If it is not TOML.
        OptionError: If a key is unknown or missing, or a value impossible.
    """
    try:
        values = tomllib.loads(source)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputFileError(f"{where} is not TOML: {error}") from None
    return _build(Recipe, values, where)


def _build(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    if not isinstance(values, Mapping):
        raise OptionError(f"{where} must be a table, not {type(values).__name__}")
    hints = get_type_hints(kind)
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise UnknownNameError(f"key in {where}", key, known)
    for name, item in known.items():
        if name not in values and item.default is MISSING and item.default_factory is MISSING:
            raise OptionError(f"{where} lacks {name!r}")
    built = {key: _value(hints[key], value, f"{where}: {key}") for key, value in values.items()}
    try:
        return kind(**built)
    except OptionError as error:
        raise OptionError(f"{where}: {error}") from None


def _value(hint: Any, value: Any, where: str) -> Any:
    """Turns what TOML gave into what a field of type `hint` holds."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple:
        if not isinstance(value, list):
            raise OptionError(f"{where} must be a list, not {type(value).__name__}")
        return tuple(_value(inner[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise OptionError(f"{where} must be a table, not {type(value).__name__}")
        return {key: _value(inner[1], item, f"{where}.{key}") for key, item in value.items()}
    if hint == Task:
        return _task(value, where)
    if isinstance(hint, type) and issubclass(hint, Choice):
        return hint.parse(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, str, bool):
        if type(value) is not hint:
            raise OptionError(f"{where} must be of type {hint.__name__}, not {type(value).__name__}")
        return value
    return _build(hint, value, where)


def _task(values: Any, where: str) -> Task:
    if not isinstance(values, Mapping):
        raise OptionError(f"{where} must be a table, not {type(values).__name__}")
    loss = values.get(_LOSS)
    if not isinstance(loss, str) or loss not in TASKS:
        raise UnknownNameError(f"loss in {where}", loss, TASKS)
    return _build(TASKS[loss], {key: value for key, value in values.items() if key != _LOSS}, where)
