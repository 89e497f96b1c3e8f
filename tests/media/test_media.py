"""Media: what is measured is true, and nothing hostile gets further than its first bytes."""

from __future__ import annotations

import base64
import io
import os
import struct
import tempfile
import wave
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote

import av
import numpy as np
import PIL.features
import PIL.Image
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from vidnb.errors import MediaError
from vidnb.media import given, pictures, recordings, video
from vidnb.records import MediaFile


def write_clip(
    path: Path,
    *,
    fps: Fraction | int = 10,
    frames: int = 20,
    size: tuple[int, int] = (64, 48),
    audio: bool = False,
    video: bool = True,
    codec: str = "libx264",
    pixels: Callable[[int], np.ndarray[Any, Any]] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """A clip whose frame `index` is grey of the level `index * 10`, unless `pixels` says otherwise."""
    grey = lambda index: np.full((size[1], size[0], 3), index * 10 % 256, np.uint8)  # noqa: E731  # one line is clearer
    faststart = {"movflags": "+faststart"} if path.suffix in (".mp4", ".mov") else {}
    stream: Any
    with av.open(str(path), "w", options=faststart) as out:
        if video:
            stream = out.add_stream(codec, rate=fps, options=options or {"g": "8"})
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
        if audio:
            sound = out.add_stream("aac" if path.suffix != ".webm" else "libopus", rate=48000)
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            silence.sample_rate = 48000
            for index in range(20):
                silence.pts = index * 1024
                out.mux(sound.encode(silence))
            out.mux(sound.encode())
        for index in range(frames if video else 0):
            out.mux(stream.encode(av.VideoFrame.from_ndarray((pixels or grey)(index), format="rgb24")))
        if video:
            out.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


def level(image: PIL.Image.Image) -> int:
    """Which frame it is."""
    return round(np.asarray(image.convert("L")).mean() / 10)


def encoded(image: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(file: MediaFile) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(file.content))


def picture(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> PIL.Image.Image:
    image = PIL.Image.linear_gradient("L").resize(size)
    return PIL.Image.merge("RGB", (image, image.transpose(PIL.Image.Transpose.ROTATE_180), image)).convert(mode)


# Clips


@pytest.mark.parametrize("fps", [24, 25, Fraction(30000, 1001), 60])
@pytest.mark.parametrize("options", [{"bf": "0"}, {"bf": "3"}], ids=["plain", "b-frames"])
def test_frames_rate_and_length_are_exact(tmp_path: Path, fps: Fraction | int, options: dict[str, str]) -> None:
    info = video.probe(write_clip(tmp_path / "clip.mp4", fps=fps, frames=37, options=options))
    assert (info.frames, info.width_px, info.height_px, info.codec) == (37, 64, 48, "h264")
    assert info.fps == pytest.approx(float(fps), rel=1e-9)
    assert info.duration_s == pytest.approx(37 / float(fps), abs=1e-4)


@pytest.mark.parametrize(("name", "codec"), [("a.mov", "libx264"), ("a.webm", "libvpx-vp9"), ("a.mkv", "libx264")])
def test_other_containers_are_measured_too(tmp_path: Path, name: str, codec: str) -> None:
    info = video.verify_video(write_clip(tmp_path / name, codec=codec, options={}))
    assert (info.frames, info.fps) == (20, 10.0)
    assert info.duration_s == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("audio", [False, True])
def test_sound_is_noticed(tmp_path: Path, audio: bool) -> None:
    assert video.probe(write_clip(tmp_path / "clip.mp4", audio=audio)).has_audio is audio


def test_a_clip_is_named_by_its_content(clip: Path) -> None:
    info = video.verify_video(clip)
    assert replace(info, sha256=recordings.media_file(clip).sha256) == video.probe(clip)
    assert info.size_bytes == clip.stat().st_size


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.99])
def test_a_clip_that_was_cut_off_is_found_out(clip: Path, tmp_path: Path, part: float) -> None:
    data = clip.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(MediaError, match=r"cut\.mp4"):
        video.probe(cut)


def rubbish(clip: Path) -> bytes:
    """The clip with all of its pictures overwritten: whole, and of no use."""
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = b"\x5a" * (len(data) - start)
    return bytes(data)


def test_a_whole_clip_whose_pictures_are_rubbish_is_kept_and_marked(clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(rubbish(clip))
    info = video.verify_video(broken)
    assert (info.frames, info.size_bytes) == (20, clip.stat().st_size)
    assert "cannot be decoded here" in str(info.note)
    for look in (video.poster, video.frame, video.strip, video.flashes):
        with pytest.raises(MediaError, match=r"broken\.mp4"):
            look(broken)
    with pytest.raises(MediaError, match="no frame that can be decoded"):
        recordings.media_file(broken)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        bytes(5000),
        b"<html><body>502 Bad Gateway</body></html>",
        b'{"error": "expired"}',
        b"#EXTM3U\n#EXTINF:2,\nclip.mp4\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile clip.mp4\n",
        b"\x00\x00\x00\x18ftypisom" + b"\x00" * 100,
        b"\x1aE\xdf\xa3" + b"\x00" * 100,
    ],
    ids=["empty", "zeros", "html", "json", "playlist", "concat", "mp4 head", "webm head"],
)
def test_what_is_no_video_is_refused(clip: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "clip.mp4").write_bytes(clip.read_bytes())  # what the playlists would lead to
    path = tmp_path / "given.mp4"
    path.write_bytes(content)
    for look in (video.probe, video.verify_video, video.poster, video.frame, video.strip):
        with pytest.raises(MediaError, match=r"given\.mp4"):
            look(path)


def test_a_clip_with_sound_only_is_kept_and_marked_and_is_no_input(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "sound.mp4", video=False, audio=True)
    info = video.probe(path)
    assert (info.frames, info.width_px, info.codec, info.has_audio) == (0, 0, "aac", True)
    assert info.duration_s == pytest.approx(20 * 1024 / 48000, abs=0.03)
    assert info.note == "There is no video in it, only sound."
    with pytest.raises(MediaError, match="no video in it"):
        recordings.media_file(path)


def test_a_missing_clip_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"gone\.mp4.*No such file"):
        video.probe(tmp_path / "gone.mp4")


@pytest.mark.parametrize("size", [(3840, 2160), (848, 480), (480, 848)])
def test_a_poster_is_a_small_webp_even_of_noise(tmp_path: Path, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    path = write_clip(tmp_path / "noise.mp4", frames=1, size=size, pixels=lambda index: noise, options={"crf": "30"})
    data = video.poster(path)
    image = PIL.Image.open(io.BytesIO(data))
    assert len(data) <= 10_000
    assert image.format == "WEBP"
    assert image.width <= 480
    assert image.width / image.height == pytest.approx(size[0] / size[1], rel=0.02)


def test_a_poster_is_the_first_frame_and_never_larger_than_it(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", pixels=lambda index: np.full((48, 64, 3), 200 - index, np.uint8))
    image = PIL.Image.open(io.BytesIO(video.poster(path)))
    assert image.size == (64, 48)
    assert np.asarray(image).mean() == pytest.approx(200, abs=4)


@pytest.mark.parametrize(
    ("at", "shown"),
    [("first", 0), ("last", 19), (0, 0), (0.0999, 0), (0.1, 1), (0.15, 1), (0.7, 7), (0.8, 8), (0.95, 9), (1.999, 19)],
)
def test_a_frame_is_the_one_that_is_shown_then(clip: Path, at: Any, shown: int) -> None:
    image = video.frame(clip, at)
    assert (level(image), image.size, image.mode) == (shown, (64, 48), "RGB")


@pytest.mark.parametrize("at", [-0.1, 2.0, 1e9, float("nan"), float("inf")])
def test_a_time_outside_the_clip_is_refused(clip: Path, at: float) -> None:
    with pytest.raises(MediaError, match=r"lasts 2 s"):
        video.frame(clip, at)


def test_the_only_frame_is_first_and_last(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "one.mp4", frames=1)
    assert video.frame(path, "first").tobytes() == video.frame(path, "last").tobytes()


@pytest.mark.parametrize(("n", "shown"), [(1, [0]), (2, [0, 19]), (4, [0, 6, 13, 19])])
def test_a_strip_spreads_its_frames_from_first_to_last(clip: Path, n: int, shown: list[int]) -> None:
    image = video.strip(clip, n, width=32)
    assert image.size == (32 * n, 24)
    assert [level(image.crop((32 * i, 0, 32 * i + 32, 24))) for i in range(n)] == shown


def test_a_strip_may_have_more_pictures_than_the_clip_has_frames(tmp_path: Path) -> None:
    image = video.strip(write_clip(tmp_path / "short.mp4", frames=2), 5, width=32)
    assert image.size == (160, 24)
    with pytest.raises(MediaError, match="at least 1"):
        video.strip(tmp_path / "short.mp4", 0)


# Flashes


def alternating(hz: float, low: Any, high: Any, part: float = 1.0) -> Callable[[int], np.ndarray[Any, Any]]:
    """Pictures at 24 a second: this part of the width alternates between two colours, the rest is dark grey."""

    def pixels(index: int) -> np.ndarray[Any, Any]:
        made = np.full((90, 160, 3), 60, np.uint8)
        made[:, : round(160 * part)] = high if int(index * 2 * hz / 24) % 2 else low
        return made

    return pixels


def pulsing(hz: float) -> Callable[[int], np.ndarray[Any, Any]]:
    """Pictures at 24 a second that grow lighter and darker without a jump."""
    return lambda index: np.full((90, 160, 3), round(130 + 90 * np.sin(2 * np.pi * hz * index / 24)), np.uint8)


FLASHING: dict[str, tuple[Callable[[int], np.ndarray[Any, Any]], bool]] = {
    "steady": (alternating(5, 120, 120), False),
    "slow fade": (lambda index: np.full((90, 160, 3), index * 255 // 72, np.uint8), False),
    "2 Hz": (alternating(2, 30, 220), False),
    "3 Hz, the most that is allowed": (alternating(3, 30, 220), False),
    "4 Hz": (alternating(4, 30, 220), True),
    "5 Hz": (alternating(5, 30, 220), True),
    "every frame": (alternating(12, 30, 220), True),
    "smooth 2.5 Hz": (pulsing(2.5), False),
    "smooth 5 Hz": (pulsing(5), True),
    "5 Hz in a small part": (alternating(5, 30, 220, part=0.2), False),
    "5 Hz in a larger part": (alternating(5, 30, 220, part=0.3), True),
    "5 Hz, hardly to be seen": (alternating(5, 120, 130), False),
    "5 Hz between two very light greys": (alternating(5, 240, 255), False),
    "5 Hz between light and very light": (alternating(5, 220, 255), True),
    "5 Hz of dim red": (alternating(5, (20, 0, 0), (130, 0, 0)), True),
    "5 Hz of dim blue": (alternating(5, (0, 0, 20), (0, 0, 130)), False),
}


@pytest.mark.parametrize("what", FLASHING)
def test_flashes_are_counted_as_wcag_counts_them(tmp_path: Path, what: str) -> None:
    pixels, expected = FLASHING[what]
    path = write_clip(tmp_path / "clip.mp4", fps=24, frames=72, size=(160, 90), pixels=pixels, options={"crf": "5"})
    assert video.flashes(path) is expected


@pytest.mark.parametrize("fps", [10, 25, Fraction(30000, 1001), 60])
@pytest.mark.parametrize(("hz", "expected"), [(2, False), (4.5, True)])
def test_flashes_are_counted_by_time_and_not_by_frames(
    tmp_path: Path, fps: Fraction | int, hz: float, expected: bool
) -> None:
    def pixels(index: int) -> np.ndarray[Any, Any]:
        return np.full((48, 64, 3), 220 if int(float(index / fps) * 2 * hz) % 2 else 30, np.uint8)

    assert video.flashes(write_clip(tmp_path / "clip.mp4", fps=fps, frames=int(3 * fps), pixels=pixels)) is expected


def test_a_short_burst_in_a_calm_clip_is_found_and_spread_out_flashes_are_not(tmp_path: Path) -> None:
    def lit(frames: set[int]) -> Callable[[int], np.ndarray[Any, Any]]:
        return lambda index: np.full((48, 64, 3), 220 if index in frames else 30, np.uint8)

    burst = write_clip(tmp_path / "a.mp4", fps=24, frames=96, pixels=lit({50, 54, 58, 62}))
    spread = write_clip(tmp_path / "b.mp4", fps=24, frames=96, pixels=lit({10, 20, 30, 40, 50, 60, 70, 80}))
    assert video.flashes(burst) is True
    assert video.flashes(spread) is False


@pytest.mark.parametrize("size", [(2, 2), (16, 2000), (2000, 16)])
def test_clips_of_odd_shapes_are_looked_through_too(tmp_path: Path, size: tuple[int, int]) -> None:
    pixels = lambda index: np.full((size[1], size[0], 3), 255 * (index % 2), np.uint8)  # noqa: E731  # one line is clearer
    assert video.flashes(write_clip(tmp_path / "clip.mp4", fps=24, size=size, pixels=pixels)) is True


def test_what_is_no_video_has_no_flashes_to_count(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"<html>")
    with pytest.raises(MediaError, match=r"x\.mp4"):
        video.flashes(tmp_path / "x.mp4")


# Pictures


DEEP: dict[str, np.ndarray[Any, Any]] = {
    "16 bits": np.linspace(0, 65_535, 40 * 30).reshape(30, 40).astype(np.uint16),
    "32 bits": np.linspace(0, 65_535, 40 * 30).reshape(30, 40).astype(np.int32),
    "8 of 32 bits": np.linspace(0, 255, 40 * 30).reshape(30, 40).astype(np.int32),
    "floats to 1": np.linspace(0, 1, 40 * 30).reshape(30, 40).astype(np.float32),
    "floats to 255": np.linspace(0, 255, 40 * 30).reshape(30, 40).astype(np.float32),
    "floats to 65,535": np.linspace(0, 65_535, 40 * 30).reshape(30, 40).astype(np.float32),
    "floats of any size": np.linspace(-3e6, 7e6, 40 * 30).reshape(30, 40).astype(np.float32),
}


@pytest.mark.parametrize("what", DEEP)
def test_a_picture_of_many_bits_keeps_its_greys(what: str) -> None:
    image = PIL.Image.fromarray(DEEP[what])
    expected = np.linspace(0, 255, 40 * 30).reshape(30, 40)
    kinds = ["TIFF", "PNG"] if what == "16 bits" else ["TIFF"]
    for form in (image, *(encoded(image, kind) for kind in kinds)):
        file = pictures.image_file(form)
        shown = np.asarray(decoded(file)).astype(float)
        assert (file.extension, shown.shape) == ("png", (30, 40))
        assert np.abs(shown - expected).max() <= 1


def test_a_picture_of_pil_that_cannot_be_read_is_refused_in_words() -> None:
    cut = io.BytesIO(encoded(PIL.Image.effect_noise((64, 64), 99), "PNG")[:2000])
    for image in (PIL.Image.new("RGB", (0, 0)), PIL.Image.open(cut)):
        with pytest.raises(MediaError, match="the PIL image is a damaged picture"):
            pictures.image_file(image)


@pytest.mark.parametrize(("bits", "instead"), [(12, "array / 4095.0"), (10, "array / 1023.0")])
def test_an_array_of_fewer_bits_than_its_type_is_refused_and_not_sent_dark(bits: int, instead: str) -> None:
    array = np.linspace(0, 2**bits - 1, 30 * 40).reshape(30, 40).astype(np.uint16)
    with pytest.raises(MediaError, match=r"brightest value .* nearly black") as caught:
        pictures.image_file(array)
    assert instead in str(caught.value)
    light = pictures.image_file(array / float(2**bits - 1))
    assert np.asarray(PIL.Image.open(io.BytesIO(light.content))).max() == 255
    assert pictures.image_file(np.zeros((30, 40), np.uint16)).sha256, "black is black"


@pytest.mark.parametrize("kind", ["PIL image", "open file"])
def test_one_object_that_is_read_in_several_threads_is_the_same_picture_in_each(kind: str) -> None:
    noise = io.BytesIO()
    PIL.Image.effect_noise((320, 180), 50).convert("RGB").save(noise, "PNG")
    seen = set()
    for _ in range(20):
        file = io.BytesIO(noise.getvalue())
        shared: Any = PIL.Image.open(file) if kind == "PIL image" else file
        with ThreadPoolExecutor(4) as threads:
            seen |= {read.sha256 for read in threads.map(pictures.image_file, [shared] * 4)}
    assert len(seen) == 1


def test_a_check_takes_nothing_of_an_open_file_from_the_submit(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture().save(path)
    with path.open("rb") as file:
        assert pictures.image_file(file).sha256 == pictures.image_file(file).sha256
    with pytest.raises(MediaError, match=r"a\.png' cannot be read: .*closed file"):
        pictures.image_file(file)


def test_an_open_file_that_stands_at_its_end_is_read_from_its_start() -> None:
    file = io.BytesIO()
    picture().save(file, "PNG")
    assert file.tell()
    assert pictures.image_file(file).sha256 == pictures.image_file(file.getvalue()).sha256
    assert file.tell() == len(file.getvalue())


def test_what_reads_in_another_way_than_a_file_is_refused_in_words(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("a.png", encoded(picture(), "PNG"))
        assert pictures.image_file(packed.open("a.png")).extension == "png"
        with pytest.raises(MediaError, match=r"open file \(ZipFile\) cannot be read: TypeError: .*name"):
            pictures.image_file(packed)
    empty = r"open file \(SpooledTemporaryFile\) is empty"
    with tempfile.SpooledTemporaryFile() as file, pytest.raises(MediaError, match=empty):
        pictures.image_file(file)


def test_the_order_of_an_arrays_bytes_does_not_matter() -> None:
    deep = DEEP["16 bits"]
    assert pictures.image_file(deep.astype(">u2")).sha256 == pictures.image_file(deep).sha256


def test_an_array_of_16_bits_or_of_yes_and_no_is_a_picture() -> None:
    deep = np.linspace(0, 65_535, 40 * 30 * 3).reshape(30, 40, 3).astype(np.uint16)
    assert np.abs(np.asarray(decoded(pictures.image_file(deep))) - deep / 257).max() <= 1
    mask = np.eye(8, dtype=bool)
    assert np.array_equal(np.asarray(decoded(pictures.image_file(mask))), mask * np.uint8(255))


def wide_gamut() -> bytes:
    """A profile whose red is greener than that of sRGB: its first two primaries are mixed."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for name in (b"rXYZ", b"gXYZ"):
        at = profile.index(name)
        start = int.from_bytes(profile[at + 4 : at + 8], "big") + 8
        x, y, z = struct.unpack(">3i", profile[start : start + 12])
        more = (-6000, 4000, 100) if name == b"rXYZ" else (6000, -4000, -100)
        profile[start : start + 12] = struct.pack(">3i", x + more[0], y + more[1], z + more[2])
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "wide".encode("utf-16-be")).replace(b"sRGB", b"wide")


def as_seen(image: PIL.Image.Image) -> np.ndarray[Any, Any]:
    """The pixels as a viewer that knows profiles shows them."""
    from PIL import ImageCms

    if "icc_profile" in image.info:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        image = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB") or image
    return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_colours_are_those_that_a_viewer_shows(kind: str, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    flat = PIL.Image.new("RGB", (40, 30), (60, 200, 90))
    data = encoded(flat, kind, icc_profile=wide_gamut(), exif=exif)
    seen = as_seen(PIL.Image.open(io.BytesIO(data)))[5, 5]
    assert np.abs(seen - (60, 200, 90)).max() > 10  # the profile does change what is seen
    sent = decoded(pictures.image_file(data))
    assert np.abs(as_seen(sent)[5, 5] - seen).max() <= 4
    assert np.abs(np.asarray(sent.convert("RGB"))[5, 5].astype(int) - seen).max() <= 4  # a reader of none, too


def test_a_picture_in_srgb_keeps_its_bytes_and_a_broken_profile_is_no_reason_to_refuse() -> None:
    from PIL import ImageCms

    usual = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (usual, b"canary" * 40):
        data = encoded(picture(), "PNG", icc_profile=profile)
        assert pictures.image_file(data).content == data


def test_an_avif_is_told_by_its_brands_and_not_by_the_first_of_them() -> None:
    if not PIL.features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    data = bytearray(encoded(picture(), "AVIF"))
    assert b"avif" in data[16 : data[3]]  # among those that it is compatible with, too
    data[8:12] = b"mif1"
    assert pictures.image_file(bytes(data)).extension == "png"


def test_what_leads_to_a_path_is_taken_as_one(tmp_path: Path) -> None:
    class Place:
        def __fspath__(self) -> str:
            return str(tmp_path / "a.png")

    (tmp_path / "a.png").write_bytes(encoded(picture(), "PNG"))
    assert pictures.image_file(Place()).width_px == 40
    with pytest.raises(MediaError, match=r"gone\.png"):
        pictures.image_file(Path("gone.png"))


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>", b"\n <html lang=en>", b"<!-- x --><head><title>x</title>"])
def test_a_web_page_in_a_pictures_place_is_called_one(page: bytes) -> None:
    with pytest.raises(MediaError, match=r"it is a web page.*the address of the picture and not of the page"):
        pictures.image_file(page)


@pytest.mark.parametrize(("kind", "extension"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp")])
def test_a_file_that_providers_take_stays_as_it_is(tmp_path: Path, kind: str, extension: str) -> None:
    data = encoded(picture(), kind)
    path = tmp_path / "wrongly_named.gif"
    path.write_bytes(data)
    with path.open("rb") as opened:
        found = [pictures.image_file(given) for given in (data, bytearray(data), path, str(path), opened)]
    for file in found:
        assert (file.content, file.extension, file.width_px, file.height_px) == (data, extension, 40, 30)
        assert file == found[0]


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "AVIF"])
def test_other_pictures_become_png(kind: str) -> None:
    if kind == "AVIF" and not PIL.features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    file = pictures.image_file(encoded(picture(), kind))
    assert (file.extension, file.content_type, file.width_px, file.height_px) == ("png", "image/png", 40, 30)
    assert decoded(file).format == "PNG"


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_a_moving_picture_the_first_frame_is_taken(kind: str) -> None:
    frames = [PIL.Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    file = pictures.image_file(encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True))
    image = decoded(file)
    assert (image.format, getattr(image, "n_frames", 1)) == ("PNG", 1)
    assert image.convert("RGB").getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_turned_picture_is_set_upright_and_tells_nothing_else(kind: str) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "canary"
    file = pictures.image_file(encoded(picture(), kind, exif=exif))
    assert (file.width_px, file.height_px) == (30, 40)
    assert b"canary" not in file.content
    assert decoded(file).getexif().get(0x0112, 1) == 1
    assert file.extension == ("jpg" if kind == "JPEG" else "png")


def test_a_print_jpeg_becomes_one_for_screens() -> None:
    file = pictures.image_file(encoded(picture("CMYK"), "JPEG"))
    assert (file.extension, decoded(file).mode) == ("jpg", "RGB")


def test_a_phones_double_jpeg_is_one_picture() -> None:
    data = encoded(picture(), "MPO", save_all=True, append_images=[picture()])
    file = pictures.image_file(data)
    assert (file.extension, file.content) == ("jpg", data)


@pytest.mark.parametrize(
    ("mode", "kept"), [("RGB", "RGB"), ("RGBA", "RGBA"), ("L", "L"), ("P", "RGB"), ("LA", "RGBA"), ("CMYK", "RGB")]
)
def test_a_pil_image_becomes_png(mode: str, kept: str) -> None:
    given = picture("RGB").convert(mode)
    file = pictures.image_file(given)
    assert (file.extension, decoded(file).mode, decoded(file).size) == ("png", kept, (40, 30))
    assert pictures.image_file(given.copy()) == file


def test_the_metadata_of_a_pil_image_stays_here() -> None:
    image = PIL.Image.open(io.BytesIO(encoded(picture(), "JPEG", comment=b"canary", icc_profile=b"canary")))
    assert b"canary" not in pictures.image_file(image).content


@pytest.mark.parametrize("shape", [(30, 40), (30, 40, 1), (30, 40, 3), (30, 40, 4)])
def test_an_array_of_bytes_or_of_fractions_is_the_same_picture(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    file = pictures.image_file(pixels)
    assert np.array_equal(np.asarray(decoded(file)), pixels.squeeze())
    assert pictures.image_file(pixels / 255) == file
    assert pictures.image_file((pixels / 255).astype(np.float32)) == file
    assert pictures.image_file(pixels[::-1][::-1]) == file


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((4, 4, 2), np.uint8), r"shape \(4, 4, 2\)"),
        (np.zeros((0, 4, 3), np.uint8), "shape"),
        (np.zeros(4, np.uint8), "shape"),
        (np.zeros((4, 4), np.int32), "int32"),
        (np.full((4, 4), 255.0), "from 255 to 255"),
        (np.full((4, 4), -0.1), "from -0.1"),
        (np.full((4, 4), np.nan), "nan"),
        (np.broadcast_to(np.uint8(0), (20_000, 20_000)), "100 megapixels"),
    ],
)
def test_an_array_that_is_no_picture_is_refused(array: np.ndarray[Any, Any], said: str) -> None:
    with pytest.raises(MediaError, match=said):
        pictures.image_file(array)


def png_head(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(10_001, 10_000), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_not_opened(size: tuple[int, int]) -> None:
    with pytest.raises(MediaError, match="100 megapixels"):
        pictures.image_file(png_head(*size))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF"])
def test_a_picture_that_was_cut_off_is_refused(kind: str) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(PIL.Image.fromarray(noise), kind)
    with pytest.raises(MediaError):
        pictures.image_file(data[: len(data) // 2])


def test_a_picture_is_found_by_the_addresses_that_desktops_and_pages_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a koala #1 50%.png"
    path.write_bytes(data := encoded(PIL.Image.new("RGB", (8, 8)), "PNG"))
    monkeypatch.setenv("HOME", str(tmp_path))
    inline = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    for place in (path.as_uri(), f"file://localhost{quote(str(path))}", f"~/{path.name}", inline):
        assert pictures.image_file(place).content == data
    for place, said in (("file://server/x.png", "on another machine"), ("data:image/png;base64,x", "cannot be read")):
        with pytest.raises(MediaError, match=said):
            pictures.image_file(place)


def test_a_picture_of_a_type_that_runs_programs_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "harmless.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n")
    with pytest.raises(MediaError, match=r"harmless\.png' is no picture: it starts with b'%!PS.*give PNG, JPEG, WebP"):
        pictures.image_file(path)


def test_a_heic_picture_is_taken_or_the_missing_package_is_named() -> None:
    head = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
    with pytest.raises(MediaError, match=r"pillow-heif|damaged|no picture"):
        pictures.image_file(head)


@pytest.mark.parametrize("given", [None, 7, object(), ["a.png"], {"a": 1}, io.StringIO("text")])
def test_what_is_no_picture_at_all_is_told_what_would_be(given: Any) -> None:
    with pytest.raises(
        MediaError, match=rf"{type(given).__name__}.*a path, bytes, PIL image or array.*PNG, JPEG, WebP"
    ):
        pictures.image_file(given)


@pytest.mark.parametrize("path", ["gone.png", "", "a\0b.png", "x" * 5000, "~nobody/x.png"])
def test_a_path_that_leads_nowhere_is_named(path: str) -> None:
    for read in (pictures.image_file, recordings.media_file):
        with pytest.raises(MediaError) as caught:
            read(path)
        assert repr(path)[:50] in str(caught.value)


def test_a_device_or_a_pipe_is_not_read_for_ever(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe.png")
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(MediaError, match="may never end"):
            pictures.image_file(path)


def test_a_file_too_large_for_any_provider_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given, "LARGEST_FILE", 2**20)
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(2**20 + 1)
    with pytest.raises(MediaError, match=r"huge\.png' has over 1 MB"):
        pictures.image_file(tmp_path / "huge.png")


@drawn(
    st.binary(max_size=64),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"II*\0", b"BM"]),
)
def test_any_bytes_are_a_picture_or_a_media_error(tail: bytes, head: bytes) -> None:
    try:
        file = pictures.image_file(head + tail)
    except MediaError:
        return
    assert file.width_px


# Video and sound as inputs


@pytest.mark.parametrize(("name", "content_type"), [("a.mp4", "video/mp4"), ("a.mov", "video/quicktime")])
def test_a_video_input_is_told_by_its_content(tmp_path: Path, name: str, content_type: str) -> None:
    path = write_clip(tmp_path / name).rename(tmp_path / "named.txt")
    file = recordings.media_file(path)
    assert (file.extension, file.content_type, file.width_px, file.height_px) == (name[2:], content_type, 64, 48)
    assert recordings.media_file(path.read_bytes()) == file


def test_sounds_are_told_by_their_content(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", "none"))
        out.writeframes(b"\0\0" * 800)
    with av.open(str(tmp_path / "a.mp3"), "w") as out:
        stream = out.add_stream("libmp3lame", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    assert [recordings.media_file(tmp_path / name).content_type for name in ("a.wav", "a.mp3")] == [
        "audio/wav",
        "audio/mpeg",
    ]
    bare = (tmp_path / "a.mp3").read_bytes()
    assert recordings.media_file(bare[bare.index(b"\xff\xfb") :]).extension == "mp3"


@pytest.mark.parametrize(
    "data",
    [b"", b"text", b"\xff\xd8\xff\xe0jpeg", b"\xff\xf1aac", b"RIFF\0\0\0\0AVI LIST", b"\0\0\0\x20ftypM4A \0\0\0\0"],
)
def test_what_is_neither_video_nor_sound_is_told_what_would_be(data: bytes) -> None:
    with pytest.raises(MediaError, match="MP4 or MOV video, or MP3 or WAV sound"):
        recordings.media_file(data)


def test_a_video_input_that_is_broken_is_refused() -> None:
    with pytest.raises(MediaError, match="112 bytes is cut off"):
        recordings.media_file(b"\x00\x00\x00\x18ftypisom" + b"\x00" * 100)


def test_a_stored_input_is_the_file_that_it_was() -> None:
    file = pictures.image_file(picture())
    again = recordings.stored_file(file.content, file.sha256, file.extension)
    assert (again.sha256, again.filename, again.content_type) == (file.sha256, file.filename, file.content_type)


def test_a_media_file_passes_through() -> None:
    file = pictures.image_file(picture())
    assert pictures.image_file(file) is file
    assert recordings.media_file(file) is file
