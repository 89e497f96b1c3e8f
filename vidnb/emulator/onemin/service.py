"""1min.ai's API: one call runs every feature, synchronously by default; results are storage keys with signed links."""

from __future__ import annotations

import asyncio
import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vidnb import catalog
from vidnb.catalog import MEDIA_KINDS, Model
from vidnb.emulator.ask import Ask, Path, Service, by_beginning
from vidnb.emulator.checks import Checked, check, wire_name
from vidnb.emulator.clock import sleep_until
from vidnb.emulator.core import Core, account_id, is_moderated, look_key, scene_key
from vidnb.emulator.inputs import InputError, shape
from vidnb.emulator.onemin import inputs
from vidnb.emulator.onemin.errors import Refusal, error, missing, upstream
from vidnb.emulator.onemin.records import asset_body, envelope, listed_model, price_credits
from vidnb.emulator.onemin.settings import Settings
from vidnb.emulator.onemin.storage import Storage
from vidnb.emulator.replies import GATEWAY_TITLES, gateway_page
from vidnb.emulator.scenes import image_size, size_of
from vidnb.emulator.state import EmulatedFile, EmulatedJob, digest

TYPES = {"TEXT_TO_VIDEO": "text", "IMAGE_TO_VIDEO": "image"}
BAD_KEYS = {
    "deleted-key": "API Key has been deleted",
    "inactive-key": "API Key is not active. Please contact your team administrator to be unblocked",
}
"""The two keys that do not work; any other text is a good key, with a team of its own."""
OLDER_CONTRACTS = {("1min/luma", "image"), ("1min/veo3-fast-mode", "text"), ("1min/veo3-fast-mode", "image")}


LATENCY_S = {
    "leonardo-motion": 40, "animate-diff": 75, "luma": 60, "pika": 60, "skyreels": 90, "hailuo": 120, "kling": 120,
    "veo": 120, "sora": 150,
}  # fmt: skip
"""Seconds from start to end, by the beginning of the model's name (AnimateDiff was measured, the rest is chosen)."""
KLING_PRO_LATENCY_S = 240.0


class OneMin(Service):
    """The emulated service."""

    name = "1min"
    title = "1min.ai"
    base_url_env = "ONEMIN_BASE_URL={base}"
    Settings = Settings

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.storage = Storage(core)

    def latency_s(self, model: Model, params: Mapping[str, Any]) -> float:
        """Return the seconds that a job takes."""
        if model.name.startswith("kling") and params.get("quality") == "pro":
            return KLING_PRO_LATENCY_S
        return by_beginning(LATENCY_S, model.name)

    def not_found(self, request: Request, status: int) -> Response:
        """Return the answer to a path that the service does not have."""
        message = f"Cannot {request.method} {request.url.path}"
        return JSONResponse({"errorCode": "HTTP_EXCEPTION", "message": message}, status_code=status)

    def paths(self) -> Sequence[Path]:
        """Its routes."""
        return [
            Path("POST", "/api/assets", "upload", self.asset),
            Path("POST", "/api/features", "submit", self.feature),
            Path("GET", "/api/results/{uuid}", "poll", self.result),
            Path("GET", "/models", "models", self.models, open=True),
            *self.storage.paths(),
        ]

    def authorize(self, ask: Ask) -> Response | None:
        """The refusal for a missing key or one of the two that do not work."""
        key = ask.request.headers.get("api-key", "").strip()
        if not key or key in BAD_KEYS:
            message = BAD_KEYS.get(key, self.settings.missing_key_message)
            return JSONResponse({"errorCode": "HTTP_EXCEPTION", "message": message}, status_code=401)
        ask.account = account_id(f"1min team {key}")
        return None

    def refuse(self, kind: str, retry_after_s: float | None = None) -> Response:
        """The body of a fault."""
        if kind in ("bad_key", "inactive_key"):
            message = BAD_KEYS["deleted-key" if kind == "bad_key" else "inactive-key"]
            return JSONResponse({"errorCode": "HTTP_EXCEPTION", "message": message}, status_code=401)
        message = "Too many requests" if kind == "429" else "Internal server error"
        headers = {"retry-after": f"{retry_after_s:.0f}"} if retry_after_s is not None else None
        return JSONResponse({"errorCode": "HTTP_EXCEPTION", "message": message}, status_code=int(kind), headers=headers)

    # Uploads

    async def asset(self, ask: Ask) -> Response:
        """The stored file, twice described; `fileContent.path` is what a feature wants."""
        async with ask.request.form() as form:
            part = form.get("asset")
            if not isinstance(part, UploadFile):
                return missing("asset", "POST /api/assets", ["asset"]).response
            content, name, mimetype = await part.read(), part.filename or "asset", part.content_type
        name = re.sub(r"[^\w.\-]+", "_", name.replace("\\", "/").rsplit("/", 1)[-1])[:100] or "asset"
        file = await asyncio.to_thread(self._stored, ask.account, name, content)
        return JSONResponse(asset_body(file, name, mimetype or "application/octet-stream", content))

    def _stored(self, account: str, name: str, content: bytes) -> EmulatedFile:
        now, state = self.core.now(), self.core.state
        key = f"images/{_stamp(now)}_{name}"
        while state.file_of_key(key):
            key = f"images/{_stamp(now)}_{secrets.randbelow(10**6):06}_{name}"
        width, height = image_size(content, whole=True) or (None, None)
        file = EmulatedFile(
            id=str(uuid.uuid4()), provider="1min", account=account, kind="asset",
            extension=name.rpartition(".")[2].lower(), key=key, created_at=now,
            sha256=self.core.footage.keep(content), width_px=width, height_px=height,
        )  # fmt: skip
        return state.add_file(file)

    # Features

    async def feature(self, ask: Ask) -> Response:
        """The record: finished where the call waits, PROCESSING where it is asynchronous."""
        try:
            body = await ask.json()
        except ValueError:
            return error(400, "HTTP_EXCEPTION", "Unexpected token in JSON").response
        body = body if isinstance(body, dict) else {}
        try:
            job = await self._job(ask, body)
        except Refusal as refusal:
            return refusal.response
        if body.get("async") is not True:
            return await self._waited(ask, job)
        return self._answer(ask, job)

    async def _job(self, ask: Ask, body: Mapping[str, Any]) -> EmulatedJob:
        """The new job. Checked in the service's order: type, model, required fields, values, inputs, credits."""
        feature, given = body.get("type"), body.get("promptObject")
        if not isinstance(feature, str) or feature not in TYPES:
            raise error(400, "UNKNOWN_ERROR", f"Unsupported feature type: {feature}")
        given = given if isinstance(given, dict) else {}
        model, mode, checked = self._contract(ask, body.get("model"), feature, given)
        if lacking := _lacking(model, mode, checked, given):
            raise missing(str(body.get("model")), feature, lacking)
        failure = self._wrong_values(checked)
        if failure and (self.settings.range_errors == "submit" or body.get("async") is not True):
            raise upstream(model, failure)
        media = await self._media(model, mode, ask.account, given)
        self._moderate(ask, model, given)
        return self._create(ask, model, mode, checked.values, media, body, failure)

    def _contract(self, ask: Ask, slug: Any, feature: str, given: Mapping[str, Any]) -> tuple[Model, str, Checked]:
        """The model's contract that fits the request best: fewest required fields missing, then fewest unknown."""
        settings = self.core.settings
        offered = [(model, mode) for model, mode in _offered(feature) if slug in _slugs(model)]
        if not self.settings.older_contracts:
            offered = [(model, mode) for model, mode in offered if (model.id, mode) not in OLDER_CONTRACTS] or offered
        if settings.refuse_retired:
            offered = [(model, mode) for model, mode in offered if not model.is_retired]
        if not offered or ask.fault("retired"):
            raise error(400, "UNSUPPORTED_MODEL", f"Model {slug} is not supported for feature {feature}")
        return min(((model, mode, _checked(model, mode, given)) for model, mode in offered), key=_misfit)

    def _wrong_values(self, checked: Checked) -> str:
        """What the upstream service will not like; unknown fields only in strict mode."""
        strict = self.settings.strict_fields
        wrong = [one for one in checked.complaints if one.kind != "missing" and (one.kind != "unknown" or strict)]
        return "; ".join(f"{complaint.field} {complaint.phrase}" for complaint in wrong)

    async def _media(self, model: Model, mode: str, account: str, given: Mapping[str, Any]) -> dict[str, list[Any]]:
        media: dict[str, list[Any]] = {}
        for param in model.params.values():
            value = given.get(wire_name(param))
            if param.kind not in MEDIA_KINDS or not model.accepts(param.name, mode) or value in (None, "", []):
                continue
            limits, paths = model.image_limits, _as_list(value)
            try:
                media[param.name] = [await inputs.input_of(self.core, account, path, limits) for path in paths]
            except InputError as cause:
                raise upstream(model, str(cause)) from cause
        return media

    def _moderate(self, ask: Ask, model: Model, given: Mapping[str, Any]) -> None:
        word = is_moderated(str(given.get("prompt") or "")) or ("moderated" if ask.fault("moderation") else None)
        if word:
            cause = f"Your prompt appears to contain inappropriate content: {word}"
            raise upstream(model, cause, code="ContentPolicyViolation")
        if ask.fault("busy"):
            raise upstream(model, "Rate limit reached upstream", status=429, code="TooManyRequests")

    def _create(
        self, ask: Ask, model: Model, mode: str, values: Mapping[str, Any], media: Mapping[str, list[Any]],
        body: Mapping[str, Any], failure: str,
    ) -> EmulatedJob:  # fmt: skip
        start = shape(self.core, next(iter(media.get("start_image", [])), None))
        width, height = size_of(model, values, start)
        price = price_credits(model, values)
        limit = self.settings.credit_limit
        before = None if ask.fault("no_credits") else self.core.state.spend(ask.account, price, limit)
        if before is None:
            left = limit - self.core.state.used_credits(ask.account)
            has = f"the Emulated team only has {min(left, price - 1)} credits"
            raise error(406, "INSUFFICIENT_CREDITS", f"The feature requires {price} credits, but {has}")
        now = self.core.now()
        job = EmulatedJob(
            id=str(uuid.uuid4()), provider="1min", account=ask.account, model=model.id, mode=mode,
            prompt=str(values.get("prompt") or ""), params=values, media=media, body=body, body_hash=digest(body),
            scene_key=scene_key(model, mode, values, _hashes(media)),
            asset_id=str(uuid.uuid4()), result_key=f"videos/{_stamp(now)}_{secrets.randbelow(10**12):012}.mp4",
            cost=price, seed=int(values.get("seed", -1)), created_at=now, outcome="failed" if failure else "done",
            notes={"width_px": width, "height_px": height, "used_before": before, "failure": failure},
            look_key=look_key(model, str(values.get("prompt") or ""), _hashes(media)),
        )  # fmt: skip
        return self.core.create(job, model, ask.faults)

    async def _waited(self, ask: Ask, job: EmulatedJob) -> Response:
        """The answer of a call that waits: the finished record, or the gateway's 524 while the job goes on."""
        limit_at = job.created_at + self.settings.gateway_limit_s / self.core.settings.speed
        await sleep_until(self.core.clock, min(job.done_at, limit_at))
        if job.done_at > limit_at:
            return gateway_page(524, GATEWAY_TITLES[524])
        return self._answer(ask, job)

    async def result(self, ask: Ask) -> Response:
        """The record with this id, or null for one that is unknown or another team's."""
        job = self.core.state.job(ask.request.path_params["uuid"].lower())
        if job is None or job.provider != "1min" or job.account != ask.account or ask.fault("null_record"):
            return JSONResponse({"aiRecord": None})
        return self._answer(ask, await self.core.as_told(job))

    def _answer(self, ask: Ask, job: EmulatedJob) -> Response:
        answer = envelope(self.core, self.settings, job, ask.base)
        record = answer["aiRecord"]
        if ask.fault("unknown_status_word"):
            record["status"] = "UPSCALING"
            record.pop("temporaryUrl", None)
        if ask.fault("error_object_in_200", "errors_200"):
            refused = {"code": "INSUFFICIENT_CREDITS", "message": "not enough credits upstream"}
            record["aiRecordDetail"]["resultObject"] = refused
            record.pop("temporaryUrl", None)
        link = record.pop("temporaryUrl", None) if ask.fault("no_temporary_url", "root_url") else None
        if link and ask.fault("root_url"):
            answer["temporaryUrl"] = link
        if ask.fault("no_id"):
            del record["uuid"]
        return JSONResponse(answer)

    # Models

    async def models(self, ask: Ask) -> Response:
        """The models of one feature; none without `feature`, as at the real service."""
        feature = ask.request.query_params.get("feature", "")
        unique = {model.wire: model for model, _ in reversed(_offered(feature)) if model.status == "active"}
        listed = [listed_model(model, feature) for model in unique.values()]
        return JSONResponse({"models": listed, "total": len(listed)})


def _offered(feature: str) -> list[tuple[Model, str]]:
    """Every contract of a feature, with its mode; Sora's first frame goes through TEXT_TO_VIDEO too."""
    models = [model for model in catalog.load().values() if model.provider == "1min"]
    return [(model, mode) for model in models for mode in model.modes if model.endpoints.get(mode) == feature]


def _slugs(model: Model) -> set[str]:
    return {model.wire, *(alias.partition("/")[2] for alias in model.aliases)}


def _checked(model: Model, mode: str, given: Mapping[str, Any]) -> Checked:
    taken = [param for param in model.params.values() if param.kind in MEDIA_KINDS and model.accepts(param.name, mode)]
    media_fields = {wire_name(param): param.name for param in taken}
    there = [name for name in media_fields if given.get(name) not in (None, "", [])]
    media = {media_fields[name]: _as_list(given[name]) for name in there}
    fields = {name: value for name, value in given.items() if name not in media_fields}
    checked = check(model, mode, fields, media)
    size = re.fullmatch(r"(\d+)x(\d+)", str(given.get("size", "")))
    if size and "size" in model.other_fields:
        checked = Checked({**checked.values, "width_px": int(size[1]), "height_px": int(size[2])}, checked.complaints)
    return checked


def _hashes(media: Mapping[str, list[Any]]) -> dict[str, list[str]]:
    return {name: [item["sha256"] for item in items] for name, items in media.items()}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _misfit(found: tuple[Model, str, Checked]) -> tuple[int, ...]:
    kinds = [complaint.kind for complaint in found[2].complaints]
    return kinds.count("missing"), kinds.count("unknown"), len(kinds)


def _lacking(model: Model, mode: str, checked: Checked, given: Mapping[str, Any]) -> list[str]:
    """Required fields that are absent or empty; a call for an image's motion needs the image, whatever the contract."""
    lacking = [complaint.field for complaint in checked.complaints if complaint.kind == "missing"]
    required = [wire_name(p) for p in model.params.values() if p.required and p.wire and model.accepts(p.name, mode)]
    start = model.params.get("start_image")
    if start and model.endpoints.get(mode) == "IMAGE_TO_VIDEO" and "imageUrls" not in given:
        required.append(wire_name(start))
    if "size" in model.other_fields:
        required.append("size")
    return list(dict.fromkeys([*lacking, *(name for name in required if given.get(name) in (None, ""))]))


def _stamp(now_s: float) -> str:
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y_%m_%d_%H_%M_%S_%f")[:-3]
