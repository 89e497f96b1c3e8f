"""Opens the database and keeps its schema current; turns what SQLAlchemy raises into a StoreError with advice."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from vidnb.errors import ConfigError, StoreError
from vidnb.files import open_home

REVISIONS = ("0001", "0002", "0003")
"""Every schema this vidnb knows, oldest first; the files in `vidnb/migrations/versions` have the same names."""

BUSY_S = 30
MIGRATION_LOCK = 0x7669646E62  # "vidnb": the number under which PostgreSQL keeps our advisory lock

ADVICE = {
    "no space left": "the disk is full: free some space, nothing was lost",
    "database or disk is full": "the disk is full: free some space, nothing was lost",
    "readonly database": "the folder is read-only: set VIDNB_HOME to a folder you may write to",
    "unable to open database": "the folder is missing or read-only: set VIDNB_HOME to a folder you may write to",
    "permission denied": "the permission is missing: check the rights on the data folder or of the database user",
    "is locked": f"another process held the database for over {BUSY_S} s: close it, then try again",
    "not a database": "the file is no SQLite database: move it away, or set VIDNB_HOME to another folder",
    "malformed": "the file is damaged: move it away or restore a copy",
    "connection": "the database cannot be reached: check VIDNB_DATABASE_URL, the network and the server",
    "authentication failed": "user or password is wrong: check VIDNB_DATABASE_URL",
    "does not exist": "it is not there: check VIDNB_DATABASE_URL",
}


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
    except ArgumentError:
        raise ConfigError(
            "VIDNB_DATABASE_URL is no database address; write sqlite:///folder/vidnb.db or postgresql://user@host/name"
        ) from None  # the cause repeats the address, password included
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and url.database not in (None, "", ":memory:"):
        return url
    raise ConfigError(f"the history cannot lie in {backend} {url.database!r}; use an SQLite file or PostgreSQL")


def open_engine(url: URL) -> Engine:
    """An engine for the address; nothing is connected yet, except that the folder of an SQLite file is made."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    try:
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 10})
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise ConfigError("PostgreSQL needs psycopg: pip install 'vidnb[postgres]'") from error


def _sqlite(url: URL) -> Engine:
    if not str(url.database).startswith("file:"):  # SQLite's own form of address, with options
        path = Path(str(url.database)).expanduser()
        url = url.set(database=str(path))
        with mapped_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_S})

    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, record: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing on its own; `begin` does
        _use_wal(connection)
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that may write; on SQLite it has the write lock.

    There a transaction that starts as a reader and then writes fails at once when another writer was quicker. (Said
    here and not to SQLAlchemy's "begin" event: an engine with one takes a third longer for every statement.)
    """
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.connection.cursor().execute("BEGIN IMMEDIATE")
        yield connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging, once for the life of the file; SQLite does not wait for others here."""
    deadline = time.monotonic() + BUSY_S
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def bring_up_to_date(engine: Engine) -> None:
    """Migrate where needed; one query where not. Any number of processes may do so at once.

    Raises:
        StoreError: the database was made by a newer vidnb.
    """
    with engine.connect() as connection:
        if _revision(connection) == REVISIONS[-1]:
            return
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        if _revision(connection) != REVISIONS[-1]:
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


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "vidnb:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Raises StoreError, saying what to do, for whatever the database or the disk refuses inside."""
    try:
        yield
    except DBAPIError as error:
        raise StoreError(explain(str(error.orig))) from error.orig
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise StoreError(explain(str(error))) from error


def explain(message: str) -> str:
    """What went wrong and what to do about it, in one line."""
    said = " ".join(message.split())
    advice = next((advice for sign, advice in ADVICE.items() if sign in said.lower()), "the database refused")
    return f"the history cannot be read or written: {advice} ({said})"
