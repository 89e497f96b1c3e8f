"""The compare view in a browser: all clips on one frame, every mode by its pixels, every key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clipmakers import corner, turned, write
from compared import FRAMES, LEAST, STEP, ComparePage, clip_of, grid_of, job, numbered, played_in_step
from playwright.sync_api import expect
from widgetpage import WidgetPage

from vidnb.client.verbs import Client
from vidnb.clip import Clip
from vidnb.display.grid import pivot
from vidnb.emulator import Emulator
from vidnb.files import Files
from vidnb.records import State
from vidnb.widgets import Compare, compare

Open = Callable[..., WidgetPage]


@pytest.fixture(scope="session")
def four(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    return grid_of(tmp_path_factory.mktemp("four"))


@pytest.fixture
def shown(widget_page: Open, four: list[Clip]) -> ComparePage:
    """Four clips of which all can be decoded."""
    page = ComparePage(widget_page, Compare(pivot(four, cols="seed")))
    page.wait_for_films(4)
    return page


def go(page: ComparePage, frame: int) -> None:
    """Move the track as a person does."""
    page.root.get_by_role("slider", name="Time").fill(str(frame))


def test_all_cells_show_the_frame_that_is_asked_for(shown: ComparePage) -> None:
    shown.until(lambda: shown.frames() == [0] * 4)
    for frame in (7, 30, 29, FRAMES - 1, 0):
        go(shown, frame)
        shown.until(lambda frame=frame: shown.frames() == [frame] * 4)
    expect(shown.root.locator(".vidnb-time").first).to_have_text("0.00 / 2.00 s")


def test_while_they_play_no_cell_is_ahead_of_another(shown: ComparePage) -> None:
    shown.root.get_by_role("button", name="Play all").click()
    looks: list[list[int]] = []
    shown.until(lambda: looks.append(shown.frames()) or len(looks) >= 40)  # type: ignore[func-returns-value]
    assert all(len(set(frames)) == 1 for frames in looks), looks
    assert len({frames[0] for frames in looks}) > 5
    sums: dict[str, Any] = json.loads(shown.root.get_attribute("data-sums") or "{}")
    assert sums["same"] == 100
    assert sums["clips"] == 4
    assert sums["way"] == "frames"


# -- two on one stage --------------------------------------------------------------------------------------------------


def stage(page: ComparePage, x: float, y: float = 0.5) -> Colour:
    """The colour of the stage at a place, in shares of its size."""
    script = """([x, y]) => {
        const canvas = document.querySelector('.vidnb-stage-picture');
        const at = [Math.floor(canvas.width * x), Math.floor(canvas.height * y), 1, 1];
        return [...canvas.getContext('2d').getImageData(...at).data.slice(0, 3)];
    }"""
    red, green, blue = page.page.evaluate(script, [x, y])
    return int(red), int(green), int(blue)


Colour = tuple[int, int, int]


def near(colour: Colour, wanted: Colour, by: int = 2) -> bool:
    """Whether two colours are the same, but for what scaling costs."""
    return all(abs(one - other) <= by for one, other in zip(colour, wanted, strict=True))


def in_cell(page: ComparePage, at: int, x: float) -> Colour:
    """The colour of a cell's canvas at a place, in shares of its width."""
    script = """(cell, x) => {
        const canvas = cell.querySelector('canvas');
        const at = [Math.floor(canvas.width * x), canvas.height >> 1, 1, 1];
        return [...canvas.getContext('2d').getImageData(...at).data.slice(0, 3)];
    }"""
    red, green, blue = page.cell(at).evaluate(script, x)
    return int(red), int(green), int(blue)


class Pair:
    """The second clip on the left, the fourth on the right, at frame 10, and the colours that they have there."""

    def __init__(self, page: ComparePage) -> None:
        self.page = page
        go(page, 10)
        page.until(lambda: page.frames() == [10] * 4)
        self.grey = in_cell(page, 0, 0.2)
        self.left, self.right = in_cell(page, 1, 0.7), in_cell(page, 3, 0.7)
        assert not near(self.left, self.right, by=20)
        page.cell(1).click()
        page.key("s")
        page.cell(3).click()

    def shows(self, wanted: Colour, x: float = 0.7, by: int = 2) -> None:
        """Wait until the stage has a colour in its tinted half, or where it is said."""
        self.page.until(lambda: near(stage(self.page, x), wanted, by))


@pytest.fixture
def pair(shown: ComparePage) -> Pair:
    return Pair(shown)


def test_wipe_shows_the_left_clip_left_of_the_line_and_the_right_one_right_of_it(pair: Pair) -> None:
    page = pair.page
    page.key("p")
    pair.shows(pair.right)
    pair.shows(pair.grey, 0.2)
    for _ in range(20):
        page.key("Shift+ArrowRight")
    pair.shows(pair.left)
    line = page.root.get_by_role("slider", name="Line between the clips")
    expect(line).to_have_attribute("aria-valuetext", "90 % seed 2, the rest seed 4")
    box = page.root.locator(".vidnb-stage").bounding_box()
    assert box is not None
    page.page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 40)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 40)
    page.page.mouse.up()
    expect(line).to_have_attribute("aria-valuenow", "60")
    pair.shows(pair.right)
    pair.shows(pair.left, 0.55)


def test_blink_shows_one_clip_and_then_the_other_and_says_which(pair: Pair) -> None:
    pair.page.key("n")
    name = pair.page.root.locator(".vidnb-side:visible")
    pair.shows(pair.right)
    expect(name).to_have_text("seed 4")
    pair.shows(pair.left)
    expect(name).to_have_text("seed 2")


def test_difference_is_that_of_the_same_two_frames_as_much_stronger_as_it_says(pair: Pair) -> None:
    page = pair.page
    page.key("d")
    apart = [abs(one - other) for one, other in zip(pair.left, pair.right, strict=True)]
    for gain in (1, 2, 4):
        page.root.get_by_label("How much stronger the difference is shown").select_option(str(gain))
        red, green, blue = (min(255, one * gain) for one in apart)
        pair.shows((red, green, blue), by=gain)
        pair.shows((0, 0, 0), 0.2, by=gain)
    go(page, 20)  # both go on together: nothing appears in the half that is alike
    page.until(lambda: page.root.get_attribute("data-beat") == "20")
    page.page.wait_for_timeout(300)
    pair.shows((0, 0, 0), 0.2, by=4)


def test_overlay_mixes_both_and_shift_with_arrows_shifts_the_balance(pair: Pair) -> None:
    pair.page.key("o")
    red, green, blue = ((one + other) // 2 for one, other in zip(pair.left, pair.right, strict=True))
    pair.shows((red, green, blue))
    for _ in range(25):
        pair.page.key("Shift+ArrowLeft")
    pair.shows(pair.left)


def test_beside_two_clips_stands_what_was_measured_and_differs(pair: Pair) -> None:
    page, compare = pair.page, pair.page.compare
    names = ("motion", "jerkiness", "warp_error", "flicker", "sharpness", "exposure", "clipped", "loop_seam", "cuts")
    compare._measures = {
        clip.info.sha256: {name: 1.0 if name == "jerkiness" else at + 1.5 for name in names}
        for at, clip in enumerate(compare.clips)
    }
    compare._draw()
    page.key("p")
    rows = page.root.locator(".vidnb-differs tbody tr")
    page.until(lambda: rows.count() == 6)
    assert rows.first.inner_text().split("\t") == ["motion", "2.5 %/s", "4.5 %/s"]
    assert "jerkiness" not in page.root.locator(".vidnb-differs").inner_text(), "it is the same of both"
    page.root.get_by_role("button", name="2 more").click()
    page.until(lambda: rows.count() == 8)
    expect(page.root.get_by_role("button", name="Fewer")).to_be_focused()


def test_the_two_play_on_the_same_frame(pair: Pair) -> None:
    page = pair.page
    page.key("p", "Space")
    script = """() => {
        const canvas = document.querySelector('.vidnb-stage-picture');
        const shown = (x) => [...canvas.getContext('2d').getImageData(Math.floor(canvas.width * x), 90, 1, 1).data];
        return [shown(0.2)[0], shown(0.45)[0]];
    }"""
    page.root.get_by_role("slider", name="Line between the clips").focus()
    for _ in range(10):
        page.key("ArrowLeft")  # the line at 30 %: both looks are in the half that has no tint
    looks = []
    for _ in range(30):
        looks.append([round((grey - LEAST) / STEP) for grey in page.page.evaluate(script)])
        page.page.wait_for_timeout(30)
    assert all(left == right for left, right in looks), looks
    assert len({left for left, _ in looks}) > 5


# -- keys --------------------------------------------------------------------------------------------------------------


def focused(page: ComparePage) -> ComparePage:
    page.cell(0).click()
    return page


def chosen(page: ComparePage) -> str:
    return page.root.locator(".vidnb-name").inner_text()


def test_keys_move_the_time(shown: ComparePage) -> None:
    focused(shown)
    beat = lambda: int(shown.root.get_attribute("data-beat") or 0)  # noqa: E731
    for key, expected in [
        (".", 1), (".", 2), (",", 1), ("l", 25), ("j", 1), ("End", FRAMES - 1), ("Home", 0),
    ]:  # fmt: skip
        shown.key(key)
        shown.until(lambda expected=expected: beat() == expected)
    shown.key("k")
    expect(shown.root).to_have_attribute("data-playing", "true")
    shown.key("Space")
    expect(shown.root).to_have_attribute("data-playing", "false")
    speed = shown.root.get_by_label("Speed", exact=True)
    shown.key("<")
    expect(speed).to_have_value("0.5")
    shown.key(">", ">")
    expect(speed).to_have_value("1.5")


def test_keys_mark_a_loop_and_it_stays_inside(shown: ComparePage) -> None:
    focused(shown)
    go(shown, 10)
    shown.cell(0).focus()
    shown.key("a")
    go(shown, 20)
    shown.until(lambda: shown.frames() == [20] * 4)  # what stood there before is no part of the loop
    shown.cell(0).focus()
    shown.key("b", "Space")
    seen: set[int] = set()
    shown.until(lambda: seen.update(shown.frames()) or len(seen) >= 9)  # type: ignore[func-returns-value]
    for _ in range(20):
        seen.update(shown.frames())
        shown.page.wait_for_timeout(40)
    assert seen <= set(range(10, 21))
    shown.root.get_by_role("button", name="Remove the marks").click()
    expect(shown.root.locator(".vidnb-span")).to_be_hidden()


def test_arrows_choose_digits_rate_and_w_picks_one_winner(shown: ComparePage) -> None:
    focused(shown)
    shown.key("ArrowRight", "4")
    assert chosen(shown) == "seed 2"
    assert shown.part.wait_for_sent("rate")[-1]["rating"] == 4
    expect(shown.cell(1).locator(".vidnb-rated")).to_be_visible()
    shown.key("w", "ArrowRight", "w")
    assert [message["at"] for message in shown.part.sent("winner")] == [1, 2]
    expect(shown.root.get_by_text("Winner", exact=True)).to_have_count(2)  # on the clip, and the button
    expect(shown.cell(2)).to_have_attribute("aria-label", re.compile("winner"))
    shown.root.get_by_role("button", name="Undo").click()
    assert shown.part.sent("winner")[-1]["at"] == 1
    shown.cell(1).focus()
    shown.key("0")
    assert shown.part.sent("rate")[-1]["rating"] is None
    shown.key("w")
    assert shown.part.sent("winner")[-1]["at"] is None


def test_the_other_keys_do_what_the_list_says(shown: ComparePage) -> None:
    focused(shown)
    listed = shown.root.get_by_role("group", name="Keys")
    shown.key("?")
    expect(listed).to_be_visible()
    shown.key("Escape")
    expect(listed).to_be_hidden()
    for key, mode in [("p", "Wipe"), ("n", "Blink"), ("d", "Difference"), ("o", "Overlay"), ("g", "Grid")]:
        shown.key(key)
        expect(shown.root.get_by_role("radio", name=mode)).to_be_checked()
    zoom = shown.root.get_by_label("Zoom")
    shown.cell(0).focus()
    shown.key("+", "+")
    expect(zoom).to_have_value("2")
    shown.key("-", "-")
    expect(zoom).to_have_value("1")
    shown.key("m")
    expect(shown.part.page.locator(".vidnb-unseen")).to_have_text("This clip has no sound.")
    shown.page.evaluate("() => { navigator.clipboard.writeText = async (text) => { window.copied = text; }; }")
    shown.key("c")
    shown.page.wait_for_function("() => window.copied?.startsWith('vidnb.generate(')")


def test_keys_typed_into_a_slider_or_a_list_stay_theirs(shown: ComparePage) -> None:
    focused(shown)
    slider = shown.root.get_by_role("slider", name="Time")
    slider.focus()
    shown.key("ArrowRight", "ArrowRight")
    expect(slider).to_have_value("2")
    assert chosen(shown) == "seed 1"
    shown.root.get_by_label("Speed", exact=True).focus()
    shown.key("2")
    assert shown.part.sent("rate") == []


# -- zoom, sound, alignment --------------------------------------------------------------------------------------------


def test_zoom_is_the_same_in_all_cells_and_follows_the_hand(shown: ComparePage) -> None:
    go(shown, 5)
    shown.until(lambda: shown.frames() == [5] * 4)
    plain = [in_cell(shown, at, 0.2) for at in range(4)]
    tinted = [in_cell(shown, at, 0.7) for at in range(4)]
    shown.root.get_by_label("Zoom").select_option("2")
    shown.until(lambda: [in_cell(shown, at, 0.45) for at in range(4)] == plain)
    box = shown.cell(1).bounding_box()
    assert box is not None
    shown.page.mouse.move(box["x"] + 100, box["y"] + 40)
    shown.page.mouse.down()
    shown.page.mouse.move(box["x"] + 10, box["y"] + 40)
    shown.page.mouse.up()
    shown.until(lambda: all(near(in_cell(shown, at, 0.2), tinted[at]) for at in range(4)))


def test_clips_of_other_length_and_rate_are_lined_up_by_time_share_or_frame(widget_page: Open, tmp_path: Path) -> None:
    files = Files(tmp_path)
    videos = [numbered(0, frames=48, fps=24), numbered(1, frames=30, fps=30), numbered(2, frames=24, fps=12)]
    page = ComparePage(
        widget_page, Compare(pivot([clip_of(files, video, n) for n, video in enumerate(videos)], cols="seed"))
    )
    page.wait_for_films(3)
    how = page.root.get_by_label("Line up")
    expect(how).to_have_value("time")
    page.until(lambda: page.root.get_by_role("slider", name="Time").get_attribute("max") == "59")  # 2 s at 30 a second
    go(page, 15)
    page.until(lambda: page.frames() == [12, 15, 6])
    go(page, 59)
    page.until(lambda: page.frames() == [47, 29, 23])  # the shorter one keeps its last frame
    how.select_option("share")
    go(page, 30)
    page.until(lambda: page.frames() == [24, 15, 12])
    how.select_option("frame")
    go(page, 20)
    page.until(lambda: page.frames() == [20, 20, 20])
    go(page, 47)
    page.until(lambda: page.frames() == [47, 29, 23])


@pytest.mark.parametrize("matrix", [(0, 1, -1, 0), (0, -1, 1, 0), (-1, 0, 0, -1), (-1, 0, 0, 1)])
def test_a_clip_that_its_file_turns_is_drawn_as_a_player_shows_it(
    widget_page: Open, tmp_path: Path, matrix: tuple[int, int, int, int]
) -> None:
    video = turned(write(tmp_path / "x.mp4", pixels=corner), matrix)
    clip = clip_of(Files(tmp_path / "files"), video.read_bytes(), 1)
    page = ComparePage(widget_page, Compare(pivot([clip, clip_of(Files(tmp_path / "files"), numbered(), 2)])))
    page.wait_for_films(2)
    script = """canvas => {
        const { width, height } = canvas, pen = canvas.getContext('2d');
        const at = (x, y) => pen.getImageData(width * x, height * y, 1, 1).data[0] > 128;
        return [[at(0.1, 0.1), at(0.9, 0.1)], [at(0.1, 0.9), at(0.9, 0.9)]];
    }"""
    picture = clip.frame("first").convert("L")
    wide, high = picture.size
    expected = [[picture.getpixel((wide * x // 10, high * y // 10)) > 128 for x in (1, 9)] for y in (1, 9)]
    page.until(lambda: page.root.locator(".vidnb-cell canvas").first.evaluate(script) == expected)


def test_only_the_clip_that_is_heard_sounds_and_it_is_the_clock(widget_page: Open, tmp_path: Path) -> None:
    files = Files(tmp_path)
    clips = [clip_of(files, numbered(number, frames=FRAMES, sound=True), number) for number in range(2)]
    page = ComparePage(widget_page, Compare(pivot(clips, cols="seed")))
    page.wait_for_films(2)
    page.cell(1).click()
    page.key("m", "Space")
    heard = "() => [...document.querySelectorAll('audio')].filter((one) => !one.paused).length"
    page.until(lambda: page.page.evaluate(heard) == 1)
    script = """() => {
        const view = document.querySelector('.vidnb-compare');
        return [document.querySelector('audio').currentTime * 24, Number(view.dataset.beat)];
    }"""
    for _ in range(10):
        sound, beat = page.page.evaluate(script)
        assert abs(sound - beat) < 6 or abs(sound - beat) > FRAMES - 6
        page.page.wait_for_timeout(50)
    expect(page.cell(1).locator(".vidnb-on", has_text="Sound")).to_be_visible()
    page.key("m")
    page.until(lambda: page.page.evaluate(heard) == 0)


# -- gaps, many cells, hostile text ------------------------------------------------------------------------------------


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """Of a folder of its own, whose emulator fails a job when it is told to."""
    emulator = Emulator(tmp_path / "emulator", latency_s=0.01)
    with Client(tmp_path / "data", emulator=emulator) as made:
        yield made
    emulator.close()


def gaps(folder: Path, prompt: str = "a lighthouse in a storm") -> list[Any]:
    """Two models and three seeds: three clips, one that failed, one that was refused, one that was never run."""
    files, models = Files(folder), ("leonardo/motion_2.0", "leonardo/MOTION2FAST")
    video = numbered()
    clips = [
        clip_of(files, video, number, model=model, params={"prompt": prompt, "seed": seed})
        for number, (model, seed) in enumerate([(models[0], 3), (models[0], 7), (models[1], 3)])
    ]
    error = {"kind": "service", "message": f"the service gave up {prompt[-200:]}", "charged": False}
    failed = job(9, state=State.FAILED, model=models[1], params={"prompt": prompt, "seed": 7}, error=error)
    refused_error = {"kind": "refused", "message": "moderation", "charged": True}
    refused = job(10, state=State.FAILED, model=models[1], params={"prompt": prompt, "seed": 11}, error=refused_error)
    return [*clips, failed, refused]


def test_a_place_without_a_clip_says_why(widget_page: Open, tmp_path: Path) -> None:
    page = ComparePage(widget_page, Compare(pivot(gaps(tmp_path), "seed", "model")))
    expect(page.root.locator(".vidnb-gap strong")).to_have_text(["Failed", "Not run", "Refused"])
    expect(page.root.get_by_role("status").first).to_have_text("3 of 6 clips are here.")
    page.cell(3).click()
    expect(page.root.locator(".vidnb-reason")).to_contain_text("Failed: The service gave up a lighthouse in a storm.")
    expect(page.cell(5)).to_have_attribute("aria-label", "seed 11 · Motion 2.0 Fast, Refused, Moderation. Not charged.")


def test_a_gap_that_was_never_run_says_its_price_and_is_sent_once(widget_page: Open, client: Client) -> None:
    for seed, model in ((1, "leonardo/motion_2.0"), (1, "leonardo/MOTION2FAST"), (2, "leonardo/motion_2.0")):
        client.generate("a lighthouse", seed=seed, model=model)
    page = ComparePage(widget_page, compare(client.history(), rows="seed", cols="model"))
    run = page.root.get_by_role("button", name="Run seed 2 · Motion 2.0 Fast, free")
    page.until(run.count)
    expect(page.root.get_by_role("button", name="Run the other one free")).to_be_visible()
    page.page.evaluate("() => { const one = document.querySelector('.vidnb-gap button'); one.click(); one.click(); }")
    page.cell(3).focus()
    page.page.keyboard.press("r")
    page.wait_for_films(4)
    assert [message["ats"] for message in page.part.sent("run")] == [[3]]
    assert len(client.jobs()) == 4
    expect(page.root.get_by_role("button", name=re.compile("^Run"))).to_have_count(0)
    expect(page.cell(3)).to_have_attribute("aria-label", "seed 2 · Motion 2.0 Fast")


def test_sixty_four_cells_stay_in_their_box_and_only_sixteen_are_decoded(widget_page: Open, tmp_path: Path) -> None:
    files, video = Files(tmp_path), numbered(frames=24)
    strengths = range(1, 9)
    clips = [
        clip_of(files, video, number, params={"prompt": "a lighthouse", "seed": seed, "motion_strength": strength})
        for number, (seed, strength) in enumerate((seed, strength) for seed in range(8) for strength in strengths)
    ]
    page = ComparePage(widget_page, Compare(pivot(clips, "seed", "motion_strength")), width=1100)
    page.wait_for_films(16)
    expect(page.root.get_by_role("gridcell")).to_have_count(64)
    box = page.root.locator(".vidnb-box").bounding_box()
    assert box is not None
    assert box["height"] <= 650
    expect(page.root.get_by_role("status").first).to_contain_text("16 of 64 play in full")
    sums = played_in_step(page.root, samples=20)
    assert (sums["clips"], sums["same"]) == (16, 100)
    page.part.shot("compare-64")


HOSTILE = "<img src=x onerror=\"document.title='owned'\"></script><b>bold\u202e & $5 or $6"


def test_hostile_text_is_text_everywhere(widget_page: Open, tmp_path: Path) -> None:
    clips = gaps(tmp_path, HOSTILE)
    clips.append(
        clip_of(Files(tmp_path), numbered(), 20, model=HOSTILE, params={"prompt": HOSTILE, "seed": 3, HOSTILE: HOSTILE})
    )
    page = ComparePage(widget_page, Compare(pivot(clips)), state={"problem": HOSTILE})
    page.wait_for_films(4)
    page.cell(0).click()
    page.key("p")
    assert page.page.title() == "vidnb"
    assert page.root.locator("img, b:has-text('bold') >> img").count() == 0
    expect(page.root.get_by_role("heading", level=3)).to_contain_text("onerror")


# -- looks, names, what is left ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_it_fits_and_has_names_for_screen_readers(widget_page: Open, tmp_path: Path, theme: Any, width: int) -> None:
    page = ComparePage(widget_page, Compare(pivot(gaps(tmp_path), "seed", "model")), width=width, theme=theme)
    page.wait_for_films(3)
    page.cell(1).click()
    for mode in ("grid", "wipe"):
        if mode == "wipe":
            page.key("p", "?")
            page.page.wait_for_timeout(300)
        assert page.part.audit() == []
        page.part.shot(f"compare-{mode}-{theme}-{width}")
        assert page.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_one_tab_stop_leads_into_the_grid_and_out_of_it(shown: ComparePage) -> None:
    focused(shown)
    stops = shown.root.evaluate("root => [...root.querySelectorAll('.vidnb-grid [tabindex=\"0\"]')].length")
    assert stops == 1
    shown.key("Tab")
    assert shown.page.evaluate("() => document.activeElement.getAttribute('aria-label')") == "Time"


def test_a_second_view_plays_too_and_the_end_leaves_nothing(shown: ComparePage) -> None:
    before = shown.part.counts()
    shown.part.render_again()
    second = shown.page.locator(".vidnb-compare.vidnb-root").nth(1)
    shown.until(lambda: second.get_attribute("data-films") == "4")
    second.get_by_role("button", name="Play all").click()
    shown.page.wait_for_timeout(300)
    assert shown.part.end() == 0
    shown.page.wait_for_timeout(200)
    after = shown.part.counts()
    assert after["blobs"] == before["blobs"]
    assert after["ears"] == before["ears"]


def test_where_a_page_may_not_decode_ordinary_videos_play_and_it_is_said(widget_page: Open, four: list[Clip]) -> None:
    compare = Compare(pivot(four, cols="seed"))
    compare._esm = "delete globalThis.VideoDecoder;\n" + compare._esm
    page = ComparePage(widget_page, compare)
    page.wait_for_films(4)
    expect(page.root.locator(".vidnb-notice")).to_contain_text("the clips play as ordinary videos")
    for frame in (7, 30, 0):
        go(page, frame)
        page.until(lambda frame=frame: page.frames() == [frame] * 4)
    page.root.get_by_role("button", name="Play all").click()
    page.until(lambda: json.loads(page.root.get_attribute("data-sums") or "{}").get("samples", 0) > 40)
    sums = json.loads(page.root.get_attribute("data-sums") or "{}")
    assert sums["way"] == "browser"
    assert sums["fps"] > 0


def test_ratings_reach_the_history_and_come_back(widget_page: Open, client: Client) -> None:
    clips = [client.generate("a lighthouse", seed=seed) for seed in (1, 2)]
    page = ComparePage(widget_page, compare(client.history()))
    page.wait_for_films(2)
    page.cell(1).click()
    page.key("5", "w")
    page.until(lambda: client.clip(clips[1]).rating == 5 and client.clip(clips[1]).tags == ("winner",))
    page.cell(0).click()
    page.key("w")
    page.until(lambda: client.clip(clips[0]).tags == ("winner",) and client.clip(clips[1]).tags == ())
    page.until(lambda: page.compare.winner is not None and page.compare.winner.job.id == clips[0].job.id)
    assert [clip.job.id for clip in client.history(tag="winner")] == [clips[0].job.id]
