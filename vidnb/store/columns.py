"""Params as columns: `p_<name>_<kind>`, one typed column of `jobs` for each param and kind of value.

The recipe's JSON stays the truth; the columns are there to filter, sort and read quickly. Such a column is added before
the first write that needs it, and never by a reader. The table `param_columns` says which there are.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, get_args

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Engine,
    Table,
    TableClause,
    Text,
    column,
    select,
    text,
)
from sqlalchemy import table as table_clause
from sqlalchemy.types import TypeEngine

from vidnb import forking
from vidnb.errors import LockedError
from vidnb.records import input_name, storable
from vidnb.store.database import BUSY_S, mapped_errors, reading, writing
from vidnb.store.tables import JOBS, METADATA, OutsideText

Kind = Literal["int", "real", "bool", "text", "json", "input"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TYPES: Mapping[Kind, type[TypeEngine[Any]]] = {
    "int": BigInteger, "real": Double, "bool": Boolean, "text": OutsideText, "json": OutsideText, "input": OutsideText,
}  # fmt: skip
"""`json` holds lists and dicts as text, `input` the files of an input in a few letters each."""
ParamKey = tuple[str, Kind]

LONGEST_INT = 2**63
INDEXED = 64
"""So many characters of a text are in its index: PostgreSQL refuses entries that are too long."""
LOCK = 0x7669636F6C  # "vicol": under it one process at a time adds columns to PostgreSQL
UNINDEXED = {"prompt"}
"""Searched by parts and by words, never as a whole."""

COLUMNS = Table(
    "param_columns",
    METADATA,
    Column("name", OutsideText, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("column_name", Text, nullable=False),
)


def cells(params: Mapping[str, Any], images: Mapping[str, Any]) -> dict[ParamKey, Any]:
    """Return the values of a recipe by name and kind; what is None or NaN counts as not given."""
    found: dict[ParamKey, Any] = {}
    for name, value in params.items():
        kind = kind_of(value)
        if kind is not None:
            found[storable(name), kind] = _stored(value, kind)
    for name, items in images.items():
        if items:
            found[storable(name), "input"] = ", ".join(map(input_name, items))
    return found


def kind_of(value: Any) -> Kind | None:
    """Return the kind of a value; None for one that is not given. A number that no column can hold is text."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -LONGEST_INT <= value < LONGEST_INT else "text"
    if isinstance(value, float):
        return "real" if math.isfinite(value) else None
    if value is None:
        return None
    return "text" if isinstance(value, str) else "json"


def _stored(value: Any, kind: Kind) -> Any:
    if kind == "json":
        return json.dumps(value, default=dict, separators=(",", ":"))
    return str(value) if kind == "text" else value


def column_name(name: str, kind: Kind) -> str:
    """Return the name of the column; a hash stands for a name that is no plain word."""
    plain = re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name)
    return f"p_{name if plain else 'x' + hashlib.sha256(name.encode()).hexdigest()[:16]}_{kind}"


def add(connection: Connection, keys: Iterable[ParamKey]) -> dict[ParamKey, str]:
    """Return all columns, these among them: those that are missing are added with their indexes.

    Args:
        connection: within a transaction that writes.
        keys: names and kinds of the values.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    known = read(connection)
    for name, kind in sorted(set(keys) - set(known)):
        chosen = column_name(name, kind)
        sql_type = TYPES[kind]().compile(connection.dialect)
        connection.execute(text(f"ALTER TABLE jobs ADD COLUMN {chosen} {sql_type}"))
        connection.execute(COLUMNS.insert(), {"name": name, "kind": kind, "column_name": chosen})
        if name not in UNINDEXED:
            what = indexed(chosen, kind, connection.dialect.name)
            # Partial, as most jobs have few of all the params; newest last, so that a first screen needs no sorting.
            connection.execute(
                text(f"CREATE INDEX ix_{chosen} ON jobs ({what}, created_at, id) WHERE {chosen} IS NOT NULL")
            )
        known[name, kind] = chosen
    return known


def indexed(chosen: str, kind: Kind, dialect: str) -> str:
    """Return what of a column is in its index, exactly as a filter must write it."""
    is_long = TYPES[kind] is OutsideText and dialect != "sqlite"
    return f"substr({chosen}, 1, {INDEXED})" if is_long else chosen


def read(connection: Connection) -> dict[ParamKey, str]:
    """Return the columns that there are, by name and kind of the param."""
    rows = connection.execute(select(COLUMNS.c.name, COLUMNS.c.kind, COLUMNS.c.column_name)).all()
    return {(name, kind): chosen for name, kind, chosen in rows if kind in KINDS}


class ParamColumns:
    """The columns of one database; any thread may ask.

    Args:
        engine: of the database.
        busy_s: says how long the caller may wait for another process now; None for hardly at all.
    """

    def __init__(self, engine: Engine, busy_s: Callable[[], float | None] = lambda: BUSY_S) -> None:
        self._engine = engine
        self._busy_s = busy_s
        self._known: dict[ParamKey, str] = {}
        self._lock = threading.Lock()

    def names(self, keys: Iterable[ParamKey], within: Connection | None = None) -> dict[ParamKey, str]:
        """Return the columns for these values; those that are missing are added.

        Args:
            keys: names and kinds of the values.
            within: the transaction that writes them; without it they are added in one of their own, which is better:
                on PostgreSQL it must wait for all others at the table, and two that had written to it would wait for
                each other.
        """
        wanted = set(keys)
        known = self._known
        if wanted - known.keys():
            with mapped_errors(), self._locked():
                known = self._find(wanted) if within is None else self._found_within(within, wanted)
        return {key: known[key] for key in wanted}

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One thread at a time; who may not wait for another that waits for the database is told that it is locked."""
        with forking.crossing.inside():
            yield from self._alone()

    def _alone(self) -> Iterator[None]:
        if not self._lock.acquire(blocking=self._busy_s() is not None):
            raise LockedError("another thread waits for the database")
        try:
            yield
        finally:
            self._lock.release()

    def _found_within(self, within: Connection, wanted: set[ParamKey]) -> dict[ParamKey, str]:
        """Return the columns for a transaction that writes already.

        Those that others see are looked up beside it and kept, so that only the first write of a process asks; those
        that the transaction adds are not kept, as it may come to nothing.
        """
        with reading(self._engine, self._busy_s()) as connection:
            known = self._known = read(connection)
        return add(within, wanted) if wanted - known.keys() else known

    def _find(self, wanted: set[ParamKey]) -> dict[ParamKey, str]:
        with reading(self._engine, self._busy_s()) as connection:
            known = read(connection)
        if missing := wanted - known.keys():
            with writing(self._engine, self._busy_s()) as connection:
                known = add(connection, missing)
        self._known = known
        return known


TARGETS: dict[tuple[ParamKey, ...], TableClause] = {}


def target(chosen: Mapping[ParamKey, str]) -> TableClause:
    """Return the table `jobs` with these columns beside its own, to write to."""
    keys = tuple(sorted(chosen))
    if keys not in TARGETS:
        own = [column(one.name, one.type) for one in JOBS.c]
        more = [column(chosen[name, kind], TYPES[kind]()) for name, kind in keys]
        TARGETS[keys] = table_clause("jobs", *own, *more)
    return TARGETS[keys]
