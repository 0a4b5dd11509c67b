"""What every backend promises, as checks that anybody can run on theirs.

from romaine.evaluate.contract import CONTRACT_CHECKS

for check in CONTRACT_CHECKS:
    check.run(Embedder(folder, backend="theirs"))  # raises ContractError, naming what is broken
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.embedder import Embedder
from romaine.errors import ContractError, RomaineError, TextTooLongError
from romaine.truncation import TruncationWarning
from romaine.unfamiliar import UnfamiliarTextWarning

SAME = 0.99999
"""Cosine from which two vectors of one text count as equal, computing in float32."""
SAME_INT8 = 0.999
"""The same for arithmetic in int8, whose scales depend on the batch."""

_NORM_TOLERANCE = 1e-5
_THREADS = 32

TEXTS: tuple[str, ...] = (
    "The key is under the third step.",
    "the key is under the third step",
    "Mira hid the letter behind the clock, and nobody but the cat saw her do it.",
    "ok",
    'She said: *smiles* "You remembered!"\nThen she closed the door.',
    "1, 22, 333 -- 4444 / 55555?",
    "Where did they meet before the war, and who else was at the table that evening? " * 2,
    "a b c d e f g h i j k l m n o p q r s t u v w x y z",
)
"""Ordinary texts of very different lengths."""

BLANK: tuple[str, ...] = ("", " ", "\n\t  \r\n")

ODD: tuple[str, ...] = (
    "lone \ud800 surrogate",
    "\udfff\ud800",
    "nul \x00 inside",
    "\x00\x01\x02\x7f",
    "👩‍👩‍👧‍👦 family 🏳️‍🌈 flag 👍🏽",
    "שלום עולם, هذا نص من اليمين إلى اليسار",
    "彼女は鍵を三段目の下に隠した。",
    "e\u0301 \u00e9 \ufb01 \u200b\u200d\ufeff",
    "x" * 3000,
)
"""Texts that tokenizers stumble over."""


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What is checked.

    Attributes:
        name: In a word or two.
        run: Takes an embedder and, as `same`, the cosine from which vectors count as equal; raises
            `ContractError` if the promise is broken.
    """

    name: str
    run: Callable[..., None]


def check_shape(embedder: Embedder, *, same: float = SAME) -> None:
    """Documents and queries give float32 (n, dim), one query (dim,), all finite."""
    dim = embedder.dim
    _expect_matrix("embed_documents", embedder.embed_documents(TEXTS), len(TEXTS), dim)
    _expect_matrix("embed_queries", embedder.embed_queries(list(TEXTS)), len(TEXTS), dim)
    query = embedder.embed_query(TEXTS[0])
    _expect(query.shape == (dim,), f"embed_query gave shape {query.shape}, not ({dim},)")
    _expect_same("embed_query and embed_queries", query[None], embedder.embed_queries(TEXTS[:1]), same)


def check_empty_input(embedder: Embedder, *, same: float = SAME) -> None:  # noqa: ARG001
    """No texts give no vectors, float32 (0, dim)."""
    _expect_matrix("embed_documents([])", embedder.embed_documents([]), 0, embedder.dim)
    _expect_matrix("embed_queries([])", embedder.embed_queries([]), 0, embedder.dim)


def check_blank_texts(embedder: Embedder, *, same: float = SAME) -> None:
    """A blank text gives a finite vector, of length one or zero, and leaves its neighbours alone."""
    vectors = embedder.embed_documents(BLANK)
    _expect_matrix("blank texts", vectors, len(BLANK), embedder.dim)
    norms = np.linalg.norm(vectors, axis=1)
    sound = np.isclose(norms, 1, atol=_NORM_TOLERANCE) | (norms == 0)
    _expect(bool(sound.all()), f"blank texts gave vectors of lengths {norms}, neither 0 nor 1")
    mixed = embedder.embed_documents([BLANK[0], TEXTS[0], BLANK[1]])
    _expect_same("a text beside blank ones and alone", mixed[1:2], embedder.embed_documents(TEXTS[:1]), same)


def check_batch_invariance(embedder: Embedder, *, same: float = SAME) -> None:
    """A text has one vector, alone or in any batch."""
    alone = np.concatenate([embedder.embed_documents([text]) for text in TEXTS])
    _expect_same("texts in a batch and alone", embedder.embed_documents(TEXTS), alone, same)


def check_order_invariance(embedder: Embedder, *, same: float = SAME) -> None:
    """A text has one vector at any position."""
    order = np.random.default_rng(0).permutation(len(TEXTS))
    shuffled = embedder.embed_documents([TEXTS[index] for index in order])
    _expect_same("texts in another order", shuffled, embedder.embed_documents(TEXTS)[order], same)


def check_determinism(embedder: Embedder, *, same: float = SAME) -> None:  # noqa: ARG001
    """The same call gives the same vectors again."""
    first, second = embedder.embed_documents(TEXTS), embedder.embed_documents(TEXTS)
    # Threads may add numbers in another order, so that the last bit is not promised.
    _expect(bool(np.allclose(first, second, atol=1e-6)), "two equal calls gave different vectors")


def check_norms(embedder: Embedder, *, same: float = SAME) -> None:
    """At each of its dims, vectors are the full ones cut and made unit length again."""
    full = embedder.with_dim(None).embed_documents(TEXTS)
    for dim in embedder.dims:
        vectors = embedder.with_dim(dim).embed_documents(TEXTS)
        _expect_matrix(f"dim={dim}", vectors, len(TEXTS), dim)
        norms = np.linalg.norm(vectors, axis=1)
        off = float(np.abs(norms - 1).max())
        _expect(off <= _NORM_TOLERANCE, f"at dim={dim} a vector's length is off one by {off:.2g}")
        cut = full[:, :dim] / np.linalg.norm(full[:, :dim], axis=1, keepdims=True)
        _expect_same(f"dim={dim} and the full vectors cut to it", vectors, cut, same)


def check_threads(embedder: Embedder, *, same: float = SAME) -> None:
    """32 threads at once get what one gets."""
    expected = embedder.embed_documents(TEXTS)
    jobs = [[(start + step) % len(TEXTS) for step in range(1 + start % 3)] for start in range(2 * _THREADS)]
    with ThreadPoolExecutor(_THREADS) as threads:
        found = list(threads.map(lambda job: embedder.embed_documents([TEXTS[i] for i in job]), jobs))
    for job, vectors in zip(jobs, found, strict=True):
        _expect_same("texts embedded by 32 threads at once and by one", vectors, expected[job], same)


def check_unicode(embedder: Embedder, *, same: float = SAME) -> None:
    """Surrogates, controls, emoji, right-to-left and CJK text give finite vectors, the same in any batch."""
    with _odd_texts_allowed():
        vectors = embedder.embed_documents(ODD)
        _expect_matrix("odd texts", vectors, len(ODD), embedder.dim)
        alone = np.concatenate([embedder.embed_documents([text]) for text in ODD])
    _expect_same("odd texts in a batch and alone", vectors, alone, same)


def check_text_untouched(embedder: Embedder, *, same: float = SAME) -> None:  # noqa: ARG001
    """The caller's list stays as it was, and different texts stay different."""
    texts = [*TEXTS, *BLANK]
    before = list(texts)
    embedder.embed_documents(texts)
    _expect(texts == before, "embed_documents changed the list it was given")
    vectors = embedder.embed_documents([TEXTS[0], TEXTS[2]])
    _expect(float(vectors[0] @ vectors[1]) < 0.9999, "two different texts have one vector")


def check_long_text(embedder: Embedder, *, same: float = SAME) -> None:
    """A text over the window is cut, refused or pooled; what comes back is a unit vector, in any batch."""
    if embedder.max_tokens is None:
        return
    # Two tokens of two characters at least: surely over the window
    long_text = "the lantern swings over seven grey stairs while rain counts the panes. " * (
        embedder.max_tokens // 10 + 2
    )
    with _odd_texts_allowed():
        try:
            alone = embedder.embed_documents([long_text])
        except TextTooLongError:
            return
        beside = embedder.embed_documents([TEXTS[0], long_text, TEXTS[3]])
    _expect_matrix("a text over the window", alone, 1, embedder.dim)
    length = float(np.linalg.norm(alone[0]))
    _expect(
        abs(length - 1) <= _NORM_TOLERANCE, f"a text over the window gave a vector of length {length:.6f}"
    )
    _expect_same("a text over the window, alone and beside others", beside[1:2], alone, same)


CONTRACT_CHECKS: tuple[Promise, ...] = (
    Promise(name="shape", run=check_shape),
    Promise(name="empty input", run=check_empty_input),
    Promise(name="blank texts", run=check_blank_texts),
    Promise(name="batch invariance", run=check_batch_invariance),
    Promise(name="order invariance", run=check_order_invariance),
    Promise(name="determinism", run=check_determinism),
    Promise(name="norms", run=check_norms),
    Promise(name="threads", run=check_threads),
    Promise(name="unicode", run=check_unicode),
    Promise(name="text untouched", run=check_text_untouched),
    Promise(name="long text", run=check_long_text),
)
"""Every promise, in the order in which it helps to look at them."""


def broken_promises(
    embedder: Embedder, *, same: float = SAME, checks: Sequence[Promise] = CONTRACT_CHECKS
) -> dict[str, RomaineError]:
    """What is broken, by the promise's name; empty if nothing is. A refusal breaks a promise, too.

    Args:
        embedder: What is to be checked.
        same: Cosine from which vectors count as equal; `SAME_INT8` for arithmetic in int8.
        checks: Which promises are looked at.
    """
    broken: dict[str, RomaineError] = {}
    for check in checks:
        try:
            check.run(embedder, same=same)
        except RomaineError as error:
            broken[check.name] = error
    return broken


def cosines(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Cosine of each row of `a` with the same row of `b`, float64 (n,); 1 where both are zero."""
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    both_zero = ~left.any(axis=1) & ~right.any(axis=1)
    products = np.einsum("nd,nd->n", left, right) / np.where(lengths > 0, lengths, 1)
    return np.asarray(np.where(both_zero, 1.0, products))


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ContractError(otherwise)


def _expect_matrix(what: str, vectors: NDArray[Any], rows: int, dim: int) -> None:
    shape_and_type = (vectors.shape, vectors.dtype)
    _expect(
        shape_and_type == ((rows, dim), np.dtype(np.float32)),
        f"{what} gave {vectors.dtype} of shape {vectors.shape}, not float32 ({rows}, {dim})",
    )
    _expect(bool(np.isfinite(vectors).all()), f"{what} gave values that are not finite")


def _expect_same(what: str, a: NDArray[Any], b: NDArray[Any], same: float) -> None:
    worst = float(cosines(a, b).min(initial=1.0))
    _expect(worst >= same, f"{what}: the worst cosine is {worst:.6f}, promised is {same}")


class _odd_texts_allowed(warnings.catch_warnings):  # noqa: N801 - used as a with statement
    """Lets texts be cut, and be in any script, without a warning."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        warnings.simplefilter("ignore", TruncationWarning)
        warnings.simplefilter("ignore", UnfamiliarTextWarning)
        return entered
