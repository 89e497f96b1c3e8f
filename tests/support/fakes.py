"""Named fakes that several tests share."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from vidnb.client.asynchronous import AsyncClient
from vidnb.emulator import Emulator

CANARY = "c0ffee00-dead-4bee-8f00-0123456789ab"
"""A key that must never be seen anywhere but on the provider's own host."""


QUICK: dict[str, Any] = {
    "model": "leonardo/google/gemini-omni-1.1-flash-preview", "width_px": 640, "height_px": 360, "duration_s": 3,
}  # fmt: skip
ONEMIN: dict[str, Any] = {"model": "1min/damo", "num_frames": 16, "fps": 8, "steps": 10}
"""The smallest clip of each service: the quickest to render."""


def picture(width: int = 320, height: int = 240, kind: str = "PNG", colour: str = "teal") -> bytes:
    """A picture's file."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, kind)
    return file.getvalue()


async def no_rest(seconds: float) -> None:
    """A sleep that only lets others run."""
    await asyncio.sleep(0)


async def short_rest(seconds: float) -> None:
    """A sleep for engines whose waits between polls are those of a real service."""
    await asyncio.sleep(min(seconds, 0.02))


class Recorder(httpx.AsyncBaseTransport):
    """A transport that keeps every request and hands it on."""

    def __init__(self, below: httpx.AsyncBaseTransport) -> None:
        self.below = below
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return await self.below.handle_async_request(request)

    def sent(self, method: str, path_end: str = "") -> list[httpx.Request]:
        """The requests with this method whose path ends like that."""
        return [r for r in self.requests if r.method == method and r.url.path.endswith(path_end)]


class Wires(list[Recorder]):
    """What was sent to an emulator, whatever client sent it: `EmulatorBehind(folder, wires)`."""

    def __call__(self, below: httpx.AsyncBaseTransport) -> Recorder:
        self.append(Recorder(below))
        return self[-1]

    @property
    def posts(self) -> int:
        """How many clips the services were asked to make, counted outside of vidnb."""
        return sum(len(wire.sent("POST", "/generations")) for wire in self)


class EmulatorBehind(Emulator):
    """An emulator that clients reach through a transport of the test's own."""

    def __init__(
        self, folder: Path, through: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport], **settings: Any
    ) -> None:
        super().__init__(folder, **{"latency_s": 0.05, **settings})
        self._through = through

    def transport(self) -> httpx.AsyncBaseTransport:
        return self._through(super().transport())


class LiveNames(httpx.AsyncBaseTransport):
    """The emulator behind the live services' names; what it links to lies on a third host, over https."""

    def __init__(self, app: httpx.AsyncBaseTransport) -> None:
        self.app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.app.handle_async_request(request)
        if "json" not in response.headers.get("content-type", ""):
            return response
        body = await response.aread()
        for host in (b"cloud.leonardo.ai", b"api.1min.ai"):
            body = body.replace(b"https://" + host, b"https://files.example.com")
        return httpx.Response(response.status_code, headers={"content-type": "application/json"}, content=body)


class Scripted(httpx.AsyncBaseTransport):
    """A transport that answers from a function, for replies that no emulator gives."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.answer = answer
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        return self.answer(request)


@asynccontextmanager
async def emulated(home: Path, emulator: Emulator | None = None, **options: Any) -> AsyncIterator[AsyncClient]:
    """A client on a data folder, with the emulator for every provider and quick clips."""
    chosen = emulator or Emulator(home / "emulator", speed=1000.0)
    async with AsyncClient(home, emulator=chosen, **options) as client:
        yield client
