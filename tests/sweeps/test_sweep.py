"""A sweep: planned without sending, run under a cap, run again at no cost, shared by kernels."""

from __future__ import annotations

import asyncio
import io
import re
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from databases import database, postgres_server
from fakes import QUICK, EmulatorBehind, emulated, picture, short_rest
from rich.console import Console
from sqlalchemy import Connection, event
from sweeping import posts, quick, watched

import vidnb
from vidnb.cli import sweep as sweep_command
from vidnb.client.asynchronous import AsyncClient
from vidnb.emulator import Emulator, VirtualClock
from vidnb.errors import ConfigError, ParamsError
from vidnb.records import JOBS_UNIT, State
from vidnb.store import Store
from vidnb.store.sweeps import SweepRows
from vidnb.sweeps import showing
from vidnb.sweeps.outlook import Group
from vidnb.sweeps.running import RunProgress

__all__ = ["database", "postgres_server"]  # fixtures

pytestmark = pytest.mark.anyio


async def test_a_plan_sends_nothing_and_says_what_is_to_come(tmp_path: Path) -> None:
    emulator, recorders = watched(tmp_path)
    async with emulated(tmp_path, emulator) as client:
        sweep = vidnb.sweep(**quick(3), client=client)
        assert "3 to run" in repr(sweep)
        assert "<b>3</b> to run" in sweep._repr_html_()
        assert posts(recorders) == 0
        assert client.store.jobs() == []


async def test_a_sweep_is_run_and_the_same_sweep_again_sends_nothing(tmp_path: Path) -> None:
    emulator, recorders = watched(tmp_path)
    async with emulated(tmp_path, emulator) as client:
        progress = await vidnb.sweep(**quick(5), client=client).run_async()
        assert (progress.word, progress.counts()) == ("done", {Group.DONE: 5})
        assert posts(recorders) == 5
    async with emulated(tmp_path, emulator) as client:  # as after a restart of the kernel
        sweep = vidnb.sweep(**quick(5), client=client)
        await sweep.run_async()
        assert posts(recorders) == 5
        assert len(sweep.history) == 5
        grown = sweep.with_(prompt=[f"koala {n}" for n in range(3, 8)])
        assert (grown.outlook.counts[Group.DONE], grown.outlook.to_send) == (2, 3)
        await grown.run_async()
        assert posts(recorders) == 8
        assert sorted(set(grown.df.prompt)) == [f"koala {n}" for n in range(3, 8)]
        assert grown.purse == sweep.purse


async def test_a_grown_sweep_keeps_to_the_cap_that_was_raised_meanwhile_unless_it_is_given_its_own(
    tmp_path: Path,
) -> None:
    async with emulated(tmp_path) as client:
        sweep = vidnb.sweep(**quick(3, budget_jobs=3), client=client)
        assert sweep.with_(takes=2).held_caps == {"JOBS": 3.0}
        sweep.budget(jobs=9)
        assert sweep.with_(takes=2).held_caps == {"JOBS": 9.0}
        assert sweep.with_(takes=2, budget_jobs=5).held_caps == {"JOBS": 5.0}


async def test_the_data_frame_has_a_column_for_each_part_of_the_prompt(tmp_path: Path) -> None:
    async with emulated(tmp_path) as client:
        sweep = vidnb.sweep("a {animal} walks", animal=["koala", "heron"], **QUICK, client=client)
        await sweep.run_async()
        assert dict(zip(sweep.df.animal, sweep.df.prompt, strict=True)) == {
            "koala": "a koala walks", "heron": "a heron walks",
        }  # fmt: skip


async def test_its_clips_are_compared_by_a_part_of_the_prompt(tmp_path: Path) -> None:
    async with emulated(tmp_path) as client:
        axes = {"animal": ["koala", "heron"], "place": ["snow", "city"], "seeds": [1, 2]}
        sweep = vidnb.sweep("a {animal} in the {place}", **axes, client=client)
        await sweep.run_async()
        grid = sweep.compare(rows="seed", cols=["animal", "place"]).grid
    heads = [
        "animal koala · place snow",
        "animal koala · place city",
        "animal heron · place snow",
        "animal heron · place city",
    ]
    assert sorted(map(str, grid.columns)) == sorted(heads)
    assert [str(row) for row in grid.rows] == ["seed 1", "seed 2"]
    for cell in grid.cells:
        assert cell.job is not None
        column = grid.columns[cell.column].values
        assert cell.job.prompt == f"a {column['animal']} in the {column['place']}"


async def test_without_a_budget_a_hundred_jobs_are_sent_and_it_is_said_how_to_lift_that(tmp_path: Path) -> None:
    async with emulated(tmp_path) as client:
        sweep = vidnb.sweep(**quick(101) | {"budget_jobs": None}, client=client)
        assert "at most 100 jobs by default; budget_jobs=101 or budget_usd=... lifts that" in repr(sweep)
        sweep.prepare()
        assert client.ledger.purse_caps(sweep.purse) == {JOBS_UNIT: 100}


async def test_a_sweep_never_passes_its_cap_and_goes_on_when_it_is_raised(tmp_path: Path) -> None:
    emulator, recorders = watched(tmp_path)
    async with emulated(tmp_path, emulator) as client:
        sweep = vidnb.sweep(**quick(6, budget_jobs=4), client=client)
        progress = await sweep.run_async()
        assert progress.word == "budget"
        assert "would pass the cap of 4 jobs" in progress.why
        assert f"vidnb.budget({sweep.purse!r}, jobs=...)" in progress.why
        assert (posts(recorders), progress.counts()[Group.NEW]) == (4, 2)
        async with asyncio.timeout(30):
            assert [event async for event in sweep.events(0.02)] == []  # nobody sends the other two
        assert (await asyncio.to_thread(sweep.wait)).word == "stopped"
        sweep.budget(jobs=6)
        assert (await sweep.run_async()).word == "done"
        assert posts(recorders) == 6


class Holding(httpx.AsyncBaseTransport):
    """A way to the service on which POSTs wait for a word."""

    def __init__(self, below: httpx.AsyncBaseTransport, came: asyncio.Event, go: asyncio.Event) -> None:
        self.below, self.came, self.go = below, came, go

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.came.set()
            await self.go.wait()
        return await self.below.handle_async_request(request)


@pytest.mark.parametrize(
    ("cap", "why"),
    [
        ({"budget_jobs": 1}, "What is held for it and not charged makes room under the cap of 1 job of"),
        (
            {"budget_usd": 5},
            "Nobody knows its price before it ends, nor that of the next clip, and such jobs go one at a time under "
            "the cap of $5.00 of",
        ),
    ],
)
async def test_what_another_sweep_holds_of_a_shared_purse_is_waited_for_and_said(
    tmp_path: Path, cap: dict[str, float], why: str
) -> None:
    came, go, told = asyncio.Event(), asyncio.Event(), set()
    holding = EmulatorBehind(
        tmp_path / "emulator", lambda below: Holding(below, came, go), speed=1000.0, faults=["moderation:submit:1"]
    )
    async with emulated(tmp_path, holding) as other, emulated(tmp_path, holding) as client:
        options = {**QUICK, "purse": "lab", **cap}
        first = vidnb.sweep("a heron", **options, client=other)
        running = asyncio.create_task(first.run_async())
        await came.wait()

        def note(progress: RunProgress, places: list[int]) -> None:
            told.add((progress.word, progress.why))
            if progress.word == "waiting":
                go.set()

        async with asyncio.timeout(60):
            progress = await vidnb.sweep("a koala", **options, client=client).run_async(on_change=note)
            await running
        assert (progress.word, progress.why, progress.counts()[Group.DONE]) == ("done", "", 1)
        assert ("waiting", f"Job {first.history.jobs[0].id[:8]} is on its way. {why} the purse 'lab'") in told


async def test_nothing_is_sent_while_a_combination_is_refused(tmp_path: Path) -> None:
    emulator, recorders = watched(tmp_path)
    async with emulated(tmp_path, emulator) as client:
        values = quick(1, model=[QUICK["model"], "1min/leonardo-motion"])
        sweep = vidnb.sweep(**values, client=client)
        with pytest.raises(ParamsError, match=r"1 cell of 1min/leonardo-motion: .*does not have this param"):
            await sweep.run_async()
        assert posts(recorders) == 0
        kept = sweep.with_(unsupported="skip")
        assert (await kept.run_async()).counts() == {Group.DONE: 1}


async def test_what_failed_is_grouped_by_cause_and_one_cause_is_sent_again(tmp_path: Path) -> None:
    emulator, recorders = watched(tmp_path, faults=["failed:2"])
    async with emulated(tmp_path, emulator) as client:
        sweep = vidnb.sweep(**quick(4), client=client)
        await sweep.run_async()
        (cause,) = sweep.outlook.causes
        assert (len(cause.jobs), cause.group) == (2, Group.THEIRS)
        await sweep.run_async()  # what the service gave up is not sent again by itself
        assert posts(recorders) == 4
        with pytest.raises(ConfigError, match="there is no cause 'nonsense'"):
            sweep.retry("nonsense")
        assert sweep.retry(cause.name) == 2
        assert (await sweep.run_async()).counts() == {Group.DONE: 4}
        assert posts(recorders) == 6


async def test_two_kernels_share_a_sweep_and_send_each_recipe_once(tmp_path: Path) -> None:
    emulator, recorders = watched(tmp_path)
    async with emulated(tmp_path, emulator) as one, AsyncClient(tmp_path, emulator=emulator) as other:
        sweeps = [vidnb.sweep(**quick(30), client=client) for client in (one, other)]
        ends = await asyncio.gather(*(sweep.run_async() for sweep in sweeps))
        assert [end.counts()[Group.DONE] for end in ends] == [30, 30]
        assert posts(recorders) == 30


async def test_a_pause_sends_no_more_and_a_stop_ends_the_run(tmp_path: Path) -> None:
    emulator, recorders = watched(tmp_path)
    async with emulated(tmp_path, emulator, max_in_flight=1) as client:
        sweep = vidnb.sweep(**quick(12), client=client)
        words: list[str] = []

        def note(progress: Any, places: list[int]) -> None:
            words.append(progress.word)
            if progress.counts()[Group.DONE] >= 1 and "pausing" not in words and "paused" not in words:
                sweep.pause()
            if words[-1] == "paused" and "running" not in words[words.index("paused") :]:
                sent.append(posts(recorders))
                sweep.stop()

        sent: list[int] = []
        progress = await sweep.run_async(on_change=note)
        assert "paused" in words
        assert progress.word == "stopped"
        assert posts(recorders) == sent[0] < 12
        assert (await sweep.run_async()).counts() == {Group.DONE: 12}
        assert posts(recorders) == 12


async def test_who_begins_a_stopped_sweep_again_tells_how_it_stands_and_the_stopped_run_ends(tmp_path: Path) -> None:
    clock = VirtualClock()  # jobs that are sent stand still until it is moved
    emulator = Emulator(tmp_path / "emulator", clock=clock)
    async with emulated(tmp_path, emulator, max_in_flight=1, sleep=short_rest) as client:
        sweep = vidnb.sweep(**quick(16), client=client)
        told: list[tuple[str, str]] = []
        stopped, begun = asyncio.Event(), asyncio.Event()

        def first(progress: RunProgress, _: list[int]) -> None:
            told.append(("first", progress.word))
            if progress.counts()[Group.UNFINISHED] and progress.word == "running":
                sweep.stop()
            if progress.word == "stopped":
                stopped.set()

        def second(progress: RunProgress, _: list[int]) -> None:
            told.append(("second", progress.word))
            begun.set()

        before = asyncio.create_task(sweep.run_async(on_change=first))
        await asyncio.wait_for(stopped.wait(), 60)
        after = asyncio.create_task(sweep.run_async(on_change=second))
        await asyncio.wait_for(begun.wait(), 60)
        for run in (before, after):
            while not run.done():
                clock.advance(60)
                await asyncio.sleep(0.02)
            assert run is after or not after.done(), "the stopped run saw off its own jobs only"
        assert before.result().word == "stopped"
        assert after.result().counts() == {Group.DONE: 16}
        assert ("first", "stopped") not in told[told.index(("second", "running")) :]


def test_seeds_are_sent_in_breadth_unless_another_order_is_asked_for() -> None:
    def order(sweep: vidnb.Sweep) -> list[int]:
        return [cell.at[1] for cell in sorted(sweep.plan.cells, key=lambda cell: sweep.positions[cell.job or 0])]

    sweep = vidnb.sweep(["koala", "heron"], seeds=2)
    assert order(sweep) == [0, 0, 1, 1]
    assert order(sweep.with_(order="given")) == [0, 1, 0, 1]


def test_an_interrupt_prints_one_line_and_loses_nothing(tmp_path: Path) -> None:
    code = """
        import IPython, os, signal, threading, time, vidnb
        shell = IPython.core.interactiveshell.InteractiveShell.instance()
        shell.run_cell('''import vidnb; s = vidnb.sweep(["koala %d" % n for n in range(40)], budget_jobs=40,
            model="leonardo/google/gemini-omni-1.1-flash-preview", width_px=640, height_px=360, duration_s=3)''')
        def interrupt():
            while not vidnb.jobs(state=["running", "queued"]):
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=interrupt, daemon=True).start()
        shell.run_cell("s.run()")
        print("LEFT", len(vidnb.jobs(limit=None)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    said, _, left = done.stdout.partition("LEFT")
    assert "on their way and are kept. s.run() goes on." in said or "1 is on its way" in said, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert len(said.strip().splitlines()) == 1
    assert 0 < int(left) < 40


def test_three_interrupts_of_a_script_print_one_line(tmp_path: Path) -> None:
    code = """
        import os, signal, threading, time, vidnb
        def interrupt():
            while not vidnb.jobs(state=["running", "queued"]):
                time.sleep(0.05)
            for _ in range(3):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.05)
        threading.Thread(target=interrupt, daemon=True).start()
        vidnb.sweep(["koala %d" % n for n in range(40)], budget_jobs=40, width_px=640, height_px=360, duration_s=3,
                    model="leonardo/google/gemini-omni-1.1-flash-preview").run()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    (line,) = done.stderr.strip().splitlines()
    assert re.fullmatch(r"Interrupted: .* on (their|its) way.*\. s\.run\(\) goes on\.", line)
    with closing(Store(tmp_path / "vidnb-data")) as store:
        assert not {State.FAILED, State.CANCELLED} & set(store.states())


def test_a_narrow_terminal_shows_the_bar_and_all_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=40)
    monkeypatch.setattr(sweep_command, "console", lambda **_: screen)
    progress = RunProgress([None] * 30, "budget", "1 job more would pass the cap (vidnb.budget('mine', jobs=...)).")
    with sweep_command._display(vidnb.sweep("a koala", takes=30)) as draw:
        draw(progress)
    told = " ".join(re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]", " ", screen.file.getvalue()).split())  # type: ignore[attr-defined]
    assert "0/30" in told
    assert "1 job more would pass the cap (vidnb budget mine --jobs ...). · 30 to run" in told


def test_claims_are_one_a_cell_in_every_database(database: str, tmp_path: Path) -> None:
    with closing(Store(database)) as store:
        client = AsyncClient(tmp_path, database_url=database)
        sweep = vidnb.sweep(**quick(5), client=client)
        sweep.prepare()
        rows = SweepRows(store)
        base_url = sweep.plan.jobs[0].base_url
        assert rows.left(sweep.id) == {base_url: 5}
        prompts = []
        places = {job.key: job for job in sweep.plan.jobs}

        def make(cell: Any) -> Any:
            planned = places[cell["base_url"], cell["recipe_hash"], cell["take"]]
            return client.claimed(planned.row(sweep.purse, client.clock.utc()))

        while (claimed := rows.claim(sweep.id, base_url, make)) is not None:
            job, is_new = claimed
            assert is_new
            prompts.append(job.params["prompt"])
        assert prompts == [f"koala {n}" for n in range(5)]
        assert rows.left(sweep.id) == {}
        standings = rows.standings([job.key for job in sweep.plan.jobs])
        assert [standing and standing.state for standing in standings] == [State.INTENDED] * 5
        assert sorted(job.prompt for job in sweep.history.jobs) == [f"koala {n}" for n in range(5)]
        asyncio.run(client.aclose())


def test_how_a_sweep_stands_is_looked_up_by_recipe_so_that_large_sweeps_stay_quick(tmp_path: Path) -> None:
    steps: list[str] = []
    with closing(Store(tmp_path)) as store:

        @event.listens_for(store._engine, "after_cursor_execute")
        def explain(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
            if "JOIN jobs" in statement:
                plan = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
                steps.extend(step for *_, step in plan)

        SweepRows(store).standings([("https://service", "0" * 64, 0)])
    searches = [step for step in steps if " jobs " in step]
    assert len(searches) == 3
    # Any other column is the same for many jobs, each of which would then be read for each job of the sweep; and so is
    # the recipe itself in a sweep of takes.
    assert all("(recipe_hash=? AND take=?" in step or "(seeded_hash=?" in step for step in searches), searches


async def test_events_tell_what_happens_to_each_job_until_none_is_on_its_way(tmp_path: Path) -> None:
    async with emulated(tmp_path) as client:
        sweep = vidnb.sweep("a {animal} walks", animal=["koala", "heron"], **QUICK, client=client)
        sweep.prepare()

        async def told(rest_s: float) -> list[tuple[str, State]]:
            found = []
            async for event in sweep.events(0.02):
                found.append((event.values["animal"], event.state))
                await asyncio.sleep(rest_s)
            return found

        left_early = asyncio.create_task(told(0))
        listening = [asyncio.create_task(told(rest_s)) for rest_s in (0, 0.1)]
        running = asyncio.create_task(sweep.run_async())
        async for _ in sweep.events(0.02):
            left_early.cancel()
            break
        for events in await asyncio.gather(*listening):
            assert {animal for animal, state in events if state is State.DONE} == {"koala", "heron"}
        assert (await running).word == "done"
        assert left_early.cancelled()
        with pytest.raises(ConfigError, match="timeout_s=nan: give a number of seconds"):
            sweep.wait(float("nan"))


def test_a_file_is_run_on_the_command_line_and_the_same_command_again_sends_nothing(tmp_path: Path) -> None:
    (tmp_path / "start.png").write_bytes(picture(640, 360))
    (tmp_path / "koala.toml").write_text(
        'prompt = "a {mood} {animal} walks"\nstart_image = "start.png"\nwhere = "animal != \'cat\'"\n'
        f'model = "{QUICK["model"]}"\nduration_s = 3\n[zipped]\nanimal = ["koala", "cat"]\nmood = ["calm", "wild"]\n'
    )

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "vidnb", "sweep", str(tmp_path / "koala.toml"), *words], capture_output=True,
            text=True, timeout=120, cwd=tmp_path,
        )  # fmt: skip

    planned = command("--plan")
    assert (planned.returncode, "1 to run" in planned.stderr) == (0, True), planned.stderr
    assert "at most $2.00" in command("--plan", "--budget", "2").stderr
    assert "at most 500 credits of 1min" in command("--plan", "--credits", "1min=500").stderr
    assert command("--budget", "2").returncode == 0
    assert "All were made before: nothing to pay" in command("--plan").stderr
    (tmp_path / "koala.toml").write_text('prompt = "a koala"\n\nseeds = "8"')
    assert "koala.toml, line 3: seeds='8': give how many seeds" in command().stderr
    (tmp_path / "koala.toml").write_text("prompt = [")
    assert (command().returncode, "is no TOML" in command().stderr) == (2, True)
    (tmp_path / "koala.toml").write_bytes('prompt = "für"'.encode("latin-1"))
    assert (command().returncode, "is not written in UTF-8" in command().stderr) == (2, True)
    (tmp_path / "koala.toml").write_text('prompt = "a koala"', encoding="utf-8-sig")  # as editors on Windows write it
    assert command("--plan").returncode == 0


def test_a_budget_in_money_that_cannot_hold_for_an_unknown_price_is_said_in_the_plan(tmp_path: Path) -> None:
    client = AsyncClient(tmp_path, keys={"leonardo": "c0ffee00-dead-4bee-8f00-0123456789ab"})
    sweep = vidnb.sweep("a koala", seeds=2, budget_usd=5, client=client)
    assert "Nobody knows the price of 2 jobs before they are sent" in repr(sweep)
    assert "add budget_jobs=..." in repr(sweep)
    assert "Nobody knows" not in repr(sweep.with_(budget_jobs=2))
    asyncio.run(client.aclose())


def test_a_plan_tells_each_currency_and_how_many_have_no_known_price(tmp_path: Path) -> None:
    models = ["leonardo/motion_2.0", "1min/luma", "1min/pika", "runway/gen4.5", "openrouter/google/veo-3.1-fast"]
    with vidnb.Client(tmp_path) as client:
        sweep = vidnb.sweep("a koala", model=models, budget_usd=20, client=client)
        would = (
            "the services would take ≈ 600,000 credits of 1min + 60 credits of runway + $0.64; no price is published "
            "for 2 jobs, the emulator books one of its own"
        )
        assert would in repr(sweep)
        assert would in sweep._repr_html_()
        assert "Jobs that are paid in credits of runway are not sent, as no cap holds for them" in repr(sweep)
        assert "add --credits runway=... or --jobs ..." in "\n".join(showing.lines(sweep, of_command=True))
        assert "not sent, as" not in repr(sweep.with_(budget_jobs=9))
        lifted = vidnb.sweep("a koala", budget_credits={"1min": None}, client=client)
        assert "at most 100 jobs by default" in repr(lifted)  # as nothing else bounds it


async def test_a_clip_whose_file_was_deleted_for_good_is_to_be_run_again(tmp_path: Path) -> None:
    emulator, recorders = watched(tmp_path)
    async with emulated(tmp_path, emulator) as client:
        sweep = vidnb.sweep(**quick(2), client=client)
        await sweep.run_async()
        one = sweep.history.where(prompt="koala 0")
        one.trash()
        assert sweep.outlook.to_send == 0  # it can still be restored
        client.history(trashed=True).purge()
        assert sweep.outlook.to_send == 1
        await sweep.run_async()
        assert (posts(recorders), sweep.outlook.to_send) == (3, 0)
