"""1min.ai: one endpoint for everything, always asked in its asynchronous mode.

Field names come from the catalogue (`wire`). A synchronous answer is accepted too, because whether a model may ignore
`async` is not documented. Two traps are handled below: `resultObject` holds storage keys, the link is `temporaryUrl`;
and "the service is a bit busy" is also said of values that will never pass, only `details` tells which.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from pathlib import PurePosixPath
from typing import Any, ClassVar, cast
from urllib.parse import quote

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
    link_at,
    sounds_lost,
    text_at,
    unexpected,
    video_link,
    whole_at,
    word_at,
)
from vidnb.records import Call, FilePart, Job, MediaFile, Rates, RemoteMedia, Reply, State, Status

NOBODYS_RECORD = "6f1c9a52-3c0b-4d57-9a34-0b9f2f7f6f0e"
"""A random uuid: the service answers it with null for a good key and with 401 for a bad one."""
COMPLAINS = frozenset({"code", "errorCode", "error", "message", "details"})
"""Fields of an error object, in a place where a result is expected."""
FINE = frozenset({"0", "200", "201", "ok", "success"})
"""Codes that complain of nothing."""
UPSTREAM = "EXTERNAL_API_RESPONSE_WITH_ERROR"
IMAGE_TYPES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp"}

EDGE = {
    "error code: 1010": "Cloudflare, in front of 1min.ai, blocks this client (error code: 1010)",
    "error code: 1015": "Cloudflare, in front of 1min.ai, limits the rate (error code: 1015)",
}

_CREDITS = re.compile(r"requires\s+([\d,]+)\s+credits?.*?\bhas\s+([\d,]+)\s+credits?", re.IGNORECASE | re.DOTALL)


class OneMin(Provider):
    """1min.ai's public API."""

    name: ClassVar[str] = "1min"
    title: ClassVar[str] = "1min.ai"
    base_url: ClassVar[str] = "https://api.1min.ai"
    base_url_env: ClassVar[str] = "ONEMIN_BASE_URL"
    key_env: ClassVar[str] = "ONEMIN_API_KEY"
    key_page: ClassVar[str] = "https://app.1min.ai/api"
    # 180 requests a minute in all (vendor docs, March 2025); no other limit is published, and polls need most of it.
    rates: ClassVar[Rates] = Rates(requests_per_minute=180, submits_per_minute=40, in_flight=20)
    cancel_note: ClassVar[str] = "1min.ai has no way to cancel a job"

    def headers(self, key: str) -> dict[str, str]:
        """The headers that carry the key."""
        return {"API-KEY": key, "Accept": "application/json"}

    def upload(self, file: MediaFile) -> Generator[Call, Reply, RemoteMedia]:
        """The exchange that uploads one input; its handle is the storage path."""
        part = FilePart("asset", file.filename, file.content, file.content_type)
        answer = yield Call("POST", "/api/assets", file=part)
        if answer.status_code == 413:
            size = f"{len(file.content) / 2**20:.1f} MB"
            raise error(self, RejectedError, f"the file is too large ({size}; HTTP 413); give it a smaller one", answer)
        reply = self._read(answer)
        path = text_at(reply.json, "fileContent", "path") or text_at(reply.json, "asset", "key")
        if not path:
            raise unexpected(self, reply, "the answer to the upload holds no path")
        return RemoteMedia(self.name, path)

    def submit(self, model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> Call:
        """The POST that runs the feature of the mode."""
        mode = model.mode_of({"start_image": media.get("start_image") or None})
        feature = model.endpoints.get(mode) or next(iter(model.endpoints.values()))
        inside = _flat(model, params)
        for name, items in media.items():
            inside |= _media(model, name, items)
        # Without `async` a slow model outlives the gateway's limit, and its uuid is lost with the connection.
        body = {"type": feature, "model": model.wire, "conversationId": feature, "async": True, "promptObject": inside}
        return Call("POST", "/api/features", json=body)

    def submitted(self, reply: Reply) -> Status:
        """The record's uuid, and the end of the job where the service answered synchronously."""
        record = dig(reply.json, "aiRecord")
        remote_id = id_at(record, "uuid")
        doubt_refusal(self, reply, remote_id)
        if remote_id is None:
            self._read(reply)
        if _refusal(record) is not None:
            raise self.explain(reply)
        if remote_id is None:
            raise unexpected(self, reply, "the answer to the submit holds no record id; it may have been charged")
        return self._status(reply, remote_id)

    def poll(self, job: Job) -> Call:
        """The request for a record."""
        return _record(job.remote_id or "")

    def polled(self, reply: Reply, job: Job) -> Status:
        """The status of the record; a null one is unknown, expired, or not written yet."""
        told = isinstance(dig(reply.json, "aiRecord"), dict) and 200 <= reply.status_code < 300
        remote_id = job.remote_id or ""
        body = reply.json if told else self._read(reply).json  # an error may stand beside the record
        if not isinstance(body, dict) or "aiRecord" not in body:
            raise unexpected(self, reply, "the answer to the status request holds no record")
        if body["aiRecord"] is None:
            return Status(remote_id, None, word="null record", error=f"1min.ai knows no record {remote_id}")
        if not is_about(body, remote_id, "aiRecord", "uuid"):
            raise unexpected(self, reply, "the answer to the status request is about another record")
        return self._status(reply, remote_id)

    def check(self) -> Call:
        """The request for a record that nobody has: it costs nothing."""
        return _record(NOBODYS_RECORD)

    def checked(self, reply: Reply) -> str:
        """That the key is good: the service has no call for the balance."""
        if "aiRecord" not in self._read(reply).json:
            raise unexpected(self, reply, "the answer to the key check holds no record")
        return "the key is good; 1min.ai has no call for the balance"

    def explain(self, reply: Reply) -> ProviderError:
        """The error behind a refusal; `errorCode` decides before the HTTP status, `details` before the text."""
        code, text, cause, upstream = _complaint(reply)
        if credits_ := _CREDITS.search(text):
            return error(self, CreditError, f"{_needed(credits_)}; nothing was charged", reply, code)
        kind = _kind(code, f"{text} {cause}".lower(), reply, upstream)
        origin = f", the model's own service HTTP {upstream}" if upstream else ""
        told = f"{advice(self, kind)} (HTTP {reply.status_code}{origin})"
        return error(self, kind, f"{told}: {cause or text}" if cause or text else told, reply, code)

    def _status(self, reply: Reply, remote_id: str) -> Status:
        record = dig(reply.json, "aiRecord")
        word, refusal = word_at(record, "status"), _refusal(record)
        plain = word.upper()
        # The link lies in the record; one gateway also looks for it at the root.
        url = link_at(record, "temporaryUrl") or link_at(reply.json, "temporaryUrl")
        if plain in ("FAILURE", "FAILED") or refusal is not None:
            return Status(remote_id, State.FAILED, word, video_url=url, error=_failure(record, refusal))
        if plain == "PROCESSING":
            return Status(remote_id, State.RUNNING, word, video_url=url)
        url = url or _link_elsewhere(reply.json)  # a record that has not succeeded may link to its input there
        if not has_succeeded(word):
            ended = has_ended(word)
            said = f"1min.ai ended the record with {word!r}, a word that is not documented" if ended else None
            return Status(remote_id, None, word, video_url=url, error=said, ended=ended)
        if url is None:
            said = "1min.ai reported SUCCESS without a link to the clip"
            return Status(remote_id, None, "SUCCESS without link", error=said, ended=True)
        return Status(remote_id, State.DOWNLOADING, word, video_url=url)

    def _read(self, reply: Reply) -> Reply:
        body = reply.json
        fine = isinstance(body, dict) and 200 <= reply.status_code < 300
        if not fine or body.get("errorCode") or body.get("error") or body.get("success") is False:
            raise self.explain(reply)
        return reply


def _record(uuid: str) -> Call:
    """The request for the record with this id."""
    return Call("GET", f"/api/results/{quote(uuid, safe='')}")


def _flat(model: Model, params: Mapping[str, Any]) -> dict[str, Any]:
    """Single values under the provider's names; a size in pixels becomes `size`, as only the Sora models have it."""
    flat: dict[str, Any] = {}
    for name, value in params.items():
        if value is None or (name in SIZE_PARAMS and model.sizes):
            continue  # a size in pixels says it all: resolution and aspect ratio were filled in from it
        param = model.params[name]
        flat[param.wire or name] = param.to_wire(value)
    if params.get("width_px") is not None and params.get("height_px") is not None:
        flat["size"] = f"{params['width_px']}x{params['height_px']}"
    return flat


def _media(model: Model, name: str, items: list[RemoteMedia]) -> dict[str, Any]:
    if not items:
        return {}
    param = model.params.get(name)
    wire = (param.wire if param else None) or {"start_image": "imageUrl"}.get(name, name)
    paths = [item.id for item in items]
    if param is not None and param.kind != "image":
        return {wire: paths}
    return {wire: paths[0], **(_reference(paths[0]) if wire == "reference_image_path" else {})}


def _reference(path: str) -> dict[str, Any]:
    """What the Sora page lists beside the path of a first frame: its name and type."""
    name = PurePosixPath(path).name
    kind = IMAGE_TYPES.get(PurePosixPath(path).suffix.removeprefix(".").lower())
    return {"reference_image_name": name, **({"reference_image_type": kind} if kind else {})}


def _refusal(record: Any) -> dict[str, Any] | None:
    """The error object that a record holds where an array of results belongs, or None.

    A record that goes on, or that has the clip's link, refuses nothing, whatever else it tells.
    """
    if word_at(record, "status").upper() == "PROCESSING" or link_at(record, "temporaryUrl"):
        return None
    result, response = (dig(record, "aiRecordDetail", key) for key in ("resultObject", "responseObject"))
    complains = isinstance(result, dict) and any(result.get(name) for name in COMPLAINS)
    if complains and video_link({"video": result}) is None:
        return cast("dict[str, Any]", result)
    code = str(dig(response, "code") or "").lower()
    return response if isinstance(response, dict) and code and code not in FINE else None


def _link_elsewhere(body: Any) -> str | None:
    """The clip's link where the result itself is one, or wherever else the answer holds one."""
    result = dig(body, "aiRecord", "aiRecordDetail", "resultObject")
    return link_at(result, 0) or link_at([result], 0) or video_link({"video": result}) or video_link(body)


def _failure(record: Any, refusal: dict[str, Any] | None) -> str:
    """The reason of a failed record in words: from the error object, or from the first entry of the result."""
    first = decoded(dig(record, "aiRecordDetail", "resultObject", 0))
    told = refusal if refusal is not None else first
    said = _details(told)[0] or text_at(told, "message") or text_at(told, "code") or text_at(told)
    return f"1min.ai: {clean(said)}" if said else "1min.ai reported a failure; it gives no reason"


def _complaint(reply: Reply) -> tuple[str, str, str, int | None]:
    """Code, text, cause and upstream status of a refusal, from whichever of the documented shapes it has."""
    body = reply.json
    inner = dig(body, "error")
    refusal = _refusal(dig(body, "aiRecord"))
    told = next((item for item in (refusal, inner, body) if isinstance(item, dict)), {})
    code = text_at(told, "errorCode") or text_at(told, "code")
    text = text_at(told, "message") or (inner if isinstance(inner, str) else "")
    text = text or (reply.text if is_page(reply) and "<" not in reply.text else "")
    text = next((said for mark, said in EDGE.items() if mark in text), text)
    cause, upstream = _details(told)
    return code, clean(text), cause, upstream


def _details(told: Any) -> tuple[str, int | None]:
    """The cause and the upstream's HTTP status; `details` is text that holds JSON."""
    details = decoded(dig(told, "details"))
    if isinstance(details, list):
        return clean("; ".join(text_at(item, "message") or text_at(item) for item in details)), None
    status = whole_at(details, "response", "status") or whole_at(details, "status")
    data = decoded(dig(details, "response", "data"))
    places = (
        (data, "message"),
        (data, "error", "message"),
        (data, "error"),
        (data, "detail"),
        (data,),
        (details, "message"),
    )
    cause = next((found for place in places if (found := text_at(*place))), text_at(details))
    return clean(cause), status


def _kind(code: str, text: str, reply: Reply, upstream: int | None) -> type[ProviderError]:
    status = reply.status_code
    if code == "INSUFFICIENT_CREDITS" or status == 402:
        return CreditError
    if status == 401 or code == "INVALID_AUTH_TOKEN" or (status == 403 and "api key" in text):
        return AuthError
    if status == 429 or "error code: 1015" in text:
        return RateLimitError
    if "error code: 1010" in text:
        return RejectedError  # the edge refuses this kind of client; asking again does not help
    if code == UPSTREAM:
        passing = sounds_lost(text) if upstream is None else upstream == 429 or upstream >= 500
        return UnavailableError if passing else RejectedError
    if "open_ai_unexpected_error" in f"{code.lower()} {text}":
        return RejectedError if "invalid" in text else UnavailableError
    gateway = is_page(reply) and "<" in reply.text and status in (200, 403)
    if status >= 500 or status in UNDECIDED or gateway:
        return UnavailableError
    if is_page(reply) and status < 400:
        return UnexpectedReplyError  # a cut or garbled answer: nothing in it says that the request was refused
    return RejectedError if status >= 400 or code or text.strip() else UnexpectedReplyError


def _needed(found: re.Match[str]) -> str:
    required, remaining = (f"{int(number.replace(',', '') or 0):,}" for number in found.groups())
    return f"this needs {required} credits and the team has {remaining}"
