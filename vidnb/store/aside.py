"""Lets code on an event loop call the store without ever blocking the loop.

A call is tried on the loop's own thread first, where it takes a fraction of a millisecond; a change of thread would
cost more than the call. Where another process holds the database, the call is made again in a thread that may wait.
A database on a server is always asked in a thread.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from vidnb.errors import LockedError
from vidnb.threads import started_pool

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 4
"""So many calls wait at once; more would only wait for each other."""


class Aside:
    """Makes calls to one store without blocking the event loop.

    Args:
        is_quick: whether a call may be tried on the loop at all.
    """

    def __init__(self, *, is_quick: bool) -> None:
        self._is_quick = is_quick
        self._here = threading.local()
        self._threads: ThreadPoolExecutor | None = None

    @property
    def may_wait(self) -> bool:
        """Whether a call on this thread may wait for the database now."""
        return not getattr(self._here, "trying", False)

    async def __call__(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the call returns.

        The call may be made twice, so it must write in one transaction, or change nothing the second time.
        A caller that is cancelled stays until the call is over, so that nothing is written after it left.
        """
        if self._is_quick:
            self._here.trying = True
            try:
                return call(*args, **kwargs)
            except LockedError:
                pass
            finally:
                self._here.trying = False
        work = functools.partial(contextvars.copy_context().run, call, *args, **kwargs)
        future = asyncio.get_running_loop().run_in_executor(self._pool(), work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            if not future.cancelled():
                future.exception()  # it was looked at
            raise

    def begin_anew(self) -> object:
        """Forget the parent's threads in a forked child; return them."""
        left = self._threads, self._here
        self._threads, self._here = None, threading.local()
        return left

    def close(self) -> None:
        """Let the threads end."""
        if self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None

    def _pool(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = started_pool(THREADS, "vidnb-store")
        return self._threads
