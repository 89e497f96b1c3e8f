"""Things a prompt can name, drawn in the unit square; what is not seated or standing faces right."""

import numpy as np

from vidnb.emulator.clips.colour import CREAM, DARK, RGB, mix, oklch
from vidnb.emulator.clips.pen import Pen


def draw_sphere(pen: Pen, tint: RGB) -> None:
    """Draw a lit ball."""
    for i in range(48):
        share = i / 47
        offset, radius = 0.13 * share, 0.43 * (1 - share) + 0.02
        colour = mix(mix(tint, DARK, 0.45), mix(tint, (1.0, 1.0, 1.0), 0.65), share**0.8)
        pen.oval(0.5 - offset, 0.5 - offset, radius, radius, colour)


def draw_balloon(pen: Pen, tint: RGB) -> None:
    """Draw a striped hot-air balloon."""
    pale, basket = mix(tint, (1.0, 1.0, 1.0), 0.75), oklch(0.5, 0.07, 60)
    pen.spikes([(0.0, 0.5), (0.29, 0.52), (0.075, 0.8), (0.0, 0.8)], mix(tint, DARK, 0.2))
    for width, colour in ((0.34, tint), (0.245, pale), (0.145, tint), (0.05, pale)):
        pen.oval(0.5, 0.38, width, 0.35, colour)
    pen.spikes([(0.055, 0.78), (0.065, 0.78), (0.05, 0.88), (0.04, 0.88)], basket)
    pen.spikes([(0.0, 0.87), (0.065, 0.87), (0.05, 0.97), (0.0, 0.97)], basket)


def draw_boat(pen: Pen, tint: RGB) -> None:
    """Draw a sailing boat."""
    for points, colour in (
        ([(0.02, 0.08), (0.02, 0.74), (0.40, 0.74)], CREAM),
        ([(-0.02, 0.16), (-0.02, 0.74), (-0.30, 0.74)], mix(tint, CREAM, 0.25)),
        ([(-0.42, 0.78), (0.46, 0.78), (0.30, 0.96), (-0.30, 0.96)], oklch(0.42, 0.06, 40)),
    ):
        pen.shape(points, colour)


def draw_lighthouse(pen: Pen, _tint: RGB) -> None:
    """Draw a striped lighthouse on a rock."""
    red, rock = oklch(0.58, 0.19, 27), oklch(0.40, 0.02, 250)
    pen.oval(0.5, 0.94, 0.30, 0.06, rock)
    pen.shape(_tapering(0.30, 0.93), CREAM)
    for top in (0.38, 0.56, 0.74):
        pen.shape(_tapering(top, top + 0.09), red)
    pen.box(-0.055, 0.16, 0.055, 0.28, oklch(0.95, 0.13, 95))
    pen.box(-0.115, 0.275, 0.115, 0.305, DARK)
    pen.shape([(-0.085, 0.165), (0.0, 0.05), (0.085, 0.165)], red)


def _tapering(top: float, foot: float) -> list[tuple[float, float]]:
    wide, wider = (0.08 + 0.09 * (y - 0.3) for y in (top, foot))
    return [(-wide, top), (wide, top), (wider, foot), (-wider, foot)]


def draw_tree(pen: Pen, tint: RGB) -> None:
    """Draw a tree with a round crown."""
    leaf = mix(oklch(0.52, 0.12, 142), tint, 0.12)
    pen.shape([(-0.035, 0.5), (0.035, 0.5), (0.06, 0.97), (-0.06, 0.97)], oklch(0.40, 0.05, 55))
    for x, y, radius, light in ((0.32, 0.46, 0.19, 0.0), (0.68, 0.46, 0.19, 0.0), (0.5, 0.33, 0.27, 0.1)):
        pen.oval(x, y, radius, radius * 0.9, mix(leaf, CREAM, light))
    pen.oval(0.43, 0.26, 0.13, 0.11, mix(leaf, CREAM, 0.28))


def draw_pine(pen: Pen, tint: RGB) -> None:
    """Draw a fir tree."""
    leaf = mix(oklch(0.44, 0.08, 158), tint, 0.08)
    pen.box(-0.035, 0.8, 0.035, 0.97, oklch(0.36, 0.05, 50))
    for top, foot, wide in ((0.46, 0.86, 0.29), (0.25, 0.62, 0.23), (0.05, 0.38, 0.165)):
        pen.shape([(0, top), (wide, foot), (-wide, foot)], leaf)
        pen.shape([(0, top), (0.0, foot), (-wide, foot)], mix(leaf, CREAM, 0.14))


def draw_house(pen: Pen, tint: RGB) -> None:
    """Draw a small house with lit windows."""
    lit = oklch(0.92, 0.11, 90)
    pen.box(0.16, 0.20, 0.25, 0.5, oklch(0.45, 0.05, 35))
    pen.box(-0.34, 0.5, 0.34, 0.97, CREAM)
    pen.shape([(-0.43, 0.53), (0, 0.16), (0.43, 0.53)], mix(tint, oklch(0.48, 0.13, 30), 0.7))
    pen.box(-0.07, 0.70, 0.07, 0.97, oklch(0.42, 0.06, 45))
    for x in (-0.26, 0.13):
        pen.box(x, 0.61, x + 0.13, 0.75, lit)


def draw_city(pen: Pen, tint: RGB) -> None:
    """Draw a skyline with lit windows."""
    wall, lit = mix(oklch(0.34, 0.05, 270), tint, 0.10), oklch(0.90, 0.11, 88)
    towers = ((-0.49, 0.55), (-0.35, 0.32), (-0.21, 0.62), (-0.07, 0.08), (0.08, 0.42), (0.22, 0.24), (0.36, 0.50))
    for i, (left, top) in enumerate(towers):
        pen.box(left, top, left + 0.135, 1.0, mix(wall, CREAM, 0.12 * (i % 3)))
        for row in range(int((0.94 - top) / 0.085)):
            for column in range(3):
                if (i * 5 + row * 3 + column * 7) % 4:
                    x, y = left + 0.02 + 0.037 * column, top + 0.04 + 0.085 * row
                    pen.box(x, y, x + 0.022, y + 0.04, lit)


def draw_bird(pen: Pen, tint: RGB) -> None:
    """Draw a gliding bird."""
    feather = mix(tint, CREAM, 0.55)
    pen.shape([(0.02, 0.52), (0.20, 0.10), (-0.14, 0.42)], mix(feather, DARK, 0.35))
    pen.shape([(-0.16, 0.50), (-0.46, 0.44), (-0.44, 0.60)], mix(feather, DARK, 0.25))
    pen.oval(0.5, 0.53, 0.23, 0.095, feather)
    pen.oval(0.71, 0.47, 0.085, 0.08, feather)
    pen.shape([(0.27, 0.45), (0.40, 0.49), (0.27, 0.51)], oklch(0.74, 0.15, 70))
    pen.shape([(0.06, 0.50), (-0.24, 0.08), (-0.13, 0.52)], mix(feather, DARK, 0.15))
    pen.oval(0.735, 0.455, 0.014, 0.016, DARK)


def draw_fish(pen: Pen, tint: RGB) -> None:
    """Draw a fish."""
    fin = mix(tint, DARK, 0.25)
    pen.shape([(-0.20, 0.5), (-0.46, 0.28), (-0.39, 0.5), (-0.46, 0.72)], fin)
    pen.shape([(-0.12, 0.36), (0.02, 0.18), (0.16, 0.36)], fin)
    pen.oval(0.52, 0.5, 0.31, 0.19, tint)
    pen.oval(0.54, 0.57, 0.24, 0.10, mix(tint, CREAM, 0.45))
    pen.shape([(-0.04, 0.5), (-0.16, 0.62), (0.05, 0.58)], fin)
    pen.oval(0.70, 0.45, 0.042, 0.042, CREAM)
    pen.oval(0.71, 0.45, 0.022, 0.024, DARK)


def draw_car(pen: Pen, tint: RGB) -> None:
    """Draw a car, seen from the side."""
    glass = oklch(0.86, 0.04, 230)
    pen.shape([(-0.24, 0.66), (-0.14, 0.48), (0.12, 0.48), (0.25, 0.66)], tint)
    pen.shape([(-0.18, 0.65), (-0.115, 0.52), (-0.02, 0.52), (-0.02, 0.65)], glass)
    pen.shape([(0.02, 0.52), (0.10, 0.52), (0.185, 0.65), (0.02, 0.65)], glass)
    pen.shape([(-0.44, 0.66), (0.40, 0.66), (0.45, 0.75), (0.44, 0.88), (-0.45, 0.88)], mix(tint, DARK, 0.12))
    pen.oval(0.93, 0.74, 0.025, 0.028, oklch(0.95, 0.10, 95))
    for radius, colour in ((0.10, DARK), (0.048, CREAM)):
        pen.both(0.25, 0.88, radius, radius, colour)


def draw_person(pen: Pen, tint: RGB) -> None:
    """Draw a standing figure."""
    skin, hair = oklch(0.74, 0.07, 55), oklch(0.33, 0.05, 45)
    pen.spikes([(0.01, 0.66), (0.11, 0.66), (0.10, 0.97), (0.03, 0.97)], mix(DARK, tint, 0.25))
    pen.spikes([(0.08, 0.37), (0.14, 0.38), (0.20, 0.66), (0.15, 0.68)], mix(tint, DARK, 0.15))
    pen.shape([(-0.12, 0.36), (0.12, 0.36), (0.14, 0.72), (-0.14, 0.72)], tint)
    pen.oval(0.5, 0.20, 0.125, 0.135, hair)
    pen.oval(0.5, 0.235, 0.10, 0.115, skin)
    pen.both(0.038, 0.235, 0.012, 0.014, DARK)


def draw_dragon(pen: Pen, tint: RGB) -> None:
    """Draw a flying dragon."""
    scales, wing = mix(tint, oklch(0.52, 0.14, 150), 0.5), mix(tint, oklch(0.60, 0.17, 30), 0.55)
    pen.shape([(0.0, 0.54), (0.22, 0.06), (0.32, 0.34), (0.16, 0.38), (0.14, 0.55)], mix(wing, DARK, 0.3))
    for i in range(14):
        share = i / 13
        y, radius = 0.56 + 0.10 * np.sin(5.0 * share + 0.4) * (1 - share), 0.028 + 0.075 * np.sin(np.pi * share)
        pen.oval(0.08 + 0.66 * share, float(y), float(radius), float(radius), scales)
    pen.shape([(-0.43, 0.58), (-0.49, 0.50), (-0.38, 0.55)], wing)
    pen.shape([(0.17, 0.54), (0.26, 0.33), (0.33, 0.36), (0.28, 0.57)], scales)
    pen.shape([(0.24, 0.30), (0.22, 0.22), (0.29, 0.29), (0.48, 0.38), (0.46, 0.43), (0.27, 0.42)], scales)
    pen.shape([(0.04, 0.53), (-0.22, 0.08), (-0.40, 0.30), (-0.24, 0.32), (-0.22, 0.46), (-0.12, 0.40)], wing)
    pen.oval(0.82, 0.345, 0.014, 0.016, CREAM)
