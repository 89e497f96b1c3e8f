"""Writes what happens to a job into its row, and tells whoever watches."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vidnb.errors import AuthError, CreditError, RateLimitError, UnavailableError
from vidnb.jobs.ledger import Ledger
from vidnb.records import Booked, Job, State

if TYPE_CHECKING:
    from vidnb.store import Store

log = logging.getLogger("vidnb")

FOUND = "found in the provider's list of recent jobs"
"""The note of a job whose remote id is a guess."""
CALLED = "while it was being sent, the service's own callback named it: "
"""Begins the note of a callback that came before the reply to the submit; the remote id follows."""
WRONG = "in the list, but somebody else's: "
"""Begins the note of a guess that turned out wrong; the remote id follows."""
WHY = {
    "moderation": "change the prompt or the picture: the same ones will be refused again",
    "passing": "a fault of the service that may pass; another take is a new job, at its usual price",
    "gone": "the clip cannot be had any more; another take is a new job, at its usual price",
}
"""What to do where the service says why a job failed (`Status.why`)."""


class Recorder:
    """Moves jobs from state to state.

    Args:
        store: the rows.
        ledger: the count of money.
        on_change: called with the new row after every change.
    """

    def __init__(self, store: Store, ledger: Ledger, on_change: Callable[[Job], None] = lambda job: None) -> None:
        self.store = store
        self.ledger = ledger
        self.on_change = on_change
        self._replied: set[str] = set()

    async def move(self, job: Job, to: State, **columns: Any) -> Job:
        """Return the job's row in its new state, with these columns set.

        Raises:
            IllegalTransitionError: the job is in no state from which it can come there.
        """
        moved = await self.store.aside.together(self.store.move, job.id, to, **columns)
        log.debug("job %s: %s -> %s", job.id, job.state, to)
        # An emulated job is booked at the catalogue's price, whatever the emulator says.
        if columns.get("cost") is not None and not moved.emulated:
            await self.store.aside(self.ledger.look_at_charge, moved)
        if moved.is_terminal:
            self._replied.discard(moved.remote_id or "")
        self.on_change(moved)
        return moved

    def replied(self, job: Job) -> None:
        """Remember that the job's remote id came with the reply to its own submit, so that it is no guess."""
        self._replied.add(job.remote_id or "")

    async def is_guess(self, job: Job) -> bool:
        """Return whether the job's remote id was found in a list, and may be another job's."""
        if job.remote_id in self._replied:
            return False
        notes = [event.note for event in await self.store.aside(self.store.events, job.id)]
        return (
            bool(notes) and FOUND in notes and not any(note.startswith(WRONG) for note in notes[notes.index(FOUND) :])
        )

    async def wrong_guesses(self, job: Job) -> set[str]:
        """Return the remote ids that were taken for this job's and are not."""
        notes = (event.note for event in await self.store.aside(self.store.events, job.id))
        return {note.removeprefix(WRONG).partition(" ")[0] for note in notes if note.startswith(WRONG)}

    async def called(self, job: Job) -> str | None:
        """Return the remote id that a callback named for the job before the reply to its submit came, if any did."""
        notes = [event.note for event in await self.store.aside(self.store.events, job.id)]
        return next((note.removeprefix(CALLED) for note in reversed(notes) if note.startswith(CALLED)), None)

    async def lost_at(self, job: Job) -> datetime | None:
        """Return when the job's newest submit was given up, as no reply came; None where that was not written."""
        lost_at = None
        for event in await self.store.aside(self.store.events, job.id):
            if event.state is State.SUBMITTING:
                lost_at = None
            elif event.state is State.AMBIGUOUS:
                lost_at = lost_at or event.at
        return lost_at

    async def detach(self, job: Job, why: str) -> Job:
        """Detach an entry of the list that turned out to be another job; return the row, ambiguous again."""
        log.warning("job %s: %s was taken for it, and is not: %s", job.id, job.remote_id, why)
        return await self.move(
            job, State.AMBIGUOUS, note=f"{WRONG}{job.remote_id} ({why})", remote_id=None, asset_id=None,
            wire_status=None, finished_at=None,
        )  # fmt: skip

    async def ask_person(self, job: Job, why: str, **columns: Any) -> Job:
        """Make a job ambiguous whose clip cannot be found although the service has the job; return its row."""
        advice = "look in the service's web app; the next call, or vidnb.resume(), asks the service once more"
        error = {"kind": "no clip", "type": "", "message": why, "charged": None, "advice": advice}
        booked = None if job.cost is None else Booked.SETTLED
        return await self.move(job, State.AMBIGUOUS, note=why, error=error, booked=booked, **columns)

    async def fail(self, job: Job, error: Exception, **columns: Any) -> Job:
        """Return the failed job's row, which says why and what to do."""
        return await self.move(job, State.FAILED, error=describe(error), done_at=self.store.utc(), **columns)


def describe(error: Exception) -> dict[str, Any]:
    """Return what a failed job's row says: kind, message, whether it was charged, and what to do next."""
    kinds: list[tuple[type[Exception], str, str]] = [
        (AuthError, "key", "check the key, then run the cell again"),
        (CreditError, "credit", "top up the account, then run the cell again"),
        (RateLimitError, "rate", "wait a minute, then run the cell again"),
    ]
    kind, advice = next(((k, a) for cls, k, a in kinds if isinstance(error, cls)), ("service", ""))
    charged = getattr(error, "charged", None)
    if kind == "service" and (why := getattr(error, "why", "")):
        kind, advice = why, WHY[why]
    elif kind == "service":
        refused = charged is False and not isinstance(error, UnavailableError)
        kind = "refused" if refused else "service"
        advice = "change the prompt, input or value that it names" if refused else "try another take, or another model"
        if charged is False and not refused:  # as where a storage is busy: nothing is wrong with the values
            advice = "run the cell again, in a minute"
    return {"kind": kind, "type": type(error).__name__, "message": str(error), "charged": charged, "advice": advice}
