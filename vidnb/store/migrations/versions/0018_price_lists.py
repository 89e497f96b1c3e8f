"""What a service's own list says that its models cost is kept with the moment at which it was read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """The schema gains the lists of prices."""
    op.create_table(
        "price_lists",
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("prices", sa.Text, nullable=False),
        sa.Column("read_at", sa.Text, nullable=False),
    )
