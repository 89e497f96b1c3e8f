"""Replicate's API: predictions of official models, files, the account, and the host that clips are fetched from."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vidnb import catalog
from vidnb.catalog import MEDIA_KINDS, Model
from vidnb.emulator.ask import Ask, Path, Service, by_beginning
from vidnb.emulator.checks import Complaint, check, wire_name
from vidnb.emulator.clock import sleep_until
from vidnb.emulator.core import Core, account_id, is_moderated, look_key, scene_key
from vidnb.emulator.delivery import deliver
from vidnb.emulator.inputs import InputError, shape
from vidnb.emulator.replicate import errors, inputs
from vidnb.emulator.replicate.errors import Refusal, invalid, refusal, throttled
from vidnb.emulator.replicate.records import (
    DELIVERY,
    booted_at,
    file_body,
    file_id,
    listed_model,
    prediction,
    price_usd,
)
from vidnb.emulator.replicate.settings import Settings
from vidnb.emulator.replicate.webhooks import Caller
from vidnb.emulator.scenes import image_size, size_of
from vidnb.emulator.state import EmulatedFile, EmulatedJob, digest

PAGE = 100
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
LATENCY_S = {
    "kwaivgi": 120, "google": 90, "bytedance": 75, "minimax": 150, "wan-video/wan-2.2-i2v-a14b": 150, "wan-video": 40,
    "luma/ray-flash": 35, "luma": 60, "lightricks": 45,
}  # fmt: skip
"""Seconds from start to end, by the beginning of the model's name; chosen, not measured."""
SHORTEST_DEADLINE_S = 5.0
LONGEST_WAIT_S = 60.0


class Replicate(Service):
    """The emulated service."""

    name = "replicate"
    title = "Replicate"
    prefix = "/v1/"
    base_url_env = "REPLICATE_BASE_URL={base}"
    key_hint = "any text that does not begin with `bad`"
    Settings = Settings

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.caller = Caller(core, lambda job: prediction(job, self.settings, core.now(), job.notes["base"]))

    @property
    def _file_life_s(self) -> float:
        return self.settings.replicate_file_life_s

    def latency_s(self, model: Model, params: Mapping[str, Any]) -> float:
        """Return the seconds that a prediction takes."""
        return by_beginning(LATENCY_S, model.name)

    async def aclose(self) -> None:
        """Give up the callbacks that are still to come."""
        await self.caller.aclose()

    def paths(self) -> Sequence[Path]:
        """Return its routes."""
        one = "/v1/predictions/{id}"
        return [
            Path("POST", "/v1/models/{owner}/{name}/predictions", "submit", self.create_of_model),
            Path("GET", "/v1/models/{owner}/{name}", "models", self.model),
            Path("POST", "/v1/predictions", "submit", self.create),
            Path("GET", "/v1/predictions", "list", self.list),
            Path("GET", one, "poll", self.get),
            Path("POST", f"{one}/cancel", "cancel", self.cancel),
            Path("POST", "/v1/files", "upload", self.upload),
            Path("GET", "/v1/files/{id}", "files", self.file),
            Path("DELETE", "/v1/files/{id}", "delete", self.delete_file),
            Path("GET", "/v1/account", "account", self.account),
            Path("GET", "/v1/webhooks/default/secret", "account", self.webhook_secret),
            Path("GET", f"/{DELIVERY}/{{key:path}}", "download", self.clip, host="cdn"),
        ]

    def not_found(self, request: Request, status: int) -> Response:
        """Return the answer to a path that the service does not have."""
        return refusal(status, errors.NOT_FOUND)

    def authorize(self, ask: Ask) -> Response | None:
        """Return the refusal of a missing or bad key."""
        scheme, _, key = ask.request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in ("bearer", "token") or not key.strip() or key.strip().startswith("bad"):
            return refusal(401, errors.NO_TOKEN, "Unauthenticated")
        ask.account = account_id(f"replicate {key.strip()}")
        return None

    def refuse(self, kind: str, retry_after_s: float | None = None) -> Response:
        """Return the body of a fault."""
        if kind in ("bad_key", "inactive_key"):
            return refusal(401, errors.NO_TOKEN, "Unauthenticated")
        return throttled(retry_after_s) if kind == "429" else refusal(int(kind), "Internal server error", "Error")

    # Predictions

    async def create_of_model(self, ask: Ask) -> Response:
        """Return the new prediction of an official model."""
        slug = "{owner}/{name}".format(**ask.request.path_params)
        return await self._created(ask, slug)

    async def create(self, ask: Ask) -> Response:
        """Return the new prediction of a version: `owner/name`, `owner/name:version`; a bare hash is unknown here."""
        return await self._created(ask, None)

    async def _created(self, ask: Ask, slug: str | None) -> Response:
        try:
            body = await ask.json()
        except ValueError:
            return refusal(400, "The request body is no valid JSON.", "Bad request")
        body = body if isinstance(body, dict) else {}
        slug = slug or str(body.get("version") or body.get("model") or "").partition(":")[0]
        try:
            job = await self._job(ask, slug, body)
        except Refusal as refused:
            return refused.response
        return await self._waited(ask, job)

    async def _job(self, ask: Ask, slug: str, body: Mapping[str, Any]) -> EmulatedJob:
        """Return the new job. Checked in this order: model, input, credit."""
        model = _model(slug)
        if model is None or ask.fault("retired") or (self.core.settings.refuse_retired and model.is_retired):
            raise Refusal(404, errors.NOT_FOUND)
        given = body.get("input")
        if not isinstance(given, dict):
            raise Refusal(422, "- input: is required\n", "Input validation failed", invalid_fields=[])
        given = {name: value for name, value in given.items() if value not in (None, "", [])}
        starts = [wire_name(param) for param in model.params.values() if param.name == "start_image"]
        mode = model.mode_of({"start_image": given.get(starts[0]) if starts else None})
        media, fields = await self._media(ask, model, mode, given)
        checked = check(model, mode, fields, media)
        if checked.complaints:
            raise invalid(checked.complaints)
        return self._start(ask, model, mode, checked.values, media, body)

    async def _media(
        self, ask: Ask, model: Model, mode: str, given: Mapping[str, Any]
    ) -> tuple[dict[str, list[Any]], dict[str, Any]]:
        """Return the inputs by vidnb's name, and the fields that are none."""
        media: dict[str, list[Any]] = {}
        fields = dict(given)
        for param in model.params.values():
            name = wire_name(param)
            if param.kind not in MEDIA_KINDS or name not in given or not model.accepts(param.name, mode):
                continue
            value = fields.pop(name)
            links = value if isinstance(value, list) else [value]
            single = param.kind == "image" or param.max_items == 1
            if single == isinstance(value, list):
                raise invalid([Complaint(name, "type", "must be a string" if single else "must be an array")])
            try:
                media[param.name] = [
                    await inputs.input_of(self.core, ask.account, param, link, self._file_life_s) for link in links
                ]
            except InputError as error:
                raise invalid([Complaint(name, "value", str(error))]) from error
        return media, fields

    def _start(
        self, ask: Ask, model: Model, mode: str, values: Mapping[str, Any], media: Mapping[str, list[Any]],
        body: Mapping[str, Any],
    ) -> EmulatedJob:  # fmt: skip
        cost, prompt = price_usd(model, values), str(values.get("prompt") or "")
        limit = self.settings.replicate_balance_usd
        cents = round(cost * 100)
        if ask.fault("no_credits") or (
            limit is not None and self.core.state.spend(ask.account, cents, round(limit * 100)) is None
        ):
            raise Refusal(402, errors.NO_CREDIT, "Insufficient credit")
        flagged = is_moderated(prompt) or ask.fault("moderation")
        failure = errors.FLAGGED if flagged else errors.BUSY if ask.fault("busy") else ""
        width, height = size_of(model, values, shape(self.core, next(iter(media.get("start_image", [])), None)))
        hashes = {name: [item["sha256"] for item in items] for name, items in media.items()}
        now, latency_s = self.core.now(), self.core.latency_of(model, values)
        after_s = _seconds(ask.request.headers.get("cancel-after", ""))
        deadline = None if after_s is None else now + max(after_s, SHORTEST_DEADLINE_S)
        job = EmulatedJob(
            id=_id(), provider=self.name, account=ask.account, model=model.id, mode=mode, prompt=prompt, params=values,
            media=media, body=body, body_hash=digest(body), scene_key=scene_key(model, mode, values, hashes),
            asset_id=_id(), result_key=f"xezq/{_id()}{_id()}/output.mp4", cost=cost, seed=int(values.get("seed", -1)),
            created_at=now, outcome="failed" if failure else "done",
            notes={
                "width_px": width, "height_px": height, "failure": failure, "base": ask.base, "latency_s": latency_s,
                "deadline": deadline,
            },
            look_key=look_key(model, prompt, hashes),
        )  # fmt: skip
        job = self.core.create(job, model, ask.faults)
        if deadline is not None and deadline < job.done_at:
            outcome = "aborted" if deadline <= booted_at(job) else "cancelled"
            self.core.state.end_job(job.id, deadline, outcome)
            job = replace(job, done_at=deadline, outcome=outcome)
        self.caller.expect(job)
        return job

    async def _waited(self, ask: Ask, job: EmulatedJob) -> Response:
        """Return the prediction at once, or as it is after the wait that `Prefer` asks for."""
        wait_s = _prefers_wait_s(ask.request.headers.get("prefer", ""))
        if wait_s:
            await sleep_until(self.core.clock, min(job.done_at, self.core.now() + wait_s))
        over = job.is_over(self.core.now())
        answer = self._answer(ask, await self.core.as_told(job))
        if ask.fault("no_id"):
            answer.pop("id")
        return JSONResponse(answer, status_code=202 if wait_s and not over else 201)

    async def get(self, ask: Ask) -> Response:
        """Return the prediction with this id."""
        job = self._own(ask)
        if job is None or ask.fault("null_record"):
            return refusal(404, errors.NOT_FOUND)
        answer = self._answer(ask, await self.core.as_told(job))
        if ask.fault("unknown_status_word"):
            answer |= {"status": "upscaling", "output": None}
        return JSONResponse(answer)

    async def cancel(self, ask: Ask) -> Response:
        """Return the prediction, cancelled unless it was over already."""
        job = self._own(ask)
        if job is None:
            return refusal(404, errors.NOT_FOUND)
        self.core.state.end_job(job.id, self.core.now(), "cancelled")
        return JSONResponse(self._answer(ask, self.core.state.job(job.id) or job))

    async def list(self, ask: Ask) -> Response:
        """Return a page of the account's predictions, newest first."""
        query = ask.request.query_params
        try:
            after, before = (_moment(query.get(name)) for name in ("created_after", "created_before"))
            offset = int(query.get("cursor", "0"))
        except ValueError:
            return refusal(400, "Invalid query parameter", "Bad request")
        window = {} if after is None else {"after": after}
        window |= {} if before is None else {"before": before}
        jobs = self.core.state.jobs_of(self.name, ask.account, offset=offset, limit=PAGE + 1, **window)
        more = {**query, "cursor": str(offset + PAGE)}
        following = f"{ask.base}v1/predictions?{urlencode(more)}" if len(jobs) > PAGE else None
        results = [self._answer(ask, await self.core.as_told(job)) for job in jobs[:PAGE]]
        return JSONResponse({"previous": None, "next": following, "results": results})

    def _own(self, ask: Ask) -> EmulatedJob | None:
        job = self.core.state.job(ask.request.path_params["id"])
        return job if job is not None and (job.provider, job.account) == (self.name, ask.account) else None

    def _answer(self, ask: Ask, job: EmulatedJob) -> dict[str, Any]:
        return prediction(job, self.settings, self.core.now(), ask.base)

    # Files

    async def upload(self, ask: Ask) -> Response:
        """Return the stored file."""
        async with ask.request.form() as form:
            part = form.get("content")
            if not isinstance(part, UploadFile):
                return refusal(400, "Missing content", "Bad request")
            content, name, kind = await part.read(), part.filename or "file", part.content_type
        file = await asyncio.to_thread(self._stored, ask.account, name[:100], content)
        body = file_body(file, content, kind or "application/octet-stream", ask.base, self._file_life_s)
        return JSONResponse(body, status_code=201)

    def _stored(self, account: str, name: str, content: bytes) -> EmulatedFile:
        width, height = image_size(content, whole=True) or (None, None)
        identifier = file_id(secrets.token_hex(16))
        file = EmulatedFile(
            id=identifier, provider=self.name, account=account, kind="file", extension=name.rpartition(".")[2].lower(),
            key=identifier, created_at=self.core.now(), sha256=self.core.footage.keep(content), note=name,
            width_px=width, height_px=height,
        )  # fmt: skip
        return self.core.state.add_file(file)

    async def file(self, ask: Ask) -> Response:
        """Return what is known of a file."""
        file = self.core.state.file(ask.request.path_params["id"])
        if file is None or file.account != ask.account or file.sha256 is None:
            return refusal(404, errors.NOT_FOUND)
        content = self.core.footage.input(file.sha256)
        return JSONResponse(file_body(file, content, "application/octet-stream", ask.base, self._file_life_s))

    async def delete_file(self, ask: Ask) -> Response:
        """Return nothing, once the file is gone."""
        file = self.core.state.file(ask.request.path_params["id"])
        if file is None or file.account != ask.account or not self.core.state.delete_file(file.id):
            return refusal(404, errors.NOT_FOUND)
        return Response(status_code=204)

    # The rest

    async def model(self, ask: Ask) -> Response:
        """Return a model with the schema of its input."""
        model = _model("{owner}/{name}".format(**ask.request.path_params))
        return refusal(404, errors.NOT_FOUND) if model is None else JSONResponse(listed_model(model, ask.base))

    async def account(self, ask: Ask) -> Response:
        """Return the account."""
        name = f"emulated-{ask.account[:8]}"
        return JSONResponse({"type": "user", "username": name, "name": "Emulated", "github_url": None})

    async def webhook_secret(self, ask: Ask) -> Response:
        """Return the secret that callbacks are signed with."""
        return JSONResponse({"key": self.caller.secret})

    async def clip(self, ask: Ask) -> Response:
        """Return a clip: to anybody, for an hour after the prediction's end."""
        job = self.core.state.job_of_result(ask.request.path_params["key"])
        now = self.core.now()
        gone_s = self.settings.replicate_keeps_s
        if job is None or not job.is_over(now) or job.outcome != "done" or now > job.done_at + gone_s:
            return Response("Not found", status_code=404, media_type="text/plain")
        return await deliver(ask, job)


def _model(slug: str) -> Model | None:
    return catalog.load().get(f"replicate/{slug}")


def _id() -> str:
    """Return an id of the shape that predictions have: 26 letters and digits."""
    return "".join(secrets.choice(LETTERS) for _ in range(26))


def _seconds(text: str) -> float | None:
    """Return the seconds of a duration such as `30s`, `5m` or `1h30m`; None where it says none."""
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text.strip())
    if not parts or not any(parts.groups()):
        return None
    hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return float(3600 * hours + 60 * minutes + seconds)


def _prefers_wait_s(header: str) -> float:
    """Return how long a client wants to wait for the end: `wait`, or `wait=10`."""
    match = re.search(r"\bwait(?:=(\d+))?\b", header)
    return 0.0 if match is None else min(float(match[1] or LONGEST_WAIT_S), LONGEST_WAIT_S)


def _moment(text: str | None) -> float | None:
    """Return the moment that a query names.

    Raises:
        ValueError: it names none.
    """
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
