"""The index of reservations holds what they come to: what was spent since a day is summed from the index alone."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """An index of times is replaced by one of sums."""
    op.drop_index("ix_reservations_at", "reservations")
    op.create_index("ix_reservations_sums", "reservations", ["book", "unit", "booked", "at", "amount"])
