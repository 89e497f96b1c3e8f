"""Callbacks as Replicate sends them: the prediction itself, signed by the rules of Standard Webhooks.

Two signatures stand in the header, as while a secret is exchanged: the first is made with an older secret.
"""

from __future__ import annotations

import base64
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
    """Sends one callback for each prediction that asked for one.

    Args:
        core: what the service stands on.
        body: makes the body: the prediction as it is now.
    """

    def __init__(self, core: Core, body: Callable[[EmulatedJob], Mapping[str, Any]]) -> None:
        super().__init__(core, "replicate")
        self._body = body

    @functools.cached_property
    def secret(self) -> str:
        """The account's signing secret, as `GET /v1/webhooks/default/secret` tells it."""
        return _secret(self.core.secret, "now")

    def address(self, job: EmulatedJob) -> str | None:
        """Return the address that the create named."""
        told = job.body.get("webhook")
        return told if isinstance(told, str) else None

    def message(self, job: EmulatedJob) -> tuple[bytes, dict[str, str]]:
        """Return the prediction and the headers that prove it."""
        content = json.dumps(self._body(job)).encode()
        return content, self.signed(job.id, int(self.core.now()), content)

    def signed(self, job_id: str, now_s: int, content: bytes) -> dict[str, str]:
        """Return the headers that prove a callback."""
        message_id = f"msg_{job_id}"
        signatures = [
            _signature(secret, f"{message_id}.{now_s}.".encode() + content)
            for secret in (_secret(self.core.secret, "before"), self.secret)
        ]
        return {
            "webhook-id": message_id, "webhook-timestamp": str(now_s),
            "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
        }  # fmt: skip


def _secret(folder: bytes, which: str) -> str:
    made = hmac.new(folder, f"replicate webhook {which}".encode(), hashlib.sha256).digest()
    return f"whsec_{base64.b64encode(made).decode()}"


def _signature(secret: str, text: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
