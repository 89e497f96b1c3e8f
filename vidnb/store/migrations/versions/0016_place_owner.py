"""A place at a service knows which worker took it, so that nobody waits for one that a dead worker left."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """The table of places gains a column."""
    op.add_column("slots", sa.Column("owner", sa.Text))
