"""What all live parts have in common: `value` for ipywidgets' own tools, messages by name, no error swallowed."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import ipywidgets
import numpy as np
import pytest
import traitlets
from ipywidgets.widgets.widget import _instances

from vidnb.errors import ConfigError
from vidnb.widgets import Form, ModelPicker, live
from vidnb.widgets.live import PIECE_BYTES, WINDOW_BYTES, WINDOW_S, Live, Pace, kept_equal


def test_interactive_runs_again_whenever_the_form_changes() -> None:
    form, seen = Form("leonardo/motion_2.0", {"prompt": "a koala"}), []
    ipywidgets.interactive(lambda params: seen.append(params.get("seed")), params=form)
    form.params = {**form.params, "seed": 7}
    form.value = {**form.params, "seed": 8}
    assert seen == [None, 7, 8]
    assert form.params["seed"] == 8
    assert form.value is form.params


def test_an_array_as_start_image_is_a_value_like_any_other() -> None:
    form = Form("1min/leonardo-motion")
    picture = np.zeros((480, 640, 3), np.uint8)
    form.params = {"start_image": picture, "motion_strength": 3}
    form.params = {"start_image": picture, "motion_strength": 4}
    assert form.value["motion_strength"] == 4


def test_print_says_what_a_part_shows() -> None:
    form = Form("leonardo/motion_2.0", {"prompt": "a koala"})
    assert str(form).startswith("<Form: leonardo/motion_2.0, params {'prompt': 'a koala'")
    assert repr(ModelPicker()) == "<ModelPicker>"


def test_the_value_of_a_picker_is_its_model() -> None:
    picker = ModelPicker()
    picker.value = "1min/luma"
    assert picker.model == "1min/luma"
    picker.model = "leonardo/SVD"
    assert picker.value == "leonardo/SVD"


class Part(Live):
    def heard_greet(self, content: Any, buffers: list[bytes]) -> None:
        if buffers:
            raise ValueError("no bytes, please")
        self.greeted = content["name"]


def test_a_closed_part_leaves_nothing_behind_and_stays_silent() -> None:
    before = set(_instances)
    form = Form("leonardo/motion_2.0", {"prompt": "a koala"})
    assert form.is_open
    form.close()
    form.close()
    assert not form.is_open
    assert set(_instances) == before
    form.say("focus")
    form.params = {"prompt": "a cat"}


def test_what_goes_wrong_in_the_background_is_shown_a_foreseen_error_by_its_message_alone() -> None:
    async def fail(error: Exception) -> None:
        raise error

    part = Part()
    part._spawn(fail(OSError("disk full"))).result(10)
    assert part.problem == "OSError: disk full"
    part._spawn(fail(ConfigError("no such model"))).result(10)
    assert part.problem == "no such model"


WRONG = [{"kind": "nothing"}, {}, None, "greet", {"kind": ["greet"]}, {"kind": "greet.__class__"}]


@pytest.mark.parametrize("content", WRONG)
def test_a_message_that_no_method_is_named_for_does_nothing(content: Any) -> None:
    part = Part()
    part._received(part, content, [])
    assert part.problem == ""
    assert not hasattr(part, "greeted")


def test_an_exception_of_a_handler_is_shown_and_goes_with_the_next_message() -> None:
    part = Part()
    part._received(part, {"kind": "greet", "name": "Ada"}, [memoryview(b"x")])
    assert part.problem == "ValueError: no bytes, please"
    part._received(part, {"kind": "greet", "name": "Ada"}, [])
    assert (part.problem, part.greeted) == ("", "Ada")


# -- large bytes -------------------------------------------------------------------------------------------------------


class Clock:
    """A time that passes in sleep alone."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def read(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await anyio.lowlevel.checkpoint()


def paced(monkeypatch: pytest.MonkeyPatch, sizes: list[int], where: str = "jupyter") -> list[tuple[float, int]]:
    """When bytes of these sizes went out, if two parts ask at once."""
    monkeypatch.setattr(live, "host", lambda: where)
    clock, sent = Clock(), []
    pace = Pace(clock.read, clock.sleep)

    async def send(some: list[int]) -> None:
        for size in some:
            await pace.wait_for(size)
            sent.append((clock.now_s, size))

    async def both() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(send, sizes[::2])
            group.start_soon(send, sizes[1::2])

    anyio.run(both)
    return sent


def test_no_stretch_of_time_holds_more_than_a_server_lets_through(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = paced(monkeypatch, [PIECE_BYTES] * 40)
    assert len(sent) == 40
    for start_s, _ in sent:
        within = [size for at_s, size in sent if start_s <= at_s < start_s + WINDOW_S]
        assert sum(within) <= WINDOW_BYTES
    assert sent[-1][0] <= (40 * PIECE_BYTES / WINDOW_BYTES + 3) * WINDOW_S, "and no slower than that asks for"


def test_small_clips_and_other_hosts_wait_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert paced(monkeypatch, [WINDOW_BYTES // 4] * 4)[-1][0] == 0
    assert paced(monkeypatch, [PIECE_BYTES] * 40, where="vscode")[-1][0] == 0
    assert paced(monkeypatch, [WINDOW_BYTES * 2])[-1][0] == 0, "what never fits goes alone"


def test_bytes_that_nobody_wants_any_more_take_no_room_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "host", lambda: "jupyter")
    clock, part, said = Clock(), Part(), []
    monkeypatch.setattr(live, "PACE", Pace(clock.read, clock.sleep))
    part.say = lambda kind, content, buffers: said.append(content["part"])  # type: ignore[method-assign]
    data = bytes(WINDOW_BYTES // PIECE_BYTES * PIECE_BYTES)
    for _ in range(3):
        anyio.run(part.say_in_pieces, "video", {}, data, lambda: False)
    assert said == []
    anyio.run(part.say_in_pieces, "video", {}, data)
    assert (len(said), clock.now_s) == (WINDOW_BYTES // PIECE_BYTES, 0)


def test_bytes_go_in_pieces_and_stop_when_they_are_no_longer_wanted() -> None:
    part, said = Part(), []
    part.say = lambda kind, content, buffers: said.append((kind, content, buffers[0]))  # type: ignore[method-assign]
    data = bytes(range(256)) * (PIECE_BYTES // 128)  # two pieces
    anyio.run(part.say_in_pieces, "video", {"id": "a"}, data)
    assert [content for _, content, _ in said] == [{"id": "a", "part": at, "parts": 2} for at in (0, 1)]
    assert b"".join(piece for _, _, piece in said) == data
    said.clear()
    anyio.run(part.say_in_pieces, "video", {"id": "a"}, data, lambda: not said)
    assert len(said) == 1
    said.clear()
    anyio.run(part.say_in_pieces, "video", {"id": "a"}, b"")
    assert said == [("video", {"id": "a", "part": 0, "parts": 1}, b"")]


def test_two_traits_stay_equal_whichever_is_set_and_from_whichever_thread() -> None:
    class Holder(traitlets.HasTraits):
        number = traitlets.Int(0)

    one, other = Holder(number=7), Holder()
    kept_equal(one, other, "number")
    assert other.number == 7
    other.number = 8
    assert one.number == 8

    def set_often(holder: Holder, numbers: range) -> None:
        for number in numbers:
            holder.number = number

    for begin in range(0, 4000, 200):
        threads = [
            threading.Thread(target=set_often, args=(holder, range(begin + part, begin + part + 100)))
            for holder, part in ((one, 0), (other, 100))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert one.number == other.number
