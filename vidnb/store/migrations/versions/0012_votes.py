"""People can vote on pairs of clips."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """The schema gains the votes."""
    op.create_table(
        "votes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("voter", sa.Text, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("first_id", sa.Text, sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("second_id", sa.Text, sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
    )
