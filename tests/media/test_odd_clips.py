"""Clips of strangers: what is whole is kept and shown as well as can be, and a mark says what is odd about it."""

from __future__ import annotations

import io
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import clipmakers as makers
import numpy as np
import PIL.Image
import pytest

from vidnb.errors import MediaError
from vidnb.media import recordings, tagged, video


def level(image: PIL.Image.Image) -> int:
    """Which frame it is."""
    return round(np.asarray(image.convert("L")).mean() / 10)


def test_a_clip_trimmed_by_an_edit_list_is_whole(tmp_path: Path) -> None:
    whole = makers.write(tmp_path / "whole.mp4", frames=20, options={"g": "20", "bf": "2"})
    path = makers.remuxed(whole, tmp_path / "trimmed.mp4", lambda index, packet: True, earlier_s=1)
    assert b"elst" in path.read_bytes()
    info = video.verify_video(path)
    assert (info.frames, info.fps, info.note) == (10, 10.0, None)
    assert info.duration_s == pytest.approx(1.0, abs=0.01)
    assert [level(video.frame(path, at)) for at in ("first", 0.25, "last")] == [10, 12, 19]


@pytest.mark.parametrize("dropped", ["the first", "all"])
def test_a_clip_without_a_key_frame_at_its_start_is_kept_and_shown(tmp_path: Path, dropped: str) -> None:
    options = {"g": "10" if dropped == "the first" else "20", "bf": "0", "x264-params": "scenecut=0"}
    whole = makers.write(tmp_path / "whole.mp4", options=options)

    def keep(index: int, packet: Any) -> bool:
        return index > 0 if dropped == "the first" else not packet.is_keyframe

    info = video.verify_video(path := makers.remuxed(whole, tmp_path / "odd.mp4", keep))
    assert (info.frames, info.width_px, info.height_px) == (19, 128, 96)
    assert video.frame(path, "last").size == (128, 96)
    assert len(video.poster(path)) > 50
    assert ("key frame is missing" in str(info.note)) is (dropped == "all")


def test_a_fragmented_clip_is_whole_until_a_fragment_is_cut(tmp_path: Path) -> None:
    flags = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    path = makers.write(tmp_path / "pieces.mp4", options={"g": "5"}, container=flags)
    info = video.verify_video(path)
    assert (info.frames, info.duration_s, info.note) == (20, pytest.approx(2.0, abs=0.01), None)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"mdat") + 20])
    with pytest.raises(MediaError, match=r"pieces\.mp4' is cut off: [\d,]+ bytes are missing at its end"):
        video.verify_video(path)
    with pytest.raises(MediaError, match=r"cut off.*give the whole file"):
        recordings.media_file(path)


def test_what_stands_behind_the_last_box_harms_nothing(tmp_path: Path) -> None:
    path = makers.write(tmp_path / "a.mp4", container={"movflags": "+faststart"})
    data = path.read_bytes()
    for tail in (b"\0" * 20, b"\xff" * 9, b"\0\0\x10\0free\0\0", b"abc"):
        path.write_bytes(data + tail)
        assert video.verify_video(path).frames == 20


def test_frames_that_a_header_promises_in_vain_are_told_and_nothing_else(tmp_path: Path) -> None:
    path = makers.write(tmp_path / "a.mp4", container={"movflags": "+faststart"})
    data = bytearray(path.read_bytes())
    at = data.index(b"stsz") + 12
    assert int.from_bytes(data[at : at + 4], "big") == 20
    data[at : at + 4] = (19).to_bytes(4, "big")
    path.write_bytes(data)
    info = video.verify_video(path)
    assert info.frames in (19, 20)
    assert info.width_px == 128


@pytest.mark.parametrize("part", [0.3, 0.7, 0.97])
@pytest.mark.parametrize(("name", "codec"), [("a.webm", "libvpx-vp9"), ("a.mkv", "libx264"), ("a.avi", "mpeg4")])
def test_other_files_that_were_cut_off_are_found_out(tmp_path: Path, name: str, codec: str, part: float) -> None:
    path = makers.write(tmp_path / name, codec)
    assert video.verify_video(path).frames == 20
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(MediaError, match="cut off"):
        video.verify_video(path)


def test_a_recording_that_never_knew_its_length_is_measured_to_its_end(tmp_path: Path) -> None:
    path = makers.write(tmp_path / "live.webm", "libvpx-vp9", container={"live": "1"})
    info = video.verify_video(path)
    assert (info.frames, info.fps) == (20, 10.0)
    assert info.duration_s == pytest.approx(2.0, abs=0.05)
    assert level(video.frame(path, 1.55)) == 15


FORMATS = [
    ("a.mp4", "libx264", "yuv420p10le", "h264", "10 bits a colour"),
    ("a.mp4", "libx264", "yuv444p", "h264", "4:4:4 colours"),
    ("a.mp4", "libx265", "yuv420p10le", "hevc", "HEVC (H.265) video, 10 bits a colour"),
    ("a.mov", "prores_ks", "yuv422p10le", "prores", "ProRes video, 10 bits a colour"),
    ("a.mp4", "libsvtav1", "yuv420p", "av1", "AV1 video"),
    ("a.avi", "mpeg4", "yuv420p", "mpeg4", "AVI file, MPEG-4 Part 2 video"),
    ("a.ts", "libx264", "yuv420p", "h264", "MPEG-TS file"),
    ("a.mp4", "libx264rgb", "rgb24", "h264", "colours as red, green and blue"),
    ("a.mp4", "libx264", "yuv420p", "h264", ""),
    ("a.webm", "libvpx-vp9", "yuv420p", "vp9", ""),
]


@pytest.mark.parametrize(("name", "codec", "pixels", "called", "said"), FORMATS)
def test_what_a_browser_may_not_play_is_said_and_shown_by_its_frames(
    tmp_path: Path, name: str, codec: str, pixels: str, called: str, said: str
) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {"svtav1-params": "lp=1"}
    try:
        path = makers.write(
            tmp_path / name, codec, pixels, options=options if codec in ("libx265", "libsvtav1") else {}
        )
    except (ValueError, OSError) as error:
        pytest.skip(f"this PyAV has no {codec}: {error}")
    info = video.verify_video(path)
    assert (info.codec, info.frames, info.width_px, info.height_px) == (called, 20, 128, 96)
    expected = f"A browser may not play it ({said}"
    assert (info.note or "").startswith(expected) if said else info.note is None
    image = video.frame(path, "last")
    assert (image.mode, level(image)) == ("RGB", 19)


def test_sound_that_a_browser_does_not_play_is_said(tmp_path: Path) -> None:
    info = video.verify_video(makers.write(tmp_path / "a.mp4", sound="ac3"))
    assert (info.has_audio, info.note) == (True, "A browser may play it without its sound (AC-3).")
    assert video.verify_video(makers.write(tmp_path / "b.mp4", sound="aac")).note is None


def test_bytes_of_an_unknown_kind_are_kept_and_said_to_be_unknown(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(range(200, 256)) * 40)
    info = video.verify_video(path)
    assert (info.size_bytes, info.frames) == (56 * 40, 0)
    assert "of a kind that is not known here" in str(info.note)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_still_picture_is_no_clip(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.mp4"
    PIL.Image.new("RGB", (20, 10)).save(path, kind)
    with pytest.raises(MediaError, match="it is a still picture"):
        video.verify_video(path)


# Where the white upper left quarter of the picture goes, as (right, down)
TURNS = {
    (1, 0, 0, 1): (0, 0),
    (-1, 0, 0, -1): (1, 1),
    (-1, 0, 0, 1): (1, 0),
    (1, 0, 0, -1): (0, 1),
    (0, 1, -1, 0): (1, 0),  # a quarter with the clock, as phones write it
    (0, -1, 1, 0): (0, 1),
    (0, 1, 1, 0): (0, 0),
    (0, -1, -1, 0): (1, 1),
}


@pytest.mark.parametrize("turn", TURNS)
def test_a_clip_turned_by_its_header_is_measured_and_shown_upright(
    tmp_path: Path, turn: tuple[int, int, int, int]
) -> None:
    path = makers.turned(makers.write(tmp_path / "a.mp4", pixels=makers.corner), turn)
    upright = (128, 96) if turn[0] else (96, 128)
    info = video.verify_video(path)
    assert (info.width_px, info.height_px) == upright
    assert (recordings.media_file(path).width_px, recordings.media_file(path).height_px) == upright
    poster = PIL.Image.open(io.BytesIO(video.poster(path)))
    for image in (video.frame(path, "first"), video.frame(path, "last"), poster):
        assert image.size == upright
        lit = np.asarray(image.convert("L")) > 128
        down, right = (round(float(where.mean() / side)) for where, side in zip(lit.nonzero(), lit.shape, strict=True))
        assert (right, down) == TURNS[turn]
        assert lit.mean() == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(
    ("aspect", "size"),
    [(Fraction(2), (256, 96)), (Fraction(1, 2), (128, 192)), (Fraction(4, 3), (171, 96)), (Fraction(1), (128, 96))],
)
def test_pixels_that_are_no_squares_become_squares(tmp_path: Path, aspect: Fraction, size: tuple[int, int]) -> None:
    path = makers.write(tmp_path / "a.mp4", aspect=aspect)
    info = video.verify_video(path)
    assert (info.width_px, info.height_px) == size
    assert video.frame(path, "last").size == size


def test_a_turned_clip_is_stretched_before_it_is_turned(tmp_path: Path) -> None:
    path = makers.turned(makers.write(tmp_path / "a.mp4", aspect=Fraction(2)), (0, 1, -1, 0))
    assert video.frame(path).size == (96, 256)
    assert (video.verify_video(path).width_px, video.verify_video(path).height_px) == (96, 256)


def test_a_picture_of_words_stands_for_a_clip_without_pictures() -> None:
    image = PIL.Image.open(io.BytesIO(video.card("There is no video in it, only sound.")))
    assert (image.format, image.size) == ("WEBP", (480, 270))
    assert np.asarray(image.convert("L")).max() > 150


@pytest.mark.parametrize("name", ["a.flv", "a.ts", "a.ogg"])
@pytest.mark.parametrize("part", [0.3, 0.5, 0.97])
def test_a_part_of_a_file_is_no_whole_one(tmp_path: Path, name: str, part: float) -> None:
    codec = {"a.flv": "flv1", "a.ts": "mpeg2video", "a.ogg": "libvpx"}[name]
    try:
        path = makers.write(tmp_path / name, codec)
    except (ValueError, OSError) as error:
        pytest.skip(f"this PyAV has no {codec}: {error}")
    content = path.read_bytes()
    assert video.verify_video(path).frames == 20
    (tmp_path / f"more {name}").write_bytes(content + b"\0" * 77)  # what stands behind the end harms nothing
    assert video.verify_video(tmp_path / f"more {name}").frames == 20
    path.write_bytes(content[: int(part * len(content)) | 1])
    with pytest.raises(MediaError, match="bytes are missing at its end; fetch it again"):
        video.verify_video(path)


def test_zeros_where_pictures_should_be_are_said_and_are_not_uploaded(tmp_path: Path) -> None:
    path = makers.write(tmp_path / "a.mp4", "libx264")
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    length = int.from_bytes(content[start - 8 : start - 4], "big") - 8
    content[start + length // 2 : start + length] = bytes(length - length // 2)
    path.write_bytes(content)
    note = video.verify_video(path).note or ""
    assert re.search(r"It is damaged: \d+ of its 20 frames hold zeros where their pictures should be\.", note)
    with pytest.raises(MediaError, match=r"the clip is damaged: .*; give a whole one"):
        video.verify_input(path, "the clip")


def test_words_in_a_file_that_are_no_text_harm_nobody(tmp_path: Path) -> None:
    copy = tmp_path / "copy.mp4"
    tagged.write(makers.write(tmp_path / "plain.mp4", frames=2), copy, {"prompt": "KOALA"})
    copy.write_bytes(copy.read_bytes().replace(b"KOALA", b"KO\xff\xfeA"))
    assert video.verify_video(copy).frames == 2
    found = tagged.read(copy)
    assert found is not None
    assert found["prompt"].encode() == "KO\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}A".encode()
