"""The model picker and the Generate bar in a browser: what a person picks, presses and reads."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from widgetpage import Theme, WidgetPage

from vidnb.records import Cost, Quote
from vidnb.widgets.form import NOT_SENT, Form
from vidnb.widgets.generate import GenerateBar
from vidnb.widgets.picker import ModelPicker

Open = Callable[..., WidgetPage]

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


def bar(**traits: object) -> GenerateBar:
    made = GenerateBar(lambda fresh, anyway: None)
    made.set_trait("quote", Quote(Cost(0.45, "USD"), "estimate", "as charged on 2026-11-20"))
    for name, value in traits.items():
        made.set_trait(name, value)
    return made


def test_a_picked_model_reaches_the_kernel_and_a_provider_brings_its_own(widget_page: Open) -> None:
    shown = widget_page(ModelPicker())
    shown.root.get_by_label("Model").select_option("leonardo/grok-imagine-1.5")
    shown.wait_for_trait("model", "leonardo/grok-imagine-1.5")
    shown.root.get_by_label("Provider").select_option("1min")
    expect(shown.root.get_by_label("Model").locator("optgroup").first).to_have_attribute("label", "In service")
    assert shown.trait("model").startswith("1min/")


def test_a_retired_model_needs_one_more_click_and_is_marked(widget_page: Open) -> None:
    shown = widget_page(ModelPicker())
    choice = shown.root.get_by_label("Model")
    expect(choice.locator("option[value='leonardo/VEO3']")).to_have_count(0)
    shown.root.get_by_role("button", name="retired").click()
    group = choice.locator("optgroup", has=shown.page.locator("option[value='leonardo/VEO3']"))
    expect(group).to_have_attribute("label", "Out of service")
    choice.select_option("leonardo/VEO3")
    shown.wait_for_trait("model", "leonardo/VEO3")
    shown.root.get_by_role("button", name="hide retired").click()
    expect(choice).to_have_value("leonardo/VEO3")


def test_two_contracts_with_one_title_can_be_told_apart(widget_page: Open) -> None:
    shown = widget_page(ModelPicker())
    shown.root.get_by_role("button", name="retired").click()
    texts = shown.root.get_by_label("Model").locator("option").all_inner_texts()
    assert len(set(texts)) == len(texts)


def test_models_are_found_by_what_they_take_across_services(widget_page: Open) -> None:
    shown = widget_page(ModelPicker())
    shown.root.get_by_label("Show only those that take").select_option("motion_strength")
    choice = shown.root.get_by_label("Model", exact=True)
    expect(choice.locator("option[value='1min/leonardo-motion']")).to_have_count(1)
    expect(choice.locator("option")).to_have_count(2)  # and the one that is chosen
    shown.root.get_by_role("button", name="retired").click()
    expect(choice.locator("option[value='leonardo/SVD']")).to_have_count(1)
    choice.select_option("1min/leonardo-motion")
    shown.wait_for_trait("model", "1min/leonardo-motion")


def test_the_keys_are_listed_and_escape_puts_them_away(widget_page: Open) -> None:
    shown = widget_page(ModelPicker())
    button = shown.root.get_by_role("button", name="Keys")
    button.click()
    expect(shown.root.get_by_text("play, pause")).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    shown.page.keyboard.press("Escape")
    expect(shown.root.get_by_text("play, pause")).to_be_hidden()
    expect(button).to_be_focused()


def test_the_price_stands_on_the_button_with_how_sure_it_is(widget_page: Open) -> None:
    shown = widget_page(bar())
    button = shown.root.get_by_role("button", name="Generate about $0.45")
    expect(button).to_have_attribute("title", "Estimated price: as charged on 2026-11-20")
    shown.set(_price=bar(quote=Quote(None, "unknown", "nothing is published"))._price)
    expect(shown.root.get_by_role("button", name="Generate price unknown")).to_be_visible()
    shown.set(_price=bar(quote=Quote(Cost(0, "USD"), "exact", "emulated"))._price)
    expect(shown.root.get_by_role("button", name="Generate free")).to_be_visible()


def test_where_generate_makes_another_clip_each_time_it_says_so_and_next_take_is_gone(widget_page: Open) -> None:
    shown = widget_page(bar(makes="new seed"))
    expect(shown.root.get_by_role("button", name="Generate new seed about $0.45")).to_be_visible()
    expect(shown.root.get_by_role("button", name="Next take")).to_have_count(0)
    shown.set(makes="seed 7")
    expect(shown.root.get_by_role("button", name="Generate seed 7 about $0.45")).to_be_visible()
    expect(shown.root.get_by_role("button", name="Next take")).to_be_visible()


def test_the_buttons_send_what_they_say_once_a_click(widget_page: Open) -> None:
    shown = widget_page(bar(ask="Nobody knows the price."))
    for name in ("Generate about", "Next take", "Generate anyway"):
        shown.root.get_by_role("button", name=name).click()
        shown.say("heard")
    assert shown.sent("generate") == [
        {"kind": "generate", "fresh": False, "count": 1},
        {"kind": "generate", "fresh": True, "count": 1},
        {"kind": "generate", "fresh": False, "anyway": True, "count": 1},
    ]


def test_a_second_click_is_held_back_until_the_kernel_heard_the_first(widget_page: Open) -> None:
    shown = widget_page(bar(note="Sent."))
    take = shown.root.get_by_role("button", name="Next take")
    take.click()
    take.click(force=True)
    expect(shown.root).to_contain_text("The kernel is busy with a cell")
    assert len(shown.sent("generate")) == 1
    shown.say("heard")
    expect(shown.root).not_to_contain_text("busy")
    expect(shown.root).to_contain_text("Sent.")
    take.click()
    assert len(shown.sent("generate")) == 2


def test_a_double_click_is_one_take_even_where_the_kernel_hears_at_once(widget_page: Open) -> None:
    shown = widget_page(bar())
    take = shown.root.get_by_role("button", name="Next take")
    for detail in (1, 2):
        take.dispatch_event("click", {"detail": detail})
        shown.say("heard")
    assert len(shown.sent("generate")) == 1
    take.press("Enter")  # a key has no count
    assert len(shown.sent("generate")) == 2


def test_a_key_that_is_held_down_is_one_take(widget_page: Open) -> None:
    shown = widget_page(bar())
    shown.root.get_by_role("button", name="Next take").focus()
    for _ in range(3):
        shown.page.keyboard.down("Enter")
        shown.say("heard")
    shown.page.keyboard.up("Enter")
    assert len(shown.sent("generate")) == 1


def test_that_nothing_was_sent_is_said_until_the_next_click(widget_page: Open) -> None:
    shown = widget_page(bar())
    go = shown.root.get_by_role("button", name="Generate about")
    go.click()
    shown.say("heard", {"refused": NOT_SENT})
    shown.set(note="")
    expect(shown.root).to_contain_text(NOT_SENT)
    go.click()
    shown.say("heard", {"refused": ""})
    expect(shown.root).not_to_contain_text(NOT_SENT)


def test_a_picker_says_what_it_shows_as_long_as_it_is_there(widget_page: Open) -> None:
    shown = widget_page(ModelPicker("1min/luma"), {"_form": "the form"})
    told = "() => [...vidnbForms.pickers].map(shown => shown())"
    assert shown.page.evaluate(told) == [["the form", "1min/luma"]]
    shown.render_again()
    shown.root.get_by_label("Model").select_option("1min/leonardo-motion")
    assert shown.page.evaluate(told) == [["the form", "1min/leonardo-motion"]] * 2
    shown.end()
    shown.end()
    assert shown.page.evaluate(told) == []


def test_a_click_without_a_kernel_says_so_and_not_that_it_is_kept(widget_page: Open) -> None:
    shown = widget_page(bar())
    shown.page.evaluate("() => { fake.model.send = () => { throw new Error('Cannot send'); }; }")
    go = shown.root.get_by_role("button", name="Generate about")
    go.click()
    expect(shown.page.get_by_text("Run the cell again")).to_be_visible()
    assert go.get_attribute("aria-disabled") is None
    expect(shown.root).not_to_contain_text("busy")


def test_the_keys_stay_beside_the_models_where_the_cell_is_narrow(widget_page: Open) -> None:
    shown = widget_page(ModelPicker(), width=420)
    tops = [
        shown.root.get_by_label(name, exact=True).evaluate("e => Math.round(e.getBoundingClientRect().top)")
        for name in ("Provider", "Model", "Keys")
    ]
    assert len(set(tops)) == 1


def test_a_cap_is_typed_checked_and_taken_away(widget_page: Open) -> None:
    shown = widget_page(bar(session={"USD": 1.2}, folder={"USD": 33.1, "CREDITS": 900_000.0}))
    expect(shown.root).to_contain_text("$1.20 in this studio")
    expect(shown.root).to_contain_text("900,000 credits in this folder")
    shown.root.get_by_role("button", name="No cap").click()
    field = shown.root.get_by_label("Cap in US dollars")
    expect(field).to_be_focused()
    for typed in ("5", "much", ""):
        field.fill(typed)
        field.blur()
        expect(field).to_have_attribute("aria-invalid", "true" if typed == "much" else "false")
        expect(shown.root.get_by_text("A cap is a number")).to_have_count(1 if typed == "much" else 0)
    assert [message["budget_usd"] for message in shown.sent("budget")] == [5, None]


def test_a_cap_goes_along_with_the_clicks_until_the_kernel_has_it(widget_page: Open) -> None:
    shown = widget_page(bar())
    shown.root.get_by_role("button", name="No cap").click()
    shown.root.get_by_label("Cap in US dollars").fill("5")
    go = shown.root.get_by_role("button", name="Generate about")
    for heard in ({}, {"budget_usd": 4}, {"budget_usd": 5}):
        shown.say("budget", heard)
        go.click()
        shown.say("heard")
    assert [message.get("budget") for message in shown.sent("generate")] == [{"budget_usd": 5}, {"budget_usd": 5}, None]


def test_hostile_words_are_shown_as_words(widget_page: Open) -> None:
    about = [{"text": HOSTILE, "tone": "warn"}]
    for shown in (
        widget_page(ModelPicker(), {"about": about}),
        widget_page(bar(note=HOSTILE, ask=HOSTILE, problem=HOSTILE)),
    ):
        expect(shown.page.locator("body")).to_contain_text("<img src=x")
        assert shown.page.title() == "vidnb"
        assert shown.page.locator("main img").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 860])
def test_nothing_serious_is_found_by_the_audit(widget_page: Open, theme: Theme, width: int) -> None:
    about = [
        {"text": "No LEONARDO_API_KEY: the built-in emulator answers.", "tone": "note"},
        {"text": "Out of service.", "tone": "warn"},
    ]
    picker = widget_page(ModelPicker(), {"about": about}, width=width, theme=theme)
    picker.root.get_by_role("button", name="Keys").click()
    picker.shot(f"picker-{theme}-{width}")
    assert picker.audit() == []
    full = bar(session={"USD": 1.2}, folder={"USD": 33.1}, budget_usd=5.0, ask="Nobody knows the price.", note="Sent.")
    generate = widget_page(full, width=width, theme=theme)
    generate.root.get_by_role("button", name="Cap").click()
    generate.shot(f"bar-{theme}-{width}")
    assert generate.audit() == []


def test_the_end_leaves_nothing_behind(widget_page: Open) -> None:
    for part in (ModelPicker(), bar()):
        shown = widget_page(part)
        before = shown.counts()["ears"]
        shown.render_again()
        assert shown.counts()["ears"] == 2 * before
        assert shown.end() == 0
        assert shown.counts()["ears"] == before


def test_a_form_that_is_gone_leaves_only_what_its_kernel_has_not_confirmed(widget_page: Open) -> None:
    shown = widget_page(Form("leonardo/motion_2.0"))
    desks = "() => vidnbForms.desks.size"
    shown.render_again()
    shown.end()
    assert shown.page.evaluate(desks) == 1, "there is a view yet"
    shown.end()
    assert shown.page.evaluate(desks) == 0
    shown.render_again()
    shown.root.get_by_label("Prompt", exact=True).fill("a koala")
    shown.end()
    assert shown.page.evaluate(desks) == 1
    assert [message["edits"]["prompt"][1] for message in shown.sent("edit")] == ["a koala"]
