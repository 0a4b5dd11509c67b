"""Options that several commands share, and how a command takes the options of a dataclass."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from romaine.embedder import Embedder
from romaine.errors import OptionError
from romaine.options import meanings

_MEANINGS = meanings(Embedder)

Model = Annotated[str, typer.Option("--model", "-m", help=_MEANINGS.get("model"))]
Backend = Annotated[str, typer.Option("--backend", "-b", help=_MEANINGS.get("backend"))]
Dim = Annotated[int | None, typer.Option("--dim", "-d", help=_MEANINGS.get("dim"))]
Threads = Annotated[int | None, typer.Option("--threads", help=_MEANINGS.get("threads"))]
CacheFolder = Annotated[Path | None, typer.Option("--cache-folder", help=_MEANINGS.get("cache_folder"))]
Name = Annotated[str, typer.Argument(help=_MEANINGS.get("model"), show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

NOT_TYPED = frozenset({"where", "token", "show_progress"})
"""Options of no command: a function, a secret (HF_TOKEN is read), and bars, which are shown anyway."""

_FLAGS = {
    "backend": ("--backend", "-b"),
    "dim": ("--dim", "-d"),
    "local_files_only": ("--offline",),
    "providers": ("--provider",),
    "k": ("-k",),
    "kinds": ("--kind",),
    "speakers": ("--speaker",),
    "without_sources": ("--without-source",),
    "allow_untrained_dim": ("--allow-untrained-dim/--no-allow-untrained-dim",),
}
"""Options that are not `--` and their own name on a command line."""


def takes_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command a signature for typer in which each dataclass it takes stands as that one's fields.

    A parameter may be annotated with a dataclass whose own fields are annotated for typer, or with an options
    class of the package and the function whose docstring says what its fields mean:
    `Annotated[RecallOptions, RoleplayMemory.recall]`, and after that a tuple of names if not all are wanted.
    """
    offered: list[inspect.Parameter] = []
    groups: dict[str, tuple[Any, list[str]]] = {}
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        kind, *about = get_args(parameter.annotation) or [parameter.annotation]
        if not is_dataclass(kind):
            offered.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        own = list(_derived(kind, *about) if about else _annotated(kind))
        groups[parameter.name] = kind, [each.name for each in own]
        offered += own

    def run(**typed: Any) -> None:
        for name, (kind, names) in groups.items():
            typed[name] = kind(**{each: _value(each, typed.pop(each)) for each in names})
        command(**typed)

    run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
    run.__annotations__ = {}
    run.__signature__ = inspect.Signature(offered)  # type: ignore[attr-defined]
    return run


def _annotated(kind: Any) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        yield _parameter(field.name, hints[field.name], field.default)


def _derived(kind: Any, face: Callable[..., Any], names: tuple[str, ...] = ()) -> Iterator[inspect.Parameter]:
    hints, says = get_type_hints(kind), meanings(face)
    for field in fields(kind):
        if field.name in NOT_TYPED or (names and field.name not in names):
            continue
        flags = _FLAGS.get(field.name, ("--" + field.name.replace("_", "-"),))
        default = field.default.value if isinstance(field.default, Enum) else field.default
        option = typer.Option(*flags, help=says.get(field.name))
        yield _parameter(field.name, Annotated[_typed(hints[field.name]), option], default)


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    default = inspect.Parameter.empty if default is MISSING else default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _typed(hint: Any) -> Any:
    """What a command line has for a type: a list for a collection, text where there are several."""
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
    if len(kinds) > 1:
        kinds = [str]
    elif get_origin(kinds[0]) is not None:
        kinds = [list[str]]
    return kinds[0] | None if NoneType in get_args(hint) else kinds[0]


def _value(name: str, typed: Any) -> Any:
    if name in _READ and typed is not None:
        return _READ[name](typed)
    return None if typed == [] else typed


def _min_score(value: str) -> float | str:
    if value == "auto":
        return value
    try:
        return float(value)
    except ValueError:
        raise OptionError(f"--min-score {value!r} must be a number or 'auto'") from None


def _as_of(value: str) -> int | datetime:
    try:
        return int(value) if value.isdecimal() else datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        raise OptionError(
            f"--as-of {value!r} must be a story position like 120 or a time like 2026-05-01T20:15"
        ) from None


_READ: dict[str, Callable[[str], Any]] = {"min_score": _min_score, "as_of": _as_of}
