from __future__ import annotations

import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings

from romaine.embedder import Embedder
from romaine.errors import MissingExtraError
from romaine.memory import RoleplayMemory, Scope
from romaine.memory.language import DEFAULT, analyzer_named
from romaine.memory.language.korean import KoreanAnalyzer
from tests.memory.conftest import said
from tests.memory.language.test_default import ANY

KOREAN = analyzer_named("korean")


@pytest.mark.parametrize(
    ("text", "stems"),
    [
        ("열쇠를 어디에 숨겼어?", ["열쇠", "숨기"]),
        ("숨긴 열쇠", ["숨기", "열쇠"]),
        ("She said 고양이가 잤다!", ["고양이", "자"]),
        ("The silver key", []),
        ("", []),
    ],
)
def test_korean_has_its_stems_besides(text: str, stems: list[str]) -> None:
    assert KOREAN.terms(text) == DEFAULT.terms(text) + [f"={stem}" for stem in stems]
    assert [word.token for word in KOREAN.words(text)[len(DEFAULT.words(text)) :]] == stems


def test_verbs_are_found_in_any_form() -> None:
    asked = {form for word in KOREAN.words("뭘 도왔어?") if not word.is_stop for form in word.forms}
    assert not asked.isdisjoint(KOREAN.terms("내가 도와줄게."))
    assert {form for word in DEFAULT.words("뭘 도왔어?") for form in word.forms}.isdisjoint(
        DEFAULT.terms("내가 도와줄게.")
    )


@pytest.mark.filterwarnings("ignore::romaine.UnfamiliarTextWarning")
def test_a_file_names_it(path: Path, gem: Embedder, scope: Scope) -> None:
    with RoleplayMemory(path, embedder=gem, analyzer="korean") as memory:
        memory.add_turns(scope, [said("그때 네가 도와줬잖아.", "1"), said("고양이는 지붕에서 잔다.", "2")])
    with RoleplayMemory(path, embedder=gem) as memory:
        assert memory.analyzer is KOREAN
        assert memory.recall("누가 도왔어?", scope, k=1)[0].memory.source_id == "1"


@settings(deadline=None, max_examples=50)
@given(ANY)
def test_any_text_gives_the_same_terms_again_whatever_form_it_is_in(text: str) -> None:
    terms = KOREAN.terms(text)
    assert KOREAN.terms(text) == terms
    assert KOREAN.terms(unicodedata.normalize("NFD", text)) == KOREAN.terms(
        unicodedata.normalize("NFC", text)
    )
    KOREAN.words(text)


def test_threads_share_it() -> None:
    texts = [f"{number}번 열쇠를 지하실에 숨겼다고 말했어" for number in range(200)]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(KOREAN.terms, texts)) == [KOREAN.terms(text) for text in texts]


def test_it_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kiwipiepy", None)
    fresh = KoreanAnalyzer()
    assert fresh.terms("The key") == DEFAULT.terms("The key")
    with pytest.raises(MissingExtraError, match=r"pip install 'romaine\[korean\]'"):
        fresh.terms("열쇠")
