"""What may be asked of a recall, checked once, and which rows of a view it leaves in."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from romaine.errors import OptionError, UnknownNameError
from romaine.memory.checks import as_utc, check_count, check_names, check_optional_name
from romaine.memory.codec import encode_time
from romaine.memory.columns import Columns
from romaine.memory.records import Kind, Memory
from romaine.memory.scope_view import KINDS, ScopeView
from romaine.memory.turn_order import NOWHERE

AUTO = "auto"
ORDERS = ("score", "chronological")


@dataclass(frozen=True, kw_only=True)
class RecallOptions:
    """How to recall; `RoleplayMemory.recall` says what each means."""

    k: int = 5
    token_budget: int | None = None
    min_score: float | str | None = None
    kinds: Collection[Kind | str] | None = None
    speakers: Collection[str] | None = None
    as_character: str | None = None
    as_of: int | datetime | None = None
    include_superseded: bool = False
    neighbours: int = 0
    order: str = "score"
    diversity: int | None = None
    dim: int | None = None
    without_sources: Collection[str] | None = None
    where: Callable[[Memory], bool] | None = None
    explain: bool = False

    def __post_init__(self) -> None:
        for name in ("k", "neighbours"):
            check_count(name, getattr(self, name))
        for name in ("token_budget", "diversity", "dim"):
            check_count(name, getattr(self, name), optional=True)
        if self.diversity == 0 or self.dim == 0:
            raise OptionError(
                f"diversity={self.diversity!r}, dim={self.dim!r}: both must be at least 1 or None"
            )
        if self.order not in ORDERS:
            raise UnknownNameError("order", self.order, ORDERS)
        _check_min_score(self.min_score)
        if self.where is not None and not callable(self.where):
            raise OptionError(f"where={self.where!r} must be a function of a Memory or None")
        check_optional_name("as_character", self.as_character)
        if self.as_of is not None and not isinstance(self.as_of, datetime):
            check_count("as_of", self.as_of)
        values = {
            "kinds": None if self.kinds is None else _kinds(self.kinds),
            "speakers": None if self.speakers is None else check_names("speakers", self.speakers),
            "without_sources": None
            if self.without_sources is None
            else check_names("without_sources", self.without_sources),
            "as_of": as_utc(self.as_of, "as_of") if isinstance(self.as_of, datetime) else self.as_of,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Masks:
    """Which rows of a view come into question, bool (rows,) each, and why others do not.

    Attributes:
        wanted: What may be recalled.
        shown: What is of the kinds and speakers that are asked for.
        known: What there is for `as_character`, or None for all that the scope sees; the rest has no part in
            any figure.
        in_time: What was there at `as_of` and holds then, or None for all.
        current: What nothing newer replaces, or None for all.
    """

    wanted: NDArray[np.bool_]
    shown: NDArray[np.bool_]
    known: NDArray[np.bool_] | None
    in_time: NDArray[np.bool_] | None
    current: NDArray[np.bool_] | None

    def reason(self, row: int) -> str:
        """Why a row of `without_hits` is not wanted."""
        if self.known is not None and not self.known[row]:
            return "witness"
        return "superseded" if self.current is not None and not self.current[row] else "time"


def masks_of(view: ScopeView, options: RecallOptions) -> Masks:
    """Decides which rows of a view may be recalled, before anything is searched."""
    attributes, alive = view.index.attributes, view.index.alive
    shown = alive
    if options.kinds is not None:
        shown = shown & np.isin(
            attributes["kind"], [code for code, kind in enumerate(KINDS) if kind in options.kinds]
        )
    if options.speakers is not None:
        codes = [code for code, name in enumerate(view.speakers) if name in options.speakers]
        shown = shown & np.isin(attributes["speaker"], codes)
    known = _witnessed(view, options.as_character)
    existing = _existing(attributes, options)
    everyone = _all_of(alive, known, existing)
    in_time = _in_time(view, everyone, existing, options)
    current = None if options.include_superseded else _current(view, everyone)
    return Masks(_all_of(shown, known, in_time, current), shown, known, in_time, current)


def without_hits(masks: Masks) -> NDArray[np.bool_]:
    """Rows that were asked for and are not wanted, bool (rows,)."""
    return masks.shown & ~_all_of(masks.shown, masks.known, masks.in_time, masks.current)


def _all_of(mask: NDArray[np.bool_], *others: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """What is in all masks there are, bool (rows,); most recalls have none but the first."""
    for other in others:
        mask = mask if other is None else mask & other
    return mask


def _witnessed(view: ScopeView, character: str | None) -> NDArray[np.bool_] | None:
    if character is None or len(view.witnesses) == 1:
        return None
    knows = np.array([not names or character in names for names in view.witnesses])
    return np.asarray(knows[view.index.attributes["witnesses"]], dtype=np.bool_)


def _existing(attributes: Columns, options: RecallOptions) -> NDArray[np.bool_] | None:
    """What was there at `as_of`, whether it holds then or not; None for all."""
    if isinstance(options.as_of, datetime):
        return np.asarray(attributes["created"] <= encode_time(options.as_of), dtype=np.bool_)
    if options.as_of is not None:
        return np.asarray(attributes["position"] <= options.as_of, dtype=np.bool_)  # NOWHERE is before all
    return None


def _in_time(
    view: ScopeView,
    everyone: NDArray[np.bool_],
    existing: NDArray[np.bool_] | None,
    options: RecallOptions,
) -> NDArray[np.bool_] | None:
    """What exists and holds then; None for all."""
    if options.include_superseded or not len(view.bounded):
        return existing
    attributes, bounded = view.index.attributes, view.bounded
    now = options.as_of if isinstance(options.as_of, int) else _latest(attributes, everyone)
    if now is None:
        return existing
    in_time = np.ones(len(everyone), dtype=np.bool_) if existing is None else existing.copy()
    in_time[bounded] &= (attributes["valid_from"][bounded] <= now) & (now < attributes["valid_to"][bounded])
    return in_time


def _latest(attributes: Columns, rows: NDArray[np.bool_]) -> int | None:
    """The story's present: the last position among these rows."""
    positions = attributes["position"][rows]
    latest = int(positions.max()) if len(positions) else NOWHERE
    return None if latest == NOWHERE else latest


def _current(view: ScopeView, existing: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """What nothing replaces that exists; None for all."""
    if not view.superseders:
        return None
    current = np.ones(len(existing), dtype=np.bool_)
    for old, news in view.superseders.items():
        rows = view.index.rows_of(np.array([old], dtype=np.int64))
        if len(rows) and existing[view.index.rows_of(np.array(news, dtype=np.int64))].any():
            current[rows] = False
    return current


def _kinds(kinds: object) -> frozenset[Kind]:
    if isinstance(kinds, (str, bytes)) or not isinstance(kinds, Collection):
        raise OptionError(f"kinds={kinds!r} must be a collection of kinds, e.g. ['fact']")
    return frozenset(Kind.parse(kind) for kind in kinds)


def _check_min_score(value: object) -> None:
    if value is None or value == AUTO:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        raise OptionError(f"min_score={value!r} must be a number, {AUTO!r} or None")
