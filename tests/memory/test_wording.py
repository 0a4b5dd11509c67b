"""A file's terms are those of the analyzer that it names, whoever opens it with whichever."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.errors import OptionError, OtherAnalyzerError
from romaine.memory import RoleplayMemory, Scope, reembed
from romaine.memory.language import DEFAULT, Analyzer
from romaine.memory.terms import document_text, term_ids
from tests.memory.conftest import CHAT, said

OLD_FILE = Path(__file__).parent.parent / "reliability" / "data" / "memory-v1.db"


class Backwards(Analyzer):
    """Words read from the other end."""

    id = "backwards"
    version = 1

    def terms(self, text: str) -> list[str]:
        return [word[::-1] for word in text.lower().split()]


BACKWARDS = Backwards()


def settings(path: Path) -> dict[str, object]:
    connection = sqlite3.connect(path)
    try:
        found = dict(connection.execute("SELECT key, value FROM meta"))
    finally:
        connection.close()
    return {key: found[key] for key in ("analyzer", "terms", "next_analyzer", "reworded") if key in found}


def stored_terms(path: Path) -> dict[str, list[int]]:
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute(
            "SELECT m.text, m.speaker, v.terms FROM memory m JOIN vector v ON v.no = m.no"
        )
        return {
            document_text(text, speaker): memoryview(terms).cast("I").tolist()
            for text, speaker, terms in rows
        }
    finally:
        connection.close()


def is_worded_by(path: Path, analyzer: Analyzer) -> bool:
    return all(terms == term_ids(text, analyzer).tolist() for text, terms in stored_terms(path).items())


@pytest.fixture
def file(path: Path, gem: Embedder, scope: Scope) -> Path:
    with RoleplayMemory(path, embedder=gem) as memory:
        memory.add_turns(scope, CHAT)
    return path


def test_a_new_file_names_its_analyzer(path: Path, file: Path, tmp_path: Path, gem: Embedder) -> None:
    assert settings(file) == {"analyzer": "default", "terms": DEFAULT.version}
    with RoleplayMemory(tmp_path / "other.db", embedder=gem, analyzer=BACKWARDS) as memory:
        assert memory.analyzer is BACKWARDS
    assert settings(tmp_path / "other.db") == {"analyzer": "backwards", "terms": 1}


def test_another_analyzer_makes_the_terms_anew(file: Path, gem: Embedder, scope: Scope) -> None:
    with RoleplayMemory(file, embedder=gem, analyzer=BACKWARDS) as memory:
        found = memory.recall("silver", scope)
        assert found[0].memory.source_id == "1"
        assert found[0].parts["lexical"] > 0
        assert memory.verify().is_sound
        memory.add_turns(scope, [said("A new turn.", "5")])
    assert settings(file) == {"analyzer": "backwards", "terms": 1}
    assert is_worded_by(file, BACKWARDS)
    with RoleplayMemory(file, embedder=gem, analyzer="default") as memory:
        assert memory.recall("keys", scope)[0].parts["lexical"] > 0
        assert memory.verify().is_sound
    assert is_worded_by(file, DEFAULT)


def test_a_new_version_makes_the_terms_anew(
    file: Path, gem: Embedder, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RoleplayMemory(file, embedder=gem, analyzer=BACKWARDS):
        pass
    monkeypatch.setattr(BACKWARDS, "version", 2, raising=False)
    monkeypatch.setattr(BACKWARDS, "terms", str.split, raising=False)
    with RoleplayMemory(file, embedder=gem, analyzer=BACKWARDS) as memory:
        assert memory.verify().is_sound
    assert settings(file) == {"analyzer": "backwards", "terms": 2}
    assert is_worded_by(file, BACKWARDS)


def test_a_file_of_an_unknown_analyzer_says_so(file: Path, gem: Embedder) -> None:
    with RoleplayMemory(file, embedder=gem, analyzer=BACKWARDS):
        pass
    with pytest.raises(OtherAnalyzerError, match="analyzer 'backwards', which is not known here"):
        RoleplayMemory(file, embedder=gem)
    with pytest.raises(OtherAnalyzerError, match="install what brings it"):
        RoleplayMemory(file, embedder=gem, analyzer="default", read_only=True)


@pytest.mark.parametrize("analyzer", [3, Backwards, b"default"])
def test_what_is_no_analyzer_is_refused(path: Path, gem: Embedder, analyzer: object) -> None:
    with pytest.raises(OptionError, match="neither an Analyzer nor the name of one"):
        RoleplayMemory(path, embedder=gem, analyzer=analyzer)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="unknown analyzer 'klingon'"):
        RoleplayMemory(path, embedder=gem, analyzer="klingon")


def test_a_file_that_may_not_be_written_is_searched_with_its_own(
    file: Path, gem: Embedder, scope: Scope
) -> None:
    with RoleplayMemory(file, embedder=gem, analyzer=BACKWARDS, read_only=True) as memory:
        assert memory.analyzer is DEFAULT
        assert memory.recall("keys", scope)[0].parts["lexical"] > 0
    assert is_worded_by(file, DEFAULT)


def test_whoever_has_it_open_with_the_former_one_is_told(file: Path, gem: Embedder, scope: Scope) -> None:
    with RoleplayMemory(file, embedder=gem) as former:
        with RoleplayMemory(file, embedder=gem, analyzer=BACKWARDS):
            pass
        with pytest.raises(OtherAnalyzerError, match="opened elsewhere with analyzer backwards 1"):
            former.add_turns(scope, [said("A new turn.", "5")])
        with pytest.raises(OtherAnalyzerError, match="open it again"):
            former.recall("key", scope)
    assert is_worded_by(file, BACKWARDS)


def test_embedding_again_leaves_the_terms(file: Path, gem: Embedder) -> None:
    with RoleplayMemory(file, embedder=gem, analyzer=BACKWARDS):
        pass
    before = stored_terms(file)
    reembed(file, gem)
    assert stored_terms(file) == before
    with RoleplayMemory(file, embedder=gem, analyzer=BACKWARDS) as memory:
        assert memory.verify().is_sound


def test_an_old_file_is_worded_anew_and_finds_its_other_languages(tmp_path: Path, gem: Embedder) -> None:
    path = tmp_path / "old.db"
    shutil.copyfile(OLD_FILE, path)
    with RoleplayMemory(path, embedder=gem) as memory:
        assert memory.verify().is_sound
    assert settings(path) == {"analyzer": "default", "terms": DEFAULT.version}
    assert is_worded_by(path, DEFAULT)


_KILLED = """
import os, sys
from romaine.embedder import Embedder
from romaine.memory import RoleplayMemory
from tests.memory.test_wording import Backwards

class Fatal(Backwards):
    left = 700

    def terms(self, text):
        self.left -= 1
        if self.left == 0:
            os._exit(9)
        return super().terms(text)

RoleplayMemory(sys.argv[1], embedder=Embedder(dim=64), analyzer=Fatal())
"""


def killed_half_way(path: Path) -> None:
    code = subprocess.run(
        [sys.executable, "-c", _KILLED, str(path)],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])},
        check=False,
    ).returncode
    assert code == 9


def test_what_was_interrupted_goes_on(path: Path, gem: Embedder, scope: Scope) -> None:
    with RoleplayMemory(path, embedder=gem) as memory:
        memory.add_turns(scope, [said(f"Turn {i}.", str(i)) for i in range(900)])
    killed_half_way(path)
    left = settings(path)
    assert left["next_analyzer"] == "backwards 1"
    assert left["analyzer"] == "default"
    done = int(str(left["reworded"]))
    assert done == 512

    class Counting(Backwards):
        count = 0

        def terms(self, text: str) -> list[str]:
            self.count += 1
            return super().terms(text)

    again = Counting()
    with RoleplayMemory(path, embedder=gem, analyzer=again) as memory:
        assert again.count == 900 - done
        assert memory.verify().is_sound
    assert is_worded_by(path, BACKWARDS)
    assert settings(path) == {"analyzer": "backwards", "terms": 1}


def test_what_was_interrupted_is_the_files_own(path: Path, gem: Embedder, scope: Scope) -> None:
    with RoleplayMemory(path, embedder=gem) as memory:
        memory.add_turns(scope, [said(f"Turn {i}.", str(i)) for i in range(900)])
    killed_half_way(path)
    with pytest.raises(OtherAnalyzerError, match="'backwards', which is not known"):
        RoleplayMemory(path, embedder=gem)
    with RoleplayMemory(path, embedder=gem, analyzer="default") as memory:  # begins anew
        assert memory.verify().is_sound
    assert is_worded_by(path, DEFAULT)
    assert settings(path) == {"analyzer": "default", "terms": DEFAULT.version}
