"""`Tokenizer`: exact token ids from a `tokenizer.json`. The only file that imports `tokenizers`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.errors import ModelFormatError, one_line
from romaine.text.batching import batches
from romaine.text.chunks import AsciiWordPiece, ChunkTokenizer, is_bert, splits_at_spaces
from romaine.text.familiar import Familiar
from romaine.text.growth import check_growth
from romaine.text.pieces import Pieces, Truncate
from romaine.text.ragged import Ragged
from romaine.text.rarity import rarities
from romaine.text.windows import split, wrap

_SURROGATE = re.compile("[\ud800-\udfff]")
_GROUP_CHARACTERS = 1 << 16
"""Characters tokenised at a time, so that the strings and lists in between stay in the cache."""

_PAD_TOKENS = ("[PAD]", "<pad>", "<|padding|>", "<|endoftext|>")
_PROBES = ("a", "0", "the", "\u4e00")


class Tokenizer:
    """Turns texts into token ids exactly as the model's own tokenizer does. Safe to use from many threads.

    What the file configures about truncation and padding is switched off: windows are cut where the whole
    text's tokens are known (`romaine.text.windows`), padding belongs to the batch.

    Attributes:
        vocab_size: Rows an embedding table needs: the highest id plus one.
        pad_id: Id to pad with; 0 if the tokenizer names none.
        prefix: Special tokens put before a single text.
        suffix: Special tokens put after a single text.
    """

    def __init__(self, rust: tokenizers.Tokenizer) -> None:
        self.pad_id = _pad_id(rust)
        rust.no_truncation()
        rust.no_padding()
        self._rust = rust
        self.vocab_size = max(rust.get_vocab(with_added_tokens=True).values(), default=-1) + 1
        self.prefix, self.suffix = _special_ids(rust)
        self._chunks = None
        if splits_at_spaces(rust):
            plain = AsciiWordPiece(rust, _words_alone(rust)) if is_bert(rust) else None
            self._chunks = ChunkTokenizer(self._encode_exactly, plain)

    @cached_property
    def unk_id(self) -> int | None:
        """Id that stands for what is not in the vocabulary, or None."""
        model: Any = self._rust.model
        if hasattr(model, "unk_token"):
            return None if model.unk_token is None else self._rust.token_to_id(model.unk_token)
        # Unigram shows its id only in its serialised form
        found = json.loads(model.__getstate__()).get("unk_id")
        return None if found is None else int(found)

    @classmethod
    def from_file(cls, path: str | Path, *, markers: Sequence[str] = ()) -> Tokenizer:
        """Reads a `tokenizer.json`.

        Args:
            path: The file.
            markers: What is one token wherever it stands, if the vocabulary has it at all.

        Raises:
            ModelFormatError: If the file is missing or damaged, or may make texts grow without bound.
        """
        check_growth(Path(path))
        with _rust_errors(f"{path} is not a readable tokenizer.json", "Download the model's files again."):
            rust = tokenizers.Tokenizer.from_file(str(path))
            known = [marker for marker in markers if rust.token_to_id(marker) is not None]
            rust.add_tokens([tokenizers.AddedToken(marker, normalized=False) for marker in known])
            return cls(rust)

    def encode(self, texts: Sequence[str], *, add_special_tokens: bool = True) -> Ragged:
        """Tokenises texts.

        Args:
            texts: Any str. Lone surrogates, which no tokenizer can take, count as U+FFFD.
            add_special_tokens: Whether each sequence is wrapped in `prefix` and `suffix`.

        Raises:
            ModelFormatError: If the tokenizer has no id for a text, which only an incomplete vocabulary
                causes.
        """
        tokens = self._encode_plain(texts)
        return wrap(tokens, self.prefix, self.suffix) if add_special_tokens else tokens

    def encode_with_ends(self, texts: Sequence[str]) -> tuple[Ragged, NDArray[np.int64]]:
        """Tokenises texts without special tokens, and tells where in its text each token ends.

        Returns:
            The tokens, and for each the number of characters of its text up to its end, int64 (tokens,).
        """
        with _rust_errors("the tokenizer cannot encode a text", "Use the tokenizer of this very model."):
            encodings = self._rust.encode_batch(_without_surrogates(texts), add_special_tokens=False)
        ends = [end for encoding in encodings for _, end in encoding.offsets]
        return Ragged.from_lists([encoding.ids for encoding in encodings]), np.array(ends, dtype=np.int64)

    def split(self, texts: Sequence[str], *, max_tokens: int | None, truncate: Truncate) -> Pieces:
        """Cuts texts to a window, each piece in the special tokens; see `romaine.text.windows.split`."""
        tokens = self._encode_plain(texts)
        return split(tokens, max_tokens=max_tokens, truncate=truncate, prefix=self.prefix, suffix=self.suffix)

    def count(self, texts: Sequence[str], *, add_special_tokens: bool = True) -> list[int]:
        """Tokens of each text."""
        special = len(self.prefix) + len(self.suffix) if add_special_tokens else 0
        return [int(count) for count in self._encode_plain(texts).lengths + special]

    def unfamiliar(self, texts: Sequence[str]) -> tuple[int, int]:
        """Returns how many tokens are unknown or a letter alone, and how many there are but for signs."""
        return self._familiar.count(self._encode_plain(texts).ids.tolist())

    @cached_property
    def rarity(self) -> FloatArray:
        """How much each token says, by how rare it is, float32 (vocab_size,); see `romaine.text.rarity`."""
        return rarities(self._rust.get_vocab(with_added_tokens=False), self.vocab_size)

    @cached_property
    def _familiar(self) -> Familiar:
        return Familiar(self._rust.get_vocab(), lambda number: self._rust.decode([number]), self.unk_id)

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Texts of token ids, each below `vocab_size`; special tokens are left out."""
        return self._rust.decode_batch([list(each) for each in ids], skip_special_tokens=True)

    def _encode_plain(self, texts: Sequence[str]) -> Ragged:
        if len(texts) == 1:
            return self._encode_group(texts)
        sizes = [len(text) for text in texts]
        groups = batches(sizes, batch_tokens=_GROUP_CHARACTERS, pads=False)
        return Ragged.concatenate([self._encode_group(texts[group[0] : group[-1] + 1]) for group in groups])

    def _encode_group(self, texts: Sequence[str]) -> Ragged:
        with _rust_errors("the tokenizer cannot encode a text", "Use the tokenizer of this very model."):
            if self._chunks is not None:
                return self._chunks.encode(texts)
            return Ragged.from_lists(self._encode_exactly(texts))

    def _encode_exactly(self, texts: Sequence[str]) -> list[list[int]]:
        """What the tokenizer itself says, without special tokens."""
        # "fast" leaves out character offsets, which nothing here needs: a third of the time on long texts
        encodings = self._rust.encode_batch_fast(_without_surrogates(texts), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]


def _words_alone(rust: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """Its model on words between spaces, without all else."""
    bare = tokenizers.Tokenizer(rust.model)
    bare.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return bare


def _without_surrogates(texts: Sequence[str]) -> list[str]:
    return [text if text.isascii() else _SURROGATE.sub("\ufffd", text) for text in texts]


@contextmanager
def _rust_errors(what: str, remedy: str) -> Iterator[None]:
    """Turns what the Rust side raises into our error: bare Exception, and panics, which are not even that."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ModelFormatError(f"{what} ({one_line(error)}). {remedy}") from error


def _pad_id(rust: tokenizers.Tokenizer) -> int:
    if rust.padding is not None:
        return int(rust.padding["pad_id"])
    ids = (rust.token_to_id(token) for token in _PAD_TOKENS)
    return next((found for found in ids if found is not None), 0)


def _special_ids(rust: tokenizers.Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What the post-processor puts before and after a single text."""
    for probe in _PROBES:
        encoding = rust.encode(probe)
        added = [bool(flag) for flag in encoding.special_tokens_mask]
        if not all(added):
            first, last = added.index(False), len(added) - added[::-1].index(False)
            return tuple(encoding.ids[:first]), tuple(encoding.ids[last:])
    return tuple(rust.encode("").ids), ()
