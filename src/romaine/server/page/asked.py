"""What the page's routes are asked: whose memory, and the fields of a form."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, HTTPException, Query, Request

from romaine.memory import Scope
from romaine.server.keys import Caller, user_for
from romaine.server.memory.bodies import Name

_FIELDS = 100

Fields = dict[str, str]


async def _scope(
    caller: Caller,
    user: Annotated[Name | None, Query()] = None,
    character: Annotated[Name | None, Query()] = None,
    chat: Annotated[Name | None, Query()] = None,
) -> Scope:
    return Scope(user=user_for(caller, user), character=character, chat=chat)


AskedOf = Annotated[Scope, Depends(_scope)]
"""The scope that a request's query names; a key of one user opens no other."""


async def _form(request: Request) -> Fields:
    try:
        body = (await request.body()).decode("ascii")
        return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=_FIELDS))
    except ValueError:
        raise HTTPException(422, f"the form is not one of this page, or has over {_FIELDS} fields") from None


Form = Annotated[Fields, Depends(_form)]
"""The fields of a form, `application/x-www-form-urlencoded`; of several of a name the last."""


def number(fields: Fields, name: str, default: int, *, least: int, most: int) -> int:
    """A field that is a whole number, kept within bounds."""
    try:
        return min(most, max(least, int(fields.get(name, default))))
    except ValueError:
        return default


def names(text: str) -> list[str]:
    """Names that somebody typed, with commas between them."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
