"""The `vidnb` command: what it prints where, its exit codes, and that nothing hostile or secret passes through."""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import anyio
import httpx
import PIL.Image
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from vidnb import catalog, errors
from vidnb.cli import app
from vidnb.cli.lab import own_copy
from vidnb.cli.terminal import console, exit_code, safe
from vidnb.client.verbs import Client
from vidnb.emulator import Emulator, VirtualClock, running
from vidnb.records import Job, State
from vidnb.store import utcnow

SMALL = ("--model", "1min/damo", "--set", "num_frames=16", "--set", "fps=8", "--set", "steps=10")
"""The clip that renders quickest."""
HOSTILE = "=cmd|' /C calc'!A0 \x1b[31mred\x1b]0;title\x07 \x9b2J \u202ecod [bold]x[/bold] [link=file:///etc]y[/]"
CANARY = "0c0ffee0-5ec2-4e7a-9bad-c0ffee5ec2e7"
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(autouse=True)
def _quick_emulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIDNB_EMULATOR_SPEED", "100000")
    monkeypatch.chdir(tmp_path)


def vidnb(*arguments: str) -> Any:
    """The outcome of the command, run in this process; an error that nobody meant is raised."""
    outcome = CliRunner().invoke(app, list(arguments))
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return outcome


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts the command as a process of its own; it is gone when the test is over."""
    processes: list[subprocess.Popen[str]] = []

    def started(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "vidnb", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            stdin=subprocess.DEVNULL, env=os.environ | environment,
        )  # fmt: skip
        processes.append(process)
        return process

    yield started
    for process in processes:
        process.kill()
        process.communicate()


def until(stream: IO[str] | None, words: str) -> str:
    """What the process printed up to the line with these words."""
    told = ""
    assert stream is not None
    for line in stream:
        told += line
        if words in line:
            return told
    raise AssertionError(f"{words!r} never came, but: {told}")


class SlowService(Emulator):
    """Answers a POST once the door is open; its jobs end when the test moves the clock."""

    clock: VirtualClock

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, clock=VirtualClock())
        self.door = threading.Event()

    @functools.cached_property
    def app(self) -> Any:
        below = super().app

        async def behind_the_door(scope: Any, receive: Any, send: Any) -> None:
            while scope.get("method") == "POST" and not self.door.is_set():  # noqa: ASYNC110  # a test opens it from its thread
                await anyio.sleep(0.005)
            await below(scope, receive, send)

        return behind_the_door


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SlowService]:
    """A slow service on a port, to which the command is pointed."""
    emulator = SlowService(tmp_path / "service")
    with emulator, running(emulator) as base:
        monkeypatch.setenv("LEONARDO_BASE_URL", f"{base}/api/rest")
        monkeypatch.setenv("ONEMIN_BASE_URL", base)
        yield emulator


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Starts an emulator on a port with these faults and points the command at it."""
    with contextlib.ExitStack() as stack:

        def started(*faults: str) -> None:
            emulator = stack.enter_context(Emulator(tmp_path / "service", latency_s=0, faults=faults))
            base = stack.enter_context(running(emulator))
            monkeypatch.setenv("LEONARDO_BASE_URL", f"{base}/api/rest")
            monkeypatch.setenv("ONEMIN_BASE_URL", base)

        yield started


# What all commands share


def a_job() -> Job:
    return Job(
        id="ab" * 16, provider="1min", model="1min/luma", recipe_hash="", take=0, state=State.RUNNING, params={},
        images={}, emulated=True, base_url="", created_at=utcnow(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.JobFailedError("", a_job()), 1),
        (errors.JobCancelledError("", a_job()), 1),
        (errors.JobAmbiguousError("", a_job()), 1),
        (errors.ConfigError(""), 2),
        (errors.ParamsError("m", []), 2),
        (errors.MediaError(""), 2),
        (errors.StoreError(""), 2),
        (errors.AuthError(""), 3),
        (errors.UnavailableError(""), 3),
        (errors.TransportError("", sent=False), 3),
        (errors.JobTimeoutError("", a_job()), 4),
    ],
)
def test_every_kind_of_error_has_its_exit_code(error: errors.VidnbError, code: int) -> None:
    assert exit_code(error) == code


def test_help_says_what_the_exit_codes_mean() -> None:
    told = vidnb("--help").stdout
    assert [code for code in ("0", "1", "2", "3", "4", "130") if f"• {code}:" not in told] == []
    assert vidnb("--version").stdout.startswith("vidnb ")


def test_a_usage_error_exits_with_2() -> None:
    assert vidnb("generate", "--no-such-option").exit_code == 2
    assert vidnb("nonsense").exit_code == 2


def test_starting_the_command_imports_nothing_heavy() -> None:
    heavy = ("pandas", "numpy", "av", "httpx", "sqlalchemy", "pydantic")
    code = f"import sys, vidnb.cli; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@given(st.text())
def test_text_for_a_terminal_holds_nothing_that_it_would_obey(text: str) -> None:
    assert not CONTROLS.search(safe(text))
    assert safe(safe(text)) == safe(text)
    assert all(char in safe(text, lines=True) for char in text if char.isprintable() or char == "\n")


def test_an_unforeseen_error_shows_no_locals(start: Start) -> None:
    code = (
        "import os, sys; from vidnb.client import asynchronous as client\n"
        "async def submit(self, *a, **k):\n"
        "    key = os.environ['LEONARDO_API_KEY']; raise RuntimeError('boom')\n"
        "client.AsyncClient.submit = submit; sys.argv = ['vidnb', 'generate', 'x']\n"
        "from vidnb.cli import main; main()"
    )
    environment = os.environ | {"LEONARDO_API_KEY": CANARY}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert run.returncode == 1
    assert "boom" in run.stderr
    assert CANARY not in run.stdout + run.stderr


# generate


def test_generate_prints_the_path_of_the_clip_and_nothing_else() -> None:
    first = vidnb("generate", "a koala", *SMALL)
    assert first.exit_code == 0
    path = Path(first.stdout.removesuffix("\n"))
    assert path.read_bytes()[4:8] == b"ftyp"
    assert "EMULATED" in first.stderr
    assert vidnb("generate", "a koala", *SMALL).stdout == first.stdout
    with Client() as client:
        assert [job.state for job in client.jobs()] == [State.DONE]


def test_generate_as_json_tells_recipe_cost_and_measures() -> None:
    told = json.loads(vidnb("generate", "a koala", *SMALL, "--json").stdout)
    assert told["params"]["num_frames"] == 16
    assert told["clip"]["frames"] == 16
    assert (told["state"], told["emulated"], told["model"]) == ("done", True, "1min/damo")
    assert Path(told["path"]).is_file()


def test_fresh_makes_the_next_take() -> None:
    takes = [
        json.loads(vidnb("generate", "a koala", *SMALL, "--json", *more).stdout)["take"] for more in ((), ("--fresh",))
    ]
    assert takes == [0, 1]


def test_out_gets_a_copy_and_is_never_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "clip.mp4"
    assert vidnb("generate", "a koala", *SMALL, "--out", str(out)).stdout == f"{out}\n"
    before = out.read_bytes()
    again = vidnb("generate", "a cat", *SMALL, "--out", str(out))
    assert (again.exit_code, out.read_bytes()) == (2, before)
    assert vidnb("generate", "a cat", *SMALL, "--out", "nowhere/clip.mp4").exit_code == 2
    with Client() as client:
        assert len(client.jobs()) == 1, "a target that cannot be written must be refused before anything is sent"


def test_out_may_hold_the_clip_of_the_same_request_already(tmp_path: Path) -> None:
    out = tmp_path / "clip.mp4"
    once = ("generate", "a koala", *SMALL, "--out", str(out))
    assert [vidnb(*once).stdout for _ in range(2)] == [f"{out}\n"] * 2
    assert vidnb(*once, "--fresh").exit_code == 2
    out.write_bytes(out.read_bytes() + b"edited")
    assert vidnb(*once).exit_code == 2
    with Client() as client:
        assert len(client.jobs()) == 1


def test_every_problem_of_the_params_has_a_line_of_its_own() -> None:
    outcome = vidnb("generate", "x", "--set", "motion_strenth=5", "--duration", "900", "--seed", "-5")
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    lines = [line for line in outcome.stderr.splitlines() if line.startswith("  - ")]
    assert [line.split()[1] for line in sorted(lines)] == ["duration_s:", "motion_strenth:", "seed:"]
    assert "Traceback" not in outcome.stderr


def test_a_start_image_and_values_of_set_reach_the_recipe(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (512, 320), "teal").save(tmp_path / "start.png")
    told = vidnb(
        "generate", "--model", "1min/leonardo-motion", "--start-image", "start.png", "--motion-strength", "7", "--json"
    )
    assert json.loads(told.stdout)["params"]["motion_strength"] == 7


@pytest.mark.parametrize("pair", ["nonsense", "=5", "a b=5", "seed=5", "model=x"])
def test_a_set_that_is_no_new_param_is_a_usage_error(pair: str) -> None:
    assert vidnb("generate", "x", "--seed", "7", "--set", pair).exit_code == 2


def test_an_unknown_model_names_close_ones() -> None:
    outcome = vidnb("generate", "x", "--model", "leonardo/VEO33")
    assert outcome.exit_code == 2
    assert "leonardo/VEO3" in outcome.stderr


def test_live_without_a_key_names_the_variable() -> None:
    outcome = vidnb("generate", "x", "--live")
    assert outcome.exit_code == 2
    assert "LEONARDO_API_KEY" in outcome.stderr


def test_a_failed_job_exits_with_1() -> None:
    outcome = vidnb("generate", "a koala [fail]", *SMALL)
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert "failed" in outcome.stderr


def test_no_connection_exits_with_3_and_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("ONEMIN_BASE_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("ONEMIN_API_KEY", "a-key")
    outcome = vidnb("generate", "a koala", *SMALL)
    assert outcome.exit_code == 3
    assert "nothing was sent" in outcome.stderr
    with Client() as client:
        assert [job.state for job in client.jobs()] == [State.INTENDED]


def test_a_timeout_exits_with_4_and_does_not_lose_the_reply_to_the_submit(start: Start, slow: SlowService) -> None:
    process = start("generate", "a koala", *SMALL, "--timeout", "4")
    until(process.stderr, "Waiting for the service's answer")
    slow.door.set()
    out, told = process.communicate()
    assert (process.returncode, out) == (4, "")
    assert "goes on" in told
    slow.clock.advance(1000)
    assert vidnb("resume").exit_code == 0
    assert slow.stats()["jobs"] == 1


def test_a_lost_reply_exits_with_1_and_resume_says_what_to_do(service: Callable[..., None]) -> None:
    service("lost_reply:1min:1")
    assert vidnb("generate", "a koala", *SMALL).exit_code == 1
    resumed = vidnb("resume")
    assert resumed.exit_code == 1
    assert "ambiguous" in resumed.stdout
    assert re.search(r"vidnb settle \w{8} --send-again", resumed.stderr)


# settle, cancel


@pytest.fixture
def lost(service: Callable[..., None]) -> str:
    """The id of a job whose submit got no reply."""
    service("lost_reply:1min:1")
    vidnb("generate", "a koala", *SMALL)
    with Client() as client:
        return client.jobs(state=State.AMBIGUOUS)[0].id


def test_settle_sends_a_lost_job_again_and_prints_the_path(lost: str) -> None:
    settled = vidnb("settle", lost[:8], "--send-again")
    assert settled.exit_code == 0
    assert Path(settled.stdout.strip()).read_bytes()[4:8] == b"ftyp"
    assert vidnb("settle", lost[:8], "--send-again").exit_code == 1, "there is nothing to settle any more"


def test_settle_gives_a_lost_job_up(lost: str) -> None:
    assert vidnb("settle", lost, "--give-up").exit_code == 0
    with Client() as client:
        assert client.job(lost).state is State.CANCELLED


@pytest.mark.parametrize("options", [(), ("--give-up", "--send-again"), ("--give-up", "--remote-id", "x")])
def test_settle_wants_one_decision(options: tuple[str, ...]) -> None:
    assert vidnb("settle", "ab", *options).exit_code == 2


def test_cancel_takes_back_what_was_not_sent_and_says_what_is_over() -> None:
    intended("a koala")
    with Client() as client:
        waiting = client.jobs()[0].id
    assert [vidnb("cancel", waiting[:8]).exit_code for _ in range(2)] == [0, 0]
    done = json.loads(vidnb("generate", "a cat", *SMALL, "--json").stdout)["job_id"]
    over = vidnb("cancel", done)
    assert (over.exit_code, over.stderr) == (1, f"Job {done[:8]} is done already.\n")


# Looking


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("history",), 0), (("history", "-f", "json"), 0), (("models",), 0), (("resume",), 0), (("doctor",), 0),
     (("cancel", "ab"), 2), (("settle", "ab", "--give-up"), 2)],
)  # fmt: skip
def test_looking_makes_no_data_folder(arguments: tuple[str, ...], code: int) -> None:
    assert vidnb(*arguments).exit_code == code
    assert not Path(os.environ["VIDNB_HOME"]).exists()


# Ctrl-C


def test_an_interrupt_stops_the_waiting_and_resume_takes_the_job_up(start: Start, slow: SlowService) -> None:
    slow.door.set()
    process = start("generate", "a koala", *SMALL)
    until(process.stderr, "running")
    process.send_signal(signal.SIGINT)
    out, told = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert "goes on at 1min; vidnb resume" in told
    slow.clock.advance(1000)
    resumed = vidnb("resume")
    assert resumed.exit_code == 0
    assert "done" in resumed.stdout
    assert slow.stats()["jobs"] == 1
    assert vidnb("resume").stderr.strip() == "No unfinished jobs."


def test_an_interrupt_during_the_submit_waits_for_the_reply(start: Start, slow: SlowService) -> None:
    process = start("generate", "a koala", *SMALL)
    until(process.stderr, "submitting")
    process.send_signal(signal.SIGINT)
    until(process.stderr, "Waiting for the service's answer")
    slow.door.set()
    _, told = process.communicate()
    assert process.returncode == 130
    assert "goes on" in told
    with Client() as client:
        (job,) = client.jobs()
    assert (job.state, slow.stats()["jobs"]) == (State.RUNNING, 1)
    assert job.remote_id


def test_an_interrupted_resume_exits_with_130_and_loses_nothing(start: Start, slow: SlowService) -> None:
    slow.door.set()
    assert vidnb("generate", "a koala", *SMALL, "--timeout", "0.2").exit_code == 4
    process = start("resume")
    # The bar is drawn at the end only where there is no terminal: the lease is the sign that the job was taken up.
    with Client() as client:
        job = client.jobs()[0].id
        while client.job(job).lease_owner is None:
            assert process.poll() is None
            time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130
    assert "vidnb resume" in told
    slow.clock.advance(1000)
    assert vidnb("resume").exit_code == 0
    assert slow.stats()["jobs"] == 1


# models


def test_models_lists_active_ones_and_the_retired_on_request() -> None:
    every = catalog.load()
    active = [model.id for model in every.values() if not model.is_retired]
    assert [model["id"] for model in json.loads(vidnb("models", "--json").stdout)] == active
    assert len(json.loads(vidnb("models", "--retired", "--json").stdout)) == len(every)
    table = vidnb("models", "--provider", "1min").stdout
    assert "1min/luma" in table
    assert "leonardo/motion_2.0" not in table
    assert vidnb("models", "--provider", "nobody").exit_code == 2


@pytest.mark.parametrize("model_id", sorted(catalog.load()))
def test_every_model_can_be_explained(model_id: str) -> None:
    told = vidnb("models", model_id)
    assert told.exit_code == 0
    assert [name for name in catalog.find(model_id).params if name not in told.stdout] == []


def test_one_model_is_explained_with_bounds_rules_and_status() -> None:
    told = vidnb("models", "SVD").stdout
    assert "1 to 10" in told
    assert "Out of service since" in told
    assert json.loads(vidnb("models", "SVD", "--json").stdout)["id"] == "leonardo/SVD"


# history


def intended(prompt: str, **params: Any) -> None:
    """Write a row as if a client had died before it sent anything."""
    with Client() as client:
        store = client.asynchronous.store
        job = Job(
            id=os.urandom(16).hex(), provider="1min", model="1min/luma", recipe_hash=prompt, take=0, images={},
            state=State.INTENDED, params={"prompt": prompt, **params}, emulated=True, base_url="x", created_at=utcnow(),
        )  # fmt: skip
        store.intend(job)


def test_a_hostile_prompt_is_shown_harmlessly_in_the_table() -> None:
    intended(HOSTILE)
    told = vidnb("history").stdout
    assert not CONTROLS.search(told)
    assert "=cmd|" in told
    intended("[bold]x[/bold]")
    assert "[bold]x[/bold]" in vidnb("history").stdout


def test_csv_holds_no_formula_and_no_control_characters() -> None:
    for prompt in (HOSTILE, "+1", "-1", "@x", "\t=1", 'harmless, "quoted"\nand more'):
        intended(prompt)
    told = vidnb("history", "--format", "csv").stdout
    assert not CONTROLS.search(told)
    prompts = [row["prompt"] for row in csv.DictReader(io.StringIO(told))]
    assert 'harmless, "quoted" and more' in prompts
    assert [prompt for prompt in prompts if prompt.lstrip().startswith(("=", "+", "-", "@"))] == []
    assert len(prompts) == 6


@pytest.mark.filterwarnings("ignore:param 'elements' has values of different kinds")
def test_json_and_parquet_hold_the_text_as_it_is(tmp_path: Path) -> None:
    import pandas as pd

    intended(HOSTILE, elements=[{"id": "x", "weight": 1}], seed=7)
    intended("b", elements="none")
    told = vidnb("history", "--format", "json").stdout
    assert not CONTROLS.search(told)
    assert [row["prompt"] for row in json.loads(told)] == ["b", HOSTILE]
    assert vidnb("history", "--format", "parquet", "--out", "h.parquet").exit_code == 0
    frame = pd.read_parquet(tmp_path / "h.parquet")
    assert frame["prompt"].tolist() == ["b", HOSTILE]
    assert frame["seed"].tolist()[1] == 7


def test_history_goes_to_a_file_and_keeps_only_what_was_asked_for(tmp_path: Path) -> None:
    for prompt in ("a koala", "a cat"):
        intended(prompt)
    assert vidnb("history", "--prompt", "KOALA", "-f", "csv", "--out", "h.csv").stdout == ""
    with (tmp_path / "h.csv").open(newline="", encoding="utf-8") as file:
        assert [row["prompt"] for row in csv.DictReader(file)] == ["a koala"]

    def count(*filters: str) -> int:
        return len(json.loads(vidnb("history", "-f", "json", *filters).stdout))

    assert (count(), count("--limit", "1"), count("--limit", "0")) == (2, 1, 2)
    assert (count("--since", "2h"), count("--since", "2999-01-01")) == (2, 0)
    assert (count("--state", "done"), count("--model", "1min/luma")) == (0, 2)
    assert (count("--rating", "4"), count("--tag", "keeper"), count("--tag", "x", "--tag", "y")) == (0, 0, 0)


def test_compare_writes_a_page_or_a_picture_of_what_was_asked_for_and_prints_its_path(tmp_path: Path) -> None:
    for more in ((), ("--fresh",)):
        assert vidnb("generate", "a koala", *SMALL, *more).exit_code == 0
    for name in ("a.html", "a.png"):
        assert vidnb("compare", name, "--prompt", "koala", "--rows", "take").stdout == f"{name}\n"
    assert "take" in (tmp_path / "a.html").read_text(encoding="utf-8")
    with PIL.Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert picture.height > picture.width / 4
    for wrong, said in (
        (("a.png",), "a.png is there already; give another name, or --overwrite"),
        (("a.txt",), "the name must end in .html, .png, .jpg, .webp, .gif, .mp4"),
        (("b.png", "--posters-only"), "--posters-only is for a page"),
        (("b.html", "--prompt", "no such"), "no clip fits"),
        (("b.html", "--rows", "tke"), "did you mean 'take'?"),
    ):
        told = vidnb("compare", *wrong)
        assert (told.exit_code, said in told.stderr) == (2, True), told.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("-f", "parquet"),
        ("--out", "x.csv"),
        ("--since", "yesterday"),
        ("--state", "odd"),
        ("-f", "csv", "--out", "no/x"),
    ],
)
def test_a_history_that_cannot_be_written_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert vidnb("history", *arguments).exit_code == 2


def test_a_narrow_terminal_gets_fewer_columns_and_whole_words(monkeypatch: pytest.MonkeyPatch) -> None:
    intended("a koala in a meadow")

    def heads(columns: int) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        console.cache_clear()
        told = vidnb("history").stdout
        assert max(map(len, told.splitlines())) <= columns
        return told.split("─")[0].split()

    assert heads(80)[:4] == ["job", "state", "prompt", "model"]
    assert heads(160)[-2:] == ["cost", "waited"]
    console.cache_clear()


def test_an_empty_history_is_no_error() -> None:
    looked = vidnb("history")
    assert looked.exit_code == 0
    assert looked.stderr == f"No jobs in {os.environ['VIDNB_HOME']}; VIDNB_HOME names another folder.\n"
    assert json.loads(vidnb("history", "-f", "json").stdout) == []
    intended("a koala")
    assert vidnb("history", "--prompt", "cat").stderr == "No job fits.\n"
    assert vidnb("history", "-f", "csv", "--out", "one.csv").stderr == "Wrote 1 job to one.csv.\n"


# emulate


def test_emulate_prints_what_to_export_and_curl_lines_that_work(start: Start) -> None:
    process = start("emulate", "--port", "0", "--speed", "1000")
    assert process.stdout is not None
    exported = dict(process.stdout.readline().split()[1].split("=") for _ in range(2))
    told = until(process.stderr, "Ctrl-C stops")
    base = exported["ONEMIN_BASE_URL"]
    assert exported["LEONARDO_BASE_URL"] == f"{base}/api/rest"
    leonardo, onemin = (_curl(text) for text in re.findall(r"^curl .*?'$(?=\n\n)", told, re.M | re.S))
    assert leonardo["generate"]["generationId"]
    assert onemin["aiRecord"]["status"] == "PROCESSING"
    assert "Motion 2.0 job takes about 0.045 s" in told
    assert httpx.get(f"{base}/api/rest/v1/me", headers={"Authorization": f"Bearer {CANARY}x"}).status_code == 500
    refused = until(process.stderr, "/v1/me")
    assert "POST /api/features 200" in refused
    assert "a Leonardo key is a UUID and this one is not" in refused
    assert CANARY not in refused
    process.send_signal(signal.SIGINT)
    assert process.wait() == 0


def _curl(line: str) -> Any:
    """The answer to a curl line."""
    words = shlex.split(line)
    heads = dict(words[i + 1].split(": ", 1) for i, word in enumerate(words) if word == "-H")
    return httpx.post(words[1], headers=heads, content=words[words.index("-d") + 1]).json()


def test_a_taken_port_and_an_unknown_fault_exit_with_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        outcome = vidnb("emulate", "--port", str(taken.getsockname()[1]))
    assert outcome.exit_code == 2
    assert "--port 0" in outcome.stderr
    assert vidnb("emulate", "--fault", "nonsense").exit_code == 2
    assert vidnb("emulate", "--speed", "0").exit_code == 2


# lab


@pytest.fixture
def lab(tmp_path: Path, start: Start) -> Callable[..., tuple[list[str], str]]:
    """Runs `vidnb lab` with a JupyterLab that only says how it was called."""
    stand_in = tmp_path / "stand-in" / "jupyterlab"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").touch()
    (stand_in / "__main__.py").write_text("import json, sys; print(json.dumps(sys.argv[1:]))")

    def called(*arguments: str) -> tuple[list[str], str]:
        out, told = start("lab", *arguments, PYTHONPATH=str(stand_in.parent)).communicate()
        return [word for word in json.loads(out) if word != "--allow-root"], told

    return called


def test_lab_copies_the_notebooks_and_never_overwrites_one(lab: Callable[..., Any], tmp_path: Path) -> None:
    first = tmp_path / "vidnb-notebooks" / "01_first_clip.ipynb"
    opened, told = lab()
    assert opened == [str(first)]
    assert "Copied" in told
    first.write_text("mine")
    assert lab()[0] == [str(first)]
    assert first.read_text() == "mine"


def test_lab_copies_no_scratch_files_of_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    (source / "images").mkdir(parents=True)
    for name in ("01_first_clip.ipynb", "scratch.ipynb", "Untitled.ipynb", "images/a.png", "notes.txt"):
        (source / name).touch()
    monkeypatch.setattr("vidnb.cli.lab.shipped", lambda: source)
    copied = own_copy(tmp_path / "own")
    files = sorted(path.relative_to(copied).as_posix() for path in copied.rglob("*") if path.is_file())
    assert files == ["01_first_clip.ipynb", "images/a.png"]


def test_lab_prefers_the_folder_that_is_named_then_the_notebooks_that_are_there(
    lab: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "own.ipynb").touch()
    (tmp_path / "mine").mkdir()
    assert lab()[0] == [str(tmp_path / "notebooks")]
    assert lab("mine")[0] == [str(tmp_path / "mine")]
    assert not (tmp_path / "vidnb-notebooks").exists()
    options = ["--no-browser", "--port", "9999"]
    assert lab("--", *options)[0] == [*options[:0], str(tmp_path / "notebooks"), *options]
    assert lab("mine", "--", *options)[0] == [str(tmp_path / "mine"), *options]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there is no root here")
def test_lab_allows_root_only_to_root(tmp_path: Path, start: Start) -> None:
    (tmp_path / "jupyterlab").mkdir()
    (tmp_path / "jupyterlab" / "__main__.py").write_text("import sys; print('--allow-root' in sys.argv)")
    (tmp_path / "jupyterlab" / "__init__.py").touch()
    out, _ = start("lab", ".", PYTHONPATH=str(tmp_path)).communicate()
    assert out == f"{os.geteuid() == 0}\n"


def test_lab_reaches_the_real_jupyterlab(start: Start) -> None:
    out, _ = start("lab", ".", "--", "--version").communicate()
    assert re.match(r"4\.\d+\.\d+", out)


def test_lab_without_jupyterlab_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    outcome = vidnb("lab")
    assert outcome.exit_code == 2
    assert "pip install 'vidnb[lab]'" in outcome.stderr


def test_lab_refuses_a_folder_that_is_not_there() -> None:
    assert vidnb("lab", "nowhere").exit_code == 2


# doctor


def findings(*arguments: str) -> dict[str, dict[str, str]]:
    """What the doctor found, by name."""
    return {found["what"]: found for found in json.loads(vidnb("doctor", "--json", *arguments).stdout)["findings"]}


def test_a_sound_installation_passes() -> None:
    vidnb("generate", "a koala", *SMALL)
    outcome = vidnb("doctor")
    assert outcome.exit_code == 0
    assert "PROBLEM" not in outcome.stdout
    found = findings()
    assert found["jobs"]["value"] == "1, 1 with a clip, 0 unfinished"
    assert found["emulator"]["value"].startswith("rendered 0.2 s")
    assert {"Python", "vidnb", "httpx", "PyAV", "encode H.264", "data folder", "free space", "database"} <= set(found)


def test_the_doctor_leaves_no_data_folder_behind() -> None:
    assert vidnb("doctor").exit_code == 0
    assert not Path(os.environ["VIDNB_HOME"]).exists()


def test_the_doctor_never_shows_a_key_or_a_password(
    monkeypatch: pytest.MonkeyPatch, service: Callable[..., None]
) -> None:
    service()
    monkeypatch.setenv("LEONARDO_API_KEY", CANARY)
    monkeypatch.setenv("ONEMIN_API_KEY", f"one{CANARY}")
    monkeypatch.setenv("VIDNB_FILES_URL", f"memory://user:{CANARY}@bucket/x?token={CANARY}")
    for database in (
        f"postgresql://me:{CANARY}@127.0.0.1:1/x",
        f"postgresql://me@127.0.0.1:1/x?password={CANARY}",
        CANARY,
    ):
        monkeypatch.setenv("VIDNB_DATABASE_URL", database)
        outcome = vidnb("doctor", "--live")
        assert outcome.exit_code == 1
        assert "LEONARDO_API_KEY: key set" in outcome.stdout
        assert "Leonardo.AI, live" in outcome.stdout
        assert not [part for part in (CANARY, CANARY[:8], CANARY[-6:]) if part in outcome.output]


def test_a_wrong_base_url_is_a_problem_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEONARDO_BASE_URL", f"ftp://me:{CANARY}@example.org/x?sig={CANARY}")
    outcome = vidnb("doctor")
    assert outcome.exit_code == 1
    assert "not a plain http(s) address" in " ".join(outcome.stdout.split())
    assert CANARY not in outcome.output


def test_live_tells_a_good_key_from_a_refused_one(
    monkeypatch: pytest.MonkeyPatch, service: Callable[..., None]
) -> None:
    service("bad_key:1min")
    assert findings("--live")["services"]["level"] == "note"
    monkeypatch.setenv("LEONARDO_API_KEY", CANARY)
    monkeypatch.setenv("ONEMIN_API_KEY", CANARY)
    found = findings("--live")
    assert found["Leonardo.AI, live"]["level"] == "ok"
    assert found["1min.ai, live"]["level"] == "problem"


def test_a_data_folder_that_cannot_be_made_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VIDNB_HOME", str(tmp_path / "file" / "data"))
    assert vidnb("doctor").exit_code == 1
    assert findings()["data folder"]["level"] == "problem"
    refused = vidnb("generate", "x", *SMALL)
    assert refused.exit_code == 2
    assert "VIDNB_HOME" in refused.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_console_that_knows_few_characters_shows_the_history_all_the_same(encoding: str, tmp_path: Path) -> None:
    with Client() as client:
        client.submit("a koala 🐨 in Zürich", model="1min/damo", num_frames=16)
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "vidnb", "history"]
    done = subprocess.run(command, capture_output=True, check=False, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert b"a koala" in done.stdout


def test_a_wrong_number_is_told_in_plain_words_whatever_the_option() -> None:
    tried = 0
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        for option in (param for param in command.params if param.type_descriptor.annotation in (int, float)):
            outcome = vidnb(name, option.opts[0], "nope")
            assert re.search("give a (whole )?number", outcome.output), outcome.output
            assert "parse" not in outcome.output
            tried += 1
    assert tried > 10
    assert "give 65535 or less" in vidnb("serve", "--port", "99999").output
    assert "give 0 or more" in vidnb("generate", "koala", "--timeout", "nan").output
