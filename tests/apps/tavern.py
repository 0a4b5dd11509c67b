"""SillyTavern, from a checkout outside this repository: its server, and its page driven as a user does."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.apps.servers import Process, checkout_of, free_port

VARIABLE = "ROMAINE_TEST_SILLYTAVERN"
EXTENSION = Path(__file__).resolve().parents[2] / "integrations" / "sillytavern"


def checkout(cache: Path) -> Path | None:
    """The checkout that the variable names, installed; see `checkout_of`."""
    folder = checkout_of(VARIABLE, cache)
    if folder is None:
        return None
    if not (folder / "node_modules").is_dir():
        install = "ci" if (folder / "package-lock.json").is_file() else "install"
        subprocess.run(
            ["npm", install, "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, check=True
        )
    if (folder / "post-install.js").is_file() and not (folder / "config.yaml").is_file():
        subprocess.run(["node", "post-install.js"], cwd=folder, check=True)
    return folder


def version_of(folder: Path) -> str:
    return str(json.loads((folder / "package.json").read_text())["version"])


def server_of(folder: Path, data: Path, *, model: str, memory: dict[str, Any]) -> Process:
    """Prepares a user's folder with our extension and settings, and its server, not started yet."""
    user = data / "default-user"
    shutil.rmtree(user, ignore_errors=True)  # an earlier run's
    shutil.copytree(EXTENSION, user / "extensions" / "romaine")
    content = folder / "default" / "content" / "settings.json"
    settings = json.loads(content.read_text())
    settings |= {"firstRun": False, "main_api": "openai", "username": "Ana"}
    settings["power_user"] |= {"auto_connect": True, "tokenizer": 0, "confirm_message_delete": False}
    settings["power_user"]["personas"] = {"user-default.png": "Ana"}
    settings["oai_settings"] |= {
        "chat_completion_source": "custom",
        "custom_url": model,
        "custom_model": "parrot",
        "stream_openai": False,
        "openai_max_context": 1500,
        "openai_max_tokens": 100,
        "squash_system_messages": False,
    }
    settings["extension_settings"]["disabledExtensions"] = [
        *("vectors", "memory", "expressions", "caption", "stable-diffusion", "tts", "quick-reply"),
        *("gallery", "attachments", "translate", "assets", "token-counter", "connection-manager"),
    ]
    settings["extension_settings"]["romaine"] = memory
    (user / "settings.json").write_text(json.dumps(settings))
    port = free_port()
    command = ["node", "server.js", "--port", str(port), "--dataRoot", str(data)]
    if version_of(folder) < "1.13":
        command += ["--autorun", "false"]
    else:
        command += ["--configPath", str(data / "config.yaml"), "--browserLaunchEnabled", "false"]
    url = f"http://127.0.0.1:{port}"
    return Process(command, url=url, log=data / "tavern.log", cwd=folder)


class Tavern:
    """A page of SillyTavern."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        page.set_default_timeout(20_000)
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.open()

    def open(self) -> None:
        """Loads the page anew."""
        self.page.goto(self.url, timeout=60_000)
        self.page.wait_for_function(
            "() => globalThis.SillyTavern?.getContext().onlineStatus !== 'no_connection'"
            " && globalThis.romaineRecall && !document.querySelector('#preloader, #loader')",
            timeout=60_000,
        )

    def run(self, script: str, argument: object = None) -> Any:
        return self.page.evaluate(script, argument)

    def slash(self, command: str) -> None:
        self.run("(c) => SillyTavern.getContext().executeSlashCommandsWithOptions(c).then(() => 0)", command)

    def new_character(self, name: str, greeting: str = "Well met.") -> None:
        """Makes a character, and opens a chat with it."""
        self.run(
            """async ([name, greeting]) => {
                const form = new FormData();
                const card = { ch_name: name, first_mes: greeting,
                    description: '', personality: '', scenario: '', mes_example: '',
                    creator_notes: '', system_prompt: '', post_history_instructions: '',
                    tags: '', creator: '', character_version: '', talkativeness: '1', fav: 'false', world: '',
                    extensions: '{}', depth_prompt_prompt: '', depth_prompt_depth: '4',
                    depth_prompt_role: 'system' };
                for (const [field, value] of Object.entries(card)) form.append(field, value);
                const headers = { ...SillyTavern.getContext().getRequestHeaders() };
                delete headers['Content-Type'];
                const answer = await fetch('/api/characters/create', { method: 'POST', headers, body: form });
                if (!answer.ok) throw new Error(await answer.text());
                const { getCharacters } = await import('/script.js');
                await getCharacters();
            }""",
            [name, greeting],
        )
        self.open_character(name)

    def open_character(self, name: str) -> None:
        self.run(
            """async (name) => {
                const { characters, selectCharacterById } = SillyTavern.getContext();
                await selectCharacterById(String(characters.findIndex((each) => each.name === name)));
            }""",
            name,
        )
        self.page.wait_for_function(
            "(name) => { const { characters, characterId, chat } = SillyTavern.getContext();"
            " return characters[characterId]?.name === name && chat.length; }",
            arg=name,
        )

    def new_group(self, name: str, members: list[str]) -> None:
        """Makes a group whose members answer in this order, and opens it."""
        self.run(
            """async ([name, members]) => {
                const { characters, getRequestHeaders } = SillyTavern.getContext();
                const { getCharacters } = await import('/script.js');
                const { openGroupById } = await import('/scripts/group-chats.js');
                const avatars = members.map((each) => characters.find((one) => one.name === each).avatar);
                const chat = `${name} chat`;
                const group = { name, members: avatars, avatar_url: 'img/ai4.png',
                    allow_self_responses: false, activation_strategy: 1, generation_mode: 0,
                    disabled_members: [], chat_metadata: {},
                    fav: false, chat_id: chat, chats: [chat], auto_mode_delay: 5 };
                const answer = await fetch('/api/groups/create', {
                    method: 'POST', headers: getRequestHeaders(), body: JSON.stringify(group),
                });
                const { id } = await answer.json();
                await getCharacters();
                await openGroupById(id);
            }""",
            [name, members],
        )
        self.page.wait_for_function(
            "(name) => SillyTavern.getContext().getCurrentChatId() === `${name} chat`", arg=name
        )

    def mute(self, name: str, *, muted: bool = True) -> None:
        """Sends a member of the open group out, or lets it in again."""
        self.run(
            """async ([name, muted]) => {
                const { characters, groups, groupId, eventSource, eventTypes } = SillyTavern.getContext();
                const group = groups.find((each) => each.id === groupId);
                const { avatar } = characters.find((each) => each.name === name);
                group.disabled_members = group.disabled_members.filter((each) => each !== avatar);
                if (muted) group.disabled_members.push(avatar);
                await eventSource.emit(eventTypes.GROUP_UPDATED);
            }""",
            [name, muted],
        )

    @property
    def chat(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.run(
            "() => SillyTavern.getContext().chat.map(({ name, mes }) => ({ name, mes }))"
        )
        return found

    @property
    def chat_id(self) -> str:
        return str(self.run("() => SillyTavern.getContext().getCurrentChatId()"))

    def say(self, text: str, answers: int = 1) -> None:
        """Types a message, and waits for what is answered."""
        self.idle()
        before = len(self.chat)
        self.page.fill("#send_textarea", text)
        self.page.click("#send_but")
        self.page.wait_for_function(
            "(n) => SillyTavern.getContext().chat.length >= n", arg=before + 1 + answers
        )
        self.idle()

    def idle(self) -> None:
        """Waits until no answer is being written."""
        self.page.wait_for_function(
            "() => getComputedStyle(document.getElementById('mes_stop')).display === 'none'"
            " && getComputedStyle(document.getElementById('send_but')).display !== 'none'"
        )

    def swipe(self) -> None:
        """Asks for another answer in place of the last one."""
        text = self.chat[-1]["mes"]
        self.page.locator("#chat .last_mes .swipe_right").click(force=True)
        self.page.wait_for_function(
            "(text) => !['...', text].includes(SillyTavern.getContext().chat.at(-1).mes)",
            arg=text,
        )
        self.idle()

    def edit(self, index: int, text: str) -> None:
        message = f"#chat .mes[mesid='{index}']"
        self.run("(message) => document.querySelector(`${message} .mes_edit`).click()", message)
        self.page.fill(f"{message} .edit_textarea", text)
        self.run("(message) => document.querySelector(`${message} .mes_edit_done`).click()", message)
        self.page.wait_for_function(
            "([i, t]) => SillyTavern.getContext().chat[i].mes === t", arg=[index, text]
        )

    def delete(self, index: int) -> None:
        before = len(self.chat)
        self.slash(f"/cut {index}")
        self.page.wait_for_function("(n) => SillyTavern.getContext().chat.length < n", arg=before)

    def branch(self, index: int) -> str:
        """Makes a branch and opens it."""
        before = self.chat_id
        self.slash(f"/branch-create {index}")
        self.page.wait_for_function("(id) => SillyTavern.getContext().getCurrentChatId() !== id", arg=before)
        return self.chat_id

    def show_panel(self) -> None:
        self.page.click("#extensionsMenuButton")
        self.page.click("#extensionsMenu >> text=What was recalled")
        self.page.locator("#romaine_panel").wait_for()

    def show_settings(self, *, shown: bool = True) -> None:
        """Opens or closes the list of extensions, our settings unfolded."""
        self.page.click("#extensions-settings-button .drawer-toggle")
        if shown:
            content = self.page.locator("#romaine_settings .inline-drawer-content")
            if not content.is_visible():
                self.page.click("#romaine_settings .inline-drawer-toggle")
            content.wait_for()
        self.page.wait_for_timeout(500)  # it slides

    def open_chat(self, name: str) -> None:
        self.run("(name) => SillyTavern.getContext().openCharacterChat(name).then(() => 0)", name)


def eventually(check: Callable[[], object], patience: float = 30) -> None:
    """Waits until a condition holds."""
    end = time.monotonic() + patience
    while not check():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.2)
