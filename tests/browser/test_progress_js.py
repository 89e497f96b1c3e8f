"""A job's line in a browser: what it says of the time, what its buttons send, and what its cards ask."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect
from widgetpage import Theme, WidgetPage

from vidnb.display.labels import STATES
from vidnb.records import State
from vidnb.widgets.progress import Progress

Open = Callable[..., WidgetPage]

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
JUPYTERLAB_LISTS = """
.jp-OutputArea-output dt { font-weight: bold; float: left; width: 20%; padding: 0; margin: 0; }
.jp-OutputArea-output dd { float: left; width: 80%; padding: 0; margin: 0; }
"""
NOTE = "Leonardo.AI has no way to cancel a job; whether deleting one stops or refunds it is not documented"
EXPECTED = {"median_s": 41.0, "p90_s": 58.0, "count": 12}
BAD_FACTS = [
    ["It said", "content moderated: the prompt was blocked"],
    ["At fault", "the request"],
    ["Input", "prompt"],
    ["Charged", "no"],
    ["What to do", "change the prompt, input or value that it names, then try again"],
]
AMBIGUOUS_FACTS = [
    ["Known", "the request was sent, and the answer was lost"],
    ["At fault", "the connection, or a process that ended too early"],
    ["Charged", "nobody knows yet, so it was not sent a second time"],
]

JOB = "0123abcd"


def row(now: int, state: str = "running", ago_s: float = 12, **changes: Any) -> dict[str, Any]:
    """A row as `Progress` tells it, sent so many seconds before `now`."""
    sent = now - round(ago_s * 1000)
    return {
        "id": JOB, "state": state, "state_words": STATES[State(state)], "word": "",
        "prompt": "a koala and a cat play in a sunlit meadow",
        "model": "leonardo/motion_2.0", "seed": "7", "take": 0, "emulated": False,
        "marks": ["EMULATED"] if changes.get("emulated") else [], "made_ms": sent - 500,
        "sent_ms": None if state == "intended" else sent, "ended_ms": None, "told_ms": now, "ahead": None,
        "expected": EXPECTED, "card": None, "service": "Leonardo.AI", "can_cancel": state == "intended",
        "cancel_note": "" if state == "intended" else NOTE, "has_list": True, **changes,
    }  # fmt: skip


def state_of(**changes: Any) -> dict[str, Any]:
    traits = {"waiting": True, "dismissed": False, "_note": "", "_can_retry": False}
    return {**traits, **{name: value for name, value in changes.items() if name in traits}}


def show(
    widget_page: Open, state: str = "running", *, width: int = 860, theme: Theme = "light", **changes: Any
) -> WidgetPage:
    """The line of a job in this state, at a time at which the browser's clock stands still."""
    shown = widget_page(Progress, {"_row": {}, **state_of(**changes)}, width=width, theme=theme)
    told = {name: value for name, value in changes.items() if name not in state_of()}
    shown.set(_row=row(now_of(shown), state, **told))
    return shown


def now_of(shown: WidgetPage) -> int:
    return int(shown.page.evaluate("() => Date.now()"))


def failed(**changes: Any) -> dict[str, Any]:
    return {"card": {"headline": "The service refused the request", "tone": "bad", "facts": BAD_FACTS}, **changes}


def ambiguous(**changes: Any) -> dict[str, Any]:
    card = {"headline": "Nobody knows whether the service has this job", "tone": "warn", "facts": AMBIGUOUS_FACTS}
    return {"card": card, "waiting": False, **changes}


# -- the time ----------------------------------------------------------------------------------------------------------


def test_a_running_job_says_what_earlier_clips_tell_and_no_percentage(widget_page: Open) -> None:
    shown = show(widget_page, ago_s=12)
    expect(shown.root).to_have_attribute("data-state", "running")
    expect(shown.root).to_contain_text("about 29 s left · usually 41 s, 9 of 10 within 58 s (12 clips)")
    assert "%" not in shown.root.inner_text()
    bar = shown.root.locator(".vidnb-bar")
    expect(bar).to_have_attribute("data-kind", "expected")
    expect(bar).to_have_attribute("title", "An expectation from 12 earlier clips like it")


def test_the_time_ticks_in_the_browser_without_a_word_from_the_kernel(widget_page: Open) -> None:
    shown = show(widget_page, ago_s=5)
    expect(shown.root.locator(".vidnb-time")).to_have_text("5 s")
    expect(shown.root.locator(".vidnb-time")).to_have_text("7 s")
    assert shown.sent() == []


def test_a_kernel_whose_clock_is_wrong_changes_nothing(widget_page: Open) -> None:
    shown = show(widget_page)
    shown.set(_row=row(now_of(shown) - 3_600_000, ago_s=20))
    expect(shown.root.locator(".vidnb-time")).to_have_text("20 s")


def test_past_nine_in_ten_it_is_longer_than_usual_and_never_an_invented_rest(widget_page: Open) -> None:
    shown = show(widget_page, ago_s=50)
    expect(shown.root).to_contain_text("should be ready soon · usually 41 s")
    shown = show(widget_page, ago_s=70)
    expect(shown.root).to_contain_text("longer than usual · usually 41 s, 9 of 10 within 58 s")
    expect(shown.root.locator(".vidnb-bar")).to_have_attribute("data-kind", "late")


def test_without_earlier_clips_nothing_is_made_up(widget_page: Open) -> None:
    shown = show(widget_page, expected=None)
    expect(shown.root).to_contain_text("no earlier clips to tell from")
    expect(shown.root.locator(".vidnb-bar")).to_have_attribute("data-kind", "unknown")
    expect(shown.root).not_to_contain_text("left")


def test_words_for_few_and_many_clips(widget_page: Open) -> None:
    shown = show(widget_page)
    words = shown.page.evaluate("""() => [
        part.usualWords({ median_s: 41, p90_s: 41, count: 1 }), part.usualWords(null), part.leftWords(3, null),
        part.leftWords(40.5, { median_s: 41, p90_s: 58 }), part.aheadWords(0), part.aheadWords(1),
        part.aheadWords(null), part.wholeSpan(200.7), part.barOf(1000, { median_s: 0, p90_s: 0 }).fill]""")
    assert words == [
        "41 s the last time (1 clip)", "no earlier clips to tell from", "", "about 1 s left", "the next to be sent",
        "1 older job waits before it here", "", "3 min 20 s", 1,
    ]  # fmt: skip


# -- the buttons -------------------------------------------------------------------------------------------------------


def test_waiting_is_stopped_and_taken_up_again(widget_page: Open) -> None:
    shown = show(widget_page)
    stop = shown.root.get_by_role("button", name="Stop waiting")
    assert NOTE in (stop.get_attribute("title") or "")
    stop.click()
    expect(stop).to_be_disabled()
    shown.set(waiting=False)
    expect(shown.root).to_contain_text("Running, not waited for")
    expect(shown.root).to_contain_text("It goes on at Leonardo.AI; nobody waits for it here.")
    shown.root.get_by_role("button", name="Wait again").click()
    assert [message["kind"] for message in shown.sent()] == ["stop", "follow"]


def test_only_a_job_that_was_not_sent_offers_to_cancel(widget_page: Open) -> None:
    shown = show(widget_page, "intended", ahead=3)
    expect(shown.root).to_contain_text("3 older jobs wait before it here · usually 41 s")
    expect(shown.root.locator(".vidnb-bar")).to_be_hidden()
    shown.root.get_by_role("button", name="Cancel").click()
    assert shown.sent() == [{"kind": "cancel", "id": JOB}]
    shown.set(_row=row(now_of(shown), "queued"))
    expect(shown.root.get_by_role("button", name="Cancel")).to_have_count(0)
    shown.root.get_by_role("button", name="Details").click()
    expect(shown.root).to_contain_text(NOTE)
    expect(shown.root).to_contain_text("Leonardo.AI does not tell the place in its queue")


def test_a_button_under_the_finger_stays_while_the_queue_moves(widget_page: Open) -> None:
    shown = show(widget_page, "intended", ahead=3)
    button = shown.root.get_by_role("button", name="Cancel")
    button.hover()
    shown.page.mouse.down()
    shown.set(_row={**shown.trait("_row"), "ahead": 2, "told_ms": now_of(shown)})
    expect(shown.root).to_contain_text("2 older jobs wait")
    shown.page.mouse.up()
    assert shown.sent() == [{"kind": "cancel", "id": JOB}]


def test_another_job_in_the_same_line_begins_without_what_was_opened_or_asked(widget_page: Open) -> None:
    shown = show(widget_page, "ambiguous", **ambiguous())
    shown.root.get_by_label("id in the service's web app").fill("of the first")
    shown.root.get_by_role("button", name="Send again (may be paid twice)").click()
    shown.set(_row=row(now_of(shown), "ambiguous", id="4567cdef", **ambiguous()))
    expect(shown.root.get_by_label("id in the service's web app")).to_have_value("")
    shown.root.get_by_role("button", name="Send again (may be paid twice)").click()
    assert shown.sent("settle") == []
    shown.root.get_by_role("button", name="Give up").click()
    assert shown.sent("settle") == [{"kind": "settle", "how": "give_up", "id": "4567cdef"}]


def test_details_stay_open_and_the_keyboard_stays_where_it_was_when_the_row_changes(widget_page: Open) -> None:
    shown = show(widget_page, "queued")
    details = shown.root.get_by_role("button", name="Details")
    details.focus()
    shown.page.keyboard.press("Enter")
    shown.set(_row=row(now_of(shown), "running"))
    expect(details).to_be_focused()
    expect(details).to_have_attribute("aria-expanded", "true")
    expect(shown.root).to_contain_text("leonardo/motion_2.0")


def test_changes_of_state_are_announced_and_ticks_are_not(widget_page: Open) -> None:
    shown = show(widget_page, "queued")
    said = shown.page.locator("[role=status].vidnb-unseen")
    shown.set(_row=row(now_of(shown), "running"))
    expect(said).to_have_text("Running: a koala and a cat play in a sunlit meadow")
    script = """node => {
        window.changes = 0;
        new MutationObserver(() => changes++).observe(node, { childList: true, characterData: true, subtree: true });
    }"""
    said.evaluate(script)
    shown.set(_row=row(now_of(shown), "running", ago_s=20))
    expect(shown.root.locator(".vidnb-time")).to_have_text("21 s")
    assert shown.page.evaluate("() => window.changes") == 0


# -- the cards ---------------------------------------------------------------------------------------------------------


def test_a_failed_job_is_a_card_that_can_be_tried_again_and_put_away(widget_page: Open) -> None:
    shown = show(widget_page, "failed", **failed(waiting=False))
    for name, said in BAD_FACTS:
        expect(shown.root.locator("dt", has_text=name)).to_be_visible()
        expect(shown.root).to_contain_text(said)
    expect(shown.root.get_by_role("button", name="Try again")).to_have_count(0)
    shown.set(_can_retry=True)
    shown.root.get_by_role("button", name="Try again").click()
    shown.set(problem="no credit")
    shown.root.get_by_role("button", name="Dismiss").click()
    assert [message["kind"] for message in shown.sent()] == ["retry", "dismiss"]
    shown.set(dismissed=True)
    expect(shown.root).to_be_hidden()


def test_what_was_refused_for_its_words_is_not_offered_to_be_sent_again_as_it_is(widget_page: Open) -> None:
    shown = show(widget_page, "failed", **failed(waiting=False), again=False)
    shown.set(_can_retry=True)
    expect(shown.root.get_by_role("button", name="Dismiss")).to_be_visible()
    expect(shown.root.get_by_role("button", name="Try again")).to_have_count(0)


def test_the_words_of_a_card_stand_side_by_side_under_jupyterlabs_own_rules(widget_page: Open) -> None:
    shown = show(widget_page, "failed", width=460, **failed(waiting=False))
    shown.page.evaluate("() => document.getElementById('place').classList.add('jp-OutputArea-output')")
    shown.page.add_style_tag(content=JUPYTERLAB_LISTS)
    term, said = shown.root.locator("dt", has_text="What to do"), shown.root.locator("dd").last
    left, right = term.bounding_box(), said.bounding_box()
    assert left
    assert right
    assert left["y"] == right["y"]
    assert left["width"] > 60  # "What to do" in one line
    assert right["width"] > 300


def test_the_keyboard_goes_on_at_the_next_job_when_a_card_is_put_away(widget_page: Open) -> None:
    shown = show(widget_page, "failed", **failed(waiting=False))
    shown.page.evaluate("() => { document.getElementById('place').classList.add('vidnb'); fake.render(); }")
    dismiss = shown.page.get_by_role("button", name="Dismiss")
    expect(dismiss).to_have_count(2)
    dismiss.first.press("Enter")
    second = shown.page.locator(".vidnb-progress").nth(1)
    assert second.evaluate("e => e.contains(document.activeElement)")


SURE_MS = 600
"""So long after the first click the second one is taken for a part of it."""
STOP_CLOCK = "() => { window.passed = 0; performance.now = () => window.passed; }"
GO_ON = f"() => {{ window.passed += {SURE_MS}; }}"


def test_an_ambiguous_job_asks_and_sends_again_only_after_a_second_click(widget_page: Open) -> None:
    shown = show(widget_page, "ambiguous", **ambiguous())
    shown.page.evaluate(STOP_CLOCK)
    shown.root.get_by_role("button", name="Look in the service's list").click()
    shown.set(_note="The service's list does not settle it.")
    expect(shown.root).to_contain_text("does not settle it")
    shown.root.get_by_role("button", name="Send again (may be paid twice)").click()
    assert shown.sent("settle") == []
    again = shown.root.get_by_role("button", name="Really send again? It may be paid twice")
    expect(again).to_be_focused()
    shown.page.evaluate(GO_ON)
    again.click()
    assert shown.sent("settle") == [{"kind": "settle", "how": "send_again", "id": JOB}]


def test_a_double_click_only_asks_whether_to_send_again(widget_page: Open) -> None:
    shown = show(widget_page, "ambiguous", **ambiguous())
    shown.page.evaluate(STOP_CLOCK)
    shown.root.get_by_role("button", name="Send again (may be paid twice)").dblclick()
    again = shown.root.get_by_role("button", name="Really send again? It may be paid twice")
    expect(again).to_be_focused()
    shown.page.evaluate(GO_ON)
    again.dispatch_event("click", {"detail": 2})  # of a slow one
    assert shown.sent("settle") == []


@pytest.mark.parametrize("key", ["pointer", "Enter", "Space"])
def test_two_presses_in_a_row_only_ask_whether_to_send_again(widget_page: Open, key: str) -> None:
    shown = show(widget_page, "ambiguous", **ambiguous())
    shown.page.evaluate(STOP_CLOCK)
    for name in ("Send again (may be paid twice)", "Really send again? It may be paid twice"):
        button = shown.root.get_by_role("button", name=name)
        button.click() if key == "pointer" else button.press(key)
    assert shown.sent("settle") == []
    shown.page.evaluate(GO_ON)
    button.click()
    assert len(shown.sent("settle")) == 1


def test_a_key_that_is_held_down_only_asks_whether_to_send_again(widget_page: Open) -> None:
    shown = show(widget_page, "ambiguous", **ambiguous())
    shown.page.evaluate(STOP_CLOCK)
    shown.root.get_by_role("button", name="Send again (may be paid twice)").focus()
    for _ in range(3):
        shown.page.keyboard.down("Enter")
        shown.page.evaluate(GO_ON)
    assert shown.sent("settle") == []


def test_the_second_click_of_a_double_click_is_not_for_what_came_to_stand_there(widget_page: Open) -> None:
    shown = show(widget_page, "failed", **failed(waiting=False, _can_retry=True))
    retry = shown.root.get_by_role("button", name="Try again")
    retry.dispatch_event("click", {"detail": 1})
    shown.set(_row=row(now_of(shown), "failed", id="4567cdef", **failed()))
    retry.dispatch_event("click", {"detail": 2})
    assert shown.sent("retry") == [{"kind": "retry", "id": JOB}]


def test_a_job_that_the_service_has_is_asked_for_again_and_never_sent_again(widget_page: Open) -> None:
    shown = show(widget_page, "ambiguous", has_id=True, **ambiguous())
    expect(shown.root.get_by_role("button", name="Send again")).to_have_count(0)
    expect(shown.root.get_by_role("textbox")).to_have_count(0)
    shown.root.get_by_role("button", name="Ask the service again").click()
    shown.set(_note="it says the same")
    shown.root.get_by_role("button", name="Give up").click()
    assert [shown.sent(kind) for kind in ("follow", "settle")] == [
        [{"kind": "follow", "id": JOB}], [{"kind": "settle", "how": "give_up", "id": JOB}],
    ]  # fmt: skip


def test_an_ambiguous_job_is_given_up_or_gets_the_id_from_the_web_app(widget_page: Open) -> None:
    shown = show(widget_page, "ambiguous", **ambiguous())
    attach = shown.root.get_by_role("button", name="It is this one")
    expect(attach).to_be_disabled()
    shown.root.get_by_label("id in the service's web app").fill(f" {HOSTILE} ")
    attach.click()
    shown.set(_note="there is no such job")
    expect(shown.root.get_by_label("id in the service's web app")).to_have_value(f" {HOSTILE} ")
    shown.root.get_by_role("button", name="Give up").click()
    assert shown.sent("settle") == [
        {"kind": "settle", "remote_id": HOSTILE, "id": JOB}, {"kind": "settle", "how": "give_up", "id": JOB},
    ]  # fmt: skip


def test_a_service_without_a_list_says_so_and_an_emulated_job_costs_nothing(widget_page: Open) -> None:
    shown = show(widget_page, "ambiguous", has_list=False, service="1min.ai", emulated=True, **ambiguous())
    expect(shown.root).to_contain_text("1min.ai has no list of jobs to look in.")
    expect(shown.root).to_contain_text("EMULATED")
    shown.root.get_by_role("button", name="Send again (costs nothing: emulated)").click()
    assert shown.sent("settle") == [{"kind": "settle", "how": "send_again", "id": JOB}]


# -- for everybody -----------------------------------------------------------------------------------------------------


def test_hostile_words_are_shown_as_words(widget_page: Open) -> None:
    hostile = {"headline": HOSTILE, "tone": HOSTILE, "facts": [[HOSTILE, HOSTILE]]}
    told: dict[str, Any] = dict.fromkeys(("prompt", "word", "model", "service", "cancel_note", "seed"), HOSTILE)
    running, card = show(widget_page, **told), show(widget_page, "failed", card=hostile, **told)
    running.root.get_by_role("button", name="Details").click()
    for shown in (running, card):
        expect(shown.root).to_contain_text("<img src=x")
        assert shown.page.title() == "vidnb"
        assert shown.page.locator("main img").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 860])
def test_nothing_serious_is_found_by_the_audit_and_nothing_overflows(
    widget_page: Open, theme: Theme, width: int
) -> None:
    cases: dict[str, tuple[str, dict[str, Any]]] = {
        "running": ("running", {"emulated": True}),
        "late": ("running", {"ago_s": 75}),
        "unknown": ("running", {"expected": None, "word": "IN_REVIEW"}),
        "intended": ("intended", {"ahead": 3}),
        "parked": ("queued", {"waiting": False}),
        "failed": ("failed", failed(waiting=False, _can_retry=True, ended_ms=None)),
        "ambiguous": ("ambiguous", ambiguous(_note="The service's list does not settle it.")),
    }
    for name, (state, changes) in cases.items():
        shown = show(widget_page, state, width=width, theme=theme, **changes)
        if name == "running":
            shown.root.get_by_role("button", name="Details").click()
        shown.shot(f"progress-{name}-{theme}-{width}")
        assert shown.audit() == []
        assert shown.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_the_end_leaves_nothing_behind(widget_page: Open) -> None:
    shown = show(widget_page)

    def come_and_go() -> dict[str, int]:
        shown.render_again()
        assert shown.end() == 0
        return shown.counts()

    rounds = [come_and_go() for _ in range(10)]
    assert len({counts["ears"] for counts in rounds}) == 1
    for held in ("listeners", "nodes"):  # the browser may hold a view for a round or two, not each of them
        assert min(counts[held] for counts in rounds[-4:]) <= max(counts[held] for counts in rounds[:3]) + 3


def test_the_picture_of_how_far_it_is_stands_there_until_the_end(widget_page: Open) -> None:
    file = io.BytesIO()
    Image.new("RGB", (160, 90), "teal").save(file, "JPEG")
    shown = show(widget_page, word="denoising, step 4 of 10 (34%)")
    picture = shown.root.locator("img.vidnb-preview")
    expect(picture).to_be_hidden()
    shown.say("preview", {"id": "another0"}, [file.getvalue()])
    shown.say("preview", {"id": JOB}, [file.getvalue()])
    expect(picture).to_be_visible()
    expect(picture).to_have_attribute("alt", "How far it is: denoising, step 4 of 10 (34%)")
    shown.page.wait_for_function("() => document.querySelector('img.vidnb-preview').naturalWidth === 160")
    shown.set(_row=row(now_of(shown), "done", ended_ms=now_of(shown)))
    expect(picture).to_be_hidden()
    shown.say("preview", {"id": JOB}, [file.getvalue()])
    expect(picture).to_be_hidden()
    assert shown.problems() == []
