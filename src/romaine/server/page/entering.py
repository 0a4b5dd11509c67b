"""How somebody comes in: with a key in a form, or by the address that `romaine inspect` opens."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from romaine.server.cookies import keep_key
from romaine.server.page.asked import Form
from romaine.server.page.rendering import POLICY, render

router = APIRouter()


@dataclass
class Entry:
    """What opens the page once: whoever shows `once` first gets the key.

    Attributes:
        once: A secret of the address that is opened; "" when it has been used.
        key: What the browser is given for it.
    """

    once: str
    key: str

    def redeem(self, given: str) -> str:
        """Returns the key for the secret, and never again; "" for anything else."""
        if not self.once or not hmac.compare_digest(self.once.encode(), given.encode()):
            return ""
        self.once = ""
        return self.key


@router.get("/page/enter")
async def enter(request: Request, once: str = "") -> Response:
    """Exchanges the one-time secret of an address for a cookie."""
    entry: Entry | None = request.app.state.entry
    key = entry.redeem(once) if entry else ""
    if not key:
        return sign_in_form(
            "This address was used already. Run `romaine inspect` again, or enter a key.", status=401
        )
    return _entered(request, key)


@router.post("/page/sign-in")
async def sign_in(request: Request, fields: Form) -> Response:
    """Takes a key from the form."""
    keys, given = request.app.state.keys, fields.get("key", "").strip()
    if keys is not None and keys.find(given) is None:
        return sign_in_form("That key opens nothing here. Check that it is whole.", status=401)
    return _entered(request, given)


@router.post("/page/sign-out")
async def sign_out(request: Request) -> Response:
    """Has the browser forget the key."""
    return _entered(request, "")


def sign_in_form(problem: str = "", *, status: int = 200) -> Response:
    """The form that asks for a key."""
    return render("sign_in.html", {"problem": problem}, status=status)


def _entered(request: Request, key: str) -> Response:
    response = RedirectResponse("/", status_code=303, headers=POLICY)
    secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
    keep_key(response, request.headers.get("host", ""), key, secure=secure)
    return response
