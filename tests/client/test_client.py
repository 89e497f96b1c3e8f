"""The verbs: three faces of the same thing, usable from a cell, a script, a thread and a callback."""

from __future__ import annotations

import ast
import asyncio
import doctest
import gc
import inspect
import os
import signal
import subprocess
import sys
import textwrap
import threading
import weakref
from pathlib import Path

import pytest
from fakes import QUICK
from PIL import Image
from stubs import stubs

import vidnb
from vidnb.client import loop
from vidnb.client.asynchronous import AsyncClient
from vidnb.client.names import VERBS
from vidnb.client.verbs import Client
from vidnb.emulator import Emulator
from vidnb.errors import ConfigError, JobTimeoutError
from vidnb.records import State


def without_self(function: object) -> list[tuple[str, object, object]]:
    parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    return [(p.name, p.default, p.annotation) for p in parameters if p.name != "self"]


@pytest.mark.parametrize("verb", VERBS)
def test_the_faces_of_a_verb_have_one_signature_and_one_docstring(verb: str) -> None:
    asynchronous, sync, function = getattr(AsyncClient, verb), getattr(Client, verb), getattr(vidnb, verb)
    assert without_self(asynchronous) == without_self(sync) == without_self(function)
    assert asynchronous.__doc__ == sync.__doc__ == function.__doc__
    assert function.__name__ == verb


def test_what_is_written_of_the_verbs_for_type_checkers_is_up_to_date() -> None:
    old = [path.name for path, text in stubs().items() if path.read_text(encoding="utf-8") != text]
    assert old == [], "run python tests/support/stubs.py"


def test_a_verb_that_is_written_in_the_async_client_comes_with_its_other_faces() -> None:
    code = (
        "from vidnb.client.asynchronous import AsyncClient\n"
        "async def shout(self, text: str = 'koala') -> str:\n"
        "    'The text, louder.'\n"
        "    return text.upper()\n"
        "AsyncClient.shout = shout\n"
        "from vidnb.client import verbs\n"
        "print(verbs.Client().shout('a'), verbs.shout(), verbs.shout.__doc__)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "A KOALA The text, louder.\n"


def test_what_is_exported_is_what_exists() -> None:
    assert sorted(vidnb.__all__) == vidnb.__all__
    for name in vidnb.__all__:
        assert getattr(vidnb, name) is not None
    assert set(vidnb.__all__) == set(vidnb._MODULE_OF)


def test_what_runs_in_the_background_is_kept_though_nobody_holds_it() -> None:
    found: list[weakref.ref[asyncio.Task[None]]] = []
    waits = threading.Event()

    async def wait() -> None:
        task = asyncio.current_task()
        assert task is not None
        found.append(weakref.ref(task))
        asyncio.get_running_loop().call_soon(waits.set)
        await asyncio.get_running_loop().create_future()

    loop.spawn(wait())
    assert waits.wait(10)
    gc.collect()
    task = found[0]()
    assert task is not None
    loop.loop().call_soon_threadsafe(task.cancel)


def test_a_part_that_is_no_name_of_vidnb_itself_is_reached_through_its_module() -> None:
    code = "import vidnb; print(vidnb.widgets.ModelPicker.__name__, vidnb.display.recipe_code.__name__)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "ModelPicker recipe_code\n"


def test_every_exported_name_says_what_it_is() -> None:
    assert [name for name in vidnb.__all__ if not (getattr(vidnb, name).__doc__ or "").strip()] == []


CLASSES = [
    "AsyncClient", "Client", "Clip", "Expectation", "Form", "History", "Player", "Progress", "Quote", "Recent",
    "Studio",
]  # fmt: skip


@pytest.mark.parametrize("name", [*VERBS, "model", "models", *CLASSES])
def test_every_verb_and_class_shows_how_it_is_used(name: str) -> None:
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(getattr(vidnb, name)) or "")
    assert examples
    for example in examples:
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        used = ast.walk(compile(example.source, name, "exec", flags | ast.PyCF_ONLY_AST))
        named = {n.attr for n in used if isinstance(n, ast.Attribute) and ast.unparse(n.value) == "vidnb"}
        assert named <= {*vidnb.__all__, "widgets"}


def test_importing_vidnb_loads_nothing_heavy() -> None:
    heavy = {"httpx", "pandas", "av", "numpy", "sqlalchemy", "ipywidgets"}
    code = f"import sys, vidnb; print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_verb_is_there_before_what_opens_a_data_folder() -> None:
    code = "import sys, vidnb; vidnb.generate; print('sqlalchemy' in sys.modules, 'httpx._main' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False False"


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path / "data", emulator=Emulator(tmp_path / "emulator", latency_s=0.05))


def test_sync_verbs_work_in_a_script(client: Client) -> None:
    with client:
        clip = client.generate("a koala", **QUICK)
        assert [job.id for job in client.jobs()] == [clip.job.id]


def test_sync_verbs_work_under_a_running_loop(client: Client) -> None:
    async def cell() -> State:
        return client.generate("a koala", **QUICK).job.state

    with client:
        assert asyncio.run(cell()) is State.DONE


def test_sync_verbs_work_from_many_threads_at_once(client: Client) -> None:
    clips: list[str] = []

    def work() -> None:
        clips.append(client.generate("a koala", **QUICK).job.id)

    threads = [threading.Thread(target=work) for _ in range(5)]
    with client:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(clips) == 5
    assert len(set(clips)) == 1


def test_watching_shows_every_state_to_the_end(client: Client) -> None:
    with client:
        states = [row.state for row in client.watch(client.submit("a koala", **QUICK))]
    assert states[-1] is State.DONE
    assert State.RUNNING in states


def test_a_sync_verb_on_vidnbs_own_loop_is_refused_instead_of_hanging(client: Client) -> None:
    from vidnb.client import loop

    async def wrong() -> None:
        client.jobs()
        client.generate("a koala", **QUICK)

    with client, pytest.raises(RuntimeError, match="AsyncClient"):
        loop.run_sync(wrong())


def test_history_lists_what_was_asked_what_it_cost_and_what_was_measured(client: Client) -> None:
    with client:
        client.generate("a koala", seed=None, **QUICK)
        frame = client.history().df
    row = frame.iloc[0]
    assert (row["prompt"], row["state"], bool(row["emulated"])) == ("a koala", "done", True)
    assert (row["cost"] > 0, row["cost_usd"]) == (True, 0)
    assert row["wait_s"] > 0
    assert (row["actual_width_px"], row["actual_height_px"]) == (640, 360)


SLOW = """
    import sys, vidnb
    from vidnb.emulator import Emulator
    client = vidnb.Client(sys.argv[1], emulator=Emulator(sys.argv[1] + "/emulator", latency_s=4))
    print("ready", flush=True)
    try:
        client.generate("a koala", model="leonardo/motion_2.0")
    except KeyboardInterrupt:
        print("stopped", client.jobs()[0].state, flush=True)
"""


def test_ctrl_c_stops_the_waiting_and_not_the_job(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SLOW), str(tmp_path)], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    rows = Client(tmp_path)
    with rows:
        while not any(job.remote_id for job in rows.jobs()):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[0].startswith("stopped running")
        assert [job.state for job in rows.resume()] == [State.DONE]


def test_a_wait_that_ends_early_leaves_the_job_to_a_later_one(tmp_path: Path) -> None:
    with Client(tmp_path, emulator=Emulator(tmp_path / "emulator", latency_s=0.8)) as client:
        with pytest.raises(JobTimeoutError):
            client.generate("a koala", timeout_s=0.1, **QUICK)
        assert client.generate("a koala", **QUICK).job.state is State.DONE
        assert len(client.jobs()) == 1


LEAVES = """
    import sys, vidnb
    from vidnb.emulator import Emulator
    client = vidnb.Client(sys.argv[1], emulator=Emulator(sys.argv[1] + "/emulator", latency_s=3))
    for seed in range(int(sys.argv[2])):
        client.submit("a koala", model="leonardo/motion_2.0", seed=seed, start_image=sys.argv[3] or None)
"""


@pytest.mark.parametrize(("count", "picture"), [(3, ""), (20, ""), (20, "koala.png")])
def test_a_script_that_ends_right_after_submit_has_sent_its_jobs(tmp_path: Path, count: int, picture: str) -> None:
    if picture:
        Image.new("RGB", (64, 36), (90, 120, 30)).save(picture := str(tmp_path / picture))
    ends = [sys.executable, "-c", textwrap.dedent(LEAVES), str(tmp_path), str(count), picture]
    done = subprocess.run(ends, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    with Client(tmp_path) as later:
        assert [job.state for job in later.jobs(limit=None)] == [State.RUNNING] * count
        assert later.wait(later.jobs()[0]).job.state is State.DONE


GOES_ON = """
    import atexit, sys, threading, vidnb
    from vidnb.emulator import Emulator
    client = vidnb.Client(sys.argv[1], emulator=Emulator(sys.argv[1] + "/emulator", latency_s=0.2))
    seeds = []
    atexit.register(lambda: print(*sorted(seeds)))
    def work(number, ended=threading.main_thread().join):
        ended()
        for seed in (number, number + 1):
            seeds.append(client.generate("a koala", model="leonardo/motion_2.0", seed=seed).seed)
        vidnb.Client(sys.argv[1] + "/other").submit("a fox")  # nobody holds this one
    for number in (1, 3):
        threading.Thread(target=work, args=(number,)).start()
    threading.Thread(target=client.generate, args=("a heron",), daemon=True).start()
"""


def test_threads_go_on_generating_when_the_main_one_has_ended_and_a_daemon_ends_without_a_word(tmp_path: Path) -> None:
    ends = [sys.executable, "-c", textwrap.dedent(GOES_ON), str(tmp_path)]
    done = subprocess.run(ends, capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr == ""
    assert done.stdout.split() == ["1", "2", "3", "4"]
    with Client(tmp_path / "other") as later:
        assert [job.remote_id is not None for job in later.jobs()] == [True]


def test_a_closed_client_says_so_and_begins_no_job(tmp_path: Path) -> None:
    client = Client(tmp_path)
    client.close()
    for verb in (client.submit, client.generate):
        with pytest.raises(ConfigError, match="this client was closed"):
            verb("a koala", model="leonardo/motion_2.0", seed=1)
    assert client.jobs() == []


def test_an_error_shows_in_a_notebook_as_the_users_line_and_the_message() -> None:
    try:
        vidnb.generate("x", sed=7)
    except vidnb.ParamsError as error:
        lines = error._render_traceback_()
    assert lines[0].endswith('vidnb.generate("x", sed=7)')
    assert lines[1].startswith("ParamsError: leonardo/motion_2.0: 1 problem")
    assert len(lines) == 2


def test_filters_are_checked_and_times_may_be_text(client: Client) -> None:
    with client:
        client.generate("a koala", **QUICK)
        assert len(client.history(since="2026-01-01")) == 1
        assert len(client.jobs(since="2999-01-01T00:00")) == 0
        with pytest.raises(vidnb.ConfigError, match="no filter 'modle'; did you mean model"):
            client.history(modle="x")
        with pytest.raises(vidnb.ConfigError, match="is no time"):
            client.history(since="yesterday")


def test_a_misspelt_provider_of_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(vidnb.ConfigError, match="leonrdo"):
        Client(tmp_path, keys={"leonrdo": "x"})


def test_a_clip_may_stand_for_its_job(client: Client) -> None:
    with client:
        clip = client.generate("a koala", **QUICK)
        assert client.wait(clip).job.id == client.job(clip).id == clip.job.id
