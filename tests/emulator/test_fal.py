"""The emulated fal speaks the queue API: positions, errors that only the result tells, storage, list, callbacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from lab import Lab, lab, picture

from vidnb import catalog
from vidnb.records import Callback

pytestmark = pytest.mark.anyio

KEY = {"authorization": "Key abc:def"}
OTHER = {"authorization": "Key somebody:else"}
PIX = "fal-ai/pixverse/v6/text-to-video"
SMALL = {"prompt": "a koala", "duration": 1, "resolution": "360p"}


async def submit(it: Lab, endpoint: str = PIX, headers: Any = KEY, **given: Any) -> dict[str, Any]:
    reply = await it.post(f"/{endpoint}", given or SMALL, headers)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def at(it: Lab, url: str, headers: Any = KEY) -> httpx.Response:
    return await it.client.get(url, headers=headers)


async def test_a_job_goes_through_the_queue_to_a_public_clip() -> None:
    async with lab() as it:
        jobs = [await submit(it, **SMALL, seed=seed) for seed in range(4)]
        assert [job["queue_position"] for job in jobs] == [0, 0, 0, 1]
        assert jobs[0]["status_url"].endswith(f"/fal-ai/pixverse/requests/{jobs[0]['request_id']}/status")
        waiting = await at(it, jobs[3]["status_url"])
        assert (waiting.status_code, waiting.json()["status"]) == (202, "IN_QUEUE")
        running = await at(it, f"{jobs[0]['status_url']}?logs=1")
        assert (running.status_code, running.json()["status"], len(running.json()["logs"])) == (202, "IN_PROGRESS", 1)
        early = await at(it, jobs[0]["response_url"])
        assert (early.status_code, early.json()["detail"]) == (400, "Request is still in progress")
        it.wait()
        done = await at(it, jobs[0]["status_url"])
        assert (done.status_code, done.json()["status"]) == (200, "COMPLETED")
        made = (await at(it, jobs[0]["response_url"])).json()
        assert made["seed"] == 0
        clip = await it.client.get(made["video"]["url"])  # without a key
        assert clip.content[4:8] == b"ftyp"


async def test_the_whole_endpoint_has_no_jobs_of_its_own() -> None:
    async with lab() as it:
        job = await submit(it)
        assert (await at(it, f"/{PIX}/requests/{job['request_id']}/status")).status_code == 404
        assert (await at(it, f"/fal-ai/veo3.1/requests/{job['request_id']}/status")).status_code == 404
        assert (await at(it, job["status_url"], OTHER)).status_code == 404


@pytest.mark.parametrize(
    ("given", "field", "kind"),
    [
        ({}, "prompt", "missing"),
        ({**SMALL, "resolution": "9p"}, "resolution", "value_error"),
        ({**SMALL, "duration": 99}, "duration", "value_error"),
        ({**SMALL, "motion": 3}, "motion", "extra_forbidden"),
        ({"prompt": "[blocked]"}, None, "content_policy_violation"),
    ],
)
async def test_what_the_runner_refuses_is_taken_and_fails_with_the_result(
    given: dict[str, Any], field: str | None, kind: str
) -> None:
    async with lab() as it:
        job = (await it.post(f"/{PIX}", given, KEY)).json()
        it.wait()
        assert (await at(it, job["status_url"])).json()["status"] == "COMPLETED"
        result = await at(it, job["response_url"])
        [error] = result.json()["detail"]
        assert (result.status_code, error["type"]) == (422, kind)
        assert error["loc"] == ["body", *([field] if field else [])]


async def test_a_cancel_drops_what_waits_and_is_a_wish_for_what_runs() -> None:
    async with lab(fal_heeds_cancel=False) as it:
        running, _, waiting = [await submit(it, **SMALL, seed=seed) for seed in range(3)]
        for job in (running, waiting):
            reply = await it.client.put(job["cancel_url"], headers=KEY)
            assert (reply.status_code, reply.json()["status"]) == (202, "CANCELLATION_REQUESTED")
        it.wait()
        assert "error" not in (await at(it, running["status_url"])).json()
        assert (await at(it, waiting["status_url"])).json()["error_type"] == "client_cancelled"
        late = await it.client.put(running["cancel_url"], headers=KEY)
        assert (late.status_code, late.json()["status"]) == (400, "ALREADY_COMPLETED")
        unknown = await it.client.put(f"/fal-ai/pixverse/requests/{'0' * 36}/cancel", headers=KEY)
        assert (unknown.status_code, unknown.json()["status"]) == (404, "NOT_FOUND")


async def test_the_list_has_only_what_is_over_of_the_endpoints_asked_for() -> None:
    async with lab() as it:
        await submit(it)
        path = f"/api/v1/models/requests/by-endpoint?endpoint_id={PIX}"
        assert (await at(it, path)).json()["items"] == []
        it.wait()
        [item] = (await at(it, f"{path}&expand=payloads")).json()["items"]
        assert (item["json_input"], item["status_code"]) == (SMALL, 200)
        assert item["json_output"]["video"]["url"]
        [plain] = (await at(it, path)).json()["items"]
        assert "json_input" not in plain
        for query in (f"{path}&start=2027-01-01T00:00:00Z", path.replace(PIX, "fal-ai/veo3.1")):
            assert (await at(it, query)).json()["items"] == []
        assert (await at(it, path, OTHER)).json()["items"] == []
        assert (await at(it, "/api/v1/models/requests/by-endpoint")).status_code == 422


async def test_a_file_is_put_without_the_key_and_served_to_anybody() -> None:
    async with lab(fal_upload_window_s=60) as it:
        body = {"file_name": "a.png", "content_type": "image/png"}
        start = "/rest/storage/upload/initiate?storage_type=fal-cdn-v3"
        made = (await it.post(start, body, KEY)).json()
        assert (await it.client.put(made["upload_url"], content=picture(), headers=KEY)).status_code == 400
        assert (await it.client.put(made["upload_url"].replace("=", "=x"), content=b"x")).status_code == 403
        assert (await it.client.put(made["upload_url"], content=picture())).status_code == 200
        assert (await it.client.get(made["file_url"])).content == picture()
        endpoint = "fal-ai/pixverse/v6/image-to-video"
        job = await submit(it, endpoint, **SMALL, image_url=made["file_url"])
        late = (await it.post(start, body, KEY)).json()
        it.wait(61)
        assert (await it.client.put(late["upload_url"], content=picture())).status_code == 403
        it.wait()
        assert (await at(it, job["response_url"])).status_code == 200
        nothing = await submit(it, endpoint, **SMALL, image_url=late["file_url"])
        it.wait()
        assert "Failed to download" in (await at(it, nothing["response_url"])).text


async def test_a_token_uploads_until_it_has_expired() -> None:
    async with lab(fal_upload_window_s=60) as it:
        told = (await it.post("/rest/storage/auth/token?storage_type=fal-cdn-v3", {}, KEY)).json()
        headers = {"authorization": f"{told['token_type']} {told['token']}", "x-fal-file-name": "a.png"}
        url = f"{told['base_url']}/files/upload"
        made = await it.client.post(url, content=picture(), headers=headers)
        assert (await it.client.get(made.json()["access_url"])).content == picture()
        for wrong in ({}, KEY, {**headers, "authorization": f"Bearer {told['token']}x"}):
            assert (await it.client.post(url, content=b"x", headers=wrong)).status_code == 401
        it.wait(61)
        assert (await it.client.post(url, content=b"x", headers=headers)).status_code == 401


async def test_refusals_have_the_services_words() -> None:
    async with lab(fal_balance_usd=0.6) as it:
        for headers in ({}, {"authorization": "Key bad"}):
            assert (await it.post(f"/{PIX}", SMALL, headers)).status_code == 401
        assert (await it.post("/fal-ai/nothing/at/all", SMALL, KEY)).status_code == 404
        await submit(it)
        locked = await it.post(f"/{PIX}", SMALL, KEY)
        assert (locked.status_code, "User is locked" in locked.json()["detail"]) == (403, True)


class Receiver(httpx.AsyncBaseTransport):
    """Somebody's webhook."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200)


async def test_the_end_is_called_back_twice_signed_as_the_providers_reader_wants_it(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from vidnb.providers.fal import Fal

    receiver = Receiver()
    async with lab(tmp_path, webhook_transport=receiver, fal_webhook_times=2) as it:
        job = (await it.post(f"/{PIX}?fal_webhook=https://me.example/hook", SMALL, KEY)).json()
        await submit(it)  # nobody asked to be called for this one
        jwks = (await it.client.get("/rest/.well-known/jwks.json")).text
        it.wait()
        with anyio.fail_after(10):
            while len(receiver.requests) < 2:  # noqa: ASYNC110 - they come when they come
                await anyio.sleep(0.001)
        for request in receiver.requests:
            body = json.loads(request.content)
            assert (body["request_id"], body["status"]) == (job["request_id"], "OK")
            headers = {name.lower(): value for name, value in request.headers.items()}
            now = datetime.fromtimestamp(it.emulator.now(), UTC)
            callback = Callback(headers, request.content, body, received_at=now)
            assert Fal().is_genuine(callback, jwks)


async def test_every_endpoint_takes_its_least_input() -> None:
    from vidnb.providers.conformance import least

    async with lab(slots=None) as it:
        for model in [one for one in catalog.load().values() if one.provider == "fal"]:
            values, media = least(model, model.modes[0])
            given = {model.params[name].wire or name: model.params[name].to_wire(one) for name, one in values.items()}
            for name, items in media.items():
                param, links = model.params[name], ["https://a.example/a.png"] * len(items)
                given[param.wire or name] = links[0] if param.kind == "image" or param.max_items == 1 else links
            job = await submit(it, model.wire, **given)
            it.wait()
            assert (await at(it, job["response_url"])).status_code == 200, model.id
