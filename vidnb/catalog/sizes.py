"""The rules of sizes, each written once: for validation, for the form, and for a change to another model.

The page of the form has the same rules in `widgets/static/form/sizes.js`; one test feeds both the same table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from vidnb.catalog.model import Model, Size


def side_bounds(model: Model) -> tuple[int, int]:
    """Return the shortest and the longest side in pixels where sizes outside the list are accepted."""
    low, high = model.size_range or (16, 4096)
    return max(low, 2), high


def side_step(model: Model) -> int:
    """Return of which number both sides of a size outside the list are multiples."""
    return model.size_step or 2


def accepts_unlisted(model: Model, width: Any, height: Any) -> bool:
    """Return whether the model takes this pair that its list does not have: sides in bounds, and even or in steps."""
    low, high = side_bounds(model)
    good = (isinstance(side, int) and low <= side <= high and side % side_step(model) == 0 for side in (width, height))
    return model.size_any and all(good)


def listed(model: Model, width: Any, height: Any) -> Size | None:
    """Return the entry of the model's list with this width and height; None where the list has none."""
    return next((size for size in model.sizes if (size.width_px, size.height_px) == (width, height)), None)


def most_like_default(model: Model, fitting: Iterable[Size]) -> Size:
    """Return the size that comes closest to the default one: in shape first, then in resolution.

    Where the model has no default size, the shape is 16:9; of two that are equally close, the one listed first.

    Args:
        model: the model whose default counts.
        fitting: one or more sizes that have what was asked for.
    """
    default = listed(model, *model.size_default) if model.size_default else None
    shape = ratio_of(default.aspect_ratio if default else "16:9")
    lines = lines_of(default.resolution) if default else None

    def distance(size: Size) -> tuple[float, float]:
        own = lines_of(size.resolution)
        return _apart(ratio_of(size.aspect_ratio), shape), _apart(own, lines)

    return min(fitting, key=distance)


def lines_of(resolution: Any) -> float | None:
    """Return the number in a resolution: 720 of "720p"; None where it begins with none."""
    found = re.match(r"[1-9]\d{0,5}", str(resolution))
    return float(found[0]) if found else None


def ratio_of(label: Any) -> float | None:
    """Return width by height for a label like "16:9"; None for any other text."""
    found = re.fullmatch(r"([1-9]\d{0,3}):([1-9]\d{0,3})", str(label))
    return int(found[1]) / int(found[2]) if found else None


def _apart(one: float | None, other: float | None) -> float:
    """Return by which factor two numbers differ: 1 for the same one, or where one is not known."""
    return max(one / other, other / one) if one and other else 1.0
