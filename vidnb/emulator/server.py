"""The emulator on a port: blocking for the command line, in a thread for tests."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vidnb.emulator.checks import UUID
from vidnb.emulator.emulator import Emulator
from vidnb.emulator.transport import DROP
from vidnb.threads import StandingPool

log = logging.getLogger("vidnb.emulator")

START_TIMEOUT_S = 10.0
THREADS = 6
"""So many clips are rendered, and files taken, at once."""
NO_UUID = "a Leonardo key is a UUID and this one is not: the service answers 500 to that, too"


def serve(emulator: Emulator, host: str = "127.0.0.1", port: int = 0, *, log_level: str = "warning") -> None:
    """Return when the server was stopped (Ctrl-C); a port of 0 means any free one.

    Prints the address on one line first, so that a program that starts it can read where it is.
    """
    with _listening(host, port) as listener:
        print(f"http://{host}:{listener.getsockname()[1]}", flush=True)
        _server(emulator, log_level).run(sockets=[listener])


@contextmanager
def running(emulator: Emulator, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """The base URL of the emulator, served from a thread until the block ends.

    Example:
        >>> with running(Emulator()) as base_url:
        ...     httpx.get(base_url).text
    """
    server = _server(emulator, "critical")
    started = threading.Event()
    server.started_event = started  # type: ignore[attr-defined]  # ours, see _Server
    with _listening(host, port) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            if not started.wait(START_TIMEOUT_S):
                raise RuntimeError("the emulator's server did not start")
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """A server that says when it is up, without a signal handler outside the main thread."""

    started_event: threading.Event | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_default_executor(StandingPool(THREADS, "vidnb-emulator"))
        await super().startup(sockets)
        if self.started_event:
            self.started_event.set()


def _server(emulator: Emulator, log_level: str) -> _Server:
    config = uvicorn.Config(
        _droppable(_logged(emulator.app)),
        log_level=log_level,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    return _Server(config)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With protocol 0 asyncio does not set TCP_NODELAY on the connections: 44 ms a request.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
        yield listener


def _droppable(app: ASGIApp) -> ASGIApp:
    """The app with the extension that cuts its connection; ASGI has no word for it, so uvicorn's transport is asked."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        transport: Any = getattr(getattr(send, "__self__", None), "transport", None)

        def drop(*, refused: bool = False) -> None:
            if transport is not None:
                transport.close()

        scope.setdefault("extensions", {})[DROP] = drop
        await app(scope, receive, send)

    return wrapped


def _logged(app: ASGIApp) -> ASGIApp:
    """The app with a line in the log for each answer; signed links lose their query."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                _log(scope, message["status"])
            await send(message)

        await app(scope, receive, told)

    return wrapped


def _log(scope: Scope, status: int) -> None:
    path = str(scope["path"])
    authorization = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
    scheme, _, key = authorization.partition(" ")
    malformed = scheme.lower() == "bearer" and not UUID.fullmatch(key.strip())
    if status == 500 and path.startswith("/api/rest/") and malformed:
        log.warning("%s %s %d: %s", scope["method"], path, status, NO_UUID)
    else:
        log.info("%s %s %d", scope["method"], path, status)
