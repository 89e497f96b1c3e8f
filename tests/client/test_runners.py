"""The tasks that drive jobs: what is said of those that end early."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from vidnb.client.runners import Runners
from vidnb.errors import StoreError

pytestmark = pytest.mark.anyio


class Failing:
    """An engine whose jobs end with an error each, or go on where that is None."""

    def __init__(self, *errors: str | None) -> None:
        self._errors = list(errors)

    async def run(self, job: Any) -> Any:
        if (error := self._errors.pop(0)) is not None:
            raise StoreError(error)
        return job


class Row:
    is_terminal = False

    def __init__(self, number: int) -> None:
        self.id = f"job{number}"


async def test_what_all_jobs_wait_for_is_said_once_and_another_fault_of_the_store_as_well(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away, full = "the database cannot be reached", "only 3 MB are left on the disk"
    engine: Any = Failing(away, full, f"{away} (timed out)", None, away)
    runners = Runners(lambda: engine)
    for number in range(5):
        job: Any = Row(number)
        await asyncio.wait([runners.start(job)])
        await asyncio.sleep(0)
    said = [(text.split()[1].strip(","), text.rpartition(": ")[2]) for text in caplog.messages]
    assert said == [("job0", away), ("job1", full), ("job4", away)]


async def test_the_newest_row_of_a_job_is_known_for_as_long_as_it_is_driven() -> None:
    engine: Any = Failing(None)
    runners = Runners(lambda: engine)
    job, newer, other = (Row(number) for number in (0, 0, 1))
    task = runners.start(job)  # type: ignore[arg-type]  # a stand-in
    runners.changed(newer)  # type: ignore[arg-type]
    runners.changed(other)  # type: ignore[arg-type]
    assert runners.row("job0") is newer
    assert runners.row("job1") is None
    await asyncio.wait([task])
    assert runners.row("job0") is None
    await asyncio.sleep(0)
    assert "job0" not in runners
