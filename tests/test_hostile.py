"""A service that answers nonsense, a database that refuses in the worst moment, a key that is none: nothing is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import PIL.Image
import pytest
from fakes import CANARY, ONEMIN, QUICK, Scripted, emulated, no_rest

from vidnb import providers
from vidnb.client.asynchronous import AsyncClient
from vidnb.emulator import Emulator, StreamingASGITransport
from vidnb.errors import (
    ConfigError,
    JobAmbiguousError,
    JobFailedError,
    JobTimeoutError,
    MediaError,
    ParamsError,
    StoreError,
    TransportError,
)
from vidnb.jobs import poll as polling
from vidnb.media import video
from vidnb.net.target import target
from vidnb.net.wire import Wire, check_link
from vidnb.records import Job, State

pytestmark = pytest.mark.anyio

ID = "1f1a06db-37cd-6c60-9cac-182717e03f42"
MADE = {"generate": {"generationId": ID}, "aiRecord": {"uuid": ID, "status": "PROCESSING"}}
GONE: dict[str, Any] = {"generations_by_pk": None, "aiRecord": None}


def answers(submit: httpx.Response | Exception, poll: Callable[[], httpx.Response]) -> Scripted:
    """A service that says one thing to every POST and another to every GET."""

    def answer(request: httpx.Request) -> httpx.Response:
        told = submit if request.method == "POST" else poll()
        if isinstance(told, Exception):
            raise told
        return told

    return Scripted(answer)


def client_of(
    home: Path, transport: Scripted, key: str = CANARY, rest: Callable[[float], Awaitable[None]] = no_rest
) -> AsyncClient:
    return AsyncClient(home, keys={"leonardo": key, "1min": key}, transport=transport, sleep=rest)


def body(content: bytes, **headers: str) -> httpx.Response:
    """An answer as it comes from the wire, not decoded yet."""
    return httpx.Response(200, headers=headers, stream=httpx.ByteStream(content))


NONSENSE = {
    "not gzip": body(b"{}", **{"content-encoding": "gzip"}),
    "nested too deeply": body(b"[" * 100_000),
    "utf-16 without a mark": body(b"\x80abc", **{"content-type": "text/html; charset=utf-16"}),
    "no text encoding": body(b"x", **{"content-type": "text/plain; charset=hex"}),
    "cut JSON": body(b'{"aiRecord": {"uuid": "1f1a'),
    "decoding error": httpx.DecodingError("x"),
}


@pytest.mark.parametrize("submit", NONSENSE.values(), ids=NONSENSE)
async def test_an_answer_that_cannot_be_read_leaves_the_submit_ambiguous_and_is_sent_once(
    tmp_path: Path, submit: httpx.Response | Exception
) -> None:
    transport = answers(submit, lambda: httpx.Response(503))
    async with client_of(tmp_path, transport) as client:
        with pytest.raises(JobAmbiguousError):
            await client.generate("a koala", **ONEMIN)
        assert [row.state for row in client.jobs()] == [State.AMBIGUOUS]
    assert [request.method for request in transport.requests].count("POST") == 1


async def test_a_fault_of_our_own_after_the_submit_leaves_it_ambiguous_and_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidnb.providers.onemin.OneMin.submitted", lambda self, reply: 1 / 0)
    async with client_of(tmp_path, answers(httpx.Response(200, json=MADE), lambda: httpx.Response(503))) as client:
        with pytest.raises(ZeroDivisionError):
            await client.generate("a koala", **ONEMIN)
        assert [row.state for row in client.jobs()] == [State.AMBIGUOUS]


@pytest.mark.parametrize("failures", [2, 1000])
async def test_a_database_that_refuses_the_remote_id_is_asked_again_and_the_id_is_told(
    tmp_path: Path, failures: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(polling.PATIENCE, "unknown", (0.0, 5))
    told: list[Any] = [GONE]
    transport = answers(httpx.Response(200, json=MADE), lambda: httpx.Response(200, json=told[0]))
    async with client_of(tmp_path, transport) as client:
        move, refused = client.store.move, []

        def refusing(job_id: str, to: State, **columns: Any) -> Job:
            if columns.get("remote_id") and len(refused) < failures:
                refused.append(to)
                raise StoreError("the disk is full")
            return move(job_id, to, **columns)

        client.store.move = refusing  # type: ignore[method-assign]
        with caplog.at_level(logging.ERROR), pytest.raises((StoreError, JobAmbiguousError)) as caught:
            await client.generate("a koala", **ONEMIN)
        assert ID in caplog.text
        (row,) = client.jobs()
        if failures == 2:
            assert row.remote_id == ID
        else:
            assert ID in str(caught.value)
            assert row.state is State.SUBMITTING
            client.store.move = move  # type: ignore[method-assign]
            (row,) = await client.resume()
            assert row.state is State.AMBIGUOUS
            told[0] = {"aiRecord": {"uuid": ID, "status": "PROCESSING"}}
            assert (await client.settle(row, remote_id=ID)).remote_id == ID
    assert [request.method for request in transport.requests].count("POST") == 1


async def test_a_downloading_job_whose_status_cannot_be_read_waits_between_its_polls(tmp_path: Path) -> None:
    rests: list[float] = []

    def poll() -> httpx.Response:
        assert len(transport.requests) < 50, "polled without a rest"
        return httpx.Response(200, json={"weird": 1})

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        await asyncio.sleep(0.05)

    transport = answers(httpx.Response(200, json=MADE), poll)
    async with client_of(tmp_path, transport, rest=rest) as client:
        job = await client.submit("a koala", **QUICK)
        with pytest.raises(JobTimeoutError):
            await client.wait(job, timeout_s=0.2)
        await client.stop_waiting(job)
        client.store.move(job.id, State.DOWNLOADING)
        before, rests[:] = len(transport.requests), []
        with pytest.raises(JobTimeoutError):
            await client.wait(job, timeout_s=0.4)
        assert len(transport.requests) - before <= len(rests) + 1


def no_page(status: int) -> httpx.Response:
    return httpx.Response(status, text="<html>not here</html>")


@pytest.mark.parametrize(
    "odd",
    [
        lambda: httpx.Response(200, json=GONE),
        lambda: no_page(404),
        lambda: httpx.Response(403, text="error code: 1010"),
        lambda: httpx.Response(402, json={"errorCode": "INSUFFICIENT_CREDITS", "message": "x"}),
    ],
    ids=["one null", "a page", "the edge", "no credit"],
)
@pytest.mark.parametrize("values", [QUICK, ONEMIN], ids=["leonardo", "1min"])
async def test_one_odd_answer_to_an_old_job_is_not_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: Callable[[], httpx.Response], values: dict[str, Any]
) -> None:
    monkeypatch.setitem(polling.PATIENCE, "unknown", (0.0, 5))
    asked: list[int] = []

    def poll() -> httpx.Response:
        asked.append(1)
        failed = {"generations_by_pk": {"id": ID, "status": "FAILED"}, "aiRecord": {"uuid": ID, "status": "FAILURE"}}
        return odd() if len(asked) < 4 else httpx.Response(200, json=failed)

    async with client_of(tmp_path, answers(httpx.Response(200, json=MADE), poll)) as client:
        with pytest.raises(JobFailedError, match="no reason"):
            await client.generate("a koala", **values)
    assert len(asked) == 4


async def test_a_job_that_its_account_no_longer_has_is_left_to_a_person_after_several_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(polling.PATIENCE, "unknown", (0.0, 5))
    transport = answers(httpx.Response(200, json=MADE), lambda: httpx.Response(200, json=GONE))
    async with client_of(tmp_path, transport) as client:
        with pytest.raises(JobAmbiguousError, match="knows no generation"):
            await client.generate("a koala", **QUICK)
    assert len(transport.requests) == 6


async def test_another_accounts_key_cannot_end_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(polling.PATIENCE, "unknown", (0.0, 5))
    running = {"generations_by_pk": {"id": ID, "status": "PENDING"}}
    transport = answers(httpx.Response(200, json=MADE), lambda: httpx.Response(200, json=running))
    async with client_of(tmp_path, transport, rest=lambda seconds: asyncio.sleep(0.01)) as client:
        with pytest.raises(JobTimeoutError):
            await client.generate("a koala", timeout_s=0.2, **QUICK)
    gone = answers(httpx.Response(200, json=MADE), lambda: httpx.Response(200, json=GONE))
    async with client_of(tmp_path, gone, key="another-key") as client:
        with pytest.raises(ConfigError, match="another LEONARDO_API_KEY"):
            await client.generate("a koala", **QUICK)
        assert [row.state for row in client.jobs()] == [State.RUNNING]
    assert [request.method for request in gone.requests].count("POST") == 0


@pytest.mark.parametrize("key", ["a\nX-Evil: b", "“quoted”", '"quoted"', "two words", "ümlaut", "nul\0"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="LEONARDO_API_KEY") as caught:
        target(providers.get("leonardo"), key=key)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "link",
    ["https://[::1", "https://127.1/x", "https://2130706433/x", "https://0x7f.1/x", "https://localhost./x",
     "https://intranet/x", "https://[::ffff:127.0.0.1]/x", "https://10.1/x"],
)  # fmt: skip
def test_a_link_to_this_machine_is_refused_however_it_is_written(link: str) -> None:
    with pytest.raises(TransportError):
        check_link(link, target(providers.get("leonardo"), key=CANARY))


@pytest.mark.parametrize(
    "link", ["https://host:0x1/x", "https://xn--/x.mp4", "https://a..b/\ud83d", "https://x.test:99999"]
)
async def test_a_link_that_is_no_address_is_a_transport_error(link: str) -> None:
    transport = answers(httpx.Response(200), lambda: httpx.Response(404))
    wire = Wire(target(providers.get("leonardo"), key=CANARY), transport, retries=False)
    with pytest.raises(TransportError):
        async with wire.download(link):
            pass


async def test_an_id_beside_an_error_is_kept(tmp_path: Path) -> None:
    both = httpx.Response(200, json={**MADE, "errors": [{"message": "a bad value"}]})
    transport = answers(both, lambda: httpx.Response(200, json={"generations_by_pk": {"id": ID, "status": "FAILED"}}))
    async with client_of(tmp_path, transport) as client:
        with pytest.raises(JobFailedError, match="no reason") as caught:
            await client.generate("a koala", **QUICK)
    assert caught.value.job.remote_id == ID


@pytest.mark.parametrize("listed", [1, 2])
async def test_a_lost_submit_is_not_guessed_where_another_tool_sent_the_same_prompt(
    tmp_path: Path, listed: int
) -> None:
    now = datetime.now(UTC).isoformat()
    found = [{"id": f"{n}{ID[1:]}", "prompt": "a koala", "createdAt": now} for n in range(listed)]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            raise httpx.ReadTimeout("x")
        if request.url.path.endswith("/me"):
            return httpx.Response(200, json={"user_details": [{"user": {"id": ID}}]})
        if "/user/" in request.url.path:
            return httpx.Response(200, json={"generations": found})
        return httpx.Response(200, json={"generations_by_pk": {"id": f"0{ID[1:]}", "status": "FAILED"}})

    async with client_of(tmp_path, Scripted(answer)) as client:
        with pytest.raises(JobAmbiguousError):
            await client.generate("a koala", **QUICK)
        assert [row.remote_id for row in client.jobs()] == [None]


async def test_a_clip_in_an_unknown_codec_is_kept_and_marked(tmp_path: Path) -> None:
    async with emulated(tmp_path) as client:
        clip = await client.generate("a koala", **QUICK)
        content = clip.path.read_bytes()
    path = tmp_path / "odd.mp4"
    path.write_bytes(content.replace(b"avc1", b"zzzz"))
    info = video.verify_video(path)
    assert info.frames == clip.info.frames
    assert "cannot be decoded here" in str(info.note)
    with pytest.raises(MediaError, match="decoded here"):
        video.poster(path)


@pytest.mark.parametrize("damage", ["deleted", "cut", "changed"])
async def test_a_deleted_or_damaged_clip_is_fetched_again_at_no_cost(tmp_path: Path, damage: str) -> None:
    emulator = Emulator(tmp_path / "service", latency_s=0.05)
    async with emulated(tmp_path, emulator) as client:
        clip = await client.generate("a koala", **QUICK)
        path, content = clip.path, clip.path.read_bytes()
        path.unlink()
        if damage != "deleted":
            path.write_bytes(content[:-100] if damage == "cut" else content[:-1] + b"?")
        with pytest.raises(
            StoreError, match="no longer in.*fetches it" if damage == "deleted" else "damaged; .*fetches"
        ):
            _ = clip.path
        again = await client.generate("a koala", **QUICK)
        assert again.path.read_bytes() == content
    assert emulator.stats()["jobs"] == 1


async def test_a_deleted_clip_that_the_service_no_longer_has_is_told_and_not_paid_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with emulated(tmp_path, Emulator(tmp_path / "service", latency_s=0.05)) as client:
        first = await client.generate("a koala", **QUICK)
        first.path.unlink()
    other = Emulator(tmp_path / "another service", latency_s=0.05)
    caplog.set_level(logging.INFO, "vidnb")
    async with emulated(tmp_path, other) as client:
        again = await client.generate("a koala", **QUICK)
        assert again.job.id == first.job.id
    assert "cannot be fetched again" in caplog.text
    assert other.stats()["jobs"] == 0


async def test_a_damaged_input_is_noticed_before_it_is_uploaded_and_taken_when_it_is_given_again(
    tmp_path: Path,
) -> None:
    emulator = Emulator(tmp_path / "service", latency_s=0.05)
    given = {"model": "leonardo/motion_2.0", "start_image": PIL.Image.new("RGB", (640, 384), "teal"), "seed": 1}
    async with emulated(tmp_path, emulator) as client:
        clip = await client.generate("a koala", **given)
        (stored,) = (client.home / "files").rglob("*.png")
        stored.write_bytes(stored.read_bytes()[:-5])
        with pytest.raises(StoreError, match=r"start_image.*damaged"):
            _ = clip.request
        await client.generate("a koala", **given | {"seed": 2})
        assert clip.request["start_image"] == stored


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"type": [], "model": {}, "promptObject": 1}'])
async def test_the_emulator_refuses_odd_bodies_in_the_services_words(tmp_path: Path, content: bytes) -> None:
    emulator = Emulator(tmp_path)
    async with httpx.AsyncClient(transport=StreamingASGITransport(emulator.app), base_url="http://emulator") as client:
        reply = await client.post("/api/features", content=content, headers={"api-key": "x"})
    assert reply.status_code == 400
    assert reply.json()["errorCode"]


async def test_an_image_address_that_redirects_into_the_private_network_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"location": "http://169.254.169.254/latest/meta-data"})

    class Redirecting(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return answer(request)

    monkeypatch.setattr("vidnb.client.addresses.Sockets", lambda connections: Redirecting())
    async with emulated(tmp_path) as client:
        with pytest.raises(ParamsError, match="private network"):
            await client.submit("x", model="leonardo/MOTION2", start_image="https://pictures.example.com/a.png")
    assert asked == ["pictures.example.com"]


async def test_an_image_address_that_drips_or_fails_ends_and_its_signature_is_in_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Drips(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b"\x89"
                await asyncio.sleep(0.02)

    class Server(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=Drips()) if "drips" in request.url.path else httpx.Response(403)

    monkeypatch.setattr("vidnb.client.addresses.Sockets", lambda connections: Server())
    monkeypatch.setattr("vidnb.client.addresses.LONGEST_S", 0.2)
    async with emulated(tmp_path) as client:
        for name in ("drips", "refused"):
            address = f"https://pictures.example.com/{name}.png?X-Amz-Signature=5ec4e7"
            with pytest.raises(ParamsError, match="cannot be read") as caught:
                await client.submit("x", model="leonardo/MOTION2", start_image=address)
            assert caught.value.__cause__ is None
            assert caught.value.__context__ is None
            assert "5ec4e7" not in str(caught.value)
        assert client.jobs() == []
