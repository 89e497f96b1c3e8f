"""Looks into a video file: what it measures, its poster, its frames, and whether it flashes.

Files come from strangers. One whose end is certainly missing, or that is no media file at all, is refused; any other
is taken as it is, and `ClipInfo.note` says what a person should know of it.
"""

from __future__ import annotations

import hashlib
import io
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vidnb.errors import MediaError
from vidnb.media.codecs import browser_note, codec_of
from vidnb.media.containers import (
    NAMES,
    Source,
    head_of,
    kind_of,
    opened,
    opened_container,
    refused,
    video_of,
)
from vidnb.media.given import named
from vidnb.media.pictures import encoded
from vidnb.media.upright import shown_image, shown_size
from vidnb.media.whole import why_cut
from vidnb.records import ClipInfo

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray
    from PIL.Image import Image

POSTER_BYTES = 10_000
POSTER_PX = 480
UNSEEN = {"skip_frame": "all", "probesize": "32", "analyzeduration": "1"}
"""Opens an MP4 or MOV without decoding anything: its header says it all, and opening is what costs most."""
SEEKABLE = ("mov", "matroska")
"""Files with a table of key frames; in others a seek may end between two of them."""
UNDECODED = "Its pictures cannot be decoded here; another player may show them."
NEVER_ZEROS = ("h264", "hevc", "vp8", "vp9", "av1")
"""Codecs whose frames never hold long rows of zeros: where there is one, these bytes were never written."""
ROW_OF_ZEROS = bytes(4096)
SOUND_ONLY = "There is no video in it, only sound."


def probe(path: str | Path) -> ClipInfo:
    """What the video file measures, counted frame by frame: what a header promises is only a hint.

    Raises:
        MediaError: it is no media file, or its end is missing.
    """
    found = verify_video(path)
    with Path(path).expanduser().open("rb") as file:
        return replace(found, sha256=hashlib.file_digest(file, "sha256").hexdigest())


def verify_video(path: str | Path, name: str = "") -> ClipInfo:
    """What `probe` says; the hash, which a download has already, is left "".

    A whole file is always taken, as it was paid for: one that cannot be decoded here, or has only sound, is measured
    as far as it can be, and its `note` says so.

    Args:
        path: of the file.
        name: of it, for messages; default its path.

    Raises:
        MediaError: it is certainly not the whole file, or no media file at all.
    """
    start = head_of(path)
    name = name or named(path)
    refused(start, name)
    kind = kind_of(start)
    if reason := why_cut(path, kind):
        raise MediaError(f"{name} is cut off: {reason}; fetch it again")
    nothing = ClipInfo("", Path(path).expanduser().stat().st_size, 0, 0, 0.0, 0.0, 0, "", False)
    if kind is None:
        return replace(nothing, note=f"The file is of a kind that is not known here: it starts with {start[:12]!r}.")
    try:
        with opened_container(path, UNSEEN if kind == "mov" else None) as container:
            return _measured(path, kind, container, nothing)
    except MediaError:
        return replace(nothing, note=UNDECODED)


def verify_input(source: Source, name: str) -> tuple[int, int]:
    """Width and height of a video that is to be sent somewhere, once it is certain that it can be used there.

    Raises:
        MediaError: its end or a part of it is missing, there is no video in it, or it cannot be decoded.
    """
    if reason := why_cut(source, kind_of(head_of(source))):
        raise MediaError(f"{name} is cut off: {reason}; give the whole file")
    with opened(source) as (container, stream):
        timing, _ = _timing(container, stream)
    if timing.empty:
        raise MediaError(f"{name} is damaged: {_empty_words(timing)}; give a whole one")
    with reading(source, name=name) as (stream, frames):
        return shown_size(next(frames), stream)


@dataclass(frozen=True)
class _Timing:
    """What the packets of a video say: frames that are shown, all frames, the times of the first and the end."""

    frames: int
    stored: int
    start_s: float
    end_s: float
    empty: int = 0
    """Frames with zeros in the file where their pictures should be."""

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s


def _measured(path: str | Path, kind: str, container: InputContainer, nothing: ClipInfo) -> ClipInfo:
    """What the file measures, read in one pass."""
    sounds = [codec_of(stream) for stream in container.streams.audio]
    stream = video_of(container)
    if stream is None:
        return _sound(kind, container, sounds, nothing)
    codec, shown, pixels, said = codec_of(stream), None, "", []
    if stream.codec_context is not None:
        stream.codec_context.skip_frame = "DEFAULT"
        stream.codec_context.thread_count = 1  # starting threads costs more than one frame
        timing, shown = _timing(container, stream, decode=True)
        if shown is None and (shown := _any_frame(path)) is not None:
            said.append("Its first key frame is missing, so players may show damaged pictures.")
    else:
        timing, _ = _timing(container, stream, decode=False)
    size = (0, 0)
    if shown is not None:
        size, pixels = shown_size(shown, stream), shown.format.name
    rate = getattr(stream, "average_rate", None) or getattr(stream, "guessed_rate", None)
    fps = float(rate) if rate else timing.frames / timing.length_s if timing.length_s > 0 else 0.0
    length_s = timing.length_s if timing.length_s > 0 else timing.frames / fps if fps else 0.0
    if shown is None:
        said.append(UNDECODED)
    if stream.frames > timing.stored:
        said.append(f"Its header counts {stream.frames} frames; {timing.stored} are in it.")
    if timing.empty:
        said.append(f"It is damaged: {_empty_words(timing)}.")
    said.append(browser_note(kind, NAMES[kind], codec, pixels, sounds))
    return replace(
        nothing,
        width_px=size[0],
        height_px=size[1],
        fps=fps,
        duration_s=length_s,
        frames=timing.frames,
        codec=codec,
        has_audio=bool(sounds),
        note=" ".join(filter(None, said)) or None,
    )


def _sound(kind: str, container: InputContainer, sounds: list[str], nothing: ClipInfo) -> ClipInfo:
    if not sounds:
        return replace(nothing, note="There is neither video nor sound in it.")
    length_s = container.duration / 1e6 if container.duration else 0.0
    said = [SOUND_ONLY, browser_note("mov" if kind in ("mp3", "wav") else kind, NAMES[kind], "", "", sounds)]
    note = " ".join(filter(None, said)) or None
    return replace(nothing, duration_s=length_s, codec=sounds[0], has_audio=True, note=note)


def _timing(
    container: InputContainer, stream: VideoStream, *, decode: bool = False
) -> tuple[_Timing, VideoFrame | None]:
    """What the packets say, and, if wanted, the first frame that can be decoded."""
    frames = stored = empty = 0
    looks = codec_of(stream) in NEVER_ZEROS
    first: VideoFrame | None = None
    start = end = None
    for packet in container.demux(stream):
        if decode and first is None:
            first = next(iter(_decoded(packet)), None)
        if not packet.size:
            continue
        stored += 1
        empty += looks and _is_empty(bytes(packet))
        if packet.is_discard:  # an edit list hides it
            continue
        frames += 1
        at = packet.pts if packet.pts is not None else packet.dts
        if at is not None:
            start = at if start is None else min(start, at)
            end = max(end or 0, at + (packet.duration or 0)) if end is not None else at + (packet.duration or 0)
    unit = float(stream.time_base or 0)
    timing = _Timing(frames, stored, (start or 0) * unit, (end or 0) * unit, empty)
    return _with_last(timing, stream), first


def _is_empty(data: bytes) -> bool:
    return ROW_OF_ZEROS in data or not data.strip(b"\0")


def _empty_words(timing: _Timing) -> str:
    return f"{timing.empty} of its {timing.stored} frames hold zeros where their pictures should be"


def _with_last(timing: _Timing, stream: VideoStream) -> _Timing:
    """The same with a last frame that lasts as long as the others, where its packet does not say how long."""
    rate = stream.average_rate or stream.guessed_rate
    if not rate or timing.frames == 0:
        return timing
    regular_s = timing.frames / float(rate)
    return (
        replace(timing, end_s=timing.start_s + regular_s) if abs(timing.length_s - regular_s) < 1.5 / rate else timing
    )


def _decoded(packet: Packet[Any]) -> list[Any]:
    """The frames of a packet; none where its bytes are damaged."""
    import av

    try:
        return list(packet.decode())
    except av.FFmpegError:
        return []


def _any_frame(path: Source) -> VideoFrame | None:
    """A frame of a file whose first key frame is missing."""
    try:
        with opened(path, anything=True) as (container, stream):
            return next(_frames_of(container, stream), None)
    except MediaError:
        return None


def poster(path: str | Path, width: int = POSTER_PX) -> bytes:
    """The first frame as WebP of at most 10 kB, whatever the size and content of the video.

    Raises:
        MediaError: nothing of it can be decoded.
    """
    with reading(path) as (stream, frames):
        return _small_webp(shown_image(next(frames), stream, width))


def card(words: str, width: int = POSTER_PX) -> bytes:
    """A picture of these words as WebP, to stand where a clip has no picture that can be shown."""
    import textwrap

    import PIL.Image
    import PIL.ImageDraw
    import PIL.ImageFont

    image = PIL.Image.new("RGB", (width, width * 9 // 16), (24, 26, 32))
    lines = "\n".join(textwrap.wrap(words, 44)[:5])
    middle = (image.width / 2, image.height / 2)
    font = PIL.ImageFont.load_default(width / 27)
    PIL.ImageDraw.Draw(image).multiline_text(middle, lines, (214, 218, 226), font, "mm", align="center", spacing=8)
    return _small_webp(image)


def _small_webp(image: Image) -> bytes:
    while True:
        for quality in (75, 55, 35, 15):
            if len(data := encoded(image, "WEBP", quality=quality, method=4)) <= POSTER_BYTES:
                return data
        image = image.resize((max(image.width * 2 // 3, 1), max(image.height * 2 // 3, 1)))


def frame(path: str | Path, at: float | Literal["first", "last"] = "first") -> Image:
    """The frame that is shown at this second of the video, upright and at its full size.

    Raises:
        MediaError: the video is shorter, or cannot be decoded.
    """
    with opened(path) as (container, stream):
        timing, _ = _timing(container, stream)
    at_s = timing.end_s if at == "last" else timing.start_s if at == "first" else timing.start_s + float(at)
    if not (at in ("first", "last") or timing.start_s <= at_s < max(timing.end_s, timing.start_s + 1e-3)):
        length = f"lasts {timing.length_s:g} s and has no frame at {at!r}"
        raise MediaError(f"{named(path)} {length}; give a time before its end")
    for seek_s in (at_s, None):
        with reading(path, seek_s) as (stream, frames):
            found = list(deque(_until(frames, at_s, start=seek_s is None), maxlen=1))
            if found:
                return shown_image(found[0], stream)
    raise MediaError(f"{named(path)} has no frame that can be decoded")


def strip(path: str | Path, n: int = 8, width: int = 160) -> Image:
    """One picture of n frames side by side, evenly spread from the first to the last."""
    import PIL.Image

    if n < 1:
        raise MediaError(f"a strip has at least 1 frame, not {n}")
    images = _spread(path, n, width)
    sheet = PIL.Image.new("RGB", (sum(image.width for image in images), images[0].height))
    for index, image in enumerate(images):
        sheet.paste(image, (index * image.width, 0))
    return sheet


def spread(path: str | Path, n: int, width: int | None = None) -> NDArray[Any]:
    """Frames evenly spread from the first to the last, upright, as uint8 of (n, height, width, 3).

    Args:
        path: of the file.
        n: how many; where the clip has fewer, some stand twice.
        width: at most so wide, where given.

    Raises:
        MediaError: nothing of it can be decoded.
    """
    import numpy as np

    return np.stack([np.asarray(image) for image in _spread(path, n, width)])


def _spread(path: str | Path, n: int, width: int | None) -> list[Image]:
    with opened(path) as (container, stream):
        count = _timing(container, stream)[0].frames
    wanted = [round(index * (count - 1) / max(n - 1, 1)) for index in range(n)]
    images: list[Image] = []
    with reading(path) as (stream, frames):
        for index, shown in enumerate(frames):
            if index in wanted:
                images += [shown_image(shown, stream, width)] * wanted.count(index)
    return images + [images[-1]] * (n - len(images))  # frames at the end that cannot be decoded


def flashes(path: str | Path) -> bool:
    """Whether the clip flashes more than three times in any second over a quarter of the picture, as WCAG 2 counts.

    Raises:
        MediaError: it cannot be decoded.
    """
    from vidnb.media.flashing import Flashes

    seen, size = Flashes(), None
    with reading(path) as (stream, frames):
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        for index, shown in enumerate(frames):
            size = size or _small(shown.width, shown.height)
            picture = shown.reformat(*size, format="rgb24", interpolation="AREA").to_ndarray()
            seen.see(picture, index / rate if shown.time is None else shown.time)
            if seen.found:
                return True
    return False


def _small(width: int, height: int, side: int = 64) -> tuple[int, int]:
    """A size of the same shape whose longer side is at most this."""
    scale = min(side / max(width, height), 1.0)
    return max(round(width * scale), 1), max(round(height * scale), 1)


@contextmanager
def reading(
    path: Source, seek_s: float | None = None, name: str = "", threads: int = 0
) -> Iterator[tuple[VideoStream, Iterator[VideoFrame]]]:
    """The video and its frames, from about a time on; damaged ones are left out.

    Args:
        path: of the file, or its bytes.
        seek_s: the time, in seconds of the file's own count; from the start on without it.
        name: of the file, for messages.
        threads: to decode with; 0 for as many as there are cores.

    Raises:
        MediaError: not one frame can be decoded.
    """
    for anything in (False, True):
        if isinstance(path, io.BytesIO):
            path.seek(0)
        with opened(path, anything=anything) as (container, stream):
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = threads
            if seek_s is not None and not _sought(container, stream, seek_s):
                continue
            frames = _frames_of(container, stream)
            first = next(frames, None)
            if first is not None:
                yield stream, _again(first, frames)
                return
    if seek_s is None:
        raise MediaError(f"{name or named(path)} has no frame that can be decoded")
    with reading(path) as found:
        yield found


def _frames_of(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    for packet in container.demux(stream):
        yield from _decoded(packet)


def _again(first: VideoFrame, rest: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    yield first
    yield from rest


def _sought(container: InputContainer, stream: VideoStream, at_s: float) -> bool:
    """Whether the file could be put to the key frame before a time."""
    import av

    if not container.format.name.startswith(SEEKABLE):
        return False
    try:
        container.seek(int(at_s / stream.time_base), stream=stream, backward=True)  # type: ignore[operator]  # a TypeError where it is None
    except (av.FFmpegError, TypeError):  # no key frame before it, or no time base
        return False
    return True


def _until(frames: Iterator[VideoFrame], at_s: float, *, start: bool) -> Iterator[VideoFrame]:
    """The frames up to the one shown at this time; a hair of tolerance, as times are fractions of the time base.

    Args:
        frames: in order of their times.
        at_s: the time.
        start: whether the first frame is the file's first, which is taken even if it begins later.
    """
    for index, shown in enumerate(frames):
        if (index or not start) and shown.time is not None and shown.time > at_s + 1e-6:
            return
        yield shown
