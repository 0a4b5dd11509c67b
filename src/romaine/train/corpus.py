"""The corpus of a run: sampled, de-duplicated, decontaminated, each text held once and named by an id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.errors import InputFileError, OptionError
from romaine.models.integrity import sha256_of
from romaine.train.cleaning import Contamination, measuring_texts, text_key
from romaine.train.parallel import Encode, parallel_examples
from romaine.train.recipe import PAIRED, DataKind, Recipe
from romaine.train.records import Example, is_held_out, read_examples, sample_examples


class TextPool:
    """Every text once; its id is its place in the order of first use."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._ids: dict[int, int] = {}

    def add(self, text: str) -> int:
        """The id of a text; texts that differ in case, punctuation or spacing alone share one."""
        text_id = self._ids.setdefault(text_key(text), len(self.texts))
        if text_id == len(self.texts):
            self.texts.append(text)
        return text_id


@dataclass(frozen=True)
class Dialogue:
    """A dialogue between two people: ids of its turns' texts, and whether each is the second person's."""

    texts: tuple[int, ...]
    second: tuple[bool, ...]


@dataclass
class DataSet:
    """What one data source gives after cleaning.

    Attributes:
        texts: Ids of all its texts, each once, for relational tasks.
        pairs: Text ids (query, positive, negative or -1), int64 (n, 3).
        scored: Text ids (left, right), int64 (n, 2).
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
    """All data of a run; `sets` by their names in the recipe, `files` with their hashes and licences."""

    pool: TextPool
    sets: Mapping[str, DataSet]
    files: Mapping[str, Mapping[str, Any]]


def read_corpus(
    recipe: Recipe, *, folders: Sequence[Path], measuring: Sequence[Path] = (), encode: Encode | None = None
) -> Corpus:
    """Reads all data of a recipe.

    Files are passed over once or twice and never held: what is kept is a sample of records, and each of their
    texts once. Dialogues that are held out are known by a keyed hash of their texts, and are to training
    texts what measuring sets are (see `Contamination`), wherever the same is said.

    Args:
        recipe: Which data, how much of it, and how much is held out.
        folders: Where its files are looked up, in order.
        measuring: Files that no training text may repeat.
        encode: A teacher that knows all languages, where data are of kind "parallel".

    Raises:
        InputFileError: If a file is missing or cannot be used.
        OptionError: If a data source has nothing left to learn from.
    """
    paths = {name: find_file(source.file, folders) for name, source in recipe.data.items()}
    key = recipe.seed.to_bytes(8, "little")
    measured = Contamination(measuring_texts(measuring))
    watched = {*recipe.watch.chats, *recipe.watch.pairs}
    kept: dict[str, list[Example]] = {}
    held: dict[str, list[Example]] = {}
    counts: dict[str, dict[str, int]] = {}
    for name, source in recipe.data.items():
        if source.kind is DataKind.PARALLEL:
            assert encode is not None
            examples: Iterable[Example] = parallel_examples(
                paths[name], find_file(source.translation, folders), source, encode
            )
        else:
            examples = read_examples(paths[name], source.kind, lines=source.lines)
        sample, counts[name] = sample_examples(examples, source, key)
        share = recipe.watch.held_out if name in watched else 0.0
        out = [is_held_out(example, source.kind, share, key) for example in sample]
        kept[name] = [example for example, is_out in zip(sample, out, strict=True) if not is_out]
        held[name] = [example for example, is_out in zip(sample, out, strict=True) if is_out]
    dev = Contamination(text for examples in held.values() for example in examples for text in example.texts)
    barred = {"in measuring set": measured, "in held-out data": dev}
    pool, sets = TextPool(), {}
    for name, source in recipe.data.items():
        counts[name] |= {**dict.fromkeys(barred, 0), "held out": len(held[name])}
        clean = partial(_clean_id, pool=pool, barred=barred, counts=counts[name])
        learned = _collected(kept[name], source.kind, clean)
        asked = _collected(held[name], source.kind, pool.add)
        sets[name] = replace(
            learned, held_pairs=asked.pairs, held_dialogues=asked.dialogues, counts=counts[name]
        )
        if not len(sets[name].texts):
            raise OptionError(
                f"data {name!r} has nothing left to learn from; it gave {sets[name].counts}. Check its file,"
                " its sources and what it is decontaminated against"
            )
    files: dict[str, dict[str, Any]] = {
        name: {"file": source.file, "sha256": sha256_of(paths[name]), "licence": source.licence}
        for name, source in recipe.data.items()
    }
    for name, source in recipe.data.items():
        if source.translation:
            translated = find_file(source.translation, folders)
            files[f"{name}, other language"] = {"file": source.translation, "sha256": sha256_of(translated)}
    files |= {f"measuring: {path.name}": {"file": path.name, "sha256": sha256_of(path)} for path in measuring}
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


def _clean_id(
    text: str, *, pool: TextPool, barred: Mapping[str, Contamination], counts: dict[str, int]
) -> int | None:
    for reason, contamination in barred.items():
        if contamination.holds(text):
            counts[reason] += 1
            return None
    return pool.add(text)


def _collected(examples: Iterable[Example], kind: DataKind, id_of: Callable[[str], int | None]) -> DataSet:
    """Examples by the ids of their texts; those that lose one they cannot do without are left out."""
    found = DataSet()
    pairs: list[tuple[int, int, int]] = []
    scored: list[tuple[int, int]] = []
    scores: list[float] = []
    texts: dict[int, None] = {}
    for example in examples:
        ids = [id_of(text) if text else None for text in example.texts]
        texts |= dict.fromkeys(text_id for text_id in ids if text_id is not None)
        if kind is DataKind.DIALOGUES:
            if (dialogue := _dialogue(example, ids)) is not None:
                found.dialogues.append(dialogue)
        elif len(ids) > 1 and ids[0] is not None and ids[1] is not None:
            if kind in PAIRED:
                negative = ids[2] if len(ids) > 2 else None
                pairs.append((ids[0], ids[1], -1 if negative is None else negative))
            elif example.score is not None:
                scored.append((ids[0], ids[1]))
                scores.append(example.score)
    found.texts = np.fromiter(texts, dtype=np.int64, count=len(texts))
    found.pairs = np.asarray(pairs, dtype=np.int64).reshape(-1, 3)
    found.scored = np.asarray(scored, dtype=np.int64).reshape(-1, 2)
    found.scores = np.asarray(scores, dtype=np.float32)
    return found


def _dialogue(example: Example, ids: Sequence[int | None]) -> Dialogue | None:
    """Dialogues of one, or of more than two people give no questions about who said what."""
    people = list(dict.fromkeys(example.speakers))
    kept = [(n, speaker) for n, speaker in zip(ids, example.speakers, strict=True) if n is not None]
    if len(people) != 2 or not kept:
        return None
    return Dialogue(texts=tuple(n for n, _ in kept), second=tuple(s == people[1] for _, s in kept))
