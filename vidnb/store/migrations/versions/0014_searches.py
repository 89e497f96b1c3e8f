"""Large histories are searched quickly: prompts, ratings, and what a person said have indexes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

SAID = sa.text("(tags <> '[]' OR note <> '')")
RATED = sa.text("rating IS NOT NULL")


def upgrade() -> None:
    """The schema gains indexes."""
    op.create_index("ix_jobs_said", "jobs", ["id"], sqlite_where=SAID, postgresql_where=SAID)
    rated = ["rating", "created_at", "id"]
    op.create_index("ix_jobs_rating", "jobs", rated, sqlite_where=RATED, postgresql_where=RATED)
    if op.get_bind().dialect.name == "sqlite":  # PostgreSQL's indexes take no long text, and it reads rows quickly
        op.create_index("ix_p_prompt_search", "jobs", ["created_at", "id", "prompt_folded"])
        op.create_index("ix_p_said_search", "jobs", ["created_at", "id", "tags", "note"], sqlite_where=SAID)
