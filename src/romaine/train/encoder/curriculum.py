"""The stages of `romaine train encoder`: warm-up, main, refinement, or as a recipe has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import CoSENTLoss, EmbedDistillLoss, MatryoshkaLoss
from torch import nn

from romaine.arrays import FloatArray
from romaine.evaluate.sts import ScoredPairs
from romaine.train.encoder.chat_files import EvidenceChat
from romaine.train.encoder.losses import QuestionLoss
from romaine.train.encoder.mining import MinedQuestion, Triplet, triplets
from romaine.train.encoder.model import encode, freeze, maxsim
from romaine.train.encoder.recipe import EncoderRecipe, Stage
from romaine.train.encoder.rounds import Round, drawn
from romaine.train.teacher import Side, Teacher

_HIGHEST = 5.0  # score of two texts that say the same


@dataclass(frozen=True, kw_only=True)
class Material:
    """What all rounds learn from.

    Attributes:
        chats: By the name of their data.
        asked: Their questions with the memory's ranking, by the same names.
        scored: Pairs with scores, or None.
        kept: Texts and where the start model has them, for distillation.
        weights: Of token ids, float32 (vocab,).
        margins: The teacher of margins, or None.
    """

    chats: Mapping[str, Sequence[EvidenceChat]]
    asked: Mapping[str, Sequence[MinedQuestion]]
    scored: ScoredPairs | None
    kept: tuple[Sequence[str], FloatArray]
    weights: FloatArray
    margins: Teacher | None


class EncoderCurriculum:
    """A recipe's stages, each round's negatives mined anew.

    Args:
        recipe: Stages.
        material: Data.
    """

    def __init__(self, recipe: EncoderRecipe, material: Material) -> None:
        self._recipe, self._material = recipe, material
        self._stages: list[Stage] = []
        rounds: list[Round] = []
        for stage in recipe.stages:
            for number in range(stage.rounds):
                self._stages.append(stage)
                rounds.append(
                    Round(
                        stage=stage.name,
                        place=len(rounds),
                        steps=stage.steps,
                        batch=stage.batch,
                        learning_rate=stage.learning_rate,
                        warm_up=round(stage.warm_up * stage.steps),
                        decays=stage.decay and number == stage.rounds - 1,
                        max_tokens=stage.max_tokens,
                    )
                )
        self.rounds: Sequence[Round] = tuple(rounds)

    def adopt(self, model: SentenceTransformer) -> SentenceTransformer:
        """Freezes the layers that the recipe says."""
        freeze(model, self._recipe.frozen)
        return model

    def material(
        self, model: SentenceTransformer, item: Round, rng: np.random.Generator
    ) -> Mapping[str, tuple[Dataset, nn.Module]]:
        """As many rows of each kind as the stage's shares of its batches say."""
        stage, recipe = self._stages[item.place], self._recipe
        rows = stage.steps * stage.batch
        found: dict[str, tuple[Dataset, nn.Module]] = {}
        if stage.scored and self._material.scored is not None:
            data = _scored_rows(self._material.scored, round(rows * stage.scored), rng)
            found["scored"] = (data, MatryoshkaLoss(model, CoSENTLoss(model), list(recipe.dims)))
        texts, vectors = self._material.kept
        if stage.distil and len(texts):
            picked = drawn(len(texts), round(rows * stage.distil), rng)
            columns = {"text": [texts[i] for i in picked], "label": [vectors[i].tolist() for i in picked]}
            found["kept"] = (Dataset.from_dict(columns), EmbedDistillLoss(model, distance_metric="cosine"))
        left = rows - sum(len(data) for data, _ in found.values())
        names = stage.data or tuple(self._material.asked)
        sizes = {name: recipe.data[name].weight * len(self._material.asked[name]) for name in names}
        loss = QuestionLoss(
            model,
            stage,
            dims=recipe.dims,
            weights=torch.from_numpy(self._material.weights),
            temperature=recipe.temperature,
        )
        for name in names:
            count = round(left * sizes[name] / sum(sizes.values()))
            if count >= stage.batch:
                found[f"questions: {name}"] = (self._questions(model, stage, name, count, rng), loss)
        return found

    def _questions(
        self, model: SentenceTransformer, stage: Stage, name: str, count: int, rng: np.random.Generator
    ) -> Dataset:
        asked = self._material.asked[name]
        found = triplets(
            [asked[i] for i in drawn(len(asked), count, rng)],
            self._material.chats[name],
            negatives=stage.negatives,
            max_tokens=stage.max_tokens,
            rng=rng,
            refresh=stage.refresh,
            score=self._scorer(model),
        )
        columns: dict[str, list[Any]] = {
            "anchor": [item.question for item in found],
            "positive": [item.positive for item in found],
        }
        for number in range(stage.negatives):
            columns[f"negative_{number}"] = [item.negatives[number] for item in found]
        if stage.margin and self._material.margins is not None:
            columns["label"] = margins(found, self._material.margins)
        return Dataset.from_dict(columns)

    def _scorer(self, model: SentenceTransformer) -> Callable[..., list[FloatArray]]:
        """Ranks documents by the model as it is now."""

        def score(questions: Sequence[str], documents: Sequence[Sequence[str]]) -> list[FloatArray]:
            distinct = list(dict.fromkeys(text for texts in documents for text in texts))
            place = {text: number for number, text in enumerate(distinct)}
            turns, asked = encode(model, distinct), encode(model, questions)
            return [
                maxsim(
                    (asked.ids[n], asked.vectors[n]),
                    [turns.vectors[place[text]] for text in documents[n]],
                    self._material.weights,
                )
                for n in range(len(questions))
            ]

        return score


def _scored_rows(scored: ScoredPairs, count: int, rng: np.random.Generator) -> Dataset:
    picked = drawn(len(scored.left), count, rng)
    return Dataset.from_dict(
        {
            "sentence1": [scored.left[i] for i in picked],
            "sentence2": [scored.right[i] for i in picked],
            "label": [float(scored.scores[i]) / _HIGHEST for i in picked],
        }
    )


def margins(found: Sequence[Triplet], teacher: Teacher) -> list[list[float]]:
    """How much closer to its question the teacher has each answer than the question's negatives."""

    def lookup(texts: Sequence[str], side: Side) -> dict[str, FloatArray]:
        distinct = list(dict.fromkeys(texts))
        return dict(zip(distinct, teacher.encode(distinct, side), strict=True))

    questions = lookup([item.question for item in found], Side.QUERY)
    documents = lookup([text for item in found for text in (item.positive, *item.negatives)], Side.DOCUMENT)
    return [
        [
            float(questions[item.question] @ (documents[item.positive] - documents[text]))
            for text in item.negatives
        ]
        for item in found
    ]
