"""Pools whose threads stand from the beginning."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextvars import ContextVar

import pytest

from vidnb.threads import StandingPool, until_over

said: ContextVar[str] = ContextVar("said")


def test_a_pool_calls_in_all_of_its_threads_at_once_and_hands_errors_over() -> None:
    pool, together = StandingPool(3, "three"), threading.Barrier(3)
    assert sorted(future.result(10) for future in [pool.submit(together.wait, 10) for _ in range(3)]) == [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 / 0).result(10)
    pool.shutdown()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("three_")]
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(print)


def test_a_pool_that_is_forgotten_lets_its_threads_go() -> None:
    pool = StandingPool(1, "forgotten")
    [thread] = [thread for thread in threading.enumerate() if thread.name == "forgotten_0"]
    del pool
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_who_is_cancelled_stays_until_the_call_is_over_and_the_call_sees_the_callers_context() -> None:
    begun, may_end, heard = threading.Event(), threading.Event(), list[str]()

    def work() -> None:
        begun.set()
        may_end.wait(10)
        heard.append(said.get())

    async def cancel_in_the_middle() -> None:
        said.set("koala")
        task = asyncio.create_task(until_over(work))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert heard == ["koala"]

    asyncio.run(cancel_in_the_middle())
