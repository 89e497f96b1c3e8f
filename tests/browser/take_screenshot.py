"""Take the README's pictures anew: the first clip of the first notebook, and the Studio, in JupyterLab.

python tests/browser/take_screenshot.py
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))  # run as a script
from labharness import Browser, Lab, NotebookPage, find_browser
from studiopage import StudioPage

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
IMAGES = NOTEBOOKS / "images"

AT_S = 1.6
PLAY = """async (video, until) => {
    await video.play();
    while (video.currentTime < until) await new Promise(requestAnimationFrame);
    video.pause();
}"""
SETTLED_MS = 3000
"""Until the player's spinner has faded and JupyterLab has scrolled to the cell that ran."""
PROMPTS = (
    "A lighthouse in a storm at night",
    "Paper boats on a rainy street",
    "A fox in a snowy forest at dawn",
    "A koala and a cat playing together in a sunlit meadow",
)


def first_clip(notebook: NotebookPage) -> bytes:
    """The page with the first clip in it, as PNG."""
    notebook.viewport({"width": 980, "height": 760})
    notebook.open("01_first_clip.ipynb")
    cell = notebook.panel().locator(".jp-Cell").nth(3)
    notebook.run_cell(1)
    notebook.run_cell(3)
    cell.locator("video").evaluate(PLAY, AT_S)
    notebook.page.wait_for_timeout(SETTLED_MS)
    cell.evaluate("cell => cell.scrollIntoView({block: 'start'})")
    notebook.page.mouse.move(5, 5)
    return notebook.page.screenshot(clip={"x": 32, "y": 28, "width": 916, "height": 700})


def studio(notebook: NotebookPage) -> bytes:
    """The page with a studio in which a few clips were made, as PNG."""
    notebook.viewport({"width": 1300, "height": 1150})
    notebook.open("02_studio.ipynb")
    notebook.run_cell(1)
    place = StudioPage(notebook.panel())
    for prompt in PROMPTS:
        place.make(prompt)
        place.wait_for_clip(prompt)
    place.video.evaluate(PLAY, AT_S)
    notebook.page.wait_for_timeout(SETTLED_MS)
    place.root.evaluate("studio => studio.scrollIntoView({block: 'start'})")
    notebook.page.mouse.move(5, 5)
    return place.root.screenshot(animations="disabled")


def main() -> int:
    """The exit code; the pictures are written."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as server:
        for path in NOTEBOOKS.glob("*.ipynb"):
            shutil.copy(path, folder)
        with Browser(find_browser() or sys.exit("no Chromium launches here")) as browser:
            notebook = NotebookPage.start(browser, server)
            for name, take in (("first_clip", first_clip), ("studio", studio)):
                picture = Image.open(io.BytesIO(take(notebook))).convert("RGB")
                target = IMAGES / f"{name}.png"
                picture.save(target, optimize=True)
                print(f"{target.name}: {picture.width}x{picture.height}, {target.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
