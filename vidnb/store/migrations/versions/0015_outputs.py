"""A job keeps every clip that the service made for it, and the seed and the prompt that the service used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """The schema gains further clips of a job, and what the service used; older rows have neither."""
    op.add_column("jobs", sa.Column("outputs", sa.Text, nullable=False, server_default="[]"))
    op.add_column("jobs", sa.Column("used_seed", sa.BigInteger))
    op.add_column("jobs", sa.Column("used_prompt", sa.Text))
