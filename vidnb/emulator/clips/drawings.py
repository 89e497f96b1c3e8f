"""Drawings of what a prompt can name, each in the unit square."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from vidnb.emulator.clips.colour import CREAM, DARK, RGB, mix, oklch, to_yuv


class Animal(NamedTuple):
    """A small seated animal: the shape of its ears, its fur and its muzzle."""

    ears: str
    fur: RGB
    inside: RGB
    muzzle: RGB
    nose: float = 0.05


ANIMALS = {
    "koala": Animal("wide", oklch(0.70, 0.015, 255), oklch(0.90, 0.03, 10), oklch(0.82, 0.01, 255), 0.085),
    "bear": Animal("round", oklch(0.50, 0.07, 55), oklch(0.68, 0.06, 60), oklch(0.76, 0.05, 70)),
    "panda": Animal("round", oklch(0.96, 0.005, 90), DARK, CREAM),
    "mouse": Animal("wide", oklch(0.74, 0.02, 60), oklch(0.85, 0.06, 15), CREAM, 0.03),
    "cat": Animal("pointed", oklch(0.76, 0.125, 62), oklch(0.86, 0.06, 25), CREAM, 0.03),
    "fox": Animal("pointed", oklch(0.66, 0.165, 45), DARK, CREAM),
    "wolf": Animal("pointed", oklch(0.56, 0.02, 260), oklch(0.75, 0.02, 260), oklch(0.88, 0.01, 260)),
    "dog": Animal("floppy", oklch(0.78, 0.075, 72), oklch(0.52, 0.07, 55), CREAM),
    "rabbit": Animal("long", oklch(0.90, 0.02, 70), oklch(0.86, 0.06, 15), CREAM, 0.03),
}
ALIASES = {"kitten": "cat", "puppy": "dog", "bunny": "rabbit", "hare": "rabbit", "tiger": "cat", "lion": "bear"}


class Pen:
    """A drawing in the unit square, made four times too large so that its edges come out smooth."""

    def __init__(self, size_px: int) -> None:
        self.size_px, self.scale = size_px, size_px * 4
        self.image = Image.new("RGBA", (self.scale, self.scale))
        self.draw = ImageDraw.Draw(self.image)

    def oval(self, x: float, y: float, rx: float, ry: float, colour: RGB) -> None:
        """Draw an ellipse around a point."""
        box = [v * self.scale for v in (x - rx, y - ry, x + rx, y + ry)]
        self.draw.ellipse(box, fill=self._fill(colour))

    def both(self, x: float, y: float, rx: float, ry: float, colour: RGB) -> None:
        """Draw an ellipse left and right of the middle."""
        self.oval(0.5 - x, y, rx, ry, colour)
        self.oval(0.5 + x, y, rx, ry, colour)

    def spikes(self, points: list[tuple[float, float]], colour: RGB) -> None:
        """Draw a polygon left and right of the middle."""
        for side in (-1, 1):
            self.shape([(side * x, y) for x, y in points], colour)

    def shape(self, points: list[tuple[float, float]], colour: RGB) -> None:
        """Draw a polygon whose x is measured from the middle."""
        corners = [((0.5 + x) * self.scale, y * self.scale) for x, y in points]
        self.draw.polygon(corners, fill=self._fill(colour))

    def sprite(self) -> Image.Image:
        """Return the drawing as premultiplied Y, U, V and coverage."""
        small = np.asarray(self.image.resize((self.size_px, self.size_px), Image.Resampling.BOX), np.float32) / 255
        cover = small[..., 3:]
        yuva = np.concatenate([to_yuv(small[..., :3]) * cover, cover * 255], axis=-1)
        # CMYK stands for "any four bands": transforming RGBA would multiply by the alpha once more.
        return Image.frombytes("CMYK", (self.size_px, self.size_px), np.round(yuva).astype(np.uint8).tobytes())

    @staticmethod
    def _fill(colour: RGB) -> tuple[int, int, int]:
        r, g, b = (round(255 * c) for c in colour)
        return r, g, b


def draw_animal(pen: Pen, animal: Animal, _tint: RGB) -> None:
    """Draw a seated animal, its feet on the lower edge."""
    ears, fur, inside, muzzle, nose = animal
    shade = mix(fur, DARK, 0.16)
    pen.oval(0.5, 0.95, 0.33, 0.045, mix(shade, DARK, 0.5))
    pen.oval(0.5, 0.77, 0.235, 0.195, shade)
    pen.oval(0.5, 0.80, 0.135, 0.15, mix(fur, CREAM, 0.45))
    pen.both(0.15, 0.93, 0.095, 0.052, mix(fur, CREAM, 0.12))
    if ears in ("wide", "round"):
        reach, size = (0.31, 0.15) if ears == "wide" else (0.22, 0.105)
        pen.both(reach, 0.27, size, size, fur)
        pen.both(reach, 0.28, size * 0.6, size * 0.6, inside)
    elif ears == "pointed":
        pen.spikes([(0.06, 0.26), (0.27, 0.04), (0.31, 0.42)], fur)
        pen.spikes([(0.13, 0.26), (0.25, 0.11), (0.27, 0.36)], inside)
    elif ears == "long":
        pen.both(0.13, 0.16, 0.075, 0.2, fur)
        pen.both(0.13, 0.17, 0.038, 0.15, inside)
    pen.oval(0.5, 0.44, 0.30, 0.265, fur)
    if ears == "floppy":
        pen.both(0.28, 0.42, 0.085, 0.2, inside)
    pen.oval(0.5, 0.54, 0.15, 0.115, muzzle)
    if inside == DARK and ears == "round":
        pen.both(0.125, 0.42, 0.075, 0.09, DARK)
    pen.both(0.125, 0.42, 0.034, 0.042, mix(DARK, (0.0, 0.0, 0.0), 0.4))
    pen.both(0.115, 0.405, 0.012, 0.012, (1.0, 1.0, 1.0))
    pen.oval(0.5, 0.49, nose * 0.8, nose, DARK)


def draw_sphere(pen: Pen, _kind: object, tint: RGB) -> None:
    """Draw a lit ball."""
    for i in range(48):
        share = i / 47
        offset, radius = 0.13 * share, 0.43 * (1 - share) + 0.02
        colour = mix(mix(tint, DARK, 0.45), mix(tint, (1.0, 1.0, 1.0), 0.65), share**0.8)
        pen.oval(0.5 - offset, 0.5 - offset, radius, radius, colour)


def draw_balloon(pen: Pen, _kind: object, tint: RGB) -> None:
    """Draw a striped hot-air balloon."""
    pale, basket = mix(tint, (1.0, 1.0, 1.0), 0.75), oklch(0.5, 0.07, 60)
    pen.spikes([(0.0, 0.5), (0.29, 0.52), (0.075, 0.8), (0.0, 0.8)], mix(tint, DARK, 0.2))
    for width, colour in ((0.34, tint), (0.245, pale), (0.145, tint), (0.05, pale)):
        pen.oval(0.5, 0.38, width, 0.35, colour)
    pen.spikes([(0.055, 0.78), (0.065, 0.78), (0.05, 0.88), (0.04, 0.88)], basket)
    pen.spikes([(0.0, 0.87), (0.065, 0.87), (0.05, 0.97), (0.0, 0.97)], basket)


def draw_boat(pen: Pen, _kind: object, tint: RGB) -> None:
    """Draw a sailing boat."""
    for points, colour in (
        ([(0.02, 0.08), (0.02, 0.74), (0.40, 0.74)], CREAM),
        ([(-0.02, 0.16), (-0.02, 0.74), (-0.30, 0.74)], mix(tint, CREAM, 0.25)),
        ([(-0.42, 0.78), (0.46, 0.78), (0.30, 0.96), (-0.30, 0.96)], oklch(0.42, 0.06, 40)),
    ):
        pen.shape(points, colour)
