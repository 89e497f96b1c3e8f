"""The table in marimo, which puts widgets into a shadow root and knows no boxes of ipywidgets."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from labharness import HIDDEN_PREFIXES, Browser, free_port
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.long
pytest.importorskip("marimo", reason="marimo is not here: pip install 'vidnb[long]'")

APP = """import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
    import vidnb
    for seed in (2, 1):
        vidnb.generate("a <b>fox</b>", seed=seed)
    table = mo.ui.anywidget(vidnb.history().table())
    table
    return mo, table


@app.cell
def _(mo, table):
    mo.md(f"chosen: {table.value.get('selected_rows')}")
    return


if __name__ == "__main__":
    app.run()
"""


@pytest.fixture
def marimo(tmp_path: Path) -> Iterator[str]:
    """The address of a marimo server that shows the app."""
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN_PREFIXES)}
    own = {"VIDNB_HOME": str(tmp_path / "data"), "VIDNB_EMULATOR_SPEED": "1000", "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "marimo", "run", "app.py", "--headless", "--no-token"]
    with (tmp_path / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host=127.0.0.1", f"--port={port}"], cwd=tmp_path, env=kept | own, stdout=log, stderr=log,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 90
        while not answers(address):
            assert process.poll() is None, (tmp_path / "log.txt").read_text()
            assert time.monotonic() < end, "marimo did not start"
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    shown = browser.context.new_page()
    shown.set_default_timeout(60_000)
    yield shown
    shown.close()


def test_a_table_has_posters_plays_on_hover_sorts_and_tells_what_is_selected(marimo: str, page: Page) -> None:
    page.goto(marimo)
    table = page.locator(".vidnb-table").first  # Playwright looks into open shadow roots
    expect(table.locator("tbody td img")).to_have_count(2, timeout=90_000)
    expect(table.get_by_text("<b>fox</b>").first).to_be_visible()
    table.locator(".vidnb-poster").first.hover()
    expect(table.locator("video")).to_have_count(1)
    page.mouse.move(1, 1)
    table.get_by_role("button", name="seed: Activate to sort", exact=True).click()
    expect(table.locator("tbody td img")).to_have_count(2)
    table.locator("tbody tr").first.locator("td").nth(2).click()
    expect(page.get_by_text("chosen: [")).to_be_visible()
