"""A student of fewer layers: how it is cut, what it aligns with, and what it learns in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.losses import (
    MultipleNegativesRankingLoss,
    TripletDistanceMetric,
    TripletLoss,
)
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from torch import Tensor, nn

from romaine.arrays import FloatArray
from romaine.errors import ModelFormatError, OptionError
from romaine.train.encoder.distil_recipe import DistilRecipe, DistilStage
from romaine.train.encoder.model import Preprocess
from romaine.train.encoder.rounds import Round, drawn

_BATCH = 32
_NEAREST, _FURTHER = 3, 50  # ranks of a triplet's positive, at most, and of its negative
_POOL = 2000  # texts among which neighbours are looked for


def cut_student(start: Any, layers: int, max_tokens: int) -> SentenceTransformer:
    """A transformer with mean pooling that keeps `layers` of its layers, evenly, the last among them.

    Args:
        start: Its folder.
        layers: How many.
        max_tokens: Its window.

    Raises:
        OptionError: If it has fewer.
        ModelFormatError: If its layers cannot be told.
    """
    transformer = Transformer(str(start), max_seq_length=max_tokens)
    encoder: Any = transformer.auto_model
    count = int(encoder.config.num_hidden_layers)
    if layers > count:
        raise OptionError(f"layers={layers} is not possible: {start} has {count}; choose 1 to {count}")
    owners = [
        (module, name)
        for module in encoder.modules()
        for name, part in module.named_children()
        if isinstance(part, nn.ModuleList) and len(part) == count
    ]
    if len(owners) != 1:
        raise ModelFormatError(f"{start}: its layers cannot be told; give a start of another architecture")
    owner, name = owners[0]
    stack = getattr(owner, name)
    setattr(owner, name, nn.ModuleList(stack[place] for place in matched(layers, count)))
    encoder.config.num_hidden_layers = layers
    width = transformer.get_embedding_dimension()
    return SentenceTransformer(modules=[transformer, Pooling(width), Normalize()], device="cpu")


def matched(layers: int, count: int) -> list[int]:
    """Places of the teacher's layers that a student's answer to, evenly, the last to the last."""
    return [round((number + 1) * count / layers) - 1 for number in range(layers)]


def layer_vectors(model: SentenceTransformer, texts: Sequence[str], *, max_tokens: int) -> FloatArray:
    """Mean token state of each layer, float32 (n, layers, width)."""
    preprocess = Preprocess(model, max_tokens)
    found = []
    model.eval()
    for begin in range(0, len(texts), _BATCH):
        with torch.inference_mode():
            found.append(_pooled_layers(model, preprocess(texts[begin : begin + _BATCH])).numpy())
    return np.concatenate(found)


def _pooled_layers(model: SentenceTransformer, features: dict[str, Tensor]) -> Tensor:
    encoder: Any = model[0].auto_model
    mask = features["attention_mask"]
    states = encoder(
        input_ids=features["input_ids"], attention_mask=mask, output_hidden_states=True
    ).hidden_states[1:]
    share = (mask / mask.sum(dim=1, keepdim=True)).to(states[0].dtype)
    return torch.stack([torch.einsum("btw,bt->bw", state, share) for state in states], dim=1)


@dataclass(frozen=True, eq=False)
class Targets:
    """Where a teacher has texts.

    Attributes:
        layers: Mean states of the layers that the student's answer to, float32 (n, layers, width), or None
            where the teacher has none of that width: then its vectors alone are learned.
        vectors: Unit vectors as wide as the student's, float32 (n, width).
    """

    layers: FloatArray | None
    vectors: FloatArray

    def take(self, places: NDArray[np.int64]) -> Targets:
        """Those of some texts."""
        return Targets(None if self.layers is None else self.layers[places], self.vectors[places])


def as_wide(vectors: FloatArray, width: int) -> FloatArray:
    """A teacher's unit vectors in the student's width: their main components, or zeros beside them."""
    if vectors.shape[1] <= width:
        return np.pad(vectors, ((0, 0), (0, width - vectors.shape[1])))
    _, axes = np.linalg.eigh(vectors.T.astype(np.float64) @ vectors)
    kept = (vectors @ axes[:, ::-1][:, :width]).astype(np.float32)
    cut: FloatArray = kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-12)
    return cut


class AlignmentLoss(nn.Module):
    """Distance of each layer to the teacher's, and ranking of the teacher's own vectors.

    The distance of a layer is the mean squared error over the teacher's variance: 1 for its mean, 0 for
    itself. The label of a text is its place in the targets.

    Args:
        model: The student.
        targets: Of all texts.
        alignment: Weight of the mean distance.
        contrastive: Weight of the ranking.
        dims: Nested dimensions of the ranking.
        temperature: Scores are divided by it.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        targets: Targets,
        *,
        alignment: float = 1.0,
        contrastive: float = 0.0,
        dims: Sequence[int] = (),
        temperature: float = 0.05,
    ) -> None:
        super().__init__()
        self.model = model
        self._alignment, self._contrastive = alignment, contrastive
        self._dims = tuple(dims) or (targets.vectors.shape[1],)
        self._ranking = MultipleNegativesRankingLoss(model, scale=1 / temperature)
        self.vectors: Tensor
        self.layers: Tensor | None
        self.register_buffer("vectors", torch.from_numpy(targets.vectors), persistent=False)
        layers = None if targets.layers is None else torch.from_numpy(targets.layers)
        self.register_buffer("layers", layers, persistent=False)

    def forward(self, sentence_features: Sequence[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """The weighted sum, a scalar."""
        states = _pooled_layers(self.model, next(iter(sentence_features)))
        final = nn.functional.normalize(states[:, -1], dim=-1)
        loss = self._alignment * self.distance(states, final, labels)
        if self._contrastive:
            wanted = self.vectors[labels]
            for dim in self._dims:
                pair = [nn.functional.normalize(found[:, :dim], dim=-1) for found in (final, wanted)]
                share = self._contrastive / len(self._dims)
                loss = loss + share * self._ranking.compute_loss_from_embeddings(pair, labels)
        return loss

    def distance(self, states: Tensor, final: Tensor, labels: Tensor) -> Tensor:
        """Mean over layers and the text's vector, a scalar; see the class."""
        parts = [_relative(final, self.vectors[labels], self.vectors)]
        if self.layers is not None:
            wanted = self.layers[labels]
            # the last layer's states are the text's vector before it is made unit length
            parts += [
                _relative(states[:, place], wanted[:, place], self.layers[:, place])
                for place in range(states.shape[1])
            ]
        return torch.stack(parts).mean()


def _relative(found: Tensor, wanted: Tensor, whole: Tensor) -> Tensor:
    variance = (whole - whole.mean(dim=0)).square().mean()
    return (found - wanted).square().mean() / variance.clamp(min=1e-12)


class DistilCurriculum:
    """A recipe's stages over texts.

    Args:
        recipe: Stages.
        texts: To learn from.
        targets: Theirs, by the same places.
    """

    def __init__(self, recipe: DistilRecipe, texts: Sequence[str], targets: Targets) -> None:
        self._recipe, self._texts, self._targets = recipe, texts, targets
        self.rounds: Sequence[Round] = tuple(
            Round(
                stage=stage.name,
                place=place,
                steps=stage.steps,
                batch=stage.batch,
                learning_rate=stage.learning_rate,
                warm_up=round(stage.warm_up * stage.steps),
                decays=stage.decay,
                max_tokens=stage.max_tokens,
            )
            for place, stage in enumerate(recipe.stages)
        )

    def adopt(self, model: SentenceTransformer) -> SentenceTransformer:
        """All layers learn."""
        return model

    def material(
        self, model: SentenceTransformer, item: Round, rng: np.random.Generator
    ) -> Mapping[str, tuple[Dataset, nn.Module]]:
        """Texts with their places, and triplets that the teacher's vectors give."""
        stage, recipe = self._recipe.stages[item.place], self._recipe
        rows = stage.steps * stage.batch
        found: dict[str, tuple[Dataset, nn.Module]] = {}
        if stage.triplet:
            loss = TripletLoss(model, TripletDistanceMetric.COSINE, triplet_margin=recipe.margin)
            found["triplets"] = (self._triplets(round(rows * stage.triplet), rng), loss)
        picked = drawn(len(self._texts), round(rows * (1 - stage.triplet)), rng)
        texts = Dataset.from_dict({"text": [self._texts[i] for i in picked], "label": picked})
        found["texts"] = (texts, self._alignment(model, stage))
        return found

    def _alignment(self, model: SentenceTransformer, stage: DistilStage) -> AlignmentLoss:
        return AlignmentLoss(
            model,
            self._targets,
            alignment=stage.alignment,
            contrastive=stage.contrastive,
            dims=self._recipe.dims,
            temperature=self._recipe.temperature,
        )

    def _triplets(self, count: int, rng: np.random.Generator) -> Dataset:
        """Texts with one of their nearest neighbours and one further off, by the teacher."""
        pool = rng.permutation(len(self._texts))[:_POOL]
        vectors = self._targets.vectors[pool]
        columns: dict[str, list[str]] = {"anchor": [], "positive": [], "negative": []}
        for own in drawn(len(pool), count, rng):
            ranked = np.argsort(-(vectors @ vectors[own]), kind="stable")
            ranked = ranked[ranked != own]
            near = ranked[rng.integers(min(_NEAREST, len(ranked) - 1))]
            far = ranked[rng.integers(min(_NEAREST, len(ranked) - 1), min(_FURTHER, len(ranked)))]
            for name, place in (("anchor", own), ("positive", near), ("negative", far)):
                columns[name].append(self._texts[pool[place]])
        return Dataset.from_dict(columns)
