"""What is in the air of a clip: lights, stars, snow and rain, before a landscape and before a picture alike."""

import math
from collections.abc import Callable
from typing import NamedTuple

from vidnb.emulator.clips.colour import CREAM, mix, to_yuv
from vidnb.emulator.clips.palette import Palette
from vidnb.emulator.clips.scene import Scene, amount, chance, swing, words
from vidnb.emulator.clips.sheet import Sheet

Projection = Callable[[float, float, float], tuple[float, float]]  # where the camera sees a point of some depth


class Fall(NamedTuple):
    """How one kind of weather falls: how many pieces, how large, how tall for their width, how fast, how clear."""

    words: str
    pieces: int
    radius: float
    tall: float
    speed: float
    opacity: float


FALLS = (
    Fall("snow snowy snowing snowfall blizzard winter", 34, 0.0062, 1.0, 0.16, 0.9),
    Fall("rain rainy raining storm stormy thunderstorm hurricane monsoon", 40, 0.0018, 14.0, 0.22, 0.45),
)


class Air:
    """The lights and the weather of a scene, laid out once and painted for any time."""

    def __init__(self, scene: Scene, palette: Palette, half: float) -> None:
        dice, style, said = chance("air", scene.seed, scene.prompt), chance("model", scene.model, "air"), words(scene)
        u, big = dice.uniform, float(style.uniform(0.6, 1.8))
        self.half, self.amount = half, amount(scene)
        self.ink, self.pale = to_yuv(mix(palette.accent, palette.sun, 0.6)), to_yuv(CREAM)
        self.motes = [
            (float(u(-1.05, 1.05)) * half, float(u(0.2, 0.95)), float(u(0.008, 0.022)) * big, float(u(0, math.tau)))
            for _ in range(int(style.integers(4, 11)))
        ]
        self.fall = next((fall for fall in FALLS if set(said) & set(fall.words.split())), None)
        pieces = self.fall.pieces if self.fall else 0
        self.pieces = [
            (float(u(-1, 1)), float(u(0, 1)), float(u(0.6, 1.4)), float(u(0, math.tau))) for _ in range(pieces)
        ]
        stars = 26 if palette.sky == "night" and not pieces else 0
        self.stars = [(float(u(-1.1, 1.1)) * half, float(u(0, 0.5)), float(u(0.2, 0.9))) for _ in range(stars)]

    def twinkle(self, sheets: tuple[Sheet, ...], project: Projection) -> None:
        """Paint the stars."""
        for x, y, bright in self.stars:
            for sheet in sheets:
                sheet.disc(*project(x, y, 0.03), 0.0022, self.pale, bright, 0.0022)

    def paint(self, sheets: tuple[Sheet, ...], t: float, project: Projection, clear: float = 1.0) -> None:
        """Paint the lights and the weather, less of them the less `clear` they are."""
        for x, y, radius, phase in self.motes:
            px, py = project(x, y, 0.5)
            px += 0.07 * self.amount * swing(t, 1.3, phase)
            py += 0.07 * self.amount * swing(t, 0.9, phase * 2)
            for sheet in sheets:
                sheet.disc(px, py, radius, self.ink, 0.62 * clear, radius * 0.7)
        if self.fall:
            for piece in self.pieces:
                self._fall(sheets, t, self.fall, piece, clear)

    def _fall(
        self, sheets: tuple[Sheet, ...], t: float, fall: Fall, piece: tuple[float, float, float, float], clear: float
    ) -> None:
        x, y, size, phase = piece
        # What is larger is nearer, so it falls faster; what has left below comes in above.
        y = (y + fall.speed * size * self.amount * t) % 1.0 * 1.2 - 0.1
        x = x * self.half * 1.05 + (0.05 * self.amount * swing(t, 1.2, phase) if fall.tall == 1 else 0.0)
        for sheet in sheets:
            sheet.disc(x, y, fall.radius * size, self.pale, fall.opacity * clear, fall.radius * 0.6, fall.tall)
