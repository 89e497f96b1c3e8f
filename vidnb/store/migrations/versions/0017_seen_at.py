"""The pace of an account knows when it was last used, so that nobody waits for hours once a clock is set back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """The table of paces gains a column."""
    op.add_column("limits", sa.Column("seen_at", sa.Double))
