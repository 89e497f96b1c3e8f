"""One value at a time: a pydantic class made from a catalogue entry, and what it refuses in the catalogue's words."""

from __future__ import annotations

import difflib
import functools
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from vidnb import catalog
from vidnb.catalog import MEDIA_KINDS, Model, Param
from vidnb.errors import Problem

FILLERS = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters of no ink, which Unicode counts as letters: of Hangul and Braille."""
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
SEVERAL = ("choices", "elements")
"""Kinds of params that take a list."""
MOST = 1e300
"""No number of any service comes near it, and a larger whole number cannot be held against a limit that is a float."""


def checked(model: Model, values: Mapping[str, Any], problems: list[Problem], older: list[str]) -> dict[str, Any]:
    """The valid ones of the values, in canonical form; what is wrong goes to `problems`, an older form to `older`."""
    schema = _fields_of(model.id) if catalog.load().get(model.id) is model else fields_of(model)
    try:
        found = schema.model_validate(dict(values))
        bad: set[str] = set()
    except ValidationError as error:
        bad = {str(item["loc"][0]) for item in error.errors()}
        problems += [_refused(model.params[name], values[name], error) for name in values if name in bad]
        found = schema.model_validate({name: value for name, value in values.items() if name not in bad})
    result = {name: getattr(found, name) for name in values if name not in bad}
    for name, value in result.items():
        older += _older_form(model, model.params[name], value)
    return result


def fields_of(model: Model) -> type[BaseModel]:
    """A pydantic class with an optional field for each param that is not media: types, bounds and help of the entry."""
    made: dict[str, Any] = {
        name: (_annotation(param, model) | None, Field(default=None, description=param.help or None))
        for name, param in model.params.items()
        if param.kind not in MEDIA_KINDS
    }
    config = ConfigDict(extra="forbid", title=model.id)
    return create_model(re.sub(r"\W", "_", model.id), __config__=config, **made)


@functools.cache
def _fields_of(model_id: str) -> type[BaseModel]:
    """The same for an entry of the catalogue, made once."""
    return fields_of(catalog.find(model_id))


def _annotation(param: Param, model: Model) -> Any:
    """The type of one field, with its bounds."""
    if param.kind == "text":
        return Annotated[str, BeforeValidator(_text), Field(min_length=param.min_length, max_length=param.max_length)]
    if param.kind in ("integer", "number"):
        whole = param.kind == "integer" or param.integer
        bounds = [Field(ge=param.min, le=param.max)] if param.min is not None or param.max is not None else []
        listed = [AfterValidator(_one_of(param, model))] if param.choices else []
        listed += [AfterValidator(_on_step(param))] if param.step else []
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


def is_given(value: Any) -> bool:
    """False for None, for a text of nothing but blanks, and for an empty cell of a data frame: NaN, NA or NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return False
    if isinstance(value, str):
        return not value or any(map(_is_seen, value))
    value = plain(value)
    return not (isinstance(value, float) and math.isnan(value))


def _is_seen(letter: str) -> bool:
    """False for spaces, for marks that change another letter, and for letters that only fill a place."""
    category = unicodedata.category(letter)
    if category == "Cs":  # half an emoji: `_text` joins two, and says so of one
        return True
    is_mark = category in ("Mn", "Me")
    return letter.isprintable() and not letter.isspace() and letter not in FILLERS and not is_mark


def plain(value: Any) -> Any:
    """The Python value of a numpy scalar; anything else as it is."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value


def _text(value: Any) -> Any:
    """The text with its emoji whole: JavaScript and JSON write one as two halves, of which one may get lost.

    Raises:
        ValueError: half an emoji is lost, or there is a zero byte, where some services would end the text or refuse it.
    """
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        try:
            return value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise ValueError("half a letter") from None
    if "\0" in value:
        raise ValueError("a zero byte")
    return value


def _number(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, Decimal | Fraction):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -MOST < value < MOST:
        raise ValueError("not a number")
    return value


def _whole(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value


def _boolean(value: Any) -> Any:
    value = plain(value)
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
        value = plain(value)
        for key in (_key(value), f"{_key(value)}p", f"resolution_{_key(value)}".removesuffix("p")):
            if key in by_key:
                return by_key[key]
        if param.names and isinstance(value, str) and _UUID.fullmatch(value):
            return value.lower()  # a new entry of the vendor's list that the catalogue does not have yet
        raise ValueError("not one of the choices")

    return check


def _on_step(param: Param) -> Callable[[Any], Any]:
    """A check that lets a number pass which the param's steps reach."""

    def check(value: Any) -> Any:
        if not param.on_step(value):
            raise ValueError("between two steps")
        return value

    return check


def _key(value: Any) -> str:
    if isinstance(value, bool):
        return f"bool:{value}"
    number = _whole(value) if isinstance(value, int | float) else value
    return str(number).strip().casefold()


def _refused(param: Param, value: Any, error: ValidationError) -> Problem:
    """The problem behind a pydantic error, in the catalogue's words."""
    details = [item for item in error.errors() if item["loc"][0] == param.name]
    advice = ""
    if param.kind not in SEVERAL and (isinstance(value, list | set | range) or getattr(value, "ndim", 0) == 1):
        advice = "Several values at once are a sweep: give them to vidnb.sweep()"
    elif param.kind == "text" and isinstance(value, str):
        advice = f"This has {len(value)} characters"
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            return Problem(param.name, value, "it holds half of an emoji", "Type or paste that emoji again")
        if "\0" in value:
            return Problem(param.name, value, "it holds a zero byte", "Take it out: some services end the text there")
    elif param.choices:
        known = [str(choice) for choice in param.choices]
        close = [_lines(value)] if _lines(value) in known else difflib.get_close_matches(str(value), known, n=1)
        advice = f"Did you mean {close[0]!r}?" if close else ""
    elif details and details[0]["type"] == "value_error" and param.kind == "elements":
        advice = details[0]["msg"].removeprefix("Value error, ")
    elif param.step and isinstance(value, int | float) and math.isfinite(value):
        advice = f"The nearest is {param.nearest_step(value)}"
    whole = param.kind == "integer" or param.integer
    kind = "a whole number, " if whole else "a number, " if param.kind == "number" else ""
    if param.kind == "text" and not isinstance(value, str) and param.bounds.startswith("at most"):
        return Problem(param.name, value, f"allowed: text of {param.bounds}", advice)
    bounds = (
        param.bounds
        if param.bounds.startswith(("a ", "one of", "at most", "any of", "true", "text"))
        else kind + param.bounds
    )
    return Problem(param.name, value, f"allowed: {bounds}", advice)


def _lines(value: Any) -> str:
    """The usual name of a size in pixels, "720p" of 1280x720; "" for anything else."""
    text = "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
    size = re.fullmatch(r"\s*(\d{2,5})\s*[x×*]\s*(\d{2,5})\s*", text, re.IGNORECASE)
    return f"{min(map(int, size.groups()))}p" if size else ""


def _older_form(model: Model, param: Param, value: Any) -> Iterator[str]:
    """What to say of a value that has the form of an older vendor page."""
    older = model.older_names.get(param.names or "", {})
    names = [
        name for name in (value if isinstance(value, list) else [value]) if isinstance(name, str) and name in older
    ]
    if names:
        yield f"{model.id}: {', '.join(names)} is no longer in the vendor's list of {param.name}; it may be refused."
    if param.older:
        yield f"{model.id}: {param.name} has the form of an older vendor page. {param.note}"


def brief(value: Any) -> Any:
    """A value short enough, and safe enough, for a message or a row."""
    if isinstance(value, str | int | float | bool | None):
        return value
    return f"<{type(value).__name__}>" if not isinstance(value, list | tuple) else [brief(item) for item in value]
