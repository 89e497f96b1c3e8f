"""The look of a picture in motion: each model has its own, and the prompt's sky lights it."""

import math

import numpy as np

from vidnb.emulator.clips.colour import Bytes, to_yuv
from vidnb.emulator.clips.palette import SKIES, Palette
from vidnb.emulator.clips.scene import Scene, chance

GIVEN = 0.25  # how much of the model's look lies on the given picture itself: visible, and clearly the same picture


class Grade:
    """Contrast, colour and vignette of a model, and the light that the prompt speaks of."""

    def __init__(self, scene: Scene, palette: Palette, width: int, height: int) -> None:
        style = chance("grade", scene.model)
        angle, tint = style.uniform(0, math.tau), style.uniform(6, 11)
        self.tint = np.array([math.cos(angle), math.sin(angle)]) * tint
        self.rich, self.contrast, self.lift = (
            style.uniform(0.7, 1.35),
            style.uniform(0.84, 1.22),
            style.uniform(-12, 12),
        )
        light = to_yuv(palette.horizon)
        self.light, self.dim = (light[1:] - 128) * 0.35, 0.62 + 0.38 * SKIES[palette.sky][3]
        self.height, self.vignette = height, self._vignette(width, height, style.uniform(0.0, 0.5))

    @staticmethod
    def _vignette(width: int, height: int, depth: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
        x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        return np.minimum(255, 128 * depth * (x**2 + y**2)).astype(np.uint16)

    def apply(self, picture: Bytes, away: float) -> None:
        """Lay the look over a packed picture, in place; the light of the prompt in full where `away` is 1."""
        model = GIVEN + (1 - GIVEN) * away
        luma, chroma = picture[: self.height], picture[self.height :].reshape(2, -1)
        level = np.arange(256, dtype=np.float32)
        bright = (level - 118) * (1 + (self.contrast - 1) * model) + 118 + self.lift * model
        luma[:] = _rounded(bright * (1 - (1 - self.dim) * away), 16, 235)[luma]
        for plane, tint, light in zip(chroma, self.tint, self.light, strict=True):
            colour = (level - 128) * (1 + (self.rich - 1) * model) + 128 + tint * model + light * away
            plane[:] = _rounded(colour, 16, 240)[plane]
        shade = self.vignette * np.uint16(round(256 * model))
        shade >>= 8
        shade *= luma
        shade >>= 8
        luma -= shade.astype(np.uint8)


def _rounded(table: np.ndarray[tuple[int, ...], np.dtype[np.float32]], low: int, high: int) -> Bytes:
    return np.clip(table + 0.5, low, high).astype(np.uint8)
