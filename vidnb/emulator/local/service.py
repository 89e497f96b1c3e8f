"""The job server's API: a queue with tokens of the clients, steps, a cancel that costs nothing, and clips by range.

Unlike the real one it has every model's weights and memory without end; `gpu_models` takes some away.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vidnb import catalog
from vidnb.catalog import MEDIA_KINDS, Model
from vidnb.emulator.ask import Ask, Path, Service, by_beginning
from vidnb.emulator.checks import Complaint, check
from vidnb.emulator.core import account_id, look_key, scene_key
from vidnb.emulator.delivery import deliver
from vidnb.emulator.inputs import shape
from vidnb.emulator.local.sketch import sketch
from vidnb.emulator.scenes import image_size, size_of
from vidnb.emulator.state import EmulatedFile, EmulatedJob, digest

LATENCY_S = {"wan": 240, "ltx": 60, "cog": 90, "hunyuan": 600, "svd": 60}
"""Seconds from start to end on a large card, by the beginning of the model's name; chosen, not measured."""
LOADING, DECODING = 0.1, 0.15
"""These parts of the time go before the steps and after them."""
OTHER_STEPS = 50
MOST_LISTED = 500


@dataclass(kw_only=True, frozen=True)
class Settings:
    """What only the job server has; `Emulator(**settings)` takes them."""

    gpu_models: tuple[str, ...] | None = None
    """Names of the models whose weights are there; None for all."""
    gpu_keeps_s: float = 72 * 3600.0
    """How long a clip is kept."""


class RefusedError(Exception):
    """The server says no with this body."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.response = _error(status_code, message)


class Local(Service):
    """The emulated server."""

    name = "local"
    title = "Own GPU"
    slots = 1
    prefix = "/gpu/"
    base_url_env = "VIDNB_GPU_URL={base}"
    key_hint = "any text that does not begin with `bad`"
    Settings = Settings

    def latency_s(self, model: Model, params: Mapping[str, Any]) -> float:
        """Return the seconds that a job runs."""
        return by_beginning(LATENCY_S, model.name)

    def paths(self) -> Sequence[Path]:
        """Return its routes."""
        return [
            Path("GET", "/gpu/health", "account", self.health),
            Path("POST", "/gpu/files", "upload", self.upload),
            Path("POST", "/gpu/jobs", "submit", self.create),
            Path("GET", "/gpu/jobs", "list", self.recent),
            Path("GET", "/gpu/jobs/{id}", "poll", self.get),
            Path("POST", "/gpu/jobs/{id}/cancel", "cancel", self.cancel),
            Path("GET", "/gpu/jobs/{id}/content", "download", self.content),
            Path("GET", "/gpu/jobs/{id}/preview", "bytes", self.preview),
        ]

    def not_found(self, request: Request, status: int) -> Response:
        """Return the answer to a path that the server does not have."""
        return _error(404, "there is no such thing here")

    def authorize(self, ask: Ask) -> Response | None:
        """Return the refusal of a missing or bad token."""
        scheme, _, key = ask.request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip() or key.strip().startswith("bad"):
            return self.refuse("bad_key")
        ask.account = account_id(f"local {key.strip()}")
        return None

    def refuse(self, kind: str, retry_after_s: float | None = None) -> Response:
        """Return the body of a fault."""
        if kind in ("bad_key", "inactive_key"):
            return _error(401, "the token is missing or not this server's")
        headers = {} if retry_after_s is None else {"retry-after": f"{retry_after_s:.0f}"}
        return _error(int(kind), "the server cannot take this now", headers)

    # -- jobs

    async def create(self, ask: Ask) -> Response:
        """Return the new job, or the one that the same token made before."""
        try:
            given = await ask.json()
        except ValueError:
            return _error(400, "the body is no JSON")
        try:
            job, is_new = self._created(ask, given if isinstance(given, dict) else {})
        except RefusedError as no:
            return no.response
        answer = self._job_record(job)
        if ask.fault("no_id"):
            del answer["id"]
        return JSONResponse(answer, status_code=201 if is_new else 200)

    def _created(self, ask: Ask, given: Mapping[str, Any]) -> tuple[EmulatedJob, bool]:
        token, fields = given.get("client_token", ""), given.get("params")
        if not isinstance(token, str) or not isinstance(fields, dict):
            raise RefusedError(422, "params must be an object, and client_token a text")
        known = next((job for job in self._jobs(ask) if token and job.notes["client_token"] == token), None)
        if known is not None:
            if known.body_hash != digest([given.get("model"), fields]):
                raise RefusedError(409, "this client_token was used for another request before")
            return known, False
        model = self._model(given.get("model"), is_retired=bool(ask.fault("retired")))
        media, plain = self._media(ask, model, fields)
        mode = model.mode_of({"start_image": media.get("start_image") or None})
        checked = check(model, mode, plain, media, strict_sizes=True)
        if checked.complaints:
            raise RefusedError(422, _complaint_text(checked.complaints))
        return self._job(ask, model, mode, _framed(model, checked.values), media, given), True

    def _model(self, wire: Any, *, is_retired: bool) -> Model:
        found = [one for one in catalog.load().values() if one.provider == self.name and one.wire == wire]
        here = self.settings.gpu_models
        if not found or is_retired:
            raise RefusedError(422, f"there is no model {str(wire)[:80]!r} here")
        if here is not None and found[0].name not in here:
            raise RefusedError(422, f"the weights of {found[0].wire} are in none of the folders of this server")
        return found[0]

    def _media(self, ask: Ask, model: Model, fields: Mapping[str, Any]) -> tuple[dict[str, list[Any]], dict[str, Any]]:
        """Return the pictures that a request names, and the rest of its fields."""
        named = {str(param.wire): name for name, param in model.params.items() if param.kind in MEDIA_KINDS}
        media: dict[str, list[Any]] = {}
        for wire, name in named.items():
            if wire not in fields:
                continue
            file = self.core.state.file(str(fields[wire]))
            if file is None or file.account != ask.account or file.sha256 is None:
                raise RefusedError(422, f"{wire}: no picture with this id is here (any more)")
            media[name] = [{"sha256": file.sha256}]
        return media, {wire: value for wire, value in fields.items() if wire not in named}

    def _job(
        self, ask: Ask, model: Model, mode: str, values: Mapping[str, Any], media: Mapping[str, list[Any]],
        given: Mapping[str, Any],
    ) -> EmulatedJob:  # fmt: skip
        prompt = str(values.get("prompt") or "")
        width, height = size_of(model, values, shape(self.core, next(iter(media.get("start_image", [])), None)))
        hashes = {name: [item["sha256"] for item in items] for name, items in media.items()}
        job = EmulatedJob(
            id=uuid.uuid4().hex, provider=self.name, account=ask.account, model=model.id, mode=mode, prompt=prompt,
            params=values, media=media, body=given, body_hash=digest([given.get("model"), given["params"]]),
            scene_key=scene_key(model, mode, values, hashes), asset_id=uuid.uuid4().hex,
            result_key=f"{uuid.uuid4().hex}.mp4", created_at=self.core.now(), cost=0,
            seed=int(values.get("seed", -1)), outcome="done", look_key=look_key(model, prompt, hashes),
            notes={"width_px": width, "height_px": height, "client_token": given.get("client_token", "")},
        )  # fmt: skip
        return self.core.create(job, model, ask.faults)

    def _jobs(self, ask: Ask, limit: int = 10_000) -> list[EmulatedJob]:
        return self.core.state.jobs_of(self.name, ask.account, limit=limit)

    async def recent(self, ask: Ask) -> Response:
        """Return the newest jobs, newest first."""
        asked = ask.request.query_params.get("limit", "50")
        limit = min(int(asked), MOST_LISTED) if asked.isdecimal() else 50
        return JSONResponse({"jobs": [self._job_record(job) for job in self._jobs(ask, limit)]})

    async def get(self, ask: Ask) -> Response:
        """Return how a job stands."""
        job = self._own(ask)
        if job is None or ask.fault("null_record"):
            return _error(404, "there is no job with this id")
        told = self._job_record(await self.core.as_told(job))
        return JSONResponse(told | {"state": "warming"} if ask.fault("unknown_status_word") else told)

    async def cancel(self, ask: Ask) -> Response:
        """Return how a job stands once it was ended, at no cost."""
        job = self._own(ask)
        if job is None:
            return _error(404, "there is no job with this id")
        self.core.state.end_job(job.id, self.core.now(), "cancelled")
        return JSONResponse(self._job_record(self.core.state.job(job.id) or job))

    async def content(self, ask: Ask) -> Response:
        """Return a clip, or the part of it that is asked for."""
        job, now = self._own(ask), self.core.now()
        if job is None or not job.is_over(now) or job.outcome != "done" or self._is_gone(job):
            return _error(404, "the clip is not there")
        return await deliver(ask, job)

    async def preview(self, ask: Ask) -> Response:
        """Return a small picture of how far a job is: the clearer, the more steps are done."""
        job = self._own(ask)
        told = {} if job is None else self._job_record(job)
        if job is None or told.get("state") not in ("denoising", "decoding") or not told["step"]:
            return _error(404, "there is no preview yet")
        content = await asyncio.to_thread(sketch, job.scene_key, told["step"], told["steps"])
        return Response(content, media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    def _own(self, ask: Ask) -> EmulatedJob | None:
        job = self.core.state.job(ask.request.path_params["id"])
        return job if job is not None and (job.provider, job.account) == (self.name, ask.account) else None

    def _is_gone(self, job: EmulatedJob) -> bool:
        return self.core.now() > job.done_at + self.settings.gpu_keeps_s

    # -- the rest

    async def upload(self, ask: Ask) -> Response:
        """Return the id of a picture."""
        body = await ask.request.body()
        size = await asyncio.to_thread(lambda: image_size(body, whole=True))
        if size is None:
            return _error(422, "this is no picture")
        file_id = hashlib.sha256(ask.account.encode() + body).hexdigest()
        if self.core.state.file(file_id) is None:
            self.core.state.add_file(EmulatedFile(
                id=file_id, provider=self.name, account=ask.account, kind="file", extension="png", key=file_id,
                created_at=self.core.now(), sha256=self.core.footage.keep(body), width_px=size[0], height_px=size[1],
            ))  # fmt: skip
        return JSONResponse({"id": file_id}, status_code=201)

    async def health(self, ask: Ask) -> Response:
        """Return the card and the models."""
        here = self.settings.gpu_models
        names = [model.id for model in catalog.load().values() if model.provider == self.name]
        models = [{"id": name, "revision": ""} for name in names if here is None or name.partition("/")[2] in here]
        return JSONResponse({"device": "Emulated card, 80 GB", "versions": {}, "models": models})

    def _job_record(self, job: EmulatedJob) -> dict[str, Any]:
        now = self.core.now()
        told = {
            "id": job.id, "client_token": job.notes["client_token"], "model": job.body["model"],
            "params": job.body["params"], "created_at": datetime.fromtimestamp(job.created_at, UTC).isoformat(),
        }  # fmt: skip
        if not job.is_over(now):
            return told | self._open(job, now)
        if job.outcome == "failed":
            return told | {"state": "failed", "error": {"kind": "renderer", "message": "the renderer failed"}}
        if job.outcome == "done" and self._is_gone(job):
            return told | {"state": "failed", "error": {"kind": "gone", "message": "the clip was deleted since"}}
        return told | {"state": "cancelled" if job.outcome == "cancelled" else "done"}

    def _open(self, job: EmulatedJob, now: float) -> dict[str, Any]:
        if now < job.starts_at:
            return {"state": "queued", "ahead": 1 + self.core.state.waiting_before(job, now)}
        steps, whole_s = int(job.params.get("steps") or OTHER_STEPS), job.done_at - job.starts_at
        share = (now - job.starts_at) / whole_s if 0 < whole_s < float("inf") else 0.0
        if share < LOADING:
            return {"state": "loading"}
        if share > 1 - DECODING:
            return {"state": "decoding", "progress": 1 - DECODING, "step": steps, "steps": steps}
        done = math.floor((share - LOADING) / (1 - LOADING - DECODING) * steps)
        progress = round(done / steps * (1 - DECODING), 3)
        return {"state": "denoising", "progress": progress, "step": done, "steps": steps,
                "eta_s": round(job.done_at - now, 1)}  # fmt: skip


def _framed(model: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with a number of frames in place of a duration."""
    found, frames = dict(values), model.params["num_frames"]
    seconds = found.pop("duration_s", None)
    if seconds is not None:
        found["num_frames"] = frames.nearest_step(float(seconds) * float(found["fps"]))
    return found


def _complaint_text(complaints: Iterable[Complaint]) -> str:
    return "; ".join(dict.fromkeys(f"{one.field} {one.phrase}" for one in complaints))


def _error(status_code: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": {"message": message}}, status_code=status_code, headers=headers)
