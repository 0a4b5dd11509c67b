"""A teacher small enough to train against in a test: a random BERT that knows a few words."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_SENTENCE = "lighthouse harbour storm captain silver key cellar garden letter sister dragon river bridge"
_WORDS = tuple(_SENTENCE.split())


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
def made_up_texts() -> list[str]:
    dice = random.Random(0)
    return [" ".join(dice.choices(_WORDS, k=dice.randint(3, 8))) + f" {i}" for i in range(300)]


@pytest.fixture
def texts_file(made_up_texts: list[str], tmp_path: Path) -> Path:
    path = tmp_path / "chat.jsonl"
    path.write_text(
        "".join(json.dumps({"turns": [["a", text]]}) + "\n" for text in made_up_texts), encoding="utf-8"
    )
    return path
