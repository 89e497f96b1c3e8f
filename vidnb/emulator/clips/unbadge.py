"""The way back from a frame of an emulated clip to its picture: its badge found and painted away."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vidnb.emulator.clips.badge import Lead
from vidnb.emulator.clips.colour import Floats

SHORT_SIDES = (480, 512, 720, 768, 1080)  # of the clips a resized frame may come from
ALIKE, CONTRAST, DARK = 0.7, 60, 80  # a lead correlates and contrasts at least, a strip is bright at most, like this
REACH = 2  # how many pixels off its place a badge may be: sizes are rounded
EDGES = ((0.10, 0.20), (0.86, 0.93))  # the parts of a row over and under its letters


class Found(NamedTuple):
    """Where a badge begins in a picture, and how large it is drawn there."""

    left: float
    top: float
    lead: float
    row: float


def without_badge(image: Image.Image) -> Image.Image:
    """Return the RGB picture without the badge of the emulator, or the very same picture if it has none."""
    found = find_badge(image)
    if found is None:
        return image
    right, foot = strip_end(image, found)
    spill = math.ceil(1 + found.row * 0.1)  # as far as a codec smears an edge
    return painted_over(image, max(0, int(found.top) - spill), foot + spill, right + spill, math.ceil(found.row))


def find_badge(image: Image.Image) -> Found | None:
    """Return where the emulator's badge is, if it is there."""
    short = min(image.size)
    best, place = max((looked(image, side) for side in dict.fromkeys((short, *SHORT_SIDES))), key=lambda one: one[0])
    return place if best > ALIKE else None


def looked(image: Image.Image, side: int) -> tuple[float, Found | None]:
    """Return how much the upper left looks like the badge of a clip with that shorter side, and where it begins."""
    lead, scale = Lead.of(side), min(image.size) / side
    wanted, inset, places = lead_pixels(lead), lead_inset(lead), []
    rows, cols = (n + inset + lead.margin + REACH for n in wanted.shape)
    if cols * scale > image.width or rows * scale > image.height:
        return 0.0, None
    corner = image.resize((cols, rows), Image.Resampling.BILINEAR, box=(0, 0, cols * scale, rows * scale))
    seen = np.asarray(corner.convert("L"), float)
    for dy in range(max(-REACH, -lead.margin), REACH + 1):
        for dx in range(max(-REACH, -lead.margin), REACH + 1):
            x, y = lead.margin + dx, lead.margin + dy
            window = seen[y + inset : y + inset + wanted.shape[0], x + inset : x + inset + wanted.shape[1]]
            places.append((likeness(window, wanted), Found(*(v * scale for v in (x, y, lead.width, lead.row)))))
    return max(places)


def lead_inset(lead: Lead) -> int:
    """Return how far in from its edge the lead is looked at: its corners are round."""
    return round(lead.row * 0.14)


def lead_pixels(lead: Lead) -> NDArray[Any]:
    """Return the middle of the lead as it is drawn, in grey."""
    image = Image.new("RGBA", (math.ceil(lead.width), math.ceil(lead.row)))
    lead.draw(ImageDraw.Draw(image))
    inset = lead_inset(lead)
    return np.asarray(image.convert("L"), float)[inset:-inset, inset:-inset]


def likeness(seen: NDArray[Any], wanted: NDArray[Any]) -> float:
    """Return the correlation of two pictures, or 0 if the one seen has not the badge's white and black."""
    paper, ink = seen[wanted > 230], seen[wanted < 60]
    if np.median(paper) - np.median(ink) < CONTRAST:
        return 0.0
    return float(np.corrcoef(seen.ravel(), wanted.ravel())[0, 1])


def strip_end(image: Image.Image, found: Found) -> tuple[int, int]:
    """Return the right and the lower end of the badge: of the dark strip behind its lead, or below it."""
    left, top, lead, row = found
    grey = np.asarray(image.crop((0, 0, image.width, min(image.height, math.ceil(top + 2 * row)))).convert("L"))
    inside = slice(int(left + 0.4 * row), int(left + lead - 0.4 * row))
    below = bool((edges(grey, top + row, row)[inside] < DARK).all() and inked(grey, top + row, row)[inside].any())
    start, top = (left + 0.4 * row, top + row) if below else (left + lead, top)
    return math.ceil(max(line_end(grey, math.ceil(start), top, row), left + lead)), math.ceil(top + row)


def line_end(grey: NDArray[Any], begin: int, top: float, row: float) -> float:
    """Return where the dark strip that goes on at a column ends."""
    dark = edges(grey, top, row)[begin:] < DARK
    run = len(dark) if dark.all() else int(dark.argmin())
    ink = np.flatnonzero(inked(grey, top, row)[begin : begin + run])
    # A night sky is as dark as the strip: there the last letter says where it ends.
    return begin + min(run, int(ink[-1]) + 0.6 * row) if ink.size else begin


def edges(grey: NDArray[Any], top: float, row: float) -> NDArray[Any]:
    """Return the light of each column over and under the letters of a row, whichever is brighter."""
    bands = [grey[round(top + a * row) : max(round(top + b * row), round(top + a * row) + 1)] for a, b in EDGES]
    light = [band.mean(axis=0) if len(band) else np.full(grey.shape[1], 255.0) for band in bands]
    return np.asarray(np.maximum(*light))


def inked(grey: NDArray[Any], top: float, row: float) -> NDArray[Any]:
    """Return which columns hold a bright letter."""
    letters: NDArray[Any] = grey[round(top + 0.25 * row) : round(top + 0.8 * row)] > DARK + 40
    return np.asarray(letters.any(axis=0))


def painted_over(image: Image.Image, top: int, foot: int, right: int, fade: int) -> Image.Image:
    """Return the picture with the smoothest surface there is between the rows above and below a strip at its left."""
    foot = min(foot, image.height - 1)
    pixels = np.asarray(image.crop((0, 0, image.width, min(foot + 3, image.height))), np.float32)
    below = pixels[foot:].mean(axis=0)
    above = pixels[max(0, top - 3) : top].mean(axis=0) if top else below
    share = np.clip((right + fade - np.arange(image.width)) / fade, 0, 1)[:, None]
    strip = pixels[top:foot] + (membrane(above, below, foot - top) - pixels[top:foot]) * share
    out = image.copy()
    out.paste(Image.fromarray(np.clip(strip + 0.5, 0, 255).astype(np.uint8)), (0, top))
    return out


def membrane(above: Floats, below: Floats, rows: int) -> NDArray[Any]:
    """Return the rows between two: Laplace's equation, in which fine detail fades sooner than broad light."""
    waves = [np.fft.rfft(np.concatenate([line, line[::-1]]), axis=0) for line in (above, below)]
    k = np.linspace(0, np.pi, len(waves[0]))[1:]
    y = ((np.arange(rows) + 1) / (rows + 1))[:, None]
    far = k * (rows + 1)
    weights = [
        np.concatenate([1 - at, (np.exp(-far * at) - np.exp(-far * (2 - at))) / (1 - np.exp(-2 * far))], axis=1)
        for at in (y, 1 - y)
    ]
    mixed = sum(weight[..., None] * wave for weight, wave in zip(weights, waves, strict=True))
    return np.asarray(np.fft.irfft(mixed, 2 * len(above), axis=1)[:, : len(above)])
