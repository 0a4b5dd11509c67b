"""`romaine eval parity` and `speed`: how models run here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from romaine.cli import options
from romaine.cli.report import Answer
from romaine.embedder import DEFAULT_MODEL
from romaine.errors import InputFileError, OptionError

_BUILT_IN_TEXTS = 200


def parity(
    texts: Annotated[
        Path | None, typer.Argument(help="A file of texts, one a line; built-in ones if not given.")
    ] = None,
    *,
    model: options.Model = DEFAULT_MODEL,
    dim: options.Dim = None,
    threads: options.Threads = None,
    answer: Answer,
) -> None:
    """Compare every installed backend and every precision of vectors with the model's full precision."""
    answer.prepare()
    from romaine.evaluate.parity import measure_parity
    from romaine.evaluate.report import Report
    from romaine.evaluate.speed_worker import chat_texts
    from romaine.evaluate.subject import Subject

    compared = chat_texts(_BUILT_IN_TEXTS) if texts is None else _lines(texts)
    found = measure_parity(Subject(model=model, dim=dim, threads=threads), texts=compared)
    facts = {"Reference": str(found.reference), "Components": str(found.dim), "Texts": f"{len(compared):,}"}
    answer.give(Report(title="Parity", model=found.model, facts=facts, parity=(found,)), found.to_json())


def _lines(path: Path) -> list[str]:
    from romaine.bulk import read_lines

    try:
        with path.open(encoding="utf-8-sig") as file:
            return [record.text for record in read_lines(file)]
    except UnicodeDecodeError:
        raise InputFileError(f"{path} is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise InputFileError(f"{path} cannot be read ({error.strerror}); check the path") from None


def speed(
    models: Annotated[
        list[str],
        typer.Option("--model", "-m", help="Bundled model, catalog name, hub id or folder; again for more."),
    ] = [DEFAULT_MODEL],  # noqa: B006 - typer copies it
    backend: options.Backend = "auto",
    every_backend: Annotated[
        bool, typer.Option("--every-backend", help="Each installed backend and ONNX file that can run it.")
    ] = False,
    dim: options.Dim = None,
    threads: options.Threads = None,
    rounds: Annotated[int, typer.Option(help="Processes and rounds of which the medians are told.")] = 3,
    *,
    answer: Answer,
) -> None:
    """Measure speed and memory, each model in a new process of its own."""
    answer.prepare()
    from romaine.evaluate.report import Report
    from romaine.evaluate.runs import find_runs
    from romaine.evaluate.speed import measure_speed
    from romaine.evaluate.subject import Subject

    if every_backend and backend != "auto":
        raise OptionError(f"--backend {backend} and --every-backend exclude each other; leave one out")
    subjects = [Subject(model=model, backend=backend, dim=dim, threads=threads) for model in models]
    if every_backend:
        subjects = [run.of(subject) for subject in subjects for run in find_runs(subject).found]
    found = [measure_speed(subject, rounds=rounds) for subject in subjects]
    answer.give(
        Report(
            title="Speed",
            model=", ".join(dict.fromkeys(each.model for each in found)),
            facts={"Threads": str(threads) if threads is not None else "as the runtime likes"},
            speed=tuple(found),
        ),
        {"runs": [each.to_json() for each in found]},
    )
