"""Templates, filled in: what users wrote is escaped, and every answer says what a browser may do with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from romaine.memory import Memory, Scope
from romaine.memory.plain import clean_text

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

POLICY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of every answer of the page: nothing from elsewhere, nothing inline, in nobody's frame."""

SHOWN = 1_500
"""Characters of a text that a list shows; a click shows the rest."""

CATEGORIES = ("character_trait", "relationship", "plot_event", "world_detail", "preference", "other")


def render(
    template: str,
    values: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Fills a template in.

    Args:
        template: Its name.
        values: What it shows.
        status: HTTP status.
        headers: Besides `POLICY`.
    """
    body = _templates().get_template(template).render(values or {})
    return HTMLResponse(body, status_code=status, headers={**POLICY, **(headers or {})})


def query_of(scope: Scope, more: Mapping[str, object] = MappingProxyType({})) -> str:
    """A scope as the query of a URL, and what else stands there."""
    named = {name: value for name, value in {**vars(scope), **more}.items() if value is not None}
    return urlencode(named, errors="surrogatepass")


def told_now(event: str) -> dict[str, str]:
    """The header by which an answer tells the page's script that something happened."""
    return {"HX-Trigger-After-Swap": json.dumps({event: True})}


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("romaine.server.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    made.filters |= {
        "day": _day,
        "moment": datetime.isoformat,
        "count": lambda number: f"{number:,}",
        "share": lambda share: f"{100 * share:.0f}%",
        "scope_query": lambda named: query_of(Scope(**named)),
        "plain": lambda name: str(name).replace("_", " "),
    }
    made.globals |= {
        "query_of": query_of,
        "is_long": lambda memory: len(memory.text) > SHOWN,
        "head_of": _head,
        "categories": CATEGORIES,
        "version": _version(),
    }
    return made


def _version() -> str:
    """What static files are asked for with, so that a browser asks again when one has changed."""
    digest = hashlib.sha256()
    for file in sorted(_static_files().values(), key=lambda file: file.name):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _finalized(value: object) -> object:
    """What is printed: nothing for None, and no halves of surrogate pairs, which no answer can hold."""
    if value is None:
        return ""
    if type(value) is str:  # markup is made of what was looked at already
        return clean_text(value)
    return value


def _head(memory: Memory, limit: int = SHOWN) -> str:
    return memory.text if len(memory.text) <= limit else memory.text[:limit].rstrip() + " …"


def _day(moment: datetime) -> str:
    return moment.strftime("%d %b %Y, %H:%M").lstrip("0")


@cache
def static_file(name: str) -> bytes | None:
    """A file of `static/`, or None if there is none of this name."""
    file = _static_files().get(name)
    return None if file is None else file.read_bytes()


def _static_files() -> dict[str, Traversable]:
    return {file.name: file for file in resources.files("romaine.server.page").joinpath("static").iterdir()}
