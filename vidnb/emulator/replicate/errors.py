"""Replicate's refusals: `title`, `detail`, `status`, and which fields of the input are wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.responses import JSONResponse

from vidnb.emulator.checks import Complaint

NO_TOKEN = "You did not pass a valid authentication token"
NOT_FOUND = "The requested resource could not be found."
NO_CREDIT = (
    "You have insufficient credit to run this model. Go to https://replicate.com/account/billing#billing to purchase "
    "credit. Once you purchase credit, please wait a few minutes before trying again."
)
THROTTLED = (
    "Request was throttled. Your rate limit for creating predictions is reduced to 6 requests per minute with a burst "
    "of 1 requests while you have less than $5.0 in credit. Your rate limit resets in ~{seconds}s."
)
FLAGGED = "The input or output was flagged as sensitive. Please try again with different inputs. (E005)"
FAILED = "Prediction failed: the model gave no video. (E9825)"
BUSY = "(E003) service is unavailable due to high demand. Please try again later."


class Refusal(Exception):
    """The service says no with this body."""

    def __init__(self, status_code: int, detail: str, title: str = "", **more: Any) -> None:
        super().__init__(detail)
        self.response = refusal(status_code, detail, title, **more)


def refusal(
    status_code: int, detail: str, title: str = "", headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """Return the body of a refusal."""
    body = {**({"title": title} if title else {}), "detail": detail, "status": status_code, **more}
    return JSONResponse(body, status_code=status_code, headers=headers, media_type="application/problem+json")


def throttled(seconds: float | None) -> JSONResponse:
    """Return the refusal of a request too many, as an account with little credit gets it."""
    wait_s = 5 if seconds is None else max(0, round(seconds))
    headers = {"retry-after": str(wait_s)}
    return refusal(429, THROTTLED.format(seconds=wait_s), headers=headers, retry_after=wait_s)


def invalid(complaints: Iterable[Complaint]) -> Refusal:
    """Return the refusal of an input with wrong fields."""
    fields = [
        {"type": one.kind, "field": f"input.{one.field}", "description": one.phrase[:1].upper() + one.phrase[1:]}
        for one in complaints
    ]
    detail = "".join(f"- {one['field']}: {one['description']}\n" for one in fields)
    return Refusal(422, detail, "Input validation failed", invalid_fields=fields)
