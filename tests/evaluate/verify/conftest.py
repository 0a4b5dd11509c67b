from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from romaine.evaluate.probes import Probes, load_probes
from romaine.evaluate.subject import Subject
from romaine.evaluate.verify import Bench
from romaine.evaluate.verify.finite import MAX_TOKENS
from tests.evaluate.verify import broken

PROBES = load_probes()
QUESTIONS = Probes(
    PROBES.pairs[::3], tuple(replace(chat, questions=chat.questions[::3]) for chat in PROBES.chats)
)
"""All turns, a third of the pairs and questions: enough to judge by, quicker with a transformer."""

FEW = Probes(PROBES.pairs[::4], PROBES.chats[:3])
"""Enough for a model whose quality is not what is broken."""
SWEPT = 500
"""Tokens of a transformer's vocabulary that are run; all of a table's are."""
OF_SOUND_QUALITY = {
    "MiniLM",
    "pooling that counts padding",
    "NaN row",
    "un-normalised export",
    "int8 file calibrated wrongly",
    "MiniLM, pooled and normalised inside",
}

SUBJECTS = {
    "MiniLM, fp32": Subject(backend="torch"),
    "swapped layers": Subject(backend="torch"),
    "int8 file calibrated wrongly": Subject(backend="onnx", variant="int8"),
}
"""How models are run; named, so that no other backend is compared."""

BenchOf = Callable[[str], Bench]


@pytest.fixture(scope="session")
def bench_of(
    minilm_folder: Path, minilm_int8_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> BenchOf:
    """A bench for each sound or broken model by its name; what it has measured is kept."""
    root = tmp_path_factory.mktemp("verified")
    int8, fp32 = minilm_int8_folder, minilm_folder
    makers: dict[str, Callable[[Path], Path]] = {
        "bundled, 8 bits": lambda to: broken.write_static(to, broken.bundled_matrix(), bits=8),
        "bundled, float32": lambda to: broken.write_static(to, broken.bundled_matrix(), bits=32),
        "Korean claimed": lambda to: broken.claiming(to, "ko"),
        "Esperanto claimed": lambda to: broken.claiming(to, "eo"),
        "MiniLM, fp32": lambda to: Path(shutil.copytree(fp32, to)),
        "MiniLM": lambda to: broken.with_full_precision(int8, fp32, to),
        "MiniLM, pooled and normalised inside": lambda to: broken.pooled_graph(int8, to, normalised=True),
        "shuffled table": broken.shuffled_table,
        "NaN row": lambda to: broken.nan_embedding_row(int8, to, swept=SWEPT),
        "NaN row in a table": broken.nan_table_row,
        "untrained dims": broken.reversed_components,
        "int8 vectors clipped": broken.clipped_vectors,
        "swapped layers": lambda to: broken.swapped_layers(fp32, to),
        "wrong pooling": lambda to: broken.pooled_by_first_token(int8, to),
        "un-normalised export": lambda to: broken.pooled_graph(int8, to, normalised=False),
        "pooling that counts padding": lambda to: broken.pooled_graph(
            int8, to, normalised=True, masked=False
        ),
        "int8 file calibrated wrongly": lambda to: broken.calibrated_wrongly(
            broken.with_full_precision(int8, fp32, root / "calibrated"), to
        ),
    }
    benches: dict[str, Bench] = {}

    def bench(name: str) -> Bench:
        if name == "bundled":
            return Bench(Subject())
        if name not in benches:
            folder = makers[name](root / name.replace(" ", "-").replace(",", ""))
            is_table = (folder / "romaine.json").exists()  # and quick
            probes = None if is_table else FEW if name in OF_SOUND_QUALITY else QUESTIONS
            subject = replace(SUBJECTS.get(name, Subject()), model=folder, threads=1)
            swept = MAX_TOKENS if is_table else SWEPT
            benches[name] = Bench(subject, probes=probes, swept_tokens=swept)
        return benches[name]

    return bench
