"""The table in JupyterLab: posters, hover, sort, selection, a second view, a hostile prompt, and a light notebook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from labharness import NotebookPage
from playwright.sync_api import expect
from rows import add_done

from vidnb.emulator.clips import Scene, render
from vidnb.files import Files
from vidnb.media.video import probe
from vidnb.store import Store

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>"
CELL = "import vidnb\nhistory = vidnb.history()\ntable = history.table()\ntable"
VIDEO_PLAYS = "() => [...document.querySelectorAll('.vidnb-table video')].some((video) => video.currentTime > 0)"


@pytest.fixture
def rows(lab_folder: Path) -> int:
    """A data folder beside the notebook: thirty rows, each with a clip."""
    store, files = Store(lab_folder / "vidnb-data"), Files(lab_folder / "vidnb-data" / "files")
    video = render(Scene("leonardo/motion_2.0", "a fox", width_px=320, height_px=192, duration_s=2))
    for seed in range(30):
        data = video + seed.to_bytes(4, "big")
        path = files.path(sha256 := files.put(data, ".mp4"), ".mp4")
        assert path is not None
        info = replace(probe(path), sha256=sha256)
        params = {"prompt": HOSTILE if seed == 28 else "a fox", "seed": seed * 7 % 30, "motion_strength": 3 + seed % 2}
        add_done(store, params, minute=seed, info=info, wait_s=20 + seed / 3)
    store.close()
    return 30


def test_a_table_of_clips(lab: Callable[..., NotebookPage], rows: int) -> None:
    shown = lab(CELL, "print(table.selected_rows, [item.seed for item in table.selected])", "table")
    page, panel = shown.page, shown.panel()
    table = panel.locator(".vidnb-table").first
    expect(table.locator("tbody tr")).to_have_count(10)
    expect(table.locator("tbody td img").first).to_be_visible()
    expect(table.locator("tbody td img")).to_have_count(10)
    assert page.title() != "owned"
    expect(table.get_by_text("<b>bold</b>")).to_be_visible()

    table.locator(".vidnb-poster").nth(2).hover()
    page.wait_for_function(VIDEO_PLAYS)
    page.mouse.move(1, 1)
    expect(table.locator("video")).to_have_count(0)

    table.locator("thead th", has_text="seed").locator(".dt-column-order").click()
    expect(table.locator("tbody tr").first.locator("td").nth(3)).to_have_text("0")
    expect(table.locator("tbody td img")).to_have_count(10)
    seeds = [table.locator("tbody tr").nth(at) for at in (1, 3)]
    seeds[0].locator("td").nth(2).click()
    seeds[1].locator("td").nth(2).click(modifiers=["Control"])
    expect(table.get_by_text("2 selected")).to_be_visible()
    shown.run_cell(1)
    assert shown.outputs()[1].strip().endswith("[1, 3]")
    table.get_by_role("button", name="Code to compare 2").click()
    expect(table.locator(".vidnb-table-bar code")).to_contain_text("vidnb.compare(['")

    second = panel.locator(".vidnb-table").nth(1)
    expect(second.locator("tbody td img")).to_have_count(10)
    expect(second.get_by_text("2 selected")).to_be_visible()

    table.get_by_label("Search").fill("bold")
    expect(table.locator("tbody tr")).to_have_count(1)
    table.get_by_role("button", name="Columns").click()
    table.locator(".dt-button-collection").get_by_text("codec", exact=True).click()
    expect(table.locator("thead")).to_contain_text("codec")

    shown.save()
    saved = (shown.folder / Path(shown.path).name).read_text(encoding="utf-8")
    assert len(saved) < 120_000
    assert shown.page_errors() == []


def test_a_table_alone_in_a_saved_notebook_is_a_gallery(lab: Callable[..., NotebookPage], rows: int) -> None:
    shown = lab(CELL)
    expect(shown.panel().locator(".vidnb-table tbody tr")).to_have_count(10)
    shown.save()
    shown.shut_down_kernel()
    shown.reload()
    expect(shown.panel().locator("[data-vidnb-gallery] figure").first).to_be_visible()
