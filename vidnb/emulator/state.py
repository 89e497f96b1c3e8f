"""What the emulated services remember: jobs, uploaded files and counts, in one SQLite file that processes share.

All times of a job are fixed when it is submitted. How it looks depends on the clock alone, so it advances although no
code runs.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from vidnb import forking
from vidnb.forking import around_fork

_TABLES = """
create table if not exists jobs (
    id text primary key, provider text not null, account text not null, model text not null, mode text not null,
    prompt text not null, params text not null, media text not null, body text not null, body_hash text not null,
    scene_key text not null, seed integer not null, asset_id text not null, result_key text not null,
    cost real not null, created_at real not null, starts_at real not null, done_at real not null,
    outcome text not null, nsfw integer not null, notes text not null,
    deleted integer not null default 0, called_back integer not null default 0
);
create index if not exists jobs_by_account on jobs (provider, account, created_at);
create index if not exists jobs_by_scene on jobs (scene_key);
create unique index if not exists jobs_by_asset on jobs (asset_id);
create unique index if not exists jobs_by_result on jobs (result_key);
create table if not exists files (
    id text primary key, provider text not null, account text not null, kind text not null, extension text not null,
    key text not null, created_at real not null, sha256 text, note text not null, width_px integer, height_px integer
);
create index if not exists files_by_key on files (key);
create table if not exists counts (name text primary key, n integer not null);
create table if not exists headers (host text not null, name text not null, primary key (host, name));
create table if not exists credits (account text primary key, used integer not null);
create table if not exists meta (name text primary key, value text not null);
"""


@dataclass(frozen=True)
class EmulatedJob:
    """One job as the service keeps it."""

    id: str
    provider: str
    account: str
    model: str
    """Id in the catalogue."""
    mode: str
    prompt: str
    params: Mapping[str, Any]
    """The request under vidnb's names, inputs excepted."""
    media: Mapping[str, Any]
    """Inputs: param name -> list of `{"sha256": ...}` or `{"job": ...}` (an earlier clip)."""
    body: Mapping[str, Any]
    body_hash: str
    scene_key: str
    """What the clip depends on; equal requests have equal keys, whatever ids their uploads were given."""
    asset_id: str
    result_key: str
    created_at: float
    cost: float = 0.0
    seed: int = -1
    starts_at: float = 0.0
    done_at: float = 0.0
    outcome: str = "done"
    """`done`, `failed`, `no_output`; `cancelled` or `aborted` where somebody or a deadline ended it."""
    nsfw: bool = False
    notes: Mapping[str, Any] = field(default_factory=dict)
    look_key: str = ""
    """Chooses the scene where no seed is sent; default the hash of the whole request. It is not stored."""

    def is_over(self, now: float) -> bool:
        """True once the service has finished with it, well or badly."""
        return now >= self.done_at

    def is_running(self, now: float) -> bool:
        """True while it holds a slot."""
        return self.starts_at <= now < self.done_at


@dataclass(frozen=True)
class EmulatedFile:
    """One uploaded input; `sha256` is None until its bytes came."""

    id: str
    provider: str
    account: str
    kind: str
    """`init`, `media` or `asset`."""
    extension: str
    key: str
    created_at: float
    sha256: str | None = None
    note: str = ""
    width_px: int | None = None
    height_px: int | None = None


_JOB_COLUMNS = tuple(f.name for f in fields(EmulatedJob) if f.name != "look_key")
_FILE_COLUMNS = tuple(f.name for f in fields(EmulatedFile))
_JSON = ("params", "media", "body", "notes")


class State:
    """The database of one folder. Safe for threads and for several processes at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._headers_seen: set[tuple[str, str]] = set()
        with forking.crossing.inside():
            self._open()
            around_fork(self._let_go, self._take_up)
        with self._writing() as db:
            for statement in _TABLES.split(";"):
                db.execute(statement)

    def _open(self) -> None:
        self._db = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._lock = threading.RLock()
        self.close = weakref.finalize(self, self._db.close)
        self._use_wal()

    def _let_go(self) -> None:
        """Close the connection before a fork; SQLite's cannot be carried over."""
        self._was_open = self.close.alive
        self.close()

    def _take_up(self) -> None:
        """Open it again, in parent and child."""
        if self._was_open:
            self._open()

    def _use_wal(self) -> None:
        # SQLite answers "locked" at once, timeout or not, when two processes switch the mode at the same moment.
        for _ in range(100):
            with suppress(sqlite3.OperationalError):
                self._db.execute("pragma journal_mode = wal")
                break
            time.sleep(0.02)
        self._db.execute("pragma synchronous = normal")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is the only writer, of all processes, from its first line."""
        with forking.crossing.inside(), self._lock:
            self._db.execute("begin immediate")
            try:
                yield self._db
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    def _rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with forking.crossing.inside(), self._lock:
            return self._db.execute(sql, values).fetchall()

    # Jobs

    def add_job(self, job: EmulatedJob, *, latency_s: float, slots: int | None) -> EmulatedJob:
        """The job with its seed and its times, written; it starts when one of the account's slots is free."""
        with self._writing() as db:
            if job.seed < 0:
                (repeats,) = db.execute("select count(*) from jobs where scene_key = ?", (job.scene_key,)).fetchone()
                job = replace(job, seed=derived_seed(job.look_key or job.scene_key, repeats))
            starts_at = max(job.created_at, self._free_at(db, job, slots))
            job = replace(job, starts_at=starts_at, done_at=starts_at + latency_s)
            marks = ", ".join("?" * len(_JOB_COLUMNS))
            db.execute(f"insert into jobs ({', '.join(_JOB_COLUMNS)}) values ({marks})", _job_values(job))
        return job

    def _free_at(self, db: sqlite3.Connection, job: EmulatedJob, slots: int | None) -> float:
        """When a slot is free: with n slots, first come, first served, that is the n-th latest end of all open jobs."""
        if slots is None:
            return 0.0
        row = db.execute(
            """select done_at from jobs where provider = ? and account = ? and done_at > ?
               order by done_at desc limit 1 offset ?""",
            (job.provider, job.account, job.created_at, slots - 1),
        ).fetchone()
        return row[0] if row else 0.0

    def job(self, job_id: str) -> EmulatedJob | None:
        """The job with this id, unless it was deleted."""
        return _job(self._rows("select * from jobs where id = ? and not deleted", job_id))

    def job_of_asset(self, asset_id: str) -> EmulatedJob | None:
        """The job whose clip has this asset id."""
        return _job(self._rows("select * from jobs where asset_id = ? and not deleted", asset_id))

    def job_of_result(self, result_key: str) -> EmulatedJob | None:
        """The job whose clip lies under this storage key."""
        return _job(self._rows("select * from jobs where result_key = ?", result_key))

    def jobs_of(
        self, provider: str, account: str, *, offset: int = 0, limit: int = 10,
        after: float = float("-inf"), before: float = float("inf"),
    ) -> list[EmulatedJob]:  # fmt: skip
        """An account's jobs, newest first; only those that were made between two moments."""
        sql = """select * from jobs where provider = ? and account = ? and not deleted
                 and created_at >= ? and created_at <= ?
                 order by created_at desc, rowid desc limit ? offset ?"""
        return [_job_of(row) for row in self._rows(sql, provider, account, after, before, limit, offset)]

    def waiting_before(self, job: EmulatedJob, now: float) -> int:
        """How many of the account's jobs wait for a slot and get it before this one."""
        sql = """select count(*) from jobs where provider = ? and account = ? and not deleted
                 and starts_at > ? and rowid < (select rowid from jobs where id = ?)"""
        return int(self._rows(sql, job.provider, job.account, now, job.id)[0][0])

    def end_job(self, job_id: str, at: float, outcome: str) -> bool:
        """True where the job, which would go on beyond that moment, now ends there."""
        with self._writing() as db:
            sql = "update jobs set done_at = ?, starts_at = min(starts_at, ?), outcome = ? where id = ? and done_at > ?"
            return db.execute(sql, (at, at, outcome, job_id, at)).rowcount > 0

    def delete_job(self, job_id: str) -> bool:
        """True where there was something to delete."""
        with self._writing() as db:
            return db.execute("update jobs set deleted = 1 where id = ? and not deleted", (job_id,)).rowcount > 0

    def not_called_back(self, provider: str) -> list[EmulatedJob]:
        """A provider's jobs that no webhook was sent for yet."""
        sql = "select * from jobs where provider = ? and not deleted and not called_back"
        return [_job_of(row) for row in self._rows(sql, provider)]

    def claim_call_back(self, job_id: str) -> bool:
        """True for the one process that is to send the job's webhook."""
        with self._writing() as db:
            sql = "update jobs set called_back = 1 where id = ? and not called_back and not deleted"
            return db.execute(sql, (job_id,)).rowcount > 0

    def jobs_by(self, column: str) -> dict[str, int]:
        """How many jobs were made for each value of a column, deleted ones included."""
        if column not in _JOB_COLUMNS:
            raise ValueError(f"jobs have no column {column!r}")
        return dict(map(tuple, self._rows(f"select {column}, count(*) from jobs group by {column}")))

    # Files

    def add_file(self, file: EmulatedFile) -> EmulatedFile:
        """The file, written."""
        with self._writing() as db:
            marks = ", ".join("?" * len(_FILE_COLUMNS))
            db.execute(f"insert into files ({', '.join(_FILE_COLUMNS)}) values ({marks})", tuple(asdict(file).values()))
        return file

    def fill_file(self, file: EmulatedFile) -> None:
        """Note what came for an announced file."""
        with self._writing() as db:
            db.execute(
                "update files set sha256 = ?, note = ?, width_px = ?, height_px = ? where id = ?",
                (file.sha256, file.note, file.width_px, file.height_px, file.id),
            )

    def file(self, file_id: str) -> EmulatedFile | None:
        """The file with this id."""
        return _file(self._rows("select * from files where id = ?", file_id))

    def file_of_key(self, key: str) -> EmulatedFile | None:
        """The file under this storage key."""
        return _file(self._rows("select * from files where key = ?", key))

    def delete_file(self, file_id: str) -> bool:
        """True where there was something to delete."""
        with self._writing() as db:
            return db.execute("delete from files where id = ?", (file_id,)).rowcount > 0

    # Counts and the rest

    def count(self, *names: str) -> None:
        """Add one to each named count."""
        with self._writing() as db:
            sql = "insert into counts values (?, 1) on conflict (name) do update set n = n + 1"
            db.executemany(sql, [(name,) for name in names])

    def counts(self) -> dict[str, int]:
        """All counts by name."""
        return dict(map(tuple, self._rows("select name, n from counts order by name")))

    def saw_headers(self, host: str, names: Iterable[str]) -> None:
        """Remember which headers a kind of host was sent."""
        new = {(host, name) for name in names} - self._headers_seen
        if new:
            with self._writing() as db:
                db.executemany("insert or ignore into headers values (?, ?)", sorted(new))
            self._headers_seen |= new

    def headers(self) -> dict[str, list[str]]:
        """Names of all headers seen, by kind of host."""
        seen: dict[str, list[str]] = {}
        for host, name in self._rows("select host, name from headers order by host, name"):
            seen.setdefault(host, []).append(name)
        return seen

    def used_credits(self, account: str) -> int:
        """What the account has spent."""
        rows = self._rows("select used from credits where account = ?", account)
        return int(rows[0][0]) if rows else 0

    def spend(self, account: str, amount: int, limit: int) -> int | None:
        """What the account had spent before, or None where the amount is more than it has left."""
        with self._writing() as db:
            row = db.execute("select used from credits where account = ?", (account,)).fetchone()
            before = int(row[0]) if row else 0
            if before + amount > limit:
                return None
            db.execute("insert or replace into credits values (?, ?)", (account, before + amount))
        return before

    def secret(self) -> bytes:
        """The key with which this folder's links are signed."""
        with self._writing() as db:
            db.execute("insert or ignore into meta values ('secret', ?)", (secrets.token_hex(32),))
        return bytes.fromhex(self._rows("select value from meta where name = 'secret'")[0][0])


def derived_seed(look_key: str, repeat: int) -> int:
    """The seed of a request without one: the n-th repeat looks the same everywhere, and not like the others."""
    return int.from_bytes(hashlib.sha256(f"{look_key}:{repeat}".encode()).digest()[:4], "big") % 2_147_483_637


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of a value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _job_values(job: EmulatedJob) -> tuple[Any, ...]:
    values = {name: getattr(job, name) for name in _JOB_COLUMNS}
    return tuple(json.dumps(value) if name in _JSON else value for name, value in values.items())


def _job_of(row: sqlite3.Row) -> EmulatedJob:
    values = {name: json.loads(row[name]) if name in _JSON else row[name] for name in _JOB_COLUMNS}
    return EmulatedJob(**{**values, "nsfw": bool(values["nsfw"])})


def _job(rows: list[sqlite3.Row]) -> EmulatedJob | None:
    return _job_of(rows[0]) if rows else None


def _file(rows: list[sqlite3.Row]) -> EmulatedFile | None:
    return EmulatedFile(**{name: rows[0][name] for name in _FILE_COLUMNS}) if rows else None
