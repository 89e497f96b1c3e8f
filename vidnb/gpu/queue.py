"""The jobs on disk, in one SQLite file: a restart of the server loses nothing but the steps of the running clip."""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vidnb.clock import Clock
from vidnb.gpu.orders import Order

TABLES = """
create table if not exists jobs (
    id text primary key, client_token text, digest text not null, wire text not null, model text not null,
    params text not null, values_ text not null, images text not null, state text not null,
    created_at real not null, started_at real, ended_at real, attempts integer not null default 0,
    cancelled integer not null default 0, error_kind text not null default '', error text not null default '',
    facts text not null default '{}', work real not null, took_s real, bytes integer not null default 0
);
create unique index if not exists jobs_by_token on jobs (client_token) where client_token != '';
create index if not exists jobs_by_state on jobs (state, created_at);
"""
MOST_ATTEMPTS = 2
"""So often a job is begun whose server ends in the middle; it may be the job that ends it."""
LEARNED_FROM = 5
"""From so many clips of a model the server learns how long the next one takes."""
MOST_ROWS = 10_000
WAITING, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"


@dataclass(frozen=True)
class Entry:
    """One job as it is kept."""

    id: str
    client_token: str
    digest: str
    wire: str
    model: str
    """Id in the catalogue."""
    params: Mapping[str, Any]
    """Under their wire names, as lists tell them."""
    values: Mapping[str, Any]
    """Under vidnb's names, as the renderer takes them."""
    images: Mapping[str, str]
    state: str
    created_at: float
    started_at: float | None
    ended_at: float | None
    attempts: int
    cancelled: bool
    """Somebody wants it to end."""
    error_kind: str
    error: str
    facts: Mapping[str, Any]
    work: float
    """How much there is to do, beside other clips of the model."""
    took_s: float | None
    bytes: int
    """Size of the clip; 0 where there is none, or none any more."""

    @property
    def created(self) -> str:
        """Return when it came, in ISO form."""
        return datetime.fromtimestamp(self.created_at, UTC).isoformat()


class TokenTakenError(Exception):
    """The same token came before with another request."""


class Queue:
    """The jobs of one folder; safe for threads, and for one server at a time.

    Args:
        path: of the database.
        clock: says what time it is.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma journal_mode = wal")
        self._db.executescript(TABLES)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("begin immediate")
            try:
                yield self._db
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    def _entries(self, sql: str, *values: Any) -> list[Entry]:
        with self._lock:
            return [_entry(row) for row in self._db.execute(f"select * from jobs {sql}", values)]

    # -- what clients do

    def add(self, order: Order, work: float) -> tuple[Entry, bool]:
        """Return the job of an order, and whether it is new: the same token again is the same job.

        Raises:
            TokenTakenError: the token came before with another request.
        """
        with self._writing() as db:
            known = self._entries("where client_token = ? and client_token != ''", order.client_token)
            if known:
                if known[0].digest != order.digest:
                    raise TokenTakenError
                return known[0], False
            job_id = uuid.uuid4().hex
            db.execute(
                "insert into jobs (id, client_token, digest, wire, model, params, values_, images, state, created_at, "
                "work) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    job_id, order.client_token, order.digest, order.model.wire, order.model.id,
                    json.dumps(order.params), json.dumps(order.values), json.dumps(order.images), WAITING,
                    self._clock.now(), work,
                ),
            )  # fmt: skip
        return self.need(job_id), True

    def get(self, job_id: str) -> Entry | None:
        """Return the job with this id."""
        return next(iter(self._entries("where id = ?", job_id)), None)

    def need(self, job_id: str) -> Entry:
        """Return the job with this id, which is there."""
        return self._entries("where id = ?", job_id)[0]

    def recent(self, limit: int) -> list[Entry]:
        """Return the newest jobs, newest first."""
        return self._entries("order by created_at desc, rowid desc limit ?", limit)

    def cancel(self, job_id: str) -> Entry:
        """Mark a job as to be ended and return it: a waiting one ends here, a running one when its renderer is told."""
        with self._writing() as db:
            db.execute("update jobs set cancelled = 1 where id = ? and state = ?", (job_id, RUNNING))
            db.execute(
                "update jobs set cancelled = 1, state = ?, ended_at = ? where id = ? and state = ?",
                (CANCELLED, self._clock.now(), job_id, WAITING),
            )
        return self.need(job_id)

    # -- what the worker does

    def recover(self) -> None:
        """Put back what an earlier server was rendering; what ended it twice has failed."""
        with self._writing() as db:
            db.execute(
                "update jobs set state = ?, ended_at = ? where state = ? and cancelled = 1",
                (CANCELLED, self._clock.now(), RUNNING),
            )
            db.execute(
                "update jobs set state = ?, ended_at = ?, error_kind = 'crashed', error = ? where state = ? and "
                "attempts >= ?",
                (
                    FAILED, self._clock.now(), "the job server ended twice while this clip was rendered", RUNNING,
                    MOST_ATTEMPTS,
                ),
            )  # fmt: skip
            db.execute("update jobs set state = ?, started_at = null where state = ?", (WAITING, RUNNING))

    def claim(self, loaded: str, most_ahead: int) -> Entry | None:
        """Return the next job, begun: one of the model that is loaded, to load less often, else the oldest.

        Args:
            loaded: id of the model that the renderer holds.
            most_ahead: so many jobs of that model may go before an older one of another.
        """
        with self._writing() as db:
            waiting = self._entries("where state = ? order by created_at, rowid", WAITING)
            if not waiting:
                return None
            oldest = waiting[0]
            overtaken = self._begun_since(oldest.created_at)
            chosen = next((entry for entry in waiting if entry.model == loaded), oldest)
            chosen = chosen if overtaken < most_ahead else oldest
            db.execute(
                "update jobs set state = ?, started_at = ?, attempts = attempts + 1 where id = ?",
                (RUNNING, self._clock.now(), chosen.id),
            )
        return self.need(chosen.id)

    def _begun_since(self, created_at: float) -> int:
        """Return how many jobs that came later were begun since."""
        (count,) = self._db.execute(
            "select count(*) from jobs where created_at > ? and started_at is not null", (created_at,)
        ).fetchone()
        return int(count)

    def put_back(self, job_id: str) -> None:
        """Let a job wait again whose server is being stopped: that is no attempt."""
        with self._writing() as db:
            db.execute(
                "update jobs set state = ?, started_at = null, attempts = attempts - 1 where id = ? and state = ?",
                (WAITING, job_id, RUNNING),
            )

    def finish(self, job_id: str, *, facts: Mapping[str, Any], took_s: float, size: int) -> None:
        """Note that a clip is there."""
        with self._writing() as db:
            db.execute(
                "update jobs set state = ?, ended_at = ?, facts = ?, took_s = ?, bytes = ? where id = ?",
                (DONE, self._clock.now(), json.dumps(dict(facts), default=str), took_s, size, job_id),
            )

    def end(self, job_id: str, state: str, kind: str = "", message: str = "") -> None:
        """Note that a job failed, and why, or was cancelled."""
        with self._writing() as db:
            db.execute(
                "update jobs set state = ?, ended_at = ?, error_kind = ?, error = ? where id = ? and state = ?",
                (state, self._clock.now(), kind, message, job_id, RUNNING),
            )

    # -- what both ask

    def ahead_of(self, entry: Entry) -> list[Entry]:
        """Return the jobs that came before one that waits, the running one among them."""
        return self._entries(
            "where state = ? and (created_at, rowid) < (select created_at, rowid from jobs where id = ?) or state = ?",
            WAITING, entry.id, RUNNING,
        )  # fmt: skip

    def count(self, state: str) -> int:
        """Return how many jobs are in this state."""
        with self._lock:
            (count,) = self._db.execute("select count(*) from jobs where state = ?", (state,)).fetchone()
        return int(count)

    def pace(self, model: str) -> float | None:
        """Return the seconds that a unit of a model's work takes here, by its newest clips; None without any."""
        with self._lock:
            rows = self._db.execute(
                "select took_s / work from jobs where model = ? and took_s is not null and work > 0 "
                "order by ended_at desc limit ?",
                (model, LEARNED_FROM),
            ).fetchall()
        paces = sorted(float(row[0]) for row in rows)
        return paces[len(paces) // 2] if paces else None

    # -- room

    def kept(self) -> list[Entry]:
        """Return the jobs whose clips are there, the oldest first."""
        return self._entries("where bytes > 0 order by ended_at")

    def unkept(self, job_id: str) -> None:
        """Note that a job's clip was deleted."""
        with self._writing() as db:
            db.execute("update jobs set bytes = 0 where id = ?", (job_id,))

    def inputs(self) -> set[str]:
        """Return the pictures that jobs on their way need."""
        return {
            name for entry in self._entries("where state in (?, ?)", WAITING, RUNNING) for name in entry.images.values()
        }

    def forget_old(self) -> None:
        """Drop the oldest rows beyond the most that are kept; their clips are gone already."""
        with self._writing() as db:
            db.execute(
                "delete from jobs where bytes = 0 and state not in (?, ?) and id not in "
                "(select id from jobs order by created_at desc limit ?)",
                (WAITING, RUNNING, MOST_ROWS),
            )


def _entry(row: sqlite3.Row) -> Entry:
    values = {name: row[name] for name in row.keys()}  # noqa: SIM118  a row iterates over its values
    values["values"] = values.pop("values_")
    for name in ("params", "values", "images", "facts"):
        values[name] = json.loads(values[name])
    values["cancelled"] = bool(values["cancelled"])
    return Entry(**values)
