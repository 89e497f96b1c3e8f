"""The schema: from nothing, from its first form, by many at once, and never from the future."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import schema
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from databases import database, postgres_server
from sqlalchemy import Connection, inspect, text

from vidnb.errors import StoreError
from vidnb.history.filters import terms
from vidnb.records import ClipInfo, Cost, Job, RemoteMedia, State
from vidnb.store import Store, columns
from vidnb.store import database as opening
from vidnb.store.indexes import METADATA
from vidnb.store.search import Field, Search, Term

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


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = opening.open_engine(opening.database_url(url))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def fill_no_schema(url: str) -> None:
    with connected(url) as connection:
        schema.migrate(connection)


def differences(connection: Connection) -> list[Any]:
    """What the database has beside the tables, or lacks; the columns of params differ from folder to folder."""

    def is_ours(item: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
        return not str(name).startswith(("p_", "ix_p_", "job_words"))

    context = MigrationContext.configure(connection, opts={"include_object": is_ours})
    return list(compare_metadata(context, METADATA))


def fill_first_schema(url: str, revision: str = "0001") -> None:
    """A database as the first vidnb left it, or one of a later schema, with a row in every table."""
    with connected(url) as connection:
        schema.migrate(connection, revision)
        for table, row in (("jobs", OLD_JOB), ("events", OLD_EVENT), ("uploads", OLD_UPLOAD)):
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)


def test_the_revisions_are_those_that_the_store_knows_in_order() -> None:
    found = [script.revision for script in ScriptDirectory.from_config(schema.scripts()).walk_revisions()]
    assert tuple(reversed(found)) == opening.REVISIONS


def test_the_schema_from_empty_is_that_of_the_tables(database: str) -> None:
    Store(database).close()
    with connected(database) as connection:
        assert differences(connection) == []


def test_a_new_database_is_the_one_that_the_migrations_make(tmp_path: Path) -> None:
    assert schema.script() == opening.NEWEST.read_text("utf-8"), "run: python tests/support/schema.py"
    made = []
    for name, make in (("new", lambda url: Store(url).close()), ("migrated", fill_no_schema)):
        make(url := f"sqlite:///{tmp_path / name}.db")
        with connected(url) as connection:
            what = "SELECT type, name, tbl_name FROM sqlite_master ORDER BY rowid"
            tables = inspect(connection).get_table_names()
            columns_of = {table: connection.exec_driver_sql(f"PRAGMA table_xinfo({table})").all() for table in tables}
            made.append((connection.exec_driver_sql(what).all(), columns_of))
    assert made[0] == made[1]


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
        assert [job.id for job in store.jobs(*terms(store, {"tag": "old", "rating": 4}))] == ["old1"]
    with connected(database) as connection:
        assert differences(connection) == []


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
    upgrade = command.upgrade

    def broken(config: Config, revision: str) -> None:
        upgrade(config, revision)
        raise OSError("the power went out")

    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", broken)
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
        assert differences(connection) == []


@pytest.mark.parametrize("revision", ["0004", "0008"])
def test_every_param_of_a_thousand_older_jobs_has_its_column(database: str, revision: str) -> None:
    fill_first_schema(database, revision)
    kinds: list[dict[str, Any]] = [
        {"prompt": "a koala", "seed": 7, "motion_strength": 5, "loop": True},
        {"prompt": "a \0 \ud800 fox", "seed": 2**70, "motion_strength": 5.5, "styles": ["Moody", "Bold"]},
        {"Odd Name; DROP TABLE jobs": "x'y", "seed": None, "quality": 4},
        {"prompt": "", "quality": "pro", "motion_strength": -3},
        {},
    ]
    rows = []
    for number in range(1000):
        params = json.dumps(kinds[number % len(kinds)])
        row = OLD_JOB | {"id": f"job{number:04}", "recipe_hash": f"{number:064}", "params": params}
        rows.append(row | {"images": '{"start_image":[{"sha256":"%s"}]}' % ("ab" * 32) if number % 2 else "{}"})
    names = ", ".join(rows[0])
    with connected(database) as connection:
        statement = text(f"INSERT INTO jobs ({names}) VALUES ({', '.join(f':{name}' for name in rows[0])})")
        connection.execute(statement, rows)
    with closing(Store(database)) as store:
        seeds = columns.cells({"seed": 1}, {})
        assert seeds == {("seed", "int"): 1}

        def found(name: str, test: Any = "any", *values: Any) -> int:
            return store.count(Search((Term(Field(name, "param"), test, values),)))

        assert len(store.search(Search())) == 1001
        assert (found("seed", "any", 7), found("seed", "any", 2**70), found("seed", "between", 0, 9)) == (201, 200, 201)
        assert (found("motion_strength", "any", 5), found("motion_strength", "between", 5, 6)) == (200, 400)
        assert (found("quality", "any", "pro"), found("quality", "any", 4), found("loop", "any", True)) == (200,) * 3
        assert (found("styles", "any", "Bold"), found("start_image", "any", "ab" * 32)) == (200, 500)
        assert found("Odd Name; DROP TABLE jobs", "any", "x'y") == 200
        assert store.get("job0001").params == {**kinds[1]}
        new = Job(
            id="new", provider="x", model="x/y", recipe_hash="n", take=0, state=State.INTENDED, base_url="http://x",
            params={"seed": 7, "brand_new": 1.5}, images={}, emulated=True, created_at=datetime(2026, 1, 2, tzinfo=UTC),
        )  # fmt: skip
        store.intend(new)
        assert (found("seed", "any", 7), found("brand_new", "any", 1.5)) == (202, 1)


LOADED = "import sys; from vidnb.store import Store; Store(sys.argv[1]).close(); print('alembic' in sys.modules)"


def test_a_current_database_opens_without_alembic(database: str) -> None:
    Store(database).close()
    assert subprocess.check_output([sys.executable, "-c", LOADED, database], text=True) == "False\n"


def test_a_new_folder_begins_without_alembic(tmp_path: Path) -> None:
    new = f"sqlite:///{tmp_path / 'new.db'}"
    assert subprocess.check_output([sys.executable, "-c", LOADED, new], text=True) == "False\n"
