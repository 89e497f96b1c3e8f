"""Take the README's pictures anew, all of the real thing in JupyterLab: the tour, the first clip, the Studio.

python tests/browser/take_screenshot.py [tour] [first_clip] [studio]
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, expect

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))  # run as a script
from labharness import Browser, Lab, NotebookPage, find_browser, write_notebook
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


QUIET = """import os
os.environ["VIDNB_EMULATOR_SPEED"] = "40"
import vidnb"""
TOUR = (
    'vidnb.Studio("leonardo/motion_2.0")',
    """for model in ("leonardo/motion_2.0", "leonardo/MOTION2FAST"):
    for seed in (3, 7, 11):
        vidnb.generate("A lighthouse in a storm", model=model, seed=seed)
vidnb.history(prompt="lighthouse in", seed=(3, 11)).compare(rows="model", cols="seed")""",
    """s = vidnb.sweep("a {animal} in the {place}", animal=["koala", "cat", "fox"], place=["snow", "forest"],
                model="leonardo/motion_2.0", seeds=3, budget_usd=20)
s.run()""",
)
"""The cells of the tour: explore, compare, sweep."""
WIDE, HIGH = 1000, 640
Frame = tuple[bytes, int]
"""A picture as PNG, and for how many milliseconds it is shown."""


def tour(notebook: NotebookPage) -> Iterator[Frame]:
    """The frames of the picture that moves: a clip is made, six are compared, and a sweep runs."""
    write_notebook(notebook.server.root / "tour.ipynb", QUIET, *TOUR)
    notebook.viewport({"width": WIDE + 64, "height": HIGH + 28})
    notebook.open("tour.ipynb")
    notebook.run_cell(0)
    cells = [notebook.panel().locator(".jp-Cell").nth(number) for number in (1, 2, 3)]
    yield from _explored(notebook, cells[0])
    yield from _compared(notebook, cells[1])
    yield from _swept(notebook, cells[2])


def _explored(notebook: NotebookPage, cell: Locator) -> Iterator[Frame]:
    notebook.run_cell(1)
    place = StudioPage(cell)
    expect(place.generate).to_be_enabled()
    _to_top(notebook, cell)
    words = PROMPTS[-1].split()
    for number in range(0, len(words) + 1, 2):
        place.prompt.fill(" ".join(words[: number or 1]))
        yield _shot(notebook), 180
    place.prompt.fill(PROMPTS[-1])
    yield _shot(notebook), 500
    place.generate.click()
    for _ in range(3):
        yield _shot(notebook), 350
    place.wait_for_clip(PROMPTS[-1])
    notebook.page.wait_for_timeout(SETTLED_MS)
    for number in range(14):
        place.seek(number / 5)
        yield _shot(notebook), 200


def _compared(notebook: NotebookPage, cell: Locator) -> Iterator[Frame]:
    notebook.run_cell(2)
    root = cell.locator(".vidnb-compare.vidnb-root")
    expect(root).to_have_attribute("data-state", "ready", timeout=120_000)
    _to_top(notebook, cell)  # only what can be seen is decoded
    expect(root).to_have_attribute("data-films", "6", timeout=120_000)
    yield _shot(notebook), 900
    root.locator(".vidnb-cell").nth(1).click()
    for number in range(14):
        for _ in range(5):
            notebook.page.keyboard.press(".")
        notebook.page.wait_for_timeout(250)
        yield _shot(notebook), 200
        if number == 8:
            notebook.page.keyboard.press("4")
            notebook.page.keyboard.press("w")
    yield _shot(notebook), 900


def _swept(notebook: NotebookPage, cell: Locator) -> Iterator[Frame]:
    notebook.run_cell(3, wait=False)
    root = cell.locator(".vidnb-board").first
    expect(root).to_be_visible(timeout=60_000)
    _to_top(notebook, cell)
    for _ in range(60):
        yield _shot(notebook), 250
        if root.get_by_text("Done", exact=True).count():
            break
        notebook.page.wait_for_timeout(500)
    notebook.page.wait_for_timeout(4 * SETTLED_MS)  # until the last posters are there
    yield _shot(notebook), 2500


def _to_top(notebook: NotebookPage, cell: Locator) -> None:
    notebook.page.wait_for_timeout(SETTLED_MS)
    cell.evaluate("cell => cell.scrollIntoView({block: 'start'})")
    notebook.page.mouse.move(5, 5)


def _shot(notebook: NotebookPage) -> bytes:
    return notebook.page.screenshot(clip={"x": 32, "y": 28, "width": WIDE, "height": HIGH})


def save_moving(frames: Iterator[Frame], target: Path) -> str:
    """Write the frames as a WebP that moves, and return what is to be said of it; a picture that stays is one."""
    pictures: list[Image.Image] = []
    shown_ms: list[int] = []
    for content, for_ms in frames:
        picture = Image.open(io.BytesIO(content)).convert("RGB")
        if pictures and picture.tobytes() == pictures[-1].tobytes():
            shown_ms[-1] += for_ms
        else:
            pictures.append(picture)
            shown_ms.append(for_ms)
    first, *others = pictures
    first.save(
        target, "WEBP", save_all=True, append_images=others, duration=shown_ms, loop=0, quality=55, method=4,
        allow_mixed=True,
    )  # fmt: skip
    return f"{len(pictures)} pictures, {sum(shown_ms) / 1000:.0f} s"


def main() -> int:
    """The exit code; the pictures are written."""
    wanted = sys.argv[1:] or ["tour", "first_clip", "studio"]
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as server:
        for path in NOTEBOOKS.glob("*.ipynb"):
            shutil.copy(path, folder)
        with Browser(find_browser() or sys.exit("no Chromium launches here")) as browser:
            notebook = NotebookPage.start(browser, server)
            if "tour" in wanted:
                target = IMAGES / "tour.webp"
                print(f"{target.name}: {save_moving(tour(notebook), target)}, {target.stat().st_size:,} bytes")
            for name, take in (("first_clip", first_clip), ("studio", studio)):
                if name not in wanted:
                    continue
                picture = Image.open(io.BytesIO(take(notebook))).convert("RGB")
                target = IMAGES / f"{name}.png"
                picture.save(target, optimize=True)
                print(f"{target.name}: {picture.width}x{picture.height}, {target.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
