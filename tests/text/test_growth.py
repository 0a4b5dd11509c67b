from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, processors

from romaine.errors import ModelFormatError
from romaine.text.growth import MOST_ADDED, MOST_GROWTH, check_growth
from romaine.text.tokenizer import Tokenizer

# What compatibility normalising makes of U+FDFA
LONGEST = "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064a\u0647 \u0648\u0633\u0644\u0645"


def settings(**parts: object) -> dict[str, Any]:
    rust = tokenizers.Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0), ("\u2581", -2.0)], unk_id=0))
    return {**json.loads(rust.to_str()), **parts}


def written(tmp_path: Path, **parts: object) -> Path:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(settings(**parts)))
    return path


def sequence(*steps: dict[str, object]) -> dict[str, object]:
    return {"type": "Sequence", "normalizers": list(steps)}


def replace(content: str, **pattern: str) -> dict[str, object]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def charsmap(spelling: str) -> dict[str, object]:
    """What sentencepiece's table looks like: the size of its trie, the trie, the spellings."""
    trie = bytes(8)
    table = len(trie).to_bytes(4, "little") + trie + b"a\0" + spelling.encode() + b"\0"
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(table).decode()}


TENFOLD = replace("a" * 10, String="a")
SPACES = replace(" ", Regex=" {2,}")


@pytest.mark.parametrize(
    "normalizer",
    [
        pytest.param(sequence(*[TENFOLD] * 20), id="chained"),
        pytest.param(sequence(sequence(TENFOLD), sequence(sequence(TENFOLD), TENFOLD)), id="nested"),
        pytest.param(sequence(*[{**TENFOLD, "type": None}] * 3), id="no type"),
        pytest.param(replace("a" * 129, String="a"), id="one long replacement"),
        pytest.param(sequence(*[replace("aa", Regex="")] * 4), id="between all characters"),
        pytest.param(sequence(*[replace("aa", Regex="a|x*")] * 4), id="might match nothing"),
        pytest.param(replace("a" * 999, Regex="a+"), id="of a run"),
        pytest.param({"type": "Prepend", "prepend": "a" * 200}, id="prepended to each piece"),
        pytest.param(
            sequence({"type": "Prepend", "prepend": "aaaa"}, *[TENFOLD] * 2), id="prepended, then more"
        ),
        pytest.param(sequence(*[{"type": "ByteLevel"}] * 9), id="bytes of bytes"),
        pytest.param(charsmap("a" * 200), id="a table's long spelling"),
        pytest.param(sequence(charsmap("a" * 18), TENFOLD), id="a table's spelling and more"),
    ],
)
def test_a_normalizer_that_grows_without_bound_is_refused(
    normalizer: dict[str, object], tmp_path: Path
) -> None:
    path = written(tmp_path, normalizer=normalizer)
    with pytest.raises(ModelFormatError, match=f"{MOST_GROWTH} are allowed.*Use the tokenizer.json"):
        Tokenizer.from_file(path)


def test_pre_tokenizers_count_with_the_normalizer(tmp_path: Path) -> None:
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    steps = {"type": "Sequence", "pretokenizers": [byte_level] * 2}
    check_growth(written(tmp_path, pre_tokenizer=steps))
    with pytest.raises(ModelFormatError, match="are allowed"):
        check_growth(written(tmp_path, pre_tokenizer=steps, normalizer=TENFOLD))


def template(ids: int, specials: int, texts: int = 1) -> dict[str, object]:
    special = {"SpecialToken": {"id": "a", "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [special] * specials + [text] * texts,
        "pair": [text, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"a": {"id": "a", "ids": [1] * ids, "tokens": ["a"] * ids}},
    }


def test_special_tokens_are_bounded(tmp_path: Path) -> None:
    check_growth(written(tmp_path, post_processor=template(2, 2)))
    with pytest.raises(ModelFormatError, match=f"put 1e\\+04 special tokens.*{MOST_ADDED} are allowed"):
        check_growth(written(tmp_path, post_processor=template(100, 100)))
    with pytest.raises(ModelFormatError, match=f"{MOST_GROWTH} are allowed"):
        check_growth(written(tmp_path, post_processor=template(1, 1, texts=200)))
    thrice = {"type": "Sequence", "processors": [template(1, 1, texts=10)] * 3}
    with pytest.raises(ModelFormatError, match="make 1e\\+03 characters or tokens"):
        check_growth(written(tmp_path, post_processor=thrice))


@pytest.mark.parametrize(
    "hidden",
    [
        lambda text: text.replace('"normalizer"', '"norm\\u0061lizer"'),
        lambda text: text.replace('"normalizer":', '"normalizer"\n :\t'),
        lambda text: text.replace('"normalizer":', '"normalizer": null, "normalizer":'),
        lambda text: text.replace('"content":', '"cont\\u0065nt":'),
    ],
)
def test_no_spelling_hides_a_normalizer(hidden: Any, tmp_path: Path) -> None:
    path = written(tmp_path, normalizer=sequence(*[TENFOLD] * 20))
    path.write_text(hidden(path.read_text()))
    with pytest.raises(ModelFormatError, match=f"{MOST_GROWTH} are allowed"):
        check_growth(path)


def test_the_library_alone_would_end_the_process(tmp_path: Path) -> None:
    """An added token is normalised while the file is read, so that nothing may come before the check."""
    added = {"id": 1, "content": "a", "single_word": False, "lstrip": False, "rstrip": False}
    path = written(
        tmp_path,
        normalizer=sequence(*[TENFOLD] * 20),
        added_tokens=[{**added, "normalized": True, "special": False}],
    )
    with pytest.raises(ModelFormatError, match="1e\\+20 characters"):
        Tokenizer.from_file(path)
    reading = f"import tokenizers; tokenizers.Tokenizer.from_file({str(path)!r})"
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)); {reading}"
    if sys.platform == "linux":
        ended = subprocess.run([sys.executable, "-c", limited], capture_output=True, check=False)
        assert ended.returncode < 0  # by a signal, which no "except" catches


def bert() -> tokenizers.Tokenizer:
    rust = tokenizers.Tokenizer(
        models.WordPiece({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3}, unk_token="[UNK]")
    )
    rust.normalizer = normalizers.BertNormalizer()
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    rust.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return rust


def modernbert() -> tokenizers.Tokenizer:
    rust = tokenizers.Tokenizer(models.BPE({"a": 0, "\u0120": 1, "<s>": 2}, []))
    rust.normalizer = normalizers.NFC()
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rust.post_processor = processors.RobertaProcessing(("<s>", 2), ("<s>", 2))
    return rust


def llama() -> tokenizers.Tokenizer:
    rust = tokenizers.Tokenizer(models.BPE({"\u2581": 0, "a": 1}, []))
    steps = [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    rust.normalizer = normalizers.Sequence(steps)
    return rust


def albert() -> tokenizers.Tokenizer:
    rust = tokenizers.Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0)], unk_id=0))
    quotes = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    unicode = [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
    spaces = [normalizers.Replace(tokenizers.Regex(" {2,}"), " ")]
    rust.normalizer = normalizers.Sequence([*quotes, *unicode, *spaces])
    rust.pre_tokenizer = pre_tokenizers.Metaspace()
    return rust


@pytest.mark.parametrize("make", [bert, modernbert, llama, albert])
def test_tokenizers_of_published_kinds_load(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    make().save(str(path))
    assert Tokenizer.from_file(path).encode(["a"]).lengths[0] >= 1


def test_the_normalizer_of_xlm_r_is_let_through(tmp_path: Path) -> None:
    """Its table spells a ligature out in 18 characters; a regular expression and a metaspace follow."""
    assert len(LONGEST) == 18
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    check_growth(written(tmp_path, normalizer=sequence(charsmap(LONGEST), SPACES), pre_tokenizer=metaspace))


def test_real_tokenizers_load(minilm_folder: Path) -> None:
    Tokenizer.from_file(minilm_folder / "tokenizer.json")


def test_a_token_called_normalizer_is_no_normalizer(tmp_path: Path) -> None:
    vocabulary = {"[UNK]": 0, "normalizer": 1, "post_processor": 2, '"normalizer": {': 3}
    rust = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    path = tmp_path / "tokenizer.json"
    rust.save(str(path))
    assert Tokenizer.from_file(path).vocab_size == 4


@pytest.mark.parametrize(
    "part",
    [
        {"normalizer": {"type": "Replace", "content": 5}},
        {"normalizer": {"normalizers": [5]}},
        {"normalizer": {"precompiled_charsmap": "?"}},
        {"post_processor": {"single": [5]}},
        {"post_processor": {"single": [{"SpecialToken": {"id": "z"}}], "special_tokens": {}}},
    ],
)
def test_damaged_parts_are_our_error(part: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match=r"not a readable tokenizer\.json"):
        check_growth(written(tmp_path, **part))
