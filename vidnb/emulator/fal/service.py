"""fal's queue: submit, status, result and cancel of every endpoint; its storage, its list, the host of its files."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vidnb import catalog
from vidnb.catalog import MEDIA_KINDS, Model
from vidnb.emulator.ask import Ask, Path, Service
from vidnb.emulator.checks import Complaint, check, wire_name
from vidnb.emulator.core import Core, account_id, is_moderated, look_key, scene_key
from vidnb.emulator.fal import errors
from vidnb.emulator.fal.errors import invalid, model_error, refusal
from vidnb.emulator.fal.records import app_of, failure, links, listed, listed_price, output, price_usd, status
from vidnb.emulator.fal.settings import Settings
from vidnb.emulator.fal.storage import Storage
from vidnb.emulator.fal.webhooks import Caller
from vidnb.emulator.inputs import InputError, shape
from vidnb.emulator.scenes import size_of
from vidnb.emulator.state import EmulatedJob, digest

LATENCY_S = {
    "veo": 90, "kling": 150, "wan/v2.2-a14b/image-to-video/turbo": 20, "wan": 90, "ltx": 40, "seedance": 80,
    "hailuo": 150, "luma": 60, "pika": 70, "pixverse": 60, "vidu": 80,
}  # fmt: skip
"""Seconds from start to end, by a word in the endpoint's id; chosen, not measured."""
OTHER_LATENCY_S = 60.0
REFUSED_AFTER = 0.02
"""Where the runner refuses an input, it does so after this part of the usual time."""
PAGE = 100


class Fal(Service):
    """The emulated service."""

    name = "fal"
    title = "fal"
    slots = 2
    prefix = "/fal-ai/"
    base_url_env = "FAL_BASE_URL={base}"
    key_hint = "any text that does not begin with `bad`"
    Settings = Settings

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.storage = Storage(core, self.settings)
        self.caller = Caller(core, self._called_back, self.settings.fal_webhook_times)

    def latency_s(self, model: Model, params: Mapping[str, Any]) -> float:
        """Return the seconds that a job runs."""
        return float(next((s for word, s in LATENCY_S.items() if word in model.name), OTHER_LATENCY_S))

    async def aclose(self) -> None:
        """Give up the callbacks that are still to come."""
        await self.caller.aclose()

    def paths(self) -> Sequence[Path]:
        """Return its routes: one to submit to for each endpoint, and three for the jobs of each app."""
        models = [model for model in catalog.load().values() if model.provider == self.name]
        apps = sorted({app_of(model.wire) for model in models})
        asks = [Path("POST", f"/{model.wire}", "submit", functools.partial(self.submit, model)) for model in models]
        jobs = [
            path
            for app in apps
            for path in (
                Path("GET", f"/{app}/requests/{{id}}/status", "poll", self.status),
                Path("GET", f"/{app}/requests/{{id}}", "result", self.result),
                Path("PUT", f"/{app}/requests/{{id}}/cancel", "cancel", self.cancel),
            )
        ]
        return [
            *asks,
            *jobs,
            Path("GET", "/api/v1/models/requests/by-endpoint", "list", self.list),
            Path("GET", "/api/v1/models/pricing", "price", self.prices),
            Path("GET", "/rest/.well-known/jwks.json", "models", self.jwks, open=True),
            *self.storage.paths(),
        ]

    def not_found(self, request: Request, status: int) -> Response:
        """Return the answer to a path that the service does not have."""
        return refusal(status, "Not Found")

    def authorize(self, ask: Ask) -> Response | None:
        """Return the refusal of a missing or bad key."""
        scheme, _, key = ask.request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in ("key", "bearer") or not key.strip() or key.strip().startswith("bad"):
            return refusal(401, "Invalid Key Authorization header format" if not key.strip() else "Invalid API key")
        ask.account = account_id(f"fal {key.strip()}")
        return None

    def refuse(self, kind: str, retry_after_s: float | None = None) -> Response:
        """Return the body of a fault."""
        if kind in ("bad_key", "inactive_key"):
            return refusal(401, "Invalid API key")
        headers = {} if retry_after_s is None else {"retry_after": f"{retry_after_s:.0f}"}
        return refusal(int(kind), "Too many requests" if kind == "429" else "Internal server error", **headers)

    # The queue

    async def submit(self, model: Model, ask: Ask) -> Response:
        """Return the new job's addresses; what the runner will say of its input, only the result tells."""
        try:
            given = await ask.json()
        except ValueError:
            return refusal(422, "invalid JSON")
        given = given if isinstance(given, dict) else {}
        if ask.fault("retired") or (self.core.settings.refuse_retired and model.is_retired):
            return refusal(404, f"Application '{model.wire}' not found")
        cents, limit = round(price_usd(model, {}) * 100), self.settings.fal_balance_usd
        spent = limit is None or self.core.state.spend(ask.account, cents, round(limit * 100)) is not None
        if ask.fault("no_credits") or not spent:
            return refusal(403, errors.LOCKED)
        job = await self._job(ask, model, given)
        self.caller.expect(job)
        ahead = self.core.state.waiting_before(job, self.core.now())
        body = {"status": "IN_QUEUE", "request_id": job.id, "queue_position": ahead, **links(job, ask.base)}
        if ask.fault("no_id"):
            del body["request_id"]
        return JSONResponse({**body, "gateway_request_id": job.id}, headers={"x-fal-request-id": job.id})

    async def _job(self, ask: Ask, model: Model, given: Mapping[str, Any]) -> EmulatedJob:
        fields = {name: value for name, value in given.items() if value not in (None, "", [])}
        mode = model.modes[0]
        media, wrong = await self._media(model, mode, fields)
        checked = check(model, mode, fields, media)
        complaints = [*wrong, *(one for one in checked.complaints if one.field not in {w.field for w in wrong})]
        prompt = str(checked.values.get("prompt") or "")
        failed: list[dict[str, Any]] = invalid(complaints)
        if not failed and (is_moderated(prompt) or ask.fault("moderation")):
            failed = model_error("content_policy_violation", errors.FLAGGED)
        if not failed and ask.fault("busy"):
            failed = model_error("downstream_service_unavailable", errors.BUSY)
        values = {} if complaints else checked.values
        media = {} if complaints else media
        width, height = size_of(model, values, shape(self.core, next(iter(media.get("start_image", [])), None)))
        hashes = {name: [item["sha256"] for item in items] for name, items in media.items()}
        now = self.core.now()
        job = EmulatedJob(
            id=str(uuid.uuid4()), provider=self.name, account=ask.account, model=model.id, mode=mode, prompt=prompt,
            params=values, media=media, body={"input": given, "webhook": ask.request.query_params.get("fal_webhook")},
            body_hash=digest(given), scene_key=scene_key(model, mode, values, hashes), asset_id=str(uuid.uuid4()),
            result_key=f"b/{uuid.uuid4().hex}/output.mp4", created_at=now, cost=price_usd(model, values),
            seed=int(values.get("seed", -1)), outcome="failed" if failed else "done",
            notes={"width_px": width, "height_px": height, "failure": failed, "base": ask.base},
            look_key=look_key(model, prompt, hashes),
        )  # fmt: skip
        job = self.core.create(job, model, ask.faults)
        if complaints:
            at = job.starts_at + REFUSED_AFTER * (job.done_at - job.starts_at)
            self.core.state.end_job(job.id, at, "failed")
            job = replace(job, done_at=at)
        return job

    async def _media(
        self, model: Model, mode: str, fields: dict[str, Any]
    ) -> tuple[dict[str, list[Any]], list[Complaint]]:
        """Return the inputs by vidnb's name, taken out of the fields, and what is wrong with them."""
        media: dict[str, list[Any]] = {}
        wrong: list[Complaint] = []
        for param in model.params.values():
            name = wire_name(param)
            if param.kind not in MEDIA_KINDS or name not in fields or not model.accepts(param.name, mode):
                continue
            value = fields.pop(name)
            single = param.kind == "image" or param.max_items == 1
            if single == isinstance(value, list):
                wrong.append(Complaint(name, "type", "input should be a valid " + ("string" if single else "list")))
                continue
            try:
                media[param.name] = [
                    await self.storage.input_at(param, link) for link in (value if isinstance(value, list) else [value])
                ]
            except InputError as error:
                wrong.append(Complaint(name, "value", str(error)))
        return media, wrong

    def _own(self, ask: Ask) -> EmulatedJob | None:
        """Return the job of this account, if it is one of the app in the path."""
        job = self.core.state.job(ask.request.path_params["id"])
        if job is None or (job.provider, job.account) != (self.name, ask.account) or ask.fault("null_record"):
            return None
        return job if ask.request.url.path.startswith(f"/{app_of(catalog.find(job.model).wire)}/") else None

    async def status(self, ask: Ask) -> Response:
        """Return how the job stands: 202 until it is over."""
        job = self._own(ask)
        if job is None:
            return refusal(404, "Request not found")
        now = self.core.now()
        job = await self.core.as_told(job)
        body = status(job, now, ask.base, self.core.state.waiting_before(job, now))
        if ask.request.query_params.get("logs") not in ("1", "true", "True"):
            body["logs"] = None
        if ask.fault("unknown_status_word"):
            body = {**body, "status": "UPSCALING"}
        return JSONResponse(body, status_code=200 if body["status"] == "COMPLETED" else 202)

    async def result(self, ask: Ask) -> Response:
        """Return what the model gave back, or the run's own error with its own status."""
        job = self._own(ask)
        if job is None:
            return refusal(404, "Request not found")
        if not job.is_over(self.core.now()):
            return refusal(400, "Request is still in progress")
        if job.outcome == "cancelled":
            return refusal(499, errors.CANCELLED, "client_cancelled")
        wrong = failure(job)
        if wrong is not None:
            return JSONResponse({"detail": wrong}, status_code=errors.status_of(wrong))
        return JSONResponse(output(job, ask.base), headers={"x-fal-request-id": job.id})

    async def cancel(self, ask: Ask) -> Response:
        """Return that the wish was heard: a job that waits is dropped, one that runs may go on to its end."""
        job, now = self._own(ask), self.core.now()
        if job is None:
            return JSONResponse({"status": "NOT_FOUND"}, status_code=404)
        if job.is_over(now):
            return JSONResponse({"status": "ALREADY_COMPLETED"}, status_code=400)
        if self.settings.fal_heeds_cancel or not job.is_running(now):
            self.core.state.end_job(job.id, now, "cancelled")
        return JSONResponse({"status": "CANCELLATION_REQUESTED"}, status_code=202)

    # The platform

    async def list(self, ask: Ask) -> Response:
        """Return the jobs of some endpoints that are over, newest first; those that still run are not in it."""
        query = ask.request.query_params
        wanted = set(filter(None, query.get("endpoint_id", "").split(",")))
        if not wanted:
            return refusal(422, "endpoint_id is required")
        try:
            limit = min(max(int(query.get("limit", "50")), 1), PAGE)
            since, until = (_moment(query.get(name)) for name in ("start", "end"))
        except ValueError:
            return refusal(422, "invalid query")
        now = self.core.now()
        after = now - 86_400 if since is None else since
        jobs = self.core.state.jobs_of(self.name, ask.account, limit=1000, after=after, before=until or float("inf"))
        over = [job for job in jobs if job.is_over(now) and catalog.find(job.model).wire in wanted]
        over.sort(key=lambda job: job.done_at, reverse=True)
        payloads = query.get("expand") == "payloads"
        items = [listed(job, ask.base, payloads) for job in over[:limit]]
        return JSONResponse({"items": items, "next_cursor": None, "has_more": len(over) > limit})

    async def prices(self, ask: Ask) -> Response:
        """Return the prices of some endpoints."""
        wanted = ask.request.query_params.get("endpoint_id", "").split(",")
        models = [model for model in map(catalog.load().get, [f"fal/{one}" for one in wanted]) if model is not None]
        entries = [listed_price(model) for model in models if not model.is_retired]
        return JSONResponse({"prices": entries, "next_cursor": None, "has_more": False})

    async def jwks(self, ask: Ask) -> Response:
        """Return the public keys of the callbacks' signatures."""
        return JSONResponse(self.caller.jwks())

    def _called_back(self, job: EmulatedJob) -> dict[str, Any]:
        wrong = failure(job)
        told = {"request_id": job.id, "gateway_request_id": job.id}
        if wrong is not None or job.outcome == "cancelled":
            payload = {"detail": wrong} if wrong is not None else None
            return {**told, "status": "ERROR", "error": "Invalid status code", "payload": payload}
        return {**told, "status": "OK", "payload": output(job, job.notes["base"])}


def _moment(text: str | None) -> float | None:
    """Return the moment that a query names.

    Raises:
        ValueError: it names none.
    """
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
