"""The fast path of some tokenizers: what was tokenised once is looked up, chunk by chunk.

BERT's normaliser, pre-tokenizer and WordPiece never look across white space, nor do those of
`romaine.train.vocabulary`, so a text's tokens are those of its space-separated chunks, one after another.
Chunks repeat: after 5,000 chat turns nine of ten in the next turn have been seen. Looking one up costs a dict
access, a tenth of running the tokenizer. At first sight a chunk goes to the real tokenizer, or to its
WordPiece model alone if it is plain ASCII.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.text.ragged import Ragged, offsets_of, positions
from romaine.text.spans import KEY_BYTES, Keys, NumberTable, Spans

MAX_CHUNKS = 1 << 17
"""Chunks remembered before all are forgotten: about 30 MB."""

_MAX_IDS = 1 << 20
_LONG_CHUNK = 48
"""Characters from which a chunk is not worth remembering: a link, or a sentence written without spaces."""

_FEW_CHARACTERS = 4096
"""Characters up to which looking up one chunk after another is faster than all at once."""

_SPLIT_BUT_NOT_SPACE = "\x0b\x0c\x1c\x1d\x1e\x1f\x85"
"""`str.split` takes these for white space; BERT's normaliser deletes them, which joins their neighbours."""

# Letters and digits together, each other printable character alone: BertPreTokenizer within ASCII.
_WORD = re.compile(r"[0-9A-Za-z]+|[!-/:-@\[-`{-~]")


WORD_BEGINS = r"(?<![\p{L}\p{M}\p{N}'’])(?=[\p{Latin}\p{Cyrillic}\p{Greek}\p{Arabic}])"
"""Where a word begins, as a regular expression; white space before it is like the beginning of the text."""

_LOCAL = ("NFC", "NFKC", "Lowercase")
"""Normalisers to which white space is a wall."""


def splits_at_spaces(rust: Any) -> bool:
    """Whether a `tokenizers.Tokenizer` provably gives a text's tokens chunk by chunk.

    True for BertNormalizer with clean_text, BertPreTokenizer and WordPiece; and for a pre-tokenizer that
    first splits at white space, where normalisers are of `_LOCAL` or put something where `WORD_BEGINS`. In
    both cases no added token may span white space.
    """
    normalizer, cuts = _settings_of(rust.normalizer), _settings_of(rust.pre_tokenizer)
    if is_bert(rust):
        splits = bool(normalizer.get("clean_text"))
    else:
        steps = normalizer.get("normalizers", ())
        splits = (
            type(rust.model).__name__ == "Unigram"
            and [cut.get("type") for cut in cuts.get("pretokenizers", ())][:1] == ["WhitespaceSplit"]
            and all(s["type"] in _LOCAL or s.get("pattern") == {"Regex": WORD_BEGINS} for s in steps)
        )
    return splits and not any(char.isspace() for char in "".join(_added_spellings(rust)))


def is_bert(rust: Any) -> bool:
    """Whether a `tokenizers.Tokenizer` has BERT's parts."""
    return (
        type(rust.model).__name__ == "WordPiece"
        and _settings_of(rust.normalizer).get("type") == "BertNormalizer"
        and _settings_of(rust.pre_tokenizer).get("type") == "BertPreTokenizer"
    )


class ChunkTokenizer:
    """Tokenises texts by looking up their chunks. Safe to use from many threads.

    Args:
        encode: The real tokenizer, without special tokens. It must satisfy `splits_at_spaces`.
        plain: Its short cut for plain ASCII chunks, which gives None for any other; None if there is none.
        max_chunks: How many chunks to remember.
    """

    def __init__(
        self,
        encode: Callable[[Sequence[str]], list[list[int]]],
        plain: Callable[[str], list[int] | None] | None = None,
        *,
        max_chunks: int = MAX_CHUNKS,
    ) -> None:
        self._encode = encode
        self._plain = plain or (lambda _: None)
        self._max_chunks = max_chunks
        self._lock = threading.Lock()
        self._known = _Known()

    def encode(self, texts: Sequence[str]) -> Ragged:
        """The tokens of each text, without special tokens."""
        if sum(map(len, texts)) <= _FEW_CHARACTERS:
            chunks = _chunks(texts)
            offsets = offsets_of(np.fromiter(map(len, chunks), dtype=np.int64, count=len(chunks)))
            with self._lock:
                known = self._known
                numbers = self._numbers_of(known, chain.from_iterable(chunks), int(offsets[-1]))
        else:
            spans = Spans.of(texts)
            offsets = spans.offsets
            known, numbers = self._numbers_at_once(spans)
        starts, lengths, ids = known.starts.data, known.lengths.data, known.ids.data
        chunk_offsets = offsets_of(lengths[numbers])
        flat = ids[positions(starts[numbers], chunk_offsets)]
        return Ragged(flat, chunk_offsets[offsets])

    def _numbers_at_once(self, spans: Spans) -> tuple[_Known, NDArray[np.int64]]:
        """The numbers of all chunks, and where they are known by them."""
        keys, known = spans.keys(), self._known
        numbers = known.find(spans, keys)  # without the lock: this is most of the time
        if (numbers >= 0).all():
            return known, numbers
        with self._lock:
            if known is not self._known:  # another call began anew, perhaps because of an error
                known = self._known
                numbers = known.find(spans, keys)
            missing = np.flatnonzero(numbers < 0)
            numbers[missing] = self._numbers_of(known, spans.chunks(missing), len(missing))
            short = missing[spans.lengths[missing] <= KEY_BYTES]
            once = short[np.unique(numbers[short], return_index=True)[1]]
            some = keys[0][once], keys[1][once]
            new = known.table.find(some) < 0  # another call may have added the others meanwhile
            known.table = known.table.with_added((some[0][new], some[1][new]), numbers[once][new])
        return known, numbers

    def _numbers_of(self, known: _Known, chunks: Iterable[str], count: int) -> NDArray[np.int64]:
        """The numbers of chunks, tokenising those seen for the first time; under the lock."""
        try:
            numbers = np.fromiter(map(known.numbers.__getitem__, chunks), dtype=np.int64, count=count)
            self._learn(known)
        except BaseException:
            self._known = _Known()  # numbers without tokens must not survive
            raise
        if known.numbers.count > self._max_chunks or known.ids.size > _MAX_IDS:
            self._known = _Known()
        return numbers

    def _learn(self, known: _Known) -> None:
        new = known.numbers.new
        if not new:
            return
        ids = [self._plain(chunk) for chunk in new]
        others = iter(self._encode([chunk for chunk, found in zip(new, ids, strict=True) if found is None]))
        tokens = Ragged.from_lists([next(others) if found is None else found for found in ids])
        known.starts.append(tokens.offsets[:-1] + known.ids.size)
        known.lengths.append(tokens.lengths)
        known.ids.append(tokens.ids)
        for chunk in new:
            if len(chunk) >= _LONG_CHUNK:
                del known.numbers[chunk]
        known.numbers.new = []


class _Known:
    """What is remembered: each chunk's number, and by it its tokens."""

    def __init__(self) -> None:
        self.numbers = _Numbers()
        self.table = NumberTable()
        self.starts = _GrowingArray(np.int64)
        self.lengths = _GrowingArray(np.int64)
        self.ids = _GrowingArray(np.int32)

    def find(self, spans: Spans, keys: Keys) -> NDArray[np.int64]:
        """The number of each chunk, or -1."""
        numbers = self.table.find(keys)
        numbers[spans.lengths > KEY_BYTES] = -1  # their keys are but their beginnings
        return numbers


def _chunks(texts: Sequence[str]) -> list[list[str]]:
    together = "".join(texts)
    if not any(char in together for char in _SPLIT_BUT_NOT_SPACE):
        return list(map(str.split, texts))
    odd = frozenset(_SPLIT_BUT_NOT_SPACE)
    return [text.split() if odd.isdisjoint(text) else [text] for text in texts]


class _Numbers(dict[str, int]):
    """Numbers chunks by first sight and lists those that are `new`."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.new: list[str] = []

    def __missing__(self, chunk: str) -> int:
        number = self[chunk] = self.count
        self.count += 1
        self.new.append(chunk)
        return number


class _GrowingArray:
    """An array that doubles its room as it fills. What a reader holds of `data` stays as it was."""

    def __init__(self, dtype: Any) -> None:
        self.data: NDArray[Any] = np.empty(1024, dtype=dtype)
        self.size = 0

    def append(self, values: NDArray[Any]) -> None:
        end = self.size + len(values)
        if end > len(self.data):
            grown = np.empty(max(end, 2 * len(self.data)), dtype=self.data.dtype)
            grown[: self.size] = self.data[: self.size]
            self.data = grown
        self.data[self.size : end] = values
        self.size = end


class AsciiWordPiece:
    """BERT's tokenizer on a plain ASCII chunk: lowering, one regular expression, the Rust WordPiece model.

    Nothing else of the pipeline has anything to do there, and leaving it out saves four fifths of the time.

    Args:
        rust: A tokenizer for which `splits_at_spaces` holds.
    """

    def __init__(self, rust: Any) -> None:
        self._model = rust.model
        self._lowercase = bool(_settings_of(rust.normalizer).get("lowercase"))
        first = "".join(spelling[:1] for spelling in _added_spellings(rust))
        self._may_be_added = frozenset(first + first.lower() + first.upper())

    def ids(self, chunk: str) -> list[int] | None:
        """The tokens of `chunk`, which holds no space; None if it is more than plain words.

        More is anything not printable ASCII, or with a character that a special or added token begins with.
        """
        if not chunk.isascii() or not chunk.isprintable() or not self._may_be_added.isdisjoint(chunk):
            return None
        text = chunk.lower() if self._lowercase else chunk
        words = (text,) if text.isalnum() else _WORD.findall(text)
        return [token.id for word in words for token in self._model.tokenize(word)]


def _settings_of(component: Any) -> dict[str, Any]:
    """What tokenizer.json says of a normaliser or pre-tokenizer; empty if there is none."""
    if component is None:
        return {}
    try:
        settings = json.loads(component.__getstate__())
    except Exception:  # a component written in Python has no settings to read
        return {}
    return settings if isinstance(settings, dict) else {}


def _added_spellings(rust: Any) -> list[str]:
    """Special and added tokens, as they are and as the normaliser writes them."""
    added = [token.content for token in rust.get_added_tokens_decoder().values()]
    return added + [rust.normalizer.normalize_str(content) for content in added]
