"""`romaine export`: a torch model -> ONNX files that need neither torch nor code of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from romaine.cli import options


def register(app: typer.Typer) -> None:
    """Adds the command to the app."""
    app.command("export")(export)


def export(
    model: Annotated[str, typer.Argument(help="Catalog name, hub id or folder of a torch model.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")],
    int8: Annotated[bool, typer.Option("--int8", help="Write model.int8.onnx, too.")] = False,
    fuse: Annotated[
        bool, typer.Option("--fuse", help="Fuse attention and normalisation where it is known how.")
    ] = False,
    cache_folder: options.CacheFolder = None,
    offline: options.Offline = False,
    revision: options.Revision = None,
    allow_rejected: options.AllowRejected = False,
    json_output: options.Json = False,
) -> None:
    """Export a model to model.fp32.onnx and, on request, model.int8.onnx, pooling and normalising inside.

    Each file is compared with the torch model first and only kept if the vectors agree.
    """
    from romaine.export import export_model

    report = export_model(
        model,
        out,
        int8=int8,
        fuse=fuse,
        cache_folder=cache_folder,
        local_files_only=offline,
        revision=revision,
        allow_rejected=allow_rejected,
    )
    print_report(report, as_json=json_output)
