"""Jobs with their clips, the events of each job, and what was uploaded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

LIVE = sa.text("state NOT IN ('failed', 'cancelled')")
UNFINISHED = sa.text("state NOT IN ('cancelled', 'done', 'failed')")


def upgrade() -> None:
    """The schema gains its tables."""
    jobs()
    events()
    uploads()


def jobs() -> None:
    """The table of jobs and its indexes."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("base_url", sa.Text, nullable=False),
        sa.Column("recipe_hash", sa.Text, nullable=False),
        sa.Column("take", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("params", sa.Text, nullable=False),
        sa.Column("images", sa.Text, nullable=False),
        sa.Column("dropped", sa.Text, nullable=False),
        sa.Column("prompt_folded", sa.Text, nullable=False),
        sa.Column("seed", sa.BigInteger),
        sa.Column("emulated", sa.Boolean, nullable=False),
        sa.Column("account", sa.Text),
        sa.Column("remote_id", sa.Text),
        sa.Column("asset_id", sa.Text),
        sa.Column("wire_status", sa.Text),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("submitted_at", sa.Text),
        sa.Column("finished_at", sa.Text),
        sa.Column("done_at", sa.Text),
        sa.Column("polls", sa.Integer, nullable=False),
        sa.Column("cost_amount", sa.Double),
        sa.Column("cost_unit", sa.Text),
        sa.Column("nsfw", sa.Boolean),
        sa.Column("error", sa.Text),
        sa.Column("clip_sha256", sa.Text),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("actual_width_px", sa.Integer),
        sa.Column("actual_height_px", sa.Integer),
        sa.Column("actual_fps", sa.Double),
        sa.Column("actual_duration_s", sa.Double),
        sa.Column("actual_frames", sa.Integer),
        sa.Column("codec", sa.Text),
        sa.Column("has_audio", sa.Boolean),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_until", sa.Text),
    )
    take = ["base_url", "recipe_hash", "take"]
    op.create_index("uq_jobs_take", "jobs", take, unique=True, sqlite_where=LIVE, postgresql_where=LIVE)
    op.create_index("ix_jobs_unfinished", "jobs", ["created_at"], sqlite_where=UNFINISHED, postgresql_where=UNFINISHED)
    op.create_index("ix_jobs_created_at", "jobs", ["created_at"])
    op.create_index("ix_jobs_recipe_hash", "jobs", ["recipe_hash"])
    op.create_index("ix_jobs_remote_id", "jobs", ["remote_id"])
    op.create_index("ix_jobs_state", "jobs", ["state", "created_at"])
    op.create_index("ix_jobs_model", "jobs", ["model", "created_at"])


def events() -> None:
    """The table of state changes."""
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_index("ix_events_job_id", "events", ["job_id"])


def uploads() -> None:
    """The table of input files that a provider already has."""
    op.create_table(
        "uploads",
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("base_url", sa.Text, primary_key=True),
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("remote_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
    )
