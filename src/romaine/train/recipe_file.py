"""Recipes as TOML files, read strictly: an unknown key or a value of another type is an error."""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path

from romaine.deserialise import Tagged, deserialise
from romaine.errors import InputFileError
from romaine.train.objectives import TASKS, Task
from romaine.train.recipe import Recipe

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

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
    return deserialise(Recipe, values, where=where, unions={Task: Tagged(_LOSS, TASKS)})
