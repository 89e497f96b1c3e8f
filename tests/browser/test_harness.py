"""The harness keeps its promises: clicks reach the kernel, videos play and seek, outputs outlive restart and reload."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from labharness import DARK, NARROW, NotebookPage
from playwright.sync_api import Locator, expect

OpenNotebook = Callable[..., NotebookPage]

CLICK_CELL = """
import ipywidgets, IPython.display
button, label = ipywidgets.Button(description="Press"), ipywidgets.Label("waiting")
button.on_click(lambda _: setattr(label, "value", "pressed"))
IPython.display.display(button, label)
"""

VIDEO_CELL = """
import IPython.display
IPython.display.HTML('<video src="clip.mp4" muted controls width=320></video>')
"""

FPS, SECONDS, SEEK_TO = 24, 20, 18


@pytest.fixture
def clip(lab_folder: Path) -> Path:
    """An H.264 MP4 beside the notebook, noise so that it is too large to arrive in one read."""
    path = lab_folder / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        random = np.random.default_rng(7)
        for _ in range(FPS * SECONDS):
            image = random.integers(0, 255, (180, 320, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def wait_for(video: Locator, condition: str) -> None:
    """Wait until the JavaScript `condition` over `video` holds."""
    script = f"async video => {{ while (!({condition})) await new Promise(requestAnimationFrame); }}"
    video.evaluate(script)


def test_a_click_in_the_browser_runs_the_callback_in_the_kernel(lab: OpenNotebook) -> None:
    panel = lab(CLICK_CELL).panel()
    expect(panel.locator(".widget-label", has_text="waiting")).to_be_visible()
    panel.get_by_role("button", name="Press").click()
    expect(panel.locator(".widget-label", has_text="pressed")).to_be_visible()


def test_a_video_beside_the_notebook_plays_and_seeks_by_range_requests(lab: OpenNotebook, clip: Path) -> None:
    notebook = lab(VIDEO_CELL, run=False)
    statuses: list[int] = []
    notebook.page.on("response", lambda reply: statuses.append(reply.status) if clip.name in reply.url else None)
    notebook.run_all()
    video = notebook.panel().locator("video")
    wait_for(video, "video.readyState >= 3")
    assert video.evaluate("video => [video.videoWidth, video.videoHeight]") == [320, 180]

    video.evaluate("video => video.play()")
    wait_for(video, "video.currentTime > 0.3")
    video.evaluate("video => video.pause()")
    seek = """(video, to) => new Promise(done => {
        video.onseeked = () => done(video.currentTime);
        video.currentTime = to;
    })"""
    assert video.evaluate(seek, SEEK_TO) == pytest.approx(SEEK_TO, abs=0.05)
    assert 206 in statuses


def test_what_was_saved_is_shown_again_after_a_restart_and_a_reload(lab: OpenNotebook, clip: Path) -> None:
    notebook = lab("answer = 6 * 7; print(answer)", VIDEO_CELL)
    notebook.save()
    notebook.restart_kernel()
    notebook.reload()
    assert notebook.outputs()[0].strip() == "42"
    wait_for(notebook.panel().locator("video"), "video.readyState >= 1")
    assert clip.name in (notebook.folder / "notebook-1.ipynb").read_text(encoding="utf-8")


def test_a_restarted_kernel_has_forgotten_everything(lab: OpenNotebook) -> None:
    notebook = lab("answer = 42", "print('answer' in globals())")
    notebook.restart_kernel()
    notebook.run_cell(1)
    assert notebook.outputs()[1].strip() == "False"


def test_an_interrupt_ends_a_running_cell(lab: OpenNotebook) -> None:
    notebook = lab("import time; print('in', flush=True); time.sleep(600)", run=False)
    notebook.run_cell(0, wait=False)
    expect(notebook.panel().locator(".jp-OutputArea")).to_contain_text("in")
    notebook.interrupt()
    expect(notebook.panel().locator(".jp-OutputArea")).to_contain_text("KeyboardInterrupt")
    notebook.wait_for_status("idle")


def test_a_cell_that_raises_fails_the_run_with_its_traceback(lab: OpenNotebook) -> None:
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        lab("1 / 0")


def test_the_kernel_has_no_keys_and_no_data_folder_of_the_shell(lab: OpenNotebook) -> None:
    names = "[n for n in os.environ if n.startswith(('VIDNB_', 'LEONARDO_', 'ONEMIN_'))]"
    output = lab(f"import os, vidnb; print({names}, os.path.basename(os.getcwd()))").outputs()[0]
    assert re.fullmatch(r"\[\] test_the_kernel_has_no_keys\w*", output.strip())


def test_dark_theme_and_narrow_viewport_change_what_is_seen(lab: OpenNotebook) -> None:
    notebook = lab("print('seen')")
    background = "() => getComputedStyle(document.querySelector('.jp-Notebook')).backgroundColor"
    light = notebook.page.evaluate(background)
    notebook.theme(DARK)
    notebook.viewport(NARROW)
    assert notebook.page.evaluate(background) != light
    assert notebook.page.evaluate("() => window.innerWidth") == NARROW["width"]
    expect(notebook.panel().get_by_text("seen", exact=True)).to_be_visible()
