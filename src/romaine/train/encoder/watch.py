"""What is measured while an encoder trains: STS, and recall in held-out chats by pooled and token vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sentence_transformers import SentenceTransformer

from romaine.arrays import FloatArray, slice_dim, top_k
from romaine.evaluate.sts import ScoredPairs, spearman
from romaine.train.encoder.chat_files import EvidenceChat
from romaine.train.encoder.mining import document
from romaine.train.encoder.model import encode, encode_pooled, maxsim
from romaine.train.encoder.reading import EncoderReading, check_loss, check_sts
from romaine.train.encoder.recipe import EncoderWatch


class EncoderObserver:
    """Measures a model on scored pairs and held-out chats, the turns of each searched for its questions.

    Args:
        chats: By the name of their data.
        sts: Scored pairs, or None.
        watch: Cutoff, and when to stop.
        dims: For STS.
        weights: Of token ids, float32 (vocab,).
        max_tokens: Of a turn with the one before.
    """

    def __init__(
        self,
        chats: dict[str, Sequence[EvidenceChat]],
        sts: ScoredPairs | None,
        *,
        watch: EncoderWatch,
        dims: Sequence[int],
        weights: FloatArray,
        max_tokens: int,
    ) -> None:
        self._chats = {name: found for name, found in chats.items() if any(c.questions for c in found)}
        self._sts, self._watch, self._weights = sts, watch, weights
        self._dims = tuple(sorted(dims, reverse=True))
        self._max_tokens = max_tokens

    def read(
        self, model: SentenceTransformer, *, step: int, stage: str, loss: float | None
    ) -> EncoderReading:
        """Measures, and stops a run that has lost itself.

        Raises:
            VectorError: If the loss or a figure is not finite, or STS is below the recipe's last line.
        """
        check_loss(loss, step)
        reading = EncoderReading(step=step, stage=stage, loss=loss)
        if self._sts is not None:
            pairs = self._sts
            vectors = encode_pooled(model, [*pairs.left, *pairs.right], max_tokens=self._max_tokens)
            for dim in self._dims:
                left, right = np.split(slice_dim(vectors, dim), 2)
                reading.sts[str(dim)] = spearman(np.einsum("ij,ij->i", left, right), pairs.scores)
            full = reading.sts[str(self._dims[0])]
            check_sts(full, stop_below=self._watch.stop_below, step=step, stage=stage)
        for name, chats in self._chats.items():
            found = [self._recalls(model, chat) for chat in chats if chat.questions]
            late, pooled = (np.concatenate(part) for part in zip(*found, strict=True))
            reading.late[name], reading.pooled[name] = float(late.mean()), float(pooled.mean())
        return reading

    def _recalls(self, model: SentenceTransformer, chat: EvidenceChat) -> tuple[FloatArray, FloatArray]:
        """Recall of each question, by token vectors and by pooled ones."""
        places = range(len(chat.turns))
        turns = encode(model, [document(chat.turns, i, self._max_tokens) for i in places])
        asked = encode(model, [question.text for question in chat.questions])
        late, pooled = [], []
        for number, question in enumerate(chat.questions):
            evidence = set(question.evidence)
            scores = maxsim((asked.ids[number], asked.vectors[number]), turns.vectors, self._weights)
            late.append(self._share(scores, evidence))
            pooled.append(self._share(turns.pooled @ asked.pooled[number], evidence))
        return np.array(late, dtype=np.float32), np.array(pooled, dtype=np.float32)

    def _share(self, scores: FloatArray, evidence: set[int]) -> float:
        return len(evidence.intersection(top_k(scores, self._watch.cutoff).tolist())) / len(evidence)
