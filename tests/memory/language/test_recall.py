"""What the analyzer is for: a memory that answers in the language it is asked in."""

from __future__ import annotations

import pytest

from romaine.embedder import Embedder
from romaine.memory import RoleplayMemory, Scope
from tests.memory.conftest import said

# the bundled model does not know most of these languages, and says so once
pytestmark = pytest.mark.filterwarnings("ignore::romaine.UnfamiliarTextWarning")

CHAT = (
    "Guten Morgen, hast du gut geschlafen?",
    "Er hat die Schlüsseln verloren, im Garten glaube ich.",
    "Das ist nicht so schlimm.",
    "Ich habe die Hunde schon gefüttert.",
    "안녕하세요, 잘 지냈어요?",
    "열쇠를 잃어버렸어요.",
    "나는 물을 마셨다.",
    "鍵を箱に入れた。",
    "我养了一只猫。",
    "Она потеряла ключ от дома.",
    "La clé est sous la marche de l'escalier.",
    "The harbour master owes me forty gold pieces.",
)


@pytest.fixture
def mixed(memory: RoleplayMemory, scope: Scope) -> RoleplayMemory:
    memory.add_turns(scope, [said(text, str(i)) for i, text in enumerate(CHAT)])
    return memory


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("Wo ist der Schlüssel?", 1),
        ("Schlüssel", 1),
        ("Hat jemand den Hund gefüttert?", 3),
        ("열쇠는 어디에 있어?", 5),
        ("鍵はどこですか", 7),
        ("我的猫在哪里？", 8),
        ("Где ключи?", 9),
        ("Où sont les clés ?", 10),
        ("Who owes him gold?", 11),
    ],
)
def test_auto_speaks_where_there_is_an_answer(
    mixed: RoleplayMemory, scope: Scope, query: str, answer: int
) -> None:
    found = mixed.recall(query, scope, min_score="auto", explain=True)
    assert found.hits, found.evidence
    assert found.hits[0].memory.source_id == str(answer)
    assert found.evidence is not None
    assert not found.evidence.unknown_name


@pytest.mark.parametrize("query", ["What did the mayor say?", "Who is Bartholomew's brother?"])
def test_auto_is_silent_where_there_is_none(mixed: RoleplayMemory, scope: Scope, query: str) -> None:
    assert mixed.recall(query, scope, min_score="auto") == []


def test_a_fact_in_other_form_is_the_same(memory: RoleplayMemory, scope: Scope, gem: Embedder) -> None:
    assert memory.add_fact(scope, "Der Schlüssel liegt unter der Stufe.").stored
    assert memory.add_fact(scope, "der schlu\u0308ssel liegt unter der stufe").reason == "same text"
