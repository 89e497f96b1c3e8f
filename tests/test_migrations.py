"""The schema: from nothing, from its first form, by many at once, and never from the future."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from databases import database, postgres_server
from sqlalchemy import Connection, inspect, text

from vidnb.errors import StoreError
from vidnb.records import ClipInfo, Cost, Job, RemoteMedia, State
from vidnb.store import Store
from vidnb.store import database as opening
from vidnb.store.tables import METADATA

__all__ = ["database", "postgres_server"]  # fixtures

OLD_JOB = {
    "id": "old1",
    "provider": "leonardo",
    "model": "leonardo/SVD",
    "base_url": "https://a.invalid",
    "recipe_hash": "a" * 64,
    "take": 2,
    "state": "running",
    "params": '{"prompt":"a koala","seed":7}',
    "images": "{}",
    "dropped": "{}",
    "prompt_folded": "a koala",
    "seed": 7,
    "emulated": True,
    "remote_id": "r1",
    "created_at": "2026-01-01T00:00:00.000000+00:00",
    "polls": 3,
    "cost_amount": 0.5,
    "cost_unit": "USD",
    "clip_sha256": "c" * 64,
    "size_bytes": 10,
    "actual_width_px": 848,
    "actual_height_px": 480,
    "actual_fps": 24.0,
    "actual_duration_s": 5.0,
    "actual_frames": 120,
    "codec": "h264",
    "has_audio": False,
}
OLD_EVENT = {"job_id": "old1", "at": "2026-01-01T00:00:00.000000+00:00", "state": "intended", "note": "by hand"}
OLD_UPLOAD = {
    "provider": "leonardo",
    "account": "",
    "base_url": "https://a.invalid",
    "sha256": "d" * 64,
    "remote_id": "r2",
    "kind": "UPLOADED",
    "created_at": "2026-01-01T00:00:00.000000+00:00",
}


def scripts() -> Config:
    config = Config()
    config.set_main_option("script_location", "vidnb:migrations")
    return config


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = opening.open_engine(opening.database_url(url))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def fill_first_schema(url: str, revision: str = "0001") -> None:
    """A database as the first vidnb left it, or one of a later schema, with a row in every table."""
    with connected(url) as connection:
        config = scripts()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for table, row in (("jobs", OLD_JOB), ("events", OLD_EVENT), ("uploads", OLD_UPLOAD)):
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)


def test_the_revisions_are_those_that_the_store_knows_in_order() -> None:
    found = [script.revision for script in ScriptDirectory.from_config(scripts()).walk_revisions()]
    assert tuple(reversed(found)) == opening.REVISIONS


def test_the_schema_from_empty_is_that_of_the_tables(database: str) -> None:
    Store(database).close()
    with connected(database) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_the_take_is_unique_among_live_rows_only(database: str) -> None:
    Store(database).close()
    with connected(database) as connection:
        (index,) = [index for index in inspect(connection).get_indexes("jobs") if index["name"] == "uq_jobs_take"]
    options = index["dialect_options"]
    assert any(name.endswith("_where") and "cancelled" in str(where) for name, where in options.items())


@pytest.mark.parametrize("revision", opening.REVISIONS[:-1])
def test_rows_of_every_older_schema_survive(database: str, revision: str) -> None:
    fill_first_schema(database, revision)
    with closing(Store(database)) as store:
        assert store.get("old1") == Job(
            id="old1",
            provider="leonardo",
            model="leonardo/SVD",
            recipe_hash="a" * 64,
            take=2,
            state=State.RUNNING,
            params={"prompt": "a koala", "seed": 7},
            images={},
            emulated=True,
            base_url="https://a.invalid",
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            remote_id="r1",
            polls=3,
            cost=Cost(0.5, "USD"),
            clip=ClipInfo("c" * 64, 10, 848, 480, 24.0, 5.0, 120, "h264", has_audio=False),
        )
        assert [event.note for event in store.events("old1")] == ["by hand"]
        assert store.uploaded("leonardo", None, "https://a.invalid", "d" * 64) == RemoteMedia("leonardo", "r2")
        assert store.wake("leonardo", "r1")  # what the second schema brought
        assert store.woken("old1")
        store.update("old1", rating=4, tags=("old",), note="still good")  # what the third brought
        assert (store.get("old1").rating, store.get("old1").tags) == (4, ("old",))
        assert [job.id for job in store.jobs(tag="old", rating=4)] == ["old1"]
    with connected(database) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_a_database_of_a_newer_vidnb_is_refused_untouched(database: str) -> None:
    fill_first_schema(database)
    with connected(database) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0999'"))
    with pytest.raises(StoreError, match=r"schema '0999'.*update vidnb"):
        Store(database)
    with connected(database) as connection:
        assert "woken_at" not in {column["name"] for column in inspect(connection).get_columns("jobs")}


def test_a_migration_that_breaks_off_leaves_nothing_behind(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_first_schema(database)
    migrate = opening._migrate

    def broken(connection: Connection) -> None:
        migrate(connection)
        raise OSError("the power went out")

    with monkeypatch.context() as patch:
        patch.setattr(opening, "_migrate", broken)
        with pytest.raises(StoreError, match="the power went out"):
            Store(database)
    with connected(database) as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0001"
        assert "woken_at" not in {column["name"] for column in inspect(connection).get_columns("jobs")}
    with closing(Store(database)) as store:
        assert store.get("old1").take == 2


OPEN = "import sys; from vidnb.store import Store; sys.stdin.readline(); Store(sys.argv[1]).close(); print('opened')"


@pytest.mark.parametrize("first", [False, True], ids=["from_empty", "from_the_first_schema"])
def test_processes_that_open_at_once_all_succeed(database: str, first: bool) -> None:
    if first:
        fill_first_schema(database)
    command = [sys.executable, "-c", OPEN, database]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in started:  # all have imported by the time they read this line, or soon after
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate()[0] for process in started] == ["opened\n"] * 4
    assert [process.returncode for process in started] == [0] * 4
    with connected(database) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_a_current_database_opens_without_alembic(database: str) -> None:
    Store(database).close()
    code = "import sys; from vidnb.store import Store; Store(sys.argv[1]).close(); print('alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, database], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
