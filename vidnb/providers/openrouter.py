"""OpenRouter: one body for the video models of many makers.

The service has four traps, handled below: its plain links need the key, which must not go along where they redirect
to, while signed links need none; pictures go within the body; there is no list and no cancel, so a lost submit is found
by its callback alone; and the callback's signature has a comma where others have a dot.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote

from vidnb.catalog import Model
from vidnb.errors import (
    AuthError,
    CreditError,
    ProviderError,
    RateLimitError,
    RejectedError,
    UnavailableError,
    UnexpectedReplyError,
)
from vidnb.providers import skus
from vidnb.providers.base import Provider
from vidnb.providers.bodies import endpoint, nest
from vidnb.providers.replies import (
    UNDECIDED,
    advice,
    clean,
    dig,
    doubt_refusal,
    error,
    has_ended,
    has_succeeded,
    id_at,
    is_about,
    is_page,
    links_at,
    number_at,
    text_at,
    unexpected,
    unix_time_at,
    video_link,
    whole_at,
    word_at,
)
from vidnb.records import Call, Callback, Cost, Job, MediaFile, Rates, RemoteMedia, Reply, State, Status

STATES = {"pending": State.QUEUED, "in_progress": State.RUNNING}
FRAMES = {"start_image": "first_frame", "end_image": "last_frame"}
WEBHOOK_AGE_S = 300.0


class OpenRouter(Provider):
    """OpenRouter's video API."""

    name: ClassVar[str] = "openrouter"
    title: ClassVar[str] = "OpenRouter"
    base_url: ClassVar[str] = "https://openrouter.ai/api"
    base_url_env: ClassVar[str] = "OPENROUTER_BASE_URL"
    key_env: ClassVar[str] = "OPENROUTER_API_KEY"
    key_page: ClassVar[str] = "https://openrouter.ai/settings/keys"
    # No rates are published; the docs of the video API advise to poll every 10 to 30 seconds.
    rates: ClassVar[Rates] = Rates(requests_per_minute=60, submits_per_minute=30, in_flight=4, poll_every_s=10.0)
    webhook_url_env: ClassVar[str] = "OPENROUTER_WEBHOOK_URL"
    cancel_note: ClassVar[str] = "OpenRouter has no way to cancel a job, also one that waits is paid"

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers that carry the key."""
        return {"Authorization": f"Bearer {key}", "Accept": "application/json"}

    # -- create

    def upload(self, file: MediaFile) -> Generator[Call, Reply, RemoteMedia]:
        """Return the picture itself, as a `data:` URI for the body: the service takes no uploads."""
        yield from ()
        content = base64.b64encode(file.content).decode()
        return RemoteMedia(self.name, f"data:{file.content_type};base64,{content}", "INLINE")

    def submit(self, model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> Call:
        """Return the POST that makes the job."""
        body: dict[str, Any] = {"model": model.wire}
        for name, value in params.items():
            if value is not None:
                nest(body, model.params[name].wire or name, model.params[name].to_wire(value))
        frames = [
            {"type": "image_url", "image_url": {"url": item.id}, "frame_type": place}
            for name, place in FRAMES.items()
            for item in media.get(name) or []
        ]
        return Call("POST", endpoint(model, media), json=body | ({"frame_images": frames} if frames else {}))

    def called_back(self, call: Call, url: str) -> Call:
        """Return the POST with the address in it."""
        return replace(call, json={**call.json, "callback_url": url})

    def submitted(self, reply: Reply) -> Status:
        """Return the id of the new job."""
        doubt_refusal(self, reply, id_at(reply.json, "id"))
        body = self._read(reply).json
        remote_id = id_at(body, "id")
        if remote_id is None:
            raise unexpected(self, reply, "the answer to the submit holds no job id; it may have been charged")
        return _status(body, remote_id)

    # -- read

    def poll(self, job: Job) -> Call:
        """Return the request for a job; the address that the service gives for it may be relative, and is not used."""
        return Call("GET", f"/v1/videos/{quote(job.remote_id or '', safe='')}")

    def polled(self, reply: Reply, job: Job) -> Status:
        """Return how the job stands."""
        body, remote_id = self._read(reply).json, job.remote_id or ""
        if not word_at(body, "status"):
            raise unexpected(self, reply, "the answer to the status request holds no job")
        if not is_about(body, remote_id, "id"):
            raise unexpected(self, reply, "the answer to the status request is about another job")
        return _status(body, remote_id)

    # -- prices

    def listed_prices(self, models: Sequence[Model]) -> Generator[Call, Reply, dict[str, dict[str, Any]]]:
        """Return what the public list of models, which changes weekly, says that these cost."""
        reply = self._read((yield Call("GET", "/v1/videos/models")))
        entries = dig(reply.json, "data")
        if not isinstance(entries, list) or not entries:
            raise unexpected(self, reply, "the list of models is empty")
        prices = {text_at(entry, "id"): dig(entry, "pricing_skus") for entry in entries}
        return {model.id: skus.table(model, prices[model.wire]) for model in models if model.wire in prices}

    # -- account

    def check(self) -> Call:
        """Return the request for what is known of the key: it costs nothing, and the balance needs another key."""
        return Call("GET", "/v1/key")

    def checked(self, reply: Reply) -> str:
        """Return what the key has used, and what its own limit leaves."""
        body = self._read(reply).json
        used, left = number_at(body, "data", "usage"), number_at(body, "data", "limit_remaining")
        if used is None:
            raise unexpected(self, reply, "the answer about the key holds no usage")
        limit = "no limit of its own" if left is None else f"{Cost(left, 'USD')} left of its own limit"
        return f"the key is good; {Cost(used, 'USD')} used with it, {limit}"

    # -- webhooks

    def is_genuine(self, callback: Callback, secret: str) -> bool:
        """Return whether the callback carries a fresh signature made with the workspace's signing secret."""
        header = callback.headers.get("x-openrouter-signature", "")
        told = dict(part.strip().partition("=")[::2] for part in header.split(","))
        moment = whole_at(told.get("t", ""))
        if moment is None or callback.received_at is None or not secret:
            return False
        if abs(callback.received_at.timestamp() - moment) > WEBHOOK_AGE_S:
            return False
        signed = f"{told['t']},".encode("utf-8", "replace") + callback.body
        wanted = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        return hmac.compare_digest(wanted.encode(), told.get("v1", "").encode("utf-8", "replace"))

    def webhook_id(self, callback: Callback) -> str | None:
        """Return the job's id."""
        return id_at(callback.json, "data", "id")

    # -- errors

    def explain(self, reply: Reply) -> ProviderError:
        """Return the error behind a refusal; its HTTP status decides."""
        kind = _kind(reply)
        text = "the request is too large; give it smaller pictures" if reply.status_code == 413 else _complaint(reply)
        told = f"{advice(self, kind)} (HTTP {reply.status_code})"
        made = error(self, kind, f"{told}: {text}" if text else told, reply)
        if reply.status_code == 403 and _reasons(reply):
            made.why = "moderation"
        return made

    def _read(self, reply: Reply) -> Reply:
        if not isinstance(reply.json, dict) or not 200 <= reply.status_code < 300:
            raise self.explain(reply)
        return reply


def _status(body: Any, remote_id: str) -> Status:
    """Return how a job stands, with what it cost once that is told."""
    word, dollars = word_at(body, "status"), number_at(body, "usage", "cost")
    cost = None if dollars is None or dollars < 0 else Cost(dollars, "USD")
    plain, links = word.lower(), _links(body, remote_id)
    link = links[0] if links else None
    if plain in STATES:
        return Status(remote_id, STATES[plain], word)
    if has_succeeded(word):
        return _finished(body, remote_id, cost, links)
    if plain in ("failed", "expired"):
        reason = clean(text_at(body, "error") or text_at(body, "error", "message"))
        said = f"OpenRouter: {reason}" if reason else f"OpenRouter says {word!r} of the job and gives no reason"
        charged = None if cost is None else cost.amount > 0
        return Status(remote_id, State.FAILED, word, video_url=link, error=said, cost=cost, charged=charged)
    if plain == "cancelled":
        return Status(remote_id, State.CANCELLED, word, cost=cost)
    ended = has_ended(word)
    odd = f"OpenRouter ended the job with {word!r}, a word that is not documented" if ended else None
    return Status(remote_id, None, word, video_url=link, error=odd, cost=cost, ended=ended)


def _links(body: Any, remote_id: str) -> list[str]:
    """Return the links to what was made: signed ones, else paths of the content, which need the key.

    The plain links in the answer are not followed: a path on the service's own host cannot lead the key elsewhere. A
    link at a place that nobody documented is asked for without the key.
    """
    links, unsigned = links_at(body, "urls"), dig(body, "unsigned_urls")
    if not links and isinstance(unsigned, list):
        content = f"/v1/videos/{quote(remote_id, safe='')}/content"
        links = [f"{content}?index={index}" for index, one in enumerate(unsigned) if isinstance(one, str) and one]
    elsewhere = None if links else video_link(body)
    return [elsewhere] if elsewhere is not None else links


def _finished(body: Any, remote_id: str, cost: Cost | None, links: list[str]) -> Status:
    """Return the first of the links, and until when it lives."""
    ends_at = unix_time_at(body, "expires_at") if links_at(body, "urls") else None
    if links:
        more = tuple(links[1:])
        return Status(
            remote_id, State.DOWNLOADING, "completed", video_url=links[0], more_urls=more, link_ends_at=ends_at,
            cost=cost,
        )  # fmt: skip
    said = "OpenRouter reported the end of the job without a link to the clip"
    return Status(remote_id, None, "completed without link", error=said, cost=cost, ended=True)


def _reasons(reply: Reply) -> list[str]:
    """Return why an input was flagged; empty where it was not."""
    reasons = dig(reply.json, "error", "metadata", "reasons")
    return [clean(one) for one in reasons if isinstance(one, str)] if isinstance(reasons, list) else []


def _complaint(reply: Reply) -> str:
    """Return the text of a refusal, and for which reasons an input was flagged."""
    text = text_at(reply.json, "error", "message") or text_at(reply.json, "error")
    plain = reply.text if is_page(reply) and "<" not in reply.text else ""
    return clean(": ".join(filter(None, [text or plain, ", ".join(_reasons(reply)[:5])])))


def _kind(reply: Reply) -> type[ProviderError]:
    status = reply.status_code
    by_status: dict[int, type[ProviderError]] = {401: AuthError, 402: CreditError, 429: RateLimitError}
    if status in by_status:
        return by_status[status]
    if status >= 500 or status in UNDECIDED or (is_page(reply) and "<" in reply.text and status in (200, 403)):
        return UnavailableError
    if is_page(reply) and status < 400:
        return UnexpectedReplyError
    return RejectedError if status >= 400 else UnexpectedReplyError
