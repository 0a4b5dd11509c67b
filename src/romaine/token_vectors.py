"""Vectors of a text's tokens, for late interaction: windows, batches, and which tokens are the text's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray, l2_normalize, layer_norm, slice_dim
from romaine.errors import OptionError, TextTooLongError
from romaine.pipeline import TEXTS_PER_CHUNK, Pipeline
from romaine.text.pieces import Truncate

if TYPE_CHECKING:
    from romaine.backends.base import TokenBackend
    from romaine.backends.registry import OpenModel
    from romaine.truncation import Truncations


@dataclass(frozen=True, eq=False)
class TokenVectors:
    """The tokens of one text, special ones and those of prompts left out.

    Attributes:
        ids: Their numbers in the model's vocabulary, int64 (tokens,).
        vectors: Unit vectors, float32 (tokens, token_dim).
        rarity: How much each says, by how rare it is for the model, above zero, float32 (tokens,).
        pooled: The vector of all that was encoded, the text before it included, as `Embedder` gives it,
            float32 (dim,).
    """

    ids: NDArray[np.int64]
    vectors: FloatArray
    rarity: FloatArray
    pooled: FloatArray


@dataclass(frozen=True)
class _Window:
    """Token ids of one window, special ones included, and which of them are kept."""

    ids: list[int]
    kept: slice


def token_vectors(
    opened: OpenModel,
    texts: Sequence[str],
    previous: Sequence[str | None] | None,
    pipeline: Pipeline,
    *,
    prompt: str,
    dim: int,
    truncations: Truncations,
) -> list[TokenVectors]:
    """Encodes texts, each after the one before it.

    Of what is too long for the window the beginning of the text before goes first. A text that is too long by
    itself is cut, refused, or encoded in several windows, as the pipeline says.

    Args:
        opened: The loaded model.
        texts: n texts.
        previous: What is before each in a line of its own, or None, n of them; None for nothing.
        pipeline: How they go through it.
        prompt: What is before all that.
        dim: Components of `TokenVectors.pooled`.
        truncations: What is told of texts that are cut.

    Raises:
        OptionError: If the model gives no vectors of tokens, or `previous` are not n.
        TextTooLongError: If the pipeline refuses texts over the window and one is.
    """
    card = opened.local.card
    if getattr(opened.backend, "token_dim", None) is None:
        raise OptionError(
            f"{card.id} on backend {opened.backend_name!r} gives no vectors of tokens; choose a late-"
            "interaction model with an ONNX file, such as Embedder('oakleaf')"
        )
    if isinstance(previous, str) or (previous is not None and len(previous) != len(texts)):
        raise OptionError(
            f"previous has {len(previous)} items for {len(texts)} texts; one for each is needed"
        )
    backend = cast("TokenBackend", opened.backend)
    before = [None] * len(texts) if previous is None else previous
    found: list[TokenVectors] = []
    for start in range(0, len(texts), TEXTS_PER_CHUNK):
        some = slice(start, start + TEXTS_PER_CHUNK)
        cut, windows = _windows(backend, texts[some], before[some], pipeline.truncate, prompt)
        if cut:
            truncations.report(cut, max_tokens=backend.max_tokens, model=card.id, stacklevel=3)
        found += _of_windows(backend, pipeline, windows, dim=dim, normalise_layer=card.layer_norm)
    return found


def _of_windows(
    backend: TokenBackend,
    pipeline: Pipeline,
    windows: Sequence[Sequence[_Window]],
    *,
    dim: int,
    normalise_layer: bool,
) -> Iterator[TokenVectors]:
    """Puts the windows of each text together again."""
    flat = [window for each in windows for window in each]
    pooled, tokens = _encoded(backend, pipeline, flat)
    pooled = l2_normalize(layer_norm(pooled) if normalise_layer else pooled)
    end = 0
    for each in windows:
        start, end = end, end + len(each)
        ids = np.array([number for window in each for number in window.ids[window.kept]], dtype=np.int64)
        sizes = np.array([len(window.ids) for window in each], dtype=np.float32)
        yield TokenVectors(
            ids,
            np.concatenate([tokens[i][flat[i].kept] for i in range(start, end)]),
            backend.tokenizer.rarity[ids],
            slice_dim(sizes @ pooled[start:end], dim),
        )


def _windows(
    backend: TokenBackend,
    texts: Sequence[str],
    previous: Sequence[str | None],
    truncate: Truncate,
    prompt: str,
) -> tuple[int, list[list[_Window]]]:
    """How many texts were cut, and the windows of each."""
    befores = [prompt if before is None else f"{prompt}{before}\n" for before in previous]
    tokens, ends = backend.tokenizer.encode_with_ends(
        [b + text for b, text in zip(befores, texts, strict=True)]
    )
    prefix, suffix = list(backend.tokenizer.prefix), list(backend.tokenizer.suffix)
    special = len(prefix) + len(suffix)
    room = None if backend.max_tokens is None else backend.max_tokens - special
    cut, windows = 0, []
    for number, before in enumerate(befores):
        here = slice(tokens.offsets[number], tokens.offsets[number + 1])
        ids: list[int] = tokens.ids[here].tolist()
        first = int(np.argmax(np.append(ends[here] > len(before), True)))
        prompted = min(int(np.argmax(np.append(ends[here] > len(prompt), True))), first)
        head, context, own = ids[:prompted], ids[prompted:first], ids[first:]
        free = len(ids) if room is None else room - len(head)
        if free < 1 <= len(ids):
            raise OptionError(
                f"a window of {backend.max_tokens} tokens has no room for text besides {special} special"
                f" tokens and {len(head)} of the prompt; give a shorter prompt"
            )
        if len(own) > free and truncate is Truncate.ERROR:
            raise TextTooLongError(
                f"text {number} has {len(own) + len(head) + special} tokens, the model's window is"
                f" {backend.max_tokens}. Shorten it, or pass truncate='end' to keep its beginning or"
                " truncate='pool' to embed it window by window."
            )
        if len(own) > free and truncate is Truncate.END:
            own, cut = own[:free], cut + 1
        kept = max(0, free - len(own))
        begins = [*prefix, *head, *context[len(context) - min(kept, len(context)) :]]
        parts = [own[at : at + free] for at in range(0, len(own), max(free, 1))] or [own]
        windows.append(
            [
                _Window([*front, *part, *suffix], slice(len(front), len(front) + len(part)))
                for front, part in ((begins if len(parts) == 1 else [*prefix, *head], part) for part in parts)
            ]
        )
    return cut, windows


def _encoded(
    backend: TokenBackend, pipeline: Pipeline, windows: Sequence[_Window]
) -> tuple[FloatArray, list[FloatArray]]:
    from romaine.text.batching import batches
    from romaine.text.ragged import Ragged

    inputs = Ragged.from_lists([window.ids for window in windows])
    pooled = np.empty((len(windows), backend.full_dim), dtype=np.float32)
    tokens: list[Any] = [None] * len(windows)
    for indices in batches(
        inputs.lengths,
        batch_tokens=pipeline.batch_tokens,
        max_pieces=pipeline.batch_size,
        uniform_above=backend.uniform_above,
    ):
        pooled[indices], found = backend.encode_tokens(inputs.take(indices))
        for index, each in zip(indices.tolist(), found, strict=True):
            tokens[index] = each
    return pooled, tokens
