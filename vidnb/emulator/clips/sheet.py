"""Sheets: the planes of a picture that shapes are drawn on."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidnb.emulator.clips.colour import Bytes, Floats


@dataclass(frozen=True)
class Sheet:
    """One sampling of the picture plane: luma, or both chroma planes at half its size.

    Shapes are drawn in heights (y from 0 to 1, x from the middle), so one description serves every size. The spare
    arrays are written over by every shape: fresh ones of this size cost more than the arithmetic in them.
    """

    pixels: NDArray[Any]
    spare: Floats
    masks: Floats
    x: Floats
    y: Floats
    channels: slice

    @classmethod
    def pair(cls, width: int, height: int) -> "tuple[Sheet, Sheet]":
        """Return the luma and the chroma sheet of a picture."""
        return cls._make(width, height, slice(0, 1)), cls._make(width // 2, height // 2, slice(1, 3))

    @classmethod
    def _make(cls, w: int, h: int, channels: slice) -> "Sheet":
        x = ((np.arange(w) + 0.5 - w / 2) / h).astype(np.float32)
        y = ((np.arange(h) + 0.5) / h).astype(np.float32)
        pixels, spare = np.empty((2, channels.stop - channels.start, h, w), np.float32)
        return cls(pixels, spare, np.empty((2, h, w), np.float32), x, y, channels)

    def over(self, plane: Bytes) -> "Sheet":
        """Return this sheet with the pixels of a finished picture, for discs to be drawn on."""
        return replace(self, pixels=plane)

    def ink(self, colour: Floats) -> Floats:
        """Return this sheet's part of a YUV colour, ready to broadcast over its pixels."""
        return colour[self.channels, None, None]

    def sky(self, ramp: Floats) -> None:
        """Fill the sheet with one colour for each row of luma."""
        rows = ramp[:: len(ramp) // len(self.y)][: len(self.y)]
        self.pixels[:] = rows.T[self.channels, :, None]

    def glow(self, x: float, y: float, wide: float, high: float, colour: Floats, opacity: float) -> None:
        """Add a soft light: a Gaussian is a row times a column, so it costs one multiplication a pixel."""
        k, n = np.searchsorted(self.y, (y - 2.5 * high, y + 2.5 * high))
        row = np.float32(opacity) * np.exp(-(((self.x - x) / wide) ** 2))
        mask = np.multiply(np.exp(-(((self.y[k:n] - y) / high) ** 2))[:, None], row, out=self.masks[0, k:n])
        view = self.pixels[:, k:n]
        change = np.subtract(self.ink(colour), view, out=self.spare[:, k:n])
        change *= mask
        view += change

    def disc(
        self, x: float, y: float, radius: float, colour: Floats, opacity: float, soft: float, tall: float = 1.0
    ) -> None:
        """Draw a disc whose edge fades over `soft` heights, or an upright ellipse `tall` times as high as wide."""
        reach = radius + soft
        i, j = np.searchsorted(self.x, (x - reach, x + reach))
        k, n = np.searchsorted(self.y, (y - reach * tall, y + reach * tall))
        if i == j or k == n:
            return
        down = (self.y[k:n, None] - np.float32(y)) / np.float32(tall)
        far = np.sqrt((self.x[i:j] - np.float32(x)) ** 2 + down**2)
        mask = np.clip((reach - far) / np.float32(2 * soft), 0, 1) * np.float32(opacity)
        view = self.pixels[:, k:n, i:j]
        np.add(view, (self.ink(colour) - view) * mask, out=view, casting="unsafe")

    def ridge(self, line: Floats, sheen: Floats, crest: Floats, foot: Floats, fall: float) -> None:
        """Fill everything under a skyline, from the crest colour to the foot colour `fall` heights below."""
        step = len(line) // len(self.x)
        line, sheen = line[::step][: len(self.x)], sheen[::step][: len(self.x)]
        k = int(np.searchsorted(self.y, line.min() - 2 / len(self.y)))
        below = np.subtract(self.y[k:, None], line, out=self.masks[0, k:])
        shade = np.multiply(below, np.float32(1 / fall), out=self.masks[1, k:])
        shade += sheen
        np.clip(shade, 0, 1, out=shade)
        below *= len(self.y)
        below += 0.5
        cover = np.clip(below, 0, 1, out=below)
        view = self.pixels[:, k:]
        change = np.multiply(self.ink(foot - crest), shade, out=self.spare[:, k:])
        change += self.ink(crest)
        change -= view
        change *= cover
        view += change

    def packed(self, out: Bytes) -> None:
        """Write the pixels, rounded, into a plane of the packed picture."""
        np.add(self.pixels, np.float32(0.5), out=out.reshape(self.pixels.shape), casting="unsafe")
