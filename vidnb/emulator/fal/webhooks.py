"""Callbacks as fal sends them: the result or the error, signed with Ed25519; the public keys are a JWKS document."""

from __future__ import annotations

import base64
import functools
import hashlib
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
        body: makes the body of a job that is over.
        times: how often each is sent.
    """

    def __init__(self, core: Core, body: Callable[[EmulatedJob], Mapping[str, Any]], times: int) -> None:
        super().__init__(core, "fal")
        self._body = body
        self.times = times

    def address(self, job: EmulatedJob) -> str | None:
        """Return the address in the query of the submit."""
        told = job.body.get("webhook")
        return told if isinstance(told, str) and told else None

    def message(self, job: EmulatedJob) -> tuple[bytes, dict[str, str]]:
        """Return the body and the headers that prove it."""
        content = json.dumps(self._body(job)).encode()
        return content, self.signed(job.id, job.account, int(self.core.now()), content)

    def signed(self, request_id: str, account: str, now_s: int, content: bytes) -> dict[str, str]:
        """Return the headers of a callback with these contents."""
        told = [request_id, account, str(now_s)]
        text = "\n".join([*told, hashlib.sha256(content).hexdigest()]).encode()
        names = ("request-id", "user-id", "timestamp", "signature")
        return {
            f"x-fal-webhook-{name}": one for name, one in zip(names, [*told, self._key.sign(text).hex()], strict=True)
        }

    @functools.cached_property
    def _key(self) -> Any:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"fal webhooks" + self.core.secret).digest())

    def jwks(self) -> dict[str, Any]:
        """Return the public keys: one that is no longer used, then the one that signs."""
        old = hashlib.sha256(b"an older key").digest()
        keys = [
            base64.urlsafe_b64encode(one).decode().rstrip("=")
            for one in (old, self._key.public_key().public_bytes_raw())
        ]
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": one} for one in keys]}
