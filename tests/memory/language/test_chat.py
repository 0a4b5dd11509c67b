from __future__ import annotations

import pytest

from romaine.evaluate.probes import load_probes, probe_languages
from romaine.memory.language import language_of


@pytest.mark.parametrize("language", probe_languages())
def test_the_language_of_a_chat_is_told(language: str) -> None:
    probes = load_probes(language)
    assert all(language_of([turn.text for turn in chat.turns]) == language for chat in probes.chats)
    assert language_of([pair.first for pair in probes.pairs]) == language


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        ([], "en"),
        (["..."], "en"),
        (["Hello", "Where did you hide the key?", "アリス smiles."], "en"),
        (["Wo ist der Schlüssel?", "Ich habe ihn nicht.", "OK"], "de"),
        (["Chìa khóa ở đâu?", "Tôi không biết."], "vi"),
        (["Ключ під третьою сходинкою, її ніхто не бачив."], "uk"),
        (["彼は東京大学文学部国語研究室の助手だ。"], "ja"),
        (["他是北京大学的学生。"], "zh"),
        (["지영: 열쇠 찾았어! (OK lol)", "응"], "ko"),
        (["Πού είναι το κλειδί;"], "el"),
    ],
)
def test_scripts_and_words_tell_it(texts: list[str], language: str) -> None:
    assert language_of(texts) == language


def test_a_sample_of_many_texts_is_looked_at() -> None:
    assert language_of(["Hm."] * 2 + ["열쇠를 찾았어"] * 100_000) == "ko"
