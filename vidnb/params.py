"""Validation of a request before anything is sent, and the recipe that identifies it.

`validate` takes what a person typed and a catalogue entry, and gives back a `Request`: canonical params, input media
and what was dropped. All problems are reported at once. A pydantic model made from the entry (`fields_of`) checks each
value by itself; sizes and the entry's rules are checked across values.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
import math
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from vidnb import catalog
from vidnb.catalog import MEDIA_KINDS, Model, Param, Rule, Size
from vidnb.errors import MediaError, OlderFormWarning, ParamsError, Problem
from vidnb.records import MediaFile, RemoteMedia

Media = MediaFile | RemoteMedia
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class Recipe:
    """Model, params and content hashes of the inputs: what makes two requests the same."""

    model: str
    params: Mapping[str, Any]
    images: Mapping[str, Any] = field(default_factory=dict)
    """Param name to a list of `{"sha256", "extension"}`, or `{"provider", "id", "kind"}` for remote inputs."""

    def canonical(self) -> str:
        """The recipe as canonical JSON: the same text for the same recipe, whatever the order of its keys."""
        parts = {"model": self.model, "params": dict(self.params), "images": dict(self.images)}
        return json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    @functools.cached_property
    def recipe_hash(self) -> str:
        """SHA-256 of the canonical JSON, in hex."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


@dataclass(frozen=True)
class Request:
    """A validated request: nothing in it can be refused for a reason that the catalogue knows."""

    model: Model
    params: Mapping[str, Any]
    media: Mapping[str, list[Media]] = field(default_factory=dict)
    dropped: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mode(self) -> str:
        """`text` or `image`: which of the model's contracts the values ask for."""
        return self.model.mode_of(self.media_or_none())

    def media_or_none(self) -> dict[str, Any]:
        """The media by name, for questions about their presence."""
        return {name: files or None for name, files in self.media.items()}

    @functools.cached_property
    def recipe(self) -> Recipe:
        """What identifies this request."""
        images = {name: [_identity(item) for item in items] for name, items in self.media.items()}
        return Recipe(self.model.id, dict(self.params), images)


def validate(model: Model, values: Mapping[str, Any], *, unsupported: Literal["error", "drop"] = "error") -> Request:
    """The request for these values, in canonical form.

    Args:
        model: the catalogue entry.
        values: params under vidnb's names; None means "not given". Media may be paths, bytes, PIL images, numpy arrays,
            `MediaFile` or `RemoteMedia` (the client fetches URLs before).
        unsupported: `drop` leaves out params that other models have and this one lacks, and lists them in `dropped`.

    Returns:
        A request whose `params` hold the canonical values with vidnb's defaults filled in.

    Raises:
        ParamsError: with every problem of the request.
    """
    given = {name: value for name, value in values.items() if value is not None}
    problems: list[Problem] = []
    unknown = {name: value for name, value in given.items() if name not in model.params}
    dropped = {}
    for name, value in unknown.items():
        if unsupported == "drop" and catalog.load().having(name):
            dropped[name] = _shown(value)
        else:
            problems.append(_unknown(model, name, value))
    media = _media(model, given, problems)
    plain = {name: value for name, value in given.items() if name not in unknown and name not in media}
    mode = model.mode_of(media)
    checked = _checked(model, plain, problems)
    _wrong_mode(model, mode, {**checked, **media}, problems)
    _fill_defaults(model, mode, checked)
    _resolve_size(model, given, checked, problems)
    _missing(model, mode, {**checked, **media}, given, problems)
    for rule in model.rules:
        if rule.holds({**checked, **media}, mode):
            problems += _broken(rule, {**checked, **media}, model)
    if problems:
        raise ParamsError(model.id, problems)
    return Request(model, _ordered(model, checked), {name: items for name, items in media.items() if items}, dropped)


@functools.cache
def _fields_of(model_id: str) -> type[BaseModel]:
    return fields_of(catalog.find(model_id))


def fields_of(model: Model) -> type[BaseModel]:
    """A pydantic model with an optional field for each param that is not media: types, bounds and help of the entry."""
    made: dict[str, Any] = {
        name: (_annotation(param, model) | None, Field(default=None, description=param.help or None))
        for name, param in model.params.items()
        if param.kind not in MEDIA_KINDS
    }
    config = ConfigDict(extra="forbid", title=model.id)
    return create_model(re.sub(r"\W", "_", model.id), __config__=config, **made)


def _annotation(param: Param, model: Model) -> Any:
    """The type of one field, with its bounds."""
    if param.kind == "text":
        return Annotated[str, Field(min_length=param.min_length, max_length=param.max_length)]
    if param.kind in ("integer", "number"):
        whole = param.kind == "integer" or param.integer
        bounds = [Field(ge=param.min, le=param.max)] if param.min is not None or param.max is not None else []
        listed = [AfterValidator(_one_of(param, model))] if param.choices else []
        return Annotated[(int if whole else float, BeforeValidator(_number), *bounds, AfterValidator(_whole), *listed)]  # type: ignore[return-value]
    if param.kind == "boolean":
        return Annotated[bool, BeforeValidator(_boolean)]
    if param.kind == "choice":
        return Annotated[Any, AfterValidator(_one_of(param, model))]
    if param.kind == "choices":
        return Annotated[list[Annotated[Any, AfterValidator(_one_of(param, model))]], BeforeValidator(_listed)]
    if param.kind == "elements":
        return Annotated[list[Annotated[dict[str, Any], BeforeValidator(_element)]], BeforeValidator(_listed)]
    raise ValueError(f"{model.id}: no type for a param of kind {param.kind!r}")


def _number(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("not a number")
    return value


def _whole(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value


def _boolean(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    if not isinstance(value, bool):
        raise ValueError("not true or false")
    return value


def _listed(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str | Mapping):
        return [value]
    raise ValueError("not a list")


def _element(value: Any) -> Any:
    """An element as `{"id", "weight"}`; a bare id weighs 1."""
    if not isinstance(value, str | Mapping):
        raise ValueError("an element is an id, or a table with its id and weight")
    item = {"id": value} if isinstance(value, str) else {**value}
    if "akUUID" in item:
        item["id"] = item.pop("akUUID")
    weight = item.get("weight", 1)
    if set(item) - {"id", "weight"} or not isinstance(item.get("id"), str) or not _UUID.fullmatch(item["id"]):
        raise ValueError('an element is {"id": <uuid>, "weight": <-2 to 2>}')
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not -2 <= weight <= 2:
        raise ValueError("the weight of an element lies between -2 and 2")
    return {"id": item["id"].lower(), "weight": _whole(weight)}


def _one_of(param: Param, model: Model) -> Callable[[Any], Any]:
    """A check that gives back the listed spelling of a choice: of another case, of 720, of true, of a UUID."""
    older = model.older_names.get(param.names or "", {})
    table = model.names.get(param.names or "", {})
    by_key: dict[str, Any] = {}
    for choice, wire in zip(param.choices, param.wire_values or param.choices, strict=True):
        by_key[_key(wire)] = choice
    for name, uuid in {**older, **table}.items():
        by_key[_key(uuid)] = name
        by_key[_key(name)] = name
    for choice in param.choices:
        by_key[_key(choice)] = choice
    if set(param.choices) & {"on", "off"}:
        by_key |= {_key(True): "on", _key(False): "off"}

    def check(value: Any) -> Any:
        value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
        for key in (_key(value), f"{_key(value)}p", f"resolution_{_key(value)}".removesuffix("p")):
            if key in by_key:
                return by_key[key]
        if param.names and isinstance(value, str) and _UUID.fullmatch(value):
            return value.lower()  # a new entry of the vendor's list that the catalogue does not have yet
        raise ValueError("not one of the choices")

    return check


def _key(value: Any) -> str:
    if isinstance(value, bool):
        return f"bool:{value}"
    number = _whole(value) if isinstance(value, int | float) else value
    return str(number).strip().casefold()


def _checked(model: Model, values: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """The valid ones of the values, in canonical form; what is wrong goes to `problems`."""
    schema = (
        fields_of(model)
        if model.id not in catalog.load() or catalog.load()[model.id] is not model
        else _fields_of(model.id)
    )
    try:
        found = schema.model_validate(dict(values))
        bad: set[str] = set()
    except ValidationError as error:
        bad = {str(item["loc"][0]) for item in error.errors()}
        problems += [_refused(model.params[name], values[name], error) for name in values if name in bad]
        found = schema.model_validate({name: value for name, value in values.items() if name not in bad})
    result = {name: getattr(found, name) for name in values if name not in bad}
    for name, value in result.items():
        _tell_older(model, model.params[name], value)
    return result


def _refused(param: Param, value: Any, error: ValidationError) -> Problem:
    """The problem behind a pydantic error, in the catalogue's words."""
    details = [item for item in error.errors() if item["loc"][0] == param.name]
    advice = ""
    if param.kind == "text" and isinstance(value, str):
        advice = f"this has {len(value)} characters"
    elif param.choices:
        close = difflib.get_close_matches(str(value), [str(choice) for choice in param.choices], n=1)
        advice = f"did you mean {close[0]!r}?" if close else ""
    elif details and details[0]["type"] == "value_error" and param.kind == "elements":
        advice = details[0]["msg"].removeprefix("Value error, ")
    whole = param.kind == "integer" or param.integer
    kind = "a whole number, " if whole else "a number, " if param.kind == "number" else ""
    bounds = (
        param.bounds
        if param.bounds.startswith(("a ", "one of", "at most", "any of", "true", "text"))
        else kind + param.bounds
    )
    return Problem(param.name, value, f"allowed: {bounds}", advice)


def _unknown(model: Model, name: str, value: Any) -> Problem:
    close = difflib.get_close_matches(name, model.params, n=1, cutoff=0.7)
    others = catalog.load().having(name)
    if close:
        advice = f"did you mean {close[0]!r}?"
    elif others:
        advice = f"models that have it: {', '.join(others[:6])}{' ...' if len(others) > 6 else ''}"
    else:
        advice = f"it takes {', '.join(model.params)}"
    return Problem(name, _shown(value), "this model does not have this param", advice)


def _wrong_mode(model: Model, mode: str, values: Mapping[str, Any], problems: list[Problem]) -> None:
    for name in list(values):
        if name in model.params and not model.takes(name, mode):
            only = "a start_image" if "image" in model.params[name].modes else "no start_image"
            problems.append(Problem(name, _shown(values[name]), f"this model takes it only with {only}"))


def _fill_defaults(model: Model, mode: str, values: dict[str, Any]) -> None:
    for name, param in model.params.items():
        if param.default is not None and name not in values and model.takes(name, mode):
            values[name] = list(param.default) if isinstance(param.default, tuple) else param.default


def _missing(
    model: Model, mode: str, values: Mapping[str, Any], given: Mapping[str, Any], problems: list[Problem]
) -> None:
    for name, param in model.params.items():
        absent = values.get(name) in (None, "", [], ())
        if param.required and absent and model.takes(name, mode) and not any(p.field == name for p in problems):
            what = param.bounds if param.kind not in MEDIA_KINDS else "an image: path, URL, bytes, PIL image or array"
            problems.append(Problem(name, given.get(name), f"required by this model: {what}"))


def _broken(rule: Rule, values: Mapping[str, Any], model: Model) -> list[Problem]:
    """What this rule finds wrong; it is known to hold."""
    why = rule.why or _condition(rule)
    there = {name for name, value in values.items() if value not in (None, [], ())}
    found = [Problem(name, None, f"required {why}") for name in rule.require if name not in there]
    if rule.require_any and not there & set(rule.require_any):
        found.append(Problem(" or ".join(rule.require_any), None, f"one of them is required {why}"))
    found += [Problem(name, _shown(values[name]), f"not allowed {why}") for name in rule.forbid if name in there]
    if rule.refuse:
        found.append(
            Problem(" with ".join(rule.when), tuple(values.get(name) for name in rule.when), "not allowed", why)
        )
    if rule.param is None or rule.param not in there:
        return found
    value = values[rule.param]
    if rule.choices and value not in rule.choices:
        found.append(Problem(rule.param, value, f"allowed: one of {', '.join(map(str, rule.choices))} {why}"))
    if value in rule.exclude:
        found.append(Problem(rule.param, value, f"not allowed {why}"))
    if (rule.min is not None and value < rule.min) or (rule.max is not None and value > rule.max):
        found.append(Problem(rule.param, value, f"allowed: {rule.min} to {rule.max} {why}"))
    if rule.max_items is not None and len(value) > rule.max_items:
        found.append(Problem(rule.param, f"{len(value)} items", f"allowed: at most {rule.max_items} {why}"))
    return found


def _condition(rule: Rule) -> str:
    parts = [f"{name}={'/'.join(map(str, allowed))}" for name, allowed in rule.when.items()]
    return "with " + " and ".join([*parts, *rule.given]) if parts or rule.given else ""


def _resolve_size(model: Model, given: Mapping[str, Any], values: dict[str, Any], problems: list[Problem]) -> None:
    """Fill in resolution, aspect_ratio, width_px and height_px from one another, for models that list legal pairs."""
    if "width_px" not in model.params or any(problem.field in catalog.SIZE_PARAMS for problem in problems):
        return
    width, height = values.get("width_px"), values.get("height_px")
    if (width is None) != (height is None):
        missing = "height_px" if height is None else "width_px"
        problems.append(Problem(missing, None, "width_px and height_px go together", _offer(model)))
    elif width is not None:
        _check_pair(model, given, values, problems)
    elif given.get("resolution") is None and given.get("aspect_ratio") is None:
        if model.size_default:
            values |= _labelled(model, *model.size_default)
    elif values.get("aspect_ratio") == "auto":
        values |= {"width_px": 0, "height_px": 0}
    elif model.sizes:
        _pick_pair(model, given, values, problems)


def _check_pair(model: Model, given: Mapping[str, Any], values: dict[str, Any], problems: list[Problem]) -> None:
    width, height = values["width_px"], values["height_px"]
    listed = _labelled(model, width, height)
    if (width, height) == (0, 0) and model.size_auto:
        values["aspect_ratio"] = "auto"
        return
    if "resolution" not in listed and not _beyond_list(model, width, height):
        problems.append(
            Problem(
                "width_px, height_px", f"{width}x{height}", f"allowed: {_offer(model)}", _nearest(model, width, height)
            )
        )
        return
    if "resolution" not in listed and model.sizes:
        _warn(f"{model.id}: {width}x{height} is not among the sizes listed now ({_offer(model)}). {model.size_note}")
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
    values |= _labelled(model, *_closest_to_default(model, fitting))


def _closest_to_default(model: Model, sizes: Iterable[Size]) -> tuple[int, int]:
    """The pair that keeps what was not asked for as the default size has it (first one listed where there is none)."""
    default = model.size_default and _labelled(model, *model.size_default)
    kept = [s for s in sizes if default and default.get("aspect_ratio") == s.aspect_ratio] or list(sizes)
    same = [s for s in kept if default and default.get("resolution") == s.resolution] or kept
    return same[0].width_px, same[0].height_px


def _labelled(model: Model, width: int, height: int) -> dict[str, Any]:
    for size in model.sizes:
        if (size.width_px, size.height_px) == (width, height):
            both = {"resolution": size.resolution, "aspect_ratio": size.aspect_ratio}
            return {"width_px": width, "height_px": height, **both}
    return {"width_px": width, "height_px": height}


def _beyond_list(model: Model, width: int, height: int) -> bool:
    """True where the model takes a pair that is not listed."""
    if not model.size_any or width <= 0 or height <= 0:
        return False
    low, high = model.size_range or (16, 4096)
    return all(low <= side <= high and side % 2 == 0 for side in (width, height))


def _offer(model: Model) -> str:
    pairs = [f"{size.width_px}x{size.height_px}" for size in model.sizes] + (["0x0 (auto)"] if model.size_auto else [])
    return ", ".join(pairs) or "any even width and height"


def _nearest(model: Model, width: int, height: int) -> str:
    if not model.sizes or width <= 0 or height <= 0:
        return ""
    best = min(model.sizes, key=lambda s: abs(s.width_px - width) + abs(s.height_px - height))
    return f"the nearest is {best.width_px}x{best.height_px}"


def _media(model: Model, given: Mapping[str, Any], problems: list[Problem]) -> dict[str, list[Media]]:
    """The input files by param name, read and checked against the model's limits."""
    found: dict[str, list[Media]] = {}
    for name, param in model.params.items():
        if param.kind not in MEDIA_KINDS or name not in given:
            continue
        value = given[name]
        items = list(value) if isinstance(value, list | tuple) else [value]
        limit = 1 if param.kind == "image" else param.max_items
        if limit is not None and len(items) > limit:
            problems.append(Problem(name, f"{len(items)} items", f"allowed: at most {limit}"))
        found[name] = [file for item in items if (file := _file(model, param, item, problems)) is not None]
    return found


def _file(model: Model, param: Param, item: Any, problems: list[Problem]) -> Media | None:
    from vidnb import media

    if isinstance(item, RemoteMedia):
        if item.provider != model.provider:
            problems.append(Problem(param.name, item, f"this input lies at {item.provider}, not at {model.provider}"))
        return item
    try:
        read = media.image_file if param.kind in ("image", "images") else media.media_file
        file: MediaFile = item if isinstance(item, MediaFile) else read(item)
    except (MediaError, OSError) as error:
        problems.append(Problem(param.name, _shown(item), str(error)))
        return None
    problems += _limits(model, param, file)
    return file


def _limits(model: Model, param: Param, file: MediaFile) -> list[Problem]:
    """What the model's page says of input images."""
    limits, size = model.image_limits, len(file.content)
    if not limits or param.kind not in ("image", "images"):
        return []
    found = []
    if "types" in limits and file.extension not in limits["types"]:
        found.append(
            Problem(param.name, file.extension, f"allowed types: {', '.join(limits['types'])}", "convert it first")
        )
    if size > limits.get("max_bytes", size):
        found.append(
            Problem(param.name, f"{size:,} bytes", f"allowed: at most {limits['max_bytes']:,} bytes", "make it smaller")
        )
    if file.width_px and file.height_px:
        low, high = limits.get("min_side_px", 1), limits.get("max_side_px", 10**6)
        shape = f"{file.width_px}x{file.height_px}"
        if not (low <= min(file.width_px, file.height_px) and max(file.width_px, file.height_px) <= high):
            found.append(Problem(param.name, shape, f"allowed: sides of {low} to {high} pixels", "resize it"))
        ratio = file.width_px / file.height_px
        if not limits.get("min_aspect", 0) <= ratio <= limits.get("max_aspect", 10**6):
            found.append(
                Problem(
                    param.name,
                    shape,
                    f"allowed: width/height of {limits['min_aspect']} to {limits['max_aspect']}",
                    "crop it",
                )
            )
    return found


def _identity(item: Media) -> dict[str, str]:
    if isinstance(item, RemoteMedia):
        return {"provider": item.provider, "id": item.id, "kind": item.kind}
    return {"sha256": item.sha256, "extension": item.extension}


def _ordered(model: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in model.params if name in values and values[name] is not None}


def _tell_older(model: Model, param: Param, value: Any) -> None:
    older = model.older_names.get(param.names or "", {})
    names = [
        name for name in (value if isinstance(value, list) else [value]) if isinstance(name, str) and name in older
    ]
    if names:
        _warn(f"{model.id}: {', '.join(names)} is no longer in the vendor's list of {param.name}; it may be refused.")
    if param.older:
        _warn(f"{model.id}: {param.name} has the form of an older vendor page. {param.note}")


def _warn(message: str) -> None:
    warnings.warn(message, OlderFormWarning, stacklevel=2)


def _shown(value: Any) -> Any:
    """A value short enough, and safe enough, for a message or a row."""
    if isinstance(value, str | int | float | bool | None):
        return value
    return f"<{type(value).__name__}>" if not isinstance(value, list | tuple) else [_shown(item) for item in value]
