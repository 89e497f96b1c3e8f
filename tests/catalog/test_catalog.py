"""The catalogue: the facts of the seed documents, what every entry must say, files of one's own, errors that help."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vidnb import catalog
from vidnb.catalog import MEDIA_KINDS, SIZE_PARAMS, Catalogue, Model, Param
from vidnb.errors import ConfigError

SHIPPED = sorted(catalog.load())
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

# Param names of the v1 endpoints' request bodies, as the v1 OpenAPI document writes them (`endFrameImage` and `imageId`
# for image-to-video only; `imageType` goes along with the image, `model` names the model).
V1_FIELDS = {
    "prompt", "imageId", "resolution", "frameInterpolation", "isPublic", "seed", "negativePrompt", "promptEnhance",
    "promptEnhanceInstruction", "styleIds", "height", "width",
}  # fmt: skip


def find(model_id: str) -> Model:
    return catalog.load().find(model_id)


def param(model_id: str, name: str) -> Param:
    return find(model_id).params[name]


def pairs(model_id: str) -> set[tuple[int, int]]:
    return {(size.width_px, size.height_px) for size in find(model_id).sizes}


# What is there


def test_every_known_model_of_each_service_has_an_entry() -> None:
    count = [model.api for model in catalog.load().values()]
    assert (count.count("v1"), count.count("v2"), count.count("features")) == (9, 42, 18)
    assert (count.count("predictions"), count.count("queue")) == (20, 63)  # Replicate, fal
    # Runway: 25 models, five of them once for each mode; OpenRouter: 24, one of them so
    assert (count.count("tasks"), count.count("videos")) == (30, 25)


def test_the_seed_models_are_among_them() -> None:
    v2 = {"leonardo/motion_2.0", "leonardo/motion_2.0-fast", "leonardo/grok-imagine-1.5"}
    v1 = {f"leonardo/{name}" for name in ["MOTION2", "MOTION2FAST", "VEO3", "VEO3FAST", "KLING2_1", "KLING2_5", "SVD"]}
    assert v1 | v2 | {"1min/leonardo-motion", "1min/luma", "1min/luma-ray"} <= set(SHIPPED)


def test_slugs_with_a_slash_and_long_slugs_reach_the_wire_whole() -> None:
    assert find("leonardo/alibaba/wan-3.0").wire == "alibaba/wan-3.0"
    assert find("1min/animate-diff").wire.startswith("lucataco/animate-diff:beecf59c")
    assert find("1min/luma-ray").wire == find("1min/luma").wire == "luma"


@pytest.mark.parametrize("model_id", SHIPPED)
def test_every_entry_says_where_its_facts_are_from(model_id: str) -> None:
    model = find(model_id)
    assert model.sources
    assert model.checked >= "2026-10-08"
    assert model.confidence
    assert model.title


@pytest.mark.parametrize("model_id", SHIPPED)
def test_a_retired_entry_says_when_or_why_and_what_to_use(model_id: str) -> None:
    model = find(model_id)
    if model.is_retired:
        assert model.retired_on or model.notes
        assert model.replacement is not None
        assert not find(model.replacement).is_retired
    else:
        assert model.retired_on is None


@pytest.mark.parametrize("model_id", SHIPPED)
def test_every_param_has_help_and_a_wire_name_where_the_service_has_a_field(model_id: str) -> None:
    # Sizes in words are no field of most services, v1 puts motion controls into its elements, and the weight is inside.
    inside = {*SIZE_PARAMS, "motion_control", "motion_control_weight"}
    for one in find(model_id).params.values():
        assert one.help
        assert one.wire or one.name in inside


@pytest.mark.parametrize("model_id", [name for name in SHIPPED if name.startswith("leonardo/")])
def test_leonardo_clips_are_private_unless_asked_and_uploads_are_pictures(model_id: str) -> None:
    assert param(model_id, "public").default is False
    assert set(find(model_id).image_limits["types"]) == {"png", "jpg", "webp"}


@pytest.mark.parametrize("model_id", SHIPPED)
def test_prompts_are_sent_as_written_unless_asked(model_id: str) -> None:
    enhance = find(model_id).params.get("prompt_enhance")
    assert enhance is None or enhance.default == "off"


@pytest.mark.parametrize("model_id", SHIPPED)
def test_a_resolution_with_its_shape_means_one_size(model_id: str) -> None:
    labels = [(size.resolution, size.aspect_ratio) for size in find(model_id).sizes]
    assert len(labels) == len(set(labels))


def test_prices_are_marked_as_estimates() -> None:
    priced = {model.id: model.price for model in catalog.load().values() if model.price and model.provider != "local"}
    assert {price["confidence"] for price in priced.values()} == {"estimate"}
    assert priced["leonardo/SVD"] == {"amount": 45, "unit": "CREDITS", "basis": "clip", "confidence": "estimate"}
    assert priced["1min/kling"]["amount"] == 780_000


# Motion 2.0, as its guide (seed document) and the spec of 2026-10-08 say


def test_motion_2_takes_the_guides_params_with_the_guides_limits() -> None:
    model = find("leonardo/motion_2.0")
    assert model.endpoints == {"text": "/v2/generations", "image": "/v2/generations"}
    assert {one.wire for one in model.params.values() if one.wire} == {
        "controls", "elements", "frame_interpolation", "start_frame", "height", "mode", "negative_prompt", "prompt",
        "prompt_enhance", "public", "seed", "style_ids", "width",
    }  # fmt: skip
    assert param(model.id, "prompt").required
    assert param(model.id, "prompt").max_length == 9999
    assert param(model.id, "negative_prompt").max_length == 1000
    assert not param(model.id, "start_image").required
    assert param(model.id, "frame_interpolation").service_default is True
    assert model.other_fields["quantity"] == (1,)


def test_motion_2_seeds_end_where_the_spec_says() -> None:
    assert (param("leonardo/motion_2.0", "seed").min, param("leonardo/motion_2.0", "seed").max) == (0, 2147483637)
    assert param("leonardo/motion_2.0-fast", "seed").max == 4294967295


def test_motion_2_enhances_prompts_by_three_words() -> None:
    enhance = param("leonardo/motion_2.0", "prompt_enhance")
    assert [enhance.to_wire(value) for value in ("auto", "on", "off")] == ["AUTO", "ON", "OFF"]
    assert enhance.service_default == "auto"
    assert enhance.from_wire("OFF") == "off"


def test_motion_2_offers_the_listed_sizes_and_accepts_the_older_guides() -> None:
    model = find("leonardo/motion_2.0")
    assert pairs(model.id) == {(832, 480), (480, 832), (576, 720), (512, 768), (1280, 720), (720, 1280)}
    assert model.size_auto
    assert model.size_any  # the older guide's sample: 1024x1024 with mode RESOLUTION_480
    assert "1024x1024" in model.size_note
    mode = param(model.id, "resolution")
    assert mode.wire == "mode"
    assert [mode.to_wire(value) for value in mode.choices] == ["RESOLUTION_480", "RESOLUTION_720"]
    assert mode.service_default == "480p"
    assert mode.default is None


def test_motion_controls_and_styles_have_names() -> None:
    model = find("leonardo/motion_2.0")
    control, styles = param(model.id, "motion_control"), param(model.id, "styles")
    assert len(control.choices) == 24
    assert model.names["motion_control"]["Dolly In"] == "ece8c6a9-3deb-430e-8c93-4d5061b6adbf"
    assert len(styles.choices) == 37
    assert len(model.older_names["styles"]) == 7
    assert not set(model.older_names["styles"]) & set(styles.choices)
    weight = param(model.id, "motion_control_weight")
    assert (weight.min, weight.max, weight.default, weight.service_default) == (-2, 2, None, 1)


@pytest.mark.parametrize("table", ["motion_control", "styles"])
def test_every_name_stands_for_an_id_of_its_own(table: str) -> None:
    names = {**find("leonardo/motion_2.0").names[table], **find("leonardo/MOTION2").older_names.get(table, {})}
    assert len(set(names.values())) == len(names)
    for uuid in names.values():
        assert re.fullmatch(UUID, uuid)


# Grok Imagine 1.5, as its guide (seed document) and the spec say


def test_grok_takes_the_guides_params() -> None:
    model = find("leonardo/grok-imagine-1.5")
    assert model.modes == ("image",)
    assert param(model.id, "start_image").required
    assert param(model.id, "start_image").wire == "start_frame"
    assert param(model.id, "prompt").max_length == 5000
    duration = param(model.id, "duration_s")
    assert (duration.min, duration.max, duration.default, duration.integer) == (3, 15, 6, True)
    audio = param(model.id, "audio")
    assert (audio.wire, audio.default) == ("motion_has_audio", True)
    assert "seed" not in model.params


def test_grok_has_the_guides_sizes_and_the_specs() -> None:
    guide = {(544, 544), (960, 960), (1280, 720), (720, 1280), (400, 736), (736, 400)}
    model = find("leonardo/grok-imagine-1.5")
    assert pairs(model.id) == guide | {(1888, 1072), (1424, 1424), (1072, 1888)}
    assert model.size_auto
    assert not model.size_any
    assert model.size_default == (1280, 720)
    assert param(model.id, "aspect_ratio").choices[0] == "auto"


# REST v1, as the OpenAPI document (seed document) says


@pytest.mark.parametrize("name", ["MOTION2", "MOTION2FAST", "VEO3", "VEO3FAST", "KLING2_5", "KLING2_1"])
def test_v1_models_take_every_property_of_the_endpoint(name: str) -> None:
    model = find(f"leonardo/{name}")
    assert {one.wire for one in model.params.values()} >= V1_FIELDS
    assert param(model.id, "prompt").required
    assert ("elements" in model.params) == name.startswith("MOTION2")


@pytest.mark.parametrize("name", ["MOTION2", "VEO3", "KLING2_5"])
def test_v1_has_an_endpoint_for_each_mode(name: str) -> None:
    endpoints = {"text": "/v1/generations-text-to-video", "image": "/v1/generations-image-to-video"}
    assert find(f"leonardo/{name}").endpoints == endpoints


@pytest.mark.parametrize(("name", "most"), [("MOTION2", 2147483637), ("VEO3", 4294967293), ("VEO3FAST", 4294967293)])
def test_v1_seeds_end_where_the_spec_says(name: str, most: int) -> None:
    assert param(f"leonardo/{name}", "seed").max == most


@pytest.mark.parametrize(
    ("name", "allowed", "default"),
    [("VEO3", (4, 6, 8), 8), ("VEO3FAST", (4, 6, 8), 8), ("KLING2_5", (5, 10), 5), ("KLING2_1", (5, 10), 5)],
)
def test_v1_durations_are_the_models_own(name: str, allowed: tuple[int, ...], default: int) -> None:
    duration = param(f"leonardo/{name}", "duration_s")
    assert (duration.choices, duration.default, duration.wire) == (allowed, default, "duration")


def test_v1_motion_has_one_length_and_no_param_for_it() -> None:
    assert "duration_s" not in find("leonardo/MOTION2").params
    assert find("leonardo/MOTION2").fixed_duration_s == 5


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("MOTION2", ["RESOLUTION_480", "RESOLUTION_720"]),
        ("VEO3", ["RESOLUTION_720", "RESOLUTION_1080"]),
        ("KLING2_5", ["RESOLUTION_1080"]),
    ],
)
def test_v1_resolutions_have_the_words_of_the_enum(name: str, words: list[str]) -> None:
    resolution = param(f"leonardo/{name}", "resolution")
    assert [resolution.to_wire(value) for value in resolution.choices] == words


def test_v1_end_frames_need_a_start_image_and_a_model_that_has_them() -> None:
    with_end = {model.name for model in catalog.load().values() if model.api == "v1" and "end_image" in model.params}
    assert with_end == {"KLING2_1", "KLING2_5", "VEO3_1", "VEO3_1FAST"}
    for name in with_end:
        rules = [rule for rule in find(f"leonardo/{name}").rules if rule.holds({"end_image": "an id"}, "text")]
        assert [rule.require for rule in rules] == [("start_image",)]


def test_v1_enhances_prompts_by_a_boolean() -> None:
    enhance = param("leonardo/MOTION2", "prompt_enhance")
    assert [enhance.to_wire(value) for value in ("on", "off")] == [True, False]
    assert param("leonardo/MOTION2", "prompt_enhance_instruction").wire == "promptEnhanceInstruction"


def test_svd_takes_an_image_and_a_motion_strength_and_no_prompt() -> None:
    model = find("leonardo/SVD")
    assert model.endpoints == {"image": "/v1/generations-motion-svd"}
    assert {one.wire for one in model.params.values()} == {"imageId", "motionStrength", "isPublic"}
    strength = param(model.id, "motion_strength")
    assert (strength.min, strength.max, strength.integer) == (1, 10, True)
    assert param(model.id, "start_image").required


@pytest.mark.parametrize(
    ("name", "day"),
    [("SVD", "2026-06-17"), ("VEO3", "2026-06-29"), ("VEO3FAST", "2026-06-29"), ("KLING2_1", "2026-09-15")],
)
def test_retired_seed_models_keep_their_params_and_carry_the_day(name: str, day: str) -> None:
    model = find(f"leonardo/{name}")
    assert (model.status, model.retired_on) == ("retired", day)
    assert len(model.params) > 2


# 1min.ai, as its pages (seed documents) say


def test_1min_leonardo_motion_takes_only_an_image_and_a_strength_of_1_to_10() -> None:
    model = find("1min/leonardo-motion")
    assert model.endpoints["image"] == "IMAGE_TO_VIDEO"
    assert {one.wire: one.required for one in model.params.values()} == {"imageUrl": True, "motion_strength": True}
    strength = param(model.id, "motion_strength")
    assert (strength.min, strength.max, strength.integer, strength.default) == (1, 10, True, None)


def test_1min_luma_keeps_the_seeds_contract() -> None:
    model = find("1min/luma")
    current = {one.wire: one.required for one in model.params.values() if not one.older}
    assert current == {"prompt": True, "imageUrl": False, "length": True, "enhancePrompt": True}
    assert param(model.id, "duration_s").choices == (5,)
    assert [param(model.id, "prompt_enhance").to_wire(value) for value in ("on", "off")] == [True, False]
    assert model.accepts("start_image", "image")
    assert not model.accepts("start_image", "text")


def test_1min_luma_ray_is_the_newer_contract() -> None:
    model = find("1min/luma-ray")
    assert {one.wire for one in model.params.values()} == {
        "imageUrl", "prompt", "modelName", "duration", "aspectRatio", "resolution", "loop",
    }  # fmt: skip
    assert param(model.id, "duration_s").to_wire(10) == "10s"
    assert param(model.id, "duration_s").from_wire("5s") == 5


def test_1min_sora_has_a_size_and_no_resolution_field() -> None:
    model = find("1min/sora-2")
    assert param(model.id, "resolution").wire is None
    assert model.endpoints["image"] == "TEXT_TO_VIDEO"
    assert model.other_fields["size"] == ("720x1280", "1280x720")


def test_1min_states_image_limits_only_where_its_pages_do() -> None:
    limited = {model.id for model in catalog.load().values() if model.provider == "1min" and model.image_limits}
    assert limited == {"1min/hailuo-image", "1min/skyreels"}
    limits = find("1min/hailuo-image").image_limits
    assert (limits["max_bytes"], limits["min_side_px"], limits["max_side_px"]) == (10 * 1024**2, 300, 4096)
    assert (limits["min_aspect"], limits["max_aspect"]) == (2 / 5, 5 / 2)


# Rules


@pytest.mark.parametrize(
    ("model_id", "values", "mode", "holding"),
    [
        ("1min/hailuo", {"resolution": "1080p", "duration_s": 10}, "text", [(None, ())]),
        ("1min/hailuo", {"resolution": "1080p", "duration_s": 6}, "text", []),
        ("leonardo/hailuo-2_3", {"resolution": "1080p"}, "text", [("duration_s", (6,))]),
        ("1min/kling", {"variant": "2.5"}, "image", [(None, ()), ("quality", ("pro",))]),
        ("1min/veo3", {"reference_images": ["a"]}, "text", [("aspect_ratio", ("16:9",)), ("duration_s", (8,))]),
        ("1min/veo3", {"reference_images": []}, "text", []),
        ("leonardo/hailuo-03", {}, "text", [("audio", (True,))]),
    ],
)
def test_a_rule_holds_where_its_values_and_params_are_there(
    model_id: str, values: dict[str, object], mode: str, holding: list[tuple[str | None, tuple[object, ...]]]
) -> None:
    rules = [rule for rule in find(model_id).rules if rule.holds(values, mode)]
    assert [(rule.param, rule.choices) for rule in rules] == holding


# Looking up


def test_a_bare_name_is_enough_where_one_provider_has_it() -> None:
    assert find("SVD").id == "leonardo/SVD"
    assert find("1min/veo3-video").id == "1min/veo3"


def test_a_name_of_two_providers_asks_which() -> None:
    with pytest.raises(ConfigError, match="'sora-2' exists at several providers: leonardo/sora-2, 1min/sora-2"):
        find("sora-2")


def test_a_wrong_name_says_what_comes_close() -> None:
    with pytest.raises(ConfigError, match=r"no model 'leonardo/motion2\.0'; did you mean leonardo/motion_2\.0"):
        find("leonardo/motion2.0")


def test_models_that_have_a_param_are_listed_without_the_retired_ones() -> None:
    assert catalog.load().having("motion_strength") == ["1min/leonardo-motion"]


def test_the_usual_label_that_comes_closest_names_a_shape() -> None:
    sizes = [(832, 480), (736, 400), (576, 720), (1470, 630), (1112, 834), (544, 544)]
    assert [catalog.aspect_ratio(*size) for size in sizes] == ["16:9", "16:9", "4:5", "21:9", "4:3", "1:1"]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (Param("x", "choice", choices=(5, 10)), "one of 5, 10"),
        (Param("x", "choices", choices=("a", "b")), "any of a, b"),
        (Param("x", "number", min=1, max=10), "1 to 10"),
        (Param("x", "integer", min=0), "at least 0"),
        (Param("x", "number", max=0.5), "at most 0.5"),
        (Param("x", "text", max_length=1000), "at most 1000 characters"),
        (Param("x", "images", max_items=3), "at most 3 images"),
        (Param("x", "boolean"), "true or false"),
        (Param("x", "integer"), "a whole number"),
    ],
)
def test_bounds_are_words_for_a_person(one: Param, words: str) -> None:
    assert one.bounds == words


def test_media_kinds_are_the_ones_that_are_uploaded() -> None:
    kinds = {one.kind for model in catalog.load().values() for one in model.params.values()}
    assert kinds - MEDIA_KINDS == {"text", "integer", "number", "boolean", "choice", "choices", "elements"}


# A file of one's own


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Catalogue]]:
    """The catalogue with this TOML text as the user's own file."""

    def load(text: str) -> Catalogue:
        path = tmp_path / "own.toml"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        monkeypatch.setenv("VIDNB_CATALOG", str(path))
        catalog.load.cache_clear()
        return catalog.load()

    yield load
    catalog.load.cache_clear()


def test_one_key_of_one_model_can_be_changed(own: Callable[[str], Catalogue]) -> None:
    before = find("leonardo/motion_2.0")
    after = own("""
        provider = "leonardo"
        [models."motion_2.0"]
        params.seed = {max = 99}
    """)["leonardo/motion_2.0"]
    assert after.params["seed"] == Param(**{**vars(before.params["seed"]), "max": 99})
    assert {**after.params, "seed": None} == {**before.params, "seed": None}
    assert (after.sizes, after.rules, after.api, after.checked) == (before.sizes, before.rules, "v2", before.checked)


def test_a_model_can_be_retired_and_dated_by_ones_own_file(own: Callable[[str], Catalogue]) -> None:
    changed = own("""
        provider = "leonardo"
        checked = 2027-01-02
        [models."kling-2.5"]
        status = "retired"
        retired_on = 2027-01-01
    """)
    model = changed["leonardo/kling-2.5"]
    assert (model.is_retired, model.retired_on, model.checked) == (True, "2027-01-01", "2027-01-02")
    assert changed["leonardo/kling-2.6"].checked == "2026-10-08"


def test_a_new_model_of_a_known_provider_speaks_its_language(own: Callable[[str], Catalogue]) -> None:
    model = own("""
        provider = "leonardo"
        api = "v2"
        [models."kling-9"]
        modes = ["text"]
        endpoints = {text = "/v2/generations"}
        params.prompt = {required = true}
        params.audio = {default = true}
        params.styles = {}
        sizes."720p" = [[1280, 720]]
    """)["leonardo/kling-9"]
    assert model.params["audio"].wire == "motion_has_audio"
    assert model.params["width_px"].wire == "width"
    assert len(model.params["styles"].choices) == 37
    sizes = ["resolution", "aspect_ratio", "width_px", "height_px"]
    assert list(model.params) == ["prompt", "styles", *sizes, "audio", "public"]


def test_a_new_provider_needs_a_file_only(own: Callable[[str], Catalogue]) -> None:
    model = own("""
        provider = "acme"
        [models.clip-1]
        endpoints = {text = "/make"}
        params.prompt = {wire = "text"}
    """)["acme/clip-1"]
    assert (model.wire, model.modes, model.params["prompt"].kind) == ("clip-1", ("text",), "text")


def test_a_folder_of_files_is_read_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, title in (("a", "first"), ("b", "second")):
        text = f'provider = "leonardo"\n[models.SVD]\ntitle = "{title}"\n'
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("VIDNB_CATALOG", str(tmp_path))
    catalog.load.cache_clear()
    try:
        assert find("leonardo/SVD").title == "second"
    finally:
        catalog.load.cache_clear()


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("titel = 'x'", "the entry has the unknown key 'titel'; did you mean 'title'?"),
        ("params.seed = {maximum = 5}", "the param 'seed' has the unknown key 'maximum'"),
        ("params.glow = {min = 1}", "the param 'glow': kind must be one of"),
        ("params.seed = {default = -7}", "the param 'seed': the default -7 is not allowed (0 to 2147483637)"),
        ("params.seed = {default = 0.5}", "the param 'seed': the default 0.5 is not allowed"),
        ("params.prompt_enhance = {default = 'never'}", "the default 'never' is not allowed (one of auto, on, off)"),
        ("params.prompt_enhance = {choices = ['on']}", "wire_values and choices differ in length"),
        ("params.quality = {}", "the param 'quality' is a choice without choices"),
        ("params.seed = {wire = 'prompt'}", "two params share the wire name 'prompt'"),
        ("params.seed = {modes = ['sound']}", "the param 'seed': the model has no mode sound"),
        ("size_default = [7, 7]", "size_default (7, 7) is not among the sizes"),
        ("sizes.'720p' = [[1280, 720], [1288, 720]]", "two sizes are both 720p 16:9"),
        ("sizes.'2160p' = [[3840, 2160]]", "the param 'resolution' does not offer 2160p"),
        ("modes = ['text', 'sound']", "there is no endpoint for the mode 'sound'"),
        ("status = 'gone'", "status must be one of active, retired, unconfirmed, not 'gone'"),
        ("rules = [{given = ['end_image'], require = ['prompt']}]", "a rule names the param 'end_image'"),
        ("rules = [{whenever = 1}]", "a rule has the unknown key 'whenever'; did you mean 'when'?"),
        ("rules = [{param = 'seed'}]", "the rule on 'seed' narrows nothing"),
        ("rules = [{when = {mode = ['sound']}}]", "a rule waits for mode = 'sound', which cannot be"),
    ],
)
def test_a_wrong_entry_names_file_model_and_key(own: Callable[[str], Catalogue], wrong: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        own(f'provider = "leonardo"\n[models."motion_2.0"]\n{wrong}\n')
    said = str(caught.value)
    assert "own.toml" in said
    assert "'leonardo/motion_2.0'" in said
    assert complaint in said


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[models.x]\n", "does not say `provider = ...`"),
        ("provider = 'x'\nmodles = 1\n", "the file has the unknown key 'modles'; did you mean 'models'?"),
        ("provider = ", "cannot be read"),
        ("provider = 'x'\nparams = 5\n", "params must be a table, not 5"),
        ("provider = 'x'\n[models]\nclip = 'a'\n", "models.clip must be a table, not 'a'"),
        ("provider = 'x'\n[models.clip]\nparams.seed = 5\n", "the entry 'x/clip' is wrong"),
        ("provider = 'x'\n[models.clip]\nsizes.'720p' = [[1280]]\n", "the entry 'x/clip' is wrong"),
    ],
)
def test_a_wrong_file_is_named(own: Callable[[str], Catalogue], text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        own(text)
    assert "own.toml" in str(caught.value)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere.toml", "x" * 300 + "nowhere.toml"])
def test_a_missing_file_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDNB_CATALOG", str(tmp_path / name))
    catalog.load.cache_clear()
    try:
        with pytest.raises(ConfigError, match=r"nowhere\.toml cannot be read"):
            catalog.load()
    finally:
        catalog.load.cache_clear()


def test_a_new_model_of_a_known_api_needs_only_its_own_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Endpoints, privacy and the like come from the shipped file of the same provider and API."""
    own = tmp_path / "mine.toml"
    own.write_text('provider = "leonardo"\napi = "v2"\n[models."koala-9"]\nparams.prompt = {required = true}\n')
    monkeypatch.setenv("VIDNB_CATALOG", str(own))
    catalog.load.cache_clear()
    try:
        model, known = catalog.find("leonardo/koala-9"), catalog.find("leonardo/motion_2.0")
        assert model.endpoints == known.endpoints
        assert model.params["public"].default is False
    finally:
        catalog.load.cache_clear()
