"""The emulated job server: tokens of the client, steps, a cancel that costs nothing, clips by range, refusals."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from lab import Lab, lab, picture

pytestmark = pytest.mark.anyio

KEY = {"authorization": "Bearer anything"}
OTHER = {"authorization": "Bearer somebody-else"}
SMALL = {
    "prompt": "a koala", "width": 128, "height": 64, "num_frames": 9, "fps": 25, "seed": 7, "num_inference_steps": 10,
    "guidance_scale": 5,
}  # fmt: skip


async def create(it: Lab, token: str = "", headers: Any = KEY, **given: Any) -> httpx.Response:
    params = {name: value for name, value in {**SMALL, **given}.items() if value is not None}
    body = {"model": "Lightricks/LTX-Video", "params": params, "client_token": token}
    return await it.post("/gpu/jobs", body, headers)


async def read(it: Lab, job_id: str, headers: Any = KEY) -> dict[str, Any]:
    found: dict[str, Any] = (await it.get(f"/gpu/jobs/{job_id}", headers)).json()
    return found


async def test_a_job_goes_step_by_step_to_a_clip_that_is_served_in_parts_to_whoever_has_the_token() -> None:
    async with lab() as it:
        job_id = (await create(it)).json()["id"]
        states = []
        for _ in range(30):
            told = await read(it, job_id)
            states.append(told["state"])
            if told["state"] == "denoising":
                assert told["progress"] == round(told["step"] / 10 * 0.85, 3)
            it.wait(3)
        assert list(dict.fromkeys(states)) == ["loading", "denoising", "decoding", "done"]
        link = f"/gpu/jobs/{job_id}/content"
        part = await it.client.get(link, headers={**KEY, "range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        assert (await it.get(link, OTHER)).status_code == 404
        assert (await it.client.get(link)).status_code == 401


async def test_the_same_token_is_the_same_job_and_with_other_values_a_refusal() -> None:
    async with lab() as it:
        first, again = await create(it, "one"), await create(it, "one")
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json()["id"] == again.json()["id"]
        assert (await create(it, "one", seed=8)).status_code == 409
        assert (await create(it, "one", OTHER)).status_code == 201
        assert it.emulator.stats()["jobs"] == 2
        listed = (await it.get("/gpu/jobs?limit=5", KEY)).json()["jobs"]
        assert [one["client_token"] for one in listed] == ["one"]


async def test_one_clip_is_made_at_a_time_and_a_cancel_makes_room() -> None:
    async with lab() as it:
        jobs = [(await create(it, seed=seed)).json()["id"] for seed in range(3)]
        told = [await read(it, one) for one in jobs]
        assert [(one["state"], one.get("ahead")) for one in told] == [("loading", None), ("queued", 1), ("queued", 2)]
        cancelled = (await it.post(f"/gpu/jobs/{jobs[1]}/cancel", {}, KEY)).json()
        assert cancelled["state"] == "cancelled"
        assert (await it.post(f"/gpu/jobs/{jobs[0]}/cancel", {}, OTHER)).status_code == 404


async def test_a_duration_becomes_frames_that_the_model_can_make() -> None:
    async with lab() as it:
        job_id = (await create(it, num_frames=None, duration=0.5)).json()["id"]
        job = it.emulator.state.job(job_id)
        assert job is not None
        assert job.params["num_frames"] == 9


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"num_frames": 10}, "num_frames"),
        ({"width": 100}, "width"),
        ({"prompt": None}, "prompt"),
        ({"motion": 3}, "motion"),
        ({"start_image": "nobody"}, "start_image"),
    ],
)
async def test_a_wrong_value_is_refused_and_the_field_named(given: dict[str, Any], field: str) -> None:
    async with lab() as it:
        reply = await create(it, **given)
        assert reply.status_code == 422, reply.text
        assert field in reply.json()["error"]["message"]


async def test_a_picture_is_uploaded_once_and_is_its_owners() -> None:
    async with lab() as it:
        ids = {(await it.client.post("/gpu/files", content=picture(), headers=KEY)).json()["id"] for _ in range(2)}
        [file_id] = ids
        assert (await create(it, start_image=file_id)).status_code == 201
        assert (await create(it, headers=OTHER, start_image=file_id)).status_code == 422
        assert (await it.client.post("/gpu/files", content=b"no picture", headers=KEY)).status_code == 422


async def test_weights_that_are_not_there_are_said_and_old_clips_are_gone() -> None:
    async with lab(gpu_models=("svd-xt",)) as it:
        assert "weights" in (await create(it)).json()["error"]["message"]
        assert [one["id"] for one in (await it.get("/gpu/health", KEY)).json()["models"]] == ["local/svd-xt"]
    async with lab(gpu_keeps_s=10.0) as it:
        job_id = (await create(it)).json()["id"]
        it.wait(500)
        assert (await read(it, job_id))["error"]["kind"] == "gone"
        assert (await it.get(f"/gpu/jobs/{job_id}/content", KEY)).status_code == 404
