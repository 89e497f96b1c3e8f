"""The sound of a clip."""

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np

from vidnb.emulator.clips.scene import Scene, chance

AUDIO_RATE = 48_000


def music(scene: Scene) -> Iterator[av.AudioFrame]:
    """Yield one soft chord, faded in and out, cut into a piece for each video frame."""
    total = round(scene.frames * AUDIO_RATE / scene.fps)
    t = np.arange(total, dtype=np.float32) / AUDIO_RATE
    dice = chance("music", scene.prompt, scene.seed)
    root = 110 * 2 ** (int(dice.integers(0, 12)) / 12)
    chord = np.zeros_like(t)
    for i, step in enumerate((0, 7, 12, 16, 19)):
        tremolo = 1 + 0.4 * np.sin(np.float32(dice.uniform(0.6, 2)) * t)
        chord += np.sin(np.float32(math.tau * root * 2 ** (step / 12)) * t) * tremolo / (i + 2)
    fade = np.clip(np.minimum(t, t[-1] - t) / 0.4, 0, 1)
    wave = (0.12 * chord * fade).astype(np.float32)
    cuts = [round(i * AUDIO_RATE / scene.fps) for i in range(scene.frames + 1)]
    for start, stop in pairwise(cuts):
        piece = av.AudioFrame.from_ndarray(wave[None, start:stop], format="fltp", layout="mono")
        piece.sample_rate, piece.pts, piece.time_base = AUDIO_RATE, start, Fraction(1, AUDIO_RATE)
        yield piece
