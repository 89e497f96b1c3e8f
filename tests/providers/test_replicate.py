"""Replicate's wire format: what is sent for which values, and what each answer means."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from wire_samples import replies, sample

from vidnb import catalog
from vidnb.catalog import Model, prices
from vidnb.errors import (
    AuthError,
    CreditError,
    ProviderError,
    RateLimitError,
    RejectedError,
    UnavailableError,
    UnexpectedReplyError,
)
from vidnb.params import validate
from vidnb.providers import Provider
from vidnb.providers.conformance import Conversations, ProviderConformance, Replies, drive
from vidnb.providers.replicate import Replicate
from vidnb.records import Callback, Cost, Job, MediaFile, RemoteMedia, Reply, State, Status

JOB = "gm3qorzdhgbfurvjtvhg6dckhu"
LINK = "https://replicate.delivery/xezq/0kqJ3fPz/output.mp4"
FILE = "https://api.replicate.com/v1/files/MTQzODcyMDct"
REPLICATE = Replicate()
SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes....").decode()
NOW = datetime(2026, 11, 29, 10, 1, tzinfo=UTC)

ERRORS: dict[str, type[ProviderError]] = {
    "replicate-error-401": AuthError,
    "replicate-error-402": CreditError,
    "replicate-error-404": RejectedError,
    "replicate-error-422": RejectedError,
    "replicate-error-429": RateLimitError,
    "replicate-error-502-page": UnavailableError,
    "replicate-error-413-page": RejectedError,
}
POLLED = {
    "replicate-get-starting": Status(JOB, State.QUEUED, "starting"),
    "replicate-get-processing": Status(JOB, State.RUNNING, "processing"),
    "replicate-get-processing-progress": Status(JOB, State.RUNNING, "processing", progress=0.34),
    "replicate-get-succeeded": Status(JOB, State.DOWNLOADING, "succeeded", LINK),
    "replicate-get-succeeded-list": Status(JOB, State.DOWNLOADING, "succeeded", LINK),
    "replicate-get-succeeded-object": Status(JOB, State.DOWNLOADING, "succeeded", LINK),
    "replicate-get-succeeded-no-output": Status(
        JOB, None, "succeeded without link", error="Replicate reported success without a link to the clip", ended=True
    ),
    "replicate-get-data-removed": Status(
        JOB, State.FAILED, "succeeded, data removed", why="gone",
        error="Replicate made the clip and deleted it since: it keeps results for one hour. Keep a kernel open until a "
        "clip is there, or call vidnb.resume() within the hour",
    ),
    "replicate-get-failed-moderation": Status(
        JOB, State.FAILED, "failed", why="moderation",
        error="Replicate: The input or output was flagged as sensitive. Please try again with different inputs. (E005) "
        "(sjkd8SD2as)",
    ),
    "replicate-get-failed-busy": Status(
        JOB, State.FAILED, "failed", why="passing",
        error="Replicate: (E003) service is unavailable due to high demand",
    ),
    "replicate-get-failed": Status(JOB, State.FAILED, "failed", error="Replicate: CUDA out of memory"),
    "replicate-get-canceled": Status(JOB, State.CANCELLED, "canceled"),
    "replicate-get-aborted": Status(JOB, State.CANCELLED, "aborted", cost=Cost(0.0, "USD")),
}  # fmt: skip
CANCELLED = {
    "replicate-cancel-running": Status(JOB, State.RUNNING, "processing"),
    "replicate-cancel-done": Status(JOB, State.CANCELLED, "canceled"),
    "replicate-cancel-too-late": Status(JOB, State.DOWNLOADING, "succeeded", LINK),
}


def model(name: str) -> Model:
    return catalog.find(f"replicate/{name}")


class TestConformance(ProviderConformance):
    remote_id = JOB

    @pytest.fixture
    def provider(self) -> Provider:
        return Replicate()

    def submit_replies(self) -> Replies:
        return [
            (sample("replicate-create").reply, Status(JOB, State.QUEUED, "starting")),
            (Reply(201, {"status": "starting"}), UnexpectedReplyError),
            *((sample(name).reply, error) for name, error in ERRORS.items()),
        ]

    def poll_replies(self) -> Replies:
        return [(sample(name).reply, status) for name, status in POLLED.items()]

    def cancel_replies(self) -> Conversations:
        return [([sample(name).reply], status) for name, status in CANCELLED.items()]

    def error_replies(self) -> Iterable[tuple[Reply, type[ProviderError]]]:
        return [(sample(name).reply, error) for name, error in ERRORS.items()]

    def reply_with_word(self, word: str) -> Reply:
        found = sample("replicate-get-processing").reply
        return Reply(200, {**found.json, "id": None, "status": word})

    def check_reply(self) -> Reply:
        return sample("replicate-account").reply

    def upload_replies(self) -> Iterable[Reply]:
        return replies("replicate-files")

    def recent_replies(self) -> Iterable[Reply]:
        return replies("replicate-list", "replicate-list-end")


@pytest.fixture
def job() -> Job:
    return TestConformance().job(REPLICATE, JOB)


def body(name: str, media: dict[str, list[RemoteMedia]] | None = None, **values: Any) -> Any:
    request = validate(model(name), {**values, **(media or {})})
    return REPLICATE.submit(model(name), request.params, media or {}).json["input"]


def uploaded(name: str = "a") -> RemoteMedia:
    return RemoteMedia("replicate", f"{FILE}{name}")


def test_the_input_has_the_models_own_spelling() -> None:
    sent = body("kwaivgi/kling-o1", prompt="a koala", quality="standard", duration_s=5)
    assert sent == {"prompt": "a koala", "mode": "std", "duration": 5}
    assert body("kwaivgi/kling-v3-video", prompt="a koala", quality="standard")["mode"] == "standard"
    assert body("luma/ray-3.2", prompt="a koala", duration_s=10)["duration"] == "10s"


def test_prompts_go_as_written_and_sound_is_said_where_it_costs_more() -> None:
    assert body("minimax/hailuo-2.3", prompt="a koala")["prompt_optimizer"] is False
    assert body("google/veo-3.1", prompt="a koala", audio=False)["generate_audio"] is False


def test_one_picture_goes_as_an_address_and_several_as_a_list() -> None:
    sent = body(
        "bytedance/seedance-2.0", {"start_image": [uploaded()], "reference_images": [uploaded("b")]}, prompt="a koala"
    )
    assert (sent["image"], sent["reference_images"]) == (f"{FILE}a", [f"{FILE}b"])


def test_rules_of_the_vendors_pages_are_checked_before_anything_is_sent() -> None:
    for name, values in {
        "minimax/hailuo-02": {"resolution": "1080p", "duration_s": 10},
        "google/veo-3.1": {"reference_images": [uploaded()], "aspect_ratio": "9:16"},
        "luma/ray-3.2": {"start_image": uploaded(), "duration_s": 10},
        "kwaivgi/kling-v3-video": {"end_image": uploaded()},
    }.items():
        with pytest.raises(ValueError, match="1 problem"):
            validate(model(name), {"prompt": "a koala", **values})


def test_an_address_to_call_back_goes_along_with_the_end_only() -> None:
    call = REPLICATE.submit(model("google/veo-3.1"), {"prompt": "a koala"}, {})
    called = REPLICATE.called_back(call, "https://me.example/hook")
    assert called.json == {
        "input": {"prompt": "a koala"}, "webhook": "https://me.example/hook", "webhook_events_filter": ["completed"],
    }  # fmt: skip
    assert "webhook" not in call.json


def test_a_file_that_is_too_large_is_refused_in_words() -> None:
    file = MediaFile("ab" * 32, "png", "image/png", b"x" * 2**20)
    with pytest.raises(RejectedError, match=r"the file is too large \(1\.0 MB"):
        drive(REPLICATE.upload(file), replies("replicate-error-413-page"))


def test_a_small_account_is_told_how_long_to_wait() -> None:
    error = REPLICATE.explain(sample("replicate-error-429").reply)
    assert isinstance(error, RateLimitError)
    assert error.retry_after_s == 5
    quiet = REPLICATE.explain(Reply(429, sample("replicate-error-429").reply.json))
    assert isinstance(quiet, RateLimitError)
    assert quiet.retry_after_s == 5


def test_the_list_is_asked_for_the_time_of_the_jobs_and_read_page_by_page(job: Job) -> None:
    calls, found = drive(REPLICATE.recent(50, [job]), replies("replicate-list", "replicate-list-end"))
    assert [call.url for call in calls] == [
        "/v1/predictions?created_after=2025-12-31T23%3A57%3A00Z",
        "/v1/predictions?created_after=2025-12-31T23%3A57%3A00Z&cursor=cD0yMDI2LTExLTI5",
    ]
    video, picture = found
    assert (video.remote_id, video.prompt, video.models) == (JOB, "a koala", {"replicate/kwaivgi/kling-v3-video"})
    assert video.params == {"duration_s": 5, "audio": False, "quality": "pro"}
    assert video.from_image is False
    assert picture.models == frozenset()


def test_a_lost_submit_is_looked_for_in_its_own_minutes(job: Job) -> None:
    lost = replace(job, state=State.AMBIGUOUS, remote_id=None)
    calls, _ = drive(REPLICATE.recent(50, [lost]), replies("replicate-list-end"))
    assert "created_before=2026-01-01T00%3A11%3A00Z" in calls[0].url


def test_the_next_page_cannot_lead_elsewhere(job: Job) -> None:
    evil = Reply(200, {"results": [], "next": "https://evil.example/steal?cursor=x%26y%3D1"})
    calls, _ = drive(REPLICATE.recent(50, [job]), [evil, *replies("replicate-list-end")])
    assert calls[1].url.startswith("/v1/predictions?")
    assert calls[1].url.endswith("cursor=x%26y%3D1")


# Webhooks


def signed(content: bytes, secret: str = SECRET, at: datetime = NOW, message: str = "msg_1") -> Callback:
    moment = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = base64.b64encode(hmac.new(key, f"{message}.{moment}.".encode() + content, hashlib.sha256).digest()).decode()
    headers = {"webhook-id": message, "webhook-timestamp": moment, "webhook-signature": f"v1,b2xk v1,{mac}"}
    return Callback(headers, content, sample("replicate-webhook").reply.json, received_at=NOW)


def test_a_signed_callback_names_its_prediction() -> None:
    callback = signed(b'{"id": "x"}')
    assert REPLICATE.is_genuine(callback, SECRET)
    assert REPLICATE.webhook_id(callback) == JOB


@pytest.mark.parametrize(
    "forged",
    [
        replace(signed(b"{}"), body=b"{} "),
        signed(b"{}", secret="whsec_" + base64.b64encode(b"another").decode()),
        signed(b"{}", at=datetime(2026, 11, 29, 9, 55, tzinfo=UTC)),
        signed(b"{}", at=datetime(2026, 11, 29, 10, 7, tzinfo=UTC)),
        replace(signed(b"{}"), headers={**signed(b"{}").headers, "webhook-id": "msg_2"}),
        replace(signed(b"{}"), headers={**signed(b"{}").headers, "webhook-signature": "v1,"}),
        replace(signed(b"{}"), headers={**signed(b"{}").headers, "webhook-signature": "v1a,ünï"}),
        replace(signed(b"{}"), received_at=None),
        replace(signed(b"{}"), headers={}),
    ],
)
def test_a_forged_or_stale_callback_is_refused(forged: Callback) -> None:
    assert not REPLICATE.is_genuine(forged, SECRET)


def test_a_secret_that_is_none_proves_nothing() -> None:
    for secret in ("whsec_", "", "not base64 !"):
        assert not REPLICATE.is_genuine(signed(b"{}"), secret)


# Prices


def test_prices_are_by_the_second_and_by_sound() -> None:
    kling = model("kwaivgi/kling-v3-video")
    silent, loud = (prices.price(kling, {"duration_s": 10, "audio": audio}) for audio in (False, True))
    assert silent is not None
    assert loud is not None
    assert (round(silent.amount, 4), round(loud.amount, 4), loud.unit) == (1.68, 2.52, "USD")
    usual = prices.price(kling, {})
    assert usual is not None
    assert round(usual.amount, 4) == 0.84
    assert prices.price(model("google/veo-3.1"), {"duration_s": 8}) is None
