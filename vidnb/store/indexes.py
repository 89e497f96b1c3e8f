"""The indexes of the tables, for the migrations and the tests that compare them; no statement needs to know them.

They stand apart from `tables` because SQLAlchemy loads the code for PostgreSQL and for SQLite as soon as an index names
a condition of its own for them, and that would take a sixth of a kernel's first import.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, TextClause, text

from vidnb.store.tables import (
    ANNOTATED,
    CELLS,
    CHARGED,
    EVENTS,
    JOBS,
    LIVE,
    METADATA,
    REPLAYS,
    RESERVATIONS,
    SLOTS,
    TRASHED,
    UNFINISHED,
    UNPRICED,
)

__all__ = ["METADATA"]

SEEDED = text("seeded_hash IS NOT NULL")
RATED = text("rating IS NOT NULL")
WAITING = text("waiting")


def _partial(name: str, condition: TextClause, *columns: Any, unique: bool = False) -> None:
    """Add an index of the rows that meet a condition to the table of these columns."""
    Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


_partial("uq_jobs_take", LIVE, JOBS.c.base_url, JOBS.c.recipe_hash, JOBS.c.take, unique=True)
_partial("ix_jobs_unfinished", UNFINISHED, JOBS.c.created_at)
_partial("ix_jobs_seeded_hash", SEEDED, JOBS.c.seeded_hash)
_partial("ix_jobs_replays", REPLAYS, JOBS.c.recipe_hash)
_partial("ix_jobs_trashed", TRASHED, JOBS.c.id)
_partial("ix_jobs_said", ANNOTATED, JOBS.c.id)
_partial("ix_jobs_rating", RATED, JOBS.c.rating, JOBS.c.created_at, JOBS.c.id)
_partial("ix_jobs_charged", CHARGED, JOBS.c.model, JOBS.c.created_at)
_partial("ix_reservations_unpriced", UNPRICED, RESERVATIONS.c.job_id)
_partial("ix_cells_waiting", WAITING, CELLS.c.sweep_id, CELLS.c.base_url, CELLS.c.position)

Index("ix_jobs_created_at", JOBS.c.created_at)
Index("ix_jobs_recipe_hash", JOBS.c.recipe_hash, JOBS.c.take)
Index("ix_jobs_clip_sha256", JOBS.c.clip_sha256)
Index("ix_jobs_remote_id", JOBS.c.remote_id)
Index("ix_jobs_state", JOBS.c.state, JOBS.c.created_at)
Index("ix_jobs_model", JOBS.c.model, JOBS.c.created_at)
Index("ix_events_job_id", EVENTS.c.job_id)
# What was spent since a day is read from it alone.
Index("ix_reservations_sums", *(RESERVATIONS.c[name] for name in ("book", "unit", "booked", "at", "amount")))
Index("ix_slots_account", SLOTS.c.account)
