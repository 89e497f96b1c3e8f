"""One line that tells how several jobs stand while somebody waits for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from vidnb.display.cards import notice_html
from vidnb.display.live import ProgressLine
from vidnb.records import Job, State


class ProgressOfAll(ProgressLine):
    """How many jobs are done, on their way and ended without a clip, shown while the block runs.

    Args:
        jobs: whose states are counted.
    """

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._jobs = {job.id: job for job in jobs}
        moving = [job for job in self._jobs.values() if job.is_moving]
        super().__init__(moving[0] if moving else next(iter(self._jobs.values())))

    def __enter__(self) -> Self:
        """Show the line, unless nothing is on its way."""
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the line away; the error tells of each job that failed."""
        self.close()

    def update(self, job: Job) -> None:
        """Take note of a job's newer row; the cell follows at the next tick."""
        with self._lock:
            self._jobs[job.id] = job

    def _render(self) -> tuple[str, str]:
        jobs = self._jobs.values()
        done = sum(job.state is State.DONE for job in jobs)
        moving = sum(job.is_moving for job in jobs)
        parts = {"on their way": moving, "ended without a clip": len(jobs) - done - moving}
        text = f"{done} of {len(jobs)} clips are done" + "".join(f" · {n} {what}" for what, n in parts.items() if n)
        return notice_html(text), text
