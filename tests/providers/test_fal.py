"""fal's wire format: what is sent for which values and where, and what each answer means."""

from __future__ import annotations

import base64
import hashlib
import json
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
from vidnb.providers.fal import Fal
from vidnb.records import Callback, Job, MediaFile, RemoteMedia, Reply, State, Status

JOB = "764cabcf-b745-4b3e-ae38-1200304cf45b"
LINK = "https://v3.fal.media/files/b/zebra/output.mp4"
FAL = Fal()
NOW = datetime(2026, 11, 29, 10, 1, tzinfo=UTC)
FLAGGED = "fal: prompt: The content could not be processed because it contained material flagged by a content checker."

ERRORS: dict[str, type[ProviderError]] = {
    "fal-error-401": AuthError,
    "fal-error-403-locked": CreditError,
    "fal-error-403-scope": AuthError,
    "fal-error-404": RejectedError,
    "fal-error-422": RejectedError,
    "fal-error-429": RateLimitError,
    "fal-error-502-page": UnavailableError,
}
POLLED: dict[str, Status] = {
    "fal-status-queued": Status(JOB, State.QUEUED, "IN_QUEUE", ahead=1),
    "fal-status-running": Status(JOB, State.RUNNING, "IN_PROGRESS"),
    "fal-status-completed": Status(JOB, State.DOWNLOADING, "COMPLETED"),
    "fal-status-completed-error": Status(
        JOB, State.FAILED, "COMPLETED with an error", error="fal: Runner disconnected", why="passing", charged=False
    ),
    "fal-status-completed-cancelled": Status(JOB, State.CANCELLED, "COMPLETED with an error"),
}
RESULTS: dict[str, Status] = {
    "fal-result": Status(JOB, State.DOWNLOADING, "COMPLETED", LINK),
    "fal-result-seed": Status(
        JOB, State.DOWNLOADING, "COMPLETED", LINK, used_seed=424242, used_prompt="a koala, in detail"
    ),
    "fal-result-no-video": Status(
        JOB, None, "COMPLETED without link", error="fal reported the end of the job without a link to the clip",
        ended=True,
    ),
    "fal-result-moderated": Status(JOB, State.FAILED, "COMPLETED with an error", error=FLAGGED, why="moderation"),
    "fal-result-invalid": Status(
        JOB, State.FAILED, "COMPLETED with an error",
        error="fal: image_url: Failed to load the image. Please ensure the image file is not corrupted and is in a "
        "supported format.",
    ),
    "fal-result-downstream": Status(
        JOB, State.FAILED, "COMPLETED with an error", error="fal: Downstream service unavailable", why="passing",
        charged=False,
    ),
    "fal-result-startup-timeout": Status(
        JOB, State.FAILED, "COMPLETED with an error", error="fal: Request timed out", why="passing", charged=False
    ),
    "fal-result-early": Status(JOB, State.RUNNING, "COMPLETED, result to come"),
}  # fmt: skip


def model(name: str) -> Model:
    return catalog.find(f"fal/{name}")


class TestConformance(ProviderConformance):
    remote_id = JOB

    @pytest.fixture
    def provider(self) -> Provider:
        return Fal()

    def models(self, provider: Provider) -> list[Model]:
        found = super().models(provider)
        return [model("fal-ai/veo3.1"), *(one for one in found if one.name != "fal-ai/veo3.1")]

    def submit_replies(self) -> Replies:
        return [
            (sample("fal-submit").reply, Status(JOB, State.QUEUED, "IN_QUEUE", ahead=3)),
            (Reply(200, {"status": "IN_QUEUE"}), UnexpectedReplyError),
            *((sample(name).reply, error) for name, error in ERRORS.items()),
        ]

    def poll_replies(self) -> Replies:
        return [(sample(name).reply, status) for name, status in POLLED.items()]

    def result_replies(self) -> Replies:
        refused = [(sample(name).reply, ERRORS[name]) for name in ("fal-error-401", "fal-error-502-page")]
        return [*((sample(name).reply, status) for name, status in RESULTS.items()), *refused]

    def cancel_replies(self) -> Conversations:
        return [
            ([sample("fal-cancel-asked").reply], Status(JOB, None, "CANCELLATION_REQUESTED")),
            ([sample("fal-cancel-late").reply], Status(JOB, State.RUNNING, "ALREADY_COMPLETED")),
            ([sample("fal-cancel-unknown").reply], RejectedError),
        ]

    def error_replies(self) -> Iterable[tuple[Reply, type[ProviderError]]]:
        return [(sample(name).reply, error) for name, error in ERRORS.items()]

    def reply_with_word(self, word: str) -> Reply:
        return Reply(202, {"status": word})

    def check_reply(self) -> Reply:
        return sample("fal-prices").reply

    def upload_replies(self) -> Iterable[Reply]:
        return replies("fal-upload", "fal-upload-put")

    def recent_replies(self) -> Iterable[Reply]:
        return replies("fal-list")


@pytest.fixture
def job() -> Job:
    return TestConformance().job(FAL, JOB)


def body(name: str, media: dict[str, list[RemoteMedia]] | None = None, **values: Any) -> Any:
    request = validate(model(name), {**values, **(media or {})})
    return FAL.submit(model(name), request.params, media or {}).json


def test_fields_lie_flat_in_the_endpoints_own_spelling() -> None:
    sent = body("fal-ai/veo3.1", prompt="a koala", duration_s=6, audio=False)
    assert sent == {
        "prompt": "a koala", "duration": "6s", "generate_audio": False, "resolution": "720p", "auto_fix": False,
    }  # fmt: skip
    assert body("fal-ai/kling-video/v3/pro/text-to-video", prompt="x", duration_s=7)["duration"] == "7"
    assert body("fal-ai/ltx-2.3/text-to-video/fast", prompt="x", duration_s=8)["duration"] == 8


def test_a_picture_goes_where_the_endpoint_wants_it() -> None:
    picture = [RemoteMedia("fal", LINK)]
    for name, field in {
        "fal-ai/kling-video/v3/pro/image-to-video": "start_image_url",
        "fal-ai/veo3.1/image-to-video": "image_url",
        "fal-ai/veo3.1/first-last-frame-to-video": "first_frame_url",
    }.items():
        media = {"start_image": picture} | ({"end_image": picture} if "first-last" in name else {})
        assert body(name, media, prompt="x")[field] == LINK
    sent = body("fal-ai/veo3.1/reference-to-video", {"reference_images": picture}, prompt="x")
    assert sent["image_urls"] == [LINK]


def test_prompts_go_as_written_and_a_length_is_always_said() -> None:
    for one in catalog.load().values():
        if one.provider == "fal" and not one.is_retired:
            assert "prompt_enhance" not in one.params or one.params["prompt_enhance"].default == "off", one.id
            duration = one.params.get("duration_s")
            assert duration is None or duration.default is not None, f"{one.id}: its price would be open"


def test_a_job_is_asked_about_under_owner_and_app(job: Job) -> None:
    kling = replace(job, model="fal/fal-ai/kling-video/v3/pro/text-to-video")
    assert FAL.poll(kling).url == f"/fal-ai/kling-video/requests/{JOB}/status?logs=1"
    result = FAL.result(kling)
    assert result is not None
    assert result.url == f"/fal-ai/kling-video/requests/{JOB}"
    flow = replace(job, model="fal/workflows/me/flow/v2")
    assert FAL.poll(flow).url.startswith(f"/workflows/me/flow/requests/{JOB}")


def test_the_files_bytes_go_up_without_the_key() -> None:
    file = MediaFile("ab" * 32, "png", "image/png", b"x" * 10)
    [start, put], handle = drive(FAL.upload(file), replies("fal-upload", "fal-upload-put"))
    assert (start.host, start.authorized) == ("rest", True)
    assert (put.method, put.authorized, put.content, put.headers) == (
        "PUT", False, file.content, {"Content-Type": "image/png"}
    )  # fmt: skip
    assert handle.id == "https://v3.fal.media/files/b/lion/abc.png"
    with pytest.raises(UnavailableError, match="ExpiredToken"):
        drive(FAL.upload(file), replies("fal-upload", "fal-upload-put-late"))


def test_the_list_is_asked_for_the_jobs_endpoints_and_from_their_time_on(job: Job) -> None:
    [call], [found, other] = drive(FAL.recent(500, [job]), replies("fal-list"))
    assert call.host == "api"
    assert "endpoint_id=fal-ai%2Fveo3.1&start=2025-12-31T23%3A57%3A00Z" in call.url
    assert "limit=100" in call.url
    assert (found.prompt, found.seed, found.models) == ("a koala", 7, {"fal/fal-ai/veo3.1"})
    assert found.status == Status(JOB, State.DOWNLOADING, "COMPLETED", LINK)
    assert (other.models, other.status) == (frozenset(), None)


def test_an_address_to_call_back_is_in_the_query() -> None:
    call = FAL.submit(model("fal-ai/veo3.1"), {"prompt": "x"}, {})
    assert FAL.called_back(call, "https://me.example/hook?a=b&c").url == (
        "/fal-ai/veo3.1?fal_webhook=https%3A%2F%2Fme.example%2Fhook%3Fa%3Db%26c"
    )


# Webhooks


def signed(content: bytes, at: datetime = NOW) -> tuple[Callback, str]:
    """A callback as fal signs it, and the key document that proves it."""
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    key = ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    told = [JOB, "user-1", str(int(at.timestamp()))]
    mac = key.sign("\n".join([*told, hashlib.sha256(content).hexdigest()]).encode()).hex()
    names = ("request-id", "user-id", "timestamp", "signature")
    headers = {f"x-fal-webhook-{name}": value for name, value in zip(names, [*told, mac], strict=True)}
    public = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).decode().rstrip("=")
    jwks = json.dumps({"keys": [{"kty": "OKP", "x": "AAAA"}, {"kty": "OKP", "x": public}]})
    return Callback(headers, content, sample("fal-webhook").reply.json, received_at=NOW), jwks


def test_a_signed_callback_names_its_job() -> None:
    callback, jwks = signed(b'{"request_id": "x"}')
    assert FAL.is_genuine(callback, jwks)
    assert FAL.webhook_id(callback) == JOB


def test_a_forged_or_stale_callback_is_refused() -> None:
    callback, jwks = signed(b"{}")
    late, _ = signed(b"{}", datetime(2026, 11, 29, 9, 50, tzinfo=UTC))
    headers = dict(callback.headers)
    forged = [
        replace(callback, body=b"{} "),
        late,
        replace(callback, headers=headers | {"x-fal-webhook-request-id": "another"}),
        replace(callback, headers=headers | {"x-fal-webhook-user-id": "another"}),
        replace(callback, headers=headers | {"x-fal-webhook-signature": "00" * 64}),
        replace(callback, headers=headers | {"x-fal-webhook-signature": "no hex"}),
        replace(callback, headers={}),
        replace(callback, received_at=None),
    ]
    assert not [one for one in forged if FAL.is_genuine(one, jwks)]
    for secret in ("", "{}", "no json", '{"keys": [{"x": "AAAA"}]}'):
        assert not FAL.is_genuine(callback, secret)


# Prices, by the sheet of 2026-11-29


@pytest.mark.parametrize(
    ("name", "values", "usd"),
    [
        ("fal-ai/kling-video/v3/pro/image-to-video", {"duration_s": 5, "audio": True}, 0.84),
        ("fal-ai/kling-video/v3/pro/image-to-video", {"duration_s": 5, "audio": False}, 0.56),
        ("fal-ai/veo3.1", {"duration_s": 8, "audio": True, "resolution": "1080p"}, 3.2),
        ("fal-ai/veo3.1/first-last-frame-to-video", {"duration_s": 4, "audio": False, "resolution": "4k"}, 1.6),
        ("fal-ai/wan/v2.7/image-to-video", {"duration_s": 10, "resolution": "720p"}, 1.0),
        ("fal-ai/wan/v2.2-a14b/image-to-video/turbo", {"resolution": "580p"}, 0.075),
        ("luma/agent/ray/v3.2/image-to-video", {"resolution": "720p", "duration_s": 10}, 2.0),
        ("fal-ai/minimax/hailuo-2.3-fast/standard/image-to-video", {"duration_s": 10}, 0.32),
        # 1280 x 720 x 5 x 24 / 1024 tokens at 0.014 a thousand: the page says about 0.3034 a second
        (
            "bytedance/seedance-2.0/text-to-video",
            {"duration_s": 5, "resolution": "720p", "aspect_ratio": "16:9"},
            1.512,
        ),
        ("fal-ai/vidu/q3/text-to-video", {"duration_s": 5}, None),
        ("bytedance/seedance-2.0/text-to-video", {"aspect_ratio": "auto"}, None),
    ],
)
def test_what_a_clip_costs(name: str, values: dict[str, Any], usd: float | None) -> None:
    found = prices.price(model(name), values)
    assert (None if found is None else round(found.amount, 4)) == usd
