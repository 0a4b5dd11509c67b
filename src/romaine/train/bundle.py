"""Writing a trained table as a model folder: weights, tokenizer and card."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from romaine.arrays import FloatArray
from romaine.errors import OptionError
from romaine.models.card import Measure, ModelCard
from romaine.models.card_json import write_card
from romaine.models.tables import read_table, write_table
from romaine.train.figures import ScoredPairs, cosines, duplicate_threshold, spearman

_TOKENIZER = "tokenizer.json"
_WEIGHTS = "model.safetensors"


def minified_tokenizer(tokenizer: Tokenizer) -> str:
    """The tokenizer as JSON without what a static model never uses: padding, truncation, special frames.

    The ids of a text encoded without special tokens stay the same.
    """
    values: dict[str, Any] = json.loads(tokenizer.to_str())
    values |= {"padding": None, "truncation": None, "post_processor": None}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def write_bundle(
    folder: Path,
    *,
    name: str,
    table: FloatArray,
    dims: tuple[int, ...],
    bits: int,
    tokenizer: Tokenizer,
    license_id: str,
    command: str,
    note: str = "",
    sts: ScoredPairs | None = None,
    bundled: bool = False,
) -> ModelCard:
    """Writes model.safetensors, tokenizer.json and romaine.json.

    Figures are measured on the table as it was written, not on the one in memory.

    Args:
        folder: Where; made if it is not there.
        name: The model's id.
        table: float32 (vocab, dim).
        dims: Matryoshka dimensions.
        bits: 4, 8, 16 or 32.
        tokenizer: Whose ids are the rows of the table.
        license_id: SPDX identifier of the result.
        command: What made it, with placeholders for paths.
        note: One sentence for people.
        sts: Pairs to measure on, or None.
        bundled: Whether the folder is part of the package.

    Returns:
        The card that was written.

    Raises:
        OptionError: If the folder cannot be written, or `bits` does not fit the table.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # safetensors makes the file for its owner alone; a model folder is for everyone
        write_table(folder, matrix=table, bits=bits).chmod(0o644)
        (folder / _TOKENIZER).write_text(minified_tokenizer(tokenizer), encoding="utf-8")
    except OSError as error:
        raise OptionError(f"{folder} cannot be written: {error}; choose another --out") from error
    written = read_table(folder / _WEIGHTS).matrix
    measured: tuple[Measure, ...] = ()
    threshold = ModelCard.duplicate_threshold
    if sts is not None:
        by_dim = {dim: cosines(written, tokenizer, sts, dim=dim) for dim in dims}
        measured = tuple(
            Measure(name=f"STSBenchmark dev Spearman, {dim} dims", value=round(value, 4), command=command)
            for dim, value in ((dim, spearman(by_dim[dim], sts.scores)) for dim in reversed(dims))
        )
        threshold = duplicate_threshold(by_dim[dims[-1]], sts.scores)
    card = ModelCard(
        id=name,
        kind="static",
        full_dim=table.shape[1],
        dims=dims,
        files={"weights": _WEIGHTS, "tokenizer": _TOKENIZER},
        backends=("static",),
        size=(folder / _WEIGHTS).stat().st_size,
        license=license_id,
        measured=measured,
        sha256={file: sha256((folder / file).read_bytes()).hexdigest() for file in (_WEIGHTS, _TOKENIZER)},
        duplicate_threshold=threshold,
        note=note,
        bundled=bundled,
    )
    write_card(card, folder)
    return card
