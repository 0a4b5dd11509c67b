from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from romaine.errors import ModelNotFoundError, OptionError, RomaineError
from romaine.models import catalog
from romaine.models.names import check_revision, parse_name


@pytest.mark.parametrize("name", list(catalog.CATALOG))
def test_catalog_names_are_hub_models(name):
    parsed = parse_name(name)
    assert parsed.is_hub
    assert parsed.id == name
    assert parsed.card is catalog.CATALOG[name]


@pytest.mark.parametrize("name", list(catalog.CATALOG))
def test_short_names_lead_to_the_catalog(name):
    assert parse_name(name.rpartition("/")[2]).id == name


def test_an_unknown_hub_id_is_accepted_as_it_is():
    parsed = parse_name("someone/some-model_v1.5")
    assert parsed.is_hub
    assert parsed.card is None


def test_a_folder_may_be_given_as_str_or_path(folder, monkeypatch):
    assert parse_name(folder).folder == folder
    assert parse_name(str(folder)).folder == folder
    monkeypatch.chdir(folder.parent)
    assert parse_name("some-model").folder == Path("some-model")
    assert parse_name("./some-model").folder == Path("some-model")
    monkeypatch.chdir(folder)
    assert parse_name("../some-model").folder == Path("../some-model")


@pytest.mark.parametrize(
    "name", [None, 5, 1.5, b"little-gem", ["little-gem"], "", "   ", "a\0b", "a\nb", "\ud800", "a/../b"]
)
def test_what_cannot_be_a_name(name):
    with pytest.raises(OptionError, match="model"):
        parse_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "/nonexistent/model",
        "./nonexistent",
        "../../../nonexistent",
        "~nobody-of-this-name/model",
        "~/nonexistent-model",
        "a\\b",
        "C:\\models\\x",
        "a/b/c",
        "a--b/c",
        "org/name.git",
        "-org/name",
        "org/.name",
        "x" * 5000,
        "o/" + "x" * 200,
    ],
)
def test_what_no_model_is_called(name):
    with pytest.raises(ModelNotFoundError):
        parse_name(name)


@pytest.mark.parametrize(
    ("typo", "meant"),
    [("litle-gem", "little-gem"), ("all-MiniLM-L6", "all-MiniLM-L6-v2"), ("lettuce-emb-768d-v3", "768d-v4")],
)
def test_a_typo_is_answered_with_the_nearest_name(typo, meant):
    with pytest.raises(ModelNotFoundError, match=f"Did you mean '[^']*{meant}'"):
        parse_name(typo)


def test_a_file_is_not_a_model(folder):
    with pytest.raises(ModelNotFoundError, match="is a file"):
        parse_name(folder / "config.json")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.one_of(st.text(), st.text("./\\~a:- \0"), st.binary(), st.integers(), st.none()))
def test_a_name_never_escapes(name, tmp_path):
    """An error of ours, a hub id that stays one folder of the cache, or an existing folder."""
    try:
        parsed = parse_name(name)
    except RomaineError:
        return
    if parsed.is_hub:
        flat = parsed.id.replace("/", "--")
        assert parsed.id.count("/") <= 1
        assert (tmp_path / f"models--{flat}").resolve().parent == tmp_path.resolve()
    else:
        assert parsed.folder.is_dir()


@pytest.mark.parametrize("revision", ["main", "v1.5", "refs/pr/3", "0" * 40])
def test_revisions(revision):
    assert check_revision(revision) == revision


@pytest.mark.parametrize(
    "revision", ["", "..", "../main", "/etc/passwd", "a//b", "a\0", 5, "a b", "-x", "a/../../b"]
)
def test_what_is_not_a_revision(revision):
    with pytest.raises(OptionError, match="revision"):
        check_revision(revision)
