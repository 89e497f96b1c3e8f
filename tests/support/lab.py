"""What the emulator's tests share: an emulator that stands still, plain httpx, and the requests of the documents."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from PIL import Image, ImageDraw

from vidnb.emulator import Emulator, StreamingASGITransport, VirtualClock

ORIGIN = "http://emulator.vidnb.invalid"
LEONARDO = {"authorization": "Bearer 00000000-0000-4000-8000-000000000000"}
OTHER_LEONARDO = {"authorization": "Bearer 11111111-1111-4111-8111-111111111111"}
ONEMIN = {"API-KEY": "any key"}
V1, V2 = "/api/rest/v1", "/api/rest/v2"
UNKNOWN_ID = "99999999-9999-4999-8999-999999999999"
LONG_S = 1000.0
"""Longer than any job takes."""


def picture(width: int = 320, height: int = 200, kind: str = "PNG", colour: str = "teal") -> bytes:
    """A picture with something in it."""
    image = Image.new("RGB", (width, height), colour)
    ImageDraw.Draw(image).ellipse((width // 4, height // 4, width // 2, height // 2), fill="orange")
    sink = io.BytesIO()
    image.save(sink, kind)
    return sink.getvalue()


class Lab:
    """An emulator on a clock that stands still, and a client without any vidnb in it."""

    def __init__(self, emulator: Emulator, client: httpx.AsyncClient) -> None:
        self.emulator, self.client = emulator, client

    def wait(self, seconds: float = LONG_S) -> None:
        """Move the clock."""
        clock = self.emulator.clock
        assert isinstance(clock, VirtualClock)
        clock.advance(seconds)

    async def get(self, path: str, headers: Any = LEONARDO) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def post(self, path: str, body: Any, headers: Any = LEONARDO, **more: str) -> httpx.Response:
        return await self.client.post(path, json=body, headers={**headers, **more})

    # Leonardo

    async def v2(self, model: str = "motion_2.0", fault: str = "", **parameters: Any) -> httpx.Response:
        """A v2 create."""
        body = {"model": model, "public": False, "parameters": {"prompt": "a koala", **parameters}}
        return await self.post(f"{V2}/generations", body, **({"X-Vidnb-Fault": fault} if fault else {}))

    async def job(self, model: str = "motion_2.0", fault: str = "", **parameters: Any) -> str:
        """The id of a new v2 job."""
        reply = await self.v2(model, fault, **parameters)
        return str(reply.json()["generate"]["generationId"])

    async def refused(self, model: str = "motion_2.0", **parameters: Any) -> list[str]:
        """The messages with which v2 refuses a request, with HTTP 200."""
        reply = await self.v2(model, **parameters)
        assert reply.status_code == 200
        [error] = reply.json()
        assert error["extensions"]["code"] == "BAD_REQUEST"
        assert error["extensions"]["statusCode"] == 400
        return [one["message"] for one in error["extensions"]["details"]["errors"]]

    async def generation(self, job_id: str) -> dict[str, Any]:
        reply = await self.get(f"{V1}/generations/{job_id}")
        assert reply.status_code == 200
        found: dict[str, Any] = reply.json()["generations_by_pk"]
        return found

    async def finished(self, job_id: str) -> dict[str, Any]:
        """The one entry of `generated_images`, once the job is over."""
        self.wait()
        [image] = (await self.generation(job_id))["generated_images"]
        return dict(image)

    async def upload(self, content: bytes | None = None, extension: str = "png", headers: Any = LEONARDO) -> str:
        """The id of an uploaded picture, through the presigned form."""
        announced = (await self.post(f"{V1}/init-image", {"extension": extension}, headers)).json()["uploadInitImage"]
        reply = await self.put(announced, picture() if content is None else content)
        assert (reply.status_code, reply.content) == (204, b"")
        return str(announced["id"])

    async def put(self, announced: dict[str, Any], content: bytes, **headers: str) -> httpx.Response:
        form = json.loads(announced["fields"])
        return await self.client.post(announced["url"], data=form, files={"file": ("x", content)}, headers=headers)

    # 1min

    async def asset(self, content: bytes | None = None, name: str = "cat.png", headers: Any = ONEMIN) -> str:
        """The path of an uploaded picture."""
        files = {"asset": (name, picture() if content is None else content, "image/png")}
        reply = await self.client.post("/api/assets", files=files, headers=headers)
        return str(reply.json()["fileContent"]["path"])

    async def feature(
        self, model: str = "luma", *, kind: str = "TEXT_TO_VIDEO", wait: bool = False, fault: str = "", **prompt: Any
    ) -> httpx.Response:
        """A feature call; Luma's own fields where none are given."""
        fields = prompt or {"prompt": "waves", "length": 5, "enhancePrompt": False}
        body: dict[str, Any] = {"type": kind, "model": model, "conversationId": kind, "promptObject": fields}
        body |= {} if wait else {"async": True}
        return await self.post("/api/features", body, ONEMIN, **({"X-Vidnb-Fault": fault} if fault else {}))

    async def record(self, uuid: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.get(f"/api/results/{uuid}", ONEMIN)).json()["aiRecord"]
        return found


@asynccontextmanager
async def lab(folder: Path | None = None, **settings: Any) -> AsyncIterator[Lab]:
    """A lab whose emulator stands still unless it is told otherwise."""
    with Emulator(folder, **{"clock": VirtualClock(), **settings}) as emulator:
        transport = StreamingASGITransport(emulator.app)
        # A clip is rendered when it is asked for, which takes its time on a busy machine.
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, timeout=120) as client:
            yield Lab(emulator, client)
