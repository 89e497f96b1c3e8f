"""Cats: sitting, striped, whiskered, the tail up."""

import math
from typing import NamedTuple

from vidnb.emulator.clips.colour import CREAM, DARK, RGB, mix, oklch
from vidnb.emulator.clips.pen import Pen

PINK, BLACK = oklch(0.74, 0.09, 15), (0.03, 0.03, 0.05)


class Cat(NamedTuple):
    """The colours of one kind of cat."""

    fur: RGB
    stripe: RGB
    eyes: RGB


CATS = {
    "cat": Cat(oklch(0.66, 0.012, 255), oklch(0.36, 0.015, 265), oklch(0.84, 0.17, 125)),
    "tiger": Cat(oklch(0.73, 0.155, 60), oklch(0.25, 0.02, 50), oklch(0.86, 0.13, 95)),
}


def draw_cat(pen: Pen, _tint: RGB, cat: Cat) -> None:
    """Draw a seated cat, its feet on the lower edge."""
    pen.oval(0.5, 0.955, 0.33, 0.04, mix(cat.stripe, DARK, 0.6))
    draw_tail(pen, cat)
    draw_body(pen, cat)
    pen.spikes([(0.045, 0.25), (0.235, 0.05), (0.285, 0.36)], cat.fur)
    pen.spikes([(0.115, 0.25), (0.22, 0.125), (0.245, 0.30)], PINK)
    pen.oval(0.5, 0.42, 0.325, 0.215, cat.fur)
    draw_face(pen, cat)


def draw_tail(pen: Pen, cat: Cat) -> None:
    """Draw a tail that rises beside the cat and curls over, ringed, dark at its tip."""
    for i in range(61):
        share = i / 60
        x, y = 0.64 + 0.27 * math.sin(2.3 * share), 0.89 - 0.40 * share**1.4
        pen.oval(x, y, 0.043, 0.043, cat.stripe if share > 0.88 or i % 15 > 10 else cat.fur)


def draw_body(pen: Pen, cat: Cat) -> None:
    """Draw a slender striped body with a white chest and two front legs."""
    shade = mix(cat.fur, DARK, 0.14)
    pen.both(0.125, 0.86, 0.115, 0.095, shade)
    pen.oval(0.5, 0.75, 0.175, 0.215, shade)
    for y in (0.68, 0.75, 0.82):
        pen.spikes([(0.08, y + 0.01), (0.168, y - 0.02), (0.168, y + 0.015)], cat.stripe)
    pen.oval(0.5, 0.72, 0.085, 0.15, CREAM)
    pen.both(0.06, 0.84, 0.05, 0.12, cat.fur)
    pen.both(0.066, 0.94, 0.066, 0.036, CREAM)


def draw_face(pen: Pen, cat: Cat) -> None:
    """Draw stripes, slit eyes, a white muzzle with a pink nose, and whiskers."""
    pen.shape([(-0.018, 0.21), (0.018, 0.21), (0.0, 0.33)], cat.stripe)
    pen.spikes([(0.06, 0.215), (0.098, 0.225), (0.062, 0.315)], cat.stripe)
    for y in (0.40, 0.46):
        pen.spikes([(0.235, y + 0.005), (0.322, y - 0.02), (0.318, y + 0.025)], cat.stripe)
    pen.both(0.135, 0.39, 0.07, 0.058, BLACK)
    pen.both(0.135, 0.39, 0.06, 0.049, cat.eyes)
    pen.both(0.135, 0.39, 0.017, 0.047, BLACK)
    pen.both(0.15, 0.37, 0.011, 0.011, (1.0, 1.0, 1.0))
    pen.both(0.055, 0.52, 0.075, 0.062, CREAM)
    pen.oval(0.5, 0.57, 0.05, 0.04, CREAM)
    pen.shape([(-0.036, 0.462), (0.036, 0.462), (0.0, 0.508)], PINK)
    pen.box(-0.006, 0.505, 0.006, 0.545, DARK)
    pen.spikes([(0.0, 0.54), (0.052, 0.556), (0.05, 0.568), (0.0, 0.556)], DARK)
    for y, end in ((0.50, 0.455), (0.52, 0.52), (0.54, 0.585)):
        pen.spikes([(0.09, y), (0.43, end - 0.002), (0.43, end + 0.004), (0.09, y + 0.012)], (1.0, 1.0, 1.0))
