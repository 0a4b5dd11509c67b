"""What a message would bring to mind, and why."""

from __future__ import annotations

import re

import pytest

from romaine.memory import Scope
from tests.server.page.conftest import CHAT, TAVERN, about, turns

ASKED = "Where is the silver key?"


@pytest.fixture
def ask(ana, memory):
    def asked(message: str = ASKED, scope: Scope = TAVERN, **fields: object) -> str:
        answer = ana.post("/page/recall", params=about(scope), data={"message": message, **fields})
        assert answer.status_code == 200, answer.text
        return answer.text

    return asked


def test_hits_are_those_of_the_memory(ask, memory):
    shown = ask(k=3)
    found = memory.recall(ASKED, TAVERN, k=3, token_budget=600, explain=True)
    ids = re.findall(r'class="memory hit" data-id="([^"]+)"', shown)
    assert ids == [hit.memory.id for hit in found.hits]
    for name, value in found.hits[0].parts.items():
        assert f"{value:+.2f}" in shown, name
    assert f"threshold of silence {100 * found.threshold:.0f}%" in shown
    assert f"Confidence {100 * found.confidence:.0f}%" in shown


def test_what_was_left_out_says_why(ask, memory):
    old = memory.add_fact(TAVERN, "The silver key is under the bed.").memory
    memory.add_fact(TAVERN, "The silver key was sold.", supersedes=old.id)
    memory.add_fact(TAVERN, "Mira has the silver key.", known_by=["Cassian", "Mira"])
    shown = ask(k=1, as_character="Ana")
    assert "Others fit better" in shown
    assert "Replaced by something newer" in shown
    assert "Was not there" in shown


def test_the_budget_is_kept(ask, memory):
    shown = ask(k=4, budget=15)
    assert "No room left in the budget" in shown
    used = int(re.search(r"(\d+) of 15 tokens", shown)[1])
    assert used <= 15


def test_neighbours_stand_around_a_hit(ask):
    shown = ask("silver key under the third step", k=1, neighbours=1)
    hit = shown[shown.index("memory hit") : shown.index("</article>")]
    assert hit.index("Where did you hide") < hit.index("third step") < hit.index("Good night")


def test_short_vectors_show_what_changes(ask, memory):
    many = [("Ana", "user", f"The {word} stands by the old stone bridge.") for word in WORDS]
    memory.add_turns(TAVERN, turns(*CHAT, *many))
    full, cut = ask("What is at the bridge?", k=10), ask("What is at the bridge?", k=10, dim=32)
    ids = [re.findall(r'memory hit" data-id="([^"]+)"', each) for each in (full, cut)]
    assert ids[0] != ids[1]
    assert 'class="moved"' in cut
    assert 'class="moved"' not in full
    assert ("Lost at 32 of 384" in cut) == bool(set(ids[0]) - set(ids[1]))


def test_silence_is_kept_when_asked_for(ask):
    shown = ask("What did Zanthippe cook on Mars?", silent="on")
    assert "Nothing is recalled" in shown
    assert "it would rather be silent" in shown
    assert 'class="memory hit"' not in shown
    assert 'class="memory hit"' in ask("What did Zanthippe cook on Mars?")


@pytest.mark.parametrize(
    "fields",
    [{"k": "many"}, {"k": "-5"}, {"budget": "9" * 30}, {"dim": "1"}, {"dim": "x"}, {"neighbours": "99"}],
)
def test_what_is_out_of_bounds_is_brought_within(ask, fields):
    assert 'class="memory hit"' in ask(**fields)


def test_nothing_typed_is_nothing_recalled(ask):
    assert "Type what you would say next" in ask("  ")


def test_a_very_long_message_is_taken(ask):
    assert "recalled in" in ask("Where is the silver key? " * 40_000)


def test_nothing_is_written(ask, memory):
    before = memory.list(TAVERN)
    ask()
    assert memory.list(TAVERN) == before


WORDS = ("mill", "lantern", "ferry", "chapel", "market", "smith", "orchard", "gate", "well", "tower")
