"""Synthetic questions about the turns of a dialogue, as somebody asks later who remembers half of it.

A question names the speaker, keeps one to four of the turn's rarer words, some in another form, and leaves
out the rest; its question word follows what the turn holds (a time, a number, a place, a reason). Some
questions are a clause of the turn in the third person with words missing.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from romaine.memory.language import is_stop_word, stem_of
from romaine.train.cleaning import words_of

_TIME_WORDS = """
yesterday today tomorrow tonight week weeks month months year years weekend monday tuesday wednesday
thursday friday saturday sunday january february march april june july august september october
november december morning evening night summer winter spring fall recently ago soon later last next
"""
_TIMES = frozenset(_TIME_WORDS.split())

_NUMBER_WORDS = """
two three four five six seven eight nine ten eleven twelve twenty thirty hundred several couple
"""
_NUMBERS = frozenset(_NUMBER_WORDS.split())

_REASONS = frozenset(("because", "since", "so"))
_CHATTER_WORDS = """
actually bye dont especially ever fun getting glad good got great guess haha hello hey hi hmm im
know like lol lot lots love make maybe much nice nope oh ok okay one please pretty really right said
say see sorry sounds sure thanks thank that's thats thing things think um want way welcome well wow
yeah yep yes
"""
_CHATTER = frozenset(_CHATTER_WORDS.split())

_PLACE = re.compile(r"\b(?:in|at|to|from|near) (?:the )?([A-Z][a-z]+)")

_FRAMES = {
    "time": (
        "When did {s} {w}?",
        "When is {s} going to {w}?",
        "How long ago did {s} {w}?",
        "What day did {s} {w}?",
        "When was {s}'s {w}?",
    ),
    "number": (
        "How many {w} does {s} have?",
        "How many {w} did {s} mention?",
        "How long has {s} {w}?",
        "How often does {s} {w}?",
        "How much {w} did {s} {w2}?",
    ),
    "place": (
        "Where did {s} {w}?",
        "Where is {s}'s {w}?",
        "Where does {s} {w}?",
        "Where has {s} been to {w}?",
    ),
    "reason": (
        "Why did {s} {w}?",
        "Why does {s} {w}?",
        "What made {s} {w}?",
        "What is {s}'s reason for {w}?",
    ),
    "any": (
        "What did {s} say about {w}?",
        "What does {s} think of {w}?",
        "How does {s} feel about {w}?",
        "What did {s} {w}?",
        "What does {s} {w}?",
        "What kind of {w} does {s} like?",
        "Which {w} does {s} prefer?",
        "Who did {s} {w} with?",
        "Did {s} {w}?",
        "Does {s} {w}?",
        "Has {s} {w}?",
        "What is {s}'s {w}?",
        "Who is {s}'s {w}?",
        "What did {s} tell {o} about {w}?",
        "Would {s} {w}?",
        "How did {s} {w}?",
        "What happened when {s} {w}?",
        "What does {s} do for {w}?",
        "What {w} does {s} have?",
        "What inspired {s} to {w}?",
        "{s} {w}",
        "{w}?",
        "Who {w}?",
        "What is {w}?",
    ),
}
_LEADS = ("", "", "Did ", "What did ", "Who ", "When ", "Why did ", "How did ")

_CLOZE = 0.2  # share of questions that are a clause with words missing
_TOGETHER = 0.5  # share whose words stand side by side in the turn
_OTHER_FORM = 0.35  # share of words put in another form
_FROM_BEFORE = 0.2  # share that take one word from the turn before
_LEAST_RARITY = 10.0  # summed inverse document frequency of a turn worth asking about
_LEAST_KEPT = 4.5  # the same of the words a question keeps


class QuestionMaker:
    """Asks about turns; knows how common words are and which other forms they have.

    Args:
        texts: Running text to learn both from.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        counts: Counter[str] = Counter()
        total = 0
        for text in texts:
            counts.update(set(words_of(text)))
            total += 1
        self._rarity = {word: float(np.log(total / (1 + count))) for word, count in counts.items()}
        self._unseen = float(np.log(max(total, 2)))
        self._forms: dict[str, list[str]] = defaultdict(list)
        for word in counts:
            if word.isascii() and word.isalpha():
                self._forms[stem_of(word)].append(word)

    def ask(
        self, text: str, *, speaker: str, other: str, before: str | None, rng: np.random.Generator
    ) -> str | None:
        """A question that the turn `text` of `speaker` answers, or None if there is too little in it.

        Some take a word from the turn `before`.
        """
        words = words_of(text)
        content = [word for word in dict.fromkeys(words) if _is_content(word)]
        if len(content) < 2 or sum(map(self._rareness, content)) < _LEAST_RARITY:
            return None
        if rng.random() < _CLOZE:
            return self._cloze(words, speaker, other, rng)
        frames, dropped = _frames_for(text, words, rng)
        content = [word for word in content if word not in dropped and not word.isdigit()]
        picked = self._pick(content, rng)
        if sum(map(self._rareness, picked)) < _LEAST_KEPT:
            return None
        if before and rng.random() < _FROM_BEFORE:
            picked += self._pick([w for w in words_of(before) if _is_content(w)], rng, most=1)
        picked = [self._varied(word, rng) for word in picked]
        frame = frames[rng.integers(len(frames))]
        if "{w2}" in frame:
            return frame.format(s=speaker, o=other, w=picked[0], w2=" ".join(picked[1:]))
        return frame.format(s=speaker, o=other, w=" ".join(picked))

    def _rareness(self, word: str) -> float:
        return max(self._rarity.get(word, self._unseen), 0.0)

    def _pick(self, content: Sequence[str], rng: np.random.Generator, *, most: int = 4) -> list[str]:
        """One to four words, rare ones more often, in the order of the turn."""
        if not content:
            return []
        weights = np.array([self._rareness(word) ** 1.5 + 1e-3 for word in content])
        weights /= weights.sum()
        count = min(len(content), most, int(rng.choice((1, 2, 2, 2, 3, 3, 4))))
        if rng.random() < _TOGETHER:
            start = min(int(rng.choice(len(content), p=weights)), len(content) - count)
            return list(content[start : start + count])
        chosen = sorted(rng.choice(len(content), size=count, replace=False, p=weights).tolist())
        return [content[index] for index in chosen]

    def _varied(self, word: str, rng: np.random.Generator) -> str:
        if rng.random() >= _OTHER_FORM:
            return word
        others = [form for form in self._forms.get(stem_of(word), ()) if form != word]
        return others[rng.integers(len(others))] if others else word

    def _cloze(self, words: Sequence[str], speaker: str, other: str, rng: np.random.Generator) -> str | None:
        start = int(rng.integers(max(1, len(words) - 6)))
        span = words[start : start + int(rng.integers(5, 15))]
        if not any(map(_is_content, span)):
            return None
        people = _people(speaker, other)
        kept = []
        for word in span:
            if rng.random() < (0.25 if _is_content(word) else 0.6):
                continue
            kept.append(people.get(word) or (self._varied(word, rng) if _is_content(word) else word))
        if len(kept) < 2:
            return None
        lead = _LEADS[rng.integers(len(_LEADS))]
        named = speaker in kept or rng.random() < 0.3
        return f"{lead}{'' if named else speaker + ' '}{' '.join(kept)}"


def _is_content(word: str) -> bool:
    return len(word) > 1 and not is_stop_word(word) and word not in _CHATTER and "'" not in word


def _people(speaker: str, other: str) -> dict[str, str]:
    """Who is meant by the pronouns of the speaker."""
    own = dict.fromkeys(("i", "i'm", "i've", "i'd", "i'll", "me", "myself"), speaker)
    theirs = dict.fromkeys(("you", "you're", "you've"), other)
    return own | theirs | {"my": f"{speaker}'s", "mine": f"{speaker}'s", "your": f"{other}'s"}


def _frames_for(
    text: str, words: Sequence[str], rng: np.random.Generator
) -> tuple[tuple[str, ...], frozenset[str]]:
    """Frames that ask for what the turn holds, and the words that would give the answer away."""
    found = frozenset(words)
    if found & _TIMES and rng.random() < 0.6:
        return _FRAMES["time"], _TIMES
    if (found & _NUMBERS or any(word.isdigit() for word in words)) and rng.random() < 0.4:
        return _FRAMES["number"], _NUMBERS
    places = frozenset(place.lower() for place in _PLACE.findall(text))
    if places and rng.random() < 0.4:
        return _FRAMES["place"], places
    if found & _REASONS and rng.random() < 0.4:
        return _FRAMES["reason"], _REASONS
    return _FRAMES["any"], frozenset()
