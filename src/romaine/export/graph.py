"""Traces a transformers encoder, with pooling and normalising, into an ONNX graph."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import onnx
import torch
from torch import nn
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, eager_mask

from romaine.arrays import Pooling
from romaine.backends.torch import pool
from romaine.errors import BackendError

INPUTS = ("input_ids", "attention_mask")
OUTPUT = "sentence_embedding"
TOKENS = "token_embeddings"
_OPSET = 20  # the first with Gelu as one operator; ONNX Runtime has it since 1.17
_FUSED = "romaine_fused"


class EmbeddingGraph(nn.Module):
    """What the file computes: token ids and mask -> one unit vector a text, and one a token with a head.

    Args:
        module: A transformers encoder.
        pooling: How token states become one vector.
        layer_norm: Whether vectors are layer-normalised before they are made unit length.
        head: Projects token states, float32 (token_dim, hidden size); None for a model without token vectors.
    """

    def __init__(
        self, module: nn.Module, *, pooling: Pooling, layer_norm: bool, head: torch.Tensor | None = None
    ) -> None:
        super().__init__()
        self.module = module
        self.pooling = pooling
        self.layer_norm = layer_norm
        self.head: torch.Tensor | None
        self.register_buffer("head", None if head is None else head.T.contiguous())

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what it gives."""
        return (OUTPUT,) if self.head is None else (OUTPUT, TOKENS)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Computes unit vectors.

        Args:
            input_ids: int64 (n, length).
            attention_mask: int64 (n, length), 1 where there is a token.

        Returns:
            float32 (n, full_dim), and with a head (n, length, token_dim); a zero vector stays zero.
        """
        states = self.module(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        vectors = pool(states, attention_mask, self.pooling)
        if self.layer_norm:
            vectors = nn.functional.layer_norm(vectors, vectors.shape[-1:])
        if self.head is None:
            return _unit(vectors)
        return _unit(vectors), _unit(states @ self.head)


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    lengths: torch.Tensor = vectors.norm(dim=-1, keepdim=True)
    return vectors / lengths.clamp(min=1e-12)


def trace(graph: EmbeddingGraph, *, fuse: bool) -> onnx.ModelProto:
    """Exports `graph` with dynamic batch and length.

    Args:
        graph: In eval mode, on the CPU.
        fuse: Whether attention becomes ONNX Runtime's own operator (com.microsoft.MultiHeadAttention).

    Raises:
        BackendError: If torch cannot export it.
    """
    ids = torch.randint(1, 100, (3, 11), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    dynamic = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    try:
        with _attention(graph.module, _FUSED if fuse else "eager"), _quiet(), torch.no_grad():
            program = torch.onnx.export(
                graph,
                (ids, mask),
                dynamo=True,
                input_names=list(INPUTS),
                output_names=list(graph.outputs),
                dynamic_shapes=(dynamic, dynamic),
                opset_version=_OPSET,
                verbose=False,
            )
    except Exception as error:  # the exporter raises whatever it meets
        raise BackendError(
            f"torch {torch.__version__} cannot export this model to ONNX{' fused' if fuse else ''}"
            f" ({type(error).__name__}: {str(error).strip()[:300]})"
        ) from error
    if program is None:
        raise BackendError(f"torch {torch.__version__} exported nothing")
    model: onnx.ModelProto = program.model_proto
    _name_dims(model)
    model.producer_name = "romaine"
    model.producer_version = ""
    return model


def _name_dims(model: onnx.ModelProto) -> None:
    """Calls the dynamic axes what they are, instead of by the exporter's symbols."""
    for value in (*model.graph.input, *model.graph.output):
        for dim, name in zip(value.type.tensor_type.shape.dim, ("batch", "length"), strict=False):
            if not dim.dim_value:
                dim.dim_param = name
    # What was inferred about inner tensors speaks of the old symbols; ONNX Runtime infers it again.
    del model.graph.value_info[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""


def _fused_attention(
    module: nn.Module,  # noqa: ARG001
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,  # noqa: ARG001
    **_ignored: Any,
) -> tuple[torch.Tensor, None]:
    """Attention as one operator, in the form transformers calls its attention functions.

    Args:
        module: The attention layer.
        query: Shape (n, heads, length, head_dim), rotated where the model does that.
        key: Shaped as `query`.
        value: Shaped as `query`.
        attention_mask: What is added to the scores, (n or 1, 1, length, length), or None.
        scaling: Factor of the scores.
        dropout: Has no meaning here.
        _ignored: What other attention functions need; sliding windows are in the mask.
    """
    batch, heads, length, head_dim = query.shape
    inputs = [
        states.transpose(1, 2).reshape(batch, length, heads * head_dim) for states in (query, key, value)
    ]
    states = torch.onnx.ops.symbolic(
        "com.microsoft::MultiHeadAttention",
        inputs if attention_mask is None else [*inputs, None, None, attention_mask],
        {"num_heads": heads, "scale": head_dim**-0.5 if scaling is None else float(scaling)},
        dtype=query.dtype,
        shape=(batch, length, heads * head_dim),
        version=1,
    )
    return states.reshape(batch, length, heads, head_dim), None


@contextmanager
def _attention(module: Any, implementation: str) -> Iterator[None]:
    """Has a transformers model compute attention another way for a while."""
    AttentionInterface.register(_FUSED, _fused_attention)
    AttentionMaskInterface.register(_FUSED, eager_mask)
    before = module.config._attn_implementation
    module.set_attn_implementation(implementation)
    try:
        yield
    finally:
        module.set_attn_implementation(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the exporter's progress, warnings about itself and log lines away from the caller."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
