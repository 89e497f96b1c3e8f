"""What was measured of clips, kept by the hash of the file: the same file is measured once, whoever made it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from vidnb.store.tables import MEASURES

BATCH = 500
MANY = 4 * BATCH
"""Of so many files it pays off to ask first which of them were measured at all."""

_NEWEST_LAST = (
    select(MEASURES.c.sha256, MEASURES.c.name, MEASURES.c.version, MEASURES.c.value)
    .where(MEASURES.c.sha256.in_(bindparam("hashes", expanding=True)))
    .order_by(MEASURES.c.measured_at)
)

Values = dict[str, float | None]


def read(connection: Connection, hashes: Iterable[str]) -> dict[str, Values]:
    """The newest value of each measure, by file and then by name; files without any are left out.

    Args:
        connection: to read with.
        hashes: of the files.
    """
    found: dict[str, Values] = {}
    for row in _rows(connection, hashes):
        found.setdefault(row.sha256, {})[row.name] = row.value
    return found


def versions(connection: Connection, hashes: Iterable[str]) -> dict[tuple[str, str, str], float | None]:
    """Every value of these files that is kept, by hash, name and version.

    Args:
        connection: to read with.
        hashes: of the files.
    """
    return {(row.sha256, row.name, row.version): row.value for row in _rows(connection, hashes)}


def write(
    connection: Connection,
    insert: Callable[..., Any],
    sha256: str,
    values: Mapping[tuple[str, str], float | None],
    at: datetime,
) -> None:
    """Keep what was measured of a file, by name and version; a value of the same version is replaced."""
    rows = [
        {"sha256": sha256, "name": name, "version": version, "value": value, "measured_at": at}
        for (name, version), value in values.items()
    ]
    if rows:
        kept = insert(MEASURES)
        new = {"value": kept.excluded.value, "measured_at": kept.excluded.measured_at}
        connection.execute(kept.on_conflict_do_update(index_elements=["sha256", "name", "version"], set_=new), rows)


def _rows(connection: Connection, hashes: Iterable[str]) -> Iterable[Any]:
    wanted: Sequence[str] = list(dict.fromkeys(hashes))
    if len(wanted) > MANY:
        measured = set(connection.execute(select(MEASURES.c.sha256).distinct()).scalars())
        wanted = [sha256 for sha256 in wanted if sha256 in measured]
    for start in range(0, len(wanted), BATCH):
        yield from connection.execute(_NEWEST_LAST, {"hashes": wanted[start : start + BATCH]})
