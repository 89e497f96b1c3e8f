"""Who and what lives in a landscape: chosen by the prompt, placed by the seed."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidnb.emulator.clips.animals import ANIMALS, draw_animal
from vidnb.emulator.clips.cats import CATS, draw_cat
from vidnb.emulator.clips.colour import RGB, Bytes, Floats, oklch
from vidnb.emulator.clips.pen import Pen
from vidnb.emulator.clips.scene import Scene, chance, words
from vidnb.emulator.clips.sheet import Sheet
from vidnb.emulator.clips.things import (
    draw_balloon,
    draw_bird,
    draw_boat,
    draw_car,
    draw_city,
    draw_dragon,
    draw_fish,
    draw_house,
    draw_lighthouse,
    draw_person,
    draw_pine,
    draw_sphere,
    draw_tree,
)

Draw = Callable[[Pen, RGB], None]


class Kind(NamedTuple):
    """How one kind of subject is drawn and how it lives."""

    draw: Draw
    life: str  # "grounded": it hops where it stands; "rooted": it stays with the ground; "airborne": it drifts
    sizes: tuple[float, float]
    heights: tuple[float, float] = (0.24, 0.46)  # where it is if airborne


SPHERE = Kind(draw_sphere, "airborne", (0.15, 0.30))
KINDS = {
    **{name: Kind(partial(draw_animal, animal=one), "grounded", (0.27, 0.35)) for name, one in ANIMALS.items()},
    **{name: Kind(partial(draw_cat, cat=one), "grounded", (0.27, 0.35)) for name, one in CATS.items()},
    "balloon": Kind(draw_balloon, "airborne", (0.15, 0.30)),
    "boat": Kind(draw_boat, "grounded", (0.27, 0.35)),
    "lighthouse": Kind(draw_lighthouse, "rooted", (0.46, 0.56)),
    "tree": Kind(draw_tree, "rooted", (0.34, 0.46)),
    "pine": Kind(draw_pine, "rooted", (0.34, 0.46)),
    "house": Kind(draw_house, "rooted", (0.27, 0.34)),
    "city": Kind(draw_city, "rooted", (0.52, 0.66)),
    "bird": Kind(draw_bird, "airborne", (0.16, 0.24), (0.22, 0.48)),
    "dragon": Kind(draw_dragon, "airborne", (0.38, 0.48), (0.28, 0.42)),
    "fish": Kind(draw_fish, "airborne", (0.18, 0.26), (0.42, 0.66)),
    "car": Kind(draw_car, "grounded", (0.30, 0.36)),
    "person": Kind(draw_person, "grounded", (0.32, 0.40)),
}
# other words for a kind, and how many of it they mean
ALIASES = {
    "cat": "kitten",
    "dog": "puppy",
    "rabbit": "bunny hare",
    "bear": "lion",
    "boat": "sailboat ship sail sailing yacht",
    "lighthouse": "beacon",
    "tree": "oak willow eucalyptus",
    "pine": "fir spruce christmas",
    "house": "cottage cabin hut farm home",
    "city": "skyline town skyscraper cyberpunk metropolis tokyo york paris london",
    "bird": "seagull gull eagle crow parrot dove hawk heron stork owl flamingo",
    "fish": "goldfish shark whale dolphin koi",
    "car": "truck taxi van",
    "person": "man woman girl boy child dancer astronaut robot knight samurai",
}
GROUPS = {
    "forest": ["tree", "pine", "tree"],
    "wood": ["pine", "tree", "pine"],
    "jungle": ["tree"] * 3,
    "village": ["house"] * 3,
    "birds": ["bird"] * 3,
    "flock": ["bird"] * 3,
    "fishes": ["fish"] * 3,
    "balloon": ["balloon"] * 2,
    "balloons": ["balloon"] * 2,
}
# what stands in a place that is named with nothing in it
SCENERY = {
    "boat": "sea ocean wave waves lake harbour",
    "pine": "mountain mountains alps snow winter",
    "tree": "meadow field garden park hill hills",
    "bird": "sky beach island cloud clouds",
    "city": "street neon",
}
NAMES = {name: [name] for name in KINDS} | {a: [k] for k, v in ALIASES.items() for a in v.split()} | GROUPS


@dataclass(frozen=True)
class Subject:
    """Something that lives in the landscape: a drawing, where it is and how it moves."""

    sprite: Image.Image
    life: str
    x: float
    y: float
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
    def _blend(view: NDArray[Any], four: Floats, channels: slice) -> None:
        view *= 1 - four[3] * np.float32(1 / 255)
        view += four[channels]


def named(scene: Scene) -> list[Kind]:
    """Return what the prompt names and can be drawn, each at most once, or one group of it."""
    told = [NAMES.get(word) or NAMES.get(word.removesuffix("s")) or [] for word in words(scene)]
    single = [name for names in told if len(names) == 1 for name in names]
    crowd = [name for names in told if len(names) > 1 for name in names]
    if not (single or crowd):
        single = [name for word in words(scene) for name, places in SCENERY.items() if word in places.split()][:1]
    return [KINDS[name] for name in [*dict.fromkeys(single), *crowd][:3]]


def subjects(scene: Scene, accent: RGB, rows: int, half_width: float) -> list[Subject]:
    """Return what the prompt names, at most three, or one to three spheres if it names nothing that can be drawn."""
    dice = chance("subjects", scene.seed, scene.prompt)
    found = named(scene) or [SPHERE] * int(dice.integers(1, 4))
    slots = dice.permutation(len(found))
    placed: list[Subject] = []
    for kind, slot in zip(found, slots, strict=True):
        size = float(dice.uniform(*kind.sizes)) * min(1.0, half_width * 1.7 / len(found) / 0.4)
        pen = Pen(max(8, round(size * rows)))
        kind.draw(pen, oklch(0.74, 0.14, float(dice.uniform(0, 360))) if placed else accent)
        x = ((slot + 0.5) / len(found) * 2 - 1) * half_width * 0.72 + float(dice.uniform(-0.08, 0.08))
        y = float(dice.uniform(*kind.heights))
        placed.append(Subject(pen.sprite(), kind.life, x, y, size, float(dice.uniform(0, math.tau))))
    return sorted(placed, key=lambda one: (one.life != "rooted", -one.size))
