"""Jobs and models as OpenRouter shows them, and what a job costs."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import Any

from vidnb.catalog import Model, prices
from vidnb.emulator.checks import wire_name
from vidnb.emulator.openrouter import errors
from vidnb.emulator.state import EmulatedJob

OTHER_PRICE_USD = 0.5
"""Where nobody published a price for the values. INVENTED, as every price without a source."""
PENDING_PART = 0.1
STORAGE = "storage.upstream.example"
"""The host where the makers' clips lie."""
ODD_MODEL = {
    "id": "some/upscaler", "canonical_slug": "some/upscaler-20260901", "name": "Some: Upscaler", "created": 1756684800,
    "supported_resolutions": None, "supported_aspect_ratios": None, "supported_sizes": None,
    "supported_durations": None, "supported_frame_images": None, "generate_audio": None, "seed": None,
    "creativity": [1, 2], "upscale_factor": {"min": 1, "max": 4}, "allowed_passthrough_parameters": [],
    "pricing_skus": {"cents_per_megapixel_second_precise": "0.2", "moon_phase_surcharge": "1"},
}  # fmt: skip
"""An entry that makes no clip, with null lists and a price that nobody can read: the real list has such ones."""


def new_id(now: float) -> str:
    """Return an id of the shape that jobs have."""
    letters = string.ascii_letters + string.digits
    return f"gen-vid-{int(now)}-{''.join(secrets.choice(letters) for _ in range(20))}"


def price_usd(model: Model, params: Mapping[str, Any], inputs: Mapping[str, int]) -> float:
    """Return the catalogue's price of a job; what the body leaves out is as the service has it, sound is on."""
    usual = {name: one.service_default for name, one in model.params.items() if one.service_default is not None}
    found = prices.price(model, usual | dict(params), inputs)
    return OTHER_PRICE_USD if found is None else round(found.amount, 6)


def status_of(job: EmulatedJob, now: float) -> str:
    """Return the job's status."""
    if job.is_over(now):
        return "failed" if job.outcome == "failed" else "completed"
    return "pending" if now < job.starts_at + PENDING_PART * (job.done_at - job.starts_at) else "in_progress"


def job_record(job: EmulatedJob, now: float, base: str, copy: tuple[str, float] | None) -> dict[str, Any]:
    """Return the job as it is now.

    Args:
        job: to be shown.
        now: on the emulator's clock.
        base: where the API is.
        copy: a signed link to the kept copy, and when it ends; None where there is none.
    """
    status = status_of(job, now)
    told: dict[str, Any] = {"id": job.id, "polling_url": f"/api/v1/videos/{job.id}", "status": status}
    if status in ("pending", "in_progress"):
        return told
    told["generation_id"] = job.asset_id
    if status == "failed":
        return told | {"error": job.notes.get("failure") or errors.FAILED}
    told |= {"unsigned_urls": [], "usage": {"cost": job.cost, "is_byok": False}}
    if job.outcome == "done":
        told["unsigned_urls"] = [f"{base}api/v1/videos/{job.id}/content?index=0"]
        if copy is not None:
            told |= {"urls": [copy[0]], "expires_at": int(copy[1])}
    return told


def listed(model: Model) -> dict[str, Any]:
    """Return a model as the public list shows it."""
    params = model.params

    def choices(name: str) -> list[Any] | None:
        param = params.get(name)
        if param is None:
            return None
        if param.choices:
            return list(param.wire_values or param.choices)
        return None if param.max is None else list(range(int(param.min or 0), int(param.max) + 1))

    frames = [wire_name(params[name]) for name in ("start_image", "end_image") if name in params]
    nested = [param.wire for param in params.values() if (param.wire or "").startswith("provider.")]
    return {
        "id": model.wire, "canonical_slug": f"{model.wire}-20260801", "name": model.title, "created": 1754006400,
        "supported_resolutions": choices("resolution"), "supported_aspect_ratios": choices("aspect_ratio"),
        "supported_sizes": None, "supported_durations": choices("duration_s"),
        "supported_frame_images": frames or None, "generate_audio": "audio" in params, "seed": "seed" in params,
        "creativity": None, "upscale_factor": None,
        "allowed_passthrough_parameters": [str(wire).rsplit(".", 1)[-1] for wire in nested],
        "pricing_skus": _skus(model),
    }  # fmt: skip


def _skus(model: Model) -> dict[str, str]:
    """Return a model's prices under the keys of the live list."""
    kind = "video_tokens" if "tokens" in str(model.price.get("basis")) else "duration_seconds"
    per = 1000.0 if kind == "video_tokens" else 1.0
    found = {kind: model.price["amount"] / per} if "amount" in model.price else {}
    for case in model.price.get("cases", ()):
        sound = "".join("_with_audio" if loud else "_without_audio" for loud in case["when"].get("audio", ())[:1])
        size = next(iter(case["when"].get("resolution", ())), "")
        wire = str(model.params["resolution"].to_wire(size)).lower() if size else ""
        found[f"{kind}{sound}" + (f"_{wire}" if wire else "")] = case["amount"] / per
    if each := model.price.get("each"):
        found["cents_per_image_input"] = 100 * max(each.values())
    return {name: f"{amount:.10f}".rstrip("0") for name, amount in found.items()}
