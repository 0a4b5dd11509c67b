"""A chat that means harm, long ones, and ones from right to left do none."""

from __future__ import annotations

import shutil
import warnings

import pytest

from romaine.memory import RoleplayMemory, Scope, Turn
from romaine.unfamiliar import UnfamiliarTextWarning
from tests.apps.page.conftest import ask, until
from tests.server.conftest import running_server

SCRIPT = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"><b>bold</b>"
HARM = Scope(user="ana", character=SCRIPT, chat=f"chat {SCRIPT}")
RTL = "שלום! איפה הסתרת את המפתח?"
VIEWS = ("chat", "facts", "lore", "summaries", "fading", "map")


@pytest.fixture(scope="module")
def harmful(tmp_path_factory):
    folder = tmp_path_factory.mktemp("harm")
    with warnings.catch_warnings(), RoleplayMemory(folder / "memories.db") as memory:
        warnings.simplefilter("ignore", UnfamiliarTextWarning)
        said = [
            SCRIPT,
            RTL,
            "word " * 200_000,
            "unbroken" * 20_000,
            "]]>--></p></article>",
            "{{user}} ${1+1}",
        ]
        memory.add_turns(
            HARM,
            [
                Turn(text, speaker=SCRIPT, role="user", source_id=f"{n}{SCRIPT}")
                for n, text in enumerate(said)
            ],
        )
        old = memory.add_fact(HARM, SCRIPT, known_by=[SCRIPT], speaker=SCRIPT).memory
        memory.add_fact(HARM, f"Newer {RTL}", supersedes=old.id)
        memory.add_lore(HARM, f"Lore {SCRIPT}")
        memory.add_summary(HARM, f"In the end {SCRIPT}")
    with running_server(
        folder / "log.txt", "--memory", str(folder / "memories.db"), "--no-access-log"
    ) as running:
        yield running
    shutil.rmtree(folder)


@pytest.mark.parametrize("width", [1360, 390])
def test_no_view_runs_or_breaks(tab, harmful, width):
    page = tab(base=harmful.url, width=width)
    for view in VIEWS:
        page.locator(f"[data-view={view}]").click()
        page.wait_for_selector(f"[data-view-shown={view}] >> css=.memory, .dot >> nth=0")
        assert page.title() != "owned"
        assert page.locator("img, main b, main script").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{view} is too wide"


def test_nothing_harms_where_it_is_asked_opened_and_undone(tab, harmful):
    page = tab(base=harmful.url)
    ask(page, f"{SCRIPT} {RTL}")
    assert page.locator("#recalled img, #recalled script").count() == 0
    page.wait_for_selector("#story .memory")
    page.locator("#story .memory [data-open]").first.click()
    page.wait_for_selector("#drawer .about")
    assert page.locator("#drawer img, #drawer b").count() == 0
    page.click("#do-forget")
    page.wait_for_selector(".toast .undo")
    page.locator(".toast .undo button").click()
    page.wait_for_selector(".toast[data-undone]")
    until(page, "document.querySelector('#story .text').textContent.includes('<script>')")
    assert page.title() != "owned"


def test_a_million_characters_are_shown_when_asked_for(tab, harmful):
    page = tab(base=harmful.url)
    page.wait_for_selector("#story .memory")
    assert page.evaluate("document.querySelector('#story').textContent.length") < 30_000
    page.locator("text=Show all 1,000,000 characters").click()
    page.wait_for_selector("#story .whole")
    assert page.evaluate("document.querySelector('#story .whole').textContent.length") == 1_000_000
    assert page.evaluate("document.querySelector('#story .whole').offsetHeight <= innerHeight")


def test_right_to_left_stands_to_the_right(tab, harmful):
    page = tab(base=harmful.url)
    text = page.locator("#story .turn .text", has_text=RTL)
    text.wait_for()
    assert text.evaluate("e => getComputedStyle(e).direction") == "rtl"
