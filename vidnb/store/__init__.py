"""The memory of vidnb: one row a job, written before anything is paid for and read by every later kernel.

Each call is one short transaction, so any thread and any process may call at any time, the event loop's included. The
database guards the promises, not the callers: a take has one live row, a job moves only along `records.TRANSITIONS`,
and a lease has one owner. `tables` says what a row holds, `database` opens and migrates.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from pydantic import SecretStr
from sqlalchemy import Connection, Row, Select, bindparam, column, func, select

from vidnb import forking
from vidnb.clock import Clock
from vidnb.errors import IllegalTransitionError, NoJobError, StoreError
from vidnb.forking import around_fork, in_child
from vidnb.records import (
    TERMINAL,
    UNDER_WAY,
    Booked,
    Cost,
    Job,
    Purse,
    RemoteMedia,
    Reservation,
    State,
    in_books,
    storable,
)
from vidnb.store import books, columns, prepared, queries
from vidnb.store import measures as measures_
from vidnb.store import scan as scanning
from vidnb.store import votes as votes_
from vidnb.store.aside import Aside
from vidnb.store.columns import ParamColumns, ParamKey
from vidnb.store.database import (
    BUSY_S,
    bring_up_to_date,
    checkpoint,
    close_for_good,
    database_url,
    file_of,
    insert_of,
    mapped_errors,
    open_engine,
    reading,
    writing,
)
from vidnb.store.identity import Identity, check_beginning
from vidnb.store.scan import Scan
from vidnb.store.search import ANNOTATIONS, Field, Search, Sql, Term
from vidnb.store.shared_time import SharedTime
from vidnb.store.tables import ANNOTATED, JOBS, MEASURES, SWEEPS, UNFINISHED, UPLOADS, flat, job_of, job_row, rows_of

PAYING = (State.INTENDED, State.SUBMITTING)
"""States whose entry means that a POST which costs money follows."""
STEPS = "steps"
"""Under this name a connection keeps what its transaction wrote to the jobs' events."""
BOOKED_AT = {State.DONE: Booked.SETTLED, State.CANCELLED: Booked.UNCLEAR, State.AMBIGUOUS: Booked.UNCLEAR}
"""Where a reservation belongs at an end of which the service says no cost."""
CHARGED_MEANS = {True: Booked.SETTLED, False: Booked.RETURNED, None: Booked.UNCLEAR}
"""What a failed job's `error["charged"]` makes of its reservation."""


def utcnow() -> datetime:
    """The time now by the machine's own clock, aware and in UTC."""
    return Clock().utc()


@dataclass(frozen=True)
class Event:
    """One step of a job: when it came into a state, and what was said of it."""

    at: datetime
    state: State
    note: str


@dataclass(frozen=True)
class Charge:
    """What a service charged for a job, and all on which that may depend."""

    id: str
    created_at: datetime
    params: Mapping[str, Any]
    images: Mapping[str, Any]
    cost: Cost


_open_stores: weakref.WeakSet[Store] = weakref.WeakSet()


def _close_all() -> None:
    """Leave whole database files behind, whoever forgot to close."""
    for store in list(_open_stores):
        store.close()


# As a finalizer, and so after all that `atexit` calls: there the last jobs are still being sent.
weakref.finalize(_open_stores, _close_all)


class Store:
    """The database of one data folder.

    Args:
        url: `sqlite:///folder/vidnb.db` or `postgresql://user@host/name`; or the path of a data folder, for the
            `vidnb.db` in it; or None for VIDNB_DATABASE_URL, else the data folder of `files.data_home`.
        clock: says what time it is.
        busy_s: how long a call waits for another process that holds the database.

    Raises:
        StoreError: the database cannot be opened, or a newer vidnb made it.
        ConfigError: the address is none.
    """

    annotated = 0
    """How often this process wrote a rating, tags or a note: whoever keeps rows reads them anew after that."""

    def __init__(self, url: str | Path | None = None, *, clock: Clock | None = None, busy_s: float = BUSY_S) -> None:
        self.clock = clock or Clock()
        self.shared_time = SharedTime(self.clock)
        """By which leases are written and read."""
        self.busy_s = busy_s
        with forking.crossing.inside(), mapped_errors():
            asked = SecretStr(url) if isinstance(url, str) else url
            del url  # it may hold a password, which a traceback with locals would show
            address = database_url(asked.get_secret_value() if isinstance(asked, SecretStr) else asked)
            path = file_of(address)
            if path is not None and not path.exists():
                check_beginning(path)
            self._engine = open_engine(address, busy_s)
            try:
                bring_up_to_date(self._engine, busy_s)
                with reading(self._engine, busy_s) as connection:
                    self.shared_time.begin(connection)
                    if path is not None and connection.execute(queries.ANY_JOB).first() is None:
                        check_beginning(path)
                self._identity = Identity(path)
                self._identity.guard(self._engine)
            except BaseException:
                self._engine.dispose()
                raise
            self._here = threading.local()
            """`connection`: that of the transaction which all calls on this thread are parts of now, if there is one;
            `is_spoilt`: whether any of them raised."""
            self.aside = Aside(is_quick=self._engine.dialect.name == "sqlite", one_transaction=self._together)
            """Makes calls of this store from an event loop: `await store.aside(store.get, job_id)`."""
            self._insert = insert_of(self._engine.dialect.name)
            self._columns = ParamColumns(self._engine, self._patience)
            in_child(self._begin_anew)
            around_fork(self._let_go, self._take_up)  # within the block: a fork must not come before it
        _open_stores.add(self)
        # Whoever forgets to close it leaves no connection to the garbage collector, which Python 3.13 reports.
        weakref.finalize(self, close_for_good, self._engine).atexit = False

    def utc(self) -> datetime:
        """Return the time now by which all processes of this database date their rows."""
        return self.shared_time.utc()

    def close(self) -> None:
        """Close the connections; a copy of the database file alone is whole now."""
        _open_stores.discard(self)
        self.aside.close()
        with suppress(StoreError), forking.crossing.inside(), mapped_errors():
            self._identity.check_files()
            checkpoint(self._engine)
        close_for_good(self._engine)

    def check_sent(self) -> None:
        """Check that the history has all that was sent from it, as is done before anything is paid for.

        Raises:
            DataMovedError: it was put back from an older copy.
        """
        with self.reading() as connection:
            self._identity.check_sent(connection)

    def _let_go(self) -> None:
        """Close all connections before a fork; SQLite's cannot be carried over."""
        if self._identity.has_file:
            self._engine.dispose()

    def _take_up(self) -> None:
        """Expect the files that parent and child will open again."""
        self._identity.begin_anew()

    def _begin_anew(self) -> object:
        """Open connections of its own in a forked child; return the parent's, which must not be closed there."""
        left = self._engine.pool, self.aside.begin_anew()
        self._engine.dispose(close=False)
        self._columns = ParamColumns(self._engine, self._patience)
        return left

    # A job from its first row to its last

    def intend(self, job: Job, reservation: Reservation | None = None) -> tuple[Job, bool]:
        """Return the job that stands for this recipe and take, and whether that is the one given, now written.

        The row comes with its reservation, or neither does. A failed or cancelled job leaves its take free: the next
        one gets a row of its own.

        Args:
            job: to write.
            reservation: what its POST may cost; default an unknown price, counted in the folder's purse.

        Raises:
            CapReachedError: a purse has no room; nothing was written.
        """
        if reservation is None:
            reservation = Reservation(book="emulated" if job.emulated else "real")
        values = columns.cells(job.params, job.images)
        self._columns.names(values)  # before the transaction
        key = {"base_url": job.base_url, "recipe_hash": job.recipe_hash, "take": job.take}
        for _ in range(10):  # the standing job may fail between the two statements
            with self.writing() as connection:
                self._identity.check_rows(connection)
                if (standing := self._answering(connection, key)) is not None:
                    return job_of(standing), False
                if self._written(connection, job, values, reservation):
                    return job, True
                if (standing := prepared.first(connection, queries.STANDING, key)) is not None:
                    return job_of(standing), False
        raise StoreError(f"the recipe of job {job.id!r} is being changed by other processes; try again")

    def _answering(self, connection: Connection, key: Mapping[str, Any]) -> Row[Any] | None:
        """The row that answers for a recipe and take though another has them: a replay, or one with a drawn seed."""
        found = prepared.first(connection, queries.REPLAYED, key)
        if found is None:
            found = prepared.first(connection, queries.SEEDED, key)
        return found

    def _written(
        self, connection: Connection, job: Job, values: Mapping[ParamKey, Any], reservation: Reservation
    ) -> bool:
        """Return whether the row was written, with its reservation; not where another job stands for its take.

        Args:
            connection: in a transaction that writes.
            job: to write.
            values: those of its params, as `columns.cells` gives them.
            reservation: what its POST may cost.
        """
        chosen = self._columns.names(values, connection)
        row = job_row(job) | {chosen[key]: value for key, value in values.items()}
        write = queries.intend_of(connection.dialect.name, columns.target(chosen))
        if prepared.first(connection, write, row) is None:
            return False
        self._note(connection, job.id, job.state, "")
        books.reserve(connection, job.id, reservation, job.submitted_at or job.created_at)
        if job.state is not State.INTENDED:
            self._book(connection, job, job.state, job.cost, None)
        return True

    def next_take(self, base_url: str, recipe_hash: str) -> int:
        """The first take that no job of this recipe has had at this service; another process may see the same."""
        with self.reading() as connection:
            return int(
                connection.execute(queries.NEXT_TAKE, {"base_url": base_url, "recipe_hash": recipe_hash}).scalar_one()
            )

    def move(
        self,
        job_id: str,
        to: State,
        *,
        expect: State | None = None,
        owner: str | None = None,
        sent_at: datetime | None = None,
        note: str = "",
        booked: Booked | None = None,
        reservation: Reservation | None = None,
        estimate: Cost | None = None,
        **fields: Any,
    ) -> Job:
        """Return the job in its new state, with these fields set; its end also ends its lease.

        What the job costs is booked in the same transaction.

        Args:
            job_id: of the job.
            to: the new state.
            expect: the only state to move from; without it any from which `records.TRANSITIONS` allows the move.
            owner: who must have its lease; default anyone or nobody.
            sent_at: when its newest POST must have been begun, so that nobody decides on another one than they saw.
            note: for the job's events.
            booked: where its reservation belongs now, if the new state and `error` do not say so.
            reservation: one more, for one more POST.
            estimate: the most that the service will charge, as it says itself; it replaces what was reserved.
            **fields: of the job, as in `records.Job`.

        Raises:
            IllegalTransitionError: the job was in no such state; nothing was changed.
            CapReachedError: a purse has no room for the reservation; nothing was changed.
        """
        news = flat(fields)
        if to in TERMINAL:
            news = {"done_at": self.utc(), "lease_owner": None, "lease_until": None} | news
        with self.writing() as connection:
            if to in PAYING:
                self._identity.check_rows(connection)
            expected = {"lease_owner_is": owner, "submitted_at_is": sent_at}
            expected = {name: value for name, value in expected.items() if value is not None}
            statement = queries.move_of(to, expect, tuple(news), tuple(name.removesuffix("_is") for name in expected))
            row = prepared.first(connection, statement, _prefixed(job_id, news) | expected)
            if row is None:
                self._refuse(connection, job_id, to)
            job = job_of(row)
            self._note(connection, job_id, to, note)
            self._book(connection, job, to, fields.get("cost"), booked)
            if estimate is not None:
                books.estimate(connection, job_id, in_books(job.provider, estimate))
            if reservation is not None:
                books.reserve(connection, job_id, reservation, self.utc())
            return job

    def attach(self, job_id: str, remote_id: str, note: str = "") -> Job | None:
        """Attach the ambiguous job to this remote id and return it, running; None where another job has that id.

        Two processes that look through the same list at once cannot both take one entry of it.
        """
        with self.writing() as connection:
            if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
                connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(remote_id))))
            taken = connection.execute(select(JOBS.c.id).where(JOBS.c.remote_id == remote_id)).first()
            if taken is not None and taken.id != job_id:
                return None
            statement = queries.move_of(State.RUNNING, State.AMBIGUOUS, ("remote_id",))
            row = connection.execute(statement, _prefixed(job_id, {"remote_id": remote_id})).first()
            if row is None:
                self._refuse(connection, job_id, State.RUNNING)
            books.book(connection, job_id, Booked.RESERVED)
            self._note(connection, job_id, State.RUNNING, note)
            return job_of(row)

    def update(self, job_id: str, **fields: Any) -> None:
        """Set these fields of a job; its state stays."""
        news = flat(fields)
        with self.writing() as connection:
            if prepared.count(connection, queries.update_of(tuple(news)), _prefixed(job_id, news)) == 0:
                raise NoJobError(f"there is no job {job_id!r}")
            if (cost := fields.get("cost")) is not None:
                job = job_of(connection.execute(queries.GET, {"job_id": job_id}).one())
                books.book(connection, job_id, Booked.SETTLED, in_books(job.provider, cost))
        if not ANNOTATIONS.isdisjoint(fields):
            Store.annotated += 1

    def _book(self, connection: Connection, job: Job, to: State, cost: Cost | None, booked: Booked | None) -> None:
        """Let the job's reservation follow the job."""
        told = None if cost is None else in_books(job.provider, cost)
        if booked is None and to in UNDER_WAY and told is not None:
            booked = Booked.SETTLED
        elif booked is None and to is State.FAILED:
            booked = CHARGED_MEANS[(job.error or {}).get("charged")]
        elif booked is None and to is State.CANCELLED and told is not None:
            booked = CHARGED_MEANS[told.amount > 0]
        elif booked is None:
            booked = BOOKED_AT.get(to)
        if booked is not None:
            books.book(connection, job.id, booked, told)

    def _refuse(self, connection: Connection, job_id: str, to: State) -> NoReturn:
        state = connection.execute(queries.STATE, {"job_id": job_id}).scalar()
        if state is None:
            raise NoJobError(f"there is no job {job_id!r}")
        raise IllegalTransitionError(f"job {job_id!r} is {state}, so it cannot become {to} now")

    def _note(self, connection: Connection, job_id: str, state: State, note: str) -> None:
        values = {"job_id": job_id, "at": self.utc(), "state": state.value, "note": note}
        event = prepared.first(connection, queries.NOTE, values)
        connection.info[STEPS].append((event.id, job_id, state.value, values["at"]))

    # What it costs

    def reserve(self, job_id: str, reservation: Reservation) -> bool:
        """Return whether the reservation was made; not where the job has one that holds.

        Raises:
            CapReachedError: a purse has no room.
        """
        with self.writing() as connection:
            if books.is_reserved(connection, job_id):
                return False
            books.reserve(connection, job_id, reservation, self.utc())
            return True

    def is_reserved(self, job_id: str) -> bool:
        """Return whether the job's next POST is reserved."""
        with self.reading() as connection:
            return books.is_reserved(connection, job_id)

    def held_by(self, purse: Purse) -> list[Job]:
        """Return the unfinished jobs for which a part of the purse is reserved, the oldest first."""
        with self.reading() as connection:
            ids = books.held_by(connection, purse)
        return [job for job in self.unfinished() if job.id in ids]

    def overrun(self, job_id: str) -> float | None:
        """Return by how much a job was charged above its reservation, or None where it was not."""
        with self.reading() as connection:
            return books.overrun(connection, job_id)

    def purses(self, names: Iterable[str] | None = None) -> list[Purse]:
        """Return the sums of all purses, or of these, one row a unit and book."""
        with self.reading() as connection:
            return books.purses(connection, names)

    def set_cap(self, name: str, unit: str, cap: float | None) -> None:
        """Give a purse a cap in one unit, or take it away."""
        with self.writing() as connection:
            books.set_cap(connection, name, unit, cap)

    def forgive(self, name: str) -> None:
        """Let a purse begin anew: what was spent so far no longer counts against its caps."""
        with self.writing() as connection:
            books.forgive(connection, name)

    def sums(self, book: str = "real", since: datetime | None = None) -> list[tuple[str, Booked, float]]:
        """Return the sums of the folder's jobs by unit: settled, reserved and unclear."""
        with self.reading() as connection:
            return books.sums(connection, book, since)

    def unpriced(self) -> list[Job]:
        """Return the jobs from before there was a ledger of which nobody knows the cost."""
        return self._jobs(queries.UNPRICED_JOBS)

    def expect_cost(self, job_id: str, cost: Cost | None) -> None:
        """Book the likely cost of a job from before the ledger, once; None for an unknown cost."""
        with self.writing() as connection:
            books.expect_cost(connection, job_id, cost)

    # Who works on it

    def lease(self, job_id: str, owner: str, seconds: float) -> bool:
        """Try to lease the job to the owner; return whether it was free, theirs already, or its lease had run out."""
        with self.writing() as connection:
            now = datetime.fromtimestamp(self.shared_time.ask(connection), UTC)
            values = {"job_id": job_id, "owner": owner, "now": now, "until": now + timedelta(seconds=seconds)}
            return connection.execute(queries.LEASE, values).rowcount == 1

    def renew(self, job_ids: Iterable[str], owner: str, seconds: float) -> set[str]:
        """The jobs among these that are still the owner's, for so many seconds more."""
        held: set[str] = set()
        with self.writing() as connection:
            until = datetime.fromtimestamp(self.shared_time.ask(connection) + seconds, UTC)
            for some in _batches(list(job_ids)):
                values = {"job_ids": some, "owner": owner, "until": until}
                held |= set(connection.execute(queries.RENEW, values).scalars())
        return held

    def release(self, job_id: str, owner: str) -> None:
        """End the owner's lease of the job; another owner's stays."""
        with self.writing() as connection:
            connection.execute(queries.RELEASE, {"job_id": job_id, "owner": owner})

    def holder(self, job_id: str) -> tuple[State, str | None, datetime | None]:
        """The job's state, who has its lease, and when its newest POST was begun.

        Raises:
            DataMovedError: another database lies where this one lay.
        """
        with self.reading() as connection:
            self._identity.check_files()
            state, owner, submitted_at = prepared.rows(connection, queries.HOLDER, {"job_id": job_id})[0]
        return State(state), owner, submitted_at

    def remark(self, job_id: str, note: str) -> None:
        """Write a note among the job's events, at the state that it is in."""
        with self.writing() as connection:
            state = connection.execute(queries.STATE, {"job_id": job_id}).scalar_one()
            self._note(connection, job_id, State(state), note)

    def wake(self, provider: str, remote_id: str) -> bool:
        """Mark the unfinished job with this remote id, for whoever waits for it; return whether there is one."""
        values = {"provider_is": provider, "remote_id_is": remote_id, "now": self.clock.utc()}
        with self.writing() as connection:
            return connection.execute(queries.WAKE, values).rowcount > 0

    def all_woken(self) -> set[str]:
        """The jobs that are marked; `woken` takes the mark away."""
        with self.reading() as connection:
            return set(connection.execute(queries.ALL_WOKEN).scalars())

    def woken(self, job_id: str) -> bool:
        """Whether the job was marked since this was last asked."""
        with self.reading() as connection:
            if connection.execute(queries.IS_WOKEN, {"job_id": job_id}).scalar() is None:
                return False
        with self.writing() as connection:
            return connection.execute(queries.CLEAR_WOKEN, {"job_id": job_id}).rowcount == 1

    # What there is

    def get(self, job_id: str) -> Job:
        """The job as it is now.

        Raises:
            StoreError: there is none with this id.
        """
        job = self.look_up(job_id)
        if job is None:
            raise NoJobError(f"there is no job {job_id!r}")
        return job

    def look_up(self, job_id: str) -> Job | None:
        """The job as it is now, or None where there is none with this id."""
        with self.reading() as connection:
            row = prepared.first(connection, queries.GET, {"job_id": job_id})
        return None if row is None else job_of(row)

    def find(self, prefix: str) -> Job:
        """The one job whose id starts so.

        Raises:
            StoreError: no job's id does, or several do.
        """
        starts = JOBS.c.id.startswith(storable(prefix), autoescape=True)
        found = self._jobs(queries.JOB.where(starts).order_by(JOBS.c.id).limit(4)) if prefix else []
        if len(found) == 1 or (found and found[0].id == prefix):
            return found[0]
        several = ", ".join(job.id for job in found)
        raise NoJobError(
            f"several jobs start with {prefix!r}: {several}" if found else f"no job starts with {prefix!r}"
        )

    def by_remote(self, provider: str, remote_id: str) -> Job | None:
        """The newest job that the provider knows by this id, or None."""
        with self.reading() as connection:
            row = connection.execute(queries.BY_REMOTE, {"provider_is": provider, "remote_id_is": remote_id}).first()
        return None if row is None else job_of(row)

    def unfinished(self, provider: str | None = None) -> list[Job]:
        """Every job that may still move, oldest first."""
        query = queries.JOB.where(UNFINISHED).order_by(JOBS.c.created_at, JOBS.c.id)
        return self._jobs(query if provider is None else query.where(JOBS.c.provider == provider))

    def jobs(self, *terms: Term, limit: int | None = None) -> list[Job]:
        """The jobs that meet all of these conditions, newest first; those in the trash are left out."""
        with self.reading() as connection:
            query = self._sql(connection).rows(queries.JOB, Search(terms, limit=limit))
            return [job_of(row) for row in connection.execute(query)]

    def states(self) -> dict[State, int]:
        """How many jobs are in each state; one in which none is has no entry."""
        with self.reading() as connection:
            return {State(state): int(count) for state, count in connection.execute(queries.STATES)}

    def search(self, wanted: Search, start: int = 0, count: int | None = None) -> list[str]:
        """The ids of the jobs that are searched for, in order: all, or `count` of them from `start` on."""
        with self.reading() as connection:
            sql = self._sql(connection)
            found = None if count is None else self._near(connection, sql, wanted, start + count)
            if found is not None:
                return found[start:]
            return list(connection.execute(sql.ids(wanted, start, count)).scalars())

    def _near(self, connection: Connection, sql: Sql, wanted: Search, count: int) -> list[str] | None:
        """The first ids in order, where so many of them are among the newest jobs; else None."""
        count = count if wanted.limit is None else min(count, wanted.limit)
        query = sql.near(wanted, count)
        if query is None:
            return None
        found = list(connection.execute(query).scalars())
        return found if len(found) == count else None

    def count(self, wanted: Search) -> int:
        """How many jobs are searched for; none of them is read."""
        with self.reading() as connection:
            return int(connection.execute(self._sql(connection).count(wanted)).scalar_one())

    def rows_of(self, job_ids: Sequence[str]) -> list[dict[str, Any]]:
        """These jobs as plain rows, in this order; one that is gone is left out."""
        found: dict[str, dict[str, Any]] = {}
        with self.reading() as connection:
            for some in _batches(job_ids):
                rows = rows_of(connection.execute(queries.ROWS_BY_ID, {"job_ids": some}).all())
                found |= {row["id"]: row for row in rows}
        return [found[job_id] for job_id in job_ids if job_id in found]

    def _sql(self, connection: Connection) -> Sql:
        return Sql(connection.dialect.name, columns.read(connection))

    def scan(self, wanted: Search, prefix: str) -> tuple[Scan, Any]:
        """Read many jobs by their columns: what was read, and an Arrow table or a list of parts by column.

        Args:
            wanted: which jobs.
            prefix: of the paths of clips.
        """
        with self.reading() as connection:
            few = wanted.limit is not None and wanted.limit < scanning.MANY
            known = columns.read(connection)
            if wanted.limit is not None:
                near = self._near(connection, Sql(connection.dialect.name, known), wanted, wanted.limit)
                if near is not None:
                    wanted = Search((Term(Field("id"), "any", tuple(near)),), trashed=wanted.trashed)
            chosen = scanning.scan(connection, wanted, known, prefix)
            every = 0 if few else connection.execute(select(func.count()).select_from(JOBS)).scalar_one()
            if every >= scanning.MANY and scanning.has_adbc(connection.dialect.name):
                return chosen, scanning.arrow(connection, scanning.spans(connection, wanted, chosen, every))
            return chosen, list(scanning.chunks(connection, chosen))

    def newest_at(self) -> datetime | None:
        """When the newest job was made; None where there is none."""
        with self.reading() as connection:
            return connection.execute(queries.NEWEST_AT).scalar()

    def known(self, column: str) -> list[str]:
        """The different values of `model`, `provider` and other columns that hold few."""
        with self.reading() as connection:
            return list(connection.execute(select(JOBS.c[column]).distinct().order_by(JOBS.c[column])).scalars())

    def purse_names(self) -> list[str]:
        """The names of all purses that a person gave: those of the ledger, and those of jobs from before it."""
        names = {purse.name for purse in self.purses()} | set(self.known("purse"))
        return sorted(name for name in names if name and not name.startswith(("client:", "process:")))

    def tag_names(self) -> list[str]:
        """The tags that any job has."""
        with self.reading() as connection:
            lists = connection.execute(select(JOBS.c.tags).where(ANNOTATED).distinct()).scalars().all()
        return sorted({tag for tags in lists for tag in tags})

    def sweep_titles(self) -> dict[str, str]:
        """The titles of all sweeps that were run here by their ids, the newest first."""
        with self.reading() as connection:
            rows = connection.execute(select(SWEEPS.c.id, SWEEPS.c.title).order_by(SWEEPS.c.created_at.desc()))
            return {row.id: row.title for row in rows}

    def has_id(self, start: str) -> bool:
        """Whether any job's id starts so, in the trash or not."""
        if self.look_up(storable(start)) is not None:  # a whole one is found at once, a beginning by reading all ids
            return True
        starts = JOBS.c.id.startswith(storable(start), autoescape=True)
        with self.reading() as connection:
            return connection.execute(select(JOBS.c.id).where(starts).limit(1)).first() is not None

    def param_kinds(self) -> dict[str, set[str]]:
        """The kinds of value (`int`, `real`, `text`, `bool`, `json`, `input`) that each param has in this folder."""
        kinds: dict[str, set[str]] = {}
        with self.reading() as connection:
            for name, kind in columns.read(connection):
                kinds.setdefault(name, set()).add(kind)
        return kinds

    def has_param(self, name: str, text: str) -> bool:
        """Whether any job has this text for a param."""
        with self.reading() as connection:
            chosen = columns.read(connection).get((name, "text"))
            if chosen is None:
                return False
            found = select(JOBS.c.id).where(column(chosen) == bindparam("text_is")).limit(1)
            return connection.execute(found, {"text_is": text}).first() is not None

    # Bundles and the trash

    def merge(self, jobs: Sequence[Job], measures: Mapping[str, Mapping[tuple[str, str], float | None]]) -> list[str]:
        """Return the ids of those of these finished jobs that are new here, now written, with what was measured.

        They are outside the ledger and the takes. One whose id is known stays as it is, but may begin to replay.

        Args:
            jobs: of another data folder, marked as imported.
            measures: values by hash of the file, then by name and version.
        """
        keys = {key for job in jobs for key in columns.cells(job.params, job.images)}
        self._columns.names(keys)
        new: list[str] = []
        with self.writing() as connection:
            for job in jobs:
                values = columns.cells(job.params, job.images)
                chosen = self._columns.names(values, connection)
                row = job_row(job) | {chosen[key]: value for key, value in values.items()}
                write = self._insert(columns.target(chosen)).on_conflict_do_nothing(index_elements=["id"])
                if connection.execute(write.returning(JOBS.c.id), row).first() is not None:
                    self._note(connection, job.id, job.state, "came with a bundle")
                    new.append(job.id)
                elif job.replays:
                    connection.execute(queries.SET_REPLAYS, {"job_id": job.id})
            known = {sha256 for sha256 in measures if not self._measured(connection, sha256)}
            for sha256 in known:
                measures_.write(connection, self._insert, sha256, measures[sha256], self.clock.utc())
        return new

    def _measured(self, connection: Connection, sha256: str) -> bool:
        return bool(measures_.read(connection, [sha256]))

    def trash(self, job_ids: Sequence[str], *, restore: bool = False) -> int:
        """Return how many of these jobs were put into the trash now, or taken out of it."""
        moved = 0
        with self.writing() as connection:
            for some in _batches(job_ids):
                if restore:
                    moved += connection.execute(queries.RESTORE, {"job_ids": some}).rowcount
                else:
                    moved += connection.execute(queries.TRASH, {"job_ids": some, "now": self.clock.utc()}).rowcount
        return moved

    def purge(self, job_ids: Sequence[str]) -> list[tuple[str, str]]:
        """Return the files, by hash and suffix, that no job needs any longer, after these jobs gave theirs up.

        Only jobs that are in the trash and at their end do. Their rows stay, as what was paid stays in the books.
        """
        files: set[tuple[str, str]] = set()
        with self.writing() as connection:
            for some in _batches(job_ids):
                for row in connection.execute(queries.PURGE, {"job_ids": some, "now": self.clock.utc()}):
                    files |= _files_in(row)
            if files:
                for row in connection.execute(queries.FILES_IN_USE).yield_per(1000):
                    files -= _files_in(row)
        return sorted(files)

    def events(self, job_id: str) -> list[Event]:
        """Every step of the job, oldest first."""
        with self.reading() as connection:
            return [
                Event(at, State(state), note)
                for at, state, note in connection.execute(queries.STEPS, {"job_id": job_id})
            ]

    def standing(self, base_url: str, recipe_hash: str, take: int) -> Job | None:
        """The job that stands for this recipe and take at this service, done or on its way; None if there is none.

        A job whose seed was drawn also stands for the first take of the recipe that names its seed, and one of a bundle
        that replays for its recipe and take at any service.
        """
        key = {"base_url": base_url, "recipe_hash": recipe_hash, "take": take}
        with self.reading() as connection:
            row = connection.execute(queries.REPLAYED, key).first()
            row = row or connection.execute(queries.STANDING, key).first() or self._answering(connection, key)
        return None if row is None else job_of(row)

    def done_like(self, model: str, params: Mapping[str, Any], *, emulated: bool, limit: int = 200) -> list[Job]:
        """Return the model's newest done jobs with these params; None means any value. The caller compares the rest."""
        values = {"model_is": model, "emulated_is": emulated}
        return self._jobs(queries.DONE_LIKE.where(*queries.like(params)).limit(limit), values)

    def took(self, model: str, params: Mapping[str, Any], *, emulated: bool, but: str, limit: int = 50) -> list[float]:
        """The seconds from submit to done of the model's newest other jobs with exactly these params.

        Args:
            model: id of the model.
            params: names and values; None for one that was not given.
            emulated: whether emulated jobs are meant, or real ones.
            but: id of the job that does not count.
            limit: how many at most.
        """
        terms = [
            Term(Field(name, "param"), "any", () if value is None else (value,), or_missing=value is None)
            for name, value in params.items()
        ]
        with self.reading() as connection:
            # The newest of the model are looked through until there are enough: no param has a better index for that.
            same = Sql(connection.dialect.name, columns.read(connection), by_index=False).terms(terms)
            values = {"model_is": model, "emulated_is": emulated, "but": but, "limit": limit}
            return [
                (done - submitted).total_seconds()
                for submitted, done in connection.execute(queries.TOOK.where(*same), values)
            ]

    def charged_like(self, model: str, params: Mapping[str, Any], limit: int = 200) -> list[Charge]:
        """Return the charges of the newest real jobs like this one whose cost the service told, finished or not."""
        query = queries.CHARGED_LIKE.where(*queries.like(params)).limit(limit)
        with self.reading() as connection:
            return [
                Charge(row.id, row.created_at, row.params, row.images, Cost(row.cost_amount, row.cost_unit))
                for row in connection.execute(query, {"model_is": model})
            ]

    def latencies(self, model: str, emulated: bool, limit: int = 50) -> list[float]:
        """The seconds from submit to finish of the model's newest clips, newest first."""
        with self.reading() as connection:
            values = {"model_is": model, "emulated_is": emulated, "limit": limit}
            return [
                (finished - submitted).total_seconds()
                for submitted, finished in connection.execute(queries.TIMES, values)
            ]

    # What the providers already have

    def uploaded(
        self, provider: str, account: str | None, base_url: str, sha256: str, *, since: datetime | None = None
    ) -> RemoteMedia | None:
        """The file as the provider knows it: uploaded by this account, or a clip that it made there; else None.

        Args:
            provider: its name.
            account: whose upload it is.
            base_url: where it was sent.
            sha256: of the file.
            since: when the oldest upload was made that the provider still has; None where it keeps them all.
        """
        key = {"provider_is": provider, "account_is": account or "", "base_url_is": base_url, "sha256_is": sha256}
        with self.reading() as connection:
            row = connection.execute(queries.UPLOADED, key).first()
            if row is not None and (since is None or row.created_at >= since):
                return RemoteMedia(provider, row.remote_id, row.kind)
            made = connection.execute(queries.MADE, key).scalar()
        return None if made is None else RemoteMedia(provider, made, "GENERATED")

    def remember_upload(
        self, provider: str, account: str | None, base_url: str, sha256: str, media: RemoteMedia
    ) -> None:
        """Remember the newest id under which the provider has an input file."""
        key = {"provider": provider, "account": account or "", "base_url": base_url, "sha256": sha256}
        news = {"remote_id": media.id, "kind": media.kind, "created_at": self.utc()}
        statement = self._insert(UPLOADS).values(key | news).on_conflict_do_update(index_elements=list(key), set_=news)
        with self.writing() as connection:
            connection.execute(statement)

    def forget_upload(self, provider: str, media: RemoteMedia) -> None:
        """Forget an upload that the provider no longer has: the next job uploads the file again."""
        with self.writing() as connection:
            connection.execute(queries.FORGET, {"provider_is": provider, "remote_id_is": media.id})

    # What people voted

    def add_vote(self, voter: str, question: str, first: str, second: str, answer: str) -> int:
        """Keep a vote and return its number: of the clips of these two jobs `1` or `2` was taken, or neither."""
        with self.writing() as connection:
            return votes_.add(connection, self.clock.utc(), voter, question, first, second, answer)

    def drop_vote(self, vote_id: int) -> bool:
        """Delete a vote and return whether there was one of that number."""
        with self.writing() as connection:
            return votes_.drop(connection, vote_id)

    def votes(self, jobs: Iterable[str] | None = None) -> list[votes_.Vote]:
        """Return the votes between clips of these jobs, or all; oldest first."""
        with self.reading() as connection:
            return votes_.read(connection, jobs)

    # What was measured of clips

    def measures(self, hashes: Iterable[str]) -> dict[str, measures_.Values]:
        """Return what was measured of these files: by hash of the file, then by name; the newest of each measure."""
        with self.reading() as connection:
            return measures_.read(connection, hashes)

    def measured_versions(self, hashes: Iterable[str]) -> dict[tuple[str, str, str], float | None]:
        """Return every value of these files that is kept, by hash, name and version of the measure."""
        with self.reading() as connection:
            return measures_.versions(connection, hashes)

    def measure_names(self) -> list[str]:
        """The names of all measures that any clip has."""
        with self.reading() as connection:
            return list(connection.execute(select(MEASURES.c.name).distinct().order_by(MEASURES.c.name)).scalars())

    def keep_measures(self, sha256: str, values: Mapping[tuple[str, str], float | None]) -> None:
        """Keep what was measured of a file.

        Args:
            sha256: of the file.
            values: by name and version of the measure; None where the clip has no such value.
        """
        with self.writing() as connection:
            measures_.write(connection, self._insert, sha256, values, self.clock.utc())

    def _jobs(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> list[Job]:
        with self.reading() as connection:
            return [job_of(row) for row in connection.execute(query, values)]

    def _patience(self) -> float | None:
        """Return how long a call on this thread may wait for another process; None for hardly at all."""
        return self.busy_s if self.aside.may_wait else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection to read from, to the rooms of the store that keep rows of their own."""
        if (shared := self._shared()) is not None:
            with mapped_errors():
                yield shared
            return
        with mapped_errors(), reading(self._engine, self._patience()) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection in a transaction that writes; it is committed where the block ends without an error."""
        if (shared := self._shared()) is not None:
            try:
                with mapped_errors():
                    yield shared
            except BaseException:
                self._here.is_spoilt = True  # also where the caller goes on: what stands in it is half a step
                raise
            return
        with forking.crossing.inside(), mapped_errors():
            self._identity.check_files()
            with writing(self._engine, self._patience()) as connection:
                steps: list[tuple[int, str, str, datetime]] = []
                connection.info[STEPS] = steps
                yield connection
            self._identity.wrote(steps)  # only what was committed is there for good

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Make all that this thread writes in the block one transaction; nothing is written where any of it raises."""
        with self.writing() as connection:
            self._here.connection, self._here.is_spoilt = connection, False
            try:
                yield
            finally:
                self._here.connection = None
            if self._here.is_spoilt:
                raise StoreError("a part of the transaction was refused")

    def _shared(self) -> Connection | None:
        return getattr(self._here, "connection", None)


def _prefixed(job_id: str, columns: dict[str, Any]) -> dict[str, Any]:
    return {"job_id": job_id} | {f"new_{name}": value for name, value in columns.items()}


def _files_in(row: Row[Any]) -> set[tuple[str, str]]:
    """The files of the job in a row."""
    return queries.files_of([row.clip_sha256, *(output["sha256"] for output in row.outputs)], row.images)


def _batches(job_ids: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    """Parts of a list that fit into one statement of any SQLite."""
    for start in range(0, len(job_ids), size):
        yield job_ids[start : start + size]
