"""A notebook and the job server: jobs that are real and cost nothing, outlive the kernel, and are never made twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes import picture, short_rest
from waiting import until

from vidnb.cli import checks, gpu
from vidnb.client.asynchronous import AsyncClient
from vidnb.errors import ConfigError, JobCancelledError, JobFailedError, TransportError
from vidnb.gpu.server import Server, Settings
from vidnb.records import Cost, State

pytestmark = pytest.mark.anyio

SUPPORT = Path(__file__).parents[1] / "support"
QUICK: dict[str, Any] = {
    "model": "local/ltx-video", "seed": 7, "steps": 3, "num_frames": 9, "width_px": 64, "height_px": 64,
}  # fmt: skip


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("VIDNB_GPU_HOME", str(tmp_path / "gpu"))
    for name in ("LTX-Video", "stable-video-diffusion-img2vid-xt"):
        (tmp_path / "weights" / name).mkdir(parents=True)
        (tmp_path / "weights" / name / "model_index.json").write_text('{"_class_name": "Any"}', encoding="utf-8")
    environment = {"PYTHONPATH": str(SUPPORT)}
    settings = Settings([tmp_path / "weights"], 0, renderer="gpurenderers:Drawing", environment=environment)
    with Server(tmp_path / "gpu", settings) as one:
        yield one


def here(folder: Path, **given: Any) -> AsyncClient:
    return AsyncClient(folder / "data", sleep=short_rest, **given)


async def test_a_clip_is_real_and_costs_nothing_and_the_same_call_is_the_same_job(
    tmp_path: Path, server: Server
) -> None:
    async with here(tmp_path) as client:
        clip = await client.generate("a koala", **QUICK)
        assert (clip.job.emulated, clip.job.cost, client.spent().get("USD", 0.0)) == (False, Cost(0.0, "USD"), 0.0)
        assert client.quote("a koala", **{**QUICK, "seed": 8}).cost == Cost(0.0, "USD")
        assert (await client.generate("a koala", **QUICK)).job.id == clip.job.id
        moved = await client.generate(model="local/svd-xt", start_image=picture(), steps=2, num_frames=14, seed=1)
        assert moved.job.clip is not None
        assert moved.job.clip.frames == 14


class Deaf(httpx.AsyncHTTPTransport):
    """Loses the reply to the first submit, and counts submits."""

    submits = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if request.method == "POST" and request.url.path == "/gpu/jobs":
            self.submits += 1
            if self.submits == 1:
                await response.aread()
                await response.aclose()
                raise httpx.ReadError("the connection broke", request=request)
        return response


async def test_a_lost_reply_is_found_again_for_certain(tmp_path: Path, server: Server) -> None:
    """Also where another program asked for the same clip at the same moment: our own id tells them apart."""
    transport = Deaf()
    headers = {"Authorization": f"Bearer {server.token}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False) as other:
        params = {"prompt": "a koala", "seed": 7, "width": 64, "height": 64, "num_frames": 9, "fps": 25,
                  "num_inference_steps": 3, "guidance_scale": 5}  # fmt: skip
        await other.post("/gpu/jobs", json={"model": "Lightricks/LTX-Video", "params": params, "client_token": "x"})
    async with here(tmp_path, transport=transport) as client:
        clip = await client.generate("a koala", **QUICK)
    assert clip.job.state is State.DONE
    assert transport.submits == 1
    assert [entry.client_token for entry in server.queue.recent(10)] == [clip.job.id, "x"]


async def test_a_dead_renderer_is_a_failed_job_and_a_running_one_is_cancelled(tmp_path: Path, server: Server) -> None:
    async with here(tmp_path) as client:
        with pytest.raises(JobFailedError, match=r"killed .*\(not charged\).* at its usual price"):
            await client.generate("die", **QUICK)
        job = await client.submit("slow", **{**QUICK, "steps": 50})
        while not (client.job(job.id).wire_status or "").startswith("denoising"):
            await client.store.clock.wait(0.05)
        assert (await client.cancel(job)).state is State.CANCELLED
        with pytest.raises(JobCancelledError):
            await client.wait(job)
        assert (await client.generate("a koala", **QUICK)).job.state is State.DONE


async def test_a_server_whose_renderer_cannot_be_started_refuses_and_leaves_nothing_unclear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDNB_GPU_HOME", str(tmp_path / "gpu"))
    (tmp_path / "weights/LTX-Video").mkdir(parents=True)
    (tmp_path / "weights/LTX-Video/model_index.json").write_text('{"_class_name": "Any"}', encoding="utf-8")
    settings = Settings(
        [tmp_path / "weights"], 0, renderer="gpurenderers:Broken", environment={"PYTHONPATH": str(SUPPORT)}
    )
    with Server(tmp_path / "gpu", settings) as server:
        until(lambda: bool(server.worker.broken))
        async with here(tmp_path) as client:
            with pytest.raises(JobFailedError, match=r"cannot be started: ImportError: libcudart.*not charged"):
                await client.generate("a koala", **QUICK)
            assert client.jobs()[0].state is State.FAILED


KERNEL = """
import asyncio, sys
from vidnb.client.asynchronous import AsyncClient

async def go():
    async with AsyncClient() as client:
        small = {"steps": 3, "num_frames": 9, "width_px": 64, "height_px": 64}
        job = await client.submit("slow", model="local/ltx-video", seed=1, **small)
        await client.wait(job)

asyncio.run(go())
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is a signal of POSIX")
async def test_a_render_outlives_the_kernel_that_asked_for_it(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDNB_HOME", str(tmp_path / "data"))
    kernel = subprocess.Popen([sys.executable, "-c", KERNEL])  # noqa: ASYNC220  it is begun in a moment
    until(lambda: [entry for entry in server.queue.recent(1) if entry.state == "running"])
    kernel.send_signal(signal.SIGKILL)
    kernel.wait()
    async with here(tmp_path) as client:
        await client.resume()
        [job] = client.jobs()
    assert job.state is State.DONE
    assert len(server.queue.recent(10)) == 1


async def test_without_a_server_the_emulated_one_answers_and_a_stopped_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    async with here(tmp_path, live=False) as client:
        assert (await client.generate("a koala", **QUICK)).job.emulated
    server.__exit__()
    async with here(tmp_path) as client:
        with pytest.raises((TransportError, JobFailedError), match=r"is it running\? vidnb gpu"):
            await client.generate("a heron", **QUICK)
    monkeypatch.setenv("VIDNB_GPU_HOME", str(tmp_path / "nothing"))
    async with here(tmp_path) as client:
        assert client.target("local").emulated
    async with here(tmp_path, live=True) as client:
        with pytest.raises(ConfigError, match="start it in a terminal"):
            await client.generate("a heron", **QUICK)


async def test_doctor_says_whether_a_server_left_a_token_and_never_which(server: Server) -> None:
    def told() -> str:
        [value] = [finding.value for finding in checks._services() if finding.what == "Own GPU"]
        return value

    assert "token found" in told()
    assert server.token not in told()
    (server.folder / "server.json").unlink()
    assert "vidnb gpu --models DIR starts" in told()


def test_the_command_says_what_is_missing_before_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "NEEDED", ("torch_that_nobody_has",))
    with pytest.raises(ConfigError, match=r"pip install 'vidnb\[local\]'"):
        gpu.gpu([tmp_path])
    monkeypatch.setattr(gpu, "NEEDED", ())
    with pytest.raises(ConfigError, match="nothing is downloaded"):
        gpu.gpu([])
    with pytest.raises(ConfigError, match="there is no folder"):
        gpu.gpu([tmp_path / "nowhere"])


@pytest.mark.skipif(os.name != "posix", reason="elsewhere files have no such modes")
async def test_a_token_that_others_can_read_is_not_used(tmp_path: Path, server: Server) -> None:
    (server.folder / "server.json").chmod(0o644)
    async with here(tmp_path) as client:
        with pytest.raises(ConfigError, match="chmod 600"):
            await client.generate("a koala", **QUICK)
