"""Callbacks as OpenRouter sends them: the job, signed with HMAC over the time, a comma and the body."""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

from vidnb.emulator import callbacks
from vidnb.emulator.core import Core
from vidnb.emulator.state import EmulatedJob


class Caller(callbacks.Caller):
    """Sends one callback for each job that asked for one.

    Args:
        core: what the service stands on.
        body: makes the job as it is now.
        times: how often each is sent.
    """

    def __init__(self, core: Core, body: Callable[[EmulatedJob], Mapping[str, Any]], times: int) -> None:
        super().__init__(core, "openrouter")
        self._body = body
        self.times = times

    @functools.cached_property
    def secret(self) -> str:
        """The workspace's signing secret."""
        return hmac.new(self.core.secret, b"openrouter webhook", hashlib.sha256).hexdigest()

    def address(self, job: EmulatedJob) -> str | None:
        """Return the address that the submit named."""
        told = job.body.get("callback_url")
        return told if isinstance(told, str) else None

    def message(self, job: EmulatedJob) -> tuple[bytes, dict[str, str]]:
        """Return the body and the headers that prove it."""
        data = self._body(job)
        content = json.dumps({"type": f"video.generation.{data['status']}", "data": data}).encode()
        headers = {"x-openrouter-idempotency-key": f"{job.id}-{data['status']}"}
        return content, headers | self.signed(int(self.core.now()), content)

    def signed(self, now_s: int, content: bytes) -> dict[str, str]:
        """Return the header that proves a callback."""
        mac = hmac.new(self.secret.encode(), f"{now_s},".encode() + content, hashlib.sha256).hexdigest()
        return {"x-openrouter-signature": f"t={now_s},v1={mac}"}
