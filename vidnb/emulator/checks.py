"""The services' own validation, from the catalogue's data: wire fields in, vidnb's values and complaints out.

How a complaint is worded on the wire is the business of each service's module; here it is a field and a phrase, such as
`prompt_enhance` and `must be one of: AUTO, ON, OFF`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vidnb.catalog import MEDIA_KINDS, Model, Param, Rule

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
SAYS_NOTHING: tuple[Any, ...] = (None, [], ())


@dataclass(frozen=True)
class Complaint:
    """One thing that the service does not accept."""

    field: str
    kind: str
    """`unknown`, `missing`, `type`, `value`, `size` or `rule`."""
    phrase: str
    expected: str = ""
    """For `type`: text, integer, number, boolean or list."""


@dataclass(frozen=True)
class Checked:
    """A request's values under vidnb's names, and what is wrong with it."""

    values: Mapping[str, Any]
    complaints: tuple[Complaint, ...]


def wire_name(param: Param) -> str:
    """The last part of a param's wire name: `start_frame` for `guidances.start_frame`."""
    return (param.wire or param.name).rsplit(".", 1)[-1]


def check(
    model: Model, mode: str, fields: Mapping[str, Any], media: Mapping[str, list[Any]], *, strict_sizes: bool = False
) -> Checked:
    """The values of a request and every complaint about it.

    Args:
        model: whose limits hold.
        mode: `text` or `image`.
        fields: plain wire fields, inputs excepted; null means absent.
        media: inputs by vidnb's name, as many as were given.
        strict_sizes: only listed sizes, also where an older page allowed any.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    taken = [param for param in model.params.values() if param.wire and model.accepts(param.name, mode)]
    known = {wire_name(param): param for param in taken if param.kind not in MEDIA_KINDS}
    complaints = list(_unknown(model, known, given))
    values: dict[str, Any] = {}
    for name, param in known.items():
        if name in given:
            found = list(_wrong(param, name, given[name]))
            complaints += found
            if not found:
                values[param.name] = _canonical(param, given[name], model)
    complaints += _sizes(model, given, values, strict=strict_sizes)
    complaints += _missing(model, mode, given, media)
    if not complaints:
        complaints += _rules(model, mode, values, media)
    return Checked(values, tuple(complaints))


def _unknown(model: Model, known: Mapping[str, Param], given: Mapping[str, Any]) -> Iterator[Complaint]:
    for name, value in given.items():
        if name in known:
            continue
        if name not in model.other_fields:
            yield Complaint(name, "unknown", "should not exist")
        elif model.other_fields[name] and value not in model.other_fields[name]:
            yield Complaint(name, "value", _one_of(model.other_fields[name]))


def _missing(model: Model, mode: str, given: Mapping[str, Any], media: Mapping[str, list[Any]]) -> Iterator[Complaint]:
    for param in model.params.values():
        there = media.get(param.name) if param.kind in MEDIA_KINDS else wire_name(param) in given
        if param.required and param.wire and model.accepts(param.name, mode) and not there:
            yield Complaint(wire_name(param), "missing", "is required")
        limit = 1 if param.kind == "image" else param.max_items
        if param.kind in MEDIA_KINDS and limit and len(media.get(param.name, ())) > limit:
            yield Complaint(wire_name(param), "value", f"must contain no more than {limit} elements")
    for name in media:
        if not model.accepts(name, mode):
            yield Complaint(name, "unknown", "should not exist")


# One value


def _wrong(param: Param, name: str, value: Any) -> Iterator[Complaint]:
    """What is wrong with one value, the first thing only."""
    if param.kind == "choices" and not param.names:
        if not isinstance(value, list):
            yield Complaint(name, "type", "must be an array", "list")
        elif wrong := [one for one in value if one not in (param.wire_values or param.choices)]:
            yield Complaint(name, "value", f"each value {_one_of(param.wire_values or param.choices)}, not {wrong[0]}")
    elif param.names or param.kind in ("choices", "elements"):
        phrase = _references(param, value)
        if phrase:
            yield Complaint(name, "type" if phrase.startswith("must be an array") else "value", phrase, "list")
    elif param.choices:
        allowed = param.wire_values or param.choices
        if not any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in allowed):
            boolean = set(allowed) <= {True, False}
            yield Complaint(name, "type" if boolean else "value", _one_of(allowed), "boolean" if boolean else "")
    elif not _TYPES[param.kind](value) or (param.integer and not float(value).is_integer()):
        kind = "integer" if param.integer else param.kind
        yield Complaint(name, "type", f"must be {_ARTICLES[kind]}", kind)
    elif phrase := _out_of_bounds(param, value):
        yield Complaint(name, "value", phrase)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": _number,
    "boolean": lambda value: isinstance(value, bool),
    "choice": lambda value: isinstance(value, (str, int, float)),
}
_ARTICLES = {
    "text": "a string",
    "integer": "an integer number",
    "number": "a number",
    "boolean": "a boolean value",
    "choice": "a string",
}


def _out_of_bounds(param: Param, value: Any) -> str:
    if isinstance(value, str):
        if param.max_length is not None and len(value) > param.max_length:
            return f"must be shorter than or equal to {param.max_length} characters"
        short = param.min_length or (1 if param.required else 0)
        return f"must be longer than or equal to {short} characters" if len(value) < short else ""
    if isinstance(value, bool):
        return ""
    if param.min is not None and value < param.min:
        return f"must not be less than {param.min:g}"
    if param.max is not None and value > param.max:
        return f"must not be greater than {param.max:.15g}"
    if not param.on_step(value):
        return f"must be {param.bounds}"
    return ""


def _references(param: Param, value: Any) -> str:
    """What is wrong with a list of ids: styles are bare UUIDs, elements and controls carry a weight."""
    if not isinstance(value, list):
        return "must be an array"
    limit = 1 if param.kind == "choice" else param.max_items
    if limit and len(value) > limit:
        return f"must contain no more than {limit} elements"
    for item in value:
        identifier = item if param.kind == "choices" else item.get("akUUID") if isinstance(item, dict) else None
        if not isinstance(identifier, str) or not UUID.fullmatch(identifier):
            return "each value must be a UUID" if param.kind == "choices" else "each value must have an akUUID"
        weight = item.get("weight", 1) if isinstance(item, dict) else 1
        if not _number(weight) or not -2 <= weight <= 2:
            return "weight must not be less than -2 and not be greater than 2"
    return ""


def _one_of(values: Any) -> str:
    return "must be one of: " + ", ".join(_plain_text(value) for value in values)


def _plain_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _canonical(param: Param, value: Any, model: Model) -> Any:
    if param.kind == "choice" and param.names:
        return _readable(model, param.names, value[0]["akUUID"]) if value else None
    if param.kind == "choices" and param.names:
        return [_readable(model, param.names, item) for item in value]
    return param.from_wire(value)


def _readable(model: Model, table: str, identifier: str) -> str:
    """The name behind a UUID, or the UUID."""
    for names in (model.names, model.older_names):
        for name, known in names.get(table, {}).items():
            if known.lower() == identifier.lower():
                return name
    return identifier


# Sizes and rules


def _sizes(model: Model, given: Mapping[str, Any], values: dict[str, Any], *, strict: bool) -> Iterator[Complaint]:
    """Complaints about width and height; a legal pair adds its resolution and aspect ratio to the values."""
    width, height = values.get("width_px"), values.get("height_px")
    if not isinstance(width, int) or not isinstance(height, int):
        if (width is None) != (height is None) and model.sizes:
            lacking = "height" if height is None else "width"
            yield Complaint(lacking, "size", "must be sent together with the other dimension")
        return
    if (width, height) == (0, 0):
        if not model.size_auto and not model.size_any:
            yield Complaint("width", "size", _pairs(model))
        return
    listed = next((size for size in model.sizes if (size.width_px, size.height_px) == (width, height)), None)
    if listed:
        said = given.get("mode", values.get("resolution"))
        # `mode` is deprecated, but one that comes has to fit: RESOLUTION_720 for 720p.
        if said and re.findall(r"\d+", str(said)) not in ([], re.findall(r"\d+", listed.resolution)):
            yield Complaint("mode" if "mode" in given else "resolution", "size", f"does not match {width}x{height}")
        values.update(resolution=listed.resolution, aspect_ratio=listed.aspect_ratio)
    elif (strict or not model.size_any) and (model.sizes or model.size_range) and not _in_range(model, width, height):
        yield Complaint("width", "size", _pairs(model))


def _in_range(model: Model, width: int, height: int) -> bool:
    if model.size_range is None:
        return False
    low, high = model.size_range
    step = model.size_step or 1
    return width % step == height % step == 0 and low <= width <= high and low <= height <= high


def _pairs(model: Model) -> str:
    pairs = [f"{size.width_px}x{size.height_px}" for size in model.sizes] + ["0x0"] * model.size_auto
    return f"and height must be one of: {', '.join(pairs)}" if pairs else "is out of range"


def _rules(model: Model, mode: str, values: Mapping[str, Any], media: Mapping[str, list[Any]]) -> Iterator[Complaint]:
    there = {**values, **media}
    assumed = {p.name: p.service_default for p in model.params.values() if p.service_default is not None}
    for rule in model.rules:
        # What the service assumes counts for `when`; `given` asks for what was really sent.
        sent = all(there.get(name) not in SAYS_NOTHING for name in rule.given)
        if sent and rule.holds({**assumed, **there}, mode):
            yield from _broken(model, rule, there)


def _broken(model: Model, rule: Rule, there: Mapping[str, Any]) -> Iterator[Complaint]:
    def field(name: str) -> str:
        return wire_name(model.params[name]) if name in model.params else name

    def given(name: str) -> bool:
        return there.get(name) not in SAYS_NOTHING

    if rule.refuse:
        first = next(iter(rule.when), "prompt")
        why = f": {rule.why}" if rule.why else ""
        yield Complaint(field(first), "rule", f"is not allowed in this combination{why}")
    for name in rule.require:
        if not given(name):
            yield Complaint(field(name), "missing", "is required")
    if rule.require_any and not any(given(name) for name in rule.require_any):
        yield Complaint(field(rule.require_any[0]), "missing", "is required")
    for name in rule.forbid:
        if given(name):
            yield Complaint(field(name), "rule", "should not exist")
    if rule.param and given(rule.param):
        phrase = _narrowed(rule, model.params.get(rule.param), there[rule.param])
        if phrase:
            yield Complaint(field(rule.param), "rule", phrase)


def _narrowed(rule: Rule, param: Param | None, value: Any) -> str:
    def spelled(allowed: tuple[Any, ...]) -> list[Any]:
        return [param.to_wire(one) if param else one for one in allowed]

    if rule.choices and value not in rule.choices:
        return _one_of(spelled(rule.choices))
    if rule.exclude and value in rule.exclude:
        return f"must not be {_plain_text(spelled((value,))[0])}"
    if rule.max_items is not None and isinstance(value, list) and len(value) > rule.max_items:
        return f"must contain no more than {rule.max_items} elements"
    if rule.min is not None and _number(value) and value < rule.min:
        return f"must not be less than {rule.min:g}"
    if rule.max is not None and _number(value) and value > rule.max:
        return f"must not be greater than {rule.max:g}"
    return ""
