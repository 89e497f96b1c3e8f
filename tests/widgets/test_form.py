"""The form says what the catalogue says, and gives back what was put into it."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidnb import catalog, params
from vidnb.catalog import MEDIA_KINDS, Model, Param
from vidnb.errors import ConfigError
from vidnb.widgets import Form
from vidnb.widgets.fields import ControlField, Field

MODELS = list(catalog.load())
NOW = datetime(2026, 1, 1, tzinfo=UTC)
UUID = "5f2d1c0a-1111-4222-8333-444455556666"


def control(form: Form, name: str) -> ipywidgets.Widget:
    """The one control of a field."""
    field = form.field(name)
    assert isinstance(field, ControlField)
    return field.control


def shown(field: Field) -> bool:
    return field.layout.display != "none"


def text_of(field: Field) -> str:
    """The line below a field, as HTML."""
    return str(field.children[-1].value)


def png(width: int = 64, height: int = 48) -> bytes:
    data = io.BytesIO()
    PIL.Image.new("RGB", (width, height), "teal").save(data, "PNG")
    return data.getvalue()


@pytest.mark.parametrize("model_id", MODELS)
def test_every_model_has_a_form_with_a_named_control_for_each_param(model_id: str) -> None:
    form = Form(model_id)
    assert form.model is catalog.find(model_id)
    for param in form.model.params.values():
        field = form.field(param.name)
        assert param.name in field.params
        if form.model.sizes and param.name in ("width_px", "height_px"):
            continue  # resolution and aspect ratio say it
        named = [w for w in every_widget(field) if getattr(w, "description", "")]
        assert named, f"{param.name} has no label"
        assert any(param.help in (w.tooltip or "") for w in named)


@pytest.mark.parametrize("model_id", MODELS)
def test_an_untouched_form_changes_no_recipe(model_id: str) -> None:
    model = catalog.find(model_id)
    form = Form(model)
    needed: dict[str, Any] = {}
    if "prompt" in model.params:
        needed["prompt"] = "a koala"
    if model.takes("start_image") and "text" not in model.modes:
        needed["start_image"] = png(640, 480)
    forced = {name: form.params[name] for name, p in model.params.items() if p.required and name in form.params}
    form.params = needed
    assert params.validate(model, form.params).recipe == params.validate(model, {**forced, **needed}).recipe


@pytest.mark.parametrize("model_id", MODELS)
@settings(max_examples=4)
@given(data=st.data())
def test_what_goes_into_the_form_comes_out_of_it(model_id: str, data: st.DataObject) -> None:
    model = catalog.find(model_id)
    values = data.draw(values_of(model))
    form = Form(model)
    form.params = values
    assert {name: form.params[name] for name in values} == values
    again = dict(form.params)
    form.params = again
    assert form.params == again


def values_of(model: Model) -> st.SearchStrategy[dict[str, Any]]:
    """Some values that the model takes, sizes as a legal pair."""
    sizes = catalog.SIZE_PARAMS if model.sizes else ()
    plain = {name: value_of(p) for name, p in model.params.items() if name not in sizes}
    some = st.fixed_dictionaries({}, optional=plain)
    if not model.sizes:
        return some
    size = st.sampled_from(model.sizes).map(lambda s: {"resolution": s.resolution, "aspect_ratio": s.aspect_ratio})
    return st.builds(lambda a, b: {**a, **b}, some, size | st.just({}))


def value_of(param: Param) -> st.SearchStrategy[Any]:
    if param.kind in MEDIA_KINDS:
        return st.just("a.png") if param.kind == "image" else st.lists(st.text(min_size=1), min_size=1, max_size=2)
    if param.choices:
        choice = st.sampled_from(param.choices)
        return st.lists(choice, min_size=1, max_size=3, unique=True) if param.kind == "choices" else choice
    if param.kind == "boolean":
        return st.booleans()
    if param.kind in ("integer", "number"):
        low, high = int(param.min or 0), int(param.max if param.max is not None else 1000)
        return st.integers(low, high)
    if param.kind == "elements":
        return st.lists(st.just({"id": UUID, "weight": 0.5}), min_size=1, max_size=1)
    return st.text(min_size=1, max_size=param.max_length and min(param.max_length, 50))


def every_widget(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    below = [each for child in getattr(widget, "children", ()) for each in every_widget(child)]
    return [widget, *below]


def test_basics_stand_first_and_the_rest_is_folded() -> None:
    form = Form("leonardo/motion_2.0")
    body, more = form.children[2], form.children[3]
    assert [next(iter(field.params)) for field in body.children] == ["prompt", "start_image", "seed", "resolution"]
    assert isinstance(more, ipywidgets.Accordion)
    assert more.titles == ("More",)
    assert more.selected_index is None
    folded = [next(iter(field.params)) for field in more.children[0].children]
    assert "negative_prompt" in folded
    assert "public" in folded


def test_motion_strength_is_a_slider_with_the_catalogues_bounds() -> None:
    slider = control(Form("1min/leonardo-motion"), "motion_strength")
    assert isinstance(slider, ipywidgets.IntSlider)
    assert (slider.min, slider.max) == (1, 10)
    assert "1 to 10" in slider.tooltip
    optional = Form("leonardo/SVD")
    assert isinstance(control(optional, "motion_strength"), ipywidgets.SelectionSlider)
    assert "motion_strength" not in optional.params
    control(optional, "motion_strength").value = 3
    assert optional.params["motion_strength"] == 3


def test_required_params_are_marked_and_clips_are_private() -> None:
    form = Form("leonardo/motion_2.0")
    assert control(form, "prompt").description == "Prompt *"
    assert control(form, "seed").description == "Seed"
    assert form.params["public"] is False


def test_observers_hear_of_params_once_and_without_none() -> None:
    form = Form("leonardo/motion_2.0")
    heard: list[dict[str, Any]] = []
    form.observe(lambda change: heard.append(change["new"]), "params")
    form.params = {"prompt": "a koala", "seed": 7, "negative_prompt": None}
    assert len(heard) == 1
    assert heard[0]["seed"] == 7
    assert "negative_prompt" not in heard[0]
    control(form, "seed").value = ""
    assert "seed" not in form.params
    assert len(heard) == 2


def test_a_size_is_picked_by_resolution_and_aspect_ratio_and_shown_in_pixels() -> None:
    form = Form("leonardo/motion_2.0")
    resolution, aspect = form.field("resolution").children[:2]
    assert "width_px" not in form.params
    resolution.value = "720p"
    assert (form.params["resolution"], form.params["aspect_ratio"]) == ("720p", "16:9")
    assert "1280 × 720" in form.field("resolution").children[2].value
    aspect.value = "2:3"  # which 720p has not
    assert (form.params["resolution"], form.params["aspect_ratio"]) == ("480p", "2:3")
    assert "512 × 768" in form.field("resolution").children[2].value
    resolution.value = ""
    assert form.params.keys().isdisjoint(catalog.SIZE_PARAMS)


def test_a_listed_pair_of_pixels_is_shown_as_its_names_and_another_one_is_kept() -> None:
    form = Form("leonardo/grok-imagine-1.5")
    form.params = {"width_px": 400, "height_px": 736}
    assert (form.params["resolution"], form.params["aspect_ratio"]) == ("480p", "9:16")
    form.params = {"width_px": 123, "height_px": 45}
    assert (form.params["width_px"], form.params["height_px"]) == (123, 45)
    assert any("123x45" in str(problem) for problem in form.problems())


def test_auto_follows_the_start_image() -> None:
    form = Form("leonardo/grok-imagine-1.5")
    form.field("aspect_ratio").children[1].value = "auto"
    form.params = {**form.params, "prompt": "a koala", "start_image": png(640, 480)}
    request = params.validate(form.model, form.params)
    assert (request.params["width_px"], request.params["height_px"]) == (0, 0)


def test_problems_stand_below_their_fields_as_text_and_go_when_the_field_changes() -> None:
    form = Form("leonardo/motion_2.0", {"seed": "<b>seven</b>"})
    found = form.show_problems()
    assert {problem.field for problem in found} == {"prompt", "seed"}
    assert "&lt;b&gt;seven&lt;/b&gt;" in text_of(form.field("seed"))
    assert "<b>" not in text_of(form.field("seed"))
    assert "This model needs it" in text_of(form.field("prompt"))
    control(form, "seed").value = "7"
    assert text_of(form.field("seed")) == ""
    assert "This model needs it" in text_of(form.field("prompt"))


def test_a_problem_in_the_folded_part_opens_it() -> None:
    form = Form("leonardo/motion_2.0", {"prompt": "a koala", "negative_prompt": "x" * 1001})
    form.show_problems()
    assert form.children[3].selected_index == 0


def test_a_value_that_no_control_can_show_is_kept_and_refused() -> None:
    form = Form("1min/leonardo-motion", {"start_image": png(640, 480), "motion_strength": 42})
    assert form.params["motion_strength"] == 42
    assert "42" in text_of(form.field("motion_strength"))
    assert [problem.field for problem in form.problems()] == ["motion_strength"]
    control(form, "motion_strength").value = 4
    assert form.params["motion_strength"] == 4
    assert form.problems() == []


def test_a_param_of_another_model_is_a_problem_and_no_traceback() -> None:
    form = Form("leonardo/motion_2.0", {"prompt": "a koala", "motion_strength": 5})
    form.show_problems()
    assert form.params["motion_strength"] == 5
    assert "motion_strength" in form.children[4].value


def test_values_survive_a_change_of_model_and_what_does_not_fit_goes_back_visibly() -> None:
    form = Form("leonardo/VEO3_1", {"prompt": "a koala", "seed": 7, "duration_s": 6})
    form.model = "leonardo/kling-2.6"
    assert form.params["prompt"] == "a koala"
    assert "seed" not in form.params
    assert form.params["duration_s"] == 5
    assert "duration" in form.children[1].value
    form.model = "leonardo/VEO3_1"
    assert form.params["seed"] == 7


def test_an_unknown_model_is_refused_by_name() -> None:
    form = Form("leonardo/motion_2.0")
    with pytest.raises(ConfigError, match="motion_2"):
        form.model = "leonardo/motion_3.0"
    assert form.model.id == "leonardo/motion_2.0"


def test_a_picture_comes_by_path_by_upload_and_by_code_and_can_be_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "<b>koala.png"
    path.write_bytes(png())
    form = Form("leonardo/motion_2.0")
    place, upload = form.field("start_image").children[0].children
    place.value = str(path)
    assert form.params["start_image"] == str(path)
    line = form.field("start_image").children[1].children[0]
    assert "data:image/webp" in line.children[0].value
    assert "<b>" not in line.children[0].value
    line.children[1].click()
    assert "start_image" not in form.params

    upload.value = (
        {"name": "k.png", "type": "image/png", "size": 3, "content": memoryview(png()), "last_modified": NOW},
    )
    assert form.params["start_image"] == png()
    assert upload.value == (), "uploaded bytes would be saved into the notebook"

    pixels = np.zeros((8, 8, 3), np.uint8)
    form.params = {"start_image": pixels}
    assert form.params["start_image"] is pixels


def test_an_address_is_not_fetched_before_generate() -> None:
    form = Form("leonardo/motion_2.0")
    form.field("start_image").children[0].children[0].value = "https://example.org/koala.png"
    assert form.params["start_image"] == "https://example.org/koala.png"
    assert "<img" not in form.field("start_image").children[1].children[0].children[0].value


def test_styles_are_picked_by_name_and_elements_by_id_and_weight() -> None:
    form = Form("leonardo/motion_2.0", {"prompt": "a koala"})
    adder = form.field("styles").children[0].children[0]
    adder.value = "Clay"
    adder.value = "Logo"
    assert form.params["styles"] == ["Clay", "Logo"]
    assert adder.value == ""
    form.field("styles").children[1].children[0].children[1].click()
    assert form.params["styles"] == ["Logo"]
    form.field("elements").children[0].children[0].value = f"{UUID}: 0.5"
    assert form.params["elements"] == [{"id": UUID, "weight": 0.5}]
    assert form.problems() == []
    form.field("elements").children[0].children[0].value = "no-id: much"
    assert "elements" in {problem.field for problem in form.problems()}


def test_a_param_of_the_other_mode_is_hidden_until_it_has_a_use_or_a_value() -> None:
    form = Form("1min/pika", {"prompt": "a koala"})
    assert shown(form.field("aspect_ratio"))
    form.params = {"prompt": "a koala", "start_image": png(640, 480)}
    assert not shown(form.field("aspect_ratio"))
    assert "aspect_ratio" not in form.params
    form.params = {**form.params, "aspect_ratio": "1:1"}
    assert shown(form.field("aspect_ratio"))
    assert [problem.field for problem in form.problems()] == ["aspect_ratio"]
