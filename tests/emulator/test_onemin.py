"""1min's routes and error shapes, as onemin.md documents them, with plain httpx."""

from __future__ import annotations

import io
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import anyio.lowlevel
import av
import pytest
from lab import LEONARDO, ONEMIN, UNKNOWN_ID, lab, picture

pytestmark = pytest.mark.anyio

LUMA: dict[str, Any] = {"prompt": "waves", "length": 5, "enhancePrompt": True}
RAY: dict[str, Any] = {"prompt": "waves", "modelName": "ray-v3", "duration": "5s"}
KLING: dict[str, Any] = {
    "prompt": "x", "duration": 5, "mode": "std", "version": "1.6", "aspect_ratio": "16:9", "cfg_scale": 0.5,
}  # fmt: skip


def cause(reply: Any) -> str:
    """The real cause, from the text of JSON in `details`."""
    body = reply.json()
    assert (reply.status_code, body["errorCode"]) == (400, "EXTERNAL_API_RESPONSE_WITH_ERROR")
    assert "is a bit busy right now" in body["message"]
    assert isinstance(body["details"], str)
    return str(json.loads(body["details"])["response"]["data"]["message"])


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"API-KEY": "deleted-key"}, "API Key has been deleted"),
        ({"API-KEY": "inactive-key"}, "API Key is not active. Please contact your team administrator to be unblocked"),
        ({}, "API Key is required"),
    ],
)
async def test_a_bad_key_is_refused(headers: dict[str, str], message: str) -> None:
    async with lab() as it:
        reply = await it.get(f"/api/results/{UNKNOWN_ID}", headers)
        assert reply.status_code == 401
        assert reply.json() == {"errorCode": "HTTP_EXCEPTION", "message": message}


async def test_an_asset_is_described_twice_under_one_path() -> None:
    async with lab() as it:
        files = {"asset": ("my cat.png", picture(), "image/png")}
        body = (await it.client.post("/api/assets", files=files, headers=ONEMIN)).json()
        assert body["asset"]["key"] == body["fileContent"]["path"]
        assert re.fullmatch(r"images/\d{4}(_\d\d){5}_\d{3}_my_cat\.png", body["asset"]["key"])
        assert (body["asset"]["size"], body["fileContent"]["type"]) == (len(picture()), "png")
        assert re.fullmatch(r'"[0-9a-f]{32}"', body["asset"]["etag"])


async def test_two_files_of_one_name_in_one_millisecond_have_two_paths() -> None:
    async with lab() as it:
        assert await it.asset() != await it.asset()


async def test_an_upload_without_its_part_is_refused() -> None:
    async with lab() as it:
        reply = await it.client.post("/api/assets", files={"file": ("x.png", picture())}, headers=ONEMIN)
        assert (reply.status_code, reply.json()["errorCode"]) == (400, "MISSING_REQUIRED_FIELDS")


async def test_an_asynchronous_call_is_processing_then_success_with_a_signed_link() -> None:
    async with lab() as it:
        path = await it.asset()
        reply = await it.feature("leonardo-motion", kind="IMAGE_TO_VIDEO", imageUrl=path, motion_strength=7)
        record = reply.json()["aiRecord"]
        assert (record["status"], record["aiRecordDetail"]["resultObject"]) == ("PROCESSING", [])
        assert "temporaryUrl" not in record
        assert record["aiRecordDetail"]["promptObject"] == {"imageUrl": path, "motion_strength": 7}
        it.wait(39.9)
        assert (await it.record(record["uuid"]))["status"] == "PROCESSING"
        it.wait(0.1)
        done = await it.record(record["uuid"])
        assert done["status"] == "SUCCESS"
        [key] = done["aiRecordDetail"]["resultObject"]
        assert re.fullmatch(r"videos/[\d_]+\.mp4", key)
        assert key in done["temporaryUrl"]
        clip = await it.client.get(done["temporaryUrl"])
        with av.open(io.BytesIO(clip.content)) as video:
            assert video.streams.video[0].frames == 120


async def test_a_synchronous_call_holds_the_connection_until_the_clip_is_there() -> None:
    async with lab() as it, anyio.create_task_group() as tasks:
        replies: list[Any] = []

        async def call() -> None:
            replies.append(await it.feature(wait=True))

        tasks.start_soon(call)
        while not it.emulator.stats()["jobs"]:
            await anyio.lowlevel.checkpoint()
        assert not replies
        it.wait(60)
        while not replies:
            await anyio.lowlevel.checkpoint()
        record = replies[0].json()["aiRecord"]
        assert (record["status"], replies[0].status_code) == ("SUCCESS", 200)
        assert record["temporaryUrl"]


async def test_a_synchronous_call_beyond_the_gateways_limit_is_524_and_the_job_goes_on() -> None:
    async with lab(latency_s=100, gateway_limit_s=0) as it:
        reply = await it.feature(wait=True)
        assert (reply.status_code, reply.headers["content-type"]) == (524, "text/html; charset=utf-8")
        [job] = it.emulator.state.jobs_of("1min", it.emulator.state._rows("select account from jobs")[0][0])
        it.wait()
        assert (await it.record(job.id))["status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("kind", "model", "prompt", "code"),
    [
        ("CHAT", "luma", LUMA, "UNKNOWN_ERROR"),
        ("TEXT_TO_VIDEO", "luma-ai", LUMA, "UNSUPPORTED_MODEL"),
        ("TEXT_TO_VIDEO", "leonardo-motion", LUMA, "UNSUPPORTED_MODEL"),
        ("TEXT_TO_VIDEO", "luma", {"prompt": "x"}, "MISSING_REQUIRED_FIELDS"),
        ("IMAGE_TO_VIDEO", "luma", LUMA, "MISSING_REQUIRED_FIELDS"),
        ("IMAGE_TO_VIDEO", "luma", {**LUMA, "imageUrl": ""}, "MISSING_REQUIRED_FIELDS"),
        ("TEXT_TO_VIDEO", "sora-2", {"prompt": "x", "seconds": 4}, "MISSING_REQUIRED_FIELDS"),
    ],
)
async def test_wrong_types_models_and_missing_fields_are_told_apart(
    kind: str, model: str, prompt: dict[str, Any], code: str
) -> None:
    async with lab() as it:
        reply = await it.feature(model, kind=kind, **prompt)
        assert (reply.status_code, reply.json()["errorCode"]) == (400, code)
        assert it.emulator.stats()["jobs"] == 0


async def test_missing_fields_are_named_in_the_message_and_in_details() -> None:
    async with lab() as it:
        body = (await it.feature("luma", prompt="x")).json()
        expected = (
            "Missing required fields for luma model: length, enhancePrompt. Please provide all required parameters."
        )
        assert body["message"] == expected
        assert [one["field"] for one in json.loads(body["details"])] == ["length", "enhancePrompt"]


@pytest.mark.parametrize(
    ("model", "prompt", "message"),
    [
        ("luma", {**LUMA, "length": 9}, "length must be one of: 5"),
        ("kling", {**KLING, "version": "2.5"}, "mode must be one of: pro"),
        ("kling", {**KLING, "cfg_scale": 2}, "cfg_scale must not be greater than 1"),
        (
            "hailuo",
            {"prompt": "x", "taskType": "t2v-02", "duration": 10, "resolution": 1080},
            "resolution is not allowed",
        ),
        (
            "hailuo",
            {"prompt": "x", "taskType": "t2v-02", "duration": 6, "resolution": "768p"},
            "resolution must be one of",
        ),
    ],
)
async def test_a_value_out_of_range_is_called_busy_and_explained_in_details(
    model: str, prompt: dict[str, Any], message: str
) -> None:
    async with lab() as it:
        assert message in cause(await it.feature(model, **prompt))


async def test_a_value_out_of_range_can_be_a_failure_at_the_poll() -> None:
    async with lab(range_errors="poll") as it:
        record = (await it.feature("luma", **{**LUMA, "length": 9})).json()["aiRecord"]
        assert record["status"] == "PROCESSING"
        it.wait()
        failed = await it.record(record["uuid"])
        assert failed["status"] == "FAILURE"
        assert "length must be one of: 5" in failed["aiRecordDetail"]["resultObject"][0]


async def test_unknown_fields_are_echoed_and_ignored_unless_strict() -> None:
    odd: dict[str, Any] = {**LUMA, "motionStrength": 7}
    async with lab() as it:
        record = (await it.feature("luma", **odd)).json()["aiRecord"]
        assert record["aiRecordDetail"]["promptObject"] == odd
    async with lab(strict_fields=True) as it:
        assert cause(await it.feature("luma", **odd)) == "motionStrength should not exist"


async def test_both_contracts_of_luma_are_taken() -> None:
    async with lab() as it:
        path = await it.asset()
        for fields in (LUMA, RAY):
            reply = await it.feature("luma", kind="IMAGE_TO_VIDEO", imageUrl=path, **fields)
            assert reply.status_code == 200
        assert set(it.emulator.state.jobs_by("model")) == {"1min/luma", "1min/luma-ray"}
    async with lab(older_contracts=False) as it:
        reply = await it.feature("luma", kind="IMAGE_TO_VIDEO", imageUrl=await it.asset(), **LUMA)
        assert reply.json()["errorCode"] == "MISSING_REQUIRED_FIELDS"


@pytest.mark.parametrize("model", ["veo3", "veo3-video"])
async def test_veo_goes_by_both_slugs(model: str) -> None:
    async with lab() as it:
        assert (await it.feature(model, prompt="x", task_type="veo3.1-video")).status_code == 200


async def test_veos_older_contract_is_told_by_its_field() -> None:
    async with lab() as it:
        await it.feature("veo3", prompt="x", fast_mode=True)
        assert it.emulator.state.jobs_by("model") == {"1min/veo3-fast-mode": 1}


async def test_sora_takes_its_size_as_one_word_and_its_first_frame_as_text_to_video() -> None:
    async with lab() as it:
        path = await it.asset()
        reply = await it.feature("sora-2", prompt="x", seconds=4, size="720x1280", reference_image_path=path)
        job = it.emulator.state.job(reply.json()["aiRecord"]["uuid"])
        assert job is not None
        scene = it.emulator.footage.scene(job)
        assert (scene.width_px, scene.height_px, scene.duration_s) == (720, 1280, 4)
        assert scene.start_image == picture()


async def test_an_image_that_nobody_uploaded_is_refused() -> None:
    async with lab() as it:
        other = await it.asset(headers={"API-KEY": "another team"})
        for path in ("images/nothing.png", other):
            reply = await it.feature("leonardo-motion", kind="IMAGE_TO_VIDEO", imageUrl=path, motion_strength=7)
            assert "Unable to load the image" in cause(reply)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (picture(299, 400), "cat.png", "sides must be 300 to 4096 px"),
        (picture(300, 800), "cat.png", "aspect ratio is out of range"),
        (picture(400, 400, "WEBP"), "cat.webp", "must be one of: jpg, png"),
    ],
)
async def test_a_models_own_limits_of_pictures_hold(content: bytes, name: str, message: str) -> None:
    fields: dict[str, Any] = {"taskType": "i2v-02", "duration": 6, "resolution": 768}
    async with lab() as it:
        path = await it.asset(content, name)
        assert message in cause(await it.feature("hailuo", kind="IMAGE_TO_VIDEO", imageUrl=path, **fields))
        good = await it.asset(picture(400, 300))
        reply = await it.feature("hailuo", kind="IMAGE_TO_VIDEO", imageUrl=good, **fields)
        assert reply.status_code == 200


async def test_moderation_is_an_upstream_error() -> None:
    async with lab() as it:
        assert "inappropriate content" in cause(await it.feature("luma", **{**LUMA, "prompt": "[blocked]"}))


@pytest.mark.parametrize(
    ("settings", "status", "result"),
    [
        ({}, "FAILURE", ["The video could not be generated"]),
        ({"failure_body": "empty", "failure_word": "FAILED"}, "FAILED", []),
        (
            {"failure_body": "object"},
            "FAILURE",
            {"code": "GENERATION_FAILED", "message": "The video could not be generated"},
        ),
    ],
)
async def test_a_failure_has_several_bodies(settings: dict[str, Any], status: str, result: Any) -> None:
    async with lab(**settings) as it:
        uuid = (await it.feature("luma", **{**LUMA, "prompt": "[fail]"})).json()["aiRecord"]["uuid"]
        it.wait()
        record = await it.record(uuid)
        assert (record["status"], record["aiRecordDetail"]["resultObject"]) == (status, result)


async def test_an_unknown_result_is_null_with_200() -> None:
    async with lab() as it:
        assert (await it.get(f"/api/results/{UNKNOWN_ID}", ONEMIN)).json() == {"aiRecord": None}
        uuid = (await it.feature()).json()["aiRecord"]["uuid"]
        other = await it.get(f"/api/results/{uuid}", {"API-KEY": "another team"})
        assert (other.status_code, other.json()) == (200, {"aiRecord": None})


async def test_credits_are_the_teams_and_the_counter_lags_one_call() -> None:
    async with lab(credit_limit=1_000_000) as it:
        used = [(await it.feature()).json()["aiRecord"]["teamUser"]["usedCredit"] for _ in range(2)]
        assert used == [0, 400_000]
        poor = await it.feature()
        assert (poor.status_code, poor.json()["errorCode"]) == (406, "INSUFFICIENT_CREDITS")
        expected = "The feature requires 400000 credits, but the Emulated team only has 200000 credits"
        assert poor.json()["message"] == expected


async def test_models_are_listed_by_feature_without_a_key() -> None:
    async with lab() as it:
        assert (await it.client.get("/models")).json() == {"models": [], "total": 0}
        listed = (await it.client.get("/models?feature=IMAGE_TO_VIDEO")).json()
        slugs = [model["modelId"] for model in listed["models"]]
        assert listed["total"] == len(slugs) == len(set(slugs))
        assert {"leonardo-motion", "luma", "kling"} <= set(slugs)


# Storage


async def link(it: Any) -> str:
    uuid = (await it.feature()).json()["aiRecord"]["uuid"]
    it.wait()
    return str((await it.record(uuid))["temporaryUrl"])


async def test_storage_serves_get_and_ranges_to_whoever_has_the_link() -> None:
    async with lab() as it:
        url = await link(it)
        whole = await it.client.get(url)
        assert (whole.headers["content-type"], whole.content[4:8]) == ("video/mp4", b"ftyp")
        part = await it.client.get(url, headers={"range": "bytes=0-3"})
        assert (part.status_code, part.content) == (206, whole.content[:4])


async def test_storage_refuses_head_keys_changed_links_and_late_ones() -> None:
    async with lab() as it:
        url = await link(it)
        assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["604800"]
        assert (await it.client.head(url)).status_code == 403
        assert (await it.client.get(url, headers=LEONARDO)).status_code == 400
        for changed in (url.replace("X-Amz-Expires=604800", "X-Amz-Expires=999999"), url.split("?")[0]):
            reply = await it.client.get(changed)
            assert (reply.status_code, b"<Code>SignatureDoesNotMatch</Code>" in reply.content) == (403, True)
        it.wait(604_801)
        late = await it.client.get(url)
        assert (late.status_code, b"Request has expired" in late.content) == (403, True)


async def test_a_later_poll_signs_a_fresh_link() -> None:
    async with lab() as it:
        uuid = (await it.feature()).json()["aiRecord"]["uuid"]
        it.wait()
        first = (await it.record(uuid))["temporaryUrl"]
        it.wait(604_801)
        assert (await it.client.get(first)).status_code == 403
        assert (await it.client.get((await it.record(uuid))["temporaryUrl"])).status_code == 200
