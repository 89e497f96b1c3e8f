"""Verbs on several jobs at once: each job is tried, and one error reports every failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from vidnb.client.arguments import one_job
from vidnb.clip import Clip
from vidnb.errors import JobsError, VidnbError
from vidnb.records import Job

T = TypeVar("T")
JobOrId = Job | Clip | str
"""A job: its row, its clip or its id."""
Several = Iterable[Job | Clip] | list[str] | tuple[str, ...] | list[JobOrId]
"""Several jobs. A plain text is one id, never a sequence of one-letter ids."""


def listed(given: Any) -> list[JobOrId]:
    """Return the jobs as a list: one of them too, and the rows of a history's `df` by their column `job_id`.

    Raises:
        ConfigError: something among them is no job.
    """
    if hasattr(given, "columns") and "job_id" in given.columns:
        given = given["job_id"]
    if isinstance(given, str | bytes) or not isinstance(given, Iterable) or getattr(given, "ndim", 1) != 1:
        return [one_job(given)]
    return [one_job(job) for job in given]


async def each(jobs: list[Job], verb: Callable[[Job], Coroutine[Any, Any, T]], failed: str) -> list[T]:
    """Return what the verb returns of each job, in their order.

    Args:
        jobs: of which each is tried, whatever becomes of the others.
        verb: to do with one of them.
        failed: what those did that failed: "have no clip".

    Raises:
        JobsError: some failed.
    """
    tasks = [asyncio.create_task(verb(job)) for job in jobs]
    try:
        results = await asyncio.gather(*tasks, return_exceptions=True)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    good: list[T] = []
    kept: list[Any] = []
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, VidnbError):
            raise result
        kept.append(result)
        if not isinstance(result, VidnbError):
            good.append(result)
    errors = {job.id: result for job, result in zip(jobs, kept, strict=True) if isinstance(result, VidnbError)}
    if errors:
        lines = "".join(f"\n  - {error}" for error in errors.values())
        raise JobsError(f"{len(errors)} of {len(jobs)} jobs {failed}:{lines}", kept, errors)
    return good
