"""1min.ai's wire format: what is sent for which values, and what each answer means."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from typing import Any

import pytest
from wire_samples import replies, sample

from vidnb import catalog, providers
from vidnb.catalog import Model, Param, Size
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
from vidnb.providers.onemin import OneMin
from vidnb.records import MediaFile, RemoteMedia, Reply, State, Status

JOB = "6f1c9a52-3c0b-4d57-9a34-0b9f2f7f6f0e"
PATH = "images/2025_10_22_07_10_43_846_elon-musk.jpg"
LINK = (
    "https://s3.us-east-1.amazonaws.com/asset.1min.ai/videos/2026_01_02_03_05_20_123_201553.mp4"
    "?X-Amz-Expires=604800&X-Amz-Signature=c0ffee"
)
NEEDED = "this needs 4,800 credits and the team has 46"
ONEMIN = OneMin()

ERRORS: dict[str, type[ProviderError]] = {
    "onemin-error-bad-key": AuthError,
    "onemin-error-deleted-key": AuthError,
    "onemin-error-wrong-token": AuthError,
    "onemin-error-no-credits": CreditError,
    "onemin-error-unsupported-model": RejectedError,
    "onemin-error-missing-fields": RejectedError,
    "onemin-error-upstream-refused": RejectedError,
    "onemin-error-upstream-busy": UnavailableError,
    "onemin-error-upstream-rate": UnavailableError,
    "onemin-error-unknown-feature": RejectedError,
    "onemin-error-success-false": RejectedError,
    "onemin-error-openai": UnavailableError,
    "onemin-error-edge-1010": RejectedError,
    "onemin-error-edge-1015": RateLimitError,
    "onemin-error-524-page": UnavailableError,
    "onemin-error-200-page": UnavailableError,
}
POLLED = {
    "onemin-results-processing": Status(JOB, State.RUNNING, "PROCESSING"),
    "onemin-results-success": Status(JOB, State.DOWNLOADING, "SUCCESS", LINK),
    "onemin-results-success-root-link": Status(JOB, State.DOWNLOADING, "SUCCESS", LINK),
    "onemin-results-success-no-link": Status(
        JOB, None, "SUCCESS without link", error="1min.ai reported SUCCESS without a link to the clip", ended=True
    ),
    "onemin-results-success-no-result": Status(JOB, State.DOWNLOADING, "SUCCESS", LINK),
    "onemin-results-failure": Status(JOB, State.FAILED, "FAILURE", error="1min.ai: The image could not be processed"),
    "onemin-results-failed": Status(
        JOB, State.FAILED, "FAILED", error="1min.ai reported a failure; it gives no reason"
    ),
    "onemin-results-error-object": Status(JOB, State.FAILED, "SUCCESS", error="1min.ai: The model gave no output"),
    "onemin-results-null": Status(JOB, None, "null record", error=f"1min.ai knows no record {JOB}"),
}


def model(name: str) -> Model:
    return catalog.find(f"1min/{name}")


class TestConformance(ProviderConformance):
    remote_id = JOB

    @pytest.fixture
    def provider(self) -> Provider:
        return providers.get("1min")

    def submit_replies(self) -> Replies:
        return [
            (sample("onemin-features-async").reply, Status(JOB, State.RUNNING, "PROCESSING")),
            (sample("onemin-features-luma").reply, Status(JOB, State.RUNNING, "PROCESSING")),
            (sample("onemin-features-sync").reply, Status(JOB, State.DOWNLOADING, "SUCCESS", LINK)),
            (sample("onemin-features-error-in-200").reply, CreditError),
            (Reply(200, {"aiRecord": None}), UnexpectedReplyError),
            *self.error_replies(),
        ]

    def poll_replies(self) -> Replies:
        return [(sample(name).reply, status) for name, status in POLLED.items()]

    def error_replies(self) -> Iterable[tuple[Reply, type[ProviderError]]]:
        return [(sample(name).reply, kind) for name, kind in ERRORS.items()]

    def reply_with_word(self, word: str) -> Reply:
        body = copy.deepcopy(sample("onemin-results-success").reply.json)
        body["aiRecord"]["status"] = word
        return Reply(200, body)

    def check_reply(self) -> Reply:
        return sample("onemin-results-null").reply

    def upload_replies(self) -> Iterable[Reply]:
        return replies("onemin-assets")


SUBMITS = [
    ("onemin-features-async", "leonardo-motion", {"motion_strength": 7}),
    (
        "onemin-features-luma",
        "luma",
        {
            "prompt": "gentle waves moving across a serene lake with soft sunlight",
            "duration_s": 5,
            "prompt_enhance": "on",
        },
    ),
]


@pytest.mark.parametrize(("name", "wire", "params"), SUBMITS, ids=[row[0] for row in SUBMITS])
def test_the_documents_samples_are_sent_with_the_asynchronous_mode_added(
    name: str, wire: str, params: dict[str, Any]
) -> None:
    call = ONEMIN.submit(model(wire), params, {"start_image": [RemoteMedia("1min", PATH)]})
    assert {"method": call.method, "url": call.url, "json": call.json} == sample(name).request


def test_text_and_image_are_two_features_of_one_model() -> None:
    params = {"prompt": "p", "duration_s": 5, "prompt_enhance": "off"}
    body = ONEMIN.submit(model("luma"), params, {}).json
    assert (body["type"], body["conversationId"]) == ("TEXT_TO_VIDEO", "TEXT_TO_VIDEO")
    assert body["promptObject"] == {"prompt": "p", "length": 5, "enhancePrompt": False}


def test_the_newer_luma_contract_has_its_own_spelling() -> None:
    params = {"prompt": "p", "variant": "ray-v2", "duration_s": 5, "aspect_ratio": "9:16", "loop": False}
    body = ONEMIN.submit(model("luma-ray"), params, {"start_image": [RemoteMedia("1min", PATH)]}).json
    assert body["model"] == "luma"
    assert body["promptObject"] == {
        "prompt": "p",
        "modelName": "ray-v2",
        "duration": "5s",
        "aspectRatio": "9:16",
        "loop": False,
        "imageUrl": PATH,
    }


def test_a_size_in_pixels_is_one_field_and_a_first_frame_has_name_and_type() -> None:
    # Built by hand: the rule of the Sora page, whatever the catalogue says of Sora today.
    params = [
        Param("prompt", "text", wire="prompt"),
        Param("width_px", "integer"),
        Param("height_px", "integer"),
        Param("resolution", "choice", choices=("720p",), wire="resolution"),
        Param("start_image", "image", wire="reference_image_path"),
        Param("reference_images", "images", wire="reference_image_urls"),
    ]
    sora = Model(
        "1min/sora-x",
        "1min",
        "sora-x",
        "features",
        "Sora",
        modes=("text", "image"),
        endpoints={"text": "TEXT_TO_VIDEO", "image": "TEXT_TO_VIDEO"},
        params={param.name: param for param in params},
        sizes=(Size(1280, 720, "720p", "16:9"),),
    )
    values = {"prompt": "p", "width_px": 1280, "height_px": 720, "resolution": "720p"}
    media = {"start_image": [RemoteMedia("1min", "images/a.JPG")], "reference_images": [RemoteMedia("1min", "b")]}
    body = ONEMIN.submit(sora, values, media).json
    assert body["type"] == "TEXT_TO_VIDEO"
    assert body["promptObject"] == {
        "prompt": "p",
        "size": "1280x720",
        "reference_image_path": "images/a.JPG",
        "reference_image_name": "a.JPG",
        "reference_image_type": "image/jpeg",
        "reference_image_urls": ["b"],
    }


def test_sora_takes_its_first_frame_with_text_to_video() -> None:
    params = {"prompt": "p", "duration_s": 8, "width_px": 1280, "height_px": 720, "aspect_ratio": "16:9"}
    body = ONEMIN.submit(model("sora-2"), params, {"start_image": [RemoteMedia("1min", "images/a.png")]}).json
    assert body["type"] == "TEXT_TO_VIDEO"
    assert body["promptObject"] == {
        "prompt": "p",
        "seconds": 8,
        "size": "1280x720",
        "reference_image_path": "images/a.png",
        "reference_image_name": "a.png",
        "reference_image_type": "image/png",
    }


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("onemin-error-no-credits", f"1min.ai: {NEEDED}; nothing was charged"),
        ("onemin-features-error-in-200", f"1min.ai: {NEEDED}; nothing was charged"),
        ("onemin-error-upstream-refused", "duration must be 5 or 10"),
        ("onemin-error-missing-fields", "Field 'prompt' is required for luma model with type IMAGE_TO_VIDEO; Field"),
        ("onemin-error-success-false", "The image is too small"),
        ("onemin-error-bad-key", "API Key is not active"),
        ("onemin-error-bad-key", "ONEMIN_API_KEY"),
        ("onemin-error-edge-1010", "error code: 1010"),
        ("onemin-error-524-page", "may have been charged"),
        ("onemin-error-200-page", "may have been charged"),
    ],
)
def test_the_message_holds_the_real_cause(name: str, said: str) -> None:
    assert said in str(ONEMIN.explain(sample(name).reply))


@pytest.mark.parametrize("name", ["onemin-error-upstream-refused", "onemin-error-upstream-busy"])
def test_the_text_that_the_service_is_busy_is_never_shown_where_a_cause_is_known(name: str) -> None:
    said = str(ONEMIN.explain(sample(name).reply))
    assert "a bit busy" not in said
    assert "upstream.example" not in said


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (None, RejectedError),
        ("", RejectedError),
        ("not json", RejectedError),
        ('{"response":{"status":422,"data":"no"}}', RejectedError),
        ('{"response":{"status":500}}', UnavailableError),
        ({"response": {"status": "502"}}, UnavailableError),
        ('{"response":{"status":429}}', UnavailableError),
        ('{"message":"timeout of 300000ms exceeded","code":"ECONNABORTED"}', UnavailableError),
        ("socket hang up", UnavailableError),
    ],
)
def test_busy_is_believed_only_with_an_upstream_that_can_pass_or_that_was_waited_for_in_vain(
    details: Any, expected: type[ProviderError]
) -> None:
    body = {"errorCode": "EXTERNAL_API_RESPONSE_WITH_ERROR", "message": "a bit busy", "details": details}
    assert type(ONEMIN.explain(Reply(400, body))) is expected


def test_an_upload_gives_the_path_and_falls_back_to_the_key_of_the_asset() -> None:
    file = MediaFile("ab" * 32, "png", "image/png", b"bytes")
    reply = sample("onemin-assets").reply
    calls, handle = drive(ONEMIN.upload(file), [reply])
    part = calls[0].file
    assert part is not None
    expected = sample("onemin-assets").request
    assert {"method": calls[0].method, "url": calls[0].url, "file": part.part} == expected
    assert part.filename == "abababababababab.png"
    assert handle == RemoteMedia("1min", "images/2026_01_02_03_04_05_678_cat.png")
    without = {"asset": reply.json["asset"]}
    assert drive(ONEMIN.upload(file), [Reply(200, without)])[1] == handle


def test_the_key_check_asks_for_a_record_that_nobody_has() -> None:
    assert ONEMIN.check().url == f"/api/results/{JOB}"
    assert ONEMIN.checked(sample("onemin-results-null").reply).startswith("the key is good")


def test_a_record_with_a_link_that_is_no_web_address_is_not_finished() -> None:
    body = copy.deepcopy(sample("onemin-results-success").reply.json)
    body["aiRecord"]["temporaryUrl"] = "/api/me"
    assert ONEMIN.polled(Reply(200, body), TestConformance().job(ONEMIN, JOB)).word == "SUCCESS without link"


FINISHED: dict[str, dict[str, Any]] = {
    "the result is the link": {"aiRecordDetail": {"resultObject": [LINK]}},
    "the result is a text": {"aiRecordDetail": {"resultObject": LINK}},
    "the result is an object": {"aiRecordDetail": {"resultObject": {"url": LINK}}},
    "no result": {"temporaryUrl": LINK},
    "the result is a key": {"temporaryUrl": LINK, "aiRecordDetail": {"resultObject": "videos/x.mp4"}},
    "another field": {"videoUrl": LINK, "aiRecordDetail": {"resultObject": ["videos/x.mp4"]}},
    "lower case": {"status": "success", "temporaryUrl": LINK},
    "a word of another service": {"status": "COMPLETED", "temporaryUrl": LINK},
    "JSON in a text": {"aiRecordDetail": {"resultObject": json.dumps([LINK])}},
    "facts in place of a result": {"temporaryUrl": LINK, "aiRecordDetail": {"resultObject": {"duration": 5}}},
    "a code that all is well": {"temporaryUrl": LINK, "aiRecordDetail": {"responseObject": {"code": 200}}},
}


@pytest.mark.parametrize("case", FINISHED)
def test_the_clip_is_found_wherever_a_finished_record_holds_its_link(case: str) -> None:
    reply = Reply(200, {"aiRecord": {"uuid": JOB, "status": "SUCCESS", **FINISHED[case]}})
    status = ONEMIN.polled(reply, TestConformance().job(ONEMIN, JOB))
    assert (status.state, status.video_url) == (State.DOWNLOADING, LINK)


def test_what_a_record_tells_while_it_goes_on_is_no_refusal() -> None:
    detail = {"resultObject": {"progress": 50, "message": "in the queue"}, "responseObject": {"code": "QUEUED"}}
    reply = Reply(200, {"aiRecord": {"uuid": JOB, "status": "PROCESSING", "aiRecordDetail": detail}})
    assert ONEMIN.submitted(reply).state is State.RUNNING
    assert ONEMIN.polled(reply, TestConformance().job(ONEMIN, JOB)).state is State.RUNNING


@pytest.mark.parametrize("word", ["CANCELED", "ERROR", "expired"])
def test_an_end_word_that_nobody_documented_ends_nothing_by_itself(word: str) -> None:
    reply = Reply(200, {"aiRecord": {"uuid": JOB, "status": word}})
    status = ONEMIN.polled(reply, TestConformance().job(ONEMIN, JOB))
    assert (status.state, status.ended) == (None, True)


def test_a_reply_about_another_record_is_not_believed() -> None:
    reply = Reply(200, {"aiRecord": {"uuid": "another", "status": "SUCCESS", "temporaryUrl": LINK}})
    with pytest.raises(UnexpectedReplyError, match="another record"):
        ONEMIN.polled(reply, TestConformance().job(ONEMIN, JOB))


@pytest.mark.parametrize("status", [408, 409, 425, 499, 502, 504, 520, 524])
@pytest.mark.parametrize("text", ["", "<html><body>nginx</body></html>", "error"])
def test_what_a_gateway_says_after_the_service_took_a_submit_is_no_refusal(status: int, text: str) -> None:
    assert ONEMIN.explain(Reply(status, None, text)).charged is None


def test_a_file_that_is_too_large_is_said_to_be() -> None:
    file = MediaFile("ab" * 32, "png", "image/png", b"png" * 2**20)
    exchange = ONEMIN.upload(file)
    next(exchange)
    with pytest.raises(RejectedError, match=r"too large \(3\.0 MB"):
        exchange.send(Reply(413, None, "<html>Request Entity Too Large</html>"))
