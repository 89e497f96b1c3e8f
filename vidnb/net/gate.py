"""The last question before a paid request leaves: may it still be sent?

A request with a `Way` under "gate" among its extensions is held up at the last moment at which nothing of it has left:
over sockets when the connection stands, behind a proxy the tunnel, too, and the first byte of the headers would be
written; over any other transport when the request is handed to it. A gate that raises keeps the request back, and its
error reaches the caller as it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx

from vidnb.net.sockets import Sockets

Ask = Callable[[], Awaitable[None]]

FIRST_BYTE = ("http11.send_request_headers.started", "http2.send_request_headers.started")
"""What httpcore tells just before it writes the first byte of a request."""


class Way:
    """How far a request came.

    Args:
        ask: its gate.
    """

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.is_at_proxy = False
        """True while a proxy is asked for the tunnel: nothing of the request itself was sent."""


class Gate(httpx.AsyncBaseTransport):
    """Asks a request's gate before the transport below sends it.

    Args:
        below: sends the requests.
    """

    def __init__(self, below: httpx.AsyncBaseTransport) -> None:
        self._below = below

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer of the transport below."""
        way: Way | None = request.extensions.get("gate")
        if way is not None:
            if not isinstance(self._below, Sockets | httpx.AsyncHTTPTransport):
                await way.ask()
            request.extensions = {**request.extensions, "trace": _asking(way)}
        return await self._below.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the transport below."""
        await self._below.aclose()


def _asking(way: Way) -> Callable[[str, Mapping[str, Any]], Awaitable[None]]:
    async def trace(event: str, info: Mapping[str, Any]) -> None:
        if event in FIRST_BYTE:
            way.is_at_proxy = info["request"].method == b"CONNECT"
            if not way.is_at_proxy:
                await way.ask()

    return trace
