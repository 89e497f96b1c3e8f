"""Runway's API: a task from a text or a picture, its end, its cancel, the organization, and the hosts of its files."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vidnb.catalog import Model
from vidnb.emulator.ask import Ask, Path, Service, by_beginning
from vidnb.emulator.checks import Complaint, check, wire_name
from vidnb.emulator.core import Core, account_id, is_moderated, look_key, scene_key
from vidnb.emulator.inputs import InputError, shape
from vidnb.emulator.runway import errors
from vidnb.emulator.runway.body import in_its_words, model_of, parts_of
from vidnb.emulator.runway.errors import Refusal, invalid, refusal
from vidnb.emulator.runway.records import credits_of, runs_from, task
from vidnb.emulator.runway.settings import Settings
from vidnb.emulator.runway.storage import Storage
from vidnb.emulator.scenes import size_of
from vidnb.emulator.state import EmulatedJob, digest

VERSION = "2024-11-06"
LATENCY_S = {
    "gen4.5": 45, "gen4_turbo": 25, "veo": 90, "kling": 150, "seedance": 80, "hailuo": 150, "h3": 60, "wan": 90,
}  # fmt: skip
"""Seconds from start to end, by the beginning of the model's name; chosen, not measured."""
DAY_S = 86_400.0


class Runway(Service):
    """The emulated service."""

    name = "runway"
    title = "Runway"
    slots = 2
    prefix = "/v1/tasks/"
    base_url_env = "RUNWAYML_BASE_URL={base}"
    key_hint = "any text that does not begin with `bad`"
    Settings = Settings

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.storage = Storage(core, self.settings)

    def latency_s(self, model: Model, params: Mapping[str, Any]) -> float:
        """Return the seconds that a task runs."""
        return by_beginning(LATENCY_S, model.name)

    def paths(self) -> Sequence[Path]:
        """Return its routes."""
        return [
            Path("POST", "/v1/text_to_video", "submit", functools.partial(self.create, "text")),
            Path("POST", "/v1/image_to_video", "submit", functools.partial(self.create, "image")),
            Path("GET", "/v1/tasks/{id}", "poll", self.get),
            Path("DELETE", "/v1/tasks/{id}", "cancel", self.delete),
            Path("GET", "/v1/organization", "account", self.organization),
            *self.storage.paths(),
        ]

    def not_found(self, request: Request, status: int) -> Response:
        """Return the answer to a path that the service does not have."""
        return refusal(status, errors.NOT_FOUND)

    def authorize(self, ask: Ask) -> Response | None:
        """Return the refusal of a missing or bad key, or of a request that names no version."""
        scheme, _, key = ask.request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip() or key.strip().startswith("bad"):
            return refusal(401, errors.NO_KEY)
        if ask.request.headers.get("x-runway-version") != VERSION:
            return refusal(400, errors.NO_VERSION)
        ask.account = account_id(f"runway {key.strip()}")
        return None

    def refuse(self, kind: str, retry_after_s: float | None = None) -> Response:
        """Return the body of a fault."""
        if kind in ("bad_key", "inactive_key"):
            return refusal(401, errors.NO_KEY)
        headers = {} if retry_after_s is None else {"retry-after": f"{retry_after_s:.0f}"}
        return refusal(int(kind), errors.TOO_MANY if kind == "429" else "Internal server error", headers=headers)

    # Tasks

    async def create(self, mode: str, ask: Ask) -> Response:
        """Return the new task's id, and the most that it will cost."""
        try:
            given = await ask.json()
        except ValueError:
            return refusal(400, "The body is no valid JSON.")
        try:
            job = await self._created(ask, mode, given if isinstance(given, dict) else {})
        except Refusal as no:
            return no.response
        answer = {"id": job.id, "estimatedCost": {"credits": int(job.cost)}}
        if ask.fault("no_id"):
            del answer["id"]
        return JSONResponse(answer)

    async def _created(self, ask: Ask, mode: str, given: Mapping[str, Any]) -> EmulatedJob:
        model = model_of(given.get("model"), mode)
        if model is None or ask.fault("retired") or (self.core.settings.refuse_retired and model.is_retired):
            raise invalid([Complaint("model", "value", "is no model of this endpoint")])
        parts = parts_of(given)
        media, wrong = await self._media(ask, model, mode, parts.links)
        checked = check(model, mode, parts.fields, media, strict_sizes=True)
        complaints = [*parts.wrong, *wrong, *checked.complaints]
        if mode == "image" and "start_image" not in parts.links and not complaints:
            complaints.append(Complaint("promptImage", "missing", "is required"))
        if complaints:
            raise invalid(dict.fromkeys(map(in_its_words, complaints)))
        cost = credits_of(model, checked.values)
        self._check_limits(ask, model, cost)
        return self._job(ask, model, mode, checked.values, media, given, cost)

    async def _media(
        self, ask: Ask, model: Model, mode: str, links: Mapping[str, list[Any]]
    ) -> tuple[dict[str, list[Any]], list[Complaint]]:
        media: dict[str, list[Any]] = {}
        wrong: list[Complaint] = []
        for name, uris in links.items():
            param = model.params.get(name)
            if param is None or not model.accepts(name, mode):
                wrong.append(Complaint(wire_name(param) if param else name, "unknown", "should not exist"))
                continue
            try:
                media[name] = [await self.storage.input_at(ask.account, param, uri) for uri in uris]
            except InputError as error:
                wrong.append(Complaint(wire_name(param), "value", str(error)))
        return media, wrong

    def _check_limits(self, ask: Ask, model: Model, cost: int) -> None:
        """Refuse what the account cannot pay, and what is one too many today.

        Raises:
            Refusal: one of these.
        """
        daily, balance = self.settings.runway_daily_limit, self.settings.runway_balance_credits
        if daily is not None and self._today(ask.account, model.wire) >= daily:
            raise Refusal(429, errors.DAILY)
        paid = balance is None or self.core.state.spend(ask.account, cost, int(balance)) is not None
        if ask.fault("no_credits") or not paid:
            raise Refusal(400, errors.NO_CREDITS)

    def _today(self, account: str, wire: str) -> int:
        jobs = self.core.state.jobs_of(self.name, account, limit=10_000, after=self.core.now() - DAY_S)
        return sum(job.body.get("model") == wire for job in jobs)

    def _job(
        self, ask: Ask, model: Model, mode: str, values: Mapping[str, Any], media: Mapping[str, list[Any]],
        given: Mapping[str, Any], cost: int,
    ) -> EmulatedJob:  # fmt: skip
        prompt = str(values.get("prompt") or "")
        flagged = is_moderated(prompt) or ask.fault("moderation")
        failure = errors.FLAGGED if flagged else errors.BUSY if ask.fault("busy") else None
        width, height = size_of(model, values, shape(self.core, next(iter(media.get("start_image", [])), None)))
        hashes = {name: [item["sha256"] for item in items] for name, items in media.items()}
        job = EmulatedJob(
            id=str(uuid.uuid4()), provider=self.name, account=ask.account, model=model.id, mode=mode, prompt=prompt,
            params=values, media=media, body=given, body_hash=digest(given),
            scene_key=scene_key(model, mode, values, hashes), asset_id=str(uuid.uuid4()),
            result_key=f"{uuid.uuid4()}.mp4", created_at=self.core.now(), cost=cost,
            seed=int(values.get("seed", -1)), outcome="failed" if failure else "done",
            notes={"width_px": width, "height_px": height, "failure": failure},
            look_key=look_key(model, prompt, hashes),
        )  # fmt: skip
        return self.core.create(job, model, ask.faults)

    async def get(self, ask: Ask) -> Response:
        """Return the task with this id."""
        job = self._own(ask)
        if job is None or ask.fault("null_record"):
            return refusal(404, errors.NOT_FOUND)
        told = await self.core.as_told(job)
        answer = task(told, self.settings, self.core.now(), self.storage.link(job, ask.base))
        return JSONResponse(answer | {"status": "UPSCALING"} if ask.fault("unknown_status_word") else answer)

    async def delete(self, ask: Ask) -> Response:
        """Return nothing, once an open task is cancelled, or a finished one is deleted with its clip."""
        job, now = self._own(ask), self.core.now()
        if job is None:
            return refusal(404, errors.NOT_FOUND)
        ended = self.core.state.end_job(job.id, now, "cancelled" if runs_from(job) <= now else "aborted")
        if not (ended and self.settings.runway_tells_cancelled):
            self.core.state.delete_job(job.id)
        return Response(status_code=204)

    def _own(self, ask: Ask) -> EmulatedJob | None:
        job = self.core.state.job(ask.request.path_params["id"])
        return job if job is not None and (job.provider, job.account) == (self.name, ask.account) else None

    # The rest

    async def organization(self, ask: Ask) -> Response:
        """Return balance, limits, and how many tasks of each model there were today."""
        jobs = self.core.state.jobs_of(self.name, ask.account, limit=10_000, after=self.core.now() - DAY_S)
        used = {str(job.body["model"]): self._today(ask.account, job.body["model"]) for job in jobs}
        limits = {"maxConcurrentGenerations": self.slots, "maxDailyGenerations": self.settings.runway_daily_limit}
        balance = self.settings.runway_balance_credits
        left = 1_000_000 if balance is None else int(balance) - self.core.state.used_credits(ask.account)
        return JSONResponse({
            "creditBalance": left,
            "tier": {"maxMonthlyCreditSpend": 10_000, "models": dict.fromkeys(used, limits)},
            "usage": {"models": {name: {"dailyGenerations": count} for name, count in used.items()}},
        })  # fmt: skip
