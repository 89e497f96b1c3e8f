"""The blind vote in a browser: both clips at once and in step, keys, no names, the result, narrow and dark."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect
from widgetpage import WidgetPage

from vidnb.emulator.clips import Scene, render
from vidnb.widgets.vote import Vote

Open = Callable[..., WidgetPage]
HEAD = {
    "question": "Which one <b>moves</b> more naturally?", "prompt": "a lighthouse in a storm", "marks": ["EMULATED"],
    "voter": "Anna", "wanted": 30,
}  # fmt: skip
CLIP = {"width": 640, "height": 360, "seconds": 2.0, "fps": 24.0, "cut": 0.088, "waits": False}
ROWS = [
    {"item": "Motion 2.0 <i>Fast</i>", "won": 15, "even": 3, "lost": 3, "strength": 1.2, "low": 0.7, "high": 1.8},
    {"item": "Motion 2.0", "won": 6, "even": 4, "lost": 11, "strength": -0.4, "low": -0.9, "high": 0.2},
    {"item": "Veo 3.1 Lite", "won": 5, "even": 3, "lost": 12, "strength": -0.8, "low": -1.4, "high": -0.1},
]
RESULT = {
    "first": "Motion 2.0 Fast wins.", "rest": "Motion 2.0 and Veo 3.1 Lite cannot be told apart by these votes.",
    "side": "Clip 1 was taken 13 times of 26, so no habit for a side.", "rows": ROWS, "counted": "31 votes by 3 people",
    "by": "Model", "circle": False,
}  # fmt: skip
IN_STEP = """() => {
    const [a, b] = document.querySelectorAll('video');
    return !a.paused && !b.paused && a.currentTime > 0.3 && Math.abs(a.currentTime - b.currentTime) < 0.1;
}"""


@pytest.fixture(scope="session")
def video() -> bytes:
    return render(Scene("leonardo/motion_2.0", "a lighthouse", seed=7, width_px=640, height_px=360, duration_s=2))


def open_vote(
    widget_page: Open, video: bytes, *, votes: int = 17, width: int = 860, theme: str = "light"
) -> WidgetPage:
    shown = widget_page(Vote, {"votes": votes, "_head": HEAD}, width=width, theme=theme)
    shown.served |= {"clips/a.mp4": video, "clips/b.mp4": video}
    shown.wait_for_sent("begin")
    return shown


def show_pair(shown: WidgetPage, number: int = 1, said: str = "", **changes: Any) -> None:
    clips = [{**CLIP, "path": f"clips/{name}.mp4", **changes} for name in "ab"]
    shown.say("pair", {"number": number, "clips": clips, "said": said})
    expect(shown.root).to_have_attribute("data-state", "ready")


def at_rest(shown: WidgetPage) -> None:
    shown.page.wait_for_timeout(450)  # a press that comes sooner is not for this pair


def test_both_play_in_step_and_nothing_names_them(widget_page: Open, video: bytes) -> None:
    shown = open_vote(widget_page, video)
    show_pair(shown)
    shown.page.wait_for_function(IN_STEP)
    text = shown.page.locator("body").inner_html()
    for word in ("motion_2.0", "Motion 2.0", "seed", "leonardo"):
        assert word not in text
    expect(shown.root.get_by_text("Which one <b>moves</b> more naturally?")).to_be_visible()
    expect(shown.root.get_by_text("17 votes, about 13 to go")).to_be_visible()
    shown.set(_people=2)  # who sees that it is everybody's count is not surprised when it jumps
    expect(shown.root.get_by_text("17 votes by 2 people, about 13 to go")).to_be_visible()
    # The strip at the head of an emulated clip, which names model and seed, is outside of what is seen.
    cut = shown.page.evaluate(
        "() => [...document.querySelectorAll('video')].map((one) =>"
        " (one.parentElement.getBoundingClientRect().top - one.getBoundingClientRect().top) / one.offsetHeight)"
    )
    assert cut == pytest.approx([0.088, 0.088], abs=0.005)
    assert shown.audit() == []
    shown.shot("vote-light")


def test_keys_answer_and_a_second_press_does_not_vote(widget_page: Open, video: bytes) -> None:
    shown = open_vote(widget_page, video)
    show_pair(shown, 1)
    shown.root.focus()
    shown.page.keyboard.press("1")
    assert shown.sent("answer") == []
    at_rest(shown)
    shown.page.keyboard.press("1")
    shown.page.keyboard.press("2")
    assert shown.wait_for_sent("answer") == [{"kind": "answer", "number": 1, "answer": "1"}]
    for number, key in ((2, "2"), (3, "0")):
        show_pair(shown, number, "Noted.")
        expect(shown.root.get_by_text("Noted.").first).to_be_visible()
        at_rest(shown)
        shown.page.keyboard.press(key)
        assert shown.wait_for_sent("answer", number)[-1] == {"kind": "answer", "number": number, "answer": key}
    show_pair(shown, 4)
    shown.page.keyboard.press("Backspace")
    shown.page.keyboard.press("s")
    assert len(shown.wait_for_sent("undo")) == 1
    assert len(shown.wait_for_sent("skip")) == 1
    at_rest(shown)
    shown.page.get_by_role("button", name="No difference").click()
    assert shown.wait_for_sent("answer", 4)[-1]["answer"] == "0"


def test_space_pauses_both_on_one_frame_and_a_comma_steps(widget_page: Open, video: bytes) -> None:
    shown = open_vote(widget_page, video)
    show_pair(shown)
    shown.page.wait_for_function(IN_STEP)
    shown.root.focus()
    shown.page.keyboard.press(" ")
    shown.page.wait_for_function(
        "() => { const [a, b] = document.querySelectorAll('video');"
        " return a.paused && b.paused && a.currentTime === b.currentTime; }"
    )
    before = shown.page.evaluate("() => document.querySelector('video').currentTime")
    shown.page.keyboard.press(",")
    after = shown.page.evaluate("() => [...document.querySelectorAll('video')].map((one) => one.currentTime)")
    assert after == pytest.approx([before - 1 / 24] * 2, abs=0.01)


def test_clips_of_other_shapes_are_equally_high(widget_page: Open, video: bytes) -> None:
    shown = open_vote(widget_page, video)
    sizes = ({"width": 640, "height": 360}, {"width": 832, "height": 480})
    clips = [{**CLIP, "path": f"clips/{name}.mp4", **size} for name, size in zip("ab", sizes, strict=True)]
    shown.say("pair", {"number": 1, "clips": clips, "said": ""})
    expect(shown.root).to_have_attribute("data-state", "ready")
    high, wide = shown.page.evaluate(
        "() => ['offsetHeight', 'offsetWidth'].map((side) =>"
        " [...document.querySelectorAll('.vidnb-vote-screen')].map((one) => one[side]))"
    )
    assert high[0] == high[1] > 150
    assert wide[0] == wide[1]


def test_a_flashing_pair_waits_for_a_press(widget_page: Open, video: bytes) -> None:
    shown = open_vote(widget_page, video)
    show_pair(shown, waits=True)
    expect(shown.root.get_by_text("A clip of this pair flashes: Space plays it.")).to_be_visible()
    assert shown.page.evaluate("() => [...document.querySelectorAll('video')].every((one) => one.paused)")


def test_a_clip_that_does_not_play_is_reported_once(widget_page: Open, video: bytes) -> None:
    shown = open_vote(widget_page, video)
    shown.served["clips/b.mp4"] = b"no video"
    clips = [{**CLIP, "path": f"clips/{name}.mp4"} for name in "ab"]
    shown.say("pair", {"number": 5, "clips": clips, "said": ""})
    assert shown.wait_for_sent("broken") == [{"kind": "broken", "number": 5}]


def test_where_the_page_reaches_no_file_the_kernel_sends_both(widget_page: Open, video: bytes) -> None:
    shown = open_vote(widget_page, video)
    clips = [{**CLIP, "path": None} for _ in "ab"]
    shown.say("pair", {"number": 2, "clips": clips, "said": ""})
    assert shown.wait_for_sent("bytes") == [{"kind": "bytes", "number": 2}]
    for place in (0, 1):
        assert shown.root.get_attribute("data-state") == "loading"
        shown.say("bytes", {"id": f"2-{place}", "place": place, "part": 0, "parts": 1}, [video])
    shown.page.wait_for_function(IN_STEP)


@pytest.mark.parametrize(("width", "theme"), [(860, "light"), (340, "dark")])
def test_the_result_is_a_sentence_first_and_a_table_with_intervals(
    widget_page: Open, video: bytes, width: int, theme: str
) -> None:
    shown = open_vote(widget_page, video, votes=31, width=width, theme=theme)
    show_pair(shown)
    shown.say("enough", {"enough": True, "to_go": 0})
    expect(shown.root.get_by_text("31 votes. Enough: more votes would hardly change the order.")).to_be_visible()
    shown.page.wait_for_function(IN_STEP)
    shown.shot(f"vote-{width}-{theme}")
    shown.page.get_by_role("button", name="Show result").click()
    shown.wait_for_sent("result")
    shown.say("result", RESULT)
    expect(shown.root.get_by_text("Motion 2.0 Fast wins.")).to_be_visible()
    expect(shown.root.locator("tbody tr")).to_have_count(3)
    expect(shown.root.get_by_text("Motion 2.0 <i>Fast</i>")).to_be_visible()
    expect(shown.root.get_by_role("img", name="strength 1.2, between 0.7 and 1.8")).to_be_visible()
    assert shown.audit() == []
    shown.shot(f"vote-result-{width}-{theme}")
    shown.page.get_by_role("button", name="Vote on").click()
    expect(shown.root.get_by_role("button", name="No difference")).to_be_visible()
    assert "Motion 2.0 Fast" not in json.dumps(shown.trait("_head"))


def test_nothing_is_left_when_it_goes(widget_page: Open, video: bytes) -> None:
    shown = open_vote(widget_page, video)
    show_pair(shown)
    before = shown.counts()["ears"]
    shown.render_again()
    assert shown.end() == 0
    assert shown.counts()["ears"] == before
