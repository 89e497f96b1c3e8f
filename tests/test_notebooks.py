"""The notebooks as a person gets them: clean in the repository, and running with no key and no network."""

from __future__ import annotations

import ast
import copy
import functools
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from vidnb.client.verbs import Client
from vidnb.emulator import Emulator
from vidnb.media.video import verify_video
from vidnb.records import State

pytestmark = pytest.mark.notebook
REPO = Path(__file__).parents[1]
NOTEBOOKS = sorted((REPO / "notebooks").rglob("*.ipynb"))
FIRST = "01_first_clip"

SEED_MODELS = {
    "leonardo/motion_2.0", "leonardo/grok-imagine-1.5", "leonardo/MOTION2", "leonardo/MOTION2FAST", "leonardo/VEO3",
    "leonardo/VEO3FAST", "leonardo/KLING2_1", "leonardo/KLING2_5", "leonardo/SVD", "1min/leonardo-motion", "1min/luma",
}  # fmt: skip
"""The models of the documents that vidnb was first built for."""

CELL_TIMEOUT_S = 300

# An audit hook sees what every library does, and RuntimeError is taken by none for a network fault.
OFFLINE = """
import ipaddress, sys

def _is_local(host):
    try:
        return not host or host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

def _refuse(event, args):
    if event == "socket.getaddrinfo":
        host = args[0]
    elif event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    if not _is_local(host):
        raise RuntimeError(f"the notebook asked the network for {host!r}")

sys.addaudithook(_refuse)
"""


@dataclass(frozen=True)
class Run:
    """A notebook after "Run all", and the folder that it ran in."""

    notebook: Any
    folder: Path


@pytest.fixture(scope="session")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Run]:
    """A function that runs a notebook in a folder of its own; all tests share what came of it."""

    @functools.cache
    def run(path: Path) -> Run:
        folder = tmp_path_factory.mktemp(path.stem)
        startup = folder / ".ipython/profile_default/startup"
        startup.mkdir(parents=True)
        (startup / "offline.py").write_text(OFFLINE, encoding="utf-8")
        notebook = nbformat.read(path, as_version=4)
        execute(notebook, folder)
        return Run(notebook, folder)

    return run


def execute(notebook: Any, folder: Path) -> None:
    """Run all cells in a new kernel that has no key and no network; the data folder is the one beside the notebook."""
    client = NotebookClient(
        notebook,
        kernel_name=notebook.metadata.kernelspec.name,
        timeout=CELL_TIMEOUT_S,
        allow_errors=True,
        resources={"metadata": {"path": str(folder)}},
    )
    ours = {"IPYTHONDIR": str(folder / ".ipython"), "HOME": str(folder), "VIDNB_EMULATOR_SPEED": "1000"}
    client.execute(env={name: text for name, text in os.environ.items() if not is_setting(name)} | ours)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    """One notebook of the repository."""
    return request.param


@pytest.fixture
def run(path: Path, run_once: Callable[[Path], Run]) -> Run:
    """The notebook after it ran."""
    return run_once(path)


@pytest.fixture
def first_run(run_once: Callable[[Path], Run]) -> Run:
    """The first notebook after it ran."""
    return run_once(REPO / f"notebooks/{FIRST}.ipynb")


def is_setting(name: str) -> bool:
    return name.startswith(("VIDNB_", "LEONARDO_", "ONEMIN_"))


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def html_of(cell: Any) -> str:
    return "".join(output.data.get("text/html", "") for output in cell.outputs if "data" in output)


def awaits_a_clip(source: str) -> bool:
    """Whether a cell's own statements call `vidnb.generate` or `vidnb.wait`; a refusal that is shown on purpose no."""
    statements = [statement for statement in ast.parse(source).body if not isinstance(statement, ast.Try)]
    calls = [node.func for one in statements for node in ast.walk(one) if isinstance(node, ast.Call)]
    return any(ast.unparse(function) in ("vidnb.generate", "vidnb.wait") for function in calls)


def test_there_are_notebooks() -> None:
    assert FIRST in [path.stem for path in NOTEBOOKS]


def test_it_is_committed_without_outputs_and_widget_state(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert [cell.id for cell in code_cells(notebook) if cell.outputs or cell.execution_count is not None] == []
    assert [cell.id for cell in notebook.cells if cell.metadata or cell.get("attachments")] == []
    assert "widgets" not in notebook.metadata


def test_it_asks_for_the_plain_python_kernel_and_names_no_version(path: Path) -> None:
    metadata = nbformat.read(path, as_version=4).metadata
    assert metadata.kernelspec.name == "python3"
    assert metadata.kernelspec.display_name
    assert metadata.language_info == {"name": "python"}


def test_ruff_finds_nothing(path: Path) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", str(path)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_runs_to_the_end_with_no_key_and_no_network(run: Run) -> None:
    outputs = [(cell.id, output) for cell in code_cells(run.notebook) for output in cell.outputs]
    assert [(cell, output.evalue) for cell, output in outputs if output.output_type == "error"] == []
    assert [(cell, output.text) for cell, output in outputs if output.get("name") == "stderr"] == []
    assert all(cell.execution_count for cell in code_cells(run.notebook))


def test_every_cell_that_awaits_a_clip_shows_one_from_a_file_beside_the_notebook(run: Run) -> None:
    cells = [cell for cell in code_cells(run.notebook) if awaits_a_clip(cell.source)]
    assert cells or any(".run()" in cell.source for cell in code_cells(run.notebook))
    for cell in cells:
        (address,) = re.findall(r'<video [^>]*src="([^"]+)"', html_of(cell))
        assert address.startswith("./vidnb-data/files/"), cell.source
        info = verify_video(run.folder / address)
        assert f"{info.width_px}×{info.height_px}" in html_of(cell)
        assert "data:image/webp;base64," in html_of(cell)
        assert "EMULATED" in html_of(cell)


def test_no_machine_path_and_no_loopback_address_is_saved(run: Run) -> None:
    saved = nbformat.writes(run.notebook)
    assert str(run.folder) not in saved
    assert str(Path.home()) not in saved
    assert not re.search(r"https?://(127\.|localhost)", saved)


def test_the_first_notebook_makes_a_clip_with_every_seed_model(first_run: Run) -> None:
    with Client(first_run.folder / "vidnb-data") as client:
        jobs = client.jobs(limit=None)
        frame = client.history(limit=None).df
    assert {job.state for job in jobs} == {State.DONE}
    assert {job.model for job in jobs} >= SEED_MODELS
    assert {job.emulated for job in jobs} == {True}
    # The same v1 model makes clips from text and from an image.
    assert {bool(job.images) for job in jobs if job.model == "leonardo/MOTION2"} == {True, False}
    assert {job.params["motion_strength"] for job in jobs if job.model == "1min/leonardo-motion"} == {1, 10}
    # 1min says no cost of a clip.
    assert frame["cost"].notna().tolist() == (frame["provider"] == "leonardo").tolist()
    measured = ["total_s", "actual_width_px", "actual_height_px", "actual_fps", "actual_duration_s"]
    assert len(frame) == len(jobs)
    assert not frame[measured].isna().any(axis=None)


def test_the_first_notebook_speaks_every_wire_format_of_the_seeds(first_run: Run) -> None:
    emulator = Emulator(first_run.folder / "vidnb-data/emulator")
    asked = " ".join(emulator.stats()["requests"])
    emulator.close()
    v1 = "/api/rest/v1/generations"
    for route in (f"{v1}-text-to-video", f"{v1}-image-to-video", f"{v1}-motion-svd", "/api/rest/v2/generations"):
        assert f"POST {route}" in asked
    assert "POST /api/features" in asked
    assert "POST /api/assets" in asked
    assert "/api/rest/v1/init-image" in asked


def test_a_sweep_leaves_its_board_and_its_report(run_once: Callable[[Path], Run]) -> None:
    run = run_once(REPO / "notebooks/05_sweep.ipynb")
    boards = [html_of(cell) for cell in code_cells(run.notebook) if ".run()" in cell.source]
    assert [html.count("<img") for html in boards] == [16, 24, 1]
    assert all("Run this cell again: it goes on where it was" in html for html in boards)
    report = (run.folder / "koala.html").read_text(encoding="utf-8")
    assert report.count("<video") == 24
    with Client(run.folder / "vidnb-data") as client:
        assert {job.state for job in client.jobs(limit=None)} == {State.DONE}


def test_run_again_in_a_new_kernel_it_sends_nothing(first_run: Run) -> None:
    emulator = Emulator(first_run.folder / "vidnb-data/emulator")
    before = emulator.stats()
    again = copy.deepcopy(first_run.notebook)
    execute(again, first_run.folder)
    after = emulator.stats()
    emulator.close()
    assert after == before
    assert [output for cell in again.cells for output in cell.get("outputs", []) if output.output_type == "error"] == []
