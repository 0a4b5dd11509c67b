"""Settings: one set of names for flags, variables and a TOML file."""

from __future__ import annotations

from pathlib import Path

import pytest

from romaine.errors import OptionError
from romaine.server.settings import ServerSettings


def test_a_flag_wins_over_a_variable_and_that_over_the_file(tmp_path, monkeypatch):
    file = tmp_path / "romaine.toml"
    file.write_text('port = 1\nhost = "10.0.0.1"\nmodels = ["a", "b=c"]\ncors = ["https://x.org"]\n')
    monkeypatch.setenv("ROMAINE_CONFIG", str(file))
    monkeypatch.setenv("ROMAINE_PORT", "2")
    monkeypatch.setenv("ROMAINE_HOST", "10.0.0.2")
    monkeypatch.setenv("ROMAINE_HOSTS", "one.org, two.org")
    settings = ServerSettings.of_flags(["--port", "3", "--max-items", "7", "--insecure"])
    assert (settings.port, settings.host, settings.max_items) == (3, "10.0.0.2", 7)
    assert settings.sources == {"a": "a", "b": "c"}
    assert settings.hosts == ("one.org", "two.org")
    assert settings.cors == ("https://x.org",)
    assert settings.insecure


def test_every_field_is_described_and_has_a_flag(capsys):
    with pytest.raises(SystemExit):
        ServerSettings.of_flags(["--help"])
    shown = capsys.readouterr().out
    for name, field in ServerSettings.model_fields.items():
        assert field.description
        assert f"--{name.replace('_', '-')}" in shown


def test_what_is_unknown_in_the_file_is_an_error(tmp_path, monkeypatch):
    file = tmp_path / "romaine.toml"
    file.write_text("prot = 1\n")
    monkeypatch.setenv("ROMAINE_CONFIG", str(file))
    with pytest.raises(ValueError, match="prot"):
        ServerSettings()
    monkeypatch.setenv("ROMAINE_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(OptionError, match="is no file"):
        ServerSettings()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "example.org"])
def test_a_public_address_needs_keys(host):
    with pytest.raises(OptionError, match="romaine keys make"):
        ServerSettings(host=host).check()
    ServerSettings(host=host, keys=Path("keys.json")).check()
    ServerSettings(host=host, insecure=True).check()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_alone_needs_none(host):
    ServerSettings(host=host).check()


def test_sandboxed_pages_need_keys():
    with pytest.raises(OptionError, match="cors=null"):
        ServerSettings(cors=("null",), insecure=True).check()
    ServerSettings(cors=("null",), keys=Path("keys.json")).check()


@pytest.mark.parametrize("models", [(), ("a", "a=b")])
def test_models_have_names_of_their_own(models):
    with pytest.raises(OptionError, match="each once"):
        ServerSettings(models=models).check()


def test_late_interaction_is_spelled_as_the_library_does(monkeypatch):
    assert ServerSettings.of_flags([]).late_interaction is None
    monkeypatch.setenv("ROMAINE_LATE_INTERACTION", "computed")
    assert ServerSettings.of_flags([]).late_interaction == "computed"
    assert ServerSettings.of_flags(["--late-interaction", "off"]).late_interaction == "off"
    with pytest.raises(OptionError, match="late_interaction"):
        ServerSettings.of_flags(["--late-interaction", "some"])
