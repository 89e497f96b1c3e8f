"""A clip as small planes of brightness, each frame decoded once: what all measures of pictures are taken from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidnb.errors import ConfigError
from vidnb.media.upright import UNTURNED, Turn, square_size, turn_of

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Plane = NDArray[np.uint8]

MID_AREA = 424 * 240
"""So many pixels are enough for detail and likeness; half as wide and high are enough for movement."""
THUMB = (48, 27)
FULL, LIMITED = (0, 255), (16, 235)
"""Black and white as bytes, in files of the full and of the usual range."""
PLANAR = ("yuv4", "yuvj4", "yuva4", "nv12", "gray")
"""Formats whose first plane is the brightness."""


def opencv() -> ModuleType:
    """OpenCV, with its own threads off: clips are measured side by side in processes.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise ConfigError("measures need OpenCV: pip install 'vidnb[measure]'") from error
    cv2.setNumThreads(1)
    return cv2


@dataclass(frozen=True)
class Frame:
    """One frame as planes of brightness, in its own orientation."""

    index: int
    mid: Plane
    small: Plane


@dataclass
class Shape:
    """What the planes of a clip have in common; known once the first frame is there."""

    fps: float
    turn: Turn = UNTURNED
    mid: tuple[int, int] = (0, 0)
    small: tuple[int, int] = (0, 0)
    range: tuple[int, int] = LIMITED
    thumbs: list[Plane] = field(default_factory=list)
    """Every frame in a few pixels, in order."""

    @property
    def upright_rows(self) -> int:
        """Height of the small planes as a player shows them."""
        return self.small[1] if self.turn[0] else self.small[0]


def planes(frames: Iterator[VideoFrame], stream: VideoStream, shape: Shape) -> Iterator[Frame]:
    """The frames as planes; fills in the shape with the first one, and its thumbs on the way."""
    cv2 = opencv()
    for index, frame in enumerate(frames):
        if index == 0:
            _describe(shape, frame, stream)
        luma = _luma(frame)
        mid = luma if luma.shape[::-1] == shape.mid else cv2.resize(luma, shape.mid, interpolation=cv2.INTER_AREA)
        small = cv2.resize(mid, shape.small, interpolation=cv2.INTER_AREA)
        shape.thumbs.append(cv2.resize(small, THUMB, interpolation=cv2.INTER_AREA))
        yield Frame(index, mid, small)


def _describe(shape: Shape, frame: VideoFrame, stream: VideoStream) -> None:
    width, height = square_size(frame.width, frame.height, stream)
    scale = min((MID_AREA / (width * height)) ** 0.5, 1.0)
    shape.mid = (_even(width * scale), _even(height * scale))
    shape.small = (max(shape.mid[0] // 2, 16), max(shape.mid[1] // 2, 16))
    shape.turn = turn_of(frame)
    full = frame.color_range == 2 or not frame.format.name.startswith(PLANAR) or frame.format.name.startswith("yuvj")
    shape.range = FULL if full else LIMITED


def _luma(frame: VideoFrame) -> Plane:
    """The brightness of each pixel; where the file has it as bytes it is only looked at, else converted."""
    if not frame.format.name.startswith(PLANAR):  # RGB, palettes
        return np.ascontiguousarray(frame.reformat(format="gray").to_ndarray())
    if frame.format.components[0].bits != 8:
        frame = frame.reformat(format="yuv420p")
    first = frame.planes[0]
    rows: Any = np.frombuffer(first, np.uint8)  # type: ignore[call-overload]  # a plane is a buffer
    return np.asarray(rows.reshape(-1, first.line_size)[: frame.height, : frame.width])


def _even(side: float) -> int:
    return max(round(side / 2) * 2, 32)


def upright(plane: Plane, turn: Turn) -> Plane:
    """The plane as a player shows it."""
    across, down = (turn[0], turn[3]) if turn[0] else (turn[2], turn[1])
    shown = plane if turn[0] else plane.T
    return np.ascontiguousarray(shown[:: down or 1, :: across or 1])
