from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from romaine.errors import InputFileError, OptionError
from romaine.train.corpus import TextPool, read_corpus
from romaine.train.recipe_file import parse_recipe
from romaine.train.records import fill_evenly


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 50), min_size=1, max_size=6), st.integers(0, 100))
def test_shares_use_up_what_there_is_and_no_more(available, total):
    shares = fill_evenly(available, total)
    assert sum(shares.values()) == min(total, sum(available.values()))
    assert all(shares[source] <= count for source, count in available.items())


def test_the_pool_holds_a_text_once():
    pool = TextPool()
    assert [pool.add(text) for text in ("Hello!", "you", "hello", "You.")] == [0, 1, 0, 1]
    assert pool.texts == ["Hello!", "you"]


def test_everything_is_read_once_and_counted(recipe_text, data_folder):
    corpus = read_corpus(parse_recipe(recipe_text), folders=[data_folder])
    chat = corpus.sets["chat"]
    assert chat.counts["read"] == 120
    assert len(chat.dialogues) + len(chat.held_dialogues) == 120
    assert 5 < chat.counts["held out"] == len(chat.held_dialogues) < 50
    assert len(corpus.sets["sts"].scores) == len(corpus.sets["sts"].scored) > 60
    assert len(corpus.sets["pairs"].held_pairs) > 3
    assert corpus.files["texts"]["licence"] == "CC0-1.0"
    assert len(corpus.files["chat"]["sha256"]) == 64


def test_nothing_of_held_out_dialogues_is_learned(recipe_text, data_folder, tmp_path):
    held = read_corpus(parse_recipe(recipe_text), folders=[data_folder])
    said = [held.pool.texts[n] for dialogue in held.sets["chat"].held_dialogues for n in dialogue.texts]
    # the same words elsewhere, as texts
    (tmp_path / "texts.jsonl").write_text(
        "".join(json.dumps(text.upper()) + "\n" for text in [*said, "an entirely new text of six words"]),
        encoding="utf-8",
    )
    corpus = read_corpus(parse_recipe(recipe_text), folders=[tmp_path, data_folder])
    learned = {corpus.pool.texts[n].lower() for found in corpus.sets.values() for n in found.texts}
    assert "an entirely new text of six words" in learned
    assert not learned & {text.lower() for text in said}
    assert corpus.sets["texts"].counts["in held-out data"] == len(said)


def test_measuring_texts_are_left_out(recipe_text, data_folder, tmp_path):
    first = json.loads((data_folder / "texts.jsonl").read_text().splitlines()[0])["text"]
    measuring = tmp_path / "measuring.txt"
    measuring.write_text(first, encoding="utf-8")
    corpus = read_corpus(parse_recipe(recipe_text), folders=[data_folder], measuring=[measuring])
    assert corpus.sets["texts"].counts["in measuring set"] == 1
    assert first not in {corpus.pool.texts[n] for n in corpus.sets["texts"].texts}
    assert "measuring: measuring.txt" in corpus.files


def test_a_sample_is_balanced_and_independent_of_order(recipe_text, data_folder, tmp_path):
    records = [{"source": "big", "text": f"big text {i}"} for i in range(100)]
    records += [{"source": "small", "text": f"small text {i}"} for i in range(10)]
    lines = [json.dumps(record) for record in [*records, *records[:20]]]
    text = recipe_text.replace('file = "texts.jsonl"', 'file = "texts.jsonl"\nlimit = 30')

    def sampled(order, **changes):
        (tmp_path / "texts.jsonl").write_text("\n".join(order), encoding="utf-8")
        recipe = parse_recipe(text.replace("dim = 32", "seed = 1\ndim = 32", 1) if changes else text)
        corpus = read_corpus(recipe, folders=[tmp_path, data_folder])
        assert corpus.sets["texts"].counts["without repeats"] == 110
        return [corpus.pool.texts[n] for n in corpus.sets["texts"].texts]

    texts = sampled(lines)
    assert len(set(texts)) == len(texts) == 30
    assert sum(text.startswith("small") for text in texts) == 10
    assert sampled(lines[::-1]) == texts
    assert sampled(lines, seed=1) != texts


def test_only_named_sources_are_taken(recipe_text, data_folder):
    text = recipe_text.replace(
        'file = "dialogues.jsonl"', 'file = "dialogues.jsonl"\nsources = { "source 1" = 9 }'
    )
    corpus = read_corpus(parse_recipe(text), folders=[data_folder])
    assert corpus.sets["chat"].counts["read"] == 40
    assert corpus.sets["chat"].counts["sampled"] == 9


def test_a_missing_file_is_named(recipe_text, tmp_path):
    with pytest.raises(InputFileError, match=r"texts\.jsonl is in none of"):
        read_corpus(parse_recipe(recipe_text), folders=[tmp_path])
    with pytest.raises(InputFileError, match="--data"):
        read_corpus(parse_recipe(recipe_text), folders=[])


def test_a_recipe_reads_nothing_outside_the_data_folders(recipe_text, data_folder):
    for name in (f"{data_folder}/texts.jsonl", f"../{data_folder.name}/texts.jsonl"):
        with pytest.raises(InputFileError, match="leads out of the data folders"):
            read_corpus(parse_recipe(recipe_text.replace("texts.jsonl", name)), folders=[data_folder])


def test_a_source_with_nothing_left_is_an_error(recipe_text, data_folder, tmp_path):
    (tmp_path / "texts.jsonl").write_text('""\n', encoding="utf-8")
    with pytest.raises(OptionError, match="'texts' has nothing left"):
        read_corpus(parse_recipe(recipe_text), folders=[tmp_path, data_folder])
