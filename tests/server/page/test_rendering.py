from __future__ import annotations

import re
from importlib import resources

from romaine.memory import Scope
from romaine.server.page import rendering
from romaine.server.page.rendering import query_of, render, static_file, told_now


def test_texts_are_escaped_and_can_be_sent():
    body = bytes(render("sign_in.html", {"problem": '<b>"\udc80\0'}).body).decode()
    assert "&lt;b&gt;&#34;\ufffd" in body


def test_every_template_escapes():
    folder = resources.files("romaine.server.page").joinpath("templates")
    for file in folder.iterdir():
        text = file.read_text(encoding="utf-8")
        assert "|safe" not in text.replace(" ", ""), file.name
        assert "autoescape" not in text, file.name
        assert not re.search(r"=\{\{", text), f"{file.name}: a value without quotes"


def test_a_scope_as_a_query():
    scope = Scope(user="a&b", character="ž=?", chat=None)
    assert query_of(scope, {"view": "chat"}) == "user=a%26b&character=%C5%BE%3D%3F&view=chat"
    assert query_of(Scope(user="\udc80")) == "user=%ED%B2%80"


def test_what_happened_is_told_in_a_header():
    assert told_now("memory-changed") == {"HX-Trigger-After-Swap": '{"memory-changed": true}'}


def test_static_files_are_read_once_and_by_name_alone():
    assert static_file("page.css") is static_file("page.css")
    assert static_file("../__init__.py") is None
    assert re.fullmatch("[0-9a-f]{12}", rendering._version())


def test_the_library_is_the_one_that_was_looked_at():
    import hashlib

    # htmx.org 2.0.11 of the npm registry, dist/htmx.min.js
    expected = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
    assert hashlib.sha256(static_file("htmx.min.js") or b"").hexdigest() == expected
    assert b"Zero-Clause BSD" in (static_file("htmx.LICENSE.txt") or b"")
