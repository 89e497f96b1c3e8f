"""An agent's tools: quoted before they are paid, repeated at no cost, never past a cap, no key in any answer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fakes import EmulatorBehind, Wires, picture
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from served import serving

from vidnb.client.asynchronous import AsyncClient
from vidnb.emulator import VirtualClock
from vidnb.serve.mcp import mcp_server

pytestmark = pytest.mark.anyio
MODEL = "leonardo/motion_2.0"


class Agent:
    """Calls tools, and reads their answers."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def __call__(self, tool: str, /, **arguments: Any) -> Any:
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.content[0].text
        found = result.structured_content
        return found["result"] if set(found) == {"result"} else found

    async def refused(self, tool: str, /, **arguments: Any) -> str:
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error
        return str(result.content[0].text)


@pytest.fixture
def wires() -> Wires:
    return Wires()


@asynccontextmanager
async def agent(tmp_path: Path, wires: Wires, **options: Any) -> AsyncIterator[tuple[Agent, AsyncClient]]:
    emulator = EmulatorBehind(tmp_path / "emulator", wires, speed=1000.0)
    async with AsyncClient(tmp_path / "data", emulator=emulator, **options) as own, Client(mcp_server(own)) as client:
        yield Agent(client), own


async def test_from_a_model_to_a_clip_and_a_picture_of_several(tmp_path: Path, wires: Wires) -> None:
    async with agent(tmp_path, wires) as (call, _):
        found = await call("list_models", query="motion seed", mode="text")
        assert MODEL in [model["id"] for model in found["models"]]
        told = await call("describe_model", model=MODEL)
        assert told["params"]["seed"]["kind"] == "integer"
        quote = await call("quote", model=MODEL, prompt="a koala", takes=2)
        assert wires.posts == 0
        assert (quote["price_each"], quote["emulated"]) == ("free", True)
        jobs = (await call("submit", quote_token=quote["quote_token"]))["jobs"]
        assert len(jobs) == len(set(jobs)) == 2
        ends = [await call("wait", job=job) for job in jobs]
        assert [end["state"] for end in ends] == ["done", "done"]
        assert len({end["seed"] for end in ends}) == 2
        clip = await call("clip", job=jobs[0])
        assert Path(clip["path"]).read_bytes()[4:8] == b"ftyp"
        assert Path(clip["poster"]).read_bytes()[8:12] == b"WEBP"
        assert len(json.dumps(clip)) < 2000
        sheet = await call("compare", jobs=jobs)
        assert Path(sheet["path"]).read_bytes().startswith(b"\x89PNG")
        listed = await call("history", filters={"prompt": "koala"}, limit=1)
        assert (listed["all"], len(listed["jobs"])) == (2, 1)


async def test_an_agent_that_repeats_every_call_five_times_pays_once(tmp_path: Path, wires: Wires) -> None:
    async with agent(tmp_path, wires) as (call, _):
        quotes = [await call("quote", model=MODEL, prompt="a koala") for _ in range(5)]
        token = quotes[0]["quote_token"]
        answers = await asyncio.gather(*(call("submit", quote_token=token) for _ in range(5)))
        answers += [await call("submit", quote_token=token) for _ in range(5)]
        assert len({tuple(answer["jobs"]) for answer in answers}) == 1
        for _ in range(5):
            await call("wait", job=answers[0]["jobs"][0])
        assert (await call("submit", quote_token=token))["jobs"] == answers[0]["jobs"]
    assert wires.posts == 1


async def test_a_token_holds_after_a_restart_and_for_another_server(tmp_path: Path, wires: Wires) -> None:
    async with agent(tmp_path, wires) as (call, _):
        token = (await call("quote", model=MODEL, prompt="a koala"))["quote_token"]
        first = await call("submit", quote_token=token)
        await call("wait", job=first["jobs"][0])
    async with agent(tmp_path, wires) as (call, _):
        assert await call("submit", quote_token=token) == first | {"repeated": True}
    assert wires.posts == 1


async def test_a_cap_that_a_person_set_holds_and_no_tool_lifts_it(tmp_path: Path, wires: Wires) -> None:
    async with agent(tmp_path, wires) as (call, own):
        own.budget("programs", jobs=1)
        token = (await call("quote", model=MODEL, prompt="a koala", takes=3))["quote_token"]
        assert "cap of 1 job" in await call.refused("submit", quote_token=token)
        said = await call.refused("submit", quote_token=token)
        assert "(a person types: vidnb budget programs --jobs ...)" in said
        rows = [row for row in (await call("budget"))["purses"] if row["cap"] == "1 job"]
        assert {row["purse"] for row in rows} == {"programs"}
        tools = {tool.name for tool in (await call.client.list_tools()).tools}
        assert len(tools) == 12
        own.budget("programs", jobs=3)
        assert len((await call("submit", quote_token=token))["jobs"]) == 3
        for job in (await call("status"))["jobs"]:
            await call("wait", job=job["job"])
    assert wires.posts == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"model": MODEL, "prompt": "a koala", "params": {"sed": 1}}, "did you mean 'seed'"),
        ({"model": MODEL, "prompt": "a koala", "params": {"seed": -5}}, "0 to 2147483637"),
        ({"model": "leonardo/motion", "prompt": "a koala"}, "did you mean"),
        ({"model": MODEL, "prompt": "a koala", "takes": 1000}, "allowed: 1 to 20"),
        ({"model": MODEL, "prompt": "a koala", "images": {"start_image": "/etc/passwd"}}, "or a file in"),
        ({"model": MODEL, "prompt": "a koala", "params": {"start_image": "/etc/passwd"}}, "or a file in"),
        ({"model": MODEL, "prompt": "a koala", "images": {"picture": "a.png"}}, "takes files for"),
    ],
)  # fmt: skip
async def test_wrong_values_are_refused_with_what_is_allowed(
    tmp_path: Path, wires: Wires, arguments: dict[str, Any], said: str
) -> None:
    async with agent(tmp_path, wires) as (call, _):
        assert said in await call.refused("quote", **arguments)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("quote", {"prompt": "a koala"}, "quote: model: Field required"),
        ("quote", {"model": MODEL, "prompt": "a koala", "seed": 7}, "A setting of the model goes into params"),
        ("quote", {"model": MODEL, "prompt": "a koala", "takes": "two"}, "takes: Input should be a valid integer"),
        ("budget", {"usd": 1000}, "budget does not take 'usd'; it takes nothing"),
        ("history", {"limit": 0}, "allowed: 1 to 100"),
        ("clip", {"job": "nope"}, "no job starts with 'nope'"),
    ],
)
async def test_arguments_that_a_tool_does_not_take_are_refused_in_plain_words(
    tmp_path: Path, wires: Wires, tool: str, arguments: dict[str, Any], said: str
) -> None:
    async with agent(tmp_path, wires) as (call, _):
        told = await call.refused(tool, **arguments)
    assert said in told
    assert "pydantic.dev" not in told


async def test_an_empty_answer_says_so_and_a_long_one_is_short(tmp_path: Path, wires: Wires) -> None:
    async with agent(tmp_path, wires) as (call, _):
        assert "leave a word out" in (await call("list_models", query="nonsense"))["note"]
        assert "No job is on its way" in (await call("status"))["note"]
        everything = await call("list_models")
        assert len(everything["models"]) > 100
        assert len(json.dumps(everything)) < 30_000
        with pytest.raises(MCPError, match="no job starts with 'nope'"):
            await call.client.read_resource("vidnb://job/nope/poster")


async def test_what_cannot_be_done_yet_or_at_all_says_what_to_do_with_the_tools_that_there_are(
    tmp_path: Path, wires: Wires
) -> None:
    emulator = EmulatorBehind(tmp_path / "emulator", wires, latency_s=100.0, clock=VirtualClock())
    async with AsyncClient(tmp_path / "data", emulator=emulator) as own, Client(mcp_server(own)) as client:
        call = Agent(client)
        token = (await call("quote", model=MODEL, prompt="a koala"))["quote_token"]
        [job] = (await call("submit", quote_token=token))["jobs"]
        async for row in own.watch(job):
            if row.remote_id is not None:
                break
        assert "has no clip yet: wait(job)" in await call.refused("clip", job=job)
        told = await call.refused("cancel", job=job)
        assert f"vidnb settle {job[:8]} --give-up" in told
        assert "vidnb." not in told, "an agent has no Python here"
        [row] = (await call("status"))["jobs"]
        assert row["cost"] is None or row["cost"].startswith("free (emulated; the real one: ")


async def test_what_is_no_token_is_refused(tmp_path: Path, wires: Wires) -> None:
    async with agent(tmp_path, wires) as (call, _):
        assert "ask for one first" in await call.refused("submit", quote_token="unique-1")
    assert wires.posts == 0


async def test_a_picture_in_an_allowed_folder_is_kept_with_the_quote(
    tmp_path: Path, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    image = folder / "a.png"
    image.write_bytes(picture())
    monkeypatch.setenv("VIDNB_INPUT_FOLDERS", str(folder))
    async with agent(tmp_path, wires) as (call, own):
        quote = await call("quote", model=MODEL, prompt="a koala", images={"start_image": str(image)})
        image.unlink()
        [job] = (await call("submit", quote_token=quote["quote_token"]))["jobs"]
        assert (await call("wait", job=job))["state"] == "done"
        assert own.job(job).images["start_image"]
        link = folder / "b.png"
        link.symlink_to("/etc/hostname")
        assert "a file in" in await call.refused("quote", model=MODEL, prompt="k", images={"start_image": str(link)})


@pytest.mark.parametrize("start", ["/", "~"])
async def test_a_server_that_was_started_in_the_home_or_at_the_root_gives_no_file_away_unasked(
    tmp_path: Path, wires: Wires, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    """As desktop programs start theirs."""
    image = Path.home() / "holiday.png"
    image.write_bytes(picture())
    monkeypatch.chdir(Path(start).expanduser())
    async with agent(tmp_path, wires) as (call, _):
        given = {"start_image": str(image)}
        said = await call.refused("quote", model=MODEL, prompt="k", images=given)
        assert "allowed: an https address. VIDNB_INPUT_FOLDERS names folders" in said
        monkeypatch.setenv("VIDNB_INPUT_FOLDERS", str(Path.home()))
        assert (await call("quote", model=MODEL, prompt="k", images=given))["quote_token"]


async def test_no_answer_holds_a_key(tmp_path: Path, wires: Wires) -> None:
    async with agent(tmp_path, wires, keys={"leonardo": "canary-key"}, live=False) as (call, _):
        answers = [await call("list_models"), await call("budget"), await call("quote", model=MODEL, prompt="a koala")]
    assert "canary" not in json.dumps(answers)


@pytest.mark.long
async def test_over_stdio_nothing_but_the_protocol_is_on_stdout_and_a_killed_server_loses_nothing(
    tmp_path: Path,
) -> None:
    environment = {"VIDNB_HOME": str(tmp_path / "data"), "VIDNB_EMULATOR_SPEED": "1000", "PATH": "/usr/bin:/bin"}
    server = StdioServerParameters(command=sys.executable, args=["-m", "vidnb", "mcp"], env=environment)
    async with Client(server) as client:
        call = Agent(client)
        token = (await call("quote", model=MODEL, prompt="a koala"))["quote_token"]
        [job] = (await call("submit", quote_token=token))["jobs"]
    async with Client(server) as client:
        call = Agent(client)
        assert (await call("submit", quote_token=token))["jobs"] == [job]
        assert (await call("wait", job=job))["state"] == "done"
        assert (await call("history"))["all"] == 1


def test_an_interrupt_ends_the_server_while_its_stdin_stays_open(tmp_path: Path) -> None:
    command, environment = [sys.executable, "-m", "vidnb", "mcp"], os.environ | {"VIDNB_HOME": str(tmp_path)}
    hello = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "me", "version": "1"}},
    }  # fmt: skip
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        print(json.dumps(hello), file=server.stdin, flush=True)
        assert "serverInfo" in server.stdout.readline()
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 0
        assert server.stderr is not None
        assert "Traceback" not in server.stderr.read()


@pytest.mark.long
async def test_over_http_only_who_has_the_token_may_ask(tmp_path: Path) -> None:
    with serving(tmp_path / "data", {}, "mcp", "--http") as (_, base, bearer):
        url = base + "/mcp"
        async with httpx2.AsyncClient(timeout=60) as http:
            for headers, status in (
                ({}, 401), (bearer | {"Origin": "http://evil.example"}, 403), (bearer | {"Host": "evil.example"}, 403),
            ):  # fmt: skip
                assert (await http.post(url, json={}, headers=headers)).status_code == status
            http.headers.update(bearer)
            async with Client(streamable_http_client(url, http_client=http)) as client:
                call = Agent(client)
                token = (await call("quote", model=MODEL, prompt="a koala"))["quote_token"]
                [job] = (await call("submit", quote_token=token))["jobs"]
                assert (await call("wait", job=job))["state"] == "done"
