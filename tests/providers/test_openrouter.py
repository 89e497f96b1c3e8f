"""OpenRouter's wire format: what is sent for which values, and what each answer means."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from wire_samples import sample

from vidnb import catalog
from vidnb.catalog import Model, prices
from vidnb.errors import (
    AuthError,
    CreditError,
    ParamsError,
    ProviderError,
    RateLimitError,
    RejectedError,
    UnavailableError,
    UnexpectedReplyError,
)
from vidnb.params import validate
from vidnb.providers import Provider
from vidnb.providers.conformance import ProviderConformance, Replies, drive
from vidnb.providers.openrouter import OpenRouter
from vidnb.records import Callback, Cost, MediaFile, RemoteMedia, Reply, State, Status

JOB = "gen-vid-1764410400-aB3dE5fG7hJ9kL1mN3pQ"
CONTENT = f"/v1/videos/{JOB}/content?index=0"
OPENROUTER = OpenRouter()
SECRET = "the workspace's secret"
NOW = datetime(2026, 11, 29, 10, 1, tzinfo=UTC)

ERRORS: dict[str, type[ProviderError]] = {
    "openrouter-error-400": RejectedError,
    "openrouter-error-401": AuthError,
    "openrouter-error-402": CreditError,
    "openrouter-error-403-flagged": RejectedError,
    "openrouter-error-403-guardrail": RejectedError,
    "openrouter-error-404": RejectedError,
    "openrouter-error-413": RejectedError,
    "openrouter-error-429": RateLimitError,
    "openrouter-error-499": UnavailableError,
    "openrouter-error-502": UnavailableError,
    "openrouter-error-524-page": UnavailableError,
}
QUARTER = Cost(0.24, "USD")
POLLED = {
    "openrouter-get-pending": Status(JOB, State.QUEUED, "pending"),
    "openrouter-get-in-progress": Status(JOB, State.RUNNING, "in_progress"),
    "openrouter-get-completed": Status(JOB, State.DOWNLOADING, "completed", CONTENT, cost=QUARTER),
    "openrouter-get-completed-copy": Status(
        JOB, State.DOWNLOADING, "completed", "https://storage.openrouter.example/v.mp4?sig=abc", cost=QUARTER,
        link_ends_at=datetime(2025, 11, 30, 10, tzinfo=UTC),
    ),
    "openrouter-get-completed-elsewhere": Status(JOB, State.DOWNLOADING, "completed", CONTENT),
    "openrouter-get-completed-no-output": Status(
        JOB, None, "completed without link", error="OpenRouter reported the end of the job without a link to the clip",
        ended=True, cost=QUARTER,
    ),
    "openrouter-get-failed": Status(
        JOB, State.FAILED, "failed", error="OpenRouter: The provider refused the prompt."
    ),
    "openrouter-get-failed-object": Status(
        JOB, State.FAILED, "failed", error="OpenRouter: Upstream error", cost=Cost(0, "USD"), charged=False
    ),
    "openrouter-get-expired": Status(
        JOB, State.FAILED, "expired", error="OpenRouter says 'expired' of the job and gives no reason"
    ),
    "openrouter-get-cancelled": Status(JOB, State.CANCELLED, "cancelled"),
}  # fmt: skip


def model(name: str) -> Model:
    return catalog.find(f"openrouter/{name}")


class TestConformance(ProviderConformance):
    remote_id = JOB

    @pytest.fixture
    def provider(self) -> Provider:
        return OpenRouter()

    def submit_replies(self) -> Replies:
        return [
            (sample("openrouter-create").reply, Status(JOB, State.QUEUED, "pending")),
            (Reply(202, {"status": "pending"}), UnexpectedReplyError),
            *((sample(name).reply, error) for name, error in ERRORS.items()),
        ]

    def poll_replies(self) -> Replies:
        return [(sample(name).reply, status) for name, status in POLLED.items()]

    def error_replies(self) -> Iterable[tuple[Reply, type[ProviderError]]]:
        return [(sample(name).reply, error) for name, error in ERRORS.items()]

    def reply_with_word(self, word: str) -> Reply:
        return Reply(200, {**sample("openrouter-get-pending").reply.json, "id": None, "status": word})

    def check_reply(self) -> Reply:
        return sample("openrouter-key").reply

    def upload_replies(self) -> Iterable[Reply]:
        return []


def sent(name: str, media: dict[str, list[RemoteMedia]] | None = None, **values: Any) -> dict[str, Any]:
    """The body for these values."""
    request = validate(model(name), {**values, **(media or {})})
    call = OPENROUTER.submit(model(name), request.params, media or {})
    assert (call.method, call.url) == ("POST", "/v1/videos")
    return dict(call.json)


def inline(name: str) -> RemoteMedia:
    return RemoteMedia("openrouter", f"data:image/png;base64,{name}", "INLINE")


def test_one_body_serves_all_models_and_sound_is_always_said() -> None:
    assert sent("google/veo-3.1-lite", prompt="a koala", seed=7) == {
        "model": "google/veo-3.1-lite", "prompt": "a koala", "duration": 8, "resolution": "720p",
        "generate_audio": False, "seed": 7,
    }  # fmt: skip
    assert sent("google/veo-3.1-lite", prompt="x", audio=True)["generate_audio"] is True
    assert "generate_audio" not in sent("alibaba/happyhorse-1.1", prompt="x")


def test_large_sizes_have_a_capital_k_on_the_wire() -> None:
    assert sent("google/veo-3.1", prompt="x", resolution="2160p")["resolution"] == "4K"
    assert sent("minimax/hailuo-3", prompt="x")["resolution"] == "2K"


def test_pictures_go_within_the_body_and_say_which_frame_they_are() -> None:
    body = sent("google/veo-3.1", {"start_image": [inline("AAAA")], "end_image": [inline("BBBB")]}, prompt="x")
    assert body["frame_images"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}, "frame_type": "first_frame"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,BBBB"}, "frame_type": "last_frame"},
    ]
    calls, made = drive(OPENROUTER.upload(MediaFile("ab" * 32, "png", "image/png", b"picture")), [])
    assert calls == []
    assert made == RemoteMedia("openrouter", "data:image/png;base64,cGljdHVyZQ==", "INLINE")


def test_what_is_passed_through_lies_under_the_makers_name() -> None:
    body = sent("google/veo-3.1", prompt="x", negative_prompt="rain")
    assert body["provider"] == {"options": {"google-vertex": {"parameters": {"negativePrompt": "rain"}}}}
    body = sent("alibaba/wan-2.7", prompt="x")
    assert body["provider"] == {"options": {"alibaba": {"parameters": {"prompt_extend": False}}}}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("google/veo-3.1", {"prompt": "x", "duration_s": 5}),
        ("google/veo-3.1", {"prompt": "x", "end_image": inline("AAAA")}),
        ("runway/gen-4.5", {"prompt": "x", "end_image": inline("AAAA")}),
        ("x-ai/grok-imagine-video", {"prompt": "x", "resolution": "1080p"}),
    ],
)
def test_rules_of_the_models_are_checked_before_anything_is_sent(name: str, values: dict[str, Any]) -> None:
    with pytest.raises(ParamsError):
        validate(model(name), values)


def test_a_flagged_input_says_why_and_a_guardrail_is_none() -> None:
    flagged, guarded = (
        OPENROUTER.explain(sample(f"openrouter-error-403-{name}").reply) for name in ("flagged", "guardrail")
    )
    assert (flagged.why, "violence" in str(flagged)) == ("moderation", True)
    assert guarded.why == ""
    assert "smaller pictures" in str(OPENROUTER.explain(sample("openrouter-error-413").reply))


def test_what_the_key_has_used_is_told() -> None:
    told = OPENROUTER.checked(sample("openrouter-key").reply)
    assert told == "the key is good; $12.50 used with it, $7.50 left of its own limit"


def test_an_address_to_call_back_goes_along() -> None:
    call = OPENROUTER.submit(model("google/veo-3.1"), {"prompt": "a koala"}, {})
    assert OPENROUTER.called_back(call, "https://me.example/hook").json["callback_url"] == "https://me.example/hook"
    assert "callback_url" not in call.json


# Webhooks


def signed(content: bytes, secret: str = SECRET, at: datetime = NOW, dot: str = ",") -> Callback:
    moment = str(int(at.timestamp()))
    mac = hmac.new(secret.encode(), f"{moment}{dot}".encode() + content, hashlib.sha256).hexdigest()
    headers = {"x-openrouter-signature": f"t={moment},v1={mac}"}
    return Callback(headers, content, sample("openrouter-webhook").reply.json, received_at=NOW)


def test_a_signed_callback_names_its_job() -> None:
    callback = signed(b'{"id": "x"}')
    assert OPENROUTER.is_genuine(callback, SECRET)
    assert OPENROUTER.webhook_id(callback) == JOB


@pytest.mark.parametrize(
    "forged",
    [
        replace(signed(b"{}"), body=b"{} "),
        signed(b"{}", secret="another"),
        signed(b"{}", dot="."),
        signed(b"{}", at=datetime(2026, 11, 29, 9, 55, tzinfo=UTC)),
        signed(b"{}", at=datetime(2026, 11, 29, 10, 7, tzinfo=UTC)),
        replace(signed(b"{}"), headers={"x-openrouter-signature": "t=1,v1="}),
        replace(signed(b"{}"), headers={"x-openrouter-signature": "v1=ünï"}),
        replace(signed(b"{}"), headers={}),
        replace(signed(b"{}"), received_at=None),
    ],
)
def test_a_forged_or_stale_callback_is_refused(forged: Callback) -> None:
    assert not OPENROUTER.is_genuine(forged, SECRET)
    assert not OPENROUTER.is_genuine(forged, "")


# Prices


@pytest.mark.parametrize(
    ("name", "values", "dollars"),
    [
        ("google/veo-3.1-fast", {"duration_s": 8, "resolution": "720p", "audio": True}, 0.80),
        ("google/veo-3.1-fast", {"duration_s": 8, "resolution": "2160p", "audio": False}, 2.00),
        ("google/veo-3.1-fast", {"duration_s": 8, "resolution": "1080p", "audio": True}, 0.96),
        ("kwaivgi/kling-v3.0-std", {"duration_s": 10, "audio": True}, 1.26),
        ("black-forest-labs/flux-3-video", {"duration_s": 5, "resolution": "1080p"}, 1.45),
        ("alibaba/wan-2.6-image", {"duration_s": 10, "resolution": "1080p"}, 1.50),
        ("bytedance/seedance-2.0", {"duration_s": 5, "resolution": "720p", "aspect_ratio": "16:9"}, 0.756),
    ],
)
def test_prices_are_those_of_the_captured_list(name: str, values: dict[str, Any], dollars: float) -> None:
    found = prices.price(model(name), values)
    assert found is not None
    assert (round(found.amount, 4), found.unit) == (dollars, "USD")
