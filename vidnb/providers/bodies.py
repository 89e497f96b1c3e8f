"""What submits of several services have in common: the endpoint by the inputs, and bodies in their own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidnb.catalog import Model
from vidnb.records import RemoteMedia


def endpoint(model: Model, media: Mapping[str, list[RemoteMedia]]) -> str:
    """Return the path of the endpoint for what is given: with a start image or without, else the model's first."""
    mode = model.mode_of({"start_image": media.get("start_image") or None})
    return model.endpoints.get(mode) or next(iter(model.endpoints.values()))


def nest(body: dict[str, Any], path: str, value: Any) -> None:
    """Put a value into the body under a dotted name: `a.b` lies in the object `a`."""
    *outer, name = path.split(".")
    for part in outer:
        body = body.setdefault(part, {})
    body[name] = value


def flat(model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> dict[str, Any]:
    """Return values and addresses of inputs (a list where the model takes several) under the service's names."""
    found = {
        model.params[name].wire or name: model.params[name].to_wire(value)
        for name, value in params.items()
        if value is not None
    }
    for name, items in media.items():
        param, links = model.params.get(name), [item.id for item in items]
        if links:
            single = param is None or param.kind == "image" or param.max_items == 1
            found[(param.wire if param else None) or name] = links[0] if single else links
    return found
