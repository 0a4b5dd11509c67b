"""Recipes as TOML files, read strictly: an unknown key or a value of another type is an error."""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path
from typing import Any

from romaine.deserialise import Tagged, deserialise
from romaine.errors import InputFileError
from romaine.train.encoder.distil_recipe import DistilRecipe
from romaine.train.encoder.recipe import EncoderRecipe
from romaine.train.objectives import TASKS, Task
from romaine.train.ranker_recipe import RankerRecipe
from romaine.train.recipe import Recipe

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_LOSS = "loss"  # tells which task a table of [[phases.tasks]] is


def read_recipe(path: str | Path) -> Recipe:
    """Reads a TOML file, or the recipe of that name in the package (see `bundled_recipes`).

    Raises:
        As `parse_recipe`; InputFileError also if the file is missing.
    """
    return parse_recipe(recipe_source(path), where=str(path))


def read_encoder_recipe(path: str | Path) -> EncoderRecipe:
    """Reads a recipe of `romaine train encoder`; as `read_recipe` otherwise."""
    return deserialise(EncoderRecipe, _toml(recipe_source(path), str(path)), where=str(path))


def read_distil_recipe(path: str | Path) -> DistilRecipe:
    """Reads a recipe of `romaine train distill`; as `read_recipe` otherwise."""
    return deserialise(DistilRecipe, _toml(recipe_source(path), str(path)), where=str(path))


def read_ranker_recipe(path: str | Path) -> RankerRecipe:
    """Reads a recipe of `romaine train ranker`; as `read_recipe` otherwise."""
    return deserialise(RankerRecipe, _toml(recipe_source(path), str(path)), where=str(path))


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
    """Builds a recipe of TOML text; `where` is what messages call it.

    Raises:
        InputFileError: If it is not TOML.
        OptionError: If a key is unknown or missing, or a value impossible.
    """
    return deserialise(Recipe, _toml(source, where), where=where, unions={Task: Tagged(_LOSS, TASKS)})


def _toml(source: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(source)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputFileError(f"{where} is not TOML: {error}") from None
