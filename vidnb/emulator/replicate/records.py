"""Predictions, files and models as Replicate shows them, and what a prediction costs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from vidnb import catalog
from vidnb.catalog import MEDIA_KINDS, Model, Param, prices
from vidnb.emulator.checks import wire_name
from vidnb.emulator.clock import iso
from vidnb.emulator.replicate import errors
from vidnb.emulator.replicate.settings import Settings
from vidnb.emulator.state import EmulatedFile, EmulatedJob

OTHER_PRICE_USD = 0.5
"""For models whose price nobody published. INVENTED, as every price without a source."""
DELIVERY = "replicate.delivery"
BOOT_S, BOOT_PART = 4.0, 0.2
"""A worker takes so long to boot, of a short job this part of it."""
STEPS = 40
ENDS = {"done": "succeeded", "no_output": "succeeded", "failed": "failed", "cancelled": "canceled"}


def price_usd(model: Model, params: Mapping[str, Any]) -> float:
    """Return the catalogue's price of a prediction."""
    found = prices.price(model, params)
    return OTHER_PRICE_USD if found is None else found.amount


def booted_at(job: EmulatedJob) -> float:
    """Return when its worker is up."""
    whole_s = job.notes.get("latency_s", job.done_at - job.starts_at)
    return job.starts_at + min(BOOT_S, BOOT_PART * whole_s)


def status_of(job: EmulatedJob, now: float) -> str:
    """Return the prediction's status."""
    if job.is_over(now):
        return ENDS.get(job.outcome, job.outcome)
    return "starting" if now < booted_at(job) else "processing"


def prediction(job: EmulatedJob, settings: Settings, now: float, base: str) -> dict[str, Any]:
    """Return the prediction as it is now; an hour after its end its input, output and logs are gone."""
    status, slug = status_of(job, now), catalog.find(job.model).wire
    over = job.is_over(now)
    removed = over and now > job.done_at + settings.replicate_keeps_s
    started = None if status in ("starting", "aborted") else min(booted_at(job), job.done_at)
    api = f"{base}v1/predictions/{job.id}"
    times = {"total_time": round(job.done_at - job.created_at, 3)} if over else {}
    if over and started is not None:
        times = {"predict_time": round(job.done_at - started, 3), **times}
    deadline = {"deadline": iso(job.notes["deadline"])} if job.notes.get("deadline") else {}
    return {
        "id": job.id,
        "model": slug,
        "version": "hidden",
        "input": {} if removed else job.body.get("input", {}),
        "output": None if removed or status != "succeeded" else _output(job, settings, base),
        "logs": "" if removed else _logs(job, now),
        "error": _error(job) if status == "failed" else None,
        "status": status,
        "source": "api",
        "data_removed": removed,
        "created_at": iso(job.created_at),
        "started_at": None if started is None else iso(started),
        "completed_at": iso(job.done_at) if over else None,
        **deadline,
        "metrics": times,
        "urls": {"get": api, "cancel": f"{api}/cancel", "web": f"https://replicate.com/p/{job.id}"},
    }


def _output(job: EmulatedJob, settings: Settings, base: str) -> Any:
    if job.outcome != "done":
        return None
    link = f"{base}{DELIVERY}/{job.result_key}"
    return {"list": [link], "object": {"video": link}}.get(settings.replicate_output, link)


def _error(job: EmulatedJob) -> str:
    return str(job.notes.get("failure") or errors.FAILED)


def _logs(job: EmulatedJob, now: float) -> str:
    """Return the logs so far: a progress bar of the open models, words of the others."""
    began, end = booted_at(job), job.done_at
    if now < began:
        return ""
    done = 1.0 if now >= end else (now - began) / (end - began)
    if not job.model.startswith("replicate/wan-video/"):
        return "Generating video...\n" + ("Finished.\n" if done >= 1 and job.outcome == "done" else "")
    steps = int(done * STEPS)
    return "".join(f"{100 * n // STEPS:3d}%|{'█' * (n // 4):<10}| {n}/{STEPS}\n" for n in range(0, steps + 1, 4))


def file_body(file: EmulatedFile, content: bytes, content_type: str, base: str, life_s: float) -> dict[str, Any]:
    """Return an uploaded file as the files API shows it."""
    return {
        "id": file.id,
        "name": file.note,
        "content_type": content_type,
        "size": len(content),
        "etag": hashlib.md5(content, usedforsecurity=False).hexdigest(),
        "checksums": {"sha256": file.sha256, "md5": hashlib.md5(content, usedforsecurity=False).hexdigest()},
        "metadata": {},
        "created_at": iso(file.created_at),
        "expires_at": iso(file.created_at + life_s),
        "urls": {"get": f"{base}v1/files/{file.id}"},
    }


def file_id(key: str) -> str:
    """Return an id of the shape that files have."""
    return base64.b32encode(hashlib.sha256(key.encode()).digest())[:48].decode().lower()


def listed_model(model: Model, base: str) -> dict[str, Any]:
    """Return a model as `GET /v1/models/{owner}/{name}` shows it, with the schema of its input."""
    owner, _, name = model.wire.partition("/")
    properties = {wire_name(param): _schema(param, n) for n, param in enumerate(model.params.values())}
    required = [wire_name(param) for param in model.params.values() if param.required and not param.modes]
    schema = {"title": "Input", "type": "object", "required": required, "properties": properties}
    return {
        "url": f"https://replicate.com/{model.wire}", "owner": owner, "name": name, "description": model.title,
        "visibility": "public", "github_url": None, "paper_url": None, "license_url": None, "run_count": 0,
        "cover_image_url": None, "default_example": None,
        "latest_version": {
            "id": "hidden", "created_at": iso(0), "cog_version": "0.0.0",
            "openapi_schema": {"openapi": "3.0.2", "components": {"schemas": {"Input": schema}}},
        },
    }  # fmt: skip


def _schema(param: Param, order: int) -> dict[str, Any]:
    kinds = {"integer": "integer", "number": "number", "boolean": "boolean"}
    several = param.kind in MEDIA_KINDS and param.kind != "image" and param.max_items != 1
    told: dict[str, Any] = {"title": param.name, "description": param.help, "x-order": order}
    if param.choices:
        allowed = list(param.wire_values or param.choices)
        return told | ({"type": "array", "items": {"enum": allowed}} if param.kind == "choices" else {"enum": allowed})
    bounds = {"minimum": param.min, "maximum": param.max, "default": param.default}
    kind = "array" if several else kinds.get(param.kind, "string")
    return told | {"type": kind} | {name: value for name, value in bounds.items() if value is not None}
