"""The corpus of a run: sampled, de-duplicated, decontaminated, each text held once and named by a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from romaine.errors import InputFileError, OptionError
from romaine.train.cleaning import Contamination, measuring_texts, text_key
from romaine.train.recipe import DataSource, Recipe
from romaine.train.records import DialogueRecord, PairRecord, Record, ScoredRecord
from romaine.train.sampling import is_held, sample_records, texts_of

T = TypeVar("T")

_BLOCK = 1 << 20


class TextPool:
    """Every text once, numbered in the order of first use."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[int, int] = {}

    def add(self, text: str) -> int:
        """The number of a text; texts that differ in case, punctuation or spacing alone share one."""
        number = self._numbers.setdefault(text_key(text), len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        return number

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Dialogue:
    """A dialogue between two people.

    Attributes:
        texts: Numbers of its turns' texts, in order.
        second: Whether each turn is the second person's.
    """

    texts: tuple[int, ...]
    second: tuple[bool, ...]


@dataclass
class DataSet:
    """What one data source gives after cleaning.

    Attributes:
        texts: Numbers of all its texts, each once, for relational tasks.
        pairs: (query, positive, negative or -1), int64 (n, 3).
        scored: (left, right), int64 (n, 2).
        scores: float32 (n,).
        dialogues: Those to train on.
        held_pairs: As `pairs`, for dev questions only.
        held_dialogues: As `dialogues`, for dev questions only.
        counts: What was read and what was left out, by reason.
    """

    texts: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    pairs: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 3), dtype=np.int64))
    scored: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), dtype=np.int64))
    scores: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, dtype=np.float32))
    dialogues: list[Dialogue] = field(default_factory=list)
    held_pairs: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 3), dtype=np.int64))
    held_dialogues: list[Dialogue] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """All data of a run.

    Attributes:
        pool: The texts.
        sets: Cleaned data by the name it has in the recipe.
        files: For each data source and measuring file, its name and sha256.
    """

    pool: TextPool
    sets: Mapping[str, DataSet]
    files: Mapping[str, Mapping[str, Any]]


def read_corpus(recipe: Recipe, *, folders: Sequence[Path], measuring: Sequence[Path] = ()) -> Corpus:
    """Reads all data of a recipe.

    Files are passed over once or twice and never held: what is kept is a sample of records, and each of their
    texts once. Dialogues that are held out are known by a keyed hash of their texts, and are to training
    texts what measuring sets are (see `Contamination`), wherever the same is said.

    Args:
        recipe: Which data, how much of it, and how much is held out.
        folders: Where its files are looked up, in order.
        measuring: Files that no training text may share 13 words in a row with.

    Raises:
        InputFileError: If a file is missing or cannot be used.
        OptionError: If a data source has nothing left to learn from.
    """
    paths = {name: find_file(source.file, folders) for name, source in recipe.data.items()}
    key = recipe.seed.to_bytes(8, "little")
    measured = Contamination(measuring_texts(measuring))
    sampled = {name: sample_records(paths[name], recipe.data[name], key) for name in recipe.data}
    share = recipe.watch.held_out
    watched = {*recipe.watch.chats, *recipe.watch.pairs}
    held = {
        name: [record for record in sample if name in watched and is_held(record, share, key)]
        for name, (sample, _) in sampled.items()
    }
    dev = Contamination(text for records in held.values() for record in records for text in texts_of(record))
    pool, sets = TextPool(), {}
    for name, (sample, counts) in sampled.items():
        out = {id(record) for record in held[name]}
        kept = [record for record in sample if id(record) not in out]
        sets[name] = _clean(kept, pool, measured, dev, counts)
        sets[name].counts["held out"] = len(out)
        _hold(held[name], pool, sets[name])
        if not len(sets[name].texts):
            raise OptionError(
                f"data {name!r} has nothing left to learn from; it gave {sets[name].counts}. Check its file,"
                " its sources and what it is decontaminated against"
            )
    files = {name: _described(path, recipe.data[name]) for name, path in paths.items()}
    files |= {f"measuring: {path.name}": {"file": path.name, "sha256": file_hash(path)} for path in measuring}
    return Corpus(pool=pool, sets=sets, files=files)


def find_file(name: str, folders: Sequence[Path]) -> Path:
    """The first file called `name` below one of `folders`.

    Raises:
        InputFileError: If there is none, or `name` leads out of them.
    """
    if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
        raise InputFileError(f"{name} leads out of the data folders; name a file below one, and give --data")
    for folder in folders:
        if (path := folder / name).is_file():
            return path
    where = ", ".join(map(str, folders)) or "no folder (give --data)"
    raise InputFileError(f"{name} is in none of: {where}; add its folder with --data")


def file_hash(path: Path) -> str:
    """The sha256 of a file, as 64 hex digits."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _clean(
    records: Iterable[Record],
    pool: TextPool,
    measured: Contamination,
    dev: Contamination,
    counts: dict[str, int],
) -> DataSet:
    found = DataSet(counts=counts)
    numbers: dict[int, None] = {}
    pairs: list[tuple[int, int, int]] = []
    scored: list[tuple[int, int]] = []
    scores: list[float] = []

    def number(text: str) -> int | None:
        if not text:
            return None
        for name, contamination in (("in measuring set", measured), ("in held-out data", dev)):
            if contamination.holds(text):
                counts[name] = counts.get(name, 0) + 1
                return None
        added = pool.add(text)
        numbers[added] = None
        return added

    counts |= {"in measuring set": 0, "in held-out data": 0}
    for record in records:
        known = [number(text) for text in texts_of(record)]
        if isinstance(record, DialogueRecord):
            if (dialogue := _dialogue(record, known)) is not None:
                found.dialogues.append(dialogue)
        elif isinstance(record, PairRecord) and known[0] is not None and known[1] is not None:
            negative = known[2] if len(known) > 2 else None
            pairs.append((known[0], known[1], -1 if negative is None else negative))
        elif isinstance(record, ScoredRecord) and known[0] is not None and known[1] is not None:
            scored.append((known[0], known[1]))
            scores.append(record.score)
    found.texts = np.fromiter(numbers, dtype=np.int64, count=len(numbers))
    found.pairs = np.asarray(pairs, dtype=np.int64).reshape(-1, 3)
    found.scored = np.asarray(scored, dtype=np.int64).reshape(-1, 2)
    found.scores = np.asarray(scores, dtype=np.float32)
    return found


def _hold(records: Iterable[Record], pool: TextPool, into: DataSet) -> None:
    pairs = []
    for record in records:
        known = [pool.add(text) if text else None for text in texts_of(record)]
        if isinstance(record, DialogueRecord):
            if (dialogue := _dialogue(record, known)) is not None:
                into.held_dialogues.append(dialogue)
        elif known[0] is not None and known[1] is not None:
            pairs.append((known[0], known[1], -1))
    into.held_pairs = np.asarray(pairs, dtype=np.int64).reshape(-1, 3)


def _dialogue(record: DialogueRecord, known: Sequence[int | None]) -> Dialogue | None:
    """Dialogues of one, or of more than two people give no questions about who said what."""
    speakers = list(dict.fromkeys(speaker for speaker, _ in record.turns))
    kept = [(n, speaker) for n, (speaker, _) in zip(known, record.turns, strict=True) if n is not None]
    if len(speakers) != 2 or not kept:
        return None
    return Dialogue(
        texts=tuple(number for number, _ in kept), second=tuple(s == speakers[1] for _, s in kept)
    )


def _described(path: Path, source: DataSource) -> dict[str, Any]:
    return {"file": source.file, "sha256": file_hash(path), "licence": source.licence}
