"""Tasks as Runway shows them, and what a task costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vidnb.catalog import Model, prices
from vidnb.emulator.clock import iso
from vidnb.emulator.runway import errors
from vidnb.emulator.runway.settings import Settings
from vidnb.emulator.state import EmulatedJob

OTHER_CREDITS_PER_S, USUAL_S = 10.0, 5.0
"""For models whose price nobody published. INVENTED, as every price without a source."""
PENDING_S, PENDING_PART = 2.0, 0.1
"""A task is PENDING for so long, of a short one for this part of it, before it runs."""


def credits_of(model: Model, params: Mapping[str, Any]) -> int:
    """Return what the service says that a task costs at most."""
    found = prices.price(model, params)
    if found is not None:
        return math.ceil(found.amount)
    seconds = prices.seconds_of(model, prices.assumed(model, params)) or USUAL_S
    return math.ceil(OTHER_CREDITS_PER_S * seconds)


def runs_from(job: EmulatedJob) -> float:
    """Return when a task begins to run."""
    return job.starts_at + min(PENDING_S, PENDING_PART * (job.done_at - job.starts_at))


def task(job: EmulatedJob, settings: Settings, now: float, link: str) -> dict[str, Any]:
    """Return the task as it is now.

    Args:
        job: behind it.
        settings: of the service.
        now: on the emulator's clock.
        link: a fresh one to the clip.
    """
    told = {"id": job.id, "createdAt": iso(job.created_at)}
    if not job.is_over(now):
        return told | {"estimatedCost": {"credits": int(job.cost)}} | _open(job, now)
    spent = {"cost": {"credits": cost_of(job, settings)}}
    if job.outcome in ("cancelled", "aborted"):
        return {**told, "status": "CANCELLED", **spent}
    if job.outcome == "failed":
        code, text = job.notes.get("failure") or errors.FAILED
        return {**told, "status": "FAILED", "failure": text, "failureCode": code, **spent}
    return {**told, "status": "SUCCEEDED", "output": [link] if job.outcome == "done" else [], **spent}


def cost_of(job: EmulatedJob, settings: Settings) -> int:
    """Return what a task that is over was charged: nothing for one that was cancelled before it ran."""
    if job.outcome == "cancelled":
        return int(job.cost)
    if job.outcome == "aborted":
        return 0
    if job.outcome == "failed":
        refused = job.notes.get("failure") == list(errors.FLAGGED)
        return int(job.cost) if refused and settings.runway_charges_refused else 0
    return math.ceil(job.cost * (1 - settings.runway_given_back))


def _open(job: EmulatedJob, now: float) -> dict[str, Any]:
    if now < job.starts_at:
        return {"status": "THROTTLED"}
    began = runs_from(job)
    if now < began:
        return {"status": "PENDING"}
    whole_s = job.done_at - began
    done = (now - began) / whole_s if 0 < whole_s < float("inf") else 0.0
    return {"status": "RUNNING", "progress": math.floor(10 * done) / 10}
