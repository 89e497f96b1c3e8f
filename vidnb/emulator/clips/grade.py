"""The look of a picture in motion: each model has its own colours, and the prompt's sky lights it."""

import math

import numpy as np

from vidnb.emulator.clips.colour import Bytes, Floats, mix, to_yuv
from vidnb.emulator.clips.palette import Palette
from vidnb.emulator.clips.scene import Scene, chance

GIVEN = 0.08  # how much of the model's look lies on the given picture itself: a hint, and clearly the same picture


class Grade:
    """The tint and richness of a model, and the light that the prompt speaks of, from where the seed wants it.

    It works on colour and leaves brightness alone: what grows dark looks like movement to optical flow, and nothing but
    motion strength should change that.
    """

    def __init__(self, scene: Scene, palette: Palette, width: int, height: int) -> None:
        style, place = (
            chance("grade", scene.model, *filter(None, [scene.style])),
            chance("light", scene.seed, scene.prompt),
        )
        angle, tint = style.uniform(0, math.tau), style.uniform(8, 18)
        self.tint, self.rich = np.array([math.cos(angle), math.sin(angle)]) * tint, style.uniform(0.55, 1.2)
        self.light = (to_yuv(mix(palette.horizon, palette.near, 0.5))[1:] - 128) * np.float32(0.85)
        self.height, self.lit = height, self._lit(width // 2, height // 2, *place.uniform(-0.9, 0.9, 2))

    @staticmethod
    def _lit(width: int, height: int, right: float, down: float) -> Floats:
        """Return how much light comes to each point, from 0 to 1."""
        x, y = np.linspace(-1, 1, width) - right, np.linspace(-1, 1, height)[:, None] - down
        return np.exp(-0.8 * (x**2 + y**2)).astype(np.float32)

    def apply(self, picture: Bytes, away: float) -> None:
        """Lay the look over a packed picture, in place; in full, and the light of the prompt with it, at `away` 1."""
        model, level = GIVEN + (1 - GIVEN) * away, np.arange(256, dtype=np.float32) - 128
        chroma = picture[self.height :].reshape(2, *self.lit.shape)
        for plane, tint, light in zip(chroma, self.tint, self.light, strict=True):
            look = (level * (1 + (self.rich - 1) * model) + 128.5 + tint * model).astype(np.float32)
            plane[:] = np.clip(look[plane] + self.lit * np.float32(light * away), 16, 240)
