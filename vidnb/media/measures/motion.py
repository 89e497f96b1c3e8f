"""How much moves, how evenly, and what movement does not explain: from dense flow between neighbouring frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from vidnb.media.measures.planes import Frame, Plane, Shape, opencv

STRUCTURE_PX = 5
PLAIN = 4e-5
"""Structure (in OpenCV's units) of one brightness level from pixel to pixel: below it, movement is seen only half."""
STILL_PX = 0.05
"""A mean flow below this is no movement that could be jerky."""

Values = dict[str, float | None]


class Motion:
    """Follows the flow from frame to frame."""

    def __init__(self, shape: Shape) -> None:
        self._cv2 = opencv()
        self._shape = shape
        # One scale finer than the preset: half as far off for slow pans of soft pictures. Fewer and shorter searches
        # than its own change the mean by a percent, and take two thirds of the time.
        self._flow_of = self._cv2.DISOpticalFlow_create(self._cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._flow_of.setFinestScale(1)
        self._flow_of.setGradientDescentIterations(8)
        self._flow_of.setPatchStride(5)
        self._before: Plane | None = None
        self._flow: Any = None
        self._grid: Any = None
        self._speeds: list[float] = []
        self._changes: list[float] = []
        self.errors: list[float] = []
        """What movement does not explain of each step, in levels of 255."""

    def see(self, frame: Frame) -> None:
        """Count the next frame in."""
        before, self._before = self._before, frame.small
        if before is None:
            height, width = frame.small.shape
            self._grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
            return
        flow = self._flow_of.calc(before, frame.small, None)
        linear, edge = self._cv2.INTER_LINEAR, self._cv2.BORDER_REPLICATE
        back = self._cv2.remap(frame.small, self._grid + flow, None, linear, None, edge)
        self.errors.append(float(self._cv2.mean(self._cv2.absdiff(before, back))[0]))
        seen = self._seen(before, flow)
        self._speeds.append(self._mean_length(seen))
        self._changes.append(np.nan if self._flow is None else self._mean_length(seen - self._flow))
        self._flow = seen

    def _seen(self, picture: Plane, flow: Any) -> Any:
        """The part of the flow that can be seen, at half the size: along what changes, and nothing in plain places.

        Along an edge, and in a plain sky, any flow explains the picture as well as another one, and what is computed
        there is made up. The structure tensor says along which two directions the picture changes, and how much.
        """
        half = (picture.shape[1] // 2, picture.shape[0] // 2)
        x, y = self._cv2.split(self._cv2.resize(flow, half, interpolation=self._cv2.INTER_AREA))
        small = self._cv2.resize(picture, half, interpolation=self._cv2.INTER_AREA)
        much, less, x1, y1, x2, y2 = self._cv2.split(self._cv2.cornerEigenValsAndVecs(small, STRUCTURE_PX, 3))
        across = (x * x1 + y * y1) * (much / (much + PLAIN))
        along = (x * x2 + y * y2) * (less / (less + PLAIN))
        return self._cv2.merge([across * x1 + along * x2, across * y1 + along * y2])

    def values(self, cuts: list[int]) -> Values:
        """The measures, without the steps over a cut.

        Args:
            cuts: the frames that begin a new scene.
        """
        steps = np.ones(len(self._speeds), bool)
        steps[[cut - 1 for cut in cuts]] = False
        if not steps.any():
            return dict.fromkeys(("motion", "jerkiness", "warp_error"))
        speeds = np.array(self._speeds)[steps]
        # A change of flow has a cut in it where either of its two steps has one.
        even = steps & np.append(True, steps[:-1]) & np.isfinite(self._changes)
        speed = float(speeds.mean())
        change = float(np.array(self._changes)[even].mean()) if even.any() else None
        return {
            "motion": 100 * speed * self._shape.fps / self._shape.upright_rows,
            "jerkiness": None if change is None else change / max(speed, STILL_PX),
            "warp_error": float(np.array(self.errors)[steps].mean()) / 255,
        }

    def _mean_length(self, flow: Any) -> float:
        x, y = self._cv2.split(flow)
        return float(self._cv2.mean(self._cv2.magnitude(x, y))[0])
