from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from romaine.errors import OptionError, TextTooLongError
from romaine.text.pieces import Truncate
from romaine.text.ragged import Ragged
from romaine.text.windows import char_windows, split

texts = st.lists(st.lists(st.integers(3, 99), max_size=12), max_size=6)
CLS, SEP = 1, 2


@given(texts, st.integers(3, 9))
def test_end_keeps_the_first_window(lists: list[list[int]], window: int) -> None:
    pieces = split(
        Ragged.from_lists(lists), max_tokens=window, truncate=Truncate.END, prefix=(CLS,), suffix=(SEP,)
    )
    assert pieces.inputs.to_lists() == [[CLS, *ids[: window - 2], SEP] for ids in lists]
    assert pieces.owner.tolist() == list(range(len(lists)))
    assert pieces.lengths.tolist() == [len(ids) for ids in pieces.inputs.to_lists()]
    assert pieces.truncated == sum(len(ids) > window - 2 for ids in lists)


@given(texts, st.integers(3, 9))
def test_pool_loses_nothing(lists: list[list[int]], window: int) -> None:
    pieces = split(
        Ragged.from_lists(lists), max_tokens=window, truncate=Truncate.POOL, prefix=(CLS,), suffix=(SEP,)
    )
    rebuilt: list[list[int]] = [[] for _ in lists]
    for owner, ids in zip(pieces.owner, pieces.inputs.to_lists(), strict=True):
        assert (ids[0], ids[-1]) == (CLS, SEP)
        assert len(ids) <= window
        rebuilt[owner] += ids[1:-1]
    assert rebuilt == lists
    assert pieces.owner.tolist() == sorted(pieces.owner)
    assert set(pieces.owner.tolist()) == set(range(len(lists)))
    assert pieces.truncated == 0


@given(texts, st.sampled_from(Truncate))
def test_without_a_limit_each_text_is_one_piece(lists: list[list[int]], truncate: Truncate) -> None:
    pieces = split(Ragged.from_lists(lists), max_tokens=None, truncate=truncate)
    assert pieces.inputs.to_lists() == lists
    assert pieces.truncated == 0


def test_error_names_the_text_its_tokens_the_limit_and_the_remedies() -> None:
    tokens = Ragged.from_lists([[5], [5] * 9, [5] * 7])
    with pytest.raises(
        TextTooLongError, match=r"text 1 has 11 tokens.* window is 8 \(1 more .*'end'.*'pool'"
    ):
        split(tokens, max_tokens=8, truncate=Truncate.ERROR, prefix=(CLS,), suffix=(SEP,))
    assert len(split(tokens, max_tokens=11, truncate=Truncate.ERROR, prefix=(CLS,), suffix=(SEP,)).owner) == 3


def test_a_window_without_room_is_refused() -> None:
    with pytest.raises(OptionError, match="at least 3"):
        split(Ragged.from_lists([[5]]), max_tokens=2, truncate=Truncate.END, prefix=(CLS,), suffix=(SEP,))


def test_unknown_truncation_lists_the_known_ones() -> None:
    with pytest.raises(OptionError, match="'end', 'error', 'pool'"):
        Truncate.parse("start")


# --- in characters


@given(st.lists(st.integers(1, 5), max_size=30), st.integers(1, 8))
def test_windows_cover_the_text_and_hold_at_most_room_tokens(words: list[int], room: int) -> None:
    """Each word is so many one-character tokens, words are one space apart."""
    offsets, numbers, position = [], [], 0
    for number, size in enumerate(words):
        for _ in range(size):
            offsets.append((position, position + 1))
            numbers.append(number)
            position += 1
        position += 1
    windows = char_windows(offsets, numbers, length=position, room=room)
    assert windows[0][0] == 0
    assert windows[-1][1] == position
    assert all(left[1] == right[0] for left, right in pairwise(windows))
    tokens = [[n for (at, _), n in zip(offsets, numbers, strict=True) if b <= at < e] for b, e in windows]
    assert max(map(len, tokens)) <= room
    for number, size in enumerate(words):
        pieces = sum(number in window for window in tokens)
        assert pieces == 1 or size > room


def test_without_words_every_window_is_full() -> None:
    offsets = [(i, i + 1) for i in range(10)]
    assert char_windows(offsets, [None] * 10, length=10, room=4) == [(0, 4), (4, 8), (8, 10)]


def test_a_text_without_tokens_is_one_window() -> None:
    assert char_windows([], [], length=3, room=4) == [(0, 3)]
