"""Leonardo's callbacks: a POST when a job is over, with the envelope and the leak of the real ones.

The body holds the plain API key and the webhook secret, as the vendor's does: a client must not log it.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import httpx

from vidnb import catalog
from vidnb.emulator.clock import iso, sleep_until
from vidnb.emulator.core import Emulator
from vidnb.emulator.leonardo_records import clip_urls, status_of
from vidnb.emulator.state import EmulatedJob

TIMEOUT_S = 10.0
LEAKED_KEY = "00000000-0000-4000-8000-00000000beef"
"""Stands where the real body has the customer's key."""


class Caller:
    """Sends one callback for each job, from whichever process gets to it first while it runs."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def expect(self, job: EmulatedJob) -> None:
        """See to it that the job, and any left behind by a process that ended, is called back."""
        if self.emulator.settings.webhook_url is None or job.done_at == float("inf"):
            return
        for waiting in self.emulator.state.not_called_back():
            if waiting.id not in self._tasks and waiting.done_at != float("inf"):
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
        await sleep_until(self.emulator.clock, job.done_at)
        if not self.emulator.state.claim_call_back(job.id):
            return
        settings = self.emulator.settings
        headers = {"user-agent": "axios/1.7.9 (EMULATED)"}
        if settings.webhook_secret:
            headers["authorization"] = f"Bearer {settings.webhook_secret}"
        try:
            transport = self.emulator.webhook_transport
            async with httpx.AsyncClient(transport=transport, timeout=TIMEOUT_S, trust_env=False) as client:
                response = await client.post(settings.webhook_url or "", json=self.envelope(job), headers=headers)
            outcome = "delivered" if response.is_success else f"answered {response.status_code}"
        except httpx.HTTPError as error:
            outcome = type(error).__name__
        self.emulator.state.count(f"operation leonardo webhook {outcome}")

    def envelope(self, job: EmulatedJob) -> dict[str, Any]:
        """The body: a raw row, other than what `GET /generations/{id}` answers."""
        now = self.emulator.now()
        return {
            "type": "image_generation.complete",
            "object": "generation",
            "timestamp": int(now * 1000),
            "api_version": "v1",
            "data": {"object": self._row(job, now)},
        }

    def _row(self, job: EmulatedJob, now: float) -> dict[str, Any]:
        return {
            "id": job.id,
            "status": status_of(job, now),
            "createdAt": iso(job.created_at),
            "updatedAt": iso(now),
            "userId": job.account,
            "prompt": job.prompt,
            "seed": str(job.seed),
            "imageWidth": job.notes["width_px"],
            "imageHeight": job.notes["height_px"],
            "apiDollarCost": f"{job.cost:.4f}",
            "tokenCost": 0,
            "apiKeyId": "00000000-0000-4000-8000-000000000001",
            "apiKey": {
                "key": LEAKED_KEY,
                "webhookCallbackUrl": self.emulator.settings.webhook_url,
                "webhookCallbackApiKey": self.emulator.settings.webhook_secret,
            },
            "images": self._images(job) if job.outcome == "done" else [],
        }

    def _images(self, job: EmulatedJob) -> list[dict[str, Any]]:
        video, still = clip_urls(job, catalog.find(job.model), job.notes["base"])
        return [
            {
                "id": job.asset_id,
                "url": still,
                "generationId": job.id,
                "nsfw": job.nsfw,
                "likeCount": 0,
                "public": bool(job.params.get("public")),
                "createdAt": iso(job.done_at),
                "motionMP4URL": video,
                "motionGIFURL": None,
            }
        ]
