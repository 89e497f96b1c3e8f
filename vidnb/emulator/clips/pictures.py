"""The painter of a start or end image: the picture itself, warped."""

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vidnb.emulator.clips.air import Air
from vidnb.emulator.clips.colour import Bytes, Floats, to_yuv
from vidnb.emulator.clips.grade import Grade
from vidnb.emulator.clips.palette import Palette
from vidnb.emulator.clips.scene import Camera, Painter, Scene, amount, chance, smoothstep, travel
from vidnb.emulator.clips.sheet import Sheet
from vidnb.emulator.clips.unbadge import without_badge

MAX_IMAGE_PX = 64_000_000


def open_image(data: bytes, width: int, height: int) -> Image.Image:
    """Return the picture in the bytes, upright and cropped around its middle to the given size.

    A frame of an emulated clip loses its badge: it would move with the picture, under the one that the clip gets.

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
    except Exception as error:  # hostile bytes make Pillow raise almost anything, SyntaxError included
        raise ValueError(f"the image cannot be used: {str(error)[:120] or type(error).__name__}") from error
    return ImageOps.fit(without_badge(upright), (width, height), Image.Resampling.LANCZOS)


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
    return Pictures(scene).paint


class Pictures:
    """One or two pictures in motion, graded by the model and the prompt, with the prompt's weather before them."""

    def __init__(self, scene: Scene) -> None:
        share = max(1.0, math.sqrt(scene.width_px * scene.height_px / (1280 * 720)))
        size = int(scene.width_px / share) // 2 * 2, int(scene.height_px / share) // 2 * 2
        self.first, self.last = (
            Picture(data, *size) if data else None for data in (scene.start_image, scene.end_image)
        )
        self.end_s = max(scene.frames - 1, 1) / scene.fps
        palette = Palette.of(scene)
        self.motion, self.grade = Motion(scene), Grade(scene, palette, *size)
        self.air, self.sheets = Air(scene, palette, size[0] / size[1] / 2), Sheet.pair(*size)

    def paint(self, t: float) -> Bytes:
        """Return the picture at a time as packed yuv420p."""
        picture, away = self._moved(t), self._away(t)
        self.grade.apply(picture, away)
        if away:
            h = self.sheets[0].pixels.shape[1]
            planes = picture[None, :h], picture[h:].reshape(2, h // 2, -1)
            over = tuple(sheet.over(plane) for sheet, plane in zip(self.sheets, planes, strict=True))
            self.air.paint(over, t, lambda x, y, depth: self.motion.place(x, y, depth, t), away)
        return picture

    def _moved(self, t: float) -> Bytes:
        share = smoothstep(t / self.end_s, 0.15, 0.85) if self.first else 1.0
        first = self.first.paint(self.motion.warp(t)) if self.first and (share < 1 or not self.last) else None
        last = self.last.paint(self.motion.warp(t - self.end_s)) if self.last and share > 0 else None
        if first is None or last is None:
            return first if last is None else last  # type: ignore[return-value]  # one is set
        weight = np.uint16(round(share * 256))
        return ((first * (np.uint16(256) - weight) + last * weight) >> 8).astype(np.uint8)

    def _away(self, t: float) -> float:
        """Return how far the clip is from the pictures it was given, from 0 at each of them to 1."""
        away = smoothstep(t / self.end_s, 0.0, 0.5) if self.first else 1.0
        return min(away, smoothstep(1 - t / self.end_s, 0.0, 0.5)) if self.last else away


class Motion:
    """How a picture moves: with the camera, its middle most, and in a slow ripple."""

    def __init__(self, scene: Scene) -> None:
        dice = chance("ripple", scene.seed, scene.prompt, scene.model)
        self.camera, self.strength = Camera.over_picture(scene), amount(scene)
        self.phases = [float(p) for p in dice.uniform(0, math.tau, 2)]
        self.pitches = [float(p) for p in dice.uniform(3.5, 6.5, 2)]
        self.middle = [float(m) for m in dice.uniform(-0.3, 0.3, 2)]

    def warp(self, t: float) -> Callable[[Floats, Floats], tuple[Floats, Floats]]:
        """Return where each point of the frame finds its colour at a time."""
        go, ripple = self.strength * travel(t), 0.012 * self.strength

        def warp(x: Floats, y: Floats) -> tuple[Floats, Floats]:
            near = 1 + 0.7 * np.exp(-3.0 * ((x - self.middle[0]) ** 2 + (y - self.middle[1]) ** 2))
            scale = np.exp(-0.05 * self.camera.forwards * go * near)
            sx = x * scale + 0.036 * self.camera.right * go * near
            sy = y * scale + 0.032 * self.camera.down * go * near
            sx = sx + ripple * self._wave(y, 1.6 * t, 0)
            sy = sy + ripple * self._wave(x, 1.3 * t, 1)
            return sx.astype(np.float32), sy.astype(np.float32)

        return warp

    def _wave(self, along: Floats, t: float, axis: int) -> NDArray[Any]:
        angle = self.pitches[axis] * along + self.phases[axis]
        return np.asarray(np.sin(angle + t) - np.sin(angle))

    def place(self, x: float, y: float, depth: float, t: float) -> tuple[float, float]:
        """Return where a point before the picture is seen at a time."""
        go = 0.12 * depth * self.strength * travel(t)
        return x - self.camera.right * go, y - self.camera.down * go
