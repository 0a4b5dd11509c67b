from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from romaine.memory.language import SaidTime, said_times


def one(text: str) -> SaidTime:
    (said,) = said_times(text)
    return said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("What did we eat on May 3, 2023?", SaidTime(year=2023, month=5, day=3)),
        ("What did we eat on 3rd of May 2023?", SaidTime(year=2023, month=5, day=3)),
        ("What is of 2023-05-03?", SaidTime(year=2023, month=5, day=3)),
        ("What is of 3.5.2023?", SaidTime(year=2023, month=5, day=3)),
        ("And on the 8th of December?", SaidTime(month=12, day=8)),
        ("And on December 1,2023?", SaidTime(year=2023, month=12, day=1)),
        ("What happened in March?", SaidTime(month=3)),
        ("What happened last March?", SaidTime(month=3, last=True)),
        ("What happened in May of 2022?", SaidTime(year=2022, month=5)),
        ("What did she paint in 2022?", SaidTime(year=2022)),
        ("Where were you last summer?", SaidTime(season=1, last=True)),
        ("Where were you in the fall of 2021?", SaidTime(season=2, year=2021)),
        ("Where were you two weeks ago?", SaidTime(unit="week", count=2)),
        ("Where were you a couple of days ago?", SaidTime(unit="day", count=2)),
        ("Where were you yesterday?", SaidTime(unit="day", count=1)),
        ("And the day before yesterday?", SaidTime(unit="day", count=2)),
        ("And last night?", SaidTime(unit="day", count=1)),
        ("And this week?", SaidTime(unit="week", count=0)),
        ("And last month?", SaidTime(unit="month", last=True)),
        ("Who came last Friday?", SaidTime(weekday=4, last=True)),
        ("What did he say on Friday?", SaidTime(weekday=4)),
        ("Who won by July 10, 2022?", SaidTime(year=2022, month=7, day=10, side=-1)),
        ("Who won after July?", SaidTime(month=7, side=1)),
        ("Two weeks before August 11?", SaidTime(month=8, day=11, unit="week", count=2, side=-1)),
        ("What was the week before August 3?", SaidTime(month=8, day=3, unit="week", side=-1)),
        ("What was the Sunday before October 25?", SaidTime(month=10, day=25, weekday=6, side=-1)),
        ("And last weekend before April 10?", SaidTime(month=4, day=10, unit="weekend", side=-1)),
        ("In the second week of November?", SaidTime(month=11, week=2)),
        ("At the beginning of November 2022?", SaidTime(year=2022, month=11, part="beginning")),
        ("Late in June, who came?", SaidTime(month=6, part="end")),
        (
            "Where was he between August 11 and August 15 2023?",
            SaidTime(month=8, day=11, until=SaidTime(year=2023, month=8, day=15)),
        ),
        ("Where was he from June to July?", SaidTime(month=6, until=SaidTime(month=7))),
        ("What did I wear at the beginning of the story?", SaidTime(part="beginning")),
        ("What did I wear when we first met?", SaidTime(part="beginning")),
        ("How did it all start?", SaidTime(part="beginning")),
    ],
)
def test_english_times(text: str, said: SaidTime) -> None:
    assert one(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Was hast du letzten Sommer gemacht?", SaidTime(season=1, last=True)),
        ("Was war vor zwei Wochen?", SaidTime(unit="week", count=2)),
        ("Wo warst du am 3. März 2023?", SaidTime(year=2023, month=3, day=3)),
        ("Was hast du gestern gesagt?", SaidTime(unit="day", count=1)),
        ("Was war am Anfang der Geschichte?", SaidTime(part="beginning")),
        ("Qu'as-tu fait l'été dernier ?", SaidTime(season=1, last=True)),
        ("Où étais-tu il y a deux semaines ?", SaidTime(unit="week", count=2)),
        ("Où étais-tu hier ?", SaidTime(unit="day", count=1)),
        ("Que s'est-il passé le 3 août 2023 ?", SaidTime(year=2023, month=8, day=3)),
        ("¿Qué hiciste el verano pasado?", SaidTime(season=1, last=True)),
        ("¿Dónde estabas hace dos semanas?", SaidTime(unit="week", count=2)),
        ("¿Qué dijiste ayer?", SaidTime(unit="day", count=1)),
        ("¿Qué pasó el 3 de mayo de 2023?", SaidTime(year=2023, month=5, day=3)),
        ("昨日何を言った？", SaidTime(unit="day", count=1)),
        ("去年の夏はどこにいた？", SaidTime(season=1, last=True)),
        ("2週間前に何をした？", SaidTime(unit="week", count=2)),
        ("2023年5月3日に何をした？", SaidTime(year=2023, month=5, day=3)),
        ("어제 뭐라고 했어?", SaidTime(unit="day", count=1)),
        ("지난 여름 어디 있었어?", SaidTime(season=1, last=True)),
        ("2주 전에 뭐 했어?", SaidTime(unit="week", count=2)),
        ("2023년 5월 3일에 뭐 했어?", SaidTime(year=2023, month=5, day=3)),
        ("昨天你说了什么？", SaidTime(unit="day", count=1)),
        ("去年夏天你在哪里？", SaidTime(season=1, last=True)),
        ("两周前你在哪里？", SaidTime(unit="week", count=2)),
        ("5月3日你在哪里？", SaidTime(month=5, day=3)),
    ],
)
def test_other_languages(text: str, said: SaidTime) -> None:
    assert one(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "Where is the silver key?",
        "May I come in? You may march on.",
        "Who caused the fall of the kingdom?",
        "What did the second guard say first?",
        "I have a test on Friday.",
        "It has 2000 calories and 31 parts.",
        "At the start of Week 2, what was it?",
        "The last one, please. Last time it was the last.",
        "What are her plans for the summer?",
        "Do you love her still, April?",
        "Wo ist hier der Schlüssel?",
        "Wie heißt der erste Mann?",
        "¿Dónde está la llave?",
        "Où est la clé ? Elle a été là.",
        "鍵はどこですか",
        "열쇠는 어디에 있어?",
        "",
    ],
)
def test_a_text_without_a_time_names_none(text: str) -> None:
    assert said_times(text) == ()


def test_times_come_in_the_order_of_the_text() -> None:
    said = said_times("Not yesterday but in March 2022 and two weeks ago")
    assert [time.year for time in said] == [None, 2022, None]


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert all(isinstance(said, SaidTime) for said in said_times(text))
