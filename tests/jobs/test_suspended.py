"""A process that is suspended just before it pays does not pay when it goes on, if another one did meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from counting import CountingService

from vidnb.client.asynchronous import AsyncClient
from vidnb.records import State

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system suspends no process"),
]

LEASE_S = 2.0
SUSPENDED = """
import asyncio, os, signal, sys
import httpx
from vidnb.client.asynchronous import AsyncClient

class Stops(httpx.AsyncHTTPTransport):
    async def handle_async_request(self, request):
        if request.method == "POST":
            asked = request.extensions["trace"]

            async def trace(event, info):
                if event == "http11.send_request_headers.started" and not stopped:
                    stopped.append(event)
                    os.kill(os.getpid(), signal.SIGSTOP)
                await asked(event, info)

            request.extensions = {**request.extensions, "trace": trace}
        return await super().handle_async_request(request)

stopped = []

async def main():
    async with AsyncClient(transport=Stops(), lease_s=2.0, sleep=lambda s: asyncio.sleep(min(s, 0.05))) as client:
        job = await client.submit("a koala", model="leonardo/motion_2.0")
        async for row in client.watch(job):
            if row.remote_id:
                break
        print(row.id, row.remote_id, flush=True)
        print(*[event.note for event in client.store.events(row.id)], sep="; ", flush=True)

asyncio.run(main())
"""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingService]:
    with CountingService().serving() as service:
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)
        yield service


def suspended() -> subprocess.Popen[str]:
    """A process that has written `submitting` and stands still where the first byte would leave."""
    child = subprocess.Popen([sys.executable, "-c", SUSPENDED], stdout=subprocess.PIPE, text=True)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    return child


def goes_on(child: subprocess.Popen[str]) -> str:
    """What the process says, once it was let go on."""
    child.send_signal(signal.SIGCONT)
    try:
        said, _ = child.communicate(timeout=120)
    finally:
        child.kill()
    return said


async def quick(seconds: float) -> None:
    await asyncio.sleep(min(seconds, 0.05))


async def test_a_job_that_somebody_sends_again_meanwhile_is_paid_once(service: CountingService) -> None:
    child = await asyncio.to_thread(suspended)
    assert service.prompts == []
    async with AsyncClient(lease_s=LEASE_S, sleep=quick) as client:
        [job] = client.jobs()
        async for row in client.watch(job):
            if row.state is State.AMBIGUOUS:
                break
        await client.settle(job, "send_again")
        async for row in client.watch(job):
            if row.remote_id is not None:
                break
        assert service.prompts == ["a koala"]
        said = await asyncio.to_thread(goes_on, child)
        assert f"{job.id} gen-1" in said
        assert "sent nothing" in said or "nothing was sent" in said
    assert service.prompts == ["a koala"]


async def test_a_job_that_nobody_touched_is_sent_when_the_process_goes_on(service: CountingService) -> None:
    child = await asyncio.to_thread(suspended)
    await asyncio.sleep(LEASE_S + 0.5)
    said = await asyncio.to_thread(goes_on, child)
    assert "nothing was sent" in said
    assert service.prompts == ["a koala"]
