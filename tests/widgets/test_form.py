"""The form says what the catalogue says, keeps what both sides put into it, and changes models without loss."""

from __future__ import annotations

import io
import json
import threading
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import PIL.Image
import pytest
from formpage import edit, mark_of, say, seen_in, spec_of, submit, upload, wire_of
from waiting import PATIENCE_S, until

from vidnb import catalog, params
from vidnb.catalog import MEDIA_KINDS, words
from vidnb.errors import ConfigError
from vidnb.records import RemoteMedia
from vidnb.widgets import Form, GenerateBar
from vidnb.widgets.fields import fields_of
from vidnb.widgets.form import LATE, NOT_SENT, UNREAD, Filled
from vidnb.widgets.inputs import WAITING

MODELS = list(catalog.load())
UUID = "5f2d1c0a-1111-4222-8333-444455556666"
HOSTILE = "<img src=x onerror=alert(1)>"


def png(width: int = 640, height: int = 480, kind: str = "PNG") -> bytes:
    data = io.BytesIO()
    PIL.Image.new("RGB", (width, height), "teal").save(data, kind)
    return data.getvalue()


class Heard:
    """What the form says to the page."""

    def __init__(self, form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
        self.messages: list[tuple[dict[str, Any], list[bytes]]] = []
        self.states: list[set[str]] = []
        monkeypatch.setattr(form, "send", lambda content, buffers=None: self.messages.append((content, buffers or [])))
        monkeypatch.setattr(
            form, "send_state", lambda key=None: self.states.append({key} if isinstance(key, str) else set(key))
        )

    def of(self, kind: str) -> list[tuple[dict[str, Any], list[bytes]]]:
        return [message for message in self.messages if message[0]["kind"] == kind]


def fake_clip(name: str = "one", seed: int | None = 7, prompt: str = "a koala") -> Any:
    frame = PIL.Image.new("RGB", (64, 48))
    return SimpleNamespace(
        job=SimpleNamespace(id=name), seed=seed, prompt=prompt, model="leonardo/motion_2.0",
        poster=b"webp", first_frame=frame, last_frame=frame.rotate(180),
    )  # fmt: skip


# -- what the page is told


@pytest.mark.parametrize("model_id", MODELS)
def test_every_param_has_a_field_with_name_and_help(model_id: str) -> None:
    form = Form(model_id)
    assert form.model is catalog.find(model_id)
    fields = {name: spec for spec in form._spec["fields"] for name in spec["params"]}
    assert fields.keys() == form.model.params.keys()
    for name, param in form.model.params.items():
        assert fields[name]["label"]
        assert param.help in fields[name]["about"] or name in ("width_px", "height_px")
    json.dumps(form._spec, allow_nan=False)


@pytest.mark.parametrize("model_id", MODELS)
def test_an_untouched_form_changes_no_recipe(model_id: str) -> None:
    model = catalog.find(model_id)
    form = Form(model)
    needed: dict[str, Any] = {"prompt": "a koala"} if "prompt" in model.params else {}
    if model.accepts("start_image") and "text" not in model.modes:
        needed["start_image"] = png()
    for name, param in model.params.items():
        if param.required and param.kind in MEDIA_KINDS and name not in needed:
            needed[name] = [RemoteMedia(model.provider, "5f2d1c0a-1111-4222-8333-444455556666")]
    forced = {name: form.params[name] for name, p in model.params.items() if p.required and name in form.params}
    form.params = needed
    assert params.validate(model, form.params).recipe == params.validate(model, {**forced, **needed}).recipe


def test_basics_stand_first_and_the_rest_is_folded() -> None:
    fields = Form("leonardo/motion_2.0")._spec["fields"]
    basics = ["prompt", "start_image", "motion_control", "motion_control_weight", "seed", "size"]
    assert [spec["name"] for spec in fields if spec["basic"]] == basics
    assert [spec["basic"] for spec in fields] == sorted((spec["basic"] for spec in fields), reverse=True)
    assert {"negative_prompt", "public"} <= {spec["name"] for spec in fields if not spec["basic"]}


def test_whatever_moves_the_picture_stands_in_the_first_view_of_any_model() -> None:
    known = catalog.find("leonardo/motion_2.0")
    shake = replace(known.params["frame_interpolation"], name="camera_shake")
    own = replace(known, params={**known.params, "camera_shake": shake})  # as a plug-in or a file of one's own may say
    for model in (own, *catalog.load().values()):
        basics = [spec["name"] for spec in fields_of(model) if spec["basic"]]
        assert {name for name in model.params if name.startswith(("motion_", "camera_"))} <= set(basics), model.id
    names = [spec["name"] for spec in fields_of(own)]
    assert names[2:5] == ["motion_control", "motion_control_weight", "camera_shake"]


def test_choices_are_words_and_values_stay_as_they_are() -> None:
    moves = spec_of(Form("replicate/luma/ray-2-720p"), "camera_moves")["options"]
    assert {"value": "over_the_shoulder", "label": "over the shoulder"} in moves
    assert words.choice("mm_sd_v15_v2") == "mm_sd_v15_v2"


def test_the_form_says_which_models_have_what_this_one_lacks() -> None:
    assert Form("leonardo/motion_2.0")._spec["lacks"] == ["motion strength (Leonardo Motion takes it)"]
    lacks = Form("1min/leonardo-motion")._spec["lacks"]
    assert [words.split(" (")[0] for words in lacks] == ["prompt", "seed", "resolution"]
    assert all("more take it)" in words for words in lacks)


def test_controls_follow_kind_and_bounds() -> None:
    strength = spec_of(Form("1min/leonardo-motion"), "motion_strength")
    assert (strength["control"], strength["slider"], strength["min"], strength["max"]) == ("number", True, "1", "10")
    assert "1 to 10" in strength["about"]
    duration = spec_of(Form("leonardo/VEO3_1"), "duration_s")
    assert [option["label"] for option in duration["options"]] == ["4 s", "6 s", "8 s"]
    motion = Form("leonardo/motion_2.0")
    assert spec_of(motion, "motion_control")["control"] == "names"
    assert spec_of(motion, "styles")["many"] is True
    assert spec_of(motion, "public")["on"].startswith("Public")
    assert spec_of(motion, "frame_interpolation")["unset"] == "default: on"


def test_required_params_are_marked_and_clips_are_private() -> None:
    form = Form("leonardo/motion_2.0")
    assert spec_of(form, "prompt")["required"]
    assert not spec_of(form, "seed")["required"]
    assert form.params["public"] is False


def test_a_required_slider_starts_in_the_middle_and_an_optional_one_is_unset() -> None:
    assert Form("1min/leonardo-motion").params["motion_strength"] == 5
    assert "motion_strength" not in Form("leonardo/SVD").params


# -- both sides write


def test_observers_hear_of_params_once_and_without_none() -> None:
    form = Form("leonardo/motion_2.0")
    heard: list[dict[str, Any]] = []
    form.observe(lambda change: heard.append(change["new"]), "params")
    form.params = {"prompt": "a koala", "seed": 7, "negative_prompt": None}
    assert len(heard) == 1
    assert heard[0]["seed"] == 7
    assert "negative_prompt" not in heard[0]
    edit(form, "seed", None)
    assert "seed" not in form.params
    assert len(heard) == 2


def test_an_edit_reaches_params_and_stays_as_it_was_typed() -> None:
    form = Form("1min/kling")
    edit(form, "guidance_scale", "0.")
    assert form.params["guidance_scale"] == 0
    assert wire_of(form, "guidance_scale") == "0.", "the echo must not take the point from under the typing hand"


def test_an_edit_that_code_forestalled_is_void() -> None:
    form = Form("leonardo/motion_2.0", {"prompt": "a koala"})
    old = form._given["prompt"][0]
    form.params = {"prompt": "a cat"}
    edit(form, "prompt", "a koala runs", number=old)
    assert form.params["prompt"] == "a cat"
    edit(form, "prompt", "a cat runs")
    assert form.params["prompt"] == "a cat runs"


def test_ctrl_enter_with_an_edit_that_code_forestalled_sends_nothing() -> None:
    form = Form("leonardo/motion_2.0", {"prompt": "a koala"})
    heard: list[Filled] = []
    form.on_submit(heard.append)
    old = form._given["prompt"][0]
    form.params = {"prompt": "a cat"}
    form._received(form, {"kind": "submit", "edits": {"prompt": [old, "a koala runs"]}, "edit": "page:1"}, [])
    assert heard == []
    assert form._general == [LATE]
    form._received(form, {"kind": "submit", "edits": {}, "edit": "page:2"}, [])
    assert (heard, form._general) == ([form.filled()], [])


def test_what_code_leaves_alone_keeps_its_number_so_that_typing_goes_on() -> None:
    form = Form("leonardo/motion_2.0", {"prompt": "a koala"})
    number = form._given["prompt"][0]
    form.params = {**form.params, "seed": 7}
    assert form._given["prompt"][0] == number
    form.model = "leonardo/VEO3_1"
    assert form._given["prompt"][0] == number


def test_a_change_of_model_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    form = Form("leonardo/VEO3_1", {"prompt": "a koala", "duration_s": 6})
    heard = Heard(form, monkeypatch)
    form.model = "leonardo/kling-2.6"
    assert [state for state in heard.states if state] == [{"_spec", "_given", "_marks"}]


def test_big_seeds_stay_exact_on_their_way() -> None:
    form = Form("1min/kling", {"prompt": "a koala"})
    form.model = next(
        m for m in MODELS if "seed" in catalog.find(m).params and catalog.find(m).params["seed"].max is None
    )
    for seed in (2**53 + 1, 2**63 - 1, -(2**63)):
        form.params = {"seed": seed}
        assert wire_of(form, "seed") == str(seed)
        edit(form, "seed", str(seed + 2))
        assert form.params["seed"] == seed + 2


@pytest.mark.parametrize(
    "text", ["", "\x00", "🐨" * 5000, "\u202e שלום עולם", "a\r\nb", "\ud800", "</script>" + HOSTILE, "x" * 10_000]
)
def test_any_text_travels(text: str) -> None:
    form = Form("leonardo/motion_2.0")
    form.params = {"prompt": text} if text else {}
    assert form.params.get("prompt", "") == text
    json.dumps(form._given, ensure_ascii=False).encode()
    edit(form, "prompt", text or None)
    assert form.params.get("prompt", "") == text


def test_ctrl_enter_takes_the_newest_edit_along_and_its_errors_are_shown() -> None:
    form = Form("leonardo/motion_2.0")
    heard: list[str] = []

    def callback(filled: Filled) -> None:
        heard.append(filled.params["prompt"])
        raise RuntimeError("out of order")

    form.on_submit(callback)
    submit(form, prompt="a koala")
    assert heard == ["a koala"]
    assert form.problem == "RuntimeError: out of order"
    form.on_submit(callback, remove=True)
    submit(form, prompt="a cat")
    assert heard == ["a koala"]


def test_ctrl_enter_with_an_edit_that_cannot_be_taken_sends_nothing() -> None:
    form = Form("leonardo/motion_2.0")
    heard: list[Filled] = []
    form.on_submit(heard.append)
    gone = [{"key": "a", "name": "gone", "frame": {"clip": "no such", "at": "last"}}]
    submit(form, start_image=gone, prompt="a koala")
    assert heard == []
    assert form.params["prompt"] == "a koala"
    assert "no such" in mark_of(form, "start_image")
    submit(form)
    assert heard == [form.filled()]


def test_an_observer_may_wait_for_a_thread_that_uses_the_form() -> None:
    form = Form("leonardo/motion_2.0")

    def wait_for_another(_: Any) -> None:
        other = threading.Thread(target=form.show_problems)
        other.start()
        other.join(PATIENCE_S)
        assert not other.is_alive()

    form.observe(wait_for_another, "params")
    edit(form, "prompt", "a koala")
    assert form.params["prompt"] == "a koala"
    assert form.problem == ""


def test_edits_from_many_threads_leave_params_right() -> None:
    form = Form("leonardo/motion_2.0")
    threads = [threading.Thread(target=edit, args=(form, "seed", str(n))) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert str(form.params["seed"]) == wire_of(form, "seed")


# -- sizes


def test_a_size_is_shown_by_its_names_and_another_one_is_kept() -> None:
    form = Form("leonardo/grok-imagine-1.5")
    assert (form.params["resolution"], form.params["aspect_ratio"]) == ("720p", "16:9")
    form.params = {"width_px": 400, "height_px": 736}
    assert (form.params["resolution"], form.params["aspect_ratio"]) == ("480p", "9:16")
    form.params = {"width_px": 123, "height_px": 45}
    assert (form.params["width_px"], form.params["height_px"]) == (123, 45)
    assert any("123x45" in str(problem) for problem in form.problems())
    edit(form, "size", {"resolution": "480p", "aspect_ratio": "1:1"})
    assert "width_px" not in form.params


def test_auto_follows_the_start_image_and_comes_back_from_a_recipe() -> None:
    form = Form("leonardo/grok-imagine-1.5")
    form.params = {"prompt": "a koala", "start_image": png()}
    edit(form, "size", {"aspect_ratio": "auto"})
    request = params.validate(form.model, form.params)
    assert (request.params["width_px"], request.params["height_px"]) == (0, 0)
    form.params = {**request.params, "start_image": png()}
    assert wire_of(form, "size") == {"aspect_ratio": "auto"}


# -- problems


def test_problems_stand_below_their_fields_and_go_when_the_field_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    form = Form("leonardo/motion_2.0", {"seed": f"{HOSTILE} seven"})
    heard = Heard(form, monkeypatch)
    found = form.show_problems()
    assert {problem.field for problem in found} == {"prompt", "seed"}
    assert HOSTILE in mark_of(form, "seed")
    assert "This model needs it" in mark_of(form, "prompt")
    assert heard.of("focus") == [({"kind": "focus", "field": "prompt"}, [])]
    edit(form, "seed", "7")
    assert mark_of(form, "seed") == ""
    assert "This model needs it" in mark_of(form, "prompt")
    form.show_problems([])
    assert form._marks == {}


def test_a_param_of_another_model_is_a_problem_of_the_form_and_no_traceback() -> None:
    form = Form("leonardo/motion_2.0", {"prompt": "a koala", "motion_strength": 5})
    form.show_problems()
    assert form.params["motion_strength"] == 5
    assert "motion_strength" in form._general[0]
    edit(form, "prompt", "a cat")
    assert form._general == []
    form.model = "leonardo/SVD"
    assert form.params["motion_strength"] == 5


def test_a_value_that_no_control_can_show_is_kept_and_refused() -> None:
    odd = object()
    form = Form("1min/leonardo-motion", {"start_image": png(), "motion_strength": odd})
    assert form.params["motion_strength"] is odd
    assert "object" in wire_of(form, "motion_strength")["odd"]
    assert [problem.field for problem in form.problems()] == ["motion_strength"]
    edit(form, "motion_strength", "4")
    assert form.problems() == []


def test_a_param_of_the_other_mode_is_left_out_until_it_has_a_value_of_its_own() -> None:
    form = Form("1min/pika", {"prompt": "a koala"})
    assert form.params["aspect_ratio"] == "16:9"
    form.params = {"prompt": "a koala", "start_image": png()}
    assert "aspect_ratio" not in form.params
    form.params = {**form.params, "aspect_ratio": "1:1"}
    assert [problem.field for problem in form.problems()] == ["aspect_ratio"]


# -- another model


def test_an_unknown_model_is_refused_by_name() -> None:
    form = Form("leonardo/motion_2.0")
    with pytest.raises(ConfigError, match="motion_2"):
        form.model = "leonardo/motion_3.0"
    assert form.model.id == "leonardo/motion_2.0"


def test_values_survive_a_change_of_model_and_what_must_change_says_so() -> None:
    form = Form("leonardo/VEO3_1", {"prompt": "a koala", "seed": 7, "duration_s": 6})
    form.model = "leonardo/kling-2.6"
    assert form.params["prompt"] == "a koala"
    assert "seed" not in form.params
    assert form.params["duration_s"] == 5
    assert mark_of(form, "duration_s") == "6 s → 5 s: this model has 5 or 10"
    form.params = {**form.params, "negative_prompt": "rain"}
    form.model = "leonardo/VEO3_1"
    assert (form.params["seed"], form.params["duration_s"]) == (7, 6)
    assert mark_of(form, "duration_s") == ""


def test_values_that_the_new_model_lacks_are_named_as_long_as_they_are_kept() -> None:
    form = Form("leonardo/motion_2.0", {"prompt": "a koala"})
    edit(form, "negative_prompt", "rain")
    assert form._spec["kept"] == []
    form.model = "leonardo/grok-imagine-1.5"
    assert form._spec["kept"] == ["Negative prompt"]
    form.model = "1min/leonardo-motion"
    edit(form, "motion_strength", "3")
    form.model = "leonardo/VEO3"
    assert set(form._spec["kept"]) == {"Motion strength"}
    form.model = "leonardo/motion_2.0"
    assert form._spec["kept"] == ["Motion strength"]
    assert form.params["negative_prompt"] == "rain"
    form.model = "1min/leonardo-motion"
    assert "Motion strength" not in form._spec["kept"]


def test_a_change_that_somebody_then_edits_is_no_longer_undone() -> None:
    form = Form("leonardo/VEO3_1", {"duration_s": 6})
    form.model = "leonardo/kling-2.6"
    edit(form, "duration_s", "10")
    assert mark_of(form, "duration_s") == ""
    form.model = "leonardo/VEO3_1"
    assert form.params["duration_s"] == 8
    assert mark_of(form, "duration_s") == "10 s → 8 s: this model has 4, 6 or 8"


def test_what_nobody_moved_follows_the_default_of_each_model() -> None:
    form = Form("leonardo/VEO3_1", {"prompt": "a koala"})
    form.params = {**form.params, "seed": 7}
    form.model = "leonardo/kling-2.6"
    assert form.params["duration_s"] == 5
    assert form._marks == {}


def test_a_size_goes_to_the_nearest_of_the_new_model_and_comes_back() -> None:
    form = Form("leonardo/motion_2.0", {"resolution": "480p", "aspect_ratio": "2:3"})
    form.model = "leonardo/grok-imagine-1.5"
    assert (form.params["resolution"], form.params["aspect_ratio"]) == ("480p", "9:16")
    assert mark_of(form, "size") == "480p 2:3 → 480p 9:16: the nearest that this model has"
    form.model = "1min/kling"
    assert form.params["aspect_ratio"] == "9:16"
    form.model = "leonardo/motion_2.0"
    assert (form.params["resolution"], form.params["aspect_ratio"]) == ("480p", "2:3")


def test_a_number_goes_to_its_bound_and_a_choice_to_the_default() -> None:
    form = Form("leonardo/seedance-2.0-fast", {"duration_s": 4})
    form.model = "leonardo/ltxv-2.3-pro"
    assert form.params["duration_s"] == 6
    frames = Form("fal/fal-ai/wan/v2.2-a14b/text-to-video", {"num_frames": 82})
    frames.model = "local/ltx-video"
    assert frames.params["num_frames"] == 81
    quality = Form("leonardo/motion_2.0", {"prompt_enhance": "auto"})
    quality.model = "leonardo/MOTION2"
    assert quality.params["prompt_enhance"] == "off"
    assert mark_of(quality, "prompt_enhance") == "auto → off: this model has on or off"


def test_a_locked_seed_stays_when_a_recipe_is_taken_up() -> None:
    form = Form("leonardo/motion_2.0", {"prompt": "a koala", "seed": 7})
    recipe = {"prompt": "a cat", "seed": 99}
    form.seed_locked = True
    form.take_up(recipe)
    assert (form.params["prompt"], form.params["seed"]) == ("a cat", 7)
    form.seed_locked = False
    form.take_up(recipe)
    assert form.params["seed"] == 99


# -- pictures


def test_a_dropped_file_arrives_in_pieces_and_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    form = Form("leonardo/motion_2.0")
    heard = Heard(form, monkeypatch)
    upload(form, "start_image", f"{HOSTILE}.png", png(), pieces=3)
    assert form.params["start_image"] == png()
    assert png() not in json.dumps(form._given).encode()
    (content, (small,)) = until(lambda: heard.of("look"))[0]
    assert content["text"].startswith("640 × 480, ")
    assert small[8:12] == b"WEBP"
    edit(form, "start_image", None)
    assert "start_image" not in form.params


@pytest.mark.parametrize("index", [0, 2, -1])
def test_pieces_that_do_not_fit_together_are_refused(index: int) -> None:
    form = Form("leonardo/motion_2.0")
    say(form, "file", [b"half"], key="k", name="koala.png", index=0, count=2)
    say(form, "file", [b"half"], key="k", name="koala.png", index=index, count=2)
    assert "did not arrive whole" in form.problem
    edit(form, "start_image", [{"key": "k", "name": "koala.png"}])
    assert "start_image" not in form.params
    assert form._general == [UNREAD]


def test_pieces_and_the_edit_that_names_them_may_come_in_any_order() -> None:
    half = len(png()) // 2
    pieces = {0: png()[:half], 1: png()[half:]}
    for order in permutations([0, 1, None]):
        form = Form("leonardo/motion_2.0", {"prompt": "a koala"})
        number = form._given["start_image"][0]
        for step in order:
            if step is None:
                edit(form, "start_image", [{"key": "k", "name": "koala.png"}], number=number)
            else:
                say(form, "file", [pieces[step]], key="k", name="koala.png", index=step, count=2)
        assert form.params["start_image"] == png()
        assert form._general == []


def test_a_picture_that_comes_after_another_was_chosen_does_not_take_its_place(tmp_path: Path) -> None:
    form = Form("leonardo/motion_2.0")
    path = tmp_path / "koala.png"
    path.write_bytes(png())
    edit(form, "start_image", [{"key": "k", "name": "late.png"}])
    edit(form, "start_image", [{"key": "p", "name": "koala", "place": str(path)}])
    say(form, "file", [png(64, 64)], key="k", name="late.png", index=0, count=1)
    assert form.params["start_image"] == str(path)


def test_files_that_no_value_names_do_not_fill_the_memory() -> None:
    form = Form("leonardo/grok-imagine-1.5")
    for number in range(100):
        for key, count in (("whole", 1), ("half", 2)):
            content = {"kind": "file", "key": f"{key} {number}", "name": "a.png", "index": 0, "count": count}
            form._received(form, content, [b"x"])
    assert len(form._inputs._items) == len(form._inputs._parts) == WAITING


def test_a_file_that_is_no_picture_is_refused_and_the_one_before_stays() -> None:
    form = Form("leonardo/motion_2.0")
    upload(form, "start_image", "koala.png", png())
    good = wire_of(form, "start_image")
    say(form, "file", [b"%PDF-1.4"], key="bad", name="paper.png", index=0, count=1)
    edit(form, "start_image", [{"key": "bad", "name": "paper.png"}])
    assert "paper.png was not taken" in until(lambda: mark_of(form, "start_image"))
    assert form.params["start_image"] == png()
    assert until(lambda: wire_of(form, "start_image") == good)  # its name, too
    assert form._given["start_image"][0] > 1


def test_the_limits_of_a_model_are_checked_at_once() -> None:
    limited = next(
        m for m in catalog.load().values() if m.image_limits.get("min_side_px") and "start_image" in m.params
    )
    form = Form(limited)
    upload(form, "start_image", "small.png", png(64, 64))
    assert str(limited.image_limits["min_side_px"]) in until(lambda: mark_of(form, "start_image"))
    assert "start_image" not in form.params


def test_a_path_is_taken_as_text_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "<b>koala.png"
    path.write_bytes(png())
    form = Form("leonardo/motion_2.0")
    edit(form, "start_image", [{"key": "a", "name": "koala", "place": str(path)}])
    assert form.params["start_image"] == str(path)
    edit(form, "start_image", [{"key": "b", "name": "x", "place": "/there/is/none.png"}])
    assert "there is no file" in until(lambda: mark_of(form, "start_image")).lower()
    assert form.params["start_image"] == str(path)


def test_an_address_is_not_fetched_before_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    form = Form("leonardo/motion_2.0")
    heard = Heard(form, monkeypatch)
    edit(form, "start_image", [{"key": "a", "name": "", "place": "https://example.org/koala.png"}])
    assert form.params["start_image"] == "https://example.org/koala.png"
    assert until(lambda: heard.of("look"))[0] == (
        {"kind": "look", "key": "a", "text": "fetched when it is sent"},
        [b""],
    )


def test_a_frame_of_a_clip_is_there_at_once_and_its_poster_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    form = Form("leonardo/motion_2.0")
    clip = fake_clip()
    form.clips = (clip, fake_clip("two", None, HOSTILE))
    assert [each["seed"] for each in form._clips] == ["7", None]
    heard = Heard(form, monkeypatch)
    edit(form, "start_image", [{"key": "a", "name": "last frame", "frame": {"clip": "one", "at": "last"}}])
    assert form.params["start_image"] is clip.last_frame
    say(form, "poster", clip="one")
    assert until(lambda: heard.of("poster")) == [({"kind": "poster", "clip": "one"}, [b"webp"])]
    edit(form, "start_image", [{"key": "b", "name": "gone", "frame": {"clip": "three", "at": "last"}}])
    assert "three" in mark_of(form, "start_image")
    assert form.params["start_image"] is clip.last_frame


@pytest.mark.parametrize("thing", [np.zeros((48, 64, 3), np.uint8), PIL.Image.new("RGB", (64, 48)), png(64, 48)])
def test_what_code_gives_is_kept_as_it_is_and_shown_on_demand(thing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    form = Form("leonardo/motion_2.0", {"start_image": thing})
    assert form.params["start_image"] is thing
    heard = Heard(form, monkeypatch)
    say(form, "look", field="start_image", key=wire_of(form, "start_image")[0]["key"])
    (content, (small,)) = until(lambda: heard.of("look"))[0]
    assert content["text"].startswith("64 × 48")
    assert small[8:12] == b"WEBP"


def test_an_input_at_the_service_is_named() -> None:
    there = RemoteMedia("leonardo", UUID, "GENERATED")
    form = Form("leonardo/motion_2.0", {"start_image": there})
    assert form.params["start_image"] is there
    assert wire_of(form, "start_image")[0]["name"] == f"generated at leonardo: {UUID}"


def test_several_pictures_are_a_list_and_replaced_ones_are_forgotten() -> None:
    form = Form("leonardo/seedance-2.0")
    for number in range(3):
        upload(form, "reference_images", f"{number}.png", png(300 + number, 300))
    assert form.params["reference_images"] == [png(300 + number, 300) for number in range(3)]
    edit(form, "reference_images", wire_of(form, "reference_images")[1:2])
    assert form.params["reference_images"] == [png(301, 300)]
    until(lambda: len(form._inputs._items) == 1)  # another thread forgets, a moment later


def test_styles_go_by_name_and_elements_by_id_and_weight() -> None:
    form = Form("leonardo/motion_2.0", {"prompt": "a koala"})
    edit(form, "styles", ["Clay", "Logo"])
    edit(form, "elements", [{"id": UUID, "weight": "0.5"}])
    assert form.params["styles"] == ["Clay", "Logo"]
    assert form.params["elements"] == [{"id": UUID, "weight": 0.5}]
    assert form.problems() == []
    edit(form, "elements", [{"id": "no-id", "weight": "much"}])
    assert "elements" in {problem.field for problem in form.problems()}
    edit(form, "styles", [])
    assert "styles" not in form.params


def test_what_a_notebook_saves_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    form = Form("leonardo/motion_2.0", {"prompt": HOSTILE, "start_image": png()})
    html = form.saved_html()
    assert "&lt;img src=x" in html
    assert "<img" not in html
    assert len(html) < 3000


# -- messages that come in another order than they were sent -----------------------------------------------------------


def test_what_comes_with_a_click_counts_though_its_own_message_comes_later() -> None:
    form = Form("leonardo/motion_2.0")
    number = form._given["seed"][0]
    late = {"edits": {"seed": [number, "77"]}, "edit": "page:1"}
    assert form.take_edits({"edits": {"seed": [number, "77"]}, "edit": "page:2", "models": [form.model.id]})
    assert form.params["seed"] == 77
    say(form, "edit", edits={"seed": [number, "78"]}, edit="page:3")
    say(form, "edit", **late)
    assert form.params["seed"] == 78
    say(form, "edit", edits={"seed": [number, "5"]}, edit="other:1")
    assert form.params["seed"] == 5, "another page counts for itself"


def test_a_click_that_comes_before_the_picked_model_or_the_file_sends_nothing() -> None:
    form = Form("leonardo/motion_2.0")
    assert form.take_edits({"edits": {}, "edit": "page:1", "models": ["1min/luma", form.model.id]}) is None
    assert form._general == [LATE]
    picture = {"start_image": [form._given["start_image"][0], [{"key": "k", "name": "koala.png"}]]}
    assert form.take_edits({"edits": picture, "edit": "page:2", "models": [form.model.id]}) is None
    assert form._general == [UNREAD]
    say(form, "file", [png()], key="k", name="koala.png", index=0, count=1)
    filled = form.take_edits({"edits": picture, "edit": "page:3", "models": [form.model.id]})
    assert filled is not None
    assert filled.params["start_image"] == png()
    assert form._general == []


def test_a_file_that_could_not_be_read_keeps_the_click_back() -> None:
    form = Form("leonardo/motion_2.0", {"prompt": "a koala"})
    assert form.take_edits({"edits": {}, "edit": "page:1", "unread": True}) is None
    assert form._general == [UNREAD]


def test_what_was_not_seen_is_not_sent() -> None:
    form = Form("leonardo/motion_2.0", {"prompt": "a koala", "seed": 1})
    click = seen_in(form)
    assert form.take_edits({**click, "edit": "page:1"}) == form.filled()
    form.params = {**form.params, "seed": 2}
    assert form.take_edits({**click, "edit": "page:2"}) is None, "code set another seed"
    click = seen_in(form)
    edit(form, "prompt", "a cat")
    assert form.take_edits({**click, "edit": "page:3"}) is None, "what was typed after the click came before it"
    click = seen_in(form)
    form.model = "leonardo/VEO3_1"
    assert form.take_edits({**click, "edit": "page:4"}) is None, "another model has other values"
    assert form.take_edits({**seen_in(form), "edit": "page:5"}) == form.filled()


def test_an_edit_for_a_field_that_says_sizes_in_another_way_is_void() -> None:
    listed = Form("leonardo/motion_2.0", {"prompt": "a koala"})
    other = next(m for m in catalog.load().values() if (s := _size(Form(m))) and s["params"] != _size(listed)["params"])
    number = listed._given["size"][0]
    listed.model = other
    edit(listed, "size", {"resolution": "720p", "aspect_ratio": "16:9"}, number=number)
    assert listed._general == [LATE]
    assert wire_of(listed, "size") is None


def _size(form: Form) -> Any:
    return next((spec for spec in form._spec["fields"] if spec["name"] == "size"), None)


def test_an_empty_size_of_ones_own_is_not_the_default() -> None:
    form = Form(next(m for m in catalog.load().values() if (s := _size(Form(m))) and s["any"]))
    edit(form, "size", {"width_px": "", "height_px": ""})
    assert {"width_px", "height_px"} & {problem.field for problem in form.problems()}
    edit(form, "size", {"width_px": "512", "height_px": ""})
    assert any("height_px" in problem.field for problem in form.problems())


def test_a_moment_of_the_form_has_model_and_params_of_one_another() -> None:
    form = Form("leonardo/motion_2.0", {"prompt": "a koala", "motion_control": "Dolly In"})
    seen: list[Filled] = []
    form.observe(lambda _: seen.append(form.filled()), ["model", "params", "_given", "_spec"])
    for model in ("1min/luma", "leonardo/VEO3_1", "leonardo/motion_2.0"):
        form.model = model
    assert seen
    assert all(each.params.keys() <= each.model.params.keys() for each in seen)


def test_generate_sends_what_was_typed_just_before_it_and_nothing_where_that_is_not_clear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form = Form("leonardo/motion_2.0", {"prompt": "a koala"})
    sent: list[Any] = []
    bar = GenerateBar(lambda fresh, anyway, filled: sent.append(filled), form)
    heard: list[Any] = []
    monkeypatch.setattr(bar, "send", lambda content, buffers=None: heard.append(content))
    typed = {"edits": {"seed": [form._given["seed"][0], "77"]}, "edit": "page:1", "models": [form.model.id]}
    bar._received(bar, {"kind": "generate", "form": typed}, [])
    bar._received(bar, {"kind": "generate", "form": {**typed, "edit": "page:2", "models": ["1min/luma"]}}, [])
    assert [(filled.model, filled.params["seed"]) for filled in sent] == [(form.model, 77)]
    assert [content["refused"] for content in heard] == ["", NOT_SENT]
    bar._received(bar, {"kind": "generate"}, [])
    assert sent[1:] == [form.filled()], "the page does not show the form"


def test_a_cap_that_was_typed_before_the_click_holds_though_its_message_comes_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []
    bar = GenerateBar(lambda fresh, anyway: seen.append((bar.budget_usd, bar.budget_credits)))
    heard: list[Any] = []
    monkeypatch.setattr(bar, "send", lambda content, buffers=None: heard.append(content))
    bar._received(bar, {"kind": "generate", "budget": {"budget_usd": 5}}, [])
    bar._received(bar, {"kind": "generate"}, [])
    bar._received(bar, {"kind": "generate", "budget": {"budget_usd": None}}, [])
    assert seen == [(5, None), (5, None), (None, None)]
    assert heard[0] == {"kind": "budget", "budget_usd": 5}
    bar._received(bar, {"kind": "generate", "budget": {"budget_usd": -1}}, [])
    assert "budget_usd=-1" in bar.problem
    assert len(seen) == 3
    assert heard[-1]["kind"] == "heard", "the next click is not held back"


class Page:
    """What `static/form.js` keeps of one form, and the messages on their way to the kernel, from any part of it."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.bar = GenerateBar(lambda fresh, anyway, filled: self.sent.append(filled), form)
        form.on_submit(lambda filled: self.sent.append(filled))
        self.sent: list[Filled] = []
        self.messages: list[tuple[str, Any]] = []
        self.edits: dict[str, list[Any]] = {}
        self.picked, self.edit = form.model.id, 0
        self.hear()

    def hear(self) -> None:
        """The kernel's state arrives; edits that it confirms or that came too late are forgotten."""
        self.model, self.given = self.form._spec["model"], json.loads(json.dumps(self.form._given))
        self.picked = self.model if ("pick", self.picked) not in self.messages else self.picked
        for field, (number, _, sent) in list(self.edits.items()):
            now, _, taken = self.given.get(field, [0, None, ""])
            if number != now or 0 < sent <= int(taken.rpartition(":")[2] or 0):
                del self.edits[field]

    def wire(self, field: str) -> Any:
        return self.edits[field][1] if field in self.edits else self.given[field][1]

    def type(self, field: str, text: str, soon: bool) -> None:
        if field in self.given:
            self.edits[field] = [self.given[field][0], text, 0]
            if not soon:
                self.messages.append(("edit", self._numbered({k: e for k, e in self.edits.items() if not e[2]})))

    def pick(self, model: str) -> None:
        self.picked = model
        self.messages.append(("pick", model))

    def press(self, kind: str) -> None:
        """Click Generate or press Ctrl-Enter, with what is seen."""
        shown = {field: [entry[0], self.wire(field)] for field, entry in self.given.items()}
        seen = {**self._numbered(self.edits), "models": [self.picked, self.model], "shown": shown}
        self.messages.append((kind, json.loads(json.dumps(seen))))

    def _numbered(self, edits: dict[str, list[Any]]) -> dict[str, Any]:
        self.edit += 1
        for entry in edits.values():
            entry[2] = self.edit
        return {"edits": {field: entry[:2] for field, entry in edits.items()}, "edit": f"page:{self.edit}"}

    def deliver(self, kind: str, content: Any) -> None:
        """The kernel hears this message; what it sends off must be what was seen."""
        before = len(self.sent)
        if kind == "pick":
            self.form.model = content
        elif kind == "generate":
            self.bar._received(self.bar, {"kind": "generate", "form": content}, [])
        else:
            self.form._received(self.form, {"kind": kind, **content}, [])
        assert self.form.problem == self.bar.problem == ""
        for filled in self.sent[before:]:
            assert {filled.model.id} == set(content["models"])
            for spec in fields_of(filled.model):
                if (name := spec["name"]) in FIELDS:
                    wire, value = content["shown"][name][1], filled.params.get(name)
                    assert (None if value is None else str(value)) == (spec["default"] if wire is None else wire)


FIELDS = {"prompt": ["a koala", "a cat"], "seed": ["1", "2"], "duration_s": ["4", "5", "8"]}
SOME = ["leonardo/motion_2.0", "leonardo/VEO3_1", "1min/luma"]
TYPED = st.sampled_from([(field, text) for field, texts in FIELDS.items() for text in texts])
STEPS = st.one_of(
    st.tuples(st.just("type"), TYPED, st.booleans()),
    st.tuples(st.just("press"), st.sampled_from(["generate", "submit"])),
    st.tuples(st.just("deliver"), st.integers(0, 5)),
    st.tuples(st.just("hear")),
    st.tuples(st.just("set"), TYPED),
    st.tuples(st.sampled_from(["pick", "switch"]), st.sampled_from(SOME)),
)


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(steps=st.lists(STEPS, min_size=2, max_size=14))
def test_whatever_the_order_of_messages_what_is_sent_was_seen_at_the_click(steps: list[tuple[Any, ...]]) -> None:
    page = Page(Form(SOME[0], {"prompt": "a koala"}))
    for kind, *given in steps:
        if kind == "type":
            (name, text), soon = given
            page.type(name, text, soon)
        elif kind == "press":
            page.press(given[0])
        elif kind == "deliver" and page.messages:
            page.deliver(*page.messages.pop(given[0] % len(page.messages)))
        elif kind == "hear":
            page.hear()
        elif kind == "set":
            name, text = given[0]
            page.form.params = {**page.form.params, name: text if name == "prompt" else int(text)}
        elif kind == "switch":
            page.form.model = given[0]
        elif kind == "pick":
            page.pick(given[0])
    while page.messages:
        page.deliver(*page.messages.pop())
    page.hear()
    page.press("generate")
    before = len(page.sent)
    page.deliver(*page.messages.pop())
    assert len(page.sent) == before + 1, "once all is quiet, a click counts"


def test_a_click_is_taken_once_both_sides_have_come_to_rest() -> None:
    page = Page(Form(SOME[0]))
    page.type("prompt", "a koala", False)
    page.type("seed", "7", True)
    page.press("generate")
    for message in reversed(page.messages):
        page.deliver(*message)
    assert [filled.params["prompt"] for filled in page.sent] == ["a koala"]
    page.hear()
    assert page.edits == {}
