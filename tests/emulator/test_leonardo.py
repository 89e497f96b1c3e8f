"""Leonardo's routes and error shapes, as leonardo.md documents them, with plain httpx."""

from __future__ import annotations

import base64
import io
import json
import re
import uuid
from typing import Any

import av
import pytest
from lab import LEONARDO, OTHER_LEONARDO, UNKNOWN_ID, V1, V2, Lab, lab, picture

pytestmark = pytest.mark.anyio

V6 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-6[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def start_frame(image_id: str, kind: str = "UPLOADED", **more: Any) -> dict[str, Any]:
    return {"guidances": {"start_frame": [{"image": {"id": image_id, "type": kind, **more}}]}}


# Keys


async def test_a_call_without_a_key_is_unauthorized() -> None:
    async with lab() as it:
        reply = await it.get(f"{V1}/me", {})
        assert reply.status_code == 401
        assert reply.json() == {
            "error": "Authentication hook unauthorized this request", "path": "$", "code": "access-denied",
        }  # fmt: skip


@pytest.mark.parametrize("key", ["nonsense", "c0ffee"])
async def test_a_key_that_is_no_uuid_looks_like_a_broken_server(key: str) -> None:
    async with lab() as it:
        reply = await it.get(f"{V1}/me", {"authorization": f"Bearer {key}"})
        assert reply.status_code == 500
        assert reply.json() == {"error": "Invalid response from authorization hook", "path": "$", "code": "unexpected"}


async def test_the_account_is_an_array_of_one() -> None:
    async with lab(slots=3) as it:
        [account] = (await it.get(f"{V1}/me")).json()["user_details"]
        assert account["apiConcurrencySlots"] == 3
        uuid.UUID(account["user"]["id"])


# v2 creates


async def test_a_created_job_names_its_id_and_its_cost_as_text() -> None:
    async with lab() as it:
        answer = (await it.v2()).json()["generate"]
        assert V6.fullmatch(answer["generationId"])
        assert answer["apiCreditCost"] is None
        assert re.fullmatch(r"\d+\.\d{4}", answer["cost"]["amount"])
        assert answer["cost"]["unit"] == "DOLLARS"


async def test_ids_can_be_of_version_4_and_are_ordered_by_time_otherwise() -> None:
    async with lab(id_version=4) as it:
        assert uuid.UUID(await it.job()).version == 4
    async with lab() as it:
        ids = []
        for _ in range(3):
            ids.append(await it.job())
            it.wait(1)
        assert ids == sorted(ids)


async def test_a_job_is_pending_then_complete_with_a_clip_and_a_poster() -> None:
    async with lab() as it:
        job_id = await it.job(seed=7, width=832, height=480)
        pending = await it.generation(job_id)
        assert (pending["status"], pending["generated_images"]) == ("PENDING", [])
        image = await it.finished(job_id)
        assert image["id"] != job_id
        assert image["motion"] is True
        assert image["url"].endswith(".jpg")
        assert image["motionMP4URL"].endswith(".mp4")
        done = await it.generation(job_id)
        assert (done["status"], done["seed"], done["imageWidth"], done["imageHeight"]) == ("COMPLETE", 7, 832, 480)
        assert done["scheduler"] is done["sdVersion"] is done["modelId"] is None
        poster, clip = await it.client.get(image["url"]), await it.client.get(image["motionMP4URL"])
        assert poster.content[:2] == b"\xff\xd8"
        assert clip.headers["content-type"] == "video/mp4"
        with av.open(io.BytesIO(clip.content)) as video:
            stream = video.streams.video[0]
            assert (stream.width, stream.height, stream.frames, float(stream.average_rate or 0)) == (
                832,
                480,
                120,
                24.0,
            )


async def test_the_clip_can_be_sought_by_range_requests() -> None:
    async with lab() as it:
        url = (await it.finished(await it.job(width=832, height=480)))["motionMP4URL"]
        whole = (await it.client.get(url)).content
        part = await it.client.get(url, headers={"range": "bytes=4-11"})
        assert (part.status_code, part.content) == (206, whole[4:12])


async def test_a_vendors_slash_is_a_folder_of_the_clips_address() -> None:
    async with lab() as it:
        url = (await it.finished(await it.job("alibaba/wan-3.0", duration=2)))["motionMP4URL"]
        assert "/alibaba/wan-3.0_a_koala-0.mp4" in url


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"prompt": None}, "parameters.prompt is required"),
        ({"prompt": "x" * 10000}, "parameters.prompt must be shorter than or equal to 9999 characters"),
        ({"prompt": 7}, "parameters.prompt must be a string"),
        ({"prompt_enhance": "MAYBE"}, "parameters.prompt_enhance must be one of: AUTO, ON, OFF"),
        ({"mode": "RESOLUTION_1080"}, "parameters.mode must be one of: RESOLUTION_480, RESOLUTION_720"),
        ({"mode": "RESOLUTION_720", "width": 832, "height": 480}, "parameters.mode does not match 832x480"),
        ({"seed": -1}, "parameters.seed must not be less than 0"),
        ({"seed": 2147483638}, "parameters.seed must not be greater than 2147483637"),
        ({"seed": 1.5}, "parameters.seed must be an integer number"),
        ({"seed": True}, "parameters.seed must be an integer number"),
        ({"quantity": 2}, "parameters.quantity must be one of: 1"),
        ({"width": 832}, "parameters.height must be sent together with the other dimension"),
        ({"frame_interpolation": "yes"}, "parameters.frame_interpolation must be a boolean value"),
        ({"negativePrompt": "cats"}, "parameters.negativePrompt should not exist"),
        ({"style_ids": ["nonsense"]}, "parameters.style_ids each value must be a UUID"),
        ({"controls": [{"akUUID": UNKNOWN_ID}] * 2}, "parameters.controls must contain no more than 1 elements"),
        ({"elements": [{"akUUID": UNKNOWN_ID, "weight": 3}]}, "parameters.elements weight must not be less than -2"),
        ({"guidances": {"end_frame": []}}, "parameters.guidances.end_frame should not exist"),
    ],
)  # fmt: skip
async def test_v2_refuses_with_an_array_under_http_200(parameters: dict[str, Any], message: str) -> None:
    async with lab() as it:
        assert any(one.startswith(message) for one in await it.refused(**parameters))
        assert it.emulator.stats()["jobs"] == 0


async def test_all_complaints_come_at_once() -> None:
    async with lab() as it:
        assert len(await it.refused(seed=-1, prompt_enhance="X", nonsense=1)) == 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"model": "motion_3", "parameters": {"prompt": "x"}}, "model must be one of: "),
        ({"model": "motion_2.0"}, "parameters must be an object"),
        ({"model": "motion_2.0", "parameters": {"prompt": "x"}, "quantity": 1}, "property quantity should not exist"),
        ({"model": "motion_2.0", "parameters": {"prompt": "x"}, "public": "no"}, "public must be a boolean value"),
        ([], "the request must be an object"),
    ],
)
async def test_v2_refuses_a_wrong_envelope(body: Any, message: str) -> None:
    async with lab() as it:
        [error] = (await it.post(f"{V2}/generations", body)).json()
        assert error["extensions"]["details"]["errors"][0]["message"].startswith(message)


async def test_the_older_pages_size_is_taken_unless_sizes_are_strict() -> None:
    async with lab() as it:
        assert await it.job(width=1024, height=1024)
    async with lab(strict_sizes=True) as it:
        assert "width and height must be one of: 832x480" in (await it.refused(width=1024, height=1024))[0]


async def test_rules_between_fields_hold() -> None:
    async with lab() as it:
        said = await it.refused(
            "hailuo-03", guidances={"audio_reference": [{"audio": {"id": UNKNOWN_ID, "type": "UPLOADED"}}]}
        )
        assert said == ["couldn't access audio"]
        assert "parameters.guidances.start_frame is required" in await it.refused("grok-imagine-1.5")


async def test_a_retired_model_is_served_unless_it_is_refused() -> None:
    async with lab() as it:
        assert await it.job("veo-3.0-generate-001")
    async with lab(refuse_retired=True) as it:
        [said] = await it.refused("veo-3.0-generate-001")
        assert "is not supported within the Production API. Please try again with a different model ID." in said


async def test_an_empty_balance_is_said_with_the_user() -> None:
    async with lab(balance_usd=0.08) as it:
        await it.job(width=832, height=480)
        [said] = await it.refused(width=832, height=480)
        assert re.fullmatch(r"not enough api tokens userId: [0-9a-f-]{36}", said)
        assert it.emulator.stats()["jobs"] == 1


# Inputs


async def test_an_upload_goes_through_the_presigned_form() -> None:
    async with lab() as it:
        image_id = await it.upload()
        found = (await it.get(f"{V1}/init-image/{image_id}")).json()["init_images_by_pk"]
        assert found["id"] == image_id
        assert (await it.client.get(found["url"])).content == picture()
        assert (await it.client.delete(f"{V1}/init-image/{image_id}", headers=LEONARDO)).json() == {
            "delete_init_images_by_pk": {"id": image_id}
        }
        assert (await it.get(f"{V1}/init-image/{image_id}")).json() == {"init_images_by_pk": None}


async def test_the_form_is_refused_with_a_key_too_late_or_in_the_wrong_order() -> None:
    async with lab() as it:
        announced = (await it.post(f"{V1}/init-image", {"extension": "png"})).json()["uploadInitImage"]
        assert isinstance(announced["fields"], str)
        assert (await it.put(announced, picture(), **LEONARDO)).status_code == 403
        form = [(name, (None, value)) for name, value in json.loads(announced["fields"]).items()]
        first = await it.client.post(announced["url"], files=[("file", ("x", b"x")), *form])
        assert (first.status_code, b"<Code>InvalidArgument</Code>" in first.content) == (400, True)
        it.wait(121)
        late = await it.put(announced, picture())
        assert (late.status_code, b"Policy expired" in late.content) == (403, True)


async def test_bytes_that_are_not_what_the_extension_says_are_kept_and_noted() -> None:
    async with lab() as it:
        image_id = await it.upload(picture(kind="JPEG"), "png")
        file = it.emulator.state.file(image_id)
        assert file is not None
        assert file.note == "the bytes are no png"
        assert file.width_px == 320


@pytest.mark.parametrize(
    ("body", "error"), [({"extension": "gif"}, "invalid file extension"), ({}, "expecting a value")]
)
async def test_only_pictures_are_announced(body: dict[str, str], error: str) -> None:
    async with lab() as it:
        reply = await it.post(f"{V1}/init-image", body)
        assert reply.status_code == 400
        assert reply.json()["error"].startswith(error)


async def test_videos_and_sounds_go_through_media() -> None:
    async with lab() as it:
        assert (await it.post(f"{V1}/media", {"extension": "mp3"})).status_code == 400
        announced = (await it.post(f"{V1}/media", {"extension": "mp3", "originalFilename": "a.mp3"})).json()[
            "uploadMedia"
        ]
        assert (await it.put(announced, b"ID3 sound")).status_code == 204
        found = (await it.get(f"{V1}/media/{announced['uploadId']}")).json()["uploaded_media_by_pk"]
        assert (found["mediaType"], found["status"]) == ("AUDIO", "COMPLETE")
        gone = await it.client.delete(f"{V1}/media/{announced['uploadId']}", headers=LEONARDO)
        assert gone.json() == {"delete_uploaded_media_by_pk": {"id": announced["uploadId"]}}


async def test_a_start_frame_moves_and_gives_the_clip_its_shape() -> None:
    async with lab() as it:
        image_id = await it.upload(picture(400, 400))
        job_id = await it.job("grok-imagine-1.5", **start_frame(image_id), duration=3, width=0, height=0)
        image = await it.finished(job_id)
        assert image["imageToVideo"] is True
        shown = await it.generation(job_id)
        assert shown["imageWidth"] == shown["imageHeight"]
        job = it.emulator.state.job(job_id)
        assert job is not None
        assert it.emulator.footage.scene(job).start_image == picture(400, 400)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"id": UNKNOWN_ID, "type": "UPLOADED"}, "invalid init image id"),
        ({"id": UNKNOWN_ID, "type": "GENERATED"}, "couldn't access image"),
        ({"id": UNKNOWN_ID, "type": "VARIATION"}, "failed to find init variation"),
        ({"id": UNKNOWN_ID, "type": "PAINTED"}, "parameters.guidances.start_frame.image.type must be one of: UPLOADED"),
        ({"type": "BASE64", "data": "%%%"}, "data must be base64"),
        ({"type": "URL", "url": "http://plain.invalid/x.png"}, "url must be an https address"),
        ({"type": "UPLOADED"}, "id is required"),
    ],
)
async def test_an_input_that_is_not_there_is_refused(how: dict[str, str], message: str) -> None:
    async with lab() as it:
        [said] = await it.refused(guidances={"start_frame": [{"image": how}]})
        assert said.startswith(message)


async def test_an_announced_picture_without_bytes_or_without_a_picture_in_them_is_refused() -> None:
    async with lab() as it:
        announced = (await it.post(f"{V1}/init-image", {"extension": "png"})).json()["uploadInitImage"]
        assert await it.refused(**start_frame(announced["id"])) == ["couldn't access image"]
        assert await it.refused(**start_frame(await it.upload(b"\x89PNG no picture"))) == ["couldn't access image"]


async def test_another_accounts_picture_is_not_there() -> None:
    async with lab() as it:
        assert await it.refused(**start_frame(await it.upload(headers=OTHER_LEONARDO))) == ["invalid init image id"]


@pytest.mark.parametrize(
    "how",
    [
        {"type": "BASE64", "data": base64.b64encode(picture()).decode()},
        {"type": "URL", "url": "data:image/png;base64," + base64.b64encode(picture()).decode()},
        {"type": "URL", "url": "https://elsewhere.invalid/cat.png"},
    ],
)
async def test_pictures_can_come_within_the_request(how: dict[str, str]) -> None:
    async with lab() as it:
        assert await it.job(guidances={"start_frame": [{"image": how}]})


async def test_a_clip_made_earlier_is_an_input_by_its_asset_id_only() -> None:
    async with lab() as it:
        earlier = await it.job(width=832, height=480)
        image = await it.finished(earlier)
        assert await it.refused(**start_frame(earlier, "GENERATED")) == ["Service Error"]
        assert await it.refused(**start_frame(image["id"], "UPLOADED")) == ["invalid init image id"]
        later = await it.job(**start_frame(image["id"], "GENERATED"))
        job = it.emulator.state.job(later)
        assert job is not None
        poster = (await it.client.get(image["url"])).content
        assert it.emulator.footage.scene(job).start_image == poster
        video = {"video_reference_base": [{"video": {"id": image["id"], "type": "GENERATED"}}]}
        assert await it.job("kling-video-o-3", guidances=video)


# v1 creates


async def v1(it: Lab, endpoint: str, **body: Any) -> Any:
    return await it.post(f"{V1}/generations-{endpoint}", body)


@pytest.mark.parametrize(
    "model", ["MOTION2", "MOTION2FAST", "VEO3", "VEO3FAST", "VEO3_1", "KLING2_5", "Kling2_5", None]
)
async def test_v1_makes_videos_of_text(model: str | None) -> None:
    async with lab() as it:
        answer = (await v1(it, "text-to-video", prompt="x", model=model, isPublic=None)).json()[
            "motionVideoGenerationJob"
        ]
        assert (await it.generation(answer["generationId"]))["status"] == "PENDING"


@pytest.mark.parametrize("model", ["MOTION2", "KLING2_1", "KLING2_5", "VEO3_1"])
async def test_v1_makes_videos_of_images(model: str) -> None:
    async with lab() as it:
        image_id = await it.upload()
        body = {"prompt": "x", "imageId": image_id, "imageType": "UPLOADED", "model": model}
        answer = (await v1(it, "image-to-video", **body)).json()["motionVideoGenerationJob"]
        assert (await it.finished(answer["generationId"]))["imageToVideo"] is True


async def test_v1_makes_motion_of_an_image_with_a_strength() -> None:
    async with lab() as it:
        image_id = await it.upload()
        reply = await v1(it, "motion-svd", imageId=image_id, isInitImage=True, motionStrength=9)
        job_id = reply.json()["motionSvdGenerationJob"]["generationId"]
        assert (await it.finished(job_id))["motionStrength"] == 9
        job = it.emulator.state.job(job_id)
        assert job is not None
        assert it.emulator.footage.scene(job).motion_strength == 9


async def test_v1_takes_an_end_frame_and_a_motion_control_among_the_elements() -> None:
    async with lab() as it:
        image_id = await it.upload()
        frames = {"imageId": image_id, "imageType": "UPLOADED"}
        end = {"endFrameImage": {"id": image_id, "type": "UPLOADED"}}
        assert (await v1(it, "image-to-video", prompt="x", model="KLING2_1", **frames, **end)).status_code == 200
        dolly_in = "ece8c6a9-3deb-430e-8c93-4d5061b6adbf"
        reply = await v1(it, "text-to-video", prompt="x", elements=[{"akUUID": dolly_in, "weight": 1}])
        job_id = reply.json()["motionVideoGenerationJob"]["generationId"]
        job = it.emulator.state.job(job_id)
        assert job is not None
        assert it.emulator.footage.scene(job).camera == "Dolly In"
        [element] = (await it.generation(job_id))["generation_elements"]
        assert (element["lora"]["akUUID"], element["weightApplied"]) == (dolly_in, 1)


@pytest.mark.parametrize(
    ("body", "error", "code", "path"),
    [
        ({"prompt": "x", "sd_Version": 1}, "Unexpected variable sd_Version", "bad-request", "$"),
        ({}, 'expecting a value for non-nullable variable: "prompt"', "validation-failed", "$"),
        ({"prompt": "x", "isPublic": "no"}, "expected a boolean for type 'Boolean', but found a string",
         "validation-failed", "$.selectionSet.motionVideoGenerationJob.args.arg1.isPublic"),
        ({"prompt": "x", "model": "SDXL"}, "SDXL is not supported within the Production API. Please try again with a "
         "different model ID.", "unexpected", "$"),
        ({"prompt": "x", "width": 123, "height": 45}, "invalid dimensions", "unexpected", "$"),
        ({"prompt": "x", "model": "VEO3", "duration": 5}, "duration must be one of: 4, 6, 8", "unexpected", "$"),
        ({"prompt": "x", "seed": 2147483638}, "seed must not be greater than 2147483637", "unexpected", "$"),
        ({"prompt": "a forbidden-test-word"}, "content moderation filter: forbidden-test-word", "unexpected", "$"),
        ({"prompt": "x", "model": "KLING2_1"}, "KLING2_1 does not support text to video", "unexpected", "$"),
    ],
)  # fmt: skip
async def test_v1_refuses_with_an_error_object(body: dict[str, Any], error: str, code: str, path: str) -> None:
    async with lab() as it:
        reply = await v1(it, "text-to-video", **body)
        assert reply.status_code == 400
        assert reply.json() == {"error": error, "code": code, "path": path}


@pytest.mark.parametrize(
    ("endpoint", "body", "error"),
    [
        ("image-to-video", {"prompt": "x", "imageId": UNKNOWN_ID, "imageType": "GENERATED"}, "couldn't access image"),
        ("image-to-video", {"prompt": "x", "imageId": UNKNOWN_ID, "imageType": "UPLOADED"}, "invalid init image id"),
        (
            "image-to-video",
            {"prompt": "x", "imageId": UNKNOWN_ID, "imageType": "VARIATION"},
            "expected one of the values",
        ),
        ("image-to-video", {"prompt": "x", "imageType": "UPLOADED"}, "expecting a value for non-nullable variable"),
        ("motion-svd", {"imageId": UNKNOWN_ID, "isInitImage": True}, "invalid init image id"),
        ("motion-svd", {"imageId": UNKNOWN_ID, "isVariation": True}, "failed to find init variation"),
        ("motion-svd", {"imageId": UNKNOWN_ID, "prompt": "x"}, "Unexpected variable prompt"),
    ],
)
async def test_v1_names_what_is_wrong_with_an_image(endpoint: str, body: dict[str, Any], error: str) -> None:
    async with lab() as it:
        reply = await v1(it, endpoint, **body)
        assert reply.status_code == 400
        assert reply.json()["error"].startswith(error)


async def test_a_generation_id_in_place_of_an_image_id_is_a_service_error() -> None:
    async with lab() as it:
        job_id = await it.job()
        reply = await v1(it, "image-to-video", prompt="x", imageId=job_id, imageType="GENERATED")
        assert reply.json()["error"] == "Service Error"


# Reading


async def test_an_unknown_id_is_null_and_no_id_at_all_is_an_error() -> None:
    async with lab() as it:
        assert (await it.get(f"{V1}/generations/{UNKNOWN_ID}")).json() == {"generations_by_pk": None}
        assert (await it.get(f"{V1}/generations/nonsense")).status_code == 400
        job_id = await it.job()
        assert (await it.get(f"{V1}/generations/{job_id}", OTHER_LEONARDO)).json() == {"generations_by_pk": None}


async def test_a_deleted_job_is_gone() -> None:
    async with lab() as it:
        job_id = await it.job()
        gone = await it.client.delete(f"{V1}/generations/{job_id}", headers=LEONARDO)
        assert gone.json() == {"delete_generations_by_pk": {"id": job_id}}
        again = await it.client.delete(f"{V1}/generations/{job_id}", headers=LEONARDO)
        assert again.json() == {"delete_generations_by_pk": None}
        assert (await it.get(f"{V1}/generations/{job_id}")).json() == {"generations_by_pk": None}


async def test_the_listing_is_newest_first_in_pages_and_ones_own() -> None:
    async with lab() as it:
        user = (await it.get(f"{V1}/me")).json()["user_details"][0]["user"]["id"]
        ids = [await it.job(prompt=f"clip {n}") for n in range(12)]

        async def page(query: str, headers: Any = LEONARDO) -> list[str]:
            reply = await it.get(f"{V1}/generations/user/{user}{query}", headers)
            return [generation["id"] for generation in reply.json()["generations"]]

        assert await page("") == ids[:1:-1]
        assert await page("?offset=10&limit=5") == ids[1::-1]
        assert await page("", OTHER_LEONARDO) == []


async def test_prices_models_and_elements_are_listed() -> None:
    async with lab() as it:
        body = {"service": "MOTION_SVD_GENERATION", "serviceParams": {"MOTION_SVD_GENERATION": {}}}
        price = (await it.post(f"{V1}/pricing-calculator", body)).json()
        assert price == {"calculateProductionApiServiceCost": {"cost": 45}}
        assert (await it.post(f"{V1}/pricing-calculator", {"service": "X"})).status_code == 400
        models = (await it.get(f"{V2}/models")).json()["productionApiAvailableModels"]
        assert "SEEDANCE_2_5" in {model["id"] for model in models}
        loras = (await it.get(f"{V1}/elements")).json()["loras"]
        assert "Dolly In" in {lora["name"] for lora in loras}


async def test_an_unknown_route_is_not_found_in_the_gateways_words() -> None:
    async with lab() as it:
        reply = await it.get(f"{V2}/generations/{UNKNOWN_ID}")
        assert reply.json()["error"] == "Endpoint not found"


# What a prompt can ask for


@pytest.mark.parametrize("word", ["[blocked]", "Forbidden-Test-Word"])
async def test_a_moderated_prompt_is_refused_and_costs_nothing(word: str) -> None:
    async with lab() as it:
        [said] = await it.refused(prompt=f"a {word}")
        assert said.startswith("content moderation filter: ")
        assert it.emulator.stats()["jobs"] == 0


async def test_a_prompt_can_ask_for_a_failure_an_empty_end_and_a_flag() -> None:
    async with lab() as it:
        failed, empty, flagged = [await it.job(prompt=f"x {word}") for word in ("[fail]", "[no-output]", "[nsfw]")]
        assert (await it.generation(failed))["status"] == "PENDING"
        it.wait()
        assert (await it.generation(failed))["status"] == "FAILED"
        shown = await it.generation(empty)
        assert (shown["status"], shown["generated_images"]) == ("COMPLETE", [])
        assert (await it.generation(flagged))["generated_images"][0]["nsfw"] is True
