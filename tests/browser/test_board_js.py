"""The board of a sweep in a browser: thousands of cells on one canvas, by hand and by keys."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect
from widgetpage import WidgetPage

from vidnb.widgets.board import DONE, FAILED, RUNNING, WAITING, Board

Open = Callable[..., WidgetPage]

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
CAUSE = {"name": "service", "count": 144, "words": "The service was busy and gave up (504).",
         "where": "144 cells. Not charged.", "retry": True, "price": "$7.20"}  # fmt: skip


def traits(rows: int, cols: int, block: int, groups: int, **changes: Any) -> dict[str, Any]:
    animals, places = ("koala", "fox", "cat", "otter", "owl"), ("snow", "city", "sea", "wood")
    names = [
        [f"{animals[n // groups % 5]}, {places[n // groups % 4]}", f"Motion 2.0 {n % groups}"] for n in range(rows)
    ]
    sums = [["Money", [["Spent", "$3.65", False], ["Left of $20.00 now", "$16.35", True]]],
            ["Time", [["Still to go", "about 12 min", False], ["Done at about", "14:52", True]]],
            ["Pace", [["Clips a minute", "4.1", False], ["Order", "seed by seed", False]]]]  # fmt: skip
    now = {"word": "running", "heading": "Running", "why": "", "sums": sums, "causes": [CAUSE],
           "steps": [{"kind": "pause", "text": "Pause"}, {"kind": "ask_stop", "text": "Stop …"}],
           "stop": "Stop? 6 are on their way and still come; 41 are not sent."}  # fmt: skip
    return {
        "_plan": {
            "id": "abc", "title": "a {animal} in the {place}", "size": f"{rows * cols:,} cells", "cells": rows * cols,
            "rows": names, "blocks": [f"weight 0.{n + 3}, {block} seeds" for n in range(cols // block)],
            "marks": ["EMULATED"], "grid": {"rows": rows, "cols": cols, "block": block, "groups": groups},
        },
        "_now": now | changes,
    }  # fmt: skip


def states(rows: int, cols: int) -> bytes:
    """Done at the left, running in the middle, waiting at the right, and one bad row."""

    def one(row: int, col: int) -> int:
        if col > cols * 0.62:
            return WAITING
        return RUNNING if col == int(cols * 0.62) else FAILED if row == rows // 2 else DONE

    return bytes(one(row, col) for row in range(rows) for col in range(cols))


def poster(cell: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (240, 135), f"hsl({cell * 47 % 360}, 45%, 50%)").save(file, "WEBP", quality=40)
    return file.getvalue()


def fill(shown: WidgetPage, rows: int, cols: int) -> None:
    shown.say("all", {}, [states(rows, cols), bytes(rows * cols)])
    expect(shown.root.get_by_role("button", name="done")).to_be_visible()


def answer(shown: WidgetPage) -> None:
    """Send the posters that were asked for, as the kernel does."""
    for message in shown.sent("posters"):
        shown.say("posters", {"cells": message["cells"]}, [poster(cell) for cell in message["cells"]])


def pixels(shown: WidgetPage) -> int:
    """How many pixels of the canvas are painted."""
    return int(
        shown.page.evaluate("""() => {
        const canvas = document.querySelector("canvas");
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        let painted = 0;
        for (let at = 3; at < data.length; at += 4) painted += data[at] > 0;
        return painted;
    }""")
    )


def test_two_thousand_cells_are_shown_as_pixels_and_walked_by_keys(widget_page: Open) -> None:
    shown = widget_page(Board, traits(50, 40, 8, 2), width=1100)
    fill(shown, 50, 40)
    shown.page.wait_for_function("() => document.querySelector('canvas').height > 100")
    shown.page.wait_for_timeout(100)
    assert pixels(shown) > 20_000
    assert shown.sent("posters") == []  # nothing to see in a pixel
    shown.page.locator("canvas").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowDown"):
        shown.page.keyboard.press(key)
    assert [message["cell"] for message in shown.sent("facts")] == [0, 1, 41]
    shown.say("facts", {"cell": 41, "title": HOSTILE, "words": "Done in 41 s.", "rating": 3}, [])
    expect(shown.root.get_by_text(HOSTILE)).to_be_visible()
    shown.page.keyboard.press("n")
    assert shown.sent("facts")[-1]["cell"] == 25 * 40
    shown.page.keyboard.press("Enter")  # now large enough for posters
    shown.page.wait_for_function("() => fake.sent.some((one) => one.content.kind === 'posters')")
    assert shown.page.title() != "owned"
    assert shown.problems() == []


@pytest.mark.parametrize("width", [1100, 360])
@pytest.mark.parametrize("size", ["Pixels", "Small"])
def test_each_of_twenty_rows_has_its_name_however_flat_the_cells_are(
    widget_page: Open, width: int, size: str
) -> None:
    shown = widget_page(Board, traits(20, 100, 100, 4), width=width)
    shown.page.evaluate("""() => {
        const pen = CanvasRenderingContext2D.prototype, draw = pen.fillText;
        window.written = [];
        pen.fillText = function (text, x, y) { written.push([text, Math.round(y)]); draw.call(this, text, x, y); };
    }""")
    fill(shown, 20, 100)
    shown.root.get_by_label(size).check(force=True)
    expect(shown.root.get_by_text("Arrows or pointer: what is in a cell.")).to_be_visible()
    scroll = "document.querySelector('.b-box').dispatchEvent(new Event('scroll'))"
    shown.page.evaluate(f"() => {{ written.length = 0; {scroll}; }}")
    shown.page.wait_for_function("() => written.length")  # one drawing
    rows = shown.page.evaluate("() => written.filter(([text]) => /Motion 2|^(koala|fox|cat|otter|owl), /.test(text))")
    assert len({place for _, place in rows}) == 20


def test_a_board_begins_with_the_largest_cells_of_which_all_columns_are_seen(widget_page: Open) -> None:
    shown = widget_page(Board, traits(2, 4, 2, 1), width=900)
    fill(shown, 2, 4)
    expect(shown.root.get_by_label("Large")).to_be_checked()
    shown.page.set_viewport_size({"width": 360, "height": 800})
    expect(shown.root.get_by_label("Small", exact=True)).to_be_checked()
    assert shown.root.locator(".b-box").evaluate("box => box.scrollWidth <= box.clientWidth")
    shown.root.get_by_label("Large").check(force=True)  # who wants them large, scrolls
    shown.page.set_viewport_size({"width": 380, "height": 800})
    expect(shown.root.get_by_label("Large")).to_be_checked()


def test_cells_change_in_place_and_the_legend_counts_and_filters_them(widget_page: Open) -> None:
    shown = widget_page(Board, traits(4, 16, 8, 2), width=900)
    fill(shown, 4, 16)
    done = shown.root.get_by_role("button", name="done")
    before = int(done.locator("b").inner_text())
    shown.say("cells", {}, [struct.pack("<2I", 15, 31), bytes([DONE, 0, DONE, 4])])
    expect(done.locator("b")).to_have_text(str(before + 2))
    painted = pixels(shown)
    shown.root.get_by_role("button", name="failed").click()
    shown.page.wait_for_timeout(100)
    assert pixels(shown) <= painted
    expect(shown.root.get_by_role("button", name="failed")).to_have_attribute("aria-pressed", "true")


def test_running_cells_show_how_far_they_are_where_their_service_does(widget_page: Open) -> None:
    shown = widget_page(Board, traits(2, 4, 4, 1), width=900)
    file = io.BytesIO()
    Image.new("RGB", (160, 90), "teal").save(file, "JPEG")
    shown.say("all", {}, [bytes([RUNNING, RUNNING, WAITING, DONE] * 2), bytes(8)])
    shown.page.wait_for_function("() => fake.sent.some((one) => one.content.kind === 'previews')")
    assert shown.sent("previews")[0]["cells"] == [0, 1, 4, 5]
    without = pixels(shown)
    seen = [{"cell": 0, "gives": True, "words": "12/30"}, {"cell": 1, "gives": False, "words": ""}]
    shown.say("previews", {"cells": seen}, [file.getvalue(), b""])
    expect(shown.root).to_have_attribute("data-previews", "1")
    shown.page.wait_for_function("(count) => fake.sent.filter((one) => one.content.kind === 'previews').length > 1")
    assert shown.sent("previews")[-1]["cells"] == [0, 4, 5], "what shows nothing is not asked again"
    assert pixels(shown) > without
    shown.say("cells", {}, [struct.pack("<1I", 0), bytes([DONE, 0])])
    shown.say("previews", {"cells": seen[:1]}, [file.getvalue()])  # it was on its way when the cell was done
    expect(shown.root).to_have_attribute("data-previews", "0")
    assert shown.problems() == []


def test_what_moves_the_work_is_asked_of_the_kernel(widget_page: Open) -> None:
    shown = widget_page(Board, traits(4, 16, 8, 2), width=900)
    fill(shown, 4, 16)
    shown.root.get_by_role("button", name="Pause").click()
    shown.root.get_by_role("button", name="Stop …").click()
    expect(shown.root.get_by_text("Stop? 6 are on their way")).to_be_visible()
    assert shown.sent("stop") == []
    shown.root.get_by_role("button", name="Stop", exact=True).click()
    shown.root.get_by_role("button", name="Retry 144 $7.20").click()
    assert [len(shown.sent(kind)) for kind in ("pause", "stop")] == [1, 1]
    assert shown.sent("retry") == [{"kind": "retry", "cause": "service"}]
    deaf = shown.root.get_by_text("hears no click until that has ended. Interrupt it to send no more")
    expect(deaf).to_be_visible()
    shown.set(_now=traits(4, 16, 8, 2, word="stopped")["_now"])
    expect(deaf).to_be_hidden()


def test_cells_are_marked_by_key_and_mouse_and_compared(widget_page: Open) -> None:
    shown = widget_page(Board, traits(4, 16, 8, 2), width=900)
    fill(shown, 4, 16)
    done = int(shown.root.get_by_role("button", name="done").locator("b").inner_text())
    shown.root.get_by_role("button", name=f"Compare {done}").click()
    assert shown.sent("compare") == [{"kind": "compare", "cells": []}]  # all that are done
    canvas = shown.page.locator("canvas")
    canvas.focus()
    for key in ("ArrowDown", "x", "ArrowRight", "x"):
        shown.page.keyboard.press(key)
    shown.page.keyboard.press("c")
    assert shown.sent("compare")[-1] == {"kind": "compare", "cells": [0, 1]}
    shown.page.keyboard.press("Shift+ArrowDown")
    expect(shown.root.get_by_role("button", name="Compare 3")).to_be_enabled()
    shown.page.keyboard.press("Escape")
    expect(shown.root.get_by_role("button", name=f"Compare {done}")).to_be_visible()
    corner, far = {"x": 190, "y": 35}, {"x": 280, "y": 60}
    canvas.click(position=corner)
    canvas.click(position=far, modifiers=["Shift"])
    shown.root.get_by_role("button", name=re.compile(r"^Compare \d")).click()
    cells = shown.sent("compare")[-1]["cells"]
    assert len(cells) >= 4
    assert {cell // 16 for cell in cells} == {0, 1}  # a rectangle of two rows
    shown.say("facts", {"cell": cells[-1], "title": "koala", "words": "Done.", "rating": 0}, [])
    shown.root.get_by_role("button", name="Marked").click()  # by touch, too
    shown.root.get_by_role("button", name=f"Compare {len(cells) - 1}").click()
    shown.say("compared", {"code": "vidnb.compare(['ab', 'cd'])"}, [])  # this host shows no part inside another
    expect(shown.root.get_by_text("vidnb.compare(['ab', 'cd'])")).to_be_visible()


@pytest.mark.parametrize(("width", "theme"), [(1100, "light"), (360, "dark")])
def test_the_budget_is_changed_by_keys_and_a_refusal_says_why(widget_page: Open, width: int, theme: Any) -> None:
    shown = widget_page(Board, traits(2, 4, 4, 1), width=width, theme=theme)
    fill(shown, 2, 4)
    shown.page.locator("canvas").focus()
    shown.page.keyboard.press("b")
    assert shown.sent("caps") == [{"kind": "caps"}]
    caps = [{"unit": "USD", "name": "US dollars", "text": "20.00", "used": "$3.95"},
            {"unit": "JOBS", "name": "jobs", "text": "", "used": "12 jobs"}]  # fmt: skip
    shown.say("caps", {"caps": caps}, [])
    expect(shown.root.get_by_label("US dollars")).to_be_focused()
    shown.page.keyboard.type("2")
    shown.page.keyboard.press("Enter")
    assert shown.sent("budget") == [{"kind": "budget", "caps": {"USD": "2", "JOBS": ""}}]
    why = "$2.00 is less than what is spent or held already: $3.95."
    shown.say("capped", {"words": why, "refused": True}, [])
    expect(shown.root.get_by_role("alert").filter(has_text=why)).to_be_visible()
    expect(shown.root.get_by_label("US dollars")).to_have_attribute("aria-invalid", "true")
    expect(shown.root.get_by_label("Jobs")).to_have_attribute("aria-invalid", "false")
    assert shown.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth + 1")
    shown.shot(f"board-budget-{width}-{theme}")
    assert shown.audit() == []
    shown.root.get_by_label("US dollars").fill("30")
    shown.root.get_by_role("button", name="Set").click()
    shown.say("capped", {"words": "At most $30.00 now instead of $20.00; $26.05 left.", "refused": False}, [])
    expect(shown.root.get_by_label("US dollars")).to_be_hidden()
    expect(shown.root.locator(".b-note")).to_have_text("At most $30.00 now instead of $20.00; $26.05 left.")
    expect(shown.root.get_by_role("button", name="change the budget")).to_be_focused()


def test_a_cell_is_rated_by_key(widget_page: Open) -> None:
    shown = widget_page(Board, traits(2, 4, 4, 1), width=900)
    fill(shown, 2, 4)
    shown.page.locator("canvas").focus()
    shown.page.keyboard.press("ArrowDown")
    shown.say("facts", {"cell": 0, "title": "koala", "words": "Done.", "rating": 0}, [])
    shown.page.keyboard.press("4")
    assert shown.sent("rate") == [{"kind": "rate", "cell": 0, "rating": 4}]


@pytest.mark.parametrize(
    ("rows", "cols", "block", "groups", "name"),
    [(100, 100, 50, 5, "pixels"), (8, 16, 8, 2, "small"), (2, 4, 4, 1, "large")],
)
@pytest.mark.parametrize(("width", "theme"), [(1100, "light"), (360, "dark")])
def test_every_size_is_looked_at_and_has_no_serious_fault_for_screen_readers(
    widget_page: Open, rows: int, cols: int, block: int, groups: int, name: str, width: int, theme: Any
) -> None:
    shown = widget_page(Board, traits(rows, cols, block, groups), width=width, theme=theme)
    fill(shown, rows, cols)
    shown.page.locator("canvas").focus()
    shown.page.keyboard.press("ArrowDown")
    shown.say(
        "facts", {"cell": 0, "title": "koala, snow · Motion 2.0 · seed 7", "words": "Done in 41 s.", "rating": 3}, []
    )
    shown.page.wait_for_timeout(300)
    answer(shown)
    shown.page.wait_for_timeout(300)
    assert shown.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth + 1")
    shown.shot(f"board-{name}-{width}-{theme}")
    assert shown.audit() == []


def test_ten_thousand_cells_are_drawn_anew_as_they_change(widget_page: Open) -> None:
    shown = widget_page(Board, traits(100, 100, 50, 5), width=1100)
    fill(shown, 100, 100)
    done = shown.root.get_by_role("button", name="done").locator("b")
    before = int(done.inner_text().replace(",", ""))
    for start in range(0, 50, 10):
        cells = [place * 100 + 99 for place in range(start, start + 10)]
        shown.say("cells", {}, [struct.pack("<10I", *cells), bytes([DONE, 0] * 10)])
    expect(done).to_have_text(f"{before + 50:,}")
    assert shown.problems() == []
