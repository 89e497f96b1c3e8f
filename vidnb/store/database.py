"""Opens the database and keeps its schema current; turns what SQLAlchemy raises into a StoreError with advice."""

from __future__ import annotations

import functools
import importlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from vidnb import forking
from vidnb.errors import ConfigError, LockedError, StoreError
from vidnb.files import open_home
from vidnb.store.readonly import copied, goes_with, is_read_only

REVISIONS = tuple(f"{number:04}" for number in range(1, 21))
"""Every schema this vidnb knows, oldest first; the files in `store/migrations/versions` have the same names."""
NEWEST = Path(__file__).with_name("newest.sql")
"""The newest schema, for a new SQLite database: to make it by all migrations takes seven times as long."""

BUSY_S = 30.0
"""So long a call waits for another process that holds the database."""
CHECKPOINT_S = 1.0
"""So long the end of a process waits for others that read, before it leaves a part in the log."""
LOG_PAGES = 4000
"""So many pages the log grows to before they are written into the file: SQLite's 1,000 would write most pages anew
with every fourteenth job."""
TRY_S = 0.005
"""So long a call waits that is made on an event loop's thread."""
MIGRATION_LOCK = 0x7669646E62  # "vidnb": the number under which PostgreSQL keeps our advisory lock

ADVICE = {
    "no space left": "the disk is full: free some space, nothing was lost",
    "database or disk is full": "the disk is full: free some space, nothing was lost",
    "disk i/o error": "the disk failed, or a quota or a limit on file sizes is reached: raise it, then try again",
    "readonly database": "the folder is read-only: set VIDNB_HOME to a folder you may write to",
    "unable to open database": "the folder is missing or read-only: set VIDNB_HOME to a folder you may write to",
    "permission denied": "the permission is missing: check the rights on the data folder or of the database user",
    "is locked": "another process held the database for too long: close it, then try again",
    "not a database": "the file is no SQLite database: move it away, or set VIDNB_HOME to another folder",
    "malformed": "the file is damaged: move it away or restore a copy",
    "connection": "the database cannot be reached: check VIDNB_DATABASE_URL, the network and the server",
    "authentication failed": "user or password is wrong: check VIDNB_DATABASE_URL",
    "does not exist": "it is not there: check VIDNB_DATABASE_URL",
}


def insert_of(dialect: str) -> Callable[..., Any]:
    """Return the INSERT of a dialect, which alone knows ON CONFLICT; the other dialect's is never imported.

    Args:
        dialect: `sqlite` or `postgresql`.
    """
    found: Callable[..., Any] = importlib.import_module(f"sqlalchemy.dialects.{dialect}").insert
    return found


@functools.cache
def insert_new(dialect: str, table: Table) -> Any:
    """Return the statement that writes a row of a table, where there is none with its key."""
    return insert_of(dialect)(table).on_conflict_do_nothing()


def database_url(given: str | Path | None) -> URL:
    """The address of the database: as given or in the folder given, else VIDNB_DATABASE_URL, else in the data folder.

    Raises:
        ConfigError: for an address that is none, or of another kind of database.
    """
    chosen = given or os.environ.get("VIDNB_DATABASE_URL")
    if not isinstance(chosen, str) or not chosen:
        return URL.create("sqlite", database=str(open_home(chosen or None) / "vidnb.db"))
    try:
        url = make_url(chosen)
    except (ArgumentError, ValueError):
        del given, chosen  # a traceback with locals would show their password
        raise ConfigError(
            "VIDNB_DATABASE_URL is no database address; write sqlite:///folder/vidnb.db or postgresql://user@host/name"
        ) from None  # the cause repeats the address, password included
    backend = url.get_backend_name()
    if url.password is not None and "@" in f"{url.host}{url.database}":  # a part of the password, taken for a name
        del given, chosen, url
        raise ConfigError("VIDNB_DATABASE_URL: in a password write @ as %40, / as %2F and : as %3A")
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and url.database not in (None, "", ":memory:"):
        return url.set(drivername="sqlite")  # another driver, as aiosqlite, is not the one that is used here
    del given, chosen
    raise ConfigError(f"the history cannot lie in {backend} {url.database!r}; use an SQLite file or PostgreSQL")


def file_of(url: URL) -> Path | None:
    """Return the file of an SQLite database; None where it is another database, or an address with options."""
    name = url.database or ""
    return None if url.get_backend_name() != "sqlite" or name.startswith("file:") else Path(name).expanduser()


def close_for_good(engine: Engine) -> None:
    """Close all connections, now, and when it comes back the one that another thread still holds.

    SQLAlchemy would keep that one in the pool that nobody uses any more; Python 3.13 reports it as left open.
    """
    event.listen(engine, "checkin", _close_returned)
    engine.dispose()


def _close_returned(_: Any, record: Any) -> None:
    record.invalidate()


def open_engine(url: URL, busy_s: float = BUSY_S) -> Engine:
    """An engine for the address; nothing is connected yet, except that the folder of an SQLite file is made."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, busy_s)
    try:
        # The connection that was used last is taken first: a server's statements are quick on one that has had them.
        return create_engine(url, pool_pre_ping=True, pool_use_lifo=True, connect_args={"connect_timeout": 10})
    except (TypeError, ValueError) as error:
        raise ConfigError(f"VIDNB_DATABASE_URL has an option that cannot be used: {type(error).__name__}") from None
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise ConfigError("PostgreSQL needs psycopg: pip install 'vidnb[postgres]'") from error


def _sqlite(url: URL, busy_s: float) -> Engine:
    folder = None
    if not str(url.database).startswith("file:"):  # SQLite's own form of address, with options
        path = Path(str(url.database)).expanduser()
        url = url.set(database=str(path))
        with mapped_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            if is_read_only(path):
                url, folder = copied(path, lambda copy: _migrated(copy, busy_s))
    engine = create_engine(url, connect_args={"timeout": busy_s})
    if folder is not None:
        goes_with(engine, folder)
        return engine

    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, record: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing on its own; `begin` does
        _use_wal(connection, busy_s)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}").fetchall()
        connection.execute(f"PRAGMA busy_timeout={int(TRY_S * 1000)}").fetchall()  # to open one may take longer

    return engine


def _migrated(path: Path, busy_s: float) -> None:
    """Bring the file up to date by an engine of its own."""
    engine = _sqlite(URL.create("sqlite", database=str(path)), busy_s)
    try:
        bring_up_to_date(engine, busy_s)
        checkpoint(engine)
    finally:
        engine.dispose()


@contextmanager
def patient(connection: Connection, busy_s: float) -> Iterator[None]:
    """Let the connection wait for other processes while the block runs; else it waits for `TRY_S` only."""
    if connection.dialect.name != "sqlite":
        yield
        return
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={int(busy_s * 1000)}").fetchall()
    try:
        yield
    finally:
        with suppress(sqlite3.Error):
            cursor.execute(f"PRAGMA busy_timeout={int(TRY_S * 1000)}").fetchall()


def _check_whole(engine: Engine) -> None:
    if forking.crossing.is_cut and engine.dialect.name == "sqlite" and not forking.crossing.is_closed:
        raise StoreError(
            "this process was forked while another thread was in the middle of a call of the database, which seems "
            "locked here for good now: fork again, or begin processes with multiprocessing's spawn"
        )


@contextmanager
def reading(engine: Engine, busy_s: float | None = BUSY_S) -> Iterator[Connection]:
    """A connection to read from; with `busy_s` None it hardly waits."""
    _check_whole(engine)
    with forking.crossing.inside(), engine.connect() as connection:
        if busy_s is None:
            yield connection
        else:
            with patient(connection, busy_s):
                yield connection


@contextmanager
def writing(engine: Engine, busy_s: float | None = BUSY_S) -> Iterator[Connection]:
    """A connection in a transaction that may write; on SQLite it has the write lock.

    There a transaction that starts as a reader and then writes fails at once when another writer was quicker. (Said
    here and not to SQLAlchemy's "begin" event: an engine with one takes a third longer for every statement.)
    """
    _check_whole(engine)
    with forking.crossing.inside(), engine.connect() as connection, connection.begin():
        if engine.dialect.name != "sqlite":
            yield connection
            return
        with nullcontext() if busy_s is None else patient(connection, busy_s):
            connection.connection.cursor().execute("BEGIN IMMEDIATE")
        yield connection


def _use_wal(connection: sqlite3.Connection, busy_s: float) -> None:
    """Switch to write-ahead logging, once for the life of the file; SQLite does not wait for others here."""
    deadline = time.monotonic() + busy_s
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def checkpoint(engine: Engine) -> None:
    """Write everything into the database file itself, so that a copy of it alone is whole."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection, patient(connection, CHECKPOINT_S):
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def bring_up_to_date(engine: Engine, busy_s: float = BUSY_S) -> None:
    """Migrate where needed; one query where not. Any number of processes may do so at once.

    Raises:
        StoreError: the database was made by a newer vidnb.
    """
    with reading(engine, busy_s) as connection:
        if _revision(connection) == REVISIONS[-1]:
            return
    with writing(engine, busy_s) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        if _revision(connection) == REVISIONS[-1]:
            return
        if engine.dialect.name == "sqlite" and not inspect(connection).get_table_names():
            _begin(connection)
        else:
            _migrate(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision is not None and revision not in REVISIONS:
        raise StoreError(
            f"the database has schema {revision!r}, this vidnb knows up to {REVISIONS[-1]!r}: "
            "update vidnb (pip install -U vidnb), or set VIDNB_HOME to another folder"
        )
    return None if revision is None else str(revision)


def _begin(connection: Connection) -> None:
    """Make the newest schema in an empty SQLite database, as the migrations would."""
    statement = ""
    for line in NEWEST.read_text(encoding="utf-8").splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):  # a trigger has more than one semicolon
            connection.exec_driver_sql(statement)
            statement = ""


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "vidnb.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Raises StoreError, saying what to do, for whatever the database or the disk refuses inside."""
    try:
        yield
    except DBAPIError as error:
        _forget(error)
        raise _mapped(error.orig or error, is_gone=error.connection_invalidated) from None
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise _mapped(error) from error


def _forget(error: BaseException | None) -> None:
    """Take out of an error, and those behind it, what holds the address, password included.

    These are the frames of its traceback and, in psycopg's errors, the connection. Our own message has its words.
    """
    while error is not None:
        error.__traceback__ = None
        if hasattr(error, "_pgconn"):
            error._pgconn = None
        error = error.__cause__ or error.__context__


def _mapped(error: BaseException, *, is_gone: bool = False) -> StoreError:
    said = str(error)
    kind = LockedError if isinstance(error, sqlite3.OperationalError) and "is locked" in said else StoreError
    return kind(explain(said, is_gone=is_gone))


def explain(message: str, *, is_gone: bool = False) -> str:
    """Return what went wrong and what to do about it, in one line.

    Args:
        message: what the driver said.
        is_gone: whether the connection broke; drivers word that in more ways than anybody lists.
    """
    said = " ".join(message.split())
    other = ADVICE["connection"] if is_gone else "the database refused"
    advice = next((advice for sign, advice in ADVICE.items() if sign in said.lower()), other)
    return f"the history cannot be read or written: {advice} ({said})"
