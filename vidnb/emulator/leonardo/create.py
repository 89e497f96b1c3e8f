"""Leonardo's creates: one endpoint of v2, three of v1, each with its own idea of validation and of errors."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from vidnb import catalog
from vidnb.catalog import MEDIA_KINDS, Model
from vidnb.emulator.ask import Ask
from vidnb.emulator.checks import Complaint, check, wire_name
from vidnb.emulator.core import Core, is_moderated, look_key, scene_key
from vidnb.emulator.inputs import InputError, shape
from vidnb.emulator.leonardo import inputs
from vidnb.emulator.leonardo.records import uuid6
from vidnb.emulator.leonardo.settings import Settings
from vidnb.emulator.leonardo.webhooks import Caller
from vidnb.emulator.scenes import duration_of, size_of
from vidnb.emulator.state import EmulatedJob, digest

MICRODOLLARS = 1_000_000
COMMON_V1 = {
    "prompt": "String", "resolution": "String", "model": "String", "frameInterpolation": "Boolean",
    "isPublic": "Boolean", "seed": "Int", "negativePrompt": "String", "promptEnhance": "Boolean", "duration": "Int",
    "promptEnhanceInstruction": "String", "styleIds": "[String!]", "elements": "[ElementInput!]", "height": "Int",
    "width": "Int",
}  # fmt: skip
TYPES_V1 = {
    "text": COMMON_V1,
    "image": {**COMMON_V1, "imageId": "String", "imageType": "String", "endFrameImage": "EndFrameImage"},
    "svd": {
        "imageId": "String",
        "isInitImage": "Boolean",
        "isVariation": "Boolean",
        "isPublic": "Boolean",
        "motionStrength": "Int",
    },
}
"""v1's fields by endpoint, with their GraphQL types."""
REQUIRED_V1 = {"text": ("prompt",), "image": ("prompt", "imageId", "imageType"), "svd": ("imageId",)}
PYTHON_TYPES = {
    "String": (str, "a string"), "Boolean": (bool, "a boolean"), "Int": (int, "a 32-bit integer"),
    "[String!]": (list, "a list"), "[ElementInput!]": (list, "a list"), "EndFrameImage": (dict, "an object"),
}  # fmt: skip
DOCUMENT_DURATION_S = 8
"""The document's default of text-to-video, which the official SDK therefore sends whatever the model: where a model has
other durations, or none, it says no more than an absent one."""
NOT_OFFERED = "is not supported within the Production API. Please try again with a different model ID."


class Creation:
    """The creating routes."""

    def __init__(self, core: Core, settings: Settings, caller: Caller) -> None:
        self.core = core
        self.settings = settings
        self.caller = caller

    async def v2(self, ask: Ask) -> Response:
        """The new job's id and cost, or an array of errors with HTTP 200."""
        try:
            body = await ask.json()
        except ValueError:
            return v1_error("Malformed JSON", code="invalid-json")
        if fault := ask.fault("errors_200", "error_object_in_200", "429_in_200"):
            return _v2_fault(fault.kind)
        try:
            return await self._v2(ask, body)
        except Refusal as refusal:
            return v2_error(*refusal.messages)

    async def _v2(self, ask: Ask, body: Any) -> Response:
        model, fields, guidances = _v2_parts(body)
        self._offered(ask, model)
        media = await self._guidances(ask, model, guidances)
        mode = _mode(model, media)
        checked = check(model, mode, fields, media, strict_sizes=self.settings.strict_sizes)
        if checked.complaints:
            raise Refusal(*(_v2_message(complaint, model) for complaint in checked.complaints))
        values = _with_control(model, checked.values, fields.get("controls"))
        answer = await self._create(ask, model, mode, values, media, body)
        return JSONResponse(answer if ask.fault("no_wrapper") else {"generate": answer})

    async def text_to_video(self, ask: Ask) -> Response:
        """The new job's id and cost, or v1's error object."""
        return await self._v1(ask, "text", "motionVideoGenerationJob")

    async def image_to_video(self, ask: Ask) -> Response:
        """The same, for a moving picture."""
        return await self._v1(ask, "image", "motionVideoGenerationJob")

    async def motion_svd(self, ask: Ask) -> Response:
        """The same, for Motion 1.0."""
        return await self._v1(ask, "svd", "motionSvdGenerationJob")

    async def _v1(self, ask: Ask, endpoint: str, root: str) -> Response:
        try:
            body = await ask.json()
        except ValueError:
            return v1_error("Malformed JSON", code="invalid-json")
        refused = _gateway_check(body, endpoint, root)
        if refused:
            return refused
        try:
            body = {name: value for name, value in body.items() if value is not None}
            return await self._v1_job(ask, endpoint, root, body)
        except Refusal as refusal:
            return v1_error(refusal.messages[0])

    async def _v1_job(self, ask: Ask, endpoint: str, root: str, body: Mapping[str, Any]) -> Response:
        model = _v1_model("SVD" if endpoint == "svd" else body.get("model", "MOTION2"))
        self._offered(ask, model)
        media = await self._v1_media(ask, body, endpoint)
        mode = "text" if endpoint == "text" else "image"
        if mode not in model.modes:
            raise Refusal(f"{model.wire} does not support {mode} to video")
        aside = ("model", "imageId", "imageType", "endFrameImage", "isInitImage", "isVariation")
        fields = {name: value for name, value in body.items() if name not in aside}
        strict = self.settings.strict_sizes
        checked = check(model, mode, fields, media, strict_sizes=strict)
        assumed = endpoint == "text" and fields.get("duration") == DOCUMENT_DURATION_S
        if assumed and any(complaint.field == "duration" for complaint in checked.complaints):
            del fields["duration"]
            checked = check(model, mode, fields, media, strict_sizes=strict)
        if checked.complaints:
            first = checked.complaints[0]
            raise Refusal("invalid dimensions" if first.kind == "size" else f"{first.field} {first.phrase}")
        values = _with_control(model, checked.values, checked.values.get("elements"))
        answer = await self._create(ask, model, mode, values, media, body)
        return JSONResponse({root: answer})

    # Shared

    def _offered(self, ask: Ask, model: Model) -> None:
        if ask.fault("retired") or (model.is_retired and self.core.settings.refuse_retired):
            raise Refusal(f"{model.wire} {NOT_OFFERED}")

    async def _guidances(self, ask: Ask, model: Model, guidances: Mapping[str, Any]) -> dict[str, list[Any]]:
        known = {wire_name(param): param for param in model.params.values() if param.kind in MEDIA_KINDS}
        media: dict[str, list[Any]] = {}
        for name, items in guidances.items():
            if items is None:
                continue
            if name not in known:
                raise Refusal(f"parameters.guidances.{name} should not exist")
            if not isinstance(items, list):
                raise Refusal(f"parameters.guidances.{name} must be an array")
            if items:
                where = f"parameters.guidances.{name}"
                media[known[name].name] = [await self._guidance(ask, where, item) for item in items]
        return media

    async def _guidance(self, ask: Ask, where: str, item: Any) -> dict[str, Any]:
        item = item if isinstance(item, dict) else {}
        kind = next((kind for kind in ("image", "video", "audio") if isinstance(item.get(kind), dict)), None)
        if kind is None:
            raise Refusal(f"{where} each value must have an image, a video or an audio")
        types = ("UPLOADED", "GENERATED", "VARIATION", "URL", "BASE64", "INIT", "GENERATION")
        if item[kind].get("type") not in types:
            raise Refusal(f"{where}.{kind}.type must be one of: {', '.join(types[:5])}")
        try:
            return await inputs.input_of(self.core, ask.account, item[kind], kind)
        except InputError as error:
            raise Refusal(str(error)) from error

    async def _v1_media(self, ask: Ask, body: Mapping[str, Any], endpoint: str) -> dict[str, list[Any]]:
        if endpoint == "text":
            return {}
        if endpoint == "svd":
            how = "UPLOADED" if body.get("isInitImage") else "VARIATION" if body.get("isVariation") else "GENERATED"
        else:
            how = body["imageType"]
        sources = {"start_image": {"id": body["imageId"], "type": how}}
        if "endFrameImage" in body:
            sources["end_image"] = body["endFrameImage"]
        try:
            return {name: [await inputs.input_of(self.core, ask.account, one)] for name, one in sources.items()}
        except InputError as error:
            raise Refusal(str(error)) from error

    async def _create(
        self, ask: Ask, model: Model, mode: str, values: Mapping[str, Any], media: Mapping[str, list[Any]], body: Any
    ) -> dict[str, Any]:
        """The inner object of the answer; the job exists from here on."""
        prompt = str(values.get("prompt") or "")
        word = is_moderated(prompt) or ("moderated" if ask.fault("moderation") else None)
        if word:
            raise Refusal(f"content moderation filter: {word}")
        start = next(iter(media.get("start_image", [])), None)
        width, height = size_of(model, values, shape(self.core, start))
        cost = price_usd(model, {**values, "width_px": width, "height_px": height})
        self._charge(ask, cost)
        now = self.core.now()
        job = EmulatedJob(
            id=self._new_id(), provider="leonardo", account=ask.account, model=model.id, mode=mode,
            prompt=prompt, params=values, media=media, body=body, body_hash=digest(body), asset_id=str(uuid.uuid4()),
            scene_key=scene_key(model, mode, values, _without_ids(media)), result_key=str(uuid.uuid4()), cost=cost,
            seed=values["seed"] if values.get("seed", -1) >= 0 else -1, created_at=now,
            notes={"width_px": width, "height_px": height, "base": ask.base},
            look_key=look_key(model, prompt, _without_ids(media)),
        )  # fmt: skip
        job = self.core.create(job, model, ask.faults)
        self.caller.expect(job)
        answer = {"generationId": job.id, "apiCreditCost": None, "cost": {"amount": f"{cost:.4f}", "unit": "DOLLARS"}}
        return {key: value for key, value in answer.items() if not (key == "generationId" and ask.fault("no_id"))}

    def _new_id(self) -> str:
        """Return an id as Leonardo gives them: ordered by time, or version 4."""
        return str(uuid.uuid4()) if self.settings.id_version == 4 else uuid6(self.core.now())

    def _charge(self, ask: Ask, cost: float) -> None:
        balance = self.settings.balance_usd
        limit = 2**62 if balance is None else round(balance * MICRODOLLARS)
        broke = ask.fault("no_credits") is not None
        if broke or self.core.state.spend(ask.account, round(cost * MICRODOLLARS), limit) is None:
            raise Refusal(f"not enough api tokens userId: {ask.account}")


def price_usd(model: Model, params: Mapping[str, Any]) -> float:
    """What a job costs in dollars: an INVENTED formula, as the vendor publishes no prices.

    0.01 + 0.02 a second and megapixel, a fifth more with sound. It grows with what should make it grow, no more.
    """
    width, height = size_of(model, params, None)
    base = 0.01 + 0.02 * duration_of(model, params) * width * height / 1e6
    return round(base * (1.2 if params.get("audio") else 1.0), 4)


class Refusal(Exception):
    """The service says no, in these words."""

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)
        self.messages = messages


def v1_error(
    text: str, *, code: str = "unexpected", path: str = "$", status: int = 400, headers: Mapping[str, str] | None = None
) -> Response:
    """v1's error object."""
    return JSONResponse({"error": text, "path": path, "code": code}, status_code=status, headers=headers)


def v2_error(*messages: str, status: int = 400, code: str = "BAD_REQUEST") -> Response:
    """v2's error: an array, under HTTP 200."""
    details = {"errors": [{"message": message} for message in messages]}
    extensions = {"code": code, "statusCode": status, "details": details}
    return JSONResponse([{"message": f"Validation failed: {messages[0]}", "extensions": extensions}])


def _v2_fault(kind: str) -> Response:
    if kind == "429_in_200":
        return v2_error("Too many requests", status=429, code="TOO_MANY_REQUESTS")
    extensions = {"code": "INTERNAL_SERVER_ERROR", "statusCode": 500}
    return JSONResponse({"errors": [{"message": "Service Error", "extensions": extensions}]})


def _v2_parts(body: Any) -> tuple[Model, dict[str, Any], Mapping[str, Any]]:
    """The model, its plain fields and the guidances of a v2 request."""
    if not isinstance(body, dict):
        raise Refusal("the request must be an object")
    if unknown := [key for key in body if key not in ("model", "public", "parameters")]:
        raise Refusal(*(f"property {key} should not exist" for key in unknown))
    models = {m.wire: m for m in catalog.load().values() if m.provider == "leonardo" and m.api == "v2"}
    model = models.get(str(body.get("model")))
    if model is None:
        raise Refusal("model must be one of: " + ", ".join(slug for slug, m in models.items() if not m.is_retired))
    parameters = body.get("parameters")
    if not isinstance(parameters, dict):
        raise Refusal("parameters must be an object")
    if not isinstance(body.get("public"), (bool, type(None))):
        raise Refusal("public must be a boolean value")
    guidances = parameters.get("guidances") or {}
    if not isinstance(guidances, dict):
        raise Refusal("parameters.guidances must be an object")
    if "public" in parameters:
        raise Refusal("parameters.public should not exist")
    fields = {name: value for name, value in parameters.items() if name != "guidances"}
    return model, {**fields, "public": body.get("public")}, guidances


def _v2_message(complaint: Complaint, model: Model) -> str:
    inputs_by_wire = {wire_name(p) for p in model.params.values() if p.kind in MEDIA_KINDS}
    where = "parameters.guidances." if complaint.field in inputs_by_wire else "parameters."
    return f"{where}{complaint.field} {complaint.phrase}"


def _mode(model: Model, media: Mapping[str, Any]) -> str:
    wanted = "image" if "start_image" in media else "text"
    return wanted if wanted in model.modes else model.modes[0]


def _without_ids(media: Mapping[str, list[Any]]) -> dict[str, Any]:
    return {name: [item.get("clip") or item["sha256"] for item in items] for name, items in media.items()}


def _v1_model(wire: str) -> Model:
    found = {m.wire.lower(): m for m in catalog.load().values() if m.provider == "leonardo" and m.api == "v1"}
    # A guide writes Kling2_5 where the enum says KLING2_5, so case cannot matter much.
    if wire.lower() not in found:
        raise Refusal(f"{wire} {NOT_OFFERED}")
    return found[wire.lower()]


def _with_control(model: Model, values: Mapping[str, Any], given: Any) -> Mapping[str, Any]:
    """Name the motion control, with its weight, so that the camera moves: on v1 it is one of the elements."""
    names = {identifier: name for name, identifier in model.names.get("motion_control", {}).items()}
    control = next((one for one in given or () if one["akUUID"] in names), None)
    if control is None:
        return values
    return {**values, "motion_control": names[control["akUUID"]], "motion_control_weight": control.get("weight", 1)}


def _gateway_check(body: Any, endpoint: str, root: str) -> Response | None:
    """What the GraphQL gateway refuses before the service sees the request."""
    types = TYPES_V1[endpoint]
    if not isinstance(body, dict):
        return v1_error("expected an object, but found something else", code="parse-failed")
    for name, value in body.items():
        if name not in types:
            return v1_error(f"Unexpected variable {name}", code="bad-request")
        if value is not None and (wrong := _type_error(value, types[name])):
            return v1_error(wrong, code="validation-failed", path=f"$.selectionSet.{root}.args.arg1.{name}")
    for name in REQUIRED_V1[endpoint]:
        if body.get(name) is None:
            return v1_error(f'expecting a value for non-nullable variable: "{name}"', code="validation-failed")
    return _enum_error(body)


def _type_error(value: Any, graphql: str) -> str:
    wanted, article = PYTHON_TYPES[graphql]
    right = isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))
    return "" if right else f"expected {article} for type '{graphql}', but found {_article_of(value)}"


def _article_of(value: Any) -> str:
    names = {bool: "a boolean", str: "a string", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "an object")


def _enum_error(body: Mapping[str, Any]) -> Response | None:
    kind = body.get("imageType")
    if kind is not None and kind not in ("GENERATED", "UPLOADED"):
        text = f"expected one of the values ['GENERATED', 'UPLOADED'] for type 'ImageType', but found '{kind}'"
        return v1_error(text, code="validation-failed", path="$")
    resolution = body.get("resolution")
    if resolution is not None and not re.fullmatch(r"RESOLUTION_(480|720|1080)", str(resolution)):
        return v1_error(f"unexpected value '{resolution}' for enum 'MOTION_RESOLUTION'", code="validation-failed")
    end = body.get("endFrameImage")
    if end is not None and (not isinstance(end.get("id"), str) or end.get("type") not in ("GENERATED", "UPLOADED")):
        return v1_error('expecting a value for non-nullable variable: "endFrameImage.id"', code="validation-failed")
    return None
