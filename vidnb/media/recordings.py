"""A video or a sound as an input: told by its content, kept byte for byte."""

from __future__ import annotations

import io
from typing import Any

from vidnb.errors import MediaError
from vidnb.media.given import file_of, given_bytes
from vidnb.media.pictures import IMAGE_TYPES
from vidnb.media.video import verify_input
from vidnb.media.whole import why_cut
from vidnb.records import MediaFile

MEDIA = "an MP4 or MOV video, or MP3 or WAV sound"
CONTENT_TYPES = {"mp4": "video/mp4", "mov": "video/quicktime", "mp3": "audio/mpeg", "wav": "audio/wav"}


def media_file(given: Any) -> MediaFile:
    """A video or a sound as the file it is: MP4, MOV, MP3 or WAV.

    Args:
        given: a path, the bytes of a file, or an open binary file.

    Raises:
        MediaError: it is no such thing, too large or damaged.
    """
    if isinstance(given, MediaFile):
        return given
    data, name = given_bytes(given, f"a path or bytes of {MEDIA}")
    extension = _media_extension(data[:16])
    if extension is None:
        raise MediaError(f"{name} is not {MEDIA}: it starts with {data[:16]!r}")
    size: tuple[int | None, int | None] = (None, None)
    if extension in ("mp4", "mov"):
        size = verify_input(io.BytesIO(data), name)
    elif reason := why_cut(io.BytesIO(data), extension):
        raise MediaError(f"{name} is cut off: {reason}; give the whole file")
    return file_of(data, extension, CONTENT_TYPES[extension], size)


def stored_file(content: bytes, sha256: str, extension: str) -> MediaFile:
    """An input that was checked and stored before, as the file it was then."""
    types = dict(IMAGE_TYPES.values()) | CONTENT_TYPES
    return MediaFile(sha256, extension, types[extension], content)


def _media_extension(start: bytes) -> str | None:
    if start[4:8] == b"ftyp" and start[8:11] != b"M4A":
        return "mov" if start[8:12] == b"qt  " else "mp4"
    if start[:4] == b"RIFF" and start[8:12] == b"WAVE":
        return "wav"
    # ID3, or the sync word of an MPEG frame of layer III; other layers are MP1 and MP2, or AAC.
    if start[:3] == b"ID3" or (len(start) > 1 and start[0] == 0xFF and start[1] & 0xE6 == 0xE2):
        return "mp3"
    return None
