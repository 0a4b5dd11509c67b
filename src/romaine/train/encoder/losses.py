"""The loss of questions: pooled and token vectors of one pass, by sentence-transformers' own losses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.multi_vector_encoder.scoring import colbert_scores
from sentence_transformers.sentence_transformer.losses import MarginMSELoss, MultipleNegativesRankingLoss
from sentence_transformers.util import stack_padded_token_embeddings
from torch import Tensor, nn

from romaine.train.encoder.model import MASK, TOKENS
from romaine.train.encoder.recipe import Stage


class QuestionLoss(nn.Module):
    """Multiple negatives ranking of pooled and of token vectors, and MarginMSE, as a stage weighs them.

    Columns are a question, what answers it, and any number of negatives; the documents of other questions are
    negatives, too. Labels, where the stage has MarginMSE, are a teacher's margins (batch, negatives).

    Args:
        model: Gives both kinds of vectors in one pass.
        stage: The weights.
        dims: Nested dimensions; each counts the same.
        weights: Of token ids in a question, float32 (vocab,).
        temperature: Scores are divided by it.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        stage: Stage,
        *,
        dims: Sequence[int],
        weights: Tensor,
        temperature: float,
    ) -> None:
        super().__init__()
        self.model = model
        self._stage, self._dims, self._temperature = stage, tuple(dims), temperature
        self._ranking = MultipleNegativesRankingLoss(model, scale=1 / temperature)
        self._margins = MarginMSELoss(model, similarity_fct=_cosines)
        self.weights: Tensor
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor | None = None) -> Tensor:
        """The weighted sum, a scalar."""
        features = [dict(column) for column in sentence_features]
        outputs = [self.model(column) for column in features]
        pooled = [output["sentence_embedding"] for output in outputs]
        loss: Tensor = pooled[0].new_zeros(())
        if self._stage.pooled:
            for dim in self._dims:
                sliced = [nn.functional.normalize(vectors[:, :dim], dim=-1) for vectors in pooled]
                share = self._stage.pooled / len(self._dims)
                loss = loss + share * self._ranking.compute_loss_from_embeddings(sliced, labels)
        if self._stage.late:
            loss = loss + self._stage.late * self._late(outputs, features)
        if self._stage.margin and labels is not None:
            loss = loss + self._stage.margin * self._margins.compute_loss_from_embeddings(pooled, labels)
        return loss

    def _late(self, outputs: list[dict[str, Tensor]], features: list[dict[str, Tensor]]) -> Tensor:
        vectors = [nn.functional.normalize(output[TOKENS], dim=-1) for output in outputs]
        masks = [column[MASK].bool() for column in features]
        shares = self.weights[features[0]["input_ids"]] * masks[0]
        shares = shares / shares.sum(dim=1, keepdim=True).clamp(min=1e-6)
        documents, document_masks = stack_padded_token_embeddings(vectors[1:], masks[1:])
        # the highest cosine scales with the query's vector, so its length is the token's weight
        scores = colbert_scores(
            vectors[0] * shares[..., None], documents, queries_mask=masks[0], documents_mask=document_masks
        )
        wanted = torch.arange(len(scores), device=scores.device) * (len(vectors) - 1)
        return nn.functional.cross_entropy(scores / self._temperature, wanted)


def _cosines(left: Tensor, right: Tensor) -> Tensor:
    return (left * right).sum(dim=-1)
