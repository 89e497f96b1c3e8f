"""The index of recipes holds the takes, too: the job of one take is found at once, however many takes a recipe has."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """The index of recipes gains a column."""
    op.drop_index("ix_jobs_recipe_hash", "jobs")
    op.create_index("ix_jobs_recipe_hash", "jobs", ["recipe_hash", "take"])
