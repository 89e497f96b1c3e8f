"""Leonardo.AI's wire format: what is sent for which values, and what each answer means."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from wire_samples import replies, sample

from vidnb import catalog, providers
from vidnb.catalog import Model
from vidnb.errors import (
    AuthError,
    CreditError,
    ProviderError,
    RateLimitError,
    RejectedError,
    UnavailableError,
    UnexpectedReplyError,
)
from vidnb.providers import Provider
from vidnb.providers.conformance import ProviderConformance, Replies, drive
from vidnb.providers.leonardo import Leonardo
from vidnb.records import Callback, Cost, MediaFile, RemoteJob, RemoteMedia, Reply, State, Status

JOB = "1f1a06db-37cd-6c60-9cac-182717e03f42"
ASSET = "2b7c3d10-52aa-4f0e-8c1d-0c7a3d9e1b22"
IMAGE = "7a54b1c2-9d3e-4b6f-a0c1-d2e3f4a5b6c7"
USER = "0f5e1d2c-3b4a-4958-8676-a5b4c3d2e1f0"
CLIP = "https://cdn.leonardo.ai/users/u/generations/g/clip.mp4"
LEONARDO = Leonardo()

ERRORS: dict[str, type[ProviderError]] = {
    "leonardo-v2-create-error-array": RejectedError,
    "leonardo-v2-create-error-object": RejectedError,
    "leonardo-v2-create-error-details-text": RejectedError,
    "leonardo-v2-create-rate-limit": RateLimitError,
    "leonardo-v2-create-unavailable": UnavailableError,
    "leonardo-v1-error-bad-key": AuthError,
    "leonardo-v1-error-no-key": AuthError,
    "leonardo-v1-error-no-credits": CreditError,
    "leonardo-v1-error-moderation-400": RejectedError,
    "leonardo-v1-error-moderation-403": RejectedError,
    "leonardo-v1-error-unknown-field": RejectedError,
    "leonardo-v1-error-missing-prompt": RejectedError,
    "leonardo-v1-error-wrong-type": RejectedError,
    "leonardo-v1-error-model": RejectedError,
    "leonardo-v1-error-image": RejectedError,
    "leonardo-v1-error-service": UnavailableError,
    "leonardo-429": RateLimitError,
    "leonardo-502-page": UnavailableError,
}
CREATED = {
    "leonardo-v2-create": Cost(0.45, "USD"),
    "leonardo-v2-create-grok": Cost(12, "CREDITS"),
    "leonardo-v2-create-bare": Cost(25, "CREDITS"),
    "leonardo-v1-text-to-video": Cost(0.0147, "USD"),
    "leonardo-v1-image-to-video": Cost(0.0147, "USD"),
    "leonardo-v1-motion-svd": Cost(0.0147, "USD"),
}
POLLED = {
    "leonardo-get-pending": Status(JOB, State.RUNNING, "PENDING"),
    "leonardo-get-complete": Status(JOB, State.DOWNLOADING, "COMPLETE", CLIP, ASSET, nsfw=False, used_seed=123),
    "leonardo-get-complete-nsfw": Status(JOB, State.DOWNLOADING, "COMPLETE", CLIP, ASSET, nsfw=True, used_seed=123),
    "leonardo-get-complete-no-output": Status(
        JOB,
        None,
        "COMPLETE without a clip",
        error="Leonardo.AI reported COMPLETE without a clip: the output was moderated or lost",
        ended=True,
    ),
    "leonardo-get-complete-poster-only": Status(
        JOB,
        None,
        "COMPLETE without a clip",
        asset_id=ASSET,
        error="Leonardo.AI reported COMPLETE without a clip: the output was moderated or lost",
        nsfw=False,
        ended=True,
    ),
    "leonardo-get-failed": Status(JOB, State.FAILED, "FAILED", error="Leonardo.AI reported FAILED; it gives no reason"),
    "leonardo-get-null": Status(
        JOB,
        None,
        "null record",
        error=f"Leonardo.AI knows no generation {JOB}: it was deleted or belongs to another account",
    ),
}


def model(name: str) -> Model:
    return catalog.find(f"leonardo/{name}")


def uploaded(media_id: str = IMAGE, kind: str = "UPLOADED") -> RemoteMedia:
    return RemoteMedia("leonardo", media_id, kind)


class TestConformance(ProviderConformance):
    remote_id = JOB

    @pytest.fixture
    def provider(self) -> Provider:
        return providers.get("leonardo")

    def submit_replies(self) -> Replies:
        good = [(sample(name).reply, Status(JOB, State.RUNNING, cost=cost)) for name, cost in CREATED.items()]
        return [*good, *self.error_replies(), (Reply(200, {}), UnexpectedReplyError)]

    def poll_replies(self) -> Replies:
        return [(sample(name).reply, status) for name, status in POLLED.items()]

    def error_replies(self) -> Iterable[tuple[Reply, type[ProviderError]]]:
        return [(sample(name).reply, kind) for name, kind in ERRORS.items()]

    def reply_with_word(self, word: str) -> Reply:
        body = copy.deepcopy(sample("leonardo-get-complete").reply.json)
        body["generations_by_pk"]["status"] = word
        return Reply(200, body)

    def check_reply(self) -> Reply:
        return sample("leonardo-me").reply

    def upload_replies(self) -> Iterable[Reply]:
        return replies("leonardo-init-image", "leonardo-presigned-upload")

    def recent_replies(self) -> Iterable[Reply]:
        return replies("leonardo-me", "leonardo-user-list")


SUBMITS: list[tuple[str, str, dict[str, Any], dict[str, list[RemoteMedia]]]] = [
    (
        "leonardo-v2-create",
        "motion_2.0",
        {
            "prompt": "A koala and a cat playing together in a sunlit meadow",
            "width_px": 1024,
            "height_px": 1024,
            "resolution": "480p",
            "public": False,
        },
        {},
    ),
    (
        "leonardo-v2-create-grok",
        "grok-imagine-1.5",
        {"prompt": "<YOUR_PROMPT>", "duration_s": 6, "width_px": 1280, "height_px": 720, "audio": True},
        {"start_image": [uploaded("<YOUR_START_IMAGE_ID>")]},
    ),
    (
        "leonardo-v1-text-to-video",
        "MOTION2",
        {
            "prompt": "a paper boat",
            "resolution": "480p",
            "seed": 7,
            "negative_prompt": "people",
            "prompt_enhance": "off",
            "prompt_enhance_instruction": "make it cinematic",
            "frame_interpolation": True,
            "styles": ["Color Sketch"],
            "motion_control": "Dolly In",
            "elements": [{"id": "11111111-2222-4333-8444-555555555555", "weight": 0.5}],
        },
        {},
    ),
    (
        "leonardo-v1-image-to-video",
        "KLING2_1",
        {"prompt": "a paper boat", "duration_s": 10, "resolution": "1080p"},
        {"start_image": [uploaded()], "end_image": [uploaded(ASSET, "GENERATED")]},
    ),
    ("leonardo-v1-motion-svd", "SVD", {"motion_strength": 5, "public": False}, {"start_image": [uploaded()]}),
]


@pytest.mark.parametrize(("name", "wire", "params", "media"), SUBMITS, ids=[row[0] for row in SUBMITS])
def test_the_documents_samples_are_sent_word_for_word(
    name: str, wire: str, params: dict[str, Any], media: dict[str, list[RemoteMedia]]
) -> None:
    call = LEONARDO.submit(model(wire), params, media)
    assert {"method": call.method, "url": call.url, "json": call.json} == sample(name).request


def test_controls_elements_and_styles_are_lists_of_ids_in_v2() -> None:
    params = {
        "prompt": "p",
        "motion_control": "Dolly In",
        "motion_control_weight": -1.5,
        "elements": [{"id": ASSET}, {"id": IMAGE, "weight": 2}],
        "styles": ["Clay", IMAGE],
        "seed": 0,
        "frame_interpolation": False,
        "prompt_enhance": "off",
        "public": True,
    }
    body = LEONARDO.submit(model("motion_2.0"), params, {"start_image": [uploaded(ASSET, "GENERATED")]}).json
    assert body["public"] is True
    assert body["parameters"] == {
        "prompt": "p",
        "seed": 0,
        "frame_interpolation": False,
        "prompt_enhance": "OFF",
        "quantity": 1,
        "controls": [{"akUUID": "ece8c6a9-3deb-430e-8c93-4d5061b6adbf", "weight": -1.5}],
        "elements": [{"akUUID": ASSET, "weight": 1}, {"akUUID": IMAGE, "weight": 2}],
        "style_ids": ["964d8a8f-865b-48c5-b79e-e75ae8727648", IMAGE],
        "guidances": {"start_frame": [{"image": {"id": ASSET, "type": "GENERATED"}}]},
    }


def test_a_style_that_the_newer_list_dropped_still_has_its_id() -> None:
    body = LEONARDO.submit(model("motion_2.0"), {"prompt": "p", "styles": ["Streetshot"]}, {}).json
    assert body["parameters"]["style_ids"] == ["5658d8ce-d486-4501-a701-7832395a8962"]


def test_every_kind_of_reference_has_its_own_shape() -> None:
    media = {
        "reference_images": [uploaded(), uploaded(ASSET, "GENERATED")],
        "reference_videos": [uploaded(ASSET, "GENERATED")],
        "reference_audio": [uploaded()],
    }
    body = LEONARDO.submit(model("alibaba/wan-3.0"), {"prompt": "p"}, media).json
    assert body["model"] == "alibaba/wan-3.0"
    assert body["parameters"]["guidances"] == {
        "image_reference": [
            {"image": {"id": IMAGE, "type": "UPLOADED"}},
            {"image": {"id": ASSET, "type": "GENERATED"}},
        ],
        "video_reference_base": [{"video": {"id": ASSET, "type": "GENERATED"}}],
        "audio_reference": [{"audio": {"id": IMAGE, "type": "UPLOADED"}}],
    }


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"width_px": 832, "height_px": 480, "resolution": "480p"}, {"width": 832, "height": 480}),
        ({"width_px": 0, "height_px": 0}, {"width": 0, "height": 0}),
        ({"width_px": 832, "height_px": None}, {}),
        ({"resolution": "720p"}, {"mode": "RESOLUTION_720"}),
        ({"resolution": "720p", "aspect_ratio": "16:9"}, {"mode": "RESOLUTION_720"}),
    ],
)
def test_width_and_height_go_together_and_the_deprecated_mode_only_without_a_listed_pair(
    params: dict[str, Any], expected: dict[str, Any]
) -> None:
    sent = LEONARDO.submit(model("motion_2.0"), {"prompt": "p", **params}, {}).json["parameters"]
    assert sent == {"prompt": "p", "quantity": 1, **expected}


@pytest.mark.parametrize(
    ("kind", "flags"),
    [("UPLOADED", (True, False)), ("GENERATED", (False, False)), ("VARIATION", (False, True))],
)
def test_motion_svd_says_where_its_image_comes_from(kind: str, flags: tuple[bool, bool]) -> None:
    body = LEONARDO.submit(model("SVD"), {}, {"start_image": [uploaded(kind=kind)]}).json
    assert (body["isInitImage"], body["isVariation"]) == flags


def test_v1_image_goes_to_the_image_endpoint_and_text_to_the_other() -> None:
    with_image = LEONARDO.submit(model("MOTION2"), {"prompt": "p"}, {"start_image": [uploaded()]})
    without = LEONARDO.submit(model("MOTION2"), {"prompt": "p"}, {})
    assert (with_image.url, without.url) == ("/v1/generations-image-to-video", "/v1/generations-text-to-video")


def test_nothing_is_public_unless_it_was_said() -> None:
    assert LEONARDO.submit(model("motion_2.0"), {"prompt": "p"}, {}).json["public"] is False
    assert LEONARDO.submit(model("MOTION2"), {"prompt": "p"}, {}).json["isPublic"] is False


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"generate": {"generationId": JOB}}, True),
        ({"generationId": JOB}, True),
        ({"someNewJob": {"generationId": JOB}}, True),
        ({"someNewJob": {"generationId": JOB}, "note": "text"}, True),
        ({"a": {"generationId": JOB}, "b": {"generationId": ASSET}}, False),
        ({"generate": {"generationId": None}}, False),
        ({"generate": {"generationId": "../me"}}, False),
        ({"generate": None}, False),
        (None, False),
    ],
)
def test_an_id_is_found_where_the_client_rule_looks_and_nowhere_else(body: Any, found: bool) -> None:
    if found:
        assert LEONARDO.submitted(Reply(200, body)).remote_id == JOB
    else:
        with pytest.raises(UnexpectedReplyError, match="may have been charged"):
            LEONARDO.submitted(Reply(200, body))


def test_the_reason_is_taken_from_the_details_before_the_general_message() -> None:
    def message(name: str) -> str:
        return str(LEONARDO.explain(sample(name).reply))

    assert message("leonardo-v2-create-error-array").endswith(": parameters.prompt_enhance must be one of: OFF")
    assert message("leonardo-v2-create-error-details-text").endswith(": model is not available")
    assert "LEONARDO_API_KEY" in message("leonardo-v1-error-bad-key")


def test_the_users_id_is_cut_from_the_message_about_the_balance() -> None:
    error = LEONARDO.explain(sample("leonardo-v1-error-no-credits").reply)
    assert "not enough api tokens" in str(error)
    assert USER not in str(error)
    assert error.charged is False


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:12 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 12.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:12 GMT"}, 0.0),
        ({"Retry-After": "-4"}, 0.0),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_both_forms_of_retry_after_are_read(headers: dict[str, str], expected: float | None) -> None:
    error = LEONARDO.explain(Reply(429, None, "", headers))
    assert isinstance(error, RateLimitError)
    assert error.retry_after_s == expected


def test_an_upload_posts_the_presigned_form_without_the_key() -> None:
    file = MediaFile("ab" * 32, "png", "image/png", b"bytes")
    calls, handle = drive(LEONARDO.upload(file), replies("leonardo-init-image", "leonardo-presigned-upload"))
    ask, post = calls
    assert {"method": ask.method, "url": ask.url, "json": ask.json} == sample("leonardo-init-image").request
    expected = sample("leonardo-presigned-upload").request
    assert post.file is not None
    assert (post.method, post.url, post.form, post.file.part) == tuple(expected.values())
    assert not post.authorized
    assert handle == RemoteMedia("leonardo", IMAGE, "UPLOADED")


def test_sound_and_video_go_through_the_media_endpoint() -> None:
    file = MediaFile("ab" * 32, "mp3", "audio/mpeg", b"bytes")
    calls, handle = drive(LEONARDO.upload(file), replies("leonardo-media", "leonardo-presigned-upload"))
    expected = sample("leonardo-media").request
    assert {"method": calls[0].method, "url": calls[0].url, "json": calls[0].json} == expected
    assert handle.id == IMAGE


def test_a_late_upload_may_be_tried_again_and_was_not_charged() -> None:
    file = MediaFile("ab" * 32, "png", "image/png", b"bytes")
    with pytest.raises(UnavailableError, match="two minutes") as caught:
        drive(LEONARDO.upload(file), 2 * list(replies("leonardo-init-image", "leonardo-presigned-upload-late")))
    assert caught.value.charged is False


def test_an_upload_form_that_points_at_the_own_host_is_refused() -> None:
    form = {"uploadInitImage": {"id": IMAGE, "url": "/v1/me", "fields": "{}"}}
    file = MediaFile("ab" * 32, "png", "image/png", b"bytes")
    with pytest.raises(UnexpectedReplyError, match="presigned form"):
        drive(LEONARDO.upload(file), [Reply(200, form)])


def test_recent_jobs_carry_what_recognises_a_lost_submit() -> None:
    exchange = LEONARDO.recent(2, [])
    calls, jobs = drive(exchange, replies("leonardo-me", "leonardo-user-list"))
    assert [call.url for call in calls] == ["/v1/me", sample("leonardo-user-list").request["url"]]
    assert [(job.remote_id, job.prompt, job.seed) for job in jobs] == [
        (JOB, "a paper boat", 123),
        (ASSET, "a kite", 9007),
    ]
    assert jobs[0].created_at == datetime(2026, 8, 18, 5, 7, 51, tzinfo=UTC)
    assert (jobs[0].width_px, jobs[0].height_px) == (1280, 720)


def test_the_account_is_told_with_slots_and_balances() -> None:
    told = LEONARDO.checked(sample("leonardo-me").reply)
    assert told == "the key is good; 10 jobs at once, 1,250 paid API credits, 3,500 plan API credits"


def test_a_webhook_gives_its_id_and_nothing_else() -> None:
    assert LEONARDO.webhook_id(Callback({}, b"", sample("leonardo-webhook").reply.json)) == JOB
    assert LEONARDO.webhook_id(Callback({}, b"", {"data": {"object": {"id": "../me"}}})) is None


ENTRY = {
    "id": JOB, "status": "COMPLETE", "createdAt": "2026-08-18T05:07:51.000", "prompt": "a paper boat", "seed": 5,
    "generated_images": [{"id": ASSET, "motion": True, "motionMP4URL": CLIP, "motionModel": "SEEDANCE2_5"}],
}  # fmt: skip


def listed(**changes: Any) -> RemoteJob:
    """An entry of the list as the provider reads it."""
    replies = [sample("leonardo-me").reply, Reply(200, {"generations": [{**ENTRY, **changes}]})]
    found: list[RemoteJob] = drive(LEONARDO.recent(2, []), replies)[1]
    return found[0]


def test_of_a_list_only_the_jobs_that_are_looked_for_are_read() -> None:
    jobs = [ProviderConformance().job(LEONARDO, ASSET)]
    answers = replies("leonardo-me", "leonardo-user-list")
    assert [(job.remote_id, job.prompt) for job in drive(LEONARDO.recent(2, jobs), answers)[1]] == [(ASSET, "")]


def output(**fields: Any) -> list[dict[str, Any]]:
    return [{"id": ASSET, **fields}]


def test_a_list_tells_pictures_from_videos() -> None:
    assert listed().is_video is True
    assert listed(generated_images=output(url="https://cdn.leonardo.ai/a.jpg", motion=False)).is_video is False
    assert listed(status="PENDING", generated_images=[], modelId="aa77f04e").is_video is False
    assert listed(status="PENDING", generated_images=[]).is_video is None


@pytest.mark.parametrize(
    ("name", "is_one", "is_none"),
    [
        ("SEEDANCE2_5", "bytedance/seedance-2.5", "seedance-2.0"),
        ("SEEDANCE2_0", "seedance-2.0", "seedance-2.0-fast"),
        ("VEO3_1", "veo-3.1-generate-001", "veo-3.1-fast-generate-001"),
        ("VEO3_1FAST", "veo-3.1-fast-generate-001", "veo-3.1-generate-001"),
        ("MOTION2", "motion_2.0", "motion_2.0-fast"),
        ("MOTION2FAST", "MOTION2FAST", "MOTION2"),
        ("KLING2_5", "KLING2_5", "kling-3.0"),
    ],
)
def test_the_model_of_a_listed_job_is_known_by_any_spelling(name: str, is_one: str, is_none: str) -> None:
    models = listed(generated_images=output(motionModel=name)).models
    assert models is not None
    assert f"leonardo/{is_one}" in models
    assert f"leonardo/{is_none}" not in models


def test_every_model_of_the_catalogue_knows_its_own_name_in_a_list() -> None:
    for known in catalog.load().values():
        if known.provider == "leonardo":
            name = re.sub(r"[^A-Z0-9]+", "_", known.wire.rsplit("/", 1)[-1].upper())
            assert known.id in (listed(generated_images=output(motionModel=name)).models or ())


FINISHED: dict[str, dict[str, Any]] = {
    "videos of their own": {"generated_images": [], "generated_videos": [{"url": CLIP}]},
    "beside the status": {"generated_images": [], "motionMP4URL": CLIP},
    "where the poster is": {"generated_images": output(url=CLIP, motionMP4URL=None)},
    "another field": {"generated_images": output(url="https://cdn.leonardo.ai/a.jpg", videoUrl=CLIP)},
    "lower case": {"status": "complete"},
    "another form": {"status": " Completed "},
    "spaces around": {"generated_images": output(motionMP4URL=f" {CLIP} ")},
    "a word of another service": {"status": "SUCCEEDED"},
    "no scheme": {"generated_images": output(motionMP4URL=CLIP.removeprefix("https:"))},
    "told by the kind beside it": {"generated_images": [], "assets": [{"type": "video", "uri": CLIP}]},
    "JSON in a text": {"generated_images": [], "output": json.dumps({"videos": [CLIP]})},
}


@pytest.mark.parametrize("case", FINISHED)
def test_the_clip_is_found_wherever_a_finished_record_holds_its_link(case: str) -> None:
    reply = Reply(200, {"generations_by_pk": {**ENTRY, **FINISHED[case]}})
    status = LEONARDO.polled(reply, TestConformance().job(LEONARDO, JOB))
    assert (status.state, status.video_url) == (State.DOWNLOADING, CLIP)


@pytest.mark.parametrize("word", ["CANCELED", "", "3"])
def test_an_odd_word_decides_nothing_and_the_link_beside_it_is_kept(word: str) -> None:
    reply = Reply(200, {"generations_by_pk": {**ENTRY, "status": word}})
    status = LEONARDO.polled(reply, TestConformance().job(LEONARDO, JOB))
    assert (status.state, status.video_url) == (None, CLIP)


def test_a_space_in_a_link_is_escaped() -> None:
    link = "https://cdn.leonardo.ai/a koala.mp4"
    reply = Reply(200, {"generations_by_pk": {**ENTRY, "generated_images": output(motionMP4URL=link)}})
    status = LEONARDO.polled(reply, TestConformance().job(LEONARDO, JOB))
    assert status.video_url == "https://cdn.leonardo.ai/a%20koala.mp4"


def test_what_a_job_was_made_from_is_not_its_clip() -> None:
    inputs = {"reference_videos": [{"url": "https://cdn.leonardo.ai/in.mp4"}], "startImage": {"url": CLIP}}
    reply = Reply(200, {"generations_by_pk": {**ENTRY, "generated_images": [], **inputs}})
    status = LEONARDO.polled(reply, TestConformance().job(LEONARDO, JOB))
    assert (status.state, status.ended) == (None, True)


@pytest.mark.parametrize("word", ["CANCELED", "CANCELLED", "ERROR", "EXPIRED", "Timed out", "rejected"])
def test_an_end_word_that_nobody_documented_ends_nothing_by_itself(word: str) -> None:
    reply = Reply(200, {"generations_by_pk": {**ENTRY, "status": word, "generated_images": []}})
    status = LEONARDO.polled(reply, TestConformance().job(LEONARDO, JOB))
    assert (status.state, status.ended) == (None, True)


def test_a_reply_about_another_job_is_not_believed() -> None:
    with pytest.raises(UnexpectedReplyError, match="another generation"):
        LEONARDO.polled(Reply(200, {"generations_by_pk": ENTRY}), TestConformance().job(LEONARDO, IMAGE))


@pytest.mark.parametrize("status", [408, 409, 425, 499, 502, 504, 520, 524])
@pytest.mark.parametrize("text", ["", "<html><body>nginx</body></html>", "error"])
def test_what_a_gateway_says_after_the_service_took_a_submit_is_no_refusal(status: int, text: str) -> None:
    assert LEONARDO.explain(Reply(status, None, text)).charged is None


FORM = {
    "uploadInitImage": {
        "id": IMAGE,
        "url": "https://bucket.example.com/",
        "key": "k",
        "fields": '{"x-amz-signature": "s"}',
    }
}
EXPIRED = "<Error><Code>AccessDenied</Code><Message>Invalid according to Policy: Policy expired.</Message></Error>"
FILE = MediaFile("ab" * 32, "png", "image/png", b"png" * 2**20)


def refused(*replies: Reply) -> tuple[int, ProviderError]:
    """How many calls an upload makes that is answered so, and how it ends."""
    exchange, answers, calls = LEONARDO.upload(FILE), list(replies), 1
    next(exchange)
    try:
        while True:
            exchange.send(answers.pop(0))
            calls += 1
    except ProviderError as error:
        return calls, error


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (403, EXPIRED),
        (400, "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"),
        (400, "<Error><Code>RequestTimeout</Code><Message>It was idle; the form expired.</Message></Error>"),
    ],
)
def test_an_upload_form_that_was_used_too_late_gets_a_new_one_once(status: int, told: str) -> None:
    late = Reply(status, None, told)
    calls, handle = drive(LEONARDO.upload(FILE), [Reply(200, FORM), late, Reply(200, FORM), Reply(204)])
    assert (len(calls), handle.id) == (4, IMAGE)
    count, error = refused(Reply(200, FORM), late, Reply(200, FORM), late)
    assert count == 4
    assert "expired" in str(error)
    assert isinstance(error, UnavailableError)


def test_the_storages_own_reason_is_shown_without_its_secrets() -> None:
    text = "<Error><Code>SignatureDoesNotMatch</Code><Message>no &quot;match&quot; https://s3/x?X-Amz-Signature=s</Message></Error>"
    count, error = refused(Reply(200, FORM), Reply(403, None, text))
    assert count == 2
    assert 'SignatureDoesNotMatch: no "match" [link]' in str(error)
    assert isinstance(error, RejectedError)


def test_a_part_of_a_policy_that_a_storage_repeats_is_cut() -> None:
    part = 6 * "eyJl+XBpcm/0"
    text = f"<Error><Code>InvalidPolicyDocument</Code><Message>Invalid Policy: {part}</Message></Error>"
    for told in (text, f"Invalid Policy: {part}"):
        _, error = refused(Reply(200, FORM), Reply(400, None, told))
        assert str(error).endswith("Invalid Policy: [id]")


def test_an_error_that_a_storage_tells_with_200_is_no_upload() -> None:
    text = '<?xml version="1.0"?>\n<Error><Code>InternalError</Code><Message>Please try again.</Message></Error>'
    count, error = refused(Reply(200, FORM), Reply(200, None, text))
    assert count == 2
    assert str(error).endswith("the upload failed (HTTP 200): InternalError: Please try again.")
    assert (type(error), error.charged) == (UnavailableError, False)


@pytest.mark.parametrize(("status", "text"), [(413, ""), (400, "<Error><Code>EntityTooLarge</Code></Error>")])
def test_a_file_that_is_too_large_is_said_to_be(status: int, text: str) -> None:
    _, error = refused(Reply(200, FORM), Reply(status, None, text))
    assert "the file is too large (3.0 MB)" in str(error)
    assert isinstance(error, RejectedError)
