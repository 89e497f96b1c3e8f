"""Counts flashes as WCAG 2 does (success criterion 2.3.1), in small pictures that come one after the other.

A flash is a pair of opposing changes. Each pixel has its own count, as in one clip a lamp may blink while the rest is
calm; what is over the limit in the same second is added up. So a flash counts whatever its phase and however many
frames its rise takes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]

CHANGES = 7
"""Three flashes in a second are allowed, which are six changes."""
WINDOW_S = 1.0 - 1e-4  # at exactly 3 Hz the seventh change comes one second after the first, give or take rounding
AREA = 0.25
"""Of the picture, over which the flashes must extend to count."""
STEP = 0.1
"""Of the greatest relative luminance."""
DARK = 0.8
"""The darker of the two states must lie below."""
RED_STEP = 20.0
RED_SHARE = 0.8

# sRGB as the web has it: byte -> linear share of the greatest light.
_BYTES = np.arange(256) / 255
LINEAR = np.where(_BYTES <= 0.04045, _BYTES / 12.92, ((_BYTES + 0.055) / 1.055) ** 2.4).astype(np.float32)


class Flashes:
    """Looks at pictures in order; `found` once there were too many flashes, of any kind or of saturated red."""

    def __init__(self) -> None:
        self.found = False
        self._general = Changes(STEP)
        self._red = Changes(RED_STEP)

    def see(self, picture: NDArray[Any], at_s: float) -> None:
        """Count the next picture in: HxWx3 bytes of sRGB."""
        linear = LINEAR[picture]
        red, green, blue = linear[..., 0], linear[..., 1], linear[..., 2]
        luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        redness = np.maximum(red - green - blue, 0) * 320
        saturated = red >= RED_SHARE * (red + green + blue)
        general = self._general.see(luminance, luminance < DARK, at_s)
        reds = self._red.see(redness, saturated & (redness > 0), at_s)
        self.found = self.found or max(general, reds) >= AREA


class Changes:
    """The last opposing changes of each pixel: a value that goes up by a step, then down by one, and so on.

    A change counts where the value is marked at either end of it: "the darker one is dark" and "one of them is red" are
    both of this form.
    """

    def __init__(self, step: float) -> None:
        self._step = step
        self._started = False

    def see(self, value: Plane, marked: Mask, at_s: float) -> float:
        """The share of pixels that had too many changes within the last second."""
        turns = self.turns(value, marked)
        self._times[:-1, turns] = self._times[1:, turns]
        self._times[-1, turns] = at_s
        return float(np.mean(at_s - self._times[0] < WINDOW_S))

    def turns(self, value: Plane, marked: Mask) -> Mask:
        """The pixels that have a change here."""
        if not self._started:
            self._start(value, marked)
        rises = (value - self._low >= self._step) & (self._low_marked | marked) & (self._direction != 1)
        falls = (self._high - value >= self._step) & (self._high_marked | marked) & (self._direction != -1) & ~rises
        turns = rises | falls
        self._direction[rises] = 1
        self._direction[falls] = -1
        self._follow(value, marked, turns)
        return turns

    def _start(self, value: Plane, marked: Mask) -> None:
        self._started = True
        self._low, self._high = value.copy(), value.copy()
        self._low_marked, self._high_marked = marked.copy(), marked.copy()
        self._direction = np.zeros(value.shape, np.int8)
        self._times = np.full((CHANGES, *value.shape), -np.inf)

    def _follow(self, value: Plane, marked: Mask, turns: Mask) -> None:
        """Keep the extremes since the last change; after one they begin anew."""
        lower, higher = turns | (value < self._low), turns | (value > self._high)
        self._low[lower], self._low_marked[lower] = value[lower], marked[lower]
        self._high[higher], self._high_marked[higher] = value[higher], marked[higher]
