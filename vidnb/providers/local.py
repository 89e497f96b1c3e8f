"""A graphics card of one's own: the job server that `vidnb gpu` starts, on this machine or at the end of a tunnel.

It is vidnb's own server, so it has what no hosted service has: a submit carries the id of our job, and the same id
again is the same job there. A lost reply is found with certainty, and a submit that is sent again makes no second clip.
Nothing costs money. Field names come from the catalogue (`wire`).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote

from vidnb import catalog
from vidnb.catalog import Model
from vidnb.errors import AuthError, ProviderError, RejectedError, UnavailableError, UnexpectedReplyError
from vidnb.providers.base import Provider
from vidnb.providers.bodies import endpoint, flat
from vidnb.providers.replies import (
    UNDECIDED,
    clean,
    dig,
    error,
    has_ended,
    id_at,
    is_about,
    is_page,
    number_at,
    text_at,
    time_at,
    unexpected,
    whole_at,
    word_at,
)
from vidnb.records import Call, Cost, Job, MediaFile, Rates, RemoteJob, RemoteMedia, Reply, State, Status, Why

FOLDER = ("VIDNB_GPU_HOME", ".vidnb/gpu")
"""The variable that names the server's folder, and the folder below the user's home where it is not set."""
NOTHING = Cost(0.0, "USD")
RUNNING = ("loading", "denoising", "decoding", "encoding", "cancelling")
WHY: Mapping[str, Why] = {"crashed": "passing", "silent": "passing", "gone": "gone"}
"""Why a job failed, by the kind that the server names; any other kind would come again."""


class Local(Provider):
    """The job server of `vidnb gpu`."""

    name: ClassVar[str] = "local"
    title: ClassVar[str] = "Own GPU"
    base_url: ClassVar[str] = "http://127.0.0.1:8767"
    base_url_env: ClassVar[str] = "VIDNB_GPU_URL"
    key_env: ClassVar[str] = "VIDNB_GPU_TOKEN"
    server_file: ClassVar[tuple[str, str] | None] = FOLDER
    start: ClassVar[str] = "vidnb gpu --models DIR"
    # One clip is rendered at a time; the others wait in the server's queue, which outlives this process.
    rates: ClassVar[Rates] = Rates(requests_per_minute=6000, submits_per_minute=600, in_flight=50)
    results_live_s: ClassVar[float | None] = 72 * 3600.0  # `vidnb gpu --keep-hours`
    uploads_live_s: ClassVar[float | None] = 20 * 3600.0  # the server keeps them for a day

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers that carry the token."""
        return {"Authorization": f"Bearer {key}", "Accept": "application/json"}

    # -- create

    def upload(self, file: MediaFile) -> Generator[Call, Reply, RemoteMedia]:
        """Return the id of an uploaded picture."""
        call = Call("POST", "/gpu/files", content=file.content, headers={"Content-Type": file.content_type})
        reply = self._read((yield call))
        file_id = id_at(reply.json, "id")
        if file_id is None:
            raise unexpected(self, reply, "the answer to the upload holds no id")
        return RemoteMedia(self.name, file_id)

    def submit(self, model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> Call:
        """Return the POST that puts the job into the queue."""
        named = {name: value for name, value in params.items() if model.params[name].wire}
        return Call("POST", endpoint(model, media), json={"model": model.wire, "params": flat(model, named, media)})

    def tagged(self, call: Call, job: Job) -> Call:
        """Return the POST with our job's id: the server makes one job of it, however often it comes."""
        return replace(call, json={**call.json, "client_token": job.id})

    def submitted(self, reply: Reply) -> Status:
        """Return the id of the job in the queue, and how it stands there."""
        remote = self._read(reply).json
        remote_id = id_at(remote, "id")
        if remote_id is None:
            raise unexpected(self, reply, "the answer to the submit holds no job id")
        return _status(remote, remote_id)

    # -- read

    def poll(self, job: Job) -> Call:
        """Return the request for a job."""
        return Call("GET", f"/gpu/jobs/{quote(job.remote_id or '', safe='')}")

    def polled(self, reply: Reply, job: Job) -> Status:
        """Return how the job stands."""
        remote, remote_id = self._read(reply).json, job.remote_id or ""
        if not word_at(remote, "state"):
            raise unexpected(self, reply, "the answer to the status request holds no job")
        if not is_about(remote, remote_id, "id"):
            raise unexpected(self, reply, "the answer to the status request is about another job")
        return _status(remote, remote_id)

    def preview(self, job: Job) -> str:
        """Return the path of the picture that the renderer draws between its steps."""
        return f"{self.poll(job).url}/preview"

    def described(self, reply: Reply, job: Job) -> RemoteJob | None:
        """Return the job as the list would show it."""
        return _remote_job(reply.json)

    def recent(self, limit: int, jobs: Sequence[Job]) -> Generator[Call, Reply, list[RemoteJob]]:
        """Return the exchange that lists the newest jobs, each with our own job's id as its tag."""
        reply = self._read((yield Call("GET", f"/gpu/jobs?limit={max(limit, 1)}")))
        listed = dig(reply.json, "jobs")
        if not isinstance(listed, list):
            raise unexpected(self, reply, "the answer holds no list of jobs")
        return [job for job in map(_remote_job, listed) if job is not None]

    # -- cancel

    def cancel(self, job: Job) -> Generator[Call, Reply, Status]:
        """Return what became of the job: one that waits is gone at once, one that runs ends with its present step.

        The server ends the renderer if that does not heed it, so that a job that is being cancelled is as good as that.
        """
        status = self.polled((yield Call("POST", f"{self.poll(job).url}/cancel")), job)
        return replace(status, state=State.CANCELLED, cost=NOTHING) if status.word == "cancelling" else status

    # -- account

    def check(self) -> Call:
        """Return the request for the server's health."""
        return Call("GET", "/gpu/health")

    def checked(self, reply: Reply) -> str:
        """Return which card the server has, and how many models it found."""
        health = self._read(reply).json
        models = dig(health, "models")
        if not isinstance(models, list):
            raise unexpected(self, reply, "the answer tells no health")
        device = clean(text_at(health, "device")) or "no graphics card"
        return f"the token is good; {device}, {len(models)} {'model' if len(models) == 1 else 'models'} found"

    # -- errors

    def explain(self, reply: Reply) -> ProviderError:
        """Return the error behind a refusal; its HTTP status decides."""
        text = clean(text_at(reply.json, "error", "message"))
        kind = _kind(reply)
        return error(self, kind, f"{_reason(kind)} (HTTP {reply.status_code}){f': {text}' if text else ''}", reply)

    def _read(self, reply: Reply) -> Reply:
        if not isinstance(reply.json, dict) or not 200 <= reply.status_code < 300:
            raise self.explain(reply)
        return reply


def _status(remote: Any, remote_id: str) -> Status:
    """Return how a job stands."""
    word = word_at(remote, "state")
    if word == "queued":
        return Status(remote_id, State.QUEUED, word, ahead=whole_at(remote, "ahead"))
    if word in RUNNING:
        done, left_s = number_at(remote, "progress"), number_at(remote, "eta_s")
        step, steps = whole_at(remote, "step"), whole_at(remote, "steps")
        parts = [
            word,
            f"step {step} of {steps}" if word == "denoising" and step is not None and steps else "",
            f"about {_time(left_s)} left" if left_s is not None and left_s >= 1 else "",
        ]
        told = ", ".join(filter(None, parts))
        return Status(remote_id, State.RUNNING, told, progress=None if done is None else min(max(done, 0.0), 1.0))
    if word == "done":
        return Status(
            remote_id, State.DOWNLOADING, word, f"/gpu/jobs/{quote(remote_id, safe='')}/content", cost=NOTHING
        )
    if word == "cancelled":
        return Status(remote_id, State.CANCELLED, word, cost=NOTHING)
    reason, kind = clean(text_at(remote, "error", "message")), text_at(remote, "error", "kind")
    if word == "failed":
        said = f"Own GPU: {reason}" if reason else "Own GPU: the job failed, and the server gives no reason"
        why: Why = WHY.get(kind, "")
        return Status(remote_id, State.FAILED, word, error=said, why=why, cost=NOTHING, charged=False)
    odd = f"the job server ended the job with {word!r}, a word that this version does not know"
    ended = has_ended(word)
    return Status(remote_id, None, word, error=odd if ended else None, ended=ended)


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _remote_job(remote: Any) -> RemoteJob | None:
    remote_id, params = id_at(remote, "id"), dig(remote, "params")
    if remote_id is None:
        return None
    wire = text_at(remote, "model")
    models = [model.id for model in catalog.load().values() if model.provider == Local.name and model.wire == wire]
    return RemoteJob(
        remote_id, text_at(params, "prompt"), time_at(remote, "created_at"), seed=whole_at(params, "seed"),
        width_px=whole_at(params, "width"), height_px=whole_at(params, "height"),
        status=_status(remote, remote_id) if word_at(remote, "state") else None, models=frozenset(models),
        from_image=isinstance(params, dict) and bool(params.get("start_image")), tag=text_at(remote, "client_token"),
    )  # fmt: skip


def _reason(kind: type[ProviderError]) -> str:
    return {
        AuthError: "the job server refuses the token: it is that of another server, or of an earlier one; start the "
        "server as yourself on this machine, or set VIDNB_GPU_TOKEN to the token that it shows",
        RejectedError: "the job server refused",
        UnavailableError: "the job server cannot take this now",
    }.get(kind, "the answer has an unknown shape; is it vidnb gpu that answers at this address?")


def _kind(reply: Reply) -> type[ProviderError]:
    status = reply.status_code
    if status == 401:
        return AuthError
    said_by_itself = bool(text_at(reply.json, "error", "message"))  # and not by a proxy on the way
    if status == 503 and said_by_itself:  # it keeps nothing of what it refuses
        return RejectedError
    if status >= 500 or status == 429 or (status in UNDECIDED and not said_by_itself):
        return UnavailableError
    if is_page(reply) and status < 400:
        return UnexpectedReplyError
    return RejectedError if status >= 400 else UnexpectedReplyError
