"""Both services as a stranger would run them: odd, late, forgetful; it shares no code with vidnb and counts the money.

An httpx transport for the live addresses. What it did and what it was paid for is written down on its own side, so that
a test can ask it and not the client.
"""

from __future__ import annotations

import io
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from fractions import Fraction
from functools import cache
from typing import Any

import av
import httpx
import numpy as np

KEYS = {"leonardo": "00000000-1111-4222-8333-444444444444", "1min": "a-key"}
LEONARDO = {"model": "leonardo/motion_2.0"}
ONEMIN = {"model": "1min/damo", "num_frames": 16, "fps": 8, "steps": 10}


@cache
def film(shade: int) -> bytes:
    """A quarter of a second of MP4, all of one grey, so that clips can be told apart."""
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 64, 64, "yuv420p", Fraction(1, 8)
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), shade, np.uint8))))
        container.mux(stream.encode())
    return sink.getvalue()


@dataclass
class Work:
    """One job at the service."""

    id: str
    service: str
    prompt: str
    body: Any
    ours: bool
    created_at: datetime
    shade: int
    record: dict[str, Any] = field(default_factory=dict)
    """What its record says instead of the usual."""
    hidden_lists: int = 0
    """So many lists do not have it yet."""
    polls: int = 0


Answer = Callable[[httpx.Request, Work | None], httpx.Response | None]


class Stranger(httpx.AsyncBaseTransport):
    """The services; tests set the hooks, each of which may answer in place of the usual."""

    def __init__(self) -> None:
        self.works: list[Work] = []
        self.posts: list[httpx.Request] = []
        self.downloads: list[str] = []
        self.on_submit: Answer = lambda request, work: None
        """Called with the new work, which exists and is paid for; what it raises is a lost reply."""
        self.before_submit: Answer = lambda request, work: None
        """Called before there is any work."""
        self.on_poll: Answer = lambda request, work: None
        self.on_list: Answer = lambda request, work: None
        self.on_download: Answer = lambda request, work: None
        self.hidden_lists = 0
        self.has_date = True

    # What a test asks

    @property
    def paid(self) -> list[Work]:
        """The jobs that the client is charged for."""
        return [work for work in self.works if work.ours]

    def second_payments(self) -> int:
        """How often the same body was charged again."""
        bodies = [json.dumps(work.body, sort_keys=True) for work in self.paid]
        return len(bodies) - len(set(bodies))

    def other(
        self, prompt: str, *, ago_s: float = 0.0, shade: int = 250, service: str = "leonardo", **record: Any
    ) -> Work:
        """Work of somebody else on the same account, as from the web app."""
        work = Work(_uuid(), service, prompt, None, False, _now() - timedelta(seconds=ago_s), shade, record)
        self.works.append(work)
        return work

    def work(self, remote_id: str) -> Work | None:
        """The work with this id."""
        return next((work for work in self.works if work.id == remote_id), None)

    # The wire

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        response = self._answer(request)
        if self.has_date:
            response.headers["date"] = format_datetime(_now(), usegmt=True)
        return response

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.url.host == "files.example.com":
            work = self.work(path.rsplit("/", 1)[-1].split(".")[0])
            self.downloads.append(path)
            return self.on_download(request, work) or httpx.Response(
                200, stream=httpx.ByteStream(film(work.shade if work else 0)), headers={"content-type": "video/mp4"}
            )
        if request.method == "POST":
            return self._submit(request, path)
        if path.endswith("/v1/me"):
            return httpx.Response(200, json={"user_details": [{"user": {"id": "u-1", "username": "x"}}]})
        if "/generations/user/" in path:
            return self.on_list(request, None) or httpx.Response(200, json={"generations": self._listed()})
        if match := re.search(r"/(v1/generations|api/results)/([^/]+)$", path):
            work = self.work(match[2])
            if work is not None:
                work.polls += 1
            return self.on_poll(request, work) or httpx.Response(200, json=self.shown(work, match[1]))
        return httpx.Response(404, json={"error": "not found"})

    def _submit(self, request: httpx.Request, path: str) -> httpx.Response:
        self.posts.append(request)
        if (answer := self.before_submit(request, None)) is not None:
            return answer
        body = json.loads(request.content)
        inside = body.get("parameters") or body.get("promptObject") or body
        service = "1min" if path == "/api/features" else "leonardo"
        work = Work(_uuid(), service, inside.get("prompt", ""), body, True, _now(), 20 + 20 * (len(self.works) % 9))
        work.hidden_lists = self.hidden_lists
        self.works.append(work)
        return self.on_submit(request, work) or self.accepted(work)

    def accepted(self, work: Work) -> httpx.Response:
        """The usual answer to a submit."""
        if work.service == "1min":
            return httpx.Response(200, json={"aiRecord": {"uuid": work.id, "status": "PROCESSING"}})
        made = {"generationId": work.id, "apiCreditCost": None, "cost": {"amount": "0.10", "unit": "DOLLARS"}}
        return httpx.Response(200, json={"generate": made})

    def _listed(self) -> list[dict[str, Any]]:
        shown = []
        for work in sorted(self.works, key=lambda work: work.created_at, reverse=True):
            if work.hidden_lists > 0:
                work.hidden_lists -= 1
            elif work.service == "leonardo":
                shown.append(self.generation(work))
        return shown

    def shown(self, work: Work | None, kind: str) -> dict[str, Any]:
        """The answer to a poll."""
        if kind.startswith("api"):
            return {"aiRecord": None if work is None else self.record(work)}
        return {"generations_by_pk": None if work is None else self.generation(work)}

    def link(self, work: Work) -> str:
        """Where the work's clip lies."""
        return f"https://files.example.com/{work.id}.mp4?X-Amz-Signature=5ec4e7"

    def generation(self, work: Work) -> dict[str, Any]:
        """The work as Leonardo shows it."""
        body = work.body or {}
        inside = body.get("parameters", {})
        output = {
            "id": "a-" + work.id, "nsfw": False, "url": f"https://files.example.com/{work.id}.jpg", "motion": True,
            "motionMP4URL": self.link(work), "motionModel": "MOTION2", "imageToVideo": False,
        }  # fmt: skip
        return {
            "id": work.id, "status": "COMPLETE", "createdAt": work.created_at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3],
            "prompt": work.prompt, "negativePrompt": None, "seed": inside.get("seed"),
            "imageWidth": inside.get("width"), "imageHeight": inside.get("height"), "modelId": None,
            "generated_images": [output], **work.record,
        }  # fmt: skip

    def record(self, work: Work) -> dict[str, Any]:
        """The work as 1min shows it."""
        detail = {"resultObject": [f"videos/{work.id}.mp4"]}
        done = {"uuid": work.id, "status": "SUCCESS", "temporaryUrl": self.link(work), "aiRecordDetail": detail}
        return {**done, **work.record}


def lost(request: httpx.Request, work: Work | None) -> httpx.Response:
    """The reply that never comes back."""
    raise httpx.ReadError("connection reset")


def _uuid() -> str:
    return str(uuid.uuid4())


def _now() -> datetime:
    return datetime.now(UTC)
