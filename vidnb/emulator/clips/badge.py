"""The badge that every frame carries."""

from collections.abc import Callable
from typing import Any, NamedTuple

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vidnb.emulator.clips.colour import to_yuv
from vidnb.emulator.clips.scene import Scene

BADGE = "EMULATED"


class Lead(NamedTuple):
    """The white field that every badge begins with, whatever follows it: its measures follow from the frame's size."""

    size: float  # of the letters
    width: float
    row: float
    margin: int

    @classmethod
    def of(cls, short_px: int) -> "Lead":
        """Return the measures for a frame whose shorter side is given."""
        size = max(10.0, short_px * 0.030)
        width = ImageFont.load_default(size).getlength(BADGE) + size * (0.12 * len(BADGE) + 1.24)
        return cls(size, width, size * 1.9, int(short_px * 0.025) // 2 * 2)

    def draw(self, draw: ImageDraw.ImageDraw) -> None:
        """Draw the field and its word into the upper left corner."""
        bold, x = ImageFont.load_default(self.size), self.size * 0.62
        draw.rounded_rectangle((0, 0, self.width, self.row), self.row * 0.32, fill=(255, 255, 255, 235))
        for letter in BADGE:
            draw.text((x, self.row / 2), letter, font=bold, fill=(14, 16, 24, 255), anchor="lm")
            x += bold.getlength(letter) + self.size * 0.12


def fitted(text: str, tail: str, font: Any, room: float) -> str:
    """Return the text and its tail, the text shortened until both fit."""
    text = "".join(c for c in " ".join(text.split()) if c.isprintable())[:80]
    whole = text
    while text and font.getlength(f"{text}{tail}") > room:
        text = text[:-1]
    return f"{text if text == whole else text[:-1] + '…'}{tail}"


def badge_image(scene: Scene) -> Image.Image:
    """Return the strip every frame carries: EMULATED, the model, and of seed and motion strength what it takes."""
    lead = Lead.of(min(scene.height_px, scene.width_px))
    plain = ImageFont.load_default(lead.size * 0.94)
    pad, row, room = lead.size * 0.62, lead.row, scene.width_px * 0.95
    name = f"{scene.model} · {scene.label}" if scene.label else scene.model
    tail = f" · seed {scene.seed}" * scene.has_seed + f" · motion {scene.motion_strength:g}" * scene.has_motion
    below = room - lead.width - 2 * pad < plain.getlength(tail) * 1.3
    line = fitted(name, tail, plain, room - 2 * pad - (0 if below else lead.width))
    width, height = plain.getlength(line) + 2 * pad, row
    width, height = (max(lead.width, width), 2 * row) if below else (lead.width + width, row)
    image = Image.new("RGBA", (int(width) // 2 * 2 + 2, int(height) // 2 * 2 + 2))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, width, height), row * 0.32, fill=(14, 16, 24, 232))
    lead.draw(draw)
    place = (pad, row * 1.5) if below else (lead.width + pad, row / 2)
    draw.text(place, line, font=plain, fill=(236, 240, 248, 255), anchor="lm")
    return image


def badge(scene: Scene) -> Callable[[av.VideoFrame], None]:
    """Return a function that lays the badge over the upper left of a frame, in place.

    Not the lower left: a browser's own controls lie over the foot of a clip until it plays.
    """
    image = badge_image(scene)
    margin = Lead.of(min(scene.height_px, scene.width_px)).margin
    image = image.crop((0, 0, min(image.width, scene.width_px - margin), min(image.height, scene.height_px)))
    rgba = np.asarray(image, np.float32) / 255
    ink = np.concatenate([to_yuv(rgba[..., :3]) * rgba[..., 3:], 1 - rgba[..., 3:]], axis=-1)
    coarse = ink.reshape(image.height // 2, 2, image.width // 2, 2, 4).mean(axis=(1, 3))
    layers = [(ink[..., 0], ink[..., 3]), (coarse[..., 1], coarse[..., 3]), (coarse[..., 2], coarse[..., 3])]

    def stamp(frame: av.VideoFrame) -> None:
        for plane, (colour, rest) in zip(frame.planes, layers, strict=True):
            half = plane.width != frame.width
            edge = margin // 2 if half else margin
            h, w = colour.shape
            pixels = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)  # type: ignore[call-overload]  # a Plane is a buffer
            view = pixels[edge : edge + h, edge : edge + w]
            view[:] = view * rest + colour + np.float32(0.5)

    return stamp
