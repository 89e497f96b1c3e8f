"""OpenRouter's video API: jobs of many makers' models, their content behind the key, and the makers' storage."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from vidnb import catalog
from vidnb.catalog import Model
from vidnb.emulator.ask import Ask, Path, Service
from vidnb.emulator.checks import Complaint, check, wire_name
from vidnb.emulator.core import Core, account_id, is_moderated, look_key, scene_key
from vidnb.emulator.delivery import deliver, signature
from vidnb.emulator.inputs import InputError, decoded, keep, sample, shape
from vidnb.emulator.openrouter import errors
from vidnb.emulator.openrouter.errors import Refusal, flagged, invalid, refusal
from vidnb.emulator.openrouter.records import ODD_MODEL, STORAGE, job_record, listed, new_id, price_usd
from vidnb.emulator.openrouter.settings import Settings
from vidnb.emulator.openrouter.webhooks import Caller
from vidnb.emulator.replies import s3_error
from vidnb.emulator.scenes import size_of
from vidnb.emulator.state import EmulatedJob, digest

LATENCY_S = {"veo": 90, "kling": 150, "seedance": 80, "hailuo": 150, "wan": 90, "grok": 45, "gen-4.5": 45}
"""Seconds from start to end, by a word in the model's name; chosen, not measured."""
OTHER_LATENCY_S = 60.0
LINK_LIFE_S = 3600.0
FRAMES = {"first_frame": "start_image", "last_frame": "end_image"}
TAGS = ("callback_url", "session_id", "user", "trace", "input_references")
"""Fields that change nothing of the clip here: which models heed references, the list does not say."""
_DATA = re.compile(r"data:([\w.+/-]*)(?:;[\w=-]+)*;base64,", re.IGNORECASE)


class OpenRouter(Service):
    """The emulated service."""

    name = "openrouter"
    title = "OpenRouter"
    prefix = "/api/v1/videos"
    base_url_env = "OPENROUTER_BASE_URL={base}/api"
    key_hint = "any text that does not begin with `bad`"
    Settings = Settings

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.caller = Caller(
            core, lambda job: self._job_record(job, job.notes["base"]), self.settings.openrouter_webhook_times
        )

    def latency_s(self, model: Model, params: Mapping[str, Any]) -> float:
        """Return the seconds that a job runs."""
        return float(next((s for word, s in LATENCY_S.items() if word in model.name), OTHER_LATENCY_S))

    async def aclose(self) -> None:
        """Give up the callbacks that are still to come."""
        await self.caller.aclose()

    def paths(self) -> Sequence[Path]:
        """Return its routes."""
        return [
            Path("POST", "/api/v1/videos", "submit", self.create),
            Path("GET", "/api/v1/videos/models", "models", self.models, open=True),
            Path("GET", "/api/v1/videos/{id}", "poll", self.get),
            Path("GET", "/api/v1/videos/{id}/content", "download", self.content),
            Path("GET", "/api/v1/key", "account", self.key),
            Path("GET", "/api/v1/credits", "account", self.credits),
            Path("GET", f"/{STORAGE}/{{key:path}}", "download", self.serve, host="cdn"),
        ]

    def not_found(self, request: Request, status: int) -> Response:
        """Return the answer to a path that the service does not have."""
        return refusal(status, "Not Found")

    def authorize(self, ask: Ask) -> Response | None:
        """Return the refusal of a missing or bad key."""
        scheme, _, key = ask.request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            return refusal(401, errors.NO_KEY)
        if key.strip().startswith("bad"):
            return refusal(401, errors.BAD_KEY)
        ask.account = account_id(f"openrouter {key.strip()}")
        return None

    def refuse(self, kind: str, retry_after_s: float | None = None) -> Response:
        """Return the body of a fault."""
        if kind in ("bad_key", "inactive_key"):
            return refusal(401, errors.BAD_KEY)
        headers = {} if retry_after_s is None else {"retry-after": f"{retry_after_s:.0f}"}
        return refusal(int(kind), "Rate limit exceeded" if kind == "429" else "Internal Server Error", headers)

    # Jobs

    async def create(self, ask: Ask) -> Response:
        """Return the new job, with a relative address to ask about it."""
        try:
            given = await ask.json()
        except ValueError:
            return refusal(400, "The body is no valid JSON.")
        try:
            job = await self._created(ask, given if isinstance(given, dict) else {})
        except Refusal as no:
            return no.response
        self.caller.expect(job)
        answer = self._job_record(job, ask.base)
        if ask.fault("no_id"):
            del answer["id"]
        return JSONResponse(answer, status_code=202)

    async def _created(self, ask: Ask, given: Mapping[str, Any]) -> EmulatedJob:
        frames = _frames(given.get("frame_images"))
        mode = "image" if "start_image" in frames else "text"
        named = [m for m in catalog.load().values() if m.provider == self.name and m.wire == given.get("model")]
        if not named or ask.fault("retired") or (self.core.settings.refuse_retired and named[0].is_retired):
            raise Refusal(404, f"No endpoints found for {str(given.get('model'))[:60]}.")
        model = next((one for one in named if mode in one.modes), named[0])
        mode = mode if mode in model.modes else model.modes[0]
        media = await self._media(model, mode, frames)
        checked = check(model, mode, _fields(model, given), media)
        if checked.complaints:
            raise invalid(checked.complaints)
        prompt, maker = str(checked.values.get("prompt") or ""), model.wire.partition("/")[0]
        if is_moderated(prompt) or ask.fault("moderation"):
            raise flagged(prompt, maker)
        files = {name: len(items) for name, items in media.items()}
        cost, balance = price_usd(model, checked.values, files), self.settings.openrouter_balance_usd
        spent = balance is None or self.core.state.spend(ask.account, round(cost * 1e6), round(balance * 1e6))
        if ask.fault("no_credits") or spent is None:
            raise Refusal(402, errors.NO_CREDITS)
        return self._job(ask, model, mode, checked.values, media, given, cost)

    async def _media(self, model: Model, mode: str, frames: Mapping[str, Any]) -> dict[str, list[Any]]:
        media: dict[str, list[Any]] = {}
        for name, url in frames.items():
            if not model.accepts(name, mode):
                raise invalid([Complaint("frame_images", "unknown", f"{name} is not supported by this model")])
            try:
                media[name] = [await self._input_at(url)]
            except InputError as error:
                raise invalid([Complaint(wire_name(model.params[name]), "value", str(error))]) from error
        return media

    async def _input_at(self, url: Any) -> dict[str, Any]:
        """Return what a picture's address means: a `data:` URI, or any https address.

        Raises:
            InputError: it is neither.
        """
        if isinstance(url, str) and (match := _DATA.match(url)):
            return await keep(self.core, decoded(url[match.end() :]))
        if isinstance(url, str) and url.startswith("https://"):
            return await sample(self.core, url)
        raise InputError("must be an https address or a data URI")

    def _job(
        self, ask: Ask, model: Model, mode: str, values: Mapping[str, Any], media: Mapping[str, list[Any]],
        given: Mapping[str, Any], cost: float,
    ) -> EmulatedJob:  # fmt: skip
        prompt, now = str(values.get("prompt") or ""), self.core.now()
        width, height = size_of(model, values, shape(self.core, next(iter(media.get("start_image", [])), None)))
        hashes = {name: [item["sha256"] for item in items] for name, items in media.items()}
        failure = errors.BUSY if ask.fault("busy") else ""
        job = EmulatedJob(
            id=new_id(now), provider=self.name, account=ask.account, model=model.id, mode=mode, prompt=prompt,
            params=values, media=media, body={"callback_url": given.get("callback_url")}, body_hash=digest(given),
            scene_key=scene_key(model, mode, values, hashes), asset_id=f"gen-{new_id(now)[8:]}",
            result_key=f"{digest([new_id(now)])[:40]}.mp4", created_at=now, cost=cost,
            seed=int(values.get("seed", -1)), outcome="failed" if failure else "done",
            notes={"width_px": width, "height_px": height, "failure": failure, "base": ask.base},
            look_key=look_key(model, prompt, hashes),
        )  # fmt: skip
        return self.core.create(job, model, ask.faults)

    async def get(self, ask: Ask) -> Response:
        """Return the job with this id."""
        job = self._own(ask)
        if job is None or ask.fault("null_record"):
            return refusal(404, errors.NOT_FOUND)
        answer = self._job_record(await self.core.as_told(job), ask.base)
        return JSONResponse(answer | {"status": "upscaling"} if ask.fault("unknown_status_word") else answer)

    async def content(self, ask: Ask) -> Response:
        """Return a job's clip to whoever has the key, or the way to its maker's storage."""
        job, now = self._own(ask), self.core.now()
        if job is None or ask.request.query_params.get("index", "0") != "0":
            return refusal(404, errors.NOT_FOUND)
        if not job.is_over(now) or job.outcome != "done":
            return refusal(409, errors.NOT_READY)
        if now > job.done_at + self.settings.openrouter_output_life_s:
            return refusal(410, errors.EXPIRED)
        return RedirectResponse(self._link(job, ask.base)[0]) if self.settings.openrouter_redirects else await deliver(
            ask, job
        )

    async def serve(self, ask: Ask) -> Response:
        """Return a clip from a maker's storage: to anybody whose link is signed, and never to a request with a key."""
        if "authorization" in ask.request.headers:
            return s3_error(400, "InvalidArgument", "Only one auth mechanism allowed")
        key, query = ask.request.path_params["key"], ask.request.query_params
        until, now = query.get("Expires", ""), self.core.now()
        if query.get("Signature") != signature(self.core, "openrouter clip", key, until) or now > int(until):
            return s3_error(403, "AccessDenied", "Access denied")
        job = self.core.state.job_of_result(key)
        if job is None or not job.is_over(now) or job.outcome != "done":
            return s3_error(404, "NoSuchKey", "The specified key does not exist.")
        return await deliver(ask, job)

    def _link(self, job: EmulatedJob, base: str) -> tuple[str, float]:
        """Return a signed link to a clip, and when it ends."""
        until = int(self.core.now() + LINK_LIFE_S)
        sign = signature(self.core, "openrouter clip", job.result_key, str(until))
        return f"{base}{STORAGE}/{job.result_key}?Expires={until}&Signature={sign}", until

    def _job_record(self, job: EmulatedJob, base: str) -> dict[str, Any]:
        copy = self._link(job, base) if self.settings.openrouter_keeps_copy else None
        return job_record(job, self.core.now(), base, copy)

    def _own(self, ask: Ask) -> EmulatedJob | None:
        job = self.core.state.job(ask.request.path_params["id"])
        return job if job is not None and (job.provider, job.account) == (self.name, ask.account) else None

    # The rest

    async def models(self, ask: Ask) -> Response:
        """Return the public list of models."""
        entries = {m.wire: listed(m) for m in catalog.load().values() if m.provider == self.name and not m.is_retired}
        return JSONResponse({"data": [*entries.values(), ODD_MODEL]})

    async def key(self, ask: Ask) -> Response:
        """Return what the key has used, and what is left."""
        used, limit = self.core.state.used_credits(ask.account) / 1e6, self.settings.openrouter_balance_usd
        left = None if limit is None else limit - used
        return JSONResponse({"data": {"label": "emulated", "usage": used, "limit": limit, "limit_remaining": left}})

    async def credits(self, ask: Ask) -> Response:
        """Return the account's credits."""
        used, limit = self.core.state.used_credits(ask.account) / 1e6, self.settings.openrouter_balance_usd
        return JSONResponse({"data": {"total_credits": 1000.0 if limit is None else limit, "total_usage": used}})


def _frames(value: Any) -> dict[str, Any]:
    """Return the addresses of the first and the last picture, by vidnb's name.

    Raises:
        Refusal: the list is none, or names another place.
    """
    frames: dict[str, Any] = {}
    for one in value if isinstance(value, list) else [] if value is None else [None]:
        place = str(one.get("frame_type")) if isinstance(one, dict) else ""
        held = one.get("image_url") if isinstance(one, dict) else None
        if place not in FRAMES or not isinstance(held, dict):
            raise invalid([Complaint("frame_images", "value", "must be pictures with a frame_type and an image_url")])
        frames[FRAMES[place]] = held.get("url")
    return frames


def _fields(model: Model, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain fields of a body; what is passed through to a maker is dropped where nobody knows it."""
    fields = {
        name: value for name, value in given.items() if name not in (*TAGS, "model", "provider", "frame_images", "size")
    }
    if re.fullmatch(r"\d{3,4}x\d{3,4}", str(given.get("size") or "")):
        width, height = map(int, str(given["size"]).split("x"))
        fields |= {"resolution": f"{min(width, height)}p", "aspect_ratio": catalog.aspect_ratio(width, height)}
    for param in model.params.values():
        if (param.wire or "").startswith("provider."):
            passed: Any = given
            for part in str(param.wire).split("."):
                passed = passed.get(part) if isinstance(passed, dict) else None
            fields |= {} if passed is None else {wire_name(param): passed}
    return fields
