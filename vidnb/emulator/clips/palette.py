"""The colours of a landscape: the prompt's words choose them, the model shifts them."""

from dataclasses import dataclass
from typing import NamedTuple

from vidnb.emulator.clips.colour import RGB, mix, oklch
from vidnb.emulator.clips.scene import Scene, chance, words

# sky: top, horizon and sun as (lightness, chroma, hue); and how light the ground under it is
SKIES = {
    "day": ((0.70, 0.105, 245), (0.94, 0.040, 215), (0.985, 0.05, 98), 1.0),
    "sunset": ((0.50, 0.115, 295), (0.84, 0.130, 58), (0.95, 0.10, 85), 0.80),
    "dawn": ((0.72, 0.080, 285), (0.93, 0.065, 35), (0.98, 0.05, 80), 0.95),
    "night": ((0.24, 0.075, 275), (0.50, 0.100, 290), (0.96, 0.03, 100), 0.52),
    "mist": ((0.76, 0.030, 225), (0.93, 0.018, 200), (0.98, 0.02, 100), 0.90),
    "snow": ((0.77, 0.045, 250), (0.96, 0.016, 240), (0.99, 0.02, 95), 1.0),
    "storm": ((0.36, 0.030, 255), (0.66, 0.028, 235), (0.82, 0.02, 220), 0.62),
}
# the plainer a word is about the sky, the earlier it stands
SKY_WORDS = {
    "sunset": "sunset dusk evening golden orange fire lava volcano autumn desert",
    "dawn": "dawn sunrise morning pink cherry blossom spring flower flowers rose lavender",
    "night": "night moon moonlit stars star space galaxy neon dark midnight city cyberpunk",
    "mist": "mist misty fog foggy cloud clouds grey gray",
    "snow": "snow snowy blizzard snowfall winter ice arctic polar frozen",
    "storm": "storm stormy thunderstorm hurricane thunder lightning rain rainy",
    "day": "day meadow sunny blue sky summer sea ocean beach field grass forest",
}


class Ground(NamedTuple):
    """What lies under a sky: the colour of its nearest ridge, how high it rises, and its profile if it has its own."""

    chroma: float
    hue: float
    light: float
    rise: float = 1.0
    profile: str = ""


GROUND_WORDS = {
    "meadow grass field hill hills green garden park spring summer": Ground(0.130, 133, 0.56),
    "forest jungle tree trees eucalyptus bamboo woods": Ground(0.095, 152, 0.42),
    "sea ocean lake river water wave waves beach island coast ship boat whale fish lighthouse storm rain blue": Ground(
        0.105, 238, 0.46, 0.5, "waves"
    ),
    "desert sand dune dunes savanna autumn golden": Ground(0.105, 68, 0.60, 1.0, "dunes"),
    "snow snowy ice arctic polar winter frozen": Ground(0.022, 245, 0.88),
    "mountain mountains alps peak peaks": Ground(0.035, 240, 0.62, 1.7, "peaks"),
    "city neon space robot cyberpunk galaxy night": Ground(0.120, 290, 0.34, 0.6),
    "flower flowers rose cherry blossom pink": Ground(0.110, 355, 0.62),
    "lava volcano fire mars": Ground(0.130, 32, 0.44),
    "lavender purple violet": Ground(0.110, 305, 0.52),
}
HUES = {"red": 27, "orange": 55, "yellow": 95, "green": 145, "blue": 255, "purple": 305, "violet": 305, "pink": 355}


@dataclass(frozen=True)
class Palette:
    """The colours of one landscape, chosen by the prompt and shifted by the model."""

    top: RGB
    horizon: RGB
    sun: RGB
    far: RGB
    near: RGB
    accent: RGB
    sky: str
    ground: Ground

    @classmethod
    def of(cls, scene: Scene) -> "Palette":
        """Return the palette the prompt's words ask for; a hash decides what they leave open."""
        dice, model, said = chance("palette", scene.prompt), chance("model", scene.model), words(scene)
        any_sky, any_ground = str(dice.choice(list(SKIES))), Ground(0.11, float(dice.uniform(0, 360)), 0.5)
        # "sunset" says more about the sky than "lavender" does, and "meadow" hardly anything.
        sky = min(ranked(said, SKY_WORDS), key=lambda rank: (rank[1] == "day", rank), default=(0, any_sky))[1]
        place = min(ranked(said, {k: k for k in GROUND_WORDS}), key=lambda rank: rank[0], default=None)
        ground = GROUND_WORDS[place[1]] if place else any_ground
        turn, rich, lift = model.uniform(-26, 26), model.uniform(0.75, 1.3), model.uniform(-0.05, 0.05)
        turn += dice.uniform(-8, 8)
        if scene.style:
            turn += chance("style", scene.style).choice([-1, 1]) * chance("style", scene.style).uniform(24, 60)
        (tl, tc, th), (hl, hc, hh), sun, dim = SKIES[sky]
        horizon = oklch(hl + lift / 2, hc * rich, hh + turn)
        near = oklch((ground.light + lift) * dim, ground.chroma * rich * (0.6 + 0.4 * dim), ground.hue + turn * 0.7)
        hue, any_hue = next((HUES[w] for w in said if w in HUES), None), float(dice.uniform(0, 360))
        return cls(
            top=oklch(tl + lift, tc * rich, th + turn),
            horizon=horizon,
            sun=oklch(*sun),
            far=mix(horizon, near, 0.26),
            near=near,
            accent=oklch(0.80, 0.13 * rich, any_hue) if hue is None else oklch(0.66, 0.17, hue),
            sky=sky,
            ground=ground,
        )


def ranked(said: list[str], table: dict[str, str]) -> list[tuple[int, str]]:
    """Return the rows of a table that the words name, each with its place in the row."""
    return [(row.split().index(w), name) for w in said for name, row in table.items() if w in row.split()]
