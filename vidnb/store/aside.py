"""Lets code on an event loop call the store without ever blocking the loop.

A call is tried on the loop's own thread first, where it takes a fraction of a millisecond; a change of thread would
cost more than the call. Where another process holds the database, the call is made again in a thread that may wait.
A database on a server is always asked in a thread.

While many jobs are on their way, calls that write wait a few milliseconds for each other and are committed together, as
databases on servers do it (PostgreSQL: `commit_delay`): most of what a small transaction costs is its commit.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

from vidnb.errors import LockedError
from vidnb.threads import StandingPool, whole

log = logging.getLogger("vidnb")

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 4
"""So many calls wait at once; more would only wait for each other."""
MANY = 5
"""From so many callers on, those that write wait for each other."""
GATHER_S = 0.005
"""So long the first one waits for others."""


class Aside:
    """Makes calls to one store without blocking the event loop.

    Args:
        is_quick: whether a call may be tried on the loop at all.
        one_transaction: within it, all that this thread writes is one transaction, of which nothing is written where
            any part raises.
    """

    def __init__(self, *, is_quick: bool, one_transaction: Callable[[], AbstractContextManager[None]]) -> None:
        self._is_quick = is_quick
        self._one_transaction = one_transaction
        self.callers: Callable[[], int] = lambda: 0
        """Says how many may call soon, as the jobs do that are driven here."""
        self._gathered: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
        self._here = threading.local()
        self._threads: StandingPool | None = None

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
        return await whole(asyncio.get_running_loop().run_in_executor(self._pool(), work))

    async def together(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the call returns, committed together with others where many are made at a time.

        It may be made twice: where one of them is refused, or the database refuses the larger transaction (it is
        locked, the disk is full), nothing is written, and each call is made alone.
        """
        if self._is_quick and self.callers() >= MANY:
            loop = asyncio.get_running_loop()
            work = functools.partial(contextvars.copy_context().run, call, *args, **kwargs)
            one = _Waiting(work, loop.create_future())
            if loop not in self._gathered:
                self._gathered[loop] = []
                loop.call_later(GATHER_S, self._make_all, loop)
            self._gathered[loop].append(one)
            if await whole(one.is_made):
                return cast(T, one.result)
        return await self(call, *args, **kwargs)

    def _make_all(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make all calls that were gathered on a loop in one transaction, and tell those who wait for them."""
        gathered, is_made = self._gathered.pop(loop), False
        self._here.trying = True
        try:
            if len(gathered) > 1:
                with self._one_transaction():
                    for one in gathered:
                        one.result = one.call()
                is_made = True
        except Exception as error:  # noqa: BLE001  # whose it is shows when each is made alone
            log.debug("%d calls are made one by one: %s", len(gathered), error)
        finally:
            self._here.trying = False
            for one in gathered:
                one.is_made.set_result(is_made)

    def begin_anew(self) -> object:
        """Forget the parent's threads, and what it gathered, in a forked child; return them."""
        left = self._threads, self._here, self._gathered
        self._threads, self._here, self._gathered = None, threading.local(), {}
        return left

    def close(self) -> None:
        """Let the threads end."""
        if self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None

    def _pool(self) -> StandingPool | None:
        if self._threads is None:
            with suppress(RuntimeError):  # the interpreter is ending; the loop has threads already
                self._threads = StandingPool(THREADS, "vidnb-store")
        return self._threads


@dataclass
class _Waiting:
    """A call that waits for others."""

    call: Callable[[], Any]
    is_made: asyncio.Future[bool]
    """Gets True once what the call wrote is committed, False where nothing is."""
    result: Any = None
