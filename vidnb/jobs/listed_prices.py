"""Reads what a service itself lists as its prices, once a day at most; whoever wants a price never waits for it long.

The list is public and changes without notice, the catalogue is as old as this vidnb. Offline, or where the list cannot
be read, the one that was read last holds, with its date, and then the catalogue.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial

from vidnb import catalog
from vidnb.errors import VidnbError
from vidnb.jobs.listing import converse
from vidnb.net.wire import Wire
from vidnb.store import Store, kept_prices

log = logging.getLogger("vidnb")

READ_AGAIN = timedelta(days=1)


def is_due(store: Store, provider: str) -> bool:
    """Return whether the list of a provider was not read within the last day."""
    kept = kept_prices.read(store, provider)
    return kept is None or not timedelta(0) <= store.clock.utc() - kept.read_at < READ_AGAIN


async def refresh(store: Store, wire: Wire) -> bool:
    """Read the list of a service and keep it; return whether that came off. What was kept before stays otherwise."""
    provider = wire.target.provider
    reading = provider.listed_prices([model for model in catalog.load().values() if model.provider == provider.name])
    if reading is None:
        return False
    try:
        prices = await converse(partial(wire.call, once=True), reading)
        await store.aside(kept_prices.keep, store, provider.name, prices)
    except VidnbError as error:
        log.info("the prices of %s could not be read: %s", provider.title, error)
        return False
    return True
