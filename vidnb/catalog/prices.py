"""What a clip with given values costs by the catalogue: pure arithmetic over `Model.price`, the same for everybody.

A price names its `unit` and the `basis` that its amount is for:

    clip            one finished clip
    5s              5 seconds of it
    second          one second of it
    megapixel       a million pixels, counted over all frames
    1000 tokens     where a second has width x height x 24 / 1024 tokens

`cases` are amounts for certain values: `{when = {audio = [true]}, amount = 0.168}`; the first one that holds counts,
and `amount` beside them is for the rest. Where no case holds and no amount stands beside them, nobody knows the price.

`each` is what one input file costs besides, by param: `each = {start_image = 0.01}`. What a service lists itself may
have two things more: a case for one `mode`, and the `least` that a clip costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from vidnb.catalog.model import Model

TOKEN_FPS = 24
"""Tokens are counted as if a clip had so many frames a second, whatever it has."""
ASSUMED_FPS = 24
BASES = ("clip", "5s", "second", "megapixel", "1000 tokens")


@dataclass(frozen=True)
class Price:
    """What a clip costs, before anybody is asked."""

    amount: float
    unit: str
    scaled: str = ""
    """What the amount was multiplied by, in words: "scaled to 8 s"; "" for a price of one clip."""


def price(
    model: Model, params: Mapping[str, Any], inputs: Mapping[str, int] | None = None,
    listed: Mapping[str, Any] | None = None,
) -> Price | None:  # fmt: skip
    """Return what the catalogue says that a clip costs; None where it says nothing, or too little for these values.

    Args:
        model: the catalogue entry.
        params: values under vidnb's names; what is missing counts as the default.
        inputs: how many files go along, by param.
        listed: the price that holds instead of the catalogue's.
    """
    table, files = model.price if listed is None else listed, inputs or {}
    found = _of_table(model, table, assumed(model, params) | {"mode": _mode(model, files)}) if table else None
    if found is None or not ("each" in table or "least" in table):
        return found
    besides = sum(float(amount) * files.get(name, 0) for name, amount in table.get("each", {}).items())
    return replace(found, amount=max(found.amount + besides, float(table.get("least", 0.0))))


def _mode(model: Model, inputs: Mapping[str, int]) -> str:
    return model.mode_of({name: True for name, count in inputs.items() if count})


def _of_table(model: Model, table: Mapping[str, Any], values: Mapping[str, Any]) -> Price | None:
    amount, basis = _amount(table, values), str(table.get("basis", "clip"))
    size = _pixels(model, values) if basis in ("megapixel", "1000 tokens") else None
    seconds = seconds_of(model, values)
    if amount is None:
        return None
    unit = str(table.get("unit", "CREDITS"))
    if basis == "5s":
        return Price(amount, unit) if seconds is None else Price(amount * seconds / 5, unit, f"scaled to {seconds:g} s")
    if basis == "clip":
        return Price(amount, unit)
    if seconds is None:
        return None
    if basis == "second":
        return Price(amount * seconds, unit, f"{seconds:g} s")
    if size is None:
        return None
    if basis == "megapixel":
        frames = values.get("num_frames") or seconds * float(values.get("fps") or ASSUMED_FPS)
        return Price(amount * size * frames / 1e6, unit, f"{frames:g} frames")
    return Price(amount * size * seconds * TOKEN_FPS / 1024 / 1000, unit, f"{seconds:g} s")


def assumed(model: Model, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with what vidnb or the service takes for those that are not given."""
    usual = {
        name: param.service_default if param.default is None else param.default for name, param in model.params.items()
    }
    return {**usual, **{name: value for name, value in params.items() if value is not None}}


def seconds_of(model: Model, values: Mapping[str, Any]) -> float | None:
    """Return how long the clip will be; None where neither the values nor the catalogue say."""
    if values.get("num_frames") and (fps := model.price.get("counted_fps") or values.get("fps")):
        return float(values["num_frames"]) / float(fps)
    given = values.get("duration_s") or model.fixed_duration_s
    return float(given) if isinstance(given, int | float) and given > 0 else None


def _amount(table: Mapping[str, Any], values: Mapping[str, Any]) -> float | None:
    for case in table.get("cases", ()):
        if all(values.get(name) in allowed for name, allowed in case["when"].items()):
            return float(case["amount"])
    amount = table.get("amount")
    return None if amount is None else float(amount)


def _pixels(model: Model, values: Mapping[str, Any]) -> float | None:
    """Return the pixels of one frame; None where the size is left open."""
    width, height = values.get("width_px"), values.get("height_px")
    if width and height:
        return float(width * height)
    digits = "".join(filter(str.isdigit, str(values.get("resolution") or "")))
    across, _, down = str(values.get("aspect_ratio") or "").partition(":")
    if not digits or not across.isdigit() or not down.isdigit():
        return None
    short, ratio = float(digits), int(across) / int(down)
    return short * short * max(ratio, 1 / ratio)
