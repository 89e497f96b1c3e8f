"""Statements that are compiled once do what SQLAlchemy does with them, and leave nothing behind."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from databases import database, postgres_server
from historyjobs import a_job
from sqlalchemy import Column, Integer, MetaData, Table, Text, insert

from vidnb.errors import StoreError
from vidnb.records import State
from vidnb.store import Store, prepared, queries
from vidnb.store.tables import JOBS, job_row

__all__ = ["database", "postgres_server"]  # fixtures

THINGS = Table("things", MetaData(), Column("id", Integer, primary_key=True), Column("word", Text, nullable=False))
WRITE = insert(THINGS).returning(THINGS.c.id)
JOB = queries.JOB.where(JOBS.c.state == State.INTENDED.value)


@pytest.fixture
def store(database: str) -> Any:
    with closing(Store(database)) as store:
        with store.writing() as connection:
            THINGS.create(connection)
        yield store


def test_a_row_reads_as_sqlalchemy_reads_it(store: Store) -> None:
    job, _ = store.intend(a_job(1, {"prompt": "a koala\0", "seed": 7, "loop": True}))
    with store.reading() as connection:
        assert tuple(prepared.first(connection, JOB, {})) == tuple(connection.execute(JOB).one())
        assert prepared.first(connection, queries.GET, {"job_id": job.id}).params == job_row(job)["params"]
        assert prepared.first(connection, queries.GET, {"job_id": "none"}) is None


def test_a_statement_that_is_left_half_read_stops_no_commit(store: Store) -> None:
    with store.writing() as connection:
        assert prepared.count(connection, WRITE, {"word": "one"}) == 1
        assert prepared.first(connection, queries.ANY_JOB, {}) is None
    with store.reading() as connection:
        assert connection.execute(THINGS.select()).one().word == "one"


def test_a_change_reads_no_rows_so_that_a_move_of_the_same_columns_does(store: Store) -> None:
    job, _ = store.intend(a_job(1, {}))
    store.update(job.id, wire_status="PENDING", polls=1)
    assert store.move(job.id, State.SUBMITTING, wire_status="odd", polls=2).wire_status == "odd"


def test_what_the_database_refuses_is_an_error_of_the_store_and_changes_nothing(store: Store) -> None:
    def write(*words: str | None) -> None:
        with store.writing() as connection:
            for word in words:
                prepared.count(connection, WRITE, {"word": word})

    with pytest.raises(StoreError, match="the history cannot be"):
        write("one", None)
    with store.reading() as connection:
        assert connection.execute(THINGS.select()).all() == []
