from __future__ import annotations

import json
from pathlib import Path

import pytest

from romaine.errors import OfflineError, OptionError
from romaine.evaluate.subject import Subject


def test_another_process_gets_the_same_subject_but_no_token() -> None:
    subject = Subject(model=Path("folder"), backend="onnx", variant="int8", threads=2, token="secret")
    sent = json.dumps(subject.to_json())
    assert "secret" not in sent
    assert "secret" not in repr(subject)
    assert Subject.from_json(json.loads(sent)) == Subject(
        model="folder", backend="onnx", variant="int8", threads=2
    )
    with pytest.raises(OptionError, match="unknown"):
        Subject.from_json({"unknown": 1})


@pytest.mark.parametrize(
    ("subject", "label"),
    [
        (Subject(), "little-gem"),
        (Subject(model="org/name", backend="onnx", variant="int8"), "name (onnx, int8)"),
        (Subject(model="org/name", dtype="float16", device="cuda"), "name (float16, cuda)"),
    ],
)
def test_labels_tell_ways_to_run_a_model_apart(subject: Subject, label: str) -> None:
    assert subject.label == label


def test_a_folder_is_called_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "my-model").mkdir()
    assert Subject(model=tmp_path / "my-model").label == "my-model"
    assert Subject(model=f"{tmp_path}/my-model/").label == "my-model"


def test_what_is_fetched_is_opened_without_the_network() -> None:
    fetched = Subject(token="secret").fetched()
    assert (fetched.backend, fetched.local_files_only, fetched.token) == ("static", True, None)
    assert fetched.embedder().warm_up().backend == "static"
    with pytest.raises(OfflineError):
        Subject(model="all-MiniLM-L6-v2", local_files_only=True, cache_folder="nowhere").fetched()
