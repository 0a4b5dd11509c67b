from __future__ import annotations

import pytest

from romaine.errors import OptionError
from romaine.memory.postgres.address import Address

SECRET = "p%40ss%2Fword"  # p@ss/word
URL = f"postgresql://ana:{SECRET}@db.example:6432/story?schema=tales&pool=3&sslmode=require&role=writer"


def test_a_url_is_taken_apart() -> None:
    address = Address.parse(URL)
    assert (address.schema, address.role, address.pool, address.prepare) == ("tales", "writer", 3, False)
    expected = {
        "user": "ana",
        "password": "p@ss/word",
        "host": "db.example",
        "port": "6432",
        "dbname": "story",
        "sslmode": "require",
    }
    assert address.conninfo.items() >= expected.items()


def test_no_secret_is_shown() -> None:
    address = Address.parse(URL)
    assert address.shown == "postgresql://ana@db.example:6432/story?schema=tales&role=writer"
    assert "ss/word" not in repr(address)
    assert address.without_secrets('no "p@ss/word" here') == 'no "***" here'
    assert Address.parse(address.shown).shown == address.shown


def test_a_socket_is_shown_so_that_it_can_be_opened_again() -> None:
    address = Address.parse("postgres:///story?host=/run/postgres")
    assert address.shown == "postgresql:///story?host=/run/postgres"
    assert Address.parse(address.shown).conninfo["host"] == "/run/postgres"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://u:sec ret@h:port/d", "%XX"),
        ("postgresql://u:secret@h/d?nothing=1", "%XX"),
        ("postgresql://u:secret@[h/d", "%XX"),
        ("postgresql://u:sec/ret@h/d", "%XX"),
        ("postgresql://u:se@c/ret@h/d", "%XX"),
        ("postgresql://u:secret@h/d?schema=Tales", "schema='Tales'"),
        ("postgresql://u:secret@h/d?role=a;b", "role='a;b'"),
        ("postgresql://u:secret@h/d?pool=0", "pool='0'"),
        ("postgresql://u:secret@h/d?prepare=maybe", "prepare='maybe'"),
    ],
)
def test_what_cannot_be_read_is_told_without_its_secrets(url: str, message: str) -> None:
    with pytest.raises(OptionError, match=message) as told:
        Address.parse(url)
    assert "ret" not in str(told.value)
    assert told.value.__cause__ is None
