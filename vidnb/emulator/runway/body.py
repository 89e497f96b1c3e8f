"""The body of a create, taken apart: which model it names, its plain fields, and the addresses of its inputs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from vidnb import catalog
from vidnb.catalog import Model
from vidnb.emulator.checks import Complaint

RATIO = re.compile(r"(\d{3,4}):(\d{3,4})")
OBJECTS = {"contentModeration": ("publicFigureThreshold",), "providerSettings": ("multiPrompt", "shotType")}
REFERENCES = {
    "references": "reference_images", "referenceVideos": "reference_videos", "referenceAudio": "reference_audio",
}  # fmt: skip
SIDES = {"width": "ratio", "height": "ratio", "aspect_ratio": "ratio", "last": "promptImage"}
"""Which field of the body is meant where a check names a part of it."""


@dataclass
class Parts:
    """What a body says."""

    fields: dict[str, Any] = field(default_factory=dict)
    links: dict[str, list[Any]] = field(default_factory=dict)
    """Addresses of inputs, by vidnb's name."""
    wrong: list[Complaint] = field(default_factory=list)


def model_of(name: Any, mode: str) -> Model | None:
    """Return the model of this name that takes the mode."""
    found = [one for one in catalog.load().values() if one.provider == "runway" and one.wire == name]
    return next((one for one in found if mode in one.modes), None)


def parts_of(given: Mapping[str, Any]) -> Parts:
    """Return a body's parts; objects are flattened, and a ratio in pixels is a width and a height."""
    parts = Parts()
    for name, value in given.items():
        if value is None or name == "model":
            continue
        if name == "promptImage":
            _pictures(parts, value)
        elif name in REFERENCES:
            parts.links[REFERENCES[name]] = list(_uris(parts, name, value))
        elif name in OBJECTS:
            _flatten(parts, name, value)
        elif name == "ratio" and isinstance(value, str) and (sides := RATIO.fullmatch(value)):
            parts.fields |= {"width": int(sides[1]), "height": int(sides[2])}
        else:
            parts.fields[name] = value
    return parts


def in_its_words(complaint: Complaint) -> Complaint:
    """Return a complaint about the field that the body really has."""
    name = SIDES.get(complaint.field, complaint.field)
    return Complaint(name, complaint.kind, complaint.phrase, complaint.expected)


def _pictures(parts: Parts, value: Any) -> None:
    if isinstance(value, str):
        parts.links["start_image"] = [value]
        return
    for one in value if isinstance(value, list) else [None]:
        place = one.get("position") if isinstance(one, dict) else None
        name = {"first": "start_image", "last": "end_image"}.get(str(place))
        if name is None or not isinstance(one, dict) or name in parts.links:
            parts.wrong.append(Complaint("promptImage", "value", "must be an address, or a first and a last picture"))
            return
        parts.links[name] = [one.get("uri")]
    if "end_image" in parts.links and "start_image" not in parts.links:
        parts.wrong.append(Complaint("promptImage", "value", "a last picture needs a first one"))


def _uris(parts: Parts, name: str, value: Any) -> Iterator[Any]:
    for one in value if isinstance(value, list) else [None]:
        if not isinstance(one, dict):
            parts.wrong.append(Complaint(name, "type", "must be a list of objects with a uri"))
            return
        yield one.get("uri")


def _flatten(parts: Parts, name: str, value: Any) -> None:
    if not isinstance(value, dict) or not set(value) <= set(OBJECTS[name]):
        parts.wrong.append(Complaint(name, "value", f"must be an object of {', '.join(OBJECTS[name])}"))
        return
    for key, inner in value.items():
        parts.fields[key] = json.dumps(inner) if key == "multiPrompt" and isinstance(inner, list) else inner
