"""A teacher small enough to train against in a test: a random BERT that knows a few words."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_THINGS = """
lighthouse harbour storm captain silver key cellar garden letter sister dragon river
bridge castle kitchen window market orchard violin candle
"""
THINGS = _THINGS.split()
_OTHERS_TEXT = """
the is in my you we found lost sold painted
because yesterday three what did say about
"""
_OTHERS = _OTHERS_TEXT.split()
_WORDS = (*THINGS, *_OTHERS)


@pytest.fixture(scope="session")
def small_teacher_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("teacher")
    vocab = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *_WORDS,
        *_LETTERS,
        *".,?",
    ]
    vocab += [f"##{letter}" for letter in _LETTERS]
    tokenizer = Tokenizer(
        models.WordPiece(
            {word: i for i, word in enumerate(vocab)}, unk_token="[UNK]", max_input_chars_per_word=100
        )
    )
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocab),
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=96,
        initializer_range=0.3,
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dialogues, pairs, texts and scored pairs, made of a few words."""
    folder = tmp_path_factory.mktemp("data")
    rng = random.Random(0)

    def sentence() -> str:
        verb, when = rng.choice(("found", "lost", "sold", "painted")), rng.choice(("yesterday", "", ""))
        first, second, third = rng.sample(THINGS, 3)
        return f"I {verb} the {first} {second} in my {third} {when} {rng.randint(1, 999)}".strip()

    dialogues = [
        {"source": f"source {i % 3}", "turns": [["ab"[n % 2], sentence()] for n in range(6)]}
        for i in range(120)
    ]
    pairs = []
    for _ in range(80):
        text = sentence()
        pairs.append({"query": " ".join(rng.sample(text.split(), 4)), "positive": text})
    _write_lines(folder / "dialogues.jsonl", dialogues)
    _write_lines(folder / "pairs.jsonl", pairs)
    _write_lines(folder / "texts.jsonl", [{"text": sentence()} for _ in range(200)])
    for name, count in (("train.csv", 80), ("dev.csv", 40)):
        rows = []
        for _ in range(count):
            words = sentence().split()
            kept = rng.randint(1, len(words))
            other = [*words[:kept], *sentence().split()[kept:]]
            rows.append(f"{' '.join(words)},{' '.join(other)},{5 * kept / len(words):.2f}")
        (folder / name).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def _write_lines(path: Path, records: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


@pytest.fixture
def recipe_text(small_teacher_folder: Path) -> str:
    """A recipe with every task, in two phases of a few steps."""
    return RECIPE.replace("TEACHER", str(small_teacher_folder))


RECIPE = """
name = "mine"
dim = 32
dims = [8, 16, 32]
max_tokens = 32

[[teachers]]
kind = "model"
model = "TEACHER"

[data.texts]
kind = "texts"
file = "texts.jsonl"
licence = "CC0-1.0"

[data.chat]
kind = "dialogues"
file = "dialogues.jsonl"

[data.pairs]
kind = "pairs"
file = "pairs.jsonl"

[data.sts]
kind = "scored"
file = "train.csv"

[[phases]]
name = "all"
steps = 24
learning_rate = 0.01
warm_up = 4

[[phases.tasks]]
loss = "relational"
data = ["texts", "chat"]
batch = 48

[[phases.tasks]]
loss = "chat"
data = ["chat"]
dialogues = 6

[[phases.tasks]]
loss = "contrastive"
data = ["pairs"]
batch = 32
weight = 0.5
negatives = 1

[[phases.tasks]]
loss = "scored"
data = ["sts"]
batch = 32

[[phases]]
name = "as packed"
steps = 12
learning_rate = 0.005
warm_up = 2
quantise_from = 0.5
average = 0.9
anchor = 0.01
drop = 0.1

[[phases.tasks]]
loss = "contrastive"
data = ["chat", "pairs"]
batch = 32
both_ways = true

[watch]
every = 6
sts = "dev.csv"
held_out = 0.2
chats = ["chat"]
pairs = ["pairs"]
dialogues = 6
"""
