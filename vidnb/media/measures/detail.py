"""How much fine detail there is, and whether it is lost on the way."""

from __future__ import annotations

import numpy as np

from vidnb.media.measures.planes import Frame, Shape, opencv

Values = dict[str, float | None]


class Detail:
    """Follows the sharpness from frame to frame."""

    def __init__(self, shape: Shape) -> None:
        self._cv2 = opencv()
        self._shape = shape
        self._sharpness: list[float] = []

    def see(self, frame: Frame) -> None:
        """Count the next frame in."""
        edges = self._cv2.Laplacian(frame.mid, self._cv2.CV_16S, ksize=3)
        fine, whole = (float(self._cv2.meanStdDev(plane)[1].item()) for plane in (edges, frame.mid))
        self._sharpness.append(fine**2 / max(whole**2, 1.0))

    def values(self) -> Values:
        """The measures."""
        half_s = max(min(round(self._shape.fps / 2), len(self._sharpness) // 2), 1)
        first, last = np.mean(self._sharpness[:half_s]), np.mean(self._sharpness[-half_s:])
        return {
            "sharpness": float(np.median(self._sharpness)),
            "sharpness_drift": float(last / first) if first > 1e-6 else None,
        }
