"""Jobs as fal shows them, and what one costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidnb import catalog
from vidnb.catalog import Model, prices
from vidnb.emulator.clock import iso
from vidnb.emulator.fal import errors
from vidnb.emulator.state import EmulatedJob

CDN = "v3.fal.media"
OTHER_PRICE_USD = 0.5
"""For models whose price nobody published. INVENTED, as every price without a source."""
COMPUTE_SECOND_USD = 0.0005
"""INVENTED: what a second on a card costs where a model is billed by that."""
UNITS = {
    "clip": "videos", "5s": "videos", "second": "seconds", "megapixel": "megapixels", "1000 tokens": "1000 tokens",
}  # fmt: skip
NAMESPACES = ("workflows", "comfy")
FAL_ERROR = "internal_server_error"


def price_usd(model: Model, params: Mapping[str, Any]) -> float:
    """Return the catalogue's price of a job."""
    found = prices.price(model, params)
    return OTHER_PRICE_USD if found is None else found.amount


def listed_price(model: Model) -> dict[str, Any]:
    """Return a model as the list of prices shows it: its cheapest price and what that is for, whatever changes it."""
    amounts = [case["amount"] for case in model.price.get("cases", ())]
    amounts += [model.price["amount"]] if "amount" in model.price else []
    unit = UNITS[model.price.get("basis", "clip")] if amounts else "compute seconds"
    told = {"endpoint_id": model.wire, "unit_price": min(amounts, default=COMPUTE_SECOND_USD), "unit": unit}
    return {**told, "currency": "USD"}


def app_of(endpoint: str) -> str:
    """Return owner and app of an endpoint: its first two parts, with a namespace before them where it has one."""
    parts = endpoint.split("/")
    return "/".join(parts[: 3 if parts[0] in NAMESPACES else 2])


def links(job: EmulatedJob, base: str) -> dict[str, str]:
    """Return the addresses of a job, as the answer to its submit has them."""
    whole = f"{base}{app_of(catalog.find(job.model).wire)}/requests/{job.id}"
    return {"response_url": whole, "status_url": f"{whole}/status", "cancel_url": f"{whole}/cancel"}


def status(job: EmulatedJob, now: float, base: str, ahead: int) -> dict[str, Any]:
    """Return how a job stands: COMPLETED for every end, with the error only where the queue itself knows one."""
    told = {"request_id": job.id, **links(job, base)}
    if not job.is_over(now):
        if job.is_running(now):
            return {"status": "IN_PROGRESS", **told, "logs": _logs(job, job.starts_at)}
        return {"status": "IN_QUEUE", **told, "queue_position": ahead}
    ended = {"status": "COMPLETED", **told, "logs": _logs(job, job.starts_at)}
    if job.outcome == "cancelled":
        return {**ended, "metrics": {}, "error": errors.CANCELLED, "error_type": "client_cancelled"}
    return {**ended, "metrics": {"inference_time": round(job.done_at - job.starts_at, 3)}}


def _logs(job: EmulatedJob, at: float) -> list[dict[str, str]]:
    return [{"message": "Generating video", "level": "INFO", "source": "app", "timestamp": iso(at)}]


def failure(job: EmulatedJob) -> list[dict[str, Any]] | None:
    """Return the error of a run that failed; None for one that did not."""
    if job.outcome != "failed":
        return None
    told = job.notes.get("failure")
    return told if told else errors.model_error(FAL_ERROR, "Internal server error")


def output(job: EmulatedJob, base: str) -> dict[str, Any]:
    """Return what the model gave back."""
    if job.outcome != "done":
        return {"video": None}
    video = {
        "url": f"{base}{CDN}/files/{job.result_key}", "content_type": "video/mp4", "file_name": "output.mp4",
        "file_size": None,
    }  # fmt: skip
    return {"video": video, **({"seed": job.seed} if "seed" in catalog.find(job.model).params else {})}


def listed(job: EmulatedJob, base: str, payloads: bool) -> dict[str, Any]:
    """Return a job that is over, as the platform's list shows it."""
    wrong = failure(job)
    code = 200 if wrong is None else errors.status_of(wrong)
    entry = {
        "request_id": job.id, "endpoint_id": catalog.find(job.model).wire, "sent_at": iso(job.created_at),
        "started_at": iso(job.starts_at), "ended_at": iso(job.done_at),
        "status_code": 499 if job.outcome == "cancelled" else code, "duration": round(job.done_at - job.starts_at, 3),
    }  # fmt: skip
    if payloads:
        made = output(job, base) if wrong is None else {"detail": wrong}
        entry |= {"json_input": job.body.get("input"), "json_output": made}
    return entry
