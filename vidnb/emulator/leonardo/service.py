"""Leonardo.AI's REST API, v1 and v2: accounts, uploads, listings; `create` makes the jobs.

v1 and v2 create, v1 reads. Both stand behind a GraphQL gateway, and it shows: v1 errors are one object
`{"error", "code", "path"}`, v2 errors an array under HTTP 200.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vidnb import catalog
from vidnb.catalog import MEDIA_KINDS, Model
from vidnb.emulator.ask import Ask, Path, Service, by_beginning
from vidnb.emulator.checks import UUID, wire_name
from vidnb.emulator.clock import iso
from vidnb.emulator.core import Core, account_id
from vidnb.emulator.delivery import signature
from vidnb.emulator.leonardo.create import Creation, v1_error
from vidnb.emulator.leonardo.hosts import UPLOAD_PATH, Hosts
from vidnb.emulator.leonardo.records import BASE_MODEL, CDN_PATH, generation
from vidnb.emulator.leonardo.settings import Settings
from vidnb.emulator.leonardo.webhooks import Caller
from vidnb.emulator.state import EmulatedFile

V1, V2 = "/api/rest/v1", "/api/rest/v2"
SAMPLE_KEY = "<YOUR_API_KEY>"
"""What the documents' samples have in place of a key: taken as one, so that they run as they stand."""
IMAGE_EXTENSIONS = ("png", "jpg", "jpeg", "webp")
MEDIA_EXTENSIONS = {"mp4": "VIDEO", "mov": "VIDEO", "mp3": "AUDIO", "wav": "AUDIO"}
PRICES_CREDITS: Mapping[str, Mapping[str | None, int]] = {
    "MOTION_SVD_GENERATION": {None: 45},
    "MOTION_VIDEO_GENERATION": {"RESOLUTION_480": 100, "RESOLUTION_720": 200},
    "VEO3_MOTION_VIDEO_GENERATION": {"RESOLUTION_720": 2500, "RESOLUTION_1080": 4000},
}
"""For the pricing calculator. 45 stood on an old page; the others are invented."""


LATENCY_S = {
    "motion_2.0-fast": 25, "motion2fast": 25, "motion": 45, "svd": 40, "grok": 45, "ltx": 35, "veo": 90, "kling": 120,
    "seedance": 90, "hailuo": 100, "sora": 150,
}  # fmt: skip
"""Seconds from start to end, by the beginning of the model's name in lower case: chosen, as the vendor says nothing."""


class Leonardo(Service):
    """The emulated service."""

    name = "leonardo"
    title = "Leonardo.AI"
    slots = 10
    prefix = "/api/rest/"
    base_url_env = "LEONARDO_BASE_URL={base}/api/rest"
    key_hint = "any UUID"
    Settings = Settings

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.caller = Caller(core, self.settings.webhook_url, self.settings.webhook_secret)
        self.creation = Creation(core, self.settings, self.caller)
        self.hosts = Hosts(core, self.settings.upload_window_s)

    def latency_s(self, model: Model, params: Mapping[str, Any]) -> float:
        """Return the seconds that a job takes."""
        return by_beginning(LATENCY_S, model.name)

    def not_found(self, request: Request, status: int) -> Response:
        """Return the answer to a path that the service does not have."""
        return JSONResponse({"path": "$", "error": "Endpoint not found", "code": "not-found"}, status_code=status)

    async def aclose(self) -> None:
        """Give up the callbacks that are still to come."""
        await self.caller.aclose()

    def paths(self) -> Sequence[Path]:
        """Its routes."""
        create = self.creation
        return [
            Path("POST", V2 + "/generations", "submit", create.v2),
            Path("GET", V2 + "/models", "models", self.models),
            Path("POST", V1 + "/generations-text-to-video", "submit", create.text_to_video),
            Path("POST", V1 + "/generations-image-to-video", "submit", create.image_to_video),
            Path("POST", V1 + "/generations-motion-svd", "submit", create.motion_svd),
            Path("GET", V1 + "/generations/user/{user}", "list", self.list),
            Path("GET", V1 + "/generations/{id}", "poll", self.get),
            Path("DELETE", V1 + "/generations/{id}", "delete", self.delete),
            Path("GET", V1 + "/motion-variations/{id}", "poll", self.motion_variations),
            Path("POST", V1 + "/init-image", "upload", self.init_image),
            Path("GET", V1 + "/init-image/{id}", "upload", self.get_init_image),
            Path("DELETE", V1 + "/init-image/{id}", "delete", self.delete_init_image),
            Path("POST", V1 + "/media", "upload", self.media),
            Path("GET", V1 + "/media/{id}", "upload", self.get_media),
            Path("DELETE", V1 + "/media/{id}", "delete", self.delete_media),
            Path("GET", V1 + "/me", "account", self.me),
            Path("POST", V1 + "/pricing-calculator", "price", self.price),
            Path("GET", V1 + "/elements", "models", self.elements),
            *self.hosts.paths(),
        ]

    def authorize(self, ask: Ask) -> Response | None:
        """The refusal for a missing or malformed key; a malformed one looks like a broken server."""
        scheme, _, key = ask.request.headers.get("authorization", "").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            return v1_error("Authentication hook unauthorized this request", code="access-denied", status=401)
        if not UUID.fullmatch(key) and key != SAMPLE_KEY:
            return self.refuse("bad_key")
        ask.account = account_id(f"leonardo account {key.lower()}")
        return None

    def refuse(self, kind: str, retry_after_s: float | None = None) -> Response:
        """The body of a fault."""
        if kind == "bad_key":
            return v1_error("Invalid response from authorization hook", status=500)
        if kind == "inactive_key":
            return v1_error("Authentication hook unauthorized this request", code="access-denied", status=401)
        text = "Too many requests, please try again later." if kind == "429" else "Service Error"
        headers = {"retry-after": f"{retry_after_s:.0f}"} if retry_after_s is not None else None
        return v1_error(text, status=int(kind), headers=headers)

    # Jobs

    async def get(self, ask: Ask) -> Response:
        """One generation, or null."""
        job_id = ask.request.path_params["id"]
        if not UUID.fullmatch(job_id):
            return v1_error(f'invalid input syntax for type uuid: "{job_id}"', code="data-exception")
        job = self.core.state.job(job_id.lower())
        if job is None or job.account != ask.account or ask.fault("null_record"):
            return JSONResponse({"generations_by_pk": None})
        job = await self.core.as_told(job)
        record = generation(self.core, job, ask.base, strict=self.settings.strict_records)
        if ask.fault("unknown_status_word"):
            record.update(status="PROCESSING_STAGE_2", generated_images=[])
        return JSONResponse({"generations_by_pk": record})

    async def list(self, ask: Ask) -> Response:
        """An account's generations, newest first; no total and no cursor."""
        try:
            query = ask.request.query_params
            offset, limit = int(query.get("offset", 0)), int(query.get("limit", 10))
        except ValueError:
            return v1_error("expected an integer for type 'Int', but found a string", code="validation-failed")
        mine = ask.request.path_params["user"] == ask.account and offset >= 0 and limit >= 0
        jobs = self.core.state.jobs_of("leonardo", ask.account, offset=offset, limit=limit) if mine else []
        records = [generation(self.core, job, ask.base, strict=self.settings.strict_records) for job in jobs]
        for record in records:
            for image in record["generated_images"]:
                del image["fantasyAvatar"]
        return JSONResponse({"generations": records})

    async def delete(self, ask: Ask) -> Response:
        """The id of what was deleted, or null."""
        job_id = ask.request.path_params["id"]
        job = self.core.state.job(job_id)
        gone = job is not None and job.account == ask.account and self.core.state.delete_job(job_id)
        return JSONResponse({"delete_generations_by_pk": {"id": job_id} if gone else None})

    async def motion_variations(self, ask: Ask) -> Response:
        """No variation: there is no way left to make one."""
        return JSONResponse({"generated_image_variation_motion": []})

    # Uploads

    async def init_image(self, ask: Ask) -> Response:
        """A presigned form for one picture."""
        body = await _object(ask)
        extension = body.get("extension")
        if extension not in IMAGE_EXTENSIONS:
            return _extension_error(extension)
        file = self._announce(ask, "init", extension)
        answer = {"id": file.id, "url": ask.base.rstrip("/") + UPLOAD_PATH, "key": file.key, "fields": self._form(file)}
        return JSONResponse({"uploadInitImage": answer})

    async def media(self, ask: Ask) -> Response:
        """A presigned form for a video or a sound."""
        body = await _object(ask)
        extension = body.get("extension")
        if not isinstance(extension, str) or extension not in MEDIA_EXTENSIONS:
            return _extension_error(extension)
        if MEDIA_EXTENSIONS[extension] == "AUDIO" and not body.get("originalFilename"):
            return v1_error("originalFilename is required for audio")
        file = self._announce(ask, "media", extension)
        answer = {"uploadId": file.id, "url": ask.base.rstrip("/") + UPLOAD_PATH, "fields": self._form(file)}
        return JSONResponse({"uploadMedia": answer})

    def _announce(self, ask: Ask, kind: str, extension: str) -> EmulatedFile:
        file_id = str(uuid.uuid4())
        folder = "initImages" if kind == "init" else "media"
        key = f"users/{ask.account}/{folder}/{file_id}.{extension}"
        return self.core.state.add_file(
            EmulatedFile(file_id, "leonardo", ask.account, kind, extension, key, self.core.now())
        )

    def _form(self, file: EmulatedFile) -> str:
        """The fields of the form, as the JSON string that the service sends."""
        date = iso(file.created_at)
        types = {"jpg": "image/jpeg", "png": "image/png", "mp4": "video/mp4"}
        fields = {
            "Content-Type": types.get(file.extension, f"image/{file.extension}"),
            "bucket": "leonardo-uploads",
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Date": date,
            "key": file.key,
            "x-amz-signature": signature(self.core, file.key),
        }
        return json.dumps(fields)

    async def get_init_image(self, ask: Ask) -> Response:
        """One announced picture, or null."""
        file = self._own_file(ask, "init")
        return JSONResponse({"init_images_by_pk": _file(file, ask.base) if file else None})

    async def delete_init_image(self, ask: Ask) -> Response:
        """The id of what was deleted, or null."""
        return self._delete_file(ask, "init", "delete_init_images_by_pk")

    async def get_media(self, ask: Ask) -> Response:
        """One announced video or sound, or null."""
        file = self._own_file(ask, "media")
        if file is None:
            return JSONResponse({"uploaded_media_by_pk": None})
        record = {
            **_file(file, ask.base),
            "thumbnailUrl": None,
            "status": "COMPLETE" if file.sha256 else "PENDING",
            "statusReason": None,
            "mediaType": MEDIA_EXTENSIONS[file.extension],
            "duration": None,
            "width": file.width_px,
            "height": file.height_px,
            "video_fps": None,
        }
        return JSONResponse({"uploaded_media_by_pk": record})

    async def delete_media(self, ask: Ask) -> Response:
        """The id of what was deleted, or null."""
        return self._delete_file(ask, "media", "delete_uploaded_media_by_pk")

    def _own_file(self, ask: Ask, kind: str) -> EmulatedFile | None:
        file = self.core.state.file(ask.request.path_params["id"])
        return file if file and file.account == ask.account and file.kind == kind else None

    def _delete_file(self, ask: Ask, kind: str, root: str) -> Response:
        file = self._own_file(ask, kind)
        gone = file is not None and self.core.state.delete_file(file.id)
        return JSONResponse({root: {"id": file.id} if file and gone else None})

    # Account, prices, models

    async def me(self, ask: Ask) -> Response:
        """The account, as an array of one."""
        slots = self.core.slots_of("leonardo")
        details = {
            "user": {"id": ask.account, "username": "emulated"},
            "tokenRenewalDate": None,
            "paidTokens": 0,
            "subscriptionTokens": 0,
            "subscriptionGptTokens": 0,
            "subscriptionModelTokens": 0,
            "apiConcurrencySlots": self.slots if slots is None else slots,
            "apiPaidTokens": 0,
            "apiSubscriptionTokens": 0,
            "apiPlanTokenRenewalDate": None,
        }
        return JSONResponse({"user_details": [details]})

    async def price(self, ask: Ask) -> Response:
        """A price in credits, for the three video services that the calculator knows."""
        body = await _object(ask)
        service = body.get("service")
        table = PRICES_CREDITS.get(service) if isinstance(service, str) else None
        if table is None:
            return v1_error(f"unknown service {service!r}")
        given = body.get("serviceParams")
        params = given.get(service) if isinstance(given, dict) else None
        resolution = params.get("resolution") if isinstance(params, dict) else None
        known = resolution if isinstance(resolution, str) else None
        cost = table.get(known, next(iter(table.values())))
        return JSONResponse({"calculateProductionApiServiceCost": {"cost": cost}})

    async def elements(self, ask: Ask) -> Response:
        """The known motion controls as elements; the vendor's own list is not published."""
        names = catalog.find("leonardo/motion_2.0").names.get("motion_control", {})
        loras = [
            {
                "akUUID": identifier,
                "name": name,
                "creatorName": "Leonardo",
                "description": f"Motion control: {name}",
                "baseModel": BASE_MODEL,
                "urlImage": f"{ask.base.rstrip('/')}{CDN_PATH}/element_thumbnails/{identifier}.webp",
                "weightDefault": 1,
                "weightMin": -2,
                "weightMax": 2,
            }
            for name, identifier in names.items()
        ]
        return JSONResponse({"loras": loras})

    async def models(self, ask: Ask) -> Response:
        """The models of v2; their ids there are not the slugs that a request takes."""
        found = [m for m in catalog.load().values() if m.provider == "leonardo" and m.api == "v2" and not m.is_retired]
        listed = [{"id": enum_id(model), "name": model.title, "parameters": _schema(model)} for model in found]
        return JSONResponse({"productionApiAvailableModels": listed})


def enum_id(model: Model) -> str:
    """The id of a model in listings: `SEEDANCE_2_5` for `bytedance/seedance-2.5`."""
    slug = model.wire.rsplit("/", 1)[-1]
    return "".join(letter if letter.isalnum() else "_" for letter in slug).upper()


def _schema(model: Model) -> dict[str, Any]:
    own = [param for param in model.params.values() if param.wire and param.name != "public"]
    plain = [param for param in own if param.kind not in MEDIA_KINDS]
    types = {"text": "string", "integer": "integer", "number": "number", "boolean": "boolean", "choice": "string"}
    properties: dict[str, Any] = {}
    for param in plain:
        schema: dict[str, Any] = {"type": types.get(param.kind, "array")}
        if param.choices and not param.names:
            schema["enum"] = list(param.wire_values or param.choices)
        limits = {"minimum": param.min, "maximum": param.max, "maxLength": param.max_length}
        properties[wire_name(param)] = schema | {key: value for key, value in limits.items() if value is not None}
    return {"type": "object", "properties": properties, "required": [wire_name(p) for p in plain if p.required]}


def _file(file: EmulatedFile, base: str) -> dict[str, Any]:
    url = f"{base.rstrip('/')}{CDN_PATH}/{file.key}" if file.sha256 else None
    return {"id": file.id, "createdAt": iso(file.created_at, zone=""), "url": url}


async def _object(ask: Ask) -> Mapping[str, Any]:
    """The body as an object; empty where it is anything else, so that the missing fields are what is said."""
    try:
        body = await ask.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _extension_error(extension: Any) -> Response:
    if extension is None:
        return v1_error('expecting a value for non-nullable variable: "extension"', code="validation-failed")
    return v1_error("invalid file extension")
