"""One JupyterLab, one Chromium and one page for all browser tests; `lab(*cells)` gives a notebook of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from labharness import DESKTOP, LIGHT, Browser, Lab, NotebookPage, find_browser, write_notebook
from widgetpage import Theme, WidgetPage

MISSING = "no Chromium launches here; get one with: python tests/browser/install_browser.py"

FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A running Chromium. Where none can run, tests are skipped; under CI they fail, for a skip there would hide it."""
    if (executable := find_browser()) is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(MISSING)
    with Browser(executable) as running:
        yield running


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab server over an empty folder."""
    with Lab(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="session")
def notebook_page(browser: Browser, lab_server: Lab) -> NotebookPage:
    """The one page that all tests share; tests ask for `lab` instead."""
    return NotebookPage.start(browser, lab_server)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The report as it came; a failure is noted on the item, where `lab` finds it."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture
def lab_folder(request: pytest.FixtureRequest, lab_server: Lab) -> Path:
    """An empty folder that the server serves, this test's own, so that no test finds the jobs and clips of another."""
    tries = (lab_server.root / f"{folder_name(request)}{again}" for again in ("", "-2", "-3"))
    folder = next(folder for folder in tries if not folder.exists())  # a test that is run again finds nothing either
    folder.mkdir()
    return folder


def folder_name(request: pytest.FixtureRequest) -> str:
    """The test's name as a folder may be called."""
    return re.sub(r"[^\w.-]+", "-", request.node.name)[:80]


@pytest.fixture
def page(request: pytest.FixtureRequest, notebook_page: NotebookPage) -> Iterator[NotebookPage]:
    """The page, cleared away after the test.

    When the test fails, a screenshot, the server's log, the browser's console and the notebook are kept in
    `test-artifacts/`.
    """
    notebook_page.console.clear()
    yield notebook_page
    if request.node.stash.get(FAILED, False):
        notebook_page.keep_evidence(request.config.rootpath / "test-artifacts" / folder_name(request))
    notebook_page.close_all()
    notebook_page.viewport(DESKTOP)
    notebook_page.theme(LIGHT)


@pytest.fixture
def watched(request: pytest.FixtureRequest) -> Iterator[list[NotebookPage]]:
    """A list for pages of other servers; when the test fails, what they show is kept as that of `page` is."""
    pages: list[NotebookPage] = []
    yield pages
    if request.node.stash.get(FAILED, False):
        for page in pages:
            page.keep_evidence(request.config.rootpath / "test-artifacts" / folder_name(request))


@pytest.fixture
def lab(page: NotebookPage, lab_folder: Path) -> Callable[..., NotebookPage]:
    """`lab(*cells, run=True, kernel="python3")`: the page with a new notebook of these cells in front, already run.

    The notebooks lie in `lab_folder`.
    """

    def open_notebook(*cells: str, run: bool = True, kernel: str = "python3") -> NotebookPage:
        path = lab_folder / f"notebook-{len(list(lab_folder.glob('*.ipynb'))) + 1}.ipynb"
        write_notebook(path, *cells, kernel=kernel)
        page.open(path.relative_to(page.server.root).as_posix())
        if run:
            page.run_all()
        return page

    return open_notebook


@pytest.fixture
def widget_page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Callable[..., WidgetPage]]:
    """`widget_page(X, state, width=..., theme=...)`: a page with one live part and a fake kernel behind it.

    `X` is a class, with all its synced traits in `state`, or an instance, whose own values `state` overrides. An
    exception in the page fails the test.
    """
    pages: list[WidgetPage] = []

    def open_part(
        part: Any, state: Mapping[str, Any] | None = None, *, width: int = 860, theme: Theme = "light"
    ) -> WidgetPage:
        pages.append(shown := WidgetPage(browser.context))
        shown.start(part, state, width=width, theme=theme)
        return shown

    yield open_part
    problems = [problem for shown in pages for problem in shown.problems()]
    for shown in pages:
        if request.node.stash.get(FAILED, False):
            shown.page.screenshot(path=request.config.rootpath / "test-artifacts" / f"{folder_name(request)}.png")
        shown.page.close()
    assert problems == []
