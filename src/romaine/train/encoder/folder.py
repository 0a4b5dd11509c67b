"""A trained encoder as a folder that every loader opens, the head for token vectors beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer

from romaine.export.export import HEAD_FILE

_CONFIG = "config_sentence_transformers.json"


def write_plain(model: SentenceTransformer, folder: Path, *, dims: Sequence[int], window: int) -> None:
    """Writes transformer, pooling and normalising as sentence-transformers does, the head as `HEAD_FILE`.

    Args:
        model: As `new_student` makes it, or without a head.
        folder: Made if it is not there.
        dims: The nested dimensions that its config names.
        window: Tokens that it takes from now on; in training texts are cut sooner.
    """
    transformer, *heads, pooling, normalise = model
    plain = SentenceTransformer(modules=[transformer, pooling, normalise], device="cpu")
    plain.max_seq_length = window
    plain.save_pretrained(str(folder), create_model_card=False)
    for head in heads:
        weight: Any = head.linear.weight
        save_file({"weight": weight.detach().contiguous()}, folder / HEAD_FILE)
    config = json.loads((folder / _CONFIG).read_text("utf-8"))
    config["matryoshka_dimensions"] = sorted(dims)
    (folder / _CONFIG).write_text(json.dumps(config, indent=2) + "\n", "utf-8")
