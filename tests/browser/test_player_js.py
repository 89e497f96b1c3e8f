"""The player in a browser: every frame can be reached, a person's words are kept, and nothing leaks."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from playwright.sync_api import Locator, expect
from widgetpage import Theme, WidgetPage

from vidnb.clip import Clip
from vidnb.files import Files
from vidnb.media import video as videos
from vidnb.records import Cost, Job, State
from vidnb.widgets.player import ACTIONS, Player, clip_facts

Open = Callable[..., WidgetPage]

FPS, FRAMES = 24, 24
STEP, LEAST = 8, 20
"""The grey of frame n is LEAST + STEP * n, so that a picture tells its number."""
HOSTILE = "<img src=x onerror=\"document.title='owned'\">\u202e & $5 or $6"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def numbered(frames: int = FRAMES, width: int = 320, height: int = 180) -> bytes:
    """A video in which every frame tells its number by its grey."""
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "8", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        for number in range(frames):
            pixels = np.full((height, width, 3), LEAST + STEP * number, np.uint8)
            picture = av.VideoFrame.from_ndarray(pixels, "rgb24")
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return sink.getvalue()


@pytest.fixture(scope="session")
def video() -> bytes:
    return numbered()


@pytest.fixture(scope="session")
def clip(video: bytes, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    files = Files(tmp_path_factory.mktemp("clip"))
    sha256 = files.put(video, ".mp4")
    path = files.path(sha256, ".mp4")
    assert path is not None
    return Clip(job(clip=videos.probe(path)), files)


def job(**changes: Any) -> Job:
    given: dict[str, Any] = {
        "id": "0123456789abcdef0123456789abcdef",
        "provider": "leonardo",
        "model": "leonardo/motion_2.0",
        "recipe_hash": "ab" * 32,
        "take": 0,
        "state": State.DONE,
        "params": {"prompt": "a koala in a meadow", "seed": 7, "width_px": 320, "height_px": 180, "duration_s": 1},
        "images": {},
        "emulated": True,
        "base_url": "http://emulator.vidnb.invalid/api/rest",
        "created_at": NOW,
        "done_at": NOW + timedelta(seconds=41),
        "cost": Cost(0.12, "USD"),
    }
    return Job(**given | changes)


def state(clip: Clip, **changes: Any) -> dict[str, Any]:
    """The traits of a player, with changes to what is shown."""
    told = clip_facts(clip) | {"video": "data/clip 1.mp4"} | changes
    return {"time_s": 0.0, "playing": False, "autoplay": False, "_shown": told, "_flashes": {}, "_actions": []}


@pytest.fixture
def player(widget_page: Open, clip: Clip, video: bytes) -> Callable[..., WidgetPage]:
    """`player(traits={...}, **what is shown)`: the player with its clip served and ready to play."""

    def open_player(
        traits: dict[str, Any] | None = None, width: int = 860, theme: Theme = "light", **changes: Any
    ) -> WidgetPage:
        part = widget_page(Player, {"_shown": {}, "_actions": [], "_flashes": {}}, width=width, theme=theme)
        part.served["data/clip 1.mp4"] = video
        part.set(**(state(clip, **changes) | (traits or {})))
        expect(part.root).to_have_attribute("data-state", "ready")
        return part

    return open_player


def named(part: WidgetPage, name: str) -> Locator:
    return part.root.get_by_role("button", name=name, exact=True)


def position(part: WidgetPage) -> Locator:
    return part.root.get_by_role("slider", name="Position")


def at_frame(part: WidgetPage, number: int) -> None:
    """Wait until the picture, the slider and its words all say frame `number`, counted from 0."""
    script = """async ([grey, step]) => {
        const video = document.querySelector("video");
        if (video.seeking) return false;
        const canvas = Object.assign(document.createElement("canvas"), { width: 8, height: 8 });
        const pen = canvas.getContext("2d");
        pen.drawImage(video, 0, 0, 8, 8);
        return Math.abs(pen.getImageData(4, 4, 1, 1).data[0] - grey) < step / 2;
    }"""
    expect(position(part)).to_have_value(str(number))
    words = re.compile(f"^frame {number + 1} of {FRAMES}, {number / FPS + 1e-9:.2f} s$")
    expect(position(part)).to_have_attribute("aria-valuetext", words)
    part.page.wait_for_function(script, arg=[LEAST + STEP * number, STEP])


def playing(part: WidgetPage) -> bool:
    return bool(part.page.evaluate("() => { const v = document.querySelector('video'); return !v.paused; }"))


def wait_until_playing(part: WidgetPage) -> None:
    part.page.wait_for_function("() => { const v = document.querySelector('video'); return !v.paused; }")


# -- frames ------------------------------------------------------------------------------------------------------------


def test_every_step_shows_the_very_next_frame_and_the_kernel_hears_where_it_rests(player: Open) -> None:
    part = player()
    at_frame(part, 0)
    for number in range(1, 6):
        named(part, "One frame forward").click()
        at_frame(part, number)
    named(part, "One frame back").click()
    at_frame(part, 4)
    part.page.wait_for_function("() => fake.sent.at(-1)?.content.time_s?.toFixed(3) === '0.167'")
    assert part.sent("at")[-1] == {"kind": "at", "id": job().id, "time_s": 0.166667, "playing": False}


def test_quick_steps_lose_none(player: Open) -> None:
    part = player()
    named(part, "One frame forward").evaluate("button => { for (let i = 0; i < 11; i++) button.click(); }")
    at_frame(part, 11)


def test_the_keys_step_jump_and_mark(player: Open) -> None:
    part = player()
    part.root.get_by_role("group", name="Player").focus()
    press = part.page.keyboard.press
    press(".")
    press("ArrowRight")
    at_frame(part, 2)
    press(",")
    at_frame(part, 1)
    press("a")
    press("End")
    at_frame(part, FRAMES - 1)
    press("j")
    at_frame(part, 0)
    press("l")
    at_frame(part, FRAMES - 1)
    press("Home")
    at_frame(part, 0)
    press("?")
    expect(part.root.get_by_text("one second back, forward")).to_be_visible()
    press("?")
    expect(part.root.get_by_text("one second back, forward")).to_be_hidden()


def test_space_and_k_play_and_pause_and_the_kernel_is_told(player: Open) -> None:
    part = player()
    part.root.get_by_role("group", name="Player").focus()
    part.page.keyboard.press("Space")
    wait_until_playing(part)
    part.page.wait_for_function("() => fake.sent.some(({ content }) => content.playing === true)")
    part.page.keyboard.press("k")
    part.page.wait_for_function("() => fake.sent.at(-1).content.playing === false")
    assert not playing(part)


def test_keys_with_modifiers_and_in_text_are_left_alone(player: Open) -> None:
    part = player()
    part.root.get_by_label("Note").fill("a b")
    part.root.get_by_label("Note").press("k")
    assert not playing(part)
    part.root.get_by_role("group", name="Player").focus()
    part.page.keyboard.press("Control+a")
    expect(named(part, "Loop from here (A)")).to_have_attribute("aria-pressed", "false")


def test_no_key_reaches_the_notebook(player: Open) -> None:
    part = player()
    script = "() => { window.heard = []; document.body.addEventListener('keydown', ({ key }) => heard.push(key)); }"
    part.page.evaluate(script)
    part.root.get_by_role("group", name="Player").focus()
    for key in ("a", "b", "d", "m", "."):
        part.page.keyboard.press(key)
    assert part.page.evaluate("() => heard") == []


def test_the_slider_goes_by_frames_with_its_own_keys(player: Open) -> None:
    part = player()
    position(part).focus()
    part.page.keyboard.press("ArrowRight")
    at_frame(part, 1)
    part.page.keyboard.press("End")
    at_frame(part, FRAMES - 1)


def test_the_kernel_seeks_and_a_new_view_begins_where_the_old_one_rested(player: Open) -> None:
    part = player()
    part.say("seek", {"time_s": 0.5})
    at_frame(part, 12)
    part.end()
    part.set(time_s=0.25)
    part.render_again()
    at_frame(part, 6)


def test_playing_stays_between_the_marks(player: Open) -> None:
    part = player()
    part.root.get_by_role("group", name="Player").focus()
    part.say("seek", {"time_s": 10 / FPS})
    at_frame(part, 10)
    part.page.keyboard.press("b")
    part.page.keyboard.press("Home")
    part.say("seek", {"time_s": 6 / FPS})
    at_frame(part, 6)
    part.page.keyboard.press("a")
    part.page.evaluate("""() => {
        const video = document.querySelector("video"), bar = document.querySelector(".vidnb-scrub");
        window.turns = 0; window.frames = [];
        let last = 6;
        const look = () => {
            const now = Number(bar.value);
            if (now < last) turns += 1;
            last = now;
            frames.push(now);
            video.requestVideoFrameCallback(look);
        };
        video.requestVideoFrameCallback(look);
    }""")
    part.page.keyboard.press("Space")
    part.page.wait_for_function("() => turns >= 3")
    frames = part.page.evaluate("() => frames")
    assert min(frames) >= 6
    assert max(frames) <= 11, "the frame after the last may be on its way already"
    named(part, "Clear the marks A and B").click()
    expect(named(part, "Clear the marks A and B")).to_be_hidden()


def test_a_mark_that_makes_no_span_takes_the_other_away(player: Open) -> None:
    part = player()
    cases = [({"a": 5, "b": 9}, "a", 9), ({"a": 5, "b": 9}, "b", 3), ({"a": None, "b": 9}, "a", 2)]
    found = [part.page.evaluate("given => part.marked(...given)", list(case)) for case in cases]
    assert found == [{"a": 9, "b": None}, {"a": None, "b": 3}, {"a": 2, "b": 9}]


def test_speed_loop_and_sound(player: Open) -> None:
    part = player(has_audio=True)
    part.root.get_by_label("Speed", exact=True).select_option("0.25")
    assert part.page.evaluate("() => document.querySelector('video').playbackRate") == 0.25
    named(part, "Loop").click()
    assert part.page.evaluate("() => document.querySelector('video').loop") is False
    named(part, "Mute").click()
    assert part.page.evaluate("() => document.querySelector('video').muted") is True
    expect(named(part, "Sound on")).to_be_visible()
    part.root.get_by_label("Volume").fill("0.5")
    script = "() => { const { muted, volume } = document.querySelector('video'); return [muted, volume]; }"
    assert part.page.evaluate(script) == [False, 0.5]


def test_full_screen_takes_the_controls_and_keys_along(player: Open) -> None:
    part = player()
    part.root.get_by_role("group", name="Player").focus()
    part.page.keyboard.press("f")
    part.page.wait_for_function("() => document.fullscreenElement?.querySelector('video')")
    part.page.keyboard.press("?")
    expect(part.root.get_by_text("one second back, forward")).to_be_visible()
    named(part, "One frame forward").click()
    at_frame(part, 1)
    part.page.keyboard.press("f")
    part.page.wait_for_function("() => !document.fullscreenElement")


def test_a_silent_clip_has_no_sound_controls(player: Open) -> None:
    part = player(has_audio=False)
    expect(named(part, "Mute")).to_be_hidden()
    expect(part.root.get_by_label("Volume")).to_be_hidden()


# -- how the video comes -----------------------------------------------------------------------------------------------


def test_the_servers_file_is_played_without_the_kernel(player: Open) -> None:
    part = player()
    assert ("data/clip 1.mp4", "bytes=0-") in part.asked
    assert part.sent("want") == []


def test_a_new_view_asks_for_the_poster_and_an_address_that_fails_for_the_bytes(
    widget_page: Open, clip: Clip, video: bytes
) -> None:
    part = widget_page(Player, state(clip))
    part.wait_for_sent("want", 2)
    assert {message["what"] for message in part.sent("want")} == {"poster", "video"}
    part.say("poster", {"id": clip.job.id}, [clip.poster])
    half = len(video) // 2
    part.say("video", {"id": clip.job.id, "part": 1, "parts": 2}, [video[half:]])
    part.say("video", {"id": clip.job.id, "part": 0, "parts": 2}, [video[:half]])
    expect(part.root).to_have_attribute("data-state", "ready")
    at_frame(part, 0)
    assert part.counts()["blobs"] == 2
    assert part.end() == 0
    assert part.counts()["blobs"] == 0


def test_bytes_from_the_kernel_go_on_from_the_frame_that_was_shown(widget_page: Open, clip: Clip, video: bytes) -> None:
    part = widget_page(Player, state(clip) | {"time_s": 0.5})
    part.wait_for_sent("want", 2)
    part.say("video", {"id": clip.job.id, "part": 0, "parts": 1}, [video])
    at_frame(part, 12)


def test_play_pressed_before_the_video_came_is_remembered(widget_page: Open, clip: Clip, video: bytes) -> None:
    part = widget_page(Player, state(clip, video=None))
    named(part, "Play").click()
    part.say("video", {"id": clip.job.id, "part": 0, "parts": 1}, [video])
    wait_until_playing(part)


def test_bytes_of_another_clip_are_not_taken(widget_page: Open, clip: Clip, video: bytes) -> None:
    part = widget_page(Player, state(clip, video=None))
    part.wait_for_sent("want", 2)
    part.say("video", {"id": "f" * 32, "part": 0, "parts": 1}, [video])
    part.say("poster", {"id": "f" * 32}, [clip.poster])
    assert part.counts()["blobs"] == 0
    assert part.root.get_attribute("data-state") == "loading"


def asked_for(part: WidgetPage) -> list[str]:
    return [message["what"] for message in part.sent("want")]


def test_bytes_that_are_coming_are_not_asked_for_unless_they_stop(widget_page: Open, clip: Clip, video: bytes) -> None:
    part = widget_page(Player, {"_shown": {}, "_actions": [], "_flashes": {}})
    part.page.clock.install()
    part.set(**state(clip, video=None))
    third = len(video) // 3 + 1
    pieces = [video[start : start + third] for start in range(0, len(video), third)]
    for number in (0, 1):
        part.say("video", {"id": clip.job.id, "part": number, "parts": 3}, [pieces[number]])
        part.page.clock.run_for(4000)
    assert asked_for(part) == []
    part.page.clock.run_for(20_000)
    assert asked_for(part).count("video") == 1
    part.say("video", {"id": clip.job.id, "part": 2, "parts": 3}, [pieces[2]])
    expect(part.root).to_have_attribute("data-state", "ready")
    part.page.clock.run_for(20_000)
    assert asked_for(part).count("video") == 1


def test_bytes_that_do_not_come_are_asked_for(widget_page: Open, clip: Clip, video: bytes) -> None:
    part = widget_page(Player, {"_shown": {}, "_actions": [], "_flashes": {}})
    part.page.clock.install()
    part.set(**state(clip, video=None))
    part.page.clock.run_for(6000)
    assert asked_for(part) == ["poster", "video"]
    waits = part.root.get_by_text("Waiting for the kernel to send the video.")
    expect(waits).to_be_visible()
    part.say("video", {"id": clip.job.id, "part": 0, "parts": 2}, [video[:100]])
    expect(waits).to_be_hidden()


def test_what_cannot_be_played_shows_the_poster_and_says_what_to_do(widget_page: Open, clip: Clip) -> None:
    part = widget_page(Player, state(clip, video=None, codec="hevc"))
    part.say("poster", {"id": clip.job.id}, [clip.poster])
    part.say("video", {"id": clip.job.id, "part": 0, "parts": 1}, [b"no video at all"])
    expect(part.root).to_have_attribute("data-state", "unplayable")
    expect(part.root.get_by_text("This page cannot play H.265. Download the file")).to_be_visible()
    expect(part.root.locator("img")).to_be_visible()
    expect(part.root.get_by_role("link", name="Download")).to_be_visible()


def test_a_file_that_is_gone_is_said(widget_page: Open, clip: Clip) -> None:
    part = widget_page(Player, state(clip, video=None))
    part.say("gone", {"id": clip.job.id})
    expect(part.root.get_by_text("no longer in the data folder")).to_be_visible()
    expect(part.root.get_by_role("link", name="Download")).to_be_hidden()


def test_vs_code_is_told_to_play_no_sound(player: Open) -> None:
    part = player(host="vscode", has_audio=True)
    expect(part.root.get_by_text("VS Code plays no AAC sound")).to_be_visible()


def test_the_downloaded_file_has_a_safe_name(player: Open) -> None:
    part = player()
    with part.page.expect_download() as download:
        part.root.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "leonardo-motion_2.0-seed7-01234567.mp4"


# -- playing by itself -------------------------------------------------------------------------------------------------


def test_a_clip_plays_by_itself_and_without_sound_once_it_is_known_not_to_flash(player: Open, clip: Clip) -> None:
    part = player({"autoplay": True}, has_audio=True)
    assert not playing(part)
    part.set(_flashes={"id": clip.job.id, "flashes": False})
    wait_until_playing(part)
    assert part.page.evaluate("() => document.querySelector('video').muted") is True


def test_a_clip_that_flashes_waits_for_a_person(player: Open, clip: Clip) -> None:
    part = player({"autoplay": True, "_flashes": {"id": clip.job.id, "flashes": True}})
    expect(part.root.get_by_text("flashes", exact=True)).to_be_visible()
    assert not playing(part)
    named(part, "Play anyway").click()
    wait_until_playing(part)
    expect(named(part, "Play anyway")).to_be_hidden()


def test_nothing_plays_by_itself_for_who_asked_for_less_motion(widget_page: Open, clip: Clip, video: bytes) -> None:
    part = widget_page(Player, {"_shown": {}, "_actions": [], "_flashes": {}})
    part.page.emulate_media(reduced_motion="reduce")
    part.served["data/clip 1.mp4"] = video
    part.set(**state(clip) | {"autoplay": True, "_flashes": {"id": clip.job.id, "flashes": False}})
    expect(part.root).to_have_attribute("data-state", "ready")
    assert not playing(part)


def test_a_person_who_paused_is_not_overruled(player: Open, clip: Clip) -> None:
    part = player({"autoplay": True})
    named(part, "One frame forward").click()
    part.set(_flashes={"id": clip.job.id, "flashes": False})
    at_frame(part, 1)
    assert not playing(part)


# -- the recipe and what to do with it ---------------------------------------------------------------------------------


def test_actions_are_offered_only_where_somebody_listens_and_bring_the_playhead(player: Open) -> None:
    part = player()
    expect(named(part, "Remix")).to_be_hidden()
    part.set(_actions=list(ACTIONS))
    part.say("seek", {"time_s": 0.5})
    at_frame(part, 12)
    named(part, "Frame as start").click()
    assert part.sent("action") == [
        {"kind": "action", "name": "start_frame", "id": job().id, "time_s": 0.5, "playing": False}
    ]
    for name in ("Remix", "Vary seed", "Next take", "Frame as end"):
        named(part, name).click()
    assert [message["name"] for message in part.sent("action")[1:]] == ["remix", "vary", "take", "end_frame"]


def test_a_button_that_costs_is_one_click_until_the_kernel_heard_it(player: Open) -> None:
    part = player({"_actions": list(ACTIONS)})
    for _ in range(5):
        named(part, "Next take").click(force=True)
    assert len(part.sent("action")) == 1
    expect(named(part, "Next take")).to_have_attribute("aria-disabled", "true")
    part.say("heard", {"name": "take"})
    named(part, "Next take").click()
    assert len(part.sent("action")) == 2


HEARS_AT_ONCE = """() => {
    const { send } = fake.model;
    fake.model.send = (content, ...rest) => {
        send(content, ...rest);
        if (content.kind === "action") fake.say({ kind: "heard", name: content.name }, []);
    };
}"""


@pytest.mark.parametrize("name", ["Vary seed", "Next take"])
def test_a_double_click_pays_once_even_where_the_kernel_hears_at_once(player: Open, name: str) -> None:
    part = player({"_actions": list(ACTIONS)})
    part.page.evaluate(HEARS_AT_ONCE)
    named(part, name).dblclick()
    assert len(part.sent("action")) == 1
    named(part, name).click()
    assert len(part.sent("action")) == 2, "a click of its own"


@pytest.mark.parametrize("name", ["Vary seed", "Next take"])
def test_a_key_that_is_held_down_pays_once(player: Open, name: str) -> None:
    part = player({"_actions": list(ACTIONS)})
    part.page.evaluate(HEARS_AT_ONCE)
    named(part, name).focus()
    for key in ("Enter", "Space"):
        for _ in range(3):
            part.page.keyboard.down(key)
        part.page.keyboard.up(key)
    assert len(part.sent("action")) == 2, "one for each key"


def test_an_action_that_is_unavailable_says_why_and_sends_nothing(player: Open) -> None:
    why = "Veo 3 takes no end image. These do: Veo 3.1, Kling 2.5 Turbo and 19 more."
    part = player({"_actions": list(ACTIONS), "unavailable": {"end_frame": why}})
    button = named(part, "Frame as end")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_attribute("title", why)
    button.click(force=True)
    expect(part.root.get_by_text(why)).to_be_visible()
    assert part.sent("action") == []
    part.set(unavailable={})
    expect(button).not_to_have_attribute("aria-disabled", "true")
    button.click()
    assert part.sent("action")[0]["name"] == "end_frame"


# -- another clip comes under the pointer ------------------------------------------------------------------------------

OTHER = "f" * 32
MISSED = "Another clip came in just then, so nothing was done."
CLICK_AT_ONCE = """([selector, told]) => {
    fake.change({ _shown: told });
    document.querySelector(selector).click();
}"""
PRESSES = [
    "[data-action=vary]", "[data-action=take]", "[data-action=start_frame]", "[data-action=remix]",
    ".vidnb-stars label:nth-of-type(2)", ".vidnb-stars input", "[aria-label='Remove tag x']", "a[download]",
]  # fmt: skip


def other(clip: Clip, **changes: Any) -> dict[str, Any]:
    return clip_facts(clip) | {"id": OTHER, "video": "data/clip 1.mp4", "tags": ["x"], **changes}


def settle(part: WidgetPage) -> None:
    """Wait until a clip that has just come counts as seen, by the page's own clock."""
    expect(part.root).to_have_attribute("data-rested", "true")


@pytest.mark.parametrize("selector", PRESSES)
def test_a_press_just_after_another_clip_came_does_nothing_and_says_so(player: Open, clip: Clip, selector: str) -> None:
    part = player({"_actions": list(ACTIONS)}, tags=["x"])
    part.page.evaluate("() => addEventListener('click', (event) => { window.press = event; }, true)")
    part.page.evaluate(CLICK_AT_ONCE, [selector, other(clip)])
    expect(part.root.get_by_text(MISSED)).to_be_visible()
    expect(part.page.locator("[role=status]", has_text=MISSED)).to_have_count(1)
    settle(part)
    assert part.page.evaluate("() => press.defaultPrevented")
    assert part.sent("action") == part.sent("annotate") == []
    expect(part.root.get_by_role("radio", checked=True)).to_have_count(0)


def test_a_press_counts_for_the_clip_that_has_been_there_for_a_moment(player: Open, clip: Clip) -> None:
    part = player({"_actions": list(ACTIONS)})
    part.page.evaluate(CLICK_AT_ONCE, ["[data-action=take]", other(clip)])
    settle(part)
    named(part, "Next take").click()
    assert [(sent["name"], sent["id"]) for sent in part.sent("action")] == [("take", OTHER)]
    part.root.locator(".vidnb-stars label").nth(3).click()
    assert part.wait_for_sent("annotate") == [{"kind": "annotate", "id": OTHER, "rating": 4}]


@pytest.mark.parametrize("name", ["Next take", "Remix"])
def test_a_pointer_that_went_down_on_one_clip_does_nothing_to_the_next(player: Open, clip: Clip, name: str) -> None:
    part = player({"_actions": list(ACTIONS)})
    named(part, name).hover()
    part.page.mouse.down()
    part.set(_shown=other(clip))
    settle(part)
    part.page.mouse.up()
    expect(part.root.get_by_text(MISSED)).to_be_visible()
    assert part.sent("action") == []
    named(part, name).click()
    assert part.sent("action")[0]["id"] == OTHER, "a press of its own"


def test_a_key_that_went_down_on_one_clip_does_nothing_to_the_next(player: Open, clip: Clip) -> None:
    part = player({"_actions": list(ACTIONS)})
    named(part, "Vary seed").focus()
    part.page.keyboard.down("Space")
    part.set(_shown=other(clip))
    settle(part)
    part.page.keyboard.up("Space")
    expect(part.root.get_by_text(MISSED)).to_be_visible()
    assert part.sent("action") == []
    part.page.keyboard.press("Enter")
    assert part.sent("action")[0]["id"] == OTHER


def test_a_rating_by_keys_just_after_another_clip_came_is_not_taken(player: Open, clip: Clip) -> None:
    part = player()
    part.root.get_by_role("radio", name="2 stars").focus()
    part.set(_shown=other(clip))
    part.root.get_by_role("radio", name="2 stars").evaluate(
        "(radio, told) => { fake.change({ _shown: told }); radio.click(); }", other(clip, id="e" * 32)
    )
    expect(part.root.get_by_text(MISSED)).to_be_visible()
    expect(part.root.get_by_role("radio", checked=True)).to_have_count(0)
    settle(part)
    assert part.sent("annotate") == []


def test_words_that_are_being_written_stay_with_their_clip_and_the_rest_goes_to_none(player: Open, clip: Clip) -> None:
    part = player(tags=["keeper"])
    part.root.get_by_label("Add a tag").press_sequentially("koala m")
    part.set(_shown=other(clip, note=""))
    assert part.wait_for_sent("annotate") == [{"kind": "annotate", "id": job().id, "tags": ["keeper", "koala m"]}]
    part.page.keyboard.type("eadow,")
    part.page.keyboard.press("Enter")
    expect(part.root.get_by_label("Add a tag")).to_have_value("")
    expect(part.root.get_by_text("is kept with the one before")).to_be_visible()
    assert len(part.sent("annotate")) == 1
    assert not playing(part)


def test_the_kernel_knows_while_somebody_is_at_the_buttons(player: Open) -> None:
    part = player({"_actions": list(ACTIONS)})
    named(part, "Remix").hover()
    part.wait_for_trait("engaged", True)
    part.root.locator(".vidnb-stage").hover()
    part.wait_for_trait("engaged", False)
    part.root.locator(".vidnb-stars label").nth(2).hover()
    part.page.wait_for_function("() => fake.state.engaged === true")
    part.end()
    assert part.trait("engaged") is False


def test_who_pressed_a_button_and_rests_there_is_no_longer_busy_with_the_clip(player: Open) -> None:
    part = player({"_actions": list(ACTIONS)})
    named(part, "Next take").click()
    part.wait_for_trait("engaged", True)
    part.say("heard", {"name": "take"})
    assert part.trait("engaged") is False
    box = named(part, "Next take").bounding_box()
    assert box is not None
    part.page.mouse.move(box["x"] + 3, box["y"] + 3)
    assert part.trait("engaged") is False, "a hand is never quite still"
    part.root.locator(".vidnb-stage").hover()
    named(part, "Remix").hover()
    part.page.wait_for_function("() => fake.state.engaged === true")


def test_a_pointer_that_was_left_on_the_buttons_holds_no_clip_back_for_ever(player: Open) -> None:
    part = player({"_actions": list(ACTIONS)})
    part.page.clock.install()
    named(part, "Remix").hover()
    part.page.wait_for_function("() => fake.state.engaged === true")
    part.page.clock.run_for(10_001)
    assert part.trait("engaged") is False


def test_who_types_in_one_view_stays_busy_whatever_another_view_of_the_player_does(player: Open) -> None:
    part = player({"_actions": list(ACTIONS)})
    part.root.get_by_label("Note").focus()
    part.wait_for_trait("engaged", True)
    part.render_again()
    assert part.trait("engaged") is True
    second = part.page.locator(".vidnb-root").nth(1)
    second.get_by_role("button", name="Remix").hover()
    second.locator(".vidnb-stage").hover()
    assert part.trait("engaged") is True
    assert part.saved()[-1]["engaged"] is True
    part.root.get_by_label("Speed", exact=True).focus()
    assert part.trait("engaged") is False


def test_the_end_frees_everything_though_the_kernel_can_be_told_nothing_any_more(
    widget_page: Open, clip: Clip, video: bytes
) -> None:
    part = widget_page(Player, state(clip, video=None))
    part.say("video", {"id": clip.job.id, "part": 0, "parts": 1}, [video])
    expect(part.root).to_have_attribute("data-state", "ready")
    part.root.get_by_label("Note").focus()
    part.wait_for_trait("engaged", True)
    part.page.evaluate("() => { fake.model.save_changes = () => { throw new Error('Comm is closed'); }; }")
    assert part.end() == 0
    assert {name: part.counts()[name] for name in ("blobs", "ears")} == {"blobs": 0, "ears": 0}


def test_the_recipe_is_copied_as_code(player: Open, clip: Clip) -> None:
    part = player()
    part.page.evaluate("() => { navigator.clipboard.writeText = async (text) => { window.copied = text; }; }")
    named(part, "Copy recipe").click()
    expect(named(part, "Copied")).to_be_visible()
    assert part.page.evaluate("() => copied") == clip_facts(clip)["code"]


def test_where_the_page_may_not_copy_the_recipe_is_shown_selected(player: Open, clip: Clip) -> None:
    part = player()
    part.page.evaluate("() => { navigator.clipboard.writeText = async () => { throw new Error('denied'); }; }")
    named(part, "Copy recipe").click()
    expect(part.root.get_by_label("Recipe as Python code")).to_have_value(clip_facts(clip)["code"])
    assert part.page.evaluate("() => getSelection().toString()") == clip_facts(clip)["code"]


@pytest.mark.parametrize(("origin", "word"), [({"replays": True, "imported": True}, "REPLAYED"),
                                              ({"imported": True}, "IMPORTED")])  # fmt: skip
def test_a_clip_that_came_with_a_bundle_says_so(
    player: Open, origin: dict[str, bool], word: str
) -> None:
    part = player(marks=list(job(emulated=False, **origin).marks))
    expect(part.root.locator(".vidnb-badge")).to_have_text([word])


def test_the_caption_says_what_a_saved_notebook_says(player: Open) -> None:
    text = player(nsfw=True).root.inner_text()
    for words in ("a koala in a meadow", "Motion 2.0 (API v2)", "seed 7", "EMULATED", "NSFW"):
        assert words in text
    assert "$0.12 (emulated, not charged) · took 41 s · 320×180 px · 1 s · 24 fps · " in text
    assert "job 01234567" in text


# -- rating, tags, note ------------------------------------------------------------------------------------------------


def test_a_rating_is_kept_cleared_and_set_by_keys(player: Open) -> None:
    part = player()
    part.root.locator(".vidnb-stars label").nth(3).click()
    assert part.wait_for_sent("annotate") == [{"kind": "annotate", "id": job().id, "rating": 4}]
    part.say("annotated", {"id": job().id, "names": ["rating"], "problem": ""})
    expect(part.root.get_by_text("saved", exact=True)).to_be_visible()
    part.root.get_by_role("radio", name="4 stars").focus()
    part.page.keyboard.press("ArrowRight")
    assert part.wait_for_sent("annotate", 2)[-1]["rating"] == 5
    named(part, "Clear the rating").click()
    assert part.wait_for_sent("annotate", 3)[-1]["rating"] is None
    expect(part.root.get_by_role("radio", name="5 stars")).not_to_be_checked()


def test_tags_are_added_by_enter_once_each_and_removed(player: Open) -> None:
    part = player(tags=["keeper"])
    box = part.root.get_by_label("Add a tag")
    box.fill("koala, keeper")
    box.press("Enter")
    assert part.wait_for_sent("annotate")[-1]["tags"] == ["keeper", "koala"]
    expect(box).to_have_value("")
    named(part, "Remove tag keeper").click()
    assert part.wait_for_sent("annotate", 2)[-1]["tags"] == ["koala"]


def test_a_note_is_kept_after_a_pause_and_when_the_clip_changes(player: Open, clip: Clip) -> None:
    part = player()
    note = part.root.get_by_label("Note")
    note.fill("the light!")
    assert part.wait_for_sent("annotate") == [{"kind": "annotate", "id": job().id, "note": "the light!"}]
    note.fill("the light is good")
    part.set(_shown=clip_facts(clip) | {"id": "f" * 32, "video": "data/clip 1.mp4", "note": "another"})
    assert part.sent("annotate")[-1] == {"kind": "annotate", "id": job().id, "note": "the light is good"}
    expect(note).to_have_value("another")


@pytest.mark.parametrize("field", ["Note", "Add a tag"])
def test_the_kernel_knows_while_somebody_types(player: Open, field: str) -> None:
    part = player()
    part.root.get_by_label(field).focus()
    part.wait_for_trait("engaged", True)
    part.root.get_by_label("Speed", exact=True).focus()
    part.wait_for_trait("engaged", False)


def test_a_fresh_row_does_not_disturb_typing_or_the_playhead(player: Open, clip: Clip) -> None:
    part = player()
    part.say("seek", {"time_s": 0.5})
    at_frame(part, 12)
    part.root.get_by_label("Note").press_sequentially("half a wo")
    part.set(_shown=clip_facts(clip) | {"video": "data/clip 1.mp4", "rating": 3, "note": ""})
    expect(part.root.get_by_label("Note")).to_have_value("half a wo")
    expect(part.root.get_by_role("radio", name="3 stars")).to_be_checked()
    at_frame(part, 12)
    assert len(part.asked) == len({*part.asked}), "the video was not loaded again"


def test_a_failure_to_save_is_shown_and_can_be_tried_again(player: Open) -> None:
    part = player()
    part.root.locator(".vidnb-stars label").nth(0).click()
    part.wait_for_sent("annotate")
    part.say("annotated", {"id": job().id, "names": ["rating"], "problem": "StoreError: the disk is full"})
    expect(part.root.get_by_text("Not saved: StoreError: the disk is full")).to_be_visible()
    named(part, "Try again").click()
    assert part.wait_for_sent("annotate", 2)[-1]["rating"] == 1


# -- safety, access, leaks ---------------------------------------------------------------------------------------------


def test_hostile_text_is_shown_as_text(player: Open) -> None:
    words = dict.fromkeys(("prompt", "whole", "model", "note", "code"), HOSTILE)
    part = player(**words, params=[["seed", HOSTILE]], outcome=[HOSTILE], tags=[HOSTILE])
    part.say("annotated", {"id": job().id, "names": [], "problem": HOSTILE})
    part.set(problem=HOSTILE)
    assert part.root.locator("img").count() == 1, "the poster alone"
    assert part.page.title() == "vidnb"
    expect(part.root.get_by_label("Note")).to_have_value(HOSTILE)


def test_no_clip_is_a_quiet_place_and_a_clip_can_go_away_again(player: Open) -> None:
    part = player()
    part.set(_shown={})
    expect(part.root.get_by_text("No clip yet")).to_be_visible()
    expect(part.root).to_have_attribute("data-state", "empty")
    part.root.press(".")
    assert part.audit() == []


def test_switching_between_two_clips_200_times_leaves_nothing_behind(player: Open, clip: Clip) -> None:
    part = player({"_actions": list(ACTIONS)}, tags=["keeper"])
    told = clip_facts(clip) | {"tags": ["x"]}
    both = [told | {"id": "a" * 32, "video": "data/clip 1.mp4"}, told | {"id": "b" * 32, "video": None}]
    poster = clip.poster

    def switch(times: int) -> None:
        for number in range(times):
            part.set(_shown=both[number % 2])
            part.say("poster", {"id": both[number % 2]["id"]}, [poster])

    switch(20)
    before = part.counts()
    switch(200)
    after = part.counts()
    assert after["blobs"] == before["blobs"] == 1, "the poster that is shown"
    assert after["ears"] == before["ears"]
    assert after["listeners"] <= before["listeners"] + 4
    assert after["nodes"] <= before["nodes"] + 100, "one caption more may wait for the collector"
    assert part.end() == 0
    assert {name: part.counts()[name] for name in ("blobs", "ears")} == {"blobs": 0, "ears": 0}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 860])
def test_every_control_is_named_readable_and_inside_the_cell(
    player: Open, clip: Clip, width: int, theme: Theme
) -> None:
    told = {"has_audio": True, "tags": ["keeper", "koala"], "rating": 4, "note": "the light!", "nsfw": True}
    part = player({"_actions": list(ACTIONS), "_flashes": {"id": clip.job.id, "flashes": True}}, width, theme, **told)
    part.say("poster", {"id": clip.job.id}, [clip.poster])
    part.root.get_by_role("button", name="Keys").click()
    position(part).focus()
    for key in ("ArrowRight", "ArrowRight", "a", "PageUp", "PageUp", "PageUp", "b"):
        part.page.keyboard.press(key)
    part.shot(f"player-{theme}-{width}")
    assert part.audit() == []
    part.set(unavailable={"end_frame": "Veo 3 takes no end image. These do: Veo 3.1, Kling 2.5 Turbo and 19 more."})
    named(part, "Frame as end").click(force=True)
    part.shot(f"player-unavailable-{theme}-{width}")
    part.page.evaluate(CLICK_AT_ONCE, [".vidnb-stars label", clip_facts(clip) | told | {"id": OTHER}])
    part.shot(f"player-missed-{theme}-{width}")
    assert part.audit() == []
    wide = part.page.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide[0] <= wide[1]
