"""How the page looks and whom it serves: pictures for the documentation, axe, narrow screens, long chats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from romaine.memory import RoleplayMemory, Scope, Turn
from tests.apps.page.conftest import ask, ready, until
from tests.server.conftest import running_server

KEY = "Where did you hide the silver key?"
CHAT = "/?user=ana&character=Cassian&chat=Heron+and+Lantern"
VIEWS = ("chat", "facts", "lore", "summaries", "fading", "map")
LARGEST = 200_000  # bytes of a picture
IMPACTS = {"serious", "critical"}


@pytest.fixture
def shot(pictures: Path):
    def taken(page, name: str) -> None:
        page.wait_for_timeout(200)
        path = pictures / f"page-{name}.png"
        page.screenshot(path=path)
        assert path.stat().st_size < LARGEST

    return taken


def test_pictures(tab, shot):
    page = tab(CHAT, width=1280, height=760)
    ready(page)
    ask(page, KEY)
    shot(page, "chat")
    page.locator("#dim").focus()
    page.keyboard.press("Home")
    page.wait_for_selector("text=Compared by the first 32 components")
    shot(page, "dimensions")
    page.click("[data-view=facts]")
    page.wait_for_selector("#chains .memory")
    page.locator("#chains [data-open]").first.click()
    page.wait_for_selector("#drawer .about")
    page.click("#do-supersede")
    shot(page, "memory")
    page.keyboard.press("Escape")
    for view in ("facts", "fading", "map"):
        page.click(f"[data-view={view}]")
        page.wait_for_selector(f"[data-view-shown={view}]")
        shot(page, view)
    page.click("#import-open")
    page.set_input_files("#file", Path(__file__).parents[3] / "examples" / "data" / "heron-and-lantern.jsonl")
    page.wait_for_selector("#import-do")
    shot(page, "import")
    dark = tab(CHAT, width=1280, height=760, dark=True)
    ready(dark)
    ask(dark, KEY)
    shot(dark, "dark")
    phone = tab(CHAT, width=390, height=844)
    ready(phone)
    shot(phone, "phone")
    phone.click("[data-pane-of=ask]")
    ask(phone, KEY)
    shot(phone, "phone-ask")


def serious(page, axe: str) -> list[str]:
    """What axe holds to be serious, in short."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {json.dumps([node['html'][:160] for node in each['nodes'][:3]])}"
        for each in found["violations"]
        if each["impact"] in IMPACTS
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1360, 390])
def test_axe_finds_nothing_serious(tab, axe, dark, width):
    page = tab(CHAT, dark=dark, width=width)
    ready(page)
    for view in VIEWS:
        page.click(f"[data-view={view}]")
        page.wait_for_selector(f"[data-view-shown={view}]")
        page.wait_for_selector("main .memory >> nth=0", state="attached")
        assert serious(page, axe) == [], view
    page.locator("main .dot").first.dispatch_event("click")
    page.wait_for_selector("#drawer .about")
    for button in ("#do-edit", "#do-supersede", "#do-witnesses"):
        page.click(button)
        assert serious(page, axe) == [], button
    page.keyboard.press("Escape")
    if width < 800:
        page.click("[data-pane-of=scopes]")
        assert serious(page, axe) == [], "scopes"
        page.click("[data-pane-of=ask]")
    ask(page, KEY)
    for summary in page.locator("#recalled summary").all():
        summary.click()
    assert serious(page, axe) == [], "recalled"
    page.click("#import-open")
    assert serious(page, axe) == [], "import"


def test_axe_finds_nothing_serious_where_there_is_nothing(tab, axe):
    page = tab("/?user=ana&character=Nobody&chat=nothing")
    for view in VIEWS:
        page.click(f"[data-view={view}]")
        page.wait_for_selector(f"[data-view-shown={view}] .empty")
        assert serious(page, axe) == [], view


@pytest.mark.parametrize("width", [1360, 1000, 820, 390, 320])
def test_nothing_is_wider_than_the_screen(tab, width):
    page = tab(CHAT, width=width, height=740)
    ready(page)
    for view in VIEWS:
        page.click(f"[data-view={view}]")
        page.wait_for_selector(f"[data-view-shown={view}]")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
    for pane in ("scopes", "ask", "main") if width <= 820 else ():
        page.click(f"[data-pane-of={pane}]")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), pane


def test_a_long_chat_is_read_in_windows(tab, tmp_path):
    scope = Scope(user="ana", character="Cassian", chat="long")
    with RoleplayMemory(tmp_path / "memories.db") as memory:
        said = [Turn(f"Line {n}.", speaker="Ana", role="user", source_id=str(n)) for n in range(3_000)]
        memory.add_turns(scope, said)
        memory.retract(scope, [str(n) for n in range(500, 700)])
    flags = ("--memory", str(tmp_path / "memories.db"), "--no-access-log")
    with running_server(tmp_path / "log.txt", *flags) as running:
        page = tab(base=running.url)
        page.wait_for_selector("#story .memory[data-at='2999']")
        until(page, "Math.abs(story.scrollHeight - story.scrollTop - story.clientHeight) < 9")
        for position, found in ((0, 0), (1500, 1500), (600, 700), (2999, 2999)):
            page.fill("#go-to", str(position))
            page.keyboard.press("Enter")
            until(page, "at => document.activeElement.dataset.at === String(at)", found)
            assert page.evaluate("document.querySelectorAll('#story .memory').length") < 400
        page.locator("#story").focus()
        page.keyboard.press("Home")
        page.wait_for_selector("#story .memory[data-at='0']")
        for _ in range(30):  # no jumps while it is read on
            page.mouse.move(600, 500)
            page.mouse.wheel(0, 400)
            page.wait_for_timeout(30)
        until(page, "[...story.querySelectorAll('.memory')].some(e => e.getBoundingClientRect().top > 200)")
        page.close()
