"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[str, typer.Option("--model", "-m", help="Bundled model, catalog name, hub id or folder.")]
Backend = Annotated[
    str, typer.Option("--backend", "-b", help="auto, static, onnx, torch or sentence-transformers.")
]
Dim = Annotated[
    int | None, typer.Option("--dim", "-d", help="Matryoshka dimension; the model's full one if not given.")
]
Threads = Annotated[
    int | None, typer.Option("--threads", help="Threads of the runtime; all cores if not given.")
]
CacheFolder = Annotated[Path | None, typer.Option("--cache-folder", help="Where downloaded models are kept.")]
Offline = Annotated[bool, typer.Option("--offline", help="Never use the network.")]
Revision = Annotated[str | None, typer.Option("--revision", help="Commit, tag or branch of a hub model.")]
AllowRejected = Annotated[
    bool, typer.Option("--allow-rejected", help="Load a model that failed its evaluation.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
