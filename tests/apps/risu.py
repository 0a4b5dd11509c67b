"""RisuAI, from a checkout outside this repository: its page, driven as a user does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from playwright.sync_api import FrameLocator, Page

from tests.apps.servers import MemoryServer, Process, checkout_of, free_port

VARIABLE = "ROMAINE_TEST_RISUAI"
PLUGIN = Path(__file__).resolve().parents[2] / "integrations" / "risuai" / "romaine.js"
# Fonts, a style, news of the day: not needed.
ELSEWHERE = re.compile(r"https?://(?!127\.0\.0\.1[:/]|([\w-]+\.)?localhost[:/])")
# Its page as developers serve it hands out the modules that it runs itself. The page holds the promise, for
# one that only an evaluation holds may be collected before it is kept.
MODULES = """() => {
    const files = ['stores.svelte', 'characters', 'globalApi.svelte', 'storage/risuSave'];
    const imports = files.map((file) => import(`/src/ts/${file}.ts`));
    globalThis.loading = Promise.all(imports).then((modules) => {
        globalThis.app = Object.assign({}, ...modules);
    });
}"""
APP = """
    const { DBState, changeChar, createNewCharacter, createNewGroup } = app;
    let at;
    app.selectedCharID.subscribe((index) => { at = index; })();
    const character = DBState.db.characters[at];
    const chat = character?.chats[character.chatPage];
    const said = chat?.message.filter((each) => !each.isComment);
"""


def checkout(cache: Path) -> Path | None:
    """The checkout that the variable names, installed; see `checkout_of`."""
    folder = checkout_of(VARIABLE, cache)
    if folder is not None and not (folder / "node_modules").is_dir():
        install = ["npx", "--yes", "pnpm@10", "install", "--frozen-lockfile", "--ignore-scripts"]
        subprocess.run(install, cwd=folder, check=True)
    return folder


def server_of(folder: Path, place: Path) -> Process:
    """Serves its page from its sources."""
    port = free_port()
    vite = str(folder / "node_modules" / "vite" / "bin" / "vite.js")
    command = ["node", vite, "--host", "127.0.0.1", "--port", str(port), "--strictPort"]
    return Process(command, url=f"http://127.0.0.1:{port}", log=place / "risu.log", cwd=folder)


class Risu:
    """A page of RisuAI, with our plugin once it is installed."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        page.set_default_timeout(60_000)
        page.route(ELSEWHERE, lambda route: route.abort())
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(url, timeout=600_000, wait_until="commit")
        self.loaded()

    def run(self, script: str, argument: object = None) -> Any:
        """Runs a script in the page, beside the app's own modules."""
        return self.page.evaluate(f"(given) => {{ {APP} {script} }}", argument)

    def wait(self, script: str, argument: object = None) -> None:
        """Waits until a script returns what is true."""
        self.page.wait_for_function(f"(given) => {{ {APP} {script} }}", arg=argument, polling=200)

    def loaded(self) -> None:
        self.page.get_by_text(re.compile("Welcome to Risuai", re.IGNORECASE)).first.wait_for(timeout=600_000)
        self.page.evaluate(MODULES)
        self.page.wait_for_function("() => globalThis.app")

    def reload(self, saved: str) -> None:
        """Loads the page anew, once a text is where RisuAI keeps its chats."""
        self.wait(
            """globalThis.reading ??= app.forageStorage.getItem('database/database.bin')
                .then((file) => app.decodeRisuSave(file))
                .then((kept) => {
                    globalThis.stored = JSON.stringify(kept);
                    globalThis.reading = null;
                });
            return globalThis.stored?.includes(given);""",
            saved,
        )
        self.page.reload(timeout=600_000, wait_until="commit")
        self.loaded()

    def set_up(self, model: str) -> None:
        """What a user answers in the welcome, and a model that is asked without a proxy in between."""
        self.run(
            """Object.assign(DBState.db, { didFirstSetup: true, username: 'Ana', askRemoval: false,
                aiModel: 'reverse_proxy', subModel: 'reverse_proxy', customProxyRequestModel: 'parrot',
                forceReplaceUrl: given, proxyKey: 'none', usePlainFetch: true, useStreaming: false,
                maxContext: 1500, maxResponse: 100, mainPrompt: 'A play.', requestRetrys: 0 });""",
            model,
        )

    def install(self, memory: MemoryServer) -> None:
        """Adds the plugin by its file, and connects it."""
        self.run("app.settingsOpen.set(true); app.SettingsMenuIndex.set(4);")
        with self.page.expect_file_chooser() as chooser:
            self.page.locator("button:has(> svg.lucide-plus):visible").last.click()
        chooser.value.set_files(PLUGIN)
        self.page.locator("button", has_text="Romaine memory").click()
        for field, value in (("address", memory.address), ("key", memory.key), ("name", "Ana")):
            self.panel.locator(f"#{field}").fill(value)
            self.panel.locator(f"#{field}").press("Tab")
        self.panel.get_by_role("button", name="Test").click()
        self.panel.get_by_text("It answers:").wait_for()
        self.panel.get_by_role("button", name="Close").click()
        self.run("app.settingsOpen.set(false);")

    @property
    def panel(self) -> FrameLocator:
        return self.page.frame_locator("iframe[sandbox]")

    def show_panel(self, picture: Path | None = None) -> None:
        """Opens the plugin's panel from the chat's menu."""
        self.page.locator(".default-chat-screen button:has(> svg.lucide-menu)").first.click()
        item = self.page.get_by_text("Memory", exact=True)
        item.wait_for()
        if picture is not None:
            self.page.screenshot(path=picture, clip={"x": 880, "y": 460, "width": 400, "height": 340})
        item.click()

    def allow(self) -> None:
        """Says yes to what RisuAI asks about the plugin."""
        self.page.get_by_role("button", name="YES").click()

    def new_character(self, name: str) -> None:
        """Makes a character, and opens its chat."""
        self.run(
            """const index = createNewCharacter();
            Object.assign(DBState.db.characters[index], { name: given, firstMessage: 'Well met.' });
            changeChar(index);""",
            name,
        )
        self.page.get_by_text("Well met.").wait_for()

    def new_group(self, name: str, members: dict[str, bool]) -> None:
        """Makes a group of characters, of whom some are present, who answer in this order."""
        self.run(
            """const group = DBState.db.characters[createNewGroup()];
            const idOf = (name) => DBState.db.characters.find((each) => each.name === name).chaId;
            const ids = Object.keys(given.members).map(idOf);
            Object.assign(group, { name: given.name, orderByOrder: true, characters: ids,
                characterTalks: ids.map(() => 1), characterActive: Object.values(given.members) });
            changeChar(DBState.db.characters.indexOf(group));""",
            {"name": name, "members": members},
        )

    def open(self, name: str) -> None:
        self.run("changeChar(DBState.db.characters.findIndex((each) => each.name === given));", name)

    @property
    def chat(self) -> list[str]:
        found: list[str] = self.run("return said.map((each) => each.data);")
        return found

    @property
    def chat_id(self) -> str:
        return str(self.run("return chat.id;"))

    def say(self, text: str, answers: int = 1) -> None:
        """Types a message, and waits for what is answered."""
        before = len(self.chat)
        self.page.fill("textarea.text-input-area", text)
        self.page.click("button.button-icon-send")
        self.answered(before + 1 + answers)

    def answered(self, count: int) -> None:
        """Waits until the chat is so long and no answer is being written."""
        self.wait("return said.length === given;", count)
        self.page.locator("button.button-icon-send").wait_for()

    def swipe(self, *, back: bool = False) -> None:
        """Asks for another answer in place of the last one, or takes back the one before."""
        text = self.chat[-1]
        self.page.locator(f".risu-chat .button-icon-{'unreroll' if back else 'reroll'}:visible").click()
        self.wait(
            "const { role, data } = said.at(-1); return role === 'char' && data && data !== given;", text
        )
        self.page.locator("button.button-icon-send").wait_for()

    def edit(self, index: int, text: str) -> None:
        message = self.page.locator(f".risu-chat[data-chat-index='{index}']")
        message.locator(".button-icon-edit").click()
        message.locator("textarea").fill(text)
        message.locator(".button-icon-edit").click()
        self.page.get_by_text(text).wait_for()

    def delete(self, index: int) -> None:
        before = len(self.chat)
        self.page.locator(f".risu-chat[data-chat-index='{index}'] .button-icon-remove").click()
        self.answered(before - 1)

    def choose(self, index: int, item: str) -> None:
        """Clicks an item of a message's menu."""
        self.page.locator(f".risu-chat[data-chat-index='{index}'] .button-icon-menu").click()
        self.page.get_by_role("button", name=item, exact=True).click()
        self.page.wait_for_timeout(500)  # it does it a moment later
