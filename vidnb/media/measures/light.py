"""Brightness over time: exposure, clipping, flicker, cuts, flashes, and parts that stand still."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidnb.media.flashing import AREA, DARK, LINEAR, STEP, Changes
from vidnb.media.measures.planes import Frame, Plane, Shape, opencv

Values = dict[str, float | None]
Floats = NDArray[np.float64]

CUT_SCORE = 10.0
"""Of 100, as FFmpeg's scdet has it."""
DULL_STEP = 3.0
"""A smaller step is no cut, however much it stands out."""
BACK_FRAMES = 8
"""A jump that is taken back within so many frames was a flash and no cut."""
FLASH_STEP = 12
"""Of 255: a flash changes the brightness at large by more; two scenes may be alike in it."""
FROZEN_STEP = 0.5
"""Up to this difference, in levels of 255, of the most different block, two frames differ by the encoding only."""
FROZEN_S = 0.4
BLOCK_PX = 8


class Light:
    """Follows the brightness from frame to frame."""

    def __init__(self, shape: Shape) -> None:
        self._cv2 = opencv()
        self._shape = shape
        self._means: list[float] = []
        self._clipped: list[float] = []
        self._differences: list[float] = [0.0]
        self._before: Plane | None = None
        self._anchor: Plane | None = None
        self._anchored = 0
        self._still: list[tuple[int, int]] = []

    def see(self, frame: Frame) -> None:
        """Count the next frame in."""
        black, white = self._shape.range
        self._means.append(float(self._cv2.mean(frame.mid)[0]))
        inside = self._cv2.countNonZero(self._cv2.inRange(frame.mid, black + 1, white - 1))
        self._clipped.append(1 - inside / frame.mid.size)
        if self._before is not None:
            self._differences.append(float(self._cv2.mean(self._cv2.absdiff(self._before, frame.small))[0]))
        self._follow_still(frame)
        self._before = frame.small

    def _follow_still(self, frame: Frame) -> None:
        """Compare with the frame since which nothing moved: so slow movement adds up, and noise does not."""
        if self._anchor is not None and self._largest_step(self._anchor, frame.small) < FROZEN_STEP:
            return
        if self._anchor is not None:
            self._still.append((self._anchored, frame.index))
        self._anchor, self._anchored = frame.small, frame.index

    def _largest_step(self, a: Plane, b: Plane) -> float:
        size = (max(a.shape[1] // BLOCK_PX, 1), max(a.shape[0] // BLOCK_PX, 1))
        apart = self._cv2.absdiff(a, b).astype(np.float32)
        return float(self._cv2.resize(apart, size, interpolation=self._cv2.INTER_AREA).max())

    def cuts(self, unexplained: list[float]) -> list[int]:
        """The frames that begin a new scene.

        Args:
            unexplained: what movement does not explain of each step, in levels of 255.
        """
        steps = np.array(self._differences) * 100 / 255
        rest = np.array([0.0, *unexplained]) * 100 / 255
        scores = np.minimum(steps, np.abs(np.diff(steps, prepend=0.0)))
        scores[:2] = 0  # nothing is known of the pace before
        # Between two dull scenes the score stays low; there the step stands out among its neighbours.
        stands_out = (steps >= DULL_STEP) & (steps > 3 * _around(steps)) & (rest > 5 * _around(rest)) & (rest >= 1)
        found = np.flatnonzero((scores >= CUT_SCORE) | stands_out)
        # After a cut the next step falls as far as it rose before: of two neighbours only the first is one.
        return [int(index) for index in found if steps[index] > steps[index - 1] and not self._is_flash(int(index))]

    def _is_flash(self, index: int) -> bool:
        """Whether the picture was like this a moment before the jump, or is as before the jump a moment later."""
        thumbs = self._shape.thumbs
        earlier, later = thumbs[max(index - BACK_FRAMES, 0) : index - 1], thumbs[index + 1 : index + BACK_FRAMES]
        before, after = thumbs[index - 1], thumbs[index]
        jump = _apart(before, after)
        if jump < FLASH_STEP:
            return False
        return any(_apart(before, one) < jump / 2 for one in later) or any(
            _apart(after, one) < jump / 2 for one in earlier
        )

    def values(self, cuts: list[int]) -> Values:
        """The measures.

        Args:
            cuts: the frames that begin a new scene.
        """
        black, white = self._shape.range
        means = np.array(self._means)
        frozen_s, tail_s = self._frozen(len(means))
        length_s = len(means) / self._shape.fps
        return {
            "exposure": float(np.clip((means.mean() - black) / (white - black), 0, 1)),
            "clipped": float(np.mean(self._clipped)),
            "flicker": _flicker((means - black) / (white - black), cuts),
            "frozen_share": frozen_s / length_s,
            "frozen_tail_s": tail_s,
            "cuts": float(len(cuts)),
            "flashes_per_s": _flashes(self._shape),
        }

    def _frozen(self, frames: int) -> tuple[float, float]:
        """Seconds that stand still, and those of them at the end."""
        fps = self._shape.fps
        runs = [*self._still, (self._anchored, frames)]
        # The first frame of a run is new; what follows repeats it.
        lengths = [(end - start - 1) / fps for start, end in runs]
        still = [length if length >= FROZEN_S else 0.0 for length in lengths]
        return sum(still), still[-1]


def _around(steps: Floats) -> Floats:
    """The median of the 12 steps before and after each one; the first is no step."""
    if len(steps) < 2:
        return np.zeros_like(steps)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(steps[1:], 12, "symmetric"), 25)
    return np.concatenate([[0.0], np.median(around, axis=1)])


def _apart(a: Plane, b: Plane) -> float:
    """How different two small pictures are in what they show at large: brightness, and where it lies."""
    return float(np.abs(_coarse(a) - _coarse(b)).mean())


def _coarse(thumb: Plane) -> Floats:
    """The means of three times three parts of the picture, which movement changes slowly only."""
    rows, columns = thumb.shape[0] // 3, thumb.shape[1] // 3
    return thumb[: rows * 3, : columns * 3].reshape(3, rows, 3, columns).mean(axis=(1, 3))


def _flicker(means: Floats, cuts: list[int]) -> float | None:
    """RMS of the mean brightness less its mean over 5 frames, in each scene by itself."""
    parts = [part for part in np.split(means, cuts) if len(part) >= 5]
    if not parts:
        return None
    high = [part - np.convolve(np.pad(part, 2, "edge"), np.ones(5) / 5, "valid") for part in parts]
    return float(np.sqrt(np.mean(np.concatenate(high) ** 2)))


def _flashes(shape: Shape) -> float:
    """Flashes of the worst second: pairs of the changes that a quarter of the picture has in it."""
    black, white = shape.range
    scale: Any = np.clip((np.arange(256) - black) * 255 / (white - black), 0, 255).round().astype(np.uint8)
    changes, turns = Changes(STEP), []
    for thumb in shape.thumbs:
        light = LINEAR[scale[thumb]]
        turns.append(changes.turns(light, light < DARK))
    window = max(round(shape.fps), 1)
    added = np.cumsum(np.array(turns, np.int16), axis=0)
    in_window = added.copy()
    in_window[window:] -= added[:-window]
    # The number of changes that at least a quarter of the pixels reach, of each second; the largest of them.
    reached = np.quantile(in_window.reshape(len(turns), -1), 1 - AREA, axis=1, method="lower")
    return float(reached.max() // 2)
