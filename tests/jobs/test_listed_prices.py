"""A service that lists its prices itself: read once a day, kept with its date, used for quotes; nobody waits for it."""

from __future__ import annotations

import asyncio
import copy
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from clocks import SkippingClock
from fakes import CANARY, Scripted, emulated, no_rest, picture
from served import served
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from stranger import film
from wire_samples import sample

import vidnb
from vidnb.client import price_reader
from vidnb.client.asynchronous import AsyncClient
from vidnb.jobs import listed_prices, quotes
from vidnb.jobs.ledger import PRICE_FOR_S
from vidnb.net.wire import Wire
from vidnb.records import Cost, Job, Quote
from vidnb.store import Store
from vidnb.sweeps.working import Worker

pytestmark = pytest.mark.anyio

GROK = {"model": "openrouter/x-ai/grok-imagine-video", "resolution": "480p", "duration_s": 4}
DAY_S = 24 * 3600.0


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine is so slow that a list that comes is not waited for."""
    monkeypatch.setattr(price_reader, "WAIT_S", 60.0)


class Service(Scripted):
    """OpenRouter with a list whose prices a test changes, and jobs that are done at once."""

    def __init__(self) -> None:
        super().__init__(self._answered)
        self.listed = copy.deepcopy(sample("openrouter-models").reply.json)
        self.is_offline = False
        self.cost = 0.2

    @property
    def lists(self) -> int:
        """How often the list was read, or asked for in vain."""
        return sum(request.url.path.endswith("/models") for request in self.requests)

    def price(self, **skus: str) -> None:
        """Let Grok cost this."""
        [entry] = [one for one in self.listed["data"] if one["id"] == "x-ai/grok-imagine-video"]
        entry["pricing_skus"] = skus

    def _answered(self, request: httpx.Request) -> httpx.Response:
        if self.is_offline:
            raise httpx.ConnectError("no network")
        if request.url.path.endswith("/models"):
            return httpx.Response(200, json=self.listed)
        if request.url.path.endswith("/content"):
            return httpx.Response(200, stream=httpx.ByteStream(film(40)))
        told: dict[str, Any] = {"id": "gen-vid-1", "status": "pending"}
        if request.method == "GET":
            told |= {"status": "completed", "unsigned_urls": ["x"], "usage": {"cost": self.cost}}
        return httpx.Response(202, json=told)


def client_of(home: Path, service: Service, **options: Any) -> AsyncClient:
    return AsyncClient(home, keys={"openrouter": CANARY}, transport=service, **options)


def today(client: AsyncClient) -> str:
    return f"its service's list of {client.clock.utc().astimezone():%Y-%m-%d}"


async def test_the_list_is_read_once_a_day_and_holds_before_the_catalogue(tmp_path: Path) -> None:
    service, clock = Service(), SkippingClock()
    service.price(duration_seconds="0.06")
    async with client_of(tmp_path, service, clock=clock) as client:
        client.quote("a koala", **GROK)  # waits for nothing, so it may still be the catalogue's
        await client.await_prices("openrouter")
        changed = "the catalogue of this vidnb still says $0.20"
        assert client.quote("a koala", **GROK) == Quote(
            Cost(0.24, "USD"), "estimate", f"{today(client)}, 4 s; {changed}"
        )
        pictured = client.quote("it walks", start_image=picture(), **GROK)
        assert pictured.cost == Cost(0.24, "USD")
        assert service.lists == 1
    async with client_of(tmp_path, service, clock=clock) as client:  # another kernel on the folder
        await client.await_prices("openrouter")
        assert client.quote("a koala", **GROK).cost == Cost(0.24, "USD")
        assert service.lists == 1
    clock.advance(DAY_S)
    service.price(duration_seconds="0.05")
    async with client_of(tmp_path, service, clock=clock) as client:
        await client.await_prices("openrouter")
        assert client.quote("a koala", **GROK) == Quote(Cost(0.2, "USD"), "estimate", f"{today(client)}, 4 s")
        assert service.lists == 2


async def test_offline_the_last_list_holds_with_its_date_and_nothing_waits(tmp_path: Path) -> None:
    service, clock = Service(), SkippingClock()
    async with client_of(tmp_path, service, clock=clock) as client:
        service.is_offline = True
        await client.await_prices("openrouter")
        assert client.quote("a koala", **GROK).why.startswith("the catalogue's price")
        service.is_offline = False
    async with client_of(tmp_path, service, clock=clock) as client:
        await client.await_prices("openrouter")
        read_on = today(client)
    service.is_offline = True
    clock.advance(9 * DAY_S)
    async with client_of(tmp_path, service, clock=clock) as client:
        for _ in range(3):
            await client.await_prices("openrouter")
        assert client.quote("a koala", **GROK).why == f"{read_on}, 4 s"
    assert service.lists == 3, "in vain it is asked for once in ten minutes"


@pytest.mark.parametrize(
    ("skus", "cost", "said"),
    [
        ({"per_smile": "0.1"}, None, "a price that vidnb does not understand (per_smile)"),
        ({"duration_seconds_720p": "0.1"}, None, "no price for these values"),
        (None, Cost(0.2, "USD"), "no longer has this model"),
    ],
)
async def test_an_odd_list_is_told(tmp_path: Path, skus: Any, cost: Cost | None, said: str) -> None:
    service = Service()
    if skus is None:
        service.listed["data"] = service.listed["data"][:3]
    else:
        service.price(**skus)
    async with client_of(tmp_path, service) as client:
        await client.await_prices("openrouter")
        told = client.quote("a koala", **GROK)
    assert told.cost == cost
    assert said in told.why


async def test_a_price_that_changed_since_the_last_charge_is_told_and_reserved(tmp_path: Path) -> None:
    service, clock = Service(), SkippingClock()
    async with client_of(tmp_path, service, clock=clock) as client:
        clip = await client.generate("a koala", **GROK)
        assert service.lists == 1, "an order waits for the list"
        assert client.quote("a cat", **GROK).why.startswith("as charged on")
        charged_on = f"$0.20 was charged on {clip.job.created_at.astimezone():%Y-%m-%d}"
    service.price(duration_seconds="0.10")
    clock.advance(2 * DAY_S)
    async with client_of(tmp_path, service, clock=clock) as client:
        again = await client.generate("a koala", **GROK)
        assert (again.job.id, service.lists) == (clip.job.id, 1), "what is made already needs no price"
        await client.await_prices("openrouter")
        told = client.quote("a cat", **GROK)
        assert told.cost == Cost(0.4, "USD")
        assert told.why.endswith(charged_on)
        clock.advance(PRICE_FOR_S + 1)
        job = await client.submit("a cat", **GROK)
        assert client.ledger.reservation(job).amount == pytest.approx(0.4)


async def test_nothing_is_read_where_a_service_is_emulated(tmp_path: Path) -> None:
    async with emulated(tmp_path) as client:
        await client.await_prices("openrouter")
        job: Job = await client.submit("a koala", **GROK)
        assert quotes.listed(client.store, job) is None


@pytest.mark.parametrize("by", ["run", "work"])
async def test_the_cap_of_a_sweep_holds_against_the_list_of_the_day(tmp_path: Path, by: str) -> None:
    service, clock = Service(), SkippingClock()
    service.price(duration_seconds="0.50")

    async def run() -> None:
        sweep = vidnb.sweep(prompt=["a koala", "a cat"], client=client, budget_usd=1, **GROK)
        if by == "run":
            await sweep.run_async()
        else:
            sweep.queue()
            await Worker(client, lambda text: None).work(until_idle=True)

    async with client_of(tmp_path, service, clock=clock) as client:
        await run()
        assert (client.jobs(), service.lists) == ([], 1), "the catalogue still says $0.20, the list says $2"
        clock.advance(DAY_S)
        service.price(duration_seconds="0.05")
        await run()
        assert [job.cost for job in client.jobs()] == [Cost(0.2, "USD")] * 2
        assert service.lists == 2


async def test_a_transport_of_the_callers_own_serves_one_loop_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope, receive)
            reply = service.answer(asked := httpx.Request(request.method, str(request.url)))
            service.requests.append(asked)
            await request.body()
            await Response(await reply.aread(), reply.status_code)(scope, receive, send)

    with served(app) as base_url:
        monkeypatch.setenv("OPENROUTER_BASE_URL", f"{base_url}/api")
        async with httpx.AsyncHTTPTransport() as transport:
            client = AsyncClient(tmp_path, keys={"openrouter": CANARY}, transport=transport, sleep=no_rest)
            async with client:
                client.quote("a koala", **GROK)
                assert (await client.generate("a koala", **GROK)).read() == film(40)
    assert service.lists == 1


@pytest.mark.parametrize("transport", [None, Service()], ids=["own sockets", "given transport"])
async def test_a_list_that_never_comes_is_waited_for_a_moment_and_let_go_before_the_database_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: Service | None
) -> None:
    ends: list[str] = []
    has_begun = threading.Event()

    async def refresh(store: Store, wire: Wire) -> bool:
        has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await store.aside(store.latencies, GROK["model"], False)
            ends.append("the reading")
        return True

    monkeypatch.setattr(listed_prices, "refresh", refresh)
    async with AsyncClient(tmp_path, keys={"openrouter": CANARY}, transport=transport) as client:
        with monkeypatch.context() as impatient:
            impatient.setattr(price_reader, "WAIT_S", 0.01)
            await client.await_prices("openrouter")
        await asyncio.to_thread(has_begun.wait)
        assert client.quote("a koala", **GROK).why.startswith("the catalogue's price")
        assert ends == []
        close = client.store.close
        monkeypatch.setattr(client.store, "close", lambda: (ends.append("the database"), close()))
    assert ends == ["the reading", "the database"]
