"""The emulated OpenRouter speaks the video API: states, content behind the key, refusals, signed callbacks."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from lab import Lab, lab, picture

from vidnb import catalog
from vidnb.records import Callback

pytestmark = pytest.mark.anyio

KEY = {"authorization": "Bearer sk-or-anything"}
OTHER = {"authorization": "Bearer sk-or-somebody-else"}
SMALL = {"model": "x-ai/grok-imagine-video", "prompt": "a koala", "duration": 1, "resolution": "480p"}


async def create(it: Lab, headers: Any = KEY, **given: Any) -> httpx.Response:
    return await it.post("/api/v1/videos", SMALL | given, headers)


async def read(it: Lab, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await it.get(f"/api/v1/videos/{job_id}", KEY)).json()
    return found


async def test_a_job_goes_from_pending_to_content_that_needs_the_key() -> None:
    async with lab() as it:
        reply = await create(it)
        job = reply.json()
        assert (reply.status_code, job["status"]) == (202, "pending")
        assert job["polling_url"] == f"/api/v1/videos/{job['id']}"
        assert job["id"].startswith("gen-vid-1767225600-")
        content = f"/api/v1/videos/{job['id']}/content?index=0"
        assert (await it.get(content, KEY)).status_code == 409
        it.wait(20)
        assert (await read(it, job["id"]))["status"] == "in_progress"
        it.wait()
        done = await read(it, job["id"])
        assert (done["status"], done["usage"]) == ("completed", {"cost": 0.05, "is_byok": False})
        assert "urls" not in done
        [link] = done["unsigned_urls"]
        assert link.endswith(content)
        assert (await it.client.get(link)).status_code == 401
        assert (await it.get(link, OTHER)).status_code == 404
        away = await it.get(link, KEY)
        assert away.status_code == 307
        assert (await it.get(away.headers["location"], KEY)).status_code == 400  # the storage refuses a key
        assert (await it.client.get(away.headers["location"])).content[4:8] == b"ftyp"
        it.wait(86_401)
        assert (await it.get(link, KEY)).status_code == 410


async def test_a_kept_copy_has_a_signed_link_that_ends() -> None:
    async with lab(openrouter_keeps_copy=True, openrouter_redirects=False) as it:
        job = (await create(it)).json()
        it.wait()
        done = await read(it, job["id"])
        [link] = done["urls"]
        assert done["expires_at"] > it.emulator.now()
        assert (await it.client.get(link)).content == (await it.get(done["unsigned_urls"][0], KEY)).content
        assert (await it.client.get(link + "0")).status_code == 403
        it.wait(3601)
        assert (await it.client.get(link)).status_code == 403


async def test_failures_and_missing_outputs_are_told() -> None:
    async with lab() as it:
        failed, empty = [(await create(it, prompt=word)).json()["id"] for word in ("[fail]", "[no-output]")]
        it.wait()
        assert ((await read(it, failed))["status"], (await read(it, empty))["unsigned_urls"]) == ("failed", [])
        assert isinstance((await read(it, failed))["error"], str)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"prompt": None}, "prompt"),
        ({"duration": 40}, "duration"),
        ({"resolution": "4k"}, "resolution"),
        ({"motion": 3}, "motion"),
        ({"frame_images": [{"frame_type": "middle"}]}, "frame_images"),
        ({"frame_images": [{"frame_type": "last_frame", "image_url": {"url": "https://a.example/a.png"}}]}, "frame"),
        ({"frame_images": [{"frame_type": "first_frame", "image_url": {"url": "http://a.example/a.png"}}]}, "first"),
        ({"frame_images": [{"frame_type": "first_frame", "image_url": {"url": "data:image/png;base64,AA"}}]}, "first"),
    ],
)
async def test_a_wrong_body_is_refused_in_words(given: dict[str, Any], word: str) -> None:
    async with lab() as it:
        reply = await create(it, **given)
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, 400)
        assert word in reply.json()["error"]["message"]
        assert it.emulator.stats()["jobs"] == 0


async def test_sound_is_on_and_dearer_unless_it_is_said_to_be_off() -> None:
    async with lab() as it:
        costs = []
        for said in ({}, {"generate_audio": False}):
            veo = {"model": "google/veo-3.1", "prompt": "a koala", "duration": 4, "resolution": "720p", **said}
            job = (await it.post("/api/v1/videos", veo, KEY)).json()["id"]
            it.wait()
            costs.append((await read(it, job))["usage"]["cost"])
        assert costs == [1.6, 0.8]


async def test_what_is_passed_through_to_nobody_is_dropped_without_a_word() -> None:
    async with lab() as it:
        options = {"google-vertex": {"parameters": {"negativePrompt": "rain"}}, "nobody": {"x": 1}}
        veo = {"model": "google/veo-3.1", "prompt": "a koala", "duration": 4, "provider": {"options": options}}
        for body in (veo, SMALL | {"provider": {"options": {"xai": {"parameters": {"y": 1}}}}}):
            assert (await it.post("/api/v1/videos", body, KEY)).status_code == 202


async def test_a_picture_goes_within_the_body_and_gives_the_clip_its_shape() -> None:
    async with lab() as it:
        url = "data:image/png;base64," + base64.b64encode(picture(320, 320)).decode()
        frames = [{"type": "image_url", "image_url": {"url": url}, "frame_type": "first_frame"}]
        job = (await create(it, frame_images=frames)).json()["id"]
        known = it.emulator.state.job(job)
        assert known is not None
        assert known.notes["width_px"] == known.notes["height_px"]
        sized = await create(it, size="854x480")
        assert sized.status_code == 202


async def test_refusals_have_the_services_words() -> None:
    async with lab(openrouter_balance_usd=0.08) as it:
        for headers in ({}, {"authorization": "Bearer bad"}):
            assert (await it.get("/api/v1/key", headers)).json()["error"]["code"] == 401
        flagged = await create(it, prompt="[blocked]")
        assert (flagged.status_code, flagged.json()["error"]["metadata"]["reasons"]) == (403, ["violence"])
        assert (await create(it, model="nobody/nothing")).status_code == 404
        assert (await create(it)).status_code == 202
        assert (await create(it)).status_code == 402
        assert (await it.get("/api/v1/key", KEY)).json()["data"] == {
            "label": "emulated", "usage": 0.05, "limit": 0.08, "limit_remaining": pytest.approx(0.03),
        }  # fmt: skip
        assert (await it.get("/api/v1/credits", KEY)).json()["data"]["total_usage"] == 0.05
        many = await it.post("/api/v1/videos", SMALL, KEY, **{"X-Vidnb-Fault": "429:7s"})
        assert (many.status_code, many.headers["retry-after"]) == (429, "7")
        assert (await it.get("/api/v1/videos/x/y/z", KEY)).json()["error"]["code"] == 404


async def test_the_public_list_has_the_services_odd_shapes() -> None:
    async with lab() as it:
        listed = {one["id"]: one for one in (await it.client.get("/api/v1/videos/models")).json()["data"]}
    assert listed["google/veo-3.1"]["supported_resolutions"] == ["720p", "1080p", "4K"]
    assert listed["google/veo-3.1"]["pricing_skus"]["duration_seconds_with_audio_4k"] == "0.6"
    assert listed["bytedance/seedance-2.0"]["pricing_skus"]["video_tokens_1080p"] == "0.0000077"
    assert listed["some/upscaler"]["supported_durations"] is None
    assert "openai/sora-2-pro" not in listed


async def test_every_model_takes_the_body_that_the_provider_sends() -> None:
    """Neither shares code with the other."""
    from vidnb.params import validate
    from vidnb.providers.openrouter import OpenRouter
    from vidnb.records import RemoteMedia

    async with lab() as it:
        for model in [one for one in catalog.load().values() if one.provider == "openrouter"]:
            for mode in model.modes:
                start = [RemoteMedia("openrouter", "https://a.example/a.png")] if mode == "image" else None
                request = validate(model, {"prompt": "x", "start_image": start[0] if start else None})
                call = OpenRouter().submit(model, request.params, {"start_image": start} if start else {})
                reply = await it.post(f"/api{call.url}", call.json, KEY)
                assert reply.status_code == 202, (model.id, mode, call.json, reply.text)


class Receiver(httpx.AsyncBaseTransport):
    """Somebody's webhook."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200)


async def test_the_end_is_called_back_twice_signed_as_the_providers_reader_wants_it(tmp_path: Path) -> None:
    from vidnb.providers.openrouter import OpenRouter

    receiver = Receiver()
    async with lab(tmp_path, webhook_transport=receiver, openrouter_webhook_times=2) as it:
        job = (await create(it, callback_url="https://me.example/hook")).json()
        await create(it)  # nobody asked to be called for this one
        it.wait()
        with anyio.fail_after(10):
            while len(receiver.requests) < 2:  # noqa: ASYNC110 - they come when they come
                await anyio.sleep(0.001)
        caller: Any = next(getattr(one, "caller") for one in it.emulator.services if one.name == "openrouter")  # noqa: B009
        now = datetime.fromtimestamp(it.emulator.now(), UTC)
        for request in receiver.requests:
            headers = {name.lower(): value for name, value in request.headers.items()}
            callback = Callback(headers, request.content, json.loads(request.content), received_at=now)
            assert callback.json["type"] == "video.generation.completed"
            assert headers["x-openrouter-idempotency-key"] == f"{job['id']}-completed"
            assert OpenRouter().is_genuine(callback, caller.secret)
            assert OpenRouter().webhook_id(callback) == job["id"]
