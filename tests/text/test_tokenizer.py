from __future__ import annotations

import time
from pathlib import Path

import pytest
import tokenizers
from tokenizers import models, pre_tokenizers, processors

from romaine.errors import ModelFormatError
from romaine.text.tokenizer import Tokenizer

from .conftest import MINILM_TOKENIZER, bert

CLS, SEP = 101, 102


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(MINILM_TOKENIZER)


def unigram(**settings: int) -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer(models.Unigram([("<s>", 0.0), ("<unk>", 0.0), ("a", -1.0)], **settings))


def test_facts_of_the_file(tokenizer: Tokenizer) -> None:
    assert (tokenizer.prefix, tokenizer.suffix) == ((CLS,), (SEP,))
    assert (tokenizer.vocab_size, tokenizer.pad_id, tokenizer.unk_id) == (30522, 0, 100)


def test_special_tokens_are_asked_for(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode(["hello", ""]).to_lists() == [[CLS, 7592, SEP], [CLS, SEP]]
    assert tokenizer.encode(["hello", ""], add_special_tokens=False).to_lists() == [[7592], []]
    assert tokenizer.count(["hello", ""]) == [3, 2]
    assert tokenizer.count(["hello", ""], add_special_tokens=False) == [1, 0]


def test_no_text_is_no_sequence(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.encode([])) == 0
    assert tokenizer.count([]) == []


def test_neither_truncates_nor_pads_though_the_file_says_so(tokenizer: Tokenizer) -> None:
    assert tokenizer.count(["hello " * 1000, "hello"]) == [1002, 3]


def test_texts_no_encoding_can_hold(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode(["\ud800", "a\udfffb", "\x00", "a\x00b"]).to_lists() == [
        [CLS, SEP],
        [CLS, 11113, SEP],  # BERT's normaliser drops U+FFFD
        [CLS, SEP],
        [CLS, 11113, SEP],
    ]


def test_lone_surrogates_reach_other_tokenizers_as_the_replacement_character() -> None:
    rust = tokenizers.Tokenizer(models.WordLevel({"?": 0, "\ufffd": 1}, unk_token="?"))
    assert Tokenizer(rust).encode(["\ud800", "\ufffd", "x"]).to_lists() == [[1], [1], [0]]


def test_ten_megabytes_in_bounded_time(tokenizer: Tokenizer) -> None:
    start = time.process_time()
    counts = tokenizer.count(["The key is under the third step! " * 310_000, "x" * 10_000_000])
    assert counts == [310_000 * 8 + 2, 3]
    assert time.process_time() - start < 15


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00\xff", b'{"version": "1.0", "model": null}', b"[1, 2"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(ModelFormatError, match=r"tokenizer\.json .*Download"):
        Tokenizer.from_file(path)


def test_half_a_file_and_no_file_are_refused(tmp_path: Path) -> None:
    half = tmp_path / "tokenizer.json"
    whole = Path(MINILM_TOKENIZER).read_bytes()
    half.write_bytes(whole[: len(whole) // 2])
    for path in (half, tmp_path / "missing.json"):
        with pytest.raises(ModelFormatError):
            Tokenizer.from_file(path)


def test_unigram_and_byte_pair_models() -> None:
    assert Tokenizer(unigram(unk_id=1)).unk_id == 1
    assert Tokenizer(unigram()).unk_id is None
    plain = Tokenizer(tokenizers.Tokenizer(models.BPE()))
    assert (plain.unk_id, plain.vocab_size, plain.prefix, plain.suffix) == (None, 0, (), ())
    assert plain.encode(["anything"]).to_lists() == [[]]


def test_a_text_the_vocabulary_cannot_spell_is_our_error() -> None:
    rust = tokenizers.Tokenizer(models.WordLevel({"a": 0}, unk_token="[UNK]"))
    with pytest.raises(ModelFormatError, match="cannot encode"):
        Tokenizer(rust).encode(["b"])


def test_special_tokens_on_one_side_only() -> None:
    rust = bert()
    rust.post_processor = processors.TemplateProcessing(
        single="$A [SEP] [SEP]", special_tokens=[("[SEP]", 3)]
    )
    assert (Tokenizer(rust).prefix, Tokenizer(rust).suffix) == ((), (3, 3))


def test_a_tokenizer_file_of_roberta_kind() -> None:
    rust = tokenizers.Tokenizer(models.BPE({"<s>": 0, "</s>": 1, "a": 2, "<pad>": 3}, []))
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rust.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
    tokenizer = Tokenizer(rust)
    assert (tokenizer.prefix, tokenizer.suffix, tokenizer.pad_id) == ((0,), (1,), 3)
    assert tokenizer.encode(["aa"]).to_lists() == [[0, 2, 2, 1]]


def test_ids_are_texts_again(tokenizer: Tokenizer) -> None:
    texts = ["the key is under the third step", "", "lantern light"]
    assert tokenizer.decode(tokenizer.encode(texts).to_lists()) == texts
