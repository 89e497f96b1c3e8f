"""The life of a job at the services that came later: paid once, never lost, the key where it belongs, honest ends."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fakes import CANARY, ONEMIN, EmulatorBehind, Recorder, Scripted, emulated, no_rest, picture, short_rest
from sqlalchemy import text

from vidnb.client.asynchronous import AsyncClient
from vidnb.emulator import Emulator, StreamingASGITransport
from vidnb.emulator.core import account_id
from vidnb.errors import JobAmbiguousError, JobCancelledError, JobError, JobFailedError
from vidnb.net.target import EMULATOR_KEY
from vidnb.records import Cost, State
from vidnb.serve.webhook import webhook_app

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Service:
    """What the tests must know of a service."""

    name: str
    quick: dict[str, Any]
    """The values of a small clip."""
    pictured: dict[str, Any]
    """Those of one that begins with a picture, without it."""
    hosts: dict[str, str]
    """That may have the key, and where the emulator serves them."""
    files: tuple[str, ...]
    """The hosts of clips and uploads, which may not."""


REPLICATE = Service(
    "replicate",
    {"model": "replicate/wan-video/wan-2.2-t2v-fast", "num_frames": 81, "resolution": "480p", "seed": 3},
    {"model": "replicate/wan-video/wan-2.2-i2v-fast", "num_frames": 81, "resolution": "480p", "seed": 3},
    {"api.replicate.com": ""},
    ("replicate.delivery",),
)
FAL = Service(
    "fal",
    {"model": "fal/fal-ai/pixverse/v6/text-to-video", "duration_s": 1, "resolution": "360p", "seed": 3},
    {"model": "fal/fal-ai/pixverse/v6/image-to-video", "duration_s": 1, "resolution": "360p", "seed": 3},
    {"queue.fal.run": "", "rest.fal.ai": "/rest", "api.fal.ai": "/api"},
    ("v3.fal.media",),
)
RUNWAY = Service(
    "runway",
    {"model": "runway/gemini_omni_flash_1.1", "width_px": 640, "height_px": 360, "duration_s": 3},
    {"model": "runway/gemini_omni_flash_1.1", "width_px": 640, "height_px": 360, "duration_s": 3},
    {"api.dev.runwayml.com": ""},
    ("dnznrvs05pmza.cloudfront.net", "runway-uploads.s3.amazonaws.com"),
)
OPENROUTER = Service(
    "openrouter",
    {"model": "openrouter/x-ai/grok-imagine-video", "resolution": "480p", "duration_s": 1},
    {"model": "openrouter/x-ai/grok-imagine-video", "resolution": "480p", "duration_s": 1},
    {"openrouter.ai": ""},
    ("storage.upstream.example",),
)
LOCAL = Service(
    "local",
    {"model": "local/ltx-video", "width_px": 128, "height_px": 64, "num_frames": 9, "seed": 3},
    {"model": "local/ltx-video", "width_px": 128, "height_px": 64, "num_frames": 9, "seed": 3},
    {"127.0.0.1": ""},
    (),
)
HOSTED = [REPLICATE, FAL, RUNWAY, OPENROUTER]
SERVICES = [*HOSTED, LOCAL]


def of(*services: Service) -> pytest.MarkDecorator:
    """Run the test for each of these services."""
    return pytest.mark.parametrize("service", services, ids=lambda service: service.name)


each = of(*SERVICES)
with_a_list = of(REPLICATE, FAL, LOCAL)
without_a_list = of(RUNWAY, OPENROUTER)
with_callbacks = of(REPLICATE, FAL, OPENROUTER)
with_a_cancel = of(REPLICATE, FAL, RUNWAY, LOCAL)


def emulator_in(folder: Path, *faults: str, **settings: Any) -> Emulator:
    return Emulator(folder / "emulator", faults=faults, **{"latency_s": 0.05, **settings})


def made(emulator: Emulator, service: Service) -> int:
    """Jobs that the service made, at its own count."""
    return int(emulator.stats()["jobs_by_provider"].get(service.name, 0))


@each
async def test_a_clip_comes_with_no_key_at_all_and_plays(tmp_path: Path, service: Service) -> None:
    emulator = emulator_in(tmp_path)
    async with emulated(tmp_path, emulator) as client:
        clip = await client.generate("a koala in the snow", **service.quick)
        assert clip.path.read_bytes()[4:8] == b"ftyp"
        assert clip.job.emulated
        moved = await client.generate("it walks", start_image=picture(), **service.pictured)
        assert moved.job.clip is not None
        again = await client.generate("a koala in the snow", **service.quick)
        assert again.job.id == clip.job.id
    assert made(emulator, service) == 2


async def test_services_that_share_an_address_are_told_apart(tmp_path: Path) -> None:
    """With no key the emulator answers for all of them at once, and so does `vidnb emulate`."""
    emulator = emulator_in(tmp_path)
    async with emulated(tmp_path, emulator) as client:
        quick = (ONEMIN, *(service.quick for service in SERVICES))
        jobs = [await client.submit("a koala", **values) for values in quick]
        for job in jobs:
            assert (await client.wait(job)).job.state is State.DONE
    assert emulator.stats()["jobs_by_provider"] == {"1min": 1} | {service.name: 1 for service in SERVICES}


LOSSES = ["lost_reply:submit:1", "lost_reply_midway:submit:1", "502_after:submit:1"]


@with_a_list
@pytest.mark.parametrize("fault", LOSSES)
async def test_a_lost_reply_is_found_in_the_services_list_and_never_paid_twice(
    tmp_path: Path, service: Service, fault: str
) -> None:
    emulator = emulator_in(tmp_path, fault)
    async with emulated(tmp_path, emulator) as client:
        clip = await client.generate("a koala", **service.quick)
        assert clip.job.state is State.DONE
    assert made(emulator, service) == 1


@without_a_list
@pytest.mark.parametrize("fault", LOSSES)
async def test_a_lost_reply_without_a_list_is_never_sent_again_until_a_person_says_so(
    tmp_path: Path, service: Service, fault: str
) -> None:
    emulator = emulator_in(tmp_path, fault)
    async with emulated(tmp_path, emulator) as client:
        with pytest.raises(JobAmbiguousError, match="not sent again by itself"):
            await client.generate("a koala", **service.quick)
        [job] = client.jobs()
        with pytest.raises(JobAmbiguousError):
            await client.generate("a koala", **service.quick)
        assert made(emulator, service) == 1
        [known] = [one.id for one in emulator.state.jobs_of(service.name, _account(service))]
        await client.settle(job, remote_id=known)
        assert (await client.wait(job)).job.state is State.DONE
    assert made(emulator, service) == 1


@each
async def test_an_expired_link_is_asked_for_again(tmp_path: Path, service: Service) -> None:
    emulator = emulator_in(tmp_path, "expired_link:download:4")
    async with emulated(tmp_path, emulator) as client:
        clip = await client.generate("a koala", **service.quick)
        assert clip.job.state is State.DONE
    assert made(emulator, service) == 1


async def test_a_clip_that_openrouter_deleted_is_said_to_be_gone_and_paid(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path, openrouter_output_life_s=-1.0, openrouter_keeps_copy=False)
    async with emulated(tmp_path, emulator) as client:
        with pytest.raises(JobFailedError, match="deleted it since") as caught:
            await client.generate("a koala", **OPENROUTER.quick)
    assert (caught.value.job.state, (caught.value.job.error or {}).get("charged")) == (State.FAILED, True)
    assert made(emulator, OPENROUTER) == 1


async def test_a_clip_that_replicate_deleted_is_said_to_be_gone_and_paid(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path, replicate_keeps_s=-1.0)
    async with emulated(tmp_path, emulator) as client:
        with pytest.raises(JobFailedError, match="keeps results for one hour") as caught:
            await client.generate("a koala", **REPLICATE.quick)
        error = caught.value.job.error or {}
        assert (error["kind"], error["charged"]) == ("gone", True)


@of(*HOSTED)
async def test_a_refused_prompt_says_so_and_what_to_do(tmp_path: Path, service: Service) -> None:
    async with emulated(tmp_path, emulator_in(tmp_path)) as client:
        with pytest.raises(JobFailedError) as caught:
            await client.generate("[blocked]", **service.quick)
        error = caught.value.job.error or {}
        assert error["kind"] == "moderation"
        assert error["advice"].startswith("change the prompt")


@with_a_cancel
async def test_a_job_on_its_way_is_cancelled_at_the_service(tmp_path: Path, service: Service) -> None:
    emulator = emulator_in(tmp_path, latency_s=300.0)
    async with emulated(tmp_path, emulator) as client:
        job = await client.submit("a koala", **service.quick)
        await _until(lambda: client.job(job.id).remote_id is not None)
        with contextlib.suppress(JobError):  # fal only takes the wish down, and the next poll tells
            assert (await client.cancel(job)).state is State.CANCELLED
        with pytest.raises(JobCancelledError):
            await client.wait(job)
    assert made(emulator, service) == 1


@of(REPLICATE, FAL)
async def test_a_cancel_that_comes_too_late_takes_no_clip_away(tmp_path: Path, service: Service) -> None:
    """The service finishes between the person's decision and the request: the job stays on its way to its clip.

    At Runway nothing can be done about the moment between the look at a task and its DELETE; the README says so.
    """
    emulator = EmulatorBehind(tmp_path / "emulator", lambda below: _SlowToCancel(below), latency_s=0.3)
    async with emulated(tmp_path, emulator) as client:
        job = await client.submit("a koala", **service.quick)
        await _until(lambda: client.job(job.id).remote_id is not None)
        with contextlib.suppress(JobError):  # "may still finish it", where the clip is not here yet
            assert (await client.cancel(job)).state is State.DONE
        clip = await client.wait(job)
        assert clip.job.state is State.DONE


async def test_a_job_at_openrouter_cannot_be_cancelled_and_that_is_said(tmp_path: Path) -> None:
    async with emulated(tmp_path, emulator_in(tmp_path, latency_s=1.0)) as client:
        job = await client.submit("a koala", **OPENROUTER.quick)
        await _until(lambda: client.job(job.id).remote_id is not None)
        with pytest.raises(JobError, match="no way to cancel"):
            await client.cancel(job)
        assert (await client.wait(job)).job.state is State.DONE


@with_callbacks
async def test_a_lost_reply_is_found_again_by_the_callback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    """Also where a list has it: here the list is not reached, or there is none."""
    monkeypatch.setenv(f"{service.name.upper()}_WEBHOOK_URL", "https://me.example/hook")
    hooks = _Hooks()
    emulator = emulator_in(tmp_path, "lost_reply:submit:1", "500:list", webhook_transport=hooks, latency_s=0.3)
    async with emulated(tmp_path, emulator) as client:
        with pytest.raises(JobAmbiguousError):
            await client.generate("a koala", **service.quick)
        await _until(lambda: bool(hooks.requests))
        [request], [job] = hooks.requests, client.jobs()
        app = webhook_app(_secret(emulator, service), provider=service.name, store=client.store)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://me.example") as sender:
            target = f"/?{request.url.query.decode()}"
            forged = await sender.post(target, content=request.content + b" ", headers=request.headers)
            assert (forged.status_code, client.job(job.id).state) == (401, State.AMBIGUOUS)
            await sender.post(target, content=request.content, headers=request.headers)
        assert (await client.wait(job)).job.state is State.DONE
    assert made(emulator, service) == 1


@with_callbacks
async def test_a_callback_that_comes_before_the_reply_to_the_submit_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    """As where the process that sent the submit is killed: the row still says submitting when the callback comes."""
    monkeypatch.setenv(f"{service.name.upper()}_WEBHOOK_URL", "https://me.example/hook")
    hooks = _Hooks()
    emulator = emulator_in(tmp_path, "lost_reply:submit:1", "500:list", webhook_transport=hooks, latency_s=0.3)
    async with emulated(tmp_path, emulator) as client:
        with pytest.raises(JobAmbiguousError):
            await client.generate("a koala", **service.quick)
        await _until(lambda: bool(hooks.requests))
        [request], [job] = hooks.requests, client.jobs()
        with client.store.writing() as connection:  # as it was when the process was killed
            for change in ("reservations SET booked = 'reserved' WHERE job_", "jobs SET state = 'submitting' WHERE "):
                connection.execute(text(f"UPDATE {change}id = :id"), {"id": job.id})
        app = webhook_app(_secret(emulator, service), provider=service.name, store=client.store)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://me.example") as sender:
            target = f"/?{request.url.query.decode()}"
            await sender.post(target, content=request.content + b" ", headers=request.headers)
            assert not any("callback" in event.note for event in client.store.events(job.id))
            told = await sender.post(target, content=request.content, headers=request.headers)
            assert (told.status_code, client.job(job.id).state) == (204, State.SUBMITTING)
        await client.resume()
        assert client.job(job.id).state is State.DONE
    assert made(emulator, service) == 1


@pytest.mark.parametrize("settings", [{"openrouter_redirects": False}, {"openrouter_keeps_copy": True}])
async def test_openrouters_clips_come_with_the_key_or_by_a_signed_link(tmp_path: Path, settings: Any) -> None:
    async with emulated(tmp_path, emulator_in(tmp_path, **settings)) as client:
        clip = await client.generate("a koala", **OPENROUTER.quick)
        assert (clip.job.state, clip.job.cost) == (State.DONE, Cost(0.05, "USD"))


async def test_a_cancel_that_fal_does_not_heed_ends_with_the_clip(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path, latency_s=0.5, fal_heeds_cancel=False)
    async with emulated(tmp_path, emulator) as client:
        job = await client.submit("a koala", **FAL.quick)
        await _until(lambda: client.job(job.id).remote_id is not None)
        with pytest.raises(JobError, match="may still finish it"):
            await client.cancel(job)
        assert (await client.wait(job)).job.state is State.DONE


async def test_a_value_that_fals_runner_refuses_fails_with_the_field_named(tmp_path: Path) -> None:
    """The queue takes it; only the result says what is wrong."""
    emulator = EmulatorBehind(tmp_path / "emulator", _Spoiler)
    async with emulated(tmp_path, emulator) as client:
        with pytest.raises(JobFailedError, match="resolution"):
            await client.generate("a koala", **FAL.quick)


async def test_a_job_in_fals_queue_says_how_many_are_before_it(tmp_path: Path) -> None:
    emulator = emulator_in(tmp_path, latency_s=600.0, slots={"fal": 1})
    key = {"authorization": f"Key {EMULATOR_KEY}"}
    async with httpx.AsyncClient(transport=emulator.transport(), base_url="http://emulator.vidnb.invalid") as other:
        for _ in range(3):  # another tool uses the same account
            await other.post("/fal-ai/pixverse/v6/text-to-video", json={"prompt": "x", "duration": 1}, headers=key)
    async with emulated(tmp_path, emulator) as client:
        job = await client.submit("a koala", **FAL.quick)
        await _until(lambda: client.job(job.id).wire_status == "IN_QUEUE (2 before it)")


@asynccontextmanager
async def paid(folder: Path, service: Service, emulator: Emulator) -> AsyncIterator[AsyncClient]:
    """A client that takes the emulator for the live service, and books in earnest."""
    transport = _LiveNames(StreamingASGITransport(emulator.app), service)
    async with AsyncClient(folder / "data", keys={service.name: CANARY}, transport=transport, sleep=short_rest) as one:
        yield one


async def test_what_runway_says_that_a_task_costs_at_most_is_reserved_and_what_it_charged_is_settled(
    tmp_path: Path,
) -> None:
    emulator = emulator_in(tmp_path, latency_s=1.5, runway_given_back=0.5)
    async with paid(tmp_path, RUNWAY, emulator) as client:
        job = await client.submit("a koala", **RUNWAY.quick)
        await _until(lambda: client.job(job.id).remote_id is not None)
        assert client.spent().reserved == {"CREDITS": 30}
        assert (await client.wait(job)).job.cost == Cost(15, "CREDITS")
        assert (client.spent().settled, client.spent().reserved) == ({"CREDITS": 15}, {})


@pytest.mark.parametrize(("charged", "settled"), [(True, {"CREDITS": 30}), (False, {})])
async def test_a_task_that_runway_refuses_counts_as_it_says(tmp_path: Path, charged: bool, settled: Any) -> None:
    async with paid(tmp_path, RUNWAY, emulator_in(tmp_path, runway_charges_refused=charged)) as client:
        with pytest.raises(JobFailedError, match=r"\(charged\)" if charged else r"\(not charged\)"):
            await client.generate("[blocked]", **RUNWAY.quick)
        assert (client.spent().settled, client.spent().unclear) == (settled, {})


@pytest.mark.parametrize(("tells", "booked"), [(True, "settled"), (False, "unclear")])
async def test_a_running_task_that_is_cancelled_counts_as_charged_unless_runway_says_otherwise(
    tmp_path: Path, tells: bool, booked: str
) -> None:
    emulator = emulator_in(tmp_path, latency_s=300.0, runway_tells_cancelled=tells)
    async with paid(tmp_path, RUNWAY, emulator) as client:
        job = await client.submit("a koala", **RUNWAY.quick)
        await _until(lambda: client.job(job.id).wire_status is not None and client.job(job.id).state is State.RUNNING)
        assert (await client.cancel(job)).state is State.CANCELLED
        assert getattr(client.spent(), booked) == {"CREDITS": 30}


async def test_a_finished_clip_of_runway_is_not_deleted_by_a_cancel(tmp_path: Path) -> None:
    """DELETE would delete it. The client here has not heard of the end yet."""
    emulator = emulator_in(tmp_path, "504:download")
    async with emulated(tmp_path, emulator) as client:
        job = await client.submit("a koala", **RUNWAY.quick)
        await _until(lambda: client.job(job.id).state is State.DOWNLOADING)
        with pytest.raises(JobError, match="may still finish it"):
            await client.cancel(job)
        assert "DELETE /v1/tasks/{id}" not in emulator.stats()["requests"]


async def test_a_prediction_aborted_by_its_deadline_costs_nothing(tmp_path: Path) -> None:
    reply = {"id": "a" * 26, "status": "aborted", "input": {}, "output": None, "created_at": "2026-11-29T10:00:00Z"}
    scripted = Scripted(lambda request: httpx.Response(201 if request.method == "POST" else 200, json=reply))
    async with AsyncClient(tmp_path, keys={"replicate": CANARY}, transport=scripted, sleep=no_rest) as client:
        job = await client.submit("a koala", **REPLICATE.quick)
        with pytest.raises(JobCancelledError):
            await client.wait(job)
        assert client.spent().get("USD", 0.0) == 0.0


@each
async def test_the_key_goes_to_the_services_own_hosts_only(tmp_path: Path, service: Service) -> None:
    emulator = emulator_in(tmp_path)
    recorder = Recorder(_LiveNames(StreamingASGITransport(emulator.app), service))
    async with AsyncClient(
        tmp_path / "data", keys={service.name: CANARY}, transport=recorder, sleep=short_rest
    ) as client:
        await client.generate("it walks", start_image=picture(), **service.pictured)
    hosts = {request.url.host for request in recorder.requests}
    with_key = {request.url.host for request in recorder.requests if CANARY in str(request.headers.raw)}
    assert with_key <= set(service.hosts)
    assert with_key
    assert bool(hosts - with_key) is bool(service.files), "a clip comes from a host that must not see the key, if any"
    assert not [request.url for request in recorder.requests if CANARY in str(request.url)]


@with_callbacks
async def test_a_signed_callback_is_taken_and_a_forged_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    monkeypatch.setenv(f"{service.name.upper()}_WEBHOOK_URL", "https://me.example/hook")
    hooks = _Hooks()
    emulator = emulator_in(tmp_path, webhook_transport=hooks, latency_s=0.3)
    async with emulated(tmp_path, emulator) as client:
        app = webhook_app(_secret(emulator, service), provider=service.name, store=client.store)
        clip = await client.generate("a koala", **service.quick)
        await _until(lambda: bool(hooks.requests))
        [request] = hooks.requests
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://me.example") as sender:
            genuine = await sender.post("/", content=request.content, headers=request.headers)
            forged = await sender.post("/", content=request.content + b" ", headers=request.headers)
        assert (genuine.status_code, forged.status_code) == (204, 401)
        assert clip.job.remote_id is not None
        assert clip.job.remote_id.encode() in request.content


class _Hooks(httpx.AsyncBaseTransport):
    """Keeps what is called back."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(204)


class _Spoiler(httpx.AsyncBaseTransport):
    """A network on which the resolution turns into one that no model has."""

    def __init__(self, below: httpx.AsyncBaseTransport) -> None:
        self._below = below

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = (await request.aread()).replace(b'"360p"', b'"999p"')
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        sent = httpx.Request(
            request.method, request.url, headers=headers, content=content, extensions=request.extensions
        )
        return await self._below.handle_async_request(sent)


class _SlowToCancel(httpx.AsyncBaseTransport):
    """A network on which a cancel arrives when the job is over."""

    def __init__(self, below: httpx.AsyncBaseTransport) -> None:
        self._below = below

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/cancel"):
            await anyio.sleep(0.6)
        return await self._below.handle_async_request(request)


class _LiveNames(httpx.AsyncBaseTransport):
    """The emulator behind the live names; what it links to beside its API lies on other hosts, over https."""

    def __init__(self, app: httpx.AsyncBaseTransport, service: Service) -> None:
        self._app = app
        self._service = service

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        below = self._service.hosts.get(request.url.host, "")
        url = request.url.copy_with(raw_path=below.encode() + request.url.raw_path)
        sent = httpx.Request(
            request.method, url, headers=request.headers, content=await request.aread(), extensions=request.extensions
        )
        response = await self._app.handle_async_request(sent)
        is_json = "json" in response.headers.get("content-type", "")
        if not is_json and not response.has_redirect_location:
            return response
        body = self._moved(await response.aread())
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        if response.has_redirect_location:
            headers["location"] = self._moved(headers["location"].encode()).decode()
        return httpx.Response(response.status_code, headers=headers, content=body)

    def _moved(self, text: bytes) -> bytes:
        """Return the text with the links to files on hosts of their own."""
        for host, files in itertools.product(self._service.hosts, self._service.files):
            text = text.replace(f"https://{host}/{files}".encode(), f"https://{files}/{files}".encode())
        return text


def _secret(emulator: Emulator, service: Service) -> str:
    """What proves the service's callbacks."""
    caller: Any = next(getattr(one, "caller") for one in emulator.services if one.name == service.name)  # noqa: B009
    return json.dumps(caller.jwks()) if service is FAL else str(caller.secret)


def _account(service: Service) -> str:
    """The account of the emulated client at the emulated service."""
    return account_id(f"{service.name} {EMULATOR_KEY}")


async def _until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - it is in a database
            await anyio.sleep(0.01)
