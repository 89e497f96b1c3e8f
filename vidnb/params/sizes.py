"""Sizes: resolution, aspect ratio, width and height, filled in from one another for models that list legal pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidnb import catalog
from vidnb.catalog import Model, sizes
from vidnb.errors import Problem


def resolve_size(
    model: Model, given: Mapping[str, Any], values: dict[str, Any], problems: list[Problem], older: list[str]
) -> None:
    """Fill in resolution, aspect_ratio, width_px and height_px from one another, for models that list legal pairs."""
    if "width_px" not in model.params or any(problem.field in catalog.SIZE_PARAMS for problem in problems):
        return
    width, height = values.get("width_px"), values.get("height_px")
    if (width is None) != (height is None):
        missing = "height_px" if height is None else "width_px"
        problems.append(Problem(missing, None, "width_px and height_px go together", _offer(model)))
    elif width is not None:
        _check_pair(model, given, values, problems, older)
    elif given.get("resolution") is None and given.get("aspect_ratio") is None:
        if model.size_default:
            values |= _labelled(model, *model.size_default)
    elif values.get("aspect_ratio") == "auto":
        values |= {"width_px": 0, "height_px": 0}
    elif model.sizes:
        _pick_pair(model, given, values, problems)


def _check_pair(
    model: Model, given: Mapping[str, Any], values: dict[str, Any], problems: list[Problem], older: list[str]
) -> None:
    width, height = values["width_px"], values["height_px"]
    listed = _labelled(model, width, height)
    if (width, height) == (0, 0) and model.size_auto:
        values["aspect_ratio"] = "auto"
        return
    if "resolution" not in listed and not sizes.accepts_unlisted(model, width, height):
        problems.append(
            Problem(
                "width_px, height_px", f"{width}x{height}", f"allowed: {_offer(model)}", _nearest(model, width, height)
            )
        )
        return
    if "resolution" not in listed and model.sizes and model.size_step is None:
        listed_now = f"is not among the sizes listed now ({_offer(model)}). {model.size_note}"
        older.append(f"{model.id}: {width}x{height} {listed_now}")
    for name in ("resolution", "aspect_ratio"):
        if name in listed and given.get(name) is not None and values.get(name) != listed[name]:
            problems.append(Problem(name, values[name], f"{width}x{height} is {listed[name]}", "leave it out"))
    values |= {name: value for name, value in listed.items() if name in model.params}


def _pick_pair(model: Model, given: Mapping[str, Any], values: dict[str, Any], problems: list[Problem]) -> None:
    wanted = {name: values[name] for name in ("resolution", "aspect_ratio") if given.get(name) is not None}
    fitting = [size for size in model.sizes if all(getattr(size, name) == value for name, value in wanted.items())]
    if not fitting:
        shown = ", ".join(f"{name}={value}" for name, value in wanted.items())
        problems.append(Problem("resolution, aspect_ratio", shown, f"no legal size; allowed: {_offer(model)}"))
        return
    best = sizes.most_like_default(model, fitting)
    values |= _labelled(model, best.width_px, best.height_px)


def _labelled(model: Model, width: int, height: int) -> dict[str, Any]:
    pair = {"width_px": width, "height_px": height}
    size = sizes.listed(model, width, height)
    return pair if size is None else {**pair, "resolution": size.resolution, "aspect_ratio": size.aspect_ratio}


def _offer(model: Model) -> str:
    pairs = [f"{size.width_px}x{size.height_px}" for size in model.sizes] + (["0x0 (auto)"] if model.size_auto else [])
    if model.size_any and model.size_step is not None:
        low, high = sizes.side_bounds(model)
        pairs.append(f"other sides in multiples of {model.size_step} from {low} to {high}")
    return ", ".join(pairs) or "any even width and height"


def _nearest(model: Model, width: int, height: int) -> str:
    if not model.sizes or width <= 0 or height <= 0:
        return ""
    best = min(model.sizes, key=lambda s: abs(s.width_px - width) + abs(s.height_px - height))
    return f"the nearest is {best.width_px}x{best.height_px}"
