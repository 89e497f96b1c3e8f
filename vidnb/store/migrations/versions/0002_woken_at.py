"""Jobs can be woken by a webhook."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """The schema gains the time at which a webhook last called for a job."""
    op.add_column("jobs", sa.Column("woken_at", sa.Text))
