"""The ground of a landscape: ridges in the model's own profile, laid out by the seed."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vidnb.emulator.clips.colour import DARK, Floats, mix, to_yuv
from vidnb.emulator.clips.palette import Palette
from vidnb.emulator.clips.scene import Scene, chance


def smooth_hills(a: Floats) -> Floats:
    """Return round hills."""
    return np.sin(a)


def sharp_peaks(a: Floats) -> Floats:
    """Return straight slopes."""
    return (np.arcsin(np.sin(a)) * np.float32(2 / math.pi)).astype(np.float32)


def soft_dunes(a: Floats) -> Floats:
    """Return dunes: round below, edged above."""
    dunes: Floats = 1 - 2 * np.abs(np.sin(a / 2))
    return dunes


def rolling_waves(a: Floats) -> Floats:
    """Return waves: a steep side and a long one."""
    return np.sin(a + np.float32(0.7) * np.sin(a))


PROFILES = {"hills": smooth_hills, "peaks": sharp_peaks, "dunes": soft_dunes, "waves": rolling_waves}


@dataclass(frozen=True)
class Ridge:
    """One layer of ground: a skyline, two colours, and how near it is (0 to 1)."""

    depth: float
    base: float
    waves: list[tuple[float, float, float]]  # frequency, height, phase
    crest: Floats
    foot: Floats
    profile: Callable[[Floats], Floats]

    def line(self, x: Floats) -> Floats:
        """Return the skyline over the given world positions."""
        line = np.full_like(x, self.base)
        for pitch, height, phase in self.waves:
            line -= self.profile(x * np.float32(pitch) + np.float32(phase)) * np.float32(height)
        return line

    def sheen(self, x: Floats) -> Floats:
        """Return the light and shade that run down the slopes."""
        pitch, _, phase = self.waves[0]
        shade: Floats = np.sin(x * np.float32(pitch * 3.1) + np.float32(phase)) * np.float32(0.16)
        return shade


def ridges(scene: Scene, palette: Palette) -> list[Ridge]:
    """Return the layers of ground from the farthest to the nearest."""
    style, dice = chance("model", scene.model, "ground"), chance("ground", scene.seed, scene.prompt)
    own, layers = list(PROFILES)[int(style.integers(len(PROFILES)))], int(style.integers(4, 6))
    profile = PROFILES[palette.ground.profile or own]
    steep, made = float(style.uniform(0.8, 1.3)) * palette.ground.rise, []
    for i in range(layers):
        near = i / (layers - 1)
        pitch = float(dice.uniform(2.4, 4.2)) * (1.25 - 0.45 * near)
        height = (0.085 - 0.045 * near) * steep
        waves = [(pitch * k, height / k**1.2, float(dice.uniform(0, math.tau))) for k in (1.0, 2.3)]
        colour = mix(palette.far, palette.near, near**1.1)
        crest = mix(colour, palette.sun, 0.10 + 0.16 * near)
        foot = mix(mix(colour, palette.horizon, 0.35), mix(palette.near, DARK, 0.32), near)
        made.append(Ridge(0.15 + 0.85 * near**1.4, 0.56 + 0.30 * near, waves, to_yuv(crest), to_yuv(foot), profile))
    return made
