"""The studio where it is not JupyterLab at its simplest: Notebook 7, Voila, behind a prefix, and without a kernel."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from labharness import Browser, Lab, Notebook7, NotebookPage, SingleNotebookPage, Voila, write_notebook
from playwright.sync_api import Locator, Page, expect
from studiopage import FAST, PLAYS, STUDIO, StudioPage

ODD_FOLDER = "Käse & #1 (50%)?"
PROMPTS = ("a koala in a meadow", "a <b>cat</b> & a koala")
REMOTE = "import os; del os.environ['JPY_PARENT_PID']  # a kernel on another machine has none\n"
ELSEWHERE = "import os, tempfile; os.environ['VIDNB_HOME'] = tempfile.mkdtemp()\n"
POSTER = """async video => {
    const image = new Image();
    image.src = video.poster;
    await image.decode();
    return image.naturalWidth;
}"""
OUTSIDE = re.compile(r"https://cdn\.jsdelivr\.net/npm/@fortawesome/[^?]+\.css")
"""What Voila's own page asks the network for: an icon font."""


@pytest.fixture(scope="module")
def notebook7(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NotebookPage]:
    """A page of a Notebook 7 server."""
    with Notebook7(tmp_path_factory.mktemp("notebook7")) as server:
        shown = SingleNotebookPage(browser.context.new_page(), server)
        yield shown
        shown.page.close()


@pytest.fixture(scope="module")
def hub(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NotebookPage]:
    """A page of a JupyterLab below a prefix, as a JupyterHub runs it."""
    with Lab(tmp_path_factory.mktemp("hub"), base_url="/user/ann/") as server:
        shown = NotebookPage.start(browser, server)
        yield shown
        shown.page.close()


def open_studio(shown: NotebookPage, path: str, cell: str = FAST + STUDIO) -> StudioPage:
    """The studio in a new notebook at this path."""
    write_notebook(shown.server.root / path, cell)
    shown.open(path)
    shown.run_all()
    return StudioPage(shown.panel())


def test_notebook_7_makes_a_clip_keeps_its_keys_and_saves_it(
    notebook7: NotebookPage, watched: list[NotebookPage]
) -> None:
    watched.append(notebook7)
    studio = open_studio(notebook7, f"{ODD_FOLDER}/studio.ipynb")
    studio.prompt.click()
    # In the notebook's command mode these would add cells above and below, and delete one.
    studio.prompt.press_sequentially("ab dd")
    studio.prompt.press("Escape")
    studio.prompt.press_sequentially(" ab dd")
    assert len(notebook7.cells()) == 1
    expect(studio.prompt).to_have_value("ab dd ab dd")

    studio.prompt.press("Control+Enter")
    studio.wait_for_clip("ab dd ab dd")
    assert "/files/K%C3%A4se%20%26%20%231%20(50%25)%3F/vidnb-data/" in studio.plays()
    assert studio.part() == {"status": 206, "bytes": 1000}
    for place in (studio.player.locator(".vidnb-screen"), studio.player.get_by_label("Position"), studio.generate):
        place.focus()
        notebook7.page.keyboard.type("abmdd")
    assert [cell["cell_type"] for cell in notebook7.cells()] == ["code"]

    expect(saved_videos(notebook7.panel())).to_have_count(1)
    notebook7.save()
    notebook7.reload()
    studio.wait_for_clip("ab dd ab dd")
    expect(saved_videos(notebook7.panel())).to_be_hidden()
    notebook7.shut_down_kernel()
    notebook7.reload()
    assert_shows_saved(notebook7.panel(), ["ab dd ab dd"])


def test_notebook_7_shows_a_table_with_posters_in_a_second_view_and_after_a_sort(
    notebook7: NotebookPage, watched: list[NotebookPage]
) -> None:
    watched.append(notebook7)
    made = "import vidnb\nfor seed in (2, 1): vidnb.generate('a fox', seed=seed)\ntable = vidnb.history().table()\n"
    write_notebook(notebook7.server.root / "table/table.ipynb", f"{FAST}{made}table", "table")
    notebook7.open("table/table.ipynb")
    notebook7.run_all()
    tables = notebook7.panel().locator(".vidnb-table")
    expect(tables).to_have_count(2)
    for table in tables.all():
        expect(table.locator("tbody td img")).to_have_count(2)
        table.get_by_role("button", name="seed: Activate to sort", exact=True).click()
        expect(table.locator("tbody td img")).to_have_count(2)
        table.locator(".vidnb-poster").first.hover()
        expect(table.locator("video")).to_have_count(1)


def test_voila_shows_the_studio_and_gets_the_clips_from_the_kernel(
    browser: Browser, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    write_notebook(tmp_path / "sub folder/studio.ipynb", FAST + STUDIO)
    before = len(browser.refused)
    with Voila(tmp_path) as server:
        page = browser.context.new_page()
        page.goto(f"{server.url}/{server.address('sub folder/studio.ipynb')}?token={server.token}")
        studio = StudioPage(page.locator("body"))
        expect(studio.about).to_contain_text("Voila serves no videos: the kernel sends each one")
        studio.make("a koala in a meadow")
        studio.wait_for_clip("a koala in a meadow")
        assert studio.plays().startswith("blob:")
        page.screenshot(path=artifact(request, "voila.png"))
        page.close()
    assert [url for url in browser.refused[before:] if not OUTSIDE.fullmatch(url)] == []


def test_below_a_prefix_a_clip_plays_and_seeks_from_the_server(hub: NotebookPage, watched: list[NotebookPage]) -> None:
    watched.append(hub)
    studio = open_studio(hub, f"deep/{ODD_FOLDER}/studio.ipynb")
    studio.make("a koala in a meadow")
    studio.wait_for_clip("a koala in a meadow")
    address = studio.plays()
    assert address.startswith(f"{hub.server.url}/files/deep/K%C3%A4se%20%26%20%231%20(50%25)%3F/vidnb-data/files/")
    assert "/user/ann/files/" in address
    assert studio.seek(4) == pytest.approx(4, abs=0.1)
    assert studio.part() == {"status": 206, "bytes": 1000}
    assert "the kernel sends" not in studio.about.inner_text()


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        pytest.param(REMOTE, "cannot be told from here", id="remote-kernel"),
        pytest.param(ELSEWHERE, "does not serve the data folder", id="data-elsewhere"),
    ],
)
def test_where_no_server_has_the_clip_the_kernel_sends_it_and_the_studio_says_so(
    hub: NotebookPage, watched: list[NotebookPage], request: pytest.FixtureRequest, cell: str, said: str
) -> None:
    watched.append(hub)
    studio = open_studio(hub, f"{request.node.callspec.id}/studio.ipynb", cell + FAST + STUDIO)
    expect(studio.about).to_contain_text(said)
    studio.make("a koala in a meadow")
    studio.wait_for_clip("a koala in a meadow")
    assert studio.plays().startswith("blob:")
    assert studio.seek(4) == pytest.approx(4, abs=0.1)


# -- saved notebooks ---------------------------------------------------------------------------------------------------


def saved_videos(place: Locator) -> Locator:
    """The clips that stand for the studio where it is not alive."""
    return place.locator("video:not(.vidnb-root video)")


def assert_shows_saved(place: Locator, prompts: list[str]) -> None:
    """The last clips are seen, newest first, with their posters and recipes."""
    expect(saved_videos(place)).to_have_count(len(prompts))
    for video, prompt in zip(saved_videos(place).all(), prompts, strict=True):
        expect(video).to_be_visible()
        assert video.evaluate(POSTER) > 100
        clip = video.locator("xpath=..")
        expect(clip).to_contain_text(prompt)
        expect(clip).to_contain_text("EMULATED")
        expect(clip).to_contain_text("recipe as Python")


@pytest.fixture(scope="module")
def saved(notebook_page: NotebookPage) -> Path:
    """The file of a notebook in which two clips were made with the studio, saved, and its kernel is gone."""
    studio = open_studio(notebook_page, "saved/studio.ipynb")
    for prompt in PROMPTS:
        studio.make(prompt)
        studio.wait_for_clip(prompt)
    expect(saved_videos(notebook_page.panel())).to_have_count(len(PROMPTS))  # hidden; comes a moment after the clip
    notebook_page.save()
    notebook_page.close_all()
    return notebook_page.server.root / "saved/studio.ipynb"


def stranger(saved: Path) -> Path:
    """A copy that was not signed on this machine, so that it is not trusted."""
    content = json.loads(saved.read_text(encoding="utf-8"))
    content["metadata"]["title"] = "another file than the one that was signed"
    copy = saved.with_name("from-a-stranger.ipynb")
    copy.write_text(json.dumps(content), encoding="utf-8")
    return copy


@pytest.mark.parametrize("trusted", [True, False])
def test_a_saved_studio_shows_its_clips_without_a_kernel(page: NotebookPage, saved: Path, trusted: bool) -> None:
    path = saved if trusted else stranger(saved)
    page.open(path.relative_to(page.server.root).as_posix())
    page.shut_down_kernel()
    model = "window.jupyterapp.shell.currentWidget.content.widgets[0].model"
    assert page.page.evaluate(f"() => {model}.trusted") is trusted
    assert_shows_saved(page.panel(), list(reversed(PROMPTS)))
    saved_videos(page.panel()).first.evaluate(PLAYS)
    assert page.panel().locator("b", has_text="cat").count() == 0


def test_an_html_export_of_a_studio_shows_its_clips(browser: Browser, saved: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nbconvert", "--to", "html", str(saved), "--output-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    exported: Page = browser.context.new_page()
    exported.set_content((tmp_path / "studio.html").read_text(encoding="utf-8"), wait_until="domcontentloaded")
    assert_shows_saved(exported.locator("body"), list(reversed(PROMPTS)))
    exported.close()


def artifact(request: pytest.FixtureRequest, name: str) -> Path:
    """Where a picture is kept for people to look at."""
    folder = request.config.rootpath / "test-artifacts"
    folder.mkdir(exist_ok=True)
    return folder / f"hosts-{name}"
