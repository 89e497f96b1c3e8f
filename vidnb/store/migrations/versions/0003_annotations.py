"""A person can rate, tag and note a clip."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """The schema gains what a person says of a clip."""
    op.add_column("jobs", sa.Column("rating", sa.Integer))
    op.add_column("jobs", sa.Column("tags", sa.Text, nullable=False, server_default="[]"))
    op.add_column("jobs", sa.Column("note", sa.Text, nullable=False, server_default=""))
