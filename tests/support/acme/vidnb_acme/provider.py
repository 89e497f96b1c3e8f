"""From vidnb's values to Acme's wire format and back."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from vidnb.catalog import Model
from vidnb.errors import AuthError, ProviderError, RejectedError, UnexpectedReplyError
from vidnb.providers import Provider
from vidnb.providers.replies import content_at, unix_time_at
from vidnb.records import Call, Cost, FilePart, Job, MediaFile, Rates, RemoteMedia, Reply, State, Status

STATES = {"waiting": State.QUEUED, "working": State.RUNNING, "ready": State.DOWNLOADING, "broken": State.FAILED}


class Acme(Provider):
    """Acme Video."""

    name: ClassVar[str] = "acme"
    title: ClassVar[str] = "Acme Video"
    base_url: ClassVar[str] = "https://api.acme.example"
    base_url_env: ClassVar[str] = "ACME_BASE_URL"
    key_env: ClassVar[str] = "ACME_API_KEY"
    rates: ClassVar[Rates] = Rates(600, 60, 4)
    answers_hold_clips: ClassVar[bool] = True

    def headers(self, key: str) -> dict[str, str]:
        """Return the header with the key."""
        return {"X-Acme-Key": key}

    def upload(self, file: MediaFile) -> Generator[Call, Reply, RemoteMedia]:
        """Return the handle of an input."""
        reply = yield Call("POST", "/acme/files", file=FilePart("file", file.filename, file.content))
        return RemoteMedia(self.name, str(self._read(reply)["id"]))

    def submit(self, model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> Call:
        """Return the paid POST."""
        fields = {model.params[name].wire or name: value for name, value in params.items() if name in model.params}
        return Call("POST", "/acme/jobs", json={"model": model.wire, **fields})

    def submitted(self, reply: Reply) -> Status:
        """Return what the service said to the POST."""
        found = self._read(reply)
        return Status(str(found["id"]), State.QUEUED, "waiting", cost=Cost(float(found["usd"]), "USD"))

    def poll(self, job: Job) -> Call:
        """Return the request for a job's status."""
        return Call("GET", f"/acme/jobs/{quote(job.remote_id or '', safe='')}")

    def polled(self, reply: Reply, job: Job) -> Status:
        """Return what the service said of a job."""
        found = self._read(reply)
        word = str(found.get("state"))
        return Status(
            job.remote_id or "",
            STATES.get(word),
            word,
            video_url=found.get("url"),
            link_ends_at=unix_time_at(found, "url_ends"),
            content=content_at(found, "video"),
        )

    def check(self) -> Call:
        """Return a request that costs nothing."""
        return Call("GET", "/acme/me")

    def checked(self, reply: Reply) -> str:
        """Return what is known of the account."""
        self._read(reply)
        return "the key is good"

    def explain(self, reply: Reply) -> ProviderError:
        """Return the error behind a refusal."""
        kind = AuthError if reply.status_code == 401 else RejectedError
        said = reply.json.get("error", "") if isinstance(reply.json, dict) else ""
        return kind(f"Acme refused: {said}", provider=self.name, status_code=reply.status_code)

    def _read(self, reply: Reply) -> dict[str, Any]:
        if not 200 <= reply.status_code < 300:
            raise self.explain(reply)
        if not isinstance(reply.json, dict) or not reply.json.get("id"):
            raise UnexpectedReplyError("Acme sent no id", provider=self.name, status_code=reply.status_code)
        return reply.json
