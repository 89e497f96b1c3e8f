"""A forked child is a process of its own: it pays for its own jobs, and leaves the parent's alone."""

from __future__ import annotations

import asyncio
import builtins
import importlib
import multiprocessing
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from counting import VALUES, CountingService
from fakes import ONEMIN, QUICK

import vidnb
from vidnb import forking
from vidnb.emulator import Emulator
from vidnb.media import given

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingService]:
    with CountingService().serving() as service:
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)
        yield service


def in_a_fork(call: Callable[[], object]) -> str:
    """What the call returns in a forked child, as text."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of each fork with threads
        pid = os.fork()
    if pid == 0:
        try:
            said = str(call())
        except BaseException as error:  # noqa: BLE001  # the parent asserts what it was
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said


def sent(client: vidnb.Client, prompt: str) -> vidnb.Job:
    """The row of a job once the service has it."""
    for row in client.watch(client.submit(prompt, **VALUES)):
        if row.remote_id is not None:
            return row
    raise AssertionError("it ended")


def test_a_child_pays_once_for_its_own_job_and_the_parent_goes_on(service: CountingService, tmp_path: Path) -> None:
    with vidnb.Client(tmp_path) as client:
        sent(client, "before")
        child = [in_a_fork(lambda n=n: sent(client, f"child {n}").remote_id) for n in range(3)]
        assert child == ["gen-2", "gen-3", "gen-4"]
        assert sent(client, "after").remote_id == "gen-5"
        assert sorted(service.prompts) == ["after", "before", "child 0", "child 1", "child 2"]
        assert {job.remote_id for job in client.jobs()} == {f"gen-{n}" for n in range(1, 6)}, "no job without an id"


def test_a_fork_inside_a_coroutine_is_told_that_the_loop_is_its_parents(
    service: CountingService, tmp_path: Path
) -> None:
    async def both() -> tuple[str, str | None]:
        async with vidnb.AsyncClient(tmp_path) as client:
            job = await client.submit("before", **VALUES)
            child = in_a_fork(lambda: client.generate("child", **VALUES).send(None))
            async for row in client.watch(job):
                if row.remote_id is not None:
                    return child, row.remote_id
        raise AssertionError("it ended")

    child, remote_id = asyncio.run(both())
    assert child.startswith("ConfigError: this process was forked inside a coroutine")
    assert (remote_id, service.prompts) == ("gen-1", ["before"])


def test_a_child_that_asks_for_the_parents_recipe_does_not_pay_for_it(service: CountingService, tmp_path: Path) -> None:
    with vidnb.Client(tmp_path) as client:
        first = sent(client, "a koala")
        assert in_a_fork(lambda: client.submit("a koala", **VALUES).id) == first.id
    assert service.prompts == ["a koala"]


def test_parent_and_child_race_for_one_recipe_and_one_pays(service: CountingService, tmp_path: Path) -> None:
    with vidnb.Client(tmp_path) as client:
        client.jobs()
        context = multiprocessing.get_context("fork")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            children = [context.Process(target=sent, args=(client, "a koala")) for _ in range(3)]
            for child in children:
                child.start()
        sent(client, "a koala")
        for child in children:
            child.join()
        assert [child.exitcode for child in children] == [0, 0, 0]
    assert service.prompts == ["a koala"]


def test_a_child_has_a_name_of_its_own_for_its_leases(service: CountingService, tmp_path: Path) -> None:
    with vidnb.Client(tmp_path) as client:
        mine = sent(client, "a koala").lease_owner
        theirs = in_a_fork(lambda: sent(client, "a cat").lease_owner)
    assert mine is not None
    assert theirs.split("/")[:3] == mine.split("/")[:3]
    assert theirs.split("/")[3:] != mine.split("/")[3:]


def test_what_a_child_spends_counts_against_the_cap_of_its_client(service: CountingService, tmp_path: Path) -> None:
    with vidnb.Client(tmp_path, budget_jobs=1) as client:
        sent(client, "a koala")
        assert in_a_fork(lambda: client.submit("a cat", **VALUES)).startswith("BudgetError: Nothing was sent")
    assert service.prompts == ["a koala"]


@pytest.mark.parametrize("values", [QUICK, ONEMIN])
def test_a_child_renders_with_an_emulator_of_its_own(tmp_path: Path, values: dict[str, object]) -> None:
    with Emulator(tmp_path / "emulator", speed=1000.0) as emulator, vidnb.Client(tmp_path, emulator=emulator) as client:
        clip = client.generate("a koala", **values)
        assert in_a_fork(lambda: client.generate("a koala", **values).job.id) == clip.job.id
        assert in_a_fork(lambda: client.generate("a cat", **values).job.state) == "done"
        assert client.generate("a dog", **values).job.state == "done"
        assert emulator.stats()["jobs"] == 3


def test_a_fork_from_vidnbs_own_loop_is_a_process_of_its_own_too(service: CountingService, tmp_path: Path) -> None:
    from vidnb.client import loop

    with vidnb.Client(tmp_path) as client:

        async def fork() -> str:
            await asyncio.sleep(0)
            return in_a_fork(lambda: sent(client, "a koala").remote_id)

        assert loop.run_sync(fork()) == "gen-1"
    assert service.prompts == ["a koala"]


def test_a_child_that_ends_as_a_script_does_leaves_the_parents_things(service: CountingService, tmp_path: Path) -> None:
    script = f"""
import os, warnings
warnings.simplefilter("ignore")
import vidnb
from vidnb import forking
client = vidnb.Client({str(tmp_path)!r})
job = client.submit("a koala", model="leonardo/motion_2.0")
for row in client.watch(job):
    if row.remote_id:
        break
if os.fork() == 0:
    print("child", len(client.jobs()), flush=True)
    raise SystemExit(0)
os.wait()
for row in client.watch(client.submit("a cat", model="leonardo/motion_2.0")):
    if row.remote_id:
        break
print("parent", len(client.jobs()), flush=True)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout.split() == ["child", "1", "parent", "2"], done.stderr
    assert "Traceback" not in done.stderr
    assert service.prompts == ["a koala", "a cat"]


def test_a_fork_in_the_middle_of_a_call_that_does_not_end_leaves_a_child_that_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidnb.forking.WAIT_S", 0.1)
    with vidnb.Client(tmp_path) as client:
        client.jobs()
        begun, over = threading.Event(), threading.Event()

        def long_call() -> None:
            with forking.crossing.inside():
                begun.set()
                over.wait()

        thread = threading.Thread(target=long_call)
        thread.start()
        begun.wait()
        assert in_a_fork(client.jobs).startswith("StoreError: this process was forked while another thread")
        over.set()
        thread.join()
        assert client.jobs() == [], "the parent goes on"
        assert in_a_fork(client.jobs) == "[]"


def test_a_child_may_read_an_open_file_although_its_parent_read_one_at_the_fork() -> None:
    with given.reading():
        assert in_a_fork(lambda: given.reading().acquire(timeout=5.0)) == "True"


def test_a_fork_waits_for_what_another_thread_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_to_import.py").write_text("import time\nSTARTED.set()\ntime.sleep(0.5)\nVALUE = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    started = threading.Event()
    monkeypatch.setattr(builtins, "STARTED", started, raising=False)
    thread = threading.Thread(target=importlib.import_module, args=("slow_to_import",))
    thread.start()
    assert started.wait(60)
    assert in_a_fork(lambda: importlib.import_module("slow_to_import").VALUE) == "7"
    thread.join()
    assert in_a_fork(lambda: importlib.import_module("slow_to_import").VALUE) == "7"


def test_a_fork_in_an_import_that_does_not_end_leaves_a_child_that_refuses(
    service: CountingService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "never_imported.py").write_text("STARTED.set()\nMAY_END.wait(60)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(forking, "IMPORT_S", 0.1)
    started, may_end = threading.Event(), threading.Event()
    monkeypatch.setattr(builtins, "STARTED", started, raising=False)
    monkeypatch.setattr(builtins, "MAY_END", may_end, raising=False)
    thread = threading.Thread(target=importlib.import_module, args=("never_imported",))
    thread.start()
    assert started.wait(60)
    with vidnb.Client(tmp_path / "data") as client:
        assert in_a_fork(lambda: client.submit("a koala", **VALUES)).startswith("StoreError")
        may_end.set()
        thread.join()
        assert sent(client, "a koala").remote_id == "gen-1"
    assert service.prompts == ["a koala"]
