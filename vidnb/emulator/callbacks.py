"""Callbacks: a POST when a job is over, to whoever asked for one, sent once by whichever process gets to it first."""

from __future__ import annotations

import asyncio
import functools
from abc import ABC, abstractmethod

import httpx

from vidnb.emulator.clock import sleep_until
from vidnb.emulator.core import Core
from vidnb.emulator.state import EmulatedJob

TIMEOUT_S = 10.0


class Caller(ABC):
    """Sends one callback for each job of a service that asked for one.

    Args:
        core: what the service stands on.
        provider: whose jobs these are.
    """

    times = 1
    """How often the same callback is sent; some services now and then send one twice."""

    def __init__(self, core: Core, provider: str) -> None:
        self.core = core
        self._provider = provider
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @abstractmethod
    def address(self, job: EmulatedJob) -> str | None:
        """Return where to call for this job, or None for nowhere."""

    @abstractmethod
    def message(self, job: EmulatedJob) -> tuple[bytes, dict[str, str]]:
        """Return the body and the headers of a job that is over."""

    def expect(self, job: EmulatedJob) -> None:
        """See to it that the job, and any left behind by a process that ended, is called back."""
        if not self.address(job) or job.done_at == float("inf"):
            return
        for waiting in self.core.state.not_called_back(self._provider):
            known = waiting.id in self._tasks or waiting.done_at == float("inf")
            if self.address(waiting) and not known:
                self._tasks[waiting.id] = task = asyncio.create_task(self._call_back(waiting))
                task.add_done_callback(functools.partial(self._forget, waiting.id))

    def _forget(self, job_id: str, _: asyncio.Task[None]) -> None:
        self._tasks.pop(job_id, None)

    async def aclose(self) -> None:
        """Give up the callbacks that are still to come; the next process takes them up."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _call_back(self, job: EmulatedJob) -> None:
        await sleep_until(self.core.clock, job.done_at)
        ended = self.core.state.job(job.id)
        if ended is None or not self.core.state.claim_call_back(job.id):
            return
        content, headers = self.message(ended)
        for _ in range(self.times):
            outcome = await self._sent(self.address(job) or "", content, headers)
            self.core.state.count(f"operation {self._provider} webhook {outcome}")

    async def _sent(self, url: str, content: bytes, headers: dict[str, str]) -> str:
        """Return what came of one callback, in a word."""
        headers = {"content-type": "application/json", **headers}
        try:
            transport = self.core.webhook_transport
            async with httpx.AsyncClient(transport=transport, timeout=TIMEOUT_S, trust_env=False) as client:
                response = await client.post(url, content=content, headers=headers)
            return "delivered" if response.is_success else f"answered {response.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return type(error).__name__
