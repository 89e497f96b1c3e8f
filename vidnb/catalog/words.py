"""What the catalogue says, in words for a person: prices, rules, models out of service, models that take a param."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vidnb.catalog.model import Catalogue, Model, Rule
from vidnb.records import dollars

_WORDS = re.compile(r"[a-z]+(_[a-z]+)+")
NAMED = 3
"""How many models are named before the rest is counted."""


def param(name: str) -> str:
    """Return a param's name as it stands in a sentence: "motion strength", "frames a second"."""
    return {
        "duration_s": "duration", "fps": "frames a second", "num_frames": "frames", "width_px": "width",
        "height_px": "height", "audio": "sound", "public": "visibility",
    }.get(name) or name.replace("_", " ")  # fmt: skip


def choice(value: Any) -> str:
    """Return one of a param's choices as a person reads it: "truck left" for "truck_left"; "mm_v15" as it is."""
    text = str(value)
    return text.replace("_", " ") if _WORDS.fullmatch(text) else text


def price_line(table: Mapping[str, Any]) -> str:
    """Return a model's published price: "$0.45 a clip", "$0.112 to $0.196 a second (estimate)"; "" where none is known.

    Args:
        table: `Model.price`.
    """
    cases = table.get("cases", ())
    if table.get("amount") is None and not cases:
        return ""
    amounts = [*([table["amount"]] if table.get("amount") is not None else []), *(case["amount"] for case in cases)]
    unit, basis = str(table.get("unit", "")), str(table.get("basis", "clip"))
    low, high = (_amount(found(amounts), unit) for found in (min, max))
    per = f"for {basis[:-1]} s" if basis[:-1].isdigit() else f"per {basis}" if basis[0].isdigit() else f"a {basis}"
    sure = f" ({table['confidence']})" if table.get("confidence") == "estimate" else ""
    return f"{low if low == high else f'{low} to {high}'} {per}{sure}"


def seconds(model: Model) -> str:
    """Return how long a model's clips are: "5", "5, 10", "2 to 15"; "" where nobody knows."""
    duration = model.params.get("duration_s")
    if duration is None:
        return "" if model.fixed_duration_s is None else f"{model.fixed_duration_s:g}"
    return duration.bounds.removeprefix("one of ")


def resolutions(model: Model) -> list[str]:
    """Return the size classes of a model."""
    resolution = model.params.get("resolution")
    if resolution is not None and resolution.choices:
        return list(map(str, resolution.choices))
    return list(dict.fromkeys(size.resolution for size in model.sizes))


def _amount(amount: float, unit: str) -> str:
    return dollars(amount) if unit == "USD" else f"{amount:,} {unit.lower()}"


def retirement(model: Model) -> str:
    """Return since when a model is out of service, and what to use instead, in one or two sentences."""
    since = f" since {model.retired_on}" if model.retired_on else ""
    instead = f" The vendor names {model.replacement} instead." if model.replacement else ""
    return f"Out of service{since}.{instead}"


def rule(rule: Rule) -> str:
    """Return a rule in one line, with the names that a person types: "with end_image: needs start_image"."""
    then = [
        f"needs {' and '.join(rule.require)}" if rule.require else "",
        f"needs {' or '.join(rule.require_any)}" if rule.require_any else "",
        f"no {' or '.join(rule.forbid)}" if rule.forbid else "",
        f"{rule.param} is {narrowed}" if rule.param and (narrowed := _narrowed(rule)) else "",
        "not allowed" if rule.refuse else "",
    ]
    when = condition(rule)
    why = f" ({rule.why})" if rule.why else ""
    return f"{when + ': ' if when else ''}{', '.join(filter(None, then))}{why}"


def condition(rule: Rule) -> str:
    """Return when a rule holds: "with mode image and end_image"; "" for always."""
    parts = [f"{name} {' or '.join(map(_value, allowed))}" for name, allowed in rule.when.items()]
    return f"with {' and '.join([*parts, *rule.given])}" if parts or rule.given else ""


def _narrowed(rule: Rule) -> str:
    found = [
        f"one of {', '.join(map(_value, rule.choices))}" if rule.choices else "",
        f"not {' or '.join(map(_value, rule.exclude))}" if rule.exclude else "",
        f"at least {rule.min:g}" if rule.min is not None else "",
        f"at most {rule.max:g}" if rule.max is not None else "",
        f"at most {rule.max_items} items" if rule.max_items is not None else "",
    ]
    return ", ".join(filter(None, found))


def accepting(models: Catalogue, name: str, near: Model, most: int = NAMED) -> str:
    """Return the models in service that take a param: "Kling 2.1, Veo 3 and 4 more"; "" where none does.

    Those of the service that `near` is of come first.
    """
    found = sorted(map(models.__getitem__, models.having(name)), key=lambda model: model.provider != near.provider)
    titles = list(dict.fromkeys(model.title for model in found))
    if len(titles) <= most:
        return " and ".join(filter(None, [", ".join(titles[:-1]), *titles[-1:]]))
    return f"{', '.join(titles[:most])} and {len(titles) - most} more"


def lacking(models: Catalogue, model: Model, name: str) -> str:
    """Return that a model takes no such param, and which models do; "" where it takes it."""
    if name in model.params:
        return ""
    found = accepting(models, name, model)
    return f"{model.title} takes no {param(name)}." + (f" These do: {found}." if found else "")


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
