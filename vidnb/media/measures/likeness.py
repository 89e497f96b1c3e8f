"""How alike two pictures are (SSIM): first frame and start image, last frame and end image, and the seam of a loop."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from vidnb.media.measures.planes import FULL, Frame, Plane, Shape, opencv, upright

Values = dict[str, float | None]

PAIRS = 12
"""Pairs of neighbouring frames are enough to say how different neighbours usually are."""
LEAST_STEP = 1e-4
"""Frames that are equal would make the seam infinite."""


class Likeness:
    """Keeps the first and the last frame, and looks at a few neighbours.

    Args:
        shape: of the planes.
        frames: how many there will be, about.
    """

    def __init__(self, shape: Shape, frames: int) -> None:
        self._shape = shape
        self._every = max(frames // PAIRS, 1)
        self._first: Frame | None = None
        self._last: Frame | None = None
        self._steps: list[float] = []

    def see(self, frame: Frame) -> None:
        """Count the next frame in."""
        if self._last is not None and frame.index % self._every == 1 % self._every:
            self._steps.append(1 - ssim(self._last.small, frame.small))
        self._first, self._last = self._first or frame, frame

    def values(self, start_image: bytes | None, end_image: bytes | None) -> Values:
        """The measures."""
        assert self._first is not None
        assert self._last is not None
        seam = 1 - ssim(self._last.small, self._first.small)
        usual = float(np.median(self._steps)) if self._steps else None
        return {
            "loop_seam": None if usual is None else seam / max(usual, LEAST_STEP),
            "start_fidelity": None if start_image is None else self._to(self._first, start_image),
            "end_fidelity": None if end_image is None else self._to(self._last, end_image),
        }

    def _to(self, frame: Frame, content: bytes) -> float:
        """How like an image the frame is; the image is cropped to its shape, as the services do."""
        shown = upright(frame.mid, self._shape.turn)
        black, white = self._shape.range
        if (black, white) != FULL:
            shown = np.clip((shown.astype(np.float32) - black) * 255 / (white - black), 0, 255).astype(np.uint8)
        return ssim(shown, _cover(content, shown.shape[1], shown.shape[0]))


def _cover(content: bytes, width: int, height: int) -> Plane:
    """The middle of an image, scaled until it fills the size."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(content)) as image:
        upright_image = ImageOps.exif_transpose(image).convert("RGB").convert("L")
        return np.asarray(ImageOps.fit(upright_image, (width, height), Image.Resampling.BOX))


def ssim(a: Plane, b: Plane) -> float:
    """SSIM of two planes of bytes (Wang et al. 2004: Gaussian window of 11 pixels, sigma 1.5)."""
    cv2 = opencv()
    x, y = a.astype(np.float32), b.astype(np.float32)

    def blurred(plane: Any) -> Any:
        return cv2.GaussianBlur(plane, (11, 11), 1.5)

    mean_x, mean_y = blurred(x), blurred(y)
    var_x, var_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
    both = blurred(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    alike = (2 * mean_x * mean_y + c1) * (2 * both + c2)
    return float((alike / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean())
