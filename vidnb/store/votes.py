"""Votes: which of two clips a person took, without knowing which was which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from vidnb.store.tables import VOTES


@dataclass(frozen=True)
class Vote:
    """One answer of one person about one pair."""

    id: int
    at: datetime
    voter: str
    question: str
    first: str
    """Id of the job whose clip was shown as Clip 1."""
    second: str
    answer: str
    """`1` or `2` for the clip that was taken, `0` for no difference."""


def add(connection: Connection, at: datetime, voter: str, question: str, first: str, second: str, answer: str) -> int:
    """Keep a vote and return its number."""
    row = {"at": at, "voter": voter, "question": question, "first_id": first, "second_id": second, "answer": answer}
    return int(connection.execute(insert(VOTES).values(row).returning(VOTES.c.id)).scalar_one())


def drop(connection: Connection, vote_id: int) -> bool:
    """Delete a vote and return whether there was one of that number."""
    return connection.execute(delete(VOTES).where(VOTES.c.id == vote_id)).rowcount == 1


def read(connection: Connection, jobs: Iterable[str] | None = None) -> list[Vote]:
    """Return the votes about these jobs (both clips are among them), or all; oldest first."""
    wanted = None if jobs is None else set(jobs)
    rows = connection.execute(select(VOTES).order_by(VOTES.c.id))
    votes = [Vote(row.id, row.at, row.voter, row.question, row.first_id, row.second_id, row.answer) for row in rows]
    return votes if wanted is None else [vote for vote in votes if {vote.first, vote.second} <= wanted]
