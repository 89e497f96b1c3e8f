"""Jobs come from bundles, go to the trash and leave it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

LIVE = sa.text("state NOT IN ('failed', 'cancelled') AND NOT imported AND purged_at IS NULL")
REPLAYS = sa.text("replays")
TRASHED = sa.text("trashed_at IS NOT NULL")


def upgrade() -> None:
    """The schema gains what was imported, what replays and what is in the trash; none of these stands for a take."""
    op.add_column("jobs", sa.Column("imported", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("replays", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("trashed_at", sa.Text))
    op.add_column("jobs", sa.Column("purged_at", sa.Text))
    op.drop_index("uq_jobs_take", "jobs")
    take = ["base_url", "recipe_hash", "take"]
    op.create_index("uq_jobs_take", "jobs", take, unique=True, sqlite_where=LIVE, postgresql_where=LIVE)
    op.create_index("ix_jobs_replays", "jobs", ["recipe_hash"], sqlite_where=REPLAYS, postgresql_where=REPLAYS)
    op.create_index("ix_jobs_trashed", "jobs", ["id"], sqlite_where=TRASHED, postgresql_where=TRASHED)
    op.create_index("ix_jobs_clip_sha256", "jobs", ["clip_sha256"])
