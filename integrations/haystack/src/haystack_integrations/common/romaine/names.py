# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""Names that other libraries have for what is called differently here, told where they are given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import wraps
from typing import ParamSpec

P = ParamSpec("P")

_ALWAYS_UNIT = "leave it out: embeddings have unit length always"
_ITS_OWN_NAMES = "say what is in it with dtype=..., variant=..., threads=..., batch_tokens=... and the like"

OF_EMBEDDERS = {
    "model_name": "say model=...",
    "model_name_or_path": "say model=...",
    "model_id": "say model=...",
    "truncate_dim": "say dim=...",
    "dimensions": "say dim=...",
    "normalize_embeddings": _ALWAYS_UNIT,
    "model_kwargs": _ITS_OWN_NAMES,
    "tokenizer_kwargs": _ITS_OWN_NAMES,
    "config_kwargs": _ITS_OWN_NAMES,
    "encode_kwargs": _ITS_OWN_NAMES,
    "cache_dir": "say cache_folder=...",
}
"""What is meant by names that `romaine.Embedder`'s peers have."""

OF_SPARSE = {
    "model": "leave it out: there is none; another analyzer goes into encoder=SparseEncoder(analyzer=...)"
}
"""What is meant where there is no model."""

_FILE = "say memory_file=...: a path, a RomaineMemoryFile or an open RoleplayMemory"
OF_MEMORIES = {
    "memory": _FILE,
    "path": _FILE,
    "db": _FILE,
    "document_store": "say memory_file=...: the memory_file of a RomaineMemoryStore, or a path",
    "embedder": "give memory_file=RomaineMemoryFile(path, model=..., dim=...), or an open RoleplayMemory",
    "model": "give memory_file=RomaineMemoryFile(path, model=..., dim=...)",
    "k": "say top_k=...",
    "user_id": "say user=...",
    "session_id": "say chat=...",
    "chat_id": "say chat=...",
}
"""What is meant by names that other memories and retrievers have."""

OF_FILES = OF_EMBEDDERS | {
    "embedder": "say model=..., dim=...; a made embedder goes into RoleplayMemory(path, embedder=...), which"
    " every component takes as memory_file"
}
"""What is meant by names given to a memory's file."""


def explained(meant: Mapping[str, str]) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Returns a decorator for an `__init__` whose error for an unknown name says which one is meant.

    :param meant: For names that others have, what to do.
    :returns: The decorator; the signature stays.
    """

    def decorate(init: Callable[P, None]) -> Callable[P, None]:
        known = [name for name in inspect.signature(init).parameters if name != "self"]
        owner = init.__qualname__.split(".")[0]

        @wraps(init)
        def checked(*args: P.args, **kwargs: P.kwargs) -> None:
            for name in kwargs:
                if name not in known:
                    close = get_close_matches(name, known, n=1)
                    hint = meant.get(
                        name, f"did you mean {close[0]}=...?" if close else f"it has {', '.join(known)}"
                    )
                    raise TypeError(f"{owner} has no {name}=...; {hint}")
            init(*args, **kwargs)

        return checked

    return decorate
