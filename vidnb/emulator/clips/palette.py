"""The colours of a landscape: the prompt's words choose them, the model shifts them."""

from dataclasses import dataclass

from vidnb.emulator.clips.colour import RGB, mix, oklch
from vidnb.emulator.clips.scene import Scene, chance, words

# sky: top, horizon and sun as (lightness, chroma, hue); and how light the ground under it is
SKIES = {
    "day": ((0.70, 0.105, 245), (0.94, 0.040, 215), (0.985, 0.05, 98), 1.0),
    "sunset": ((0.50, 0.115, 295), (0.84, 0.130, 58), (0.95, 0.10, 85), 0.80),
    "dawn": ((0.72, 0.080, 285), (0.93, 0.065, 35), (0.98, 0.05, 80), 0.95),
    "night": ((0.24, 0.075, 275), (0.50, 0.100, 290), (0.96, 0.03, 100), 0.52),
    "mist": ((0.76, 0.030, 225), (0.93, 0.018, 200), (0.98, 0.02, 100), 0.90),
}
# the plainer a word is about the sky, the earlier it stands
SKY_WORDS = {
    "sunset": "sunset dusk evening golden orange fire lava volcano autumn desert",
    "dawn": "dawn sunrise morning pink cherry blossom spring flower flowers rose lavender",
    "night": "night moon moonlit stars star space galaxy neon dark midnight city cyberpunk",
    "mist": "mist misty fog foggy rain rainy storm cloud clouds grey gray snow winter",
    "day": "day meadow sunny blue sky summer sea ocean beach field grass forest",
}
# ground: (chroma, hue, lightness of the nearest ridge)
GROUND_WORDS: dict[str, tuple[float, float, float]] = {
    "meadow grass field hill hills green garden park spring summer": (0.130, 133, 0.56),
    "forest jungle tree trees eucalyptus bamboo woods": (0.095, 152, 0.42),
    "sea ocean lake river water wave waves rain blue beach island ship boat whale": (0.105, 238, 0.46),
    "desert sand dune dunes savanna autumn golden": (0.105, 68, 0.60),
    "snow snowy ice winter mountain mountains arctic polar": (0.030, 240, 0.80),
    "city neon space robot cyberpunk galaxy night": (0.120, 290, 0.34),
    "flower flowers rose cherry blossom pink": (0.110, 355, 0.62),
    "lava volcano fire red mars": (0.130, 32, 0.44),
    "lavender purple violet": (0.110, 305, 0.52),
}


@dataclass(frozen=True)
class Palette:
    """The colours of one landscape, chosen by the prompt and shifted by the model."""

    top: RGB
    horizon: RGB
    sun: RGB
    far: RGB
    near: RGB
    accent: RGB

    @classmethod
    def of(cls, scene: Scene) -> "Palette":
        """Return the palette the prompt's words ask for; a hash decides what they leave open."""
        dice, model, said = chance("palette", scene.prompt), chance("model", scene.model), words(scene)
        any_sky, any_ground = str(dice.choice(list(SKIES))), (0.11, float(dice.uniform(0, 360)), 0.5)
        asked = [(v.split().index(w), k) for w in said for k, v in SKY_WORDS.items() if w in v.split()]
        # "sunset" says more about the sky than "lavender" does, and "meadow" hardly anything.
        sky = min(asked, key=lambda rank: (rank[1] == "day", rank), default=(0, any_sky))[1]
        chroma, hue, light = next((v for w in said for k, v in GROUND_WORDS.items() if w in k.split()), any_ground)
        turn, rich, lift = model.uniform(-26, 26), model.uniform(0.75, 1.3), model.uniform(-0.05, 0.05)
        turn += dice.uniform(-8, 8)
        (tl, tc, th), (hl, hc, hh), sun, dim = SKIES[sky]
        horizon = oklch(hl + lift / 2, hc * rich, hh + turn)
        near = oklch((light + lift) * dim, chroma * rich * (0.6 + 0.4 * dim), hue + turn * 0.7)
        return cls(
            top=oklch(tl + lift, tc * rich, th + turn),
            horizon=horizon,
            sun=oklch(*sun),
            far=mix(horizon, near, 0.26),
            near=near,
            accent=oklch(0.80, 0.13 * rich, float(dice.uniform(0, 360))),
        )
