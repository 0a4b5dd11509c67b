"""Apps of others, run from outside this repository, in a browser: `make test-apps`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

if find_spec("playwright") is None or find_spec("fastapi") is None:  # the extras are not installed
    collect_ignore_glob = ["*"]


@pytest.fixture(autouse=True)
def _localhost(socket_enabled: None) -> None:
    """Real programs talk to each other here; pytest-socket keeps all other hosts closed."""


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    if BROWSER is None:
        pytest.skip("no chromium or chrome is installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where screenshots for the documentation go."""
    folder = Path(__file__).resolve().parents[2] / "docs" / "img"
    folder.mkdir(exist_ok=True)
    return folder
