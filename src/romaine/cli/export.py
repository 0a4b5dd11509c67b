"""`romaine export`: a torch model -> ONNX files that need neither torch nor code of the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from romaine.backends.options import LoadOptions
from romaine.cli import options, terminal
from romaine.cli.terminal import print_json
from romaine.embedder import Embedder

if TYPE_CHECKING:
    from romaine.export import ExportReport

_OPTIONS = ("cache_folder", "local_files_only", "revision", "allow_rejected")


def export(
    model: Annotated[str, typer.Argument(help="Catalog name, hub id or folder of a torch model.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")],
    int8: Annotated[bool, typer.Option("--int8", help="Write model.int8.onnx, too.")] = False,
    fuse: Annotated[
        bool, typer.Option("--fuse", help="Fuse attention and normalisation where it is known how.")
    ] = False,
    how: Annotated[LoadOptions, Embedder, _OPTIONS],
    as_json: options.Json = False,
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
        cache_folder=how.cache_folder,
        local_files_only=how.local_files_only,
        revision=how.revision,
        allow_rejected=how.allow_rejected,
    )
    if as_json:
        _print_json(report)
    else:
        _print_table(report)


def _print_json(report: ExportReport) -> None:
    files = [
        {"variant": file.variant, "path": str(file.path), "bytes": file.size, "how": file.how}
        | {"worst_cosine": file.parity.worst, "mean_cosine": file.parity.mean}
        | {"texts": file.parity.texts, "longest": file.parity.longest}
        for file in report.files
    ]
    document = {"model": report.model, "dim": report.full_dim, "files": files, "notes": report.notes}
    print_json(document, compact=True)


def _print_table(report: ExportReport) -> None:
    from rich.table import Table

    console = terminal.console(highlight=True)
    table = Table(
        "file", "MB", "worst cosine", "mean", "how", title=f"{report.model}, {report.full_dim} dims"
    )
    for file in report.files:
        worst, mean = f"{file.parity.worst:.5f}", f"{file.parity.mean:.5f}"
        table.add_row(file.path.name, f"{file.size / 1e6:.1f}", worst, mean, file.how)
    console.print(table)
    for note in report.notes:
        console.print(f"note: {note}", markup=False)
    texts = report.files[0].parity
    console.print(
        f"in {report.folder}, after {report.seconds:.0f} s; compared with torch over {texts.texts} texts"
        f" of up to {texts.longest} tokens",
        markup=False,
        highlight=False,
    )
