"""What the page and its views show."""

from __future__ import annotations

import re

import pytest

from romaine.memory import Scope
from romaine.server.page.showing import VIEWS
from tests.server.page.conftest import CHAT, ESCAPED, SCRIPT, TAVERN, about, turn, turns

RTL = "שלום, איפה המפתח?"


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_by_itself_and_in_the_page(ana, view):
    whole = ana.get("/", params=about(view=view))
    part = ana.get("/page/view", params=about(view=view))
    assert whole.status_code == part.status_code == 200
    assert f'data-view-shown="{view}"' in whole.text
    assert f'data-view-shown="{view}"' in part.text
    assert "<html" not in part.text


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_there_yet(ana, view):
    empty = Scope(user="ana", character="Nobody", chat="nothing")
    part = ana.get("/page/view", params=about(empty, view=view))
    assert part.status_code == 200
    assert 'class="empty"' in part.text


def test_every_answer_is_kept_from_scripts_and_frames(ana):
    for path in ("/", "/page/view", "/page/static/page.js", "/page/enter"):
        headers = ana.get(path, params=about() if path == "/page/view" else {}).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_inline_or_from_elsewhere(ana, memory, view):
    page = ana.get("/", params=about(view=view)).text
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert not re.search(r"<script(?![^>]* src=\"/page/static/)", page)
    assert not re.search(r"(?:src|href)=\"(?!/|#)", page)


def test_the_scopes_are_a_tree(ana, memory):
    fork = memory.branch(TAVERN, at=1, to_chat="what if")
    memory.branch(fork, at=0, to_chat="and then")
    page = ana.get("/", params=about()).text
    tree = page[page.index('class="tree"') : page.index("</aside>")]
    assert tree.index("tavern") < tree.index("what if") < tree.index("and then")
    assert tree.count("<ul>") == 2
    assert "from turn 1 on" in tree
    assert 'aria-current="page"' in tree


def test_the_largest_chat_is_shown_first(ana, memory):
    memory.add_turns(Scope(user="ana", chat="short"), turns(*CHAT[:1]))
    assert "chat=tavern" in ana.get("/").text.partition("data-scope=")[2][:80]


def test_a_window_of_the_chat(ana, memory):
    window = ana.get("/page/turns", params=about(start=1, count=2)).text
    assert "third step" in window
    assert "Good night" in window
    assert "harbour master" not in window
    assert re.findall(r'data-at="(\d+)"', window) == ["1", "2"]
    assert ana.get("/page/turns", params=about(start=400)).text.strip() == ""
    assert ana.get("/page/turns", params=about(start=-1)).status_code == 422
    assert ana.get("/page/turns", params=about(count=100_000)).status_code == 422


def test_facts_stand_with_what_they_replaced(ana, memory):
    old = memory.add_fact(TAVERN, "Cassian owes forty crowns.").memory
    mid = memory.add_fact(TAVERN, "Cassian owes ten crowns.", supersedes=old.id).memory
    memory.add_fact(TAVERN, "Cassian owes nothing.", supersedes=mid.id, known_by=["Cassian"])
    shown = ana.get("/page/view", params=about(view="facts")).text
    assert shown.count('class="chain"') == 1
    assert shown.index("nothing") < shown.index("ten crowns") < shown.index("forty crowns")
    assert "only Cassian" in shown
    found = ana.get("/page/notes", params=about(kind="fact", q="FORTY")).text
    assert "owes nothing" in found
    assert 'class="empty"' in ana.get("/page/notes", params=about(kind="fact", q="bees")).text


def test_lore_and_summaries_have_views_of_their_own(ana, memory):
    memory.add_lore(TAVERN, "The tavern has no windows.")
    memory.add_summary(TAVERN, "They made peace.")
    assert "no windows" in ana.get("/page/view", params=about(view="lore")).text
    summaries = ana.get("/page/view", params=about(view="summaries")).text
    assert "made peace" in summaries
    assert "no windows" not in summaries


def test_one_memory_with_all_about_it(ana, memory):
    first = turn(memory, "2")
    memory.add_fact(TAVERN, "There is a key.", parent_id="2")
    shown = ana.get(f"/page/memory/{first.id}", params=about()).text
    assert first.id in shown
    assert "1 made from it goes along" in shown
    assert "do-retract" in shown
    missing = ana.get("/page/memory/01a2003c-5c62-7c97-ad15-67ece870e079", params=about())
    assert missing.status_code == 404
    assert "<" not in missing.text


def test_whatever_is_said_is_only_text(ana, memory):
    long = SCRIPT + "x" * 1_000_000
    odd = f"lone \udc80, nul \0, {RTL}"
    chat = [(SCRIPT, "user", SCRIPT), ("Ana", "user", long), ("שרה", "character", odd)]
    hostile = Scope(user="ana", character=SCRIPT, chat=SCRIPT)
    memory.add_turns(hostile, turns(*chat))
    old = memory.add_fact(hostile, SCRIPT, speaker=SCRIPT, known_by=[SCRIPT]).memory
    memory.add_fact(hostile, f"{SCRIPT} again, and different words", supersedes=old.id)
    memory.add_lore(hostile, SCRIPT)
    memory.add_summary(hostile, f"{SCRIPT} in the end")
    asked = about(hostile)
    pages = [ana.get("/", params=asked | {"view": view}) for view in VIEWS]
    pages += [ana.get("/page/turns", params=asked), ana.get("/page/scopes", params=asked)]
    pages += [ana.get("/page/notes", params=asked | {"q": SCRIPT})]
    pages += [ana.post("/page/recall", params=asked, data={"message": SCRIPT, "neighbours": "2"})]
    listed = memory.list(hostile)
    pages += [ana.get(f"/page/memory/{each.id}", params=asked) for each in listed]
    pages += [ana.post(f"/page/memory/{listed[0].id}/forget", params=asked)]
    for page in pages:
        assert page.status_code == 200
        assert "<script>document" not in page.text
        assert "<img" not in page.text
    assert ESCAPED in pages[0].text
    assert len(pages[6].text) < 20_000, "a million characters stand in no list"
    assert "Show all" in pages[6].text
    assert RTL in pages[6].text
    assert pages[6].text.count('dir="auto"') >= 3
    whole = ana.get(f"/page/memory/{turn(memory, '2', hostile).id}/text", params=asked)
    assert "x" * 1_000_000 in whole.text
    assert ESCAPED in whole.text


def test_an_unlikely_scope_is_told_not_shown(ana):
    assert ana.get("/", params={"user": "ana", "chat": ""}).status_code == 400
    assert ana.get("/page/view", params={"chat": "x" * 501}).status_code == 422


def test_static_files_are_those_of_the_folder(ana):
    for name, kind in (("page.css", "text/css"), ("htmx.min.js", "text/javascript")):
        answer = ana.get(f"/page/static/{name}", headers={"Authorization": ""})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
    for name in ("..%2Fshowing.py", "nothing.js", "__init__.py"):
        assert ana.get(f"/page/static/{name}").status_code in (401, 404)


def test_a_key_of_one_user_shows_that_user_alone(ana, memory):
    memory.add_turns(Scope(user="bob", character="Mira", chat="secret"), turns(*CHAT))
    page = ana.get("/").text
    assert "bob" not in page
    assert "secret" not in page
    for path in ("/", "/page/view", "/page/turns", "/page/scopes"):
        assert ana.get(path, params={"user": "bob", "chat": "secret"}).status_code == 403


def test_a_key_of_all_users_chooses_whom(client, keys, memory):
    memory.add_turns(Scope(user="bob", character="Mira", chat="harbour"), turns(*CHAT))
    client.headers["Authorization"] = f"Bearer {keys.make('*')}"
    page = client.get("/").text
    assert re.findall(r"<option[^>]*>(\w+)<", page)[:2] == ["ana", "bob"]
    assert "harbour" in client.get("/", params={"user": "bob"}).text
