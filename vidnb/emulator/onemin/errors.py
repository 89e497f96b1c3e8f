"""1min's error bodies: three shapes, one of which hides the cause in a string of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse

from vidnb.catalog import Model

BUSY = (
    "The {service} service is a bit busy right now or facing a temporary issue. "
    "Please try again shortly. We appreciate your patience!"
)


class Refusal(Exception):
    """The service says no with this body."""

    def __init__(self, status_code: int, body: Mapping[str, Any]) -> None:
        super().__init__(body.get("message"))
        self.response = JSONResponse(body, status_code=status_code)


def error(status_code: int, code: str, message: str, **more: Any) -> Refusal:
    """The plain shape: a code and a text."""
    return Refusal(status_code, {"errorCode": code, "message": message, **more})


def missing(model: str, feature: str, names: Sequence[str]) -> Refusal:
    """Required fields that are not there; checked by 1min itself, before anything is spent."""
    details = [
        {"field": name, "message": f"Field '{name}' is required for {model} model with type {feature}"}
        for name in names
    ]
    message = f"Missing required fields for {model} model: {', '.join(names)}. Please provide all required parameters."
    return error(400, "MISSING_REQUIRED_FIELDS", message, details=json.dumps(details, separators=(",", ":")))


def upstream(model: Model, cause: str, *, status: int = 400, code: str = "InvalidParameter") -> Refusal:
    """The "a bit busy" error, given for permanent causes too: what is really wrong stands in `details`."""
    service = model.wire.partition("/")[0].partition(":")[0]
    details = {
        "response": {"status": status, "data": {"code": code, "message": cause}},
        "request": {"method": "post", "url": "https://upstream.invalid/v1/task"},
    }
    text = json.dumps(details, separators=(",", ":"))
    context = {"service": service}
    return error(400, "EXTERNAL_API_RESPONSE_WITH_ERROR", BUSY.format(service=service), context=context, details=text)
