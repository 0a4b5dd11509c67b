"""The documentation site: it is built strictly, offline, and has every public name."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.test_docs import DOCS, ROOT

pytest.importorskip("mkdocs")

INTEGRATIONS = sorted(
    ".".join(path.parent.relative_to(source).parts)
    for source in ROOT.glob("integrations/*/src")
    for path in source.rglob("__init__.py")
    if "__all__" in path.read_text(encoding="utf-8")
)
PUBLIC = (
    "romaine",
    "romaine.backends.base",
    "romaine.evaluate.mteb",
    "romaine.evaluate.report",
    "romaine.evaluate.retrieval",
    "romaine.evaluate.verify",
    "romaine.export",
    "romaine.formats",
    "romaine.memory",
    *INTEGRATIONS,
)
"""Whose `__all__` the reference has to show."""
NOT_CLASSES = {"__version__", "errors"}


def build(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", "mkdocs.yml", "-d", site]
    return subprocess.run(command, cwd=source, capture_output=True, text=True, check=False, timeout=600)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as HTML."""
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Page(HTMLParser):
    """The ids of a page, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.ids.add(found.get("id") or "")
        if tag in ("img", "script", "iframe", "source", "link"):
            self.loaded.add(found.get("src") or found.get("href") or "")


def test_it_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(list(DOCS.rglob("*.md")))  # and the page of what is not there
    for page in pages:
        assert not [url for url in Page(page).loaded if re.match(r"(https?:)?//", url)], page.name


@pytest.mark.parametrize("module", PUBLIC)
def test_the_reference_has_every_public_name(module: str, site: Path) -> None:
    shown = set().union(*(Page(page).ids for page in (site / "reference").glob("*.html")))
    for name in set(importlib.import_module(module).__all__) - NOT_CLASSES:
        # its own id, that of the module it is defined in, or that of the memory it is lent from
        homes = rf"({re.escape(module)}(\.\w+)?|romaine\.memory)\.{name}"
        assert any(re.fullmatch(homes, shown_id) for shown_id in shown), (
            f"docs/reference lacks {module}.{name}"
        )


def test_the_reference_has_every_error(site: Path) -> None:
    from romaine import errors

    shown = Page(site / "reference" / "errors.html").ids
    classes = [
        name for name, value in vars(errors).items() if isinstance(value, type) and name.endswith("Error")
    ]
    assert not [name for name in classes if f"romaine.errors.{name}" not in shown]


def test_no_markdown_is_left_over(site: Path) -> None:
    """Fences, tables and links that were not understood stand in the page as text."""
    for page in site.rglob("*.html"):
        text = re.sub(r"<(pre|code|script|style)\b.*?</\1>", "", page.read_text("utf-8"), flags=re.DOTALL)
        text = re.sub(r"<[^>]+>", "", text)
        assert not re.search(r"^\s*(```|\|.*\||:::)|\]\(|--8<--", text, re.MULTILINE), page.name


@pytest.mark.parametrize(
    ("shown", "complaint"),
    [
        ("[there](index.md#start)", None),
        ("[nowhere](nowhere.md)", "'nowhere.md'"),
        ("[no such heading](index.md#nowhere)", "no such anchor"),
        ("::: romaine.Nothing", "romaine.Nothing"),
    ],
)
def test_a_broken_page_is_noticed(shown: str, complaint: str | None, tmp_path: Path) -> None:
    shutil.copytree(DOCS / "assets", tmp_path / "docs" / "assets")
    (tmp_path / "docs" / "index.md").write_text(f"# Start\n\n{shown}\n", encoding="utf-8")
    settings = (ROOT / "mkdocs.yml").read_text("utf-8")
    settings = re.sub(r"^nav:\n(?:  .*\n)+", "", settings, flags=re.MULTILINE)
    settings = settings.replace("paths: [src,", f"paths: [{(ROOT / 'src').as_posix()},")
    (tmp_path / "mkdocs.yml").write_text(settings, encoding="utf-8")
    done = build(tmp_path, tmp_path / "site")
    assert (done.returncode == 0) == (complaint is None), done.stderr
    assert (complaint or "") in done.stderr
