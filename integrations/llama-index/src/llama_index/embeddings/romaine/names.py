"""Settings under names that they have elsewhere: whoever gives one is told what it is called here."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import ParamSpec, TypeVar

from romaine.errors import OptionError, UnknownNameError

P = ParamSpec("P")
T = TypeVar("T")

EMBEDDER_NAMES: Mapping[str, str] = {
    "model": "model_name",
    "model_id": "model_name",
    "truncate_dim": "dim",
    "dimensions": "dim",
    "batch_size": "embed_batch_size",
    "query_prompt": "query_instruction",
    "document_prompt": "text_instruction",
    "show_progress": "show_progress_bar",
    "cache_dir": "cache_folder",
    "model_kwargs": "dim, device, dtype, revision and trust_remote_code, each by its own name",
    "normalize": "always so: vectors are of unit length",
    "max_length": "the model's own window; truncate says what becomes of longer texts",
    "pooling": "the model's own",
}
"""How other embedding classes call the settings of `RomaineEmbedding`."""


def check_setting_names(
    given: Iterable[str], known: Iterable[str], *, elsewhere: Mapping[str, str], of: str
) -> None:
    """Checks the names of settings.

    Args:
        given: The names a user gave.
        known: The names there are.
        elsewhere: Names that are used elsewhere, and what they are here.
        of: What has the settings, for the message.

    Raises:
        OptionError: If a name is not known; it says what it is here.
    """
    allowed = list(known)
    for name in given:
        if name in allowed:
            continue
        if name in elsewhere:
            raise OptionError(f"unknown setting {name!r} of {of}: here it is {elsewhere[name]}")
        raise UnknownNameError("setting", name, allowed)


def other_names(elsewhere: Mapping[str, str]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Lets an `__init__` say what a setting is called that it does not have under the name given."""

    def decorate(init: Callable[P, T]) -> Callable[P, T]:
        known = [name for name in inspect.signature(init).parameters if name != "self"]
        of = init.__qualname__.partition(".")[0]

        @functools.wraps(init)
        def checked(*args: P.args, **kwargs: P.kwargs) -> T:
            check_setting_names(kwargs, known, elsewhere=elsewhere, of=of)
            return init(*args, **kwargs)

        return checked

    return decorate
