from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from romaine import Embedder, RoleplayMemory, Scope, Turn
from romaine.memory.abstention import (
    FEATURES,
    FEW,
    GENERIC,
    Calibration,
    Evidence,
    HitCalibration,
    calibration_for,
    evidence_of,
)
from tests.memory.test_ranking import QUERY, candidates, rank, signals

STRONG = Evidence(
    cosine=0.9,
    word_share=1.0,
    score=12.0,
    known_share=1.0,
    unknown_name=0.0,
    named=1.0,
    stands_out=0.6,
    asked=9.0,
    size=6.0,
    late=0.9,
)
WEAK = Evidence(cosine=0.1, word_share=0.1, score=1.0, known_share=0.2, unknown_name=1.0, asked=9.0, size=6.0)

SCOPE = Scope(user="ana", character="Cassian", chat="tower")
MULTILINGUAL = Path(__file__).parents[2] / "models/little-gem-multilingual/romaine_little_gem_multilingual"


@dataclass(frozen=True)
class Asked:
    """What a chat has nothing to say to, and what it answers with which of its first hits."""

    elsewhere: tuple[str, ...]
    here: tuple[tuple[str, set[str]], ...]


DOZENS = {
    "en": (
        "Where did you put the silver key?",
        "Under the third step. Tell nobody.",
        "Are you sure nobody saw you?",
        "Only the old gardener, and he is half blind.",
        "Then we are safe for tonight.",
        "The guards change at midnight. We should wait until then.",
        "I will bring the lantern.",
        "No light. They would see it from the tower.",
        "And if the door is barred?",
        "Then we climb in by the window of the library.",
        "I trust you.",
        "Do not lose the map. Your brother drew it himself.",
    ),
    "ko": (
        "은색 열쇠는 어디에 두었어?",
        "세 번째 계단 밑에 두었어. 아무에게도 말하지 마.",
        "정말 아무도 못 봤어?",
        "늙은 정원사만 봤는데 눈이 거의 안 보여.",
        "그럼 오늘 밤은 안전하겠네.",
        "경비병은 자정에 교대해. 그때까지 기다리자.",
        "내가 등불을 가져갈게.",
        "불은 안 돼. 탑에서 보일 거야.",
        "문이 잠겨 있으면?",
        "그럼 서재 창문으로 들어가면 돼.",
        "너를 믿어.",
        "지도를 잃어버리지 마. 네 형이 직접 그렸어.",
    ),
    "ja": (
        "銀の鍵はどこに置いたの？",
        "三段目の階段の下だ。誰にも言うな。",
        "本当に誰にも見られなかった？",
        "年寄りの庭師だけだ。ほとんど目が見えない。",
        "それなら今夜は安全ね。",
        "衛兵は真夜中に交代する。それまで待とう。",
        "私がランタンを持っていく。",
        "明かりはだめだ。塔から見える。",
        "扉が閉まっていたら？",
        "図書室の窓から入ればいい。",
        "信じてる。",
        "地図をなくすな。君の兄が自分で描いたんだ。",
    ),
    "zh": (
        "你把银钥匙放在哪里了？",
        "在第三级台阶下面。不要告诉任何人。",
        "你确定没人看见你吗？",
        "只有老园丁，他几乎看不见。",
        "那我们今晚就安全了。",
        "卫兵在午夜换岗。我们等到那时候。",
        "我会带上灯笼。",
        "不要点灯。他们会从塔上看见。",
        "如果门被闩上了呢？",
        "那我们就从图书馆的窗户爬进去。",
        "我相信你。",
        "别弄丢地图。那是你哥哥亲手画的。",
    ),
}
ASKED = {
    "en": Asked(
        ("What is for dinner?", "I like your hat.", "Can you help me with my homework?"),
        (("Where is the silver key hidden?", {"1", "2"}), ("Should I bring a light?", {"7", "8"})),
    ),
    "ko": Asked(
        ("저녁은 뭐 먹을까?", "고양이는 잘 지내?", "숙제 좀 도와줄래?"),
        (("은색 열쇠는 어디에 있어?", {"1", "2"}), ("경비병은 언제 교대해?", {"6"})),
    ),
    "ja": Asked(
        ("夕食は何？", "その帽子、好きだな。", "宿題を手伝ってくれる？"),
        (("銀の鍵はどこにある？", {"1", "2"}), ("衛兵はいつ交代する？", {"6"})),
    ),
    "zh": Asked(
        ("晚饭吃什么？", "我喜欢你的帽子。", "你能帮我做作业吗？"),
        (("银钥匙在哪里？", {"1", "2"}), ("卫兵什么时候换岗？", {"6"})),
    ),
}


@pytest.mark.parametrize("model", ["little-gem", "sentence-transformers/all-MiniLM-L6-v2", "somebody/else"])
def test_every_model_speaks_on_strong_evidence_and_is_silent_on_weak(model: str) -> None:
    calibration = calibration_for(model)
    assert calibration.speaks(STRONG)
    assert not calibration.speaks(WEAK)
    assert 0 < calibration.confidence(WEAK) < calibration.threshold < calibration.confidence(STRONG) < 1


def test_a_model_without_a_calibration_gets_the_generic_one_that_ignores_cosines() -> None:
    calibration = calibration_for("somebody/else")
    assert calibration == calibration_for(GENERIC)
    assert dict(zip(FEATURES, calibration.weights, strict=True))["cosine"] == 0


def test_nothing_found_is_nothing_to_say() -> None:
    assert evidence_of(QUERY, candidates(0), rank(candidates(0), signals(0))) is None
    calibration = calibration_for(GENERIC)
    assert calibration.confidence(None) == 0
    assert not calibration.speaks(None)


def test_evidence_sums_a_ranking_up() -> None:
    found = candidates(dense=[0.1, 0.8, 0.2], lexical=[0, 1.5, 3], best_possible=6.0, known_share=0.5)
    ranking = rank(found, signals())
    assert evidence_of(QUERY, found, ranking, late=0.7) == Evidence(
        cosine=pytest.approx(0.8),
        word_share=pytest.approx(0.5),
        score=float(ranking.scores.max()),
        known_share=0.5,
        unknown_name=0.0,
        named=0.0,
        stands_out=0.5,
        asked=6.0,
        size=pytest.approx(math.log(6)),
        late=0.7,
    )


def test_the_size_is_that_of_all_that_was_searched() -> None:
    found = candidates(searched=500)
    evidence = evidence_of(QUERY, found, rank(found, signals()))
    assert evidence is not None
    assert evidence.size == pytest.approx(math.log(500))


def test_the_best_by_words_stands_out_from_the_tenth() -> None:
    found = candidates(12, lexical=[*range(12)], best_possible=10.0)
    evidence = evidence_of(QUERY, found, rank(found, signals(12)))
    assert evidence is not None
    assert evidence.stands_out == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("named", "names", "figure"), [(True, True, 1), (True, False, 1), (False, True, -1), (False, False, 0)]
)
def test_it_speaks_for_an_answer_that_a_speaker_is_named_and_against_it_that_others_are(
    named: bool, names: bool, figure: float
) -> None:
    query = replace(QUERY, names=((1,),) if names else ())
    found = candidates()
    evidence = evidence_of(query, found, rank(found, signals(speaker_named=[False, named, False])))
    assert evidence is not None
    assert evidence.named == figure


def test_a_chat_that_has_just_begun_is_not_silent() -> None:
    scope = Scope(user="ana", character="Cassian")
    said = ["Where did you put the silver key?", "Under the third step.", "The soup is leek again."]
    with RoleplayMemory(":memory:") as memory:
        memory.add_turns(scope, [Turn(text, speaker="Cassian", role="character") for text in said])
        assert memory.recall("Where is the key?", scope, min_score="auto")
        assert not memory.recall("What is the capital of Mongolia?", scope, min_score="auto")


@pytest.mark.parametrize("model", ["little-gem", "somebody/else"])
def test_a_small_chat_must_be_surer_by_as_much_as_its_size_says_for_it(model: str) -> None:
    calibration = calibration_for(model)
    evidence = [replace(STRONG, size=math.log(turns)) for turns in (6, 12, FEW, 10 * FEW)]
    least = [calibration.least(each) for each in evidence]
    assert 0.4 > least[0] > least[1] > least[2] == pytest.approx(calibration.threshold)
    assert least[3] == least[2]
    assert calibration.confidence(evidence[0]) > calibration.confidence(evidence[1])
    doubtful = [replace(WEAK, unknown_name=0.0, score=score / 8) for score in range(80)]
    for each in doubtful:
        dozen, two_dozen = replace(each, size=math.log(12)), replace(each, size=math.log(FEW))
        assert calibration.speaks(dozen) == calibration.speaks(two_dozen)
    assert len({calibration.speaks(each) for each in doubtful}) == 2


@pytest.fixture(scope="module", params=["en", "ko", "ja", "zh"])
def dozen(request: pytest.FixtureRequest) -> Iterator[tuple[RoleplayMemory, Asked]]:
    """A memory of a dozen turns about a key, and what is asked of it."""
    language: str = request.param
    embedder = None if language == "en" else Embedder(MULTILINGUAL)
    with RoleplayMemory(":memory:", embedder=embedder) as memory:
        said = [
            Turn(text, speaker="Ana" if number % 2 else "Cassian", role="character", source_id=str(number))
            for number, text in enumerate(DOZENS[language], 1)
        ]
        memory.add_turns(SCOPE, said)
        yield memory, ASKED[language]


def test_a_dozen_turns_are_silent_about_something_else(dozen: tuple[RoleplayMemory, Asked]) -> None:
    memory, asked = dozen
    for text in asked.elsewhere:
        found = memory.recall(text, SCOPE, min_score="auto", explain=True)
        assert not found.hits, text
        assert found.confidence < found.threshold


def test_a_dozen_turns_tell_the_first_and_the_second_answer(dozen: tuple[RoleplayMemory, Asked]) -> None:
    memory, asked = dozen
    for text, answers in asked.here:
        hits = memory.recall(text, SCOPE, min_score="auto")
        assert {hit.memory.source_id for hit in hits[: len(answers)]} == answers, text
        # what SillyTavern and RisuAI leave out where only sure memories are wanted
        assert hits[len(answers) - 1].confidence >= min(0.1, hits[0].confidence / 2), text


def test_a_query_without_words_divides_by_nothing() -> None:
    found = candidates(best_possible=0.0)
    evidence = evidence_of(QUERY, found, rank(found, signals()))
    assert evidence is not None
    assert evidence.word_share == 0
    assert evidence.stands_out == 0


def test_a_calibration_fitted_with_late_interaction_is_for_that_alone() -> None:
    with_late = calibration_for("oakleaf", late=True)
    assert dict(zip(FEATURES, with_late.weights, strict=True))["late"] > 0
    assert with_late.speaks(STRONG)
    assert not with_late.speaks(WEAK)
    assert calibration_for("oakleaf") == calibration_for(GENERIC)


def test_extreme_evidence_does_not_overflow() -> None:
    hit = HitCalibration(intercept=0.0, weights=(0.0,) * len(FEATURES), behind=-1e6)
    calibration = Calibration(
        intercept=0.0, weights=(1e6, *(0.0,) * (len(FEATURES) - 1)), threshold=0.5, hit=hit
    )
    assert calibration.confidence(STRONG) == pytest.approx(1)
    against = Calibration(intercept=-1e6, weights=(0.0,) * len(FEATURES), threshold=0.5, hit=hit)
    assert against.confidence(STRONG) == pytest.approx(1 / (1 + math.exp(60)), rel=1e-9, abs=0)
    assert [hit.judge(STRONG)(score) for score in (12.0, 1e9, -1e9)] == pytest.approx([0.5, 1.0, 0.0])
    assert hit.judge(None)(3.0) == 0


@pytest.mark.parametrize("model", ["little-gem", "sentence-transformers/all-MiniLM-L6-v2", "somebody/else"])
def test_a_hit_is_the_surer_the_higher_its_score_and_the_stronger_the_evidence(model: str) -> None:
    hit = calibration_for(model).hit
    strong = list(map(hit.judge(STRONG), (12.0, 9.0, 3.0)))
    weak = list(map(hit.judge(WEAK), (1.0, 0.5, -3.0)))
    for confidences in (strong, weak):
        assert 1 > confidences[0] > confidences[1] > confidences[2] > 0
    assert strong[0] > 3 * weak[0]
