"""The fast path must give the real tokenizer's ids, whatever the text."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, models, normalizers, pre_tokenizers

from romaine.errors import ModelFormatError
from romaine.text.chunks import WORD_BEGINS, AsciiWordPiece, ChunkTokenizer, splits_at_spaces
from romaine.text.tokenizer import Tokenizer, _words_alone

from .conftest import MINILM_TOKENIZER, bert

REAL = tokenizers.Tokenizer.from_file(MINILM_TOKENIZER)
REAL.no_truncation()
REAL.no_padding()
FAST = Tokenizer.from_file(MINILM_TOKENIZER)
PLAIN = AsciiWordPiece(REAL, _words_alone(REAL))

SMALL = {
    "uncased": bert(),
    "cased": bert(lowercase=False),
    "accents kept": bert(strip_accents=False),
    "cased, accents off": bert(lowercase=False, strip_accents=True),
    "chinese together": bert(chinese=False),
    "odd added tokens": bert(
        added=(
            "[PAD]",
            "[UNK]",
            "[CLS]",
            "[SEP]",
            "[MASK]",
            AddedToken("<char>", single_word=True, lstrip=True, rstrip=True, normalized=True),
            AddedToken("lo", normalized=True, lstrip=True),
            AddedToken("É", normalized=True),
            AddedToken("the", single_word=True, normalized=False),
            AddedToken("\u0301", normalized=False),
        )
    ),
}
TRICKY = [
    "x" * 15,
    "x" * 16,
    "x" * 17,
    "x" * 8 + "\x00" * 9,
    "\x00" * 16,
    "я" * 8,
    "[CLS]",
    "[MASK]",
    "[mask]",
    "[",
    "]",
    "[UNK]",
    "##",
    "##lo",
    "<char>",
    "the",
    "THE",
    "don't",
    "中",
    "中b",
    "文",
    "É",
    "e\u0301",
    "\u0301",
    "\u0345",
    "\u0323",
    "Σ",
    "ΑΣ",
    "ς",
    "İ",
    "ß",
    "ﬁ",
    "K",
    "\u200b",
    "\ufeff",
    "\ufffd",
    "\ud800",
    "\udfff",
    "\x00",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x1f",
    "\x7f",
    "\x85",
    "\xa0",
    "\xad",
    "\u1680",
    "\u180e",
    "\u2028",
    "\u2029",
    "\u202f",
    "\u3000",
    " ",
    "  ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "🙂",
    "👩\u200d🚀",
    "🇺🇦",
    "ا",
    "ש",
    "x" * 13,
    "y" * 101,
    "z" * 300,
    ".",
    "...",
    "_",
    "$",
    "`",
    "^",
    "~",
    "a",
    "hello",
    "helps",
    "1",
    "3.14",
]


@pytest.fixture(params=["chunk by chunk", "all at once"], scope="module", autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        few = 1 << 30 if request.param == "chunk by chunk" else -1
        patch.setattr("romaine.text.chunks._FEW_CHARACTERS", few)
        yield


any_text = st.text(st.characters(exclude_categories=()), max_size=60)
tricky_text = st.lists(st.sampled_from(TRICKY), max_size=25).map("".join)
ascii_text = st.text(st.characters(max_codepoint=127), max_size=120)


def really(rust: tokenizers.Tokenizer, text: str) -> list[int]:
    clean = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    ids: list[int] = rust.encode(clean, add_special_tokens=False).ids
    return ids


@settings(max_examples=400, deadline=None)
@given(st.lists(any_text | tricky_text | ascii_text, max_size=6))
@example(["a\x1cb", "a\x85b", "x [MASK]y", "ΑΣ Σ", "e \u0301", ""])
def test_ids_are_those_of_the_real_tokenizer(texts: list[str]) -> None:
    assert FAST._chunks is not None
    assert FAST.encode(texts, add_special_tokens=False).to_lists() == [really(REAL, text) for text in texts]


@pytest.mark.parametrize("name", SMALL)
@settings(max_examples=150, deadline=None)
@given(texts=st.lists(any_text | tricky_text, max_size=4))
def test_ids_are_exact_with_every_option_of_the_normaliser(name: str, texts: list[str]) -> None:
    rust = SMALL[name]
    assert splits_at_spaces(rust)
    fast = Tokenizer(rust)
    assert fast.encode(texts, add_special_tokens=False).to_lists() == [really(rust, text) for text in texts]


def unigram(first: pre_tokenizers.PreTokenizer, begins: str = WORD_BEGINS) -> tokenizers.Tokenizer:
    """Like those of `romaine.train.vocabulary`."""
    pieces = ["<unk>", *"▁theky学校에서.!a", "▁the", "▁key", "학교", "학", "교", "▁", "ое", "▁мое"]
    unigram = models.Unigram([(piece, -float(n)) for n, piece in enumerate(dict.fromkeys(pieces))], unk_id=0)
    made = tokenizers.Tokenizer(unigram)
    made.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.Replace(tokenizers.Regex(begins), "▁"),
        ]
    )
    cut = pre_tokenizers.Split(tokenizers.Regex(r"\p{P}+"), "isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence([first, cut])
    return made


SPLIT = unigram(pre_tokenizers.WhitespaceSplit())


@settings(max_examples=300, deadline=None)
@given(st.lists(any_text | tricky_text | ascii_text, max_size=4))
@example(
    ["the key", "a\x1cb", "a\x85b", "e \u0301", "a \u0301the", "´the", "\u3000학교에서\xa0the", "a'the 'key"]
)
def test_ids_of_a_vocabulary_of_words_are_exact_too(texts: list[str]) -> None:
    fast = Tokenizer(SPLIT)
    assert fast._chunks is not None
    assert fast.encode(texts, add_special_tokens=False).to_lists() == [really(SPLIT, text) for text in texts]


def test_a_unigram_that_may_look_across_spaces_is_left_alone() -> None:
    assert not splits_at_spaces(unigram(pre_tokenizers.Metaspace()))
    assert not splits_at_spaces(unigram(pre_tokenizers.WhitespaceSplit(), begins=r"(?<=e )k"))


@pytest.mark.parametrize("way", ["chunk by chunk"], indirect=True)  # one knows Unicode's white space
def test_every_character_of_unicode() -> None:
    """Each between two words and beside them, so that splitting and joining characters both show."""
    chars = [chr(code) for code in range(0x110000) if not 0x30000 <= code < 0xE0000]
    for fast, real in ((FAST, REAL), (Tokenizer(SPLIT), SPLIT)):
        for start in range(0, len(chars), 4096):
            text = " ".join(f"the{char}key {char}" for char in chars[start : start + 4096])
            assert fast.encode([text], add_special_tokens=False).to_lists()[0] == really(real, text)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30))
def test_plain_chunks_need_no_more_than_word_piece(chunk: str) -> None:
    """Every printable character is there, and only the bracket that special tokens begin with is left out."""
    assert PLAIN.those_plain([chunk, "["]) == ([] if "[" in chunk else [chunk])
    if "[" not in chunk:
        assert PLAIN.encode([chunk]).to_lists() == [really(REAL, chunk)]


plain_chunk = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="["), min_size=1, max_size=30
)


@settings(max_examples=100, deadline=None)
@given(st.lists(plain_chunk | st.sampled_from(["#", "##", "##lo", "a", "x" * 101]), min_size=30, max_size=40))
@pytest.mark.parametrize("rust", [REAL, SMALL["uncased"], SMALL["cased"]], ids=["real", "uncased", "cased"])
def test_many_plain_chunks_at_once_give_the_same(rust: tokenizers.Tokenizer, chunks: list[str]) -> None:
    plain = AsciiWordPiece(rust, _words_alone(rust))
    assert plain.encode(chunks).to_lists() == [really(rust, chunk) for chunk in chunks]


@pytest.mark.parametrize("prefix", ["#", "t", ""])
def test_another_mark_of_pieces_gives_the_same(prefix: str) -> None:
    pieces = ["[UNK]", "t", "te", "s", "#", "a", *(prefix + piece for piece in ("t", "s", "a", "#"))]
    model = models.WordPiece(
        {piece: number for number, piece in enumerate(dict.fromkeys(pieces))},
        unk_token="[UNK]",
        continuing_subword_prefix=prefix,
    )
    rust = tokenizers.Tokenizer(model)
    rust.normalizer, rust.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    chunks = ["test", "tt", "#", "t#a", "sat", "atta", "quite"] * 5
    plain = AsciiWordPiece(rust, _words_alone(rust))
    assert plain.encode(chunks).to_lists() == [really(rust, chunk) for chunk in chunks]


@pytest.mark.parametrize("chunk", ["é", "a\x00", "\x7f", "a\u0301", "[MASK]", "中"])
def test_other_chunks_are_not_plain(chunk: str) -> None:
    assert PLAIN.those_plain([chunk, "key"]) == ["key"]


@pytest.mark.parametrize(
    "rust",
    [
        bert(clean_text=False),
        bert(added=("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[the key]")),
        bert(added=("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", AddedToken("中b", normalized=True))),
        tokenizers.Tokenizer(models.BPE()),
        tokenizers.Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]")),
    ],
    ids=[
        "control characters kept",
        "added token with a space",
        "added token normalised to one",
        "BPE",
        "bare WordPiece",
    ],
)
def test_other_tokenizers_are_left_alone(rust: tokenizers.Tokenizer) -> None:
    assert not splits_at_spaces(rust)
    assert Tokenizer(rust)._chunks is None


def test_another_normaliser_or_pre_tokenizer_is_left_alone() -> None:
    sequence, whitespace = bert(), bert()
    sequence.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.BertNormalizer()])
    whitespace.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    assert not splits_at_spaces(sequence)
    assert not splits_at_spaces(whitespace)


def test_a_full_cache_starts_again() -> None:
    fast = ChunkTokenizer(FAST._encode_exactly, PLAIN, max_chunks=3)
    for text in ["the key", "is under the", "third step", "the key is under the third step"] * 3:
        assert fast.encode([text]).to_lists() == [really(REAL, text)]
        assert len(fast._known.numbers) <= 3


def test_long_chunks_are_not_remembered() -> None:
    fast = ChunkTokenizer(FAST._encode_exactly, PLAIN)
    assert fast.encode(["x" * 200 + " key " + "x" * 200]).to_lists() == [
        really(REAL, "x" * 200 + " key " + "x" * 200)
    ]
    assert set(fast._known.numbers) == {"key"}


def test_a_failure_leaves_no_chunk_without_tokens() -> None:
    answers = [ModelFormatError("no"), None]

    def encode(chunks: object) -> list[list[int]]:
        if (error := answers.pop(0)) is not None:
            raise error
        return [[7, 8]]

    fast = ChunkTokenizer(encode)
    with pytest.raises(ModelFormatError):
        fast.encode(["key"])
    assert fast.encode(["key"]).to_lists() == [[7, 8]]


def test_threads_share_the_cache() -> None:
    """Which begins anew all the time, and forgets links at once."""
    fast = ChunkTokenizer(FAST._encode_exactly, PLAIN, max_chunks=50)
    texts = [
        f"turn {n} of chat {n % 7}: don't forget the key {n * 31 % 97}! {'link' * (n % 40)}"
        for n in range(400)
    ]
    want = [really(REAL, text) for text in texts]
    with ThreadPoolExecutor(16) as pool:
        got = list(pool.map(lambda start: fast.encode(texts[start : start + 9]).to_lists(), range(0, 400, 9)))
    assert [ids for part in got for ids in part] == want
