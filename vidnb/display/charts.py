"""Small charts for cells: numbers as a picture of a few kilobytes, text beside it as text.

The picture is an SVG in a data address, because an untrusted notebook keeps images but removes inline SVG. It cannot
read the page's colours, so its own are chosen to be readable on light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from vidnb.display.page import AMBER, BLUE, GREEN, MUTED, PLAIN, SMALL, Html, data_uri, digits, dotted, join, tag

WIDTH, HEIGHT, EDGE = 480, 56, 10
PARTS = (BLUE, AMBER, GREEN, "#8e5bb5", "#2a8c8c", "#b5525c")


def dots(values: Sequence[float], interval: tuple[float, float, float], title: str) -> Html:
    """Differences as dots over a line at 0, with the mean and its interval below them.

    Args:
        values: one for each pair.
        interval: low, mean and high; low and high are NaN where there is none.
        title: what the numbers are.
    """
    low, mean, high = interval
    known = [value for value in (*values, 0.0, low, mean, high) if math.isfinite(value)]
    left, right = min(known), max(known)
    span = (right - left) or 1.0

    def x(value: float) -> float:
        return round(EDGE + (value - left) / span * (WIDTH - 2 * EDGE), 1)

    # Dots that would lie on one another stand one above the other.
    rows: dict[int, int] = {}
    circles = []
    for value in sorted(values):
        place = round(x(value) / 7)
        row = rows[place] = rows.get(place, -1) + 1
        circles.append(f'<circle cx="{x(value)}" cy="{28 - min(row, 3) * 7}" r="4" fill="{BLUE}" fill-opacity=".7"/>')
    zero = f'<path d="M{x(0)} 2V54" stroke="{PLAIN}" stroke-dasharray="3 3"/>'
    bar_ = ""
    if math.isfinite(low) and math.isfinite(high):
        bar_ = f'<path d="M{x(low)} 44H{x(high)}" stroke="{AMBER}" stroke-width="4" stroke-linecap="round"/>'
    middle = f'<circle cx="{x(mean)}" cy="44" r="5" fill="{AMBER}"/>' if math.isfinite(mean) else ""
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">'
    source = f"{opening}{zero}{''.join(circles)}{bar_}{middle}</svg>"
    alt = f"{title}: each pair as a dot, the mean with its interval below"
    look = "display:block;width:100%;height:auto;max-width:480px"
    picture = tag("img", src=data_uri(source.encode(), "image/svg+xml"), alt=alt, style=f"{look};margin:6px 0 0")
    ends = [f"{'+' if end > 0 else ''}{digits(end)}" for end in (left, right)]
    scale = tag(
        "div",
        *(tag("span", end) for end in (ends[0], title, ends[1])),
        style=f"display:flex;justify-content:space-between;gap:8px;max-width:480px;{SMALL};{MUTED}",
    )
    return join([picture, scale])


def bar(parts: Sequence[tuple[str, float]]) -> Html:
    """Named shares of a whole as one bar, with a legend below."""
    colours = [*PARTS[: len(parts) - 1], *[PLAIN] * max(1, len(parts) - len(PARTS))][: len(parts)]
    look = "display:inline-block;height:14px;vertical-align:top"
    pieces = [
        tag("span", title=f"{name} {share * 100:.0f} %", style=f"{look};width:{share:.2%};background:{colour}")
        for (name, share), colour in zip(parts, colours, strict=True)
    ]
    legend = [
        join([tag("span", "■", style=f"color:{colour}"), f" {name} {share * 100:.0f} %"])
        for (name, share), colour in zip(parts, colours, strict=True)
    ]
    whole = tag("div", *pieces, style="font-size:0;max-width:480px;border-radius:3px;overflow:hidden")
    return join([whole, dotted(*legend, style=f"{SMALL};margin:4px 0 0")])
