from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from romaine import Embedder, UnfamiliarTextWarning
from romaine.errors import DimensionError, FormatError, OptionError, UnknownNameError
from romaine.evaluate.memory import MemoryReport, Mode, ask, evaluate_memory
from romaine.evaluate.probes import load_probes
from romaine.formats.locomo import read_conversation
from romaine.memory import WeightedRanker, Weights
from tests.evaluate.conftest import locomo


def test_asks_every_question_and_looks_at_ten_turns(files: list[Path]) -> None:
    conversation = read_conversation(files[0])
    outcomes = ask(conversation, lambda question: [1, *range(100, 109), 2])
    assert [outcome.ranks for outcome in outcomes] == [(1,), ()]


@pytest.mark.parametrize(("mode", "least"), [("hybrid", 0.5), ("dense", 0.3)])
def test_finds_answers_in_both_layouts(files: list[Path], mode: str, least: float) -> None:
    report = evaluate_memory(files, mode=mode)
    assert report.questions == 6
    assert report.conversations == 3
    assert report.hit_at_1 >= least
    assert report.recall[1] <= report.recall[5] <= report.recall[10] == 1
    assert report.hit_at_1 <= report.mrr_at_10 <= 1
    assert report.queries_per_second > 0
    assert report.index_bytes > 0
    assert report.mode is Mode.parse(mode)
    assert (report.model, report.dim) == ("little-gem", Embedder().full_dim)


def test_means_are_over_questions_not_over_conversations(files: list[Path]) -> None:
    record = json.loads(files[1].read_text())
    del record["qa"][1:]
    files[1].write_text(json.dumps(record))
    whole = evaluate_memory(files)
    parts = [evaluate_memory([file]) for file in files]
    expected = sum(part.recall[1] * part.questions for part in parts) / 5
    assert whole.questions == 5
    assert whole.recall[1] == pytest.approx(expected)


@pytest.mark.parametrize("mode", ["hybrid", "dense", "words"])
def test_a_message_of_the_chat_finds_only_what_was_said_before(tmp_path: Path, mode: str) -> None:
    record = locomo("harbour")
    turns = record["conversation"]["session_1"]
    turns += [{"speaker": "Mira", "dia_id": "D1:7", "text": "The old lighthouse hides our boat, you said."}]
    record["qa"] = [
        {"question": turns[-1]["text"], "evidence": ["D1:7"], "category": "late"},
        {"question": turns[-1]["text"], "evidence": ["D1:2"], "before": "D1:7", "category": "message"},
        {"question": turns[-1]["text"], "evidence": ["D1:2"], "before": "D1:2", "category": "early"},
        {"question": turns[-1]["text"], "evidence": ["D1:2"], "before": "D9:9"},
    ]
    path = tmp_path / "chat.json"
    path.write_text(json.dumps(record))
    report = evaluate_memory([path], mode=mode)
    assert report.questions == 3
    first = {name: figures.hit_at_1 for name, figures in report.categories.items()}
    assert first == {"late": 1, "message": 1, "early": 0}
    assert report.categories["early"].recall[10] == 0


def test_turns_are_shown_in_order_before_questions(files: list[Path]) -> None:
    told: list[object] = []
    ask(read_conversation(files[0]), lambda text: told.append(text) or [0], see=told.append)
    assert told == [6, "Where did Tobin moor the boat?", 6, "What did Mira sell to the fishmonger?"]


def test_a_slice_is_compared_when_asked_for(files: list[Path]) -> None:
    full, sliced = evaluate_memory(files, mode="dense"), evaluate_memory(files, mode="dense", dim=32)
    assert sliced.dim == 32
    assert sliced.index_bytes * full.dim == full.index_bytes * 32


def test_names_its_figures_as_they_are_published(files: list[Path]) -> None:
    keys = ["questions", "hit@1", "recall@1", "recall@5", "recall@10", "mrr@10"]
    figures = evaluate_memory(files[:1]).to_json()
    assert list(figures)[:6] == keys
    json.dumps(figures)


def test_without_questions_there_is_nothing_to_measure(tmp_path: Path, files: list[Path]) -> None:
    record = json.loads(files[0].read_text())
    del record["qa"]
    silent = tmp_path / "silent.json"
    silent.write_text(json.dumps(record))
    for nothing in ([], [silent]):
        with pytest.raises(OptionError, match="no questions"):
            evaluate_memory(nothing)


def test_another_ranker_may_be_measured(files: list[Path]) -> None:
    usual = evaluate_memory(files).recall
    assert evaluate_memory(files, ranker=WeightedRanker()).recall == usual
    nothing = WeightedRanker(Weights(**dict.fromkeys(vars(Weights()), 0.0)))
    assert evaluate_memory(files, ranker=nothing).recall[1] < usual[1]


@pytest.mark.parametrize(("mode", "least"), [("words", 0.25), ("hybrid", 0.25)])
def test_chats_may_be_given_as_they_are(mode: str, least: float) -> None:
    chats = load_probes("ru").chats
    with pytest.warns(UnfamiliarTextWarning) if mode == "hybrid" else nullcontext():
        found = evaluate_memory(chats, embedder=Embedder(), mode=mode)
    assert found.conversations == len(chats)
    assert found.questions == sum(len(chat.questions) for chat in chats)
    assert found.recall[5] > least


def test_wrong_options_are_refused(files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="'dense'"):
        evaluate_memory(files, mode="densee")
    with pytest.raises(DimensionError):
        evaluate_memory(files, dim=33)
    with pytest.raises(FormatError):
        evaluate_memory([tmp_path / "missing.json"])


def test_a_report_is_plain_data(files: list[Path]) -> None:
    report = evaluate_memory(files[:1])
    assert isinstance(report, MemoryReport)
    assert set(report.recall) == {1, 5, 10}
