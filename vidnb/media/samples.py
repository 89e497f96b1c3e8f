"""Takes a video file apart without decoding it: what a page's own decoder needs to decode it frame by frame.

A browser decodes pictures (WebCodecs), but opens no file. The kernel says where in the file each picture lies, when it
is shown and whether it stands alone; the page reads the bytes and decodes just the pictures that it shows.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidnb.errors import MediaError
from vidnb.media.containers import opened
from vidnb.media.given import named
from vidnb.media.upright import UNTURNED, Turn, turn_of

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

    VideoPacket = Packet[VideoStream]

MICROSECOND = 1_000_000
MOST_SAMPLES = 100_000
"""An hour of 24 frames a second; a longer clip is played as an ordinary video."""


@dataclass(frozen=True)
class Samples:
    """Where each coded picture of a file lies, in the order in which they are decoded.

    Attributes:
        codec: as browsers name it, with profile and level: "avc1.64001e".
        description: the codec's own set-up bytes; b"" where it needs none.
        rows: for each picture its place in bytes, its size in bytes, the microsecond at which it is shown, and 1 where
            it stands alone, else 0. A picture that is decoded and never shown has -1 for its time.
        packed: the pictures one after the other, where their places are in these bytes and not in the file itself.
        turn: how the file wants its pictures turned, which no decoder does.
    """

    codec: str
    description: bytes
    rows: list[tuple[int, int, int, int]]
    packed: bytes | None = None
    turn: Turn = UNTURNED

    def as_json(self) -> dict[str, Any]:
        """The same as JSON can carry it, without the pictures."""
        return {
            "codec": self.codec,
            "description": base64.b64encode(self.description).decode(),
            "rows": [list(row) for row in self.rows],
            "turn": None if self.turn == UNTURNED else list(self.turn),
        }


def samples(path: str | Path) -> Samples:
    """The coded pictures of a video file; only the first one is decoded, for what the file says of all.

    Raises:
        MediaError: it cannot be read, its codec has no name for browsers, or it is longer than an hour.
    """
    with opened(path) as (container, stream):
        codec, description = _name(stream, path)
        packets = [packet for packet in container.demux(stream) if packet.size and packet.pts is not None]
        if not packets or len(packets) > MOST_SAMPLES:
            raise MediaError(
                f"{named(path)} has {len(packets):,} frames; from 1 to {MOST_SAMPLES:,} can be taken apart"
            )
        times = _times(packets, stream)
        content = Path(path).read_bytes()
        keys = [int(packet.is_keyframe) for packet in packets]
        sizes = [packet.size for packet in packets]
        if all(_lies_in(content, packet) for packet in packets):
            places, packed = [packet.pos or 0 for packet in packets], None
        else:  # Matroska strips headers, and some files keep their pictures in parts
            packed = b"".join(map(bytes, packets))
            places = [sum(sizes[:index]) for index in range(len(sizes))]
        rows = list(zip(places, sizes, times, keys, strict=True))
        container.seek(0)
        turn = next(map(turn_of, container.decode(stream)), UNTURNED)
        return Samples(codec, description, rows, packed, turn)


def _lies_in(content: bytes, packet: VideoPacket) -> bool:
    """Whether the file has exactly this picture where it says so."""
    at = packet.pos
    return at is not None and at >= 0 and content[at : at + packet.size] == bytes(packet)


def _times(packets: list[VideoPacket], stream: VideoStream) -> list[int]:
    """When each picture is shown, in microseconds after the first one that is."""
    base = stream.time_base or packets[0].time_base
    raw = [None if packet.is_discard else packet.pts for packet in packets]
    first = min((pts for pts in raw if pts is not None), default=0)
    return [-1 if pts is None else round((pts - first) * base * MICROSECOND) for pts in raw]


def _name(stream: VideoStream, path: object) -> tuple[str, bytes]:
    """The codec's name for browsers and its set-up bytes."""
    extra = bytes(stream.codec_context.extradata or b"")
    codec = stream.codec_context.name
    if codec == "h264" and extra[:1] == b"\x01" and len(extra) > 6:
        return f"avc1.{extra[1:4].hex()}", extra
    if codec == "hevc" and extra[:1] == b"\x01" and len(extra) > 22:
        return _hevc(extra), extra
    if codec in ("av1", "libdav1d", "libaom-av1") and len(extra) >= 4:
        level, tier, depth = extra[1] & 31, "H" if extra[2] & 128 else "M", 10 if extra[2] & 64 else 8
        return f"av01.{extra[1] >> 5}.{level:02d}{tier}.{depth:02d}", b""
    if codec in ("vp9", "libvpx-vp9"):
        return "vp09.00.10.08", b""
    if codec in ("vp8", "libvpx"):
        return "vp8", b""
    raise MediaError(f"{named(path)} is coded as {codec}, for which browsers have no decoder")


def _hevc(extra: bytes) -> str:
    """The name of an H.265 stream, from its set-up bytes (ISO 14496-15, annex E)."""
    space = ("", "A", "B", "C")[extra[1] >> 6]
    flags = int.from_bytes(extra[2:6], "big")
    backwards = int(f"{flags:032b}"[::-1], 2)
    constraints = "".join(f".{byte:X}" for byte in extra[6:12].rstrip(b"\0"))
    return f"hvc1.{space}{extra[1] & 31}.{backwards:X}.{'H' if extra[1] & 32 else 'L'}{extra[12]}{constraints}"
