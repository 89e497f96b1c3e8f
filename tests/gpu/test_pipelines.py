"""The pipelines of diffusers, tiny and with random weights, on the processor: real steps, real clips, equal bytes.

Real weights were never tried here: what a large checkpoint needs in memory and time, no test says.
"""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fakes import picture
from PIL import Image
from waiting import until

from vidnb.gpu.child import Work
from vidnb.gpu.server import Server, Settings
from vidnb.media import tagged, video

missing = [name for name in ("torch", "diffusers", "transformers") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed; .ci/run does it where it can"),
]

TEXT = {"prompt": "a koala", "num_inference_steps": 3, "width": 64, "height": 64, "num_frames": 9, "guidance_scale": 5}
CASES: dict[str, tuple[str, dict[str, Any], int]] = {
    "ltx": ("Lightricks/LTX-Video", {**TEXT, "fps": 25}, 9),
    "ltx from a picture": ("Lightricks/LTX-Video", {**TEXT, "fps": 25, "width": 96, "start_image": True}, 9),
    "wan": ("Wan-AI/Wan2.1-T2V-1.3B-Diffusers", {**TEXT, "fps": 16, "num_frames": 5, "flow_shift": 5}, 5),
    "cog": ("THUDM/CogVideoX-2b", {**TEXT, "num_frames": 17, "fps": 8}, 17),
    "svd": (
        "stabilityai/stable-video-diffusion-img2vid-xt",
        {"num_inference_steps": 1, "width": 64, "height": 64, "num_frames": 14, "fps": 7, "max_guidance_scale": 3,
         "motion_bucket_id": 180, "noise_aug_strength": 0.1, "start_image": True},
        14,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A program with the token of a server that has tiny weights of every family."""
    import tinyweights

    home = tmp_path_factory.mktemp("gpu")
    for name, save in tinyweights.SAVED.items():
        save(home / "weights" / name)
    settings = Settings([home / "weights"], 0, memory_gb=64, environment={"VIDNB_GPU_CPU": "1"})
    with Server(home / "gpu", settings) as server:
        headers = {"Authorization": f"Bearer {server.token}"}
        with httpx.Client(base_url=server.url, headers=headers, timeout=120, trust_env=False) as one:
            yield one


def made(http: httpx.Client, name: str, params: dict[str, Any], seed: int) -> str:
    given = {**params, "seed": seed}
    if "start_image" in given:
        given["start_image"] = http.post("/gpu/files", content=picture()).json()["id"]
    reply = http.post("/gpu/jobs", json={"model": name, "params": given})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def over(http: httpx.Client, job_id: str) -> dict[str, Any]:
    def job() -> dict[str, Any]:
        return dict(http.get(f"/gpu/jobs/{job_id}").json())

    for _ in range(5):  # torch is imported, and the machine may be busy
        try:
            until(lambda: job()["state"] in ("done", "failed", "cancelled"))
            break
        except AssertionError:
            continue
    return job()


@pytest.mark.parametrize("case", CASES)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_clip(
    http: httpx.Client, tmp_path: Path, case: str
) -> None:
    name, params, frames = CASES[case]
    jobs = [made(http, name, params, seed) for seed in (7, 7, 8)]
    told = [over(http, job_id) for job_id in jobs]
    assert [one["state"] for one in told] == ["done"] * 3, told
    clips = [http.get(f"/gpu/jobs/{job_id}/content").content for job_id in jobs]
    assert clips[0] == clips[1] != clips[2]
    path = tmp_path / "clip.mp4"
    path.write_bytes(clips[0])
    info = video.verify_video(path)
    assert (info.frames, info.fps, info.width_px) == (frames, params["fps"], params["width"])
    recipe = tagged.read(path) or {}
    assert recipe["params"]["seed"] == 7
    assert {"torch", "diffusers"} <= set(recipe["made"]["versions"])
    preview = Image.open(io.BytesIO(http.get(f"/gpu/jobs/{jobs[0]}/preview").content))
    assert max(preview.size) <= 320


def test_a_seed_does_not_depend_on_what_was_rendered_before(http: httpx.Client) -> None:
    name, params, _ = CASES["ltx"]
    first = made(http, name, params, 3)
    over(http, first)
    over(http, made(http, *CASES["wan"][:2], 3))  # another pipeline is loaded in between
    again = made(http, name, params, 3)
    over(http, again)
    one, other = (http.get(f"/gpu/jobs/{job_id}/content").content for job_id in (first, again))
    assert one == other


def test_a_running_render_is_cancelled_between_two_steps_and_its_pipeline_goes_on(http: httpx.Client) -> None:
    name, params, _ = CASES["ltx"]
    job_id = made(http, name, {**params, "num_inference_steps": 200}, 1)
    until(lambda: http.get(f"/gpu/jobs/{job_id}").json().get("step", 0) > 1)
    before = http.get("/gpu/health").json()["renderer_pid"]
    http.post(f"/gpu/jobs/{job_id}/cancel")
    assert over(http, job_id)["state"] == "cancelled"
    assert over(http, made(http, name, params, 7))["state"] == "done"
    assert http.get("/gpu/health").json()["renderer_pid"] == before


def test_weights_that_cannot_be_loaded_fail_the_job_with_the_reason(tmp_path: Path) -> None:
    folder = tmp_path / "weights/LTX-Video"
    folder.mkdir(parents=True)
    parts = {"transformer": ["diffusers", "LTXVideoTransformer3DModel"]}
    told = json.dumps({"_class_name": "LTXPipeline", "_diffusers_version": "0.42.1", **parts})
    (folder / "model_index.json").write_text(told, encoding="utf-8")
    settings = Settings([tmp_path / "weights"], 0, memory_gb=64, environment={"VIDNB_GPU_CPU": "1"})
    with Server(tmp_path / "gpu", settings) as server:
        headers = {"Authorization": f"Bearer {server.token}"}
        with httpx.Client(base_url=server.url, headers=headers, timeout=120, trust_env=False) as one:
            job = over(one, made(one, *CASES["ltx"][:2], 1))
    assert (job["state"], job["error"]["kind"]) == ("failed", "weights")
    assert "cannot be loaded" in job["error"]["message"]


def test_a_shift_holds_for_its_order_alone_whatever_the_scheduler_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler

    from vidnb import catalog
    from vidnb.gpu.pipelines import Diffusers, LoadedPipeline
    from vidnb.gpu.recipes import recipe_of

    monkeypatch.setenv("VIDNB_GPU_CPU", "1")
    renderer, own = Diffusers(), FlowMatchEulerDiscreteScheduler(shift=7.0)
    for name, usual, asked in (("hunyuanvideo", 7.0, 3.0), ("wan2.1-t2v-1.3b", 3.0, 9.0)):
        model = catalog.load()[f"local/{name}"]
        recipe = recipe_of(model)
        work = Work("1", model.id, Path("w"), "", {}, {}, Path("o"), Path("p"), "full")
        renderer._pipeline = LoadedPipeline(("w", recipe.text, "full"), SimpleNamespace(scheduler=own), own)
        for given, wanted in (({}, usual), ({"flow_shift": asked}, asked), ({}, usual)):
            order = replace(work, values={"width_px": 832, "height_px": 480, **given})
            config = renderer._loaded(model, recipe, order).scheduler.config
            assert config[recipe.shift] == wanted
