"""Imports point down: what a layer may know is read from its own import statements."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import vidnb

PACKAGE = Path(vidnb.__file__).parent

LAYERS = (
    {"errors", "records", "catalog", "params"},  # shared words
    {"providers"},  # wire formats, no I/O
    {"transport", "store", "migrations", "files", "media", "_flash"},  # network, database, bytes, video
    {"engine", "limits", "listing", "quotes"},  # submit, poll, download; what it will cost and take
    {"display", "_clip", "_history"},  # what a person reads; below the verbs, because they give it back
    {"client", "verbs", "_addresses", "_annotation", "_bridge", "loops", "webhook"},  # the verbs
    {"widgets"},  # what a person touches
    {"cli", "__main__", "__init__"},  # names only
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}

LATE_AND_UPWARDS = {
    ("catalog", "display"),  # how a value shows itself in a cell
    ("records", "display"),
    ("catalog", "providers"),  # plug-ins bring catalogue files of their own
    ("params", "media"),  # inputs are read only where there are any
}
"""Imports inside a function that go up, each for its reason; at the top of a module there are none."""

EMULATOR_MAY_KNOW = {"catalog", "errors"}
MAY_KNOW_THE_EMULATOR = {"client", "cli", "__init__"}


class Import(NamedTuple):
    path: str
    part: str
    """The part of vidnb that imports: the first name below the package."""
    target: str
    late: bool
    """Inside a function."""


def imports(path: Path) -> Iterator[Import]:
    """What a file imports of vidnb when it runs; imports for the type checker alone are left out."""
    relative = path.relative_to(PACKAGE)
    part = relative.parts[0].removesuffix(".py")

    def walk(node: ast.AST, late: bool) -> Iterator[Import]:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        for target in _targets(node):
            yield Import(str(relative), part, target, late)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    yield from walk(ast.parse(path.read_text(encoding="utf-8")), False)


def _targets(node: ast.AST) -> list[str]:
    """The parts of vidnb that a statement imports."""
    if isinstance(node, ast.Import):
        names = [alias.name.split(".") for alias in node.names]
        return [(name[1] if len(name) > 1 else "__init__") for name in names if name[0] == "vidnb"]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"line {node.lineno}: vidnb imports by full name"
        module = (node.module or "").split(".")
        if module == ["vidnb"]:
            return [alias.name if alias.name in {*LEVEL, "emulator"} else "__init__" for alias in node.names]
        return [module[1]] if module[0] == "vidnb" else []
    return []


ALL = [found for path in sorted(PACKAGE.rglob("*.py")) if "_notebooks" not in path.parts for found in imports(path)]
FILES = sorted({found.path for found in ALL})


def test_every_part_has_its_layer() -> None:
    parts = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
    assert parts - {"emulator", "_notebooks"} == set(LEVEL)


def test_the_reader_of_imports_sees_them() -> None:
    assert Import("client.py", "client", "engine", False) in ALL
    assert Import("client.py", "client", "emulator", True) in ALL
    assert ("errors.py", "records") not in {(found.path, found.target) for found in ALL}, "for the type checker alone"


@pytest.mark.parametrize("path", FILES)
def test_imports_point_down(path: str) -> None:
    wrong = [
        found
        for found in ALL
        if found.path == path
        and "emulator" not in (found.part, found.target)
        and LEVEL[found.target] > LEVEL[found.part]
        and not (found.late and (found.part, found.target) in LATE_AND_UPWARDS)
    ]
    assert wrong == []


def test_each_late_import_upwards_is_still_needed() -> None:
    assert {(found.part, found.target) for found in ALL if found.late} >= LATE_AND_UPWARDS


def test_the_shared_words_stand_on_nothing() -> None:
    assert [found for found in ALL if found.part in ("errors", "records") and not found.late] == []


def test_the_emulator_shares_the_catalogue_and_no_code_with_the_stack() -> None:
    assert {found.target for found in ALL if found.part == "emulator"} - {"emulator"} <= EMULATOR_MAY_KNOW


def test_the_stack_reaches_the_emulator_only_through_the_client() -> None:
    assert {found.part for found in ALL if found.target == "emulator"} - {"emulator"} <= MAY_KNOW_THE_EMULATOR


def test_a_provider_does_no_io() -> None:
    io = {"httpx", "asyncio", "anyio", "socket", "requests", "urllib.request", "sqlalchemy", "pathlib", "os", "time"}
    for path in (PACKAGE / "providers").glob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        named |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
        assert not named & io, path.name


def test_widgets_see_neither_sql_nor_the_network() -> None:
    lower = {"transport", "engine", "store"}
    assert [found for found in ALL if found.part == "widgets" and found.target in lower] == []
