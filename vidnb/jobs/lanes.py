"""What the jobs share that one key sends to one service: the connection, the pace, and the list of newest jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidnb.jobs.limiter import Limiter
from vidnb.jobs.listing import Listing
from vidnb.net.wire import Wire
from vidnb.records import Job

if TYPE_CHECKING:
    from vidnb.store import Store


@dataclass(frozen=True)
class Lane:
    """The way that the jobs of one key take to one service."""

    wire: Wire
    listing: Listing
    """The list of newest jobs, which answers for several at once."""
    limiter: Limiter
    """The pace of the key, kept with all other processes of the folder, and the slots of this one."""


class Lanes:
    """Finds the lane of a job.

    Args:
        wire_for: the connection for a job's provider, or ConfigError where there is no key for it.
        store: the rows, in which the pace of each key is kept; its clock says how old a list is.
        in_flight: jobs of one key to have at the service at once; None for what the provider publishes.
    """

    def __init__(self, wire_for: Callable[[Job], Wire], store: Store, in_flight: int | None = None) -> None:
        self._wire_for = wire_for
        self._in_flight = in_flight
        self._store = store
        self._lanes: dict[str, Lane] = {}

    def of(self, job: Job) -> Lane:
        """Return the lane that a job takes.

        Raises:
            ConfigError: there is no key for it.
        """
        wire = self._wire_for(job)
        target = wire.target
        if target.lane not in self._lanes:
            at_once = self._in_flight or target.provider.rates.in_flight
            limiter = Limiter(self._store, target, at_once)
            wire.pace = limiter
            self._lanes[target.lane] = Lane(wire, Listing(wire, self._store.clock), limiter)
        return self._lanes[target.lane]
