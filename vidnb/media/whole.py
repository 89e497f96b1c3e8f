"""Says of a media file whether its end is certainly missing, from the lengths of the parts that it is made of.

Only these lengths count. How many frames or seconds a header promises is a hint, which editors leave behind wrong.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from vidnb.media.containers import Source

NEEDED = (b"ftyp", b"styp", b"moov", b"moof", b"mdat")
"""Parts of an MP4 that it cannot play without; a cut in another one, such as a note at the end, harms nothing."""
UNKNOWN_RIFF = (0, 0x7FFFFFFF, 0xFFFFFFFF)
"""Lengths that a recorder writes before it knows the length."""
FLV_TAGS = (8, 9, 18)
"""Sound, video, and data such as the length."""
TS_PACKET, TS_SYNC = 188, b"\x47"
SEGMENT, CLUSTER = 0x18538067, 0x1F43B675


def why_cut(source: Source, kind: str | None) -> str | None:
    """Why the file is certainly not whole, in a few words for a message; None where nothing says so."""
    check = CHECKS.get(kind or "")
    if check is None:
        return None
    if isinstance(source, io.BytesIO):
        return check(source, len(source.getbuffer()))
    with Path(source).expanduser().open("rb") as file:
        return check(file, os.fstat(file.fileno()).st_size)


def _missing(count: int) -> str:
    return f"{count:,} bytes are missing at its end"


def _mp4(file: BinaryIO, size: int) -> str | None:
    """Walk over the boxes, which follow each other: length, name, content."""
    at, names = 0, set()
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        elif length == 0:  # up to the end of the file, wherever that is
            length = size - at
        if length < 8 or not all(32 <= byte < 127 for byte in name):
            break  # what stands behind the last box
        if at + length > size:
            if name in NEEDED:
                return _missing(at + length - size)
            break
        names.add(name)
        at += length
    if b"moov" not in names:
        return "the part that says where its pictures lie (moov) is missing"
    return None if names & {b"mdat", b"moof"} else "the part with its pictures (mdat) is missing"


def _matroska(file: BinaryIO, size: int) -> str | None:
    """Walk over the elements of the segment, which follow each other: name, length, content."""
    at, inside = 0, False
    while at < size:
        file.seek(at)
        name, used = _vint(file, keep_marker=True)
        length, more = _vint(file, keep_marker=False)
        if name is None:
            break
        start = at + used + more
        if name == SEGMENT and not inside:
            if length is not None:
                return _missing(start + length - size) if start + length > size else None
            at, inside = start, True
            continue
        if length is None:
            break  # a recording that was written as it came: nothing says where it ends
        if start + length > size:
            return _missing(start + length - size) if not inside or name == CLUSTER else None
        at = start + length
    return None if inside else "the part with its pictures (Segment) is missing"


def _vint(file: BinaryIO, *, keep_marker: bool) -> tuple[int | None, int]:
    """A number of Matroska's own form and how many bytes it took; None where there is none or it is "unknown"."""
    first = file.read(1)
    if not first or not first[0]:
        return None, len(first)
    width = 9 - first[0].bit_length()
    rest = file.read(width - 1)
    if len(rest) < width - 1:
        return None, 1 + len(rest)
    bits = 7 * width
    value = int.from_bytes(first + rest, "big")
    if keep_marker:
        return value, width
    value &= (1 << bits) - 1
    return (None if value == (1 << bits) - 1 else value), width


def _riff(file: BinaryIO, size: int) -> str | None:
    file.seek(4)
    length = int.from_bytes(file.read(4), "little")
    return _missing(length + 8 - size) if length not in UNKNOWN_RIFF and length + 8 > size else None


def _flv(file: BinaryIO, size: int) -> str | None:
    """Walk over the tags, which follow each other: kind, length and time; the content; the whole length once more."""
    file.seek(5)
    at = int.from_bytes(file.read(4), "big") + 4
    while at + 11 <= size:
        file.seek(at)
        head = file.read(4)
        if head[0] & 0x1F not in FLV_TAGS:
            return None  # what stands behind the last tag
        at += 11 + int.from_bytes(head[1:], "big")
        if at > size:
            return _missing(at - size)
        at += 4
    return None


def _mpegts(file: BinaryIO, size: int) -> str | None:
    """Look at the end: it is a row of packets of one length, each of which begins with the same byte."""
    left = size % TS_PACKET
    file.seek(size - left)
    return _missing(TS_PACKET - left) if file.read(1) == TS_SYNC else None


def _ogg(file: BinaryIO, size: int) -> str | None:
    """Walk over the pages, which follow each other: a head with the lengths of its parts, then the parts."""
    at = 0
    while at + 27 <= size:
        file.seek(at)
        head = file.read(27)
        if head[:4] != b"OggS":
            return None  # what stands behind the last page
        parts = file.read(head[26])
        at += 27 + head[26] + sum(parts)
        if len(parts) < head[26] or at > size:
            return _missing(max(1, at - size))
    return None


CHECKS: dict[str, Callable[[BinaryIO, int], str | None]] = {
    "mov": _mp4,
    "matroska": _matroska,
    "avi": _riff,
    "wav": _riff,
    "flv": _flv,
    "mpegts": _mpegts,
    "ogg": _ogg,
}
"""By the reader's name, as `containers.kind_of` gives it."""
