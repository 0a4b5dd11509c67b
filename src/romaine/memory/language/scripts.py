"""Languages that their script tells: how their words are stemmed, and what says nothing in a question."""

from __future__ import annotations

import re

from romaine.memory.language.folding import fold

STEMMERS = (
    ("\u0370", "\u03ff", "greek"),
    ("\u1f00", "\u1fff", "greek"),
    ("\u0400", "\u052f", "russian"),
    ("\u0530", "\u058f", "armenian"),
    ("\u0600", "\u06ff", "arabic"),
    ("\u0900", "\u097f", "hindi"),
    ("\u0b80", "\u0bff", "tamil"),
)
"""First and last letter of a script, and the Snowball algorithm for its words, whatever their language."""


def is_latin(letter: str) -> bool:
    """Tells whether a letter is Latin, or one that all scripts have, such as a digit."""
    return letter < "\u0250" or "\u1e00" <= letter < "\u1f00"


_RUSSIAN_WORDS = """
а без бы был была были было быть в вам вас ведь во вот все всё вы где да для до его ее её если есть еще ещё
ею ж же за зачем здесь и из или им их к как какая какие какое какой когда кого ком кому кто куда ли лишь мне
меня мной мой моя мое моё мои мы на над нам нас наш не него нее неё нет ни них но ну о об он она они оно от
откуда очень по под почему при про с сам свой своя со так там твой твоя те тебе тебя то тобой тогда того тоже
только том ты у уже хотя чего чей чем что чтобы чьи чья эта эти это этого этой этом этот я
"""
_UKRAINIAN_WORDS = """
або але без був була були було бути вам вас ви він вона вони воно де для до з за звідки й із їй його її їм їх
і коли кого кому куди мене мені ми моє мої мій моя на навіщо нам нас наш не ні про та так там твій твоя ти
тобі це цей ця ці чи чий чому що щоб як яка яке який які
"""
_GREEK_WORDS = """
αν από αυτά αυτές αυτή αυτό αυτός για γιατί δεν εγώ εδώ είμαι είναι είσαι εκεί εμείς ένα ένας έχει έχω ή ήταν
η θα και κι με μας μέσα μη μην μια μου να ο οι όταν ότι που πού πόσα πόσο πότε πώς ποια ποιο ποιος πριν σας
σε στα στη στην στις στο στον στους σου τα τη την της τι τις το τον του τους των ως
"""
_ARABIC_WORDS = """
أم أن أنا أنت أو أي أين إلى إن اذا إذا التي الذي الى ان انا انت او اي اين بعد به بها بين ثم حتى ذلك على عن
عند عندما في فيه فيها قبل قد كان كانت كل كم كيف لا لك لم لماذا لن له لها لي ما ماذا متى مع من منه منها نحن
هذا هذه هل هم هو هي و ولا وما يا
"""
_HINDI_WORDS = """
आप इस इसका इसकी इसके उन उनका उनकी उनके उस उसका उसकी उसके उसने एक और कब कर कहाँ कहां का कि किस किसका किसकी
किसके किसने की के को कौन क्या क्यों गया गई गए जब जो तक तुम तुम्हारा था थी थे ने नहीं पर भी मुझे में मेरा मेरी
मेरे मैं मैंने यह या ये वह वे से हम ही हूँ हूं है हैं हो
"""
_KOREAN_WORDS = """
그 그녀 그는 그가 그녀는 그녀가 나 나는 난 너 너는 넌 내 네 내가 네가 누가 누구 누구야 누구의 뭐 뭐야 뭘 무슨
무엇 무엇을 몇 어느 어디 어디에 어디서 어디야 어디로 어떤 어떻게 언제 얼마 얼마나 왜 우리 이 저 저는 제 제가
것 수 있어 있나 있나요 있니 있어요 있습니까 입니까 인가요 이야 야 거야 했어 했나요 했니
"""

STOP_WORDS = frozenset(
    fold(word)
    for words in (_RUSSIAN_WORDS, _UKRAINIAN_WORDS, _GREEK_WORDS, _ARABIC_WORDS, _HINDI_WORDS, _KOREAN_WORDS)
    for word in words.split()
)
"""Of all scripts whose words stand apart, folded."""

_PHRASES = """
どこ だれ いつ なに なん なぜ どうして どうやって どう どの どれ どんな いくつ いくら ですか ますか でしたか
ましたか でしょうか のですか んですか ました ません です ます でした った した している いる ある 誰 何 何故
何処 什么 什麼 甚麼 哪里 哪裡 哪儿 哪個 哪个 哪 谁 怎么 怎麼 怎样 怎樣 为什么 為什麼 为何 多少 几 幾 在哪里
在哪裡 在哪儿 在哪 吗 嗎 呢 的 了 是 我 你 他 她 们 們
"""
_PHRASE = "|".join(sorted(_PHRASES.split(), key=len, reverse=True))
PHRASES = re.compile(f"({_PHRASE}|^[はがをにでともの](?=$|{_PHRASE}))")
"""Question words and grammar of Japanese and Chinese, and particles before them, in a run of one script."""

# endings that only questions have; a mark is often left out after them
ASKING_END = re.compile(
    '(?:(?:です|ます|でした|ました|でしょう|ません)か|[吗嗎]|[습입합됩갑옵십랍]니까|까요)(?=[\\s。.!！」』”"]|$)'
)
