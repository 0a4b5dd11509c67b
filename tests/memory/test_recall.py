from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.errors import DimensionError, OptionError, TextTypeError, UnknownNameError
from romaine.memory import Memory, RoleplayMemory, Scope, Turn, WeightedRanker, Weights

from .conftest import CHAT, said

NASTY = [
    '"',
    "'",
    "key OR 1=1; DROP TABLE memory",
    "NEAR(key step)",
    "* ^ : - ( )",
    "\x00\x01",
    "\ud800",
    "%",
    "",
]


def test_the_example(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    hits = memory.recall(["Where was I?", "Where is the key?"], scope, k=1, neighbours=1)
    assert hits[0].memory.text == CHAT[0].text
    assert sum(hits[0].parts.values()) == pytest.approx(hits[0].score)
    assert [near.text for near in hits[0].neighbours] == [CHAT[1].text]


def test_nothing_there_is_no_hits(memory: RoleplayMemory, scope: Scope) -> None:
    assert memory.recall("key", scope) == []
    assert memory.recall("key", Scope(user="nobody"), min_score="auto", explain=True).hits == ()


def test_wider_memories_are_seen_and_narrower_are_not(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_fact(Scope(user="ana"), "Ana paints.")
    memory.add_fact(Scope(user="ana", character="Cassian"), "Cassian fishes.")
    memory.add_fact(scope, "They met in a tavern.")
    assert len(memory.recall("who", scope)) == 3
    assert len(memory.recall("who", replace(scope, chat="road"))) == 2
    assert len(memory.recall("who", Scope(user="ana", character="Brona"))) == 1
    assert len(memory.recall("who", Scope(user="ana"))) == 1


def test_k_order_and_threshold(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    hits = memory.recall("gold for the harbour master", scope, k=3)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    told = memory.recall("gold for the harbour master", scope, k=3, order="chronological")
    assert [hit.memory.position for hit in told] == sorted(hit.memory.position for hit in told)
    assert memory.recall("gold", scope, k=0) == []
    assert memory.recall("gold", scope, min_score=hits[0].score + 100) == []
    assert len(memory.recall("gold for the harbour master", scope, min_score=hits[0].score)) == 1


def test_a_threshold_takes_out_what_scores_less_and_says_so(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    scores = [hit.score for hit in memory.recall("gold for the harbour master", scope, k=4)]
    explained = memory.recall("gold for the harbour master", scope, min_score=scores[1], explain=True)
    assert [hit.score for hit in explained.hits] == scores[:2]
    assert [(left.score, left.reason) for left in explained.rejected] == [
        (score, "threshold") for score in scores[2:]
    ]


def test_auto_returns_nothing_for_what_was_never_said(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    unknown = "Which university did Professor Okonkwo teach thermodynamics at?"
    assert memory.recall(unknown, scope)
    explained = memory.recall(unknown, scope, min_score="auto", explain=True)
    assert explained.hits == ()
    assert {left.reason for left in explained.rejected} == {"threshold"}
    known = memory.recall("Where did you leave the silver key?", scope, min_score="auto")
    assert known[0].memory.text == CHAT[0].text


def test_kinds_and_speakers(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    memory.add_fact(scope, "The key is silver.")
    assert {hit.memory.kind.value for hit in memory.recall("key", scope, kinds=["fact"])} == {"fact"}
    assert {hit.memory.speaker for hit in memory.recall("key", scope, speakers={"Ana"})} == {"Ana"}
    assert memory.recall("key", scope, kinds=["lore"]) == []


def test_witnesses(memory: RoleplayMemory) -> None:
    party = Scope(user="ana", chat="party")
    memory.add_turns(party, [said("The wine is poisoned, Brona.", "1")], known_by={"Brona"})
    memory.add_turns(party, [said("A toast to the duke and his wine!", "2")])
    cassian = replace(party, character="Cassian")
    assert len(memory.recall("wine", party)) == 2
    assert len(memory.recall("wine", replace(party, character="Brona"))) == 2
    for seen in (
        memory.recall("wine", cassian, neighbours=2),
        memory.recall("wine", party, as_character="Cassian"),
    ):
        assert ["toast" in hit.memory.text for hit in seen] == [True]
        assert seen[0].neighbours == ()
    explained = memory.recall("wine", party, as_character="Cassian", explain=True)
    assert [left.reason for left in explained.rejected] == ["witness"]
    assert memory.recall("wine", cassian, explain=True).rejected == ()
    assert [m.source_id for m in memory.list(cassian)] == ["2"]


def test_as_of_a_position(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT[:2])
    old = memory.add_fact(scope, "The key is under the step.").memory
    memory.add_turns(scope, CHAT[2:])
    memory.add_fact(scope, "The key is in the well now.", supersedes=old.id)
    then = {hit.memory.text for hit in memory.recall("key", scope, as_of=1, k=9)}
    assert then == {CHAT[0].text, CHAT[1].text, old.text}
    now = {hit.memory.text for hit in memory.recall("key", scope, k=9)}
    assert old.text not in now
    assert len(now) == 5


def test_as_of_a_time(memory: RoleplayMemory, scope: Scope) -> None:
    noon = datetime(2025, 5, 1, 12, tzinfo=timezone.utc)
    memory.add_turns(scope, [said(f"bell {hour}", at=noon + timedelta(hours=hour)) for hour in range(4)])
    hits = memory.recall("bell", scope, as_of=noon + timedelta(hours=1), k=9, neighbours=3)
    assert {hit.memory.text for hit in hits} == {"bell 0", "bell 1"}


def test_validity(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_fact(scope, "The gate is shut.", valid_from=0, valid_to=2)
    memory.add_fact(scope, "War has been declared.", valid_from=2)
    memory.add_turns(scope, CHAT[:2])
    facts = ["fact"]
    assert [h.memory.text for h in memory.recall("gate war", scope, kinds=facts)] == ["The gate is shut."]
    memory.add_turns(scope, CHAT[2:])
    now = memory.recall("gate war", scope, kinds=facts)
    assert [h.memory.text for h in now] == ["War has been declared."]
    early = memory.recall("gate war", scope, kinds=facts, as_of=1)
    assert [h.memory.text for h in early] == ["The gate is shut."]


def test_token_budget_counts_neighbours(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    for budget in (0, 5, 12, 25, 100):
        hits = memory.recall("key gold", scope, k=4, neighbours=1, token_budget=budget)
        used = sum(m.token_count for hit in hits for m in (hit.memory, *hit.neighbours))
        assert used <= budget
    explained = memory.recall("key gold", scope, token_budget=0, explain=True)
    assert {left.reason for left in explained.rejected} == {"budget"}


def test_a_hit_that_takes_all_that_is_left_is_shown(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    first, second = memory.recall("Where is the silver key?", scope, k=2)
    cost, both = first.memory.token_count, first.memory.token_count + second.memory.token_count
    assert cost > 0 < second.memory.token_count
    query = "Where is the silver key?"

    def shown(k: int, budget: int) -> list[str]:
        return [hit.memory.text for hit in memory.recall(query, scope, k=k, token_budget=budget)]

    assert shown(1, cost) == [first.memory.text]
    assert first.memory.text not in shown(1, cost - 1)
    assert shown(2, both) == [first.memory.text, second.memory.text]
    assert second.memory.text not in shown(2, both - 1)


def test_neighbours_are_shown_as_far_as_the_budget_goes(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    costs = [found.token_count for found in memory.list(scope)]

    def shown(budget: int) -> list[list[str]]:
        hits = memory.recall("harbour master's forty gold", scope, k=1, neighbours=1, token_budget=budget)
        return [[near.text for near in hit.neighbours] for hit in hits]

    assert shown(costs[2] + costs[1] - 1) == [[]]
    assert shown(costs[2] + costs[1]) == [[CHAT[1].text]]
    assert shown(sum(costs[1:]) - 1) == [[CHAT[1].text]]
    assert shown(sum(costs[1:])) == [[CHAT[1].text, CHAT[3].text]]


def test_neighbours_use_up_what_later_hits_could_have(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, [*CHAT, said("Gold, gold, gold and a door without any lock at all!", "5")])
    query = "harbour master's forty gold pieces"
    first, second = memory.recall(query, scope, k=2, neighbours=1)
    assert first.neighbours
    used = sum(m.token_count for m in (first.memory, *first.neighbours, second.memory))

    def shown(budget: int) -> list[str]:
        return [hit.memory.id for hit in memory.recall(query, scope, k=2, neighbours=1, token_budget=budget)]

    assert shown(used) == [first.memory.id, second.memory.id]
    assert second.memory.id not in shown(used - 1)


def test_no_turn_is_shown_twice(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, [said(f"lantern number {n}", str(n)) for n in range(12)])
    hits = memory.recall("lantern", scope, k=4, neighbours=3)
    shown = [m.id for hit in hits for m in (hit.memory, *hit.neighbours)]
    assert len(shown) == len(set(shown))
    for hit in hits:
        positions = [near.position for near in hit.neighbours]
        assert positions == sorted(positions)


def test_doubles_waste_no_slot(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, [said("*nods at the key*")] * 5 + [said("The key is here.")])
    explained = memory.recall("key", scope, k=2, explain=True)
    assert len({hit.memory.text for hit in explained.hits}) == 2
    assert "duplicate" in {left.reason for left in explained.rejected}


def test_many_doubles_do_not_crowd_out_the_rest(memory: RoleplayMemory, scope: Scope) -> None:
    others = [said(f"A brass key, number {n}.") for n in range(5)]
    memory.add_turns(scope, [said("The key. The key!")] * 60 + others)
    for explain in (False, True):
        found = memory.recall("key", scope, k=6, explain=explain)
        hits = found.hits if explain else found
        assert len(hits) == 6


def test_diversity_lets_other_categories_in(memory: RoleplayMemory, scope: Scope) -> None:
    for n, colour in enumerate(("red", "blue", "green", "black")):
        memory.add_fact(
            scope, f"Ana's {colour} dragon number {n} sleeps on {colour} gold.", category="preference"
        )
    memory.add_fact(scope, "A dragon razed the old mill.", category="plot_event")
    hits = memory.recall("Ana's dragon and its gold", scope, k=3, diversity=2)
    assert sum(hit.memory.category.value == "plot_event" for hit in hits) == 1
    assert len(memory.recall("dragon", scope, k=5, diversity=1)) == 5


def test_dim_only_changes_the_first_stage(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    assert memory.recall("key", scope, dim=32) == memory.recall("key", scope)


def changes(memory: RoleplayMemory) -> object:
    with memory._store.storage.read() as snapshot:
        return snapshot.version("ana")


def test_recall_writes_nothing(memory: RoleplayMemory, scope: Scope, path: Path) -> None:
    memory.add_turns(scope, CHAT)
    before = memory.list(scope), changes(memory)
    memory.recall("key", scope, explain=True, neighbours=2)
    assert (memory.list(scope), changes(memory)) == before


@pytest.mark.parametrize("text", NASTY)
def test_text_is_data(memory: RoleplayMemory, text: str) -> None:
    name = text or "x"
    scope = Scope(user=name, character=name, chat=name)
    memory.add_turns(scope, [said(text, name, speaker=name), said("The key is here.", "2")])
    memory.add_fact(scope, text, source_id=name, known_by={name}, metadata={name: text})
    assert {m.text for m in memory.list(scope)} == {text, "The key is here."}
    assert memory.recall(text, scope)
    assert memory.recall("key", scope)[0].memory.scope == scope
    assert memory.recall(text, replace(scope, user="other")) == []
    assert memory.add_turns(scope, [said(text, name, speaker=name)]).unchanged == 1
    assert memory.verify().is_sound


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"k": -1}, OptionError),
        ({"k": True}, OptionError),
        ({"order": "random"}, UnknownNameError),
        ({"min_score": "often"}, OptionError),
        ({"kinds": "fact"}, OptionError),
        ({"kinds": ["facts"]}, UnknownNameError),
        ({"speakers": "Ana"}, OptionError),
        ({"as_of": "yesterday"}, OptionError),
        ({"diversity": 0}, OptionError),
        ({"dim": 4096}, OptionError),
        ({"neighbours": 1.5}, OptionError),
        ({"token_budget": -1}, OptionError),
    ],
)
def test_bad_options_are_told(
    memory: RoleplayMemory, scope: Scope, options: dict[str, object], error: type[Exception]
) -> None:
    memory.add_turns(scope, CHAT)
    with pytest.raises(error):
        memory.recall("key", scope, **options)


def test_bad_queries_are_told(memory: RoleplayMemory, scope: Scope) -> None:
    with pytest.raises(TextTypeError):
        memory.recall(None, scope)  # type: ignore[call-overload]
    with pytest.raises(OptionError):
        memory.recall([], scope)
    with pytest.raises(OptionError, match="not a Scope"):
        memory.recall("key", "ana")  # type: ignore[call-overload]


def test_async_twins(gem: Embedder, scope: Scope) -> None:
    async def run() -> None:
        async with RoleplayMemory(":memory:", embedder=gem) as memory:
            await memory.aadd_turns(scope, CHAT)
            hits = await asyncio.gather(*(memory.arecall("silver key", scope, k=1) for _ in range(8)))
            assert {hit[0].memory.text for hit in hits} == {CHAT[0].text}
            assert len(await memory.alist(scope)) == 4

    asyncio.run(run())


def test_many_threads_write_and_read(memory: RoleplayMemory, scope: Scope) -> None:
    failures: list[BaseException] = []

    def work(worker: int) -> None:
        try:
            for n in range(8):
                memory.add_turns(scope, [said(f"worker {worker} says {n}", f"{worker}-{n}")])
                assert memory.recall(f"worker {worker} says {n}", scope, k=3)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(m.position for m in memory.list(scope)) == list(range(64))


def test_another_process_is_seen(memory: RoleplayMemory, scope: Scope, path: Path, gem: Embedder) -> None:
    memory.add_turns(scope, CHAT)
    assert len(memory.recall("key", scope, k=9)) == 4
    with RoleplayMemory(path, embedder=gem) as other:
        ids = other.add_turns(scope, [said("A second key hangs by the door.", "5")]).ids
        assert len(memory.recall("key", scope, k=9)) == 5
        other.forget(scope, ids)
        other.retract(scope, ["1"])
        other.update(scope, other.list(scope)[0].id, text="Lock the chest, not the door.")
    found = {hit.memory.text for hit in memory.recall("key", scope, k=9)}
    assert found == {"Lock the chest, not the door.", CHAT[2].text, CHAT[3].text}


def test_the_embedding_of_a_query_may_be_given(memory: RoleplayMemory, scope: Scope, gem: Embedder) -> None:
    memory.add_turns(scope, CHAT)
    vector = gem.with_dim(None).embed_query("Where is the key?")
    given = memory.recall("Where is the key?", scope, vector=vector)
    embedded = memory.recall("Where is the key?", scope)
    assert [hit.memory for hit in given] == [hit.memory for hit in embedded]
    assert [hit.score for hit in given] == pytest.approx([hit.score for hit in embedded], rel=1e-6)

    elsewhere = gem.with_dim(None).embed_query("The harbour master owes gold.")
    (hit,) = memory.recall("", scope, k=1, vector=elsewhere)
    assert hit.memory.source_id == "3"


def test_the_first_stage_may_be_named_whole(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    whole = memory.recall("key", scope, dim=memory.embedder.dim)
    assert whole == memory.recall("key", scope)
    with pytest.raises(DimensionError, match=f"dim={memory.embedder.dim + 1}"):
        memory.recall("key", scope, dim=memory.embedder.dim + 1)


def test_neighbours_end_with_the_position_asked_about(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, [said("a cat"), said("the key"), said("a dog")])
    (hit,) = memory.recall("key", scope, k=1, neighbours=1, as_of=1)
    assert [near.text for near in hit.neighbours] == ["a cat"]
    (hit,) = memory.recall("key", scope, k=1, neighbours=1, as_of=2)
    assert [near.text for near in hit.neighbours] == ["a cat", "a dog"]


def test_where_is_asked_before_anything_is_ranked(memory: RoleplayMemory, scope: Scope) -> None:
    for number in range(60):
        memory.add_fact(
            scope, f"The key number {number} hangs on hook {number * 7}.", metadata={"hook": number}
        )
    hits = memory.recall("Which key hangs on the hook?", scope, k=5, where=lambda m: m.metadata["hook"] >= 55)
    assert {hit.memory.metadata["hook"] for hit in hits} == {55, 56, 57, 58, 59}
    assert memory.recall("key", scope, where=lambda _: False) == []


def test_where_is_not_asked_about_what_other_options_leave_out(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    memory.add_fact(scope, "Ana paints.")
    memory.add_fact(Scope(user="ben"), "Ben paints.")
    asked: list[str] = []
    memory.recall("who paints", scope, kinds=["fact"], where=lambda m: not asked.append(m.text))
    assert asked == ["Ana paints."]


def test_a_slow_where_makes_no_other_recall_wait(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, [Turn("The key hangs by the door.", speaker="Tomas", role="character")])
    asked, answered = threading.Event(), threading.Event()

    def where(_: Memory) -> bool:
        asked.set()
        return answered.wait(10)

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(memory.recall, "key", scope, where=where)
        assert asked.wait(10)
        assert memory.recall("key", scope)
        answered.set()
        assert slow.result()


def test_where_must_be_a_function(memory: RoleplayMemory, scope: Scope) -> None:
    with pytest.raises(OptionError, match="where="):
        memory.recall("key", scope, where="kind = 'fact'")  # type: ignore[arg-type]


# --- what is found tells nothing of what is not ------------------------------------------------------------

WHISPERS = [
    said(
        f"Zarathon keeps the silver key of number {n}, says Ilse, and the harbour burns.",
        f"w{n}",
        speaker="Ilse",
    )
    for n in range(6)
]


@pytest.mark.parametrize("query", ["Where is the silver key?", "Who is Zarathon?", "harbour"])
@pytest.mark.parametrize("as_scope", [True, False])
def test_words_of_others_change_no_evidence(
    memory: RoleplayMemory, gem: Embedder, query: str, as_scope: bool
) -> None:
    party = Scope(user="ana", chat="party")
    moment = datetime(2025, 1, 1, tzinfo=timezone.utc)
    turns = [replace(turn, at=moment + timedelta(days=n)) for n, turn in enumerate(CHAT)]
    secrets = [replace(turn, at=moment + timedelta(days=10 + n)) for n, turn in enumerate(WHISPERS)]

    def asked(there: RoleplayMemory) -> tuple[object, object, list[tuple[str, float, object]]]:
        if as_scope:
            found = there.recall(query, replace(party, character="Cassian"), k=9, explain=True)
            assert found.rejected == ()
        else:
            found = there.recall(query, party, as_character="Cassian", k=9, explain=True)
        return found.evidence, found.confidence, [(h.memory.text, h.score, h.parts) for h in found.hits]

    with RoleplayMemory(":memory:", embedder=gem) as without:
        without.add_turns(party, turns)
        memory.add_turns(party, turns)
        memory.add_turns(party, secrets, known_by={"Brona"})
        memory.add_fact(party, "Zarathon has the key.", known_by={"Brona"})
        assert asked(memory) == asked(without)
        assert "Zarathon" in memory.recall("Who is Zarathon?", party)[0].memory.text


def test_recency_is_that_of_time_in_an_index_kept_and_in_one_made_anew(
    memory: RoleplayMemory, path: Path, scope: Scope, gem: Embedder
) -> None:
    day = datetime(2025, 1, 1, tzinfo=timezone.utc)
    later = [said(f"The song has verse {n}.", str(n), at=day + timedelta(days=n)) for n in (5, 6, 9)]
    memory.add_turns(scope, later)
    memory.recall("song", scope)  # the index is there now, and has to take in what follows
    earlier = [said(f"The song has verse {n}.", str(n), at=day + timedelta(days=n)) for n in (1, 7, 2)]
    memory.add_turns(scope, earlier)
    memory.forget(scope, [m.id for m in memory.list(scope) if m.source_id == "9"])

    def shown(there: RoleplayMemory) -> dict[str, tuple[float, object]]:
        return {h.memory.text: (h.score, h.parts) for h in there.recall("song", scope, k=9)}

    live = shown(memory)
    with RoleplayMemory(path, embedder=gem) as again:
        assert shown(again) == live
    recency = {text[-2]: parts.get("recency", 0.0) for text, (_, parts) in live.items()}
    assert sorted(recency, key=recency.__getitem__) == ["1", "2", "5", "6", "7"]
    assert recency["1"] == 0.0


def test_what_the_prompt_shows_already_is_neither_hit_nor_neighbour(
    memory: RoleplayMemory, scope: Scope
) -> None:
    memory.add_turns(scope, CHAT)
    fact = memory.add_fact(scope, "The silver key opens the vault.", parent_id="1").memory
    found = memory.recall("silver key", scope, k=9, neighbours=2, without_sources=["1", "3", "unknown"])
    shown = [one for hit in found for one in (hit.memory, *hit.neighbours)]
    assert found[0].memory.id == fact.id
    assert {one.source_id for one in shown} == {None, "2", "4", *(turn.source_id for turn in CHAT[4:])}
    assert memory.recall("silver key", scope, without_sources=[]) == memory.recall("silver key", scope)
    with pytest.raises(OptionError, match="without_sources='1'"):
        memory.recall("silver key", scope, without_sources="1")


def test_confidence_falls_with_the_score_and_tells_answers_from_others(
    memory: RoleplayMemory, scope: Scope
) -> None:
    memory.add_turns(scope, CHAT)
    found = memory.recall("Where is the silver key?", scope, k=6)
    sure = [hit.confidence for hit in found]
    assert sure == sorted(sure, reverse=True)
    assert all(0 < one < 1 for one in sure)
    assert sure[0] > 3 * memory.recall("What did Zanthippe cook on Mars?", scope)[0].confidence
    with_reranker = RoleplayMemory(
        memory.path, embedder=memory.embedder, ranker=WeightedRanker(Weights(lexical=100.0))
    )
    with with_reranker:
        again = with_reranker.recall("Where is the silver key?", scope, k=6)
    with RoleplayMemory(memory.path, embedder=memory.embedder, ranker=WeightedRanker()) as usual:
        found = usual.recall("Where is the silver key?", scope, k=6)
        assert {hit.memory.id: hit.confidence for hit in again} == {
            hit.memory.id: hit.confidence for hit in found
        }
