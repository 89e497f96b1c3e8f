"""Just before the first byte of a request leaves, it is asked once more whether it may."""

from __future__ import annotations

import httpx
import pytest
from counting import CountingService
from fakes import CANARY, Scripted

from vidnb import providers
from vidnb.errors import NotSentError
from vidnb.net.gate import Gate, Way
from vidnb.net.target import target
from vidnb.net.wire import Wire
from vidnb.records import Call

pytestmark = pytest.mark.anyio

SUBMIT = Call("POST", "/v2/generations", json={"prompt": "a koala"})


async def refuse() -> None:
    raise NotSentError("no longer ours")


async def test_over_a_socket_nothing_is_sent_where_the_gate_refuses() -> None:
    with CountingService().serving() as service:
        async with httpx.AsyncClient(transport=Gate(httpx.AsyncHTTPTransport())) as client:
            request = client.build_request("POST", service.url, json={"prompt": "a"}, extensions={"gate": Way(refuse)})
            with pytest.raises(NotSentError, match="no longer ours"):
                await client.send(request)
            assert (await client.post(service.url, json={"prompt": "b"})).status_code == 200
        assert service.prompts == ["b"]


async def test_over_a_socket_the_gate_is_asked_when_the_connection_stands() -> None:
    with CountingService().serving() as service:
        events: list[str] = []

        class Telling(httpx.AsyncHTTPTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                asked = request.extensions["trace"]

                async def trace(event: str, info: object) -> None:
                    events.append(event)
                    await asked(event, info)

                request.extensions = {**request.extensions, "trace": trace}
                return await super().handle_async_request(request)

        async def ask() -> None:
            events.append("asked")

        async with httpx.AsyncClient(transport=Gate(Telling())) as client:
            await client.send(client.build_request("POST", service.url, json={}, extensions={"gate": Way(ask)}))
    assert events.index("connection.connect_tcp.complete") < events.index("asked")
    assert events.index("asked") < events.index("http11.send_request_headers.complete")
    assert events.count("asked") == 1


async def test_over_another_transport_nothing_is_handed_on_where_the_gate_refuses() -> None:
    transport = Scripted(lambda request: httpx.Response(200, json={}))
    wire = Wire(target(providers.get("leonardo"), key=CANARY), transport)
    with pytest.raises(NotSentError):
        await wire.call(SUBMIT, submit=True, gate=refuse)
    assert not transport.requests
    assert (await wire.call(SUBMIT, submit=True)).status_code == 200


async def test_each_try_is_asked_for_anew() -> None:
    answers = iter([429, 200])
    asked: list[None] = []

    async def ask() -> None:
        asked.append(None)

    transport = Scripted(lambda request: httpx.Response(next(answers), headers={"retry-after": "0"}, json={}))
    wire = Wire(target(providers.get("leonardo"), key=CANARY), transport)
    reply = await wire.call(SUBMIT, submit=True, gate=ask)
    assert (reply.status_code, len(transport.requests), len(asked)) in [(200, 2, 2), (429, 1, 1)]
