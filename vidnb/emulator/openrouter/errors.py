"""OpenRouter's refusals: a code, a message, and for a flagged input the reasons."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.responses import JSONResponse

from vidnb.emulator.checks import Complaint

NO_KEY = "No auth credentials found"
BAD_KEY = "User not found."
NOT_FOUND = "Video generation job not found"
NO_CREDITS = "Insufficient credits. Add more using https://openrouter.ai/settings/credits"
FLAGGED = "The input was flagged by moderation"
NOT_READY = "The video is not ready yet"
EXPIRED = "The video has expired"
FAILED = "The provider failed to generate the video."
BUSY = "The provider is overloaded."


class Refusal(Exception):
    """The service says no with this body."""

    def __init__(self, code: int, message: str, **metadata: Any) -> None:
        super().__init__(message)
        self.response = refusal(code, message, **metadata)


def refusal(code: int, message: str, headers: dict[str, str] | None = None, **metadata: Any) -> JSONResponse:
    """Return the body of a refusal."""
    error = {"code": code, "message": message, **({"metadata": metadata} if metadata else {})}
    return JSONResponse({"error": error}, status_code=code, headers=headers)


def invalid(complaints: Iterable[Complaint]) -> Refusal:
    """Return the refusal of a body with wrong fields."""
    told = dict.fromkeys(f"{one.field} {one.phrase}" for one in complaints)
    return Refusal(400, "; ".join(told))


def flagged(prompt: str, maker: str) -> Refusal:
    """Return the refusal of an input for what it shows."""
    return Refusal(403, FLAGGED, reasons=["violence"], flagged_input=prompt[:100], provider_name=maker)
