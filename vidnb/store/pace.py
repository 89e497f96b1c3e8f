"""The pace of each account in the database: one row says when its next call is free, for all processes at once.

A turn is taken by one UPDATE (GCRA: the time of the next free call moves on by one step), so whoever comes
first is served first, whichever process it is. Places at the service are counted from the jobs that hold one and whose
lease has not run out: what a dead process held is free with its lease. A place that was taken and not used yet is its
taker's alone, and only while it is about to send: whoever takes the job up later, or again, stands in the line like any
other, and would wait there for itself.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, and_, bindparam, case, delete, false, func, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from vidnb.records import Job, State
from vidnb.store import prepared
from vidnb.store.database import insert_new
from vidnb.store.tables import JOBS, LIMITS, SLOTS

if TYPE_CHECKING:
    from vidnb.store import Store

AT_SERVICE = (State.SUBMITTING, State.QUEUED, State.RUNNING)
FASTER = 1.02
"""After a refusal each call that passes brings the pace back by so much."""
SLOWER = 1.5
SLOWEST = 16.0
SET_BACK_S = 5.0
"""A clock that shows so much less than the row has seen was set back. The clocks of two machines differ by less."""

# The column is called `account` and holds a lane: the account, and where its calls go.
_IS = and_(LIMITS.c.account == bindparam("account_is"), LIMITS.c.kind == bindparam("kind_is"))
_NOW: ColumnElement[float] = bindparam("now")
_FROM: ColumnElement[float] = bindparam("free_from")
# Times that were written before the clock was set back move back with it, else everybody would wait for its return.
_SET_BACK = case((LIMITS.c.seen_at - _NOW > SET_BACK_S, LIMITS.c.seen_at - _NOW), else_=0.0)
_NEXT = LIMITS.c.next_at - _SET_BACK
_TAKE = (
    update(LIMITS)
    .where(_IS)
    .values(
        next_at=case((_NEXT > _FROM, _NEXT), else_=_FROM) + LIMITS.c.slower * bindparam("step"),
        paused_until=LIMITS.c.paused_until - _SET_BACK,
        seen_at=case(((LIMITS.c.seen_at - _NOW).between(0.0, SET_BACK_S), LIMITS.c.seen_at), else_=_NOW),
        slower=case((LIMITS.c.slower > FASTER, LIMITS.c.slower / FASTER), else_=1.0),
    )
    .returning(LIMITS.c.next_at, LIMITS.c.slower, LIMITS.c.paused_s, LIMITS.c.paused_until, LIMITS.c.refused)
)
_READ = select(LIMITS).where(_IS)
_IS_LEASED = JOBS.c.lease_until >= bindparam("lease_now")
_PLACES = (
    select(
        SLOTS.c.job_id,
        SLOTS.c.owner,
        and_(_IS_LEASED, or_(false(), *(JOBS.c.state == state.value for state in AT_SERVICE))).label("is_at_service"),
        and_(_IS_LEASED, JOBS.c.state == State.INTENDED.value, JOBS.c.lease_owner == SLOTS.c.owner).label("is_next"),
    )
    .join_from(SLOTS, JOBS, JOBS.c.id == SLOTS.c.job_id)
    .where(SLOTS.c.account == bindparam("account_is"))
)
_FREE = delete(SLOTS).where(SLOTS.c.account == bindparam("account_is"), SLOTS.c.job_id == bindparam("job_is"))


@dataclass(frozen=True)
class Turn:
    """A turn in the line of calls."""

    wait_s: float
    """How long until it is this call's turn."""
    paused_s: float
    """All pauses of the lane so far."""
    refused: int
    """How often in a row the service refused."""
    at: float = 0.0
    """The time of this call's turn, in seconds since 1970."""


class PaceRows:
    """The paces of one data folder.

    Args:
        store: its database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def turn(self, lane: str, kind: str, step_s: float, burst: int = 1) -> Turn:
        """Return the next free turn.

        Args:
            lane: whose calls, and where: `Target.lane`.
            kind: `submit` or `read`: they are counted apart.
            step_s: seconds between two calls; 0 for no limit.
            burst: so many calls may be made at once after a rest.
        """
        with self._store.writing() as connection:
            return self._next(connection, lane, kind, step_s, burst)

    def submit_turn(
        self, lane: str, job: Job, sending: Collection[str], at_once: int, step_s: float, burst: int = 1
    ) -> Turn | None:
        """Return the next free turn for a submit, with a place at the service; None where all of those are taken.

        Args:
            lane: whose submits, and where.
            job: to send; whoever has its lease takes the place.
            sending: this job and the others that the same worker is about to send; its places for any more are free.
            at_once: places at the service.
            step_s: seconds between two submits; 0 for no limit.
            burst: so many submits may be made at once after a rest.
        """
        with self._store.writing() as connection:
            if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
                connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(lane))))
            held, left = self._places(connection, lane, job.lease_owner or "", sending)
            for job_id in left:
                prepared.count(connection, _FREE, {"account_is": lane, "job_is": job_id})
            if job.id not in held:
                if len(held) >= at_once:
                    return None
                slot = {"job_id": job.id, "account": lane, "owner": job.lease_owner}
                prepared.count(connection, insert_new(connection.dialect.name, SLOTS), slot)
            return self._next(connection, lane, "submit", step_s, burst)

    def refuse(self, lane: str, kind: str, wait_s: float) -> Turn:
        """Record that the service refused a call: later calls on the lane wait for the pause it named, or a guess.

        Refusals of calls that were on their way together count as one.

        Args:
            lane: whose call, and where.
            kind: `submit` or `read`.
            wait_s: how long from now.
        """
        with self._store.writing() as connection:
            now = self._store.shared_time.ask(connection)
            self._open(connection, lane, kind)
            row = connection.execute(_READ, {"account_is": lane, "kind_is": kind}).one()
            set_back_s = _set_back_s(row, now)
            paused_until = row.paused_until - set_back_s
            until = max(paused_until, now + wait_s)
            more = until - max(paused_until, now)
            in_a_row = row.refused + (paused_until <= now)
            slower = min(row.slower * SLOWER, SLOWEST) if paused_until <= now else row.slower
            values = {
                "next_at": max(row.next_at - set_back_s, now) + more, "paused_until": until,
                "paused_s": row.paused_s + more, "refused": in_a_row, "slower": slower,
                "seen_at": now if set_back_s else max(row.seen_at or now, now),
            }  # fmt: skip
            connection.execute(update(LIMITS).where(_IS).values(values), {"account_is": lane, "kind_is": kind})
            return Turn(until - now, row.paused_s + more, in_a_row)

    def look(self, lane: str, kind: str) -> Turn:
        """Return how the line stands: how long it is paused still, all pauses so far, refusals in a row."""
        with self._store.reading() as connection:
            row = connection.execute(_READ, {"account_is": lane, "kind_is": kind}).first()
            now = self._store.shared_time.ask(connection)
        if row is None:
            return Turn(0.0, 0.0, 0)
        return Turn(max(0.0, row.paused_until - _set_back_s(row, now) - now), row.paused_s, row.refused)

    def accept(self, lane: str, kind: str) -> None:
        """Record that the service accepted a call after refusals."""
        with self._store.writing() as connection:
            values = {"account_is": lane, "kind_is": kind}
            connection.execute(update(LIMITS).where(_IS).values(refused=0), values)

    def _places(
        self, connection: Connection, lane: str, worker: str, sending: Collection[str]
    ) -> tuple[set[str], set[str]]:
        """Return the jobs that have a place at the service, and those that have left theirs."""
        values = {"account_is": lane, "lease_now": self._store.shared_time.utc()}
        held: set[str] = set()
        left: set[str] = set()
        for place in prepared.rows(connection, _PLACES, values):
            is_own_later = place.owner == worker and place.job_id not in sending
            is_held = place.is_at_service or (place.is_next and not is_own_later)
            (held if is_held else left).add(place.job_id)
        return held, left

    def _next(self, connection: Connection, lane: str, kind: str, step_s: float, burst: int) -> Turn:
        now = self._store.shared_time.ask(connection)
        # A burst is allowed by letting the line begin earlier than now.
        values = {
            "account_is": lane, "kind_is": kind, "now": now, "free_from": now - (burst - 1) * step_s, "step": step_s,
        }  # fmt: skip
        row = prepared.first(connection, _TAKE, values)
        if row is None:
            self._open(connection, lane, kind)
            row = prepared.first(connection, _TAKE, values)
        step = step_s * (row.slower * FASTER if row.slower > 1 else 1.0)
        at = max(row.next_at - step, row.paused_until)
        return Turn(max(0.0, at - now), row.paused_s, row.refused, at)

    def _open(self, connection: Connection, lane: str, kind: str) -> None:
        zeros = dict.fromkeys(("next_at", "paused_until", "paused_s"), 0.0) | {"slower": 1.0, "refused": 0}
        connection.execute(insert_new(connection.dialect.name, LIMITS), {"account": lane, "kind": kind} | zeros)


def _set_back_s(row: Row[Any], now: float) -> float:
    """Return by how much the clock was set back since the row was written."""
    ahead_s = float(row.seen_at or now) - now
    return ahead_s if ahead_s > SET_BACK_S else 0.0
