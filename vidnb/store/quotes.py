"""The quotes that were given to programs, by token: what would be sent, and the jobs that became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from vidnb.store.tables import JOBS, QUOTES

if TYPE_CHECKING:
    from vidnb.store import Store


@dataclass(frozen=True)
class KeptQuote:
    """A quote as it was given.

    Attributes:
        token: that names it.
        body: the recipe, its takes and its price, as JSON.
        job_ids: the jobs that were made from it, in the order of its takes; empty before the first submit.
        created_at: when it was given.
    """

    token: str
    body: Mapping[str, Any]
    job_ids: tuple[str, ...]
    created_at: datetime


class QuoteRows:
    """The quotes of one data folder.

    Args:
        store: its database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, token: str, body: Mapping[str, Any]) -> None:
        """Keep a quote."""
        row = {"token": token, "body": dict(body), "job_ids": [], "created_at": self._store.clock.utc()}
        with self._store.writing() as connection:
            connection.execute(insert(QUOTES), row)

    def get(self, token: str) -> KeptQuote | None:
        """Return the quote of this token; None where there is none."""
        with self._store.reading() as connection:
            row = connection.execute(select(QUOTES).where(QUOTES.c.token == token)).first()
        return None if row is None else KeptQuote(row.token, row.body, tuple(row.job_ids), row.created_at)

    def sent(self, token: str, job_ids: Sequence[str]) -> None:
        """Write down the jobs that were made from a quote."""
        with self._store.writing() as connection:
            connection.execute(update(QUOTES).where(QUOTES.c.token == token).values(job_ids=list(job_ids)))

    def made(self, quote: KeptQuote, take: int) -> str | None:
        """Return the job that was made of a take since the quote was given; None where there is none.

        A process that was killed may have made it and not written it down. One that failed meanwhile counts, too: it
        may have been charged, so the same token must not send another.
        """
        body = quote.body
        query = select(JOBS.c.id).where(
            JOBS.c.base_url == body["base_url"],
            JOBS.c.recipe_hash == body.get("recipe_hash"),
            JOBS.c.take == take,
            JOBS.c.created_at >= quote.created_at,
        )
        with self._store.reading() as connection:
            return connection.execute(query.order_by(JOBS.c.created_at.desc()).limit(1)).scalar()
