"""The time by which all processes of one database agree: a server's own, and beside a file this machine's.

Clocks of several machines differ, by a minute where nobody looks after them. Whoever read a lease by a clock that is
ahead would take the job from a process that still works on it; and a job that one machine submits and another one ends
would have taken a minute less or more. So leases and the times of a job's row go by the time of the database. It is
asked for within transactions that need it exactly. In between it goes on by a clock that nobody sets.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select

from vidnb.clock import Clock

log = logging.getLogger("vidnb")

AHEAD_S = 5.0
"""A machine's clock that differs by more from the database's is told of."""

_ASK = select(func.extract("epoch", func.clock_timestamp()))


class SharedTime:
    """What time it is for the database of one store.

    Args:
        clock: this machine's.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_at: float | None = None

    def ask(self, connection: Connection) -> float:
        """Return seconds since 1970 as the database counts them now, which costs a server one question."""
        if connection.dialect.name != "postgresql":
            return self._clock.now()
        asked_at = self._clock.monotonic()
        told = float(connection.execute(_ASK).scalar_one())
        self._began_at = told - (asked_at + self._clock.monotonic()) / 2
        return told

    def begin(self, connection: Connection) -> None:
        """Ask for the first time, and tell where this machine's clock is wrong by much."""
        self.ask(connection)
        if abs(ahead_s := self.clock_ahead_s) > AHEAD_S:
            log.warning("%s; set the machine's clock (leases of jobs go by the server's)", ahead_words(ahead_s))

    def now(self) -> float:
        """Return seconds since 1970 as the database counts them, without a question."""
        return self._clock.now() if self._began_at is None else self._began_at + self._clock.monotonic()

    def utc(self) -> datetime:
        """Return the time now as the database counts it, aware and in UTC."""
        return datetime.fromtimestamp(self.now(), UTC)

    @property
    def clock_ahead_s(self) -> float:
        """By how much this machine's clock is ahead of the database's; below 0 where it is behind."""
        return self._clock.now() - self.now()


def ahead_words(ahead_s: float) -> str:
    """Return in words by how much this machine's clock differs from that of the database server."""
    where = "ahead of" if ahead_s > 0 else "behind"
    return f"this machine's clock is {abs(ahead_s):,.0f} s {where} the database server's"
