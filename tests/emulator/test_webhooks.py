"""Leonardo calls back when a job is over, with the envelope of the documents, leak included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from lab import lab

from vidnb.emulator.leonardo.webhooks import LEAKED_KEY

pytestmark = pytest.mark.anyio

URL = "https://notebook.invalid/hook"


class Receiver(httpx.AsyncBaseTransport):
    """Somebody's webhook."""

    def __init__(self, status_code: int = 204) -> None:
        self.status_code = status_code
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.status_code == 0:
            raise httpx.ConnectError("nobody there")
        return httpx.Response(self.status_code)

    async def calls(self, count: int) -> list[dict[str, Any]]:
        with anyio.fail_after(10):
            while len(self.requests) < count:  # noqa: ASYNC110 - several are waited for
                await anyio.sleep(0.001)
        import json

        return [json.loads(request.content) for request in self.requests]


async def test_a_finished_job_is_called_back_once_with_the_secret() -> None:
    receiver = Receiver()
    async with lab(webhook_url=URL, webhook_secret="s3cret", webhook_transport=receiver) as it:
        done, failed = await it.job(seed=5), await it.job(prompt="[fail]")
        assert not receiver.requests
        it.wait()
        bodies = {body["data"]["object"]["id"]: body for body in await receiver.calls(2)}
        assert receiver.requests[0].headers["authorization"] == "Bearer s3cret"
        assert str(receiver.requests[0].url) == URL
        assert bodies[done]["type"] == "image_generation.complete"
        row = bodies[done]["data"]["object"]
        assert (row["status"], row["seed"], row["apiKey"]["key"]) == ("COMPLETE", "5", LEAKED_KEY)
        assert row["images"][0]["motionMP4URL"].endswith(".mp4")
        assert (bodies[failed]["data"]["object"]["status"], bodies[failed]["data"]["object"]["images"]) == (
            "FAILED",
            [],
        )
        await it.emulator.services[0].aclose()


@pytest.mark.parametrize(("status", "count"), [(500, "answered 500"), (0, "ConnectError")])
async def test_a_receiver_that_fails_is_no_trouble(status: int, count: str) -> None:
    receiver = Receiver(status)
    async with lab(webhook_url=URL, webhook_transport=receiver, latency_s=0) as it:
        job_id = await it.job()
        await receiver.calls(1)
        with anyio.fail_after(10):
            while f"leonardo webhook {count}" not in it.emulator.stats()["operations"]:  # noqa: ASYNC110 - in a database
                await anyio.sleep(0.001)
        assert (await it.generation(job_id))["status"] == "COMPLETE"


async def test_what_one_process_left_the_next_one_calls_back(tmp_path: Path) -> None:
    receiver = Receiver()
    options: dict[str, Any] = {"webhook_url": URL, "webhook_transport": receiver}
    async with lab(tmp_path, **options) as it:
        left = await it.job(prompt="left")
        await it.emulator.aclose()
    async with lab(tmp_path, **options) as it:
        await it.job(prompt="next")
        it.wait()
        assert left in {body["data"]["object"]["id"] for body in await receiver.calls(2)}
        await it.emulator.services[0].aclose()
