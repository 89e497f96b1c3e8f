"""Opens a database that this process may not write to: from a copy, which refuses writes too.

SQLite writes beside the file even to read one with a write-ahead log, so a folder of a colleague or of a course could
not be opened. The copy has what the log holds, and the newest schema; a write is refused as the folder would refuse it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Engine


def is_read_only(path: Path) -> bool:
    """Return whether there is a database file that this process may read and not write to."""
    return path.is_file() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def copied(path: Path, prepare: Callable[[Path], None]) -> tuple[URL, Path]:
    """Return the address of a copy that can only be read, and the folder in which it lies.

    Args:
        path: of the database.
        prepare: is called with the copy while that can still be written to.
    """
    folder = Path(tempfile.mkdtemp(prefix="vidnb-read-"))
    try:
        copy = folder / path.name
        for end in ("", "-wal"):
            if (source := path.with_name(path.name + end)).exists():
                shutil.copyfile(source, folder / source.name)
        prepare(copy)
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    options = {"mode": "ro", "immutable": "1", "uri": "true"}
    return URL.create("sqlite", database=f"file:{quote(str(copy))}", query=options), folder


def goes_with(engine: Engine, folder: Path) -> None:
    """Remove the copy's folder once nobody uses the engine any more."""
    weakref.finalize(engine, shutil.rmtree, folder, ignore_errors=True)
