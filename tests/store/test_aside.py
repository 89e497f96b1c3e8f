"""A database that another process holds keeps one call waiting, and never the event loop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from fakes import QUICK, emulated
from historyjobs import a_job

from vidnb.errors import CapReachedError, IllegalTransitionError, LockedError, StoreError
from vidnb.records import Job, Reservation, State
from vidnb.store import Store

pytestmark = pytest.mark.anyio


@contextmanager
def held(home: Path) -> Iterator[None]:
    """Another process writes for as long as the block runs."""
    with closing(sqlite3.connect(home / "vidnb.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0.005)


async def test_the_loop_goes_on_while_a_job_waits_for_the_database(tmp_path: Path) -> None:
    async with emulated(tmp_path) as client:
        done = await client.generate("a koala", **QUICK)
        with held(tmp_path):
            waiting = [asyncio.create_task(client.submit(f"a cat {n}", **QUICK)) for n in range(6)]
            await turns()
            assert not any(task.done() for task in waiting)
            assert (await client.wait(done)).job.state is State.DONE, "what only reads is not kept waiting"
        jobs = await asyncio.gather(*waiting)
        assert len({job.id for job in jobs}) == 6
        for job in jobs:
            await client.wait(job)


async def test_a_job_on_its_way_waits_and_goes_on(tmp_path: Path) -> None:
    async with emulated(tmp_path) as client:
        job = await client.submit("a koala", **QUICK)
        with held(tmp_path):
            task = asyncio.create_task(client.wait(job))
            await turns()
        assert (await task).job.state is State.DONE


async def test_a_call_that_waits_too_long_says_so(tmp_path: Path) -> None:
    with (
        closing(Store(tmp_path, busy_s=0.05)) as store,
        held(tmp_path),
        pytest.raises(LockedError, match="another process held the database"),
    ):
        await store.aside(store.set_cap, "", "USD", 5.0)


async def test_whoever_is_cancelled_while_waiting_goes_on_when_the_call_is_over(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store:
        with held(tmp_path):
            task = asyncio.create_task(store.aside(store.set_cap, "lesson", "USD", 5.0))
            await turns()
            task.cancel()
            await turns()
            assert not task.done()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert {purse.cap for purse in store.purses(["lesson"])} == {5.0}


# -- together ----------------------------------------------------------------------------------------------------------


@contextmanager
def crowded(home: Path) -> Iterator[tuple[Store, list[str]]]:
    """A store whose callers are many, with jobs that may be sent; and the numbers of its jobs."""
    with closing(Store(home)) as store:
        ids = [store.intend(a_job(number, {}, state=State.INTENDED, emulated=False))[0].id for number in range(6)]
        store.aside.callers = lambda: len(ids)
        yield store, ids


@contextmanager
def commits(store: Store) -> Iterator[list[str]]:
    """What ends a transaction in the block."""
    said: list[str] = []
    with store.writing() as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
    raw.set_trace_callback(lambda statement: said.append(statement) if statement.startswith("COMMIT") else None)
    yield said
    raw.set_trace_callback(None)


async def moves(store: Store, ids: list[str], to: State) -> list[Job | BaseException]:
    going = (store.aside.together(store.move, job_id, to, expect=State.INTENDED) for job_id in ids)
    return await asyncio.gather(*going, return_exceptions=True)


async def test_what_many_jobs_write_at_a_time_is_one_transaction(tmp_path: Path) -> None:
    with crowded(tmp_path) as (store, ids):
        with commits(store) as said:
            moved = await moves(store, ids, State.SUBMITTING)
        assert [row.id for row in moved if isinstance(row, Job)] == ids
        assert said == ["COMMIT"]
        store.aside.callers = lambda: 4
        with commits(store) as said:
            await asyncio.gather(*(store.aside.together(store.move, one, State.RUNNING) for one in ids))
        assert len(said) == len(ids), "a few jobs do not wait for each other"


async def test_a_call_that_is_refused_is_refused_alone(tmp_path: Path) -> None:
    with crowded(tmp_path) as (store, ids):
        store.move(ids[0], State.CANCELLED)
        store.set_cap("lesson", "JOBS", 0)
        more = Reservation(purses=("lesson",))
        going = [store.aside.together(store.move, one, State.SUBMITTING) for one in ids[:3]]
        going.append(store.aside.together(store.move, ids[3], State.SUBMITTING, reservation=more))
        outcomes = await asyncio.gather(*going, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [IllegalTransitionError, Job, Job, CapReachedError]
        assert [len(store.events(job_id)) for job_id in ids[:4]] == [2, 2, 2, 1]
        # The newest step that the store remembers was committed: else the next POST would find the history cut short.
        assert store.move(ids[4], State.SUBMITTING).state is State.SUBMITTING


async def test_calls_that_cannot_be_one_transaction_are_made_alone(tmp_path: Path) -> None:
    with crowded(tmp_path) as (store, ids):
        with held(tmp_path):
            going = asyncio.create_task(moves(store, ids, State.SUBMITTING))
            await turns()
            assert not going.done()
        assert {row.state for row in await going if isinstance(row, Job)} == {State.SUBMITTING}
        assert [len(store.events(job_id)) for job_id in ids] == [2] * 6

        def full() -> None:
            raise StoreError("the disk is full")

        def half() -> None:
            with suppress(ZeroDivisionError), store.writing() as connection:
                connection.exec_driver_sql("UPDATE jobs SET note = 'half a step'")
                print(1 / 0)

        others = [store.aside.together(store.move, job_id, State.RUNNING) for job_id in ids[:3]]
        *moved, error = await asyncio.gather(*others, store.aside.together(full), return_exceptions=True)
        assert [row.state for row in moved if isinstance(row, Job)] == [State.RUNNING] * 3
        assert str(error) == "the disk is full"
        others = [store.aside.together(store.move, job_id, State.RUNNING) for job_id in ids[3:]]
        await asyncio.gather(*others, store.aside.together(half))
        assert [len(store.events(job_id)) for job_id in ids] == [3] * 6, "each was written once"
        assert {store.get(job_id).note for job_id in ids} == {""}


async def test_a_post_among_other_steps_is_remembered_for_a_copy_put_back(tmp_path: Path) -> None:
    with crowded(tmp_path) as (store, ids):
        store.move(ids[0], State.SUBMITTING)
        going = [store.aside.together(store.move, ids[1], State.SUBMITTING)]
        going.append(store.aside.together(store.move, ids[0], State.RUNNING))
        await asyncio.gather(*going)
        assert [path.name.count(ids[1]) for path in tmp_path.glob("files/sent/*/*")] == [1]


async def test_whoever_is_cancelled_while_others_are_gathered_stays_until_it_is_written(tmp_path: Path) -> None:
    with crowded(tmp_path) as (store, ids):
        tasks = [asyncio.create_task(store.aside.together(store.move, one, State.SUBMITTING)) for one in ids]
        await asyncio.sleep(0)
        tasks[0].cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(outcomes[0], asyncio.CancelledError)
        assert {store.get(one).state for one in ids} == {State.SUBMITTING}
