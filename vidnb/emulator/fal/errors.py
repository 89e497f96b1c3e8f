"""fal's error bodies: a sentence for the request, a list with field and type for what the model's runner refuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse

from vidnb.emulator.checks import Complaint

DOCS = "https://docs.fal.ai/errors/#"
LOCKED = "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."
FLAGGED = "The content could not be processed because it contained material flagged by a content checker."
NO_MEDIA = "The model gave no media."
BUSY = "The service behind this model is not available."
CANCELLED = "Request was cancelled by the client."
STATUSES = {
    "content_policy_violation": 422, "no_media_generated": 422, "downstream_service_unavailable": 503,
    "internal_server_error": 500,
}  # fmt: skip
TYPES = {"missing": "missing", "unknown": "extra_forbidden", "type": "type_error", "value": "value_error"}


def refusal(status_code: int, detail: str, kind: str = "", **headers: str) -> JSONResponse:
    """Return the refusal of a request."""
    body = {"detail": detail, **({"error_type": kind} if kind else {})}
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return JSONResponse(body, status_code=status_code, headers=told | ({"x-fal-error-type": kind} if kind else {}))


def model_error(kind: str, message: str) -> list[dict[str, Any]]:
    """Return the body of a run that failed."""
    return [{"loc": ["body"], "msg": message, "type": kind, "url": f"{DOCS}{kind}"}]


def invalid(complaints: Iterable[Complaint]) -> list[dict[str, Any]]:
    """Return the body of a run whose input was refused."""
    return [
        {
            "loc": ["body", one.field], "msg": one.phrase[:1].upper() + one.phrase[1:],
            "type": TYPES.get(one.kind, "value_error"), "url": f"{DOCS}{TYPES.get(one.kind, 'value_error')}",
        }
        for one in complaints
    ]  # fmt: skip


def status_of(detail: Sequence[Mapping[str, Any]]) -> int:
    """Return the HTTP status that a failed run's result has."""
    return STATUSES.get(str(detail[0].get("type")), 422) if detail else 422
