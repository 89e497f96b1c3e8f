"""What becomes of quotes: unused ones run out, used ones answer with their jobs for months, and the table shrinks."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from clocks import TestClock
from fakes import EmulatorBehind, Wires
from sqlalchemy import func, select

from vidnb.client.asynchronous import AsyncClient
from vidnb.errors import BudgetError, LockedError
from vidnb.records import Job
from vidnb.serve.desk import Desk, NoQuoteError, StaleQuoteError
from vidnb.store.quotes import ANSWERED_FOR, HOLDS, QuoteRows
from vidnb.store.tables import QUOTES

pytestmark = pytest.mark.anyio
MODEL = "leonardo/motion_2.0"
HOUR_S = 3600.0


@asynccontextmanager
async def desk(tmp_path: Path, wires: Wires, clock: TestClock) -> AsyncIterator[Desk]:
    emulator = EmulatorBehind(tmp_path / "emulator", wires, latency_s=0.05)
    async with AsyncClient(tmp_path / "data", emulator=emulator, clock=clock) as own:
        yield Desk(own)


async def token(of: Desk, prompt: str) -> str:
    return str((await of.quote(MODEL, prompt))["quote_token"])


def kept(of: Desk) -> int:
    with of.client.store.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(QUOTES)).scalar_one())


async def test_unused_quotes_run_out_and_go_and_used_ones_stay_as_long_as_they_must_answer(tmp_path: Path) -> None:
    wires, clock = Wires(), TestClock()
    async with desk(tmp_path, wires, clock) as one:
        used, unused, last = [await token(one, prompt) for prompt in ("a koala", "a cat", "a dog")]
        clock.forward(HOLDS.total_seconds() - HOUR_S)
        order, late = await one.submit(used), await one.submit(last)
        clock.forward(2 * HOUR_S)
        with pytest.raises(StaleQuoteError, match="ran out; nothing was sent"):
            await one.submit(unused)
        assert kept(one) == 3
        await token(one, "a bird")
        assert kept(one) == 3, "the unused one went when a new one came"
        with pytest.raises(NoQuoteError):
            await one.submit(unused)
        clock.forward(ANSWERED_FOR.total_seconds() - 2 * HOUR_S)
        await token(one, "a fish")
        assert (await one.submit(used))["jobs"] == order["jobs"]
        assert (await one.submit(last))["jobs"] == late["jobs"]
        clock.forward(2 * HOUR_S + 24 * HOUR_S)
        await token(one, "a frog")
        assert kept(one) == 2, "those of today and of yesterday"
    assert wires.posts == 2


async def test_a_quote_whose_order_a_killed_process_did_not_write_down_counts_as_used(tmp_path: Path) -> None:
    wires, clock = Wires(), TestClock()
    async with desk(tmp_path, wires, clock) as one:
        given = await token(one, "a koala")
        [job] = (await one.submit(given))["jobs"]
        one._quotes.sent(given, [])
        clock.forward(HOLDS.total_seconds() + HOUR_S)
        await token(one, "a cat")
        assert (await one.submit(given))["jobs"] == [job]


async def test_of_a_quote_that_was_ordered_from_in_part_no_more_is_sent_once_it_ran_out(tmp_path: Path) -> None:
    clock = TestClock()
    async with desk(tmp_path, Wires(), clock) as one:
        given = str((await one.quote(MODEL, "a koala", takes=3))["quote_token"])
        submit = one.client.submit

        async def first_only(**values: Any) -> Job:
            if one.client.jobs():
                raise BudgetError("the cap is reached")
            return await submit(**values)

        one.client.submit = first_only  # type: ignore[assignment]
        with pytest.raises(BudgetError):
            await one.submit(given)
        one.client.submit = submit  # type: ignore[method-assign]
        clock.forward(HOLDS.total_seconds() + HOUR_S)
        answer = await one.submit(given)
        assert (answer["jobs"], answer["repeated"]) == ([job.id for job in one.client.jobs()], True)
        assert len(answer["jobs"]) == 1
        assert "ran out before 2 of its 3 clips were ordered" in answer["next"]


async def test_a_quote_is_given_although_old_ones_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def busy(_: QuoteRows) -> int:
        threads.append(threading.current_thread())
        raise LockedError("another process held the database for too long")

    monkeypatch.setattr(QuoteRows, "tidy", busy)
    async with desk(tmp_path, Wires(), TestClock()) as one:
        assert await token(one, "a koala")
    assert len(threads) == 1
    assert threads[0] is not threading.current_thread(), "what else runs must not wait for it"
