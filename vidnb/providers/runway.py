"""Runway: one POST a mode makes a task, and the task says how it stands and what it costs.

The service has four traps, handled below: `DELETE` cancels a task that is open and deletes the clip of one that is
over, so it is asked about first; a task that failed may have been charged, and says so; a lost submit is in no list and
in no callback, so a person is asked; and a size is one value in pixels, `ratio`, from another list for each model.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
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
from vidnb.providers.base import Provider
from vidnb.providers.bodies import endpoint, nest
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
    links_at,
    number_at,
    refused_upload,
    text_at,
    unexpected,
    video_link,
    whole_at,
    word_at,
)
from vidnb.records import Call, Cost, FilePart, Job, MediaFile, Rates, RemoteMedia, Reply, State, Status, Why

VERSION = "2024-11-06"
"""The only version of the API; without its header every request is refused (official SDK 5.24.0)."""
STATES = {"PENDING": State.QUEUED, "THROTTLED": State.QUEUED, "RUNNING": State.RUNNING}
OPEN = (State.QUEUED, State.RUNNING)
REFERENCES = {"reference_images": "", "reference_videos": "video", "reference_audio": "audio"}
"""Inputs that go as a list of objects, and the `type` that each of them says of itself."""
MODERATED = ("SAFETY.", "INPUT_PREPROCESSING.SAFETY")
PASSING = ("INTERNAL", "INPUT_PREPROCESSING.INTERNAL", "THIRD_PARTY")
"""How codes of failures begin (docs "Task failures"); a repetition is allowed after the second kind."""


class Runway(Provider):
    """Runway's developer API."""

    name: ClassVar[str] = "runway"
    title: ClassVar[str] = "Runway"
    base_url: ClassVar[str] = "https://api.dev.runwayml.com"
    base_url_env: ClassVar[str] = "RUNWAYML_BASE_URL"
    key_env: ClassVar[str] = "RUNWAYML_API_SECRET"
    key_page: ClassVar[str] = "https://dev.runwayml.com"
    # docs "Tiers": one or two jobs at once for a new account, more wait there (THROTTLED); no request rate is told.
    # docs "Outputs": poll every five seconds or slower.
    rates: ClassVar[Rates] = Rates(requests_per_minute=120, submits_per_minute=30, in_flight=2, poll_every_s=5.0)
    uploads_live_s: ClassVar[float | None] = 20 * 3600.0  # docs "Uploads": 24 hours

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers that carry the key, and the version of the API."""
        return {"Authorization": f"Bearer {key}", "X-Runway-Version": VERSION, "Accept": "application/json"}

    # -- create

    def upload(self, file: MediaFile) -> Generator[Call, Reply, RemoteMedia]:
        """Return the `runway://` address of an uploaded input: a form is asked for with the key, and sent without."""
        start = Call("POST", "/v1/uploads", json={"filename": file.filename, "type": "ephemeral"})
        reply = self._read((yield start))
        target, fields = link_at(reply.json, "uploadUrl"), dig(reply.json, "fields")
        handle = text_at(reply.json, "runwayUri")
        if target is None or not isinstance(fields, dict) or not handle.startswith("runway://"):
            raise unexpected(self, reply, "the answer to the upload request holds no form")
        form = {str(name): str(value) for name, value in fields.items()}
        part = FilePart("file", file.filename, file.content, file.content_type)
        done = yield Call("POST", target, form=form, file=part)
        if not is_stored(done):
            raise refused_upload(self, done, file)
        return RemoteMedia(self.name, handle)

    def submit(self, model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> Call:
        """Return the POST that makes the task."""
        body: dict[str, Any] = {"model": model.wire}
        for name, value in params.items():
            wire = model.params[name].wire
            if value is not None and wire and name not in ("width_px", "height_px"):
                nest(body, wire, decoded(value) if name == "shots" else model.params[name].to_wire(value))
        if params.get("width_px") and params.get("height_px"):
            body["ratio"] = f"{params['width_px']}:{params['height_px']}"
        return Call("POST", endpoint(model, media), json=body | _inputs(model, media))

    def submitted(self, reply: Reply) -> Status:
        """Return the id of the new task, and the most that it will be charged."""
        doubt_refusal(self, reply, id_at(reply.json, "id"))
        body = self._read(reply).json
        remote_id = id_at(body, "id")
        if remote_id is None:
            raise unexpected(self, reply, "the answer to the submit holds no task id; it may have been charged")
        return Status(remote_id, State.QUEUED, "PENDING", estimate=_credits(body, "estimatedCost"))

    # -- read

    def poll(self, job: Job) -> Call:
        """Return the request for a task."""
        return Call("GET", f"/v1/tasks/{quote(job.remote_id or '', safe='')}")

    def polled(self, reply: Reply, job: Job) -> Status:
        """Return how the task stands, with what it cost once it is over."""
        task, remote_id = self._read(reply).json, job.remote_id or ""
        word = word_at(task, "status")
        if not word:
            raise unexpected(self, reply, "the answer to the status request holds no task")
        if not is_about(task, remote_id, "id"):
            raise unexpected(self, reply, "the answer to the status request is about another task")
        if (state := STATES.get(word.upper())) is not None:
            done = number_at(task, "progress")
            return Status(remote_id, state, word, progress=None if done is None else min(max(done, 0.0), 1.0))
        return _ended(task, remote_id, word, _credits(task, "cost"))

    # -- cancel

    def cancel(self, job: Job) -> Generator[Call, Reply, Status]:
        """Return what became of the task: one that is over already is left alone, as `DELETE` would delete its clip.

        A task that waits may be given back, one that runs is charged (official SDK 5.24.0). What it was charged is read
        afterwards, where it can still be read.
        """
        status = self.polled((yield self.poll(job)), job)
        if status.state not in OPEN:
            return status
        reply = yield Call("DELETE", self.poll(job).url)
        if reply.status_code != 404 and not 200 <= reply.status_code < 300:
            raise self.explain(reply)
        try:
            return self.polled((yield self.poll(job)), job)
        except RejectedError:  # it is no longer known, as the docs say
            return Status(job.remote_id or "", State.CANCELLED, "CANCELLED")

    # -- account

    def check(self) -> Call:
        """Return the request for the organization: it costs nothing."""
        return Call("GET", "/v1/organization")

    def checked(self, reply: Reply) -> str:
        """Return the balance, and how many jobs the account may have: that depends on what it has paid so far."""
        body = self._read(reply).json
        balance = number_at(body, "creditBalance")
        if balance is None:
            raise unexpected(self, reply, "the organization's answer holds no balance")
        models = dig(body, "tier", "models")
        told = list(models.values()) if isinstance(models, dict) else []
        at_once, a_day = (
            sorted({count for one in told if (count := whole_at(dig(one, name))) is not None and count > 0})
            for name in ("maxConcurrentGenerations", "maxDailyGenerations")
        )
        lines = [f"{balance:,.0f} credits are left"]
        lines += [f"{_span(at_once)} at once"] if at_once else []
        lines += [f"{_span(a_day)} a day of a model"] if a_day else []
        if at_once and at_once[-1] > self.rates.in_flight:
            lines.append(f"vidnb has {self.rates.in_flight} at once unless max_in_flight={at_once[-1]} says otherwise")
        return f"the key is good; {', '.join(lines)}"

    # -- errors

    def explain(self, reply: Reply) -> ProviderError:
        """Return the error behind a refusal; its HTTP status decides."""
        text = _complaint(reply)
        kind = _kind(text.lower(), reply)
        told = f"{advice(self, kind)} (HTTP {reply.status_code})"
        return error(self, kind, f"{told}: {text}" if text else told, reply)

    def _read(self, reply: Reply) -> Reply:
        if not isinstance(reply.json, dict) or not 200 <= reply.status_code < 300:
            raise self.explain(reply)
        return reply


def _span(counts: list[int]) -> str:
    """Return how many jobs: "5 jobs", or "1 to 5 jobs" where it depends on the model."""
    low, high = counts[0], counts[-1]
    return f"{high:,} job{'s' if high > 1 else ''}" if low == high else f"{low:,} to {high:,} jobs"


def _inputs(model: Model, media: Mapping[str, list[RemoteMedia]]) -> dict[str, Any]:
    """Return the fields of the inputs: one picture as its address, two as a list that says which is which."""
    start, end = (media.get(name) or [] for name in ("start_image", "end_image"))
    fields: dict[str, Any] = {}
    if start and end:
        places = (("first", start[0]), ("last", end[0]))
        fields["promptImage"] = [{"uri": item.id, "position": place} for place, item in places]
    elif start:
        fields["promptImage"] = start[0].id
    for name, kind in REFERENCES.items():
        if items := media.get(name):
            said = {"type": kind} if kind else {}
            fields[model.params[name].wire or name] = [{**said, "uri": item.id} for item in items]
    return fields


def _credits(value: Any, name: str) -> Cost | None:
    """Return the sum under a name, or None where none is told."""
    amount = number_at(value, name, "credits")
    return None if amount is None or amount < 0 else Cost(amount, "CREDITS")


def _ended(task: Any, remote_id: str, word: str, cost: Cost | None) -> Status:
    """Return how a task ended, or that its word is not documented."""
    plain, links = word.upper(), links_at(task, "output")
    link = links[0] if links else video_link({"video": dig(task, "output")}) or video_link(task)
    if has_succeeded(word):
        if link is not None:
            return Status(remote_id, State.DOWNLOADING, word, video_url=link, more_urls=tuple(links[1:]), cost=cost)
        said = "Runway reported success without a link to the clip"
        return Status(remote_id, None, "SUCCEEDED without link", error=said, cost=cost, ended=True)
    if plain == "FAILED":
        return _failed(task, remote_id, cost, link)
    if plain == "CANCELLED":
        return Status(remote_id, State.CANCELLED, word, cost=cost)
    ended = has_ended(word)
    odd = f"Runway ended the task with {word!r}, a word that is not documented" if ended else None
    return Status(remote_id, None, word, video_url=link, error=odd, cost=cost, ended=ended)


def _failed(task: Any, remote_id: str, cost: Cost | None, link: str | None) -> Status:
    text, code = clean(text_at(task, "failure")), clean(text_at(task, "failureCode"))
    why: Why = "moderation" if code.startswith(MODERATED) else "passing" if code.startswith(PASSING) else ""
    said = f"Runway: {text or 'no reason'}" + (f" ({code})" if code else "")
    charged = None if cost is None else cost.amount > 0
    return Status(
        remote_id, State.FAILED, "FAILED", video_url=link, error=said, why=why, cost=cost, charged=charged
    )


def _complaint(reply: Reply) -> str:
    """Return the reason of a refusal: its text, and which fields of the body are wrong."""
    issues = dig(reply.json, "issues")
    lines = [clean(text_at(reply.json, "error"))]
    for one in issues[:5] if isinstance(issues, list) else []:
        spot = dig(one, "path")
        where = ".".join(str(part) for part in spot) if isinstance(spot, list) else ""
        lines.append(": ".join(filter(None, [where, text_at(one, "message")])))
    plain = reply.text if is_page(reply) and "<" not in reply.text else ""
    return clean("; ".join(filter(None, lines)) or plain)


def _kind(text: str, reply: Reply) -> type[ProviderError]:
    status = reply.status_code
    by_status: dict[int, type[ProviderError]] = {
        401: AuthError, 402: CreditError, 403: AuthError, 429: RateLimitError,
    }  # fmt: skip
    if status == 400 and "credits" in text and not is_page(reply):
        return CreditError  # a third party quotes "You do not have enough credits to run this task."
    if status in by_status and not (is_page(reply) and "<" in reply.text):
        return by_status[status]
    if status >= 500 or status in UNDECIDED or (is_page(reply) and "<" in reply.text and status in (200, 403)):
        return UnavailableError
    if is_page(reply) and status < 400:
        return UnexpectedReplyError
    return RejectedError if status >= 400 else UnexpectedReplyError
