"""Our plugin in what RisuAI gives a plugin of API 3.0: a stand-in of its documentation, in a real browser."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.apps.servers import MemoryServer, running
from tests.apps.tavern import eventually

HERE = Path(__file__).resolve().parent
PLUGIN = HERE.parents[1] / "integrations" / "risuai" / "romaine.js"
FILLER = "The road went on through the wet fields, past grey willows."


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a page that is served, as RisuAI's is: a page from a file has no origin that could be let in."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=HERE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/risu_host.html"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MemoryServer]:
    server = MemoryServer(tmp_path_factory.mktemp("risu"))
    with running(server):
        yield server


class Risu:
    """RisuAI with our plugin, and one character's chats."""

    def __init__(self, page, memory: MemoryServer, name: str, *, old: str = "") -> None:
        self.page, self.memory, self.name = page, memory, name
        character = {"name": name, "chaId": name, "type": "character", "chatPage": 0}
        character["chats"] = [{"name": "Chat", "id": f"{name}-chat", "message": []}]
        settings = {"address": memory.address, "key": memory.key, "name": "Ana"}
        storage = {"romaine settings": settings}
        page.evaluate(
            "(given) => Object.assign(world, given)", {"character": character, "storage": storage, "old": old}
        )
        self.load()

    def load(self) -> None:
        self.page.evaluate("(plugin) => load(plugin)", PLUGIN.read_text(encoding="utf-8"))
        self.page.wait_for_function("() => ready()")

    def say(self, text: str, reply: str = "I see.") -> str:
        """What the prompt is with the memory's part, or that part alone where there is one."""
        prompt = self.page.evaluate("([text, reply]) => send(text, reply)", [text, reply])
        parts = [part["content"] for part in prompt if "What was said long before" in part["content"]]
        return "\n".join(parts)

    def drown(self) -> None:
        for number in range(4):
            self.say(f"{FILLER} {number}")

    def texts(self, chat: int = 0) -> list[str]:
        name = self.page.evaluate("(chat) => world.character.chats[chat].id", chat)
        return self.memory.texts(character=self.name, chat=name)

    def knows(self, *texts: str, chat: int = 0) -> None:
        eventually(lambda: self.texts(chat) == list(texts))


@pytest.fixture
def page(browser, address):
    made = browser.new_page()
    errors: list[str] = []
    made.on("pageerror", lambda error: errors.append(str(error)))
    made.goto(address)
    yield made
    made.close()
    assert not errors


@pytest.mark.parametrize("old", ["", "throws", "silent"], ids=["today", "December 2025", "January 2026"])
def test_what_the_prompt_has_lost_comes_back_into_it(page, memory, old):
    risu = Risu(page, memory, f"Cassian{old}", old=old)
    risu.say("Where is the key?", "I hid the silver key under the third step of the old mill.")
    risu.drown()
    eventually(lambda: len(risu.texts()) == 10)
    assert "under the third step" in risu.say("Where did you hide the silver key?")
    page.evaluate("() => world.buttons[0].act()")
    page.frame_locator("iframe").locator("li", has_text="third step").wait_for()
    for _ in range(4):  # a chat of a dozen turns speaks sooner than one that no prompt holds any more
        risu.drown()
    assert "third step" not in risu.say("Let us walk on in silence.")


def test_rerolls_edits_deletions_and_hidden_messages(page, memory):
    risu = Risu(page, memory, "Duke")
    risu.say("Where were you born?", "In Harrowgate.")
    risu.knows("Where were you born?", "In Harrowgate.")
    change = "(act) => new Function('messages', act)(world.character.chats[0].message)"
    page.evaluate(change, "messages.pop()")
    page.evaluate("() => send('', 'In Mirefall.')")
    risu.knows("Where were you born?", "In Mirefall.")
    page.evaluate(change, "messages[1].data = 'In Mirefall, on the moor.'")
    risu.say("And your dog?", "Barley.")
    risu.knows("Where were you born?", "In Mirefall, on the moor.", "And your dog?", "Barley.")
    page.evaluate(change, "messages.splice(2, 1); messages[2].disabled = true")
    risu.say("Go on.", "No.")
    risu.knows("Where were you born?", "In Mirefall, on the moor.", "Go on.", "No.")


def test_a_branch_keeps_what_was_said_up_to_it(page, memory):
    risu = Risu(page, memory, "Guide")
    risu.say("What is the password?", "It is heron.")
    risu.say("Where is the treasure?", "In the well.")
    eventually(lambda: len(risu.texts()) == 4)
    page.evaluate(
        """() => {
            const [trunk] = world.character.chats;
            const fork = structuredClone(trunk);
            Object.assign(fork, { id: 'Guide-fork', message: fork.message.slice(0, 2) });
            const data = `{{specialcomment::branchedfrom::${trunk.id}::${trunk.name}::x::}}`;
            fork.message.push({ role: 'char', data, isComment: true });
            world.character.chats.push(fork);
            world.character.chatPage = 1;
        }"""
    )
    risu.say("Where is the treasure?", "In the tower.")
    risu.knows("What is the password?", "It is heron.", "Where is the treasure?", "In the tower.", chat=1)
    listed = memory.get("/memories", character="Guide", chat="Guide-fork", kinds="turn")["memories"]
    assert [each["chat"] for each in listed] == ["Guide-chat"] * 2 + ["Guide-fork"] * 2
    assert "In the tower." not in risu.texts(0)


def test_in_a_group_those_who_were_there_are_named(page, memory):
    risu = Risu(page, memory, "Inn")
    page.evaluate(
        """() => {
            const group = { type: 'group', characters: ['b', 'c'], characterActive: [true, false] };
            Object.assign(world.character, group);
            world.characters = [{ chaId: 'b', name: 'Bram' }, { chaId: 'c', name: 'Cleo' }];
            world.allowed = new Promise((resolve) => (globalThis.allow = resolve));
            world.buttons[0].act();
            world.buttons[0].act();
        }"""
    )
    page.wait_for_function("() => world.asked")
    page.evaluate("() => allow()")
    risu.say("Between us, Bram: the mayor stole the bell.")
    eventually(lambda: len(memory.texts(chat="Inn-chat")) == 2)
    (first, _) = memory.get("/memories", chat="Inn-chat", kinds="turn")["memories"]
    assert sorted(first["known_by"]) == ["Ana", "Bram"]
    assert page.evaluate("() => world.asked") == 1


def test_chatting_goes_on_without_the_server_and_what_was_said_is_sent_later(page, memory):
    risu = Risu(page, memory, "Ferry")
    risu.say("The first boat leaves at dawn.")
    eventually(lambda: len(risu.texts()) == 2)
    memory.stop()
    assert risu.say("The last boat leaves at dusk.") == ""
    page.wait_for_function("() => world.storage['romaine waiting']")
    page.evaluate("() => { world.character = null }")
    memory.start()
    risu.load()  # and no chat is open
    eventually(
        lambda: "The last boat leaves at dusk." in memory.texts(character="Ferry", chat="Ferry-chat"), 60
    )


def test_the_panel_shows_pins_and_forgets_and_texts_do_no_harm(page, memory):
    risu = Risu(page, memory, "Warden")
    nasty = '<img src=x onerror="parent.harmed = 1"><script>parent.harmed = 1</script> opens the north gate'
    risu.say("How does the north gate open?", nasty)
    risu.say("הסוד הוא שהמפתח טמון מתחת לעץ הזית הזקן", "x y " * 262_144)
    risu.drown()
    eventually(lambda: len(risu.texts()) == 12)
    assert "onerror" in risu.say("How does the north gate open, with which word?")
    page.evaluate("() => world.buttons[0].act()")
    frame = page.frame_locator("iframe")
    hit = frame.locator("li", has_text="onerror").first
    hit.wait_for()
    assert frame.locator("#recalled img, #recalled script").count() == 0
    hit.get_by_role("button", name="Pin").click()
    frame.get_by_role("button", name="Unpin").first.wait_for()
    hit.get_by_role("button", name="Forget").click()
    hit.get_by_role("button", name="Forget for good?").click()
    eventually(lambda: not any("onerror" in text for text in risu.texts()))
    risu.say("And then?")
    eventually(lambda: "And then?" in risu.texts())
    assert not any("onerror" in text for text in risu.texts())
    frame.get_by_role("button", name="Test").click()
    frame.get_by_text("It answers:").wait_for()
    frame.locator("#here").uncheck()
    risu.say("Nobody is to know this.")
    page.wait_for_timeout(2500)
    assert "Nobody is to know this." not in risu.texts()
    assert page.evaluate("() => globalThis.harmed") is None
    assert len(json.dumps(page.evaluate("() => Object.keys(world.storage)"))) < 1000
