"""Has the services' own lists of prices read beside everything else, for whoever asks for a price next."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

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

    Args:
        store: opens the rows.
        transport: an httpx transport below the retries, which stays open.
    """

    def __init__(self, store: Callable[[], Store], transport: httpx.AsyncBaseTransport | None) -> None:
        self._store = store
        self._transport = transport
        self._reading: dict[str, concurrent.futures.Future[None]] = {}
        self._tried_at: dict[str, float] = {}

    def has_list(self, where: Target) -> bool:
        """Return whether a service is asked for its prices: a real one that lists them."""
        return not where.emulated and where.provider.price_list() is not None

    def begin(self, where: Target) -> concurrent.futures.Future[None] | None:
        """Begin to read the list of a service, and return when it is over; None where there is nothing to read.

        Nothing is read of what is emulated, of a service without a list, and of one whose list is of today.
        """
        provider = where.provider
        if not self.has_list(where):
            return None
        from vidnb.jobs import pricelist

        reading, store = self._reading.get(provider.name), self._store()
        if reading is not None and not reading.done():
            return reading
        now = store.clock.monotonic()
        if now - self._tried_at.get(provider.name, float("-inf")) < TRY_AGAIN_S:
            return None
        self._tried_at[provider.name] = now
        if not pricelist.is_due(store, provider.name):
            return None
        self._reading[provider.name] = loop.spawn(self._read(store, where))
        return self._reading[provider.name]

    async def wait(self, where: Target) -> None:
        """Return once the list is read that is due, or has taken too long."""
        reading = await asyncio.to_thread(self.begin, where) if self.has_list(where) else None
        if reading is not None:
            await asyncio.wait({asyncio.wrap_future(reading)}, timeout=WAIT_S)

    def close(self) -> None:
        """Stop reading."""
        for reading in self._reading.values():
            reading.cancel()

    async def _read(self, store: Store, where: Target) -> None:
        from vidnb.jobs import pricelist
        from vidnb.net.wire import Wire

        wire = Wire(where, self._transport)
        try:
            with contextlib.suppress(Exception):  # as of a database that was closed meanwhile: a price is no reason
                await pricelist.refresh(store, wire)
        finally:
            if self._transport is None:
                await wire.aclose()
