"""The emulated Runway speaks the tasks API: states, costs, a DELETE that means two things, uploads, refusals."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from lab import Lab, lab, picture

from vidnb import catalog

pytestmark = pytest.mark.anyio

VERSION = {"x-runway-version": "2024-11-06"}
KEY = {"authorization": "Bearer key_anything", **VERSION}
OTHER = {"authorization": "Bearer key_somebody_else", **VERSION}
SMALL = {"model": "gemini_omni_flash_1.1", "promptText": "a koala", "ratio": "640:360", "duration": 3}


async def create(it: Lab, mode: str = "text", headers: Any = KEY, **given: Any) -> httpx.Response:
    return await it.post(f"/v1/{mode}_to_video", SMALL | given, headers)


async def made(it: Lab, **given: Any) -> str:
    reply = await create(it, **given)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["id"])


async def read(it: Lab, task_id: str, headers: Any = KEY) -> dict[str, Any]:
    found: dict[str, Any] = (await it.get(f"/v1/tasks/{task_id}", headers)).json()
    return found


async def upload(it: Lab, content: bytes | None = None, **headers: str) -> tuple[str, httpx.Response]:
    told = (await it.post("/v1/uploads", {"filename": "a.png", "type": "ephemeral"}, KEY)).json()
    files = {"file": ("a.png", picture() if content is None else content)}
    return told["runwayUri"], await it.client.post(
        told["uploadUrl"], data=told["fields"], files=files, headers=headers
    )


async def test_a_task_goes_from_pending_to_a_clip_whose_link_ends() -> None:
    async with lab() as it:
        reply = await create(it)
        task_id = reply.json()["id"]
        assert reply.json() == {"id": task_id, "estimatedCost": {"credits": 30}}
        assert (await read(it, task_id))["status"] == "PENDING"
        it.wait(30)
        running = await read(it, task_id)
        assert running["status"] == "RUNNING"
        assert 0 < running["progress"] < 1
        assert running["estimatedCost"] == {"credits": 30}
        it.wait()
        done = await read(it, task_id)
        assert (done["status"], done["cost"], "estimatedCost" in done) == ("SUCCEEDED", {"credits": 30}, False)
        [link] = done["output"]
        clip = await it.client.get(link)  # without a key
        assert clip.content[4:8] == b"ftyp"
        assert (await it.client.get(link.replace("Signature=", "Signature=0"))).status_code == 403
        it.wait(86_401)
        assert (await it.client.get(link)).status_code == 403
        assert (await it.client.get((await read(it, task_id))["output"][0])).status_code == 200


async def test_a_third_task_is_throttled_until_a_place_is_free() -> None:
    async with lab() as it:
        tasks = [await made(it) for _ in range(3)]
        assert [(await read(it, one))["status"] for one in tasks] == ["PENDING", "PENDING", "THROTTLED"]
        it.wait(62)
        assert (await read(it, tasks[2]))["status"] in ("PENDING", "RUNNING")


async def test_a_delete_cancels_an_open_task_and_deletes_a_finished_one() -> None:
    async with lab() as it:
        open_one, done = await made(it), await made(it)
        it.wait(30)
        assert (await it.client.delete(f"/v1/tasks/{open_one}", headers=OTHER)).status_code == 404
        assert (await it.client.delete(f"/v1/tasks/{open_one}", headers=KEY)).status_code == 204
        assert (await it.get(f"/v1/tasks/{open_one}", KEY)).status_code == 404
        it.wait()
        [link] = (await read(it, done))["output"]
        assert (await it.client.delete(f"/v1/tasks/{done}", headers=KEY)).status_code == 204
        assert (await it.client.get(link)).status_code == 404
        assert (await it.client.delete(f"/v1/tasks/{done}", headers=KEY)).status_code == 404


async def test_a_cancelled_task_can_tell_what_it_cost() -> None:
    async with lab(runway_tells_cancelled=True) as it:
        early, late = await made(it), await made(it)
        await it.client.delete(f"/v1/tasks/{early}", headers=KEY)
        it.wait(30)
        await it.client.delete(f"/v1/tasks/{late}", headers=KEY)
        costs = [(await read(it, one))["cost"]["credits"] for one in (early, late)]
        assert costs == [0, 30]


async def test_a_failure_has_a_code_and_says_what_it_cost() -> None:
    async with lab() as it:
        tasks = [await made(it, promptText=word) for word in ("[blocked]", "[fail]")]
        it.wait()
        flagged, failed = [await read(it, one) for one in tasks]
        assert (flagged["failureCode"], flagged["cost"]["credits"]) == ("SAFETY.INPUT.TEXT", 0)
        assert (failed["status"], failed["failureCode"]) == ("FAILED", "INTERNAL")
    async with lab(runway_charges_refused=True, runway_given_back=0.5) as it:
        flagged_id, done_id = await made(it, promptText="[blocked]"), await made(it)
        it.wait()
        assert (await read(it, flagged_id))["cost"]["credits"] == 30
        assert (await read(it, done_id))["cost"]["credits"] == 15


@pytest.mark.parametrize(
    ("mode", "given", "field"),
    [
        ("text", {"promptText": None}, "promptText"),
        ("text", {"ratio": "640:361"}, "ratio"),
        ("text", {"ratio": "wide"}, "ratio"),
        ("text", {"duration": 40}, "duration"),
        ("text", {"motion": 3}, "motion"),
        ("text", {"seed": 7}, "seed"),
        ("text", {"model": "gen4_turbo"}, "model"),
        ("text", {"model": "gen4.5", "ratio": "1584:672"}, "ratio"),
        ("text", {"references": ["x"]}, "references"),
        ("text", {"model": "gen4.5", "ratio": "1280:720", "contentModeration": {"x": 1}}, "contentModeration"),
        ("image", {}, "promptImage"),
        ("image", {"promptImage": "http://plain.example/a.png"}, "promptImage"),
        ("image", {"promptImage": "runway://nobody"}, "promptImage"),
        ("image", {"promptImage": [{"uri": "https://a.example/a.png", "position": "last"}]}, "promptImage"),
        ("image", {"promptImage": "data:image/png;base64,AAAA"}, "promptImage"),
    ],
)
async def test_a_wrong_body_is_refused_and_the_field_named(mode: str, given: dict[str, Any], field: str) -> None:
    async with lab() as it:
        reply = await create(it, mode, **given)
        assert reply.status_code == 400, reply.text
        assert {one["path"][0] for one in reply.json()["issues"]} == {field}
        assert it.emulator.stats()["jobs"] == 0


async def test_an_upload_is_an_input_for_a_day_and_for_its_owner() -> None:
    async with lab() as it:
        uri, reply = await upload(it)
        assert reply.status_code == 204
        assert (await create(it, "image", promptImage=uri)).status_code == 200
        assert (await create(it, "image", OTHER, promptImage=uri)).status_code == 400
        assert (await upload(it, authorization=KEY["authorization"]))[1].status_code == 400
        assert (await create(it, "image", promptImage=(await upload(it, b"no picture"))[0])).status_code == 400
        it.wait(86_401)
        assert (await create(it, "image", promptImage=uri)).status_code == 400


async def test_a_late_upload_is_refused_by_the_storage() -> None:
    async with lab() as it:
        told = (await it.post("/v1/uploads", {"filename": "a.png", "type": "ephemeral"}, KEY)).json()
        it.wait(601)
        late = await it.client.post(told["uploadUrl"], data=told["fields"], files={"file": ("a.png", picture())})
        assert (late.status_code, "Policy expired" in late.text) == (403, True)
        assert (await it.post("/v1/uploads", {"filename": "a.png"}, KEY)).status_code == 400


async def test_refusals_have_the_services_words() -> None:
    async with lab(runway_balance_credits=65, runway_daily_limit=3) as it:
        assert (await it.get("/v1/organization", VERSION)).status_code == 401
        assert (await it.get("/v1/organization", {"authorization": KEY["authorization"]})).status_code == 400
        assert (await it.get("/v1/tasks/x/y", KEY)).json()["error"] == "Not found"
        await made(it)
        await made(it)
        broke = await create(it)
        assert (broke.status_code, "enough credits" in broke.json()["error"]) == (400, True)
        account = (await it.get("/v1/organization", KEY)).json()
        assert account["creditBalance"] == 5
        assert account["usage"]["models"] == {SMALL["model"]: {"dailyGenerations": 2}}
        await made(it, duration=3, headers=OTHER)
        for _ in range(2):
            await create(it, headers=OTHER)
        many = await it.post("/v1/text_to_video", SMALL, KEY, **{"X-Vidnb-Fault": "429:7s"})
        assert (many.status_code, many.headers["retry-after"]) == (429, "7")
    async with lab(runway_daily_limit=1) as it:
        await made(it)
        assert (await create(it)).status_code == 429
        it.wait(86_401)
        assert (await create(it)).status_code == 200


async def test_every_model_takes_its_least_body() -> None:
    """What the provider sends is what the emulated service takes; neither shares code with the other."""
    from vidnb.params import validate
    from vidnb.providers.runway import Runway
    from vidnb.records import RemoteMedia

    async with lab(slots=None) as it:
        for model in [one for one in catalog.load().values() if one.provider == "runway"]:
            for mode in model.modes:
                start = [RemoteMedia("runway", "https://a.example/a.png")] if mode == "image" else None
                values = {"prompt": "x", "start_image": start[0] if start else None}
                request = validate(model, values)
                call = Runway().submit(model, request.params, {"start_image": start} if start else {})
                reply = await it.post(call.url, call.json, KEY)
                assert reply.status_code == 200, (model.id, mode, call.json, reply.text)
