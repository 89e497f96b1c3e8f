"""A request for a clip, checked before anything is kept, by the same rules of the catalogue as in the client.

Values come under the wire names of the catalogue and leave under vidnb's, with the number of frames and the seed
filled in: what is kept says exactly what will be rendered.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidnb import params
from vidnb.catalog import MEDIA_KINDS, Model
from vidnb.errors import ParamsError
from vidnb.gpu.weights import local_models

HIGHEST_SEED = 2**31 - 1
LONGEST_TOKEN = 200


class RefusedError(Exception):
    """The server does not take the request; the text says why, for a person.

    Attributes:
        status_code: of the answer.
    """

    def __init__(self, message: str, status_code: int = 422) -> None:
        super().__init__(message)
        self.status_code = status_code


@dataclass(frozen=True)
class Order:
    """What is to be rendered."""

    model: Model
    values: Mapping[str, Any]
    """Under vidnb's names, complete."""
    images: Mapping[str, str]
    """Files of the folder's `inputs`, by param."""
    params: Mapping[str, Any]
    """What a list tells of the job: the values under their wire names."""
    client_token: str
    digest: str
    """Of what was asked for: another request with the same token is another one if this differs."""


def order_of(body: Any, input_path: Callable[[str], Path | None]) -> Order:
    """Return the order behind the body of a request.

    Args:
        body: as it came.
        input_path: gives the file of an uploaded picture by its id; None for one that is not there.

    Raises:
        RefusedError: it cannot be rendered as it is.
    """
    told = body if isinstance(body, dict) else {}
    wire, given, token = told.get("model"), told.get("params"), told.get("client_token", "")
    model = next((model for model in local_models() if model.wire == wire), None)
    if model is None:
        raise RefusedError(
            f"there is no model {str(wire)[:80]!r} here; vidnb.models() lists those of the provider local"
        )
    if not isinstance(given, dict):
        raise RefusedError("params must be an object")
    if not isinstance(token, str) or len(token) > LONGEST_TOKEN:
        raise RefusedError(f"client_token must be a text of at most {LONGEST_TOKEN} characters")
    images: dict[str, str] = {}
    values = dict(_named(model, given, input_path, images))
    try:
        request = params.validate(model, values)
    except ParamsError as error:
        raise RefusedError(str(error)) from None
    complete = _complete(model, request.params)
    digest = hashlib.sha256(json.dumps([wire, given], sort_keys=True).encode()).hexdigest()
    return Order(model, complete, images, _in_wire(model, complete, images), token, digest)


def _named(
    model: Model, given: Mapping[str, Any], input_path: Callable[[str], Path | None], images: dict[str, str]
) -> Any:
    """Yield the values under vidnb's names; which pictures they name is put into `images`."""
    by_wire = {param.wire: param for param in model.params.values() if param.wire}
    for wire, value in given.items():
        param = by_wire.get(wire)
        if param is None:
            raise RefusedError(f"{model.title} takes no {str(wire)[:60]!r}; it takes {', '.join(map(str, by_wire))}")
        if param.kind not in MEDIA_KINDS:
            yield param.name, param.from_wire(value)
            continue
        path = input_path(value) if isinstance(value, str) else None
        if path is None:
            raise RefusedError(f"{wire}: no picture with this id is here (any more); upload it again")
        images[param.name] = str(value)
        yield param.name, path


def _complete(model: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with the number of frames and the seed."""
    found = dict(values)
    frames = model.params["num_frames"]
    if (seconds := found.pop("duration_s", None)) is not None:
        found["num_frames"] = frames.nearest_step(float(seconds) * float(found["fps"]))
    found.setdefault("num_frames", frames.service_default)
    found.setdefault("seed", secrets.randbelow(HIGHEST_SEED))
    return found


def _in_wire(model: Model, values: Mapping[str, Any], images: Mapping[str, str]) -> dict[str, Any]:
    named = {**values, **images}
    return {param.wire: named[name] for name, param in model.params.items() if param.wire and name in named}
