"""The painter of a prompt: sky, sun, clouds, ridges of ground, the subjects, and lights in the air."""

import math

import numpy as np

from vidnb.emulator.clips.air import Air
from vidnb.emulator.clips.colour import Bytes, Floats, mix, to_yuv
from vidnb.emulator.clips.palette import Palette
from vidnb.emulator.clips.ridges import Ridge, ridges
from vidnb.emulator.clips.scene import Camera, Painter, Scene, amount, chance, swing, travel
from vidnb.emulator.clips.sheet import Sheet
from vidnb.emulator.clips.subjects import subjects


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
        self.air = Air(scene, palette, self.half)

    def _ramp(self, palette: Palette, rows: int) -> Floats:
        share = np.clip(np.arange(rows, dtype=np.float32) / rows / 0.66, 0, 1)[:, None] ** np.float32(0.85)
        top, horizon = to_yuv(palette.top), to_yuv(palette.horizon)
        return (top + (horizon - top) * share).astype(np.float32)

    def _lights(self, scene: Scene, palette: Palette) -> None:
        dice, style = chance("lights", scene.seed, scene.prompt), chance("model", scene.model, "lights")
        u = dice.uniform
        self.sun = (float(u(-0.7, 0.7)) * self.half, float(u(0.16, 0.40)), float(style.uniform(0.05, 0.10)))
        self.sun_ink, self.sun_clear = to_yuv(palette.sun), 0.12 if palette.sky == "storm" else 0.96
        self.cloud_ink = to_yuv(mix(palette.horizon, palette.sun, 0.5))
        self.clouds = [
            (float(u(-1, 1)) * self.half, float(u(0.08, 0.42)), float(u(0.22, 0.5)), float(u(0.018, 0.045)))
            for _ in range(4)
        ]

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
        self.air.paint(self.sheets, t, lambda x, y, depth: self._place(x, y, depth, go))
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
        self.air.twinkle(self.sheets, lambda x, y, depth: self._place(x, y, depth, go))
        for sheet in self.sheets:
            sheet.glow(x, y, 0.62, 0.34, self.sun_ink, 0.42)
            sheet.disc(x, y, radius, self.sun_ink, self.sun_clear, 0.006)
            for cx, cy, wide, high in self.clouds:
                px, py = self._place(cx, cy, 0.14, go)
                sheet.glow(px, py, wide, high, self.cloud_ink, 0.36)

    def _inhabit(self, t: float, go: float) -> None:
        ground = self.ridges[-2]
        _, line = self._skyline(ground, go)
        for one in self.subjects:
            x, y = one.x + 0.10 * min(1.0, self.half) * self.amount * swing(t, 1.1, one.phase), one.y
            turn = 0.10 * self.amount * swing(t, 2.3, one.phase)
            if one.life == "airborne":
                y += 0.09 * self.amount * swing(t, 1.4, one.phase)
            else:
                if one.life == "rooted":
                    x, turn = self._place(one.x, 0.5, ground.depth, go)[0], 0.0
                y = float(np.interp(x, self.luma.x, line)) - 0.24 * one.size
                y -= 0.0 if one.life == "rooted" else 0.035 * self.amount * abs(swing(t, 2.9, 0.0))
            one.paint(self.luma, self.chroma, x, y, turn)

    def _packed(self) -> Bytes:
        h, w = self.luma.pixels.shape[1:]
        out = np.empty((h * 3 // 2, w), np.uint8)
        self.luma.packed(out[:h])
        self.chroma.packed(out[h:])
        return out
