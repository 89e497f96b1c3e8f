"""Where requests go, with which key, and what is said when they do not arrive."""

from __future__ import annotations

import asyncio
import contextlib
import html
import logging
from collections.abc import Callable, Mapping
from typing import ClassVar
from urllib.parse import quote, quote_plus

import anyio
import httpx
import pytest
from fakes import CANARY, Scripted

from vidnb import providers
from vidnb.errors import ConfigError, TransportError
from vidnb.net.target import target
from vidnb.net.wire import AT_ONCE, Turns, Wire
from vidnb.records import Call, Link, redact

LEONARDO = providers.get("leonardo")
SIGNED = "https://s3.us-east-1.amazonaws.com/asset.1min.ai/videos/x.mp4?X-Amz-Signature=5ec4e7"


def live(transport: httpx.AsyncBaseTransport) -> Wire:
    return Wire(target(LEONARDO, key=CANARY), transport)


def test_without_a_key_a_provider_is_emulated() -> None:
    assert target(LEONARDO).in_process
    assert target(LEONARDO).emulated


def test_with_a_key_it_is_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEONARDO_API_KEY", CANARY)
    found = target(LEONARDO)
    assert (found.base_url, found.emulated) == ("https://cloud.leonardo.ai/api/rest", False)


def test_vidnb_live_forbids_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDNB_LIVE", "1")
    with pytest.raises(ConfigError, match="LEONARDO_API_KEY"):
        target(LEONARDO)


@pytest.mark.parametrize(("told", "said"), [("On", "LEONARDO_API_KEY"), ("maybe", "VIDNB_LIVE='maybe': write 1")])
def test_another_word_in_vidnb_live_is_understood_or_refused(
    told: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDNB_LIVE", told)
    with pytest.raises(ConfigError, match=said):
        target(LEONARDO)
    monkeypatch.setenv("VIDNB_LIVE", "off")
    assert target(LEONARDO).emulated


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x",
        "leonardo.ai",
        "http://leonardo.example.com",
        "https://user:pass@host/x",
        "https://:pass@host/x",
        "https://[::1",
        "https://host:port/x",
        "https://host:99999",
    ],
)
def test_a_base_url_that_would_leak_the_key_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEONARDO_BASE_URL", url)
    with pytest.raises(ConfigError) as caught:
        target(LEONARDO, key=CANARY)
    assert "pass@" not in str(caught.value)


def test_a_server_on_this_machine_is_no_emulator_by_its_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEONARDO_BASE_URL", "http://127.0.0.1:9/api/rest/")
    found = target(LEONARDO, key=CANARY)
    assert (found.base_url, found.emulated, found.in_process) == ("http://127.0.0.1:9/api/rest", False, False)
    with pytest.raises(ConfigError, match=r"vidnb emulate.*LEONARDO_API_KEY"):
        target(LEONARDO)


def test_the_key_is_in_no_repr_and_not_in_the_account() -> None:
    found = target(LEONARDO, key=CANARY)
    wire = live(Scripted(lambda request: httpx.Response(200)))
    assert CANARY not in f"{found!r} {found.account} {wire!r} {vars(wire)!r}"


@pytest.mark.anyio
async def test_every_call_of_the_api_carries_the_key_and_no_absolute_one_does() -> None:
    transport = Scripted(lambda request: httpx.Response(200, json={}))
    wire = live(transport)
    await wire.call(Call("GET", "/v1/me"))
    await wire.call(Call("POST", "https://bucket.example.com/", form={"a": "b"}))
    with_key, without = transport.requests
    assert CANARY in with_key.headers["authorization"]
    assert CANARY not in str(without.headers.raw)


@pytest.mark.anyio
async def test_a_redirect_of_the_api_is_not_followed_with_the_key() -> None:
    away = httpx.Response(307, headers={"location": "https://evil.example.com/"})
    transport = Scripted(lambda request: away)
    reply = await live(transport).call(Call("POST", "/v2/generations", json={}), submit=True)
    assert reply.status_code == 307
    assert {request.url.host for request in transport.requests} == {"cloud.leonardo.ai"}


POLICY = "eyJleHBpcmF0aW9uIjoi+MjAyNi0x/MS0zMFQx=="
REPEATED: dict[str, Callable[[str], str]] = {
    "as it was": str,
    "in XML": html.escape,
    "in a query": lambda value: quote(value, safe=""),
    "in a form": quote_plus,
    "in JSON": lambda value: value.replace("/", "\\/"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("case", REPEATED)
async def test_what_an_upload_was_signed_with_is_not_repeated(case: str) -> None:
    signature, token = "Aa+bC/dEfGhIjKlMnOp=", "'t0ken&of a session'"
    url = f"https://bucket.example.com/form?X-Amz-Security-Token={quote_plus(token)}"
    call = Call("POST", url, form={"policy": POLICY, "x-amz-meta": "short"}, headers={"x-signed": signature})
    text = " ".join(REPEATED[case](value) for value in (POLICY, signature, token))
    reply = await live(Scripted(lambda request: httpx.Response(403, text=f"<Error>{text} short</Error>"))).call(call)
    assert reply.text == "<Error>[signed] [signed] [signed] short</Error>"


@pytest.mark.anyio
@pytest.mark.parametrize("status", [307, 308])
async def test_an_upload_goes_where_the_storage_says_once_and_never_into_the_private_network(status: int) -> None:
    place = "https://bucket.eu.example.com/form"

    def storage(request: httpx.Request) -> httpx.Response:
        moved = request.url.host == "bucket.example.com"
        return httpx.Response(status if moved else 204, headers={"location": place} if moved else {})

    transport = Scripted(storage)
    call = Call("POST", "https://bucket.example.com/form", form={"a": "b"})
    assert (await live(transport).call(call)).status_code == 204
    first, second = transport.requests
    assert (str(second.url), second.content) == (place, first.content)
    assert CANARY not in str(second.headers.raw)
    place = "https://10.0.0.1/form"
    with pytest.raises(TransportError, match="private network"):
        await live(Scripted(storage)).call(call)
    place = "https://bucket.example.com/form"  # in a ring
    assert (await live(Scripted(storage)).call(call)).status_code == status
    nowhere = Scripted(lambda request: httpx.Response(status))
    assert (await live(nowhere).call(call)).status_code == status
    assert len(nowhere.requests) == 1, "what says no place is not sent the file twice"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("error", "sent", "tries"),
    [
        (httpx.ConnectError("no"), False, 4),
        (httpx.ConnectTimeout("no"), False, 4),
        (httpx.PoolTimeout("no"), False, 4),
        (httpx.ReadTimeout("no"), True, 1),
        (httpx.WriteError("no"), True, 1),
        (httpx.RemoteProtocolError("no"), True, 1),
        (httpx.ReadError("no"), True, 1),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_submit_is_repeated_only_where_nothing_can_have_been_received(
    error: httpx.TransportError, sent: bool, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_rest(seconds: float) -> None:
        return None

    monkeypatch.setattr("httpx_retries.retry.asyncio.sleep", no_rest)

    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    transport = Scripted(fail)
    with pytest.raises(TransportError) as caught:
        await live(transport).call(Call("POST", "/v2/generations", json={}), submit=True)
    assert (caught.value.sent, len(transport.requests)) == (sent, tries)


@pytest.mark.anyio
async def test_a_submit_that_was_answered_with_an_error_is_never_repeated() -> None:
    for status in range(200, 1000):  # 599 is what some proxies say of a connection that they lost
        transport = Scripted(lambda request, status=status: httpx.Response(status))  # type: ignore[misc]
        await live(transport).call(Call("POST", "/v2/generations", json={}), submit=True)
        assert (status, len(transport.requests)) == (status, 1)


@pytest.mark.anyio
async def test_a_request_that_the_library_refuses_is_not_quoted_with_its_key() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.LocalProtocolError(f"Illegal header value b'Bearer {CANARY}'")

    with pytest.raises(TransportError, match="LocalProtocolError") as caught:
        await live(Scripted(refuse)).call(Call("POST", "/v2/generations", json={}), submit=True)
    assert CANARY not in str(caught.value)


@pytest.mark.anyio
async def test_a_delete_is_sent_once_whatever_is_answered() -> None:
    busy = Scripted(lambda request: httpx.Response(503))
    assert (await live(busy).call(Call("DELETE", "/v1/jobs/1"))).status_code == 503
    assert len(busy.requests) == 1, "a second one may delete what was finished meanwhile"


@pytest.mark.anyio
async def test_an_answer_that_repeats_the_key_is_read_without_it() -> None:
    odd = "sk/live+a&b=" + "c" * 20
    told = " ".join(write(odd) for write in REPEATED.values())
    wire = Wire(target(LEONARDO, key=odd), Scripted(lambda request: httpx.Response(400, text=told)))
    assert (await wire.call(Call("GET", "/v1/me"))).text == " ".join(["[key]"] * len(REPEATED))
    for answer in (httpx.Response(200, json={"error": f"bad {CANARY}"}), httpx.Response(400, text=f"bad {CANARY}")):
        reply = await live(Scripted(lambda request, answer=answer: answer)).call(Call("GET", "/v1/me"))  # type: ignore[misc]
        assert (reply.json or {"error": reply.text})["error"] == "bad [key]"
        assert CANARY not in repr(reply)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("url", "why"),
    [("https://10.0.0.1/form", "private network"), ("http://bucket.example.com/form", "is not an https address")],
)
async def test_an_upload_goes_to_safe_public_addresses_only(url: str, why: str) -> None:
    storage = Scripted(lambda request: httpx.Response(204))
    with pytest.raises(TransportError, match=why):
        await live(storage).call(Call("POST", url, form={"a": "b"}))
    assert storage.requests == []


@pytest.mark.anyio
@pytest.mark.parametrize("status", [204, 206, 304, 403, 410])
async def test_only_a_whole_answer_is_a_clip_and_only_410_says_that_it_is_gone(status: int) -> None:
    part = Scripted(lambda request: httpx.Response(status, stream=httpx.ByteStream(b"the middle of a clip")))
    with pytest.raises(TransportError, match=f"answered HTTP {status}") as caught:
        async with live(part).download(SIGNED):
            pass
    assert caught.value.gone == (status == 410)


@pytest.mark.anyio
async def test_a_clip_behind_an_unsafe_address_is_asked_for_in_the_safe_way() -> None:
    transport = Scripted(lambda request: httpx.Response(200, stream=httpx.ByteStream(b"a clip")))
    async with live(transport).download("http://cdn.example.com/clip.mp4") as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"a clip"
    assert [str(request.url) for request in transport.requests] == ["https://cdn.example.com/clip.mp4"]


def test_signatures_are_cut_from_text() -> None:
    assert redact(f"got {SIGNED} and more") == f"got {SIGNED.split('?')[0]}?... and more"


@pytest.mark.anyio
async def test_the_log_shows_no_signature_and_no_key(caplog: pytest.LogCaptureFixture) -> None:
    wire = live(Scripted(lambda request: httpx.Response(200, stream=httpx.ByteStream(b"x"))))
    with caplog.at_level(logging.DEBUG):
        async with wire.download(SIGNED) as chunks:
            assert b"".join([chunk async for chunk in chunks]) == b"x"
        await wire.call(Call("GET", "/v1/me"))
        # httpcore tells at this level where an answer redirects to.
        told = f"receive_response_headers.complete [(b'location', b'{SIGNED}')]"
        logging.getLogger("httpcore.http11").debug(told)
    assert "amazonaws" in caplog.text
    assert "receive_response_headers" in caplog.text
    assert "5ec4e7" not in caplog.text
    assert CANARY not in caplog.text


def test_accounts_are_told_apart() -> None:
    assert target(LEONARDO, key=CANARY).account != target(LEONARDO, key="other").account


@pytest.mark.anyio
async def test_a_few_transfers_begin_at_once_and_a_slow_one_stops_nobody() -> None:
    turns, begun, end = Turns(turn_s=0.01), 0, asyncio.Event()

    async def transfer() -> None:
        nonlocal begun
        async with turns.turn():
            begun += 1
            await end.wait()

    tasks = [asyncio.create_task(transfer()) for _ in range(3 * AT_ONCE)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert begun == AT_ONCE
    with anyio.fail_after(10):
        while begun < len(tasks):  # noqa: ASYNC110  # the turns end by themselves
            await asyncio.sleep(0)
    end.set()
    await asyncio.gather(*tasks)


async def begin_together(turns: Turns) -> int:
    """How many of many requests begin before any of them ends."""
    begun, end = 0, asyncio.Event()

    async def request() -> None:
        nonlocal begun
        async with turns.turn():
            begun += 1
            await end.wait()

    tasks = [asyncio.create_task(request()) for _ in range(3 * AT_ONCE)]
    for _ in range(10):
        await asyncio.sleep(0)
    found = begun
    end.set()
    await asyncio.gather(*tasks)
    return found


@pytest.mark.anyio
@pytest.mark.parametrize("fails", [False, True])
async def test_each_turn_is_given_back_once_however_it_ends(fails: bool) -> None:
    turns = Turns()
    for _ in range(3 * AT_ONCE):
        with contextlib.suppress(OSError):
            async with turns.turn() as end:
                if fails:
                    raise OSError("gone")
                end()  # early, and once more at the end of the block
    assert await begin_together(turns) == AT_ONCE
    assert await begin_together(turns) == AT_ONCE


class Hosted(type(LEONARDO)):  # type: ignore[misc]  # the class behind a provider that is looked up by name
    """Leonardo with a second host."""

    other_hosts: ClassVar[Mapping[str, str]] = {"files": "https://files.leonardo.ai"}


@pytest.mark.anyio
async def test_a_call_on_another_of_its_hosts_takes_the_key_its_own_headers_and_a_raw_body() -> None:
    transport = Scripted(lambda request: httpx.Response(200, json={}))
    call = Call("PUT", "/v1/up", content=b"bytes", headers={"X-Days": "1"}, host="files")
    await Wire(target(Hosted(), key=CANARY), transport).call(call)
    (request,) = transport.requests
    assert str(request.url) == "https://files.leonardo.ai/v1/up"
    assert (request.content, request.headers["x-days"]) == (b"bytes", "1")
    assert request.headers["authorization"] == f"Bearer {CANARY}"


@pytest.mark.anyio
async def test_a_client_that_is_pointed_elsewhere_finds_every_host_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEONARDO_BASE_URL", "http://127.0.0.1:9/api/rest")
    transport = Scripted(lambda request: httpx.Response(200, json={}))
    await Wire(target(Hosted(), key=CANARY), transport).call(Call("GET", "/v1/up", host="files"))
    assert str(transport.requests[0].url) == "http://127.0.0.1:9/api/rest/files/v1/up"


@pytest.mark.anyio
async def test_a_clip_on_the_providers_own_host_is_fetched_with_the_key_and_its_redirect_without() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "cloud.leonardo.ai":
            return httpx.Response(302, headers={"location": "https://cdn.example.com/clip.mp4"})
        return httpx.Response(200, stream=httpx.ByteStream(b"a clip"))

    transport = Scripted(answer)
    async with live(transport).download("/v1/clips/1") as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"a clip"
    first, second = transport.requests
    assert first.headers["authorization"] == f"Bearer {CANARY}"
    assert CANARY not in str(second.headers.raw)
    assert second.url.host == "cdn.example.com"


@pytest.mark.anyio
async def test_a_redirect_of_a_clip_into_the_private_network_is_not_followed() -> None:
    transport = Scripted(lambda request: httpx.Response(302, headers={"location": "https://10.0.0.1/clip.mp4"}))
    with pytest.raises(TransportError, match="private network"):
        async with live(transport).download("/v1/clips/1"):
            raise AssertionError("it was followed")
    assert len(transport.requests) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("link", ["https://cdn.leonardo.ai/\x00.mp4", "https://[broken/x.mp4", "ftp://cdn/x.mp4"])
async def test_a_link_that_is_no_address_says_so_and_leaves_the_job_to_be_asked_again(link: str) -> None:
    transport = Scripted(lambda request: httpx.Response(200))
    with pytest.raises(TransportError, match="the clip's link is no") as caught:
        async with live(transport).download(Link(link)):
            pass
    assert caught.value.sent, "the service has the job"
    assert transport.requests == []
