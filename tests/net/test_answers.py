"""No server keeps this machine waiting, fills it, or gets a secret into an error."""

from __future__ import annotations

import asyncio
import gzip
import json
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any

import anyio
import httpx
import pytest
from fakes import CANARY, Scripted

from vidnb import providers
from vidnb.errors import TransportError
from vidnb.net import answers
from vidnb.net.target import target
from vidnb.net.wire import Wire
from vidnb.records import Call, FilePart, Link

pytestmark = pytest.mark.anyio

POLL = Call("GET", "/v1/generations/1")
SUBMIT = Call("POST", "/v2/generations", json={"prompt": "x"})
SIGNATURE = "5ec4e7c0ffee"
SIGNED = f"https://files.example.com/clip.mp4?X-Amz-Signature={SIGNATURE}"
FORM = Call(
    "POST", "https://bucket.example.com/", form={"x-amz-signature": SIGNATURE}, file=FilePart("file", "a.png", b"png")
)


def wire_of(answer: Callable[[httpx.Request], Any]) -> Wire:
    return Wire(target(providers.get("leonardo"), key=CANARY), Asked(answer))


async def fetched(wire: Wire) -> None:
    """Download the clip to nowhere."""
    async with wire.download(Link(SIGNED)) as body:
        async for _ in body:
            pass


class Asked(httpx.AsyncBaseTransport):
    """A transport whose answers may take their time."""

    def __init__(self, answer: Callable[[httpx.Request], Any]) -> None:
        self.answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        found = self.answer(request)
        return await found if asyncio.iscoroutine(found) else found  # type: ignore[no-any-return]


class Stream(httpx.AsyncByteStream):
    """A body that comes piece by piece."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self.pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self.pieces:
            yield piece


async def silence(request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def endless(piece: bytes, pause_s: float = 0.0) -> AsyncIterator[bytes]:
    while True:
        yield piece
        await asyncio.sleep(pause_s)


async def in_parts(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def drip(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, stream=Stream(endless(b" ", 0.01)))


async def test_silent_polls_do_not_keep_the_others_waiting() -> None:
    def answer(request: httpx.Request) -> Any:
        return silence(request) if "silent" in request.url.path else httpx.Response(200, json={})

    wire = wire_of(answer)
    silent = [asyncio.create_task(wire.call(Call("GET", f"/v1/silent/{n}"))) for n in range(12)]
    with anyio.fail_after(60):
        await asyncio.gather(*(wire.call(POLL) for _ in range(20)))
    assert not any(task.done() for task in silent)
    for task in silent:
        task.cancel()
    await asyncio.gather(*silent, return_exceptions=True)


@pytest.mark.parametrize("server", [silence, drip])
@pytest.mark.parametrize(("call", "options", "limit"), [
    (POLL, {}, "READ_S"), (POLL, {"once": True}, "ONCE_S"), (SUBMIT, {"submit": True}, "SUBMIT_S"),
    (FORM, {}, "UPLOAD_S"), (Call("POST", "/v1/init-image", json={"extension": "png"}), {}, "READ_S"),
])  # fmt: skip
async def test_a_server_that_is_silent_or_drips_is_left_after_a_while(
    server: Callable[[httpx.Request], Any],
    call: Call,
    options: dict[str, bool],
    limit: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answers, limit, 0.2)
    with anyio.fail_after(60), pytest.raises(TransportError) as caught:
        await wire_of(server).call(call, **options)
    assert caught.value.sent, "it may have been received"


async def test_a_silent_download_is_left_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "OPEN_S", 0.2)
    with anyio.fail_after(60), pytest.raises(TransportError, match="no answer"):
        async with wire_of(silence).download(SIGNED):
            raise AssertionError("it gave an answer")


@pytest.mark.parametrize(("limit", "value", "said"), [("SLOWEST_S", 0.1, "drips"), ("DOWNLOAD_S", 0.2, "minutes")])
async def test_a_download_that_drips_is_given_up(
    limit: str, value: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, limit, value)
    with anyio.fail_after(60), pytest.raises(TransportError, match=said):
        await fetched(wire_of(drip))


BODIES: dict[str, bytes] = {
    "one text": b'{"a": "' + b"x" * 2**20,
    "many objects": b"[" + b"{}," * 2**18,
    "deep": b"[" * 2**20,
    "numbers": b"[" + b"9999," * 2**18,
}


@pytest.mark.parametrize("case", BODIES)
@pytest.mark.parametrize("packed", [False, True])
async def test_an_endless_reply_takes_little_memory(case: str, packed: bool) -> None:
    piece = gzip.compress(b" " * 2**24) if packed else BODIES[case]
    headers = {"content-encoding": "gzip"} if packed else {}
    wire = wire_of(lambda request: httpx.Response(200, headers=headers, stream=Stream(endless(piece))))
    tracemalloc.start()
    try:
        with anyio.fail_after(120), pytest.raises(TransportError, match=r"more than 1\.5 MB"):
            await wire.call(POLL, once=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * 2**20


@pytest.mark.parametrize("entry", [b"{}", b"[]", b'{"":{}}', b'{"":[[]]}', b"[1.5]", b'{"a":1}'])
async def test_the_largest_reply_that_is_read_takes_less_memory_than_a_poll_may(entry: bytes) -> None:
    body = b"[" + (entry + b",") * ((answers.MAX_REPLY_BYTES - 16) // (len(entry) + 1)) + entry + b"]"
    wire = wire_of(lambda request: httpx.Response(200, stream=httpx.ByteStream(body)))
    tracemalloc.start()
    try:
        reply = await wire.call(POLL, once=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(reply.json) > answers.MAX_REPLY_BYTES / (len(entry) + 1) - 10
    assert peak < 64 * 2**20


@pytest.mark.parametrize("packed", [False, True])
async def test_a_clip_that_a_transport_of_a_users_own_has_at_hand_is_read(packed: bool) -> None:
    headers, content = ({"content-encoding": "gzip"}, gzip.compress(b"clip")) if packed else ({}, b"clip")
    wire = Wire(
        target(providers.get("leonardo"), key=CANARY),
        httpx.MockTransport(lambda request: httpx.Response(200, headers=headers, content=content)),
    )
    async with wire.download(Link(SIGNED)) as body:
        assert [chunk async for chunk in body] == [b"clip"]


async def test_a_packed_reply_is_read() -> None:
    body = gzip.compress(json.dumps({"a": "ä" * 1000}).encode())
    headers = {"content-encoding": "gzip"}
    wire = wire_of(lambda request: httpx.Response(200, headers=headers, stream=httpx.ByteStream(body)))
    assert (await wire.call(POLL)).json == {"a": "ä" * 1000}


@pytest.mark.parametrize("case", ["packed", "only said to be packed", "cut", "garbled"])
async def test_a_clip_that_a_storage_packed_unasked_is_unpacked(case: str) -> None:
    clip = bytes(range(256)) * 20_000  # it unfolds into several pieces
    body = clip if case == "only said to be packed" else gzip.compress(clip)
    body = answers.GZIP + b"no gzip" * 999 if case == "garbled" else body

    def answer(request: httpx.Request) -> httpx.Response:
        sent = body[:-9] if case == "cut" else body
        headers = {"content-encoding": "gzip", "content-length": str(len(body))}
        return httpx.Response(200, headers=headers, stream=Stream(in_parts(sent, 3000)))

    wire = wire_of(answer)
    if case in ("cut", "garbled"):
        with pytest.raises(TransportError, match="the download broke off"):
            await fetched(wire)
        return
    async with wire.download(Link(SIGNED)) as chunks:
        pieces = [chunk async for chunk in chunks]
    assert b"".join(pieces) == clip
    assert max(map(len, pieces)) <= answers.PIECE_BYTES


async def test_a_clip_that_announces_five_gigabytes_is_not_fetched() -> None:
    begun = []

    async def pieces() -> AsyncIterator[bytes]:
        begun.append(1)
        yield b"x"

    headers = {"content-length": str(5 * 2**30)}
    wire = wire_of(lambda request: httpx.Response(200, headers=headers, stream=Stream(pieces())))
    with pytest.raises(TransportError, match=r"announces 5\.0 GB"):
        async with wire.download(SIGNED):
            raise AssertionError("it was begun")
    assert not begun


# Secrets


class Raising(Scripted):
    """A transport that fails, or answers what cannot be read."""


def fail(error: Exception) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return answer


def cut(request: httpx.Request) -> httpx.Response:
    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        raise httpx.ReadError("gone")

    return httpx.Response(200, stream=Stream(half()))


FAULTS: dict[str, Callable[[httpx.Request], Any]] = {
    "reset": fail(httpx.ReadError("gone")),
    "refused": fail(httpx.ConnectError("no")),
    "protocol": fail(httpx.LocalProtocolError("Illegal header value")),
    "proxy": fail(httpx.ProxyError("407")),
    "cut": cut,
    "status": lambda request: httpx.Response(418),
    "packed": lambda request: httpx.Response(200, headers={"content-encoding": "br"}, stream=httpx.ByteStream(b"x")),
    "silence": silence,
}


def reachable(error: BaseException) -> str:
    """Everything that a tool could show of an error: its chain, the frames with their locals, what those hold."""
    shown: list[str] = []
    todo: list[BaseException] = [error]
    seen: set[int] = set()
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        shown += [repr(one), str(one), repr(vars(one)), *traceback.format_exception(one)]
        todo += [other for other in (one.__cause__, one.__context__) if other is not None]
        request = vars(one).get("_request")
        if isinstance(request, httpx.Request):
            shown += [str(request.url), str(request.headers.raw)]
        shown += _locals(one.__traceback__)
    return "\n".join(shown)


def _locals(trace: TracebackType | None) -> list[str]:
    shown = []
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.endswith("test_answers.py"):
            for value in trace.tb_frame.f_locals.values():
                shown.append(repr(value))
                if isinstance(value, httpx.Request):
                    shown.append(str(value.headers.raw))
        trace = trace.tb_next
    return shown


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_error_leads_to_a_key_or_a_signature(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("READ_S", "UPLOAD_S", "SUBMIT_S", "OPEN_S"):
        monkeypatch.setattr(answers, name, 0.3)

    async def no_rest(seconds: float) -> None:
        return None

    if fault != "silence":
        monkeypatch.setattr("httpx_retries.retry.asyncio.sleep", no_rest)
    wire = wire_of(FAULTS[fault])

    asked = [
        lambda: wire.call(POLL), lambda: wire.call(SUBMIT, submit=True), lambda: wire.call(FORM), lambda: fetched(wire)
    ]  # fmt: skip
    errors = [found for ask in asked if isinstance(found := await outcome(ask), TransportError)]
    assert len(errors) == {"status": 1, "cut": 4, "packed": 3}.get(fault, 4)
    for error in errors:
        assert error.__cause__ is None
        told = reachable(error)
        assert CANARY not in told
        assert SIGNATURE not in told


async def outcome(ask: Callable[[], Any]) -> Any:
    """What a call raises or returns."""
    try:
        return await ask()
    except TransportError as error:
        return error
