"""What a play draws: scopes, texts, witnesses and turns, by chance that the step's seed decides."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from romaine.memory import Memory, Scope, Turn

from .oracle import Model

WORDS = {"ana": "anavox", "bo": "bomiru", "cy": "cyteln"}
"""Users, and the word that each of a user's texts holds."""
CHARACTERS = (None, "Mira", "Odo")
START = datetime(2025, 1, 1, tzinfo=timezone.utc)


class Drawing:
    """Draws from what the model holds."""

    model: Model
    _step: int

    def _scope(self, chance: random.Random) -> Scope:
        (user,) = chance.choices(list(WORDS), [6, 3, 1])
        scopes = self._scopes(user)
        rooms = [m.scope for held in self.model.said.values() for m in (e.memory for e in held)]
        forks = [Scope(user=fork[0], chat=fork[1], character=fork[2]) for fork in self.model.shared]
        busy = [scope for scope in scopes if scope in rooms or scope in forks]
        return chance.choice(busy if busy and chance.random() < 0.6 else scopes)

    def _scopes(self, user: str) -> list[Scope]:
        forks = sorted({fork[1] for fork in self.model.shared if fork[0] == user})
        imports = sorted(str(room[1]) for room in self.model.said if room[0] == user and room[1])
        chats = [None, *dict.fromkeys(["t0", "t1", "t0", *forks, *forks, *imports])]
        return [Scope(user=user, character=who, chat=chat) for chat in chats for who in CHARACTERS]

    def _seen(self, scope: Scope, *, witnessed: bool = True) -> list[Memory]:
        return [entry.memory for entry in self.model.entries(scope, witnessed=witnessed)]

    def _whole_chat(self, user: str, chat: str) -> list[Any]:
        shared = [entries for fork, entries in self.model.shared.items() if fork[:2] == (user, chat)]
        return [entry for entries in (self.model.said.get((user, chat), []), *shared) for entry in entries]

    def _sources(self, user: str) -> set[str]:
        lists = (*self.model.said.items(), *self.model.shared.items())
        return {
            e.memory.source_id for key, held in lists if key[0] == user for e in held if e.memory.source_id
        }

    @staticmethod
    def _has(scope: Scope, memory: Memory) -> bool:
        return memory.scope.character == scope.character and (
            (memory.scope.chat is None) == (scope.chat is None)
        )

    @staticmethod
    def _witnesses(chance: random.Random, scope: Scope, owner: str | None = None) -> Sequence[str]:
        """Who knows; one whose own memory it is always does."""
        if chance.random() < 0.6:
            return []
        names = set(chance.sample(["Mira", "Odo", "Pim"], chance.randint(1, 2)))
        return sorted(names | {name for name in (scope.character, owner) if name is not None})

    def _turn(self, chance: random.Random, scope: Scope, source_id: str | None) -> Turn:
        parents = [m.source_id for m in self._seen(scope) if m.source_id and m.source_id != source_id]
        return Turn(
            self._text(chance, scope),
            speaker=chance.choice(["Ana", "Mira", "Odo"]),
            role=chance.choice(["user", "character"]),
            at=START + timedelta(seconds=self._step, milliseconds=chance.randrange(1000)),
            source_id=source_id,
            parent_id=chance.choice(parents) if parents and chance.random() < 0.15 else None,
            metadata=chance.choice([None, None, self._metadata(chance, scope)]),
        )

    @staticmethod
    def _text(chance: random.Random, scope: Scope) -> str:
        syllables = ["ka", "zor", "mil", "tep", "rin", "dol", "fash", "gu", "bex", "lo", "wim", "sar"]
        words = ["".join(chance.choices(syllables, k=3)) for _ in range(5)]
        return " ".join([WORDS[scope.user], *words])

    @staticmethod
    def _metadata(chance: random.Random, scope: Scope) -> dict[str, Any]:
        return {"note": WORDS[scope.user], "n": chance.randrange(9)} if chance.random() < 0.4 else {}

    @staticmethod
    def _validity(chance: random.Random) -> dict[str, Any]:
        start = chance.choice([None, 0, 2, 5])
        return {"valid_from": start, "valid_to": chance.choice([None, (start or 0) + chance.randint(0, 9)])}

    def _tokens(self, text: str) -> int:
        return self.embedder.with_dim(None).count_tokens([text])[0]
