"""Writing a trained table as a model folder: weights, tokenizer and card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from romaine.arrays import FloatArray, slice_dim
from romaine.errors import OptionError
from romaine.evaluate.sts import ScoredPairs
from romaine.models.card import Measure, ModelCard
from romaine.models.card_json import write_card
from romaine.models.tables import DyT, StaticTable, read_table, write_table
from romaine.text.tokenizer import Tokenizer as TextTokenizer
from romaine.train.duplicates import duplicate_threshold
from romaine.train.watch import embed

_TOKENIZER = "tokenizer.json"
_WEIGHTS = "model.safetensors"


def minified_tokenizer(tokenizer: Tokenizer) -> str:
    """The tokenizer as JSON without what a static model never uses: padding, truncation, special frames.

    The ids of a text encoded without special tokens stay the same.
    """
    values: dict[str, Any] = json.loads(tokenizer.to_str())
    values |= {"padding": None, "truncation": None, "post_processor": None}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def write_weights(
    folder: Path, *, table: FloatArray, dyt: DyT | None, bits: int, tokenizer: Tokenizer
) -> StaticTable:
    """Writes model.safetensors and tokenizer.json.

    Args:
        folder: Where; made if it is not there.
        table: float32 (vocab, dim).
        dyt: What follows the mean, or None.
        bits: 4, 8, 16 or 32.
        tokenizer: Whose ids are the rows of the table.

    Returns:
        The table as it was written, read back.

    Raises:
        OptionError: If the folder cannot be written, or `bits` does not fit the table.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # safetensors makes the file for its owner alone; a model folder is for everyone
        write_table(folder, matrix=table, bits=bits, dyt=dyt).chmod(0o644)
        (folder / _TOKENIZER).write_text(minified_tokenizer(tokenizer), encoding="utf-8")
    except OSError as error:
        raise OptionError(f"{folder} cannot be written: {error}; choose another --out") from error
    return read_table(folder / _WEIGHTS)


def write_model_card(
    folder: Path,
    *,
    name: str,
    table: StaticTable,
    dims: tuple[int, ...],
    figures: Mapping[str, float],
    threshold: float | None,
    licence: str,
    command: str,
    note: str,
    bundled: bool,
) -> ModelCard:
    """Writes romaine.json beside weights and tokenizer.

    Args:
        folder: Where they are.
        name: The model's id.
        table: As written.
        dims: Matryoshka dimensions.
        figures: What was measured on `table`, by name.
        threshold: Cosine from which two facts are the same; None for the cautious default.
        licence: SPDX identifier of the result.
        command: What made it, with placeholders for paths.
        note: One sentence for people.
        bundled: Whether the folder is part of the package.

    Returns:
        The card that was written.
    """
    card = ModelCard(
        id=name,
        kind="static",
        full_dim=table.matrix.shape[1],
        dims=dims,
        files={"weights": _WEIGHTS, "tokenizer": _TOKENIZER},
        backends=("static",),
        size=(folder / _WEIGHTS).stat().st_size,
        license=licence,
        measured=tuple(Measure(name=n, value=round(v, 4), command=command) for n, v in figures.items()),
        sha256={file: sha256((folder / file).read_bytes()).hexdigest() for file in (_WEIGHTS, _TOKENIZER)},
        duplicate_threshold=ModelCard.duplicate_threshold if threshold is None else threshold,
        note=note,
        bundled=bundled,
    )
    write_card(card, folder)
    return card


def threshold_of(table: StaticTable, tokenizer: TextTokenizer, pairs: ScoredPairs | None) -> float | None:
    """The duplicate threshold of a table at its full dimension, or None without scored pairs."""
    if pairs is None:
        return None
    left, right = (
        slice_dim(
            embed(table.matrix, table.dyt, tokenizer.encode(side, add_special_tokens=False)),
            table.matrix.shape[1],
        )
        for side in (pairs.left, pairs.right)
    )
    cosines = np.einsum("ij,ij->i", left, right).astype(np.float64)
    return duplicate_threshold(cosines, pairs.scores)
