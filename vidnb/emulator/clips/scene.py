"""What a clip shows: the request in the emulator's own terms, the chance it sets and how much it moves."""

import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from vidnb.emulator.clips.colour import Bytes

Painter = Callable[[float], Bytes]


@dataclass(frozen=True)
class Scene:
    """What a clip shows and how: the request in the emulator's own terms.

    >>> clip = render(Scene(model="leonardo/motion_2.0", prompt="a koala in a meadow", seed=7))
    """

    model: str
    prompt: str = ""
    negative_prompt: str = ""
    seed: int = 0
    motion_strength: float = 5.0
    width_px: int = 832
    height_px: int = 480
    duration_s: float = 5.0
    fps: int = 24
    audio: bool = False
    start_image: bytes | None = field(default=None, repr=False)
    end_image: bytes | None = field(default=None, repr=False)
    label: str = ""
    camera: str = ""
    camera_weight: float = 1.0
    """How far the named camera goes, as a share of its usual way; below 0 it goes the other way."""
    style: str = ""
    """Whatever else the request says of the look: it shifts the colours, and nothing else."""
    has_seed: bool = True
    """Whether the model takes a seed: else the badge names none, though chance needs one."""
    has_motion: bool = True
    """Whether the model takes a motion strength."""

    def __post_init__(self) -> None:
        """Refuse what no clip can be made of."""
        size = (self.width_px, self.height_px)
        if any(side % 2 or not 64 <= side <= 3840 for side in size) or math.prod(size) > 3840 * 2160:
            raise ValueError(
                f"a clip's sides are even, 64 px to 3840 px, and 3840x2160 at most, not {size[0]}x{size[1]}"
            )
        if not 1 <= self.motion_strength <= 10:
            raise ValueError(f"motion_strength runs from 1 to 10, not {self.motion_strength!r}")
        if not 1 <= self.fps <= 120 or not 0 < self.duration_s <= 120 or self.frames < 1:
            raise ValueError(f"a clip has 1 to 120 fps and up to 120 s, not {self.fps!r} fps and {self.duration_s!r} s")

    @property
    def frames(self) -> int:
        """The number of pictures in the clip."""
        return round(self.duration_s * self.fps)


def chance(*parts: object) -> np.random.Generator:
    """Return a random generator that depends on nothing but the parts."""
    text = "\x1f".join(map(str, parts)).encode("utf-8", "replace")
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text).digest()[:8], "big"))


def words(scene: Scene) -> list[str]:
    """Return the words of the prompt, in order, without those of the negative prompt."""
    unwanted = set(re.findall(r"\w+", scene.negative_prompt.lower()))
    return [w for w in re.findall(r"\w+", scene.prompt.lower()) if w not in unwanted]


class Camera(NamedTuple):
    """How fast the eye moves at full strength: right, down and forwards."""

    right: float
    down: float
    forwards: float

    @classmethod
    def of(cls, scene: Scene) -> "Camera":
        """Return the named motion control's camera, or one the seed chooses."""
        return cls._named(scene) or cls(1.0 - 2.0 * int(chance("camera", scene.seed).integers(2)), 0.0, 0.5)

    @classmethod
    def over_picture(cls, scene: Scene) -> "Camera":
        """Return the named motion control's camera, or one that goes any way: a picture has no ground to keep to."""
        # Steps of the golden angle keep the ways of neighbouring seeds far apart.
        angle = scene.seed * math.pi * (3 - math.sqrt(5)) % math.tau
        forwards = float(chance("camera", scene.seed).choice([1.1, 0.8, 0.5]))
        return cls._named(scene) or cls(math.cos(angle), math.sin(angle), forwards)

    @classmethod
    def _named(cls, scene: Scene) -> "Camera | None":
        said = set(scene.camera.lower().split())
        gain = 1.6 if said & {"super", "crash"} else 1.0
        axes = [("right", "left"), ("down", "up"), ("in", "out")]
        named = [gain * ((plus in said) - (minus in said)) for plus, minus in axes]
        return cls(*(scene.camera_weight * way for way in named)) if any(named) else None


def amount(scene: Scene) -> float:
    """Return how much everything moves, on a curve that keeps even the last steps of motion strength well apart."""
    return 1.4 * math.pow(scene.motion_strength / 10, 1.25)


def travel(t: float) -> float:
    """Return how far a steady move has come: it starts at full speed and never runs off the scene."""
    return t / (1 + abs(t) / 12)


def swing(t: float, rate: float, phase: float) -> float:
    """Return a sway that is 0 at time 0, whatever its phase: motion strength must not change the first frame."""
    return math.sin(rate * t + phase) - math.sin(phase)


def smoothstep(value: float, start: float, stop: float) -> float:
    """Return 0 up to the start, 1 from the stop on, and a soft way between."""
    share = min(max((value - start) / (stop - start), 0.0), 1.0)
    return share * share * (3 - 2 * share)
