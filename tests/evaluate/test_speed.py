from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from romaine import Embedder
from romaine.errors import BackendError, ModelNotFoundError, OptionError, RejectedModelError
from romaine.evaluate import speed
from romaine.evaluate.speed import measure_speed
from romaine.evaluate.speed_worker import CHARACTERS, chat_texts, peak_bytes, throughput
from romaine.evaluate.subject import Subject


def test_measures_a_model_in_a_new_process() -> None:
    report = measure_speed(Subject(dim=64), rounds=1)
    assert (report.model, report.run, report.dim) == ("little-gem", "static", 64)
    assert 0 < report.load_seconds < 60
    assert report.texts_per_second > 100
    assert 0 < report.query_ms <= report.query_ms_p95
    assert report.peak_bytes is None or 10e6 < report.peak_bytes < 1e9
    assert report.characters == CHARACTERS
    assert json.loads(json.dumps(report.to_json()))["backend"] == "static"


def test_every_round_opens_the_model_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def answer(subject: Subject, *, rounds: int) -> dict[str, object]:
        started.append(rounds)
        assert subject.local_files_only
        figures = {"texts_per_second": [1.0, 9.0, 2.0], "query_ms": [1.0, 2.0], "peak_bytes": 5, "texts": 7}
        return {"model": "m", "backend": "static", "dim": 3, "load_seconds": len(started), **figures}

    monkeypatch.setattr(speed, "_in_new_process", answer)
    report = measure_speed(Subject(), rounds=3)
    assert started == [3, 0, 0]
    assert (report.load_seconds, report.texts_per_second, report.query_ms) == (2, 2, 1.5)


def test_what_is_wrong_with_the_model_is_said_before_a_process_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    with pytest.raises(ModelNotFoundError):
        measure_speed(Subject(model=tmp_path / "missing"))
    with pytest.raises(RejectedModelError):
        measure_speed(Subject(model="gemma300-leaf-embeddings-test", local_files_only=True))
    with pytest.raises(OptionError, match="rounds=0"):
        measure_speed(Subject(), rounds=0)


@pytest.mark.parametrize(
    ("worker", "reason"),
    [
        ("import sys; sys.exit('out of luck')", "out of luck"),
        ("print('hello')", "it gave no figures"),
        ("pass", "it gave no figures"),
        ('print(\'{"error": "BackendError: no"}\')', "BackendError: no"),
    ],
)
def test_a_failing_process_is_an_error(monkeypatch: pytest.MonkeyPatch, worker: str, reason: str) -> None:
    monkeypatch.setattr(speed, "_WORKER", worker)
    with pytest.raises(BackendError, match=reason):
        measure_speed(Subject(), rounds=1)


def test_errors_of_the_model_come_back_from_the_process() -> None:
    with pytest.raises(BackendError, match=r"DimensionError: .*33"):
        measure_speed(Subject(dim=33), rounds=1)


def test_a_process_that_does_not_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_WORKER", "import time; time.sleep(60)")
    monkeypatch.setattr(speed, "_TIMEOUT", 0.1)
    with pytest.raises(BackendError, match="was not measured after"):
        measure_speed(Subject(), rounds=1)


def test_no_module_of_the_current_folder_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "romaine.py").write_text("raise SystemExit('imported from the current folder')")
    monkeypatch.chdir(tmp_path)
    assert measure_speed(Subject(), rounds=1).model == "little-gem"


def test_texts_are_different_and_of_one_length() -> None:
    texts = chat_texts(500)
    assert len({*texts}) == 500
    assert {len(text) for text in texts} == {CHARACTERS}
    assert texts == chat_texts(500)
    assert texts != chat_texts(500, seed=1)


def test_throughput_is_told_for_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    rates, texts = throughput(Embedder().warm_up(), rounds=2)
    assert len(rates) == 2
    assert all(rate > 0 for rate in rates)
    assert texts >= 32


def test_peak_memory_covers_what_is_held_now() -> None:
    peak = peak_bytes()
    assert peak is not None
    held = bytearray(os.urandom(1) * 80_000_000)
    assert peak_bytes() >= max(peak, len(held))
