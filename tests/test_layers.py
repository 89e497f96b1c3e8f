"""Imports point down: the contracts of `pyproject.toml` hold, there is no cycle, and each of them can be broken."""

from __future__ import annotations

import ast
import graphlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

import vidnb

REPO = Path(__file__).parents[1]
PACKAGE = Path(vidnb.__file__).parent
LINTER = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]

BROKEN = {
    "records.py": ("import vidnb.catalog", "Imports point down"),
    "store/queries.py": ("def late():\n    from vidnb.client import verbs", "Imports point down"),
    "jobs/schedule.py": ("from vidnb.client import verbs", "Imports point down"),
    "net/wire.py": ("from vidnb.store import Store", "Imports point down"),
    "params/sizes.py": ("from vidnb.providers import base", "Imports point down"),
    "display/page.py": ("if TYPE_CHECKING:\n    import vidnb.jobs", "Imports point down"),
    "serve/webhook.py": ("import vidnb.widgets.form", "Imports point down"),
    "providers/leonardo.py": ("import httpx", "A provider turns values into values"),
    "widgets/player.py": ("from vidnb.store import Store", "Widgets hold a client"),
    "emulator/checks.py": ("from vidnb.params import validate", "The emulator shares the catalogue and no code"),
    "jobs/quotes.py": ("import vidnb.emulator.core", "The emulator is reached as a transport"),
    "history/history.py": ("import sqlalchemy", "SQL lives in the store"),
    "stray.py": ("", "Imports point down"),
}
"""A line that breaks a contract, by the file that gets it."""

IO_NAMES = {"open", "exec", "eval", "compile", "__import__", "input", "print", "Path"}
IO_MODULES = {"urllib.request", "urllib.error"}


def lint(package: Path) -> subprocess.CompletedProcess[str]:
    """The run of import-linter over a copy of the package."""
    path = os.pathsep.join(map(str, (package.parent, REPO / "tests/support")))
    command = [*LINTER, "--config", str(REPO / "pyproject.toml")]
    return subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, cwd=package.parent, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, to be broken."""
    copy = tmp_path_factory.mktemp("house") / "vidnb"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("_notebooks", "__pycache__"))
    return copy


def test_the_contracts_hold(house: Path) -> None:
    done = lint(house)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", BROKEN)
def test_a_contract_that_is_broken_is_noticed(house: Path, file: str) -> None:
    line, contract = BROKEN[file]
    path = house / file
    before = path.read_text(encoding="utf-8") if path.exists() else None
    try:
        path.write_text(f"{before or ''}\n{line}\n", encoding="utf-8")
        done = lint(house)
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before, encoding="utf-8")
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(said.startswith(contract) and " BROKEN" in said for said in done.stdout.splitlines()), done.stdout


def cycle(package: str) -> list[str]:
    """Modules that import each other in a circle, late and typing-only imports counted; [] where there is none."""
    graph = grimp.build_graph(package, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert cycle("vidnb") == []


def test_a_circle_of_a_late_and_a_typing_only_import_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "rounds"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "one.py").write_text("def late():\n    from rounds import two\n")
    (package / "two.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import rounds.one\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert sorted({*cycle("rounds")}) == ["rounds.one", "rounds.two"]


def touches_files(source: str) -> list[str]:
    """The names in this code with which one reads files, talks to hosts or runs code."""
    nodes = list(ast.walk(ast.parse(source)))
    names = {node.id for node in nodes if isinstance(node, ast.Name)} & IO_NAMES
    names |= {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names} & IO_NAMES
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return sorted(names | modules & IO_MODULES)


@pytest.mark.parametrize("path", sorted((PACKAGE / "providers").glob("*.py")), ids=lambda path: path.name)
def test_a_provider_does_no_io(path: Path) -> None:
    assert touches_files(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("line", ["open('x')", "from pathlib import Path", "import urllib.request", "eval('1')"])
def test_a_provider_that_does_io_is_noticed(line: str) -> None:
    assert touches_files(line) != []
