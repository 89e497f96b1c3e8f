"""Measures tell the truth: pans of known speed, known flicker, cuts, freezes, flashes and tones."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import clipmakers
import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidnb.errors import ConfigError, MediaError
from vidnb.media.measures import MEASURES
from vidnb.media.measures.file import measure_file
from vidnb.media.measures.likeness import ssim

WIDTH, HEIGHT, FPS = 424, 240, 24
Picture = np.ndarray[Any, Any]
Pixels = Callable[[int], Picture]

DICE = np.random.default_rng(0)


def texture(fineness: float, seed: int = 0) -> Picture:
    """A wide picture of soft spots in greys from 20 to 230."""
    noise = np.random.default_rng(seed).normal(size=(HEIGHT, 1600)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), fineness) if fineness else noise
    grey = np.clip(125 + 45 * (soft - soft.mean()) / soft.std(), 20, 230).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


SOFT, OTHER, NOISE = texture(4), texture(9, seed=1), texture(0, seed=2)


def pan(picture: Picture, speed: int) -> Pixels:
    """The picture passes by: so many pixels a frame to the left."""
    return lambda index: picture[:, index * speed : index * speed + WIDTH]


def write(
    folder: Path, pixels: Pixels, *, frames: int = 48, crf: int = 18, size: tuple[int, int] = (WIDTH, HEIGHT),
    tone: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]] | None = None, full: bool = False,
) -> Path:  # fmt: skip
    """A clip of 24 frames a second, with a sound of the same length where `tone` gives one from the seconds."""
    path = folder / "clip.mp4"
    with av.open(str(path), "w") as out:
        options = {"crf": str(crf), "preset": "veryfast", "threads": "1"}
        stream: Any = out.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if full else "yuv420p"
        if tone:
            voice: Any = out.add_stream("aac", rate=48_000, layout="stereo", options={"b": "256k"})
            count = frames * 48_000 // FPS
            samples = np.tile(tone(np.arange(count) / 48_000), (2, 1)).astype(np.float32)
            for at in range(0, count - count % 1024, 1024):
                frame = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(samples[:, at : at + 1024]), format="fltp", layout="stereo"
                )
                frame.sample_rate, frame.pts = 48_000, at
                out.mux(voice.encode(frame))
            out.mux(voice.encode(None))
        for index in range(frames):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels(index)), format="rgb24")))
        out.mux(stream.encode(None))
    return path


def flat(level: int) -> Picture:
    return np.full((HEIGHT, WIDTH, 3), level, np.uint8)


def measured(path: Path, *names: str, **images: bytes) -> list[float]:
    found = measure_file(path, names, **images)  # type: ignore[arg-type]  # only images are given by name
    return [math.nan if (value := found[name]) is None else value for name in names]


# Movement


@pytest.mark.parametrize("picture", [SOFT, NOISE], ids=["soft", "noise"])
@pytest.mark.parametrize("speed", [1, 3, 6])
def test_a_pan_has_the_speed_that_it_has(tmp_path: Path, picture: Picture, speed: int) -> None:
    motion, jerkiness, warp, cuts, still = measured(
        write(tmp_path, pan(picture, speed)), "motion", "jerkiness", "warp_error", "cuts", "frozen_share"
    )
    assert motion == pytest.approx(100 * speed * FPS / HEIGHT, rel=0.18)
    assert jerkiness < 0.8
    assert warp < 0.05
    assert (cuts, still) == (0, 0)


def test_speed_is_a_share_of_the_height_whatever_the_size_and_shape(tmp_path: Path) -> None:
    large = np.kron(SOFT[:, :300], np.ones((2, 2, 1), np.uint8))
    upright = np.ascontiguousarray(np.rot90(SOFT))  # 1600 rows high, HEIGHT wide
    for pixels, size, speed, rows in (
        (lambda i: np.roll(large, -6 * i, 1)[:, :576], (576, 480), 6, 480),
        (lambda i: upright[3 * i : 3 * i + 424], (240, 424), 3, 424),
    ):
        (motion,) = measured(write(tmp_path, pixels, size=size), "motion")
        assert motion == pytest.approx(100 * speed * FPS / rows, rel=0.2)


def test_a_turned_clip_moves_as_a_player_shows_it(tmp_path: Path) -> None:
    path = write(tmp_path, pan(SOFT, 4))
    flat_motion, turned = measured(path, "motion"), measured(clipmakers.turned(path, (0, 1, -1, 0)), "motion")
    assert turned[0] / flat_motion[0] == pytest.approx(HEIGHT / WIDTH, rel=0.01)


def test_jerks_are_told_from_an_even_pan(tmp_path: Path) -> None:
    places = np.cumsum([0, *([1, 7] * 24)])
    (even,) = measured(write(tmp_path, pan(SOFT, 4)), "jerkiness")
    (uneven,) = measured(write(tmp_path, lambda i: SOFT[:, places[i] : places[i] + WIDTH]), "jerkiness")
    assert uneven > 1.0 > 0.4 > even


def test_what_boils_is_not_explained_by_movement(tmp_path: Path) -> None:
    boiling = [texture(4, seed=seed)[:, :WIDTH] for seed in range(24)]
    (calm,) = measured(write(tmp_path, pan(SOFT, 4), frames=24), "warp_error")
    (restless,) = measured(write(tmp_path, lambda i: boiling[i], frames=24), "warp_error")
    assert restless > 0.05 > 0.02 > calm


# Light


@pytest.mark.parametrize("amplitude", [3, 8, 20])
def test_flicker_is_as_strong_as_it_is(tmp_path: Path, amplitude: int) -> None:
    # Every other frame is lighter; of that the mean over 5 frames takes a fifth away.
    dim = SOFT[:, :WIDTH].astype(int) * 6 // 10 + 50
    path = write(tmp_path, lambda i: (dim + amplitude * (1 - 2 * (i % 2))).astype(np.uint8))
    flicker, cuts = measured(path, "flicker", "cuts")
    assert flicker == pytest.approx(0.8 * amplitude / 255, rel=0.25)
    assert cuts == 0


def test_a_slow_fade_is_no_flicker(tmp_path: Path) -> None:
    (flicker,) = measured(write(tmp_path, lambda i: flat(40 + 3 * i)), "flicker")
    assert flicker < 0.003


@pytest.mark.parametrize("full", [False, True], ids=["usual range", "full range"])
def test_exposure_runs_from_black_to_white(tmp_path: Path, full: bool) -> None:
    half = flat(128)
    half[:, : WIDTH // 4] = 255
    for pixels, exposure, clipped in ((flat(0), 0, 1), (flat(255), 1, 1), (flat(128), 0.502, 0), (half, 0.627, 0.25)):
        path = write(tmp_path, lambda i, pixels=pixels: pixels, frames=3, full=full)  # type: ignore[misc]  # bound
        assert measured(path, "exposure", "clipped") == pytest.approx([exposure, clipped], abs=0.02)


def test_cuts_are_counted_and_leave_the_movement_alone(tmp_path: Path) -> None:
    def pixels(index: int) -> Picture:
        return pan(OTHER if 16 <= index < 32 else SOFT, 3)(index)

    cuts, motion = measured(write(tmp_path, pixels), "cuts", "motion")
    assert cuts == 2
    assert motion == pytest.approx(100 * 3 * FPS / HEIGHT, rel=0.25)


@pytest.mark.parametrize("length", [1, 2, 4])
def test_a_flash_of_light_is_a_flash_and_no_cut(tmp_path: Path, length: int) -> None:
    path = write(tmp_path, lambda i: flat(235) if 20 <= i < 20 + length else pan(SOFT, 1)(i))
    assert measured(path, "cuts", "flashes_per_s") == [0, 1]


@pytest.mark.parametrize("hz", [1, 2, 3, 4, 6])
def test_flashes_are_counted_by_the_second(tmp_path: Path, hz: int) -> None:
    path = write(tmp_path, lambda i: flat(220 if int(i * 2 * hz / FPS) % 2 else 30), frames=72)
    assert measured(path, "flashes_per_s") == [hz]


def test_flashes_in_a_small_part_do_not_count(tmp_path: Path) -> None:
    def pixels(index: int) -> Picture:
        made = flat(60)
        made[:, : WIDTH // 6] = 220 if index // 3 % 2 else 30
        return made

    assert measured(write(tmp_path, pixels), "flashes_per_s") == [0]


@pytest.mark.parametrize("crf", [18, 30])
def test_what_freezes_is_measured_to_the_frame(tmp_path: Path, crf: int) -> None:
    share, tail_s = measured(
        write(tmp_path, lambda i: pan(SOFT, 4)(min(i, 23)), crf=crf), "frozen_share", "frozen_tail_s"
    )
    assert share == pytest.approx(24 / 48, abs=0.03)
    assert tail_s == pytest.approx(1.0, abs=0.05)


def test_a_freeze_in_the_middle_is_none_at_the_end(tmp_path: Path) -> None:
    places = [*range(16), *[15] * 16, *range(16, 32)]
    share, tail_s = measured(write(tmp_path, lambda i: pan(SOFT, 3)(places[i])), "frozen_share", "frozen_tail_s")
    assert share == pytest.approx(16 / 48, abs=0.03)
    assert tail_s == 0


def test_slow_movement_is_not_frozen(tmp_path: Path) -> None:
    def pixels(index: int) -> Picture:
        shift = np.array([[1, 0, -0.06 * index], [0, 1, 0]], np.float32)
        return np.asarray(cv2.warpAffine(SOFT[:, : WIDTH + 20], shift, (WIDTH, HEIGHT)))

    share, motion = measured(write(tmp_path, pixels), "frozen_share", "motion")
    assert share < 0.2
    assert 0.2 < motion < 2


# Detail and likeness


def test_a_clip_that_melts_loses_its_sharpness(tmp_path: Path) -> None:
    sharp = measured(write(tmp_path, pan(NOISE, 1)), "sharpness", "sharpness_drift")
    melting = measured(
        write(tmp_path, lambda i: cv2.GaussianBlur(NOISE[:, :WIDTH], (0, 0), 0.5 + i / 16)), "sharpness",
        "sharpness_drift",
    )  # fmt: skip
    assert sharp[1] == pytest.approx(1, abs=0.2)
    assert melting[1] < 0.3
    assert melting[0] < sharp[0]


def test_a_perfect_loop_has_a_seam_of_one_and_a_pan_does_not(tmp_path: Path) -> None:
    ring = np.roll(np.concatenate([SOFT[:, :240], SOFT[:, 240:480]], axis=1), 0)
    (loop,) = measured(write(tmp_path, lambda i: np.roll(ring, -10 * i, axis=1)[:, :WIDTH]), "loop_seam")
    (no_loop,) = measured(write(tmp_path, pan(SOFT, 1)), "loop_seam")
    assert loop == pytest.approx(1, abs=0.3)
    assert no_loop > 2


def test_fidelity_is_one_for_the_picture_itself_and_less_for_another(tmp_path: Path) -> None:
    def png(picture: Picture) -> bytes:
        sink = io.BytesIO()
        PIL.Image.fromarray(np.ascontiguousarray(picture)).save(sink, "PNG")
        return sink.getvalue()

    path = write(tmp_path, pan(SOFT, 3))
    first, last = SOFT[:, :WIDTH], SOFT[:, 47 * 3 : 47 * 3 + WIDTH]
    found = measured(path, "start_fidelity", "end_fidelity", start_image=png(first), end_image=png(last))
    assert min(found) > 0.95
    wider = np.concatenate([first[:, :100] * 0, first, first[:, :100] * 0], axis=1)  # its middle is taken
    assert measured(path, "start_fidelity", start_image=png(wider))[0] > 0.95
    assert measured(path, "start_fidelity", start_image=png(OTHER[:, :WIDTH]))[0] < 0.5
    assert math.isnan(measured(path, "start_fidelity")[0])
    turned = clipmakers.turned(path, (0, 1, -1, 0))
    assert measured(turned, "start_fidelity", start_image=png(np.rot90(first, -1)))[0] > 0.95


@given(seed=st.integers(0, 10_000), shift=st.integers(0, 40))
@settings(max_examples=20, deadline=None)
def test_ssim_is_one_for_equals_and_the_same_both_ways(seed: int, shift: int) -> None:
    a = np.random.default_rng(seed).integers(0, 256, (40, 60)).astype(np.uint8)
    b = np.roll(a, shift, axis=1)
    assert ssim(a, a) == pytest.approx(1, abs=1e-5)
    assert ssim(a, b) == pytest.approx(ssim(b, a), abs=1e-5)
    assert -1 <= ssim(a, b) <= 1 + 1e-5


# Sound


def test_a_tone_is_as_loud_as_it_is(tmp_path: Path) -> None:
    def tone(seconds: Any) -> Any:
        return 0.1 * np.sin(2 * np.pi * 997 * seconds)

    # 997 Hz at -20 dBFS in both channels is -20 LUFS: +3 dB for two channels, -3 dB from peak to RMS.
    loudness, silent = measured(write(tmp_path, lambda i: flat(50), tone=tone), "loudness", "silent_share")
    assert loudness == pytest.approx(-20, abs=0.5)
    assert silent == 0


def test_silence_is_silent_and_half_of_it_half(tmp_path: Path) -> None:
    silent = measured(write(tmp_path, lambda i: flat(50), tone=lambda s: s * 0), "loudness", "silent_share")
    assert silent == [-70, 1]
    half = write(tmp_path, lambda i: flat(50), tone=lambda s: np.where(s < 1, 0.1 * np.sin(3000 * s), 0))
    assert measured(half, "silent_share") == pytest.approx([0.5], abs=0.1)


def test_a_clip_without_sound_has_no_loudness(tmp_path: Path) -> None:
    assert measure_file(write(tmp_path, lambda i: flat(50)), ["loudness", "silent_share"]) == {
        "loudness": None,
        "silent_share": None,
    }


# All of them


def test_every_measure_of_every_clip_lies_in_its_range(tmp_path: Path) -> None:
    clips: list[Pixels] = [pan(SOFT, 5), pan(NOISE, 2), lambda i: flat(i % 2 * 255), lambda i: flat(0)]
    for pixels in clips:
        for name, value in measure_file(write(tmp_path, pixels, frames=24)).items():
            measure = MEASURES[name]
            assert value is None or measure.low - 1e-6 <= value <= measure.high + 1e-6, name


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_very_short_clip_has_what_it_can_have(tmp_path: Path, frames: int) -> None:
    found = measure_file(write(tmp_path, pan(SOFT, 3), frames=frames))
    assert found["exposure"] is not None
    assert (found["motion"] is None) is (frames == 1)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [("a.mov", "prores_ks", "yuv422p10le"), ("a.webm", "libvpx-vp9", "yuv420p"), ("a.avi", "mjpeg", "yuvj420p")],
)
def test_other_formats_are_measured_alike(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    found = measure_file(clipmakers.write(tmp_path / name, codec, pixels, frames=10))
    assert found["exposure"] == pytest.approx(45 / 255, abs=0.02)


def test_a_file_without_pictures_has_none_of_their_measures(tmp_path: Path) -> None:
    path = tmp_path / "rubbish.mp4"
    path.write_bytes(bytes(range(200, 256)) * 40)
    assert set(measure_file(path).values()) == {None}
    with pytest.raises(MediaError, match="there is no file"):
        measure_file(tmp_path / "gone.mp4")


def test_the_same_file_gives_the_same_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, pan(SOFT, 3))
    first, again = measure_file(path), measure_file(path)
    assert {name for name, value in first.items() if value is None} == {
        "start_fidelity",
        "end_fidelity",
        "loudness",
        "silent_share",
    }
    for name, value in first.items():
        assert again[name] == (None if value is None else pytest.approx(value, rel=1e-5)), name


def test_a_name_that_is_no_measure_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no measure 'motoin'; did you mean motion\?"):
        measure_file(write(tmp_path, pan(SOFT, 3), frames=3), ["motoin"])


def test_a_measure_that_nothing_computes_is_not_taken_for_one_without_a_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, pan(SOFT, 3), frames=3)
    assert set(measure_file(path)) == set(MEASURES)
    monkeypatch.setitem(MEASURES, "aura", replace(MEASURES["motion"], name="aura"))
    with pytest.raises(ConfigError, match="nothing in vidnb computes the measure 'aura'"):
        measure_file(path)


def test_what_a_measure_is_is_told_in_full() -> None:
    for name, measure in MEASURES.items():
        assert name == measure.name
        assert measure.means.endswith(".")
        assert measure.definition
        assert measure.source
        assert measure.low < measure.high
