"""Pools of threads for work that must still be possible while the interpreter ends.

Once the main thread reached its end, the pools of `concurrent.futures` take no more work, and from Python 3.12 on no
thread can be started any more. Other threads of a script may go on generating then, and the replies to paid requests
are waited for. So whatever that needs has threads of its own from the beginning, which end after everything else.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event, Thread
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

END_S = 20.0
"""So long the end of the process waits for calls that are under way."""
ending = Event()
"""Is set when the process ends; long calls whose results nobody will see look at it between two steps."""
_pools: weakref.WeakSet[StandingPool] = weakref.WeakSet()


class StandingPool(ThreadPoolExecutor):
    """A pool whose threads all begin at once, and work until the process ends.

    It is a `ThreadPoolExecutor` because a loop takes nothing else as its default; the threads are its own.

    Raises:
        RuntimeError: the interpreter is ending, and starts no thread.
    """

    def __init__(self, threads: int, name: str) -> None:
        super().__init__(threads, name)
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._workers: list[Thread] = []
        self._is_over = False
        # One that is forgotten lets its threads go.
        weakref.finalize(self, _let_go, self._calls, threads).atexit = False
        for number in range(threads):
            worker = Thread(target=_work, args=(self._calls,), name=f"{name}_{number}", daemon=True)
            worker.start()
            self._workers.append(worker)
        _pools.add(self)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return what will hold the outcome of the call."""
        if self._is_over:
            raise RuntimeError("this pool was shut down")
        future: Future[T] = Future()
        self._calls.put(functools.partial(_run, future, functools.partial(fn, *args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; the threads end after those that were made."""
        if not self._is_over:
            self._is_over = True
            self.end()
        if wait:
            self.join(None)

    def end(self) -> None:
        """Let the threads end after the calls that were made. Later calls are not made, and nobody hears of that."""
        _let_go(self._calls, len(self._workers))

    def join(self, timeout_s: float | None) -> None:
        """Wait for the threads, for so long at most."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        for worker in self._workers:
            worker.join(None if end is None else max(0.0, end - time.monotonic()))


def _work(calls: SimpleQueue[Callable[[], None] | None]) -> None:
    while (call := calls.get()) is not None:
        call()
        del call  # what it holds is not kept until the next one


def _run(future: Future[T], call: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001  # whatever it is belongs to the caller
        future.set_exception(error)
    else:
        future.set_result(result)


def _let_go(calls: SimpleQueue[Callable[[], None] | None], threads: int) -> None:
    for _ in range(threads):
        calls.put(None)


async def until_over(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Make the call in a thread of the running loop's pool, and return what it returns.

    A caller that is cancelled stays until the call is over, so that nothing happens after it left.
    """
    work = functools.partial(contextvars.copy_context().run, call, *args, **kwargs)
    return await whole(asyncio.get_running_loop().run_in_executor(None, work))


async def whole(future: asyncio.Future[T]) -> T:
    """Return the future's result; a caller that is cancelled stays until it is there."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # it was looked at
        raise


def _end_all() -> None:
    """Let no thread be cut off in the middle of other people's code, where that can end the process with a crash."""
    ending.set()
    pools = list(_pools)
    for pool in pools:
        pool.end()
    end = time.monotonic() + END_S
    for pool in pools:
        pool.join(max(0.0, end - time.monotonic()))


# As a finalizer, of which the oldest is called last: the others may need a pool, and so may all that `atexit` calls.
weakref.finalize(StandingPool, _end_all)
