"""The network: one client for each target, with retries, a rate limit, and the key bound to the provider's own host.

Retries are httpx-retries over whatever transport is below (a socket or the emulator), so the emulator is retried as
the network is. Reads are repeated freely. A submit is repeated only where the service cannot have received it (no
connection was made); everything else comes back as `TransportError(sent=True)`, and the job becomes ambiguous.

No error that leaves this room holds a request or an address with a signature: what httpx raises is put into words in
`_answered` and raised anew outside of it, so that neither `__cause__` nor a traceback with locals gives a key away.
"""

from __future__ import annotations

import asyncio
import functools
import html
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from importlib.metadata import version
from urllib.parse import parse_qsl, quote, quote_plus, urljoin, urlsplit

import httpx
from httpx_retries import Retry, RetryTransport

from vidnb.errors import RateLimitError, TransportError
from vidnb.net import answers
from vidnb.net.answers import Body, InlineBody, content_of, parsed
from vidnb.net.gate import Ask, Gate, Way
from vidnb.net.handshake import NONCE, PROOF, is_proof, new_nonce, proves_itself
from vidnb.net.sockets import Sockets, notes
from vidnb.net.target import Target, address, is_public
from vidnb.records import Call, Link, Reply, redact

NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
UNREADABLE = (httpx.HTTPError, ValueError, AssertionError)
"""What httpx and its decoders raise of a connection that failed or a body that is not what its headers say."""
GATEWAY = [502, 503, 504]
NO_STATUS = [0]
"""A status that no answer can have: httpx-retries takes an empty list for its own, with 429 in it. A 429 of a POST is
for the engine, which knows how long the service wants it to wait and counts the tries."""
READ = Retry(total=4, backoff_factor=0.4, max_backoff_wait=30.0, total_timeout=45.0, status_forcelist=GATEWAY)
SUBMIT = Retry(
    total=3, backoff_factor=0.4, max_backoff_wait=30.0, allowed_methods=["POST"], status_forcelist=NO_STATUS,
    retry_on_exceptions=NOTHING_SENT,
)  # fmt: skip
ONCE = Retry(total=0)
UPLOAD = Retry(total=3, backoff_factor=0.4, allowed_methods=["POST", "PUT"], status_forcelist=[500, *GATEWAY])
DOWNLOAD = Retry(
    total=3, backoff_factor=0.4, max_backoff_wait=30.0, status_forcelist=[404, 408, 409, 425, 429, 500, *GATEWAY]
)
MOVED = (HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT)
"""Answers that ask for the same request, body included, at another address."""
PROVED_S = 0.25
"""So long an emulator's proof, which each of its answers holds, is good for the submits that follow at once."""
CONNECTIONS = 100
SHORTEST_SIGNED = 16
"""Shorter values of an upload's form are no secrets: the kind of the file, the status that is wanted."""
SHORTEST_KEY = 8
"""No service gives a shorter key; and one that a person mistyped may be part of any word."""
AT_ONCE, TURN_S = 4, 1.0
"""How many requests may begin at the same time, and how many seconds a slow one may hold its turn."""


@functools.cache
def _user_agent() -> str:
    return f"vidnb/{version('vidnb')}"


class Turns:
    """Lets requests begin a few at a time, so that quick ones share a few connections and slow ones stop nobody.

    Each connection costs a handshake, and httpcore looks through all of them at every request.

    Args:
        turn_s: the longest turn, in seconds; then the next request may begin beside it.
    """

    def __init__(self, turn_s: float = TURN_S) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)
        self._turn_s = turn_s

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Callable[[], None]]:
        """Wait for a turn; yields a function that ends the turn early, once the transfer has begun."""
        await self._free.acquire()
        held = [self._free]

        def end() -> None:
            if held:
                held.pop().release()

        timer = asyncio.get_running_loop().call_later(self._turn_s, end)
        try:
            yield end
        finally:
            timer.cancel()
            end()


class Pace:
    """How often a service is asked what costs nothing; this one asks at once, `jobs.limiter` keeps to the rates."""

    async def may_read(self, *, urgent: bool = False) -> None:
        """Return once a call is within the rate.

        Args:
            urgent: a person waits for it, or an upload's form runs out: it waits out no long pause.
        """

    async def read_refused(self, error: RateLimitError) -> None:
        """Take note that the service refused a call for being one too many."""

    async def read_passed(self) -> None:
        """Take note that the service answered a call."""


class Wire:
    """One target's connection: calls with the key, uploads and downloads without it."""

    def __init__(
        self, target: Target, transport: httpx.AsyncBaseTransport | None = None, *, retries: bool = True
    ) -> None:
        self.target = target
        self.pace = Pace()
        """Of the calls that cost nothing; whoever knows the service's rates sets it."""
        self._polls = self._client(transport, retries)
        self._transfers = self._client(transport, retries)
        self._poll_turns, self._transfer_turns = Turns(), Turns()
        self._asking: asyncio.Task[bool] | None = None
        self._asked_at = self._proved_at = float("-inf")
        _redact_logs()

    def _client(self, given: httpx.AsyncBaseTransport | None, retries: bool) -> httpx.AsyncClient:
        below = given or Sockets(CONNECTIONS, direct=self.target.emulated)
        return httpx.AsyncClient(
            transport=RetryTransport(transport=Gate(below), retry=READ) if retries else Gate(below),
            timeout=answers.QUESTION,
            headers={
                "Accept": "application/json", "User-Agent": _user_agent(), "Accept-Encoding": "gzip, deflate",
            },
            trust_env=False,  # `Sockets` asks the environment, the same for every request
        )  # fmt: skip

    async def check_emulator(self) -> None:
        """Refuse to send an emulated job to anything but vidnb's emulator, which answers for itself once more.

        Raises:
            TransportError: no emulator answers any more at its address; nothing was sent.
        """
        where = self.target
        if where.emulated and not where.in_process and not await self._emulator_answers():
            raise TransportError(
                f"{where.provider.title}: the emulator of this job does not answer at "
                f"{urlsplit(where.base_url).netloc}, or another service does, which may cost money; nothing was sent",
                sent=False,
            )

    async def _emulator_answers(self) -> bool:
        # Jobs that are sent together share one question: hundreds of them would make a busy emulator late with it.
        now_s, asking = asyncio.get_running_loop().time(), self._asking
        if now_s - self._proved_at < PROVED_S:
            return True
        if asking is not None and asking.done():
            is_proof = not asking.cancelled() and asking.exception() is None and asking.result()
            asking = asking if is_proof and now_s - self._asked_at < PROVED_S else None
        if asking is None:
            asking = asyncio.create_task(proves_itself(self.target.base_url, self._transfers))
            self._asking, self._asked_at = asking, now_s
        return await asyncio.shield(asking)

    async def call(self, call: Call, *, submit: bool = False, once: bool = False, gate: Ask | None = None) -> Reply:
        """Send a call and return the service's answer, whatever its status code is.

        Args:
            call: what to send.
            submit: True for a call that costs money: it is sent again only where the service cannot have received it.
            once: True to send the call at most once: the caller can do without the answer, and others wait meanwhile.
            gate: awaited just before the first byte of each try leaves. If it raises an error, nothing is sent, and
                the caller gets that error.

        Raises:
            TransportError: no complete answer came; `sent` says whether the service may have received the call.
        """
        if not submit:
            await self.pace.may_read(urgent=call.method != "GET")
        if not call.authorized:
            check_link(call.url, self.target, "the address for the upload")
        answer = await self._answered(call, submit, once, gate)
        place = answer.headers.get("location") if isinstance(answer, Reply) and answer.status_code in MOVED else None
        if not call.authorized and place:
            # A storage names the region that a bucket lies in. The key is not with it, and it is followed once.
            call = replace(call, url=urljoin(call.url, place))
            check_link(call.url, self.target, "the address for the upload")
            answer = await self._answered(call, submit, once, gate)
        if isinstance(answer, TransportError):
            raise answer
        if not submit and answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
            await self.pace.read_passed()
        return answer

    async def _answered(self, call: Call, submit: bool, once: bool, gate: Ask | None) -> Reply | TransportError:
        """Return the answer, or the error in our words: nothing is raised in here, where requests lie about."""
        changes = call.file is not None or call.method in ("POST", "PUT")
        upload = call.file is not None or call.content is not None  # what asks only for a form is answered at once
        polled = call.method == "GET"
        once = once or call.method == "DELETE"  # at some services a second one deletes what was finished meanwhile
        retry = ONCE if once else SUBMIT if submit else UPLOAD if changes else READ
        longest_s = (
            answers.ONCE_S if once else answers.SUBMIT_S if submit else answers.UPLOAD_S if upload else answers.READ_S
        )
        most = answers.MAX_REPLY_BYTES
        if self.target.provider.answers_hold_clips and call.authorized and not upload:
            most, longest_s = answers.MAX_HELD_BYTES, max(longest_s, answers.UPLOAD_S)
        timeout = answers.SUBMIT if submit else answers.TRANSFER if upload else answers.QUESTION
        client, turns = (self._polls, self._poll_turns) if polled else (self._transfers, self._transfer_turns)
        nonce = new_nonce() if self.target.emulated and not self.target.in_process and call.authorized else ""
        try:
            request = self._request(client, call, timeout, retry)
            way = None if gate is None else Way(gate)
            if way is not None:
                request.extensions["gate"] = way
            if nonce:
                request.headers[NONCE] = nonce
        except (httpx.InvalidURL, ValueError):
            return TransportError(f"{self.target.provider.title} gave an address that is not valid", sent=False)
        try:
            async with turns.turn(), asyncio.timeout(longest_s):
                sent_at = asyncio.get_running_loop().time()
                response = await client.send(request, auth=_Key(self.target) if call.authorized else None, stream=True)
                try:
                    content = await content_of(response, most)
                finally:
                    await response.aclose()
        except TimeoutError:
            return _lost(call, TimeoutError(f"over {longest_s:.0f} s"), self.target, way)
        except UNREADABLE as error:
            return _lost(call, error, self.target, way)
        if nonce and is_proof(response.headers.get(PROOF), nonce):
            self._proved_at = max(self._proved_at, sent_at)
        content = self._without_secrets(content, call)
        value = parsed(content)
        text = (
            "" if value is not None and response.status_code < 400 else content[:8000].decode(errors="replace")[:2000]
        )
        return Reply(response.status_code, value, text, response.headers)

    def _without_secrets(self, content: bytes, call: Call) -> bytes:
        """Return the answer without the key and what an upload was signed with, should a service repeat it.

        Answers are shown, and kept in rows.
        """
        key = self.target.key.get_secret_value()
        if len(key) >= SHORTEST_KEY and not self.target.emulated:
            for value in _written(key):
                content = content.replace(value, b"[key]")
        for value in _signed(call):
            content = content.replace(value, b"[signed]")
        return content

    def _request(self, client: httpx.AsyncClient, call: Call, timeout: httpx.Timeout, retry: Retry) -> httpx.Request:
        url = address(self.target.base_of(call.host), call.url) if call.authorized else call.url
        files = None
        if call.file is not None:
            files = {call.file.part: (call.file.filename, call.file.content, call.file.content_type)}
        return client.build_request(
            call.method, url, json=call.json, data=dict(call.form) if call.form else None, files=files,
            content=call.content, headers=dict(call.headers), timeout=timeout, extensions={"retry": retry},
        )  # fmt: skip

    @asynccontextmanager
    async def download(self, url: str | Link, *, once: bool = False) -> AsyncIterator[Body | InlineBody]:
        """The chunks of a file that the provider linked to.

        The key goes along only for a path on the provider's own host, and not to where that redirects.

        Args:
            url: where it lies.
            once: it may as well be missing: do not ask again.

        Raises:
            TransportError: the link is refused, leads where it should not, or broke off.
        """
        link = url if isinstance(url, Link) else Link(url)
        del url  # a traceback with locals shows the link, which hides its signature
        if link.content is not None or link.is_data:
            yield InlineBody(link)
            return
        async with self._transfer_turns.turn() as end:
            response = await self._opened(link, ONCE if once else DOWNLOAD)
            if isinstance(response, TransportError):
                raise response
            try:
                if response.status_code != HTTPStatus.OK:
                    gone = response.status_code == HTTPStatus.GONE
                    raise TransportError(f"the clip's link answered HTTP {response.status_code}", sent=True, gone=gone)
                yield Body(response, end)
            finally:
                await response.aclose()

    async def _opened(self, link: Link, retry: Retry) -> httpx.Response | TransportError:
        """Return the answer of a clip's link, its body not read yet, or the error in our words."""
        own = link.whole.startswith("/") and not link.whole.startswith("//")
        if link.whole.lower().startswith("http://") and not (self.target.emulated or self.target.is_plain):
            link = Link(f"https://{link.whole[7:]}")  # a clip that was paid for is asked for in the safe way
        try:
            if not own:
                check_link(link.whole, self.target)
            request = self._transfers.build_request(
                "GET", address(self.target.base_url, link.whole) if own else link.whole,
                headers={"Accept": "*/*", "Accept-Encoding": "identity"}, timeout=answers.TRANSFER,
                extensions={"retry": retry},
            )  # fmt: skip
        except TransportError as error:
            return TransportError(str(error), sent=error.sent)
        except (httpx.InvalidURL, ValueError):
            return TransportError("the clip's link is not a valid address", sent=True)
        try:
            async with asyncio.timeout(answers.OPEN_S):
                response = await self._transfers.send(request, stream=True, auth=_Key(self.target) if own else None)
        except TimeoutError:
            return TransportError(f"the clip's link gave no answer within {answers.OPEN_S:.0f} s", sent=True)
        except UNREADABLE as error:
            return TransportError(f"the download broke off: {type(error).__name__}{_hint(error)}", sent=True)
        if own and response.has_redirect_location:
            await response.aclose()
            return await self._opened(Link(str(response.url.join(response.headers["location"]))), retry)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        if self._asking is not None:
            self._asking.cancel()
        await self._polls.aclose()
        await self._transfers.aclose()


class _Key(httpx.Auth):
    """Puts the key on a request at the last moment; the key is in no other object that could be printed."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers.update(self._target.provider.headers(self._target.key.get_secret_value()))
        yield request


def check_link(url: str, target: Target, what: str = "the clip's link") -> None:
    """Refuse a link that a live provider should never give: other schemes, this machine, the private network.

    Args:
        url: the link.
        target: whose link it is.
        what: how the error calls it.

    Raises:
        TransportError: the link leads where it should not.
    """
    why = _refusal(url, target)
    del url  # a traceback with locals would show its signature
    if why:
        raise TransportError(f"{what} {why}", sent=True)


def _refusal(url: str, target: Target) -> str:
    """Return why a link is not followed; "" where it is."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "is no address"
    allowed = ("http", "https") if target.emulated or target.is_plain else ("https",)
    if parts.scheme not in allowed or not parts.hostname:
        return f"is not an {allowed[-1]} address"
    if is_public(urlsplit(target.base_url).hostname or "") and not is_public(parts.hostname):
        return "leads into a private network; not followed"
    return ""


def _signed(call: Call) -> set[bytes]:
    """Return the long values in an upload's form, address and headers, in every way in which they may be written."""
    if call.authorized:
        return set()
    headers = (value for name, value in call.headers.items() if name.lower() != "content-type")
    values = [*(call.form or {}).values(), *(value for _, value in parse_qsl(urlsplit(call.url).query)), *headers]
    long = (str(value) for value in values if len(str(value)) >= SHORTEST_SIGNED)
    return {written for value in long for written in _written(value)}


def _written(value: str) -> set[bytes]:
    """Return a value as it may stand in a text, in XML, in a query, in a form and in JSON."""
    if value.isascii() and value.replace("-", "").replace("_", "").isalnum():  # the same everywhere, as most keys are
        return {value.encode()}
    forms = (str, html.escape, quote_plus, functools.partial(quote, safe=""), lambda text: text.replace("/", "\\/"))
    return {form(value).encode(errors="replace") for form in forms}


def _lost(call: Call, error: Exception, target: Target, way: Way | None) -> TransportError:
    """The one place where httpx's errors become ours."""
    sent = not isinstance(error, NOTHING_SENT) and not (way is not None and way.is_at_proxy)
    what = f"{call.method} {urlsplit(call.url).path}" if call.authorized else "the upload"
    # A request that the library itself refuses is quoted in its message, key included.
    quoted = isinstance(error, httpx.LocalProtocolError)
    said = ("" if quoted else redact(str(error))) or type(error).__name__
    hint = (
        "the service may have received it"
        if sent
        else f"no connection to {urlsplit(target.base_url).hostname}; nothing was sent"
    ) + _hint(error)
    if not sent and target.provider.start:
        hint += f"; is it running? {target.provider.start}"
    return TransportError(
        f"{target.provider.title}: {what} got no answer ({type(error).__name__}: {said}); {hint}", sent=sent
    )


def _hint(error: BaseException) -> str:
    """Return what to do about a connection that failed, where that is known."""
    causes = [error, error.__cause__, error.__context__]
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes) or "CERTIFICATE_VERIFY" in str(error):
        return (
            "; its certificate is not trusted here: behind a company's proxy, set SSL_CERT_FILE to its certificates"
            f"{notes(error)}"
        )
    return notes(error)


class _RedactUrls(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            texts = httpx.URL | httpx.Request | str
            record.args = tuple(redact(str(arg)) if isinstance(arg, texts) else arg for arg in record.args)
        if not record.args and isinstance(record.msg, str):
            record.msg = redact(record.msg)
        return True


LOGGERS = ("httpx", "httpx_retries.transport", "httpcore.connection", "httpcore.http11", "httpcore.proxy")
"""Those that write of requests; httpcore's tell where a redirect leads."""


def _redact_logs() -> None:
    """httpx and its retries log whole URLs; signed ones would let a reader of the log fetch the clip."""
    for logger in map(logging.getLogger, LOGGERS):
        if not any(isinstance(known, _RedactUrls) for known in logger.filters):
            logger.addFilter(_RedactUrls())
