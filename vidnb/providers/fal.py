"""fal: a queue in front of many models, each of which takes flat fields of its own, as the catalogue says (`wire`).

The service has four traps, all handled below: a job is submitted to the whole endpoint id, but asked about under its
first two parts; `COMPLETED` is said of failures too, and only the result tells; a cancel is a wish, whose answer says
nothing of what becomes of the job; and its list has only jobs that are over, for each endpoint by itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from vidnb import catalog
from vidnb.catalog import Model, Param
from vidnb.errors import (
    AuthError,
    ConfigError,
    CreditError,
    ProviderError,
    RateLimitError,
    RejectedError,
    UnavailableError,
    UnexpectedReplyError,
)
from vidnb.providers.base import Provider
from vidnb.providers.bodies import endpoint, flat
from vidnb.providers.replies import (
    UNDECIDED,
    advice,
    clean,
    dig,
    error,
    has_ended,
    has_succeeded,
    header,
    id_at,
    is_about,
    is_page,
    is_stored,
    link_at,
    number_at,
    refused_upload,
    seed_at,
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
    Job,
    MediaFile,
    Rates,
    RemoteJob,
    RemoteMedia,
    Reply,
    State,
    Status,
    Why,
)

NAMESPACES = ("workflows", "comfy")
"""Ids that begin with one of these keep it in front of owner and app (official Python client 1.0.3)."""
PRICED_ENDPOINT = "fal-ai/veo3.1"
WEBHOOK_AGE_S = 300.0
PRICES_AT_ONCE = 50
"""So many endpoints the list of prices takes at most (docs "Pricing", read 2026-11-30)."""
PRICE_UNITS = {
    "video": ("clip", 1.0), "second": ("second", 1.0), "megapixel": ("megapixel", 1.0),
    "1000 token": ("1000 tokens", 1.0), "million token": ("1000 tokens", 0.001), "1m token": ("1000 tokens", 0.001),
}  # fmt: skip
"""Units of that list without an s at their end: the basis of a price here, and its worth there."""
CLOCKS_DIFFER = timedelta(minutes=3)
NOTHING = Cost(0.0, "USD")
MODERATED = frozenset({"content_policy_violation"})
PASSING = frozenset({
    "generation_timeout", "downstream_service_unavailable", "downstream_service_error", "internal_server_error",
    "request_timeout", "startup_timeout", "runner_scheduling_failure", "runner_connection_timeout",
    "runner_disconnected", "runner_connection_refused", "runner_connection_error", "runner_incomplete_response",
    "runner_server_error", "internal_error",
})  # fmt: skip
"""Types of errors that fal itself calls its own or the network's (docs "Errors"); runs that end so are not charged."""
CANCELLED = frozenset({"client_cancelled", "client_disconnected"})
TOO_EARLY = "still in progress"


class Fal(Provider):
    """fal's queue."""

    name: ClassVar[str] = "fal"
    title: ClassVar[str] = "fal"
    base_url: ClassVar[str] = "https://queue.fal.run"
    base_url_env: ClassVar[str] = "FAL_BASE_URL"
    other_hosts: ClassVar[Mapping[str, str]] = {"rest": "https://rest.fal.ai", "api": "https://api.fal.ai"}
    key_env: ClassVar[str] = "FAL_KEY"
    key_pair_env: ClassVar[tuple[str, str] | None] = ("FAL_KEY_ID", "FAL_KEY_SECRET")  # as the official clients
    key_page: ClassVar[str] = "https://fal.ai/dashboard/keys"
    # docs "Concurrency": two jobs at once for a new account, more wait in the queue; no request rate is published.
    rates: ClassVar[Rates] = Rates(requests_per_minute=120, submits_per_minute=60, in_flight=2)
    uploads_live_s: ClassVar[float | None] = 20 * 3600.0  # an account's setting; a day is the shortest that is usual
    webhook_url_env: ClassVar[str] = "FAL_WEBHOOK_URL"

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers that carry the key."""
        return {"Authorization": f"Key {key}", "Accept": "application/json"}

    # -- create

    def upload(self, file: MediaFile) -> Generator[Call, Reply, RemoteMedia]:
        """Return the address of an uploaded input: asked for with the key, filled without it."""
        asked = {"file_name": file.filename, "content_type": file.content_type}
        start = Call("POST", "/storage/upload/initiate?storage_type=fal-cdn-v3", json=asked, host="rest")
        reply = self._read((yield start))
        target, link = link_at(reply.json, "upload_url"), link_at(reply.json, "file_url")
        if target is None or link is None:
            raise unexpected(self, reply, "the answer to the upload request holds no address")
        done = yield Call("PUT", target, content=file.content, headers={"Content-Type": file.content_type})
        if not is_stored(done):
            raise refused_upload(self, done, file)
        return RemoteMedia(self.name, link)

    def submit(self, model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> Call:
        """Return the POST that puts the job into the queue: the fields lie flat in the body."""
        return Call("POST", endpoint(model, media), json=flat(model, params, media))

    def called_back(self, call: Call, url: str) -> Call:
        """Return the POST with the address in its query."""
        return replace(call, url=f"{call.url}?{urlencode({'fal_webhook': url})}")

    def submitted(self, reply: Reply) -> Status:
        """Return the id of the new job."""
        body = self._read(reply).json
        remote_id = id_at(body, "request_id")
        if remote_id is None:
            raise unexpected(self, reply, "the answer to the submit holds no request id; it may have been charged")
        return _queued(body, remote_id)

    # -- read

    def poll(self, job: Job) -> Call:
        """Return the request for a job's status, which lies under owner and app of its endpoint."""
        return Call("GET", f"{_request(job)}/status?logs=1")

    def polled(self, reply: Reply, job: Job) -> Status:
        """Return the status of the job; of a finished one the clip's link is still to be fetched."""
        body, remote_id = self._read(reply).json, job.remote_id or ""
        word = word_at(body, "status")
        plain, link = word.upper(), video_link(body)
        if not word:
            raise unexpected(self, reply, "the answer to the status request holds no status")
        if not is_about(body, remote_id, "request_id"):
            raise unexpected(self, reply, "the answer to the status request is about another job")
        if plain == "IN_QUEUE":
            return _queued(body, remote_id)
        if plain == "IN_PROGRESS":
            return Status(remote_id, State.RUNNING, word)
        if not has_succeeded(word):
            ended = has_ended(word)
            said = f"fal ended the job with {word!r}, a word that is not documented" if ended else None
            return Status(remote_id, None, word, video_url=link, error=said, ended=ended)
        if text_at(body, "error") or text_at(body, "error_type"):
            return _failed(remote_id, text_at(body, "error"), text_at(body, "error_type"), None, link)
        return Status(remote_id, State.DOWNLOADING, word)

    def result(self, job: Job) -> Call | None:
        """Return the request that fetches what the model gave back."""
        return Call("GET", _request(job))

    def resulted(self, reply: Reply, job: Job) -> Status:
        """Return the clip's link, or why the run failed: its own error status comes with the result."""
        remote_id, status = job.remote_id or "", reply.status_code
        if 200 <= status < 300 and isinstance(reply.json, dict):
            link = link_at(reply.json, "video", "url") or video_link(reply.json)
            if link is not None:
                several = dig(reply.json, "videos")
                files = several if isinstance(several, list) else []
                more = dict.fromkeys(url for file in files if (url := link_at(file, "url")) not in (None, link))
                prompt = text_at(reply.json, "actual_prompt")
                return Status(
                    remote_id, State.DOWNLOADING, "COMPLETED", video_url=link, more_urls=tuple(more),
                    used_seed=seed_at(reply.json, "seed"), used_prompt=prompt or None,
                )  # fmt: skip
            said = "fal reported the end of the job without a link to the clip"
            return Status(remote_id, None, "COMPLETED without link", error=said, ended=True)
        text, kind = _complaint(reply)
        if TOO_EARLY in text.lower():
            return Status(remote_id, State.RUNNING, "COMPLETED, result to come")
        # A refusal of the request itself (key, unknown id, a gateway) is no verdict on the job.
        if isinstance(dig(reply.json, "detail"), list) or kind in PASSING | CANCELLED:
            return _failed(remote_id, text, kind, status, video_link(reply.json))
        raise self.explain(reply)

    def recent(self, limit: int, jobs: Sequence[Job]) -> Generator[Call, Reply, list[RemoteJob]]:
        """Return the exchange that lists what is over of the endpoints of these jobs; what still runs is not in it."""
        began = [job.submitted_at or job.created_at for job in jobs]
        query: dict[str, Any] = {"limit": max(1, min(limit, 100)), "expand": "payloads"}
        if jobs:
            query["endpoint_id"] = ",".join(sorted({_endpoint(job) for job in jobs})[:50])
            query["start"] = _iso(min(began) - CLOCKS_DIFFER)
        reply = self._read((yield Call("GET", f"/v1/models/requests/by-endpoint?{urlencode(query)}", host="api")))
        items = dig(reply.json, "items")
        if not isinstance(items, list):
            raise unexpected(self, reply, "the answer holds no list of requests")
        return [job for job in map(_remote_job, items) if job is not None]

    # -- cancel

    def cancel(self, job: Job) -> Generator[Call, Reply, Status]:
        """Return that the wish was taken down, or came too late: the next polls tell what became of the job."""
        reply = yield Call("PUT", f"{_request(job)}/cancel")
        remote_id, word = job.remote_id or "", word_at(reply.json, "status")
        if word == "ALREADY_COMPLETED":
            return Status(remote_id, State.RUNNING, word)
        self._read(reply)
        return Status(remote_id, None, word or "cancel asked for")

    # -- prices

    def listed_prices(self, models: Sequence[Model]) -> Generator[Call, Reply, dict[str, dict[str, Any]]]:
        """Return what fal's own list says that these models cost this account: one number and its unit for each.

        An id that fal does not know may spoil the answer for all, so those that are a guess are not asked for.
        """
        asked, found = [model for model in models if model.status == "active"], {}
        for start in range(0, len(asked), PRICES_AT_ONCE):
            some = {model.wire: model for model in asked[start : start + PRICES_AT_ONCE]}
            query = urlencode({"endpoint_id": ",".join(some)})
            reply = self._read((yield Call("GET", f"/v1/models/pricing?{query}", host="api")))
            entries = dig(reply.json, "prices")
            if not isinstance(entries, list):
                raise unexpected(self, reply, "the answer holds no list of prices")
            for entry in entries:
                if (model := some.get(text_at(entry, "endpoint_id"))) is not None:
                    found[model.id] = _price(model, entry)
        return found

    # -- account

    def check(self) -> Call:
        """Return the request for a price, which needs a good key and costs nothing."""
        return Call("GET", f"/v1/models/pricing?{urlencode({'endpoint_id': PRICED_ENDPOINT})}", host="api")

    def checked(self, reply: Reply) -> str:
        """Return that the key is good: there is no call for the balance."""
        self._read(reply)
        return "the key is good; fal has no call for the balance"

    # -- webhooks

    def is_genuine(self, callback: Callback, secret: str) -> bool:
        """Return whether the callback carries a fresh Ed25519 signature of one of fal's keys.

        The secret is no secret here: it is the text of `https://rest.fal.ai/.well-known/jwks.json`, fal's public keys.

        Raises:
            ConfigError: the package that checks such signatures is not installed.
        """
        names = ("request-id", "user-id", "timestamp", "signature")
        told = [callback.headers.get(f"x-fal-webhook-{name}", "") for name in names]
        moment = whole_at(told[2])
        if not all(told) or moment is None or callback.received_at is None:
            return False
        if abs(callback.received_at.timestamp() - moment) > WEBHOOK_AGE_S:
            return False
        text = "\n".join([*told[:3], hashlib.sha256(callback.body).hexdigest()]).encode("utf-8", "replace")
        try:
            signature = bytes.fromhex(told[3])
        except ValueError:
            return False
        return any(_fits(key, signature, text) for key in _keys(secret))

    def webhook_id(self, callback: Callback) -> str | None:
        """Return the request's id."""
        return id_at(callback.json, "request_id")

    # -- errors

    def explain(self, reply: Reply) -> ProviderError:
        """Return the error behind a refusal."""
        text, code = _complaint(reply)
        kind = _kind(text.lower(), reply)
        told = f"{advice(self, kind)} (HTTP {reply.status_code})"
        return error(self, kind, f"{told}: {text}" if text else told, reply, code)

    def _read(self, reply: Reply) -> Reply:
        if not isinstance(reply.json, dict | list) or not 200 <= reply.status_code < 300:
            raise self.explain(reply)
        return reply


def _price(model: Model, entry: Any) -> dict[str, Any]:
    """Return the price of one entry of the list.

    The list tells one number, the docs say that size and length change the charge in proportion, and not from where. So
    the catalogue's price holds where the number stands in it. Where it does not, all of that price is scaled until its
    cheapest case is the number: more than that nobody is charged. Without a price in the catalogue the number alone
    is not enough, unless the model has nothing that could change it.
    """
    amount, unit = number_at(entry, "unit_price"), text_at(entry, "unit").lower().strip()
    basis, worth = PRICE_UNITS.get(unit.removesuffix("s"), ("", 1.0))
    currency = text_at(entry, "currency")
    told = {"unknown": clean(f"{amount} {currency} per {unit}")[:60]}
    if amount is None or amount <= 0 or currency != "USD":
        return told
    if not model.price:
        varies = any(len(param.choices) > 1 or param.kind == "boolean" for param in _priced(model))
        return told if varies or not basis else _table(basis, amount * worth)
    if model.price.get("basis", "clip") != basis:
        return {}
    known = [case["amount"] for case in model.price.get("cases", ())]
    known += [model.price["amount"]] if "amount" in model.price else []
    listed = amount * worth
    factor = 1.0 if any(abs(one - listed) <= 0.01 * listed for one in known) else listed / min(known)
    cases = [{**case, "amount": round(case["amount"] * factor, 8)} for case in model.price.get("cases", ())]
    fixed = round(model.price["amount"] * factor, 8) if "amount" in model.price else None
    return _table(basis, fixed) | ({"cases": cases} if cases else {})


def _priced(model: Model) -> list[Param]:
    """Return what may change a model's price besides how long a clip is."""
    names = [name for name in model.priced_params if name not in ("duration_s", "aspect_ratio")]
    return [model.params[name] for name in names if name in model.params]


def _table(basis: str, amount: float | None) -> dict[str, Any]:
    fixed = {} if amount is None else {"amount": amount}
    return {"unit": "USD", "basis": basis, "confidence": "estimate", **fixed}


def _endpoint(job: Job) -> str:
    """Return the id of the endpoint that a job was sent to: the model's name."""
    return job.model.partition("/")[2]


def _request(job: Job) -> str:
    """Return the path of a job: owner and app of its endpoint, then its id."""
    parts = _endpoint(job).split("/")
    kept = 3 if parts[0] in NAMESPACES else 2
    return f"/{quote('/'.join(parts[:kept]))}/requests/{quote(job.remote_id or '', safe='')}"


def _queued(body: Any, remote_id: str) -> Status:
    word, ahead = word_at(body, "status"), whole_at(body, "queue_position")
    return Status(remote_id, State.QUEUED, word, ahead=ahead if ahead is None or ahead >= 0 else None)


def _failed(remote_id: str, text: str, kind: str, status: int | None, link: str | None) -> Status:
    """Return that a run failed, or was cancelled.

    Args:
        remote_id: of the job.
        text: what was said.
        kind: fal's word for the error.
        status: HTTP status of the result; None where the status request said it.
        link: to a clip that stands beside the error all the same.
    """
    word = "COMPLETED with an error"
    if kind in CANCELLED:
        return Status(remote_id, State.CANCELLED, word)
    why: Why = "moderation" if kind in MODERATED or "content_policy" in text else "passing" if kind in PASSING else ""
    said = f"fal: {clean(text or kind)}" if text or kind else "fal reported a failure; it gives no reason"
    # docs "Billing": runs that end with 5xx are not charged; a 422 can be.
    free = kind in PASSING or (status is not None and status >= 500)
    return Status(
        remote_id, State.FAILED, word, video_url=link, error=said, why=why, charged=False if free else None
    )


def _remote_job(item: Any) -> RemoteJob | None:
    remote_id, endpoint = id_at(item, "request_id"), text_at(item, "endpoint_id")
    if remote_id is None:
        return None
    given, made, code = dig(item, "json_input"), dig(item, "json_output"), whole_at(item, "status_code")
    link = link_at(made, "video", "url")
    status = Status(remote_id, State.DOWNLOADING, "COMPLETED", video_url=link) if link and code == 200 else None
    model = catalog.load().get(f"{Fal.name}/{endpoint}")
    start = model.params.get("start_image") if model is not None else None
    return RemoteJob(
        remote_id,
        text_at(given, "prompt"),
        time_at(item, "sent_at") or time_at(item, "started_at"),
        seed=whole_at(given, "seed"),
        status=status,
        models=frozenset({model.id} if model is not None else ()),
        from_image=bool(text_at(given, start.wire or "")) if start is not None and isinstance(given, dict) else None,
    )


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _keys(secret: str) -> list[bytes]:
    """Return the public keys in a JWKS document."""
    try:
        listed = dig(json.loads(secret), "keys")
    except (ValueError, RecursionError):
        return []
    found = []
    for one in listed if isinstance(listed, list) else []:
        text = text_at(one, "x")
        try:
            found.append(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except ValueError:
            continue
    return [key for key in found if len(key) == 32]


def _fits(key: bytes, signature: bytes, text: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError as error:
        raise ConfigError("fal's signatures need one more package: pip install 'vidnb[webhooks]'") from error
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def _complaint(reply: Reply) -> tuple[str, str]:
    """Return the text and fal's word of a refusal: a list of fields, or one sentence."""
    detail = dig(reply.json, "detail")
    if isinstance(detail, list):
        lines = []
        for one in detail[:5]:
            spot = dig(one, "loc")
            names = [str(part) for part in spot if part != "body"] if isinstance(spot, list) else []
            lines.append(": ".join(filter(None, [".".join(names), text_at(one, "msg")])))
        return clean("; ".join(filter(None, lines))), clean(text_at(detail, 0, "type"))
    text = detail if isinstance(detail, str) else reply.text if is_page(reply) and "<" not in reply.text else ""
    return clean(text), clean(text_at(reply.json, "error_type") or header(reply, "x-fal-error-type"))


def _kind(text: str, reply: Reply) -> type[ProviderError]:
    status = reply.status_code
    if status == 403 and ("user is locked" in text or "balance" in text):
        return CreditError
    by_status: dict[int, type[ProviderError]] = {401: AuthError, 402: CreditError, 429: RateLimitError}
    if status in by_status:
        return by_status[status]
    if status == 403 and not is_page(reply):
        return AuthError  # the key's scope
    if status >= 500 or status in UNDECIDED or (is_page(reply) and "<" in reply.text and status in (200, 403)):
        return UnavailableError
    if is_page(reply) and status < 400:
        return UnexpectedReplyError
    return RejectedError if status >= 400 else UnexpectedReplyError
