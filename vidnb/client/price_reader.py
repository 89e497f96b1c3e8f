"""Reads the services' own price lists in the background, so that the next price that is asked for is up to date."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vidnb.client import loop

if TYPE_CHECKING:
    import httpx

    from vidnb.net.target import Target
    from vidnb.store import Store

WAIT_S = 3.0
"""So long an order waits for a list that is read for the first time that day; then what is known already counts."""
TRY_AGAIN_S = 600.0


class PriceReader:
    """Reads lists of prices on vidnb's own loop, over connections of its own.

    A transport that was given may belong to one loop, as httpx's own do, so with one the list is read on the loop of
    whoever waits for it, which is the one that sends the jobs.

    Args:
        store: opens the rows.
        transport: an httpx transport below the retries, which stays open.
    """

    def __init__(self, store: Callable[[], Store], transport: httpx.AsyncBaseTransport | None) -> None:
        self._store = store
        self._transport = transport
        self._readings: dict[str, concurrent.futures.Future[None]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._tried_at: dict[str, float] = {}
        self._is_closed = False

    def has_list(self, where: Target) -> bool:
        """Return whether a service is asked for its prices: a real one that lists them."""
        return not where.emulated and where.provider.listed_prices([]) is not None

    def begin(self, where: Target) -> None:
        """Start to read a service's price list in the background.

        Nothing is read from an emulated service, from a service without a price list, or where the list was read within
        the last day. If the caller gave a transport, this method does nothing: only `wait` reads the list then.
        """
        if self._transport is None and self.has_list(where):
            self._begun(where, loop.loop())

    async def wait(self, where: Target, *, patiently: bool = False) -> bool:
        """Wait until a list that is out of date was read, or `WAIT_S` is over; return whether there was one to read.

        Args:
            where: the service.
            patiently: wait for as long as it takes.
        """
        if not self.has_list(where):
            return False
        await asyncio.to_thread(self._store)  # it is opened here, perhaps
        on = loop.loop() if self._transport is None else asyncio.get_running_loop()
        reading = self._begun(where, on)
        if reading is not None:
            await _ended(reading, None if patiently else WAIT_S)
        return reading is not None

    async def aclose(self) -> None:
        """Stop reading price lists and start no more; return when each reading ended, or after `WAIT_S` for each."""
        self._is_closed = True
        for task in list(self._tasks):
            with contextlib.suppress(RuntimeError):  # its loop was closed, which ended it
                task.get_loop().call_soon_threadsafe(task.cancel)
        for reading in list(self._readings.values()):
            await _ended(reading, WAIT_S)

    def _begun(self, where: Target, on: asyncio.AbstractEventLoop) -> concurrent.futures.Future[None] | None:
        """Return the reading that is under way, or begins now; None where it was tried a moment ago."""
        name, store = where.provider.name, self._store()
        reading = self._readings.get(name)
        if reading is not None and not reading.done():
            return reading
        now = store.clock.monotonic()
        if self._is_closed or now - self._tried_at.get(name, float("-inf")) < TRY_AGAIN_S:
            return None
        self._tried_at[name] = now
        self._readings[name] = loop.spawn(self._read(store, where), on)
        return self._readings[name]

    async def _read(self, store: Store, where: Target) -> None:
        from vidnb.jobs import listed_prices

        if self._is_closed or (task := asyncio.current_task()) is None:
            return
        self._tasks.add(task)
        try:
            with contextlib.suppress(Exception):  # as of a database that is away: a price is no reason
                if await store.aside(listed_prices.is_due, store, where.provider.name):
                    await self._refresh(store, where)
        finally:
            self._tasks.discard(task)

    async def _refresh(self, store: Store, where: Target) -> None:
        from vidnb.jobs import listed_prices
        from vidnb.net.wire import Wire

        wire = Wire(where, self._transport)
        try:
            await listed_prices.refresh(store, wire)
        finally:
            if self._transport is None:
                await wire.aclose()


async def _ended(reading: concurrent.futures.Future[None], at_most_s: float | None) -> None:
    """Wait `at_most_s` seconds for the reading, or until it ends; one that takes longer goes on by itself.

    `asyncio.wrap_future` would end the reading with whoever stops to wait, or tell a loop that is closed by then.
    """
    here, end = asyncio.get_running_loop(), asyncio.Event()

    def tell(reading: concurrent.futures.Future[None]) -> None:
        with contextlib.suppress(RuntimeError):  # that loop was closed since
            here.call_soon_threadsafe(end.set)

    reading.add_done_callback(tell)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(at_most_s):
            await end.wait()
