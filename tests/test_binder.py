"""The Binder folder builds a JupyterLab with this checkout of vidnb in it, on a Python that vidnb supports."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

REPO = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The project table of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


@pytest.fixture(scope="module")
def dockerfile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What repo2docker would hand to Docker, made from the files that decide it."""
    copy = tmp_path_factory.mktemp("binder") / "repo"
    shutil.copytree(REPO / "binder", copy / "binder")
    shutil.copy(REPO / "pyproject.toml", copy)
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


def position(dockerfile: str, line: str) -> int:
    """The number of the only line that holds `line`."""
    (number,) = (number for number, text in enumerate(dockerfile.splitlines()) if line in text)
    return number


def test_binder_installs_this_checkout_after_copying_it(dockerfile: str) -> None:
    install = position(dockerfile, 'pip install --no-cache-dir -r "binder/requirements.txt"')
    assert position(dockerfile, "COPY --chown=0:0 src/ ${REPO_DIR}/") < install
    assert position(dockerfile, "WORKDIR ${REPO_DIR}") < install


def test_binder_asks_for_the_checkout_with_jupyterlab(project: dict[str, Any]) -> None:
    lines = (REPO / "binder/requirements.txt").read_text(encoding="utf-8").split()
    assert lines == [".[lab]"]
    extra = {Requirement(line).name for line in project["optional-dependencies"]["lab"]}
    assert extra >= {"jupyterlab", "ipykernel"}


def test_binder_runs_a_python_that_vidnb_supports(dockerfile: str, project: dict[str, Any]) -> None:
    # repo2docker reads requires-python only where there is no binder folder, and would take an older Python.
    lock = re.search(r"environment-2epy-2d(\d)-2e(\d+)-", dockerfile)
    assert lock is not None
    assert ".".join(lock.groups()) in SpecifierSet(project["requires-python"])


def test_binder_carries_no_key() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (REPO / "binder").iterdir()]
    assert texts
    assert not any("API_KEY" in text for text in texts)
