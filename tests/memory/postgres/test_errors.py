from __future__ import annotations

import psycopg
import pytest

from romaine import errors
from romaine.memory.postgres import PostgresStorage
from romaine.memory.postgres.address import Address
from romaine.memory.postgres.errors import in_words

ADDRESS = Address.parse("postgresql://ana:geheim@h/d")
KINDS = {
    "40001": errors.StorageBusyError,
    "40P01": errors.StorageBusyError,
    "55P03": errors.StorageLockedError,
    "53100": errors.StorageFullError,
    "53300": errors.StorageUnreachableError,
    "57P01": errors.StorageUnreachableError,
    "08006": errors.StorageUnreachableError,
    "25006": errors.StorageReadOnlyError,
    "42501": errors.StorageReadOnlyError,
    "42P01": errors.StorageFormatError,
    "XX001": errors.StorageCorruptError,
    "12345": errors.StorageError,
}


@pytest.mark.parametrize("state", KINDS)
def test_each_state_has_its_error(storage: PostgresStorage, state: str) -> None:
    """What the server itself raises, with a password in its words."""
    message = f"DO $$ BEGIN RAISE EXCEPTION 'no geheim here' USING ERRCODE = '{state}'; END $$"
    connection = psycopg.connect(**storage._address.conninfo, autocommit=True)
    with pytest.raises(errors.StorageError) as told, in_words(ADDRESS), connection:
        connection.execute(message)
    assert type(told.value) is KINDS[state]
    assert str(told.value).startswith("postgresql://ana@h/d: ")
    assert "no *** here" in str(told.value)
    assert told.value.__suppress_context__


def test_a_number_too_large_is_told(storage: PostgresStorage) -> None:
    with pytest.raises(errors.StorageError, match="too large"), storage.write("ana") as change:
        change.reserve_positions(change.make_space("ana", "tavern").row_id, 1 << 70)


def test_what_is_not_the_drivers_goes_through() -> None:
    with pytest.raises(KeyError), in_words(ADDRESS):
        raise KeyError("the caller's own")
