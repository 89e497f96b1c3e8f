"""An httpx transport that runs an ASGI app in process and behaves like a network.

Unlike `httpx.ASGITransport` it streams the body with back-pressure, honours the read timeout, returns before the app's
background work ends, and lets the app drop the connection, before the reply or in the middle of the body.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import httpx

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

DROP = "vidnb.drop"
"""The ASGI extension with which an app cuts its own connection; `server` offers it on a socket too."""

_COMPLETE, _GONE = object(), object()


class StreamingASGITransport(httpx.AsyncBaseTransport):
    """A transport for `httpx.AsyncClient` that answers from an ASGI app.

    Example:
        >>> client = httpx.AsyncClient(transport=StreamingASGITransport(emulator.app), base_url="http://emulator.invalid")
    """

    def __init__(self, app: ASGIApp, *, max_chunks: int = 4) -> None:
        self.app = app
        self.max_chunks = max_chunks
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The app's answer, as soon as its headers are there."""
        exchange = _Exchange(request, self.max_chunks)
        # The loop holds tasks weakly: without this set, work that goes on after the reply could be collected.
        self._tasks.add(task := exchange.start(self.app))
        task.add_done_callback(self._tasks.discard)
        try:
            status, headers = await exchange.next()
        except BaseException:
            await exchange.aclose()
            raise
        return httpx.Response(status, headers=headers, stream=exchange, request=request)

    async def aclose(self) -> None:
        """Stop what still runs in the app for requests of this transport."""
        await _stop(*self._tasks)


class _Exchange(httpx.AsyncByteStream):
    """One request and its answer: the app in a task of its own, its messages in a queue."""

    def __init__(self, request: httpx.Request, max_chunks: int) -> None:
        self.request = request
        self.timeout_s: float | None = request.extensions.get("timeout", {}).get("read")
        self.body = aiter(request.stream)  # type: ignore[arg-type]  # an AsyncClient's requests stream asynchronously
        self.messages: asyncio.Queue[Any] = asyncio.Queue()
        self.room = asyncio.Semaphore(max_chunks)
        self.sent = False
        self.complete = False
        self.disconnected = asyncio.Event()
        self.failure: Exception | None = None

    def start(self, app: ASGIApp) -> asyncio.Task[None]:
        self.task = asyncio.create_task(self._run(app))
        return self.task

    async def _run(self, app: ASGIApp) -> None:
        try:
            await app(self._scope(), self._receive, self._send)
        except Exception as error:  # noqa: BLE001  # whatever the app raises, the peer only sees a dropped connection
            self.failure = self.failure or httpx.RemoteProtocolError("the app failed before its answer was complete")
            self.failure.__cause__ = error
        finally:
            self.messages.put_nowait(_GONE)

    def _scope(self) -> dict[str, Any]:
        url = self.request.url
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.request.method,
            "headers": [(name.lower(), value) for name, value in self.request.headers.raw],
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.split(b"?")[0],
            "query_string": url.query,
            "server": (url.host, url.port),
            "client": ("127.0.0.1", 0),
            "root_path": "",
            "extensions": {DROP: self._drop},
        }

    def _drop(self, *, refused: bool = False) -> None:
        message = "connection refused" if refused else "server disconnected without sending a complete response"
        self.failure = (httpx.ConnectError if refused else httpx.RemoteProtocolError)(message)

    async def _receive(self) -> Message:
        if self.sent:
            await self.disconnected.wait()
            return {"type": "http.disconnect"}
        chunk = await anext(self.body, None)
        self.sent = chunk is None
        return {"type": "http.request", "body": chunk or b"", "more_body": not self.sent}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.messages.put_nowait((message["status"], list(message.get("headers", []))))
            return
        if message.get("body") and self.request.method != "HEAD":
            await self.room.acquire()
            self.messages.put_nowait(bytes(message["body"]))
        if not message.get("more_body", False):
            self.complete = True
            self.messages.put_nowait(_COMPLETE)

    async def next(self) -> Any:
        """The app's next message, or the error that a broken or silent connection would give."""
        try:
            async with asyncio.timeout(self.timeout_s):
                message = await self.messages.get()
        except TimeoutError:
            raise httpx.ReadTimeout("no data within the read timeout", request=self.request) from None
        if message is _GONE:
            raise self.failure or httpx.RemoteProtocolError("peer closed connection without a complete message body")
        if isinstance(message, bytes):
            self.room.release()
        return message

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self.next()) is not _COMPLETE:
            yield chunk

    async def aclose(self) -> None:
        """Tell the app that the peer is gone; work that goes on after a complete answer may end in peace."""
        self.disconnected.set()
        if not self.complete:
            await _stop(self.task)


async def _stop(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
