"""Firefox and WebKitGTK: the Studio, a clip, compare, a gallery and an exported page work there as in Chromium.

What is shown in one engine only is kept apart from what a page does: here are the roads that people take, in short.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from compared import FRAMES, LEAST, STEP, grid_of
from engines import Engine, Firefox, WebKitGTK, find_firefox, find_webkit
from labharness import Lab, write_notebook
from studiopage import FAST, PLAYS, SEEK, STUDIO
from waiting import until

from vidnb.display.grid import pivot
from vidnb.widgets import Compare

pytestmark = [pytest.mark.long, pytest.mark.browser]

MISSING = "no {} can be driven here; get one with: python tests/browser/install_browser.py --engines"
CURRENT = "window.jupyterapp.shell.currentWidget"
FRAMES_SHOWN = """() => [...document.querySelectorAll('.vidnb-cell canvas')].map((canvas) =>
    canvas.getContext('2d').getImageData(canvas.width >> 2, canvas.height >> 1, 1, 1).data[0])"""
STUDIO_VIDEO = "document.querySelector('.vidnb-root.vidnb-player video')"
GALLERY_PLAYS = """() => [...document.querySelectorAll('[data-vidnb-gallery] video')]
    .map((video) => !video.paused && video.currentTime > 0).indexOf(true)"""


@pytest.fixture(scope="module", params=["firefox", "webkit"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A running browser of another engine."""
    kind, find = {"firefox": (Firefox, find_firefox), "webkit": (WebKitGTK, find_webkit)}[request.param]
    if (executable := find()) is None:
        pytest.skip(MISSING.format(kind.name))
    with kind(executable) as running:
        running.size(1280, 1000)
        yield running


def picture(engine: Engine, request: pytest.FixtureRequest, name: str) -> None:
    """Keep what the page looks like, to be looked at."""
    engine.shot(request.config.rootpath / "test-artifacts" / "engines" / f"{engine.name}-{name}.png")


def brightness(engine: Engine, folder: Path) -> int:
    """How much brighter than the file a grey is shown here: WebKitGTK's colours are up to 3 off on some processors.

    Read from a clip of one grey, so that no frame that is shown too early or too late is taken for a shade.
    """
    folder.mkdir()
    path = Compare(pivot(grid_of(folder, 2, step=0), cols="seed")).to_html(folder / "grey.html")
    engine.open(path.as_uri())
    engine.until("() => document.querySelector('.vidnb-root.vidnb-compare')?.dataset.films === '2'")
    go(engine, FRAMES // 2)
    off: int = engine.until(f"() => Math.max(...({FRAMES_SHOWN})())") - LEAST
    return off


def wait_for_frames(engine: Engine, wanted: list[int], brighter: int) -> None:
    def shown() -> list[int]:
        return [round((grey - brighter - LEAST) / STEP) for grey in engine.run(FRAMES_SHOWN)]

    until(lambda: shown() == wanted)


def go(engine: Engine, frame: int) -> None:
    engine.run(
        """(frame) => {
            const slider = document.querySelector('.vidnb-track input');
            slider.value = frame;
            slider.dispatchEvent(new Event('input', { bubbles: true }));
        }""",
        frame,
    )


def played(engine: Engine, samples: int = 200) -> dict[str, Any]:
    """What the view counted of itself over so many animation frames, ends of the loop included."""
    for _ in range(4):  # a machine that is busy with other tests may hold a decoder up for once
        engine.click("button[aria-label='Play all']")
        script = """(samples) => {
            const sums = JSON.parse(document.querySelector('.vidnb-root.vidnb-compare').dataset.sums ?? '{}');
            return sums.samples > samples ? sums : null;
        }"""
        sums: dict[str, Any] = engine.until(script, samples)
        engine.click("button[aria-label='Pause']")
        if sums["same"] >= 99:
            break
    return sums


def test_an_exported_comparison_plays_nine_clips_on_the_same_frame(
    engine: Engine, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    brighter = brightness(engine, tmp_path / "grey")
    path = Compare(pivot(grid_of(tmp_path, 9), cols="seed")).to_html(tmp_path / "x.html")
    engine.open(path.as_uri())
    engine.until("() => document.querySelector('.vidnb-root.vidnb-compare')?.dataset.films === '9'")
    for frame in (30, 7, FRAMES - 1, 0):
        go(engine, frame)
        wait_for_frames(engine, [frame] * 9, brighter)
    sums = played(engine)
    picture(engine, request, "compare")
    assert (sums["clips"], sums["way"]) == (9, "frames")
    assert sums["same"] >= 99
    assert sums["fps"] > 0


def test_two_clips_are_wiped_and_subtracted_on_the_same_frame(engine: Engine, tmp_path: Path) -> None:
    brighter = brightness(engine, tmp_path / "grey")
    path = Compare(pivot(grid_of(tmp_path, 2), cols="seed")).to_html(tmp_path / "x.html")
    engine.open(path.as_uri())
    engine.until("() => document.querySelector('.vidnb-root.vidnb-compare')?.dataset.films === '2'")
    engine.click(".vidnb-cell[data-at='1']")
    go(engine, 20)
    stage = """(x) => {
        const canvas = document.querySelector('.vidnb-stage-picture');
        return [...canvas.getContext('2d').getImageData(Math.floor(canvas.width * x), canvas.height >> 1, 1, 1).data]
            .slice(0, 3);
    }"""
    engine.press("p")
    grey = LEAST + STEP * 20 + brighter
    until(lambda: abs(engine.run(stage, 0.2)[0] - grey) <= 3)
    engine.press("d")
    until(lambda: max(engine.run(stage, 0.2)) <= 4)  # the half that is alike


def test_the_studio_makes_a_clip_that_plays_and_a_gallery_and_a_comparison_show_it(
    engine: Engine, lab_server: Lab, request: pytest.FixtureRequest
) -> None:
    folder = f"engines-{engine.name}"
    later = ["vidnb.history()", "vidnb.history()[0]", "vidnb.compare(vidnb.history(), cols='seed')"]
    write_notebook(lab_server.root / folder / "a.ipynb", FAST + STUDIO, *later)
    engine.open(f"{lab_server.url}/{lab_server.address('')}?token={lab_server.token}&reset")
    engine.until("async () => window.jupyterapp && (await window.jupyterapp.restored, true)")
    opened = "path => window.jupyterapp.commands.execute('docmanager:open', { path }).then(() => null)"
    engine.run(opened, f"{folder}/a.ipynb")
    engine.click(".jp-NotebookPanel .jp-InputArea-editor")  # a page of another process may not have the focus
    engine.until(f"() => {CURRENT}?.sessionContext?.session?.kernel?.status === 'idle'")
    run_cell(engine, 0)
    engine.click(".vidnb-studio .vidnb-form textarea")
    for prompt in ("a koala in a meadow", "a fox"):
        engine.run("() => document.activeElement.select?.()")
        engine.write(prompt)
        engine.press("Control", "Enter")
        made = """(prompt) => {
            const player = document.querySelector('.vidnb-root.vidnb-player');
            return player?.dataset.state === 'ready' && player.dataset.rested === 'true'
                && player.querySelector('.vidnb-prompt')?.textContent === prompt;
        }"""
        engine.until(made, prompt)
    picture(engine, request, "studio")
    assert "/files/engines-" in engine.run(f"() => ({PLAYS})({STUDIO_VIDEO})")
    assert engine.run(f"() => ({SEEK})({STUDIO_VIDEO}, 4)") == pytest.approx(4, abs=0.1)

    for cell in (1, 2, 3):
        run_cell(engine, cell)
    engine.until("() => document.querySelectorAll('[data-vidnb-gallery] figure').length === 2")
    engine.hover("[data-vidnb-gallery] figure video")
    until(lambda: engine.run(GALLERY_PLAYS) == 0)
    picture(engine, request, "gallery")
    single = "() => [...document.querySelectorAll('.jp-Cell')][2].querySelector('video')"
    assert engine.run(f"() => ({PLAYS})(({single})())")
    engine.hover(".vidnb-root.vidnb-compare .vidnb-cell")  # what is out of view is not decoded
    engine.until("() => document.querySelector('.vidnb-root.vidnb-compare')?.dataset.films === '2'")
    sums = played(engine, 60)
    picture(engine, request, "lab-compare")
    assert (sums["clips"], sums["way"]) == (2, "frames")
    assert sums["same"] >= 99


def run_cell(engine: Engine, at: int) -> None:
    """Run a cell and see that it did not raise."""
    script = f"""async (at) => {{
        const notebook = {CURRENT}.content;
        notebook.activeCellIndex = at;
        notebook.deselectAll();
        await window.jupyterapp.commands.execute('notebook:run-cell');
        const raised = notebook.widgets[at].model.toJSON().outputs.filter((one) => one.output_type === 'error');
        return raised.map((one) => one.traceback.join('\\n'));
    }}"""
    assert engine.run(script, at) == []
