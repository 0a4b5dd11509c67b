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
from collections.abc import Callable, Sequence
from functools import cached_property
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

_MANY_WORDS = 24
"""New words from which tokenising all of them at once is faster than one after another."""

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
        plain: Its short cut for plain ASCII chunks; None if there is none.
        max_chunks: How many chunks to remember.
    """

    def __init__(
        self,
        encode: Callable[[Sequence[str]], list[list[int]]],
        plain: AsciiWordPiece | None = None,
        *,
        max_chunks: int = MAX_CHUNKS,
    ) -> None:
        self._encode = encode
        self._plain = plain
        self._max_chunks = max_chunks
        self._lock = threading.Lock()
        self._known = _Known()

    def encode(self, texts: Sequence[str]) -> Ragged:
        """The tokens of each text, without special tokens."""
        if sum(map(len, texts)) <= _FEW_CHARACTERS:
            chunks = _chunks(texts)
            offsets = offsets_of(np.fromiter(map(len, chunks), dtype=np.int64, count=len(chunks)))
            known, numbers = self._numbers_one_by_one(list(chain.from_iterable(chunks)))
        else:
            spans = Spans.of(texts)
            offsets = spans.offsets
            known, numbers = self._numbers_at_once(spans)
        starts, lengths, ids = known.starts.data, known.lengths.data, known.ids.data
        chunk_offsets = offsets_of(lengths[numbers])
        flat = ids[positions(starts[numbers], chunk_offsets)]
        return Ragged(flat, chunk_offsets[offsets])

    def _numbers_one_by_one(self, chunks: list[str]) -> tuple[_Known, NDArray[np.int64]]:
        """The numbers of chunks, and where they are known by them."""
        while True:
            known = self._known
            try:
                return known, known.numbers_of(chunks)
            except KeyError:
                learned = self._tokens_of_new(known, chunks)
            with self._lock:
                if known is self._known:  # else another call began anew
                    return known, self._add(known, learned, chunks)

    def _numbers_at_once(self, spans: Spans) -> tuple[_Known, NDArray[np.int64]]:
        """The numbers of all chunks, and where they are known by them."""
        keys = spans.keys()
        while True:
            known = self._known
            numbers = known.find(spans, keys)
            missing = np.flatnonzero(numbers < 0)
            if not len(missing):
                return known, numbers
            chunks = spans.chunks(missing)
            learned = self._tokens_of_new(known, chunks)
            with self._lock:
                if known is not self._known:
                    continue
                before = known.count
                numbers[missing] = self._add(known, learned, chunks)
                # not what another call has added meanwhile
                new = missing[(numbers[missing] >= before) & (spans.lengths[missing] <= KEY_BYTES)]
                once = np.full(known.count - before, -1, dtype=np.int64)
                once[numbers[new] - before] = new
                once = once[once >= 0]
                known.table = known.table.with_added((keys[0][once], keys[1][once]), numbers[once])
                return known, numbers

    def _tokens_of_new(self, known: _Known, chunks: list[str]) -> list[tuple[list[str], Ragged]]:
        """Tokenises chunks seen for the first time. Without the lock: this takes longest."""
        new = [
            chunk
            for chunk in dict.fromkeys(chunks)
            if chunk not in known.numbers or len(chunk) >= _LONG_CHUNK  # another call may just forget it
        ]
        plain = self._plain.those_plain(new) if self._plain else []
        learned = [(plain, self._plain.encode(plain))] if self._plain and plain else []
        if len(plain) < len(new):
            done = frozenset(plain)
            others = [chunk for chunk in new if chunk not in done]
            learned.append((others, Ragged.from_lists(self._encode(others))))
        return learned

    def _add(
        self, known: _Known, learned: list[tuple[list[str], Ragged]], chunks: list[str]
    ) -> NDArray[np.int64]:
        """The numbers of chunks, once what was learned of them is known; under the lock."""
        try:
            for new, tokens in learned:
                known.add(new, tokens)
            numbers = known.numbers_of(chunks)
            for new, _ in learned:
                known.forget_long(new)
        except BaseException:
            self._known = _Known()  # numbers without tokens must not survive
            raise
        if known.count > self._max_chunks or known.ids.size > _MAX_IDS:
            self._known = _Known()
        return numbers


class _Known:
    """What is remembered: each chunk's number, and by it its tokens."""

    def __init__(self) -> None:
        self.count = 0
        self.numbers: dict[str, int] = {}
        self.table = NumberTable()
        self.starts = _GrowingArray(np.int64)
        self.lengths = _GrowingArray(np.int64)
        self.ids = _GrowingArray(np.int32)

    def find(self, spans: Spans, keys: Keys) -> NDArray[np.int64]:
        """The number of each chunk, or -1."""
        numbers = self.table.find(keys)
        numbers[spans.lengths > KEY_BYTES] = -1  # their keys are but their beginnings
        return numbers

    def numbers_of(self, chunks: list[str]) -> NDArray[np.int64]:
        """The number of each chunk; a KeyError if one is not known."""
        return np.fromiter(map(self.numbers.__getitem__, chunks), dtype=np.int64, count=len(chunks))

    def add(self, chunks: list[str], tokens: Ragged) -> None:
        """Gives chunks the next numbers."""
        self.starts.append(tokens.offsets[:-1] + self.ids.size)
        self.lengths.append(tokens.lengths)
        self.ids.append(tokens.ids)
        self.numbers.update(zip(chunks, range(self.count, self.count + len(chunks)), strict=True))
        self.count += len(chunks)

    def forget_long(self, chunks: list[str]) -> None:
        """Leaves those out that are not worth remembering."""
        for chunk in chunks:
            if len(chunk) >= _LONG_CHUNK:
                self.numbers.pop(chunk, None)


def _chunks(texts: Sequence[str]) -> list[list[str]]:
    together = "".join(texts)
    if not any(char in together for char in _SPLIT_BUT_NOT_SPACE):
        return list(map(str.split, texts))
    odd = frozenset(_SPLIT_BUT_NOT_SPACE)
    return [text.split() if odd.isdisjoint(text) else [text] for text in texts]


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
    """BERT's tokenizer on plain ASCII chunks: lowering, one regular expression, the Rust WordPiece model.

    Nothing else of the pipeline has anything to do there, and leaving it out saves four fifths of the time.
    More is anything not printable ASCII, or with a character that a special or added token begins with.

    Args:
        rust: A tokenizer for which `splits_at_spaces` holds.
        words: One that has its model alone, for words with spaces between them.
    """

    def __init__(self, rust: Any, words: Any) -> None:
        self._rust, self._model, self._words = rust, rust.model, words
        self._lowercase = bool(_settings_of(rust.normalizer).get("lowercase"))
        first = "".join(spelling[:1] for spelling in _added_spellings(rust))
        self._may_be_added = frozenset(first + first.lower() + first.upper())

    def those_plain(self, chunks: list[str]) -> list[str]:
        """Those that are plain."""
        return chunks if self._is_plain("".join(chunks)) else [c for c in chunks if self._is_plain(c)]

    def encode(self, chunks: list[str]) -> Ragged:
        """The tokens of plain chunks, which hold no space."""
        text = "\n".join(chunks)
        lines = (text.lower() if self._lowercase else text).split("\n")
        split = [[line] if line.isalnum() else _WORD.findall(line) for line in lines]
        words = list(chain.from_iterable(split))
        return _grouped(self._tokens(words), np.fromiter(map(len, split), dtype=np.int64, count=len(split)))

    def _tokens(self, words: list[str]) -> Ragged:
        if len(words) >= _MANY_WORDS:
            (encoding,) = self._words.encode_batch_fast([" ".join(words)], add_special_tokens=False)
            ids = np.array(encoding.ids, dtype=np.int32)
            begins = np.flatnonzero(self._begins[ids])
            if len(begins) == len(words):
                return Ragged(ids, np.append(begins, len(ids)))
        return Ragged.from_lists([[token.id for token in self._model.tokenize(word)] for word in words])

    @cached_property
    def _begins(self) -> NDArray[np.bool_]:
        """Whether a word begins with each token; the others are marked as continuing one."""
        vocab = self._rust.get_vocab(with_added_tokens=False)
        begins = np.zeros(max(vocab.values(), default=0) + 1, dtype=bool)
        prefix = self._model.continuing_subword_prefix
        begins[[number for token, number in vocab.items() if not token.startswith(prefix)]] = True
        return begins

    def _is_plain(self, text: str) -> bool:
        return text.isascii() and text.isprintable() and self._may_be_added.isdisjoint(text)


def _grouped(words: Ragged, counts: NDArray[np.int64]) -> Ragged:
    """So many neighbours each as one sequence."""
    return Ragged(words.ids, words.offsets[offsets_of(counts)])


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
