"""The REST app: quoted before it is paid, repeated at no cost, closed to strangers, and no key in any answer."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import shutil
import signal
import stat
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from counting import CountingService
from fakes import CANARY, EmulatorBehind, Wires, no_rest
from served import serving
from stranger import KEYS, Stranger, film

from vidnb.client.asynchronous import AsyncClient
from vidnb.emulator import Emulator, running
from vidnb.emulator.core import account_id
from vidnb.emulator.faults import Injector
from vidnb.errors import ConfigError
from vidnb.net.target import EMULATOR_KEY
from vidnb.records import JOB_QUERY, State
from vidnb.serve.guard import token_of
from vidnb.serve.rest import rest_app

pytestmark = pytest.mark.anyio
MODEL = "leonardo/motion_2.0"
TOKEN = "t" * 43
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def wires() -> Wires:
    return Wires()


@asynccontextmanager
async def program(
    tmp_path: Path, wires: Wires, *, latency_s: float = 0.05, faults: tuple[str, ...] = (), **options: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, AsyncClient]]:
    """What a program asks with, and the client behind the app."""

    emulator = EmulatorBehind(tmp_path / "emulator", wires, latency_s=latency_s, faults=faults)
    async with AsyncClient(tmp_path / "data", emulator=emulator, **options) as own:
        transport = httpx.ASGITransport(rest_app(TOKEN, own, hosts=["me.example"]), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=BEARER) as http:
            yield http, own


async def quoted(http: httpx.AsyncClient, **values: Any) -> dict[str, Any]:
    reply = await http.post("/quotes", json={"model": MODEL, "prompt": "a koala", **values})
    assert reply.status_code == 201, reply.text
    return dict(reply.json())


async def ordered(http: httpx.AsyncClient, token: str, status: int = 201) -> list[str]:
    reply = await http.post("/jobs", json={"quote_token": token})
    assert reply.status_code == status, reply.text
    return list(reply.json()["jobs"])


def fault(reply: httpx.Response, status: int) -> dict[str, Any]:
    """What a refusal says, in the one shape that all of them have."""
    assert reply.status_code == status, reply.text
    assert set(reply.json()) == {"error"}
    assert set(reply.json()["error"]) == {"kind", "message", "problems"}
    return dict(reply.json()["error"])


# -- from a quote to a clip


async def test_a_program_that_repeats_every_call_five_times_pays_once(tmp_path: Path, wires: Wires) -> None:
    async with program(tmp_path, wires) as (http, _):
        tokens = [(await quoted(http))["quote_token"] for _ in range(5)]
        replies = await asyncio.gather(*(http.post("/jobs", json={"quote_token": tokens[0]}) for _ in range(5)))
        assert sorted(reply.status_code for reply in replies) == [200, 200, 200, 200, 201]
        [job] = {job for reply in replies for job in reply.json()["jobs"]}
        ends = [(await http.get(f"/jobs/{job}", params={"wait_s": 25})).json() for _ in range(5)]
        assert {end["state"] for end in ends} == {"done"}
        assert await ordered(http, tokens[0], status=200) == [job]
    async with program(tmp_path, wires) as (http, _):  # the token holds for the next server, too
        assert await ordered(http, tokens[0], status=200) == [job]
    assert wires.posts == 1


async def test_who_hangs_up_in_the_middle_of_an_order_has_ordered_all_of_it(
    tmp_path: Path, wires: Wires
) -> None:  # fmt: skip
    async with program(tmp_path, wires) as (http, own):
        token = (await quoted(http, takes=4))["quote_token"]
        asking = asyncio.create_task(http.post("/jobs", json={"quote_token": token}))
        async with asyncio.timeout(60):
            while not own.jobs():  # noqa: ASYNC110 - it is in a database
                await asyncio.sleep(0)
            asking.cancel()
            while len(own.jobs()) < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert len(await ordered(http, token, status=200)) == 4
        for job in own.jobs():
            await own.wait(job, quiet=True)
    assert wires.posts == 4


async def test_a_clip_is_sent_whole_in_part_or_not_again(tmp_path: Path, wires: Wires) -> None:
    async with program(tmp_path, wires) as (http, own):
        [job] = await ordered(http, (await quoted(http))["quote_token"])
        told = (await http.get(f"/jobs/{job}", params={"wait_s": 25})).json()
        content = own.clip(job).path.read_bytes()
        whole = await http.get(told["clip"])
        assert (whole.content, whole.headers["content-type"]) == (content, "video/mp4")
        part = await http.get(told["clip"], headers={"Range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        assert part.headers["content-range"] == f"bytes 4-7/{len(content)}"
        assert (await http.get(told["clip"], headers={"Range": "bytes=-5"})).content == content[-5:]
        tag = {"ETag": whole.headers["etag"]}
        assert (await http.get(told["clip"], headers={"If-None-Match": tag["ETag"]})).status_code == 304
        changed = {"Range": "bytes=4-7", "If-Range": '"other"'}
        assert (await http.get(told["clip"], headers=changed)).content == content
        for strange in ("bytes=7-4", "bytes=a-b", "bytes=0-1,5-9", "lines=1-2", "bytes=-", "bytes=" + "9" * 5000):
            assert (await http.get(told["clip"], headers={"Range": strange})).content == content, strange
        behind = await http.get(told["clip"], headers={"Range": f"bytes={len(content)}-"})
        fault(behind, 416)
        assert behind.headers["content-range"] == f"bytes */{len(content)}"
        assert (await http.get(told["poster"])).content[8:12] == b"WEBP"
        own.clip(job).path.unlink()
        fault(await http.get(told["clip"]), 410)


async def test_further_clips_of_a_job_are_told_and_sent(tmp_path: Path, wires: Wires) -> None:
    stranger = Stranger()
    links = [f"https://files.example.com/{name}.mp4" for name in ("one", "two")]
    made = [{"id": f"a-{n}", "motion": True, "motionMP4URL": link} for n, link in enumerate(links)]
    stranger.on_submit = lambda request, work: setattr(work, "record", {"generated_images": made})  # type: ignore[func-returns-value]
    stranger.on_download = lambda request, work: httpx.Response(
        200, stream=httpx.ByteStream(film(40 if "one" in request.url.path else 80))
    )
    async with program(tmp_path, wires, keys=KEYS, transport=stranger, sleep=no_rest) as (http, _):
        [job] = await ordered(http, (await quoted(http))["quote_token"])
        told = (await http.get(f"/jobs/{job}", params={"wait_s": 25})).json()
        assert (told["state"], told["clips"]) == ("done", 2)
        assert [(await http.get(address)).content for address in (told["clip"], *told["more"])] == [film(40), film(80)]
        assert "2 clips" in fault(await http.get(f"{told['clip']}?output=2"), 404)["message"]


async def test_jobs_are_listed_by_what_is_asked_of_them(tmp_path: Path, wires: Wires) -> None:
    async with program(tmp_path, wires) as (http, _):
        jobs = await ordered(http, (await quoted(http, takes=2))["quote_token"])
        await ordered(http, (await quoted(http, prompt="a cat", params={"seed": 7}))["quote_token"])

        async def found(**params: Any) -> tuple[int, int]:
            told = (await http.get("/jobs", params=params)).json()
            return told["all"], len(told["jobs"])

        assert await found() == (3, 3)
        assert await found(limit=1) == (3, 1)
        assert await found(prompt="koala", model=MODEL) == (2, 2)
        assert await found(seed=[7, 8]) == (1, 1)
        assert await found(state=["failed", "cancelled"]) == (0, 0)
        for job in jobs:
            await http.get(f"/jobs/{job}", params={"wait_s": 25})


async def test_a_job_that_cannot_be_cancelled_has_no_clip_yet(tmp_path: Path, wires: Wires) -> None:
    async with program(tmp_path, wires, latency_s=1000) as (http, own):
        [job] = await ordered(http, (await quoted(http))["quote_token"])
        async for row in own.watch(job):
            if row.remote_id:
                break
        assert "no way to cancel" in fault(await http.delete(f"/jobs/{job}"), 409)["message"]
        assert "waits for it" in fault(await http.get(f"/jobs/{job}/clip"), 409)["message"]
        assert (await http.get(f"/jobs/{job}")).json()["next_poll_s"] > 0


# -- money


async def test_a_cap_that_a_person_set_holds(tmp_path: Path, wires: Wires) -> None:
    async with program(tmp_path, wires) as (http, own):
        own.budget("programs", jobs=1)
        token = (await quoted(http, takes=3))["quote_token"]
        for _ in range(2):
            said = fault(await http.post("/jobs", json={"quote_token": token}), 402)["message"]
            assert "cap of 1 job" in said
            assert "(a person types: vidnb budget programs --jobs ...)" in said
        [purse] = {row["purse"] for row in (await http.get("/budget")).json()["purses"] if row["cap"] == "1 job"}
        assert purse == "programs"
        own.budget("programs", jobs=3)
        assert len(await ordered(http, token)) == 3
        for job in (await http.get("/jobs")).json()["jobs"]:
            await http.get(f"/jobs/{job['job']}", params={"wait_s": 25})
    assert wires.posts == 3


async def test_a_cap_of_the_environment_holds(
    tmp_path: Path, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDNB_BUDGET_USD", "0.01")
    stranger = Stranger()
    async with program(tmp_path, wires, keys=KEYS, transport=stranger) as (http, _):
        quote = await quoted(http)
        assert (quote["emulated"], quote["price_certainty"], quote["price_sum"]) == (False, "unknown", None)
        refusal = fault(await http.post("/jobs", json={"quote_token": quote["quote_token"]}), 402)
        assert "the cap of $0.01 of this process" in refusal["message"]
    assert stranger.posts == []


async def test_a_token_whose_job_failed_unseen_sends_no_second_one(tmp_path: Path, wires: Wires) -> None:
    """As where the server was killed before it wrote down which job it had made, and the next one took that up."""
    async with program(tmp_path, wires) as (http, own):
        token = (await quoted(http, prompt="a koala [fail]"))["quote_token"]
        job = await own.submit("a koala [fail]", model=MODEL)
        with pytest.raises(Exception, match="failed"):
            await own.wait(job, quiet=True)
        assert await ordered(http, token) == [job.id]
    assert wires.posts == 1


async def test_a_quote_made_before_a_key_was_set_is_refused(
    tmp_path: Path, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with program(tmp_path, wires) as (http, _):
        token = (await quoted(http))["quote_token"]
    async with program(tmp_path, wires, keys={"leonardo": CANARY}) as (http, _):
        refusal = await http.post("/jobs", json={"quote_token": token})
        assert "quote again" in fault(refusal, 409)["message"]
    assert wires.posts == 0


# -- refused


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"params": {"sed": 1}}, "sed", "Did you mean 'seed'?"),
    ({"params": {"resolution": "481p"}}, "resolution", "one of 480p, 720p"),
    ({"model": "leonardo/motion"}, "model", "did you mean"),
    ({"takes": 1000}, "takes", "less than or equal to 20"),
    ({"takes": "2"}, "takes", "valid integer"),
    ({"parms": {}}, "parms", "did you mean 'params'?"),
    ({"images": {"start_image": "/etc/passwd"}}, "start_image", "or a file in"),
    ({"images": {"start_image": "../../../../etc/passwd"}}, "start_image", "or a file in"),
    ({"params": {"start_image": "/etc/passwd"}}, "start_image", "or a file in"),
    ({"params": {"start_image": ["/etc/passwd"]}}, "start_image", "or a file in"),
    ({"params": {"start_image": {"provider": "leonardo", "id": "x"}}}, "start_image", "or a file in"),
    ({"params": {"prompt": "a cat"}}, "prompt", "given twice"),
    ({"params": {"start_image": "a.png"}, "images": {"start_image": "b.png"}}, "start_image", "given twice"),
    ({"images": {"start_image": "~nobody_of_that_name/a.png"}}, "start_image", "no path"),
    ({"images": {"start_image": "a\0b.png"}}, "start_image", "no path"),
    ({"images": {"start_image": ".serve-token"}}, "start_image", "not hidden"),
    ({"images": {"start_image": "secret.txt"}}, "start_image", "the file is text"),
    ({"images": {"start_image": "http://example.com/a.png"}}, "start_image", "an https address"),
    ({"images": {"start_image": "https://no.such.host.invalid/a.png"}}, "start_image", "private network"),
    ({"images": {"start_image": "https://127.0.0.1:1/a.png"}}, "start_image", "private network"),
    ({"images": {"start_image": "https://169.254.169.254/latest"}}, "start_image", "private network"),
    ({"images": {"start_image": "https://localhost/a.png"}}, "start_image", "private network"),
    ({"params": {"seed": 10**4000}}, "seed", "0 to 2147483637"),
]  # fmt: skip
"""What a quote is asked with, the field that is wrong, and what is said of it."""


async def test_wrong_values_are_refused_with_what_is_allowed(
    tmp_path: Path, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("secret.txt", ".serve-token"):
        (tmp_path / name).write_text(CANARY)
    async with program(tmp_path, wires) as (http, _):
        for body, field, said in WRONG:
            reply = await http.post("/quotes", json={"model": MODEL, "prompt": "a koala", **body})
            problem = next(problem for problem in fault(reply, 422)["problems"] if problem["field"] == field)
            assert said in problem["allowed"] + problem["advice"]
            assert CANARY[:8] not in reply.text


REFUSED: list[tuple[str, str, dict[str, str], bytes, int, str]] = [
    ("GET", "/models", {"Authorization": ""}, b"", 401, "token"),
    ("GET", "/models", {"Authorization": f"Bearer {TOKEN}x"}, b"", 401, "token"),
    ("GET", "/models", {"Authorization": f"Basic {TOKEN}"}, b"", 401, "token"),
    ("GET", "/models", {"Host": "evil.example"}, b"", 403, "host"),
    ("GET", "/models", {"Host": "2130706433"}, b"", 403, "host"),
    ("GET", "/openapi.json", {"Host": "evil.example:80"}, b"", 403, "host"),
    ("GET", "/models", {"Origin": "http://evil.example"}, b"", 403, "origin"),
    ("GET", "/models", {"Origin": "null"}, b"", 403, "origin"),
    ("GET", "/models", {"Origin": "http://localhost:1"}, b"", 403, "origin"),
    ("POST", "/quotes", {"Content-Type": "text/plain"}, b"{}", 415, "request"),
    ("POST", "/quotes", {}, b"[" * 100_000, 400, "params"),
    ("POST", "/quotes", {}, b'{"model": "\\ud800"}', 400, "params"),
    ("POST", "/quotes", {}, b'{"model": "x", "takes": ' + b"9" * 5000 + b"}", 400, "params"),
    ("POST", "/quotes", {}, b"x" * 1_000_001, 413, "size"),
    ("POST", "/jobs", {}, b'{"quote_token": "unique-1"}', 404, "not_found"),
    ("GET", "/jobs/..%2f..%2fetc%2fpasswd/clip", {}, b"", 404, "not_found"),
    ("GET", "/jobs/%00", {}, b"", 404, "not_found"),
    ("GET", "/models/../../x", {}, b"", 404, "not_found"),
    ("GET", "/jobs?limit=0", {}, b"", 422, "params"),
    ("GET", "/jobs?limit=1&limit=2", {}, b"", 422, "params"),
    ("GET", "/jobs?state=don", {}, b"", 422, "params"),
    ("GET", "/jobs?since=yesterdayish", {}, b"", 422, "params"),
    ("GET", "/models?provider=leonrdo", {}, b"", 422, "params"),
    ("GET", "/models?mode=vdeo", {}, b"", 422, "params"),
    ("GET", "/jobs?seed=99999999999999999999", {}, b"", 422, "params"),
    ("PUT", "/budget", {}, b"{}", 405, "request"),
    ("POST", "/budget", {}, b'{"usd": 1000}', 405, "request"),
    ("GET", "/nothing", {}, b"", 404, "not_found"),
    ("POST", "/webhooks/nobody", {}, b"{}", 404, "not_found"),
]  # fmt: skip
"""What is asked, and the status and the kind of the refusal."""


async def test_what_nobody_may_ask_is_refused_in_the_one_shape(tmp_path: Path, wires: Wires) -> None:
    async with program(tmp_path, wires) as (http, _):
        for method, path, headers, content, status, kind in REFUSED:
            given = {"Content-Type": "application/json", **headers}
            reply = await http.request(method, path, headers=given, content=content)
            assert fault(reply, status)["kind"] == kind, (method, path)
        reply = await http.put("/jobs")
        assert reply.headers["Allow"] == "GET, HEAD, POST", "both operations, each a route of its own"


async def test_the_word_of_a_service_for_a_state_is_answered_with_ours_first(
    tmp_path: Path, wires: Wires
) -> None:  # fmt: skip
    async with program(tmp_path, wires) as (http, _):
        [problem] = fault(await http.get("/jobs?state=finished"), 422)["problems"]
        assert problem["allowed"].startswith("allowed: done, ")


async def test_names_of_this_server_are_known(tmp_path: Path, wires: Wires) -> None:
    async with program(tmp_path, wires) as (http, _):
        for host in ("localhost:99", "127.0.0.1", "[::1]:8767", "192.168.1.4", "ME.example"):
            headers = {"Host": host, "Origin": f"http://{host}"}
            assert (await http.get("/budget", headers=headers)).status_code == 200, host


async def test_a_body_that_drips_or_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.requests import Request

    from vidnb.serve.guard import body_of
    from vidnb.serve.refusals import RefusedError

    async def drips() -> Any:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def floods() -> Any:
        return {"type": "http.request", "body": b"x" * 100_000, "more_body": True}

    for receive, status in ((drips, 408), (floods, 413)):
        with pytest.raises(RefusedError) as refused:
            await body_of(Request({"type": "http", "headers": []}, receive), within_s=0.05)
        assert refused.value.status == status


async def test_who_waits_for_a_job_does_not_hold_up_the_server(tmp_path: Path, wires: Wires) -> None:
    async with program(tmp_path, wires, latency_s=1000) as (http, own):
        [job] = await ordered(http, (await quoted(http))["quote_token"])
        app = rest_app(TOKEN, own)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as other:
            waiting = asyncio.create_task(other.get(f"/jobs/{job}", params={"wait_s": 25}, headers=BEARER))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            app.state.stopping.set()
            async with asyncio.timeout(10):
                assert (await waiting).json()["next_poll_s"] > 0


async def test_a_fault_of_ours_tells_a_caller_nothing(
    tmp_path: Path, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with program(tmp_path, wires) as (http, own):
        monkeypatch.setattr(type(own), "budget", lambda *_: 1 / 0)
        error = fault(await http.get("/budget"), 500)
        assert "ZeroDivision" not in json.dumps(error)


async def test_no_answer_holds_a_key(tmp_path: Path, wires: Wires, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDNB_WEBHOOK_SECRET_LEONARDO", CANARY)
    async with program(tmp_path, wires, keys={"leonardo": CANARY}, live=False) as (http, _):
        [job] = await ordered(http, (await quoted(http))["quote_token"])
        paths = ("/models", f"/models/{MODEL}", "/budget", "/jobs", f"/jobs/{job}?wait_s=25", f"/jobs/{job}/clip",
                 "/openapi.json", "/nothing")  # fmt: skip
        replies = [await http.get(path) for path in paths]
        replies.append(await http.post("/webhooks/leonardo", json={}))
    said = b"".join(reply.content + str(reply.headers).encode() for reply in replies)
    assert CANARY.encode() not in said
    assert TOKEN.encode() not in said


# -- webhooks


async def test_a_genuine_callback_settles_a_lost_submit_and_a_forged_one_does_not(
    tmp_path: Path, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDNB_WEBHOOK_SECRET_LEONARDO", "s3cret")
    async with program(tmp_path, wires, faults=("lost_reply:submit:1", "500:list")) as (http, own):
        [job] = await ordered(http, (await quoted(http))["quote_token"])
        assert (await http.get(f"/jobs/{job}", params={"wait_s": 25})).json()["state"] == "ambiguous"
        [made] = own.emulator.state.jobs_of("leonardo", account_id(f"leonardo account {EMULATOR_KEY}"))
        path, body = f"/webhooks/leonardo?{JOB_QUERY}={job}", {"data": {"object": {"id": made.id}}}
        for headers in ({}, {"Authorization": "Bearer wrong"}, BEARER):
            forged = await http.post(path, json=body, headers={"Authorization": "", **headers})
            assert fault(forged, 401)["kind"] == "signature"
        assert own.job(job).state is State.AMBIGUOUS
        genuine = {"Authorization": "Bearer s3cret"}
        assert fault(await http.post(path, json={"data": []}, headers=genuine), 400)["kind"] == "params"
        assert (await http.post(path, json=body, headers=genuine)).status_code == 204
        assert (await http.get(f"/jobs/{job}", params={"wait_s": 25})).json()["state"] == "done"
    assert wires.posts == 1


async def test_a_lost_submit_is_found_in_the_services_list_or_left_to_a_person(tmp_path: Path, wires: Wires) -> None:
    async with program(tmp_path, wires, faults=("lost_reply:submit:1", "500:list")) as (http, own):
        [job] = await ordered(http, (await quoted(http))["quote_token"])
        assert (await http.get(f"/jobs/{job}", params={"wait_s": 25})).json()["state"] == "ambiguous"
        looked = await http.post("/reconcile")
        assert looked.status_code == 200
        [left] = looked.json()["a_person_decides"]
        assert (left["job"], left["state"], left["clip"]) == (job, "ambiguous", None)
        assert "could not be asked" in left["how"]
        assert f"vidnb settle {job[:8]} --give-up" in left["how"]
        own.emulator.faults = Injector(())  # the list answers again
        [found] = (await http.post("/reconcile")).json()["found"]
        assert found["job"] == job
        assert (await http.get(f"/jobs/{job}", params={"wait_s": 25})).json()["state"] == "done"
        assert (await http.post("/reconcile")).json() == {"found": [], "a_person_decides": []}
    assert wires.posts == 1


async def test_a_signature_is_over_the_bytes_and_the_moment(
    tmp_path: Path, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = b"k" * 24
    monkeypatch.setenv("VIDNB_WEBHOOK_SECRET_REPLICATE", "whsec_" + base64.b64encode(key).decode())
    body = b'{"id": "p-1",  "status": "succeeded"}'

    def signed(at: float) -> dict[str, str]:
        mac = hmac.new(key, f"m-1.{at:.0f}.".encode() + body, "sha256").digest()
        told = {"webhook-id": "m-1", "webhook-timestamp": f"{at:.0f}"}
        return told | {"webhook-signature": f"v1,{base64.b64encode(mac).decode()}"}

    async with program(tmp_path, wires) as (http, own):
        now = own.clock.utc().timestamp()
        for headers, content, status in (
            (signed(now), body, 204), (signed(now), body + b" ", 401), (signed(now - 86400), body, 401),
            ({}, body, 401),
        ):  # fmt: skip
            reply = await http.post("/webhooks/replicate", content=content, headers=headers)
            assert reply.status_code == status


# -- the token's file


def test_the_token_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "token"
    token = token_of(file)
    assert len(token) > 40
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert token_of(file) == token


@pytest.mark.parametrize(("text", "mode", "said"), [("x" * 43, 0o644, "chmod 600"), ("", 0o600, "delete it"),
                                                    ("\n\n", 0o600, "delete it")])  # fmt: skip
def test_a_token_file_that_is_no_secret_is_refused(tmp_path: Path, text: str, mode: int, said: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(mode)
    with pytest.raises(ConfigError, match=said):
        token_of(file)


# -- as a process


def curl(*arguments: str) -> bytes:
    """What curl prints; it tries for as long as the server is not up."""
    done = subprocess.run(["curl", "-sS", "--retry", "20", "--retry-connrefused", *arguments], capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_curl_comes_from_a_quote_to_a_clip_and_the_token_is_told_nowhere(tmp_path: Path) -> None:
    with Emulator(tmp_path / "service", speed=1000.0) as emulator, running(emulator) as service:
        environment = {"LEONARDO_BASE_URL": f"{service}/api/rest"}
        with serving(tmp_path / "data", environment, "serve") as (_, base, bearer):
            who = ["-H", f"Authorization: {bearer['Authorization']}"]
            kind = ["-H", "Content-Type: application/json"]
            wish = json.dumps({"model": MODEL, "prompt": "a koala in a meadow"})
            quote = json.loads(curl(f"{base}/quotes", *who, *kind, "-d", wish))
            order = json.dumps({"quote_token": quote["quote_token"]})
            [job] = {json.loads(curl(f"{base}/jobs", *who, *kind, "-d", order))["jobs"][0] for _ in range(5)}
            assert json.loads(curl(f"{base}/jobs/{job}?wait_s=25", *who))["state"] == "done"
            clip = tmp_path / "clip.mp4"
            curl(f"{base}/jobs/{job}/clip", *who, "-o", str(clip))
            assert clip.read_bytes()[4:8] == b"ftyp"
            assert curl(f"{base}/jobs/{job}/clip", *who, "-r", "4-7") == b"ftyp"
            assert json.loads(curl(f"{base}/budget"))["error"]["kind"] == "token"
        said = (tmp_path / "said").read_text()
        assert bearer["Authorization"].split()[-1] not in said
        assert ".serve-token" in said
        assert emulator.stats()["jobs"] == 1


def test_a_server_killed_in_the_middle_of_a_submit_pays_once_for_the_token(tmp_path: Path) -> None:
    service, home = CountingService(), tmp_path / "data"

    def asking(base: str, headers: dict[str, str]) -> httpx.Client:
        transport = httpx.HTTPTransport(retries=5)
        return httpx.Client(base_url=base, headers=headers, timeout=30, transport=transport)

    with service.serving():
        with serving(home, service.environment, "serve") as (process, base, bearer), asking(base, bearer) as http:
            token = http.post("/quotes", json={"model": MODEL, "prompt": "a koala"}).json()["quote_token"]
            service.before_reply = lambda prompt: process.send_signal(signal.SIGKILL)
            with contextlib.suppress(httpx.HTTPError):  # it may have answered before it was killed
                http.post("/jobs", json={"quote_token": token})
            process.wait(timeout=30)
        service.before_reply = lambda prompt: None
        with serving(home, service.environment, "serve") as (_, base, bearer), asking(base, bearer) as http:
            orders = [http.post("/jobs", json={"quote_token": token}).json()["jobs"] for _ in range(3)]
            assert orders[0] == orders[1] == orders[2]
            assert http.get(f"/jobs/{orders[0][0]}", params={"wait_s": 5}).json()["state"] == "ambiguous"
    assert service.prompts == ["a koala"]
