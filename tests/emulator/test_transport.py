"""The in-process transport behaves like a network: it streams, times out, drops, and does not wait for what goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import httpx
import pytest

from vidnb.emulator import StreamingASGITransport
from vidnb.emulator.transport import DROP

pytestmark = pytest.mark.anyio

App = Callable[[Any, Any, Any], Awaitable[None]]
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def client(app: App, **options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=StreamingASGITransport(app), base_url="http://app.invalid", **options)


async def test_chunks_arrive_while_the_app_is_still_sending() -> None:
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"first", more=True))
        await go_on.wait()
        await send(body(b"last"))

    async with client(app) as http, http.stream("GET", "/") as response:
        chunks = response.aiter_raw()
        assert await anext(chunks) == b"first"
        go_on.set()
        assert await anext(chunks) == b"last"


async def test_the_app_waits_when_nobody_reads() -> None:
    sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send(START)
        for _ in range(100):
            await send(body(b"x", more=True))
            sent += 1
        await send(body(b""))

    async with client(app) as http, http.stream("GET", "/") as response:
        await anyio.wait_all_tasks_blocked()
        assert sent == 4
        assert await response.aread() == b"x" * 100


async def test_a_request_body_is_streamed_to_the_app() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        parts = []
        while (message := await receive())["more_body"]:
            parts.append(message["body"])
        await send(START)
        await send(body(b"|".join(parts)))

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with client(app) as http:
        assert (await http.post("/", content=pieces())).content == b"one|two"


async def test_a_silent_app_is_a_read_timeout_and_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    async with client(app, timeout=0.02) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.get("/")
    assert cancelled.is_set()


async def test_a_stall_within_the_body_is_a_read_timeout() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"half", more=True))
        await anyio.sleep_forever()

    async with client(app, timeout=0.02) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.get("/")


@pytest.mark.parametrize("half", [b"", b"half"])
async def test_an_app_that_ends_early_has_dropped_the_connection(half: bytes) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if half:
            await send(START)
            await send(body(half, more=True))

    async with client(app) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get("/")


async def test_an_app_that_raises_has_dropped_the_connection() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("a bug")

    async with client(app) as http:
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await http.get("/")
    assert isinstance(caught.value.__cause__, RuntimeError) or "a bug" in str(caught.value.__context__)


@pytest.mark.parametrize(("refused", "error"), [(True, httpx.ConnectError), (False, httpx.RemoteProtocolError)])
async def test_an_app_can_refuse_or_drop_on_purpose(refused: bool, error: type[Exception]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["extensions"][DROP](refused=refused)

    async with client(app) as http:
        with pytest.raises(error):
            await http.get("/")


async def test_work_after_a_complete_answer_delays_nobody_and_goes_on() -> None:
    go_on, done = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"answer"))
        await go_on.wait()
        done.set()

    async with client(app) as http:
        assert (await http.get("/")).content == b"answer"
        go_on.set()
        await done.wait()


async def test_closing_an_unread_answer_stops_the_app() -> None:
    stopped = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        try:
            while True:
                await send(body(b"x", more=True))
        finally:
            stopped.set()

    async with client(app) as http:
        async with http.stream("GET", "/"):
            pass
        assert stopped.is_set()


async def test_closing_the_client_leaves_no_task_behind() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"answer"))
        await anyio.sleep_forever()

    before = asyncio.all_tasks()
    async with client(app) as http:
        await http.get("/")
        assert asyncio.all_tasks() - before
    assert not asyncio.all_tasks() - before


async def test_a_cancelled_caller_leaves_no_task_behind() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await anyio.sleep_forever()

    before = asyncio.all_tasks()
    async with client(app) as http:
        with anyio.move_on_after(0.02):
            await http.get("/")
        await anyio.wait_all_tasks_blocked()
        assert not asyncio.all_tasks() - before


async def test_a_head_request_has_no_body() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"not for you"))

    async with client(app) as http:
        assert (await http.head("/")).content == b""
