"""The encoder in training: one pass gives a pooled vector and token vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from torch import Tensor, nn

from romaine.arrays import FloatArray

TOKENS = "token_vectors"
"""What the head's output is called among a model's features."""
MASK = "token_mask"
"""1 for the tokens of a text that are compared: not special ones, nor those before its newline."""

_BATCH = 32
_SAMPLE = 200_000  # tokens the head's start is fitted on


def new_student(start: str | Path, *, token_dim: int, frozen: int, max_tokens: int) -> SentenceTransformer:
    """A model to train from a folder: mean pooling, and a head for token vectors that is not fitted yet."""
    transformer = Transformer(str(start), max_seq_length=max_tokens)
    width = transformer.get_embedding_dimension()
    head = Dense(
        width,
        token_dim,
        bias=False,
        activation_function=None,
        module_input_name="token_embeddings",
        module_output_name=TOKENS,
    )
    model = SentenceTransformer(
        modules=[transformer, head, Pooling(width, pooling_mode="mean"), Normalize()], device="cpu"
    )
    freeze(model, frozen)
    return model


def freeze(model: SentenceTransformer, layers: int) -> None:
    """Leaves the embeddings and the first `layers` layers as they are; 0 trains all."""
    if not layers:
        return
    encoder: Any = model[0].auto_model
    for part in (encoder.embeddings, *encoder.encoder.layer[:layers]):
        for parameter in part.parameters():
            parameter.requires_grad_(False)


def fit_head(model: SentenceTransformer, texts: Sequence[str]) -> None:
    """Starts the head as the projection that keeps most of the length of token states (their SVD).

    So the untrained model's tokens are compared nearly as in the full space.
    """
    states = []
    count = 0
    for features in _passes(model, texts):
        kept = features["token_embeddings"][features[MASK].bool()]
        states.append(nn.functional.normalize(kept, dim=-1))
        count += len(kept)
        if count > _SAMPLE:
            break
    joined = torch.cat(states)
    _, vectors = torch.linalg.eigh(joined.T @ joined)
    head: Any = model[1]
    with torch.no_grad():
        head.linear.weight.copy_(vectors.flip(1)[:, : head.out_features].T)


class Preprocess:
    """Texts as ids, mask and the mask of the tokens that are compared."""

    def __init__(self, model: SentenceTransformer, max_tokens: int) -> None:
        self._tokenizer: Any = model.tokenizer
        self._max_tokens = max_tokens

    def __call__(
        self,
        texts: Sequence[str],
        prompt: str | None = None,  # noqa: ARG002 - what the data collator passes
        task: str | None = None,  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """Ids, attention mask and `MASK`, int64 (n, length) each."""
        found = self._tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=self._max_tokens,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            return_tensors="pt",
        )
        breaks = torch.tensor([text.rfind("\n") for text in texts])
        own = found["offset_mapping"][..., 0] > breaks[:, None]
        kept = own & (found["special_tokens_mask"] == 0) & (found["attention_mask"] == 1)
        return {
            "input_ids": found["input_ids"],
            "attention_mask": found["attention_mask"],
            MASK: kept.long(),
        }


class Tokens:
    """Token vectors of many texts: ids and unit vectors of each."""

    def __init__(self, ids: list[NDArray[np.int64]], vectors: list[FloatArray], pooled: FloatArray) -> None:
        self.ids, self.vectors, self.pooled = ids, vectors, pooled


def encode(model: SentenceTransformer, texts: Sequence[str], *, max_tokens: int = 128) -> Tokens:
    """Pooled and token vectors, unit length, of texts in their order."""
    ids: list[Any] = [None] * len(texts)
    vectors: list[Any] = [None] * len(texts)
    pooled = np.empty((len(texts), model[2].get_embedding_dimension()), dtype=np.float32)
    order = np.argsort([len(text) for text in texts], kind="stable")
    place = 0
    for features in _passes(model, [texts[i] for i in order], max_tokens=max_tokens):
        found = nn.functional.normalize(features[TOKENS], dim=-1).numpy()
        masks = features[MASK].bool().numpy()
        for row in range(len(found)):
            index = order[place]
            ids[index] = features["input_ids"][row].numpy()[masks[row]]
            vectors[index] = found[row][masks[row]]
            pooled[index] = features["sentence_embedding"][row].numpy()
            place += 1
    return Tokens(ids, vectors, pooled)


def encode_pooled(model: SentenceTransformer, texts: Sequence[str], *, max_tokens: int) -> FloatArray:
    """Pooled unit vectors of texts in their order, float32 (n, dim)."""
    order = np.argsort([len(text) for text in texts], kind="stable")
    passes = _passes(model, [texts[i] for i in order], max_tokens=max_tokens)
    found = np.concatenate([features["sentence_embedding"].numpy() for features in passes])
    vectors = np.empty_like(found)
    vectors[order] = found
    return vectors


def _passes(model: SentenceTransformer, texts: Sequence[str], *, max_tokens: int = 128) -> Any:
    preprocess = Preprocess(model, max_tokens)
    was_training = model.training
    model.eval()
    try:
        for begin in range(0, len(texts), _BATCH):
            batch: dict[str, Tensor] = preprocess(texts[begin : begin + _BATCH])
            with torch.inference_mode():
                yield model(batch)
    finally:
        model.train(was_training)


def token_weights(model: SentenceTransformer, texts: Sequence[str]) -> FloatArray:
    """Inverse document frequency of each token id over texts, float32 (vocab,), 0 or above."""
    tokenizer: Any = model.tokenizer
    counts = np.zeros(len(tokenizer), dtype=np.int64)
    for begin in range(0, len(texts), 1000):
        for ids in tokenizer(list(texts[begin : begin + 1000]), add_special_tokens=False)["input_ids"]:
            counts[list(set(ids))] += 1
    return np.log((1 + len(texts)) / (1 + counts)).astype(np.float32)


def maxsim(
    query: tuple[NDArray[np.int64], FloatArray], documents: Sequence[FloatArray], weights: FloatArray
) -> FloatArray:
    """Weighted mean over the query's tokens of the highest cosine with a document's, float32 (n,).

    This is `Late.own` of the memory (Khattab and Zaharia 2020, with inverse document frequencies).
    """
    ids, vectors = query
    shares = weights[ids]
    total = float(shares.sum())
    if not len(ids) or total <= 0:
        return np.zeros(len(documents), dtype=np.float32)
    lengths = np.array([len(found) for found in documents])
    best = np.full((len(ids), len(documents)), -1.0, dtype=np.float32)
    filled = np.flatnonzero(lengths).tolist()
    if filled:
        starts = np.concatenate([[0], np.cumsum(lengths[filled])[:-1]])
        cosines = vectors @ np.concatenate([documents[i] for i in filled]).T
        best[:, filled] = np.maximum.reduceat(cosines, starts, axis=1)
    return np.asarray((shares / np.float32(total)) @ best, dtype=np.float32)
