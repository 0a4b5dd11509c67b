"""Where a memory in Postgres is: a URL, what of it is ours, and how it is called without its secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from romaine.errors import OptionError

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SCHEMA = "romaine"
_OURS = ("schema", "role", "pool", "prepare")
_DEFAULTS = {
    "connect_timeout": "10",
    "fallback_application_name": "romaine",
    # of a server that has vanished from the net, nothing would be heard for hours
    "tcp_user_timeout": "30000",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}


@dataclass(frozen=True, kw_only=True)
class Address:
    """A URL, taken apart.

    Attributes:
        shown: What it is called in messages: no password.
        conninfo: What the driver connects by.
        schema: The schema that holds the tables.
        role: The role that transactions take, or None for the one that logs in.
        pool: Connections at most.
        prepare: Whether statements are prepared on the server; not through a pooler that knows none.
    """

    shown: str
    conninfo: dict[str, Any] = field(repr=False)
    schema: str
    role: str | None
    pool: int
    prepare: bool

    @classmethod
    def parse(cls, url: str) -> Address:
        """Takes a URL apart.

        Raises:
            OptionError: If it is none, or an option of it is not allowed; its secrets are not told.
        """
        try:
            parts = urlsplit(url)
            options = parse_qsl(parts.query, keep_blank_values=True)
            ours = {name: value for name, value in options if name in _OURS}
            # libpq reads %20, but no +
            rest = urlencode([pair for pair in options if pair[0] not in _OURS], quote_via=quote)
            told = conninfo_to_dict(f"{parts.scheme}://{parts.netloc}{parts.path}" + (rest and f"?{rest}"))
            if "@" in parts.path:  # a / in a password ends it, and the rest would be shown as a name
                raise ValueError(url)
        except (ValueError, psycopg.Error):  # what they say may quote a password
            raise OptionError(
                "the URL of the memory cannot be read; it is postgresql://USER:PASSWORD@HOST:PORT/DATABASE,"
                " with %XX for what is not a letter or digit in a password"
            ) from None
        schema, role = ours.get("schema", _SCHEMA), ours.get("role")
        for what, name in (("schema", schema), ("role", role)):
            if name is not None and not _NAME.fullmatch(name):
                raise OptionError(f"{what}={name!r} must be small letters, digits and _, not a digit first")
        pool, prepare = ours.get("pool", "16"), ours.get("prepare", "off")
        if not pool.isdecimal() or not 1 <= int(pool) <= 1000:
            raise OptionError(f"pool={pool!r} must be a number of connections, 1 to 1000")
        if prepare not in ("on", "off"):
            raise OptionError(f"prepare={prepare!r} must be on or off")
        return cls(
            shown=_shown(told, schema=schema, role=role),
            conninfo={**_DEFAULTS, **told},
            schema=schema,
            role=role,
            pool=int(pool),
            prepare=prepare == "on",
        )

    def without_secrets(self, message: str) -> str:
        """A message of others, without the password should it stand there."""
        for name in ("password", "sslpassword"):
            if self.conninfo.get(name):
                message = message.replace(str(self.conninfo[name]), "***")
        return message


def _shown(told: dict[str, Any], **ours: str | None) -> str:
    """The URL without what is secret, which serves as well where a password is found by other means."""
    user = f"{quote(told['user'], safe='')}@" if "user" in told else ""
    host, port = str(told.get("host", told.get("hostaddr", ""))), str(told.get("port", ""))
    options = {name: value for name, value in ours.items() if value not in (None, _SCHEMA)}
    if host.startswith("/"):  # a socket, which is no part of a URL that has a place for a host
        options["host"], host = host, ""
    where = f"{user}{host}{port and ':'}{port}"
    told_options = "?" + urlencode(options, safe="/") if options else ""
    return f"postgresql://{where}/{told.get('dbname', '')}{told_options}"
