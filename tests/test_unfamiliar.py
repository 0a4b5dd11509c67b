"""Nobody is left in the dark about texts that a model cannot read, and nobody is bothered without need."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import pytest

from romaine import Embedder, RoleplayMemory, Scope, Turn, UnfamiliarTextWarning
from romaine.evaluate.probes import load_probes
from romaine.unfamiliar import MULTILINGUAL, Familiarity, Sample, is_unfamiliar, remedy, sample_of

KOREAN = ["열쇠를 세 번째 계단 밑에 숨겼어.", "그 얘기는 아무에게도 하지 마.", "내일 아침에 항구에서 보자."]


def test_texts_in_an_unknown_script_are_told_of_once() -> None:
    embedder = Embedder()
    with pytest.warns(UnfamiliarTextWarning, match=r"romaine\[multilingual\]") as told:
        embedder.embed_documents(KOREAN)
    assert Path(told[0].filename) == Path(__file__)
    assert not any(text in str(told[0].message) for text in KOREAN)
    embedder.embed_documents(KOREAN)  # warnings are errors here
    embedder.with_dim(64).embed_query(KOREAN[0])


def test_a_copy_in_another_process_tells_again() -> None:
    embedder = Embedder()
    with pytest.warns(UnfamiliarTextWarning):
        embedder.embed_queries(KOREAN)
    copy = pickle.loads(pickle.dumps(embedder))
    with pytest.warns(UnfamiliarTextWarning):
        copy.embed_query(KOREAN[0])


@pytest.mark.parametrize(
    "text",
    [
        "열쇠를 어디에 숨겼어?",
        "鍵は三段目の下に隠した。",
        "我把钥匙藏在楼梯下面了。",
        "Ключ лежит под третьей ступенькой.",
        "Το κλειδί είναι κάτω από τη σκάλα.",
        "المفتاح تحت الدرجة الثالثة.",
        "चाबी तीसरी सीढ़ी के नीचे है।",
    ],
)
def test_each_script_is_seen_in_one_text(text: str) -> None:
    assert not Embedder().knows([text])


@pytest.mark.parametrize(
    "text",
    [
        "Where is the key?",
        "Der Schlüssel liegt unter der dritten Stufe, Łukasz Đorđević und Þóra.",
        "*waves* 😀😀😀 hiii!!! (｡♥‿♥｡) ʕ•ᴥ•ʔ",
        "¯\\_(ツ)_/¯ ლ(ಠ益ಠლ) ( ͡° ͜ʖ ͡°) ヽ(´▽`)ノ щ(ಥДಥщ) (ﾟДﾟ)",
        "def f(x): return x ** 2 + y_1  # λ, Σ and π are letters",
        "<|im_start|>{{user}}: OOC: ^_^ <font color=red>…</font> “quoted”",
        "アリス walks in and says hello to everyone at the table.",
        "The note said 鍵の下 in small letters, and she could not read it at all.",
        "",
        "\ud800\udfff",
    ],
)
def test_english_chats_give_no_alarm(text: str) -> None:
    assert Embedder().knows([text])


def test_a_line_in_another_script_among_others_gives_none() -> None:
    turns = [turn.text for turn in load_probes().turns[:100]]
    turns[50] = KOREAN[0]
    embedder = Embedder()
    for start in range(0, len(turns), 10):
        embedder.embed_documents(turns[start : start + 10])
    embedder.embed_documents(turns)


def test_probes_give_none() -> None:
    embedder = Embedder()
    assert all(embedder.knows([turn.text]) for turn in load_probes().turns)


def test_a_memory_tells_it() -> None:
    scope = Scope(user="ana")
    with RoleplayMemory(":memory:", embedder=Embedder(dim=64)) as memory:
        with pytest.warns(UnfamiliarTextWarning):
            memory.add_turns(scope, [Turn(text, speaker="지영", role="character") for text in KOREAN])
        assert memory.recall("열쇠 어디 있어?", scope)  # words find it all the same, and it is said once


def sampled(*texts: str) -> Sample:
    sample = sample_of(texts)
    assert sample is not None
    return sample


def test_a_model_that_knows_the_script_is_asked_only_for_so_long() -> None:
    asked: list[int] = []

    def count(texts: Sequence[str]) -> tuple[int, int]:
        asked.append(len(texts))
        return 3 * len(texts), 10 * len(texts)

    familiarity = Familiarity()
    while (sample := familiarity.sample(KOREAN)) is not None:
        familiarity.look(sample, count, model="theirs", stacklevel=1)
    assert 200 < sum(asked) < 300


def test_few_pieces_need_more_evidence() -> None:
    one = sampled("열쇠를 찾았어")
    assert not is_unfamiliar(one, lambda texts: (6, 10))
    assert is_unfamiliar(one, lambda texts: (8, 10))
    assert is_unfamiliar(one, lambda texts: (65, 100))
    assert not is_unfamiliar(one, lambda texts: (3, 3))


def test_a_sample_is_looked_at() -> None:
    sample = sampled(*["Hello there"] * 5000, *KOREAN[:1] * 20_000)
    assert len(sample.others) <= 20
    assert sample.latin > 0


def test_the_remedy_names_no_model_that_is_in_use() -> None:
    assert MULTILINGUAL in remedy("little-gem")
    assert "such as" not in remedy(MULTILINGUAL)
