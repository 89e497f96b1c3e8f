"""Frames as a player shows them: turned as the file says, with square pixels, in eight bits of RGB."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from PIL.Image import Image, Transpose

LARGEST_ASPECT = 8
"""A pixel that is said to be longer than this is a mistake of the header."""
LARGEST_SIDE = 16_384
HD_LINES = 720
"""From so many lines on, an unmarked picture has the colours of BT.709; players agree on that."""

Turn = tuple[int, int, int, int]
UNTURNED: Turn = (1, 0, 0, 1)


def turn_of(frame: VideoFrame) -> Turn:
    """Where the right and the lower edge of the picture go, as signs of the file's display matrix."""
    found = frame.side_data.get("DISPLAYMATRIX")
    if found is None:
        return UNTURNED
    cells = memoryview(bytes(found)).cast("i")  # type: ignore[call-overload]  # it is a buffer
    a, b, c, d = (cells[index] for index in (0, 1, 3, 4))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return (1 if a >= 0 else -1, 0, 0, 1 if d >= 0 else -1)
    return (0, 1 if b > 0 else -1, 1 if c > 0 else -1, 0)


def _transpose(turn: Turn) -> Transpose | None:
    from PIL.Image import Transpose

    return {
        (-1, 0, 0, 1): Transpose.FLIP_LEFT_RIGHT,
        (1, 0, 0, -1): Transpose.FLIP_TOP_BOTTOM,
        (-1, 0, 0, -1): Transpose.ROTATE_180,
        (0, 1, 1, 0): Transpose.TRANSPOSE,
        (0, 1, -1, 0): Transpose.ROTATE_270,  # Pillow counts against the clock
        (0, -1, 1, 0): Transpose.ROTATE_90,
        (0, -1, -1, 0): Transpose.TRANSVERSE,
    }.get(turn)


def square_size(width: int, height: int, stream: VideoStream) -> tuple[int, int]:
    """The size with square pixels, before the picture is turned; the shorter sides of the pixels are stretched."""
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    if aspect == 1 or not Fraction(1, LARGEST_ASPECT) <= aspect <= LARGEST_ASPECT:
        return width, height
    square = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    return square if max(square) <= LARGEST_SIDE else (width, height)


def shown_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Width and height at which a player shows the frame."""
    width, height = square_size(frame.width, frame.height, stream)
    return (width, height) if turn_of(frame)[0] else (height, width)


def shown_image(frame: VideoFrame, stream: VideoStream, width: int | None = None) -> Image:
    """The frame as a player shows it.

    Args:
        frame: as it was decoded.
        stream: it came from.
        width: at most so wide, where given; scaled before it becomes RGB.
    """
    turn = turn_of(frame)
    size = square_size(frame.width, frame.height, stream)
    if width is not None:
        across = size[0] if turn[0] else size[1]
        share = min(width / across, 1.0)
        size = (_even(size[0] * share), _even(size[1] * share))
    image = rgb(frame, size).to_image()
    transpose = _transpose(turn)
    return image if transpose is None else image.transpose(transpose)


def rgb(frame: VideoFrame, size: tuple[int, int]) -> VideoFrame:
    """The frame at a size in RGB, its colours read as players do."""
    from av.video.reformatter import Colorspace

    unmarked = frame.colorspace in (0, 2) and frame.format.name.startswith(("yuv", "nv"))
    source = Colorspace.ITU709 if unmarked and frame.height >= HD_LINES and frame.colorspace == 2 else None
    return frame.reformat(
        *size, format="rgb24", src_colorspace=source, interpolation="AREA" if _smaller(frame, size) else None
    )


def _smaller(frame: VideoFrame, size: tuple[int, int]) -> bool:
    return size[0] < frame.width or size[1] < frame.height


def _even(side: float) -> int:
    return max(round(side / 2) * 2, 2)
