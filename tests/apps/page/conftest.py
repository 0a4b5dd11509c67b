"""The page in a real browser: a server on a sample memory, and a tab that tells of every error."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from romaine.cli.demo import _sample_chat
from romaine.formats import read
from romaine.memory import RoleplayMemory, Scope, Turn
from tests.server.conftest import RunningServer, running_server

TAVERN = Scope(user="ana", character="Cassian", chat="Heron and Lantern")
AXE = "node_modules/axe-core/axe.min.js"
ROOT = Path(__file__).parents[3]


def tell(path: Path) -> None:
    """A memory such as somebody has who has chatted for a while."""
    with RoleplayMemory(path) as memory:
        turns = read(_sample_chat()).turns
        memory.add_turns(TAVERN, turns)
        owed = memory.add_fact(
            TAVERN,
            "Cassian owes the harbour master forty crowns.",
            category="plot_event",
            importance=0.6,
            parent_id=turns[20].source_id,
        ).memory
        memory.add_fact(
            TAVERN,
            "Cassian paid thirty crowns; ten are still owed.",
            category="plot_event",
            supersedes=owed.id,
            importance=0.8,
            pinned=True,
            parent_id=turns[90].source_id,
        )
        memory.add_fact(
            TAVERN,
            "Ana is afraid of bees.",
            category="character_trait",
            importance=0.42,
            parent_id=turns[3].source_id,
        )
        memory.add_fact(
            TAVERN,
            "The silver key opens the cellar of the Heron and Lantern.",
            category="world_detail",
            importance=0.9,
            known_by=["Cassian"],
            parent_id=turns[58].source_id,
        )
        memory.add_fact(TAVERN, "Osk plays the viola badly, and knows it.", importance=0.34)
        memory.add_lore(
            Scope(user="ana", character="Cassian"), "The Heron and Lantern has no windows to the river."
        )
        memory.add_summary(TAVERN, "Ana and Cassian made peace and hid the key.", importance=0.7)
        fork = memory.branch(TAVERN, at=57, to_chat="What if she had stayed")
        said = Turn("I stayed, and the rain stopped.", speaker="Ana", role="user")
        memory.add_turns(fork, [said])
        memory.branch(fork, at=40, to_chat="The other road")
        memory.add_turns(Scope(user="ana", character="Mira", chat="The ferry"), turns[:30])


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "memories.db"
    tell(path)
    return path


@pytest.fixture(scope="module")
def server(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of each test file, on its own copy of the sample."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copy(sample, folder / "memories.db")
    with running_server(
        folder / "log.txt", "--memory", str(folder / "memories.db"), "--no-access-log"
    ) as running:
        yield running


Opened = Callable[..., Any]


@pytest.fixture
def tab(browser: Any, server: RunningServer) -> Iterator[Opened]:
    """Opens tabs; no test passes in which a script failed or the policy was broken."""
    problems: list[str] = []

    @contextmanager
    def noted(page: Any) -> Iterator[None]:
        page.on("pageerror", lambda error: problems.append(f"script: {error}"))
        page.on("console", lambda message: message.type == "error" and problems.append(message.text))
        yield

    contexts = []

    def opened(
        path: str = "/", *, width: int = 1360, height: int = 860, dark: bool = False, base: str | None = None
    ) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        with noted(page):
            page.goto((base or server.url) + path)
        page.expected_problems = []
        return page

    yield opened
    for context in contexts:
        expected = [said for page in context.pages for said in page.expected_problems]
        problems = [each for each in problems if not any(said in each for said in expected)]
        context.close()
    # an empty style that Playwright's screenshots bring along, and requests that typing on has overtaken
    harmless = ("47DEQpj8HBSa", "htmx:afterRequest", "htmx:sendAbort")
    assert [each for each in problems if not any(said in each for said in harmless)] == []


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core, which `make test-page` installs where npm is."""
    script = Path(os.environ.get("ROMAINE_NPM", ROOT / ".venv-apps" / "npm")) / AXE
    if not script.is_file():
        pytest.skip("axe-core is not installed: npm install --prefix .venv-apps/npm axe-core")
    return script.read_text(encoding="utf-8")


def ask(page: Any, message: str) -> None:
    """Types as a person does, and waits for what comes to mind."""
    page.fill("#message", message)
    page.wait_for_selector("#recalled .hit")
    until(page, "document.getElementById('recalled').getAttribute('aria-busy') === 'false'")


def ready(page: Any) -> None:
    """Waits until the latest turns are shown."""
    page.wait_for_selector("#story .memory")


def until(page: Any, script: str, arg: Any = None, *, seconds: float = 60) -> None:
    """Waits until a script gives something true; Playwright's own way needs what the policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(script, arg):
        assert time.monotonic() < end, script
        time.sleep(0.05)
