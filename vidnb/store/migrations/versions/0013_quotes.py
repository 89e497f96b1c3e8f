"""A quote that was given to a program is kept under a token, which is all that a submit takes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """The schema gains the quotes."""
    op.create_table(
        "quotes",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("job_ids", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
    )
