# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""Times as YAML and JSON hold them."""

from __future__ import annotations

from datetime import datetime

from romaine.errors import OptionError


def as_datetime(name: str, value: object) -> datetime:
    """Returns a time that is given as such or as text.

    :param name: What the value is called, for the message.
    :param value: A datetime, or ISO 8601.
    :returns: The time; naive if it has no offset.
    :raises OptionError: If it is neither.
    """
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(str(value).replace("Z", "+00:00"))  # Python 3.10 does not know the Z
    except ValueError:
        raise OptionError(f"{name}={value!r} must be a datetime or ISO 8601") from None
