"""The form in a browser: what a person types, picks, drops, pastes and reads, with the Python form behind it."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import clipmakers
import PIL.Image
import pytest
from fakes import picture
from playwright.sync_api import Locator, expect
from widgetpage import Theme, WidgetPage

from vidnb import catalog
from vidnb.media import tagged
from vidnb.widgets import Form

Open = Callable[..., WidgetPage]

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
UUID = "5f2d1c0a-1111-4222-8333-444455556666"
TRAITS = ("_spec", "_given", "_marks", "_general", "_clips", "seed_locked", "problem")

TRANSFER = """(element, [event, files, text]) => {
    const data = new DataTransfer();
    for (const [name, type, content] of files) {
        data.items.add(new File([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], name, { type }));
    }
    if (text) data.setData(text[0], text[1]);
    const kind = event === "paste" ? ClipboardEvent : DragEvent;
    const given = event === "paste" ? { clipboardData: data } : { dataTransfer: data };
    element.dispatchEvent(new kind(event, { bubbles: true, cancelable: true, ...given }));
}"""


class Wired:
    """A form in a page and the Python form behind it; `pump()` is the kernel's turn, until then it is busy."""

    def __init__(self, open_page: Open, form: Form, **options: Any) -> None:
        self.form = form
        self.said: list[tuple[dict[str, Any], list[bytes]]] = []
        form.send = lambda content, buffers=None: self.said.append((content, buffers or []))  # type: ignore[method-assign]
        self.part = open_page(form, **options)
        self.page, self.root = self.part.page, self.part.root
        self._taken = 0
        expect(self.root).to_have_attribute("data-state", "ready")

    def pump(self) -> None:
        """Let the kernel handle what was sent, and the page what came of it."""
        self.deliver(self.messages())
        self.refresh()

    def messages(self) -> list[dict[str, Any]]:
        """What was sent since the last time."""
        found: list[dict[str, Any]] = self.page.evaluate("from => fake.sent.slice(from)", self._taken)
        self._taken += len(found)
        return found

    def deliver(self, messages: Iterable[dict[str, Any]]) -> None:
        """Let the kernel handle these, in this order."""
        for message in messages:
            buffers = [memoryview(base64.b64decode(buffer)) for buffer in message["buffers"]]
            self.form._handle_custom_msg(message["content"], buffers)

    def refresh(self) -> None:
        """Give the page the form's traits and messages as they are now."""
        self.part.set(**{name: getattr(self.form, name) for name in TRAITS})
        while self.said:
            content, buffers = self.said.pop(0)
            self.part.say(content["kind"], content, buffers)

    def pump_until(self, locator: Locator, text: str) -> None:
        """Take turns until the text is there: pictures are looked at on a thread."""
        for _ in range(400):
            self.pump()
            if text in (locator.text_content() or ""):
                return
            self.page.wait_for_timeout(10)
        expect(locator).to_contain_text(text)

    def field(self, name: str) -> Locator:
        return self.root.locator(f"[data-field={name}]")

    def drop(
        self, name: str, *files: tuple[str, str, bytes], event: str = "drop", text: tuple[str, str] | None = None
    ) -> None:
        """Drop or paste files on a field."""
        encoded = [(each, kind, base64.b64encode(content).decode()) for each, kind, content in files]
        self.field(name).evaluate(TRANSFER, [event, encoded, list(text) if text else None])

    def params(self) -> dict[str, Any]:
        """What the kernel has after its turn; typing is sent when it rests, and when the box is left."""
        self.page.evaluate("() => document.activeElement?.blur()")
        self.pump()
        return dict(self.form.params)


@pytest.fixture
def wired(widget_page: Open) -> Callable[..., Wired]:
    """`wired(model, params, width=..., theme=...)`"""

    def make(
        model: str = "leonardo/motion_2.0",
        params: dict[str, Any] | None = None,
        clips: tuple[Any, ...] = (),
        **options: Any,
    ) -> Wired:
        form = Form(model, params)
        form.clips = clips
        return Wired(widget_page, form, **options)

    return make


def fake_clip(name: str = "one", seed: int | None = 7, prompt: str = "a koala") -> Any:
    frame = PIL.Image.open(io.BytesIO(picture(640, 360)))
    return SimpleNamespace(
        job=SimpleNamespace(id=name), seed=seed, prompt=prompt, model="leonardo/motion_2.0",
        poster=picture(64, 36, "WEBP"), first_frame=frame, last_frame=frame,
    )  # fmt: skip


# -- text


def test_typing_reaches_the_kernel_and_is_counted_against_the_limit(wired: Callable[..., Wired]) -> None:
    form = wired("leonardo/motion_2.0")
    prompt = form.root.get_by_label("Prompt", exact=True)
    prompt.fill("🐨 in a meadow")
    expect(form.field("prompt")).to_contain_text("13 / 9,999")
    assert form.params()["prompt"] == "🐨 in a meadow"
    form.field("prompt").locator("textarea").fill("x" * 10_000)
    expect(form.field("prompt").locator(".vidnb-count")).to_have_attribute("data-over", "true")
    expect(prompt).to_have_attribute("aria-invalid", "true")
    expect(form.field("prompt")).to_contain_text("1 character too many")
    assert len(form.params()["prompt"]) == 10_000, "nothing is cut off"
    prompt.fill("")
    assert "prompt" not in form.params()


def test_a_late_echo_does_not_take_what_was_typed_since(wired: Callable[..., Wired]) -> None:
    form = wired()
    prompt = form.root.get_by_label("Prompt", exact=True)
    prompt.press_sequentially("a koala")
    form.part.wait_for_sent("edit")
    prompt.press_sequentially(" and a cat")
    form.pump()
    expect(prompt).to_have_value("a koala and a cat")
    assert prompt.evaluate("box => box.selectionStart") == len("a koala and a cat")
    assert form.params()["prompt"] == "a koala and a cat"


@pytest.mark.parametrize("text", ["\u202e שלום עולם", "👩‍👩‍👧 \u0000 é é", "a\nb", HOSTILE])
def test_any_text_comes_back_as_it_was(wired: Callable[..., Wired], text: str) -> None:
    form = wired(params={"prompt": text})
    expect(form.root.get_by_label("Prompt", exact=True)).to_have_value(text)
    form.root.get_by_label("Prompt", exact=True).press("End")
    form.root.get_by_label("Prompt", exact=True).press_sequentially("!")
    assert len(form.params()["prompt"]) == len(text) + 1
    assert form.page.title() == "vidnb"


@pytest.mark.parametrize("keys", ["Control+Enter", "Meta+Enter"])
def test_ctrl_enter_anywhere_submits_with_the_newest_edit(wired: Callable[..., Wired], keys: str) -> None:
    form = wired()
    heard: list[str] = []
    form.form.on_submit(lambda form: heard.append(form.params["prompt"]))
    form.root.get_by_label("Prompt", exact=True).press_sequentially("a koala")
    form.page.keyboard.press(keys)
    form.part.wait_for_sent("submit")
    form.pump()
    assert heard == ["a koala"]
    form.root.get_by_label("Seed", exact=True).press(keys)
    form.part.wait_for_sent("submit", 2)
    form.pump()
    assert heard == ["a koala", "a koala"]


# -- messages that the kernel hears in another order than they were sent

UNSENT = "Nothing was sent"


def test_whatever_comes_first_only_what_was_seen_at_ctrl_enter_is_sent(wired: Callable[..., Wired]) -> None:
    form = wired(params={"seed": 1})
    form.form.on_submit(lambda filled: heard.append((filled.params["prompt"], filled.params["seed"])))
    prompt, seed = (form.root.get_by_label(name, exact=True) for name in ("Prompt", "Seed"))
    orders, number = list(permutations(range(4))), 0
    while orders:
        heard: list[tuple[str, int]] = []
        prompt.fill(f"a koala {number}")
        seed.fill(str(number))
        seed.press("Control+Enter")
        seed.fill("99")
        prompt.fill("a cat")
        prompt.blur()
        number += 1
        form.part.wait_for_sent("submit", number)
        messages = form.messages()
        expected = [message["content"]["kind"] for message in messages] == ["edit", "submit", "edit", "edit"]
        order = orders.pop() if expected else range(len(messages))  # a slow page sends what was typed in more pieces
        form.deliver(messages[at] for at in order)
        assert heard in ([], [(f"a koala {number - 1}", number - 1)]), order
        assert heard or 1 in order[1:], "it is refused only where something came before it"
        form.refresh()
        assert (form.form.params["prompt"], form.form.params["seed"]) == ("a cat", 99)


def test_what_code_set_unseen_is_not_sent_and_that_is_said_until_the_next_try(wired: Callable[..., Wired]) -> None:
    form = wired(params={"prompt": "a koala", "seed": 1})
    heard: list[int] = []
    form.form.on_submit(lambda filled: heard.append(filled.params["seed"]))
    form.form.params = {**form.form.params, "seed": 2}
    prompt = form.root.get_by_label("Prompt", exact=True)
    prompt.press("Control+Enter")
    form.part.wait_for_sent("submit")
    form.pump()
    assert heard == []
    expect(form.root).to_contain_text(UNSENT)
    expect(form.root.get_by_label("Seed", exact=True)).to_have_value("2")
    prompt.fill("a cat")
    form.params()
    expect(form.root).to_contain_text(UNSENT)
    prompt.press("Control+Enter")
    form.part.wait_for_sent("submit", 2)
    form.pump()
    assert heard == [2]
    expect(form.root).not_to_contain_text(UNSENT)


def test_the_model_that_a_picker_of_this_page_shows_goes_along(wired: Callable[..., Wired]) -> None:
    form = wired()
    pick = "([id, model]) => { vidnbForms.pickers.clear(); vidnbForms.pickers.add(() => [id, model]); }"
    for id, model in ((form.form._id, "1min/luma"), ("another form", "1min/luma"), (form.form._id, form.form.model.id)):
        form.page.evaluate(pick, [id, model])
        form.root.get_by_label("Prompt", exact=True).press("Control+Enter")
    own = form.form.model.id
    found = [set(message["models"]) for message in form.part.wait_for_sent("submit", 3)]
    assert found == [{own, "1min/luma"}, {own}, {own}]


def test_an_edit_for_a_field_that_went_with_its_model_holds_no_click_back(wired: Callable[..., Wired]) -> None:
    form = wired(params={"prompt": "a koala"})
    heard: list[str] = []
    form.form.on_submit(lambda filled: heard.append(filled.model.id))
    form.root.get_by_label("Seed", exact=True).fill("7")
    form.form.model = "1min/luma"
    form.pump()
    form.params()
    form.root.get_by_label("Prompt", exact=True).press("Control+Enter")
    form.part.wait_for_sent("submit")
    form.pump()
    assert heard == ["1min/luma"]


def test_a_picture_that_cannot_be_read_keeps_ctrl_enter_back(wired: Callable[..., Wired]) -> None:
    form = wired(params={"prompt": "a koala"})
    heard: list[Any] = []
    form.form.on_submit(heard.append)
    slow = "() => { Blob.prototype.arrayBuffer = () => new Promise((_, no) => { window.lose = no; }); }"
    form.page.evaluate(slow)
    form.drop("start_image", ("koala.png", "image/png", picture(640, 480)))
    form.root.get_by_label("Prompt", exact=True).press("Control+Enter")
    assert form.part.sent("submit") == []
    form.page.evaluate("() => lose(new Error('it is gone'))")
    form.part.wait_for_sent("submit")
    form.pump()
    assert heard == []
    expect(form.field("start_image")).to_contain_text("It cannot be read: it is gone")
    expect(form.root).to_contain_text(UNSENT)


# -- numbers


def test_a_slider_and_its_box_move_each_other(wired: Callable[..., Wired]) -> None:
    form = wired("leonardo/SVD")
    slider = form.root.get_by_role("slider", name="Motion strength")
    box = form.root.get_by_role("textbox", name="Motion strength")
    expect(slider).to_have_attribute("aria-valuetext", "default")
    slider.fill("8")
    expect(box).to_have_value("8")
    assert form.params()["motion_strength"] == 8
    box.press("ArrowUp")
    expect(slider).to_have_value("9")
    box.fill("42")
    expect(form.field("motion_strength")).to_contain_text("1 to 10")
    expect(box).to_have_attribute("aria-invalid", "true")
    assert form.params()["motion_strength"] == 42
    form.root.get_by_role("button", name="Motion strength: back to the default").click()
    assert "motion_strength" not in form.params()
    expect(box).to_have_value("")


def test_half_a_number_is_left_alone_while_it_is_typed(wired: Callable[..., Wired]) -> None:
    form = wired("leonardo/motion_2.0")
    form.root.get_by_role("button", name="More").click()
    box = form.root.get_by_role("textbox", name="Motion control weight")
    for typed in ("-", "-0", "-0.", "-0.5"):
        box.fill(typed)
        form.part.page.wait_for_function("() => fake.sent.length > 0")
        form.pump()
        expect(box).to_have_value(typed)
    assert form.params()["motion_control_weight"] == -0.5


def test_a_seed_is_rolled_locked_shared_and_exact(wired: Callable[..., Wired]) -> None:
    form = wired(clips=(fake_clip(seed=123456789), fake_clip("two", None)))
    seed = form.root.get_by_label("Seed", exact=True)
    expect(seed).to_have_attribute("placeholder", "random")
    form.root.get_by_role("button", name="Pick a seed by chance").click()
    assert 0 <= form.params()["seed"] <= 2147483637
    form.root.get_by_label("Same seed as a clip").select_option(label="123456789 · a koala")
    assert form.params()["seed"] == 123456789
    form.root.get_by_role("button", name="Keep this seed").click()
    form.part.wait_for_trait("seed_locked", True)
    form.form.seed_locked = True
    form.pump()
    expect(seed).not_to_be_editable()
    expect(form.root.get_by_role("button", name="Pick a seed by chance")).to_be_disabled()
    expect(form.root.get_by_label("Same seed as a clip")).to_be_disabled()
    seed.press("r")
    seed.press("ArrowUp")
    form.pump()
    assert form.params()["seed"] == 123456789
    seed.press("l")
    form.part.wait_for_trait("seed_locked", False)
    form.form.seed_locked = False
    seed.fill(str(2**63 - 1))
    expect(form.field("seed")).to_contain_text("Allowed: a whole number, 0 to 2147483637.")
    assert form.params()["seed"] == 2**63 - 1
    expect(seed).to_have_value("9223372036854775807")
    form.root.get_by_role("button", name="Seed: back to random").click()
    assert "seed" not in form.params()


# -- choices


def test_few_choices_stand_side_by_side_and_private_is_said_in_words(wired: Callable[..., Wired]) -> None:
    form = wired("leonardo/VEO3_1")
    durations = form.root.get_by_role("radiogroup", name="Duration")
    expect(durations.get_by_role("radio")).to_have_count(3)
    durations.get_by_role("radio", name="4 s").check()
    assert form.params()["duration_s"] == 4
    form.root.get_by_role("button", name="More (").click()
    public = form.root.get_by_role("switch", name="Visibility Private")
    expect(public).not_to_be_checked()
    public.check()
    expect(form.field("public")).to_contain_text("Public: shown in the vendor's feed")
    assert form.params()["public"] is True
    interpolation = form.root.get_by_role("radiogroup", name="Frame interpolation")
    expect(interpolation.get_by_role("radio", name="Default")).to_be_checked()
    interpolation.get_by_role("radio", name="Off").check()
    assert form.params()["frame_interpolation"] is False
    expect(form.root.get_by_role("button", name="More (")).to_contain_text("2 set")


def test_names_are_found_by_typing_with_the_keyboard_alone(wired: Callable[..., Wired]) -> None:
    form = wired()
    form.root.get_by_role("button", name="More (").click()
    styles = form.root.get_by_role("combobox", name="Styles")
    styles.press_sequentially("cla")
    expect(form.root.get_by_role("option")).to_have_count(1)
    styles.press("Enter")
    styles.press_sequentially("logo")
    styles.press("ArrowDown")
    styles.press("Enter")
    assert form.params()["styles"] == ["Clay", "Logo"]
    form.root.get_by_role("button", name="Remove Clay").click()
    assert form.params()["styles"] == ["Logo"]
    motion = form.root.get_by_role("combobox", name="Motion control")
    motion.fill("dolly")
    form.root.get_by_role("option", name="Dolly In", exact=True).click()
    assert form.params()["motion_control"] == "Dolly In"
    motion.focus()
    motion.press("Escape")
    expect(form.root.get_by_role("listbox")).to_have_count(0)
    motion.press("Backspace")
    assert "motion_control" not in form.params()
    motion.fill("")
    expect(form.root.get_by_role("listbox")).to_be_visible()
    motion.press("Tab")  # the open list scrolls, and is no stop of its own
    expect(form.root.get_by_role("textbox", name="Motion control weight")).to_be_focused()


def test_elements_are_rows_of_id_and_weight(wired: Callable[..., Wired]) -> None:
    form = wired()
    form.root.get_by_role("button", name="More (").click()
    form.root.get_by_role("button", name="Add an element").click()
    form.root.get_by_label("Id of element 1").fill(UUID)
    form.root.get_by_label("Weight of element 1").fill("-0.5")
    assert form.params()["elements"] == [{"id": UUID, "weight": -0.5}]
    form.root.get_by_label("Weight of element 1").fill("3")
    expect(form.field("elements")).to_contain_text("between -2 and 2")
    form.root.get_by_role("button", name="Remove element 1").click()
    assert "elements" not in form.params()


# -- sizes


def test_only_legal_sizes_can_be_picked_and_what_moves_along_is_said(wired: Callable[..., Wired]) -> None:
    form = wired()
    size = form.field("size")
    form.root.get_by_role("radio", name="720p").check()
    expect(size).to_contain_text("1280 × 720")
    expect(form.root.get_by_role("radio", name="16:9", exact=True)).to_be_checked()
    form.root.get_by_role("radio", name="2:3").check()
    expect(size).to_contain_text("720p → 480p: 2:3 comes in no 720p")
    expect(size).to_contain_text("512 × 768")
    params = form.params()
    assert (params["resolution"], params["aspect_ratio"]) == ("480p", "2:3")
    form.root.get_by_role("radio", name="default").check()
    assert form.params().keys().isdisjoint(catalog.SIZE_PARAMS)
    form.root.get_by_role("radio", name="image", exact=True).check()
    expect(size).to_contain_text("the shape of the start image")
    assert form.params()["aspect_ratio"] == "auto"
    form.root.get_by_role("radio", name="own").check()
    form.root.get_by_label("Width in pixels").fill("1001")
    expect(size).to_contain_text("Allowed: even numbers")
    form.root.get_by_label("Width in pixels").fill("1000")
    form.root.get_by_label("Height in pixels").fill("600")
    params = form.params()
    assert (params["width_px"], params["height_px"]) == (1000, 600)


def test_the_shapes_have_the_proportions_they_stand_for(wired: Callable[..., Wired]) -> None:
    form = wired("leonardo/seedance-2.0")
    for label in ("16:9", "9:16", "1:1", "21:9"):
        box = (
            form.root.locator("label", has=form.page.get_by_role("radio", name=label, exact=True))
            .locator("i")
            .bounding_box()
        )
        across, down = map(int, label.split(":"))
        assert box is not None
        assert box["width"] / box["height"] == pytest.approx(across / down, rel=0.12)


@pytest.mark.parametrize(
    "model_id",
    ["leonardo/motion_2.0", "leonardo/seedance-2.0", "leonardo/hailuo-03", "1min/sora-2-pro", "leonardo/kling-4.0"],
)
def test_every_pick_of_every_size_is_legal(wired: Callable[..., Wired], model_id: str) -> None:
    form = wired(model_id)
    spec = next(field for field in form.form._spec["fields"] if field["name"] == "size")
    script = """field => {
        const made = [null], out = [];
        for (const [, , resolution, aspect_ratio] of field.sizes) made.push({ resolution, aspect_ratio });
        for (const wire of made) {
            for (const each of field.parts.resolution.choices) out.push(part.pickResolution(field, wire, each).json);
            for (const each of field.parts.aspect_ratio.choices) out.push(part.pickRatio(field, wire, each).json);
        }
        return out;
    }"""
    legal = {(size.resolution, size.aspect_ratio) for size in form.form.model.sizes}
    for wire in form.page.evaluate(script, spec):
        assert wire["aspect_ratio"] == "auto" or (wire["resolution"], wire["aspect_ratio"]) in legal


# -- pictures


def test_a_picture_is_dropped_seen_at_once_and_taken_away(wired: Callable[..., Wired]) -> None:
    form = wired()
    content = picture(640, 480)
    form.drop("start_image", ("koala.png", "image/png", content))
    tile = form.field("start_image").get_by_role("listitem")
    expect(tile).to_contain_text("koala.png")
    expect(tile.locator("img")).to_have_js_property("naturalWidth", 640)
    assert form.params()["start_image"] == content
    form.pump_until(tile, "640 × 480")
    form.root.get_by_role("button", name="Remove koala.png").click()
    expect(form.root.get_by_role("button", name="Choose a picture").first).to_be_focused()
    assert "start_image" not in form.params()


def test_a_picture_is_pasted_anywhere_in_the_form(wired: Callable[..., Wired]) -> None:
    form = wired()
    form.drop("prompt", ("pasted.png", "image/png", picture(640, 480)), event="paste")
    expect(form.field("start_image").get_by_role("listitem")).to_contain_text("pasted.png")
    assert form.params()["start_image"] == picture(640, 480)


def test_text_from_the_clipboard_stays_text(wired: Callable[..., Wired]) -> None:
    form = wired()
    script = """box => {
        const data = new DataTransfer();
        data.setData('text/plain', 'x');
        data.items.add(new File(['x'], 'a.png', { type: 'image/png' }));
        const given = { bubbles: true, cancelable: true, clipboardData: data };
        return box.dispatchEvent(new ClipboardEvent('paste', given));
    }"""
    assert form.root.get_by_label("Prompt", exact=True).evaluate(script), "the browser pastes the text itself"
    assert form.part.sent("file") == []


def test_a_large_file_goes_in_pieces_in_order(wired: Callable[..., Wired]) -> None:
    form = wired("leonardo/seedance-2.0")
    content = bytes(range(256)) * 4096 * 5
    form.root.get_by_role("button", name="More (").click()
    form.drop("reference_videos", ("koala.mp4", "video/mp4", content))
    form.part.wait_for_sent("edit")
    pieces = form.part.sent_buffers("file")
    assert [len(piece) for (piece,) in pieces] == [4 << 20, 1 << 20]
    assert b"".join(piece for (piece,) in pieces) == content


def with_recipe(path: Path, **told: Any) -> bytes:
    clip = clipmakers.write(path / "plain.mp4")
    tagged.write(clip, path / "told.mp4", told)
    return (path / "told.mp4").read_bytes()


def test_a_clip_dropped_on_the_form_fills_it_with_the_recipe_in_it(
    wired: Callable[..., Wired], tmp_path: Path
) -> None:
    form = wired("leonardo/motion_2.0", {"prompt": "before", "seed": 3})
    values = {"prompt": HOSTILE, "duration_s": 5, "start_image": "/etc/passwd"}
    content = with_recipe(tmp_path, model="1min/luma", params=values, inputs=["start_image", "nonsense"])
    form.drop("prompt", ("koala.mp4", "video/mp4", content))
    form.pump_until(form.root, "The form shows the recipe of koala.mp4.")
    form.refresh()
    expect(form.root).to_contain_text("Its inputs are not in the file, choose them again: Start image.")
    expect(form.root.get_by_label("Prompt", exact=True)).to_have_value(HOSTILE)
    params = form.params()
    assert form.form.model.id == "1min/luma"
    assert params["prompt"] == HOSTILE
    assert not {"start_image", "seed"} & params.keys()
    assert form.page.title() == "vidnb"


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({}, "koala.mp4 carries no recipe"),
        ({"model": "leonardo/kling-3", "params": {}}, "kling-3.0"),
        ({"model": "leonardo/motion_2.0", "params": [1]}, "koala.mp4 carries no recipe"),
        ({"model": "1min/luma", "params": {"prompt": {"a": [1]}}}, "prompt"),
    ],
)
def test_a_clip_without_a_recipe_that_can_be_used_leaves_the_form_as_it_is(
    wired: Callable[..., Wired], tmp_path: Path, told: dict[str, Any], why: str
) -> None:
    form = wired("leonardo/motion_2.0", {"prompt": "before", "seed": 3})
    form.drop("prompt", ("koala.mp4", "video/mp4", with_recipe(tmp_path, **told)))
    form.pump_until(form.root, "was not taken")
    expect(form.root.get_by_role("alert")).to_contain_text(why)
    assert (form.form.model.id, form.params()["prompt"], form.params()["seed"]) == ("leonardo/motion_2.0", "before", 3)


def test_a_file_that_cannot_be_taken_is_refused_below_the_field(wired: Callable[..., Wired]) -> None:
    form = wired()
    form.drop("start_image", (f"{HOSTILE}.pdf", "application/pdf", b"%PDF"))
    expect(form.field("start_image")).to_contain_text("is no picture that can be opened (application/pdf)")
    assert form.part.sent("file") == []
    assert form.page.title() == "vidnb"
    form.drop("start_image", ("damaged.png", "image/png", picture()[:100]))
    expect(form.field("start_image").get_by_role("listitem")).to_contain_text("damaged.png")
    form.pump_until(form.field("start_image"), "damaged.png was not taken")
    expect(form.field("start_image").get_by_role("listitem")).to_have_count(0)


def test_the_limits_of_a_model_are_known_to_the_page(wired: Callable[..., Wired]) -> None:
    limited = next(m for m in catalog.load().values() if "max_bytes" in m.image_limits and "start_image" in m.params)
    form = wired(limited.id)
    spec = next(field for field in form.form._spec["fields"] if field["name"] == "start_image")
    script = "([field, file]) => part.fileProblem(field, file)"
    too_large = limited.image_limits["max_bytes"] + 1
    assert "Make it smaller" in form.page.evaluate(
        script, [spec, {"name": "a.png", "type": "image/png", "size": too_large}]
    )
    assert form.page.evaluate(script, [spec, {"name": "a.png", "type": "image/png", "size": 1000}]) == ""
    without_webp = next(m for m in catalog.load().values() if m.image_limits.get("types") == ("jpg", "png"))
    other = next(field for field in Form(without_webp)._spec["fields"] if field["control"] == "media")
    assert "takes no webp" in form.page.evaluate(
        script, [other, {"name": "a.webp", "type": "image/webp", "size": 1000}]
    )


def test_a_path_and_an_address_are_typed(wired: Callable[..., Wired]) -> None:
    form = wired()
    place = form.field("start_image").get_by_label("Path or URL")
    place.fill("https://example.org/koala.png")
    place.press("Enter")
    assert form.params()["start_image"] == "https://example.org/koala.png"
    form.pump_until(form.field("start_image"), "fetched when it is sent")
    form.drop("start_image", text=("text/uri-list", "https://example.org/cat.png"))
    assert form.params()["start_image"] == "https://example.org/cat.png"


def test_a_frame_of_a_clip_is_picked_from_posters(wired: Callable[..., Wired]) -> None:
    clip = fake_clip(prompt=f"a koala {HOSTILE}")
    form = wired(clips=(clip,))
    form.root.get_by_role("button", name="Frame of a clip").first.click()
    form.part.wait_for_sent("poster")
    form.pump()
    form.root.get_by_role("button", name="Last frame of").click()
    assert form.params()["start_image"] is clip.last_frame
    form.pump_until(form.field("start_image").get_by_role("listitem"), "640 × 360")
    assert form.page.title() == "vidnb"


def test_a_file_still_being_read_goes_along_with_ctrl_enter(wired: Callable[..., Wired]) -> None:
    form = wired(params={"prompt": "a koala"})
    heard: list[Any] = []
    form.form.on_submit(lambda form: heard.append(form.params.get("start_image")))
    form.drop("start_image", ("koala.png", "image/png", picture(640, 480)))
    form.root.get_by_label("Prompt", exact=True).press("Control+Enter")
    form.part.wait_for_sent("submit")
    form.pump()
    assert heard == [picture(640, 480)]


def test_a_picture_given_by_code_is_asked_for_again_by_a_new_view(wired: Callable[..., Wired]) -> None:
    form = wired(params={"start_image": picture(640, 480)})
    form.pump_until(form.field("start_image").first, "640 × 480")
    form.part.render_again()
    second = form.page.locator(".vidnb-root").nth(1)
    form.pump_until(second.locator("[data-field=start_image]"), "640 × 480")


# -- problems, models, views


def test_a_wrong_field_is_marked_shown_and_gone_to(wired: Callable[..., Wired]) -> None:
    form = wired(params={"prompt": "a koala", "negative_prompt": "x" * 1001})
    form.form.params = {**form.form.params, "no_such": 1}
    form.form.show_problems()
    form.refresh()
    negative = form.root.get_by_label("Negative prompt", exact=True)
    expect(negative).to_be_visible()
    expect(negative).to_be_focused()
    expect(form.field("negative_prompt")).to_contain_text("at most 1000 characters")
    expect(form.root).to_contain_text("no_such")
    negative.fill("rain")
    expect(form.field("negative_prompt").locator(".vidnb-problem")).to_be_hidden()


def test_the_focus_is_not_taken_from_a_cells_code(wired: Callable[..., Wired]) -> None:
    form = wired()
    form.page.evaluate("""() => {
        const box = document.createElement('textarea');
        box.id = 'code';
        document.body.append(box);
        box.focus();
    }""")
    form.form.show_problems()
    form.refresh()
    expect(form.field("prompt")).to_contain_text("This model needs it")
    expect(form.page.locator("#code")).to_be_focused()


def test_another_model_keeps_caret_text_and_elements(wired: Callable[..., Wired]) -> None:
    form = wired("leonardo/VEO3_1", {"prompt": "a koala", "duration_s": 6})
    prompt = form.root.get_by_label("Prompt", exact=True)
    prompt.evaluate("box => { box.focus(); box.setSelectionRange(2, 4); window.before = box; }")
    prompt.press_sequentially("cozy ")
    form.form.model = "leonardo/kling-2.6"
    form.refresh()
    expect(form.root).to_have_attribute("data-model", "leonardo/kling-2.6")
    expect(prompt).to_be_focused()
    expect(prompt).to_have_value("a cozy ala")
    assert prompt.evaluate("box => box === window.before && box.selectionStart") == 7
    expect(form.field("duration_s")).to_contain_text("6 s → 5 s: this model has 5 or 10")
    expect(form.field("seed")).to_have_count(0)
    form.root.get_by_role("radio", name="10 s").check()
    expect(form.field("duration_s").locator(".vidnb-change")).to_be_hidden()
    assert form.params()["prompt"] == "a cozy ala"
    form.form.model = "leonardo/VEO3_1"
    form.refresh()
    expect(form.field("seed")).to_be_visible()


def test_every_model_can_follow_every_other_in_one_page(wired: Callable[..., Wired]) -> None:
    form = wired(params={"prompt": "a koala", "seed": 7})
    for model_id in catalog.load():
        form.form.model = model_id
        form.refresh()
        expect(form.root).to_have_attribute("data-model", model_id)
        names = [spec["name"] for spec in form.form._spec["fields"]]
        shown = form.root.locator("[data-field]").evaluate_all("all => all.map(each => each.dataset.field)")
        assert shown == names


def test_a_field_without_use_in_this_mode_is_hidden(wired: Callable[..., Wired]) -> None:
    form = wired("1min/pika", {"prompt": "a koala"})
    ratio = form.root.get_by_role("radiogroup", name="Aspect ratio")
    expect(ratio).to_be_visible()
    form.drop("start_image", ("koala.png", "image/png", picture(640, 480)))
    expect(ratio).to_be_hidden()
    form.root.get_by_role("button", name="Remove koala.png").click()
    expect(ratio).to_be_visible()


def test_two_views_show_the_same_edits(wired: Callable[..., Wired]) -> None:
    form = wired()
    form.part.render_again()
    first, second = (form.page.locator(".vidnb-root").nth(at).get_by_label("Prompt", exact=True) for at in (0, 1))
    first.fill("a koala")
    expect(second).to_have_value("a koala")
    second.fill("a cat")
    expect(first).to_have_value("a cat")
    assert form.params()["prompt"] == "a cat"


def test_what_is_typed_while_the_kernel_is_busy_outlives_the_view(wired: Callable[..., Wired]) -> None:
    form = wired()
    form.root.get_by_label("Prompt", exact=True).fill("a koala")
    form.part.end()
    form.part.render_again()
    expect(form.root.get_by_label("Prompt", exact=True)).to_have_value("a koala")
    assert form.params()["prompt"] == "a koala"


def test_help_is_named_opened_and_tied_to_its_control(wired: Callable[..., Wired]) -> None:
    form = wired()
    form.root.get_by_role("button", name="About: Seed").click()
    expect(form.field("seed")).to_contain_text("Allowed: 0 to 2147483637.")
    expect(form.root.get_by_label("Seed", exact=True)).to_have_accessible_description(
        "The starting noise: the same seed and recipe give a similar clip again. Allowed: 0 to 2147483637."
    )


def test_hostile_names_are_shown_as_text(wired: Callable[..., Wired]) -> None:
    form = wired(
        params={
            "prompt": HOSTILE,
            "styles": [HOSTILE],
            "motion_control": HOSTILE,
            "start_image": HOSTILE,
            "resolution": HOSTILE,
        },
        clips=(fake_clip(prompt=HOSTILE),),
    )
    form.form.show_problems()
    form.refresh()
    expect(form.root).to_contain_text("<img src=x")
    assert form.page.title() == "vidnb"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 860])
def test_nothing_serious_is_found_by_the_audit(wired: Callable[..., Wired], theme: Theme, width: int) -> None:
    values = {
        "prompt": "a koala",
        "styles": ["Clay"],
        "seed": -1,
        "elements": [{"id": UUID, "weight": 1}],
        "start_image": picture(640, 480),
    }
    form = wired(params=values, clips=(fake_clip(),), width=width, theme=theme)
    form.form.show_problems()
    form.pump_until(form.field("start_image"), "640 × 480")
    form.root.get_by_role("button", name="More (").click()
    form.root.get_by_role("button", name="Frame of a clip").first.click()
    form.root.get_by_role("button", name="About: Seed").click()
    form.root.get_by_role("combobox", name="Styles").focus()
    form.pump()
    form.part.shot(f"form-full-{theme}-{width}")
    assert form.part.audit() == []
    assert form.root.evaluate("root => root.scrollWidth <= root.clientWidth")


LINE = "Kept for models that take them: seed, negative prompt"


def test_what_a_change_of_model_keeps_out_of_sight_is_said_until_it_is_back(wired: Callable[..., Wired]) -> None:
    form = wired(params={"prompt": "a koala", "negative_prompt": "rain", "seed": 7})
    line, polite = form.root.locator(".vidnb-kept"), form.page.locator("[role=status].vidnb-unseen")
    expect(line).to_be_hidden()
    form.form.model = "leonardo/grok-imagine-1.5"
    form.refresh()
    expect(line).to_have_text(LINE)
    expect(polite).to_have_text(LINE)
    form.form.model = "leonardo/motion_2.0"
    form.refresh()
    expect(line).to_be_hidden()
    form.part.set(_spec={**form.form._spec, "kept": [HOSTILE]})
    expect(line).to_have_text(f"Kept for models that take it: {HOSTILE}")
    assert form.page.title() == "vidnb"


def test_a_form_that_is_shown_anew_says_what_it_keeps_without_reading_it_out(wired: Callable[..., Wired]) -> None:
    form = wired(params={"negative_prompt": "rain", "seed": 7})
    form.form.model = "leonardo/grok-imagine-1.5"
    form.refresh()
    form.part.end()
    form.part.render_again()
    expect(form.root.locator(".vidnb-kept")).to_have_text(LINE)
    expect(form.page.locator("[role=status].vidnb-unseen")).to_have_text("")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 860])
def test_the_line_on_what_is_kept_is_readable_everywhere(wired: Callable[..., Wired], theme: Theme, width: int) -> None:
    values = {"prompt": "a koala", "negative_prompt": "rain", "seed": 7, "styles": ["Clay"], "start_image": picture()}
    form = wired(params=values, width=width, theme=theme)
    form.form.model = "leonardo/sora-2"
    form.refresh()
    expect(form.root.locator(".vidnb-kept")).to_contain_text("negative prompt")
    form.part.shot(f"form-kept-{theme}-{width}")
    assert form.part.audit() == []
    assert form.root.evaluate("root => root.scrollWidth <= root.clientWidth")


def test_the_end_leaves_nothing_behind(wired: Callable[..., Wired]) -> None:
    form = wired(params={"start_image": picture(640, 480)})
    form.pump_until(form.field("start_image").first, "640 × 480")
    before = form.part.counts()
    form.part.render_again()
    form.pump_until(form.page.locator(".vidnb-root").nth(1).locator("[data-field=start_image]"), "640 × 480")
    assert form.part.counts()["blobs"] == before["blobs"] + 1
    assert form.part.end() == 0
    after = form.part.counts()
    assert (after["ears"], after["blobs"]) == (before["ears"], before["blobs"])


def test_a_hundred_models_leave_no_listeners_or_nodes(wired: Callable[..., Wired]) -> None:
    form = wired(params={"prompt": "a koala"})

    def switch(times: int) -> dict[str, int]:
        for at in range(times):
            form.form.model = ("leonardo/motion_2.0", "leonardo/seedance-2.0", "1min/kling")[at % 3]
            form.refresh()
            expect(form.root).to_have_attribute("data-model", form.form.model.id)
        return form.part.counts()

    switch(9)
    # When garbage is collected is the browser's affair: the least of several looks is what is really kept.
    early, late = [switch(3) for _ in range(3)], [switch(30) for _ in range(4)]
    for name in ("nodes", "listeners"):
        assert min(one[name] for one in late) <= max(one[name] for one in early) * 1.1


def test_rolled_seeds_lie_in_the_bounds(wired: Callable[..., Wired]) -> None:
    form = wired()
    script = "field => Array.from({ length: 200 }, () => part.randomSeed(field))"
    rolled = [int(seed) for seed in form.page.evaluate(script, {"drawn": [0, 9]})]
    assert set(rolled) == set(range(10))
