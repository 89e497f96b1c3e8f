"""Render the emulator's clips: real H.264 MP4s that react to the request they answer.

A `Scene` passes through here in four steps: a *painter* turns a time into one small packed yuv420p picture (a landscape
for a prompt, the warped picture itself for a start or end image), libswscale enlarges it, the badge is laid over it at
full size, and x264 encodes it in memory. Everything random comes from a hash of the request, so the same scene gives
the same bytes.
"""

import hashlib
import io
import math
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
RGB = tuple[float, float, float]
Painter = Callable[[float], Bytes]

MAX_IMAGE_PX = 64_000_000
AUDIO_RATE = 48_000
BADGE = "EMULATED"
# One thread: x264 writes its thread count into the stream; left to itself the bytes would depend on the machine.
# No psy, no mbtree: both spend bits on what looks sharp and let slow, soft movement freeze and jump.
X264 = {"preset": "veryfast", "crf": "16", "bf": "0", "threads": "1", "aq-mode": "3", "psy": "0", "mbtree": "0"}


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


def render(scene: Scene) -> bytes:
    """Return the scene as a playable MP4: H.264 yuv420p, moov first, exact size, frame count and rate.

    Raises:
        ValueError: if the start or end image is not a readable PNG, JPEG or WebP of a sane size.
    """
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as out:
        video: Any = out.add_stream("libx264", rate=scene.fps, options=X264 | {"g": str(scene.fps)})
        video.width, video.height, video.pix_fmt = scene.width_px, scene.height_px, "yuv420p"
        context = video.codec_context
        # 1 is BT.709, and also MPEG range: without these tags players guess, and guess differently by size.
        context.color_primaries = context.color_trc = context.colorspace = context.color_range = 1
        sound: Any = out.add_stream("aac", rate=AUDIO_RATE, layout="mono") if scene.audio else None
        chunks = music(scene) if scene.audio else None
        for frame in ahead(frames(scene, scene.frames)):
            out.mux(video.encode(frame))
            if chunks:
                out.mux(sound.encode(next(chunks)))
        for stream in (video, sound) if sound else (video,):
            out.mux(stream.encode(None))
    return faststart(sink.getvalue())


def poster(scene: Scene) -> bytes:
    """Return the scene's first frame as a JPEG."""
    sink = io.BytesIO()
    next(frames(scene, 1)).to_image().save(sink, "JPEG", quality=88)
    return sink.getvalue()


def ahead(pictures: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Yield the pictures, each next one being painted while the last one is encoded."""
    with ThreadPoolExecutor(1, "vidnb-painter") as painter:
        coming = painter.submit(next, pictures, None)
        while (picture := coming.result()) is not None:
            coming = painter.submit(next, pictures, None)
            yield picture


def frames(scene: Scene, count: int) -> Iterator[av.VideoFrame]:
    """Yield the first frames of the scene at full size, badge included, ready for the encoder."""
    paint = picture_painter(scene) if scene.start_image or scene.end_image else landscape_painter(scene)
    stamp, scaler = badge(scene), VideoReformatter()
    for i in range(count):
        frame = av.VideoFrame.from_ndarray(paint(i / scene.fps), format="yuv420p")
        if (frame.width, frame.height) != (scene.width_px, scene.height_px):
            frame = scaler.reformat(frame, scene.width_px, scene.height_px, interpolation="BICUBIC")
        frame.pts, frame.time_base = i, Fraction(1, scene.fps)
        frame.colorspace = frame.color_range = 1
        stamp(frame)
        yield frame


# --- chance and movement ------------------------------------------------------------------------------------


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
        said = set(scene.camera.lower().split())
        gain = 1.6 if said & {"super", "crash"} else 1.0
        axes = [("right", "left"), ("down", "up"), ("in", "out")]
        named = [gain * ((plus in said) - (minus in said)) for plus, minus in axes]
        return cls(*named) if any(named) else cls(1.0 - 2.0 * int(chance("camera", scene.seed).integers(2)), 0.0, 0.5)


def amount(scene: Scene) -> float:
    """Return how much everything moves, on a curve that keeps even the last steps of motion strength well apart."""
    return 1.4 * math.pow(scene.motion_strength / 10, 1.25)


def travel(t: float) -> float:
    """Return how far a steady move has come: it starts at full speed and never runs off the scene."""
    return t / (1 + abs(t) / 12)


def swing(t: float, rate: float, phase: float) -> float:
    """Return a sway that is 0 at time 0, whatever its phase: motion strength must not change the first frame."""
    return math.sin(rate * t + phase) - math.sin(phase)


# --- colour -------------------------------------------------------------------------------------------------

TO_YUV = np.array([[0.2126, 0.7152, 0.0722], [-0.1146, -0.3854, 0.5], [0.5, -0.4542, -0.0458]], np.float32) * np.array(
    [[219], [224], [224]], np.float32
)
YUV_ZERO = np.array([16, 128, 128], np.float32)


def to_yuv(rgb: Any) -> Floats:
    """Return BT.709 limited-range YUV for RGB of 0..1; the last axis is the colour."""
    yuv: Floats = np.asarray(rgb, np.float32) @ TO_YUV.T + YUV_ZERO
    return yuv


def oklch(light: float, chroma: float, hue: float) -> RGB:
    """Return the sRGB of a colour given as people see it: equal steps of lightness look equal in every hue."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    red, green, blue = (min(max(c, 0.0), 1.0) for c in linear)
    return encoded(red), encoded(green), encoded(blue)


def encoded(linear: float) -> float:
    """Return the sRGB value of an amount of light."""
    return 12.92 * linear if linear < 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def mix(one: RGB, two: RGB, share: float) -> RGB:
    """Return a colour between two."""
    r, g, b = (p + (q - p) * share for p, q in zip(one, two, strict=True))
    return r, g, b


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


# --- sheets: where shapes are drawn -------------------------------------------------------------------------


@dataclass(frozen=True)
class Sheet:
    """One sampling of the picture plane: luma, or both chroma planes at half its size.

    Shapes are drawn in heights (y from 0 to 1, x from the middle), so one description serves every size. The spare
    arrays are written over by every shape: fresh ones of this size cost more than the arithmetic in them.
    """

    pixels: Floats
    spare: Floats
    masks: Floats
    x: Floats
    y: Floats
    channels: slice

    @classmethod
    def pair(cls, width: int, height: int) -> "tuple[Sheet, Sheet]":
        """Return the luma and the chroma sheet of a picture."""
        return cls._make(width, height, slice(0, 1)), cls._make(width // 2, height // 2, slice(1, 3))

    @classmethod
    def _make(cls, w: int, h: int, channels: slice) -> "Sheet":
        x = ((np.arange(w) + 0.5 - w / 2) / h).astype(np.float32)
        y = ((np.arange(h) + 0.5) / h).astype(np.float32)
        pixels, spare = np.empty((2, channels.stop - channels.start, h, w), np.float32)
        return cls(pixels, spare, np.empty((2, h, w), np.float32), x, y, channels)

    def ink(self, colour: Floats) -> Floats:
        """Return this sheet's part of a YUV colour, ready to broadcast over its pixels."""
        return colour[self.channels, None, None]

    def sky(self, ramp: Floats) -> None:
        """Fill the sheet with one colour for each row of luma."""
        rows = ramp[:: len(ramp) // len(self.y)][: len(self.y)]
        self.pixels[:] = rows.T[self.channels, :, None]

    def glow(self, x: float, y: float, wide: float, high: float, colour: Floats, opacity: float) -> None:
        """Add a soft light: a Gaussian is a row times a column, so it costs one multiplication a pixel."""
        k, n = np.searchsorted(self.y, (y - 2.5 * high, y + 2.5 * high))
        row = np.float32(opacity) * np.exp(-(((self.x - x) / wide) ** 2))
        mask = np.multiply(np.exp(-(((self.y[k:n] - y) / high) ** 2))[:, None], row, out=self.masks[0, k:n])
        view = self.pixels[:, k:n]
        change = np.subtract(self.ink(colour), view, out=self.spare[:, k:n])
        change *= mask
        view += change

    def disc(self, x: float, y: float, radius: float, colour: Floats, opacity: float, soft: float) -> None:
        """Draw a disc whose edge fades over `soft` heights."""
        reach = radius + soft
        i, j = np.searchsorted(self.x, (x - reach, x + reach))
        k, n = np.searchsorted(self.y, (y - reach, y + reach))
        if i == j or k == n:
            return
        far = np.sqrt((self.x[i:j] - np.float32(x)) ** 2 + (self.y[k:n, None] - np.float32(y)) ** 2)
        mask = np.clip((reach - far) / np.float32(2 * soft), 0, 1) * np.float32(opacity)
        view = self.pixels[:, k:n, i:j]
        view += (self.ink(colour) - view) * mask

    def ridge(self, line: Floats, sheen: Floats, crest: Floats, foot: Floats, fall: float) -> None:
        """Fill everything under a skyline, from the crest colour to the foot colour `fall` heights below."""
        step = len(line) // len(self.x)
        line, sheen = line[::step][: len(self.x)], sheen[::step][: len(self.x)]
        k = int(np.searchsorted(self.y, line.min() - 2 / len(self.y)))
        below = np.subtract(self.y[k:, None], line, out=self.masks[0, k:])
        shade = np.multiply(below, np.float32(1 / fall), out=self.masks[1, k:])
        shade += sheen
        np.clip(shade, 0, 1, out=shade)
        below *= len(self.y)
        below += 0.5
        cover = np.clip(below, 0, 1, out=below)
        view = self.pixels[:, k:]
        change = np.multiply(self.ink(foot - crest), shade, out=self.spare[:, k:])
        change += self.ink(crest)
        change -= view
        change *= cover
        view += change

    def packed(self, out: Bytes) -> None:
        """Write the pixels, rounded, into a plane of the packed picture."""
        np.add(self.pixels, np.float32(0.5), out=out.reshape(self.pixels.shape), casting="unsafe")


# --- subjects -----------------------------------------------------------------------------------------------


class Animal(NamedTuple):
    """A small seated animal: the shape of its ears, its fur and its muzzle."""

    ears: str
    fur: RGB
    inside: RGB
    muzzle: RGB
    nose: float = 0.05


CREAM, DARK = oklch(0.94, 0.025, 85), oklch(0.27, 0.02, 280)
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


SAILING = {"boat", "sailboat", "ship", "sail", "sailing", "yacht"}


@dataclass(frozen=True)
class Subject:
    """Something that lives in the landscape: a drawing, where it is and how it moves."""

    sprite: Image.Image
    x: float
    y: float | None  # None: it stands on the ground
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
    def _blend(view: Floats, four: Floats, channels: slice) -> None:
        view *= 1 - four[3] * np.float32(1 / 255)
        view += four[channels]


def subjects(scene: Scene, accent: RGB, rows: int, half_width: float) -> list[Subject]:
    """Return what the prompt names, at most three, or one to three spheres if it names nothing that can be drawn."""
    found: list[tuple[Callable[[Pen, Any, RGB], None], Any, bool]] = []
    for word in words(scene):
        one = word.removesuffix("s")
        if (name := ALIASES.get(one, one)) in ANIMALS:
            found.append((draw_animal, ANIMALS[name], True))
        elif one in SAILING and not found:
            found.append((draw_boat, None, True))
        elif one == "balloon":
            found += [(draw_balloon, None, False)] * 2
    dice = chance("subjects", scene.seed, scene.prompt)
    found = found[:3] or [(draw_sphere, None, False)] * int(dice.integers(1, 4))
    slots = dice.permutation(len(found))
    placed: list[Subject] = []
    for (draw, kind, grounded), slot in zip(found, slots, strict=True):
        size = float(dice.uniform(0.27, 0.35)) if grounded else float(dice.uniform(0.15, 0.30))
        size *= min(1.0, half_width * 1.7 / len(found) / 0.4)
        pen = Pen(max(8, round(size * rows)))
        hue = oklch(0.74, 0.14, float(dice.uniform(0, 360))) if placed else accent
        draw(pen, kind, hue)
        x = ((slot + 0.5) / len(found) * 2 - 1) * half_width * 0.72 + float(dice.uniform(-0.08, 0.08))
        y = None if grounded else float(dice.uniform(0.24, 0.46))
        placed.append(Subject(pen.sprite(), x, y, size, float(dice.uniform(0, math.tau))))
    return placed


# --- the landscape ------------------------------------------------------------------------------------------


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


PROFILES = (smooth_hills, sharp_peaks, soft_dunes, rolling_waves)


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
    profile, layers = PROFILES[int(style.integers(len(PROFILES)))], int(style.integers(4, 6))
    steep, made = float(style.uniform(0.8, 1.3)), []
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


def landscape_painter(scene: Scene) -> Painter:
    """Return the painter of a prompt: sky, sun, clouds, ridges of ground, the subjects, and lights in the air."""
    return Landscape(scene).paint


class Landscape:
    """A landscape that is laid out once and painted for any time."""

    def __init__(self, scene: Scene) -> None:
        area = scene.width_px * scene.height_px
        share = 1 if area < 100_000 else 2 if area <= 2_100_000 else 3
        w, h = (side // share // 4 * 4 for side in (scene.width_px, scene.height_px))
        self.luma, self.chroma = self.sheets = Sheet.pair(w, h)
        self.half, self.amount = w / h / 2, amount(scene)
        self.camera, palette = Camera.of(scene), Palette.of(scene)
        self.ridges = ridges(scene, palette)
        self.subjects = subjects(scene, palette.accent, h, self.half)
        self.ramp = self._ramp(palette, h)
        self._lights(scene, palette)

    def _ramp(self, palette: Palette, rows: int) -> Floats:
        share = np.clip(np.arange(rows, dtype=np.float32) / rows / 0.66, 0, 1)[:, None] ** np.float32(0.85)
        top, horizon = to_yuv(palette.top), to_yuv(palette.horizon)
        return (top + (horizon - top) * share).astype(np.float32)

    def _lights(self, scene: Scene, palette: Palette) -> None:
        dice, style = chance("lights", scene.seed, scene.prompt), chance("model", scene.model, "lights")
        u = dice.uniform
        self.sun = (float(u(-0.7, 0.7)) * self.half, float(u(0.16, 0.40)), float(style.uniform(0.05, 0.10)))
        self.sun_ink = to_yuv(palette.sun)
        self.cloud_ink = to_yuv(mix(palette.horizon, palette.sun, 0.5))
        self.clouds = [
            (float(u(-1, 1)) * self.half, float(u(0.08, 0.42)), float(u(0.22, 0.5)), float(u(0.018, 0.045)))
            for _ in range(4)
        ]
        motes = int(style.integers(4, 11))
        big, half = float(style.uniform(0.6, 1.8)), self.half
        self.motes = [
            (float(u(-1.05, 1.05)) * half, float(u(0.2, 0.95)), float(u(0.008, 0.022)) * big, float(u(0, math.tau)))
            for _ in range(motes)
        ]
        self.mote_ink = to_yuv(mix(palette.accent, palette.sun, 0.6))

    def paint(self, t: float) -> Bytes:
        """Return the picture at a time as packed yuv420p."""
        go = self.amount * travel(t)
        self._sky(go)
        for i, ridge in enumerate(self.ridges):
            if i == len(self.ridges) - 1:
                self._inhabit(t, go)
            x, line = self._skyline(ridge, go)
            for sheet in self.sheets:
                sheet.ridge(line, ridge.sheen(x), ridge.crest, ridge.foot, 0.34)
        self._inhabit_air(t, go)
        return self._packed()

    def _zoom(self, depth: float, go: float) -> float:
        return math.exp(0.06 * self.camera.forwards * depth * go)

    def _place(self, x: float, y: float, depth: float, go: float) -> tuple[float, float]:
        zoom = self._zoom(depth, go)
        pan = 0.22 * depth * go
        return (x - self.camera.right * pan) * zoom, 0.5 + (y - 0.5) * zoom - self.camera.down * pan * 0.3

    def _skyline(self, ridge: Ridge, go: float) -> tuple[Floats, Floats]:
        zoom, pan = self._zoom(ridge.depth, go), 0.22 * ridge.depth * go
        x = self.luma.x / np.float32(zoom) + np.float32(self.camera.right * pan)
        line = 0.5 + (ridge.line(x) - 0.5) * np.float32(zoom) - np.float32(self.camera.down * pan * 0.3)
        return x, line.astype(np.float32)

    def _sky(self, go: float) -> None:
        x, y, radius = self.sun
        x, y = self._place(x, y, 0.06, go)
        for sheet in self.sheets:
            sheet.sky(self.ramp)
            sheet.glow(x, y, 0.62, 0.34, self.sun_ink, 0.42)
            sheet.disc(x, y, radius, self.sun_ink, 0.96, 0.006)
            for cx, cy, wide, high in self.clouds:
                px, py = self._place(cx, cy, 0.14, go)
                sheet.glow(px, py, wide, high, self.cloud_ink, 0.36)

    def _inhabit(self, t: float, go: float) -> None:
        ground = self.ridges[-2]
        _, line = self._skyline(ground, go)
        for one in self.subjects:
            x = one.x + 0.10 * min(1.0, self.half) * self.amount * swing(t, 1.1, one.phase)
            turn = 0.10 * self.amount * swing(t, 2.3, one.phase)
            if one.y is None:
                y = float(np.interp(x, self.luma.x, line)) - 0.24 * one.size
                y -= 0.035 * self.amount * abs(swing(t, 2.9, 0.0))
            else:
                y = one.y + 0.09 * self.amount * swing(t, 1.4, one.phase)
            one.paint(self.luma, self.chroma, x, y, turn)

    def _inhabit_air(self, t: float, go: float) -> None:
        for x, y, radius, phase in self.motes:
            px, py = self._place(x, y, 0.5, go)
            px += 0.07 * self.amount * swing(t, 1.3, phase)
            py += 0.07 * self.amount * swing(t, 0.9, phase * 2)
            for sheet in self.sheets:
                sheet.disc(px, py, radius, self.mote_ink, 0.62, radius * 0.7)

    def _packed(self) -> Bytes:
        h, w = self.luma.pixels.shape[1:]
        out = np.empty((h * 3 // 2, w), np.uint8)
        self.luma.packed(out[:h])
        self.chroma.packed(out[h:])
        return out


# --- pictures -----------------------------------------------------------------------------------------------


def open_image(data: bytes, width: int, height: int) -> Image.Image:
    """Return the picture in the bytes, upright and cropped around its middle to the given size.

    Raises:
        ValueError: if the bytes are not a whole PNG, JPEG or WebP of at most 64 megapixels.
    """
    kinds = ["PNG", "JPEG", "WEBP"]
    try:
        with Image.open(io.BytesIO(data), formats=kinds) as probe:
            if math.prod(probe.size) > MAX_IMAGE_PX:
                raise ValueError(f"{probe.width}x{probe.height} is more than {MAX_IMAGE_PX // 10**6} megapixels")
            probe.verify()
        with Image.open(io.BytesIO(data), formats=kinds) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
            return ImageOps.fit(upright, (width, height), Image.Resampling.LANCZOS)
    except Exception as error:  # hostile bytes make Pillow raise almost anything, SyntaxError included
        raise ValueError(f"the image cannot be used: {str(error)[:120] or type(error).__name__}") from error


class Picture:
    """A picture as three planes with a mirrored border, that can be painted through a warp."""

    NODES = 8
    BORDER = 0.28

    def __init__(self, data: bytes, width: int, height: int) -> None:
        rgb = np.asarray(open_image(data, width, height), np.float32) / 255
        yuv = np.round(to_yuv(rgb)).astype(np.uint8)
        chroma = yuv.reshape(height // 2, 2, width // 2, 2, 3)[..., 1:].mean(axis=(1, 3))
        self.size, self.aspect = (width, height), width / height
        self.planes = [self._bordered(p) for p in (yuv[..., 0], *np.moveaxis(chroma, -1, 0))]

    def _bordered(self, plane: NDArray[Any]) -> tuple[Image.Image, int, int]:
        h, w = plane.shape
        edge = int(h * self.BORDER)
        across = min(edge, w - 1)
        image = np.pad(plane.astype(np.uint8), ((edge, edge), (across, across)), mode="reflect")
        return Image.fromarray(image), across, edge

    def paint(self, warp: Callable[[Floats, Floats], tuple[Floats, Floats]]) -> Bytes:
        """Return the packed picture whose every point shows what the warp points at."""
        w, h = self.size
        out = np.empty((h * 3 // 2, w), np.uint8)
        parts = out[:h], *out[h:].reshape(2, h // 2, w // 2)
        rows, cols = self.NODES, round(self.NODES * self.aspect)
        v, u = np.meshgrid(np.linspace(-0.5, 0.5, rows + 1), np.linspace(-0.5, 0.5, cols + 1), indexing="ij")
        x, y = warp((u * self.aspect).astype(np.float32), v.astype(np.float32))
        for part, (image, across, edge) in zip(parts, self.planes, strict=True):
            ph, pw = part.shape
            px = np.clip((x + self.aspect / 2) * ph + across, 0, pw + 2 * across)
            py = np.clip((y + 0.5) * ph + edge, 0, ph + 2 * edge)
            mesh = self._mesh(px, py, np.linspace(0, pw, cols + 1).round(), np.linspace(0, ph, rows + 1).round())
            part[:] = np.asarray(image.transform((pw, ph), Image.Transform.MESH, mesh, Image.Resampling.BILINEAR))
        return out

    @staticmethod
    def _mesh(px: Floats, py: Floats, xs: Floats, ys: Floats) -> list[tuple[tuple[int, ...], tuple[float, ...]]]:
        low, high = slice(None, -1), slice(1, None)
        order = (
            (low, low),
            (high, low),
            (high, high),
            (low, high),
        )  # as Pillow wants them: counter-clockwise from top left
        corners = np.stack([plane[corner] for corner in order for plane in (px, py)], -1)
        lefts, tops = xs.astype(int).tolist(), ys.astype(int).tolist()
        quads = corners.tolist()
        return [
            ((lefts[i], tops[j], lefts[i + 1], tops[j + 1]), tuple(quads[j][i]))
            for j in range(len(tops) - 1)
            for i in range(len(lefts) - 1)
        ]


def picture_painter(scene: Scene) -> Painter:
    """Return the painter of a start image, an end image, or the way from one to the other."""
    share = max(1.0, math.sqrt(scene.width_px * scene.height_px / (1280 * 720)))
    size = int(scene.width_px / share) // 2 * 2, int(scene.height_px / share) // 2 * 2
    first, last = (Picture(data, *size) if data else None for data in (scene.start_image, scene.end_image))
    end_s = max(scene.frames - 1, 1) / scene.fps
    camera, strength = Camera.of(scene), amount(scene)
    dice = chance("ripple", scene.seed, scene.model)
    phases = [float(p) for p in dice.uniform(0, math.tau, 4)]

    def warp_at(t: float) -> Callable[[Floats, Floats], tuple[Floats, Floats]]:
        go = strength * travel(t)
        ripple = [0.009 * strength * k for k in (1.0, 0.8)]

        def warp(x: Floats, y: Floats) -> tuple[Floats, Floats]:
            near = 1 + 0.7 * np.exp(-3.0 * (x**2 + y**2))
            scale = np.exp(-0.05 * camera.forwards * go * near)
            sx = x * scale + 0.030 * camera.right * go * near
            sy = y * scale + 0.022 * camera.down * go * near
            sx = sx + ripple[0] * (np.sin(5.0 * y + 1.6 * t + phases[0]) - np.sin(5.0 * y + phases[0]))
            sy = sy + ripple[1] * (np.sin(4.0 * x + 1.3 * t + phases[1]) - np.sin(4.0 * x + phases[1]))
            return sx, sy

        return warp

    def paint(t: float) -> Bytes:
        if first is None or last is None:
            return first.paint(warp_at(t)) if first else last.paint(warp_at(t - end_s))  # type: ignore[union-attr]  # one is set
        share = min(max((t / end_s - 0.15) / 0.7, 0.0), 1.0)
        share = share * share * (3 - 2 * share)
        if share in (0.0, 1.0):
            return first.paint(warp_at(t)) if share == 0 else last.paint(warp_at(t - end_s))
        one, two = first.paint(warp_at(t)), last.paint(warp_at(t - end_s))
        weight = np.uint16(round(share * 256))
        return ((one * (np.uint16(256) - weight) + two * weight) >> 8).astype(np.uint8)

    return paint


# --- badge, sound, container --------------------------------------------------------------------------------


def fitted(text: str, tail: str, font: Any, room: float) -> str:
    """Return the text and its tail, the text shortened until both fit."""
    text = "".join(c for c in " ".join(text.split()) if c.isprintable())[:80]
    whole = text
    while text and font.getlength(f"{text}{tail}") > room:
        text = text[:-1]
    return f"{text if text == whole else text[:-1] + '…'}{tail}"


def badge_image(scene: Scene) -> Image.Image:
    """Return the strip every frame carries: EMULATED, and the model, seed and motion strength."""
    size = max(10.0, min(scene.height_px, scene.width_px) * 0.030)
    bold, plain = ImageFont.load_default(size), ImageFont.load_default(size * 0.94)
    pad, row, room, spacing = size * 0.62, size * 1.9, scene.width_px * 0.95, size * 0.12
    name = f"{scene.model} · {scene.label}" if scene.label else scene.model
    tail = f" · seed {scene.seed} · motion {scene.motion_strength:g}"
    lead = bold.getlength(BADGE) + spacing * len(BADGE) + 2 * pad
    below = room - lead - 2 * pad < plain.getlength(tail) * 1.3
    line = fitted(name, tail, plain, room - 2 * pad - (0 if below else lead))
    width, height = plain.getlength(line) + 2 * pad, row
    width, height = (max(lead, width), 2 * row) if below else (lead + width, row)
    image = Image.new("RGBA", (int(width) // 2 * 2 + 2, int(height) // 2 * 2 + 2))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, width, height), row * 0.32, fill=(14, 16, 24, 232))
    draw.rounded_rectangle((0, 0, lead, row), row * 0.32, fill=(255, 255, 255, 235))
    x = pad
    for letter in BADGE:
        draw.text((x, row / 2), letter, font=bold, fill=(14, 16, 24, 255), anchor="lm")
        x += bold.getlength(letter) + spacing
    place = (pad, row * 1.5) if below else (lead + pad, row / 2)
    draw.text(place, line, font=plain, fill=(236, 240, 248, 255), anchor="lm")
    return image


def badge(scene: Scene) -> Callable[[av.VideoFrame], None]:
    """Return a function that lays the badge over the lower left of a frame, in place."""
    image = badge_image(scene)
    margin = int(min(scene.height_px, scene.width_px) * 0.025) // 2 * 2
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
            view = pixels[plane.height - edge - h : plane.height - edge, edge : edge + w]
            view[:] = view * rest + colour + np.float32(0.5)

    return stamp


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


def atoms(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind, start and end of each box of an MP4 between two offsets."""
    while start + 8 <= stop:
        size, kind = int.from_bytes(data[start : start + 4], "big"), bytes(data[start + 4 : start + 8])
        size = int.from_bytes(data[start + 8 : start + 16], "big") if size == 1 else size or stop - start
        if size < 8 or start + size > stop:
            raise ValueError(f"not an MP4: box {kind!r} at byte {start} does not fit")
        yield kind, start, start + size
        start += size


def faststart(mp4: bytes) -> bytes:
    """Return the MP4 with its index first, so that it plays while it loads.

    ffmpeg's own `+faststart` opens the output a second time by name, which a file in memory has not.

    Raises:
        ValueError: if the bytes are not a whole MP4.
    """
    boxes = list(atoms(mp4, 0, len(mp4)))
    kinds = [kind for kind, _, _ in boxes]
    if b"moov" not in kinds or b"mdat" not in kinds:
        raise ValueError("not an MP4: it has no moov or no mdat")
    if kinds.index(b"moov") < kinds.index(b"mdat"):
        return mp4
    _, start, stop = boxes[kinds.index(b"moov")]
    moov = bytearray(mp4[start:stop])
    shift_chunks(moov, 8, len(moov), len(moov))
    first = kinds.index(b"mdat")
    head = b"".join(mp4[a:b] for kind, a, b in boxes[:first])
    rest = b"".join(mp4[a:b] for kind, a, b in boxes[first:] if kind != b"moov")
    return head + bytes(moov) + rest


def shift_chunks(moov: bytearray, start: int, stop: int, by: int) -> None:
    """Add `by` to every chunk offset in the index, in place."""
    for kind, a, b in list(atoms(bytes(moov), start, stop)):
        if kind in (b"trak", b"mdia", b"minf", b"stbl"):
            shift_chunks(moov, a + 8, b, by)
        elif kind in (b"stco", b"co64"):
            width = ">u4" if kind == b"stco" else ">u8"
            table = np.frombuffer(bytes(moov[a + 16 : b]), width)
            moov[a + 16 : b] = (table + by).astype(width).tobytes()
