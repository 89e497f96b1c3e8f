"""Every param has a typed column beside the recipe, to filter, sort and read quickly."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from vidnb.store import columns

revision = "0009"
down_revision = "0008"

BATCH = 5_000


def upgrade() -> None:
    """The schema gains the table that says which columns there are, and the columns of the jobs that there are."""
    op.create_table(
        "param_columns",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("column_name", sa.Text, nullable=False),
    )
    connection = op.get_bind()
    for jobs in _batches(connection):
        _fill(connection, jobs)


def _fill(connection: sa.Connection, jobs: list[Any]) -> None:
    """Write the columns of these jobs, one statement for all that have the same params."""
    groups: dict[tuple[columns.ParamKey, ...], list[dict[str, Any]]] = defaultdict(list)
    for job_id, params, images in jobs:
        values = columns.cells(json.loads(params), json.loads(images))
        if values:
            row = {columns.column_name(*key): value for key, value in values.items()}
            groups[tuple(sorted(values))].append({"job_id": job_id} | row)
    columns.add(connection, {key for keys in groups for key in keys})
    for keys, rows in groups.items():
        table = columns.target({key: columns.column_name(*key) for key in keys})
        names = [columns.column_name(*key) for key in keys]
        news = {name: sa.bindparam(name, type_=table.c[name].type) for name in names}
        connection.execute(sa.update(table).where(table.c.id == sa.bindparam("job_id")).values(news), rows)


def _batches(connection: sa.Connection) -> Iterator[list[Any]]:
    """All jobs, some at a time, in the order of their ids."""
    last = ""
    query = sa.text("SELECT id, params, images FROM jobs WHERE id > :last ORDER BY id LIMIT :count")
    while jobs := connection.execute(query, {"last": last, "count": BATCH}).all():
        yield list(jobs)
        last = jobs[-1].id
