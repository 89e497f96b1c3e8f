"""A job is in one process's hands, whatever becomes of the clock, the database or the process."""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest
from clocks import TestClock, turns
from databases import postgres_server, schema_on

from vidnb.client.asynchronous import AsyncClient
from vidnb.clock import Clock
from vidnb.errors import NotSentError
from vidnb.jobs.lease import LEASE_S, RETRY_S, Leases
from vidnb.jobs.process import process_name
from vidnb.records import Job, State
from vidnb.store import Store
from vidnb.store.database import BUSY_S
from vidnb.store.pace import PaceRows

__all__ = ["postgres_server"]  # a fixture

pytestmark = pytest.mark.anyio

ELSEWHERE = "another-host/boot/1/7/1/abcdef12"


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def store(tmp_path: Path, clock: TestClock) -> Iterator[Store]:
    with closing(Store(tmp_path, clock=clock, busy_s=0.2)) as opened:
        yield opened


class SetClock(Clock):
    """A machine's clock that somebody set wrong."""

    def __init__(self, ahead_s: float) -> None:
        super().__init__()
        self.ahead_s = ahead_s

    def now(self) -> float:
        return super().now() + self.ahead_s


class Elsewhere(Leases):
    """The leases of a process on another machine, of which nobody here knows whether it lives."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.owner = ELSEWHERE


def a_job(clock: Clock, **fields: object) -> Job:
    return replace(
        Job(
            id=uuid.uuid4().hex, provider="leonardo", model="leonardo/motion_2.0", recipe_hash=uuid.uuid4().hex, take=0,
            state=State.INTENDED, params={"prompt": "a koala"}, images={}, emulated=True, base_url="https://a.invalid",
            created_at=clock.utc(),
        ), **fields,
    )  # fmt: skip


def written(store: Store, leases: Leases, clock: Clock) -> Job:
    """A new job that was written with a lease."""
    job, is_new = store.intend(leases.with_lease(a_job(clock)))
    assert is_new
    return job


def sent(store: Store, job: Job, clock: TestClock) -> Job:
    return store.move(job.id, State.SUBMITTING, submitted_at=clock.utc())


async def pass_time(clock: TestClock, seconds: float, step_s: float = 1.0) -> None:
    """Let time pass, and whoever waits for it act in between."""
    for _ in range(int(seconds / step_s)):
        clock.forward(step_s)
        await asyncio.sleep(0.005)
        await turns()


def test_a_lease_outlives_a_renewal_that_waits_for_a_locked_database() -> None:
    assert LEASE_S / 4 + BUSY_S < LEASE_S


async def test_a_job_that_takes_longer_than_its_lease_stays_in_the_same_hands(store: Store, clock: TestClock) -> None:
    mine, theirs = Leases(store), Elsewhere(store)
    job = written(store, mine, clock)
    with mine.held(job):
        for _ in range(3):
            await pass_time(clock, LEASE_S)
            assert not await theirs.claim(job)
    await pass_time(clock, LEASE_S + 1)
    newcomer = Elsewhere(store)
    assert not await newcomer.claim(job), "its process lives, and who comes now has not seen it silent"
    assert await theirs.claim(job), "who looked before has"


async def test_a_lease_that_nobody_renews_passes_to_another_machine_when_it_has_run_out(
    store: Store, clock: TestClock
) -> None:
    job = written(store, Elsewhere(store), clock)
    mine = Leases(store)
    clock.forward(LEASE_S - 1)
    assert not await mine.claim(job)
    clock.forward(2)
    assert await mine.claim(job)


async def test_a_dead_process_of_this_machine_is_not_waited_for(store: Store, clock: TestClock) -> None:
    dead = Leases(store)
    dead.owner = "/".join((*process_name().split("/")[:3], "999999999", "1", "abcdef12"))
    job = written(store, dead, clock)
    assert await Leases(store).claim(job)


async def test_the_heart_goes_on_beating_after_a_locked_database(
    store: Store, clock: TestClock, tmp_path: Path
) -> None:
    mine, theirs = Leases(store), Elsewhere(store)
    job = written(store, mine, clock)
    with mine.held(job), closing(sqlite3.connect(tmp_path / "vidnb.db")) as other:
        await turns()
        other.execute("BEGIN IMMEDIATE")
        clock.forward(LEASE_S / 4 + 1)
        await asyncio.sleep(0.6)  # one renewal is refused meanwhile
        other.rollback()
        await pass_time(clock, 3 * RETRY_S)
        until = store.get(job.id).lease_until
        assert until is not None
        assert (until - clock.utc()).total_seconds() > LEASE_S - 5 * RETRY_S
        clock.forward(LEASE_S - 5 * RETRY_S)
        await turns()
        assert not await theirs.claim(job)


async def test_a_clock_that_is_set_forward_gives_no_job_of_a_living_process_away(
    store: Store, clock: TestClock
) -> None:
    mine, theirs = Leases(store), Leases(store)
    job = written(store, mine, clock)
    clock.set_by(3600)
    assert not await theirs.claim(job)
    assert not await theirs.claim(job), "who looks twice in a moment has seen no silence"
    with mine.held(job):
        await pass_time(clock, LEASE_S)
        assert not await theirs.claim(job)


async def test_a_clock_that_is_set_back_keeps_no_lease_alive(store: Store, clock: TestClock) -> None:
    mine = Leases(store)
    job = written(store, mine, clock)
    with mine.held(job):
        job = sent(store, job, clock)
        await mine.confirm(job)
        clock.set_by(-3600)
        await mine.confirm(job)
        clock.advance(LEASE_S)  # and nobody renewed it: the machine slept
        with pytest.raises(NotSentError, match="stood still"):
            await mine.confirm(job)


async def test_after_the_sleep_of_a_machine_nothing_is_sent(store: Store, clock: TestClock) -> None:
    mine = Leases(store)
    job = written(store, mine, clock)
    with mine.held(job):
        job = sent(store, job, clock)
        await mine.confirm(job)
        clock.forward(8 * 3600)
        with pytest.raises(NotSentError, match="stood still"):
            await mine.confirm(job)


async def test_a_lease_that_runs_out_while_the_database_is_asked_lets_nothing_be_sent(
    store: Store, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, ask = Leases(store), store.holder

    def slow(job_id: str) -> object:
        clock.forward(LEASE_S)
        return ask(job_id)

    job = written(store, mine, clock)
    with mine.held(job):
        job = sent(store, job, clock)
        monkeypatch.setattr(store, "holder", slow)
        with pytest.raises(NotSentError, match="stood still"):
            await mine.confirm(job)


async def test_a_lease_counts_from_when_its_row_was_written(store: Store, clock: TestClock) -> None:
    mine = Leases(store)
    job = written(store, mine, clock)
    clock.forward(LEASE_S * 0.8)  # so long nobody came to work on it
    with mine.held(job):
        job = sent(store, job, clock)
        with pytest.raises(NotSentError, match="stood still"):
            await mine.confirm(job)


async def test_a_quarter_of_the_lease_must_be_left(store: Store, clock: TestClock) -> None:
    mine = Leases(store)
    job = written(store, mine, clock)
    with mine.held(job):
        job = sent(store, job, clock)
        clock.forward(LEASE_S * 0.75 - 1)
        await mine.confirm(job)
        clock.forward(2)
        with pytest.raises(NotSentError):
            await mine.confirm(job)


async def test_a_job_that_was_sent_again_by_another_process_is_not_sent_from_here(
    store: Store, clock: TestClock
) -> None:
    mine, theirs = Leases(store), Elsewhere(store)
    job = written(store, mine, clock)
    with mine.held(job):
        job = sent(store, job, clock)
        store.lease(job.id, theirs.owner, 0)
        clock.set_by(-1)
        assert not store.lease(job.id, theirs.owner, LEASE_S)
        clock.set_by(3600)  # their clock is ahead
        assert store.lease(job.id, theirs.owner, LEASE_S)
        with pytest.raises(NotSentError, match="another process"):
            await mine.confirm(job)


async def test_a_job_that_became_something_else_is_not_sent(store: Store, clock: TestClock) -> None:
    mine = Leases(store)
    job = written(store, mine, clock)
    with mine.held(job):
        job = sent(store, job, clock)
        store.move(job.id, State.AMBIGUOUS)
        with pytest.raises(NotSentError, match="ambiguous"):
            await mine.confirm(job)


async def test_a_submit_that_was_begun_anew_is_not_sent_by_the_old_one(store: Store, clock: TestClock) -> None:
    mine = Leases(store)
    job = written(store, mine, clock)
    with mine.held(job):
        job = sent(store, job, clock)
        store.move(job.id, State.INTENDED)
        clock.forward(1)
        sent(store, job, clock)
        with pytest.raises(NotSentError):
            await mine.confirm(job)


@pytest.mark.parametrize("wrong_s", [-90.0, 90.0])
async def test_machines_of_which_one_has_a_wrong_clock_agree_how_long_a_lease_holds_and_when_a_job_ended(
    tmp_path: Path, postgres_server: str, caplog: pytest.LogCaptureFixture, wrong_s: float
) -> None:
    with schema_on(postgres_server) as url, ExitStack() as opened:
        wrong, right = SetClock(wrong_s), SetClock(0.0)
        one, other = (opened.enter_context(closing(Store(url, clock=clock))) for clock in (wrong, right))
        said = [record.getMessage() for record in caplog.records if "clock is" in record.getMessage()]
        assert [f"s {'ahead of' if wrong_s > 0 else 'behind'} the database" in text for text in said] == [True]
        for holder, reader in ((one, other), (other, one)):
            job = written(holder, Elsewhere(holder), holder.clock)
            left_s = (reader.get(job.id).lease_until - reader.shared_time.utc()).total_seconds()
            assert abs(left_s - LEASE_S) < LEASE_S / 4
            assert not await Leases(reader).claim(job)
            assert PaceRows(holder).submit_turn("lane", reader.get(job.id), [job.id], 4, 0.0) is not None
            async with AsyncClient(tmp_path, database_url=url, clock=reader.clock) as client:
                assert not client.is_left_alone(reader.get(job.id))
            assert holder.renew([job.id], ELSEWHERE, LEASE_S) == {job.id}
            assert not await Leases(reader).claim(job)
            reader.clock.ahead_s += 7200.0  # in the middle of it, by a person
            assert not await Leases(reader).claim(job)
            for rows in (PaceRows(one), PaceRows(other)):
                assert rows.submit_turn("lane", replace(job, id="next", lease_owner="they"), ["next"], 1, 0.0) is None
            holder.renew([job.id], ELSEWHERE, -1.0)  # its time is over
            assert await Leases(reader).claim(job)
            ended = holder.move(job.id, State.FAILED)
            assert abs((reader.utc() - ended.done_at).total_seconds()) < LEASE_S  # rows are dated by the server, too
