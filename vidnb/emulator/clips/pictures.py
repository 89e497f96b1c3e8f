"""The painter of a start or end image: the picture itself, warped."""

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vidnb.emulator.clips.colour import Bytes, Floats, to_yuv
from vidnb.emulator.clips.scene import Camera, Painter, Scene, amount, chance, travel

MAX_IMAGE_PX = 64_000_000


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
