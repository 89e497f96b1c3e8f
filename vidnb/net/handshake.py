"""How a server proves that it is vidnb's emulator: by an answer that nothing else gives, never by its host's name.

A local proxy in front of a paid service has the same address as an emulator on a port, and costs money. So whoever
calls a job emulated has asked the server first: `GET {base_url}/_emulator/hello?nonce=...` is answered with a hash over
the nonce. No key goes along. Every other answer to a request with a nonce in its headers proves the same again.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import threading
from typing import Any

import httpx

from vidnb.clock import Clock

PATH = "/_emulator/hello"
NONCE, PROOF = "x-vidnb-nonce", "x-vidnb-proof"
"""Headers of a request to an emulator, and of its answer."""
TIMEOUT_S = 5.0
"""So long a person waits to be told what stands at an address."""
SUBMIT_TIMEOUT_S = 10.0
"""So long a submit waits: an emulator may be busy, and a submit that is not sent has to be asked for again."""
BELIEVED_S = 5.0
"""So long an answer holds for what is only shown; before each submit the server is asked again."""
LONGEST = 1000

_CLOCK = Clock()
_answers: dict[str, tuple[float, bool]] = {}
_lock = threading.Lock()


def proof(nonce: str) -> str:
    """Return what an emulator answers to a nonce."""
    return hashlib.sha256(f"vidnb emulator, nothing here costs money: {nonce}".encode()).hexdigest()


def new_nonce() -> str:
    """Return a text that no server has had a question about."""
    return secrets.token_hex(8)


def is_proof(given: object, nonce: str) -> bool:
    """Return whether a text is what an emulator alone answers to this nonce."""
    return isinstance(given, str) and hmac.compare_digest(given.encode(), proof(nonce).encode())


def is_emulator(base_url: str, clock: Clock = _CLOCK) -> bool:
    """Return whether vidnb's emulator answers at a service's base URL; asked every few seconds at most.

    Args:
        base_url: of the service.
        clock: says how old an answer is.
    """
    with _lock:
        asked_at, known = _answers.get(base_url, (float("-inf"), False))
    if clock.monotonic() - asked_at < BELIEVED_S:
        return known
    found: list[bool] = []
    # In a thread of its own: a server that drips would hold the caller as long as it likes.
    asking = threading.Thread(target=lambda: found.append(_ask(base_url)), name="vidnb handshake", daemon=True)
    asking.start()
    asking.join(TIMEOUT_S)
    proved = bool(found and found[0])
    with _lock:
        _answers[base_url] = (clock.monotonic(), proved)
    return proved


def forget() -> None:
    """Ask every server anew."""
    with _lock:
        _answers.clear()


async def proves_itself(base_url: str, client: httpx.AsyncClient) -> bool:
    """Return whether vidnb's emulator answers there at this moment."""
    nonce = new_nonce()
    try:
        async with asyncio.timeout(SUBMIT_TIMEOUT_S):
            response = await client.get(_url(base_url), params={"nonce": nonce}, extensions={"retry": _once()})
            return _is_proof(response, nonce)
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, ValueError, AssertionError):  # all that httpx raises
        return False


def _once() -> Any:
    from httpx_retries import Retry

    return Retry(total=0)


def _ask(base_url: str) -> bool:
    nonce = new_nonce()
    is_plain = base_url.lower().startswith("http://")  # to read all certificates takes longer than to ask
    try:
        # Without a proxy and without a certificate of one's own: an emulator is asked directly.
        with (
            httpx.Client(trust_env=False, timeout=TIMEOUT_S, verify=not is_plain) as client,
            client.stream("GET", _url(base_url), params={"nonce": nonce}) as response,
        ):
            if response.status_code != 200 or len(response.headers.get("content-length", "x" * 9)) > 4:
                return False
            response.read()
            return _is_proof(response, nonce)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError):
        return False


def _url(base_url: str) -> str:
    return base_url.partition("#")[0].rstrip("/") + PATH


def _is_proof(response: httpx.Response, nonce: str) -> bool:
    if response.status_code != 200 or len(response.content) > LONGEST:
        return False
    try:
        told = response.json()
    except ValueError:
        return False
    return isinstance(told, dict) and is_proof(told.get("vidnb emulator"), nonce)
