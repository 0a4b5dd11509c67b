"""Questions put to chats: to the one that answers them, and to others that do not.

Questions whose answer is in a chat are its own; questions whose answer is not are those about the other
chats. Where chats share people, as episodes of a series do, names would tell nothing, so half of these
that name somebody who speaks here as well name a stranger instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from romaine.errors import OptionError
from romaine.evaluate.memory import ConversationMemory
from romaine.formats.locomo import Conversation, Session
from romaine.memory.language import DEFAULT

if TYPE_CHECKING:
    from romaine.embedder import Embedder

_K = 5
_TENTH = 10  # of a small chat fewer are looked at: of ten turns five hold half of all answers by chance
_OTHERS = 4  # questions about other conversations that are put to one, for each of its own
_STRANGE = 0.5  # share of these that name strangers in place of who speaks here as well
_STRANGERS = ("Ottoline", "Cosmo", "Philippa", "Ignatius", "Wilhelmina", "Barnaby", "Rosamund", "Thaddeus")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, kw_only=True)
class Trials:
    """Questions put to conversations, `n` of them.

    Attributes:
        asked_in: Number of the conversation that was searched, (n,).
        asked_about: Number of the conversation that the question belongs to, (n,).
        evidence: `Evidence` of each as an array, float64 (n, features).
        recall: Recall@5 of each, in a chat of under 50 turns that among its first tenth, 0 where the answer
            is not there, float64 (n,).
        behind: How much less than the best score each of its first five hits has, NaN for none, float64
            (n, 5).
        found: Whether that hit is evidence of it, bool (n, 5).
    """

    asked_in: NDArray[np.int64]
    asked_about: NDArray[np.int64]
    evidence: NDArray[np.float64]
    recall: NDArray[np.float64]
    behind: NDArray[np.float64]
    found: NDArray[np.bool_]

    @property
    def answerable(self) -> NDArray[np.bool_]:
        """Whether the answer is there, (n,)."""
        return np.asarray(self.asked_in == self.asked_about)

    def where(self, mask: NDArray[np.bool_]) -> Trials:
        """The trials at `mask`."""
        return Trials(**{name: values[mask] for name, values in vars(self).items()})


def gather(conversations: list[Conversation], embedder: Embedder) -> Trials:
    """Puts every question to its conversation, and to others, `_OTHERS` for each of its own."""
    asked_in, asked_about, evidence, recall, behind, right = [], [], [], [], [], []
    said = [{turn.source_id: turn.text for turn in conversation.turns} for conversation in conversations]
    for here, conversation in enumerate(conversations):
        first = min(_K, -(-len(conversation.turns) // _TENTH))
        with ConversationMemory(conversation, embedder) as memory:
            for about, text, answers in _asked_in(here, conversations, said):
                explanation = memory.explain(text, _K)
                if explanation.evidence is None:
                    continue
                found = [hit.memory.source_id for hit in explanation.hits]
                wanted = {*answers}
                asked_in.append(here)
                asked_about.append(about)
                evidence.append(explanation.evidence.to_array())
                recall.append(len(wanted.intersection(found[:first])) / max(len(wanted), 1))
                gaps = [explanation.hits[0].score - hit.score for hit in explanation.hits]
                behind.append(gaps + [np.nan] * (_K - len(gaps)))
                right.append([source in wanted for source in found] + [False] * (_K - len(gaps)))
    return Trials(
        asked_in=np.array(asked_in),
        asked_about=np.array(asked_about),
        evidence=np.array(evidence),
        recall=np.array(recall),
        behind=np.array(behind),
        found=np.array(right),
    )


def _asked_in(
    here: int, conversations: list[Conversation], said: list[dict[str | None, str]]
) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """What is asked in a conversation: number of the one it is about, question, what answers it here."""
    here_said = {turn.text for turn in conversations[here].turns}
    own = [question for question in conversations[here].questions if question.before is None]
    for question in own:
        yield here, question.text, question.evidence
    others = [
        (about, question.text)
        for about, conversation in enumerate(conversations)
        if about != here
        for question in conversation.questions
        # a message of the chat finds itself, and of a scene and its season both hold the answer
        if question.before is None and not here_said.issuperset(said[about][i] for i in question.evidence)
    ]
    chance = np.random.default_rng(here)
    drawn = np.sort(chance.permutation(len(others))[: _OTHERS * len(own)])
    spoken = " ".join(conversations[here].speakers)
    speakers = {word for word in _WORD.findall(spoken) if not all(w.is_stop for w in DEFAULT.words(word))}
    for about, text in map(others.__getitem__, drawn.tolist()):
        yield about, _about_strangers(text, speakers) if chance.random() < _STRANGE else text, ()


def _about_strangers(text: str, speakers: set[str]) -> str:
    """A question that names strangers in place of speakers."""
    named = sorted(speakers.intersection(_WORD.findall(text)))
    names = dict(zip(named, _STRANGERS, strict=False))
    return _WORD.sub(lambda word: names.get(word[0], word[0]), text)


def pieces_of(conversation: Conversation, turns: int) -> Iterator[Conversation]:
    """Cuts a conversation into pieces of about equal length, each with the questions that it answers.

    Args:
        conversation: What is cut.
        turns: About how many turns a piece has; a conversation that has fewer is one piece.

    Yields:
        Those of which something is asked.

    Raises:
        OptionError: If that is less than 2.
    """
    if turns < 2:
        raise OptionError(f"pieces of {turns} turns are too small: give 2 or more")
    count = max(1, round(len(conversation.turns) / turns))
    edges = np.linspace(0, len(conversation.turns), count + 1).astype(int).tolist()
    for first, end in pairwise(edges):
        part = conversation.turns[first:end]
        there = {turn.source_id for turn in part}
        questions = tuple(q for q in conversation.questions if there.issuperset(q.evidence))
        if questions:
            yield replace(
                conversation,
                speakers=tuple(dict.fromkeys(turn.speaker for turn in part)),
                sessions=(Session(number=1, at=None, turns=part),),
                questions=questions,
            )
