"""The life of a job: paid once, never lost, whatever the network does."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import clipmakers
import httpx
import pytest
from fakes import (
    CANARY,
    ONEMIN,
    QUICK,
    EmulatorBehind,
    LiveNames,
    Recorder,
    Scripted,
    emulated,
    no_rest,
    picture,
    short_rest,
)
from stranger import KEYS, Stranger, film

from vidnb.client.asynchronous import AsyncClient
from vidnb.clock import Clock
from vidnb.emulator import Emulator, Fault, StreamingASGITransport
from vidnb.errors import (
    ConfigError,
    JobAmbiguousError,
    JobError,
    JobFailedError,
    JobTimeoutError,
    ParamsError,
    RateLimitError,
    StoreError,
    TransportError,
    VidnbError,
)
from vidnb.jobs.engine import WRITE_TRIES
from vidnb.jobs.schedule import Schedule
from vidnb.records import State

pytestmark = pytest.mark.anyio


def emulator_in(folder: Path, *faults: Fault | str, **settings: Any) -> Emulator:
    return Emulator(folder / "emulator", faults=faults, **{"latency_s": 0.05, **settings})


def posts(emulator: Emulator) -> int:
    """Submits that reached the services, at their own count."""
    counts: dict[str, int] = emulator.stats()["operations"]
    return sum(n for name, n in counts.items() if name.endswith("submit"))


async def test_a_clip_comes_from_each_service(tmp_path: Path) -> None:
    async with emulated(tmp_path) as client:
        for values in (QUICK, ONEMIN):
            clip = await client.generate("a koala", **values)
            assert clip.job.state is State.DONE
            assert clip.path.read_bytes()[4:8] == b"ftyp"
            assert clip.emulated


async def test_what_was_asked_for_is_what_was_measured(tmp_path: Path) -> None:
    async with emulated(tmp_path) as client:
        info = (await client.generate("a koala", **QUICK)).info
    assert (info.width_px, info.height_px, info.duration_s) == (640, 360, pytest.approx(3, abs=0.05))


async def test_the_row_is_written_before_the_submit(tmp_path: Path) -> None:
    seen: list[State] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            seen.extend(row.state for row in client.store.jobs())
        return httpx.Response(400, json={"error": "no", "path": "$", "code": "unexpected"})

    async with AsyncClient(tmp_path, keys={"leonardo": CANARY}, transport=Scripted(answer)) as client:
        with pytest.raises(JobFailedError):
            await client.generate("a koala", **QUICK)
    assert seen == [State.SUBMITTING]


async def test_the_same_recipe_is_the_same_job_for_another_client_too(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path)
    async with emulated(tmp_path, emulator) as client:
        first = await client.generate("a koala", **QUICK)
    async with emulated(tmp_path, emulator) as other:
        second = await other.generate("a koala", **QUICK)
    assert first.job.id == second.job.id
    assert posts(emulator) == 1


async def test_fresh_makes_the_next_take(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path)
    async with emulated(tmp_path, emulator) as client:
        takes = [(await client.generate("a koala", fresh=fresh, **QUICK)).job.take for fresh in (False, True, True)]
    assert takes == [0, 1, 2]
    assert posts(emulator) == 3


async def test_ten_clicks_at_once_pay_once(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path)
    async with emulated(tmp_path, emulator) as client:
        clips = await asyncio.gather(*(client.generate("a koala", **QUICK) for _ in range(10)))
    assert len({clip.job.id for clip in clips}) == 1
    assert posts(emulator) == 1


async def test_two_clients_share_a_job_without_doing_it_twice(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path)
    async with emulated(tmp_path, emulator) as one, emulated(tmp_path, emulator) as two:
        clips = await asyncio.gather(one.generate("a koala", **QUICK), two.generate("a koala", **QUICK))
    assert clips[0].job.id == clips[1].job.id
    assert (posts(emulator), emulator.stats()["downloads"]) == (1, 1)


async def test_a_lost_reply_never_makes_a_second_post_and_the_clip_is_found(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path, "lost_reply:submit:1")
    async with emulated(tmp_path, emulator) as client:
        clip = await client.generate("a koala", **QUICK)
        notes = [event.note for event in client.store.events(clip.job.id)]
        assert any("list" in note for note in notes)
    assert posts(emulator) == 1


async def test_a_lost_reply_of_a_service_without_a_list_is_put_to_the_person(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path, "lost_reply:submit:1")
    async with emulated(tmp_path, emulator) as client:
        with pytest.raises(JobAmbiguousError, match="paid twice") as caught:
            await client.generate("a koala", **ONEMIN)
        assert posts(emulator) == 1
        with pytest.raises(JobAmbiguousError):
            await client.generate("a koala", **ONEMIN)
        assert posts(emulator) == 1
        await client.settle(caught.value.job, "send_again")
        assert (await client.wait(caught.value.job)).job.state is State.DONE
    assert posts(emulator) == 2


async def test_a_job_settled_while_its_list_is_still_read_goes_on(tmp_path: Path) -> None:
    looks = itertools.count()

    class FirstLookFails(httpx.AsyncBaseTransport):
        def __init__(self, app: httpx.AsyncBaseTransport) -> None:
            self.app = app

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/me") and next(looks) == 0:
                await asyncio.sleep(1)
                return httpx.Response(401, json={"error": "not now"})
            return await self.app.handle_async_request(request)

    emulator = EmulatorBehind(tmp_path / "emulator", FirstLookFails, faults=["lost_reply:submit:1"])
    async with emulated(tmp_path, emulator) as client:
        async for job in client.watch(await client.submit("a koala", **QUICK)):
            if job.state is State.AMBIGUOUS:
                break
        assert [row.state for row in await client.reconcile(job)] == [State.RUNNING]  # the engine's own look is slower
        states = [row.state async for row in client.watch(job)]
    assert states[-1] is State.DONE
    assert posts(emulator) == 1


async def test_giving_up_an_ambiguous_job_frees_its_recipe(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path, "lost_reply:submit:1")
    async with emulated(tmp_path, emulator) as client:
        with pytest.raises(JobAmbiguousError) as caught:
            await client.generate("a koala", **ONEMIN)
        assert (await client.settle(caught.value.job, "give_up")).state is State.CANCELLED
        assert (await client.generate("a koala", **ONEMIN)).job.id != caught.value.job.id


async def test_two_lost_takes_of_one_recipe_find_two_different_clips(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path, "lost_reply:submit:2")
    async with emulated(tmp_path, emulator) as client:
        one, two = [await client.submit("a koala", fresh=True, **QUICK) for _ in range(2)]
        await client.resume()
        await client.reconcile()
        clips = [await client.wait(job) for job in (one, two)]
    assert len({clip.job.remote_id for clip in clips}) == 2
    assert posts(emulator) == 2


async def test_a_server_error_on_the_submit_is_ambiguous_not_repeated(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path, "502:submit:1")
    async with emulated(tmp_path, emulator) as client:
        with pytest.raises(JobAmbiguousError):
            await client.generate("a koala", **QUICK)


async def test_a_status_that_gateways_say_of_a_request_that_went_through_is_ambiguous_and_paid_once(
    tmp_path: Path,
) -> None:
    statuses = (303, 308, 408, 409, 425, 499)
    service = Scripted(lambda request: httpx.Response(status, json={"error": "try elsewhere"}))
    async with AsyncClient(tmp_path, keys={"leonardo": CANARY}, transport=service, sleep=no_rest) as client:
        for status in statuses:
            with pytest.raises(JobAmbiguousError):
                await client.generate(f"a koala, {status}", **QUICK)
    assert len([request for request in service.requests if request.method == "POST"]) == len(statuses)


async def test_a_job_that_was_written_before_there_was_a_ledger_is_reserved_and_sent(tmp_path: Path) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    async with AsyncClient(tmp_path, keys=KEYS, transport=Scripted(refuse)) as client:
        with pytest.raises(TransportError, match="nothing was sent"):
            await client.generate("a koala", **QUICK)
        with client.store.writing() as connection:
            connection.exec_driver_sql("DELETE FROM reservations")
    service = Stranger()
    async with AsyncClient(tmp_path, keys=KEYS, transport=service, sleep=no_rest) as client:
        assert [job.state for job in await client.resume()] == [State.DONE]
    assert len(service.posts) == 1


@pytest.mark.parametrize("fault", ["429:submit:2", "429_in_200:submit:1", "connect_error:submit:1"])
async def test_what_cannot_have_been_received_is_sent_again(tmp_path: Path, fault: str) -> None:
    emulator = emulator_in(tmp_path, fault)
    async with emulated(tmp_path, emulator, sleep=no_rest) as client:
        assert (await client.generate("a koala", **QUICK)).job.state is State.DONE
    assert emulator.stats()["jobs"] == 1


async def test_without_a_connection_nothing_is_sent_and_the_job_waits(tmp_path: Path) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    async with AsyncClient(tmp_path, keys={"leonardo": CANARY}, transport=Scripted(refuse)) as client:
        with pytest.raises(TransportError, match="nothing was sent"):
            await client.generate("a koala", **QUICK)
        assert [row.state for row in client.jobs()] == [State.INTENDED]


@pytest.mark.parametrize("prompt", ["a forbidden-test-word", "a koala [blocked]"])
async def test_a_refused_prompt_fails_with_the_reason_and_is_not_charged(tmp_path: Path, prompt: str) -> None:
    async with emulated(tmp_path) as client:
        with pytest.raises(JobFailedError, match="not charged") as caught:
            await client.generate(prompt, **QUICK)
        assert caught.value.job.error is not None
        assert caught.value.job.error["charged"] is False


async def test_a_failed_job_leaves_its_recipe_free(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path, "failed:submit:1")
    async with emulated(tmp_path, emulator) as client:
        with pytest.raises(JobFailedError, match="no reason"):
            await client.generate("a koala", **QUICK)
        assert (await client.generate("a koala", **QUICK)).job.state is State.DONE


async def test_complete_without_output_is_left_to_a_person_who_can_end_it(tmp_path: Path) -> None:
    async with emulated(tmp_path) as client:
        with pytest.raises(JobAmbiguousError, match="without a clip") as caught:
            await client.generate("a koala [no-output]", **QUICK)
        assert caught.value.job.remote_id is not None
        with pytest.raises(JobAmbiguousError):  # asked once more, and not sent again
            await client.generate("a koala [no-output]", **QUICK)
        assert posts(client.emulator) == 1
        assert (await client.settle(caught.value.job, "give_up")).state is State.CANCELLED


@pytest.mark.parametrize("fault", ["unknown_status_word:poll:2", "503:poll:3", "reset:poll:2", "null_record:poll:2"])
async def test_trouble_while_polling_means_still_running(tmp_path: Path, fault: str) -> None:
    emulator = emulator_in(tmp_path, fault)
    async with emulated(tmp_path, emulator) as client:
        assert (await client.generate("a koala", **QUICK)).job.state is State.DONE
    assert posts(emulator) == 1


@pytest.mark.parametrize("fault", ["cut_download:1", "not_found_first:1", "empty_download:1", "503:download:1"])
@pytest.mark.parametrize("values", [QUICK, ONEMIN], ids=["leonardo", "1min"])
async def test_a_download_that_goes_wrong_is_repeated(tmp_path: Path, fault: str, values: dict[str, Any]) -> None:
    emulator = emulator_in(tmp_path, fault)
    async with emulated(tmp_path, emulator) as client:
        clip = await client.generate("a koala", **values)
        assert clip.info.size_bytes == clip.path.stat().st_size
    assert posts(emulator) == 1


async def test_an_expired_link_is_asked_for_again(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path, "expired_link:1")
    async with emulated(tmp_path, emulator) as client:
        assert (await client.generate("a koala", **ONEMIN)).job.state is State.DONE


async def test_another_client_takes_up_what_the_first_left(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path, latency_s=0.5)
    async with emulated(tmp_path, emulator) as first:
        job = await first.submit("a koala", **QUICK)
        async for row in first.watch(job):
            if row.state is State.RUNNING:
                break
    async with emulated(tmp_path, emulator) as second:
        assert [row.state for row in await second.resume()] == [State.DONE]
    assert posts(emulator) == 1


async def test_a_timeout_names_the_job_and_the_job_goes_on(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path, latency_s=1.0)
    async with emulated(tmp_path, emulator) as client:
        with pytest.raises(JobTimeoutError, match=r"vidnb\.wait\('\w{8}'\) goes on waiting") as caught:
            await client.generate("a koala", timeout_s=0.2, **QUICK)
        assert (await client.wait(caught.value.job)).job.state is State.DONE
    assert posts(emulator) == 1


async def test_an_image_is_uploaded_once_for_all_jobs_that_use_it(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path)
    values = {"model": "1min/leonardo-motion", "start_image": picture()}
    async with emulated(tmp_path, emulator) as client:
        await asyncio.gather(*(client.generate(motion_strength=n, **values) for n in (1, 2, 3)))
        await client.generate(motion_strength=4, model=values["model"], start_image=picture(colour="navy"))
    counts = emulator.stats()["operations"]
    assert sum(n for name, n in counts.items() if "upload" in name) == 2


async def test_an_input_that_the_service_lost_is_uploaded_anew_by_the_next_job(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path)
    values = {"model": "leonardo/MOTION2", "start_image": picture()}
    async with emulated(tmp_path, emulator) as client:
        first = (await client.generate("a koala", seed=1, **values)).job
        image = first.images["start_image"][0]["sha256"]
        known = client.store.uploaded(first.provider, first.account, first.base_url, image)
        assert known is not None
        emulator.state.delete_file(known.id)
        with pytest.raises(JobFailedError):
            await client.generate("a koala", seed=2, **values)
        assert (await client.generate("a koala", seed=2, **values)).job.state is State.DONE


async def test_a_frame_of_one_clip_starts_the_next(tmp_path: Path) -> None:
    async with emulated(tmp_path) as client:
        first = await client.generate("a koala", **QUICK)
        second = await client.generate(
            "it runs", model="leonardo/grok-imagine-1.5", start_image=first.last_frame, duration_s=3,
            width_px=736, height_px=400,
        )  # fmt: skip
    assert second.job.images["start_image"][0]["sha256"]


async def test_the_key_goes_to_the_providers_host_only(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path)
    recorder = Recorder(LiveNames(StreamingASGITransport(emulator.app)))
    keys = {"leonardo": CANARY, "1min": CANARY}
    async with AsyncClient(tmp_path, keys=keys, transport=recorder, sleep=short_rest) as client:
        await client.generate(model="1min/leonardo-motion", start_image=picture(), motion_strength=5)
        await client.generate("x", model="leonardo/MOTION2", start_image=picture())
    with_key = {request.url.host for request in recorder.requests if CANARY in str(request.headers.raw)}
    assert with_key == {"cloud.leonardo.ai", "api.1min.ai"}
    assert {request.url.host for request in recorder.requests} > with_key


async def test_a_dead_link_is_replaced_by_that_of_the_next_poll_and_not_asked_again(tmp_path: Path) -> None:
    film = clipmakers.write(tmp_path / "film.mp4").read_bytes()
    remote_id = "1f1a06db-37cd-6c60-9cac-182717e03f42"
    polls = itertools.count(1)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "cdn.leonardo.ai":
            good = request.url.path == "/2.mp4"
            return httpx.Response(200 if good else 403, stream=httpx.ByteStream(film if good else b"expired"))
        if request.method == "POST":
            return httpx.Response(200, json={"generate": {"generationId": remote_id, "cost": None}})
        link = f"https://cdn.leonardo.ai/{next(polls)}.mp4"
        image = {"id": "x", "url": link, "motionMP4URL": link}
        return httpx.Response(
            200,
            json={"generations_by_pk": {"id": remote_id, "status": "COMPLETE", "generated_images": [image]}},
        )

    transport = Scripted(answer)
    async with AsyncClient(tmp_path, keys={"leonardo": CANARY}, transport=transport, sleep=no_rest) as client:
        clip = await client.generate("a koala", **QUICK)
        assert clip.read() == film
    asked = [request.url.path for request in transport.requests if request.url.host == "cdn.leonardo.ai"]
    assert asked == ["/1.mp4", "/2.mp4"]


@pytest.mark.parametrize("link", ["http://127.0.0.1/x.mp4", "https://127.0.0.1/x.mp4", "https://10.0.0.1/x.mp4",
                                  "https://localhost/x.mp4"])  # fmt: skip
async def test_a_link_into_the_private_network_is_not_followed(tmp_path: Path, link: str) -> None:
    made: Any = {"generate": {"generationId": "1f1a06db-37cd-6c60-9cac-182717e03f42", "cost": None}}
    image = {"id": "x", "url": link, "motionMP4URL": link}
    remote_id = made["generate"]["generationId"]
    read = {"generations_by_pk": {"id": remote_id, "status": "COMPLETE", "generated_images": [image]}}
    transport = Scripted(lambda request: httpx.Response(200, json=made if request.method == "POST" else read))
    async with AsyncClient(tmp_path, keys={"leonardo": CANARY}, transport=transport, sleep=no_rest) as client:
        with pytest.raises(TransportError, match="private"):
            await client.generate("a koala", **QUICK)
        assert [row.state for row in client.jobs()] == [State.DOWNLOADING]
    assert {request.url.host for request in transport.requests} == {"cloud.leonardo.ai"}


async def test_a_job_that_was_sent_cannot_be_taken_back_and_says_so(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path, latency_s=0.5)
    async with emulated(tmp_path, emulator) as client:
        job = await client.submit("a koala", **QUICK)
        async for row in client.watch(job):
            if row.state is State.RUNNING:
                break
        with pytest.raises(JobError, match="stop_waiting"):
            await client.cancel(job)
        assert (await client.stop_waiting(job)).state is State.RUNNING
        assert (await client.wait(job)).job.state is State.DONE


async def test_live_without_a_key_is_an_error_that_names_the_variable(tmp_path: Path) -> None:
    async with AsyncClient(tmp_path, live=True) as client:
        with pytest.raises(ConfigError, match="LEONARDO_API_KEY"):
            await client.generate("a koala", **QUICK)


async def test_a_retired_model_is_refused_live_and_played_by_the_emulator(tmp_path: Path) -> None:
    async with AsyncClient(tmp_path, keys={"leonardo": CANARY}, transport=Scripted(_never)) as client:
        with pytest.raises(ParamsError, match="Out of service"):
            await client.generate("a koala", model="leonardo/VEO3")
    async with emulated(tmp_path) as client:
        assert (await client.generate("a koala", model="leonardo/VEO3", duration_s=4)).job.state is State.DONE


def _never(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"nothing should be sent, but {request.method} {request.url} was")


async def test_stopping_the_client_waits_for_the_reply_to_a_submit(tmp_path: Path) -> None:
    """The reply holds the job's id: closing the client in that moment must not lose it."""
    emulator = emulator_in(tmp_path, Fault("slow", on="submit", seconds=0.5))
    client = AsyncClient(tmp_path, emulator=emulator)
    job = await client.submit("a koala", **QUICK)
    async for row in client.watch(job):
        if row.state is State.SUBMITTING:
            break
    await client.aclose()
    async with emulated(tmp_path, emulator) as later:
        assert [(row.state, row.remote_id is None) for row in later.store.unfinished()] == [(State.RUNNING, False)]
    assert posts(emulator) == 1


async def test_a_job_let_go_in_the_middle_of_its_submit_can_be_waited_for_again(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path, Fault("slow", on="submit", seconds=0.5))
    async with emulated(tmp_path, emulator) as client:
        job = await client.submit("a koala", **ONEMIN)
        async for row in client.watch(job):
            if row.state is State.SUBMITTING:
                break
        assert (await client.stop_waiting(job)).state is State.SUBMITTING
        assert (await client.wait(job)).job.state is State.DONE
    assert posts(emulator) == 1


class Hurried(Clock):
    """The machine's clock, for which every wait is short."""

    async def wait(self, seconds: float) -> None:
        await super().wait(min(seconds, 0.1))


async def test_stopping_the_client_in_the_middle_of_the_submit_leaves_no_doubt_behind(tmp_path: Path) -> None:
    """The POST is on its way when the loop ends: the row says ambiguous, and the next client finds the clip."""
    started = asyncio.Event()

    class Slow(httpx.AsyncBaseTransport):
        def __init__(self, app: httpx.AsyncBaseTransport) -> None:
            self.app = app

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await self.app.handle_async_request(request)
            if request.method == "POST" and request.url.path.endswith("/generations"):
                started.set()
                await asyncio.sleep(30)
            return response

    emulator = EmulatorBehind(tmp_path / "emulator", Slow)
    client = AsyncClient(tmp_path, emulator=emulator, clock=Hurried())
    task = asyncio.create_task(client.generate("a koala", **QUICK))
    await started.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await client.aclose()
    async with emulated(tmp_path, emulator) as later:
        assert [row.state for row in later.store.unfinished()] == [State.AMBIGUOUS]
        assert [row.state for row in await later.resume()] == [State.DONE]
    assert posts(emulator) == 1


async def test_a_webhook_ends_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Left to itself, the next poll would be months away."""
    from vidnb.serve.webhook import webhook_app

    monkeypatch.setattr(Schedule, "delay", lambda *_, **__: 1e7)
    emulator = emulator_in(tmp_path, latency_s=0.3)
    async with emulated(tmp_path, emulator, sleep=short_rest) as client:
        app = webhook_app("s3cret", store=client.store)
        job = await client.submit("a koala", **QUICK)
        async for row in client.watch(job):
            if row.remote_id:
                break
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hook") as caller:
            body = {"data": {"object": {"id": row.remote_id, "apiKey": CANARY}}}
            headers = {"authorization": "Bearer s3cret"}
            assert (await caller.post("/", json=body)).status_code == 401
            assert (await caller.post("/", json={"data": []}, headers=headers)).status_code == 400
            with anyio.fail_after(30):
                while not client.job(job).is_terminal:  # the first calls come before the service is done
                    assert (await caller.post("/", json=body, headers=headers)).status_code == 204
                    await asyncio.sleep(0.02)
        assert client.job(job).state is State.DONE


async def test_live_false_emulates_whatever_keys_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEONARDO_API_KEY", CANARY)
    async with AsyncClient(tmp_path, live=False, transport=Scripted(_never), emulator=emulator_in(tmp_path)) as client:
        assert (await client.generate("a koala", **QUICK)).emulated


async def test_a_service_that_says_come_back_tomorrow_leaves_the_job_unsent(tmp_path: Path) -> None:
    later = httpx.Response(200, json=[{"message": "slow down", "extensions": {"statusCode": 429}}],
                           headers={"retry-after": "86400"})  # fmt: skip
    transport = Scripted(lambda request: later)
    async with AsyncClient(tmp_path, keys={"leonardo": CANARY}, transport=transport) as client:
        with pytest.raises(RateLimitError):
            await client.generate("a koala", **QUICK)
        assert [row.state for row in client.jobs()] == [State.INTENDED]
    assert len(transport.requests) == 1


async def test_a_clip_that_arrives_broken_stays_to_be_fetched(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path, "empty_download:20")
    async with emulated(tmp_path, emulator, sleep=short_rest) as client:
        with pytest.raises(VidnbError):
            await client.generate("a koala", **QUICK)
        assert [row.state for row in client.jobs()] == [State.DOWNLOADING]
    async with emulated(tmp_path, emulator_in(tmp_path)) as later:
        assert (await later.generate("a koala", **QUICK)).job.state is State.DONE
    assert posts(emulator) == 1


async def test_an_id_that_another_job_has_does_not_settle_an_ambiguous_one(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path, Fault("lost_reply", on="submit", provider="1min", times=1, after=1))
    async with emulated(tmp_path, emulator) as client:
        other = await client.generate("another", **ONEMIN | {"model": "1min/damo", "steps": 11}, fresh=False)
        with pytest.raises(JobAmbiguousError) as caught:
            await client.generate("a koala", **ONEMIN)
        with pytest.raises(JobError, match="already"):
            await client.settle(caught.value.job, remote_id=f" {other.job.remote_id} ")


@pytest.mark.parametrize(
    ("fault", "refused", "tries", "end"),
    [
        ("", State.RUNNING, WRITE_TRIES, State.DONE),
        ("moderation:submit:1", State.FAILED, 1, State.FAILED),
        ("429:submit:1", State.INTENDED, 1, State.DONE),
    ],
)
async def test_what_came_of_a_submit_is_written_once_the_database_takes_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, refused: State, tries: int, end: State
) -> None:
    emulator = emulator_in(tmp_path, *filter(None, [fault]))
    async with AsyncClient(tmp_path, emulator=emulator, sleep=no_rest) as client:
        move, left = client.store.move, [tries]

        def moved(job_id: str, to: State, **columns: Any) -> Any:
            if to in (refused, State.AMBIGUOUS) and left[0]:
                left[0] -= 1
                raise StoreError("the server is away")
            return move(job_id, to, **columns)

        monkeypatch.setattr(client.store, "move", moved)
        with pytest.raises(StoreError, match="the server is away"):
            await client.generate("a koala", model="1min/pika")
        with contextlib.suppress(JobFailedError):
            await client.generate("a koala", model="1min/pika")
        (row,) = client.jobs()
        assert row.state is end
        assert State.AMBIGUOUS not in [event.state for event in client.store.events(row.id)]
    assert posts(emulator) == (2 if fault.startswith("429") else 1)


@pytest.mark.parametrize(("said", "tries"), [("SUCCESS", WRITE_TRIES), ("FAILED", 0)])
async def test_a_link_in_the_answer_to_the_submit_is_fetched_whatever_stands_beside_it_or_keeps_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, tries: int
) -> None:
    remote_id, link = "3fa85f64-5717-4562-b3fc-2c963f66afa6", "https://clips.example.com/a.mp4"

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "clips.example.com":
            return httpx.Response(200, stream=httpx.ByteStream(film(40)))
        record = {"uuid": remote_id, "status": said, "temporaryUrl": link} if request.method == "POST" else None
        return httpx.Response(200, json={"aiRecord": record})

    service = Scripted(answer)
    async with AsyncClient(tmp_path, keys=KEYS, transport=service, sleep=no_rest) as client:
        move, left = client.store.move, [tries]

        def moved(job_id: str, to: State, **columns: Any) -> Any:
            if to is State.DOWNLOADING and left[0]:
                left[0] -= 1
                raise StoreError("the server is away")
            return move(job_id, to, **columns)

        monkeypatch.setattr(client.store, "move", moved)
        with contextlib.suppress(StoreError):
            await client.generate("a koala", model="1min/pika")
        assert left == [0]
        assert (await client.generate("a koala", model="1min/pika")).read() == film(40)
    assert [request.method for request in service.requests] == ["POST", "GET"]


async def test_what_this_process_knows_of_a_submit_counts_after_another_found_it_without_a_reply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator, home = emulator_in(tmp_path), tmp_path / "data"
    async with AsyncClient(home, emulator=emulator, sleep=no_rest) as client:
        with monkeypatch.context() as away:
            away.setattr(client.store, "move", functools.partial(_only_from_intended, client.store.move))
            with pytest.raises(StoreError, match="the server is away"):
                await client.generate("a koala", model="1min/pika")
        async with AsyncClient(home, emulator=emulator_in(tmp_path), sleep=no_rest) as other:
            with pytest.raises(JobAmbiguousError):
                await other.generate("a koala", model="1min/pika")
        assert (await client.generate("a koala", model="1min/pika")).job.state is State.DONE
    assert posts(emulator) == 1


def _only_from_intended(move: Callable[..., Any], job_id: str, to: State, **columns: Any) -> Any:
    """Let the database go away between a POST and what came of it."""
    if to is not State.SUBMITTING:
        raise StoreError("the server is away")
    return move(job_id, to, **columns)


@pytest.mark.parametrize("is_found", [False, True])
async def test_a_submit_whose_beginning_was_written_though_the_connection_broke_is_known_as_unsent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_found: bool
) -> None:
    emulator = emulator_in(tmp_path)
    async with AsyncClient(tmp_path / "data", emulator=emulator, sleep=no_rest) as client:
        move, away = client.store.move, [True]

        def moved(job_id: str, to: State, **columns: Any) -> Any:
            job = move(job_id, to, **columns)
            if to is State.SUBMITTING and away:
                away.clear()
                raise StoreError("the server is away")  # after the commit reached it
            return job

        monkeypatch.setattr(client.store, "move", moved)
        with pytest.raises(StoreError, match="the server is away"):
            await client.generate("a koala", model="1min/pika")
        assert posts(emulator) == 0
        if is_found:  # by another, who cannot know that nothing was sent
            async with AsyncClient(tmp_path / "data", emulator=emulator_in(tmp_path), sleep=no_rest) as other:
                with pytest.raises(JobAmbiguousError):
                    await other.generate("a koala", model="1min/pika")
        clip = await client.generate("a koala", model="1min/pika")
        states = [event.state for event in client.store.events(clip.job.id)]
        assert (State.AMBIGUOUS in states) is is_found
        assert [purse.unclear for purse in client.store.purses() if purse.unclear] == []
    assert posts(emulator) == 1


async def test_a_lease_that_cannot_be_looked_at_keeps_the_submit_back_without_a_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = emulator_in(tmp_path)
    async with AsyncClient(tmp_path, emulator=emulator, sleep=no_rest) as client:
        holder, away = client.store.holder, [True]

        def held(job_id: str) -> Any:
            if away.pop() if away else False:
                raise StoreError("the server is away")
            return holder(job_id)

        monkeypatch.setattr(client.store, "holder", held)
        with pytest.raises(StoreError, match="the server is away"):
            await client.generate("a koala", **QUICK)
        assert posts(emulator) == 0
        clip = await client.generate("a koala", **QUICK)
        assert State.AMBIGUOUS not in [event.state for event in client.store.events(clip.job.id)]
    assert posts(emulator) == 1
