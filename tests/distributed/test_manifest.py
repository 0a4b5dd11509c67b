from __future__ import annotations

import json
from dataclasses import replace

import fsspec
import pytest

from romaine.distributed.manifest import Manifest
from romaine.distributed.partitions import Partition
from romaine.errors import InputFileError, OptionError, WorkerError

MEMORY = fsspec.filesystem("memory")
CUTS = [Partition(path="/in.txt", version="1", format="lines", begin=n, end=n + 1) for n in range(3)]
KNOWN = [replace(cut, first=number, rows=1) for number, cut in enumerate(CUTS)]
AGAIN = {"resume": True, "overwrite": False}


@pytest.fixture
def manifest() -> Manifest:
    if MEMORY.exists("/out.jsonl"):
        MEMORY.rm("/out.jsonl", recursive=True)
    return Manifest(MEMORY, "/out.jsonl", {"suffix": ".jsonl", "dim": 64})


def write(manifest: Manifest, number: int) -> None:
    with manifest.new_file(manifest.part(number)) as file:
        file.write(b"{}\n")


def test_a_run_from_beginning_to_end(manifest: Manifest) -> None:
    assert manifest.begin(CUTS, **AGAIN) is None
    manifest.write(KNOWN)
    assert manifest.done() == set()
    write(manifest, 1)
    write(manifest, 1)  # as by two actors, one of which was thought lost
    assert manifest.done() == {1}
    assert manifest.begin(CUTS, **AGAIN) == KNOWN
    with pytest.raises(WorkerError, match="2 of 3"):
        manifest.finish(KNOWN)
    write(manifest, 0)
    write(manifest, 2)
    manifest.finish(KNOWN)
    assert json.loads(MEMORY.cat_file("/out.jsonl/_manifest.json"))["complete"]
    assert sorted(MEMORY.ls("/out.jsonl", detail=False)) == [
        "/out.jsonl/_manifest.json",
        *(f"/out.jsonl/part-00000{number}.jsonl" for number in range(3)),
    ]


def test_half_a_file_never_counts(manifest: Manifest) -> None:
    manifest.write(KNOWN)
    with pytest.raises(TypeError), manifest.new_file(manifest.part(0)) as file:
        file.writelines([b"half", "and no more"])
    assert manifest.done() == set()
    assert manifest.begin(CUTS, resume=False, overwrite=True) is None
    assert MEMORY.ls("/out.jsonl") == []


def test_what_is_there_is_kept(manifest: Manifest) -> None:
    manifest.write(KNOWN)
    with pytest.raises(OptionError, match="--resume"):
        manifest.begin(CUTS, resume=False, overwrite=False)
    with pytest.raises(InputFileError, match="not what it was"):
        manifest.begin([replace(CUTS[0], version="2"), *CUTS[1:]], **AGAIN)
    with pytest.raises(OptionError, match="same settings"):
        Manifest(MEMORY, "/out.jsonl", {"suffix": ".jsonl", "dim": 128}).begin(CUTS, **AGAIN)
    MEMORY.rm_file("/out.jsonl/_manifest.json")
    MEMORY.pipe_file("/out.jsonl/thesis.tex", b"mine")
    with pytest.raises(OptionError, match="other files"):
        manifest.begin(CUTS, resume=False, overwrite=True)


@pytest.mark.parametrize(
    "damage", [b"", b"[]", b"{}", b'{"settings": 1, "partitions": [{}]}', b"[" * 100_000]
)
def test_a_damaged_manifest_is_an_error_of_ours(manifest: Manifest, damage: bytes) -> None:
    MEMORY.pipe_file("/out.jsonl/_manifest.json", damage)
    with pytest.raises(OptionError, match="damaged"):
        manifest.begin(CUTS, **AGAIN)
