"""Notices when another database lies where the store's own lay.

A folder may be removed, replaced, emptied or restored from a copy while a kernel lives. SQLite goes on with the file
that it has open, although nobody will ever see that again; and a copy does not know what was paid since it was made.
So the file is compared with the one that was opened, and the newest row that this process wrote is looked for, before
anything is written that could be paid for. What happened between two processes `sent` tells.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

from vidnb.errors import DataMovedError, StoreError
from vidnb.records import State
from vidnb.store import prepared, queries
from vidnb.store.sent import Sent, clips_in

Mark = tuple[int, int]
PARTS = ("", "-wal", "-shm")
"""An SQLite database is one only together with these."""


class Identity:
    """What tells one database from another.

    Args:
        path: of an SQLite file; None for a server's database, which has none here.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._parts = {} if path is None else {part: f"{path}{part}" for part in PARTS}
        self._marks: dict[str, Mark] = {}
        self._newest: tuple[int, str, str] | None = None
        self._sent = None if path is None else Sent(path)
        self._has_all = path is None
        self.check_files()

    @property
    def has_file(self) -> bool:
        """Whether the database is a file, with connections of SQLite."""
        return self._path is not None

    def begin_anew(self) -> None:
        """Expect the same database after all connections to it were closed."""
        self._marks = {part: mark for part, mark in self._marks.items() if not part}

    def wrote(self, steps: Sequence[tuple[int, str, str, datetime]]) -> None:
        """Remember the newest step that was written to a job's events; a POST that begins also for later processes.

        Args:
            steps: what a transaction wrote, the newest last: number of the event, job, state and time.
        """
        if steps:
            self._newest = steps[-1][:3]
        begun = [step for step in steps if step[2] == State.SUBMITTING.value]
        if begun and self._sent is not None:
            event_id, job_id, _, at = begun[-1]
            self._sent.began(event_id, job_id, at)

    def check_files(self) -> None:
        """Check that the database's files are still those that were opened.

        Raises:
            DataMovedError: they were removed, moved or replaced.
        """
        size = None
        for part, path in self._parts.items():
            try:
                told = os.stat(path)  # noqa: PTH116 - as texts: this is done with each write
            except FileNotFoundError:
                told = None
            known, mark = self._marks.get(part), told and (told.st_dev, told.st_ino)
            size = told.st_size if told is not None and not part else size
            if known is None and mark is not None:
                self._marks[part] = mark  # the log is made with the first transaction
            elif known is not None and mark is None:
                raise self._moved("was removed")
            elif known != mark:
                raise self._moved("was replaced by another one")
        if size == 0 and self._newest is not None:
            raise self._moved("was emptied")

    def guard(self, engine: Engine) -> None:
        """Let an engine open nothing where the file is gone: SQLite would begin an empty history there."""
        path = self._parts.get("")
        if path is None:
            return

        @event.listens_for(engine, "do_connect")
        def look(*_: Any) -> None:
            if "" in self._marks and not Path(path).exists():
                raise self._moved("was removed")

    def check_rows(self, connection: Connection) -> None:
        """Check that the database still has the newest step that this process wrote to it, or any one before.

        Args:
            connection: in a transaction that writes.

        Raises:
            DataMovedError: it was emptied, or replaced by an older copy.
        """
        if not self._has_all:
            self.check_sent(connection)
            self._has_all = True
        if self._newest is None:
            return
        event_id, job_id, state = self._newest
        row = prepared.first(connection, queries.STEP, {"event_id": event_id})
        if row is None or (row.job_id, row.state) != (job_id, state):
            raise self._moved("was emptied, or replaced by an older copy")

    def check_sent(self, connection: Connection) -> None:
        """Check that the database has the jobs that were sent from it before this process opened it.

        Args:
            connection: that has read nothing yet, or is in a transaction that writes.

        Raises:
            DataMovedError: it does not have the newest one.
        """
        if self._sent is None or (step := self._sent.missing(connection)) is None:
            return
        strays = self._sent.strays(connection)
        clips = f", nor {strays} of the clips in files/" if strays else ""
        raise DataMovedError(
            f"the history {self._path} does not know the newest job that was sent from it, on "
            f"{step.at:%d %b %Y at %H:%M} UTC{clips}: it was put back from an older copy, removed, or cut short by a "
            "loss of power. What was paid for and stands there no more would be paid for again, so nothing was sent. "
            f"Put the newer vidnb.db back, or remove the folder {self._sent.folder} to go on with this one"
        )

    def _moved(self, how: str) -> DataMovedError:
        what = "the history" if self._path is None else f"the history {self._path}"
        return DataMovedError(
            f"{what} {how} while this process used it. Nothing was sent: what was paid for may no longer stand there. "
            "Put it back, or restart the kernel to go on with what lies there now"
        )


def check_beginning(path: Path) -> None:
    """Refuse to begin a history where clips of another one lie.

    Raises:
        StoreError: there are clips, and no job to which they could belong.
    """
    files = path.parent / "files"
    clips = sum(1 for _ in clips_in(files))
    if clips:
        raise StoreError(
            f"{files} holds {clips} clip{'s' * (clips > 1)}, but the history {path} has no job: it was removed, or "
            "copied without its vidnb.db-wal. What was paid for would be paid for again, so nothing is begun here. "
            "Put the history back, or move files/ away to begin anew"
        )
