"""Several jobs at once: each is tried, and what went wrong is told together."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes import QUICK, emulated

import vidnb
from vidnb.emulator import Emulator, VirtualClock
from vidnb.records import State

pytestmark = pytest.mark.anyio


async def test_several_clips_come_in_the_order_of_their_jobs(tmp_path: Path) -> None:
    async with emulated(tmp_path) as client:
        jobs = [await client.submit("a koala", take=take, **QUICK) for take in (2, 0, 1)]
        clips = await client.wait([jobs[0], jobs[1].id, jobs[2]])
        assert [clip.job.id for clip in clips] == [job.id for job in jobs]
        assert [clip.path for clip in await client.wait(clips, quiet=True)] == [clip.path for clip in clips]
        assert await client.wait([]) == []


async def test_a_job_that_fails_leaves_the_others_their_clips(tmp_path: Path) -> None:
    async with emulated(tmp_path) as client:
        prompts = ("a koala", "a cat [fail]", "a dog", "a bird [fail]")
        jobs = [await client.submit(prompt, **QUICK) for prompt in prompts]
        with pytest.raises(vidnb.JobsError, match="2 of 4 jobs have no clip") as caught:
            await client.wait(jobs)
    error = caught.value
    assert [type(result) for result in error.results] == [
        vidnb.Clip, vidnb.JobFailedError, vidnb.Clip, vidnb.JobFailedError,
    ]  # fmt: skip
    assert list(error.errors) == [jobs[1].id, jobs[3].id]
    assert all(job.id[:8] in str(error) for job in (jobs[1], jobs[3]))
    assert not any(job.id[:8] in str(error) for job in (jobs[0], jobs[2]))
    assert str(pickle.loads(pickle.dumps(vidnb.JobsError("1 of 2", [1], {})))) == "1 of 2"


async def test_the_time_to_wait_is_that_of_all_together(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "emulator", latency_s=100, clock=VirtualClock())
    async with emulated(tmp_path, emulator) as client:
        jobs = [await client.submit("a koala", take=take, **QUICK) for take in range(3)]
        with pytest.raises(vidnb.JobsError, match="3 of 3 jobs have no clip") as caught:
            await client.wait(jobs, timeout_s=0.2)
        assert {type(result) for result in caught.value.results} == {vidnb.JobTimeoutError}
        assert all(client.job(job).is_moving for job in jobs)


@pytest.mark.parametrize("given", [[7], [None, "3f2a"], [b"3f2a"]])
async def test_what_is_no_job_is_refused_before_anything_is_done(tmp_path: Path, given: list[object]) -> None:
    async with emulated(tmp_path) as client:
        with pytest.raises(vidnb.ConfigError, match="is no job: give jobs, clips, or ids"):
            await client.wait(given)  # type: ignore[call-overload]
        with pytest.raises(vidnb.ConfigError, match="is no job"):
            await client.cancel(given)  # type: ignore[call-overload]
        with pytest.raises(vidnb.StoreError, match="no job starts with"):
            await client.wait(["ffff"])


async def test_several_are_cancelled_and_those_that_cannot_be_are_named(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "emulator", latency_s=100, clock=VirtualClock())
    async with emulated(tmp_path, emulator, max_in_flight=1) as client:
        sent = await client.submit("a koala", **QUICK)
        async for row in client.watch(sent):
            if row.remote_id is not None:
                break
        waiting = [await client.submit("a koala", take=take, **QUICK) for take in (1, 2)]
        rows = await client.cancel(waiting)
        assert [(row.id, row.state) for row in rows] == [(job.id, State.CANCELLED) for job in waiting]
        another = await client.submit("a cat", **QUICK)
        with pytest.raises(vidnb.JobsError, match="1 of 3 jobs were not cancelled") as caught:
            await client.cancel([another, sent, waiting[0]])
        assert list(caught.value.errors) == [sent.id]
        assert client.job(another).state is State.CANCELLED


SCRIPT = """
import sys, vidnb
from vidnb.emulator import Emulator, VirtualClock
emulator = Emulator(sys.argv[1] + "/emulator", latency_s=100, clock=VirtualClock())
client = vidnb.Client(sys.argv[1], emulator=emulator)
values = dict(model="leonardo/google/gemini-omni-1.1-flash-preview", width_px=640, height_px=360, duration_s=3)
jobs = [client.submit("a koala", take=take, **values) for take in range(5)]
print("waiting", flush=True)
client.wait(jobs)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_an_interrupted_script_prints_one_line_and_ends_as_interrupted(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "waiting"
    time.sleep(3)  # it says so just before it waits
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=120)
    lines = [line for line in said.splitlines() if line.strip()]
    assert len(lines) == 1, said
    assert lines[0].startswith("KeyboardInterrupt: stopped waiting.")
    assert child.returncode == -signal.SIGINT


CELL = """
import os, signal, sys, threading
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell()
shell.user_ns["sys"] = sys
shell._showtraceback = lambda kind, error, lines: print(*lines, sep="\\n", flush=True)
first, second = sys.argv[2].strip().rsplit("\\n", 1)
shell.run_cell(first)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
shell.run_cell(second)
shell.run_cell("client.close()")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_an_interrupted_cell_shows_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CELL, str(tmp_path), SCRIPT], capture_output=True, text=True, timeout=120, check=True
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "waiting"
    assert len(lines) == 2, done.stdout
    assert lines[1].startswith("KeyboardInterrupt: stopped waiting.")
