"""A database that another process holds keeps one call waiting, and never the event loop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from fakes import QUICK, emulated

from vidnb.errors import LockedError
from vidnb.records import State
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
