"""The compare view in a real JupyterLab: it plays, keeps verdicts, survives save, restart and reload."""

from __future__ import annotations

from collections.abc import Callable

from compared import played_in_step
from labharness import NotebookPage
from playwright.sync_api import Locator, expect

OpenNotebook = Callable[..., NotebookPage]

MAKE = """import os
os.environ["VIDNB_EMULATOR_SPEED"] = "1000"
import vidnb
for model in ("leonardo/motion_2.0", "leonardo/MOTION2FAST"):
    for seed in (3, 7):
        vidnb.generate("a lighthouse", model=model, seed=seed)"""
SHOW = "grid = vidnb.history().compare(rows='seed', cols='model')\ngrid"


def view(notebook: NotebookPage) -> Locator:
    """The compare view, once all its clips can be decoded."""
    root = notebook.panel().locator(".vidnb-compare.vidnb-root")
    expect(root).to_have_attribute("data-state", "ready", timeout=60_000)
    root.scroll_into_view_if_needed()
    expect(root).to_have_attribute("data-films", "4", timeout=60_000)
    return root


def test_it_plays_keeps_verdicts_and_stays_after_save_restart_and_reload(lab: OpenNotebook) -> None:
    notebook = lab(MAKE, SHOW)
    root = view(notebook)
    expect(notebook.panel().locator("[data-vidnb-saved] table")).to_be_hidden()
    sums = played_in_step(root)
    assert (sums["same"], sums["clips"], sums["way"]) == (100, 4, "frames")

    cells = len(notebook.cells())
    root.locator(".vidnb-cell").nth(1).click()
    for key in ("4", "w", "a", "b", "d", "d", "g"):  # a, b and dd would make and delete cells of the notebook
        notebook.page.keyboard.press(key)
    said = "seed 3 · Motion 2.0 Fast, rated 4 of 5, winner"
    expect(root.locator(".vidnb-cell").nth(1)).to_have_attribute("aria-label", said)
    assert len(notebook.cells()) == cells
    kept = notebook.panel().locator("[data-vidnb-saved] tbody td").nth(1)
    expect(kept).to_have_text("★★★★ · Winner", timeout=60_000)  # what the notebook will save
    notebook.wait_for_status("idle")

    notebook.save()
    saved = (notebook.folder / notebook.path.rsplit("/", 1)[-1]).read_text(encoding="utf-8")
    assert "application/vnd.jupyter.widget-state+json" not in saved
    assert len(saved) < 150_000
    notebook.reload()  # the kernel lives: the view is there again, with what was said
    expect(view(notebook).locator(".vidnb-cell").nth(1)).to_have_attribute("aria-label", said)
    notebook.restart_kernel()
    notebook.reload()  # no kernel knows it: the grid is there, and its clips play
    table = notebook.panel().locator("[data-vidnb-saved] table")
    expect(table.locator("th").first).to_be_visible()
    expect(table.locator("video")).to_have_count(4)
    expect(table.locator("tbody td").nth(1)).to_have_text("★★★★ · Winner")
    played = table.locator("video").first.evaluate(
        "async (video) => { video.muted = true; await video.play(); return video.videoWidth; }"
    )
    assert played == 832
