"""Reads many jobs at once, a column at a time: by the database's own cursor, or by ADBC straight into Arrow.

ADBC brings an SQLite of its own. Two of them in one process on one file would take each other's locks away (SQLite's
"How to corrupt a database", 2.2.1), so there it reads in a process of its own, which hands Arrow's stream over; of a
large history in several processes beside each other, each with a span of time of its own.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from sqlalchemy import ColumnElement, Connection, Integer, Select, Text, case, cast, func, literal, select, true
from sqlalchemy import type_coerce as as_type
from sqlalchemy.dialects import sqlite

from vidnb.errors import StoreError
from vidnb.store import columns as params
from vidnb.store.columns import Kind, ParamKey
from vidnb.store.search import NUMBERS, Field, Search, Sql
from vidnb.store.tables import JOBS

if sys.platform == "linux":
    import fcntl

if TYPE_CHECKING:
    import pyarrow as pa

ColumnKind = Literal["int", "real", "bool", "text", "time"]
ROWS_AT_ONCE = 50_000
MANY = 20_000
"""From this many rows on, starting a process for ADBC pays off."""
PER_PROCESS = 100_000
"""So many rows are worth a process more, up to one for each core and `PROCESSES`."""
PROCESSES = 4
PIPE = 2**20
"""Bytes that a process may be ahead of its reader, where the system lets us choose: fewer turns between the two."""
CHILD = Path(__file__).with_name("adbc_child.py")
DRIVERS = {"sqlite": "adbc_driver_sqlite", "postgresql": "adbc_driver_postgresql"}

PLAIN: Mapping[str, ColumnKind] = {
    "model": "text", "rating": "int", "cost_amount": "real", "cost_unit": "text", "created_at": "time", "state": "text",
    "emulated": "bool", "take": "int", "tags": "text", "note": "text", "provider": "text", "seed_drawn": "bool",
    "used_seed": "int", "used_prompt": "text",
    "imported": "bool", "replays": "bool", "submitted_at": "time", "finished_at": "time", "done_at": "time",
    "actual_width_px": "int", "actual_height_px": "int", "actual_fps": "real", "actual_duration_s": "real",
    "actual_frames": "int", "size_bytes": "int", "has_audio": "bool", "codec": "text", "clip_note": "text",
    "nsfw": "bool", "error": "text", "wire_status": "text", "remote_id": "text", "recipe_hash": "text",
    "clip_sha256": "text", "id": "text",
}  # fmt: skip
"""Columns of `jobs` that are read as they are stored; tags and error are JSON text."""
EXAMPLE: Mapping[ColumnKind, Any] = {"int": 0, "real": 0.5, "bool": 0, "text": "", "time": "1970-01-01T00:00:00+00:00"}


@dataclass(frozen=True)
class Scan:
    """What is to be read: names and kinds of the columns, in the order of the query's."""

    query: Select[Any]
    names: tuple[str, ...]
    kinds: tuple[ColumnKind, ...]
    param_names: tuple[str, ...]
    """The names that are params, each in its column `param <name>`."""
    param_kinds: tuple[Kind, ...]
    mixed: Mapping[str, tuple[Kind, ...]]
    """Params whose values are of kinds that no column holds together; they are read as text."""


def scan(connection: Connection, wanted: Search, known: Mapping[ParamKey, str], prefix: str) -> Scan:
    """Return what is to be read of the jobs that are searched for.

    Args:
        connection: to the database.
        wanted: which jobs.
        known: the columns of params.
        prefix: of the paths of clips.
    """
    sql = Sql(connection.dialect.name, known)
    found: dict[str, tuple[ColumnElement[Any], ColumnKind]] = {
        name: (_stored(JOBS.c[name], kind), kind) for name, kind in PLAIN.items()
    }
    sha256 = JOBS.c.clip_sha256
    path = literal(f"{prefix}/", Text) + func.substr(sha256, 1, 2) + "/" + sha256 + ".mp4"
    found["path"] = (case((sha256.is_not(None), path)), "text")
    paid = sql.value(Field("cost_usd"))
    assert paid is not None
    found["cost_usd"] = (paid, "real")
    names, kinds, mixed = [], [], {}
    for name in sorted({name for name, _ in known}):
        own = _own_kinds(connection, sql, wanted, known, name)
        value = sql.value(Field(name, "param"), own)
        if not own or value is None:
            continue
        together = _together(own)
        if together is None:
            mixed[name] = own
        names.append(name)
        kinds.append(together or "text")
        found[f"param {name}"] = (_stored(value, _column_kind(together)), _column_kind(together))
    query = sql.wide(select(*(value.label(f"c{n}") for n, (value, _) in enumerate(found.values()))), wanted)
    return Scan(query, tuple(found), tuple(kind for _, kind in found.values()), tuple(names), tuple(kinds), mixed)


def _own_kinds(
    connection: Connection, sql: Sql, wanted: Search, known: Mapping[ParamKey, str], name: str
) -> tuple[Kind, ...]:
    """The kinds of a param; where it has several that do not go together, those that these jobs have."""
    own: tuple[Kind, ...] = tuple(kind for kind in params.KINDS if (name, kind) in known)
    if _together(own) is not None:
        return own
    chosen = [sql.column(name, kind) for kind in own]
    rows = sql.rows(select(*(value.label(kind) for value, kind in zip(chosen, own, strict=True))), wanted).subquery()
    counts = connection.execute(select(*(func.count(rows.c[kind]) for kind in own))).one()
    return tuple(kind for kind, count in zip(own, counts, strict=True) if count)


def _together(kinds: tuple[Kind, ...]) -> Kind | None:
    """The kind that holds values of all these kinds; None where there is none."""
    if len(kinds) == 1:
        return kinds[0]
    return "real" if kinds and set(kinds) <= set(NUMBERS) else None


def _column_kind(kind: Kind | None) -> ColumnKind:
    return kind if kind in ("int", "real", "bool") else "text"  # type: ignore[return-value]  # mypy narrows no tuple


def _stored(value: ColumnElement[Any], kind: ColumnKind) -> ColumnElement[Any]:
    """The value as the database has it, without a call of Python for each."""
    if kind == "bool":
        return cast(value, Integer)
    return as_type(value, Text) if kind in ("text", "time") else value


def chunks(connection: Connection, wanted: Scan) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows by their columns, many rows at a time."""
    result = connection.execution_options(stream_results=True, yield_per=ROWS_AT_ONCE).execute(wanted.query)
    for rows in result.partitions():
        yield list(zip(*rows, strict=True))


def has_adbc(dialect: str) -> bool:
    """Whether ADBC and Arrow are installed for this database (`vidnb[fast]`)."""
    return all(importlib.util.find_spec(name) is not None for name in (DRIVERS[dialect], "pyarrow"))


def spans(connection: Connection, whole: Search, wanted: Scan, count: int) -> list[Scan]:
    """Return a scan in parts that follow each other, by the time when the jobs were made.

    Args:
        connection: to the database.
        whole: what is scanned; with a limit or an order of its own it stays in one part.
        wanted: the scan of it.
        count: the number of all jobs.
    """
    parts = min(count // PER_PROCESS, PROCESSES, os.cpu_count() or 1)
    if whole.limit is not None or whole.order or parts < 2:
        return [wanted]
    made = JOBS.c.created_at
    every = select(made).order_by(made.desc()).limit(1)
    times = [connection.execute(every.offset(count * n // parts)).scalar_one() for n in range(1, parts)]
    from_times = [*(made > time for time in times), true()]
    to_times = [true(), *(made <= time for time in times)]
    ends = zip(from_times, to_times, strict=True)
    return [replace(wanted, query=wanted.query.where(start, end)) for start, end in ends]


def arrow(connection: Connection, parts: Sequence[Scan]) -> pa.Table:
    """Read the jobs of one scan by ADBC, its parts beside each other; the columns have the names of the scan.

    Raises:
        StoreError: the database cannot be read.
    """
    import pyarrow as pa

    url = connection.engine.url
    children = _Children()
    if connection.dialect.name == "sqlite":
        read = partial(_from_child, children, str(url.database))
    else:
        read = partial(_from_postgres, url.set(drivername="postgresql").render_as_string(hide_password=False))
    with ThreadPoolExecutor(len(parts)) as threads:  # each waits for a process, or for the server
        try:
            parts_read = [threads.submit(read, part) for part in parts]
            for part_read in as_completed(parts_read):
                part_read.result()
        except BaseException:  # one failed, or a person interrupts: nobody needs the others
            threads.shutdown(wait=False, cancel_futures=True)
            children.end()
            raise
        tables = [part_read.result() for part_read in parts_read]
    return pa.concat_tables(tables).rename_columns(list(parts[0].names))


def _text(wanted: Scan, dialect: Any) -> str:
    return str(wanted.query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def _with_example_row(wanted: Scan, dialect: Any) -> str:
    """The query's text with a first row that shows the types, which ADBC guesses from the first rows otherwise."""
    example = ", ".join(f"{EXAMPLE[kind]!r} AS c{n}" for n, kind in enumerate(wanted.kinds))
    return f"SELECT {example} UNION ALL SELECT * FROM ({_text(wanted, dialect)})"


class _Children:
    """The processes that read the parts of one scan, so that all of them can be ended at once."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        self._is_over = False

    def start(self) -> subprocess.Popen[bytes]:
        """Return a new process, which waits to be told what to read."""
        with self._lock:
            if self._is_over:
                raise StoreError("the history is read no more")
            command = [sys.executable, "-I", str(CHILD)]
            pipe = subprocess.PIPE
            self._started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe))
            return self._started[-1]

    def end(self) -> None:
        """End all processes; none is started any more."""
        with self._lock:
            self._is_over = True
            for child in self._started:
                child.terminate()


def _from_child(children: _Children, path: str, wanted: Scan) -> pa.Table:
    import pyarrow as pa

    query = _with_example_row(wanted, sqlite.dialect(paramstyle="named"))
    with children.start() as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        _widen(child.stdout)
        problem: Exception | None = None
        try:
            child.stdin.write(json.dumps({"path": path, "query": query}).encode())
            child.stdin.close()
            table = _apart(pa.ipc.open_stream(child.stdout), wanted.kinds)
        except (pa.ArrowInvalid, OSError) as error:
            problem = error
        child.stdout.close()  # a process that has more to write would wait for us otherwise
        said = child.stderr.read().decode(errors="replace").strip().splitlines()
        # Of a process that was killed the stream may end between two batches, as if that were all.
        if child.wait() or problem is not None:
            why = said[-1] if said else problem or f"its process ended with {child.returncode}"
            raise StoreError(f"the history cannot be read: {why}") from problem
    return table.slice(1)


def _widen(pipe: IO[bytes]) -> None:
    """Make a pipe as large as `PIPE`, where the system lets us: a person may have used up the share of such memory."""
    if sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE)


def _apart(stream: pa.RecordBatchReader, kinds: Sequence[ColumnKind]) -> pa.Table:
    """A stream's rows, each column in memory of its own, so that a column that is done with gives its memory back.

    As they come all columns of some rows share one piece of memory, which a single text column would keep alive. What
    has a smaller type becomes that here: there is time for it while the database is read.
    """
    import pyarrow as pa

    # Arrow's usual pool would give each piece of freed memory back and have the next one cleared anew by the system.
    pool = pa.system_memory_pool()
    smaller = {"time": pa.timestamp("us", "UTC"), "bool": pa.bool_()}
    columns: list[list[pa.Array]] = [[] for _ in kinds]
    for batch in stream:
        for parts, column, kind in zip(columns, batch.columns, kinds, strict=True):
            if kind in smaller:
                parts.append(column.cast(smaller[kind], memory_pool=pool))
            else:
                # Of one array alone it would make no copy.
                parts.append(pa.concat_arrays([column, column.slice(0, 0)], memory_pool=pool))
    types = [smaller.get(kind, field.type) for kind, field in zip(kinds, stream.schema, strict=True)]
    chunked = [pa.chunked_array(parts, kind) for parts, kind in zip(columns, types, strict=True)]
    return pa.Table.from_arrays(chunked, names=stream.schema.names)


def _from_postgres(url: str, wanted: Scan) -> pa.Table:
    adbc: Any = importlib.import_module("adbc_driver_postgresql.dbapi")  # it has no types
    from sqlalchemy.dialects import postgresql  # takes longer to import than a history of SQLite to open

    text = _text(wanted, postgresql.dialect(paramstyle="named"))  # type: ignore[no-untyped-call]  # SQLAlchemy's own
    with adbc.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetch_arrow_table()
