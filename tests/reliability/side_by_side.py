"""A play on SQLite and, beside it, on workers that share a Postgres database: the same is done to both."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from romaine.errors import RomaineError
from romaine.memory import RoleplayMemory, Scope, records
from tests import postgres

from .checks import Mismatch
from .play import LIFECYCLE, Play

SCORES = 1e-6
"""What scores may differ by."""
THOROUGH = 16
"""Steps after which everything is asked of some scope."""


class Twins:
    """Memories to which the same is done; answers of the first, once another one has given the same.

    What writes goes to one worker after another, and so does what reads: whoever is asked has mostly not
    written what it is asked about.

    Args:
        memory: On SQLite.
        workers: On one Postgres database.
    """

    def __init__(self, memory: RoleplayMemory, workers: Sequence[RoleplayMemory]) -> None:
        self._memory, self._workers = memory, workers
        self._turns = itertools.cycle(range(len(workers)))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def done(*args: Any, **options: Any) -> Any:
            worker = self._workers[next(self._turns)]
            with CLOCK.twice() as again:
                one = _outcome(self._memory, name, args, options)
                again()
                other = _outcome(worker, name, args, options)
            told = difference(one, other)
            if told and not (name in ("stats", "verify") and "bytes" in told):
                raise Mismatch(f"{name}{args} {options}: {told} on SQLite and on Postgres")
            if isinstance(one[0], RomaineError):
                raise one[0]
            return one[0]

        return done

    def close(self) -> None:
        """Closes all."""
        for memory in (self._memory, *self._workers):
            memory.close()


def _outcome(memory: RoleplayMemory, name: str, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """What a call gives or raises, and what it wrote to a file."""
    try:
        found = getattr(memory, name)(*args, **options)
    except RomaineError as error:
        return error, None
    written = args[0].read_text(encoding="utf-8") if name == "export_jsonl" else None
    return found, written


def difference(one: Any, other: Any, at: str = "") -> str | None:
    """Says where two answers differ, or None. Numbers with a fraction may by `SCORES`."""
    if type(one) is not type(other):
        return f"{at} is {one!r} and {other!r}"
    if isinstance(one, RomaineError):
        return None
    if isinstance(one, float):
        return None if math.isclose(one, other, rel_tol=0, abs_tol=SCORES) else f"{at} is {one} and {other}"
    parts: list[tuple[str, Any, Any]]
    if is_dataclass(one):
        parts = [(f.name, getattr(one, f.name), getattr(other, f.name)) for f in fields(one)]
    elif isinstance(one, Mapping):
        if one.keys() != other.keys():
            return f"{at} has {set(one)} and {set(other)}"
        parts = [(str(key), value, other[key]) for key, value in one.items()]
    elif isinstance(one, Sequence) and not isinstance(one, str | bytes):
        if len(one) != len(other):
            return f"{at} are {one!r} and {other!r}"
        parts = [(str(n), *pair) for n, pair in enumerate(zip(one, other, strict=True))]
    else:
        return None if one == other else f"{at} is {one!r} and {other!r}"
    told = (difference(first, second, f"{at}.{name}") for name, first, second in parts)
    return next((each for each in told if each), None)


# --- the same ids and times for both ------------------------------------------------------------------------


class Clock:
    """Moments and ids that are drawn a second time as they were the first."""

    def __init__(self) -> None:
        self._start, self._drawn = datetime.now(timezone.utc), 0

    def next(self) -> int:
        self._drawn += 1
        return self._drawn

    def now(self) -> datetime:
        return self._start + timedelta(milliseconds=self.next())

    def id(self) -> str:
        number = self.next()
        high = int(self._start.timestamp() * 1000) + number << 80
        low = random.Random(number).getrandbits(62)
        return str(UUID(int=high | 0x7 << 76 | 0x2 << 62 | low))

    def twice(self) -> _Twice:
        """A block whose `again()` begins with what has been drawn at its start."""
        return _Twice(self)


class _Twice:
    def __init__(self, clock: Clock) -> None:
        self._clock, self._start, self._first = clock, clock._drawn, 0

    def __enter__(self) -> Callable[[], None]:
        return self._again

    def _again(self) -> None:
        self._first, self._clock._drawn = self._clock._drawn, self._start

    def __exit__(self, *_: object) -> None:
        self._clock._drawn = max(self._first, self._clock._drawn)


CLOCK = Clock()


def _utc_now() -> datetime:
    return CLOCK.now()  # type: ignore[no-any-return,name-defined]


def _uuid7() -> str:
    return CLOCK.id()  # type: ignore[no-any-return,name-defined]


class DrawnTwice:
    """A block in which moments and ids come from `CLOCK`.

    Modules and fields hold the functions themselves, so it is their code that is changed.
    """

    _OURS = ((records.utc_now, _utc_now), (records.uuid7, _uuid7))

    def __enter__(self) -> None:
        self._before = [function.__code__ for function, _ in self._OURS]
        records.CLOCK = CLOCK  # type: ignore[attr-defined]
        for function, ours in self._OURS:
            function.__code__ = ours.__code__

    def __exit__(self, *_: object) -> None:
        for (function, _), code in zip(self._OURS, self._before, strict=True):
            function.__code__ = code
        del records.CLOCK  # type: ignore[attr-defined]


# --- the play -----------------------------------------------------------------------------------------------


class PlayOnBoth(Play):
    """A play on SQLite and on workers of a Postgres database, which ask less often and each other."""

    def _open(self) -> Any:
        urls = [postgres.url_for(self.folder, pool="2", prepare=how) for how in ("on", "off")]
        workers = [RoleplayMemory(url, embedder=self.embedder, lifecycle=LIFECYCLE) for url in urls]
        return Twins(super()._open(), workers)

    def clear(self) -> None:
        schema = postgres.schema_for(self.folder)
        postgres.execute(self.folder, f"DROP SCHEMA IF EXISTS {schema} CASCADE")

    def step(self, number: int) -> None:
        with DrawnTwice():
            super().step(number)

    def check_everything(self) -> None:
        with DrawnTwice():
            super().check_everything()

    def _ask(self, chance: random.Random, scope: Scope) -> None:
        self.checker.check_list(self.memory, scope)
        self.checker.check_recall(self.memory, scope, chance)
        other = chance.choice(self._scopes(chance.choice([scope.user, scope.user, "ana"])))
        self.checker.check_recall(self.memory, other, chance)
        if self._step % THOROUGH == THOROUGH - 1:
            self.checker.check_all(self.memory, other, chance)
