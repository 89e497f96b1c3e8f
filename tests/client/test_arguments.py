"""What comes from the row of a data frame or a file: an empty cell is "not given", and no odd value is paid for."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fakes import no_rest
from stranger import KEYS, LEONARDO, Stranger

import vidnb
from vidnb.client import budget
from vidnb.client.asynchronous import AsyncClient
from vidnb.errors import BudgetError, CapReachedError, ConfigError, Problem
from vidnb.records import Cost, Purse

pytestmark = pytest.mark.anyio


def client_of(home: Path, stranger: Stranger) -> AsyncClient:
    return AsyncClient(home, keys=KEYS, transport=stranger, sleep=no_rest)


async def test_a_row_with_empty_cells_is_the_same_job_at_no_cost(tmp_path: Path) -> None:
    stranger = Stranger()
    table = pd.DataFrame(
        {"prompt": ["a koala", "a cat"], "take": [None, 1], "fresh": [None, True], "purse": [None, "class"]}
    ).assign(accept_unknown_price=[math.nan, 1.0], model=[math.nan, "x"], timeout_s=1800.0)
    async with client_of(tmp_path, stranger) as client:
        first = await client.generate("a koala")
        for _, row in table.iloc[:1].iterrows():
            again = await client.generate(**row)
        assert again.job.id == first.job.id
        assert client.quote(**table.iloc[0].drop(["purse", "accept_unknown_price", "timeout_s"])).why == "made before"
        client.budget(usd=0.01)
        with pytest.raises(BudgetError):  # an empty cell accepts no unknown price
            await client.submit("a dog", accept_unknown_price=math.nan, **LEONARDO)
    assert len(stranger.posts) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("take", 1.5), ("take", -1), ("take", "1"), ("take", True), ("take", 10**30), ("take", math.inf),
        ("fresh", "no"), ("fresh", 1), ("accept_unknown_price", "no"), ("timeout_s", "5"), ("timeout_s", math.nan),
        ("model", 5), ("purse", 5), ("purse", "a\nb"),
    ],
)  # fmt: skip
async def test_an_odd_argument_is_refused_before_anything_is_sent(tmp_path: Path, name: str, value: Any) -> None:
    stranger = Stranger()
    async with client_of(tmp_path, stranger) as client:
        with pytest.raises(ConfigError, match=name):
            await client.generate("a koala", **{**LEONARDO, name: value})
        assert client.jobs() == []
    assert stranger.posts == []


async def test_a_take_beyond_the_largest_says_which_that_is(tmp_path: Path) -> None:
    async with client_of(tmp_path, Stranger()) as client:
        with pytest.raises(ConfigError, match="the largest take is 2,147,483,647; nothing was sent"):
            client.quote("a koala", take=2**40, **LEONARDO)


async def test_a_whole_number_of_any_library_is_a_take(tmp_path: Path) -> None:
    stranger = Stranger()
    async with client_of(tmp_path, stranger) as client:
        takes = [1, 1.0, np.int64(1), np.float32(1)]
        jobs = [await client.submit("a koala", take=take, **LEONARDO) for take in takes]  # type: ignore[arg-type]
    assert len({job.id for job in jobs}) == 1


@pytest.mark.parametrize("verb", ["job", "clip", "request", "wait", "cancel", "watch", "settle"])
async def test_what_is_no_job_is_refused_in_words(tmp_path: Path, verb: str) -> None:
    async def ask(client: AsyncClient) -> None:
        asked = getattr(client, verb)(7, *(["give_up"] if verb == "settle" else []))
        await (anext(asked) if verb == "watch" else asked)

    async with client_of(tmp_path, Stranger()) as client:
        with pytest.raises(ConfigError, match="7 is no job: give jobs, clips, or ids of jobs"):
            await ask(client)


@pytest.mark.parametrize("cap", [10**400, 1e300])
async def test_a_cap_beyond_all_money_is_refused(tmp_path: Path, cap: float) -> None:
    async with client_of(tmp_path, Stranger()) as client:
        with pytest.raises(ConfigError, match="budget_usd"):
            client.budget(usd=cap)


async def test_every_error_comes_back_from_a_process_pool(tmp_path: Path) -> None:
    async with client_of(tmp_path, Stranger()) as client:
        job = await client.submit("a koala", **LEONARDO)
    gone = vidnb.RateLimitError("slow down", provider="leonardo", status_code=429)
    gone.retry_after_s = 7.0
    errors: list[vidnb.VidnbError] = [
        vidnb.JobFailedError("it failed", job), vidnb.JobTimeoutError("not yet", job), gone,
        vidnb.TransportError("no answer", sent=True), vidnb.ParamsError("leonardo/SVD", [Problem("seed", 5, "none")]),
        vidnb.JobsError("1 of 2", [job], {job.id: vidnb.ConfigError("no key")}),
        CapReachedError(Purse("lesson", "real", "USD", 1.0, 0.0, 0.0, 0.0), Cost(2.0, "USD"), None),
    ]  # fmt: skip
    for error in errors:
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert repr(vars(again)) == repr(vars(error))


@pytest.mark.parametrize(
    ("caps", "words"),
    [
        ({"budget_credits": {"1mn": 500}}, "budget_credits of '1mn': there is no such provider; there are .*, 1min,"),
        ({"budget_jobs": 2.5}, "budget_jobs=2.5: give a whole number, or None"),
    ],
)
def test_a_cap_that_could_never_hold_as_it_is_written_is_refused(tmp_path: Path, caps: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        AsyncClient(tmp_path, **caps)


def test_a_cap_in_credits_outlives_no_plug_in() -> None:
    assert budget.caps(credits={"gone": None}) == {"CREDITS:gone": None}
