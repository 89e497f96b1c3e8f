"""A seed that the recipe leaves open is drawn by vidnb and kept with the job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

SEEDED = sa.text("seeded_hash IS NOT NULL")


def upgrade() -> None:
    """The schema gains what tells a drawn seed from a given one; earlier jobs keep theirs open."""
    op.add_column("jobs", sa.Column("seed_drawn", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("seeded_hash", sa.Text))
    op.create_index("ix_jobs_seeded_hash", "jobs", ["seeded_hash"], sqlite_where=SEEDED, postgresql_where=SEEDED)
