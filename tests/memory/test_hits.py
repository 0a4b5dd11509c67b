from __future__ import annotations

from datetime import datetime, timezone

import pytest

from romaine.memory import Kind, Memory, Scope
from romaine.memory.hits import Found, Rejected, diversified, story_time, within_budget, without_neighbour
from romaine.memory.records import Hit

SCOPE = Scope(user="ana")
NOON = datetime(2025, 5, 1, 12, tzinfo=timezone.utc)


def memory(text: str, **fields: object) -> Memory:
    return Memory(scope=SCOPE, kind=Kind.FACT, text=text, **{"created_at": NOON, **fields})


@pytest.mark.parametrize(
    ("budget", "kept"),
    [(0, ""), (4, ""), (5, "a"), (11, "a"), (12, "ab"), (14, "ab"), (15, "abc"), (99, "abc")],
)
def test_a_budget_is_used_up_to_its_last_token(budget: int, kept: str) -> None:
    memories = tuple(memory(text, token_count=n) for text, n in (("a", 5), ("b", 7), ("c", 3)))
    assert "".join(m.text for m in within_budget(memories, budget)) == kept


def test_what_comes_after_one_too_long_is_not_shown() -> None:
    memories = (memory("a", token_count=1), memory("b", token_count=9), memory("c", token_count=1))
    assert [m.text for m in within_budget(memories, 5)] == ["a"]


@pytest.mark.parametrize(("limit", "order"), [(1, "aebcd"), (2, "abecd"), (3, "abced"), (9, "abced")])
def test_no_more_than_the_limit_of_a_category_comes_first(limit: int, order: str) -> None:
    categories = {**dict.fromkeys("abcd", "preference"), "e": "plot_event"}
    found = [Found(memory(text, category=categories[text]), 1.0, {}, 0, 0.0) for text in "abced"]
    assert "".join(item.memory.text for item in diversified(found, limit)) == order


def test_a_neighbour_is_taken_out_and_the_rest_stays() -> None:
    near = (memory("a"), memory("b"), memory("c"))
    hit = Hit(memory=memory("x"), score=1.5, neighbours=near)
    left = without_neighbour(hit, near[1].id[:9] + near[1].id[9:])
    assert left.neighbours == (near[0], near[2])
    assert (left.memory, left.score) == (hit.memory, hit.score)
    assert without_neighbour(hit, hit.memory.id) == hit


def test_what_was_rejected_can_be_put_in_a_set() -> None:
    left = Rejected(memory=memory("a"), score=1.0, parts={"dense": 1.0}, reason="rank")
    assert len({left, left}) == 1


def test_the_order_of_the_story_is_position_then_time_and_last_what_has_no_position() -> None:
    placed = [memory("first", position=0), memory("second", position=1), memory("tenth", position=9)]
    free = [memory("then"), memory("later", created_at=NOON.replace(hour=13))]
    mixed = [free[1], placed[2], placed[1], free[0], placed[0]]
    assert sorted(mixed, key=story_time) == placed + free
