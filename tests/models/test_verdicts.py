from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from romaine import Embedder
from romaine.errors import RejectedModelError, UnverifiedModelError
from romaine.models import verdicts
from romaine.models.catalog import BUNDLED_FOLDER
from romaine.models.files import LocalModel
from romaine.models.verdicts import VERDICT_FILE, Verdict, find, save, verdict_key


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROMAINE_CACHE", str(tmp_path / "romaine-cache"))
    return tmp_path / "romaine-cache"


@pytest.fixture
def folder(static_embedding_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(static_embedding_folder, tmp_path / "model"))


def opened(folder: Path) -> LocalModel:
    return Embedder(folder, backend="static").opened.local


def passed(local: LocalModel, **changes: object) -> Verdict:
    verdict = Verdict(
        key=verdict_key(local, "static"), passed=True, backend="static", at="2026-01-01T00:00:00+00:00"
    )
    return replace(verdict, **changes)


def demanding(folder: Path, **options: object) -> Embedder:
    return Embedder(folder, backend="static", require_verified=True, **options)


def test_a_model_without_a_verdict_is_refused_with_the_command_to_run(folder: Path) -> None:
    with pytest.raises(UnverifiedModelError, match=f"romaine verify {folder} --backend static"):
        demanding(folder).warm_up()
    Embedder(folder, backend="static").warm_up()


def test_a_model_with_a_pass_is_opened(folder: Path) -> None:
    local = opened(folder)
    assert save(passed(local), local) == folder / VERDICT_FILE
    assert demanding(folder).embed_query("a lantern").shape == (64,)


def test_a_rejected_model_is_refused_with_its_reasons(folder: Path) -> None:
    local = opened(folder)
    save(passed(local, passed=False, reasons=("memory: recall@5: 0.02, wanted at least 0.14",)), local)
    with pytest.raises(RejectedModelError, match=r"recall@5: 0\.02, wanted at least 0\.14"):
        demanding(folder).warm_up()


def test_a_verdict_is_void_where_the_card_claims_another_language(folder: Path) -> None:
    local = opened(folder)
    save(passed(local), local)
    english, korean = (
        replace(local, card=replace(local.card, languages=said)) for said in (("en",), ("en", "ko"))
    )
    assert find(english, "static") is not None  # which is looked at whatever the card says
    assert find(korean, "static") is None


def test_a_verdict_is_void_for_another_version_of_the_verifier(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = opened(folder)
    save(passed(local), local)
    monkeypatch.setattr(verdicts, "VERIFIER_VERSION", verdicts.VERIFIER_VERSION + 1)
    with pytest.raises(UnverifiedModelError, match="verified by version 2 of the verifier"):
        demanding(folder).warm_up()


def test_a_verdict_is_void_for_other_weights(
    folder: Path, sse_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = opened(folder)
    save(passed(local), local)
    weights = folder / "0_StaticEmbedding" / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(bytes(changed))
    monkeypatch.setenv("ROMAINE_CACHE", str(tmp_path / "new"))  # as after 'romaine models forget'
    with pytest.raises(UnverifiedModelError, match="for other files, settings or backends"):
        demanding(folder).warm_up()


def test_a_verdict_is_for_one_backend(folder: Path) -> None:
    local = opened(folder)
    save(passed(local), local)
    assert find(local, "static") is not None
    assert find(local, "sentence-transformers") is None


def test_what_the_card_says_about_vectors_is_part_of_the_key(folder: Path) -> None:
    local = opened(folder)
    key = verdict_key(local, "static")
    for change in (
        {"dims": (32, 64)},
        {"layer_norm": True},
        {"int8_ranges": {64: 0.01}},
        {"unit_output": True},
    ):
        other = replace(local, card=replace(local.card, **change))
        assert verdict_key(other, "static") != key
    assert verdict_key(replace(local, card=replace(local.card, note="other words")), "static") == key


def test_a_folder_that_cannot_be_written_has_its_verdict_in_the_cache(
    folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = opened(folder)
    (folder / VERDICT_FILE).mkdir()  # in the way, for root as well
    path = save(passed(local), local)
    assert path is not None
    assert own_cache in path.parents
    demanding(folder).warm_up()


def test_where_nothing_can_be_written_nothing_is_kept(
    folder: Path, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = opened(folder)
    (folder / VERDICT_FILE).mkdir()
    monkeypatch.setenv("ROMAINE_CACHE", str(folder / "config_sentence_transformers.json"))
    assert save(passed(local), local) is None
    assert not list(folder.glob("*.tmp"))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"verdicts": 1}',
        '{"verdicts": [1, {"key": "x"}, {"passed": "yes", "verifier": 1}]}',
        "\x00",
    ],
)
def test_a_damaged_file_counts_as_none(folder: Path, content: str) -> None:
    local = opened(folder)
    (folder / VERDICT_FILE).write_text(content)
    assert find(local, "static") is None
    save(passed(local), local)
    assert find(local, "static") is not None


def test_a_new_verdict_takes_the_place_of_the_old_one_and_leaves_others(folder: Path) -> None:
    local = opened(folder)
    other = passed(local, key="0" * 64, backend="torch")
    save(other, local)
    save(passed(local), local)
    later = passed(local, passed=False, reasons=("x",), at="2026-02-01T00:00:00+00:00")
    save(later, local)
    kept = json.loads((folder / VERDICT_FILE).read_text())["verdicts"]
    assert [item["key"] for item in kept] == [later.key, other.key]
    assert find(local, "static") == later


def test_the_bundled_model_is_verified() -> None:
    """If this fails after a new training: romaine verify src/romaine/models/little_gem."""
    assert Embedder(require_verified=True).embed_query("a lantern").any()


def test_a_verdict_on_the_bundled_model_leaves_the_package_alone(own_cache: Path) -> None:
    local = Embedder().opened.local
    path = save(passed(local), local)
    assert path is not None
    assert BUNDLED_FOLDER not in path.parents
    assert verdict_key(local, "static") == verdict_key(opened(BUNDLED_FOLDER), "static")


def test_a_hub_repository_cannot_vouch_for_itself(folder: Path, own_cache: Path) -> None:
    local = opened(folder)
    save(passed(local), local)
    of_hub = replace(local, id="someone/model")
    assert verdict_key(of_hub, "static") == verdict_key(local, "static")
    assert find(of_hub, "static") is None
    path = save(passed(of_hub), of_hub)
    assert path is not None
    assert own_cache in path.parents
    assert find(of_hub, "static") is not None
