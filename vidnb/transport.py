"""The network: one client for each target, with retries, a rate limit, and the key bound to the provider's own host.

Retries are httpx-retries over whatever transport is below (a socket or the emulator), so the emulator is retried as
the network is. Reads are repeated freely. A submit is repeated only where the service cannot have received it (no
connection was made); everything else comes back as `TransportError(sent=True)`, and the job becomes ambiguous.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import logging
import os
import re
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from urllib.parse import SplitResult, urlsplit

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
UNREADABLE = (httpx.HTTPError, ValueError, AssertionError)
"""What httpx and its decoders raise of a connection that failed or a body that is not what its headers say."""
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
ONCE = Retry(total=0)
UPLOAD = Retry(total=3, backoff_factor=0.4, allowed_methods=["POST"], status_forcelist=[429, 500, 502, 503, 504])
DOWNLOAD = Retry(total=3, backoff_factor=0.4, status_forcelist=[404, 408, 409, 425, 429, 500, 502, 503, 504])
MAX_CLIP_BYTES = 4 * 2**30
POLL_CONNECTIONS = 4
TRANSFER_CONNECTIONS = 100
AT_ONCE, TURN_S = 4, 1.0
"""So many transfers begin at once; one that takes longer than its turn does not keep the next from beginning."""
_TIMEOUT = httpx.Timeout(60.0, connect=10.0, pool=30.0)
_SUBMIT_TIMEOUT = httpx.Timeout(300.0, connect=10.0, pool=30.0)
"""A provider may answer synchronously, when the clip exists (1min holds the connection for minutes)."""
_VERSION = re.compile(r"/v\d+$")
_NAME = re.compile(r"\.(?!0x)(?=[^.]*[^\d.])[^.]+$")
"""The end of a host name; resolvers take `127.1` and `10.0x1` for addresses."""
_KEY = re.compile(r"[!#-&(-~]+")
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

    def __reduce__(self) -> Any:
        raise TypeError("a target holds a key, which must not be written anywhere")

    @functools.cached_property
    def account(self) -> str:
        """A fingerprint of the key: tells accounts apart, and cannot be turned back into the key."""
        import hashlib

        return hashlib.sha256(b"vidnb account\0" + self.key.get_secret_value().encode()).hexdigest()[:12]


def target(provider: Provider, *, live: bool | None = None, key: str | None = None) -> Target:
    """Where to send this provider's requests, from the arguments and the environment.

    Without a key the provider is emulated, unless `live` (or `VIDNB_LIVE=1`) forbids that. An explicit `live=False`
    emulates whatever keys and addresses there are, so that nothing can be paid.

    Raises:
        ConfigError: live was asked for and there is no key, or the base URL is not one.
    """
    if live is False and provider.has_emulator:
        return Target(provider, emulator_base_url(provider), SecretStr(EMULATOR_KEY), emulated=True)
    live = os.environ.get("VIDNB_LIVE", "").lower() in ("1", "true", "yes") if live is None else live
    key = given_key(provider, key)
    own_url = os.environ.get(provider.base_url_env, "").strip()
    if not key and live:
        raise ConfigError(
            f"no key for {provider.title}: set {provider.key_env}"
            + (f" ({provider.key_page})" if provider.key_page else "")
            + "; without live=True (or VIDNB_LIVE) the built-in emulator answers instead"
        )
    if not key and not own_url and not provider.has_emulator:
        raise ConfigError(
            f"no key for {provider.title}: set {provider.key_env}; the emulator does not know this service"
        )
    base_url = (own_url or (provider.base_url if key else emulator_base_url(provider))).rstrip("/")
    parts = _parts(base_url)
    versioned = parts is not None and (not parts.fragment or _VERSION.fullmatch(f"/{parts.fragment}"))
    if parts is None or parts.hostname is None or not versioned:
        raise ConfigError(f"{provider.base_url_env} is not a plain http(s) address like {provider.base_url}")
    emulated = _is_this_machine(parts.hostname)
    if parts.scheme == "http" and not emulated:
        raise ConfigError(f"{provider.base_url_env}={own_url!r}: a key is sent over https only")
    return Target(provider, base_url, SecretStr(key or EMULATOR_KEY), emulated)


def _parts(base_url: str) -> SplitResult | None:
    """The parts of a service's address, or None where it is none or has a user, a password or a query in it."""
    try:
        parts = urlsplit(base_url)
        plain = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if plain and "@" not in parts.netloc and not parts.query else None


def given_key(provider: Provider, key: str | None = None) -> str:
    """The key of the arguments or the environment, or "" where there is none.

    Raises:
        ConfigError: it holds what no key has; sent as it is, it would end up in the messages of other libraries.
    """
    key = (key or os.environ.get(provider.key_env) or "").strip()
    if key and not _KEY.fullmatch(key):
        raise ConfigError(
            f"{provider.key_env}: the key holds a space, a quote, a line break or a character that is not ASCII; "
            "copy it again, without quotes"
        )
    return key


def emulator_base_url(provider: Provider) -> str:
    """Where the in-process emulator answers for this provider: the live path on the emulator's host."""
    return f"http://{EMULATOR_HOST}{urlsplit(provider.base_url).path}"


def address(base_url: str, path: str) -> str:
    """The URL of a call's path below a base URL.

    OpenAPI documents put the version into the server's address and leave it out of the paths, so two more forms of a
    base URL are taken: one that ends in a version (`https://host/api/rest/v1`) is not given it twice, and one that
    names a version after a `#` (`http://127.0.0.1:4010#v1`) stands for that version itself, as a mock of such a
    document does.
    """
    base, _, version = base_url.partition("#")
    if version and path.startswith(f"/{version}/"):
        return base.rstrip("/") + path[len(version) + 1 :]
    versioned = re.match(r"/v\d+/", path) is not None
    return (_VERSION.sub("", base) if versioned else base.rstrip("/")) + path


@functools.cache
def _user_agent() -> str:
    return f"vidnb/{version('vidnb')}"


def _sockets(connections: int) -> httpx.AsyncHTTPTransport:
    return httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=connections, max_keepalive_connections=4))


class Turns:
    """Lets transfers begin a few at a time, so that quick ones share a few connections and slow ones stop nobody.

    Each connection costs a handshake, and httpcore looks through all of them at every request.
    """

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Callable[[], None]]:
        """What ends the turn before the block does; inside, the transfer has begun."""
        await self._free.acquire()
        held = [self._free]

        def end() -> None:
            if held:
                held.pop().release()

        timer = asyncio.get_running_loop().call_later(TURN_S, end)
        try:
            yield end
        finally:
            timer.cancel()
            end()


class Wire:
    """One target's connection: calls with the key, uploads and downloads without it."""

    def __init__(
        self, target: Target, transport: httpx.AsyncBaseTransport | None = None, *, retries: bool = True
    ) -> None:
        self.target = target
        self._limiter = AsyncLimiter(target.provider.rates.requests_per_minute, 60.0)
        self._limited = not target.emulated
        self._submits = AsyncLimiter(target.provider.rates.submits_per_minute, 60.0)
        # Polls are many and short and share a few connections; submits, uploads and downloads may take minutes.
        self._polls = self._client(transport or _sockets(POLL_CONNECTIONS), retries)
        self._transfers = self._client(transport or _sockets(TRANSFER_CONNECTIONS), retries)
        self._turns = Turns()
        _redact_logs()

    def _client(self, below: httpx.AsyncBaseTransport, retries: bool) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=RetryTransport(transport=below, retry=READ) if retries else below,
            timeout=_TIMEOUT,
            headers={"Accept": "application/json", "User-Agent": _user_agent()},
            trust_env=not self.target.emulated,
        )

    async def may_submit(self) -> None:
        """Return once one more submit is within the provider's published rate; ask before the row says it is sent."""
        if self._limited:
            await self._submits.acquire()

    async def call(self, call: Call, *, submit: bool = False, once: bool = False) -> Reply:
        """The service's answer to a call, of whatever status.

        Args:
            call: what to send.
            submit: the call costs money: never send it again once it may have been received.
            once: others wait for this answer, and can do without it: never send it again.

        Raises:
            TransportError: no complete answer came; `sent` says whether the service may have received the call.
        """
        if self._limited:
            await self._limiter.acquire()
        upload = call.file is not None or call.method == "POST"
        retry = ONCE if once else SUBMIT if submit else UPLOAD if upload else READ
        client = self._polls if call.method == "GET" else self._transfers
        if not call.authorized:
            check_link(call.url, self.target)
        try:
            request = self._request(client, call, _SUBMIT_TIMEOUT if submit else _TIMEOUT, retry)
        except (httpx.InvalidURL, ValueError) as error:
            raise TransportError(f"{self.target.provider.title} gave an address that is none", sent=False) from error
        try:
            async with contextlib.nullcontext() if client is self._polls else self._turns.turn():
                response = await client.send(request, auth=_Key(self.target) if call.authorized else None)
        except UNREADABLE as error:
            raise _lost(call, error, self.target) from error
        parsed = _json(response)
        text = _text(response) if parsed is None or response.status_code >= 400 else ""
        return Reply(response.status_code, parsed, text, response.headers)

    def _request(self, client: httpx.AsyncClient, call: Call, timeout: httpx.Timeout, retry: Retry) -> httpx.Request:
        url = address(self.target.base_url, call.url) if call.authorized else call.url
        files = None
        if call.file is not None:
            files = {call.file.part: (call.file.filename, call.file.content, call.file.content_type)}
        return client.build_request(
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
        try:
            request = self._transfers.build_request(
                "GET", url, headers={"Accept": "*/*"}, extensions={"retry": DOWNLOAD}
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise TransportError("the clip's link is no address", sent=False) from error
        try:
            async with self._turns.turn() as end:
                response = await self._transfers.send(request, stream=True)
                try:
                    if response.status_code != 200:
                        raise TransportError(f"the clip's link answered HTTP {response.status_code}", sent=True)
                    yield _whole_body(response, end)
                finally:
                    await response.aclose()
        except httpx.TransportError as error:
            raise TransportError(f"the download broke off: {type(error).__name__}", sent=True) from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._polls.aclose()
        await self._transfers.aclose()


class _Key(httpx.Auth):
    """Puts the key on a request at the last moment; the key is in no other object that could be printed."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers.update(self._target.provider.headers(self._target.key.get_secret_value()))
        yield request


async def _whole_body(response: httpx.Response, end: Callable[[], None]) -> AsyncIterator[bytes]:
    """The body's chunks; a body shorter than announced, or endless, is an error. `end` is called after the last one."""
    length = response.headers.get("content-length", "")
    announced, received = int(length) if length.isdecimal() else -1, 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        if received > MAX_CLIP_BYTES:
            raise TransportError("the clip is larger than any clip should be (4 GiB); not stored", sent=True)
        yield chunk
    end()
    if announced >= 0 and received != announced:
        raise TransportError(f"the download broke off after {received:,} of {announced:,} bytes", sent=True)


def check_link(url: str, target: Target) -> None:
    """Refuse a link that a live provider should never give: other schemes, this machine, the private network.

    Raises:
        TransportError: the link leads where it should not.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise TransportError("the clip's link is no address", sent=True) from error
    allowed = ("http", "https") if target.emulated else ("https",)
    if parts.scheme not in allowed or not parts.hostname:
        raise TransportError(f"the clip's link is not an {allowed[-1]} address", sent=True)
    if is_public(urlsplit(target.base_url).hostname or "") and not is_public(parts.hostname):
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


def is_public(host: str) -> bool:
    """False for the names and addresses of this machine and of private networks, however they are written."""
    host = host.rstrip(".")
    if "." not in host and ":" not in host:  # a name that only the local network knows, or an address as one number
        return False
    if host.endswith((".localhost", ".invalid", ".local", ".internal", ".lan", ".home.arpa")):
        return False
    try:
        return ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        return _NAME.search(host) is not None


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def _text(response: httpx.Response) -> str:
    """The start of the body; the charset that it claims is not trusted, as some cannot be decoded at all."""
    return response.content[:8000].decode(errors="replace")[:2000]


def _lost(call: Call, error: Exception, target: Target) -> TransportError:
    """The one place where httpx's errors become ours."""
    sent = not isinstance(error, NOTHING_SENT)
    what = f"{call.method} {urlsplit(call.url).path}" if call.authorized else "the upload"
    # A request that the library itself refuses is quoted in its message, key included.
    quoted = isinstance(error, httpx.LocalProtocolError)
    said = ("" if quoted else redact(str(error))) or type(error).__name__
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


def _redact_logs() -> None:
    """httpx and its retries log whole URLs; signed ones would let a reader of the log fetch the clip."""
    for logger in map(logging.getLogger, ("httpx", "httpx_retries.transport")):
        if not any(isinstance(known, _RedactUrls) for known in logger.filters):
            logger.addFilter(_RedactUrls())
