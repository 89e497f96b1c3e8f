"""Validation: everything that a service would refuse is refused here first, and all of it at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fakes import picture
from hypothesis import given
from hypothesis import strategies as st

from vidnb import catalog, params
from vidnb.errors import OlderFormWarning, ParamsError
from vidnb.records import RemoteMedia

MODELS = sorted(catalog.load())
PICTURE = picture(640, 480)


def checked(model: str, **values: Any) -> params.Request:
    return params.validate(catalog.find(model), values)


def problems(model: str, **values: Any) -> dict[str, str]:
    with pytest.raises(ParamsError) as caught:
        checked(model, **values)
    return {problem.field: str(problem) for problem in caught.value.problems}


def test_every_problem_of_a_request_is_reported_at_once() -> None:
    found = problems("leonardo/motion_2.0", prompt="x" * 10_000, seed=-1, sed=3, resolution="4k", elements=["nonsense"])
    assert set(found) == {"prompt", "seed", "sed", "resolution", "elements"}
    assert "10000 characters" in found["prompt"]
    assert "0 to 2147483637" in found["seed"]
    assert "did you mean 'seed'?" in found["sed"]


@pytest.mark.parametrize("several", [range(4), [1, 2], np.array([1, 2])])
def test_several_seeds_in_one_call_are_shown_the_way_to_a_sweep(several: Any) -> None:
    found = problems("leonardo/motion_2.0", prompt="a koala", seed=several)
    assert found["seed"].endswith("Several values at once are a sweep: give them to vidnb.sweep()")


@pytest.mark.parametrize("size", ["1280x720", (1280, 720), " 720 × 1280 "])
def test_a_size_in_place_of_a_resolution_names_the_resolution(size: Any) -> None:
    assert "did you mean '720p'?" in problems("leonardo/motion_2.0", prompt="a koala", resolution=size)["resolution"]


def test_a_param_of_other_models_names_them() -> None:
    assert "1min/leonardo-motion" in problems("leonardo/motion_2.0", prompt="x", motion_strength=5)["motion_strength"]


def test_unsupported_params_are_dropped_on_request_and_listed() -> None:
    model = catalog.find("leonardo/motion_2.0")
    request = params.validate(model, {"prompt": "x", "motion_strength": 5}, unsupported="drop")
    assert request.dropped == {"motion_strength": 5}
    assert "motion_strength" not in request.params


def test_a_misspelt_param_is_never_dropped() -> None:
    with pytest.raises(ParamsError, match="did you mean 'seed'"):
        params.validate(catalog.find("leonardo/motion_2.0"), {"prompt": "x", "sed": 5}, unsupported="drop")


@pytest.mark.parametrize(
    ("given_size", "pair"),
    [
        ({"resolution": "720p", "aspect_ratio": "9:16"}, (720, 1280)),
        ({"resolution": 720}, (1280, 720)),
        ({"resolution": "RESOLUTION_720"}, (1280, 720)),
        ({"aspect_ratio": "9:16", "resolution": "480p"}, (480, 832)),
        ({"width_px": 512, "height_px": 768}, (512, 768)),
        ({"aspect_ratio": "auto"}, (0, 0)),
    ],
)
def test_a_size_may_be_said_in_any_of_its_forms(given_size: dict[str, Any], pair: tuple[int, int]) -> None:
    found = checked("leonardo/motion_2.0", prompt="x", **given_size).params
    assert (found["width_px"], found["height_px"]) == pair


def test_all_forms_of_one_size_are_one_recipe() -> None:
    by_pair = checked("leonardo/motion_2.0", prompt="x", width_px=1280, height_px=720)
    by_name = checked("leonardo/motion_2.0", prompt="x", resolution="720p", aspect_ratio="16:9")
    assert by_pair.recipe.recipe_hash == by_name.recipe.recipe_hash


def test_half_a_size_is_refused() -> None:
    assert "go together" in problems("leonardo/motion_2.0", prompt="x", width_px=832)["height_px"]


def test_a_pair_that_is_not_listed_names_the_nearest() -> None:
    found = problems("leonardo/grok-imagine-1.5", prompt="x", start_image=PICTURE, width_px=1024, height_px=1024)
    assert "960x960" in found["width_px, height_px"]


def test_a_size_and_a_resolution_that_disagree_are_refused() -> None:
    assert "resolution" in problems("leonardo/motion_2.0", prompt="x", width_px=1280, height_px=720, resolution="480p")


def test_the_seed_documents_size_of_motion_2_is_accepted_with_a_word_about_the_newer_ones() -> None:
    with pytest.warns(OlderFormWarning, match="832x480"):
        found = checked("leonardo/motion_2.0", prompt="x", width_px=1024, height_px=1024, resolution="480p").params
    assert (found["width_px"], found["height_px"], found["resolution"]) == (1024, 1024, "480p")


@pytest.mark.parametrize("written", ["Dolly In", "dolly in", "ece8c6a9-3deb-430e-8c93-4d5061b6adbf"])
def test_a_named_value_may_be_written_by_name_or_by_uuid(written: str) -> None:
    assert checked("leonardo/motion_2.0", prompt="x", motion_control=written).params["motion_control"] == "Dolly In"


def test_a_uuid_that_the_catalogue_does_not_know_yet_passes() -> None:
    unknown = "12345678-1234-1234-1234-123456789abc"
    assert checked("leonardo/motion_2.0", prompt="x", styles=[unknown]).params["styles"] == [unknown]


@pytest.mark.parametrize(("written", "canonical"), [(True, "on"), (False, "off"), ("AUTO", "auto"), ("on", "on")])
def test_prompt_enhance_reads_all_spellings(written: Any, canonical: str) -> None:
    assert checked("leonardo/motion_2.0", prompt="x", prompt_enhance=written).params["prompt_enhance"] == canonical


def test_privacy_is_the_default() -> None:
    assert checked("leonardo/motion_2.0", prompt="x").params["public"] is False


@pytest.mark.parametrize("value", [True, "5", 5.5, float("nan"), 11, 0, None])
def test_motion_strength_of_leonardo_motion_is_a_whole_number_from_1_to_10(value: Any) -> None:
    assert "motion_strength" in problems("1min/leonardo-motion", start_image=PICTURE, motion_strength=value)


def test_numpy_numbers_are_numbers() -> None:
    request = checked("1min/leonardo-motion", start_image=PICTURE, motion_strength=np.int64(7))
    assert request.params["motion_strength"] == 7
    assert type(request.params["motion_strength"]) is int


def test_a_missing_image_is_named_with_what_may_be_given() -> None:
    assert "a picture (a file, a web address" in problems("leonardo/SVD", motion_strength=5)["start_image"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"not a picture", "no picture"),
        ("/nowhere/at/all.png", "all.png"),
        (picture()[:60], "picture"),
        (RemoteMedia("1min", "images/x.png"), "lies at 1min"),
        (12, "picture"),
    ],
)
def test_a_wrong_image_is_refused_with_its_reason(value: Any, said: str) -> None:
    assert said in problems("leonardo/SVD", start_image=value)["start_image"]


def test_the_limits_of_the_hailuo_page_are_checked() -> None:
    values = {"variant": "i2v-02", "duration_s": 6, "resolution": "768p"}
    assert "300 to 4096" in problems("1min/hailuo-image", start_image=picture(200, 200), **values)["start_image"]
    assert "width/height" in problems("1min/hailuo-image", start_image=picture(1800, 300), **values)["start_image"]


def test_an_end_image_needs_a_start_image() -> None:
    assert "start_image" in problems("leonardo/veo-3.1-lite", prompt="x", end_image=PICTURE)


def test_a_combination_that_the_page_forbids_is_refused() -> None:
    found = problems("1min/hailuo-image", start_image=PICTURE, variant="i2v-02", duration_s=10, resolution="1080p")
    assert "6 s at 1080p" in found["resolution with duration_s"]


def test_a_rule_with_one_bound_says_that_one() -> None:
    video = RemoteMedia("leonardo", "5f2d")
    found = problems("leonardo/kling-video-o-3", prompt="x", reference_videos=[video], duration_s=15)
    assert "at most 10 with a reference video" in found["duration_s"]


def test_kling_2_at_1min_takes_only_pro() -> None:
    assert "pro" in problems("1min/kling", start_image=PICTURE, variant="2.0", quality="std")["quality"]


def test_hostile_file_names_never_reach_the_wire(tmp_path: Any) -> None:
    path = tmp_path / "..;rm -rf $HOME\n.png"
    path.write_bytes(PICTURE)
    media = checked("leonardo/SVD", start_image=path).media["start_image"][0]
    assert media.filename.removesuffix(".png").isalnum()  # type: ignore[union-attr]


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.binary(max_size=30),
    st.lists(st.text(max_size=5), max_size=3), st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)  # fmt: skip


@given(st.data())
@pytest.mark.filterwarnings("ignore::vidnb.errors.OlderFormWarning")
def test_any_values_give_a_request_or_a_params_error_and_nothing_else(data: st.DataObject) -> None:
    model = catalog.find(data.draw(st.sampled_from(MODELS)))
    names = data.draw(st.lists(st.sampled_from([*model.params, "nonsense"]), unique=True, max_size=6))
    try:
        request = params.validate(model, {name: data.draw(VALUES) for name in names})
    except ParamsError:
        return
    assert set(request.params) <= set(model.params)


def legal(param: catalog.Param) -> st.SearchStrategy[Any]:
    """Values that the catalogue allows for one param."""
    if param.choices:
        one = st.sampled_from(param.choices)
        return st.lists(one, max_size=param.max_items or 3, unique=True) if param.kind == "choices" else one
    low, high = param.min, param.max
    return {
        "text": st.text(min_size=param.min_length or 1, max_size=min(param.max_length or 50, 50)),
        "boolean": st.booleans(),
        "integer": st.integers(int(low or 0), int(high or 2**31)),
        "number": st.integers(int(low or 0), int(high or 100)),
        "elements": st.just([]),
    }[param.kind]


@given(st.data())
@pytest.mark.filterwarnings("ignore::vidnb.errors.OlderFormWarning")
def test_canonical_params_are_a_fixed_point_and_have_one_hash(data: st.DataObject) -> None:
    model = catalog.find(data.draw(st.sampled_from(MODELS)))
    plain = [
        p for p in model.params.values() if p.kind not in catalog.MEDIA_KINDS and p.name not in catalog.SIZE_PARAMS
    ]
    chosen = [p for p in plain if p.required or data.draw(st.booleans())]
    values = {param.name: data.draw(legal(param)) for param in chosen}
    values |= {p.name: PICTURE for p in model.params.values() if p.kind == "image" and p.required}
    try:
        first = params.validate(model, values)
    except ParamsError:
        return  # a rule between the params forbids this draw
    again = params.validate(model, {**first.params, **{name: items[0] for name, items in first.media.items()}})
    assert again.params == first.params
    assert again.recipe.recipe_hash == first.recipe.recipe_hash


@given(st.permutations(["prompt", "seed", "resolution", "negative_prompt"]))
def test_the_order_of_the_arguments_does_not_matter(order: list[str]) -> None:
    values = {"prompt": "x", "seed": 7, "resolution": "720p", "negative_prompt": "y"}
    one = checked("leonardo/motion_2.0", **{name: values[name] for name in order})
    assert one.recipe.recipe_hash == checked("leonardo/motion_2.0", **values).recipe.recipe_hash


def test_canonical_json_is_stable_over_releases() -> None:
    """A changed hash would make every old job unknown, and pay for it again."""
    recipe = params.Recipe("leonardo/motion_2.0", {"seed": 7, "prompt": "Käse"}, {"start_image": [{"sha256": "ab"}]})
    text = (
        '{"images":{"start_image":[{"sha256":"ab"}]},"model":"leonardo/motion_2.0","params":{"prompt":"Käse","seed":7}}'
    )
    assert recipe.canonical() == text
    assert recipe.recipe_hash == "ef02fc0f52819a490919d56c836a868bd6c5a4ce50c6f951286358c04a963213"


@pytest.mark.parametrize("number", [10**4000, -(10**400), float("inf")])
def test_a_number_that_no_float_can_hold_is_refused_like_any_other(number: float) -> None:
    with pytest.raises(ParamsError, match="seed"):
        params.validate(catalog.find("leonardo/motion_2.0"), {"prompt": "x", "seed": number})


@pytest.mark.parametrize(
    "prompt",
    ["\u3164", "\u2800 \u2800", "\ufe0f", "\u0301\u0308", "\u1160", " \u200b\n", "\u034f", "\u17b4\U000e0101"],
)
def test_a_prompt_without_ink_is_none(prompt: str) -> None:
    assert "needs it" in problems("leonardo/motion_2.0", prompt=prompt)["prompt"]
    assert checked("leonardo/motion_2.0", prompt=f"{prompt}é").params["prompt"] == f"{prompt}é"


def test_a_prompt_of_one_emoji_in_two_halves_is_that_emoji_and_one_half_is_named() -> None:
    assert checked("leonardo/motion_2.0", prompt="\ud83d\ude00").params["prompt"] == "\U0001f600"
    assert "half of an emoji" in problems("leonardo/motion_2.0", prompt="\ud83d")["prompt"]


def test_a_zero_byte_is_refused_before_it_is_paid_for() -> None:
    assert "it holds a zero byte" in problems("leonardo/motion_2.0", prompt="a \0 koala")["prompt"]
