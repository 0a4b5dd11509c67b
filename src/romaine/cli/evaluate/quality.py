"""`romaine eval sts`, `retrieval`, `matryoshka` and `mteb`: how good vectors are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from romaine.cli import options
from romaine.cli.report import Answer, Measured
from romaine.embedder import Embedder
from romaine.errors import OptionError

if TYPE_CHECKING:
    from romaine.evaluate.retrieval import RetrievalReport
    from romaine.evaluate.separation import Separation
    from romaine.evaluate.sts import ScoredPairs, Threshold

Dims = Annotated[
    list[int] | None,
    typer.Option("--dims", help="One or more dimensions: --dims 384 64. All of the model's if not given."),
]
Split = Annotated[
    str | None,
    typer.Option("--split", help="Judgements: a file in qrels/; the only one or test if not given."),
]


def sts(
    file: Annotated[
        Path, typer.Argument(help="CSV of sentence1, sentence2, score without a header.", show_default=False)
    ],
    measured: Measured,
    answer: Answer,
    dims: Dims = None,
) -> None:
    """Measure Spearman's correlation of cosines with the similarity that people gave to pairs of texts."""
    answer.prepare()
    from romaine.evaluate.report import Report, Table
    from romaine.evaluate.sts import ALIKE, UNLIKE, evaluate_sts, read_scored_pairs

    embedder = measured.embedder()
    pairs = read_scored_pairs(file)
    found = evaluate_sts(pairs, embedder=embedder, dims=dims or None)
    table = Table(
        title=f"{found.model} ({found.backend}), {found.pairs:,} pairs",
        columns=("dim", "bytes", "Spearman", "alike from", "keeps", "drops"),
        rows=tuple(
            (dim, 4 * dim, value, *_cells(found.thresholds[dim])) for dim, value in found.spearman.items()
        ),
        note=(
            f"Alike from: the cosine that best parts pairs scored {ALIKE:g} or more, of which it keeps that"
            f" share, from those scored {UNLIKE:g} or less, of which it drops that share."
        ),
    )
    answer.give(
        Report(
            title="Similarity of sentences",
            model=found.model,
            facts={"Backend": found.backend, "File": file.name, "Pairs": f"{found.pairs:,}"},
            tables=(table,),
            separations=_separations(pairs, embedder) if answer.out else (),
        ),
        found.to_json(),
    )


def _cells(threshold: Threshold | None) -> tuple[float | str, ...]:
    return ("", "", "") if threshold is None else (threshold.cosine, threshold.kept, threshold.dropped)


def _separations(pairs: ScoredPairs, embedder: Embedder) -> tuple[Separation, ...]:
    from romaine.evaluate.separation import separation_of_pairs

    try:
        return (separation_of_pairs(pairs, embedder),)
    except OptionError:  # the scores have another scale, or there are no pairs of one kind
        return ()


def retrieval(
    folder: Annotated[
        Path,
        typer.Argument(help="BEIR layout: corpus.jsonl, queries.jsonl, qrels/*.tsv.", show_default=False),
    ],
    measured: Measured,
    answer: Answer,
    dim: options.Dim = None,
    split: Split = None,
) -> None:
    """Ask every judged query of a collection: nDCG@10, MRR@10, MAP@100 and recall."""
    answer.prepare()
    from romaine.evaluate.report import Report, Table
    from romaine.evaluate.retrieval import evaluate_retrieval, require_retrieval

    require_retrieval()
    found = evaluate_retrieval(folder, embedder=measured.embedder(dim), split=split)
    table = Table(
        title=f"{found.dataset} ({found.split}), {found.model}, dim {found.dim}",
        columns=("", "value"),
        rows=(("documents", found.documents), ("queries", found.queries), *found.metrics.items()),
        note=_left_out(found),
    )
    answer.give(
        Report(
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
        ),
        found.to_json(),
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


def matryoshka(
    benchmark: Annotated[str, typer.Argument(help="sts, memory or retrieval.", show_default=False)],
    paths: Annotated[
        list[Path],
        typer.Argument(help="What that benchmark takes: files, or a BEIR folder.", show_default=False),
    ],
    measured: Measured,
    answer: Answer,
    dims: Dims = None,
    mode: Annotated[
        str,
        typer.Option("--mode", help="For memory. dense: cosine alone; hybrid: dims find candidates only."),
    ] = "dense",
    split: Split = None,
) -> None:
    """Measure a benchmark at every dimension: bytes of a vector, quality, latency."""
    answer.prepare()
    from romaine.evaluate.benchmarks import Benchmark, benchmark_across_dims
    from romaine.evaluate.report import Report

    found = benchmark_across_dims(
        Benchmark.parse(benchmark),
        paths,
        embedder=measured.embedder(),
        dims=dims or None,
        mode=mode,
        split=split,
    )
    answer.give(
        Report(
            title="Matryoshka",
            model=found.model,
            facts={"Benchmark": found.benchmark, "Components": ", ".join(str(row.dim) for row in found.rows)},
            matryoshka=(found,),
        ),
        found.to_json(),
    )


def mteb(
    tasks: Annotated[
        list[str],
        typer.Argument(
            help="Tasks or benchmarks of mteb, e.g. STSBenchmark or NanoBEIR.", show_default=False
        ),
    ],
    measured: Measured,
    answer: Answer,
    dim: options.Dim = None,
    prompts: Annotated[
        list[str] | None,
        typer.Option(
            "--prompt", help='Put before texts of a task, task type or role: "Clustering=clustering: ".'
        ),
    ] = None,
) -> None:
    """Run tasks of MTEB. Their data is fetched from the hub."""
    answer.prepare()
    from romaine.evaluate.mteb import evaluate_mteb
    from romaine.evaluate.report import Report, Table

    found = evaluate_mteb(
        tasks,
        embedder=measured.embedder(dim),
        prompts=_parsed(prompts or []),
        show_progress=not answer.as_json,
    )
    rows = tuple((score.task, score.type, score.metric, score.value) for score in found.scores)
    table = Table(
        title=f"{found.model}, dim {found.dim}, mteb {found.mteb}",
        columns=("task", "type", "metric", "value"),
        rows=(*rows, ("mean", "", "", found.mean)),
    )
    answer.give(
        Report(
            title="MTEB",
            model=found.model,
            facts={"Backend": found.backend, "Components": str(found.dim), "mteb": found.mteb},
            tables=(table,),
        ),
        found.to_json(),
    )


def _parsed(prompts: list[str]) -> dict[str, str]:
    parsed = {}
    for prompt in prompts:
        key, equals, text = prompt.partition("=")
        if not key or not equals:
            raise OptionError(f"--prompt {prompt!r} is not KEY=TEXT, e.g. Clustering='clustering: '")
        parsed[key] = text
    return parsed
