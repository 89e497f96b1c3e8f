"""Many seeded runs of each kind of fault against services that the client does not know, counted on their side.

A run ends well when the service was paid once, the clip that was paid for lies in the data folder, and every call
returned. A person's part in it is what a person can do: call again, resume, and settle with the id from the web app.

`python tests/test_seeded.py [runs] [words of a kind]` prints a table of all kinds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent / "support"))

import hardships
import httpx
import pytest
from damages import DAMAGED
from decisions import DECIDED
from lines import LINED
from litter import LITTERED
from plugging import PLUGGED
from purses import CAPPED
from settings import SET
from stranger import KEYS, LEONARDO, ONEMIN, Stranger, Work, film, lost

from vidnb.client.asynchronous import AsyncClient
from vidnb.errors import JobAmbiguousError, JobError, VidnbError
from vidnb.records import State

RUNS = 200
FEW = 12
"""Runs of what needs processes and files of its own; more by hand."""
HANGS_AFTER_S = 90.0
MOST_CALLS = 3

PICTURE: dict[str, Any] = {
    "generated_images": [{"id": "p", "url": "https://files.example.com/p.jpg", "motion": False, "motionMP4URL": None}]
}
PENDING: dict[str, Any] = {"status": "PENDING", "generated_images": []}


@dataclass
class Run:
    """One seeded run: its dice, its service, and what the client was asked."""

    seed: int
    dice: random.Random = field(init=False)
    service: Stranger = field(default_factory=Stranger)
    values: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.values = dict(LEONARDO)


Kind = Callable[[Run], None]


def someone_elses(run: Run) -> None:
    """A1: the reply is lost, and the list shows other people's work with the same words."""
    service, dice = run.service, run.dice
    service.on_submit, service.hidden_lists = lost, dice.choice([0, 1, 2, 5])
    for n in range(dice.randint(1, 2)):
        record = dice.choice(
            [
                PICTURE,
                {**PENDING, "modelId": "aa77f04e"},
                {"generated_images": [{"id": "p", "motion": True, "motionModel": "KLING3_0"}]},
                {"seed": 5},
                {"imageWidth": 64, "imageHeight": 64},
                {},
                {"negativePrompt": "rain"},
            ]
        )
        ago_s = dice.uniform(30, 110) if record == {} else dice.uniform(-1, 100)
        service.other("a koala", ago_s=ago_s, shade=230 + n, **record)


def wrong_guess(run: Run) -> None:
    """A1: what the list shows looks like ours while it is pending, and turns out to be something else."""
    service, dice = run.service, run.dice
    other = service.other("a koala", ago_s=-0.5, shade=240, **PENDING)
    service.hidden_lists = 10**6

    def submitted(request: httpx.Request, work: Work | None) -> httpx.Response | None:
        if work is not None:
            other.record["seed"] = work.body["parameters"].get("seed")  # else nobody would take it for ours
        return lost(request, work)

    service.on_submit = submitted
    end = dice.choice([{"status": "COMPLETE", **PICTURE}, {"status": "FAILED"}, {"status": "CANCELED"}, {"seed": 5}])
    after = dice.randint(1, 6)

    def turn(request: httpx.Request, work: Work | None) -> None:
        if work is other and work.polls >= after:
            other.record = {**({} if "seed" in end else PENDING), **end}
            for ours in service.paid:
                ours.hidden_lists = 0

    service.on_poll = turn  # type: ignore[assignment]  # None is an answer, too


LATE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (LEONARDO, {"generated_images": []}),
    (LEONARDO, {"generated_images": [{"id": "a", "url": "https://files.example.com/p.jpg"}]}),
    (LEONARDO, {"status": "CANCELED", "generated_images": []}),
    (LEONARDO, {"status": "EXPIRED", "generated_images": []}),
    (LEONARDO, {"status": "MIXING", "generated_images": []}),
    (LEONARDO, {"id": "another"}),
    (ONEMIN, {"temporaryUrl": None}),
    (ONEMIN, {"status": "ERROR", "temporaryUrl": None}),
    (ONEMIN, {"uuid": "another"}),
]


def late_link(run: Run) -> None:
    """A5: finished, and the link comes some polls later; until then the record says odd things."""
    values, record = run.dice.choice(LATE)
    run.values, polls = dict(values), run.dice.randint(1, 25)
    _records(run, lambda work: record if work.polls <= polls else {})


def elsewhere(run: Run) -> None:
    """A5: the link stands at another place, the word in another case."""
    run.values = dict(run.dice.choice([LEONARDO, ONEMIN]))
    which = run.dice.randrange(6)

    def record(work: Work) -> dict[str, Any]:
        link = run.service.link(work)
        leonardo: list[dict[str, Any]] = [
            {"generated_images": [], "generated_videos": [{"url": link}]},
            {"generated_images": [], "motionMP4URL": link},
            {"generated_images": [{"id": "a", "url": link, "motionMP4URL": None}]},
            {"generated_images": [{"id": "a", "videoUrl": link}]},
            {"status": "complete"},
            {"generated_images": [{"id": "a", "motionMP4URL": f" {link} "}]},
        ]
        onemin: list[dict[str, Any]] = [
            {"temporaryUrl": None, "aiRecordDetail": {"resultObject": [link]}},
            {"temporaryUrl": None, "aiRecordDetail": {"resultObject": link}},
            {"aiRecordDetail": None},
            {"temporaryUrl": None, "videoUrl": link},
            {"status": "success"},
            {"temporaryUrl": f" {link}"},
        ]
        return (onemin if work.service == "1min" else leonardo)[which]

    _records(run, record)


def _records(run: Run, record: Callable[[Work], dict[str, Any]]) -> None:
    """Let the record of our work say what the function makes of it."""

    def poll(request: httpx.Request, work: Work | None) -> None:
        if work is not None:
            work.record = record(work)

    run.service.on_poll = poll  # type: ignore[assignment]  # None is an answer, too


def null_record(run: Run) -> None:
    """A5: the service does not know the job for a while."""
    run.values = dict(run.dice.choice([LEONARDO, ONEMIN]))
    polls = run.dice.randint(1, 25)

    def poll(request: httpx.Request, work: Work | None) -> httpx.Response | None:
        if work is None or work.polls > polls:
            return None
        return httpx.Response(200, json={"generations_by_pk": None, "aiRecord": None})

    run.service.on_poll = poll


def typed_id(run: Run) -> None:
    """A4: the reply is lost, and the person types the id wrongly before typing it rightly."""
    run.service.on_submit, run.service.hidden_lists = lost, 10**6


def gateway(run: Run) -> None:
    """B16: the work was accepted, and a gateway answers in the service's place."""
    run.values = dict(run.dice.choice([LEONARDO, ONEMIN]))
    status = run.dice.choice([301, 302, 303, 307, 308, 408, 409, 425, 499, 500, 502, 504, 520, 524, 599])
    page = run.dice.choice(["", "<html><body>nginx</body></html>", "error", '{"message": "Conflict"}'])
    run.service.on_submit = lambda request, work: httpx.Response(status, text=page)
    run.service.hidden_lists = run.dice.choice([0, 10**6])


def busy(run: Run) -> None:
    """B15: 429 to the submit, with and without Retry-After."""
    run.values = dict(run.dice.choice([LEONARDO, ONEMIN]))
    left, after = [run.dice.randint(1, 4)], run.dice.choice([None, "1", "7", "45", "120"])
    sent: list[float] = []

    def before(request: httpx.Request, work: Work | None) -> httpx.Response | None:
        clock = run.service.waited  # type: ignore[attr-defined]  # the client's time, rests included
        if sent and after and clock() - sent[-1] < float(after) - 1:
            run.service.too_early = True  # type: ignore[attr-defined]
        sent.append(clock())
        left[0] -= 1
        headers = {"retry-after": after} if after else {}
        return httpx.Response(429, json={"error": "slow down"}, headers=headers) if left[0] >= 0 else None

    run.service.before_submit = before


def broken_download(run: Run) -> None:
    """B10, B11: the clip's link drips, breaks off, announces far too much or nothing, before it works."""
    run.values = dict(run.dice.choice([LEONARDO, ONEMIN]))
    left = [run.dice.randint(1, 3)]
    fault = run.dice.choice(["cut", "five gigabytes", "refused", "404", "403", "empty", "shorter"])

    def download(request: httpx.Request, work: Work | None) -> httpx.Response | None:
        left[0] -= 1
        if left[0] < 0 or work is None:
            return None
        if fault == "refused":
            raise httpx.ConnectError("no")
        if fault in ("404", "403"):
            return httpx.Response(int(fault), stream=httpx.ByteStream(b"<Error/>"))
        content = film(work.shade)
        length = {"five gigabytes": 5 * 2**30, "shorter": len(content) + 5}.get(fault, len(content))
        parts = [b""] if fault == "empty" else [content[:99]] if fault == "cut" else [content]
        return httpx.Response(200, headers={"content-length": str(length)}, stream=_Pieces(parts, fault == "cut"))

    run.service.on_download = download


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, pieces: list[bytes], breaks: bool) -> None:
        self.pieces, self.breaks = pieces, breaks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.breaks:
            raise httpx.ReadError("gone")


def silent(run: Run) -> None:
    """B10: polls, and the list, are silent for ever or drip; after some of them the service answers again."""
    run.values = dict(run.dice.choice([LEONARDO, ONEMIN]))
    left, drips = [run.dice.randint(1, 3)], run.dice.random() < 0.5

    def answer(request: httpx.Request, work: Work | None) -> httpx.Response | None:
        left[0] -= 1
        return None if left[0] < 0 else httpx.Response(200, stream=_Silence(drips))

    run.service.on_poll = run.service.on_list = answer
    if run.dice.random() < 0.3:
        run.service.on_submit, run.service.hidden_lists = lost, 10**6


class _Silence(httpx.AsyncByteStream):
    def __init__(self, drips: bool) -> None:
        self.drips = drips

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.02 if self.drips else 10**6)
            yield b" "


HARDSHIPS = DECIDED | CAPPED | DAMAGED | LITTERED | LINED | PLUGGED | SET | hardships.HARDSHIPS
FORKING = ("A3", "A6", "B14", "B17", "B18")
KINDS: dict[str, Kind] = {
    "A1 somebody else's work in the list": someone_elses,
    "A1 a guess that turns out wrong": wrong_guess,
    "A4 a typed id": typed_id,
    "A5 a link that comes late": late_link,
    "A5 a link at another place": elsewhere,
    "A5 a record that is unknown for a while": null_record,
    "B10/B11 downloads that break": broken_download,
    "B15 a busy service": busy,
    "B16 a gateway after acceptance": gateway,
    "B10 silent and dripping polls": silent,
}


def hurry() -> None:
    """Let the whole time of a request be short, as nobody here waits for a minute."""
    with contextlib.suppress(ImportError):
        from vidnb.net import answers

        answers.READ_S = answers.ONCE_S = answers.SUBMIT_S = answers.OPEN_S = 0.3


async def outcome(kind: str, seed: int) -> Counter[str]:
    """What became of one run, counted at the service."""
    run, found = Run(seed), Counter[str](runs=1)
    rested = [0.0]

    async def rest(seconds: float) -> None:
        rested[0] += seconds
        await asyncio.sleep(0)

    # What it slept without sleeping, and what went by in between: a machine under load takes a second for anything.
    run.service.waited = lambda: rested[0] + time.monotonic()  # type: ignore[attr-defined]
    KINDS[kind](run)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        client = AsyncClient(Path(home) / "data", keys=KEYS, transport=run.service, sleep=rest)
        try:
            async with asyncio.timeout(HANGS_AFTER_S):
                path = await _to_the_end(client, run, typed=kind.startswith("A4"))
        except TimeoutError:
            path, found["hangs"] = None, 1
        except VidnbError:
            path = None
        ours = run.service.paid
        found["second payments"] = max(0, len(ours) - 1)
        content = path.read_bytes() if path is not None else b""
        found["lost or wrong clips"] = int(bool(ours) and content not in [film(work.shade) for work in ours])
        found["early POSTs"] = int(getattr(run.service, "too_early", False))
        with contextlib.suppress(Exception):
            await client.aclose()
    return found


async def _to_the_end(client: AsyncClient, run: Run, *, typed: bool) -> Path | None:
    """Do what a person would: call, call again, resume, then settle with the id from the web app."""
    for _ in range(MOST_CALLS):
        try:
            return (await client.generate("a koala", timeout_s=60, **run.values)).path
        except JobAmbiguousError as error:
            last = error.job
            for ours in run.service.paid:  # by the time of the next call the list has it, and the record is whole
                ours.hidden_lists = 0 if not typed and run.dice.random() < 0.5 else ours.hidden_lists
        except VidnbError:
            await _let(client.resume(timeout_s=60))
            last = client.jobs()[0]
    row = client.job(last)
    if row.state is State.AMBIGUOUS and run.service.paid:
        right = run.service.paid[0].id
        for wrong in ("", "   ", right[:-1] + ("0" if right[-1] != "0" else "1"), f"https://app/{right}", "../me"):
            if typed:
                await _let(client.settle(row, remote_id=wrong))
        for _ in range(MOST_CALLS + 1):  # the service may not answer at once
            if client.job(row).state is State.AMBIGUOUS:
                await _let(client.settle(row, remote_id=f" {right} "))
        return (await client.wait(row, timeout_s=60)).path
    return None


async def _let(call: Awaitable[Any]) -> None:
    with contextlib.suppress(VidnbError, ValueError, JobError):
        await call


@pytest.mark.anyio
@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
async def test_whatever_a_service_does_it_is_paid_once_and_the_clip_is_there(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind.startswith("B10 "):
        for name in ("READ_S", "ONCE_S", "SUBMIT_S", "OPEN_S"):
            monkeypatch.setattr(f"vidnb.net.answers.{name}", 0.3)
    total: Counter[str] = Counter()
    for seed in range(RUNS):
        total += await outcome(kind, seed)
    assert +total == Counter(runs=RUNS)


@pytest.mark.long
@pytest.mark.parametrize("kind", HARDSHIPS)
def test_whatever_becomes_of_process_folder_and_database_it_is_paid_once_and_the_clip_is_there(kind: str) -> None:
    if kind.startswith(FORKING) and not hasattr(os, "fork"):
        pytest.skip("this system does not fork")
    total: Counter[str] = Counter()
    for seed in range(FEW):
        total += HARDSHIPS[kind](seed)
    assert +total == Counter(runs=FEW)


def main(runs: int, wanted: str = "") -> None:
    """Print the table of all kinds."""
    columns = ("runs", "second payments", "lost or wrong clips", "caps passed", "hangs")
    print(f"{'kind':42}" + "".join(f"{column:>20}" for column in columns) + "   seconds  other", flush=True)
    for kind in [*HARDSHIPS, *KINDS]:
        if wanted in kind:
            if kind.startswith("B10 "):
                hurry()
            began, total = time.monotonic(), Counter[str]()
            for seed in range(runs):
                total.update(HARDSHIPS[kind](seed) if kind in HARDSHIPS else asyncio.run(outcome(kind, seed)))
            told = "".join(f"{total[column]:>20}" for column in columns)
            other = ", ".join(f"{count} {what}" for what, count in total.items() if count and what not in columns)
            print(f"{kind:42}{told}{time.monotonic() - began:10.0f}  {other}", flush=True)


if __name__ == "__main__":
    import logging

    logging.disable()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS, sys.argv[2] if len(sys.argv) > 2 else "")
