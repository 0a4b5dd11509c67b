from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from romaine.text.char_windows import char_windows


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
