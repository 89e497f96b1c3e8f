"""Small seated animals."""

from typing import NamedTuple

from vidnb.emulator.clips.colour import CREAM, DARK, RGB, mix, oklch
from vidnb.emulator.clips.pen import Pen


class Animal(NamedTuple):
    """A small seated animal: the shape of its ears, its fur and its muzzle."""

    ears: str
    fur: RGB
    inside: RGB
    muzzle: RGB
    nose: float = 0.05


ANIMALS = {
    "koala": Animal("wide", oklch(0.70, 0.015, 255), oklch(0.90, 0.03, 10), oklch(0.82, 0.01, 255), 0.085),
    "bear": Animal("round", oklch(0.50, 0.07, 55), oklch(0.68, 0.06, 60), oklch(0.76, 0.05, 70)),
    "panda": Animal("round", oklch(0.96, 0.005, 90), DARK, CREAM),
    "mouse": Animal("wide", oklch(0.74, 0.02, 60), oklch(0.85, 0.06, 15), CREAM, 0.03),
    "fox": Animal("pointed", oklch(0.66, 0.165, 45), DARK, CREAM),
    "wolf": Animal("pointed", oklch(0.56, 0.02, 260), oklch(0.75, 0.02, 260), oklch(0.88, 0.01, 260)),
    "dog": Animal("floppy", oklch(0.78, 0.075, 72), oklch(0.52, 0.07, 55), CREAM),
    "rabbit": Animal("long", oklch(0.90, 0.02, 70), oklch(0.86, 0.06, 15), CREAM, 0.03),
}


def draw_animal(pen: Pen, _tint: RGB, animal: Animal) -> None:
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
