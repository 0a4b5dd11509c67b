"""Windows of times, and what they change in a recall."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from romaine.memory import RoleplayMemory, Scope, Turn, scope_index
from romaine.memory import index as vector_index
from romaine.memory.language import SaidTime, said_times
from romaine.memory.times import TimeScores, Window, span_of
from romaine.memory.turn_order import NOWHERE

NOW = datetime(2023, 8, 16, 15, 30, tzinfo=timezone.utc)  # a Wednesday


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("on May 3, 2022", "2022-05-03", "2022-05-04"),
        ("on May 3rd", "2023-05-03", "2023-05-04"),
        ("on October 3rd", "2022-10-03", "2022-10-04"),  # this year's is yet to come
        ("on February 29th", "2020-02-29", "2020-03-01"),
        ("in August", "2023-08-01", "2023-09-01"),
        ("last August", "2022-08-01", "2022-09-01"),
        ("this October", "2023-10-01", "2023-11-01"),
        ("in 2021", "2021-01-01", "2022-01-01"),
        ("last summer", "2022-06-01", "2022-09-01"),
        ("in the summer", "2023-06-01", "2023-09-01"),
        ("last winter", "2022-12-01", "2023-03-01"),
        ("in winter 2021", "2021-12-01", "2022-03-01"),
        ("yesterday", "2023-08-15", "2023-08-16"),
        ("today", "2023-08-16", "2023-08-17"),
        ("three days ago", "2023-08-13", "2023-08-14"),
        ("last week", "2023-08-07", "2023-08-14"),
        ("this week", "2023-08-14", "2023-08-21"),
        ("last weekend", "2023-08-12", "2023-08-14"),
        ("this weekend", "2023-08-19", "2023-08-21"),
        ("last month", "2023-07-01", "2023-08-01"),
        ("this month", "2023-08-01", "2023-09-01"),
        ("last year", "2022-01-01", "2023-01-01"),
        ("last Wednesday", "2023-08-09", "2023-08-10"),
        ("last Tuesday", "2023-08-15", "2023-08-16"),
        ("the week before August 3", "2023-07-27", "2023-08-03"),
        ("the Sunday before July 25", "2023-07-23", "2023-07-24"),
        ("the Sunday after July 25", "2023-07-30", "2023-07-31"),
        ("the weekend before July 25", "2023-07-22", "2023-07-24"),
        ("two days before July 25", "2023-07-23", "2023-07-24"),
        ("the month after June 2022", "2022-07-01", "2022-07-31"),
        ("between August 11 and August 15 2022", "2022-08-11", "2022-08-16"),
        ("from November to January 2023", "2022-11-01", "2023-02-01"),
        ("in the second week of July", "2023-07-08", "2023-07-15"),
        ("at the beginning of June", "2023-06-01", "2023-06-11"),
        ("at the end of June", "2023-06-21", "2023-07-01"),
    ],
)
def test_spans(text: str, start: str, end: str) -> None:
    (said,) = said_times(f"What was {text}?")
    assert span_of(said, NOW) == (day(start), day(end))


@pytest.mark.parametrize(
    ("text", "middle", "days"), [("two weeks ago", "2023-08-02", 7), ("a year ago", "2022-08-16", 365)]
)
def test_a_distance_is_as_exact_as_its_unit(text: str, middle: str, days: int) -> None:
    (said,) = said_times(f"What was {text}?")
    span = span_of(said, NOW)
    assert span is not None
    assert span[1] - span[0] == timedelta(days=days)
    assert span[0] <= day(middle) <= span[1]


@pytest.mark.parametrize(
    "said", [SaidTime(year=2022, month=2, day=30), SaidTime(month=4, day=31), SaidTime()]
)
def test_what_no_calendar_has_is_no_span(said: SaidTime) -> None:
    assert span_of(said, NOW) is None


_PARTS = {
    "year": st.integers(1900, 2099),
    "month": st.integers(1, 12),
    "day": st.integers(0, 39),
    "season": st.integers(0, 3),
    "weekday": st.integers(0, 6),
    "unit": st.sampled_from(["day", "week", "weekend", "month", "year"]),
    "count": st.integers(0, 999),
    "week": st.integers(1, 4),
    "part": st.sampled_from(["beginning", "middle", "end"]),
    "side": st.sampled_from([-1, 1]),
}
_TIMES = st.fixed_dictionaries({"last": st.booleans()}, optional=_PARTS).map(lambda parts: SaidTime(**parts))


@given(said=_TIMES, now=st.datetimes(timezones=st.just(timezone.utc)))
def test_any_time_is_a_span_or_none(said: SaidTime, now: datetime) -> None:
    span = span_of(said, now)
    assert span is None or span[0] < span[1]


@given(st.integers(-100, 100), st.integers(1, 50), st.booleans())
def test_a_window_is_one_inside_and_falls_off_outside(start: int, length: int, in_story: bool) -> None:
    places = np.arange(0, 300)
    near = Window(start, start + length, in_story=in_story).closeness(places)
    inside = (places >= start) & (places < start + length)
    assert (near[inside] == 1).all()
    assert (near[~inside] < 1).all()
    assert (near >= 0).all()
    after = near[places >= start + length]
    assert (np.diff(after) <= 0).all()


def scores(text: str, created: list[datetime], *, wanted: list[bool] | None = None) -> TimeScores:
    micros = np.array([int(moment.timestamp() * 1_000_000) for moment in created], dtype=np.int64)
    return TimeScores(
        said_times(text),
        created=micros,
        positions=np.arange(len(created)),
        wanted=np.ones(len(created), np.bool_) if wanted is None else np.array(wanted),
    )


def test_the_fewer_there_are_of_a_time_the_more_it_says() -> None:
    days = [NOW - timedelta(days=n) for n in range(60)]
    rare, common = scores("What was yesterday?", days), scores("What was last month?", days)
    assert rare.rarity > common.rarity > 0
    assert rare.of(np.array([1]))[0] == pytest.approx(rare.rarity)
    assert rare.of(np.array([30]))[0] == 0


@pytest.mark.parametrize("text", ["What was in 2023?", "What was in 1999?", "What was on February 30th?"])
def test_a_time_of_all_or_of_none_says_nothing(text: str) -> None:
    assert scores(text, [NOW - timedelta(days=n) for n in range(60)]).rarity == 0


def test_what_may_not_be_found_has_no_part_in_it() -> None:
    days = [NOW, NOW - timedelta(days=1), NOW - timedelta(days=2), NOW - timedelta(days=3)]
    assert scores("What was yesterday?", days, wanted=[False] * 4).rarity == 0
    later = scores("What was yesterday?", days, wanted=[False, True, True, True])  # told from what is seen
    assert later.of(np.arange(4)).argmax() == 2


# --- in a recall ------------------------------------------------------------------------------------------

SCOPE = Scope(user="ana", character="Cassian", chat="tavern")
SAID = "The weather was fine and we walked to the lake."


def chat_of(days: int) -> list[Turn]:
    """The same on every day, as far as words and meaning go."""
    return [
        Turn(f"{SAID} Day{n}.", speaker="Cassian", role="character", at=NOW - timedelta(days=days - n - 1))
        for n in range(days)
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("How was the weather yesterday?", {"Day38."}),
        ("How was the weather on July 20?", {"Day12."}),
        ("How was the weather ten days ago?", {"Day29."}),
        ("How was the weather at the beginning of the story?", {"Day0.", "Day1.", "Day2."}),
    ],
)
def test_a_question_about_a_time_finds_its_turns(memory: RoleplayMemory, text: str, found: set[str]) -> None:
    memory.add_turns(SCOPE, chat_of(40))
    hits = memory.recall(text, SCOPE, k=1)
    assert hits[0].memory.text.split()[-1] in found
    assert hits[0].parts["time"] > 0
    assert sum(hits[0].parts.values()) == pytest.approx(hits[0].score)


def test_a_time_is_told_from_as_of(memory: RoleplayMemory) -> None:
    memory.add_turns(SCOPE, chat_of(40))
    (at_time,) = memory.recall("How was the weather yesterday?", SCOPE, k=1, as_of=NOW - timedelta(days=10))
    (at_place,) = memory.recall("How was the weather yesterday?", SCOPE, k=1, as_of=29)
    assert at_time.memory.text == at_place.memory.text == f"{SAID} Day28."


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["key", "soup", "lake", "Where", "leek", "?"]), min_size=1, max_size=6))
def test_a_question_without_a_time_scores_the_same_whenever_turns_were(words: list[str]) -> None:
    days = chat_of(8)
    at_once = [replace(turn, at=NOW + timedelta(seconds=n)) for n, turn in enumerate(days)]
    found = []
    for turns in (days, at_once):
        with RoleplayMemory(":memory:") as memory:
            memory.add_turns(SCOPE, turns)
            found.append([(h.memory.text, h.score, h.parts) for h in memory.recall(" ".join(words), SCOPE)])
    assert found[0] == found[1]
    assert not any("time" in parts for _, _, parts in found[0])


def test_turns_of_a_time_come_into_question_in_a_large_scope(
    memory: RoleplayMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (scope_index, vector_index):
        monkeypatch.setattr(module, "EXACT_ROWS", 8)
    monkeypatch.setattr(vector_index, "FIRST_POOL", 2)
    monkeypatch.setattr(vector_index, "LARGEST_POOL", 2)
    monkeypatch.setattr(scope_index, "LEXICAL_POOL", 2)
    memory.add_turns(SCOPE, chat_of(40))
    hits = memory.recall("Who told about the boat on July 20?", SCOPE, k=1)
    assert hits[0].memory.text.endswith("Day12.")


def test_a_time_is_no_evidence_against_what_has_none() -> None:
    nowhere = np.full(3, NOWHERE)
    scores = TimeScores(
        said_times("What was at the beginning of the story?"),
        created=np.zeros(3, np.int64),
        positions=nowhere,
        wanted=np.ones(3, np.bool_),
    )
    assert scores.rarity == 0
