"""Runs the statements that every job runs at each of its steps: compiled once, then handed to the driver as they are.

SQLAlchemy looks up, binds and wraps each execution anew, which takes several times as long as the database needs for
the statement. Here what it makes of a statement is kept: the SQL, how each value is stored and how it is read. It runs
in the connection and the transaction that are given, and what the driver raises comes as SQLAlchemy's own error.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError

Statement = Select[Any] | Insert | Update | Delete
Process = Callable[[Any], Any]
T = TypeVar("T")

_plans: dict[tuple[Statement, str], _Plan] = {}


def rows(connection: Connection, statement: Statement, values: Mapping[str, Any]) -> list[Any]:
    """Return the rows, with the names of their columns.

    Args:
        connection: in a transaction, where the statement writes.
        statement: one that is kept as long as the process lives, without lists in place of single values.
        values: by name of the parameter or, for an INSERT, of the column: the same names each time.
    """
    plan = _plan(connection.dialect, statement, values)
    return _executed(connection, plan, values, plan.read)


def first(connection: Connection, statement: Statement, values: Mapping[str, Any]) -> Any:
    """Return the first of the `rows`, or None."""
    found = rows(connection, statement, values)
    return found[0] if found else None


def count(connection: Connection, statement: Statement, values: Mapping[str, Any]) -> int:
    """Run the statement, as `rows` does, and return how many rows it changed."""
    return _executed(connection, _plan(connection.dialect, statement, values), values, _count)


def _count(cursor: Any, dialect: Dialect) -> int:
    if cursor.description is not None:  # SQLAlchemy may ask for the keys of what is written
        cursor.fetchall()
    return int(cursor.rowcount)


def _executed(
    connection: Connection, plan: _Plan, values: Mapping[str, Any], read: Callable[[Any, Dialect], T]
) -> T:
    """Return what is read of an executed statement; SQLite commits nothing while one is left half read."""
    raw = connection.connection
    cursor = raw.cursor()
    try:
        cursor.execute(plan.sql, plan.bound(values))
        return read(cursor, connection.dialect)
    except connection.dialect.loaded_dbapi.Error as error:
        lost = connection.dialect.is_disconnect(error, raw.dbapi_connection, cursor)  # type: ignore[arg-type]  # a DBAPI's own error
        if lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            plan.sql, None, error, connection.dialect.loaded_dbapi.Error, hide_parameters=True,
            connection_invalidated=lost, dialect=connection.dialect,
        ) from error  # fmt: skip
    finally:
        cursor.close()


def _plan(dialect: Dialect, statement: Statement, values: Mapping[str, Any]) -> _Plan:
    key = (statement, dialect.name)
    found = _plans.get(key)
    if found is None:
        found = _plans[key] = _Plan(dialect, statement, values)
    return found


class _Plan:
    """What SQLAlchemy makes of a statement for one kind of database."""

    def __init__(self, dialect: Dialect, statement: Statement, values: Mapping[str, Any]) -> None:
        keys = [name for name in values if name in statement.table.c] if isinstance(statement, Insert) else None
        compiled: Any = statement.compile(dialect=dialect, column_keys=keys)
        self.sql = str(compiled)
        self._is_positional = bool(compiled.positional)
        names = compiled.positiontup if self._is_positional else list(compiled.bind_names.values())
        self._binds = [_bind(dialect, name, compiled.binds[name]) for name in names]
        self._statement = statement
        self._make: Callable[[Sequence[Any]], Any] | None = None
        self._readers: list[tuple[int, Process]] = []

    def bound(self, values: Mapping[str, Any]) -> Sequence[Any] | Mapping[str, Any]:
        """Return the values as the driver takes them."""
        stored = [
            value if not is_given else values[name] if store is None else _changed(values[name], store)
            for name, is_given, store, value in self._binds
        ]
        return stored if self._is_positional else dict(zip((name for name, *_ in self._binds), stored, strict=True))

    def read(self, cursor: Any, dialect: Dialect) -> list[Any]:
        """Return the rows of a cursor, their values read."""
        make = self._make or self._reading(cursor, dialect)
        found = []
        for row in cursor.fetchall():
            values = list(row)
            for place, reader in self._readers:
                if values[place] is not None:
                    values[place] = reader(values[place])
            found.append(make(values))
        return found

    def _reading(self, cursor: Any, dialect: Dialect) -> Callable[[Sequence[Any]], Any]:
        """Return what makes a row of values, once it is known how those are read.

        Not before there are rows: a statement keeps its columns once it was asked for them, and one that is made from
        it, with RETURNING, would have the same, none.
        """
        columns = list(self._statement.exported_columns)
        kinds = [column.type.dialect_impl(dialect) for column in columns]
        # What the driver says of a column may decide, too.
        told = zip(kinds, cursor.description, strict=True)
        readers = [kind.result_processor(dialect, column[1]) for kind, column in told]
        self._readers = [(place, reader) for place, reader in enumerate(readers) if reader is not None]
        row: Any = namedtuple("_row", [column.key for column in columns], rename=True)  # type: ignore[misc]  # no literals
        make: Callable[[Sequence[Any]], Any] = row._make
        self._make = make
        return make


def _bind(dialect: Dialect, name: str, bind: Any) -> tuple[str, bool, Process | None, Any]:
    """Return the name of a parameter, whether its value is given each time, how it is stored, and else its value."""
    store = bind.type.dialect_impl(dialect).bind_processor(dialect)
    if bind.required:
        return name, True, store, None
    return name, False, None, _changed(bind.effective_value, store)


def _changed(value: Any, process: Process | None) -> Any:
    return value if process is None or value is None else process(value)  # nothing is nothing in every type
