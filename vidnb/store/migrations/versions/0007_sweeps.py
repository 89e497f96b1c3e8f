"""Sweeps: which jobs a sweep is made of, and which of them nobody has sent yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

WAITING = sa.text("waiting")


def upgrade() -> None:
    """The schema gains sweeps and their cells."""
    op.create_table(
        "sweeps",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("purse", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("control", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
    )
    op.create_table(
        "cells",
        sa.Column("sweep_id", sa.Text, sa.ForeignKey("sweeps.id"), primary_key=True),
        sa.Column("base_url", sa.Text, primary_key=True),
        sa.Column("recipe_hash", sa.Text, primary_key=True),
        sa.Column("take", sa.Integer, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("waiting", sa.Boolean, nullable=False),
        sa.Column("recipe", sa.Text, nullable=False),
    )
    op.create_index(
        "ix_cells_waiting",
        "cells",
        ["sweep_id", "base_url", "position"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
