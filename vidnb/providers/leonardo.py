"""Leonardo.AI: v2 creates the current models, v1 the older ones and reads every job.

Field names of single values come from the catalogue (`wire`); what has a structure of its own (guidances, elements,
start images) is built here. The service has three traps, all handled below: v2 answers an error with HTTP 200 and an
array; the clip is `motionMP4URL`, while `url` is its poster; a bad key looks like a fault of the server (HTTP 500).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Generator, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from vidnb import catalog
from vidnb.catalog import SIZE_PARAMS, Model
from vidnb.errors import (
    AuthError,
    CreditError,
    ProviderError,
    RateLimitError,
    RejectedError,
    UnavailableError,
    UnexpectedReplyError,
)
from vidnb.providers.base import Provider
from vidnb.providers.replies import (
    UNDECIDED,
    advice,
    clean,
    decoded,
    dig,
    doubt_refusal,
    error,
    has_ended,
    has_succeeded,
    id_at,
    is_about,
    is_page,
    is_stored,
    link_at,
    number_at,
    refused_upload,
    seed_at,
    storage_reason,
    text_at,
    time_at,
    unexpected,
    video_link,
    whole_at,
    word_at,
)
from vidnb.records import (
    Call,
    Callback,
    Cost,
    FilePart,
    Job,
    MediaFile,
    Rates,
    RemoteJob,
    RemoteMedia,
    Reply,
    State,
    Status,
)

IMAGE_EXTENSIONS = frozenset({"png", "jpg", "jpeg", "webp"})
STRUCTURED = frozenset({"public", "motion_control", "motion_control_weight", "elements", "styles"})
GUIDANCES = {
    "start_image": "start_frame",
    "end_image": "end_frame",
    "reference_images": "image_reference",
    "reference_videos": "video_reference_base",
    "reference_audio": "audio_reference",
}
ITEMS = {"image": "image", "images": "image", "videos": "video", "audios": "audio"}
UNITS = {"DOLLARS": "USD", "USD": "USD", "CREDITS": "CREDITS"}


class Leonardo(Provider):
    """Leonardo.AI's Production API."""

    name: ClassVar[str] = "leonardo"
    title: ClassVar[str] = "Leonardo.AI"
    base_url: ClassVar[str] = "https://cloud.leonardo.ai/api/rest"
    base_url_env: ClassVar[str] = "LEONARDO_BASE_URL"
    key_env: ClassVar[str] = "LEONARDO_API_KEY"
    key_page: ClassVar[str] = "https://app.leonardo.ai/api-access"
    # docs "Concurrency, Rate Limits, Queue", 2026-07-01; there is no row for video, so the image row's ten slots.
    rates: ClassVar[Rates] = Rates(requests_per_minute=2000, submits_per_minute=100, in_flight=10)
    cancel_note: ClassVar[str] = (
        "Leonardo.AI has no way to cancel a job; whether deleting one stops or refunds it is not documented"
    )

    def headers(self, key: str) -> dict[str, str]:
        """The headers that carry the key."""
        return {"Authorization": f"Bearer {key}", "Accept": "application/json"}

    # -- create

    def submit(self, model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> Call:
        """The POST that creates the job, at the endpoint that the catalogue names for the mode."""
        mode = model.mode_of({"start_image": media.get("start_image") or None})
        path = model.endpoints.get(mode) or next(iter(model.endpoints.values()))
        if path.startswith("/v2/"):
            body = _v2_body(model, params, media)
        elif path.endswith("-motion-svd"):
            body = _svd_body(model, params, media)
        else:
            body = _v1_body(model, params, media)
        return Call("POST", path, json=body)

    def submitted(self, reply: Reply) -> Status:
        """The id and the cost of the new job, wherever the answer holds them."""
        job = _created(reply.json)
        remote_id = id_at(job, "generationId")
        doubt_refusal(self, reply, remote_id)
        if _failed(reply) and remote_id is None:
            raise self.explain(reply)
        if remote_id is None:
            raise unexpected(self, reply, "the answer to the submit holds no generation id; it may have been charged")
        return Status(remote_id, State.RUNNING, cost=_cost(job))

    # -- read

    def poll(self, job: Job) -> Call:
        """The request for a job's status; v1 also reads what v2 created (recipe "Edit with Kling O3")."""
        return Call("GET", f"/v1/generations/{quote(job.remote_id or '', safe='')}")

    def polled(self, reply: Reply, job: Job) -> Status:
        """The status of the job; PENDING counts as running, because the service does not tell waiting from working."""
        told = isinstance(dig(reply.json, "generations_by_pk"), dict) and 200 <= reply.status_code < 300
        if _failed(reply) and not told:  # an error may stand beside the record
            raise self.explain(reply)
        if not isinstance(reply.json, dict) or "generations_by_pk" not in reply.json:
            raise unexpected(self, reply, "the answer to the status request holds no generation")
        remote_id, generation = job.remote_id or "", reply.json["generations_by_pk"]
        if generation is None:
            said = f"Leonardo.AI knows no generation {remote_id}: it was deleted or belongs to another account"
            return Status(remote_id, None, word="null record", error=said)
        if not all(is_about(generation, remote_id, name) for name in ("id", "generationId")):
            raise unexpected(self, reply, "the answer to the status request is about another generation")
        return _status(generation, remote_id)

    def described(self, reply: Reply, job: Job) -> RemoteJob | None:
        """The generation as the list would show it."""
        return _remote_job(dig(reply.json, "generations_by_pk"))

    def recent(self, limit: int, jobs: Sequence[Job]) -> Generator[Call, Reply, list[RemoteJob]]:
        """The exchange that lists the newest jobs: first the account's id, then its generations."""
        reply = self._read((yield self.check()))
        user_id = id_at(reply.json, "user_details", 0, "user", "id")
        if user_id is None:
            raise unexpected(self, reply, "the account's answer holds no user id")
        listing = self._read((yield Call("GET", f"/v1/generations/user/{quote(user_id)}?offset=0&limit={limit}")))
        found = dig(listing.json, "generations")
        if not isinstance(found, list):
            raise unexpected(self, listing, "the answer holds no list of generations")
        wanted = {job.remote_id for job in jobs} or {None}
        return [job for job in (_remote_job(item, wanted) for item in found) if job is not None]

    # -- upload

    def upload(self, file: MediaFile) -> Generator[Call, Reply, RemoteMedia]:
        """The exchange that uploads one input: ask for a presigned form, then post it within two minutes."""
        ask, root, id_key = _upload_request(file)
        part = FilePart("file", file.filename, file.content, file.content_type)
        for last in (False, True):
            reply = self._read((yield ask))
            form = dig(reply.json, root)
            remote_id, url, fields = id_at(form, id_key), link_at(form, "url"), decoded(dig(form, "fields"))
            if remote_id is None or url is None or not isinstance(fields, dict):
                raise unexpected(self, reply, "the answer to the upload request holds no presigned form")
            done = yield Call("POST", url, form={str(key): str(value) for key, value in fields.items()}, file=part)
            if is_stored(done):
                return RemoteMedia(self.name, remote_id, "UPLOADED")
            if last or not _is_late(done):
                break  # a form that was used too late gets a new one, once
        raise self._refused_upload(done, file)

    # -- account

    def check(self) -> Call:
        """The request for the account: it costs nothing."""
        return Call("GET", "/v1/me")

    def checked(self, reply: Reply) -> str:
        """Concurrency slots and balances in one line."""
        account = dig(self._read(reply).json, "user_details", 0)
        if not isinstance(account, dict):
            raise unexpected(self, reply, "the account's answer holds no account")
        slots, paid, plan = (
            whole_at(account, key) for key in ("apiConcurrencySlots", "apiPaidTokens", "apiSubscriptionTokens")
        )
        parts = [(slots, "jobs at once"), (paid, "paid API credits"), (plan, "plan API credits")]
        known = ", ".join(f"{number:,} {what}" for number, what in parts if number is not None)
        return f"the key is good; {known or 'the service told no balance'}"

    def webhook_id(self, callback: Callback) -> str | None:
        """The generation's id; nothing else of the body is used, because it repeats the API key in clear."""
        return id_at(callback.json, "data", "object", "id")

    # -- errors

    def explain(self, reply: Reply) -> ProviderError:
        """The error behind a refusal; the text decides before the HTTP status, which is often 200 or 500."""
        text, code, status = _complaint(reply)
        kind = _kind(text.lower(), code.lower(), status, is_page(reply))
        told = f"{advice(self, kind)} (HTTP {status})"
        return error(self, kind, f"{told}: {text}" if text else told, reply, code)

    def _read(self, reply: Reply) -> Reply:
        if _failed(reply):
            raise self.explain(reply)
        return reply

    def _refused_upload(self, reply: Reply, file: MediaFile) -> ProviderError:
        told = storage_reason(reply)
        if reply.status_code == 413 or "EntityTooLarge" in told:
            size = f"{len(file.content) / 2**20:.1f} MB"
            told = f"the file is too large ({size}); give it a smaller one" + (f": {told}" if told else "")
        # S3 answers XML; its form is good for two minutes, so a late upload may pass when asked for anew.
        if 200 <= reply.status_code < 300:
            return refused_upload(self, reply, file)
        again = _is_late(reply) or reply.status_code == 429 or reply.status_code >= 500
        kind: type[ProviderError] = UnavailableError if again else RejectedError
        late = "; the upload form is good for two minutes only" if _is_late(reply) else ""
        said = f": {told}" if told else ""
        refusal = error(self, kind, f"the upload failed (HTTP {reply.status_code}){late}{said}", reply)
        refusal.charged = False
        return refusal


def _is_late(reply: Reply) -> bool:
    """Whether the storage refuses a form because its time is over, or does not say why it refuses one."""
    told = storage_reason(reply)
    passed = "expired" in told.lower() or told.startswith("RequestTimeout:")
    return passed if reply.status_code == 400 else reply.status_code == 403 and (not told or passed)


def _v2_body(model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> dict[str, Any]:
    inside = {**_flat(model, params), "quantity": 1}
    listed = (params.get("width_px"), params.get("height_px")) in {
        (size.width_px, size.height_px) for size in model.sizes
    }
    if listed and "resolution" in model.params:
        # v2 OpenAPI, 2026-10-08: width and height are canonical, `mode` and `resolution` serve only without them.
        inside.pop(model.params["resolution"].wire or "resolution", None)
    controls, elements = _controls(model, params), _elements(params)
    guidances = {_guidance(model, name): _items(model, name, items) for name, items in media.items() if items}
    structured = {
        "controls": controls,
        "elements": elements,
        "style_ids": _styles(model, params),
        "guidances": guidances,
    }
    inside.update({key: value for key, value in structured.items() if value})
    return {"model": model.wire, "public": bool(params.get("public", False)), "parameters": inside}


def _v1_body(model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> dict[str, Any]:
    body = {"model": model.wire, **_flat(model, params), "isPublic": bool(params.get("public", False))}
    # v1 has one list for both (docs "Generate with Motion 2.0 Using Generated Images").
    if elements := _controls(model, params) + _elements(params):
        body["elements"] = elements
    if styles := _styles(model, params):
        body["styleIds"] = styles
    for start in media.get("start_image", [])[:1]:
        body |= {"imageId": start.id, "imageType": start.kind}
    for end in media.get("end_image", [])[:1]:
        body["endFrameImage"] = {"id": end.id, "type": end.kind}
    return body


def _svd_body(model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> dict[str, Any]:
    body = {**_flat(model, params), "isPublic": bool(params.get("public", False))}
    for start in media.get("start_image", [])[:1]:
        kinds = {"isInitImage": start.kind == "UPLOADED", "isVariation": start.kind == "VARIATION"}
        body |= {"imageId": start.id, **kinds}
    return body


def _flat(model: Model, params: Mapping[str, Any]) -> dict[str, Any]:
    """Single values under the provider's names; width and height go together or not at all."""
    flat: dict[str, Any] = {}
    for name, value in params.items():
        if value is None or name in STRUCTURED or name in ("width_px", "height_px"):
            continue
        param = model.params[name]
        if param.wire is None and name in SIZE_PARAMS:
            continue  # a size in words that the service has no field for: width and height say it
        flat[param.wire or name] = param.to_wire(value)
    if params.get("width_px") is not None and params.get("height_px") is not None:
        flat |= {"width": params["width_px"], "height": params["height_px"]}
    return flat


def _controls(model: Model, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    name = params.get("motion_control")
    if not name:
        return []
    weight = params.get("motion_control_weight")
    return [{"akUUID": _named(model, "motion_control", name), "weight": 1 if weight is None else weight}]


def _elements(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"akUUID": item["id"], "weight": item.get("weight", 1)} for item in params.get("elements") or ()]


def _styles(model: Model, params: Mapping[str, Any]) -> list[str]:
    return [_named(model, "styles", name) for name in params.get("styles") or ()]


def _named(model: Model, table: str, name: str) -> str:
    """The id behind a name of the catalogue; anything else is an id already."""
    return model.names.get(table, {}).get(name) or model.older_names.get(table, {}).get(name) or name


def _guidance(model: Model, name: str) -> str:
    param = model.params.get(name)
    wire = param.wire if param and param.wire else GUIDANCES.get(name, name)
    return wire.removeprefix("guidances.")


def _items(model: Model, name: str, items: list[RemoteMedia]) -> list[dict[str, Any]]:
    param = model.params.get(name)
    key = ITEMS[param.kind] if param else "image"
    return [{key: {"id": item.id, "type": item.kind}} for item in items]


def _created(body: Any) -> Any:
    """The object that tells of the new job.

    v2 wraps it in `generate` (the v2 spec shows it bare), v1 in the name of its operation.
    """
    if not isinstance(body, dict):
        return None
    named = (body.get(key) for key in ("generate", "motionVideoGenerationJob", "motionSvdGenerationJob"))
    objects = [value for value in body.values() if isinstance(value, dict)]
    only = objects[0] if len(objects) == 1 else None
    return next((found for found in (*named, body, only) if id_at(found, "generationId")), None)


def _cost(job: Any) -> Cost | None:
    amount, unit = number_at(job, "cost", "amount"), UNITS.get(text_at(job, "cost", "unit").upper())
    if amount is not None and unit:
        return Cost(amount, unit)
    credits_ = number_at(job, "apiCreditCost")  # the older field, being phased out
    return None if credits_ is None else Cost(credits_, "CREDITS")


def _status(job: Any, remote_id: str) -> Status:
    """How a generation stands, the same whether it was read by itself or in a list."""
    word = word_at(job, "status")
    plain = word.upper()
    if plain == "PENDING":
        return Status(remote_id, State.RUNNING, word, video_url=_own_link(job))
    if has_succeeded(word):
        return _complete(job, remote_id, word)
    if plain == "FAILED":
        said = "Leonardo.AI reported FAILED; it gives no reason"
        return Status(remote_id, State.FAILED, word, video_url=_own_link(job), error=said)
    if has_ended(word):
        said = f"Leonardo.AI ended the generation with {word!r}, a word that is not documented"
        return Status(remote_id, None, word, video_url=_clip_link(job), error=said, ended=True)
    return Status(remote_id, None, word, video_url=_clip_link(job))


def _own_link(job: Any) -> str | None:
    """The clip's link where a generation is documented to hold it: another one may lead to an input."""
    images = dig(job, "generated_images")
    entries = images if isinstance(images, list) else []
    return next((url for item in entries if (url := link_at(item, "motionMP4URL"))), None)


def _clip_link(job: Any) -> str | None:
    """The clip's link wherever a generation can hold it."""
    return _own_link(job) or video_link(job)


def _complete(job: Any, remote_id: str, word: str) -> Status:
    """A finished generation; a link may come a moment after the word, and is looked for wherever it can be."""
    images = dig(job, "generated_images")
    entries = images if isinstance(images, list) else []
    links = [(item, link) for item in entries if (link := link_at(item, "motionMP4URL"))]
    entry, url = links[0] if links else (dig(entries, 0), None)
    nsfw, asset_id = dig(entry, "nsfw"), id_at(entry, "id")
    url = url or video_link(entry) or video_link(job)
    flagged = nsfw if isinstance(nsfw, bool) else None
    if url is None:
        said = "Leonardo.AI reported COMPLETE without a clip: the output was moderated or lost"
        no_clip = f"{word} without a clip"
        return Status(remote_id, None, no_clip, asset_id=asset_id, error=said, nsfw=flagged, ended=True)
    more = dict.fromkeys(link for _, link in links if link != url)
    return Status(
        remote_id, State.DOWNLOADING, word, video_url=url, more_urls=tuple(more), asset_id=asset_id, nsfw=flagged,
        used_seed=seed_at(job, "seed"),
    )  # fmt: skip


def _remote_job(job: Any, wanted: Collection[str | None] = (None,)) -> RemoteJob | None:
    """An entry of the list; None where it is not wanted.

    Args:
        job: as the service tells it.
        wanted: the ids that are looked for, with None among them where one is not known. An entry whose id is known
            needs no description, which takes most of the time.
    """
    remote_id = id_at(job, "id")
    if remote_id is None:
        return None
    if remote_id in wanted:
        return RemoteJob(remote_id, "", None, status=_status(job, remote_id))
    if None not in wanted:
        return None
    seed, width, height = (whole_at(job, key) for key in ("seed", "imageWidth", "imageHeight"))
    created_at, status = time_at(job, "createdAt"), _status(job, remote_id)
    output = dig(job, "generated_images", 0)
    told = {"negative_prompt": text_at(job, "negativePrompt"), "motion_strength": whole_at(output, "motionStrength")}
    from_image = dig(output, "imageToVideo")
    return RemoteJob(
        remote_id, text_at(job, "prompt"), created_at, seed, width, height, status,
        is_video=_is_video(job, output), models=_models(text_at(output, "motionModel")),
        from_image=from_image if isinstance(from_image, bool) else None, params=told,
    )  # fmt: skip


def _is_video(job: Any, output: Any) -> bool | None:
    """Whether a generation is a video; None where it does not tell, as while it is pending."""
    if link_at(output, "motionMP4URL") or dig(output, "motion") is True or text_at(output, "motionModel"):
        return True
    if dig(output, "motion") is False:
        return False
    # Fields of the pictures' world, which motion jobs leave empty (issue 80 of the vendor's TypeScript SDK).
    pictures = ("modelId", "guidanceScale", "inferenceSteps", "initStrength", "photoReal", "promptMagicVersion")
    return False if any(dig(job, name) not in (None, False, "") for name in pictures) else None


QUALIFIERS = frozenset({"FAST", "TURBO", "LITE", "MINI", "PRO", "STANDARD", "FLASH", "O", "SVD"})
"""Parts of a model's name that tell it from its siblings."""


@functools.lru_cache(maxsize=512)
def _models(name: str) -> frozenset[str] | None:
    """The catalogue's models that may stand behind a name in a list: `SEEDANCE2_5` for `bytedance/seedance-2.5`."""
    if not name:
        return None
    told = _parts(name)
    known = (model for model in catalog.load().values() if model.provider == Leonardo.name)
    return frozenset(model.id for model in known if _alike(told, _parts(model.wire)))


def _parts(name: str) -> tuple[str, str, frozenset[str]]:
    """Family, version and qualifiers of a model's name, however it is spelt."""
    parts = re.findall(r"[A-Z]+|\d+", name.rsplit("/", 1)[-1].upper())
    words = [part for part in parts if not part.isdigit()]
    version = "".join(part for part in parts if part.isdigit() and len(part) < 3)  # 001 is an edition
    split = {mark for word in words for mark in QUALIFIERS if word == mark or (len(mark) > 2 and word.endswith(mark))}
    family = words[0] if words else ""
    for mark in QUALIFIERS:
        family = family.removesuffix(mark) if len(mark) > 2 and family != mark else family
    return family, version, frozenset(split)


def _alike(one: tuple[str, str, frozenset[str]], other: tuple[str, str, frozenset[str]]) -> bool:
    same_version = one[1].startswith(other[1]) or other[1].startswith(one[1])
    return one[0] == other[0] and one[2] == other[2] and same_version


def _upload_request(file: MediaFile) -> tuple[Call, str, str]:
    """The call that asks for a presigned form, and where its answer holds the form and the id."""
    extension = file.extension.lower()
    if extension in IMAGE_EXTENSIONS:
        return Call("POST", "/v1/init-image", json={"extension": extension}), "uploadInitImage", "id"
    # The name is required for audio and allowed for video (docs of 2026-04-21).
    body = {"extension": extension, "originalFilename": file.filename}
    return Call("POST", "/v1/media", json=body), "uploadMedia", "uploadId"


def _failed(reply: Reply) -> bool:
    """True for each of the four forms of a refusal: an array, `errors`, `error`, an HTTP error."""
    body = reply.json
    listed = isinstance(body, list) or (isinstance(body, dict) and bool(body.get("errors") or body.get("error")))
    return listed or not 200 <= reply.status_code < 300


def _complaint(reply: Reply) -> tuple[str, str, int]:
    """The text, the code and the status of a refusal; v2 hides the real status in `extensions`."""
    errors = dig(reply.json, "errors")
    listed = reply.json if isinstance(reply.json, list) else errors if isinstance(errors, list) else []
    first = next((item for item in listed if isinstance(item, dict)), reply.json)
    inner = dig(first, "error")
    told = inner if isinstance(inner, dict) else first
    code = text_at(told, "extensions", "code") or text_at(told, "code")
    status = whole_at(told, "extensions", "statusCode") or reply.status_code
    text = _details(dig(told, "extensions", "details")) or (inner if isinstance(inner, str) else "")
    # `detail` and `title` are RFC 9457's, which gateways and mock servers speak.
    text = text or next((said for key in ("message", "detail", "title") if (said := text_at(told, key))), "")
    text = text or next((item for item in listed if isinstance(item, str)), "")
    return clean(text), code, status


def _details(details: Any) -> str:
    details = decoded(details)
    errors = dig(details, "errors")
    lines = [text_at(item, "message") or text_at(item) for item in (errors if isinstance(errors, list) else [])]
    return "; ".join(line for line in lines if line) or text_at(details, "message") or text_at(details)


def _kind(text: str, code: str, status: int, page: bool) -> type[ProviderError]:
    if any(hook in text for hook in ("authorization hook", "authentication hook")) or code == "access-denied":
        return AuthError  # comes with HTTP 500; waiting does not help
    if "not enough api tokens" in text or ("insufficient" in text and ("credit" in text or "balance" in text)):
        return CreditError
    if "moderation" in text or "inappropriate content" in text:
        return RejectedError  # HTTP 400 in one guide, 403 in another
    if status == 429 or "rate_limit" in code or "too_many" in code or "too many requests" in text:
        return RateLimitError
    if code in ("bad_request", "bad-request", "validation-failed") or "is not supported within" in text:
        return RejectedError
    by_status = {401: AuthError, 402: CreditError}
    if status in by_status:
        return by_status[status]
    if status >= 500 or status in UNDECIDED or "internal" in code or "timeout" in code or "unavailable" in code:
        return UnavailableError
    if page and status in (200, 403):
        return UnavailableError  # a gateway's page, not the service's word
    return RejectedError if status >= 400 or text else UnexpectedReplyError
