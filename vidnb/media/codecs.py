"""Video and sound formats: how people call them, and which a browser may not play."""

from __future__ import annotations

from typing import Any

NAMES = {
    "h264": "H.264",
    "hevc": "HEVC (H.265)",
    "vvc": "VVC (H.266)",
    "av1": "AV1",
    "vp8": "VP8",
    "vp9": "VP9",
    "prores": "ProRes",
    "dnxhd": "DNxHD",
    "mpeg1video": "MPEG-1",
    "mpeg2video": "MPEG-2",
    "mpeg4": "MPEG-4 Part 2",
    "msmpeg4v3": "DivX 3",
    "mjpeg": "Motion JPEG",
    "theora": "Theora",
    "h263": "H.263",
    "gif": "GIF",
    "ffv1": "FFV1",
    "wmv2": "WMV",
    "flv1": "Sorenson",
    "rawvideo": "uncompressed",
    "aac": "AAC",
    "mp3": "MP3",
    "opus": "Opus",
    "vorbis": "Vorbis",
    "flac": "FLAC",
    "ac3": "AC-3",
    "eac3": "E-AC-3",
    "dts": "DTS",
    "alac": "ALAC",
    "pcm_s16le": "uncompressed",
}

EVERYWHERE = {"h264", "vp8", "vp9"}
PLAYED_SOUND = {"aac", "mp3", "opus", "vorbis", "flac", "pcm_s16le", "pcm_s24le", "pcm_f32le"}
PLAIN_PIXELS = {"yuv420p", "yuvj420p", "nv12", "gray", ""}
WEB_KINDS = {"mov", "matroska"}


def usual_name(codec: str) -> str:
    """How people call a format: `hevc` is "HEVC (H.265)"."""
    return NAMES.get(codec, codec)


def codec_of(stream: Any) -> str:
    """The short name of a stream's format, whichever library decodes it; "" where FFmpeg does not know it."""
    context = stream.codec_context
    return "" if context is None else str(context.codec.canonical_name)


def browser_note(kind: str | None, container_name: str, video: str, pixels: str, sounds: list[str]) -> str:
    """A sentence on what a browser may not play; "" where every one plays all of it.

    Args:
        kind: FFmpeg's reader of the file.
        container_name: how people call such a file.
        video: short name of the video's format, "" where there is none or it is unknown.
        pixels: FFmpeg's name of the pixels, as `yuv420p10le`.
        sounds: short names of the sounds' formats, "" for an unknown one.
    """
    hard = []
    if kind not in WEB_KINDS:
        hard.append(f"{container_name} file")
    if video and video not in EVERYWHERE:
        hard.append(f"{usual_name(video)} video")
    if video and pixels not in PLAIN_PIXELS and not (video == "vp9" and "10" not in pixels and "12" not in pixels):
        hard.append(_pixels(pixels))
    sentences = [f"A browser may not play it ({', '.join(filter(None, hard))}); save it for another player."] * bool(
        hard
    )
    odd = [usual_name(sound) or "unknown" for sound in sounds if sound not in PLAYED_SOUND]
    if odd:
        sentences.append(f"A browser may play it without its sound ({odd[0]}).")
    return " ".join(sentences)


def _pixels(pixels: str) -> str:
    deep = next((f"{bits} bits a colour" for bits in (16, 14, 12, 10, 9) if f"p{bits}" in pixels), "")
    fine = next((f"4:{rest} colours" for mark, rest in (("422", "2:2"), ("444", "4:4")) if mark in pixels), "")
    if pixels.startswith(("gbr", "rgb", "bgr")):
        fine = "colours as red, green and blue"
    return ", ".join(filter(None, (deep, fine))) or f"{pixels} pixels"
