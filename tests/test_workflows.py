"""The workflows of `.github` are valid, run what there is, and cover what the packages promise."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.test_wheels import PACKAGES, project

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FRAMEWORKS = {package.removeprefix("integrations/") for package in PACKAGES if "integrations" in package}


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(WORKFLOWS[0].read_text("utf-8"))["jobs"]
    return found


def matrix(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = job["strategy"]["matrix"]
    return found


def pythons() -> set[str]:
    classifiers = project(".")["project"]["classifiers"]
    return {found[1] for line in classifiers if (found := re.search(r"Python :: (3\.\d+)$", line))}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_valid(path: Path) -> None:
    pytest.importorskip("check_jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_python_that_is_named_is_run(jobs: dict[str, Any]) -> None:
    named = pythons()
    assert min(named, key=lambda name: int(name[2:])) == project(".")["project"]["requires-python"][2:]
    assert set(matrix(jobs["core"])["python"]) == named == set(matrix(jobs["integrations"])["python"])
    assert set(matrix(jobs["wheels"])["python"]) <= named


def test_every_system_is_run(jobs: dict[str, Any]) -> None:
    for job in ("core", "wheels"):
        systems = {name.split("-")[0] for name in matrix(jobs[job])["os"]}
        assert systems == {"ubuntu", "macos", "windows"}


def test_every_framework_is_run_at_its_oldest_and_newest(jobs: dict[str, Any]) -> None:
    found = matrix(jobs["integrations"])
    runs = set(product(found["framework"], found["versions"]))
    runs |= {(run["framework"], run["versions"]) for run in found["include"]}
    assert runs == set(product(FRAMEWORKS, ("oldest", "newest")))


def test_what_is_run_is_there(jobs: dict[str, Any]) -> None:
    commands = " ".join(step.get("run", "") for job in jobs.values() for step in job["steps"])
    for script in set(re.findall(r"\.ci/\w+", commands)) | set(re.findall(r"[\w/.-]+\.py\b", commands)):
        assert (ROOT / script).is_file(), script


@pytest.mark.parametrize("package", [package for package in PACKAGES if "models" not in package])
def test_the_oldest_versions_are_those_that_are_declared(package: str) -> None:
    command = [sys.executable, ROOT / ".ci" / "oldest", package]
    pins = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    declared = dict(pin.split("==") for pin in pins)
    for line in project(package)["project"]["dependencies"]:
        if not line.startswith("romaine"):
            found = re.match(r"([\w.-]+)>=([\d.]+)", line)
            assert found, f"{line}: say the oldest version"
            assert declared[found[1]] == found[2]
