"""What was measured of a clip has a table, and what a person should know of its file a column."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """The schema gains measures by file, and what was noticed of a clip's file."""
    op.add_column("jobs", sa.Column("clip_note", sa.Text))
    op.create_table(
        "measures",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("value", sa.Double),
        sa.Column("measured_at", sa.Text, nullable=False),
    )
