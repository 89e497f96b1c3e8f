"""Money is counted once: in the database, before anything is sent, whoever sends it and however it ends."""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import pytest
from clocks import TestClock
from databases import database, postgres_server
from fakes import CANARY, QUICK, Scripted, no_rest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from vidnb import catalog
from vidnb.client import asynchronous
from vidnb.client.asynchronous import UNKNOWN_PRICE_WAIT_S, AsyncClient
from vidnb.client.budget import checked_name
from vidnb.emulator import Emulator
from vidnb.errors import (
    BudgetError,
    CapReachedError,
    ConfigError,
    IllegalTransitionError,
    JobError,
    StoreError,
    UnknownPriceError,
)
from vidnb.jobs import quotes
from vidnb.jobs.ledger import PRICE_FOR_S, Ledger, refusal
from vidnb.jobs.poll import doubted
from vidnb.jobs.quotes import NOTHING
from vidnb.records import JOBS_UNIT, Booked, Cost, Job, Purse, Reservation, State, Status
from vidnb.store import Store

__all__ = ["database", "postgres_server"]  # fixtures

PIKA = "1min/pika"
"""600,000 credits for 5 s by the catalogue, an estimate: 900,000 are reserved."""
CREDITS = "CREDITS:1min"
FORK = multiprocessing.get_context("forkserver")


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    with closing(Store(database)) as store:
        yield store


def job(**changes: Any) -> Job:
    """A job that nobody wrote yet."""
    told = {
        "id": uuid.uuid4().hex, "provider": "leonardo", "model": "leonardo/motion_2.0", "recipe_hash": uuid.uuid4().hex,
        "take": 0, "state": State.INTENDED, "params": {}, "images": {}, "emulated": False,
        "base_url": "https://a.invalid", "created_at": datetime(2026, 11, 29, tzinfo=UTC),
    }  # fmt: skip
    return Job(**told | changes)


def of(usd: float, *purses: str, expected: float | None = None) -> Reservation:
    """A reservation in the folder's purse and these."""
    return Reservation(("", *purses), "real", "USD", usd, usd if expected is None else expected)


def sums(store: Store, name: str = "", unit: str = "USD") -> tuple[float, float, float]:
    """Settled, reserved and unclear of a purse."""
    (purse,) = (p for p in store.purses([name]) if p.unit == unit and p.book == "real")
    return purse.settled, purse.reserved, purse.unclear


def sent(store: Store, reservation: Reservation) -> Job:
    """A job whose POST is on its way."""
    row, _ = store.intend(job(), reservation)
    return store.move(row.id, State.SUBMITTING)


# reserve, settle, give back


def test_what_is_reserved_is_settled_by_the_reply(store: Store) -> None:
    row = sent(store, of(0.5, "lesson"))
    assert sums(store) == sums(store, "lesson") == (0, 0.5, 0)
    store.move(row.id, State.RUNNING, cost=Cost(0.3, "USD"))
    assert sums(store) == sums(store, "lesson") == (0.3, 0, 0)
    store.move(row.id, State.DOWNLOADING, cost=Cost(0.3, "USD"))
    store.move(row.id, State.DONE)
    assert sums(store) == (0.3, 0, 0)
    assert sums(store, unit=JOBS_UNIT) == (1, 0, 0)


def test_a_service_that_never_says_what_it_charged_is_booked_with_the_expected_price(store: Store) -> None:
    row = sent(store, of(0.9, expected=0.6))
    store.move(row.id, State.DOWNLOADING)
    store.move(row.id, State.DONE)
    assert sums(store) == (0.6, 0, 0)


@pytest.mark.parametrize(("charged", "expected"), [(False, (0, 0, 0)), (True, (0.5, 0, 0)), (None, (0, 0, 0.5))])
def test_a_failure_gives_back_only_what_is_certainly_not_charged(
    store: Store, charged: bool | None, expected: tuple[float, float, float]
) -> None:
    row = sent(store, of(0.5))
    store.move(row.id, State.FAILED, error={"charged": charged})
    assert sums(store) == expected


def test_a_lost_reply_counts_until_it_is_disproved_and_sending_again_counts_once_more(store: Store) -> None:
    store.set_cap("", "USD", 1.0)
    row = sent(store, of(0.5))
    store.move(row.id, State.AMBIGUOUS)
    assert sums(store) == (0, 0, 0.5)
    store.move(row.id, State.INTENDED, expect=State.AMBIGUOUS, reservation=of(0.5))
    assert sums(store) == (0, 0.5, 0.5)
    store.move(row.id, State.SUBMITTING)
    store.move(row.id, State.AMBIGUOUS)
    with pytest.raises(CapReachedError):
        store.move(row.id, State.INTENDED, expect=State.AMBIGUOUS, reservation=of(0.5))
    assert store.get(row.id).state is State.AMBIGUOUS
    assert sums(store) == (0, 0, 1.0)
    store.attach(row.id, "r1")
    assert sums(store) == (0, 0.5, 0.5)  # it was found: what it costs is to be said yet
    store.move(row.id, State.DOWNLOADING, cost=Cost(0.4, "USD"))
    assert sums(store) == (0.4, 0, 0.5)
    each_post = store.sums(since=row.created_at)  # the first one stays as it was left
    assert each_post == [("USD", Booked.SETTLED, 0.4), ("USD", Booked.UNCLEAR, 0.5)]


def test_what_was_never_sent_is_given_back_and_what_was_given_up_is_not(store: Store) -> None:
    row, _ = store.intend(job(), of(0.5))
    store.move(row.id, State.CANCELLED, expect=State.INTENDED, booked=Booked.RETURNED)
    assert sums(store) == (0, 0, 0)
    row = sent(store, of(0.5))
    store.move(row.id, State.AMBIGUOUS)
    store.move(row.id, State.CANCELLED, expect=State.AMBIGUOUS)
    assert sums(store) == (0, 0, 0.5)


@pytest.mark.parametrize(("charged", "expected"), [(0.2, (0.2, 0, 0)), (0.0, (0, 0, 0))])
def test_a_cancelled_job_costs_what_the_service_says(
    store: Store, charged: float, expected: tuple[float, float, float]
) -> None:
    row = sent(store, of(0.5))
    store.move(row.id, State.QUEUED, remote_id="r1")
    store.move(row.id, State.CANCELLED, cost=Cost(charged, "USD"))
    assert sums(store) == expected


def test_a_late_cost_above_the_reservation_is_booked_said_and_nothing_more_is_sent(store: Store) -> None:
    said: list[str] = []
    ledger = Ledger(store, said.append)
    store.set_cap("", "USD", 1.0)
    row = sent(store, of(0.5))
    ledger.look_at_charge(store.move(row.id, State.RUNNING, cost=Cost(1.2, "USD")))
    assert sums(store) == (1.2, 0, 0)
    assert "$1.20, $0.70 more than was reserved" in said[0]
    with pytest.raises(CapReachedError):
        store.intend(job(), of(0.01))


def test_what_a_service_says_that_it_takes_at_most_is_held_in_place_of_the_guess_until_it_charges(store: Store) -> None:
    said: list[str] = []
    row = sent(store, of(0.5, expected=0.3))
    store.move(row.id, State.AMBIGUOUS)
    store.move(row.id, State.INTENDED, reservation=of(0.5, expected=0.3))
    store.move(row.id, State.SUBMITTING)
    store.move(row.id, State.QUEUED, estimate=Cost(0.8, "USD"))
    assert sums(store) == (0, 0.8, 0.5)
    store.move(row.id, State.DOWNLOADING)
    Ledger(store, said.append).look_at_charge(store.move(row.id, State.DONE))
    assert sums(store) == (0.8, 0, 0.5)
    assert said == []
    charged = sent(store, of(0.1))
    Ledger(store, said.append).look_at_charge(
        store.move(charged.id, State.QUEUED, estimate=Cost(0.4, "USD"), cost=Cost(0.2, "USD"))
    )
    assert sums(store) == (1.0, 0, 0.5)  # what was charged stands
    assert "$0.20, $0.10 more than was reserved" in said[0]  # by the caps, not by the service's own word
    row = store.intend(job(emulated=True), Reservation(("",), "emulated", "USD", 0.5, 0.4))[0]
    store.move(row.id, State.SUBMITTING)
    store.move(row.id, State.QUEUED, estimate=Cost(9.0, "USD"))
    (purse,) = (p for p in store.purses([""]) if p.unit == "USD" and p.book == "emulated")
    assert purse.reserved == 0.5


def test_a_charge_within_the_reservation_is_no_news(store: Store) -> None:
    said: list[str] = []
    row = sent(store, of(0.5, expected=0.3))
    Ledger(store, said.append).look_at_charge(store.move(row.id, State.RUNNING))
    Ledger(store, said.append).look_at_charge(store.move(row.id, State.DOWNLOADING, cost=Cost(0.5, "USD")))
    assert said == []


def test_what_was_spent_is_told_by_unit_and_by_how_sure_it_is(store: Store) -> None:
    for unit, amount in ((CREDITS, 40), ("CREDITS:leonardo", 7), ("USD", 0.5)):
        for to in (State.RUNNING, State.AMBIGUOUS, None):
            row = sent(store, Reservation(("",), "real", unit, amount, amount))
            if to is State.RUNNING:
                store.move(row.id, to, cost=Cost(amount / 2, unit.partition(":")[0]))
            elif to is not None:
                store.move(row.id, to)
    store.intend(job(emulated=True), Reservation(("",), "emulated", "USD", 9.0, 9.0))
    spent = Ledger(store).spent()
    assert (spent.reserved, spent.unclear) == ({"CREDITS": 47, "USD": 0.5}, {"CREDITS": 47, "USD": 0.5})
    assert spent.settled["USD"] == 0.25
    assert Ledger(store).spent(emulated=True).reserved == {"USD": 9.0}
    since = Ledger(store).spent(datetime(2026, 11, 28, tzinfo=UTC))
    assert (since.settled, since.reserved, since.unclear) == (spent.settled, spent.reserved, spent.unclear)
    assert dict(Ledger(store).spent(datetime(2026, 11, 30, tzinfo=UTC))) == {}


def test_a_charge_in_another_unit_leaves_the_reserved_one(store: Store) -> None:
    row = sent(store, of(0.5))
    store.move(row.id, State.RUNNING, cost=Cost(40, "CREDITS"))
    assert sums(store) == (0, 0, 0)
    assert sums(store, unit="CREDITS:leonardo") == (40, 0, 0)


def test_no_post_leaves_without_a_reservation_whatever_the_version_of_vidnb(store: Store) -> None:
    row = sent(store, of(0.5))
    store.move(row.id, State.AMBIGUOUS)
    store.move(row.id, State.INTENDED)  # as an older vidnb sends again
    with pytest.raises(StoreError, match="no reservation"):
        store.move(row.id, State.SUBMITTING)
    assert store.get(row.id).state is State.INTENDED
    assert store.reserve(row.id, of(0.5))
    assert not store.reserve(row.id, of(0.5)), "it has one that holds"
    store.move(row.id, State.SUBMITTING)


def test_a_decision_names_the_state_that_it_was_made_in(store: Store) -> None:
    row = sent(store, of(0.5))
    with pytest.raises(IllegalTransitionError):
        store.move(row.id, State.INTENDED, expect=State.AMBIGUOUS, reservation=of(0.5))
    store.move(row.id, State.AMBIGUOUS)
    store.move(row.id, State.INTENDED, expect=State.AMBIGUOUS, reservation=of(0.5))
    with pytest.raises(IllegalTransitionError):  # the second of two people
        store.move(row.id, State.INTENDED, expect=State.AMBIGUOUS, reservation=of(0.5))
    assert sums(store) == (0, 0.5, 0.5)


# caps


def test_each_purse_holds_by_itself_and_a_refusal_changes_nothing(store: Store) -> None:
    store.set_cap("a", "USD", 1.0)
    store.set_cap("", "USD", 1.5)
    store.intend(job(), of(0.8, "a"))
    with pytest.raises(CapReachedError) as refused:
        store.intend(job(), of(0.8, "b"))
    assert refused.value.purse.name == ""
    with pytest.raises(CapReachedError) as refused:
        store.intend(job(), of(0.3, "a"))
    assert refused.value.purse.name == "a"
    assert len(store.jobs()) == 1
    assert sums(store) == (0, 0.8, 0)


def test_tenths_add_up_to_the_cap_exactly(store: Store) -> None:
    store.set_cap("", "USD", 1.0)
    for _ in range(10):
        store.intend(job(), of(0.1))
    with pytest.raises(CapReachedError):
        store.intend(job(), of(0.1))


def test_a_price_in_another_unit_or_none_needs_a_cap_in_jobs_or_a_yes(store: Store) -> None:
    store.set_cap("", "USD", 1.0)
    unknown = Reservation(("",))
    for refused in (unknown, Reservation(("",), "real", CREDITS, 40, 40)):
        with pytest.raises(CapReachedError):
            store.intend(job(), refused)
    sent_alone, _ = store.intend(job(), Reservation(("",), accepted=True))
    store.move(sent_alone.id, State.CANCELLED, booked=Booked.RETURNED)
    store.set_cap("", JOBS_UNIT, 1)
    store.intend(job(), unknown)
    with pytest.raises(CapReachedError):
        store.intend(job(), unknown)


@pytest.mark.parametrize("book", ["real", "emulated"])
def test_an_accepted_unknown_price_is_sent_until_the_cap_is_used_up(store: Store, book: Any) -> None:
    store.set_cap("", "USD", 1.0)
    store.set_cap("", JOBS_UNIT, 9)
    unknown = Reservation(("",), book, accepted=True)
    for charged in (0.4, 0.7):
        row, _ = store.intend(job(emulated=book == "emulated"), unknown)
        store.move(row.id, State.SUBMITTING)
        store.move(row.id, State.RUNNING, cost=Cost(charged, "USD"))
    with pytest.raises(CapReachedError) as refused:
        store.intend(job(emulated=book == "emulated"), unknown)
    assert str(refusal(refused.value)) == (
        "Nothing was sent: the cap of $1.00 of this data folder is used up ($1.10). "
        "Raise the cap to go on (vidnb.budget(usd=...))."
    )


def unknown(*purses: str) -> Reservation:
    """A reservation of a job whose price nobody knows before, and which a person accepted."""
    return Reservation(("", *purses), accepted=True, known_from=("leonardo",))


def test_jobs_of_unknown_price_go_one_at_a_time_under_a_cap_in_money(store: Store) -> None:
    store.set_cap("a", "USD", 1.0)
    store.set_cap("a", JOBS_UNIT, 9)
    first = sent(store, unknown("a"))
    with pytest.raises(CapReachedError) as refused:
        store.intend(job(), unknown("a"))
    assert refused.value.ahead == first.id
    assert str(refusal(refused.value)) == (
        "Nothing was sent: nobody knows the price of this clip before it is sent, nor that of job "
        f"{first.id[:8]}, which has not ended. Such jobs go one at a time under the cap of $1.00 of the purse 'a', "
        "so that they pass it by the price of one at most. "
        f"Send it again after that job: vidnb.wait('{first.id[:8]}')."
    )
    sent(store, unknown("b"))  # no cap in money holds for these
    sent(store, of(0.9, "a"))
    store.move(first.id, State.AMBIGUOUS)  # its charge may still come
    with pytest.raises(CapReachedError):
        store.intend(job(), unknown("a"))
    store.move(first.id, State.INTENDED, expect=State.AMBIGUOUS, reservation=unknown("a"))
    store.move(first.id, State.SUBMITTING)
    store.move(first.id, State.RUNNING, cost=Cost(0.05, "USD"))
    second = sent(store, unknown("a"))
    store.move(second.id, State.DOWNLOADING)
    store.move(second.id, State.DONE)  # a service that never says what it charges
    third = sent(store, unknown("a"))
    store.move(third.id, State.FAILED, error={"charged": None})  # no word will come of it any more
    sent(store, unknown("a"))


def test_a_service_that_never_says_what_a_job_cost_is_not_waited_for(store: Store) -> None:
    ledger, told = Ledger(store, print), "runway/no-price-is-known"
    store.set_cap("", "USD", 1.0)
    store.set_cap("", JOBS_UNIT, 9)

    def asked(model: str) -> Job:
        row = job(model=model, provider=model.partition("/")[0])
        return store.intend(row, ledger.reservation(row, accepted=True))[0]

    for model in ("replicate/kwaivgi/kling-v2.0", "fal/no-price-is-known", "1min/no-price-is-known"):
        asked(model)
        asked(model)
    first = asked(told)
    with pytest.raises(CapReachedError) as refused:
        asked(told)
    assert refused.value.ahead == first.id
    asked("replicate/kwaivgi/kling-v2.0")


def test_each_book_counts_its_own_jobs_of_unknown_price(store: Store) -> None:
    store.set_cap("", "USD", 1.0)
    store.intend(job(), unknown())
    emulated = replace(unknown(), book="emulated")
    store.intend(job(emulated=True), emulated)
    with pytest.raises(CapReachedError):
        store.intend(job(emulated=True), emulated)


def test_a_purse_that_is_reset_begins_anew_and_the_folder_keeps_what_was_spent(store: Store) -> None:
    store.set_cap("a", "USD", 1.0)
    row = sent(store, of(0.8, "a"))
    store.move(row.id, State.RUNNING, cost=Cost(0.8, "USD"))
    Ledger(store).forgive("a")
    store.intend(job(), of(0.8, "a"))
    with pytest.raises(CapReachedError):
        store.intend(job(), of(0.8, "a"))
    assert sums(store) == (0.8, 0.8, 0)


def race(url: str, start: Any, pipe: Connection, reservation: Reservation) -> None:
    """Try to be the one that reserves."""
    with closing(Store(url)) as store:
        pipe.send("ready")
        start.wait(300)
        try:
            store.intend(job(), reservation)
            pipe.send("won")
        except CapReachedError:
            pipe.send("refused")


@pytest.mark.parametrize(
    ("racers", "wanted"), [(2, of(1.0, "a", "b")), (8, of(1.0, "a", "b")), (8, unknown("a", "b"))]
)
def test_of_processes_that_race_for_the_last_reservation_one_wins(
    database: str, racers: int, wanted: Reservation
) -> None:
    with closing(Store(database)) as store:
        store.set_cap("b", "USD", 1.5)
        start, pipes = FORK.Event(), [FORK.Pipe() for _ in range(racers)]
        told = [(database, start, there, wanted) for _, there in pipes]
        processes = [FORK.Process(target=race, args=args, daemon=True) for args in told]
        for process in processes:
            process.start()
        for here, _ in pipes:
            assert here.poll(300)
            assert here.recv() == "ready"
        start.set()
        results = [here.recv() for here, _ in pipes if here.poll(300)]
        assert sorted(results) == ["refused"] * (racers - 1) + ["won"]
        assert sums(store, "b", JOBS_UNIT) == sums(store, unit=JOBS_UNIT) == (0, 1, 0)
        assert sums(store, "b") == (0, wanted.amount, 0)


class Books(RuleBasedStateMachine):
    """Two engines' stores on one database: whatever comes, the cap holds and the sums are those of the jobs."""

    rows = Bundle("rows")
    CAP = 2.0

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.stores = [Store(f"sqlite:///{self.folder.name}/vidnb.db") for _ in range(2)]
        self.stores[0].set_cap("", "USD", self.CAP)
        self.asked: dict[str, float] = {}
        self.unknown: dict[str, float] = {}
        """What jobs of unknown price turn out to cost."""

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        self.folder.cleanup()

    def at(self, which: int) -> Store:
        return self.stores[which]

    @rule(target=rows, which=st.integers(0, 1), cents=st.integers(1, 90))
    def intend(self, which: int, cents: int) -> str:
        new = job()
        try:
            self.at(which).intend(new, of(cents / 100))
        except CapReachedError:
            return ""
        self.asked[new.id] = cents / 100
        return new.id

    @rule(target=rows, which=st.integers(0, 1), cents=st.integers(1, 90))
    def intend_at_an_unknown_price(self, which: int, cents: int) -> str:
        new = job()
        try:
            self.at(which).intend(new, unknown())
        except CapReachedError:
            return ""
        self.unknown[new.id] = cents / 100
        return new.id

    @rule(
        which=st.integers(0, 1),
        row=rows,
        to=st.sampled_from(list(State)),
        share=st.integers(0, 100),
        how=st.sampled_from([None, True, False]),
    )
    def move(self, which: int, row: str, to: State, share: int, how: bool | None) -> None:
        if not row:
            return
        store = self.at(which)
        told: dict[str, Any] = {}
        if to in (State.RUNNING, State.QUEUED, State.DOWNLOADING, State.DONE) and share % 2:
            told["cost"] = Cost(self.unknown.get(row) or self.asked[row] * share / 100, "USD")
        if to is State.FAILED:
            told["error"] = {"charged": how}
        before = store.get(row).state
        again = unknown() if row in self.unknown else of(self.asked[row])
        again = again if (before, to) == (State.AMBIGUOUS, State.INTENDED) else None  # type: ignore[assignment]
        if to is State.CANCELLED and before is State.INTENDED:
            told["booked"] = Booked.RETURNED
        with suppress(IllegalTransitionError, CapReachedError):
            store.move(row, to, expect=before, reservation=again, **told)

    @invariant()
    def the_cap_holds_and_the_sums_agree(self) -> None:
        (purse,) = (p for p in self.stores[0].purses([""]) if p.unit == "USD" and p.book == "real")
        assert purse.used <= self.CAP + max(self.unknown.values(), default=0.0) + 1e-6
        with self.stores[1].reading() as connection:
            rows = connection.exec_driver_sql("SELECT booked, sum(amount) FROM reservations GROUP BY booked").all()
        told = {booked: amount for booked, amount in rows if booked != "returned"}
        for name in ("settled", "reserved", "unclear"):
            assert getattr(purse, name) == pytest.approx(told.get(name, 0.0), abs=1e-9)


TestBooks = pytest.mark.filterwarnings("ignore::ResourceWarning")(Books.TestCase)
TestBooks.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


# every way to pay


class Service:
    """1min.ai as far as a test needs it; it counts what costs money."""

    def __init__(self, status_code: int = 200, body: Any = None, lost: bool = False) -> None:
        self.paid = 0
        self.status_code, self.body, self.lost = status_code, body, lost

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method != "POST":
            return httpx.Response(404, json={"message": "no such job"})
        self.paid += 1
        if self.lost:
            raise httpx.ReadError("lost", request=request)
        return httpx.Response(self.status_code, json=self.body or {"message": "busy"})


@asynccontextmanager
async def paying(home: Path, service: Service, **options: Any) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(
        home, keys={"1min": CANARY, "leonardo": CANARY}, transport=Scripted(service.answer), sleep=no_rest, **options
    ) as client:
        yield client


async def ended(client: AsyncClient, row: Job) -> Job:
    """The row once nothing more happens by itself."""
    with pytest.raises(Exception):  # noqa: B017  # lost, refused, failed: the row says which
        await client.wait(row, 20, quiet=True)
    return client.job(row)


@pytest.mark.anyio
async def test_lost_replies_given_up_do_not_pass_the_cap(tmp_path: Path) -> None:
    service = Service(lost=True)
    async with paying(tmp_path, service, purse="lesson", budget_credits={"1min": 2_000_000}) as client:
        for n in range(2):
            row = await ended(client, await client.submit(f"koala {n}", model=PIKA))
            assert row.state is State.AMBIGUOUS
            await client.settle(row, "give_up")
        with pytest.raises(BudgetError, match="1,800,000 credits of 1min unclear"):
            await client.submit("koala 3", model=PIKA)
    async with paying(tmp_path, service, purse="lesson") as client:  # as in a new kernel
        with pytest.raises(BudgetError):
            await client.submit("koala 4", model=PIKA)
    assert service.paid == 2


@pytest.mark.anyio
async def test_send_again_asks_the_cap_and_the_refused_job_stays_where_it_is(tmp_path: Path) -> None:
    service = Service(lost=True)
    async with paying(tmp_path, service, budget_credits={"1min": 1_000_000}) as client:
        row = await ended(client, await client.submit("koala", model=PIKA))
        with pytest.raises(BudgetError):
            await client.settle(row, "send_again")
        assert client.job(row).state is State.AMBIGUOUS
    assert service.paid == 1


@pytest.mark.anyio
async def test_two_people_who_send_again_at_once_pay_once_more(tmp_path: Path) -> None:
    service = Service(lost=True)
    async with paying(tmp_path, service) as one, paying(tmp_path, service) as two:
        row = await ended(one, await one.submit("koala", model=PIKA))
        both = await asyncio.gather(
            one.settle(row, "send_again"), two.settle(row, "send_again"), return_exceptions=True
        )
        assert sum(isinstance(result, Job) for result in both) == 1, both
        await ended(one, one.job(row))
    assert service.paid == 2


@pytest.mark.anyio
async def test_a_decision_is_about_the_submit_that_was_seen_and_no_later_one(tmp_path: Path) -> None:
    service = Service(lost=True)
    async with paying(tmp_path, service) as client:
        seen = await ended(client, await client.submit("koala", model=PIKA))
        await ended(client, await client.settle(seen, "send_again"))
        with pytest.raises(JobError, match="sent again meanwhile"):
            await client.settle(seen, "send_again")
        assert service.paid == 2
        await client.settle(client.job(seen), "give_up")


@pytest.mark.anyio
async def test_an_unknown_price_is_refused_before_there_is_a_row_to_resume(tmp_path: Path) -> None:
    service = Service()
    async with paying(tmp_path, service, budget_usd=5) as client:
        for values in ({"model": PIKA}, QUICK):
            unsure = r"(nobody knows the price of this clip before|this clip costs about).*A cap on the number of jobs"
            with pytest.raises(UnknownPriceError, match=unsure):
                await client.submit("koala", **values)
        assert client.jobs() == []
    async with paying(tmp_path, service, budget_usd=5, budget_jobs=1) as client:
        await ended(client, await client.submit("koala", model=PIKA))
        with pytest.raises(BudgetError, match="1 job more would pass the cap of 1 job"):
            await client.submit("cat", model=PIKA)
    assert service.paid == 1


@pytest.mark.anyio
async def test_a_cap_of_one_client_is_no_other_clients(tmp_path: Path) -> None:
    service = Service(500)
    async with paying(tmp_path, service, budget_jobs=1) as client, paying(tmp_path, service) as other:
        await ended(client, await client.submit("koala", model=PIKA))
        await ended(other, await other.submit("cat", model=PIKA))
        with pytest.raises(BudgetError, match="of this client"):
            await client.submit("bird", model=PIKA)
        assert [purse.name for purse in client.budget()] == ["", ""]


@pytest.mark.anyio
async def test_the_variable_caps_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDNB_BUDGET_USD", "0.5")
    async with paying(tmp_path, Service()) as client:
        only = r"the cap of \$0\.50 of this process .*\. What would allow it is accept_unknown_price=True\.$"
        with pytest.raises(UnknownPriceError, match=only):
            await client.submit("koala", model=PIKA)
    monkeypatch.setenv("VIDNB_BUDGET_USD", "a lot")
    async with paying(tmp_path, Service()) as client:
        with pytest.raises(ConfigError, match="VIDNB_BUDGET_USD='a lot'"):
            await client.submit("koala", model=PIKA)


@pytest.mark.anyio
async def test_emulated_jobs_have_a_book_of_their_own_with_the_same_caps(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "emulator", speed=1000.0)
    async with AsyncClient(tmp_path, emulator=emulator, purse="lesson", budget_credits={"1min": 700_000}) as client:
        await client.generate("koala", model=PIKA)
        with pytest.raises(BudgetError, match="600,000 credits of 1min more would pass"):
            await client.submit("cat", model=PIKA)
        assert dict(client.spent()) == {}
        (purse,) = (one for one in client.budget() if (one.name, one.unit, one.book) == ("lesson", CREDITS, "emulated"))
        assert (purse.settled, purse.left) == (600_000, 100_000)
        await client.generate("bird", **QUICK)  # no price, and it costs nothing


@pytest.mark.anyio
async def test_a_submit_waits_for_the_price_of_the_job_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asynchronous, "UNKNOWN_PRICE_WAIT_S", 300.0)  # a busy machine takes its time
    emulator = Emulator(tmp_path / "emulator", speed=1000.0)
    async with AsyncClient(tmp_path, emulator=emulator, budget_usd=5) as client:
        jobs = await asyncio.gather(*(client.submit(f"koala {n}", **QUICK) for n in range(3)))
        assert len({row.id for row in jobs}) == 3
        await client.wait(jobs, quiet=True)


@pytest.mark.anyio
async def test_a_submit_waits_for_some_seconds_and_no_longer_for_the_price_of_another_job(tmp_path: Path) -> None:
    clock = TestClock()
    async with AsyncClient(tmp_path, clock=clock, purse="lesson", budget_usd=5) as client:
        assert client.ledger
        first, _ = client.store.intend(job(emulated=True), Reservation(("", "lesson"), "emulated", accepted=True))
        before, submitting = clock.monotonic(), asyncio.create_task(client.submit("koala", **QUICK))
        while not submitting.done():
            clock.forward(0.5)
            await asyncio.sleep(0.001)
        with pytest.raises(BudgetError, match=f"Send it again after that job: vidnb.wait.'{first.id[:8]}'"):
            await submitting
        assert clock.monotonic() - before > UNKNOWN_PRICE_WAIT_S
        assert [row.id for row in client.jobs()] == [first.id]


@pytest.mark.anyio
async def test_a_price_that_was_dearer_before_is_reserved_at_its_dearest(tmp_path: Path) -> None:
    async with paying(tmp_path, Service()) as client:
        for hour, amount in enumerate((500_000, 1_100_000, 550_000)):
            at = datetime(2026, 11, 29, hour, tzinfo=UTC)
            told = {"provider": "1min", "model": PIKA, "params": {"duration_s": 5}, "cost": Cost(amount, "CREDITS")}
            client.store.intend(job(**told, state=State.DONE, created_at=at))
        reservation = client.ledger.reservation(job(provider="1min", model=PIKA, params={"duration_s": 5}))
        assert (reservation.unit, reservation.amount) == (CREDITS, 1_100_000)
        assert (reservation.book, reservation.expected) == ("real", 550_000), "the newest charge is the likeliest"


@pytest.mark.anyio
@pytest.mark.parametrize("amount", [0.0, -0.5])
async def test_a_job_that_was_free_says_nothing_of_the_next_one(tmp_path: Path, amount: float) -> None:
    told = {"model": "leonardo/motion_2.0", "params": {}}
    async with paying(tmp_path, Service()) as client:
        client.store.intend(job(**told, cost=Cost(amount, "USD"), state=State.DONE))
        reservation = client.ledger.reservation(job(**told))
        assert (reservation.unit, reservation.known_from != ()) == ("", True)
        assert quotes.quote(client.store, told["model"], {}, {}).cost is None


def test_a_charge_below_zero_is_none() -> None:
    told = Status("x", State.DOWNLOADING, cost=Cost(-500, "CREDITS"), estimate=Cost(-1, "USD"))
    assert (doubted(told).cost, doubted(told).estimate) == (None, None)
    assert doubted(replace(told, cost=NOTHING)).cost == NOTHING


@pytest.mark.parametrize("name", ["lesson-3 ", " lesson-3", "lesson-3\u00a0", " ", "", "a\nb", 5])
def test_a_purse_has_no_spaces_around_its_name(name: Any) -> None:
    with pytest.raises(ConfigError, match="without spaces around it"):
        checked_name(name)


@pytest.mark.anyio
async def test_naming_another_cap_changes_it_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", "vidnb")  # in a script without logging Python prints these, and nothing below
    for cap in (3, 3, 5):
        async with paying(tmp_path, Service(), purse="lesson-3", budget_jobs=cap) as client:
            assert [one.cap for one in client.budget() if one.book == "real" and one.name] == [cap]
    said = [record.getMessage() for record in caplog.records if "cap of" in record.getMessage()]
    assert said == ["The cap of the purse 'lesson-3' was 3 jobs and is 5 jobs now."]


@pytest.mark.parametrize(
    ("name", "unit", "where", "how"),
    [
        ("", "USD", "this data folder", "vidnb.budget(usd=...)"),
        ("", CREDITS, "this data folder", "vidnb.budget(credits=...)"),
        ("a b", JOBS_UNIT, "the purse 'a b'", "vidnb.budget('a b', jobs=...)"),
        ("client:1f", "USD", "this client", "budget_usd=..."),
        ("process:1f", "USD", "this process", "VIDNB_BUDGET_USD=..."),
    ],
)
def test_a_refusal_says_what_is_used_and_where_the_cap_is_raised(name: str, unit: str, where: str, how: str) -> None:
    purse = Purse(name, "real", unit, 9.0, 5.0, 1.0, 2.0, forgiven=3.0)
    told = {"USD": "up to $2.00 more", JOBS_UNIT: "2 jobs more", CREDITS: "up to 2 credits of 1min more"}
    amounts = [str(Cost(amount, unit)) for amount in (9.0, 2.0, 1.0, 2.0)]
    assert str(refusal(CapReachedError(purse, Cost(2.0, unit), None))) == (
        f"Nothing was sent: {told[unit]} would pass the cap of {amounts[0]} of {where} "
        f"(so far {amounts[1]} spent, {amounts[2]} reserved, {amounts[3]} unclear). Raise the cap to go on ({how})."
    )
    if unit != JOBS_UNIT:
        used_up = Purse(name, "real", unit, 5.0, 5.0, 0.0, 0.0)
        assert str(refusal(CapReachedError(used_up, None, None))).endswith(f"Raise the cap to go on ({how}).")
    empty = Purse(name, "real", unit, 1.0, 3.0, 0.0, 0.0, forgiven=3.0)
    assert str(refusal(CapReachedError(empty, Cost(2.0, unit), None))).endswith(
        f" of {where}. Raise the cap to go on ({how})."
    )


def test_a_price_in_another_unit_is_named_in_the_refusal(store: Store) -> None:
    store.set_cap("a", "USD", 1.0)
    with pytest.raises(CapReachedError) as refused:
        store.intend(job(), Reservation(("", "a"), "real", CREDITS, 60, 40))
    assert str(refusal(refused.value)) == (
        "Nothing was sent: this clip costs about 40 credits of 1min, and that is another unit than the cap's, so the "
        "cap of $1.00 of the purse 'a' cannot be promised to hold. A cap on the number of jobs beside it would allow "
        "it (vidnb.budget('a', jobs=...)), and so would accept_unknown_price=True."
    )


def test_a_cap_that_is_changed_by_the_way_is_told_of_once(store: Store) -> None:
    said: list[str] = []
    ledger = Ledger(store, said.append)
    ledger.cap("lesson", {"USD": 5.0})
    ledger.cap("client:1", {"USD": 1.0})
    ledger.cap("client:1", {"USD": 2.0})
    assert said == []
    ledger.cap("lesson", {"USD": None, JOBS_UNIT: 3})
    assert said == ["The cap of the purse 'lesson' was $5.00 and is none now."]
    ledger.cap("lesson", {JOBS_UNIT: 4}, silent=True)
    assert len(said) == 1
    assert ledger.purse_caps("lesson") == {JOBS_UNIT: 4}
    assert ledger.purse_caps("client:1") == {"USD": 2.0}
    assert {purse.name for purse in ledger.purses()} == {"lesson"}


def test_the_caps_of_a_purse_are_those_that_were_set(store: Store) -> None:
    for unit, cap in (("USD", 5.0), (JOBS_UNIT, 3), (CREDITS, 40), (CREDITS, None)):
        store.set_cap("lesson", unit, cap)
    assert Ledger(store).purse_caps("lesson") == {"USD": 5.0, JOBS_UNIT: 3.0}


def test_a_job_from_before_the_ledger_is_reserved_before_it_is_sent_or_refused(store: Store) -> None:
    row, _ = store.intend(job(purse="lesson"), Reservation(("",), accepted=True))
    with store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM reservations")
    store.set_cap("", "USD", 1.0)
    ledger = Ledger(store)
    with pytest.raises(UnknownPriceError):
        ledger.ensure(row)
    assert not store.is_reserved(row.id)
    ledger.ensure(row, accepted=True)
    assert store.is_reserved(row.id)
    assert sums(store, "lesson", JOBS_UNIT) == (0, 1, 0)


def test_a_job_from_before_the_ledger_is_priced_once_and_no_other_with_it(store: Store) -> None:
    rows = [store.intend(job(), Reservation(("",)))[0] for _ in range(2)]
    for row in rows:
        store.move(row.id, State.SUBMITTING)
        store.move(row.id, State.DOWNLOADING)
        store.move(row.id, State.DONE)
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE reservations SET expected = -1, unit = ''")
    assert {row.id for row in store.unpriced()} == {row.id for row in rows}
    store.expect_cost(rows[0].id, Cost(0.5, "USD"))
    assert [row.id for row in store.unpriced()] == [rows[1].id]
    store.expect_cost(rows[0].id, Cost(9.0, "USD"))
    assert sums(store) == (0.5, 0, 0)


def test_jobs_from_before_the_ledger_are_booked_at_the_catalogues_price_as_far_as_it_has_one(store: Store) -> None:
    known = {"provider": "1min", "model": PIKA, "params": {"duration_s": 5}}
    for fields in (known, {"provider": "gone", "model": "gone/x"}):
        row = store.intend(job(**fields), Reservation(("",)))[0]
        for state in (State.SUBMITTING, State.DOWNLOADING, State.DONE):
            store.move(row.id, state)
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE reservations SET expected = -1, unit = ''")
    Ledger(store)
    assert store.unpriced() == [], "an unknown price is not looked for at every start"
    assert sums(store, unit=CREDITS) == (600_000, 0, 0)


@pytest.mark.parametrize("emulated", [False, True])
def test_only_what_is_emulated_needs_no_persons_yes_to_an_unknown_price(store: Store, emulated: bool) -> None:
    unknown = Ledger(store).reservation(job(provider="gone", model="gone/x", emulated=emulated))
    assert (unknown.unit, unknown.accepted) == ("", emulated)
    assert unknown.book == ("emulated" if emulated else "real")
    known = Ledger(store).reservation(job(provider="1min", model=PIKA, params={"duration_s": 5}, emulated=emulated))
    assert (known.unit, known.accepted) == (CREDITS, False)


def test_the_second_book_is_kept_at_the_catalogues_prices_whatever_the_emulator_invents(store: Store) -> None:
    row, _ = store.intend(job(emulated=True), Reservation(("",), "emulated", "USD", 0.5, 0.4))
    store.move(row.id, State.SUBMITTING)
    store.move(row.id, State.RUNNING, cost=Cost(9.0, "USD"))
    (purse,) = (p for p in store.purses([""]) if p.unit == "USD" and p.book == "emulated")
    assert (purse.settled, purse.reserved, purse.unclear) == (0.4, 0, 0)
    row, _ = store.intend(job(emulated=True), Reservation(("",), "emulated"))  # the catalogue has no price for it
    store.move(row.id, State.SUBMITTING)
    store.move(row.id, State.RUNNING, cost=Cost(0.25, "USD"))
    (purse,) = (p for p in store.purses([""]) if p.unit == "USD" and p.book == "emulated")
    assert purse.settled == pytest.approx(0.65)


def test_a_price_is_looked_up_again_after_a_while_and_not_before(tmp_path: Path) -> None:
    clock = TestClock()
    with closing(Store(tmp_path, clock=clock)) as store:
        ledger, wanted = Ledger(store), job(provider="1min", model=PIKA, params={"duration_s": 5})
        assert ledger.reservation(wanted).amount == 900_000
        store.intend(job(provider="1min", model=PIKA, params={"duration_s": 5}, cost=Cost(1_100_000, "CREDITS")))
        clock.forward(PRICE_FOR_S)
        assert ledger.reservation(wanted).amount == 900_000
        clock.forward(0.01)
        assert ledger.reservation(wanted).amount == 1_100_000


def test_an_unknown_price_is_known_with_the_next_charge(store: Store) -> None:
    ledger, gone = Ledger(store), {"provider": "gone", "model": "gone/x"}
    assert ledger.reservation(job(**gone)).unit == ""
    store.intend(job(**gone, cost=Cost(0.3, "USD")))
    known = ledger.reservation(job(**gone))
    assert (known.unit, known.amount, known.expected) == ("USD", 0.3, 0.3)


def test_what_a_service_charged_is_nothing_to_the_emulated_book(store: Store) -> None:
    pika = {"provider": "1min", "model": PIKA, "params": {"duration_s": 5}}
    store.intend(job(**pika, cost=Cost(1_100_000, "CREDITS")))
    assert Ledger(store).reservation(job(**pika)).amount == 1_100_000
    assert Ledger(store).reservation(job(**pika, emulated=True)).amount == 600_000


def test_every_price_of_the_catalogue_is_in_a_unit_that_the_books_know() -> None:
    units = {model.price["unit"] for model in catalog.load().values() if model.price}
    assert units <= {"USD", "CREDITS"}
