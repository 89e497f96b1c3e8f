"""The board in a real JupyterLab: a used-up budget is raised in it, and marked clips are compared in its place."""

from __future__ import annotations

from collections.abc import Callable

from labharness import NotebookPage
from playwright.sync_api import expect

SWEEP = """import os
os.environ["VIDNB_EMULATOR_SPEED"] = "1000"
import vidnb
s = vidnb.sweep("a {animal} in the snow", animal=["koala", "heron"], seeds=2, budget_jobs=3)
s.run()"""


def test_the_budget_is_raised_and_clips_are_compared_in_the_board(lab: Callable[..., NotebookPage]) -> None:
    notebook = lab(SWEEP)
    root = notebook.panel().locator(".vidnb-board.vidnb-root")
    expect(root).to_have_attribute("data-state", "budget", timeout=60_000)
    root.get_by_role("button", name="Change the budget", exact=True).click()
    jobs = root.get_by_label("Jobs")
    jobs.fill("2")
    jobs.press("Enter")
    expect(root.get_by_role("alert").filter(has_text="less than what is spent or held already: 3 jobs")).to_be_visible()
    jobs.fill("4")
    jobs.press("Enter")
    expect(root).to_have_attribute("data-state", "done", timeout=60_000)
    cells = len(notebook.cells())
    root.locator("canvas").focus()
    for key in ("ArrowDown", "x", "ArrowRight", "x", "c"):
        notebook.page.keyboard.press(key)
    view = root.locator(".vidnb-compare.vidnb-root")
    expect(view).to_have_attribute("data-state", "ready", timeout=60_000)
    expect(view.locator(".vidnb-cell").first).to_be_focused()
    for key in ("4", "a", "b"):  # what would make cells of the notebook
        notebook.page.keyboard.press(key)
    root.get_by_role("button", name="Back to the grid").click()
    expect(view).to_have_count(0)
    expect(root.locator("canvas")).to_be_focused()
    # The first of the two in the comparison has the smaller seed: in the board it is the right one, chosen still.
    rated = root.get_by_role("button", name="4 stars")
    expect(rated).to_have_attribute("aria-pressed", "true")
    notebook.page.keyboard.press("ArrowLeft")
    expect(rated).to_have_attribute("aria-pressed", "false")
    assert len(notebook.cells()) == cells
