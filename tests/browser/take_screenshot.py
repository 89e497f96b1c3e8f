"""Take the README's picture anew: the first clip of the first notebook, in JupyterLab.

python tests/browser/take_screenshot.py
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from labharness import Browser, Lab, NotebookPage, find_browser
from PIL import Image

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
TARGET = NOTEBOOKS / "images/first_clip.png"
CELL = 3
"""The one with the first clip."""

AT_S = 1.6
PLAY = """async (video, until) => {
    await video.play();
    while (video.currentTime < until) await new Promise(requestAnimationFrame);
    video.pause();
}"""
SETTLED_MS = 3000
"""Until the player's spinner has faded and JupyterLab has scrolled to the cell that ran."""


def take(notebook: NotebookPage) -> bytes:
    """The page with the first clip in it, as PNG."""
    cell = notebook.panel().locator(".jp-Cell").nth(CELL)
    notebook.run_cell(1)
    notebook.run_cell(CELL)
    cell.locator("video").evaluate(PLAY, AT_S)
    notebook.page.wait_for_timeout(SETTLED_MS)
    cell.evaluate("cell => cell.scrollIntoView({block: 'start'})")
    notebook.page.mouse.move(5, 5)
    return notebook.page.screenshot(clip={"x": 32, "y": 28, "width": 916, "height": 700})


def main() -> int:
    """The exit code; the picture is written."""
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as server:
        shutil.copy(NOTEBOOKS / "01_first_clip.ipynb", folder)
        with Browser(find_browser() or sys.exit("no Chromium launches here")) as browser:
            notebook = NotebookPage.start(browser, server)
            notebook.viewport({"width": 980, "height": 760})
            notebook.open("01_first_clip.ipynb")
            picture = Image.open(io.BytesIO(take(notebook))).convert("RGB")
    TARGET.parent.mkdir(exist_ok=True)
    picture.save(TARGET, optimize=True)
    print(f"{TARGET.relative_to(NOTEBOOKS.parent)}: {picture.width}x{picture.height}, {TARGET.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
