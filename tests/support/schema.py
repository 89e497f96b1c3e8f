"""Writes the schema that a new SQLite database begins with, as all migrations one after the other make it.

Run `python tests/support/schema.py` after a new migration; a test says so where that was forgotten.
"""

from __future__ import annotations

import sys

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine

from vidnb.store import database

MADE = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
"""Every table, index and trigger, in the order in which they were made."""
HEAD = "-- Written by tests/support/schema.py from the migrations; do not change it by hand.\n"


def scripts() -> Config:
    """Return where alembic finds the migrations."""
    config = Config()
    config.set_main_option("script_location", "vidnb.store:migrations")
    return config


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring a database to a revision by the migrations alone."""
    config = scripts()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def script() -> str:
    """Return the statements that make the newest schema."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        migrate(connection)
        made = [_trimmed(sql) for sql in connection.exec_driver_sql(MADE).scalars()]
        (revision,) = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars()
    engine.dispose()
    made.append(f"INSERT INTO alembic_version (version_num) VALUES ('{revision}')")
    return HEAD + "".join(f"{statement};\n" for statement in made)


def _trimmed(sql: str) -> str:
    """Return a statement without spaces at the ends of its lines, and without empty lines."""
    return "\n".join(line.rstrip() for line in sql.splitlines() if line.strip())


if __name__ == "__main__":
    database.NEWEST.write_text(script(), encoding="utf-8")
    sys.exit(0)
