"""The network: one client for each target, with retries, a rate limit, and the key bound to the provider's own host.

Retries are httpx-retries over whatever transport is below (a socket or the emulator), so the emulator is retried as
the network is. Reads are repeated freely. A submit is repeated only where the service cannot have received it (no
connection was made); everything else comes back as `TransportError(sent=True)`, and the job becomes ambiguous.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from aiolimiter import AsyncLimiter
from httpx_retries import Retry, RetryTransport
from pydantic import SecretStr

from vidnb.errors import ConfigError, TransportError
from vidnb.providers import Provider
from vidnb.records import Call, Reply

EMULATOR_HOST = "emulator.vidnb.invalid"
EMULATOR_KEY = "00000000-0000-4000-8000-000000000000"

NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
READ = Retry(
    total=4, backoff_factor=0.4, max_backoff_wait=30.0, total_timeout=90.0, status_forcelist=[429, 502, 503, 504]
)
SUBMIT = Retry(
    total=3,
    backoff_factor=0.4,
    max_backoff_wait=30.0,
    allowed_methods=["POST"],
    status_forcelist=[429],
    retry_on_exceptions=NOTHING_SENT,
)
UPLOAD = Retry(total=3, backoff_factor=0.4, allowed_methods=["POST"], status_forcelist=[429, 500, 502, 503, 504])
DOWNLOAD = Retry(total=3, backoff_factor=0.4, status_forcelist=[404, 408, 409, 425, 429, 500, 502, 503, 504])
MAX_CLIP_BYTES = 4 * 2**30
_TIMEOUT = httpx.Timeout(60.0, connect=10.0, pool=30.0)
_SUBMIT_TIMEOUT = httpx.Timeout(300.0, connect=10.0, pool=30.0)
"""A provider may answer synchronously, when the clip exists (1min holds the connection for minutes)."""
_SIGNED = re.compile(r"(https?://[^\s\"'?]+)\?[^\s\"')]+")


@dataclass(frozen=True)
class Target:
    """Where a provider's requests go and with which key; `emulated` where no real service is behind it."""

    provider: Provider
    base_url: str
    key: SecretStr
    emulated: bool

    @property
    def in_process(self) -> bool:
        """True where the built-in emulator answers without a socket."""
        return urlsplit(self.base_url).hostname == EMULATOR_HOST

    @property
    def account(self) -> str:
        """A fingerprint of the key: tells accounts apart, and cannot be turned back into the key."""
        import hashlib

        return hashlib.sha256(b"vidnb account\0" + self.key.get_secret_value().encode()).hexdigest()[:12]


def target(provider: Provider, *, live: bool | None = None, key: str | None = None) -> Target:
    """Where to send this provider's requests, from the arguments and the environment.

    Without a key the provider is emulated, unless `live` (or `VIDNB_LIVE=1`) forbids that.

    Raises:
        ConfigError: live was asked for and there is no key, or the base URL is not one.
    """
    live = os.environ.get("VIDNB_LIVE", "").lower() in ("1", "true", "yes") if live is None else live
    key = (key or os.environ.get(provider.key_env) or "").strip()
    own_url = os.environ.get(provider.base_url_env, "").strip()
    if not key and live:
        raise ConfigError(
            f"no key for {provider.title}: set {provider.key_env}"
            + (f" ({provider.key_page})" if provider.key_page else "")
            + "; without live=True (or VIDNB_LIVE) the built-in emulator answers instead"
        )
    base_url = (own_url or (provider.base_url if key else emulator_base_url(provider))).rstrip("/")
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ConfigError(f"{provider.base_url_env} is not a plain http(s) address like {provider.base_url}")
    emulated = _is_this_machine(parts.hostname)
    if parts.scheme == "http" and not emulated:
        raise ConfigError(f"{provider.base_url_env}={own_url!r}: a key is sent over https only")
    return Target(provider, base_url, SecretStr(key or EMULATOR_KEY), emulated)


def emulator_base_url(provider: Provider) -> str:
    """Where the in-process emulator answers for this provider: the live path on the emulator's host."""
    return f"http://{EMULATOR_HOST}{urlsplit(provider.base_url).path}"


class Wire:
    """One target's connection: calls with the key, uploads and downloads without it."""

    def __init__(
        self, target: Target, transport: httpx.AsyncBaseTransport | None = None, *, retries: bool = True
    ) -> None:
        self.target = target
        self._limiter = AsyncLimiter(target.provider.rates.requests_per_minute, 60.0)
        self._limited = not target.emulated
        below = transport or httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=8)
        )
        self._client = httpx.AsyncClient(
            transport=RetryTransport(transport=below, retry=READ) if retries else below,
            timeout=_TIMEOUT,
            headers={"Accept": "application/json", "User-Agent": "vidnb/0.1 (+https://pypi.org/project/vidnb)"},
            trust_env=not target.emulated,
        )
        _redact_logs()

    async def call(self, call: Call, *, submit: bool = False) -> Reply:
        """The service's answer to a call, of whatever status.

        Args:
            call: what to send.
            submit: the call costs money: never send it again once it may have been received.

        Raises:
            TransportError: no complete answer came; `sent` says whether the service may have received the call.
        """
        if self._limited:
            await self._limiter.acquire()
        retry = SUBMIT if submit else UPLOAD if call.file is not None or call.method == "POST" else READ
        request = self._request(call, _SUBMIT_TIMEOUT if submit else _TIMEOUT, retry)
        try:
            response = await self._client.send(request, auth=_Key(self.target) if call.authorized else None)
        except httpx.TransportError as error:
            raise _lost(call, error, self.target) from error
        return Reply(response.status_code, _json(response), response.text[:2000], dict(response.headers))

    def _request(self, call: Call, timeout: httpx.Timeout, retry: Retry) -> httpx.Request:
        url = self.target.base_url + call.url if call.authorized else call.url
        files = None
        if call.file is not None:
            files = {call.file.part: (call.file.filename, call.file.content, call.file.content_type)}
        return self._client.build_request(
            call.method, url, json=call.json, data=dict(call.form) if call.form else None, files=files, timeout=timeout,
            extensions={"retry": retry},
        )  # fmt: skip

    @asynccontextmanager
    async def download(self, url: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The chunks of a file that the provider linked to, fetched without the key.

        Raises:
            TransportError: the link is refused, leads where it should not, or broke off.
        """
        check_link(url, self.target)
        request = self._client.build_request("GET", url, headers={"Accept": "*/*"}, extensions={"retry": DOWNLOAD})
        try:
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code != 200:
                    raise TransportError(f"the clip's link answered HTTP {response.status_code}", sent=True)
                yield _whole_body(response)
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            raise TransportError(f"the download broke off: {type(error).__name__}", sent=True) from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


class _Key(httpx.Auth):
    """Puts the key on a request at the last moment; the key is in no other object that could be printed."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers.update(self._target.provider.headers(self._target.key.get_secret_value()))
        yield request


async def _whole_body(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body's chunks; a body shorter than announced, or endless, is an error."""
    announced, received = int(response.headers.get("content-length") or -1), 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        if received > MAX_CLIP_BYTES:
            raise TransportError("the clip is larger than any clip should be (4 GiB); not stored", sent=True)
        yield chunk
    if announced >= 0 and received != announced:
        raise TransportError(f"the download broke off after {received:,} of {announced:,} bytes", sent=True)


def check_link(url: str, target: Target) -> None:
    """Refuse a link that a live provider should never give: other schemes, this machine, the private network.

    Raises:
        TransportError: the link leads where it should not.
    """
    parts = urlsplit(url)
    allowed = ("http", "https") if target.emulated else ("https",)
    if parts.scheme not in allowed or not parts.hostname:
        raise TransportError(f"the clip's link is not an {allowed[-1]} address", sent=True)
    if _is_public(urlsplit(target.base_url).hostname or "") and not _is_public(parts.hostname):
        raise TransportError("the clip's link leads into a private network; not followed", sent=True)


def redact(text: str) -> str:
    """The text without the query parts of its URLs, where signatures are."""
    return _SIGNED.sub(r"\1?...", text)


def _is_this_machine(host: str) -> bool:
    """True for the emulator's host and loopback addresses: no paid service is there."""
    if host == EMULATOR_HOST or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_public(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".invalid", ".local", ".internal")):
        return False
    try:
        return ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        return True


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _lost(call: Call, error: httpx.TransportError, target: Target) -> TransportError:
    """The one place where httpx's errors become ours."""
    sent = not isinstance(error, NOTHING_SENT)
    what = f"{call.method} {urlsplit(call.url).path}" if call.authorized else "the upload"
    said = redact(str(error)) or type(error).__name__
    hint = (
        "the service may have received it"
        if sent
        else f"no connection to {urlsplit(target.base_url).hostname}; nothing was sent"
    )
    return TransportError(
        f"{target.provider.title}: {what} got no answer ({type(error).__name__}: {said}); {hint}", sent=sent
    )


class _RedactUrls(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            texts = httpx.URL | httpx.Request | str
            record.args = tuple(redact(str(arg)) if isinstance(arg, texts) else arg for arg in record.args)
        return True


def _redact_logs(loggers: Callable[[str], logging.Logger] = logging.getLogger) -> None:
    """httpx and its retries log whole URLs; signed ones would let a reader of the log fetch the clip."""
    for logger in map(loggers, ("httpx", "httpx_retries.transport")):
        if not any(isinstance(known, _RedactUrls) for known in logger.filters):
            logger.addFilter(_RedactUrls())
