"""What many users said, and questions about it, for `postgres.py`."""

from __future__ import annotations

import gzip
import itertools
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from texts import chat_turns

from romaine import Scope, Turn
from romaine.formats.locomo import Conversation

COLD_TURNS = 1_000
_NAMES = ("Ana", "Cassian")


def scope_of(user: str) -> Scope:
    return Scope(user=user, character="Cassian", chat="tavern")


def said(texts: Sequence[str], first: int = 0) -> list[Turn]:
    return [
        Turn(text, speaker=_NAMES[n % 2], role=("user", "character")[n % 2], source_id=str(n))
        for n, text in enumerate(texts, first)
    ]


def dialogue_texts(path: str | None, count: int) -> list[str]:
    """So many turns, in the order in which they were said; from the beginning again if there are fewer."""
    if path is None:
        return chat_turns(count, seed=1)
    found: list[str] = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            found += [text for _, text in json.loads(line)["turns"] if text.strip()]
            if len(found) >= count:
                break
    return list(itertools.islice(itertools.cycle(found), count))


def question_about(text: str, chance: random.Random) -> str:
    """A question with some words of a turn."""
    words = text.split()
    at = chance.randrange(max(1, len(words) - 5))
    start = chance.choice(("What was it about", "Who said", "Do you remember"))
    return f"{start} {' '.join(words[at : at + 5])}?"


@dataclass
class Bench:
    """What is asked: users with their texts, scopes nobody asks before, conversations with questions."""

    users: dict[str, list[str]]
    cold: dict[str, list[str]]
    conversations: list[Conversation]

    def everything(self) -> Iterator[tuple[str, list[Turn]]]:
        """All users and what they said."""
        for user, texts in (*self.users.items(), *self.cold.items()):
            yield user, said(texts)
        for number, conversation in enumerate(self.conversations):
            yield f"talk {number}", [turn for turn in conversation.turns if turn.text.strip()]

    def few(self, count: int, seed: int) -> Bench:
        """Some of its users, so that a worker need not load all."""
        users = random.Random(seed).sample(list(self.users.items()), min(count, len(self.users)))
        return Bench(dict(users), {}, [])

    def questions(self, count: int, seed: int) -> list[tuple[str, str]]:
        """Users, a few times each in a row, and what they ask."""
        chance = random.Random(seed)
        chosen = chance.choices(list(self.users), k=count)
        return [(user, question_about(chance.choice(self.users[user]), chance)) for user in chosen]
