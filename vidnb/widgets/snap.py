"""A change of model: values that the new model does not take move to the nearest ones that it takes.

The form keeps what a person wished; here is how a wish is changed, and the words for that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from vidnb.catalog import Model, Param, Size, sizes
from vidnb.widgets.fields import UNITS
from vidnb.widgets.page_values import canonical_size

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
Snapped = tuple[dict[str, Any], str]
"""The values to use, and what to say of the change; "" for none."""


def snap(model: Model, wish: Mapping[str, Any]) -> Snapped:
    """What a field's wish becomes in this model. A wish holds one param, or all that say a size."""
    own = {name: value for name, value in wish.items() if name in model.params}
    if len(wish) > 1 or not wish.keys().isdisjoint(("resolution", "aspect_ratio", "width_px", "height_px")):
        return _snap_size(model, wish)
    if not own:
        return {}, ""
    ((name, value),) = own.items()
    param = model.params[name]
    nearest = _nearest(param, model, value)
    if nearest is value:
        return own, ""
    if nearest is None:
        return {}, f"{value_in_words(param, value)} → {value_in_words(param, param.default)}: {offer(param)}"
    return {name: nearest}, f"{value_in_words(param, value)} → {value_in_words(param, nearest)}: {offer(param)}"


def _nearest(param: Param, model: Model, value: Any) -> Any:
    """The value itself where it may stand (what only validation can tell is let through); None for the default."""
    if param.kind == "choices" and isinstance(value, list | tuple):
        kept = [item for item in value if _listed(param, model, item)]
        return value if len(kept) == len(value) else kept or None
    if _is_number(value) and param.kind in ("integer", "number"):
        return _nearest_number(param, value)
    if param.choices and not _listed(param, model, value):
        return None
    return value


def _nearest_number(param: Param, value: Any) -> Any:
    if param.choices:
        return value if value in param.choices else min(param.choices, key=lambda choice: abs(choice - value))
    low, high = param.min, param.max
    if low is not None and value < low:
        return _tidy(low)
    if high is not None and value > high:
        return _tidy(high)
    return value if param.on_step(value) else param.nearest_step(value)


def _listed(param: Param, model: Model, value: Any) -> bool:
    names = {**model.names.get(param.names or "", {}), **model.older_names.get(param.names or "", {})}
    return value in param.choices or value in names or bool(param.names and _UUID.fullmatch(str(value)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def value_in_words(param: Param, value: Any) -> str:
    """A value in words: "8 s", "on", "none"."""
    if value is None:
        return "the default"
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value) or "none"
    shown = {True: "on", False: "off"}[value] if isinstance(value, bool) else str(_tidy(value))
    return f"{shown} {UNITS.get(param.name, '')}".strip()


def offer(param: Param) -> str:
    """What a model has: "this model has 5 or 10", "this model has 3 to 15"."""
    if param.names and param.choices:
        return "this model has no such name"
    if param.choices:
        shown = [str(choice) for choice in param.choices]
        listed = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"
        return f"this model has {listed}"
    return f"this model has {param.bounds}"


def _snap_size(model: Model, wish: Mapping[str, Any]) -> Snapped:
    own = {name: value for name, value in wish.items() if name in model.params}
    if not model.sizes and "width_px" not in model.params:
        return _snap_parts(model, own)
    if wish.get("aspect_ratio") == "auto" and model.size_auto:
        resolution = model.params["resolution"]
        kept = wish.get("resolution") if resolution.wire and wish.get("resolution") in resolution.choices else None
        return {"aspect_ratio": "auto"} | ({"resolution": kept} if kept else {}), ""
    fitting = canonical_size(model, own)
    if any(_fits(size, own) for size in model.sizes) or sizes.accepts_unlisted(model, *_pair(own)):
        return fitting, ""
    lines, ratio = _lines(wish), _ratio(wish)
    if not model.sizes or (lines is None and ratio is None):
        return {}, f"{_said_size(wish)} → the default: this model has no such size" if own else ""
    best = min(model.sizes, key=lambda size: _distance(size, lines, ratio))
    new = canonical_size(model, {"width_px": best.width_px, "height_px": best.height_px})
    return new, f"{_said_size(wish)} → {_said_size(new)}: the nearest that this model has"


def _snap_parts(model: Model, own: Mapping[str, Any]) -> Snapped:
    """Resolution and aspect ratio of a model that takes any pair of them."""
    kept, told = {}, []
    for name, value in own.items():
        param = model.params[name]
        measure = sizes.ratio_of if name == "aspect_ratio" else sizes.lines_of
        wanted = measure(value)
        near = [choice for choice in param.choices if measure(choice)]
        if value in param.choices or wanted is None or not near:
            if value in param.choices:
                kept[name] = value
            else:
                told.append(f"{value} → {value_in_words(param, param.default)}")
            continue
        goal = wanted
        kept[name] = min(near, key=lambda choice: abs(math.log(goal / (measure(choice) or goal))))
        told.append(f"{value} → {kept[name]}")
    return kept, f"{', '.join(told)}: the nearest that this model has" if told else ""


def _fits(size: Size, wish: Mapping[str, Any]) -> bool:
    return bool(wish) and all(getattr(size, name) == value for name, value in wish.items())


def _pair(wish: Mapping[str, Any]) -> tuple[Any, Any]:
    return wish.get("width_px"), wish.get("height_px")


def _distance(size: Size, lines: float | None, ratio: float | None) -> tuple[float, float]:
    """How far a size is from a wish: the shape counts first."""
    shape = abs(math.log(size.width_px / size.height_px / ratio)) if ratio else 0.0
    own = sizes.lines_of(size.resolution) or min(size.width_px, size.height_px)
    return round(shape, 1), abs(math.log(own / lines)) if lines else 0.0


def _sides(wish: Mapping[str, Any]) -> list[float]:
    """Width and height, where both say something."""
    sides = _pair(wish)
    return [float(side) for side in sides] if all(_is_number(side) and side > 0 for side in sides) else []


def _lines(wish: Mapping[str, Any]) -> float | None:
    return sizes.lines_of(wish.get("resolution")) or min(_sides(wish), default=None)


def _ratio(wish: Mapping[str, Any]) -> float | None:
    sides = _sides(wish)
    return sides[0] / sides[1] if sides else sizes.ratio_of(wish.get("aspect_ratio"))


def _said_size(size: Mapping[str, Any]) -> str:
    if "width_px" in size and "height_px" in size:
        return f"{size['width_px']} × {size['height_px']}"
    return " ".join(str(value) for value in (size.get("resolution"), size.get("aspect_ratio")) if value) or "the size"


def _tidy(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def same(one: Any, other: Any) -> bool:
    """True where two values are the same; those that cannot be compared are not."""
    if one is other:
        return True
    try:
        return bool(type(one) is type(other) and one == other)
    except Exception:  # noqa: BLE001  arrays, and whatever a program gave
        return False


def same_values(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """True where both name the same params with the same values."""
    return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)


def held(wishes: Iterable[Mapping[str, Any]]) -> list[Any]:
    """All values in these."""
    return [value for wish in wishes for value in wish.values()]
