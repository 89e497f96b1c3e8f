"""Replicate: one shape for every model, the prediction, which the submit, the poll, the list and the webhook all bring.

Field names come from the catalogue (`wire`); all of them lie in `input`. The service has three traps, handled below: an
hour after a prediction ended its input, output and logs are deleted, so the clip has to be fetched at once;
`aborted` is a cancel that costs nothing and `canceled` one that may; and no answer ever says what a job cost.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from vidnb import catalog
from vidnb.catalog import MEDIA_KINDS, Model
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
from vidnb.providers.bodies import endpoint, flat
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
    link_at,
    links_at,
    number_at,
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
    Why,
)

STATES = {"starting": State.QUEUED, "processing": State.RUNNING}
NOTHING = Cost(0.0, "USD")
LONGEST_RUN = timedelta(minutes=30)
"""No prediction runs longer (docs "Prediction lifecycle")."""
CLOCKS_DIFFER = timedelta(minutes=3)
LONGEST_SUBMIT = timedelta(minutes=8)
PAGES = 3
"""So many pages of a hundred are read of a list."""
WEBHOOK_AGE_S = 300.0

_PERCENT = re.compile(r"(\d{1,3})%\|")
"""A line of a progress bar in the logs, as Replicate's own JavaScript client reads it: ` 34%|███▍      | 17/50`."""
_SEED = re.compile(r"\b[Uu]sing seed:? (\d{1,18})\b")
"""A line that open models write into the logs where nobody gave them a seed (inferred: a habit of those who pack them).
"""
_MODERATED = re.compile(r"\bE005\b|flagged as sensitive", re.IGNORECASE)
_PASSING = re.compile(r"\b(E003|E6716|E9825)\b|code: PA\b", re.IGNORECASE)


class Replicate(Provider):
    """Replicate's predictions API."""

    name: ClassVar[str] = "replicate"
    title: ClassVar[str] = "Replicate"
    base_url: ClassVar[str] = "https://api.replicate.com"
    base_url_env: ClassVar[str] = "REPLICATE_BASE_URL"
    key_env: ClassVar[str] = "REPLICATE_API_TOKEN"
    key_page: ClassVar[str] = "https://replicate.com/account/api-tokens"
    # docs "Rate limits": 600 creates and 3,000 other calls a minute; far fewer creates (6 a minute) below 20 USD of
    # credit, which the service says with 429 and the pace then follows. Jobs at once: no number is published.
    rates: ClassVar[Rates] = Rates(requests_per_minute=600, submits_per_minute=60, in_flight=8)
    uploads_live_s: ClassVar[float | None] = 20 * 3600.0  # a day in the examples of the docs; confirmed nowhere
    results_live_s: ClassVar[float | None] = 3600.0  # docs "Data retention"
    webhook_url_env: ClassVar[str] = "REPLICATE_WEBHOOK_URL"

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers that carry the key."""
        return {"Authorization": f"Bearer {key}", "Accept": "application/json"}

    # -- create

    def upload(self, file: MediaFile) -> Generator[Call, Reply, RemoteMedia]:
        """Return the address of an uploaded input; only the service itself can read what lies there."""
        part = FilePart("content", file.filename, file.content, file.content_type)
        answer = yield Call("POST", "/v1/files", file=part)
        if answer.status_code == 413:
            size = f"{len(file.content) / 2**20:.1f} MB"
            raise error(self, RejectedError, f"the file is too large ({size}; HTTP 413); give it a smaller one", answer)
        link = link_at(self._read(answer).json, "urls", "get")
        if link is None:
            raise unexpected(self, answer, "the answer to the upload holds no address")
        return RemoteMedia(self.name, link)

    def submit(self, model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> Call:
        """Return the POST that creates the prediction."""
        # No `Prefer: wait`: a connection that is held for a minute is one more that can be lost.
        return Call("POST", endpoint(model, media), json={"input": flat(model, params, media)})

    def called_back(self, call: Call, url: str) -> Call:
        """Return the POST with the address in it; one call at the end is enough."""
        return replace(call, json={**call.json, "webhook": url, "webhook_events_filter": ["completed"]})

    def submitted(self, reply: Reply) -> Status:
        """Return the id of the new prediction, and its end where it was over at once."""
        doubt_refusal(self, reply, id_at(reply.json, "id"))
        prediction = self._read(reply).json
        remote_id = id_at(prediction, "id")
        if remote_id is None:
            raise unexpected(self, reply, "the answer to the submit holds no prediction id; it may have been charged")
        return _status(prediction, remote_id)

    # -- read

    def poll(self, job: Job) -> Call:
        """Return the request for a prediction."""
        return Call("GET", f"/v1/predictions/{quote(job.remote_id or '', safe='')}")

    def polled(self, reply: Reply, job: Job) -> Status:
        """Return the status of the prediction."""
        prediction, remote_id = self._read(reply).json, job.remote_id or ""
        if not word_at(prediction, "status"):
            raise unexpected(self, reply, "the answer to the status request holds no prediction")
        if not is_about(prediction, remote_id, "id"):
            raise unexpected(self, reply, "the answer to the status request is about another prediction")
        return _status(prediction, remote_id)

    def described(self, reply: Reply, job: Job) -> RemoteJob | None:
        """Return the prediction as the list would show it."""
        return _remote_job(reply.json)

    def recent(self, limit: int, jobs: Sequence[Job]) -> Generator[Call, Reply, list[RemoteJob]]:
        """Return the exchange that lists the predictions since the oldest of these jobs, newest first."""
        query, found = _window(jobs), list[RemoteJob]()
        for _ in range(PAGES):
            reply = self._read((yield Call("GET", f"/v1/predictions{'?' if query else ''}{urlencode(query)}")))
            listed = dig(reply.json, "results")
            if not isinstance(listed, list):
                raise unexpected(self, reply, "the answer holds no list of predictions")
            found += [job for job in map(_remote_job, listed) if job is not None]
            cursor = _cursor(text_at(reply.json, "next"))
            if cursor is None or len(found) >= limit:
                break
            query = {**query, "cursor": cursor}
        return found[:limit]

    # -- cancel

    def cancel(self, job: Job) -> Generator[Call, Reply, Status]:
        """Return what became of the prediction: time that it ran already may be charged, and nothing says how much."""
        return self.polled((yield Call("POST", f"{self.poll(job).url}/cancel")), job)

    # -- account

    def check(self) -> Call:
        """Return the request for the account: it costs nothing."""
        return Call("GET", "/v1/account")

    def checked(self, reply: Reply) -> str:
        """Return that the key is good: the service has no call for the balance."""
        if not text_at(self._read(reply).json, "username"):
            raise unexpected(self, reply, "the account's answer holds no account")
        return "the key is good; Replicate has no call for the balance"

    # -- webhooks

    def is_genuine(self, callback: Callback, secret: str) -> bool:
        """Return whether the callback carries a fresh signature (Standard Webhooks) made with `whsec_...`.

        The secret is the reply to `GET /v1/webhooks/default/secret`. Several signatures may stand there while a secret
        is exchanged for a new one; one that fits is enough.
        """
        told_id, told_at = (callback.headers.get(name, "") for name in ("webhook-id", "webhook-timestamp"))
        age_s = _age_s(told_at, callback.received_at)
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError:
            return False
        if not key or not told_id or age_s is None or abs(age_s) > WEBHOOK_AGE_S:
            return False
        signed = f"{told_id}.{told_at}.".encode("utf-8", "replace") + callback.body
        wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
        given = [one.partition(",") for one in callback.headers.get("webhook-signature", "").split()]
        return any(kind == "v1" and hmac.compare_digest(wanted, mac.encode()) for kind, _, mac in given)

    def webhook_id(self, callback: Callback) -> str | None:
        """Return the prediction's id."""
        return id_at(callback.json, "id")

    # -- errors

    def explain(self, reply: Reply) -> ProviderError:
        """Return the error behind a refusal; its HTTP status decides."""
        text = _complaint(reply)
        kind = _kind(text.lower(), reply)
        told = f"{advice(self, kind)} (HTTP {reply.status_code})"
        made = error(self, kind, f"{told}: {text}" if text else told, reply, text_at(reply.json, "title"))
        if isinstance(made, RateLimitError) and made.retry_after_s is None:
            made.retry_after_s = number_at(reply.json, "retry_after")
        return made

    def _read(self, reply: Reply) -> Reply:
        if not isinstance(reply.json, dict) or not 200 <= reply.status_code < 300:
            raise self.explain(reply)
        return reply


def _status(prediction: Any, remote_id: str) -> Status:
    """Return how a prediction stands."""
    word, reason = word_at(prediction, "status"), clean(text_at(prediction, "error"))
    plain, links = word.lower(), _links(prediction)
    link = links[0] if links else None
    state = STATES.get(plain)
    if state is not None:
        return Status(remote_id, state, word, progress=_progress(text_at(prediction, "logs")))
    if has_succeeded(word):
        return _finished(prediction, remote_id, links)
    if plain == "failed":
        said = f"Replicate: {reason}" if reason else "Replicate reported a failure; it gives no reason"
        why: Why = "moderation" if _MODERATED.search(reason) else "passing" if _PASSING.search(reason) else ""
        return Status(remote_id, State.FAILED, word, video_url=link, error=said, why=why)
    if plain == "aborted":  # its deadline came before it was started
        return Status(remote_id, State.CANCELLED, word, cost=NOTHING)
    if plain == "canceled":
        return Status(remote_id, State.CANCELLED, word)
    ended = has_ended(word)
    odd = f"Replicate ended the prediction with {word!r}, a word that is not documented" if ended else None
    return Status(remote_id, None, word, video_url=link, error=odd, ended=ended)


def _links(prediction: Any) -> list[str]:
    """Return the links to what was made: the output is a link, a list of them, or an object with some."""
    output = dig(prediction, "output")
    links = links_at([output], 0) or links_at([link_at([output], 0) or link_at(output, "video")])
    elsewhere = None if links else video_link({"video": output}) or video_link(prediction)
    return [elsewhere] if elsewhere is not None else links


def _finished(prediction: Any, remote_id: str, links: list[str]) -> Status:
    """Return the clip's link, or that it is gone."""
    if links:
        seeds = _SEED.findall(text_at(prediction, "logs"))
        return Status(
            remote_id, State.DOWNLOADING, "succeeded", video_url=links[0], more_urls=tuple(links[1:]),
            used_seed=int(seeds[-1]) if seeds else None,
        )  # fmt: skip
    if dig(prediction, "data_removed") is True:
        said = (
            "Replicate made the clip and deleted it since: it keeps results for one hour. Keep a kernel open until a "
            "clip is there, or call vidnb.resume() within the hour"
        )
        return Status(remote_id, State.FAILED, "succeeded, data removed", error=said, why="gone")
    said = "Replicate reported success without a link to the clip"
    return Status(remote_id, None, "succeeded without link", error=said, ended=True)


def _progress(logs: str) -> float | None:
    """Return how much is done, by the last progress bar in the logs; most models write none."""
    found = _PERCENT.findall(logs)
    return min(int(found[-1]), 100) / 100 if found else None


def _window(jobs: Sequence[Job]) -> dict[str, str]:
    """Return the query for what can be any of these jobs; input and output are listed for an hour only."""
    began = [job.submitted_at or job.created_at for job in jobs]
    if not began:
        return {}
    query = {"created_after": _iso(min(began) - CLOCKS_DIFFER)}
    if all(job.state is State.AMBIGUOUS for job in jobs):
        query["created_before"] = _iso(max(began) + CLOCKS_DIFFER + LONGEST_SUBMIT)
    return query


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _cursor(link: str) -> str | None:
    """Return the cursor in the link to the next page; the link itself is not followed, it may lead anywhere."""
    try:
        return next(iter(parse_qs(urlsplit(link).query).get("cursor", [])), None)
    except ValueError:
        return None


def _remote_job(prediction: Any) -> RemoteJob | None:
    remote_id = id_at(prediction, "id")
    if remote_id is None:
        return None
    slug, given = text_at(prediction, "model"), dig(prediction, "input")
    models = [model for model in catalog.load().values() if model.provider == Replicate.name and model.wire == slug]
    told = dict(_params_of(models[0], given)) if models and isinstance(given, dict) else {}
    has_start = next((given.get(p.wire) for p in _inputs(models, "start_image")), None) if told else None
    return RemoteJob(
        remote_id,
        text_at(given, "prompt"),
        time_at(prediction, "created_at"),
        seed=whole_at(given, "seed"),
        status=_status(prediction, remote_id) if word_at(prediction, "status") else None,
        models=frozenset(model.id for model in models),
        from_image=bool(has_start) if told else None,
        params=told,
    )


def _params_of(model: Model, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what an entry's input says, under vidnb's names."""
    for name, param in model.params.items():
        value = given.get(param.wire or name)
        if param.kind not in MEDIA_KINDS and name not in ("prompt", "seed") and isinstance(value, str | int | float):
            yield name, param.from_wire(value)


def _inputs(models: Sequence[Model], name: str) -> list[Any]:
    return [model.params[name] for model in models if name in model.params]


def _age_s(told_at: str, received_at: datetime | None) -> float | None:
    moment = whole_at(told_at)
    return None if moment is None or received_at is None else received_at.timestamp() - moment


def _complaint(reply: Reply) -> str:
    """Return the reason of a refusal: which fields, else the text."""
    fields = dig(reply.json, "invalid_fields")
    named = [
        f"{text_at(one, 'field')}: {text_at(one, 'description')}"
        for one in (fields if isinstance(fields, list) else [])
    ]
    told = "; ".join(one for one in named if one != ": ") or text_at(reply.json, "detail")
    return clean(
        told or text_at(reply.json, "title") or (reply.text if is_page(reply) and "<" not in reply.text else "")
    )


def _kind(text: str, reply: Reply) -> type[ProviderError]:
    status = reply.status_code
    by_status: dict[int, type[ProviderError]] = {401: AuthError, 402: CreditError, 429: RateLimitError}
    if status in by_status:
        return by_status[status]
    if status >= 500 or status in UNDECIDED or (is_page(reply) and "<" in reply.text and status in (200, 403)):
        return UnavailableError
    if is_page(reply) and status < 400:
        return UnexpectedReplyError  # a cut or garbled answer: nothing in it says that the request was refused
    return RejectedError if status >= 400 else UnexpectedReplyError
