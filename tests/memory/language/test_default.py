from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from romaine.errors import UnknownNameError
from romaine.memory.language import DEFAULT, Analyzer, DefaultAnalyzer, is_stop_word, stem_of
from romaine.memory.language.analyzer import number
from romaine.memory.language.latin import LANGUAGES

WORDS = (
    "the",
    "key",
    "is",
    "under",
    "a",
    "step",
    "go",
    "take",
    "one",
    "die",
    "hat",
    "war",
    "wo",
    "ist",
    "und",
)
MIXED = st.text(
    alphabet="aeinrstdhou éüßñçşığłđ ёйключи ά;ό 鍵水は がカ 열쇠를물 กุญแจ हिन्दी ?.’ABΣİ\u0301\u3099",
    max_size=40,
)
ANY = st.one_of(st.text(alphabet=st.characters(), max_size=60), MIXED)


def finds(query: str, text: str) -> bool:
    """Whether all words that a query is after are in a text."""
    words = DEFAULT.words(query)
    content = [word for word in words if not word.is_stop] or words
    terms = set(DEFAULT.terms(text))
    return all(not terms.isdisjoint(word.forms) for word in content)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The silver KEY!", ["the", "silver", "kei"]),
        ("Café naïve Ångström", ["cafe", "naiv", "angstrom"]),
        ("don't stop_words", ["don", "t", "stop", "word"]),
        ("don’t", ["don", "t"]),
        ("room 101", ["room", "101"]),
        ("東京タワー", ["東京", "東", "京", "タワ", "ワー"]),
        ("水", ["水"]),
        ("ｶﾞ が", ["ガ", "が"]),
        ("a\x00b\ud800c", ["a", "b", "c"]),
        ('"key" OR (NOT *) NEAR/2', ["kei", "or", "not", "near", "2"]),
        ("", []),
    ],
)
def test_what_a_text_is_found_by(text: str, terms: list[str]) -> None:
    assert [term for term in DEFAULT.terms(text) if term[0] != "~"] == terms


@pytest.mark.parametrize(
    ("query", "text"),
    [
        # English
        ("Where are the keys?", "I hid a key."),
        # one word and names, which no language can be told of
        ("Schlüssel", "Er hat die Schlüsseln verloren."),
        ("Hund", "Die Hunde bellen im Hof."),
        ("Anna", "Anna hat gesagt, dass sie kommt."),
        ("Where is Anna?", "Anna ist nach Hause gegangen, weil sie müde war."),
        ("Who is Cassian?", "Und dann ist Cassian nicht gekommen."),
        # German
        ("Wo ist der Schlüssel?", "Er hat die Schlüsseln verloren."),
        ("Wo ist der Schlüssel?", "Schlüssel!"),
        ("Wer hat den Hund gesehen?", "Ich habe die Hunde gesehen."),
        ("Wohnt er in der Strasse?", "Er wohnt in der STRAẞE, wohnt da lange."),
        # French, with and without what is hard to type
        ("Où sont les clés ?", "La clé est sous la marche."),
        ("Ou est la cle ?", "Les clés sont dans la boîte."),
        # Spanish, Italian, Portuguese, Dutch, Polish, Turkish
        ("¿Dónde están las llaves?", "La llave está debajo de la escalera."),
        ("Dove sono i libri?", "Ho perso il libro nel giardino."),
        ("Onde estão as chaves?", "A chave não está aqui, foi para o jardim."),
        ("Waar zijn de sleutels?", "Hij heeft de sleutel niet meer."),
        ("Gdzie jest książka?", "Nie ma już tej książki."),
        ("Kediler nerede?", "Kedi bahçede değil, çünkü o evde."),
        # Vietnamese and Indonesian
        ("Chìa khóa ở đâu?", "Tôi để chìa khóa ở dưới bậc thứ ba."),
        ("Ấm trà đâu rồi?", "Cái ÂM TRÀ nằm trên bàn."),
        ("Di mana kuncinya?", "Aku menyimpan kunci itu di bawah tangga."),
        # Russian, Ukrainian, Greek, Arabic
        ("Где ключи?", "Она потеряла ключ от дома."),
        ("Кто видел ёжика?", "Ежик видел луну, и она видела ежика."),
        ("Де ключ?", "Вона загубила ключ."),
        ("Πού είναι τα κλειδιά;", "Έχασα το κλειδί."),
        ("Ποῦ εἶναι οἱ ἄνθρωποι;", "Είδα τους ἀνθρώπους στο λιμάνι."),
        ("أين المفتاح؟", "لقد فقدت مفتاح البيت"),
        # Japanese, Chinese, Korean, Thai, Hindi
        ("鍵はどこですか", "鍵を箱に入れた。"),
        ("ガラスの靴は？", "ガラスの靴をなくした。"),
        ("我的猫在哪里？", "她养了一只猫。"),
        ("钥匙呢？", "他把钥匙丢了。"),
        ("열쇠는 어디에 있어?", "열쇠를 잃어버렸어요."),
        ("열쇠가 어디 있나요?", "그 열쇠로 문을 열었다."),
        ("물 어디?", "나는 물을 마셨다."),
        ("กุญแจ", "กุญแจอยู่บนโต๊ะ"),
        ("हिन्दी", "मैंने हिन्दी सीखी"),
        # in one message
        ("Where is the 열쇠?", "Cassian said: 열쇠를 찾았다!"),
        ("Wo ist Натальи Schlüssel?", "Наталья hat die Schlüsseln nicht."),
    ],
)
def test_a_question_finds_what_answers_it(query: str, text: str) -> None:
    assert finds(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("かき", "がぎ"),
        ("カラス", "ガラス"),
        ("Where are the notes?", "I do not know."),
        ("война", "воин"),
        ("Wo ist der Schlüssel?", "Wo ist der Hund?"),
    ],
)
def test_other_words_stay_other_words(query: str, text: str) -> None:
    assert not finds(query, text)


@pytest.mark.parametrize(
    ("query", "content"),
    [
        ("Where is the key, the keys?", ["key", "keys"]),
        ("Wo ist der Schlüssel?", ["schlussel"]),
        ("Où est la clé ?", ["cle"]),
        ("Где ключи?", ["ключи"]),
        ("Chìa khóa ở đâu vậy?", ["chia", "khoa"]),
        ("Ở đâu ấy?", []),
        ("Siapa yang menyimpan kuncinya?", ["menyimpan", "kuncinya"]),
        ("鍵はどこですか", ["鍵"]),
        ("钥匙在哪里？", ["钥匙", "钥", "匙"]),
        ("열쇠는 어디에 있어?", ["열쇠"]),
        ("그거 누구한테 있는지 알려줘", []),
        ("Who are you", []),
        ("take solo gold", ["take", "solo", "gold"]),
    ],
)
def test_stop_words_say_nothing(query: str, content: list[str]) -> None:
    assert [word.token for word in DEFAULT.words(query) if not word.is_stop] == content


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Where did Cassian hide it?", ["cassian"]),
        ("Cassian hid it. Then Ana found it.", ["ana"]),
        ('He said: "Run to New York!"', ["new", "york"]),
        ("¿Dónde está? ¿Quién vio a Cassian?", ["cassian"]),
        ("I think I'm lost", []),
        ("where is cassian", []),
        # in German every noun has a capital
        ("Wo ist der Schlüssel?", []),
        ("Wann hat der Müller die Katze gesehen?", []),
        ("Где живёт Наталья?", ["наталья"]),
        ("Hôm qua Ấu Lăng nói gì?", ["au", "lang"]),
        ("Apa yang dikatakan Cassian?", ["cassian"]),
        ("鍵はどこ？", []),
    ],
)
def test_names_are_capitalised_inside_a_sentence(text: str, names: list[str]) -> None:
    assert [word.token for word in DEFAULT.words(text) if word.is_name and not word.is_stop] == names


@pytest.mark.parametrize(
    ("text", "name", "is_named"),
    [
        ("What did Cassian's sister say?", "Cassian Vale", True),
        ("Anatomy", "Ana", False),
        ("Two marks were missing", "Mark", False),
        ("Где сестра Наташи?", "Наташа", True),
        ("Was hat Annas Schwester gesagt?", "Anna", True),
        ("지영이가 뭐라고 했어?", "김지영", True),
        ("さくらは何と言った？", "さくら", True),
    ],
)
def test_a_speaker_is_named_in_any_form(text: str, name: str, is_named: bool) -> None:
    assert (not DEFAULT.name_keys(text).isdisjoint(DEFAULT.name_keys(name))) == is_named


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("Really?", True),
        ("本当？", True),
        ("حقا؟", True),
        ("Πού είναι;", True),
        ("I came; I saw.", False),
        ("鍵はどこですか。", True),
        ("你好吗", True),
        ("어디 있습니까.", True),
        ("비가 오니까 가자.", False),
        ("行きますから", False),
        ("", False),
    ],
)
def test_questions_are_told(text: str, asks: bool) -> None:
    assert DEFAULT.asks(text) == asks


def test_a_language_that_is_told_is_not_guessed() -> None:
    said = "Hunde"  # nothing tells that this is German
    assert "~hund" not in DEFAULT.terms(said)
    german = DefaultAnalyzer(language="de")
    assert german.id == "default-de"
    assert "~hund" in german.terms(said)
    assert german.numbers("Die Hunde") == [number(term) for term in german.terms("Die Hunde")]
    (word,) = german.words("Hund")
    assert not {*word.forms}.isdisjoint(german.terms(said))
    assert [word.is_stop for word in german.words("war die hat")] == [True] * 3
    english = DefaultAnalyzer(language="en")
    assert english.terms("Er hat die Schlüsseln") == ["er", "hat", "die", "schlusseln"]


def test_only_languages_in_latin_script_have_to_be_told() -> None:
    with pytest.raises(UnknownNameError, match="told by their script"):
        DefaultAnalyzer(language="ko")


def test_english_has_no_marked_terms() -> None:
    for text in (
        "Take care, and go home!",
        "Ok, one more?",
        "Die, monster!",
    ):
        assert not any(term.startswith("~") for term in DEFAULT.terms(text))
    assert all(len(word.forms) == 1 for word in DEFAULT.words("Where did she put the notes?"))


def test_a_text_of_another_language_keeps_the_terms_it_would_have_as_english() -> None:
    terms = DEFAULT.terms("Er hat die Schlüsseln verloren")
    assert [term for term in terms if term[0] != "~"] == ["er", "hat", "die", "schlusseln", "verloren"]
    assert "~schlussel" in terms


def test_a_word_by_itself() -> None:
    assert stem_of("running") == "run"
    assert is_stop_word("the")
    assert not is_stop_word("take")


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_is_told_by_its_function_words(code: str) -> None:
    language = LANGUAGES[code]
    text = " ".join(sorted(language.function_words))
    forms = {form for word in DEFAULT.words(text) for form in word.forms}
    assert all(word.is_stop for word in DEFAULT.words(text))
    assert any(form.startswith("~") for form in forms) == (code not in {"en", "vi"})


@settings(deadline=None)
@given(ANY)
def test_any_text_gives_the_same_terms_again_whatever_form_it_is_in(text: str) -> None:
    terms = DEFAULT.terms(text)
    assert DEFAULT.terms(text) == terms
    assert all(terms)
    for form in ("NFC", "NFD"):
        assert DEFAULT.terms(unicodedata.normalize(form, text)) == DEFAULT.terms(
            unicodedata.normalize("NFC", text)
        )
    assert DEFAULT.numbers(text) == [number(term) for term in terms] == Analyzer.numbers(DEFAULT, text)
    DEFAULT.asks(text)


@settings(deadline=None)
@given(ANY)
def test_any_text_finds_itself(text: str) -> None:
    words = DEFAULT.words(text)
    terms = set(DEFAULT.terms(text))
    assert all(word.forms for word in words)
    joined = [word for word in words if word.token in terms]  # a phrase may cut a pair of characters in two
    assert not words or not terms or joined or any(not terms.isdisjoint(word.forms) for word in words)


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS)))
def test_numbers_are_made_quickly_but_the_same(words: list[str]) -> None:
    text = " ".join(words)
    assert DEFAULT.numbers(text) == Analyzer.numbers(DEFAULT, text)
