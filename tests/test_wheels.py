"""What is published: the packages' metadata, and `.ci/wheels`, which builds and tries them."""

from __future__ import annotations

import re
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
HOME = "https://host.invalid/owner/romaine"
PACKAGES = (
    ".",
    "integrations/langchain",
    "integrations/llama-index",
    "integrations/haystack",
    "models/little-gem-multilingual",
    "models/oakleaf",
)


@pytest.fixture(scope="module")
def wheels() -> ModuleType:
    loader = SourceFileLoader("wheels", str(ROOT / ".ci" / "wheels"))
    module = module_from_spec(spec_from_loader("wheels", loader))  # type: ignore[arg-type]
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


def project(package: str) -> dict[str, Any]:
    settings: dict[str, Any] = tomllib.loads((ROOT / package / "pyproject.toml").read_text("utf-8"))
    return settings


def test_all_packages_are_built(wheels: ModuleType) -> None:
    inner = [
        path for folder in ("integrations", "models") for path in ROOT.glob(f"{folder}/*/pyproject.toml")
    ]
    found = {path.parent.relative_to(ROOT).as_posix() for path in inner}
    assert set(wheels.PACKAGES) == {".", *found} == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_metadata_is_whole(package: str) -> None:
    metadata = project(package)["project"]
    assert metadata["authors"] == [{"name": "the romaine authors"}]  # as NOTICE says
    assert (ROOT / package / "CHANGELOG.md").is_file()
    core = project(".")["project"]
    pythons = [line for line in core["classifiers"] if "Python :: 3." in line]
    assert [line for line in metadata["classifiers"] if "Python :: 3." in line] == pythons
    assert metadata["requires-python"] == core["requires-python"]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_readme_has_working_links_on_pypi(package: str, wheels: ModuleType) -> None:
    path = ROOT / package / project(package)["project"]["readme"]
    readme, folder = path.read_text("utf-8"), path.parent.relative_to(ROOT).as_posix()
    relative = re.findall(r"\]\((?!https?://|#)([^)#]+)", readme)
    assert all((path.parent / target).exists() for target in relative)
    for home in ("", HOME):
        published = wheels.readme_for(readme, folder, home)
        assert not re.findall(r"\]\((?!https?://|#)", published)
        assert "<img" not in published
        assert published.count(HOME) == (len(relative) if home else 0)
    assert len(wheels.readme_for(readme, folder, "")) > 0.8 * len(readme)


def test_links_are_made_absolute(wheels: ModuleType) -> None:
    text = "[a](docs/a.md#b) ![c](c.png) [d](https://d.invalid) [e](#e) [f](../../LICENSE)"
    home = wheels.readme_for(text, "integrations/langchain", HOME)
    folder = "integrations/langchain"
    assert home == (
        f"[a]({HOME}/blob/HEAD/{folder}/docs/a.md#b) ![c]({HOME}/raw/HEAD/{folder}/c.png)"
        f" [d](https://d.invalid) [e](#e) [f]({HOME}/blob/HEAD/LICENSE)"
    )
    assert wheels.readme_for(text, ".", "") == "a  [d](https://d.invalid) [e](#e) f"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_repository_gives_urls(package: str, wheels: ModuleType, tmp_path: Path) -> None:
    for name in (project(package)["project"]["readme"], "pyproject.toml"):
        copy = tmp_path / package / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / package / name).read_bytes())
    wheels.prepare(tmp_path, package, HOME)
    urls = tomllib.loads((tmp_path / package / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    assert set(urls) == {"Homepage", "Documentation", "Changelog", "Issues"}
    assert all(url.startswith(HOME) for url in urls.values())
    for name in ("Documentation", "Changelog"):
        assert (ROOT / urls[name].removeprefix(f"{HOME}/blob/HEAD/")).is_file()


def test_a_release_needs_the_repository(wheels: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "repository", lambda: "")
    monkeypatch.setattr(wheels, "build", lambda *_: pytest.fail("built without"))
    with pytest.raises(SystemExit, match=r"\[tool\.romaine\] repository is empty"):
        wheels.main(["--release"])


def test_the_repository_is_none_or_an_address(wheels: ModuleType) -> None:
    assert re.fullmatch(r"(https://[\w.-]+/\S+)?", wheels.repository())
