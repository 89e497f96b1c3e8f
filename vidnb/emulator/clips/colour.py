"""Colours as people see them and as the encoder wants them."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
RGB = tuple[float, float, float]


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


CREAM, DARK = oklch(0.94, 0.025, 85), oklch(0.27, 0.02, 280)
