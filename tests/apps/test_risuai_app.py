"""Our plugin in a real RisuAI, in a browser, against a real server and a model that only listens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from tests.apps import risu
from tests.apps.backend import QUESTION, SECRET, WEATHER, Backend
from tests.apps.risu import Risu
from tests.apps.servers import MemoryServer, running
from tests.apps.tavern import eventually


@dataclass
class World:
    backend: Backend
    memory: MemoryServer
    url: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = risu.checkout(tmp_path_factory.getbasetemp().parent)
    if folder is None:
        pytest.skip(f"{risu.VARIABLE} names no checkout or git address of RisuAI")
    place = tmp_path_factory.mktemp("risu")
    memory, app = MemoryServer(place), risu.server_of(folder, place)
    with closing(Backend()) as backend, running(memory, app):
        yield World(backend, memory, app.url)


@pytest.fixture(scope="module")
def opened(browser, world) -> Iterator[Risu]:
    """One page for all tests: RisuAI wants to be open in one only."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    app = Risu(context.new_page(), world.url)
    # a page that RisuAI serves nobody refuses models on this machine by the names it knows
    app.set_up(world.backend.url.replace("127.0.0.1", "parrot.localhost"))
    app.install(world.memory)
    yield app
    context.close()


@pytest.fixture
def app(opened, world) -> Iterator[Risu]:
    world.backend.replies.clear()
    opened.errors.clear()
    yield opened
    assert set(opened.errors) <= {"none is not defined"}  # RisuAI's own, of 2026.1.90


def knows(world: World, app: Risu, name: str, count: int) -> list[str]:
    """Waits until the memory has this many messages of the open chat."""
    scope = {"character": name, "chat": app.chat_id} if name else {"chat": app.chat_id}
    eventually(lambda: len(world.memory.texts(**scope)) == count, 60)
    return world.memory.texts(**scope)


def drown(app: Risu) -> None:
    """Talks until the prompt has no room for what was said before."""
    for _ in range(2):
        app.say(WEATHER.format("no", "no", "no") * 3)


def test_the_right_turn_is_in_the_prompt_after_twenty_messages_and_a_new_visit(app, world, pictures):
    app.new_character("Cassian")
    world.backend.replies = [SECRET, *(WEATHER.format(n, n, n) for n in range(9))]
    app.say("Tell me a secret, Cassian.")
    for number in range(9):
        app.say(f"What did you see then, at stop {number}?")
    assert knows(world, app, "Cassian", 20)[:2] == ["Tell me a secret, Cassian.", SECRET]
    app.reload(saved="at stop 8?")
    app.open("Cassian")
    app.say(QUESTION)
    assert SECRET in world.backend.memories()
    shown = [str(message["content"]) for message in world.backend.prompts[-1]]
    assert sum(SECRET in part for part in shown) == 1  # the prompt had lost it
    app.show_panel(picture=pictures / "risuai-menu.png")
    app.panel.locator("li", has_text="third step").wait_for()
    app.page.screenshot(path=pictures / "risuai-panel.png")
    app.panel.get_by_role("button", name="Close").click()


def test_what_was_swiped_away_leaves_nothing_behind(app, world):
    app.new_character("Duke")
    world.backend.replies = [
        "I was born in Harrowgate, by the river.",
        "I was born in Mirefall, on the moor.",
    ]
    app.say("Where were you born, my duke?")
    knows(world, app, "Duke", 2)
    app.swipe()
    assert "Harrowgate" not in world.backend.prompt
    drown(app)
    app.say("Where were you born, my duke?")
    assert "Mirefall" in world.backend.memories()
    assert "Harrowgate" not in world.backend.prompt


def test_a_swipe_back_brings_back_what_was_said(app, world):
    app.new_character("Earl")
    world.backend.replies = ["I keep a grey falcon.", "I keep a white hound."]
    app.say("Which beast do you keep?")
    app.swipe()
    app.swipe(back=True)
    assert app.chat[-1] == "I keep a grey falcon."
    drown(app)
    app.say("Which beast do you keep?")
    assert "falcon" in world.backend.memories()
    assert "hound" not in world.backend.prompt


def test_an_edit_replaces_and_what_is_deleted_or_hidden_is_gone(app, world):
    app.new_character("Smith")
    world.backend.replies = [
        "My sword is called Nightbreak.",
        "My dog is called Barley.",
        "My horse is called Comet.",
    ]
    for thing in ("sword", "dog", "horse"):
        app.say(f"What is your {thing} called?")
    knows(world, app, "Smith", 6)
    app.edit(1, "My sword is called Dawnbringer.")
    app.choose(5, "Disable Message")
    app.delete(3)
    drown(app)
    app.say("What is your sword called?")
    assert "Dawnbringer" in world.backend.memories()
    assert "Nightbreak" not in world.backend.prompt
    for thing, name in (("dog", "Barley"), ("horse", "Comet")):
        app.say(f"What is your {thing} called?")
        assert name not in world.backend.prompt
    texts = str(world.memory.texts(character="Smith", chat=app.chat_id))
    assert not any(name in texts for name in ("Nightbreak", "Barley", "Comet"))


def test_a_branch_keeps_the_memory_up_to_it_and_no_chat_sees_the_other_go_on(app, world):
    app.new_character("Guide")
    world.backend.replies = ["The password is heron.", "The treasure lies in the well."]
    app.say("What is the password?")
    app.say("Where does the treasure lie?")
    trunk = app.chat_id
    knows(world, app, "Guide", 4)
    app.choose(1, "Branch")
    fork = app.chat_id
    assert fork != trunk
    world.backend.replies = ["The treasure lies in the tower."]
    app.say("Where does the treasure lie?")
    said = knows(world, app, "Guide", 4)
    assert said[1::2] == ["The password is heron.", "The treasure lies in the tower."]
    listed = world.memory.get("/memories", character="Guide", chat=fork, kinds="turn")["memories"]
    assert [memory["chat"] for memory in listed] == [trunk, trunk, fork, fork]
    drown(app)
    app.say("What is the password?")
    assert "heron" in world.backend.memories()
    app.say("Where does the treasure lie?")
    assert "tower" in world.backend.memories()
    assert "well" not in world.backend.prompt
    assert "tower" not in str(world.memory.texts(character="Guide", chat=trunk))


def test_in_a_group_those_who_were_there_are_named_and_it_is_recalled(app, world):
    for name in ("Bram", "Cleo"):
        app.new_character(name)
    app.new_group("Inn", {"Bram": True, "Cleo": False})
    app.allow()  # the plugin asks for the members' names
    world.backend.replies = ["The mayor stole the silver bell."]
    app.say("Bram, who stole the silver bell?")
    knows(world, app, "", 2)
    told = world.memory.get("/memories", chat=app.chat_id, kinds="turn")["memories"]
    assert [memory["speaker"] for memory in told] == ["Ana", "Bram"]
    assert all(sorted(memory["known_by"]) == ["Ana", "Bram"] for memory in told)
    drown(app)
    app.say("Who stole the silver bell?")
    assert "mayor" in world.backend.memories()


def test_chatting_goes_on_without_the_server_and_what_was_said_is_sent_later(app, world):
    app.new_character("Ferry")
    app.say("The first boat leaves at dawn.")
    knows(world, app, "Ferry", 2)
    chat = app.chat_id
    world.memory.stop()
    app.say("The last boat leaves at dusk.")
    assert world.backend.memories() == ""
    app.new_character("Other")
    world.memory.start()
    told = "The last boat leaves at dusk."
    eventually(lambda: told in world.memory.texts(character="Ferry", chat=chat), 90)
    app.open("Ferry")
    drown(app)
    app.say("When does the last boat leave?")
    assert told in world.backend.memories()


def test_its_own_memory_can_ask_our_embedding_endpoint(app, world):
    url = world.memory.address.replace("127.0.0.1", "romaine.localhost") + "/v1"
    app.run(
        """Object.assign(DBState.db, { hypaModel: 'custom', hypaCustomSettings: given });
        const texts = ['The soup is leek again.', 'The key is under the third step.', 'It rains.'];
        const memory = import('/src/ts/process/memory/hypamemory.ts');
        globalThis.searching = memory.then(async ({ HypaProcesser }) => {
            const processer = new HypaProcesser();
            await processer.addText(texts);
            globalThis.found = await processer.similaritySearch('Where is the key?');
        });""",
        {"url": url, "key": world.memory.key, "model": "little-gem"},
    )
    app.page.wait_for_function("() => globalThis.found")
    assert app.run("return found[0];") == "The key is under the third step."
