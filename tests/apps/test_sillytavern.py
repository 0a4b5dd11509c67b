"""Our extension in a real SillyTavern, in a browser, against a real server and a model that only listens."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.apps import tavern
from tests.apps.backend import QUESTION, SECRET, WEATHER, Backend
from tests.apps.servers import MemoryServer, Process, RomaineServer, running
from tests.apps.tavern import Tavern, eventually

FILLER = WEATHER.format("no", "no", "no") * 4
WATCH = """() => {
    globalThis.seen = [];
    const chip = document.querySelector('.romaine-chip');
    new MutationObserver(() => seen.push(chip.textContent)).observe(chip, { childList: true });
}"""


@dataclass
class World:
    backend: Backend
    memory: MemoryServer
    app: Process
    data: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    cache = tmp_path_factory.getbasetemp().parent
    folder = tavern.checkout(cache)
    if folder is None:
        pytest.skip(f"{tavern.VARIABLE} names no checkout or git address of SillyTavern")
    place = tmp_path_factory.mktemp("tavern")
    # what a newer release compiles at its first start is kept for the next run
    data = Path(os.environ.get("ROMAINE_TEST_SILLYTAVERN_DATA", place / "data"))
    memory = MemoryServer(place)
    settings = {"address": memory.address, "key": memory.key, "depth": 2, "budget": 300}
    with closing(Backend()) as backend:
        app = tavern.server_of(folder, data, model=backend.url, memory=settings)
        with running(memory, app):
            yield World(backend, memory, app, data)


@pytest.fixture(scope="module")
def context(browser, world):
    made = browser.new_context(viewport={"width": 1280, "height": 800})
    yield made
    made.close()


@pytest.fixture
def app(context, world) -> Iterator[Tavern]:
    opened = Tavern(context.new_page(), world.app.url)
    yield opened
    opened.page.close()
    assert not [error for error in opened.errors if "romaine" in error.lower()]


def knows(world: World, count: int, patience: float = 30, **scope: str) -> list[str]:
    """Waits until the memory has this many messages of a chat."""
    eventually(lambda: len(world.memory.texts(**scope)) == count, patience)
    return world.memory.texts(**scope)


def memories(world: World, **scope: str) -> list[dict[str, object]]:
    return world.memory.get("/memories", kinds="turn", limit=1000, **scope)["memories"]


def drown(app: Tavern) -> None:
    """Talks until the prompt has no room for what was said before."""
    for _ in range(2):
        app.say(FILLER)


def test_the_right_turn_is_in_the_prompt_after_twenty_messages_and_a_new_visit(app, world, context):
    app.new_character("Cassian", "Come in, it is raining.")
    world.backend.replies = [SECRET, *(WEATHER.format(n, n, n) for n in range(9))]
    app.say("Tell me a secret, Cassian.")
    for number in range(9):
        app.say(f"What did you see then, at stop {number}?")
    chat = app.chat_id
    texts = knows(world, 21, character="Cassian", chat=chat)
    assert texts[:3] == ["Come in, it is raining.", "Tell me a secret, Cassian.", SECRET]
    app.page.close()

    again = Tavern(context.new_page(), world.app.url)
    again.open_character("Cassian")
    again.say(QUESTION)
    assert SECRET in world.backend.memories()
    shown = [str(message["content"]) for message in world.backend.prompts[-1]]
    assert sum(SECRET in part for part in shown) == 1  # the prompt had lost it
    again.page.close()


def test_what_was_swiped_away_leaves_nothing_behind(app, world):
    app.new_character("Duke")
    world.backend.replies = [
        "I was born in Harrowgate, by the river.",
        "I was born in Mirefall, on the moor.",
    ]
    app.say("Where were you born, my duke?")
    app.swipe()
    assert "Harrowgate" not in world.backend.memories()
    chat = {"character": "Duke", "chat": app.chat_id}
    eventually(lambda: world.memory.texts(**chat)[2:] == ["I was born in Mirefall, on the moor."])
    drown(app)
    app.say("Where were you born, my duke?")
    assert "Mirefall" in world.backend.memories()
    assert "Harrowgate" not in world.backend.prompt


def test_an_edit_replaces_and_a_deletion_takes_out(app, world):
    app.new_character("Smith")
    world.backend.replies = ["My sword is called Nightbreak.", "My dog is called Barley."]
    app.say("What is your sword called?")
    app.say("What is your dog called?")
    chat = {"character": "Smith", "chat": app.chat_id}
    knows(world, 5, **chat)
    app.edit(2, "My sword is called Dawnbringer.")
    eventually(lambda: "My sword is called Dawnbringer." in world.memory.texts(**chat))
    app.delete(4)
    said = knows(world, 4, **chat)
    assert said[1:] == [
        "What is your sword called?",
        "My sword is called Dawnbringer.",
        "What is your dog called?",
    ]
    drown(app)
    app.say("What is your sword called?")
    assert "Dawnbringer" in world.backend.memories()
    assert "Nightbreak" not in world.backend.prompt
    app.say("What is your dog called?")
    assert "Barley" not in world.backend.prompt


def test_a_branch_keeps_the_memory_up_to_it_and_no_chat_sees_the_other_go_on(app, world):
    app.new_character("Guide")
    world.backend.replies = ["The password is heron.", "The treasure lies in the well."]
    app.say("What is the password?")
    app.say("Where does the treasure lie?")
    trunk = app.chat_id
    knows(world, 5, character="Guide", chat=trunk)
    fork = app.branch(2)
    world.backend.replies = ["The treasure lies in the tower."]
    app.say("Where does the treasure lie?")
    said = knows(world, 5, character="Guide", chat=fork)
    assert said[2] == "The password is heron."
    assert said[4] == "The treasure lies in the tower."
    listed = world.memory.get("/memories", character="Guide", chat=fork, kinds="turn")["memories"]
    assert [memory["chat"] for memory in listed] == [trunk, trunk, trunk, fork, fork]
    drown(app)
    app.say("What is the password, and where does the treasure lie?")
    assert "heron" in world.backend.memories()
    assert "tower" in world.backend.memories()
    assert "well" not in world.backend.memories()
    assert "tower" not in str(world.memory.texts(character="Guide", chat=trunk))


def test_in_a_group_only_those_who_were_there_remember(app, world):
    for name in ("Bram", "Cleo"):
        app.new_character(name)
    app.new_group("Inn", ["Bram", "Cleo"])
    app.mute("Cleo")
    app.say("Bram, between us: the mayor stole the church bell.")
    knows(world, 4, chat="Inn chat")  # both greet
    app.mute("Cleo", muted=False)
    for _ in range(3):
        app.say(FILLER, answers=2)
    app.say("Who stole the church bell?", answers=2)
    assert "stole the church bell" in world.backend.memories(-2)
    assert "the mayor" not in world.backend.memories(-1)
    known_by = [sorted(memory["known_by"]) for memory in memories(world, chat="Inn chat")]
    assert known_by[2:5] == [["Ana", "Bram"]] * 2 + [["Ana", "Bram", "Cleo"]]


def test_chatting_goes_on_without_the_server_and_what_was_said_is_sent_later(app, world):
    app.new_character("Ferry")
    chat = {"character": "Ferry", "chat": app.chat_id}
    app.say("The first boat leaves at dawn.")
    knows(world, 3, **chat)
    world.memory.stop()
    app.say("The last boat leaves at dusk.")
    assert app.chat[-1]["mes"].startswith("Reply")
    app.page.get_by_text("what is said now is sent later").first.wait_for()
    app.say("No boat leaves at night.")
    app.page.wait_for_timeout(1500)
    app.open()  # and no chat is opened any more
    world.memory.start()
    assert knows(world, 7, patience=120, **chat)[5] == "No boat leaves at night."
    world.memory.lose()
    world.memory.start()
    app.open_character("Ferry")
    assert knows(world, 7, **chat)[5] == "No boat leaves at night."


def test_the_past_of_a_chat_is_imported_and_nothing_in_it_does_harm(app, world):
    app.new_character("Elder")
    nasty = '<img src=x onerror="globalThis.harmed = 1"><script>harmed = 1</script> <b>hare</b> {{user}}'
    hebrew = "הסוד הוא שהמפתח טמון מתחת לעץ הזית הזקן"
    lines = [
        {"user_name": "Ana", "character_name": "Elder", "create_date": "2024-6-3@17h12m", "chat_metadata": {}}
    ]
    texts = [f"It was day {n}, and the heron came to lake {n}." for n in range(300)]
    texts[10], texts[20], texts[30] = nasty, hebrew, "x y " * 262_144
    for number, text in enumerate(texts):
        by_user = number % 2 == 0
        lines.append(
            {
                "name": "Ana" if by_user else "Elder",
                "is_user": by_user,
                "is_system": False,
                "send_date": f"June 3, 2024 {1 + number // 60}:{number % 60:02}pm",
                "mes": text,
                "extra": {},
            }
        )
    file = world.data / "default-user" / "chats" / "Elder" / "Long ago.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    app.run(WATCH)
    app.open_chat("Long ago")
    chat = {"character": "Elder", "chat": "Long ago"}
    said = knows(world, 300, **chat)
    assert said[20] == hebrew
    assert said[10] == nasty.replace("{{user}}", "Ana")
    assert len(said[30]) == 1_000_000
    assert any("of 300 messages" in seen for seen in app.run("() => globalThis.seen"))
    # the ids are those that a file of this chat is imported with
    report = httpx.post(
        f"{world.memory.address}/v1/memory/import",
        params={"file_name": "Long ago.jsonl", **chat},
        headers={"Authorization": f"Bearer {world.memory.key}"},
        content=file.read_bytes(),
        timeout=120,
    ).json()
    assert (report["chats"][0]["added"], report["chats"][0]["unchanged"]) == (0, 299)

    app.say("Where is <b>hare</b>, and the img onerror script?")
    assert "onerror" in world.backend.memories()
    assert "{{user}}" not in world.backend.memories()
    app.show_panel()
    app.page.locator("#romaine_panel").get_by_text("onerror").first.wait_for()
    assert app.page.locator("#romaine_panel img, #romaine_panel script, #romaine_panel b").count() == 0
    app.say("הסוד הוא שהמפתח טמון")
    assert hebrew in world.backend.memories()
    app.page.locator("#romaine_panel").get_by_text(hebrew).first.wait_for()
    assert app.run("() => globalThis.harmed") is None


def test_the_panel_shows_why_and_pins_and_forgets_for_good(app, world, pictures):
    app.new_character("Warden")
    world.backend.replies = [
        "The north gate opens with the word sparrow.",
        "The cook puts poison in the soup.",
    ]
    app.say("How does the north gate open?")
    app.say("What does the cook put in the soup?")
    drown(app)
    app.say("How does the north gate open, and what does the cook put in the soup?")
    chat = {"character": "Warden", "chat": app.chat_id}
    app.show_panel()
    panel = app.page.locator("#romaine_panel")
    gate = panel.locator("li", has_text="sparrow").first
    assert "meaning" in gate.inner_text()
    app.page.wait_for_timeout(1000)  # the menu fades
    clip = {"x": 320, "y": 0, "width": 960, "height": 800}
    app.page.screenshot(path=pictures / "sillytavern-panel.png", clip=clip)
    gate.get_by_role("button", name="Pin").click()
    gate.get_by_role("button", name="Unpin").wait_for()
    assert [m["text"] for m in memories(world, **chat) if m["pinned"]] == [
        "The north gate opens with the word sparrow."
    ]
    soup = panel.locator("li", has_text="poison").first
    soup.get_by_role("button", name="Forget").click()
    soup.get_by_role("button", name="Forget for good?").click()
    panel.get_by_text("Forgotten.").wait_for()
    app.page.keyboard.press("Escape")
    assert not panel.is_visible()
    assert "poison" not in str(world.memory.texts(**chat))
    app.open()
    app.open_character("Warden")
    app.say("And what else?")
    eventually(lambda: "And what else?" in world.memory.texts(**chat))
    assert "poison" not in str(world.memory.texts(**chat))


def test_settings_say_whether_the_server_answers_and_leave_a_chat_out(app, world, pictures):
    app.new_character("Mute")
    app.page.set_viewport_size({"width": 1280, "height": 1200})
    app.show_settings()
    app.page.click("#romaine_test")
    app.page.get_by_text(re.compile(r"It answers: \d+ memories")).wait_for()
    app.page.locator("#romaine_settings").screenshot(path=pictures / "sillytavern-settings.png")
    app.page.fill("#romaine_depth", "-3")
    app.page.keyboard.press("Tab")
    assert app.page.input_value("#romaine_depth") == "2"
    app.page.locator("#romaine_chat_on").uncheck()
    app.show_settings(shown=False)
    app.say("Nobody is to know this.")
    app.say("Nor this.")
    assert world.memory.texts(character="Mute", chat=app.chat_id) == []
    assert world.backend.memories() == ""
    app.show_settings()
    app.page.fill("#romaine_address", "http://127.0.0.1:9")
    app.page.keyboard.press("Tab")
    app.page.click("#romaine_test")
    app.page.get_by_text("No answer from http://127.0.0.1:9.").wait_for()
    app.page.fill("#romaine_address", world.memory.address)
    app.page.keyboard.press("Tab")
    app.page.fill("#romaine_key", "wrong")
    app.page.keyboard.press("Tab")
    app.page.click("#romaine_test")
    app.page.locator("#romaine_status", has_text="a valid key is needed").wait_for()
    app.page.fill("#romaine_key", world.memory.key)
    app.page.keyboard.press("Tab")
    app.page.wait_for_timeout(1500)  # SillyTavern saves settings a second later


@pytest.fixture(scope="module")
def embedding_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RomaineServer]:
    server = RomaineServer(tmp_path_factory.mktemp("embedding"))
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("source", ["llamacpp", "ollama"])
def test_its_own_vector_storage_can_ask_our_embedding_endpoint(app, embedding_server, source):
    found = app.run(
        """async ([source, apiUrl]) => {
            const model = 'little-gem';
            const headers = { ...SillyTavern.getContext().getRequestHeaders(),
                [`x-${source}-url`]: apiUrl, [`x-${source}-model`]: model };
            const ask = (path, body) => fetch(`/api/vector/${path}`, { method: 'POST', headers,
                body: JSON.stringify({ collectionId: `inn ${source}`, source, apiUrl, model, ...body }) });
            const texts = ['The soup is leek again.', 'The key is under the third step.', 'It rains.'];
            const items = texts.map((text, index) => ({ hash: index + 1, text, index }));
            await ask('insert', { items });
            const answer = await ask('query', { searchText: 'Where is the key?', topK: 1 });
            return (await answer.json()).metadata.map((each) => each.text);
        }""",
        [source, embedding_server.address],
    )
    assert found == ["The key is under the third step."]
