"""What a request says is what its clip shows: size, length, rate, motion, camera, sound and seed."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, lab, picture

from vidnb import catalog
from vidnb.emulator.clips import Scene
from vidnb.emulator.scenes import Footage, duration_of, fps_of, motion_of, size_of
from vidnb.emulator.state import State

pytestmark = pytest.mark.anyio


async def scene(it: Lab, model: str = "motion_2.0", **parameters: Any) -> Scene:
    job = it.emulator.state.job(await it.job(model, **parameters))
    assert job is not None
    return it.emulator.footage.scene(job)


@pytest.mark.parametrize(
    ("model", "params", "start", "size"),
    [
        ("leonardo/motion_2.0", {}, None, (832, 480)),
        ("leonardo/motion_2.0", {"width_px": 720, "height_px": 1280}, None, (720, 1280)),
        ("leonardo/motion_2.0", {"resolution": "720p"}, None, (1280, 720)),
        ("leonardo/motion_2.0", {"width_px": 0, "height_px": 0}, (500, 500), (624, 624)),
        ("leonardo/hailuo-03", {"width_px": 5040, "height_px": 2160}, None, (3840, 1646)),
        ("leonardo/MOTION2", {"resolution": "480p"}, None, (832, 480)),
        ("1min/leonardo-motion", {}, (640, 480), (736, 544)),
        ("1min/luma-ray", {"resolution": "720p", "aspect_ratio": "9:16"}, (640, 480), (720, 1280)),
        ("1min/veo3", {"resolution": "1080p", "aspect_ratio": "16:9"}, None, (1920, 1080)),
        ("1min/luma", {}, None, (1280, 720)),
        ("1min/luma", {}, (10_000, 100), (1520, 608)),
    ],
)
def test_the_size_is_the_asked_one_or_the_pictures_shape(
    model: str, params: dict[str, Any], start: tuple[int, int] | None, size: tuple[int, int]
) -> None:
    assert size_of(catalog.find(model), params, start) == size


@pytest.mark.parametrize(
    ("model", "params", "duration_s", "fps"),
    [
        ("leonardo/motion_2.0", {}, 5, 24),
        ("leonardo/motion_2.0", {"frame_interpolation": False}, 5, 16),
        ("leonardo/kling-3.0", {"duration_s": 9}, 9, 30),
        ("leonardo/kling-3.0", {}, 5, 30),
        ("1min/luma-ray", {"duration_s": 10}, 10, 24),
        ("1min/damo", {"num_frames": 50, "fps": 8}, 6.25, 8),
    ],
)
def test_length_and_rate_are_the_asked_or_the_assumed_ones(
    model: str, params: dict[str, Any], duration_s: float, fps: int
) -> None:
    found = catalog.find(model)
    assert (duration_of(found, params), fps_of(found, params)) == (duration_s, fps)


def test_motion_runs_from_one_to_ten_whatever_the_model_calls_it() -> None:
    assert [motion_of({"motion_strength": strength}) for strength in (1, 7, 10)] == [1, 7, 10]
    assert [motion_of({"motion_bucket": bucket}) for bucket in (1, 128, 255)] == [1, 5.5, 10]
    assert motion_of({}) == 5


async def test_controls_seeds_sound_and_prompts_reach_the_scene() -> None:
    async with lab() as it:
        orbit = {"akUUID": "74bea0cc-9942-4d45-9977-28c25078bfd4", "weight": 0.5}
        shown = await scene(it, seed=9, negative_prompt="cats", controls=[orbit])
        assert (shown.seed, shown.prompt, shown.negative_prompt, shown.camera) == (9, "a koala", "cats", "Orbit Left")
        assert shown.camera_weight == 0.5
        assert shown.audio is False
        assert (await scene(it, "kling-2.6", motion_has_audio=True)).audio is True
        assert (await scene(it, "kling-2.6", motion_has_audio=False)).audio is False


async def test_takes_without_a_seed_differ_and_are_the_same_everywhere() -> None:
    seeds = []
    for _ in range(2):
        async with lab() as it:
            seeds.append([(await scene(it)).seed for _ in range(3)])
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 3


async def moved(it: Lab, path: str, strength: int) -> Scene:
    """The scene of a picture moved by 1min's Motion, which takes neither a seed nor a prompt."""
    reply = await it.feature("leonardo-motion", kind="IMAGE_TO_VIDEO", imageUrl=path, motion_strength=strength)
    record = reply.json()["aiRecord"]
    job = it.emulator.state.job(record["uuid"])
    assert job is not None
    return it.emulator.footage.scene(job)


async def test_a_motion_strength_moves_the_same_scene_and_a_take_is_another_one() -> None:
    async with lab() as it:
        path = await it.asset()
        calm, wild = await moved(it, path, 2), await moved(it, path, 9)
        again, wild_again = await moved(it, path, 2), await moved(it, path, 9)
    assert (calm.motion_strength, wild.motion_strength) == (2, 9)
    assert calm == replace(wild, motion_strength=2)
    assert again.seed == wild_again.seed != calm.seed


async def test_a_knob_leaves_the_hidden_seed_as_it_is_and_a_prompt_does_not() -> None:
    async with lab() as it:
        plain = await scene(it, "kling-2.6")
        longer = await scene(it, "kling-2.6", duration=10)
        other = it.emulator.state.job(await it.job("kling-2.6", prompt="a panda"))
    assert other is not None
    assert other.seed != plain.seed
    assert plain.seed == longer.seed
    assert plain.duration_s != longer.duration_s


async def test_the_badge_is_told_what_the_model_takes() -> None:
    async with lab() as it:
        seeded = await scene(it)
        motion = await moved(it, await it.asset(), 5)
    assert (seeded.has_seed, seeded.has_motion) == (True, False)
    assert (motion.has_seed, motion.has_motion) == (False, True)


async def test_an_uploads_id_does_not_change_the_clip() -> None:
    seeds = []
    for _ in range(2):
        async with lab() as it:
            frame = {"start_frame": [{"image": {"id": await it.upload(), "type": "UPLOADED"}}]}
            seeds.append((await scene(it, guidances=frame)).seed)
    assert seeds[0] == seeds[1]


async def test_two_pictures_with_one_seed_give_two_clips() -> None:
    clips = []
    async with lab() as it:
        for size in ((640, 384), (384, 384)):
            frame = {"start_frame": [{"image": {"id": await it.upload(picture(*size)), "type": "UPLOADED"}}]}
            image = await it.finished(await it.job(guidances=frame, width=832, height=480, seed=7))
            clips.append((await it.client.get(image["motionMP4URL"])).content)
    assert clips[0] != clips[1]


async def test_a_clip_survives_a_chain_of_clips() -> None:
    async with lab() as it:
        frame = {"start_frame": [{"image": {"id": await it.upload(picture(640, 384)), "type": "UPLOADED"}}]}
        for _ in range(3):
            image = await it.finished(await it.job(guidances=frame, width=832, height=480))
            frame = {"start_frame": [{"image": {"id": image["id"], "type": "GENERATED"}}]}
        assert (await it.client.get(image["motionMP4URL"])).content[4:8] == b"ftyp"


async def test_every_model_of_the_catalogue_has_a_scene() -> None:
    for model in catalog.load().values():
        width, height = size_of(model, {}, None)
        Scene(
            model=model.id, width_px=width, height_px=height, duration_s=duration_of(model, {}), fps=fps_of(model, {})
        )


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(State(tmp_path / "db")) as state:
        footage = Footage(tmp_path, state)
        sha256 = footage.keep(b"bytes")
        assert footage.input(sha256) == b"bytes"
        assert [path.name for path in (tmp_path / "inputs").iterdir()] == [sha256]

        def power_cut(part: Path, target: Path) -> Path:
            assert part.read_bytes() == b"other bytes", "it gets its name before it is whole"
            raise OSError("the power went")

        monkeypatch.setattr(Path, "replace", power_cut)
        with pytest.raises(OSError, match="the power went"):
            footage.keep(b"other bytes")
        assert [path.name for path in (tmp_path / "inputs").iterdir() if path.name[0] != "."] == [sha256]
