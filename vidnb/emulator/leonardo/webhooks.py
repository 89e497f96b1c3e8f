"""Leonardo's callbacks: a POST when a job is over, with the envelope and the leak of the real ones.

The body holds the plain API key and the webhook secret, as the vendor's does: a client must not log it.
"""

from __future__ import annotations

import json
from typing import Any

from vidnb import catalog
from vidnb.emulator import callbacks
from vidnb.emulator.clock import iso
from vidnb.emulator.core import Core
from vidnb.emulator.leonardo.records import clip_urls, status_of
from vidnb.emulator.state import EmulatedJob

LEAKED_KEY = "00000000-0000-4000-8000-00000000beef"
"""Stands where the real body has the customer's key."""


class Caller(callbacks.Caller):
    """Sends one callback for each job, where the service was given an address."""

    def __init__(self, core: Core, url: str | None, secret: str | None) -> None:
        super().__init__(core, "leonardo")
        self.url, self.secret = url, secret

    def address(self, job: EmulatedJob) -> str | None:
        """Return the address of the API key, the same for every job."""
        return self.url

    def message(self, job: EmulatedJob) -> tuple[bytes, dict[str, str]]:
        """Return the body and the headers."""
        headers = {"user-agent": "axios/1.7.9 (EMULATED)"}
        if self.secret:
            headers["authorization"] = f"Bearer {self.secret}"
        return json.dumps(self.envelope(job)).encode(), headers

    def envelope(self, job: EmulatedJob) -> dict[str, Any]:
        """The body: a raw row, other than what `GET /generations/{id}` answers."""
        now = self.core.now()
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
                "webhookCallbackUrl": self.url,
                "webhookCallbackApiKey": self.secret,
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
