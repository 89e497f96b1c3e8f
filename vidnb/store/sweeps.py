"""The rows of sweeps: which jobs each is made of, which of those wait to be sent, and how the others stand.

A cell waits until somebody claims it. The claim takes the mark away and writes the job, leased to whoever claimed it
and with its reservation, in one transaction: so no two processes ever make the same job, and a process that is killed
leaves either a waiting cell or a job like any other.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, bindparam, func, or_, select, update

from vidnb.records import CAME_TO_NOTHING, Job, Reservation, State
from vidnb.store import columns, queries
from vidnb.store.tables import CELLS, EVENTS, JOBS, LIVE, OWN, REPLAYED_CLIPS, SWEEPS, JsonText, UtcTime, job_of

if TYPE_CHECKING:
    from vidnb.store import Store

Key = tuple[str, str, int]
GO, PAUSE, STOP = "go", "pause", "stop"
MARGIN = 200
"""How many earlier events are read again each time: on PostgreSQL a smaller number can become visible late."""

_JSON = JsonText()
_TIME = UtcTime()
_IS_CELL = and_(
    CELLS.c.sweep_id == bindparam("sweep_is"), CELLS.c.base_url == bindparam("base_url_is"),
    CELLS.c.recipe_hash == bindparam("recipe_hash_is"), CELLS.c.take == bindparam("take_is"),
)  # fmt: skip
_SET_WAITING = update(CELLS).where(_IS_CELL).values(waiting=bindparam("new_waiting"))
_FIRST = (
    select(CELLS)
    .where(CELLS.c.sweep_id == bindparam("sweep_is"), CELLS.c.base_url == bindparam("base_url_is"))
    .where(CELLS.c.waiting)
    .order_by(CELLS.c.position)
    .limit(1)
)
_NEXT = _FIRST.with_for_update(skip_locked=True)
_CONTROL = select(SWEEPS.c.control).where(SWEEPS.c.id == bindparam("sweep_is"))
_LEFT = select(CELLS.c.base_url, func.count()).where(CELLS.c.waiting).group_by(CELLS.c.base_url)
_COLUMNS = (
    "wanted.n, jobs.id, jobs.state, jobs.error, jobs.created_at, jobs.cost_amount, jobs.cost_unit, jobs.clip_sha256, "
    "jobs.rating"
)
# With `|| ''` a condition is no reason for SQLite to begin with that column's index. It would: by the address, which is
# the same for every job of a folder, and then the time grows with the square of the jobs.
_STATES = (
    f"SELECT {_COLUMNS} FROM wanted JOIN jobs ON jobs.recipe_hash = wanted.recipe_hash "
    f"AND jobs.take = wanted.take AND jobs.base_url = wanted.base_url AND {OWN.text} UNION ALL "
    f"SELECT {_COLUMNS} FROM wanted JOIN jobs ON jobs.recipe_hash = wanted.recipe_hash "
    f"AND jobs.take = wanted.take AND {REPLAYED_CLIPS.text} UNION ALL "
    # A job whose seed was drawn is the first take of the recipe that names this seed, and that of its own number.
    f"SELECT {_COLUMNS} FROM wanted JOIN jobs ON jobs.seeded_hash = wanted.recipe_hash "
    f"AND wanted.take IN (0, jobs.take) AND jobs.base_url || '' = wanted.base_url AND {LIVE.text}"
)


class _RehearsedError(Exception):
    """Takes a transaction back that was only a rehearsal."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the newest job of a recipe and take stands."""

    job_id: str
    state: State
    created_at: datetime
    error: Mapping[str, Any] | None = None
    cost_amount: float | None = None
    cost_unit: str | None = None
    clip_sha256: str | None = None
    rating: int | None = None

    @property
    def is_live(self) -> bool:
        """Whether it occupies its take. A failed or cancelled job leaves the take free."""
        return self.state not in CAME_TO_NOTHING


class SweepRows:
    """The sweeps of one data folder.

    Args:
        store: its database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    # How the jobs of a sweep stand

    def standings(self, keys: Sequence[Key]) -> list[Standing | None]:
        """Return how the newest job of each key stands, None where there is none; one query, however many keys."""
        found: list[Standing | None] = [None] * len(keys)
        if not keys:
            return found
        with self._store.reading() as connection:
            if connection.dialect.name == "sqlite":  # its driver begins nothing on its own
                connection.exec_driver_sql("BEGIN")
            mark = _mark(connection)
            connection.exec_driver_sql(
                "CREATE TEMPORARY TABLE wanted (n INTEGER, base_url TEXT, recipe_hash TEXT, take INTEGER)"
            )
            rows = [(n, *key) for n, key in enumerate(keys)]
            connection.exec_driver_sql(f"INSERT INTO wanted VALUES ({mark}, {mark}, {mark}, {mark})", rows)
            for row in connection.exec_driver_sql(_STATES):
                standing = _standing(row)
                known = found[row.n]
                if known is None or (standing.is_live, standing.created_at) > (known.is_live, known.created_at):
                    found[row.n] = standing
            connection.rollback()  # the table goes with it
        return found

    def steps(self, after: int) -> tuple[int, list[tuple[int, str]]]:
        """Return the number of the folder's newest step of any job, and the steps after one: number and job.

        Args:
            after: number of a step; those shortly before it are given again.
        """
        query = select(EVENTS.c.id, EVENTS.c.job_id).where(EVENTS.c.id > after - MARGIN).order_by(EVENTS.c.id)
        with self._store.reading() as connection:
            rows = [(int(row.id), str(row.job_id)) for row in connection.execute(query)]
        return (max(after, rows[-1][0]) if rows else after), rows

    def newest_step(self) -> int:
        """Return the number of the folder's newest step of any job."""
        with self._store.reading() as connection:
            return int(connection.execute(select(func.coalesce(func.max(EVENTS.c.id), 0))).scalar_one())

    def jobs(self, ids: Sequence[str]) -> list[tuple[Key, Standing]]:
        """Return how these jobs stand, each with its key; one that stands for no take here is left out."""
        found: list[tuple[Key, Standing]] = []
        chosen = (
            JOBS.c.id, JOBS.c.state, JOBS.c.error, JOBS.c.created_at, JOBS.c.cost_amount, JOBS.c.cost_unit,
            JOBS.c.clip_sha256, JOBS.c.rating, JOBS.c.base_url, JOBS.c.recipe_hash, JOBS.c.take, JOBS.c.seeded_hash,
        )  # fmt: skip
        for start in range(0, len(ids), 500):
            query = select(*chosen).where(JOBS.c.id.in_(ids[start : start + 500]), or_(OWN, REPLAYED_CLIPS))
            with self._store.reading() as connection:
                rows = connection.execute(query).all()
            for row in rows:
                standing = Standing(
                    row.id, State(row.state), row.created_at, row.error, row.cost_amount, row.cost_unit,
                    row.clip_sha256, row.rating,
                )  # fmt: skip
                found.append(((row.base_url, row.recipe_hash, row.take), standing))
                if row.seeded_hash is not None and standing.is_live:
                    found += [((row.base_url, row.seeded_hash, take), standing) for take in {0, row.take}]
        return found

    # From the plan to the jobs

    def register(
        self,
        sweep_id: str,
        purse: str,
        title: str,
        cells: Iterable[tuple[Key, int, bool, Mapping[str, Any]]],
        parents: Mapping[Key, str] | None = None,
    ) -> None:
        """Write a sweep and its cells; what is known already is brought up to date.

        Args:
            sweep_id: of the sweep.
            purse: from which its jobs are paid.
            title: what a person calls it.
            cells: key, place in the order, whether it is to be sent, and the recipe as `Job` has it, of each.
            parents: the job from which a cell was promoted.
        """
        store = self._store
        sweep = {
            "id": sweep_id, "purse": purse, "title": title, "control": GO, "created_at": store.clock.utc(),
        }  # fmt: skip
        cells = list(cells)
        store._columns.names(
            {key for *_, recipe in cells for key in columns.cells(recipe["params"], recipe["images"])}
            | {("seed", "int")}  # of a seed that is drawn when the job is made
        )
        rows = [
            (sweep_id, *key, position, waiting, _JSON.process_bind_param(recipe, None), (parents or {}).get(key))  # type: ignore[arg-type]
            for key, position, waiting, recipe in cells
        ]
        with store.writing() as connection:
            connection.execute(
                store._insert(SWEEPS).on_conflict_do_update(
                    index_elements=["id"], set_={"control": GO, "purse": purse}
                ),
                sweep,
            )
            mark = _mark(connection)
            names = [column.name for column in CELLS.c]
            # Straight to the driver: SQLAlchemy would take three times as long for the same rows.
            connection.exec_driver_sql(
                f"INSERT INTO cells ({', '.join(names)}) VALUES ({', '.join([mark] * len(names))}) "
                "ON CONFLICT (sweep_id, base_url, recipe_hash, take) "
                "DO UPDATE SET position = excluded.position, waiting = cells.waiting OR excluded.waiting, "
                # What is made already came from the older one.
                "parent_job = CASE WHEN cells.waiting OR excluded.waiting "
                "THEN coalesce(excluded.parent_job, cells.parent_job) "
                "ELSE coalesce(cells.parent_job, excluded.parent_job) END",
                rows,
            )

    def is_registered(self, sweep_id: str) -> bool:
        """Return whether the sweep was ever run in this folder."""
        return self.control(sweep_id) is not None

    def claim(
        self, sweep_id: str, base_url: str, make: Callable[[Mapping[str, Any]], tuple[Job, Reservation]]
    ) -> tuple[Job, bool] | None:
        """Return the job of the next waiting cell, and whether it was made now; None where no cell waits.

        Args:
            sweep_id: of the sweep.
            base_url: where the cell's job is to be sent.
            make: returns the row to write, leased, and what it may cost, from the cell's columns.

        Raises:
            CapReachedError: a purse has no room; the cell goes on waiting.
        """
        store = self._store
        with store.writing() as connection:
            row = connection.execute(_NEXT, {"sweep_is": sweep_id, "base_url_is": base_url}).first()
            if row is None:
                return None
            cell = dict(zip((column.name for column in CELLS.c), row, strict=True))
            self._waits(connection, cell, False)
            job, reservation = make(cell)
            key = {name: getattr(job, name) for name in ("base_url", "recipe_hash", "take")}
            standing = store._answering(connection, key)
            if standing is None:
                if store._written(connection, job, columns.cells(job.params, job.images), reservation):
                    return job, True
                standing = connection.execute(queries.STANDING, key).first()
            return (job if standing is None else job_of(standing)), False

    def rehearse(
        self, sweep_id: str, base_url: str, make: Callable[[Mapping[str, Any]], tuple[Job, Reservation]]
    ) -> None:
        """Go through a claim and take it back, so that the first real one takes no longer than any other.

        The first use of a statement costs this process and a server ten times the usual. Nothing that others need is
        held meanwhile: the cell is only read, and its copy has a recipe and purses that nobody else has. An SQLite
        file has one writer at a time, so there a rehearsal would take from others what it saves here.

        Args:
            sweep_id: of the sweep.
            base_url: where its cells' jobs are to be sent.
            make: as for `claim`.

        Raises:
            CapReachedError: a purse has no room.
        """
        store = self._store
        if store._engine.dialect.name == "sqlite":
            return
        with suppress(_RehearsedError), store.writing() as connection:
            row = connection.execute(_FIRST, {"sweep_is": sweep_id, "base_url_is": base_url}).first()
            if row is None:
                return
            alone = uuid.uuid4().hex
            connection.execute(_NEXT, {"sweep_is": alone, "base_url_is": base_url})
            cell = dict(zip((column.name for column in CELLS.c), row, strict=True))
            job, reservation = make(cell)
            job = replace(job, recipe_hash=alone, seeded_hash=None)
            key = {name: getattr(job, name) for name in ("base_url", "recipe_hash", "take")}
            self._waits(connection, cell | key, False)
            store._answering(connection, key)
            purses = tuple(f"rehearsal:{alone}:{number}" for number in range(len(reservation.purses)))
            values = columns.cells(job.params, job.images)
            store._written(connection, job, values, replace(reservation, purses=purses))
            raise _RehearsedError

    def requeue(self, sweep_id: str, keys: Iterable[Key]) -> None:
        """Let these cells wait to be sent."""
        with self._store.writing() as connection:
            for base_url, recipe_hash, take in keys:
                cell = {"sweep_id": sweep_id, "base_url": base_url, "recipe_hash": recipe_hash, "take": take}
                self._waits(connection, cell, True)

    def _waits(self, connection: Connection, cell: Mapping[str, Any], waits: bool) -> None:
        names = ("base_url", "recipe_hash", "take")
        values = {"sweep_is": cell["sweep_id"], "new_waiting": waits} | {f"{name}_is": cell[name] for name in names}
        connection.execute(_SET_WAITING, values)

    def left(self, sweep_id: str) -> dict[str, int]:
        """Return how many cells wait, by where they are to be sent."""
        with self._store.reading() as connection:
            rows = connection.execute(_LEFT.where(CELLS.c.sweep_id == sweep_id))
            return {row[0]: int(row[1]) for row in rows}

    def parents(self, sweep_id: str) -> dict[Key, str]:
        """Return the jobs from which the cells of a sweep were promoted."""
        columns = (CELLS.c.base_url, CELLS.c.recipe_hash, CELLS.c.take, CELLS.c.parent_job)
        query = select(*columns).where(CELLS.c.sweep_id == sweep_id, CELLS.c.parent_job.is_not(None))
        with self._store.reading() as connection:
            return {(row[0], row[1], row[2]): row[3] for row in connection.execute(query)}

    # What a person wants of it

    def control(self, sweep_id: str) -> str | None:
        """Return `go`, `pause` or `stop`; None where the sweep was never run here."""
        with self._store.reading() as connection:
            found = connection.execute(_CONTROL, {"sweep_is": sweep_id}).scalar()
        return None if found is None else str(found)

    def set_control(self, sweep_id: str, word: str) -> None:
        """Say `go`, `pause` or `stop` to all who run the sweep."""
        with self._store.writing() as connection:
            connection.execute(update(SWEEPS).where(SWEEPS.c.id == sweep_id).values(control=word))

    def under_way(self) -> list[tuple[str, str, dict[str, int]]]:
        """Return the sweeps that have waiting cells and are not stopped: id, purse, and how many wait where."""
        query = (
            select(SWEEPS.c.id, SWEEPS.c.purse, CELLS.c.base_url, func.count())
            .join_from(SWEEPS, CELLS, SWEEPS.c.id == CELLS.c.sweep_id)
            .where(CELLS.c.waiting, SWEEPS.c.control == GO)
            .group_by(SWEEPS.c.id, SWEEPS.c.purse, SWEEPS.c.created_at, CELLS.c.base_url)
            .order_by(SWEEPS.c.created_at, SWEEPS.c.id)
        )
        found: dict[tuple[str, str], dict[str, int]] = {}
        with self._store.reading() as connection:
            for sweep_id, purse, base_url, count in connection.execute(query):
                found.setdefault((sweep_id, purse), {})[base_url] = count
        return [(sweep_id, purse, waits) for (sweep_id, purse), waits in found.items()]


def _mark(connection: Connection) -> str:
    """Return how the driver marks a value in a statement."""
    return "%s" if connection.dialect.name == "postgresql" else "?"


def _standing(row: Any) -> Standing:
    return Standing(
        row.id, State(row.state), _TIME.process_result_value(row.created_at, None),  # type: ignore[arg-type]
        _JSON.process_result_value(row.error, None), row.cost_amount, row.cost_unit, row.clip_sha256, row.rating,  # type: ignore[arg-type]
    )  # fmt: skip
