"""Validation of a request before anything is sent, and the recipe that identifies it.

`validate` takes what a person typed and a catalogue entry, and gives back a `Request`: canonical params, input media
and what was dropped. All problems are reported at once. `_fields` checks each value by itself with a pydantic class
made from the entry, `_inputs` reads pictures, videos and sounds; `_sizes` and the entry's rules go across values.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vidnb import catalog
from vidnb.catalog import MEDIA_KINDS, Model, Rule, words
from vidnb.errors import OlderFormWarning, ParamsError, Problem
from vidnb.params.inputs import Media, identity, read_inputs
from vidnb.params.sizes import resolve_size
from vidnb.params.values import brief, checked, is_given


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
    older: tuple[str, ...] = ()
    """What to say of values that have the form of an older vendor page."""

    @functools.cached_property
    def recipe(self) -> Recipe:
        """What identifies this request."""
        images = {name: [identity(item) for item in items] for name, items in self.media.items()}
        return Recipe(self.model.id, dict(self.params), images)


def validate(model: Model, values: Mapping[str, Any], *, unsupported: Literal["error", "drop"] = "error") -> Request:
    """The request for these values, in canonical form.

    Args:
        model: the catalogue entry.
        values: params under vidnb's names; None, a blank text and the NaN of an empty cell mean "not given". Media may
            be paths, bytes, PIL images, numpy arrays, `MediaFile` or `RemoteMedia` (the client fetches URLs before).
        unsupported: `drop` leaves out params that other models have and this one lacks, and lists them in `dropped`.

    Returns:
        A request whose `params` hold the canonical values with vidnb's defaults filled in.

    Raises:
        ParamsError: with every problem of the request.
    """
    request, problems = draft(model, values, unsupported=unsupported)
    for message in request.older:
        # Without a source line: the caller's is on another thread, and vidnb's own would say nothing to anybody.
        warnings.warn_explicit(message, OlderFormWarning, "vidnb", 1)
    if problems:
        raise ParamsError(model.id, problems)
    return request


def draft(
    model: Model, values: Mapping[str, Any], *, unsupported: Literal["error", "drop"] = "error"
) -> tuple[Request, list[Problem]]:
    """The request as far as these values make one, and all that is wrong or missing: for a form not yet filled in.

    Args:
        model: the catalogue entry.
        values: as for `validate`.
        unsupported: as for `validate`.
    """
    given = {name: value for name, value in values.items() if is_given(value)}
    problems: list[Problem] = []
    older: list[str] = []
    unknown = {name: value for name, value in given.items() if name not in model.params}
    dropped = {}
    for name, value in unknown.items():
        if unsupported == "drop" and catalog.load().having(name):
            dropped[name] = brief(value)
        else:
            problems.append(_unknown(model, name, value))
    media = read_inputs(model, given, problems)
    plain = {name: value for name, value in given.items() if name not in unknown and name not in media}
    mode = model.mode_of(media)
    found = checked(model, plain, problems, older)
    _wrong_mode(model, mode, {**found, **media}, problems)
    _fill_defaults(model, mode, found)
    resolve_size(model, given, found, problems, older)
    _missing(model, mode, {**found, **media}, values, problems)
    inputs = {name: items for name, items in media.items() if items}
    problems += _against_rules(model, mode, {**found, **media})
    return Request(model, _ordered(model, found), inputs, dropped, tuple(older)), problems


def faults_across(request: Request) -> list[Problem]:
    """What the model's rules find wrong with the values of a request that was changed since it was validated."""
    model = request.model
    return _against_rules(model, model.mode_of(request.media), {**request.params, **request.media})


def _against_rules(model: Model, mode: str, values: Mapping[str, Any]) -> list[Problem]:
    return [problem for rule in model.rules if rule.holds(values, mode) for problem in _broken(rule, values)]


def _unknown(model: Model, name: str, value: Any) -> Problem:
    close = difflib.get_close_matches(name, model.params, n=1, cutoff=0.7)
    others = catalog.load().having(name) + [f"{i} (retired)" for i in catalog.load().having(name, retired=True)]
    if close:
        advice = f"Did you mean {close[0]!r}?"
    elif name == "duration_s" and model.fixed_duration_s:
        advice = f"Its clips are always {model.fixed_duration_s:g} s long"
    elif others:
        advice = f"Models that have it: {', '.join(others[:6])}{' ...' if len(others) > 6 else ''}"
    else:
        advice = f"It takes {', '.join(model.params)}"
    return Problem(name, brief(value), "this model does not have this param", advice)


def _wrong_mode(model: Model, mode: str, values: Mapping[str, Any], problems: list[Problem]) -> None:
    for name in list(values):
        if name in model.params and not model.accepts(name, mode):
            only = "a start_image" if "image" in model.params[name].modes else "no start_image"
            problems.append(Problem(name, brief(values[name]), f"this model takes it only with {only}"))


def _fill_defaults(model: Model, mode: str, values: dict[str, Any]) -> None:
    for name, param in model.params.items():
        if param.default is not None and name not in values and model.accepts(name, mode):
            values[name] = list(param.default) if isinstance(param.default, tuple) else param.default


def _missing(
    model: Model, mode: str, values: Mapping[str, Any], given: Mapping[str, Any], problems: list[Problem]
) -> None:
    for name, param in model.params.items():
        absent = values.get(name) in (None, "", [], ())
        if param.required and absent and model.accepts(name, mode) and not any(p.field == name for p in problems):
            bounds = "" if param.bounds == "text" else f" ({param.bounds})"
            what = bounds if param.kind not in MEDIA_KINDS else f": {_WANTED[param.kind]}"
            problems.append(Problem(name, given.get(name), f"this model needs it{what}"))


_WANTED = {
    "image": "a picture (a file, a web address, a clip, or from code its bytes, an image or an array)",
    "images": "pictures (files, web addresses, clips, or from code bytes, images or arrays)",
    "videos": "clips (files, web addresses, clips made here, or from code their bytes)",
    "audios": "sounds (files, web addresses, or from code their bytes)",
}


def _broken(rule: Rule, values: Mapping[str, Any]) -> list[Problem]:
    """What this rule finds wrong; it is known to hold."""
    why = rule.why or words.condition(rule)
    there = {name for name, value in values.items() if value not in (None, [], ())}
    found = [Problem(name, None, f"required {why}") for name in rule.require if name not in there]
    if rule.require_any and not there & set(rule.require_any):
        found.append(Problem(" or ".join(rule.require_any), None, f"one of them is required {why}"))
    found += [Problem(name, brief(values[name]), f"not allowed {why}") for name in rule.forbid if name in there]
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
        found.append(Problem(rule.param, value, f"allowed: {catalog.span(rule.min, rule.max)} {why}"))
    if rule.max_items is not None and len(value) > rule.max_items:
        found.append(Problem(rule.param, f"{len(value)} items", f"allowed: at most {rule.max_items} {why}"))
    return found


def _ordered(model: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in model.params if name in values and values[name] is not None}
