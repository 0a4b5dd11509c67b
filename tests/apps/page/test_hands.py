"""What a person does on the page: type, click, undo, drop a file, switch to dark, use the keyboard."""

from __future__ import annotations

import json

import pytest

from tests.apps.page.conftest import ask, ready, until

KEY = "Where did you hide the silver key?"
FILE = "\n".join(
    json.dumps({"text": f"The {word} rings at dawn.", "speaker": "Mira", "role": "character"})
    for word in ("bell", "anvil", "glass", "kettle")
)
DROP = """([selector, name, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name));
    const on = document.querySelector(selector);
    for (const type of ['dragenter', 'dragover', 'drop'])
        on.dispatchEvent(new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true}));
}"""


def focused(page, attribute):
    return page.evaluate(f"document.activeElement.closest('.memory')?.dataset.{attribute}")


def test_typing_shows_what_would_be_recalled_and_a_hit_leads_to_its_place(tab):
    page = tab()
    ready(page)
    page.locator("#message").press_sequentially(KEY, delay=15)
    first = page.locator(".hit").first
    first.wait_for()
    until(page, "document.querySelector('.hit .text').textContent.includes('silver')")
    assert "%" in page.locator(".sure-said").inner_text()
    assert first.locator(".bar rect").count() > 2
    assert page.locator(".budget rect.token").count() == page.locator(".hit").count()
    page.click("text=Left out")
    assert "Others fit better" in page.locator(".rejected").inner_text()
    place = page.locator(".hit .place", has_text="#58").first
    place.click()
    until(page, "document.activeElement.dataset.at === '58'")
    assert page.locator("#story .memory[data-at='58']").first.is_visible()


def test_short_vectors_move_hits(tab):
    page = tab()
    ask(page, KEY)
    page.locator("#dim").focus()
    page.keyboard.press("Home")
    page.wait_for_selector("text=Compared by the first 32 components")
    assert page.locator("#dim-said").inner_text() == "32"
    page.locator("#dim").press("End")
    until(page, "!document.querySelector('.took').textContent.includes('components')")


def test_a_smaller_budget_leaves_room_for_less(tab):
    page = tab()
    ask(page, KEY)
    before = page.locator(".hit").count()
    page.locator("#budget").focus()
    page.keyboard.press("Home")
    until(page, "document.querySelector('.budget').textContent.includes(' of 50 tokens')")
    assert page.locator(".hit").count() < before


@pytest.mark.parametrize("view", ["chat", "facts"])
def test_each_change_is_undone(tab, view):
    page = tab(f"/?user=ana&character=Cassian&chat=Heron+and+Lantern&view={view}")
    page.wait_for_selector("main .memory")
    name = "main .memory" if view == "facts" else "#story .turn"
    target = page.locator(name).last
    id_ = target.get_attribute("data-id")
    here = page.locator(f"main .memory[data-id='{id_}']")
    text = here.locator(".text").inner_text()

    def done(said):
        page.wait_for_selector(f".toast:has-text('{said}')")

    def undo():
        page.locator(".toast .undo button").first.click()
        page.wait_for_selector(".toast[data-undone]")
        page.wait_for_selector(f"main .memory[data-id='{id_}']")
        until(
            page,
            "([id, text]) => document.querySelector(`main .memory[data-id='${id}'] .text`)"
            "?.innerText === text",
            arg=[id_, text],
        )
        page.locator(".toast [data-dismiss]").first.click()

    def opened(button):
        here.locator("[data-open]").click()
        page.click(button)

    opened("#do-pin")
    done("Pinned")
    page.wait_for_selector(f"main .memory[data-id='{id_}'] .mark.pinned")
    undo()
    assert here.locator(".mark.pinned").count() == 0
    opened("#do-edit")
    page.fill("#edit-text", "Something else altogether.")
    page.click("#edit button.main")
    done("Changed")
    page.wait_for_selector(f"main .memory[data-id='{id_}'] .text:text-is('Something else altogether.')")
    undo()
    opened("#do-witnesses")
    page.fill("#known-by", "Mira")
    page.click("#witnesses button.main")
    done("Known by Mira alone")
    page.wait_for_selector(f"main .memory[data-id='{id_}']", state="detached")
    undo()
    opened("#do-supersede")
    page.fill("#supersede-text", "The roof was mended by Osk in the end.")
    page.click("#supersede button.main")
    done("Replaced")
    page.wait_for_selector(f"main .memory[data-id='{id_}'] .mark:text-is('replaced')")
    undo()
    for button in ["#do-forget", *(["#do-retract"] if view == "chat" else [])]:
        opened(button)
        page.wait_for_selector(f"main .memory[data-id='{id_}']", state="detached")
        undo()


def test_several_changes_are_undone_in_turn(tab):
    page = tab("/?user=ana&character=Mira&chat=The+ferry")
    ready(page)
    before = page.locator("#story .memory").count()
    for _ in range(2):
        page.locator("#story .turn").last.focus()
        page.keyboard.press("f")
        page.wait_for_selector("#story .memory")
        before -= 1
        until(page, "n => document.querySelectorAll('#story .memory').length === n", arg=before)
    for _ in range(2):
        page.locator("#story").focus()
        page.keyboard.press("z")
        before += 1
        until(page, "n => document.querySelectorAll('#story .memory').length === n", arg=before)


def test_everything_by_keyboard(tab):
    page = tab()
    ready(page)
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "message"
    page.keyboard.type("jjj2")  # letters that are typed are no commands
    assert page.input_value("#message") == "jjj2"
    page.keyboard.press("Escape")
    page.locator("#story").focus()
    page.keyboard.press("Home")
    page.wait_for_selector("#story .memory[data-at='0']")
    page.keyboard.press("j")
    first = focused(page, "id")
    page.keyboard.press("j")
    assert focused(page, "id") != first
    page.keyboard.press("k")
    assert focused(page, "id") == first
    page.keyboard.press("p")
    page.wait_for_selector(f"#story .memory[data-id='{first}'] .mark.pinned")
    page.keyboard.press("z")
    page.wait_for_selector(f"#story .memory[data-id='{first}'] .mark.pinned", state="detached")
    page.locator(f"#story .memory[data-id='{first}']").focus()
    page.keyboard.press("e")
    page.wait_for_selector("#edit-text:focus")
    page.keyboard.press("Escape")
    page.wait_for_selector("#drawer", state="hidden")
    assert focused(page, "id") == first, "the focus is where it was"
    page.keyboard.press("g")
    page.keyboard.type("100")
    page.keyboard.press("Enter")
    until(page, "document.activeElement.dataset.at === '100'")
    for number, view in enumerate(("chat", "facts", "lore", "summaries", "fading", "map"), 1):
        page.keyboard.press(str(number))
        page.wait_for_selector(f"[data-view-shown={view}]")
    assert "view=map" in page.url
    page.go_back()
    page.wait_for_selector("[data-view-shown=fading]")


def test_a_dropped_file_is_looked_at_and_then_taken_in(tab):
    page = tab()
    ready(page)
    page.evaluate(DROP, ["body", "The foundry.jsonl", FILE])
    page.wait_for_selector("#import-do")
    assert "4 turns" in page.locator("#preview").inner_text()
    page.click("#import-do")
    page.wait_for_selector("#preview >> text=4 new")
    page.wait_for_selector("#tree >> text=The foundry")
    page.click("#preview a")
    page.wait_for_selector("#story .memory[data-at='3']")
    assert "kettle" in page.locator("#story").inner_text()


def test_a_file_that_is_none_says_so(tab):
    page = tab()
    page.evaluate(DROP, ["body", "<img src=x onerror=alert(1)>.jsonl", "\u0001 nothing"])
    page.wait_for_selector("#preview [role=alert]")
    assert page.locator("#import-do").count() == 0
    assert page.locator("#preview img").count() == 0


def test_an_export_is_a_download(tab):
    page = tab()
    with page.expect_download() as caught:
        page.click("#export")
    assert caught.value.suggested_filename == "memories.jsonl"
    lines = [json.loads(line) for line in caught.value.path().read_text(encoding="utf-8").splitlines()]
    assert {line["kind"] for line in lines} >= {"turn", "fact", "summary"}


def test_light_and_dark_are_kept(tab):
    page = tab(dark=True)
    colour = "getComputedStyle(document.body.querySelector('.top')).backgroundColor"
    dark = page.evaluate(colour)
    page.click("#theme")
    light = page.evaluate(colour)
    assert light != dark
    page.reload()
    assert page.evaluate(colour) == light


def test_clusters_of_the_map_are_clicked(tab):
    page = tab("/?user=ana&character=Cassian&chat=Heron+and+Lantern&view=map")
    page.wait_for_selector(".map .dot")
    page.click("[data-cluster='1'] summary")
    page.wait_for_selector("[data-cluster='1'][open] .memory >> nth=0")
    assert page.locator(".map svg .dot.dim").count() > 0
    assert page.locator(".map svg .dot.c-1.dim").count() == 0
    page.locator(".map svg .dot.c-1").first.click()
    page.wait_for_selector("#drawer[open] .about")


def test_a_fact_is_added_and_found(tab):
    page = tab("/?user=ana&character=Mira&chat=The+ferry&view=facts")
    assert "No facts yet" in page.locator("#chains").inner_text()
    page.click("text=Add a fact")
    page.fill("#add-text", "Mira sings when she is afraid.")
    page.click("text=Remember")
    page.wait_for_selector("#chains .memory")
    page.fill("#q", "nothing of the kind")
    page.wait_for_selector("#chains .empty")
    page.fill("#q", "SINGS")
    page.wait_for_selector("#chains .memory")


def test_a_server_that_went_away_is_told(tab):
    page = tab()
    ready(page)
    page.expected_problems = ["Failed to load resource", "net::ERR", "htmx:sendError"]
    page.context.set_offline(True)
    page.locator("#story .turn").last.focus()
    page.keyboard.press("p")
    page.wait_for_selector(".toast.failed:has-text('does not answer')")
    page.context.set_offline(False)
    page.keyboard.press("p")
    page.wait_for_selector("#story .mark.pinned")
    page.locator(".toast .undo button").first.click()
    page.wait_for_selector(".toast[data-undone]")
