"""Between Python values and the JSON that a field of the form's page holds.

Numbers travel as text, so that a seed of any length stays exact and half a number ("0.") is not rounded off under the
typing hand. A value that no control can show travels as `{"odd": text}`: it stays as it is until a person changes it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from vidnb.catalog import MEDIA_KINDS, Model, Param, sizes
from vidnb.params import plain
from vidnb.widgets.fields import labels_of
from vidnb.widgets.inputs import Inputs

LONGEST_ODD = 120
_NO_TEXT = re.compile("[\ud800-\udfff]")


def to_page(model: Model, names: list[str], values: Mapping[str, Any], inputs: Inputs) -> Any:
    """What the page holds for these values of one field; None where nothing is given."""
    if not values:
        return None
    if len(names) > 1 or names[0] in ("resolution", "aspect_ratio", "width_px", "height_px"):
        return {name: _number_text(value) or _text(value) for name, value in values.items()}
    param = model.params[names[0]]
    value = values[param.name]
    if param.kind in MEDIA_KINDS:
        return [inputs.describe(item) for item in (value if isinstance(value, list | tuple) else [value])]
    shown = _SHOWN[param.kind](value)
    return {"odd": _text(repr(value))[:LONGEST_ODD]} if shown is None else shown


def from_page(model: Model, names: list[str], page_json: Any, inputs: Inputs) -> dict[str, Any]:
    """The values that the page's JSON stands for; what it cannot mean is kept as text, for validation to refuse."""
    if page_json is None or page_json == []:
        return {}
    if isinstance(page_json, Mapping) and "odd" not in page_json:
        own = {name: text for name, text in page_json.items() if name in names}
        # Two empty boxes are no size: were they left out, the default would go out unseen.
        typed = {name: text for name, text in own.items() if text != ""} or own
        return {name: _read_size(model, name, text) for name, text in typed.items()}
    param = model.params[names[0]]
    if param.kind in MEDIA_KINDS:
        things = inputs.things(page_json)
        if not things:
            return {}
        return {param.name: things[0] if param.kind == "image" and len(things) == 1 else things}
    if page_json == "" and param.default is None:
        return {}
    return {param.name: _read(param, page_json)}


def _read(param: Param, page_json: Any) -> Any:
    if param.kind == "choices":
        return [_chosen(param, item) for item in page_json]
    if param.kind == "elements":
        return [{"id": item["id"], "weight": number(item["weight"])} for item in page_json]
    if param.choices:
        return _chosen(param, page_json)
    return number(page_json) if param.kind in ("integer", "number") and isinstance(page_json, str) else page_json


def _read_size(model: Model, name: str, text: Any) -> Any:
    return number(text) if name in ("width_px", "height_px") else _chosen(model.params[name], text)


def _chosen(param: Param, text: Any) -> Any:
    return next((choice for choice in param.choices if str(choice) == text), text)


def number(text: str) -> Any:
    """The number that was typed, or the text itself, which validation then refuses in its own words."""
    text = text.strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,400}|[+-]?[0-9]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?", text):
        return text
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return text
    if not math.isfinite(value):
        return text
    return int(value) if value.is_integer() else value


def canonical_size(model: Model, given: Mapping[str, Any]) -> dict[str, Any]:
    """One way to say a size: its two labels where they name a listed pair, "auto", else width and height.

    What fits no legal size comes back as it is, for validation to refuse.
    """
    size = {name: value for name, value in given.items() if value is not None}
    pair = (size.get("width_px"), size.get("height_px"))
    if pair == (0, 0) and model.size_auto and size.get("aspect_ratio", "auto") == "auto":
        size = {"aspect_ratio": "auto"} | ({"resolution": size["resolution"]} if "resolution" in size else {})
    if size.get("aspect_ratio") == "auto":
        known = model.params.get("resolution")  # the recipe has its default, so the form shows it
        return size if known is None or known.default is None else {"resolution": known.default} | size
    if not model.sizes or not size:
        return size
    wanted = {name: str(value) for name, value in size.items()}
    fitting = [s for s in model.sizes if all(str(getattr(s, name)) == value for name, value in wanted.items())]
    if not fitting:
        return size
    best = sizes.most_like_default(model, fitting)
    return labels_of(model, best.width_px, best.height_px) or {"width_px": best.width_px, "height_px": best.height_px}


def _text(value: Any) -> str:
    """The value as text that JSON can carry: half of a surrogate pair has no bytes."""
    return _NO_TEXT.sub("\ufffd", value if isinstance(value, str) else str(value))


def _number_text(value: Any) -> str | None:
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(int(value)) if isinstance(value, int) or value.is_integer() else repr(value)


def _shown_number(value: Any) -> str | None:
    return _text(value) if isinstance(value, str) else _number_text(value)


def _shown_choice(value: Any) -> str | None:
    return _text(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _shown_choices(value: Any) -> list[str] | None:
    items = value if isinstance(value, list | tuple) else [value]
    return [_text(item) for item in items] if all(isinstance(item, str) for item in items) else None


def _shown_elements(value: Any) -> list[dict[str, str]] | None:
    shown = []
    for item in value if isinstance(value, list | tuple) else [value]:
        table = {"id": item} if isinstance(item, str) else item
        if not isinstance(table, Mapping):
            return None
        name, weight = table.get("id", table.get("akUUID", "")), table.get("weight", 1)
        shown.append({"id": _text(name), "weight": _number_text(weight) or _text(weight)})
    return shown


_SHOWN: dict[str, Callable[[Any], Any]] = {
    "text": lambda value: _text(value) if isinstance(value, str) else None,
    "integer": _shown_number,
    "number": _shown_number,
    "boolean": lambda value: value if isinstance(value, bool) else None,
    "choice": _shown_choice,
    "choices": _shown_choices,
    "elements": _shown_elements,
}
"""Param kind to how the page shows a value; None where it cannot."""
