"""An exported comparison: one file that plays from a disk, with no server, no kernel and no network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from compared import FRAMES, LEAST, STEP, clip_of, grid_of, job, numbered, played_in_step
from labharness import Browser, browser_mb
from playwright.sync_api import Page, expect
from waiting import until

from vidnb.display.grid import pivot
from vidnb.files import Files
from vidnb.records import State
from vidnb.widgets import Compare

HOSTILE = "</script><script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\"> \u202e"

SIGNED = "https://x/signed?token=secret"
Opened = Callable[[Path], Page]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opened]:
    """`opened(path)`: the file in a browser without any network; what goes wrong in the page fails the test."""
    running = browser.context.browser
    assert running is not None
    context = running.new_context(offline=True, viewport={"width": 1100, "height": 900})
    problems: list[str] = []

    def open_file(path: Path) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.resolve().as_uri())
        return page

    asked: list[str] = []
    yield open_file
    context.close()
    assert problems == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def frames(page: Page) -> list[int]:
    script = """() => [...document.querySelectorAll('.vidnb-cell canvas')].map((canvas) =>
        canvas.getContext('2d').getImageData(canvas.width >> 2, canvas.height >> 1, 1, 1).data[0])"""
    return [round((grey - LEAST) / STEP) for grey in page.evaluate(script)]


def test_it_plays_the_same_frames_as_in_the_notebook_and_measures_itself(opened: Opened, tmp_path: Path) -> None:
    path = Compare(pivot(grid_of(tmp_path), cols="seed")).to_html(tmp_path / "x.html")
    page = opened(path)
    root = page.locator(".vidnb-compare")
    expect(root).to_have_attribute("data-films", "4", timeout=60_000)
    for frame in (30, 7, FRAMES - 1):
        page.get_by_role("slider", name="Time").fill(str(frame))
        until(lambda frame=frame: frames(page) == [frame] * 4, rest=lambda: page.wait_for_timeout(50))
    sums = played_in_step(root)
    assert (sums["same"], sums["clips"], sums["way"]) == (100, 4, "frames")
    expect(page.get_by_role("button", name="Winner")).to_be_hidden()  # nobody would keep it


def test_the_modes_and_the_keys_work_there_too(opened: Opened, tmp_path: Path) -> None:
    page = opened(Compare(pivot(grid_of(tmp_path), cols="seed")).to_html(tmp_path / "x.html"))
    root = page.locator(".vidnb-compare")
    expect(root).to_have_attribute("data-films", "4", timeout=60_000)
    page.locator(".vidnb-cell").nth(2).click()
    page.keyboard.press("p")
    expect(root).to_have_attribute("data-mode", "wipe")
    expect(page.locator(".vidnb-side").first).to_have_text("seed 2")
    page.keyboard.press("5")
    page.keyboard.press("w")
    expect(page.locator(".vidnb-rated:visible")).to_have_count(0)
    page.keyboard.press("?")
    keys = page.get_by_role("group", name="Keys")
    expect(keys).to_contain_text("copy its recipe")
    for kept in ("rate", "it wins", "run it"):
        expect(keys).not_to_contain_text(kept)


def test_hostile_text_stays_text_and_nothing_secret_is_in_the_file(opened: Opened, tmp_path: Path) -> None:
    files = Files(tmp_path)
    error = {"kind": "service", "message": HOSTILE, "charged": False}
    clips = [
        clip_of(files, numbered(), 1, params={"prompt": HOSTILE, "seed": 1}, video_url=SIGNED, account="ada"),
        job(2, state=State.FAILED, params={"prompt": HOSTILE, "seed": 2}, error=error),
    ]
    path = Compare(pivot(clips, cols="seed")).to_html(tmp_path / "x.html")
    text = path.read_text(encoding="utf-8")
    assert SIGNED not in text
    assert "ada" not in re.findall(r"\bada\b", text)
    assert str(tmp_path) not in text
    page = opened(path)
    expect(page.locator(".vidnb-compare")).to_have_attribute("data-state", "ready")
    expect(page.get_by_role("heading", level=3)).to_contain_text("onerror")
    expect(page.locator(".vidnb-gap strong")).to_have_text("Failed")
    expect(page.get_by_role("button", name=re.compile("Try again|Run"))).to_have_count(0)
    assert page.title() != "owned"
    assert page.evaluate("() => document.querySelectorAll('img[onerror]').length") == 0


def test_pictures_only_is_a_small_page_without_scripts(opened: Opened, tmp_path: Path) -> None:
    compare = Compare(pivot(grid_of(tmp_path), cols="seed"))
    whole, small = compare.to_html(tmp_path / "x.html"), compare.to_html(tmp_path / "y.html", posters_only=True)
    text = small.read_text(encoding="utf-8")
    assert "<script" not in text
    assert len(text) < 60_000 < whole.stat().st_size
    page = opened(small)
    expect(page.locator("img")).to_have_count(4)
    expect(page.locator("th").first).to_have_text("seed 1")
    assert page.evaluate("() => [...document.images].every((one) => one.naturalWidth > 0)")


@pytest.mark.long
def test_sixty_four_clips_take_less_than_two_gigabytes_and_no_more_after_twenty_turns(
    opened: Opened, tmp_path: Path
) -> None:
    files, video = Files(tmp_path), numbered(frames=24)
    square = [{"prompt": "a lighthouse", "seed": at // 8, "motion_strength": at % 8 + 1} for at in range(64)]
    clips = [clip_of(files, video, at, params=given) for at, given in enumerate(square)]
    page = opened(Compare(pivot(clips, "seed", "motion_strength")).to_html(tmp_path / "x.html"))
    root = page.locator(".vidnb-compare")
    expect(root).to_have_attribute("data-films", "16", timeout=60_000)  # those in view, and of these as many as may
    sums = played_in_step(root)
    assert sums["clips"] == 16
    early = browser_mb()
    page.wait_for_timeout(20_000)  # a turn is a second
    late = browser_mb()
    assert late < 2000
    assert late < 1.3 * early + 100  # a frame that is never closed would have been 180 kB, 300 times a second
