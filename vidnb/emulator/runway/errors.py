"""Runway's refusals: a text, which fields of the body are wrong, and the codes of failed tasks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.responses import JSONResponse

from vidnb.emulator.checks import Complaint

DOCS = "https://docs.dev.runwayml.com/errors"
NO_KEY = "Unauthorized: the API key is missing or not valid."
NO_VERSION = "The X-Runway-Version header is missing or names no version of this API."
NOT_FOUND = "Not found"
NO_CREDITS = "You do not have enough credits to run this task."
TOO_MANY = "Too many requests"
DAILY = "You have reached the daily limit of this model; it is counted over the last 24 hours."
FLAGGED = ("SAFETY.INPUT.TEXT", "Content moderation: the input was refused.")
FAILED = ("INTERNAL", "An unexpected error occurred.")
BUSY = ("THIRD_PARTY.UNAVAILABLE", "The model's own service did not answer.")
CODES = {"missing": "invalid_type", "type": "invalid_type", "unknown": "unrecognized_keys"}


class Refusal(Exception):
    """The service says no with this body."""

    def __init__(self, status_code: int, text: str, issues: Iterable[dict[str, Any]] = ()) -> None:
        super().__init__(text)
        self.response = refusal(status_code, text, issues)


def refusal(
    status_code: int, text: str, issues: Iterable[dict[str, Any]] = (), headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return the body of a refusal."""
    told = list(issues)
    body = {"error": text, **({"issues": told} if told else {}), "docUrl": DOCS}
    return JSONResponse(body, status_code=status_code, headers=headers)


def invalid(complaints: Iterable[Complaint]) -> Refusal:
    """Return the refusal of a body with wrong fields."""
    issues = [
        {"code": CODES.get(one.kind, "invalid_value"), "path": [one.field], "message": one.phrase.capitalize()}
        for one in complaints
    ]
    return Refusal(400, "Validation of body failed", issues)
