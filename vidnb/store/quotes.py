"""The quotes that were given to programs, by token: what would be sent, and the jobs that became of it.

Nothing can be ordered from a quote after a week, as its price may be another by then. One that was ordered from
answers with the jobs that were made for three months more; after that its token is unknown, which pays for nothing
either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from vidnb.errors import StoreError
from vidnb.store.tables import JOBS, QUOTES

if TYPE_CHECKING:
    from vidnb.store import Store


HOLDS = timedelta(days=7)
"""So long clips can be ordered from a quote."""
ANSWERED_FOR = timedelta(days=90)
"""So long at least the same token answers with the same jobs."""
TIDY_EVERY_S = 24 * 3600.0


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
        self._tidied_at = float("-inf")

    def add(self, token: str, body: Mapping[str, Any]) -> None:
        """Keep a quote."""
        row = {"token": token, "body": dict(body), "job_ids": [], "created_at": self._store.clock.utc()}
        with self._store.writing() as connection:
            connection.execute(insert(QUOTES), row)

    def tidy_daily(self) -> None:
        """Remove once a day what nobody needs to know any more; where the database is busy, it is left for tomorrow."""
        if self._store.clock.monotonic() - self._tidied_at > TIDY_EVERY_S:
            self._tidied_at = self._store.clock.monotonic()
            with suppress(StoreError):
                self.tidy()

    def tidy(self) -> int:
        """Remove what ran out long ago, and return how many quotes that were."""
        now = self._store.clock.utc()
        with self._store.reading() as connection:
            rows = connection.execute(select(QUOTES).where(QUOTES.c.created_at < now - HOLDS)).all()
        old = [KeptQuote(row.token, row.body, tuple(row.job_ids), row.created_at) for row in rows]
        # Whoever ordered did so while the quote held.
        gone = [one.token for one in old if one.created_at < now - HOLDS - ANSWERED_FOR or not self.was_used(one)]
        if not gone:
            return 0
        with self._store.writing() as connection:
            for start in range(0, len(gone), 500):
                connection.execute(delete(QUOTES).where(QUOTES.c.token.in_(gone[start : start + 500])))
        return len(gone)

    def was_used(self, quote: KeptQuote) -> bool:
        """Return whether clips were ordered from a quote, also by a process that was killed in the middle of it."""
        return bool(quote.job_ids) or self.made(quote, quote.body["first"]) is not None

    def holds(self, quote: KeptQuote) -> bool:
        """Return whether clips can be ordered from a quote."""
        return self._store.clock.utc() <= quote.created_at + HOLDS

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
