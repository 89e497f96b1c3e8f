"""The emulated Replicate speaks the predictions API: states, deadlines, the hour after which all is gone, refusals."""

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

KEY = {"authorization": "Bearer r8_anything"}
OTHER = {"authorization": "Bearer r8_somebody_else"}
WAN = "wan-video/wan-2.2-t2v-fast"
SMALL = {"prompt": "a koala", "num_frames": 81, "resolution": "480p"}


async def create(it: Lab, slug: str = WAN, headers: Any = KEY, **given: Any) -> httpx.Response:
    body = {"input": given or SMALL}
    return await it.post(f"/v1/models/{slug}/predictions", body, headers)


async def read(it: Lab, job_id: str, headers: Any = KEY) -> dict[str, Any]:
    found: dict[str, Any] = (await it.get(f"/v1/predictions/{job_id}", headers)).json()
    return found


async def test_a_prediction_goes_from_starting_to_a_clip_that_is_gone_an_hour_later() -> None:
    async with lab() as it:
        made = await create(it)
        job = made.json()
        assert (made.status_code, job["status"], job["output"], job["version"]) == (201, "starting", None, "hidden")
        assert len(job["id"]) == 26
        it.wait(20)
        running = await read(it, job["id"])
        assert running["status"] == "processing"
        assert "%|" in running["logs"]
        it.wait()
        done = await read(it, job["id"])
        assert (done["status"], done["data_removed"], done["error"]) == ("succeeded", False, None)
        assert done["metrics"]["predict_time"] < done["metrics"]["total_time"]
        clip = await it.client.get(done["output"])  # without a key
        assert clip.content[4:8] == b"ftyp"
        it.wait(3600)
        gone = await read(it, job["id"])
        assert (gone["status"], gone["data_removed"]) == ("succeeded", True)
        assert (gone["output"], gone["input"], gone["logs"]) == (None, {}, "")
        assert (await it.client.get(done["output"])).status_code == 404


@pytest.mark.parametrize(("shape", "kind"), [("list", list), ("object", dict)])
async def test_the_output_can_be_a_list_or_an_object(shape: str, kind: type) -> None:
    async with lab(replicate_output=shape) as it:
        job = (await create(it)).json()
        it.wait()
        assert isinstance((await read(it, job["id"]))["output"], kind)


async def test_a_version_names_an_official_model_too() -> None:
    async with lab() as it:
        for version in (WAN, f"{WAN}:0123abcd"):
            reply = await it.post("/v1/predictions", {"version": version, "input": SMALL}, KEY)
            assert (reply.status_code, reply.json()["model"]) == (201, WAN)


async def test_a_deadline_aborts_what_did_not_start_and_cancels_what_runs() -> None:
    async with lab() as it:
        slow = {"prompt": "a koala"}
        path = "/v1/models/google/veo-3.1/predictions"
        late = (await it.post(path, {"input": slow}, KEY, **{"Cancel-After": "5s"})).json()
        [early] = [(await it.post(f"/v1/models/{WAN}/predictions", {"input": SMALL}, KEY, **{"Cancel-After": "5s"}))]
        it.wait(6)
        assert (await read(it, late["id"]))["status"] == "canceled"
        assert (await read(it, early.json()["id"]))["status"] == "canceled"
        never = (await it.post(path, {"input": slow}, KEY, **{"Cancel-After": "1h30m"})).json()
        it.wait()
        assert (await read(it, never["id"]))["status"] == "succeeded"


async def test_a_job_that_waits_past_its_deadline_is_aborted() -> None:
    async with lab(slots={"replicate": 1}) as it:
        await create(it)
        waiting = await it.post(f"/v1/models/{WAN}/predictions", {"input": SMALL}, KEY, **{"Cancel-After": "10s"})
        it.wait(11)
        ended = await read(it, waiting.json()["id"])
        assert (ended["status"], ended["started_at"]) == ("aborted", None)


async def test_a_cancel_ends_a_prediction_that_runs_and_no_other() -> None:
    async with lab() as it:
        running, done = (await create(it)).json()["id"], (await create(it)).json()["id"]
        it.wait(10)
        cancelled = await it.post(f"/v1/predictions/{running}/cancel", None, KEY)
        assert cancelled.json()["status"] == "canceled"
        it.wait()
        assert (await read(it, running))["status"] == "canceled"
        late = await it.post(f"/v1/predictions/{done}/cancel", None, KEY)
        assert late.json()["status"] == "succeeded"
        assert (await it.post(f"/v1/predictions/{done}/cancel", None, OTHER)).status_code == 404


async def test_waiting_for_the_end_is_held_and_says_whether_it_came() -> None:
    async with lab(latency_s=0) as it:
        at_once = await it.post(f"/v1/models/{WAN}/predictions", {"input": SMALL}, KEY, Prefer="wait")
        assert (at_once.status_code, at_once.json()["status"]) == (201, "succeeded")
    async with lab() as it, anyio.create_task_group() as group:
        replies: list[httpx.Response] = []

        async def ask() -> None:
            replies.append(await it.post(f"/v1/models/{WAN}/predictions", {"input": SMALL}, KEY, Prefer="wait=5"))

        group.start_soon(ask)
        with anyio.fail_after(10):
            while not replies:
                await anyio.sleep(0.01)
                it.wait(1)
        assert (replies[0].status_code, replies[0].json()["output"]) == (202, None)


async def test_the_list_has_pages_and_a_window() -> None:
    async with lab(latency_s=0) as it:
        for number in range(102):
            await create(it, prompt=f"koala {number}")
            it.wait(1)
        first = (await it.get("/v1/predictions", KEY)).json()
        assert len(first["results"]) == 100
        assert first["results"][0]["input"]["prompt"] == "koala 101"
        second = (await it.client.get(first["next"], headers=KEY)).json()
        assert [one["input"]["prompt"] for one in second["results"]] == ["koala 1", "koala 0"]
        assert second["next"] is None
        window = "created_after=2026-01-01T00:00:10Z&created_before=2026-01-01T00:00:12Z"
        some = (await it.get(f"/v1/predictions?{window}", KEY)).json()["results"]
        assert [one["input"]["prompt"] for one in some] == ["koala 12", "koala 11", "koala 10"]
        assert (await it.get("/v1/predictions", OTHER)).json()["results"] == []
        assert (await it.get("/v1/predictions?created_after=tomorrow", KEY)).status_code == 400


@pytest.mark.parametrize(
    ("slug", "given", "field"),
    [
        (WAN, {}, "input.prompt"),
        (WAN, {**SMALL, "num_frames": 400}, "input.num_frames"),
        (WAN, {**SMALL, "motion": 3}, "input.motion"),
        (WAN, {**SMALL, "resolution": "8k"}, "input.resolution"),
        ("minimax/hailuo-02", {"prompt": "x", "resolution": "1080p", "duration": 10}, "input.duration"),
        ("luma/ray-2-720p", {"prompt": "x", "concepts": ["moonwalk"]}, "input.concepts"),
        ("google/veo-3.1", {"prompt": "x", "image": "http://plain.example/a.png"}, "input.image"),
        ("google/veo-3.1", {"prompt": "x", "image": ["https://a.example/a.png"]}, "input.image"),
        ("google/veo-3.1", {"prompt": "x", "image": "data:image/png;base64,AAAA"}, "input.image"),
    ],
)
async def test_a_wrong_input_is_refused_and_the_field_named(slug: str, given: dict[str, Any], field: str) -> None:
    async with lab() as it:
        reply = await it.post(f"/v1/models/{slug}/predictions", {"input": given}, KEY)
        assert (reply.status_code, reply.json()["title"]) == (422, "Input validation failed")
        assert [one["field"] for one in reply.json()["invalid_fields"]] == [field]
        assert it.emulator.stats()["jobs"] == 0


async def test_an_upload_is_an_input_for_a_day_and_for_its_owner() -> None:
    async with lab() as it:
        files = {"content": ("a.png", picture(), "image/png")}
        made = await it.client.post("/v1/files", files=files, headers=KEY)
        link = made.json()["urls"]["get"]
        assert made.status_code == 201
        assert (await it.client.get(link, headers=KEY)).json()["checksums"] == made.json()["checksums"]
        given = {"prompt": "a koala", "image": link, "num_frames": 81}
        model = "wan-video/wan-2.2-i2v-fast"
        assert (await create(it, model, **given)).status_code == 201
        assert (await create(it, model, OTHER, **given)).status_code == 422
        it.wait(86_401)
        late = await create(it, model, **given)
        assert late.json()["invalid_fields"][0]["description"] == "The file has expired"
        assert (await it.client.delete(link, headers=KEY)).status_code == 204
        assert (await it.client.get(link, headers=KEY)).status_code == 404


async def test_refusals_have_the_services_words() -> None:
    async with lab(replicate_balance_usd=1.0) as it:
        for headers in ({}, {"authorization": "Bearer bad"}):
            reply = await it.get("/v1/account", headers)
            assert (reply.status_code, reply.json()["title"]) == (401, "Unauthenticated")
        assert (await create(it, "nobody/nothing")).status_code == 404
        assert (await read(it, "a" * 26))["status"] == 404
        assert (await create(it)).status_code == 201
        assert (await create(it)).status_code == 201
        broke = await create(it)
        assert (broke.status_code, broke.json()["title"]) == (402, "Insufficient credit")
        body = {"input": SMALL}
        quick = await it.post(f"/v1/models/{WAN}/predictions", body, KEY, **{"X-Vidnb-Fault": "429:7s"})
        assert (quick.status_code, quick.headers["retry-after"], quick.json()["retry_after"]) == (429, "7", 7)


async def test_moderation_and_faults_end_a_prediction_that_was_taken() -> None:
    async with lab() as it:
        flagged, failed = (await create(it, prompt="[blocked]")).json(), (await create(it, prompt="[fail]")).json()
        empty = (await create(it, prompt="[no-output]")).json()
        it.wait()
        assert "(E005)" in (await read(it, flagged["id"]))["error"]
        assert (await read(it, failed["id"]))["status"] == "failed"
        nothing = await read(it, empty["id"])
        assert (nothing["status"], nothing["output"], nothing["data_removed"]) == ("succeeded", None, False)


async def test_a_create_can_answer_502_and_have_made_the_prediction_all_the_same() -> None:
    async with lab() as it:
        reply = await it.post(f"/v1/models/{WAN}/predictions", {"input": SMALL}, KEY, **{"X-Vidnb-Fault": "502_after"})
        assert reply.status_code == 502
        assert len((await it.get("/v1/predictions", KEY)).json()["results"]) == 1


class Receiver(httpx.AsyncBaseTransport):
    """Somebody's webhook."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200)


async def test_the_end_is_called_back_signed_as_the_providers_reader_wants_it(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from vidnb.providers.replicate import Replicate

    receiver = Receiver()
    async with lab(tmp_path, webhook_transport=receiver) as it:
        body = {"input": SMALL, "webhook": "https://me.example/hook", "webhook_events_filter": ["completed"]}
        job = (await it.post(f"/v1/models/{WAN}/predictions", body, KEY)).json()
        await create(it)  # nobody asked to be called for this one
        secret = (await it.get("/v1/webhooks/default/secret", KEY)).json()["key"]
        it.wait()
        with anyio.fail_after(10):
            while not receiver.requests:  # noqa: ASYNC110 - it comes when it comes
                await anyio.sleep(0.001)
        [request] = receiver.requests
        assert json.loads(request.content)["id"] == job["id"]
        assert json.loads(request.content)["status"] == "succeeded"
        headers = {name.lower(): value for name, value in request.headers.items()}
        now = datetime.fromtimestamp(it.emulator.now(), UTC)
        callback = Callback(headers, request.content, json.loads(request.content), received_at=now)
        assert headers["webhook-signature"].count("v1,") == 2
        assert Replicate().is_genuine(callback, secret)
        assert not Replicate().is_genuine(callback, "whsec_AAAA")


async def test_every_model_shows_its_schema_and_takes_its_least_input() -> None:
    from vidnb.providers.conformance import least

    async with lab() as it:
        for model in [one for one in catalog.load().values() if one.provider == "replicate"]:
            shown = (await it.get(f"/v1/models/{model.wire}", KEY)).json()
            properties = shown["latest_version"]["openapi_schema"]["components"]["schemas"]["Input"]["properties"]
            assert "prompt" in properties
            for mode in model.modes:
                values, media = least(model, mode)
                given = {
                    model.params[name].wire or name: model.params[name].to_wire(one) for name, one in values.items()
                }
                links = {name: ["https://a.example/a.png"] * len(items) for name, items in media.items()}
                given |= {
                    model.params[name].wire or name: one[0]
                    if model.params[name].kind == "image" or model.params[name].max_items == 1
                    else one
                    for name, one in links.items()
                }
                reply = await it.post(f"/v1/models/{model.wire}/predictions", {"input": given}, KEY)
                assert reply.status_code == 201, (model.id, mode, reply.text)
