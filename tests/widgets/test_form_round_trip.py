"""Form -> params -> recipe -> form is the identity for every model, and no change of model loses a value."""

from __future__ import annotations

import functools
import json
import warnings
from typing import Any

import pytest
from fakes import picture
from formpage import edit, wire_of
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from vidnb import catalog, params
from vidnb.catalog import MEDIA_KINDS, SIZE_PARAMS, Model, Param
from vidnb.errors import ParamsError
from vidnb.records import RemoteMedia
from vidnb.widgets import Form
from vidnb.widgets.fields import label_of

MODELS = list(catalog.load())
PICTURE = picture(640, 480)
UUIDS = st.uuids().map(str)
EXAMPLES = settings(max_examples=5, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
LIMIT = 2**63 - 1


@functools.cache
def values_of(model_id: str) -> st.SearchStrategy[dict[str, Any]]:
    """Values that the model takes one by one; its rules may still refuse some together."""
    model = catalog.find(model_id)
    sizes = SIZE_PARAMS if "width_px" in model.params else ()
    plain = {name: value_of(p, model) for name, p in model.params.items() if name not in sizes}
    needed = {name: value for name, value in plain.items() if model.params[name].required or name == "prompt"}
    some = st.fixed_dictionaries(needed, optional={name: v for name, v in plain.items() if name not in needed})
    return st.builds(lambda a, b: {**a, **b}, some, size_of(model)) if sizes else some


def size_of(model: Model) -> st.SearchStrategy[dict[str, Any]]:
    """Each way to say a legal size, and none."""
    ways: list[dict[str, Any]] = [{}]
    for size in model.sizes:
        both = {"resolution": size.resolution, "aspect_ratio": size.aspect_ratio}
        sides = {"width_px": size.width_px, "height_px": size.height_px}
        ways += [both, sides, both | sides, {"resolution": size.resolution}, {"aspect_ratio": size.aspect_ratio}]
    ways += [{"aspect_ratio": "auto"}, {"width_px": 0, "height_px": 0}] * model.size_auto
    ways += [{"width_px": 1024, "height_px": 1022}] * model.size_any
    return st.sampled_from(ways)


def value_of(param: Param, model: Model) -> st.SearchStrategy[Any]:
    if param.kind == "image":
        return st.just(PICTURE) | st.builds(RemoteMedia, st.just(model.provider), UUIDS)
    if param.kind in MEDIA_KINDS:
        return st.lists(st.builds(RemoteMedia, st.just(model.provider), UUIDS), min_size=1, max_size=2)
    if param.choices:
        choice = st.sampled_from(param.choices)
        return st.lists(choice, min_size=1, max_size=3, unique=True) if param.kind == "choices" else choice
    if param.kind == "boolean":
        return st.booleans()
    if param.kind in ("integer", "number"):
        return number_of(param)
    if param.kind == "elements":
        weights = st.integers(-2, 2) | st.sampled_from([0.5, -1.25])
        return st.lists(st.fixed_dictionaries({"id": UUIDS, "weight": weights}), min_size=1, max_size=2)
    longest = min(param.max_length or 10_000, 10_000)
    said = st.text(min_size=1, max_size=40).filter(lambda text: any(c.isprintable() and c != " " for c in text))
    text = said | st.sampled_from(["🐨👩‍👩‍👧", "\u202e שלום", "a\r\nb\x00"])
    return text | st.just("x" * longest)


def number_of(param: Param) -> st.SearchStrategy[Any]:
    low, high = param.min, param.max
    most = LIMIT if param.kind == "integer" or param.integer else 2**53  # a number with a point holds no more digits
    whole = st.integers(int(low if low is not None else -most), int(high if high is not None else most))
    if param.kind == "integer" or param.integer:
        return whole
    wide = st.floats(low if low is not None else -1000, high if high is not None else 1000)
    return wide.map(lambda value: round(value, 6) + 0.0) | whole


def recipe_of(model: Model, values: dict[str, Any]) -> params.Recipe:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # older forms are legal
        return params.validate(model, values).recipe


def legal(data: st.DataObject, model: Model) -> dict[str, Any]:
    """Drawn values that the model takes together."""
    values = data.draw(values_of(model.id))
    try:
        recipe_of(model, values)
    except ParamsError:
        assume(False)
    return values


def as_request(values: dict[str, Any], recipe: params.Recipe) -> dict[str, Any]:
    """What `clip.request` gives for a recipe: its params in full, and its inputs."""
    return dict(recipe.params) | {name: values[name] for name in recipe.images}


@pytest.mark.parametrize("model_id", MODELS)
@EXAMPLES
@given(data=st.data())
def test_a_recipe_taken_up_again_is_the_same_recipe(model_id: str, data: st.DataObject) -> None:
    model = catalog.find(model_id)
    values = legal(data, model)
    form = Form(model)
    forced = form.params
    form.params = values
    recipe = recipe_of(model, form.params)
    shown = {name: forced[name] for name, p in model.params.items() if p.required and name in forced}
    assert recipe == recipe_of(model, {**shown, **values})
    again = Form(model, as_request(form.params, recipe))
    assert recipe_of(model, again.params) == recipe
    # A text of blanks says nothing, so the recipe does not have it.
    said = {name: value for name, value in form.params.items() if value != "" and params.is_given(value)}
    assert again.params == said
    before = again.params
    again.params = dict(before)
    assert again.params == before


@pytest.mark.parametrize("model_id", MODELS)
@EXAMPLES
@given(data=st.data())
def test_other_models_and_back_restore_every_value(model_id: str, data: st.DataObject) -> None:
    model = catalog.find(model_id)
    form = Form(model, legal(data, model))
    before = form.params
    wished = {field for field, (_, held, *_) in form._given.items() if held is not None}
    for other in data.draw(st.lists(st.sampled_from(MODELS), min_size=1, max_size=3)):
        form.model = other
        json.dumps([form._spec, form._given, form._marks], allow_nan=False).encode()
        fields = {spec["name"] for spec in form._spec["fields"]}
        assert set(form._spec["kept"]) == {label_of(name) for name in wished - fields}
    form.model = model
    assert form.params == before
    assert not form._marks
    assert form._spec["kept"] == []


@pytest.mark.parametrize("model_id", MODELS)
@EXAMPLES
@given(data=st.data())
def test_what_the_page_holds_gives_the_same_values_back(model_id: str, data: st.DataObject) -> None:
    """A page that sends back what it was sent, as JSON that JavaScript can read, changes nothing."""
    model = catalog.find(model_id)
    form = Form(model, legal(data, model))
    before = form.params
    for field in [spec["name"] for spec in form._spec["fields"]]:
        wire = json.loads(json.dumps(wire_of(form, field)))
        assert all(abs(number) < 2**53 for number in numbers_in(wire))
        edit(form, field, wire)
    assert form.problem == ""
    assert form.params == before


def numbers_in(wire: Any) -> list[float]:
    """All JSON numbers in there, which JavaScript would round."""
    if isinstance(wire, dict):
        return [number for value in wire.values() for number in numbers_in(value)]
    if isinstance(wire, list):
        return [number for value in wire for number in numbers_in(value)]
    return [wire] if isinstance(wire, int | float) and not isinstance(wire, bool) else []
