"""`romaine eval retrieval`: does a query find its documents?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from romaine.cli import options
from romaine.cli.evaluate.output import Out, command_line, deliver, prepare

if TYPE_CHECKING:
    from romaine.evaluate.report import Report
    from romaine.evaluate.retrieval import RetrievalReport

Split = Annotated[
    str | None,
    typer.Option("--split", help="Judgements: a file in qrels/; the only one or test if not given."),
]


def register(app: typer.Typer) -> None:
    """Adds the command to the group."""
    app.command("retrieval")(retrieval)


def retrieval(
    folder: Annotated[
        Path,
        typer.Argument(help="BEIR layout: corpus.jsonl, queries.jsonl, qrels/*.tsv.", show_default=False),
    ],
    model: options.Model = "little-gem",
    backend: options.Backend = "auto",
    dim: options.Dim = None,
    split: Split = None,
    as_json: options.Json = False,
    out: Out = None,
) -> None:
    """Ask every judged query of a collection: nDCG@10, MRR@10, MAP@100 and recall."""
    prepare(out)
    from romaine.embedder import Embedder
    from romaine.evaluate.retrieval import evaluate_retrieval, require_retrieval

    require_retrieval()
    embedder = Embedder(model, backend=backend, dim=dim)
    found = evaluate_retrieval(folder, embedder=embedder, split=split)
    deliver(_report(found), found.to_json(), as_json=as_json, out=out)


def _report(found: RetrievalReport) -> Report:
    from romaine.evaluate.report import Report, Table

    table = Table(
        title=f"{found.dataset} ({found.split}), {found.model}, dim {found.dim}",
        columns=("", "value"),
        rows=(("documents", found.documents), ("queries", found.queries), *found.metrics.items()),
        note=_left_out(found),
    )
    return Report(
        title="Retrieval",
        model=found.model,
        facts={
            "Collection": found.dataset,
            "Judgements": found.split,
            "Documents": f"{found.documents:,}",
            "Queries": f"{found.queries:,}",
            "Backend": found.backend,
            "Components": str(found.dim),
        },
        tables=(table,),
        command=command_line(),
    )


def _left_out(found: RetrievalReport) -> str:
    notes = []
    if found.unknown_queries:
        notes.append(f"{found.unknown_queries:,} judged queries are not in queries.jsonl and were not asked.")
    if found.missing_documents:
        notes.append(
            f"{found.missing_documents:,} relevant documents are not in the corpus and count as missed."
        )
    return " ".join(notes)
