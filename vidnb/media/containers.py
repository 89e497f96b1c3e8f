"""Tells a media file by its first bytes, and opens it with exactly that reader of FFmpeg's.

Every file here may be hostile. A container is told by content, never by name, as FFmpeg by itself would follow
playlists to other files and hosts.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidnb.errors import MediaError
from vidnb.media.given import is_page, is_text, named

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

Source = str | Path | io.BytesIO

HEAD_BYTES = 512
ANYTHING = {"flags": "+output_corrupt", "flags2": "+showall"}
"""Decodes what can be decoded of a file whose first key frame is missing."""

MP4_BOXES = (b"ftyp", b"moov", b"wide", b"mdat", b"free", b"skip", b"styp", b"moof", b"pnot", b"uuid")
STARTS = (
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"FLV\x01", "flv"),
    (b"OggS", "ogg"),
    (b"GIF8", "gif"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"0&\xb2u\x8ef\xcf\x11", "asf"),
    (b"fLaC", "flac"),
    (b"ID3", "mp3"),
)
NAMES = {
    "mov": "MP4",
    "matroska": "WebM or MKV",
    "flv": "FLV",
    "ogg": "Ogg",
    "gif": "GIF",
    "mpeg": "MPEG",
    "mpegts": "MPEG-TS",
    "asf": "WMV",
    "flac": "FLAC",
    "mp3": "MP3",
    "aac": "AAC",
    "avi": "AVI",
    "wav": "WAV",
}
"""FFmpeg's reader -> how people call such a file."""


def kind_of(start: bytes) -> str | None:
    """The reader for a file that starts like this, or None where no kind is known that does."""
    if start[4:8] in MP4_BOXES:
        return "mov"
    if start[:4] == b"RIFF":
        return {b"AVI ": "avi", b"WAVE": "wav"}.get(start[8:12])
    for head, kind in STARTS:
        if start.startswith(head):
            return kind
    if start[:1] == b"\x47" and start[188:189] == b"\x47":
        return "mpegts"
    # The sync word of an MPEG frame: layer III is MP3, layer 0 is AAC.
    if len(start) > 1 and start[0] == 0xFF:
        return "mp3" if start[1] & 0xE6 == 0xE2 else "aac" if start[1] & 0xF6 == 0xF0 else None
    return None


def head_of(source: Source) -> bytes:
    """The first bytes of a file."""
    if isinstance(source, io.BytesIO):
        return source.getvalue()[:HEAD_BYTES]
    try:
        with Path(source).expanduser().open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise MediaError(f"{named(source)} cannot be read as a video: {error.strerror or error}") from error


def refused(start: bytes, name: str) -> None:
    """Raise where the bytes are certainly no video and no sound: nothing, zeros, a text as an error page, a picture.

    Args:
        start: the first bytes.
        name: of the file, for the message.

    Raises:
        MediaError: they are; the message says what they are.
    """
    if not start:
        raise MediaError(f"{name} is no video: it is empty")
    if not any(start):  # of a file whose place was made before its content came
        raise MediaError(f"{name} is no video: it begins with {len(start)} zeros")
    if is_text(start):
        what = "a web page" if is_page(start) else "a text"
        raise MediaError(f"{name} is no video, it is {what}: it starts with {start[:24]!r}")
    if start.startswith((b"\x89PNG", b"\xff\xd8\xff")) or (start[:4] == b"RIFF" and start[8:16] == b"WEBPVP8 "):
        raise MediaError(f"{name} is no video, it is a still picture")


@contextmanager
def opened_container(source: Source, options: dict[str, str] | None = None) -> Iterator[InputContainer]:
    """The opened file; what FFmpeg raises inside becomes a MediaError.

    Args:
        source: the file.
        options: FFmpeg's.
    """
    import av

    start = head_of(source)
    refused(start, named(source))
    kind = kind_of(start)
    if kind is None:
        known = "MP4, MOV, WebM, MKV, AVI and others are"
        raise MediaError(f"{named(source)} is no video: it starts with {start[:24]!r}; {known}")
    # An absolute path is never taken for a protocol.
    place = source if isinstance(source, io.BytesIO) else str(Path(source).expanduser().absolute())
    try:
        with av.open(place, mode="r", format=kind, options=options, **_any_text()) as container:
            yield container
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"{named(source)} cannot be read as a video: {error.strerror or error}") from error


def _any_text() -> dict[str, Any]:
    """Return what lets PyAV open a file whose metadata is no text; from 19 on it does so unasked."""
    import av

    return {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}


@contextmanager
def opened(source: Source, *, anything: bool = False) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The opened file and its video.

    Args:
        source: the file.
        anything: decode what can be decoded of a file whose first key frame is missing, too.

    Raises:
        MediaError: there is no video in it, or none that can be decoded here.
    """
    with opened_container(source) as container:
        stream = video_of(container)
        if stream is None:
            raise MediaError(f"{named(source)} has no video in it")
        if stream.codec_context is None:  # typed as always there; FFmpeg lacks some codecs
            raise MediaError(f"{named(source)} is in a format that cannot be decoded here")
        if anything:
            stream.codec_context.options = ANYTHING
        yield container, stream


def video_of(container: InputContainer) -> VideoStream | None:
    """The video of a file, or None; the cover picture of a sound file is none."""
    from av.stream import Disposition

    moving = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    return moving[0] if moving else None
