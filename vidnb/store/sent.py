"""Remembers beside the clips which step was paid for last, so that a database from an older copy is found out.

A backup tool may put yesterday's `vidnb.db` back between two kernels. Nothing in it tells that jobs are missing, and
the same call would pay again. So each process keeps one empty file in `files/sent/vidnb.db`, whose name is the newest
POST that it began; to give it another name is all that a job costs. The folder lies with the clips because those are
what a backup of a large folder leaves out. An older file that comes back with such a backup does no harm: the newest
counts.

What cannot be noticed: a whole data folder that is put back, this file with it, and a server's database, PostgreSQL,
that is put back between two kernels. After that look in the service's own list before the same calls are made again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, select

from vidnb.records import State
from vidnb.store import prepared, queries
from vidnb.store.tables import JOBS

WHEN = "%Y%m%dT%H%M%SZ"
CLIPS = (".mp4", ".webm", ".mov")


class Step(NamedTuple):
    """The beginning of a POST, as a file's name tells it."""

    event_id: int
    job_id: str
    at: datetime
    path: Path


class Sent:
    """The newest POSTs that were begun from one SQLite database.

    Args:
        database: its file; others may lie beside it, and share the folder `files`.
    """

    def __init__(self, database: Path) -> None:
        self._files = database.parent / "files"
        self.folder = self._files / "sent" / database.name
        self._own: str | None = None

    def began(self, event_id: int, job_id: str, at: datetime) -> None:
        """Remember a POST that is begun, once its step is committed.

        Threads that do so at once leave one file more, which the next kernel removes.
        """
        name = f"{self.folder}{os.sep}{event_id}-{job_id}-{at.strftime(WHEN)}"
        with suppress(OSError):  # a full disk: it is said where the row or the clip is written
            try:
                if self._own is None:
                    raise FileNotFoundError
                os.rename(self._own, name)  # noqa: PTH104 - as texts: this is done with each POST
            except FileNotFoundError:  # the first one, or another kernel removed it as an older one
                self.folder.mkdir(parents=True, exist_ok=True)
                Path(name).touch()
            self._own = name

    def missing(self, connection: Connection) -> Step | None:
        """Return the newest step that the database does not have; where it has all of them, only the newest is kept.

        Args:
            connection: in a transaction that writes, or that has read nothing yet: so it sees all that is told here.
        """
        steps = sorted(self._steps())
        unknown = [step for step in steps if not _is_known(connection, step)]
        if unknown:
            return unknown[-1]
        for step in steps[:-1]:
            with suppress(OSError):
                step.path.unlink()
        return None

    def strays(self, connection: Connection) -> int:
        """Return how many clips lie among the files that no row knows."""
        known = set(connection.execute(select(JOBS.c.clip_sha256)).scalars())
        return len({clip.stem for clip in clips_in(self._files)} - known)

    def _steps(self) -> Iterator[Step]:
        try:
            found = list(self.folder.iterdir())
        except OSError:
            return
        for path in found:
            with suppress(ValueError):  # somebody else's file
                event_id, job_id, at = path.name.split("-")
                yield Step(int(event_id), job_id, datetime.strptime(at, WHEN).replace(tzinfo=UTC), path)


def clips_in(files: Path) -> Iterator[Path]:
    """Yield the clips that lie in a folder of files by hash."""
    return (clip for clip in files.glob("??/*") if clip.suffix in CLIPS)


def _is_known(connection: Connection, step: Step) -> bool:
    row = prepared.first(connection, queries.STEP, {"event_id": step.event_id})
    return row is not None and (row.job_id, row.state) == (step.job_id, State.SUBMITTING.value)
