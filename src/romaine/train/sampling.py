"""A balanced, reproducible sample of a file's records, without repeats and without holding the file."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

from romaine.train.cleaning import cut
from romaine.train.recipe import DataSource
from romaine.train.records import (
    DialogueRecord,
    PairRecord,
    Record,
    ScoredRecord,
    TextRecord,
    read_records,
)


def sample_records(path: Path, source: DataSource, key: bytes) -> tuple[list[Record], dict[str, int]]:
    """A balanced sample of a file's records without repeats, and how many were read.

    Which records are kept depends on their content and the key alone, not on the order of lines: each gets a
    keyed hash, and the smallest hashes of each source win (bottom-k sampling, Cohen and Kaplan 2007).
    """
    seen: set[int] = set()
    kept: dict[str, list[tuple[int, int, Record]]] = {}
    read = 0
    for record in read_records(path, source.kind):
        if source.sources and record.source not in source.sources:
            continue
        read += 1
        record = _cut(record, source.max_chars)
        rank = _rank(record, key)
        if rank in seen or not any(texts_of(record)):
            continue
        seen.add(rank)
        most = source.sources.get(record.source, source.limit)
        heap = kept.setdefault(record.source, [])
        # heapq keeps the smallest on top, so ranks are negated: the top is the one to lose.
        push = heapq.heappush if len(heap) < most else heapq.heappushpop
        push(heap, (-rank, -read, record))
    shares = fill_evenly({name: len(heap) for name, heap in kept.items()}, source.limit)
    chosen = [entry for name, heap in kept.items() for entry in heapq.nlargest(shares[name], heap)]
    sample = [record for _, _, record in sorted(chosen, key=lambda entry: -entry[0])]
    return sample, {"read": read, "without repeats": len(seen), "sampled": len(sample)}


def is_held(record: Record, share: float, key: bytes) -> bool:
    """Whether a record is held out: dialogues as a whole, pairs with all that have the same positive."""
    if isinstance(record, PairRecord):
        record = TextRecord("", record.positive)
    elif not isinstance(record, DialogueRecord):
        return False
    return _rank(record, key + b"held") < share * 2**64


def fill_evenly(available: Mapping[str, int], total: int) -> dict[str, int]:
    """Splits `total` evenly over sources; what a small source cannot fill goes to the others."""
    shares: dict[str, int] = {}
    left = total
    for place, (source, count) in enumerate(sorted(available.items(), key=lambda item: (item[1], item[0]))):
        shares[source] = min(count, left // (len(available) - place))
        left -= shares[source]
    return shares


def texts_of(record: Record) -> list[str]:
    """The texts of a record, in order; a negative only where there is one."""
    if isinstance(record, TextRecord):
        return [record.text]
    if isinstance(record, PairRecord):
        return [record.query, record.positive, *([record.negative] if record.negative else [])]
    if isinstance(record, ScoredRecord):
        return [record.left, record.right]
    return [text for _, text in record.turns]


def _cut(record: Record, most: int) -> Record:
    if isinstance(record, TextRecord):
        return TextRecord(record.source, cut(record.text, most))
    if isinstance(record, PairRecord):
        negative = cut(record.negative, most) if record.negative else None
        return PairRecord(record.source, cut(record.query, most), cut(record.positive, most), negative)
    if isinstance(record, ScoredRecord):
        return ScoredRecord(record.source, cut(record.left, most), cut(record.right, most), record.score)
    return DialogueRecord(record.source, tuple((speaker, cut(text, most)) for speaker, text in record.turns))


def _rank(record: Record, key: bytes) -> int:
    content = "\x1f".join(texts_of(record))
    if isinstance(record, ScoredRecord):
        content += f"\x1f{record.score}"
    return int.from_bytes(blake2b(content.encode("utf-8", "replace"), digest_size=8, key=key).digest(), "big")
