"""Makes odd but whole video files: turned, trimmed, in pieces, without key frames, in formats that browsers refuse."""

from __future__ import annotations

import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

Pixels = Callable[[int], np.ndarray[Any, Any]]
SIZE = (128, 96)


def grey(index: int) -> np.ndarray[Any, Any]:
    """A frame whose level says which one it is."""
    return np.full((SIZE[1], SIZE[0], 3), index * 10 % 256, np.uint8)


def corner(index: int) -> np.ndarray[Any, Any]:
    """A dark frame with a white upper left quarter."""
    made = np.full((SIZE[1], SIZE[0], 3), 20, np.uint8)
    made[: SIZE[1] // 2, : SIZE[0] // 2] = 235
    return made


def write(path: Path, *args: Any, **options: Any) -> Path:
    """A clip as `_write` makes it, made in a thread that ends.

    For root, the AV1 encoder gives the thread that calls it real-time priority, and every process that this thread
    begins later has it, too: one such test made all others on the machine wait.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_write, path, *args, **options).result()


def _write(
    path: Path,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    *,
    frames: int = 20,
    pixels: Pixels = grey,
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    aspect: Fraction | None = None,
    sound: str | None = None,
) -> Path:
    """A clip of 10 frames a second."""
    with av.open(str(path), "w", options=container or {}) as out:
        stream: Any = out.add_stream(codec, rate=10, options=options or {})
        stream.width, stream.height = SIZE
        stream.pix_fmt = pixel_format
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if sound:
            voice: Any = out.add_stream(sound, rate=48000)
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1536), np.float32), format="fltp", layout="mono")
            silence.sample_rate = 48000
            for index in range(20):
                silence.pts = index * 1536
                out.mux(voice.encode(silence))
            out.mux(voice.encode(None))
        for index in range(frames):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels(index), format="rgb24")))
        out.mux(stream.encode(None))
    return path


def turned(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """The MP4 with this display matrix (a, b, c, d) in its header."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: 40 bytes of times, ids and volume stand before it
    a, b, c, d = (value << 16 for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def remuxed(source: Path, path: Path, keep: Callable[[int, Any], bool], *, earlier_s: int = 0) -> Path:
    """Some packets of a clip in a new file, unchanged; what begins before time 0 is hidden by an edit list."""
    with av.open(str(source)) as given, av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as out:
        stream = out.add_stream_from_template(given.streams.video[0])
        for index, packet in enumerate(given.demux(video=0)):
            if not packet.size or not keep(index, packet):
                continue
            shift = int(earlier_s / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = stream
            out.mux(packet)
    return path
