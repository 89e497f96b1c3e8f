"""The studio on older and newer kernels while a cell runs for minutes, is interrupted, or the kernel is restarted.

A job goes on in a thread of its own, and what it brings is shown while a cell runs, on every kernel. A click reaches a
busy kernel only where comms have a sub-shell of their own: ipykernel 7.0 to 7.3 with JupyterLab's default setting.
Elsewhere it is kept, which the page says, and counts as soon as the cell is over.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from labharness import Browser, Lab, NotebookPage, write_notebook
from playwright.sync_api import Error, expect
from studiopage import STUDIO, StudioPage

from vidnb.emulator import Emulator

OLDER = {"ipykernel-6": "ipykernel==6.*", "ipykernel-7.3": "ipykernel==7.3.*"}
INSTALLED = "python3"
SETTINGS = "@jupyterlab/apputils-extension/kernels-settings"
SUBSHELLS, NO_SUBSHELLS = "perCommTarget", "disabled"

SPEED = "import os; os.environ['VIDNB_EMULATOR_SPEED'] = '{}'\n"
QUICK, SLOW = 10, 4
LONG_CELL = "import time\nprint('the cell', 'runs')\nwhile True:\n    time.sleep(0.1)"
VERSION = "import ipykernel\nprint(ipykernel.__version__)"
FIRST, SECOND = "a koala in a meadow", "a cat in a meadow"
KEPT = "This click is kept"

Open = Callable[[str, str, int], NotebookPage]


def install(requirement: str, folder: Path) -> None:
    """Put one package into a folder; what it needs is there already."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run([*command, "--target", str(folder), requirement], capture_output=True, text=True)
    if done.returncode:
        missing = f"pip cannot install {requirement} here: {done.stderr.strip().splitlines()[-1:]}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab that offers the older kernels too."""
    with Lab(tmp_path_factory.mktemp("kernels")) as server:
        for name, requirement in OLDER.items():
            folder = tmp_path_factory.mktemp(name)
            install(requirement, folder)
            server.add_kernel(name, {"PYTHONPATH": str(folder)})
        yield server


@pytest.fixture
def opened() -> Iterator[list[NotebookPage]]:
    """Pages that are closed after all else is done with them."""
    pages: list[NotebookPage] = []
    yield pages
    for page in pages:
        page.close_all()
        page.page.close()


@pytest.fixture
def open_on(
    browser: Browser,
    kernels: Lab,
    opened: list[NotebookPage],
    watched: list[NotebookPage],
    request: pytest.FixtureRequest,
) -> Open:
    """`open_on(kernel, comms, speed)`: a page with that setting, and in front a notebook on that kernel.

    Its cells: the studio, run already; one without an end; one that prints the kernel's version.
    """

    def run(kernel: str, comms: str, speed: int) -> NotebookPage:
        kernels.settings({SETTINGS: {"commsOverSubshells": comms}})
        shown = NotebookPage.start(browser, kernels)
        opened.append(shown)
        watched.append(shown)
        path = f"{request.node.name}/studio.ipynb"
        write_notebook(kernels.root / path, SPEED.format(speed) + STUDIO, LONG_CELL, VERSION, kernel=kernel)
        shown.open(path)
        try:
            shown.run_cell(2)
        except Error:  # a kernel that loses what it is asked while it starts
            shown.restart_kernel()
            shown.run_cell(2)
        assert shown.outputs()[2].startswith(kernel.partition("-")[2])
        shown.run_cell(0)
        return shown

    return run


def start_long_cell(shown: NotebookPage) -> None:
    """Run the cell without an end, and wait until it runs."""
    shown.run_cell(1, wait=False)
    expect(shown.panel().locator(".jp-CodeCell").nth(1)).to_contain_text("the cell runs")


def still_runs(shown: NotebookPage) -> bool:
    """Whether the cell without an end runs; the kernel's status flickers with messages on sub-shells."""
    return shown.cells()[1]["execution_count"] is None


def interrupt(shown: NotebookPage) -> None:
    """Stop the cell without an end."""
    shown.interrupt()
    expect(shown.panel().locator(".jp-CodeCell").nth(1)).to_contain_text("KeyboardInterrupt")


def made(folder: Path) -> dict[str, Any]:
    """How often each prompt was paid for, by the emulated service's own count."""
    emulator = Emulator(folder / "vidnb-data/emulator")
    try:
        return emulator.stats()["jobs_by_prompt"]
    finally:
        emulator.close()


@pytest.mark.parametrize(
    ("kernel", "comms", "reaches"),
    [
        (INSTALLED, SUBSHELLS, None),  # whatever the newest one does
        ("ipykernel-6", SUBSHELLS, False),
        ("ipykernel-7.3", SUBSHELLS, True),
        ("ipykernel-7.3", NO_SUBSHELLS, False),
    ],
)
def test_while_a_cell_runs_clips_arrive_and_clicks_are_kept_or_reach_the_kernel(
    open_on: Open, kernel: str, comms: str, reaches: bool | None
) -> None:
    shown = open_on(kernel, comms, QUICK)
    studio = StudioPage(shown.panel())
    studio.make(FIRST)
    expect(studio.jobs).to_have_count(1)
    start_long_cell(shown)

    studio.make(SECOND)
    kept, both = studio.bar.get_by_text(KEPT), studio.jobs.nth(1)
    expect(kept.or_(both)).to_be_visible()
    assert reaches is None or both.is_visible() is reaches
    studio.wait_for_clip(SECOND if both.is_visible() else FIRST)
    assert "/files/" in studio.plays()
    assert still_runs(shown)

    interrupt(shown)
    studio.wait_for_clip(SECOND)
    assert made(shown.folder) == {FIRST: 1, SECOND: 1}


@pytest.mark.parametrize("kernel", [INSTALLED, "ipykernel-6"])
def test_a_job_outlives_an_interrupt_and_its_kernel_and_a_new_studio_shows_it(open_on: Open, kernel: str) -> None:
    shown = open_on(kernel, SUBSHELLS, SLOW)
    studio = StudioPage(shown.panel())
    studio.make(FIRST)
    expect(studio.jobs).to_have_count(1)
    start_long_cell(shown)
    interrupt(shown)
    expect(studio.jobs).to_have_count(1)

    shown.restart_kernel()
    shown.run_cell(0)
    expect(studio.jobs).to_contain_text("Running")
    studio.wait_for_clip(FIRST)
    expect(studio.jobs).to_have_count(0)
    assert made(shown.folder) == {FIRST: 1}
