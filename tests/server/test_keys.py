"""Keys: hashed at rest, of one user or all, made and revoked while a server runs."""

from __future__ import annotations

import stat

import pytest
from fastapi import HTTPException

from romaine.errors import InputFileError, OptionError, UnknownNameError
from romaine.server.keys import KeyFile, user_for


@pytest.fixture
def keys(tmp_path):
    return KeyFile(tmp_path / "keys.json")


def test_a_key_is_found_by_its_secret_alone(keys):
    ana, everyone = keys.make("ana", note="laptop"), keys.make("*")
    assert keys.find(ana).bound_user == "ana"
    assert keys.find(everyone).bound_user is None
    assert [key.note for key in keys.all()] == ["laptop", ""]
    key_id = ana.split("-")[1]
    for wrong in (
        "",
        ana[:-1],
        ana + "x",
        f"romaine-{key_id}-",
        f"romaine-{everyone.split('-')[1]}-{ana[17:]}",
        "é",
    ):
        assert keys.find(wrong) is None


def test_the_file_holds_no_secret_and_is_its_owners(keys):
    secret = keys.make("ana").split("-", 2)[2]
    assert secret not in keys.path.read_text()
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600


def test_what_another_process_makes_or_revokes_counts_at_once(keys):
    server = KeyFile(keys.path)
    key = keys.make("ana")
    assert server.find(key)
    keys.revoke(key.split("-")[1])
    assert server.find(key) is None
    with pytest.raises(UnknownNameError):
        keys.revoke("nobody")


def test_what_is_no_file_of_keys_is_told(keys):
    keys.path.write_text("[]")
    with pytest.raises(InputFileError, match="no file of keys"):
        keys.all()
    with pytest.raises(OptionError, match="empty"):
        KeyFile(keys.path.with_name("other")).make(" ")


def test_whose_memory_a_request_is_about():
    assert user_for(None, "ana") == "ana"
    assert user_for("ana", None) == "ana"
    assert user_for("ana", "ana") == "ana"
    with pytest.raises(HTTPException) as refused:
        user_for("ana", "ben")
    assert refused.value.status_code == 403
    with pytest.raises(HTTPException):
        user_for(None, "")
