"""The strip of recent clips in a browser: how little of it there is, and what a hand, a key and a new clip do to it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, expect
from widgetpage import Theme, WidgetPage

from vidnb.emulator.clips import Scene, render
from vidnb.widgets.recent import FIRST_CLIPS, PAGE_CLIPS, Recent

Open = Callable[..., WidgetPage]

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
MOST_TILES = 20
"""What fits into 860 px, with what is kept around it."""
POSTERS_KEPT = 240


@pytest.fixture(scope="session")
def video() -> bytes:
    return render(Scene("leonardo/motion_2.0", "a koala", seed=7, width_px=320, height_px=192, duration_s=2))


def poster(place: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (240, 135), f"hsl({place * 47 % 360}, 45%, 50%)").save(file, "WEBP", quality=40)
    return file.getvalue()


def clip(place: int, **changes: Any) -> dict[str, Any]:
    """The facts of the clip that stood at this place when the list was read."""
    return {
        "id": f"{place:032x}", "model": "Motion 2.0", "prompt": f"a koala in meadow {place}",
        "seed": str(place), "params": [["seed", str(place)]],
        "take": 0, "duration_s": 5.0, "width_px": 320, "height_px": 192, "marks": [],
        "nsfw": False, "rating": 0, "path": f"clips/{place}.mp4", **changes,
    }  # fmt: skip


def traits(count: int, **changes: Any) -> dict[str, Any]:
    own = {"words": "", "_list": 1, "_chosen": "", "_marked": [], "_can_compare": False}
    return {**own, "count": count, "_first": [clip(place) for place in range(min(count, FIRST_CLIPS))], **changes}


def answer(shown: WidgetPage, since: int = 0) -> None:
    """Answer what was asked for, from the message with this number on, as the kernel does."""
    for message in shown.sent()[since:]:
        if message["kind"] == "page":
            places = range(message["start"], min(message["start"] + PAGE_CLIPS, shown.trait("count")))
            facts = [clip(place) for place in places]
            shown.say("page", {"list": shown.trait("_list"), "start": message["start"], "facts": facts})
        elif message["kind"] == "posters":
            shown.say("posters", {"ids": message["ids"]}, [poster(int(one, 16)) for one in message["ids"]])


def tiles(shown: WidgetPage) -> Locator:
    return shown.root.get_by_role("option")


def tile(shown: WidgetPage, place: int) -> Locator:
    return shown.root.locator(f"[role=option][data-place='{place}']")


def scroll_to(shown: WidgetPage, place: int) -> None:
    script = "(strip, left) => strip.scrollTo({ left, behavior: 'instant' })"
    shown.root.get_by_role("listbox").evaluate(script, place * 172)


def at_rest(shown: WidgetPage, kind: str, count: int) -> list[dict[str, Any]]:
    return shown.wait_for_sent(kind, count)


# -- ten thousand ------------------------------------------------------------------------------------------------------


def test_ten_thousand_clips_are_a_dozen_tiles_and_few_messages(widget_page: Open) -> None:
    shown = widget_page(Recent, traits(10_000))
    at_rest(shown, "posters", 1)
    assert tiles(shown).count() <= MOST_TILES
    assert shown.sent("page") == []
    expect(shown.root).to_contain_text("10,000 clips")

    scroll_to(shown, 5_000)
    assert at_rest(shown, "page", 1) == [{"kind": "page", "start": 4_980}]
    answer(shown)
    expect(tile(shown, 5_000)).to_have_attribute("aria-label", "clip of Motion 2.0, seed 5000: a koala in meadow 5000")
    assert tiles(shown).count() <= MOST_TILES
    wanted = at_rest(shown, "posters", 2)[1]["ids"]
    assert len(wanted) <= MOST_TILES
    assert all(abs(int(one, 16) - 5_000) < MOST_TILES for one in wanted)


def test_passing_by_asks_for_nothing(widget_page: Open) -> None:
    shown = widget_page(Recent, traits(10_000))
    at_rest(shown, "posters", 1)
    script = """async strip => {
        for (let left = 0; left < 1_600_000; left += 40_000) {
            strip.scrollTo({ left, behavior: "instant" });
            await new Promise(requestAnimationFrame);
        }
    }"""
    shown.root.get_by_role("listbox").evaluate(script)
    at_rest(shown, "page", 1)
    assert len(shown.sent("page")) <= 2
    assert tiles(shown).count() <= MOST_TILES


def test_posters_that_are_far_away_are_given_back_and_asked_for_again(widget_page: Open) -> None:
    shown = widget_page(Recent, traits(10_000))
    at_rest(shown, "posters", 1)
    answer(shown)
    for step in range(1, 26):
        before = len(shown.sent())
        scroll_to(shown, step * PAGE_CLIPS + 20)
        at_rest(shown, "page", step)
        answer(shown, before)
        at_rest(shown, "posters", step + 1)
        answer(shown, before + 1)
    assert shown.counts()["blobs"] <= POSTERS_KEPT
    scroll_to(shown, 0)
    assert clip(0)["id"] in at_rest(shown, "posters", 27)[-1]["ids"]
    assert len(shown.sent("page")) == 25, "what was told of a clip is kept"


def test_an_answer_to_an_older_list_is_not_taken(widget_page: Open) -> None:
    shown = widget_page(Recent, traits(200))
    scroll_to(shown, 100)
    at_rest(shown, "page", 1)
    shown.say("page", {"list": 0, "start": 60, "facts": [clip(at, prompt="stale") for at in range(60, 120)]})
    expect(shown.root).not_to_contain_text("stale")
    at_rest(shown, "page", 2)
    answer(shown)
    expect(tile(shown, 100)).to_have_attribute("aria-label", "clip of Motion 2.0, seed 100: a koala in meadow 100")


# -- keys and hands ----------------------------------------------------------------------------------------------------


def test_arrow_keys_walk_and_only_one_tile_is_reached_by_tab(widget_page: Open) -> None:
    shown = widget_page(Recent, traits(500))
    answer(shown)
    assert shown.root.locator("[role=option][tabindex='0']").count() == 1
    tile(shown, 0).focus()
    keys = {
        "ArrowRight": 1,
        "PageDown": 6,
        "ArrowLeft": 5,
        "End": 499,
        "PageUp": 494,
        "Home": 0,
        "Control+ArrowRight": 1,
    }
    for key, place in keys.items():
        shown.page.keyboard.press(key)
        expect(tile(shown, place)).to_be_focused()
        expect(tile(shown, place)).to_be_in_viewport()
        expect(tile(shown, place)).to_have_attribute("aria-posinset", str(place + 1))
    shown.page.keyboard.press("Enter")
    assert shown.sent("choose") == [{"kind": "choose", "id": clip(1)["id"]}]
    expect(tile(shown, 1)).to_have_attribute("aria-current", "true")
    assert shown.root.locator("[role=option][tabindex='0']").count() == 1


def test_a_click_picks_and_picks_again(widget_page: Open) -> None:
    shown = widget_page(Recent, traits(3))
    for _ in range(2):
        tile(shown, 1).click()
    assert shown.sent("choose") == [{"kind": "choose", "id": clip(1)["id"]}] * 2


def test_marking_moves_no_tile_and_seeds_are_shown_whole(widget_page: Open) -> None:
    first = [clip(0, seed="1806320450"), clip(1, seed="2147483637")]
    shown = widget_page(Recent, traits(2, _first=first), width=500)
    seed = shown.root.get_by_text("seed 1806320450")
    assert seed.evaluate("e => e.scrollWidth <= e.clientWidth")
    before = tile(shown, 0).bounding_box()
    shown.set(_marked=[clip(0)["id"], clip(1)["id"]])
    expect(shown.root.get_by_role("button", name="Compare 2")).to_be_visible()
    assert tile(shown, 0).bounding_box() == before


def test_several_are_marked_by_box_by_keys_and_by_a_range(widget_page: Open) -> None:
    shown = widget_page(Recent, traits(10))
    tile(shown, 1).hover()
    tile(shown, 1).locator(".vidnb-mark").click()
    tile(shown, 3).click(modifiers=["Control"])
    tile(shown, 5).click(modifiers=["Shift"])
    shown.page.keyboard.press("ArrowRight")
    shown.page.keyboard.press(" ")
    chosen = [message["ids"] for message in shown.sent("select")]
    assert [int(one, 16) for one in chosen[-1]] == [1, 3, 4, 5, 6]
    assert shown.sent("choose") == []
    expect(tile(shown, 4)).to_have_attribute("aria-selected", "true")
    expect(shown.root.get_by_role("button", name="Compare 5")).to_be_enabled()
    shown.page.keyboard.press("Escape")
    assert shown.sent("select")[-1]["ids"] == []
    expect(shown.root.get_by_role("button", name="Compare")).to_have_count(0)


def test_what_the_kernel_picks_and_marks_is_shown(widget_page: Open) -> None:
    shown = widget_page(Recent, traits(3))
    shown.set(_chosen=clip(2)["id"], _marked=[clip(0)["id"]])
    expect(tile(shown, 2)).to_have_attribute("aria-current", "true")
    expect(tile(shown, 0)).to_have_attribute("aria-selected", "true")
    expect(shown.root.get_by_role("button", name="1 selected")).to_be_disabled()


def test_words_in_the_filter_reach_the_kernel_and_a_new_list_is_taken(widget_page: Open) -> None:
    shown = widget_page(Recent, traits(500))
    scroll_to(shown, 100)
    box = shown.root.get_by_label("Filter by prompt, tag or note")
    expect(box).to_have_attribute("placeholder", "Filter: prompt, tag, note")
    box.fill("fox")
    shown.wait_for_trait("words", "fox")
    shown.set(count=1, _list=2, _first=[clip(7, prompt="a fox")])
    expect(tiles(shown)).to_have_count(1)
    expect(shown.root).to_contain_text("1 clip")
    shown.set(count=0, _list=3, _first=[])
    expect(shown.root).to_contain_text("No clip has these words in its prompt, tags or note.")


# -- a new clip --------------------------------------------------------------------------------------------------------


def test_a_new_clip_comes_first_where_the_view_is_at_the_start(widget_page: Open) -> None:
    shown = widget_page(Recent, traits(3))
    shown.say("added", {"list": 2, "facts": clip(900, prompt="the newest", rating=4, marks=["EMULATED"])})
    expect(tile(shown, 0)).to_have_attribute(
        "aria-label", "clip of Motion 2.0, seed 900: the newest (emulated, rated 4 of 5)"
    )
    expect(tile(shown, 1)).to_have_attribute("aria-label", "clip of Motion 2.0, seed 0: a koala in meadow 0")
    expect(shown.root).to_contain_text("4 clips")
    shown.set(count=4, _list=2, _first=[clip(900, prompt="the newest")])
    expect(tiles(shown)).to_have_count(4)


def test_a_new_clip_moves_neither_the_view_nor_the_keyboard(widget_page: Open) -> None:
    shown = widget_page(Recent, traits(200))
    answer(shown)
    scroll_to(shown, 15)
    tile(shown, 16).focus()
    label = tile(shown, 16).get_attribute("aria-label")
    before = tile(shown, 16).bounding_box()
    for number in (2, 3):
        shown.say("added", {"list": number, "facts": clip(900 + number)})
    focused = shown.root.locator("[role=option]:focus")
    expect(focused).to_have_attribute("data-place", "18")
    assert focused.get_attribute("aria-label") == label
    assert focused.bounding_box() == before
    shown.root.get_by_role("button", name="2 clips new: go to the newest").click()
    expect(tile(shown, 0)).to_be_focused()
    expect(tile(shown, 0)).to_have_attribute("aria-label", "clip of Motion 2.0, seed 903: a koala in meadow 903")


def test_a_new_rating_is_seen_at_once(widget_page: Open) -> None:
    shown = widget_page(Recent, traits(3))
    shown.say("changed", {"list": 1, "facts": clip(1, rating=5)})
    expect(tile(shown, 1)).to_contain_text("★★★★★")


# -- playing -----------------------------------------------------------------------------------------------------------


def hover(shown: WidgetPage, place: int, *, flashes: bool) -> None:
    """Rest the pointer on a tile and answer what the page asks before it plays."""
    count = len(shown.sent("video"))
    tile(shown, place).hover()
    shown.wait_for_sent("video", count + 1)
    shown.say("video", {"id": clip(place)["id"], "flashes": flashes})


def test_a_clip_plays_muted_on_hover_and_stops_after_it(widget_page: Open, video: bytes) -> None:
    shown = widget_page(Recent, traits(3))
    shown.served["clips/1.mp4"] = video
    hover(shown, 1, flashes=False)
    preview = tile(shown, 1).locator("video")
    expect(preview).to_have_count(1)
    shown.page.wait_for_function("() => document.querySelector('.vidnb-preview')?.currentTime > 0.1")
    assert preview.evaluate("video => video.muted") is True
    tile(shown, 2).hover()
    expect(preview).to_have_count(0)


def test_a_clip_plays_when_the_keyboard_comes_to_it(widget_page: Open, video: bytes) -> None:
    shown = widget_page(Recent, traits(3))
    shown.served["clips/1.mp4"] = video
    tile(shown, 0).focus()
    shown.page.keyboard.press("ArrowRight")
    shown.wait_for_sent("video", 1)
    shown.say("video", {"id": clip(1)["id"], "flashes": False})
    expect(tile(shown, 1).locator("video")).to_have_count(1)


def test_a_flashing_clip_and_one_of_which_nothing_is_known_never_play_by_themselves(
    widget_page: Open, video: bytes
) -> None:
    shown = widget_page(Recent, traits(3))
    shown.served |= {"clips/0.mp4": video, "clips/1.mp4": video}
    hover(shown, 1, flashes=True)
    tile(shown, 0).hover()
    shown.wait_for_sent("video", 2)
    shown.say("video", {"id": clip(0)["id"], "error": "the file is gone"})
    tile(shown, 2).hover()
    shown.wait_for_sent("video", 3)
    assert shown.root.locator("video").count() == 0
    assert shown.asked == []


def test_nothing_plays_where_the_person_asked_for_less_motion(widget_page: Open) -> None:
    shown = widget_page(Recent, traits(3))
    shown.page.emulate_media(reduced_motion="reduce")
    tile(shown, 1).hover()
    tile(shown, 2).click()
    shown.wait_for_sent("choose", 1)
    assert shown.sent("video") == []


def test_without_a_server_the_kernel_sends_the_bytes_and_they_are_given_back(widget_page: Open, video: bytes) -> None:
    shown = widget_page(Recent, traits(3, _first=[clip(at, path=None) for at in range(3)]))
    hover(shown, 1, flashes=False)
    assert shown.wait_for_sent("video", 2)[1] == {"kind": "video", "id": clip(1)["id"], "bytes": True}
    half = len(video) // 2
    for part, piece in ((1, video[half:]), (0, video[:half])):
        assert shown.root.locator("video").count() == 0
        shown.say("video", {"id": clip(1)["id"], "flashes": False, "part": part, "parts": 2}, [piece])
    shown.page.wait_for_function("() => document.querySelector('.vidnb-preview')?.currentTime > 0.1")
    held = shown.counts()["blobs"]
    tile(shown, 2).hover()
    expect(shown.root.locator("video")).to_have_count(0)
    assert shown.counts()["blobs"] == held - 1
    assert shown.sent("enough") == []


def test_a_pointer_that_goes_on_says_that_the_bytes_are_no_longer_wanted(widget_page: Open, video: bytes) -> None:
    shown = widget_page(Recent, traits(3, _first=[clip(at, path=None) for at in range(3)]))
    hover(shown, 1, flashes=False)
    shown.wait_for_sent("video", 2)
    half = len(video) // 2
    told = {"id": clip(1)["id"], "flashes": False, "parts": 2}
    shown.say("video", {**told, "part": 0}, [video[:half]])
    shown.root.get_by_label("Filter").hover()
    assert shown.wait_for_sent("enough") == [{"kind": "enough", "id": clip(1)["id"]}]
    shown.say("video", {**told, "part": 1}, [video[half:]])
    tile(shown, 1).hover()
    shown.wait_for_sent("video", 3)
    shown.say("video", {**told, "part": 1}, [video[half:]])
    assert shown.root.locator("video").count() == 0, "a half of the time before is not taken for the other"
    shown.say("video", {**told, "part": 0}, [video[:half]])
    shown.page.wait_for_function("() => document.querySelector('.vidnb-preview')?.currentTime > 0.1")
    assert shown.problems() == []


# -- comparing ---------------------------------------------------------------------------------------------------------


def compare(shown: WidgetPage, video: bytes, places: tuple[int, ...] = (0, 1), flashes: bool = False) -> Locator:
    for place in places:
        shown.served[f"clips/{place}.mp4"] = video
    shown.set(_marked=[clip(place)["id"] for place in places])
    shown.root.get_by_role("button", name=f"Compare {len(places)}").click()
    for place in places:
        shown.say("video", {"id": clip(place)["id"], "flashes": flashes})
    return shown.root.get_by_role("region", name="Comparison")


def every(condition: str) -> str:
    """A script that says whether this is so of every video of the comparison."""
    return f"() => [...document.querySelectorAll('figure video')].every((video) => {condition})"


def test_compare_plays_the_marked_clips_together_with_one_bar_for_all(widget_page: Open, video: bytes) -> None:
    shown = widget_page(Recent, traits(3))
    row = compare(shown, video)
    expect(row).to_have_attribute("data-state", "ready")
    expect(row.locator("figcaption").nth(1)).to_contain_text("seed 1")
    shown.page.wait_for_function(every("!video.paused && video.currentTime > 0.3 && video.muted"))
    row.get_by_role("button", name="Pause all").click()
    times = "videos => videos.map((video) => video.currentTime)"
    shown.page.wait_for_function(every("video.paused && !video.seeking"))
    first, second = row.locator("video").evaluate_all(times)
    assert abs(first - second) < 0.06
    row.get_by_label("Position in all clips").fill("1.5")
    assert row.locator("video").evaluate_all(times) == [1.5, 1.5]
    shown.page.keyboard.press("Escape")
    expect(row).to_have_count(0)
    expect(shown.root.get_by_role("button", name="Compare 2")).to_be_focused()


def test_clips_that_flash_wait_for_a_person_to_press_play(widget_page: Open, video: bytes) -> None:
    shown = widget_page(Recent, traits(3))
    row = compare(shown, video, flashes=True)
    expect(row).to_have_attribute("data-state", "ready")
    expect(row.locator("figcaption").first).to_contain_text("flashes")
    assert row.locator("video").evaluate_all("videos => videos.every((video) => video.paused)")
    row.get_by_role("button", name="Play all").click()
    shown.page.wait_for_function(every("video.currentTime > 0.1"))


def test_one_clip_that_cannot_be_played_does_not_stop_the_others(widget_page: Open, video: bytes) -> None:
    shown = widget_page(Recent, traits(3, _marked=[clip(0)["id"], clip(1)["id"]]))
    shown.served["clips/0.mp4"] = video
    shown.root.get_by_role("button", name="Compare 2").click()
    row = shown.root.get_by_role("region", name="Comparison")
    shown.say("video", {"id": clip(0)["id"], "flashes": False})
    asked = shown.wait_for_sent("video", 3)
    assert asked[-1] == {"kind": "video", "id": clip(1)["id"], "bytes": True}
    shown.say("video", {"id": clip(1)["id"], "error": f"the file is gone {HOSTILE}"})
    expect(row.locator("figcaption").nth(1)).to_contain_text("cannot be played here")
    row.get_by_role("button", name="Play all").click()
    shown.page.wait_for_function("() => document.querySelector('figure video').currentTime > 0.1")


def test_compare_hands_over_where_somebody_takes_it(widget_page: Open) -> None:
    shown = widget_page(Recent, traits(3, _can_compare=True, _marked=[clip(0)["id"], clip(2)["id"]]))
    shown.root.get_by_role("button", name="Compare 2").click()
    assert shown.sent("compare") == [{"kind": "compare"}]
    assert shown.root.locator("video").count() == 0


def test_drift_is_nudged_and_only_a_large_one_jumps(widget_page: Open) -> None:
    shown = widget_page(Recent, traits(0))
    found = shown.page.evaluate("() => [0.02, 0.1, -0.1, -0.06, 0.7].map((ahead) => part.nudge(ahead))")
    assert found == [
        {"rate": 1, "jump": False}, {"rate": 0.9, "jump": False}, {"rate": 1.1, "jump": False},
        {"rate": 1, "jump": False}, {"rate": 1, "jump": True},
    ]  # fmt: skip


# -- for everybody -----------------------------------------------------------------------------------------------------


def test_hostile_words_are_shown_as_words(widget_page: Open) -> None:
    told = [clip(0, prompt=HOSTILE, model=f"leonardo/{HOSTILE}", seed=HOSTILE), {"id": "1" * 32}]
    shown = widget_page(Recent, traits(2, _first=told, words=HOSTILE, problem=HOSTILE))
    expect(tile(shown, 0)).to_contain_text("<img src=x")
    expect(tile(shown, 1)).to_contain_text("no longer there")
    assert shown.page.title() == "vidnb"
    assert shown.root.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 860])
def test_nothing_serious_is_found_by_the_audit_and_nothing_overflows(
    widget_page: Open, video: bytes, theme: Theme, width: int
) -> None:
    mark = {False: ["EMULATED"], True: []}
    told = [clip(at, marks=mark[at == 2], nsfw=at == 1, rating=at % 6, prompt=f"koala {at}") for at in range(24)]
    shown = widget_page(Recent, traits(128, _first=told, _chosen=clip(0)["id"]), width=width, theme=theme)
    at_rest(shown, "posters", 1)
    answer(shown)
    shown.say("posters", {"ids": [clip(0)["id"], clip(1)["id"]]}, [_poster_of(video)] * 2)
    shown.shot(f"recent-{theme}-{width}")
    assert shown.audit() == []
    row = compare(shown, video, (0, 1))
    expect(row).to_have_attribute("data-state", "ready")
    row.get_by_role("button", name="Pause all").click()
    shown.shot(f"recent-compare-{theme}-{width}")
    assert shown.audit() == []
    assert shown.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def _poster_of(video: bytes) -> bytes:
    import av

    with av.open(io.BytesIO(video), mode="r") as container:
        image = next(container.decode(video=0)).to_image()
    file = io.BytesIO()
    image.resize((240, 144)).save(file, "WEBP", quality=50)
    return file.getvalue()


def test_an_empty_folder_says_what_will_be_here(widget_page: Open) -> None:
    shown = widget_page(Recent, traits(0))
    expect(shown.root).to_contain_text("No clips yet. They appear here as they are made.")
    shown.shot("recent-empty")
    assert shown.audit() == []


def test_the_end_leaves_nothing_behind(widget_page: Open, video: bytes) -> None:
    shown = widget_page(Recent, traits(200))
    at_rest(shown, "posters", 1)
    answer(shown)

    def come_and_go() -> dict[str, int]:
        before = len(shown.sent())
        shown.render_again()
        shown.page.wait_for_function("count => fake.sent.length > count", arg=before)
        answer(shown, before)
        assert shown.end() == 0
        return shown.counts()

    rounds = [come_and_go() for _ in range(10)]
    for kept in ("blobs", "ears"):
        assert len({counts[kept] for counts in rounds}) == 1
    for held in ("listeners", "nodes"):  # the browser may hold a view for a round or two, not each of them
        assert min(counts[held] for counts in rounds[-4:]) <= max(counts[held] for counts in rounds[:3]) + 3
