"""The first notebook in a real JupyterLab: it plays, it is saved, and what was saved stays useful without a kernel."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from labharness import Browser, Lab, NotebookPage
from playwright.sync_api import Locator, Page, expect

from vidnb.emulator import Emulator

OpenNotebook = Callable[..., NotebookPage]

NOTEBOOK = Path(__file__).parents[2] / "notebooks/01_first_clip.ipynb"
CLIPS = 16
"""Cells of the first notebook that show a clip."""

DISPLAYED, GROWTH_BYTES = 24, 1_000_000
SMALL = '"leonardo/google/gemini-omni-1.1-flash-preview", width_px=640, height_px=360, duration_s=3, audio=False'
SUBMIT = f"""import vidnb
for n in range({DISPLAYED}):
    vidnb.submit(f"Clip number {{n}}", model={SMALL})"""
GENERATE = [f'vidnb.generate("Clip number {n}", model={SMALL})' for n in range(DISPLAYED)]

READY = """async video => {
    video.scrollIntoView();
    while (video.readyState < 2) {
        if (video.error) throw new Error(video.error.message);
        await new Promise(requestAnimationFrame);
    }
    return [video.videoWidth, video.videoHeight];
}"""
PLAY = """async video => {
    await video.play();
    while (video.currentTime < 0.3) await new Promise(requestAnimationFrame);
    video.pause();
}"""
PART = """async video => {
    const answer = await fetch(video.currentSrc, {headers: {Range: "bytes=1000-1999"}});
    return {status: answer.status, bytes: (await answer.arrayBuffer()).byteLength};
}"""
SEEK = """(video, to) => new Promise(done => {
    video.onseeked = () => done(video.currentTime);
    video.currentTime = to;
})"""
POSTER = """async video => {
    const image = new Image();
    image.src = video.poster;
    await image.decode();
    return [video.poster.slice(0, 23), image.naturalWidth > 100, video.offsetWidth > 200, video.offsetHeight > 100];
}"""
HAS_POSTER = ["data:image/webp;base64,", True, True, True]


@pytest.fixture(scope="module")
def ran(notebook_page: NotebookPage, lab_server: Lab) -> str:
    """The path of a copy of the first notebook in which every cell was run, saved, and still in front."""
    folder = lab_server.root / "first-clip"
    folder.mkdir()
    shutil.copy(NOTEBOOK, folder)
    # A start-up file of the kernel, so that the notebook itself is the one that people get.
    startup = lab_server.home / "ipython/profile_default/startup/speed.py"
    startup.parent.mkdir(parents=True, exist_ok=True)
    startup.write_text("import os; os.environ['VIDNB_EMULATOR_SPEED'] = '1000'", encoding="utf-8")
    try:
        notebook_page.open(f"first-clip/{NOTEBOOK.name}")
        notebook_page.run_all()
    finally:
        startup.unlink()
    notebook_page.save()
    return notebook_page.path


@pytest.fixture
def first(page: NotebookPage, ran: str) -> NotebookPage:
    """The page with that notebook in front."""
    page.open(ran)
    return page


CLIP = "video:not(figure video)"


def videos(panel: Locator) -> Locator:
    """The clips, without the small ones of a gallery."""
    return panel.locator(f".jp-OutputArea {CLIP}")


def without_query(url: str) -> str:
    """The address without the token and time that JupyterLab adds."""
    return url.partition("?")[0]


def sources(notebook: NotebookPage) -> list[str]:
    """The addresses of all videos."""
    return list(map(without_query, videos(notebook.panel()).evaluate_all("videos => videos.map(video => video.src)")))


def caption(video: Locator) -> Locator:
    return video.locator("xpath=..")


def stats(folder: Path) -> dict[str, Any]:
    """What the emulated services counted."""
    emulator = Emulator(folder / "vidnb-data/emulator")
    try:
        return emulator.stats()
    finally:
        emulator.close()


def open_as_a_stranger(notebook: NotebookPage) -> None:
    """Open what was saved as one who got the file: not trusted, and with no kernel."""
    original = notebook.server.root / notebook.path
    content = json.loads(original.read_text(encoding="utf-8"))
    content["metadata"]["title"] = "another file than the one that was signed"
    name = f"copy-of-{original.name}"
    (original.parent / name).write_text(json.dumps(content), encoding="utf-8")
    notebook.open((Path(notebook.path).parent / name).as_posix())
    notebook.shut_down_kernel()
    expect(notebook.panel().locator(".jp-CodeCell").first).to_be_visible()
    assert not notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets[1].model.trusted")


def assert_every_clip_is_shown(clips: Locator, count: int) -> None:
    """Each has its poster and its recipe."""
    expect(clips).to_have_count(count)
    for index in range(count):
        assert clips.nth(index).evaluate(POSTER) == HAS_POSTER
        below = caption(clips.nth(index))
        expect(below).to_contain_text("EMULATED")
        expect(below).to_contain_text(re.compile(r"(leonardo|1min)/\w+"))
        expect(below).to_contain_text("recipe as Python")


def test_run_all_plays_a_clip_in_every_cell(first: NotebookPage) -> None:
    clips = videos(first.panel())
    expect(clips).to_have_count(CLIPS)
    sizes = [clips.nth(index).evaluate(READY) for index in range(CLIPS)]
    for index, (wide, high) in enumerate(sizes):
        expect(caption(clips.nth(index))).to_contain_text(f"{wide}×{high} px")
    assert first.panel().locator(".jp-OutputArea progress").count() == 0
    assert first.errors() == []


def test_a_clip_plays_and_seeks_and_its_server_answers_ranges(first: NotebookPage) -> None:
    first.reload()
    video = videos(first.panel()).nth(1)
    video.evaluate(READY)
    video.evaluate(PLAY)
    assert video.evaluate(SEEK, 4) == pytest.approx(4, abs=0.1)
    source = without_query(video.evaluate("video => video.currentSrc"))
    assert "/files/first-clip/vidnb-data/files/" in source
    # A clip this small may come whole with the first request, so the browser need not ask for a part of it.
    assert video.evaluate(PART) == {"status": 206, "bytes": 1000}


def test_restart_and_run_all_sends_nothing_and_shows_the_same(first: NotebookPage) -> None:
    before = stats(first.folder)
    before_restart = sources(first)
    first.restart_kernel()
    first.run_all()
    expect(videos(first.panel())).to_have_count(CLIPS)
    assert sources(first) == before_restart
    assert stats(first.folder) == before
    assert before["jobs"] == CLIPS


def test_what_was_saved_is_shown_and_plays_for_a_stranger_without_a_kernel(first: NotebookPage) -> None:
    open_as_a_stranger(first)
    clips = videos(first.panel())
    assert_every_clip_is_shown(clips, CLIPS)
    clips.first.evaluate(READY)
    clips.first.evaluate(PLAY)
    expect(caption(clips.first)).to_contain_text("A koala and a cat playing together in a sunlit meadow")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Nothing: a test has no use for an access log."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a plain web server over `tmp_path`."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def web_page(browser: Browser) -> Iterator[Page]:
    """An empty page."""
    page = browser.context.new_page()
    yield page
    page.close()


def test_an_html_export_plays_beside_the_data_and_keeps_poster_and_recipe_anywhere(
    first: NotebookPage, tmp_path: Path, served: str, web_page: Page
) -> None:
    shutil.copytree(first.folder / "vidnb-data/files", tmp_path / "beside/vidnb-data/files")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", str(first.server.root / first.path)]
    done = subprocess.run([*command, "--output-dir", str(tmp_path / "beside")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (tmp_path / "alone").mkdir()
    shutil.copy(tmp_path / "beside/01_first_clip.html", tmp_path / "alone")

    web_page.goto(f"{served}/beside/01_first_clip.html", wait_until="domcontentloaded")
    clips = web_page.locator(CLIP)
    assert_every_clip_is_shown(clips, CLIPS)
    clips.first.evaluate(READY)
    clips.first.evaluate(PLAY)

    web_page.goto(f"{served}/alone/01_first_clip.html", wait_until="domcontentloaded")
    assert_every_clip_is_shown(clips, CLIPS)
    assert clips.first.evaluate("video => video.readyState") == 0


@pytest.mark.parametrize("data_folder", ["beside the notebook", "out of reach"])
def test_24_clips_add_less_than_a_megabyte_and_stay_visible(
    lab: OpenNotebook, lab_folder: Path, tmp_path: Path, data_folder: str
) -> None:
    speed = "import os; os.environ['VIDNB_EMULATOR_SPEED'] = '1000'"
    elsewhere = f"os.environ['VIDNB_HOME'] = {str(tmp_path / 'elsewhere')!r}" if data_folder == "out of reach" else ""
    notebook = lab(f"{speed}\n{elsewhere}", SUBMIT, *GENERATE, run=False)
    notebook.save()
    file = lab_folder / "notebook-1.ipynb"
    before = file.stat().st_size
    notebook.run_all()
    notebook.save()
    assert file.stat().st_size - before <= GROWTH_BYTES

    open_as_a_stranger(notebook)
    pictures = notebook.panel().locator(".jp-OutputArea").locator("video, img:not([src*='here.gif'])")
    expect(pictures).to_have_count(DISPLAYED)
    for n in range(DISPLAYED):
        look = pictures.nth(n).evaluate(
            """async shown => {
                const image = new Image();
                image.src = shown.poster || shown.src;
                await image.decode();
                return [image.naturalWidth > 100, shown.offsetWidth > 200, shown.offsetHeight > 100];
            }"""
        )
        assert look == [True, True, True]
        expect(caption(pictures.nth(n))).to_contain_text(f"Clip number {n}")
        expect(caption(pictures.nth(n))).to_contain_text("gemini-omni-1.1-flash-preview")
