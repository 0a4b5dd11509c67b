from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from romaine.errors import IntegrityError
from romaine.models import integrity


def check(path, *, key="folder:/x", name="f"):
    integrity.check_recorded(key, name, path, integrity.sha256_of(path), repair="Repair it.")


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    return path


def test_a_changed_file_is_refused_until_forgotten(file):
    check(file)
    check(file)
    file.write_bytes(b"two")
    with pytest.raises(IntegrityError, match=r"has changed since it was first used.*Repair it."):
        check(file)
    assert integrity.forget("folder:/x") == 1
    check(file)
    assert integrity.forget("folder:/y") == 0


def test_models_and_files_are_kept_apart(file):
    check(file)
    file.write_bytes(b"two")
    check(file, key="folder:/y")
    check(file, name="g")


def test_nothing_is_made_before_it_is_needed(own_cache):
    assert integrity.forget("folder:/x") == 0
    assert not own_cache.exists()


def test_a_cache_that_cannot_be_written_is_no_error(file, tmp_path, monkeypatch):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the cache should be")
    monkeypatch.setenv("ROMAINE_CACHE", str(blocked))
    check(file)
    file.write_bytes(b"two")
    check(file)


def test_a_damaged_record_counts_as_none(file, own_cache):
    check(file)
    (record,) = own_cache.rglob("*.json")
    record.write_text("{")
    file.write_bytes(b"two")
    check(file)
    file.write_bytes(b"three")
    with pytest.raises(IntegrityError):
        check(file)


def test_many_processes_record_at_once(file, own_cache):
    code = (
        "import sys; from pathlib import Path; from romaine.models import integrity as i\n"
        "for n in range(50):\n"
        "    i.check_recorded('k', str(n), Path(sys.argv[1]), i.sha256_of(Path(sys.argv[1])), repair='')"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code, str(file)]) for _ in range(3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    assert len(list(own_cache.rglob("*.json"))) == 50
    assert not list(own_cache.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("platform", "part"), [("win32", "Cache"), ("darwin", "Caches"), ("linux", "romaine")]
)
def test_the_platforms_cache_folder(platform, part, monkeypatch):
    monkeypatch.delenv("ROMAINE_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    assert part in integrity.cache_folder().parts
