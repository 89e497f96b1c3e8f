"""A cell says from which job it was promoted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """The cells gain their parent."""
    op.add_column("cells", sa.Column("parent_job", sa.Text))
