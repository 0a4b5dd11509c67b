"""Keys: random secrets, hashed at rest, each of one user or of `*`; made and revoked by `romaine keys`."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from romaine.errors import InputFileError, OptionError, UnknownNameError

ANY_USER = "*"
_PREFIX = "romaine"
_NO_HASH = "0" * 64


@dataclass(frozen=True, kw_only=True)
class Key:
    """What is kept of a key.

    Attributes:
        id: Its public part, by which it is revoked.
        user: Whose memory it opens, or `*`.
        hash: SHA-256 of its secret part, hexadecimal. The secret has 256 random bits, so no salt and no
            slow hash are needed.
        made: When, ISO 8601 in UTC.
        note: What it is for.
    """

    id: str
    user: str
    hash: str
    made: str
    note: str = ""

    @property
    def bound_user(self) -> str | None:
        """The one user it opens, or None for all."""
        return None if self.user == ANY_USER else self.user


class KeyFile:
    """A JSON file of keys. A change by another process counts from the next request on.

    Args:
        path: The file; it need not be there yet.

    Raises:
        InputFileError: From every method, if the file is no file of keys.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_at: tuple[int, int, int] | None = None
        self._keys: dict[str, Key] = {}

    def all(self) -> list[Key]:
        """All keys, in order of making."""
        return list(self._current().values())

    def make(self, user: str, *, note: str = "") -> str:
        """Adds a key and returns it; it cannot be shown again.

        Args:
            user: Whose memory it opens, or `*`.
            note: What it is for.

        Raises:
            OptionError: If `user` is empty.
        """
        if not user.strip():
            raise OptionError(f"user={user!r} is empty: name a user, or '*' for all")
        key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        made = datetime.now(timezone.utc).isoformat(timespec="seconds")
        key = Key(id=key_id, user=user, hash=_hashed(secret), made=made, note=note)
        self._write({**self._current(), key_id: key})
        return f"{_PREFIX}-{key_id}-{secret}"

    def revoke(self, key_id: str) -> None:
        """Takes a key away.

        Raises:
            UnknownNameError: If there is none of this id.
        """
        keys = self._current()
        if key_id not in keys:
            raise UnknownNameError("key", key_id, keys)
        self._write({other: key for other, key in keys.items() if other != key_id})

    def find(self, given: str) -> Key | None:
        """The key that was given, or None if it is not one; takes the same time for any secret."""
        _, _, rest = given.partition("-")
        key_id, _, secret = rest.partition("-")
        key = self._current().get(key_id)
        same = hmac.compare_digest(_hashed(secret), key.hash if key else _NO_HASH)
        return key if same else None

    def _current(self) -> dict[str, Key]:
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            self._read_at, self._keys = None, {}
            return {}
        state = stat.st_mtime_ns, stat.st_size, stat.st_ino
        if state != self._read_at:
            try:
                keys = [Key(**each) for each in json.loads(self.path.read_bytes())["keys"]]
            except (ValueError, KeyError, TypeError) as error:
                raise InputFileError(f"{self.path} is no file of keys: {error}; make a new one") from None
            self._read_at, self._keys = state, {key.id: key for key in keys}
        return self._keys

    def _write(self, keys: dict[str, Key]) -> None:
        """Replaces the file at once; only its owner may read it."""
        document = json.dumps({"keys": [asdict(key) for key in keys.values()]}, indent=1, ensure_ascii=False)
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(document + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


# --- what a route asks -------------------------------------------------------------------------------------


def _bound_user(request: Request) -> str | None:
    key: Key | None = request.scope["state"].get("key")
    return key.bound_user if key else None


Caller = Annotated["str | None", Depends(_bound_user)]
"""The one user that the request's key opens; None if it opens all, or if the server has no keys.

`Gate` has refused every request without a valid key before any route is asked.
"""


def user_for(caller: str | None, asked: str | None) -> str:
    """The user whom a request is about: the key's, or the one that it names.

    Raises:
        HTTPException: 403 if it names another user than the key's, 422 if nobody is named.
    """
    if caller is None and not asked:
        raise HTTPException(422, "user is missing: name whose memory it is")
    if caller is not None and asked and asked != caller:
        raise HTTPException(403, "this key opens another user's memory; leave out user, or use another key")
    return caller or asked or ""
