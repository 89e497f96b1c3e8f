"""The memory of vidnb: one row a job, written before anything is paid for and read by every later kernel.

Each call is one short transaction, so any thread and any process may call at any time, the event loop's included. The
database guards the promises, not the callers: a take has one live row, a job moves only along `records.TRANSITIONS`,
and a lease has one owner. `tables` says what a row holds, `database` opens and migrates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.dialects import postgresql, sqlite

from vidnb.errors import IllegalTransitionError, StoreError
from vidnb.records import TERMINAL, Job, RemoteMedia, State
from vidnb.store import queries
from vidnb.store.database import bring_up_to_date, database_url, mapped_errors, open_engine, writing
from vidnb.store.tables import JOBS, LIVE, UNFINISHED, UPLOADS, flat, job_of, job_row, rows_of, storable

INSERT: dict[str, Callable[..., Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
"""Only the dialects' own INSERT knows ON CONFLICT."""


def utcnow() -> datetime:
    """The time now, aware and in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Event:
    """One step of a job: when it came into a state, and what was said of it."""

    at: datetime
    state: State
    note: str


class Store:
    """The database of one data folder.

    Args:
        url: `sqlite:///folder/vidnb.db` or `postgresql://user@host/name`; or the path of a data folder, for the
            `vidnb.db` in it; or None for VIDNB_DATABASE_URL, else the data folder of `files.data_home`.
        clock: says what time it is; tests pass their own.

    Raises:
        StoreError: the database cannot be opened, or a newer vidnb made it.
        ConfigError: the address is none.
    """

    def __init__(self, url: str | Path | None = None, *, clock: Callable[[], datetime] = utcnow) -> None:
        self._clock = clock
        with mapped_errors():
            self._engine = open_engine(database_url(url))
            try:
                bring_up_to_date(self._engine)
            except BaseException:
                self._engine.dispose()
                raise
        self._insert = INSERT[self._engine.dialect.name]
        free = self._insert(JOBS).on_conflict_do_nothing(index_elements=queries.TAKE, index_where=LIVE)
        self._intend = free.returning(JOBS.c.id)

    def close(self) -> None:
        """Nothing; the connections are closed."""
        self._engine.dispose()

    # A job from its first row to its last

    def intend(self, job: Job) -> tuple[Job, bool]:
        """The job that stands for this recipe and take, and whether that is the one given, now written.

        A failed or cancelled job leaves its take free: the next one gets a row of its own.
        """
        row = job_row(job)
        for _ in range(10):  # the standing job may fail between the two statements
            with self._writing() as connection:
                if connection.execute(self._intend, row).first() is not None:
                    self._note(connection, job.id, job.state, "")
                    return job, True
                if (standing := connection.execute(queries.STANDING, row).first()) is not None:
                    return job_of(standing), False
        raise StoreError(f"the recipe of job {job.id!r} is being changed by other processes; try again")

    def next_take(self, base_url: str, recipe_hash: str) -> int:
        """The first take that no job of this recipe has had at this service; another process may see the same."""
        with self._reading() as connection:
            return int(
                connection.execute(queries.NEXT_TAKE, {"base_url": base_url, "recipe_hash": recipe_hash}).scalar_one()
            )

    def move(self, job_id: str, to: State, *, expect: State | None = None, note: str = "", **fields: Any) -> Job:
        """The job in its new state, with these fields set; its end also ends its lease.

        Args:
            job_id: of the job.
            to: the new state.
            expect: the only state to move from; without it any from which `records.TRANSITIONS` allows the move.
            note: for the job's events.
            **fields: of the job, as in `records.Job`.

        Raises:
            IllegalTransitionError: the job was in no such state; nothing was changed.
        """
        columns = flat(fields)
        if to in TERMINAL:
            columns = {"done_at": self._clock(), "lease_owner": None, "lease_until": None} | columns
        with self._writing() as connection:
            statement = queries.move_of(to, expect, tuple(columns))
            row = connection.execute(statement, _prefixed(job_id, columns)).first()
            if row is None:
                self._refuse(connection, job_id, to)
            self._note(connection, job_id, to, note)
            return job_of(row)

    def attach(self, job_id: str, remote_id: str, note: str = "") -> Job | None:
        """The ambiguous job, now running under this remote id; None where another job has that id already.

        Two processes that look through the same list at once cannot both take one entry of it.
        """
        with self._writing() as connection:
            if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
                connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(remote_id))))
            taken = connection.execute(select(JOBS.c.id).where(JOBS.c.remote_id == remote_id)).first()
            if taken is not None and taken.id != job_id:
                return None
            statement = queries.move_of(State.RUNNING, State.AMBIGUOUS, ("remote_id",))
            row = connection.execute(statement, _prefixed(job_id, {"remote_id": remote_id})).first()
            if row is None:
                self._refuse(connection, job_id, State.RUNNING)
            self._note(connection, job_id, State.RUNNING, note)
            return job_of(row)

    def update(self, job_id: str, **fields: Any) -> None:
        """Nothing; the fields are set, the state stays."""
        columns = flat(fields)
        with self._writing() as connection:
            if connection.execute(queries.update_of(tuple(columns)), _prefixed(job_id, columns)).rowcount == 0:
                raise StoreError(f"there is no job {job_id!r}")

    def _refuse(self, connection: Connection, job_id: str, to: State) -> NoReturn:
        state = connection.execute(queries.STATE, {"job_id": job_id}).scalar()
        if state is None:
            raise StoreError(f"there is no job {job_id!r}")
        raise IllegalTransitionError(f"job {job_id!r} is {state}, so it cannot become {to} now")

    def _note(self, connection: Connection, job_id: str, state: State, note: str) -> None:
        connection.execute(queries.NOTE, {"job_id": job_id, "at": self._clock(), "state": state.value, "note": note})

    # Who works on it

    def lease(self, job_id: str, owner: str, seconds: float) -> bool:
        """Whether the job is now the owner's: it was free, its lease had run out, or it was theirs."""
        now = self._clock()
        values = {"job_id": job_id, "owner": owner, "now": now, "until": now + timedelta(seconds=seconds)}
        with self._writing() as connection:
            return connection.execute(queries.LEASE, values).rowcount == 1

    def renew(self, job_ids: Iterable[str], owner: str, seconds: float) -> set[str]:
        """The jobs among these that are still the owner's, for so many seconds more."""
        until = self._clock() + timedelta(seconds=seconds)
        held: set[str] = set()
        with self._writing() as connection:
            for some in _batches(list(job_ids)):
                values = {"job_ids": some, "owner": owner, "until": until}
                held |= set(connection.execute(queries.RENEW, values).scalars())
        return held

    def release(self, job_id: str, owner: str) -> None:
        """Nothing; the job is free if it was the owner's."""
        with self._writing() as connection:
            connection.execute(queries.RELEASE, {"job_id": job_id, "owner": owner})

    def wake(self, provider: str, remote_id: str) -> bool:
        """Whether there is an unfinished job with this remote id; it is marked for whoever waits for it."""
        values = {"provider_is": provider, "remote_id_is": remote_id, "now": self._clock()}
        with self._writing() as connection:
            return connection.execute(queries.WAKE, values).rowcount > 0

    def all_woken(self) -> set[str]:
        """The jobs that are marked; `woken` takes the mark away."""
        with self._reading() as connection:
            return set(connection.execute(queries.ALL_WOKEN).scalars())

    def woken(self, job_id: str) -> bool:
        """Whether the job was marked since this was last asked."""
        with self._reading() as connection:
            if connection.execute(queries.IS_WOKEN, {"job_id": job_id}).scalar() is None:
                return False
        with self._writing() as connection:
            return connection.execute(queries.CLEAR_WOKEN, {"job_id": job_id}).rowcount == 1

    # What there is

    def get(self, job_id: str) -> Job:
        """The job as it is now.

        Raises:
            StoreError: there is none with this id.
        """
        with self._reading() as connection:
            row = connection.execute(queries.GET, {"job_id": job_id}).first()
        if row is None:
            raise StoreError(f"there is no job {job_id!r}")
        return job_of(row)

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
        raise StoreError(
            f"several jobs start with {prefix!r}: {several}" if found else f"no job starts with {prefix!r}"
        )

    def by_remote(self, provider: str, remote_id: str) -> Job | None:
        """The newest job that the provider knows by this id, or None."""
        with self._reading() as connection:
            row = connection.execute(queries.BY_REMOTE, {"provider_is": provider, "remote_id_is": remote_id}).first()
        return None if row is None else job_of(row)

    def unfinished(self, provider: str | None = None) -> list[Job]:
        """Every job that may still move, oldest first."""
        query = queries.JOB.where(UNFINISHED).order_by(JOBS.c.created_at, JOBS.c.id)
        return self._jobs(query if provider is None else query.where(JOBS.c.provider == provider))

    def jobs(self, *, limit: int | None = None, newest_first: bool = True, **filters: Any) -> list[Job]:
        """The jobs that pass every filter; see `matching` for the filters."""
        return self._jobs(queries.listed(queries.JOB, limit, newest_first, filters))

    def rows(self, *, limit: int | None = None, newest_first: bool = True, **filters: Any) -> list[dict[str, Any]]:
        """The same as plain rows, one dict a job with the columns of the table: the quick way to a data frame."""
        query = queries.listed(queries.ROW, limit, newest_first, filters)
        with self._reading() as connection:
            return rows_of(connection.execute(query).all())

    def ids(self, *, limit: int | None = None, newest_first: bool = True, **filters: Any) -> list[str]:
        """The ids of the same jobs: the quick way to count them, and to read them a page at a time."""
        with self._reading() as connection:
            return list(connection.execute(queries.listed(queries.ID, limit, newest_first, filters)).scalars())

    def events(self, job_id: str) -> list[Event]:
        """Every step of the job, oldest first."""
        with self._reading() as connection:
            return [
                Event(at, State(state), note)
                for at, state, note in connection.execute(queries.STEPS, {"job_id": job_id})
            ]

    def standing(self, base_url: str, recipe_hash: str, take: int) -> Job | None:
        """The job that stands for this recipe and take at this service, done or on its way; None if there is none."""
        key = {"base_url": base_url, "recipe_hash": recipe_hash, "take": take}
        with self._reading() as connection:
            row = connection.execute(queries.STANDING, key).first()
        return None if row is None else job_of(row)

    def done_like(self, model: str, params: Mapping[str, Any], *, emulated: bool, limit: int = 200) -> list[Job]:
        """The model's newest done jobs with these params, of which None stands for "any": the caller looks closer."""
        values = {"model_is": model, "emulated_is": emulated}
        return self._jobs(queries.DONE_LIKE.where(*queries.like(params)).limit(limit), values)

    def charged_like(self, model: str, params: Mapping[str, Any], limit: int = 200) -> list[Job]:
        """The same for real jobs of which the service said what they cost, at their end or on their way."""
        return self._jobs(queries.CHARGED_LIKE.where(*queries.like(params)).limit(limit), {"model_is": model})

    def uncharged(self, since: datetime | None = None) -> list[Job]:
        """The real jobs, done or on their way, of which the service said no cost: some never say one."""
        query = queries.UNCHARGED
        return self._jobs(query if since is None else query.where(queries.sent_since(since)))

    def latencies(self, model: str, emulated: bool, limit: int = 50) -> list[float]:
        """The seconds from submit to finish of the model's newest clips, newest first."""
        with self._reading() as connection:
            values = {"model_is": model, "emulated_is": emulated, "limit": limit}
            return [
                (finished - submitted).total_seconds()
                for submitted, finished in connection.execute(queries.TIMES, values)
            ]

    def spent(self, since: datetime | None = None, *, emulated: bool = False) -> dict[str, float]:
        """What the jobs cost that were sent since then, by unit; what emulated ones would have cost is asked apart."""
        query = queries.SPENT.where(JOBS.c.emulated == emulated)
        with self._reading() as connection:
            rows = connection.execute(query if since is None else query.where(queries.sent_since(since)))
            return {unit: float(amount) for unit, amount in rows}

    # What the providers already have

    def uploaded(self, provider: str, account: str | None, base_url: str, sha256: str) -> RemoteMedia | None:
        """The file as the provider knows it: uploaded by this account, or a clip that it made there; else None."""
        key = {"provider_is": provider, "account_is": account or "", "base_url_is": base_url, "sha256_is": sha256}
        with self._reading() as connection:
            row = connection.execute(queries.UPLOADED, key).first()
            if row is not None:
                return RemoteMedia(provider, row.remote_id, row.kind)
            made = connection.execute(queries.MADE, key).scalar()
        return None if made is None else RemoteMedia(provider, made, "GENERATED")

    def remember_upload(
        self, provider: str, account: str | None, base_url: str, sha256: str, media: RemoteMedia
    ) -> None:
        """Nothing; the input file is known from now on by the newest id that it got."""
        key = {"provider": provider, "account": account or "", "base_url": base_url, "sha256": sha256}
        news = {"remote_id": media.id, "kind": media.kind, "created_at": self._clock()}
        statement = self._insert(UPLOADS).values(key | news).on_conflict_do_update(index_elements=list(key), set_=news)
        with self._writing() as connection:
            connection.execute(statement)

    def forget_upload(self, provider: str, media: RemoteMedia) -> None:
        """Nothing; the provider no longer has the file, so the next job uploads it again."""
        with self._writing() as connection:
            connection.execute(queries.FORGET, {"provider_is": provider, "remote_id_is": media.id})

    def _jobs(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> list[Job]:
        with self._reading() as connection:
            return [job_of(row) for row in connection.execute(query, values)]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with mapped_errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with mapped_errors(), writing(self._engine) as connection:
            yield connection


def _prefixed(job_id: str, columns: dict[str, Any]) -> dict[str, Any]:
    return {"job_id": job_id} | {f"new_{name}": value for name, value in columns.items()}


def _batches(job_ids: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    """Parts of a list that fit into one statement of any SQLite."""
    for start in range(0, len(job_ids), size):
        yield job_ids[start : start + size]
