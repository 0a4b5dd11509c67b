"""Options that stand in one dataclass and are offered by many faces: the package's, the commands', adapters'.

The dataclass is the home of their names, types and defaults; what they mean is said once, in the docstring of
the function that people call with them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from romaine.errors import MisnamedOptionError

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def taken(options: type[T], given: Mapping[str, Any]) -> T:
    """Makes options of what a function was called with: `taken(RecallOptions, locals())`, its first line.

    Args:
        options: A dataclass.
        given: Values by name, among them all of its fields; what else there is, is left alone.

    Raises:
        KeyError: If the function has no argument for one of the fields.
        OptionError: As the dataclass.
    """
    return options(**{field.name: given[field.name] for field in fields(options)})  # type: ignore[arg-type]


def keywords(options: object, of: type | None = None) -> dict[str, Any]:
    """The values of options by name, to call a function with.

    Args:
        options: An instance of a dataclass.
        of: A class it inherits from, whose fields alone are wanted.
    """
    return {field.name: getattr(options, field.name) for field in fields(of or type(options))}


_SAME = (
    {"model", "model_name", "model_name_or_path", "model_id", "repo_id"},
    {"dim", "truncate_dim", "dimensions", "dimension", "output_dimensionality"},
    {"k", "top_k", "similarity_top_k", "n_results", "limit"},
    {"embedder", "embedding", "embeddings", "embed_model", "embedding_function"},
    {"memory", "memory_file", "memory_store", "document_store", "path", "db", "db_path", "database"},
    {"where", "filter", "filters"},
    {"min_score", "threshold", "score_threshold", "similarity_cutoff"},
    {"query_prompt", "query_instruction", "query_encode_kwargs", "prefix"},
    {"document_prompt", "text_instruction", "prompts", "prefix"},
    {"batch_size", "embed_batch_size"},
    {"show_progress", "progress_bar", "show_progress_bar"},
    {"cache_folder", "cache_dir"},
    {"user", "user_id", "scope", "session_id"},
    {"chat", "session_id", "thread_id", "scope"},
    {"speaker", "name", "author"},
    {"device", "model_kwargs"},
    {"batch_size", "encode_kwargs"},
)
"""Names that this package, frameworks and other embedders have for one thing."""


def misnamed(face: Callable[..., Any], given: Iterable[str]) -> str | None:
    """What to say of options that a function or class does not have, or None if it has them all.

    Args:
        face: The function or class.
        given: Names it was called with.
    """
    takes = [name for name in inspect.signature(face).parameters if name != "self"]
    unknown = [name for name in given if name not in takes]
    if not unknown:
        return None
    return " ".join(f"{_called(face)} has no option {name}=.{_hint(name, takes)}" for name in unknown)


def _hint(name: str, takes: list[str]) -> str:
    same = [each for group in _SAME if name in group for each in takes if each in group]
    close = same or get_close_matches(name, takes, n=1)
    if close:
        return f" Did you mean {' or '.join(f'{each}=' for each in dict.fromkeys(close))}?"
    return f" It takes {', '.join(takes)}."


def explains(face: Callable[P, R]) -> Callable[P, R]:
    """Makes a function tell callers which option they meant, where Python says that it has none such."""

    @wraps(face)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return face(*args, **kwargs)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # from inside
            raise MisnamedOptionError(misnamed(face, kwargs) or _missing(face, len(args), kwargs)) from None

    return call


def _missing(face: Callable[..., Any], positional: int, given: Mapping[str, Any]) -> str:
    parameters = inspect.signature(face).parameters
    needed = [each.name for each in list(parameters.values())[positional:] if each.default is each.empty]
    missing = " and ".join(f"{name}=" for name in needed if name not in given)
    takes = ", ".join(name for name in parameters if name != "self")
    called = _called(face)
    return f"{called} needs {missing}." if missing else f"{called} takes {takes}, by name but for the first."


def _called(face: Callable[..., Any]) -> str:
    return face.__qualname__.removesuffix(".__init__").rpartition(".")[2]


def meanings(face: Callable[..., Any]) -> dict[str, str]:
    """What the docstring of a function or class says of each argument, each on one line."""
    args = inspect.getdoc(face) or ""
    args = args.partition("\nArgs:\n")[2]
    args = re.split(r"\n\S", args, maxsplit=1)[0]
    found = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", args, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}
