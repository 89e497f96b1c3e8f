"""The job server with a renderer of the tests, a real process: it dies, hangs and eats memory, and no job is lost.

Nothing here needs torch. The renderer does what the prompt says: see `gpurenderers`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from fakes import picture
from waiting import until

from vidnb.errors import ConfigError
from vidnb.gpu.server import Server, Settings
from vidnb.gpu.worker import Limits

SUPPORT = Path(__file__).parents[1] / "support"
DRAWING = "gpurenderers:Drawing"
SMALL = {
    "prompt": "a koala", "width": 64, "height": 64, "num_frames": 9, "fps": 25, "seed": 7, "num_inference_steps": 4,
    "guidance_scale": 5,
}  # fmt: skip
LTX, WAN = "Lightricks/LTX-Video", "Wan-AI/Wan2.1-T2V-14B-Diffusers"
OVER = ("done", "failed", "cancelled")


@dataclass
class Client:
    """A program with the token."""

    http: httpx.Client
    server: Server

    def post(self, prompt: str = "a koala", token: str = "", model: str = LTX, **given: Any) -> httpx.Response:
        params = {name: value for name, value in {**SMALL, "prompt": prompt, **given}.items() if value is not None}
        return self.http.post("/gpu/jobs", json={"model": model, "params": params, "client_token": token})

    def made(self, *args: Any, **given: Any) -> str:
        reply = self.post(*args, **given)
        assert reply.status_code == 201, reply.text
        return str(reply.json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.http.get(f"/gpu/jobs/{job_id}").json())

    def over(self, job_id: str) -> dict[str, Any]:
        until(lambda: self.job(job_id)["state"] in OVER)
        return self.job(job_id)

    def at(self, job_id: str, state: str) -> None:
        until(lambda: self.job(job_id)["state"] == state)


def weights(folder: Path, *names: str) -> Path:
    for name in names or ("LTX-Video", "Wan2.1-T2V-14B-Diffusers", "stable-video-diffusion-img2vid-xt"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "model_index.json").write_text('{"_class_name": "AnyPipeline"}', encoding="utf-8")
    return folder


@contextmanager
def served(home: Path, **settings: Any) -> Iterator[Client]:
    environment = {"PYTHONPATH": str(SUPPORT)}
    usual = {"port": 0, "renderer": DRAWING, "environment": environment, "models": [weights(home / "weights")]}
    with Server(home / "gpu", Settings(**{**usual, **settings})) as server:
        headers = {"Authorization": f"Bearer {server.token}"}
        with httpx.Client(base_url=server.url, headers=headers, timeout=60, trust_env=False) as http:
            yield Client(http, server)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with served(tmp_path_factory.mktemp("gpu"), limits=Limits(silent_s=4, cancel_s=2)) as one:
        yield one


def test_a_job_comes_to_a_clip_that_is_served_in_parts(client: Client) -> None:
    job_id = client.made()
    told = client.over(job_id)
    assert (told["state"], told["facts"]["frames"], told["facts"]["way"]) == ("done", 9, "full")
    whole = client.http.get(f"/gpu/jobs/{job_id}/content").content
    part = client.http.get(f"/gpu/jobs/{job_id}/content", headers={"range": "bytes=4-7"})
    assert (part.status_code, part.content, whole[4:8]) == (206, b"ftyp", b"ftyp")
    assert client.http.get(f"/gpu/jobs/{job_id}/preview").content[:2] == b"\xff\xd8"


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(client: Client) -> None:
    jobs = [client.made(seed=seed) for seed in (1, 1, 2)]
    for job_id in jobs:
        assert client.over(job_id)["state"] == "done"
    one, again, other = [client.http.get(f"/gpu/jobs/{job_id}/content").content for job_id in jobs]
    assert one == again != other


def test_the_same_token_is_the_same_job_and_for_other_values_it_is_refused(client: Client) -> None:
    token = uuid.uuid4().hex
    first, again = client.post(token=token), client.post(token=token)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert client.post("another", token=token).status_code == 409
    listed = client.http.get("/gpu/jobs?limit=500").json()["jobs"]
    assert [one["client_token"] for one in listed].count(token) == 1


@pytest.mark.parametrize(
    ("word", "kind", "said"),
    [
        ("die", "crashed", "killed"),
        ("exit", "crashed", "exit code 3; its last words: the driver is gone"),
        ("eat", "memory", "memory is used up"),
        ("hang", "silent", "said nothing"),
        ("fail", "picture", "cannot be used"),
        ("raise", "renderer", "device-side assert"),
        ("nothing", "renderer", "no clip"),
    ],
)
def test_a_renderer_that_comes_to_grief_is_a_failed_job_with_a_reason_and_the_next_one_goes_on(
    client: Client, word: str, kind: str, said: str
) -> None:
    bad, good = client.made(word), client.made()
    error = client.over(bad)["error"]
    assert error["kind"] == kind
    assert said in error["message"]
    assert client.over(good)["state"] == "done"


def test_a_job_that_waits_is_cancelled_at_once_and_one_that_runs_after_its_step(client: Client) -> None:
    running, waiting = client.made("slow", num_inference_steps=50), client.made()
    client.at(running, "denoising")
    assert client.job(waiting)["ahead"] == 1
    assert client.http.post(f"/gpu/jobs/{waiting}/cancel").json()["state"] == "cancelled"
    before = client.http.get("/gpu/health").json()["renderer_pid"]
    assert client.http.post(f"/gpu/jobs/{running}/cancel").json()["state"] == "cancelling"
    assert client.over(running)["state"] == "cancelled"
    assert client.over(client.made())["state"] == "done"
    assert client.http.get("/gpu/health").json()["renderer_pid"] == before, "the model stays loaded"
    assert client.http.post(f"/gpu/jobs/{running}/cancel").json()["state"] == "cancelled"


def test_a_renderer_that_does_not_heed_a_cancel_is_ended(client: Client) -> None:
    job_id = client.made("stubborn", num_inference_steps=50)
    client.at(job_id, "denoising")
    before = client.http.get("/gpu/health").json()["renderer_pid"]
    client.http.post(f"/gpu/jobs/{job_id}/cancel")
    assert client.over(job_id)["state"] == "cancelled"
    until(lambda: not psutil.pid_exists(before))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"num_frames": 10}, "in steps of 8"),
        ({"width": 100}, "multiples of 32"),
        ({"motion": 1}, "takes no 'motion'"),
        ({"start_image": "../../server.json"}, "no picture"),
        ({"model": "somebody/else"}, "no model"),
        ({"model": "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"}, "weights"),
        ({"model": WAN, "num_frames": 161, "width": 1280, "height": 1280}, "needs about"),
    ],
)
def test_what_cannot_be_rendered_is_refused_before_it_is_kept(client: Client, given: Any, said: str) -> None:
    before = len(client.http.get("/gpu/jobs?limit=500").json()["jobs"])
    reply = client.post(**given)
    assert reply.status_code == 422
    assert said in reply.json()["error"]["message"]
    assert len(client.http.get("/gpu/jobs?limit=500").json()["jobs"]) == before


def test_a_large_model_shares_its_memory_with_the_machine(client: Client) -> None:
    assert client.over(client.made(model=WAN))["facts"]["way"] == "model", "35 GB of 48, where all of it needs 80"


def test_a_picture_is_uploaded_once_and_used(client: Client) -> None:
    ids = {client.http.post("/gpu/files", content=picture()).json()["id"] for _ in range(2)}
    [file_id] = ids
    params = {"motion_bucket_id": 100, "num_frames": 14, "fps": 7, "width": 128, "height": 64, "num_inference_steps": 2}
    body = {"model": "stabilityai/stable-video-diffusion-img2vid-xt", "params": {**params, "start_image": file_id}}
    reply = client.http.post("/gpu/jobs", json=body)
    assert client.over(reply.json()["id"])["state"] == "done"
    assert client.http.post("/gpu/files", content=b"no picture").status_code == 422


def test_nobody_without_the_token_and_no_web_page_gets_an_answer(client: Client) -> None:
    routes = ("/gpu/health", "/gpu/jobs", "/gpu/jobs/x", "/gpu/jobs/x/content", "/gpu/jobs/x/preview")
    with httpx.Client(base_url=client.server.url, trust_env=False) as bare:
        assert {bare.get(route).status_code for route in routes} == {401}
        assert bare.get("/gpu/jobs", headers={"Authorization": "Bearer wrong"}).status_code == 401
    wrong = [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}, {"Host": "2130706433"}]
    for header in wrong:
        assert client.http.get("/gpu/jobs", headers=header).status_code == 403
        assert client.http.post("/gpu/files", content=picture(), headers=header).status_code == 403
    mode = (client.server.folder / "server.json").stat().st_mode
    assert os.name != "posix" or mode & 0o077 == 0


def test_a_second_server_does_not_render_the_same_jobs(client: Client) -> None:
    with pytest.raises(ConfigError, match="another vidnb gpu"), Server(client.server.folder, Settings(port=0)):
        pass


def test_a_renderer_that_cannot_be_started_says_why_in_every_job(tmp_path: Path) -> None:
    with served(tmp_path, renderer="gpurenderers:Broken") as one:
        until(lambda: bool(one.server.worker.broken))
        reply = one.post()
        assert reply.status_code == 503
        assert "libcudart" in reply.json()["error"]["message"]


def test_old_clips_go_and_say_so_and_so_do_those_that_are_one_too_many(tmp_path: Path) -> None:
    with served(tmp_path) as one:
        jobs = [one.made(seed=seed) for seed in range(3)]
        sizes = [one.over(job_id)["bytes"] for job_id in jobs]
    with served(tmp_path, keep_gb=(sizes[1] + sizes[2]) / 1e9) as one:
        until(lambda: one.job(jobs[0])["state"] == "failed")
        assert one.job(jobs[0])["error"]["kind"] == "gone"
        assert one.http.get(f"/gpu/jobs/{jobs[0]}/content").status_code == 404
        assert one.http.get(f"/gpu/jobs/{jobs[2]}/content").status_code == 200
    with served(tmp_path, keep_hours=0) as one:
        until(lambda: not list((one.server.folder / "results").glob("*.mp4")))


def test_a_clip_that_is_known_to_take_too_long_is_refused_with_how_long(tmp_path: Path) -> None:
    with served(tmp_path) as one:
        one.over(one.made("slow"))
    with served(tmp_path, longest_s=60.0) as one:
        assert one.post(num_inference_steps=4).status_code == 201
        reply = one.post(num_inference_steps=200)
        assert reply.status_code == 422
        assert "--longest-minutes" in reply.json()["error"]["message"]


def test_jobs_outlive_a_server_that_is_stopped_and_the_token_stays(tmp_path: Path) -> None:
    with served(tmp_path) as one:
        running, waiting = one.made("slow", num_inference_steps=3), one.made()
        one.at(running, "denoising")
        token = one.server.token
    with served(tmp_path) as one:
        assert one.server.token == token
        assert [one.over(job_id)["state"] for job_id in (running, waiting)] == ["done", "done"]


SERVER = """
import signal, sys
from pathlib import Path
from vidnb.gpu.server import Server, Settings
home, support = map(Path, sys.argv[1:])
settings = Settings([home / "weights"], 0, renderer="gpurenderers:Drawing", environment={"PYTHONPATH": str(support)})
with Server(home / "gpu", settings):
    print("ready", flush=True)
    signal.pause()
"""


@contextmanager
def server_process(home: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """A server in a process of its own, and a program with its token."""
    process = subprocess.Popen([sys.executable, "-c", SERVER, home, SUPPORT], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        told = json.loads((home / "gpu/server.json").read_text(encoding="utf-8"))
        headers = {"Authorization": f"Bearer {told['token']}"}
        with httpx.Client(base_url=told["url"], headers=headers, timeout=60, trust_env=False) as http:
            yield process, http
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is a signal of POSIX")
def test_jobs_outlive_a_server_that_is_killed_and_its_renderer_does_not(tmp_path: Path) -> None:
    weights(tmp_path / "weights")
    with server_process(tmp_path) as (process, http):
        slow = {"model": LTX, "params": {**SMALL, "prompt": "slow", "num_inference_steps": 3}, "client_token": "slow"}
        first = http.post("/gpu/jobs", json=slow).json()["id"]
        second = http.post("/gpu/jobs", json={**slow, "client_token": "second"}).json()["id"]
        until(lambda: http.get(f"/gpu/jobs/{first}").json()["state"] == "denoising")
        renderer = http.get("/gpu/health").json()["renderer_pid"]
        os.kill(process.pid, signal.SIGKILL)
        until(lambda: not psutil.pid_exists(renderer) or psutil.Process(renderer).status() == psutil.STATUS_ZOMBIE)
    with served(tmp_path) as one:
        assert [one.over(job_id)["state"] for job_id in (first, second)] == ["done", "done"]


def test_a_job_that_ended_its_server_twice_is_not_begun_a_third_time(tmp_path: Path) -> None:
    with served(tmp_path) as one:
        job_id = one.made("slow", num_inference_steps=50)
        one.at(job_id, "denoising")
        with one.server.queue._writing() as db:  # as two servers that were killed would have left it
            db.execute("update jobs set attempts = 3 where id = ?", (job_id,))
        one.server.queue.put_back = lambda job_id: None  # type: ignore[method-assign]  # a killed one does not
    with served(tmp_path) as one:
        assert "ended twice" in one.over(job_id)["error"]["message"]
