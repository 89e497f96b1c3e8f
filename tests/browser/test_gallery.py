"""The gallery in a real browser: it plays on hover and on focus, is worked by keys, and needs no kernel."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from labharness import Browser
from playwright.sync_api import Page, expect
from rows import add_done

from vidnb.emulator.clips import Scene, render
from vidnb.files import Files
from vidnb.history.history import History
from vidnb.media.video import probe
from vidnb.store import Store

PLAYING = "() => [...document.querySelectorAll('video')].map((video) => !video.paused).indexOf(true)"


@pytest.fixture
def gallery(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A page from disk with six clips of a hostile prompt; its problems fail the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    store, files = Store(f"sqlite:///{tmp_path / 'vidnb.db'}"), Files(tmp_path / "vidnb-data" / "files")
    for seed in range(6):
        video = render(Scene("leonardo/motion_2.0", "a fox", seed=seed, width_px=320, height_px=192, duration_s=2))
        path = files.path(sha256 := files.put(video, ".mp4"), ".mp4")
        assert path is not None
        prompt = "<img src=x onerror=document.title='owned'> a fox"
        add_done(store, {"prompt": prompt, "seed": seed}, minute=seed, info=replace(probe(path), sha256=sha256))
    html = History(store, files)._repr_html_()
    (tmp_path / "page.html").write_text(f"<!doctype html><meta charset=utf-8><title>x</title>{html}", encoding="utf-8")
    page = browser.context.new_page()
    page.set_viewport_size({"width": 1100, "height": 700})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.route(f"{tmp_path.as_uri()}/**", lambda route: route.continue_())
    page.goto((tmp_path / "page.html").as_uri())
    yield page
    assert page.title() == "x"
    page.close()
    assert problems == []


def test_a_page_that_came_with_some_of_its_clips_says_how_many_are_missing(gallery: Page, tmp_path: Path) -> None:
    said = gallery.locator("[data-vidnb-gone] + div")
    expect(said).to_have_text("")
    kept = sorted((tmp_path / "vidnb-data" / "files").glob("*/*.mp4"))
    missing = [path for path in kept[1:] if path.parent != kept[0].parent]
    for path in missing:
        shutil.rmtree(path.parent, ignore_errors=True)
    gallery.reload()
    expect(said).to_have_text(
        f"{len(missing)} of the 6 videos on this page cannot play: their files were not sent along with it."
    )


def test_it_plays_on_hover_one_at_a_time_and_shows_the_poster_again(gallery: Page) -> None:
    tiles = gallery.locator("figure")
    expect(tiles).to_have_count(6)
    tiles.nth(2).hover()
    gallery.wait_for_function(f"({PLAYING})() === 2")
    tiles.nth(4).hover()
    gallery.wait_for_function(f"({PLAYING})() === 4")
    gallery.mouse.move(1, 1)
    gallery.wait_for_function(f"({PLAYING})() === -1")
    assert gallery.evaluate("() => [...document.querySelectorAll('video')].every((video) => video.currentTime === 0)")


def test_it_is_worked_by_keys_alone(gallery: Page) -> None:
    gallery.keyboard.press("Tab")  # the filter
    gallery.keyboard.press("Tab")
    gallery.wait_for_function(f"({PLAYING})() === 0")
    gallery.keyboard.press("ArrowRight")
    gallery.wait_for_function(f"({PLAYING})() === 1")
    gallery.keyboard.press("x")
    gallery.keyboard.press("End")
    gallery.keyboard.press("ArrowLeft")
    gallery.keyboard.press("x")
    expect(gallery.get_by_text("2 chosen")).to_be_visible()
    gallery.keyboard.press("Enter")
    gallery.wait_for_function(f"({PLAYING})() === -1")
    gallery.keyboard.press("Escape")
    expect(gallery.get_by_text("2 chosen")).to_be_hidden()
    assert gallery.locator("figure video[tabindex='0']").count() == 1, "one stop of the Tab key a gallery"


def test_chosen_clips_become_code(gallery: Page) -> None:
    gallery.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for place in (1, 3):
        gallery.locator("figure").nth(place).hover()
        gallery.locator("figure input").nth(place).check()
    gallery.get_by_role("button", name="Copy code").click()
    expect(gallery.get_by_role("button", name="Copied")).to_be_visible()
    ids = gallery.evaluate("() => [...document.querySelectorAll('figure')].map((tile) => tile.dataset.vidnbId)")
    copied = gallery.evaluate("() => navigator.clipboard.readText()")
    assert copied == f'vidnb.compare(["{ids[1]}", "{ids[3]}"])'


def test_the_filter_finds_words_of_prompts_captions_and_says_when_there_are_none(gallery: Page) -> None:
    box = gallery.get_by_role("searchbox", name="Filter by prompt, tag or note")
    box.fill("FOX seed 3")
    expect(gallery.locator("figure:visible")).to_have_count(1)
    box.fill("<b>heron")
    expect(gallery.locator("figure:visible")).to_have_count(0)
    expect(gallery.get_by_role("status")).to_have_text("No clip here has “<b>heron”.")
    box.press("Escape")
    expect(gallery.locator("figure:visible")).to_have_count(6)
    gallery.locator("figure video").first.focus()
    gallery.keyboard.press("/")
    expect(box).to_be_focused()


def test_chosen_clips_play_side_by_side_without_a_kernel(gallery: Page) -> None:
    for place in (1, 3):
        gallery.locator("figure").nth(place).hover()
        gallery.locator("figure input").nth(place).check()
    gallery.get_by_role("button", name="Compare 2").click()
    side = gallery.locator("figure:not([data-vidnb-id]) video")
    expect(side).to_have_count(2)
    gallery.wait_for_function(
        "() => [...document.querySelectorAll('figure:not([data-vidnb-id]) video')].every((one) => one.currentTime > 0)"
    )
    gallery.wait_for_function(  # each turn begins together: it is played over the end
        "() => { const now = document.querySelector('figure:not([data-vidnb-id]) video').currentTime;"
        " const before = window.before ?? 0; window.before = now; return now < before; }"
    )
    gallery.get_by_role("button", name="Pause").click()
    assert side.evaluate_all("videos => videos.every((video) => video.paused)")
    first, second = side.evaluate_all("videos => videos.map((video) => video.currentTime)")
    assert first == second  # paused, all show the same moment
    gallery.get_by_role("slider", name="Time").fill("0.5")
    before = side.evaluate_all("videos => videos.map((video) => video.currentTime)")
    gallery.keyboard.press(".")
    after = side.evaluate_all("videos => videos.map((video) => video.currentTime)")
    assert [one - other for one, other in zip(after, before, strict=True)] == pytest.approx([1 / 24] * 2, abs=1e-3)
    expect(gallery.locator("figcaption", has_text="seed")).not_to_have_count(0)
    gallery.get_by_role("button", name="Close").click()
    expect(side).to_have_count(0)


def test_with_less_motion_wished_for_nothing_starts_by_itself(gallery: Page) -> None:
    gallery.emulate_media(reduced_motion="reduce")
    gallery.locator("figure").nth(2).hover()
    gallery.wait_for_timeout(400)
    assert gallery.evaluate(PLAYING) == -1
    gallery.locator("video").nth(2).click()
    gallery.wait_for_function(f"({PLAYING})() === 2")


def test_running_its_script_twice_does_no_harm(gallery: Page) -> None:
    gallery.evaluate("() => (0, eval)(document.querySelector('script').textContent)")
    assert gallery.locator("figure input").count() == 6
    gallery.locator("figure").nth(1).hover()
    gallery.wait_for_function(f"({PLAYING})() === 1")
