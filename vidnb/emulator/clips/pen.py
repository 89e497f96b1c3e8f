"""The pen that subjects are drawn with."""

import numpy as np
from PIL import Image, ImageDraw

from vidnb.emulator.clips.colour import RGB, to_yuv


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

    def box(self, left: float, top: float, right: float, foot: float, colour: RGB) -> None:
        """Draw a rectangle whose sides are measured from the middle."""
        self.shape([(left, top), (right, top), (right, foot), (left, foot)], colour)

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
