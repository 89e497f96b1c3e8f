"""Who and what lives in a landscape: chosen by the prompt, placed by the seed."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from vidnb.emulator.clips.colour import RGB, Bytes, Floats, oklch
from vidnb.emulator.clips.drawings import ALIASES, ANIMALS, Pen, draw_animal, draw_balloon, draw_boat, draw_sphere
from vidnb.emulator.clips.scene import Scene, chance, words
from vidnb.emulator.clips.sheet import Sheet

SAILING = {"boat", "sailboat", "ship", "sail", "sailing", "yacht"}


@dataclass(frozen=True)
class Subject:
    """Something that lives in the landscape: a drawing, where it is and how it moves."""

    sprite: Image.Image
    x: float
    y: float | None  # None: it stands on the ground
    size: float
    phase: float

    def paint(self, luma: Sheet, chroma: Sheet, x: float, y: float, turn: float) -> None:
        """Lay the sprite, its middle at (x, y), over both sheets."""
        rows, cols = len(luma.y), len(luma.x)
        side = math.ceil(self.size * rows * 1.15 / 2) * 2
        cx, cy = x * rows + cols / 2, y * rows
        left, top = int(cx - side / 2) // 2 * 2, int(cy - side / 2) // 2 * 2
        a, b, i, j = max(left, 0), max(top, 0), min(left + side, cols), min(top + side, rows)
        if a >= i or b >= j:
            return
        four = self._turned(side, cx - left, cy - top, turn, self.sprite.width / (self.size * rows))
        fine = np.moveaxis(four[b - top : j - top, a - left : i - left], -1, 0).astype(np.float32, order="C")
        rows_two = fine[:, ::2] + fine[:, 1::2]
        coarse = (rows_two[..., ::2] + rows_two[..., 1::2]) * np.float32(0.25)
        self._blend(luma.pixels[:, b:j, a:i], fine, luma.channels)
        self._blend(chroma.pixels[:, b // 2 : j // 2, a // 2 : i // 2], coarse, chroma.channels)

    def _turned(self, side: int, x: float, y: float, turn: float, scale: float) -> Bytes:
        c, s, half = math.cos(turn) * scale, math.sin(turn) * scale, self.sprite.width / 2
        matrix = (c, s, half - c * x - s * y, -s, c, half + s * x - c * y)
        image = self.sprite.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
        return np.asarray(image)

    @staticmethod
    def _blend(view: Floats, four: Floats, channels: slice) -> None:
        view *= 1 - four[3] * np.float32(1 / 255)
        view += four[channels]


def subjects(scene: Scene, accent: RGB, rows: int, half_width: float) -> list[Subject]:
    """Return what the prompt names, at most three, or one to three spheres if it names nothing that can be drawn."""
    found: list[tuple[Callable[[Pen, Any, RGB], None], Any, bool]] = []
    for word in words(scene):
        one = word.removesuffix("s")
        if (name := ALIASES.get(one, one)) in ANIMALS:
            found.append((draw_animal, ANIMALS[name], True))
        elif one in SAILING and not found:
            found.append((draw_boat, None, True))
        elif one == "balloon":
            found += [(draw_balloon, None, False)] * 2
    dice = chance("subjects", scene.seed, scene.prompt)
    found = found[:3] or [(draw_sphere, None, False)] * int(dice.integers(1, 4))
    slots = dice.permutation(len(found))
    placed: list[Subject] = []
    for (draw, kind, grounded), slot in zip(found, slots, strict=True):
        size = float(dice.uniform(0.27, 0.35)) if grounded else float(dice.uniform(0.15, 0.30))
        size *= min(1.0, half_width * 1.7 / len(found) / 0.4)
        pen = Pen(max(8, round(size * rows)))
        hue = oklch(0.74, 0.14, float(dice.uniform(0, 360))) if placed else accent
        draw(pen, kind, hue)
        x = ((slot + 0.5) / len(found) * 2 - 1) * half_width * 0.72 + float(dice.uniform(-0.08, 0.08))
        y = None if grounded else float(dice.uniform(0.24, 0.46))
        placed.append(Subject(pen.sprite(), x, y, size, float(dice.uniform(0, math.tau))))
    return placed
