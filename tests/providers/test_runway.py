"""Runway's wire format: what is sent for which values, and what each answer means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from wire_samples import replies, sample

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
from vidnb.providers.conformance import Conversations, ProviderConformance, Replies, drive
from vidnb.providers.runway import Runway
from vidnb.records import Cost, Job, MediaFile, RemoteMedia, Reply, State, Status

JOB = "3f0c5f0e-5d2b-4a53-9c39-8c1f5d0b7f11"
LINK = "https://dnznrvs05pmza.cloudfront.net/7d2f8a31.mp4?_jwt=abc"
RUNWAY = Runway()
SIXTY, NOTHING = Cost(60, "CREDITS"), Cost(0, "CREDITS")

ERRORS: dict[str, type[ProviderError]] = {
    "runway-error-400": RejectedError,
    "runway-error-400-credits": CreditError,
    "runway-error-401": AuthError,
    "runway-error-404": RejectedError,
    "runway-error-429": RateLimitError,
    "runway-error-502-page": UnavailableError,
}
POLLED = {
    "runway-get-pending": Status(JOB, State.QUEUED, "PENDING"),
    "runway-get-throttled": Status(JOB, State.QUEUED, "THROTTLED"),
    "runway-get-running": Status(JOB, State.RUNNING, "RUNNING", progress=0.4),
    "runway-get-succeeded": Status(JOB, State.DOWNLOADING, "SUCCEEDED", LINK, cost=SIXTY),
    "runway-get-succeeded-cheaper": Status(JOB, State.DOWNLOADING, "SUCCEEDED", LINK, cost=Cost(48, "CREDITS")),
    "runway-get-succeeded-no-output": Status(
        JOB, None, "SUCCEEDED without link", error="Runway reported success without a link to the clip", ended=True,
        cost=SIXTY,
    ),
    "runway-get-failed-moderation": Status(
        JOB, State.FAILED, "FAILED", error="Runway: Content moderation (SAFETY.INPUT.TEXT)", why="moderation",
        cost=NOTHING, charged=False,
    ),
    "runway-get-failed-moderation-charged": Status(
        JOB, State.FAILED, "FAILED", error="Runway: Content moderation (SAFETY.OUTPUT.VIDEO)", why="moderation",
        cost=SIXTY, charged=True,
    ),
    "runway-get-failed-internal": Status(
        JOB, State.FAILED, "FAILED", error="Runway: An unexpected error occurred. (INTERNAL.BAD_OUTPUT.CODE01)",
        why="passing", cost=NOTHING, charged=False,
    ),
    "runway-get-failed-asset": Status(
        JOB, State.FAILED, "FAILED", error="Runway: The image could not be read. (ASSET.INVALID)", cost=NOTHING,
        charged=False,
    ),
    "runway-get-failed-plain": Status(
        JOB, State.FAILED, "FAILED", error="Runway: Something went wrong.", cost=NOTHING, charged=False
    ),
    "runway-get-cancelled": Status(JOB, State.CANCELLED, "CANCELLED", cost=SIXTY),
    "runway-get-cancelled-free": Status(JOB, State.CANCELLED, "CANCELLED", cost=NOTHING),
}  # fmt: skip


def model(name: str) -> Model:
    return catalog.find(f"runway/{name}")


class TestConformance(ProviderConformance):
    remote_id = JOB

    @pytest.fixture
    def provider(self) -> Provider:
        return Runway()

    def submit_replies(self) -> Replies:
        return [
            (sample("runway-create").reply, Status(JOB, State.QUEUED, "PENDING", estimate=SIXTY)),
            (Reply(200, {"estimatedCost": {"credits": 60}}), UnexpectedReplyError),
            *((sample(name).reply, error) for name, error in ERRORS.items()),
        ]

    def poll_replies(self) -> Replies:
        return [(sample(name).reply, status) for name, status in POLLED.items()]

    def cancel_replies(self) -> Conversations:
        gone = Status(JOB, State.CANCELLED, "CANCELLED")
        return [
            (replies("runway-get-running", "runway-delete", "runway-error-404"), gone),
            (replies("runway-get-pending", "runway-error-404", "runway-error-404"), gone),
            (replies("runway-get-running", "runway-delete", "runway-get-cancelled"), POLLED["runway-get-cancelled"]),
            (replies("runway-get-succeeded"), POLLED["runway-get-succeeded"]),
            (replies("runway-get-failed-plain"), POLLED["runway-get-failed-plain"]),
            (replies("runway-get-running", "runway-delete", "runway-get-succeeded"), POLLED["runway-get-succeeded"]),
            (replies("runway-get-pending", "runway-error-401"), AuthError),
            (replies("runway-error-404"), RejectedError),
        ]

    def error_replies(self) -> Iterable[tuple[Reply, type[ProviderError]]]:
        return [(sample(name).reply, error) for name, error in ERRORS.items()]

    def reply_with_word(self, word: str) -> Reply:
        return Reply(200, {**sample("runway-get-running").reply.json, "id": None, "status": word})

    def check_reply(self) -> Reply:
        return sample("runway-organization").reply

    def upload_replies(self) -> Iterable[Reply]:
        return replies("runway-uploads", "runway-uploads-form")


@pytest.fixture
def job() -> Job:
    return TestConformance().job(RUNWAY, JOB)


def sent(name: str, media: dict[str, list[RemoteMedia]] | None = None, **values: Any) -> tuple[str, dict[str, Any]]:
    """The path and the body for these values."""
    request = validate(model(name), {**values, **(media or {})})
    call = RUNWAY.submit(model(name), request.params, media or {})
    return call.url, call.json


def uploaded(name: str) -> RemoteMedia:
    return RemoteMedia("runway", f"runway://{name}")


def test_a_size_is_one_ratio_in_pixels_and_the_endpoint_is_the_modes() -> None:
    assert sent("gen4.5", prompt="a koala", seed=7) == (
        "/v1/text_to_video",
        {"model": "gen4.5", "promptText": "a koala", "ratio": "1280:720", "duration": 5, "seed": 7},
    )
    assert sent("gen4.5", {"start_image": [uploaded("a")]}, prompt="it walks", aspect_ratio="21:9") == (
        "/v1/image_to_video",
        {
            "model": "gen4.5", "promptText": "it walks", "ratio": "1584:672", "duration": 5,
            "promptImage": "runway://a",
        },
    )  # fmt: skip


def test_a_ratio_that_follows_the_picture_has_a_name_at_some_models_and_none_at_others() -> None:
    assert sent("wan3-image", {"start_image": [uploaded("a")]}, prompt="x", resolution="1080p")[1]["ratio"] == (
        "auto_1080p"
    )
    assert sent("wan3", prompt="x", aspect_ratio="auto", resolution="480p")[1]["ratio"] == "auto_480p"
    assert sent("wan3", prompt="x", resolution="480p")[1]["ratio"] == "832:480"
    assert "ratio" not in sent("kling3.0_pro", {"start_image": [uploaded("a")]}, prompt="x", aspect_ratio="auto")[1]
    assert sent("hailuo3", prompt="x", aspect_ratio="21:9")[1]["ratio"] == "21:9"


def test_two_pictures_say_which_is_which_and_references_what_they_are() -> None:
    ends = {"start_image": [uploaded("a")], "end_image": [uploaded("b")]}
    assert sent("veo3.1", ends, prompt="x")[1]["promptImage"] == [
        {"uri": "runway://a", "position": "first"}, {"uri": "runway://b", "position": "last"},
    ]  # fmt: skip
    given = {"reference_images": [uploaded("a"), uploaded("b")], "reference_videos": [uploaded("c")]}
    body = sent("seedance2", given | {"reference_audio": [uploaded("d")]}, prompt="x")[1]
    assert body["references"] == [{"uri": "runway://a"}, {"uri": "runway://b"}]
    assert body["referenceVideos"] == [{"type": "video", "uri": "runway://c"}]
    assert body["referenceAudio"] == [{"type": "audio", "uri": "runway://d"}]


def test_objects_of_the_body_are_filled_by_name() -> None:
    body = sent("kling3.0_pro", prompt="x", shots='[{"prompt": "a", "duration": 3}]', shot_type="customize")[1]
    assert body["providerSettings"] == {"multiPrompt": [{"prompt": "a", "duration": 3}], "shotType": "customize"}
    body = sent("gen4.5", prompt="x", public_figures="low")[1]
    assert body["contentModeration"] == {"publicFigureThreshold": "low"}


def test_sound_is_always_said_and_prompts_go_as_written() -> None:
    assert sent("veo3.1", prompt="x")[1]["audio"] is False
    assert sent("veo3.1", prompt="x", audio=True)[1]["audio"] is True
    assert sent("h3_max", prompt="x")[1]["promptExpansionMode"] == "disabled"
    assert sent("seedance2_5", prompt="x", quality="draft")[1]["draft"] is True


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("gen4.5", {"prompt": "x", "aspect_ratio": "21:9"}),
        ("gen4.5", {"prompt": "x", "duration_s": 11}),
        ("veo3.1", {"prompt": "x", "end_image": uploaded("a")}),
        ("veo3.1", {"duration_s": 4}),
        ("kling3.0_pro", {"prompt": "x", "aspect_ratio": "auto"}),
        ("kling2.5_turbo_pro", {"prompt": "x", "start_image": uploaded("a"), "aspect_ratio": "16:9"}),
        ("hailuo3", {"prompt": "x", "aspect_ratio": "adaptive"}),
        ("grok_imagine_1_5", {"prompt": "x", "reference_images": [uploaded("a")], "resolution": "1080p"}),
    ],
)
def test_rules_of_the_models_are_checked_before_anything_is_sent(name: str, values: dict[str, Any]) -> None:
    with pytest.raises(ParamsError):
        validate(model(name), values)


def test_a_finished_task_is_never_deleted(job: Job) -> None:
    """DELETE of a finished task deletes its clip."""
    for over in ("runway-get-succeeded", "runway-get-failed-plain", "runway-get-succeeded-no-output"):
        exchange = RUNWAY.cancel(job)
        assert [call.method for call in drive(exchange, replies(over))[0]] == ["GET"]


def test_a_word_that_nobody_knows_is_no_reason_to_delete(job: Job) -> None:
    calls, status = drive(RUNWAY.cancel(job), [TestConformance().reply_with_word("MODERATING")])
    assert [call.method for call in calls] == ["GET"]
    assert status.state is None


def test_the_upload_form_is_filled_without_the_key_and_a_late_one_may_be_asked_for_anew() -> None:
    file = MediaFile("ab" * 32, "png", "image/png", b"x")
    calls, handle = drive(RUNWAY.upload(file), replies("runway-uploads", "runway-uploads-form"))
    assert handle.id == "runway://9f6a1c52-7c0b-4d57-9a34-0b9f2f7f6f0e"
    assert [call.authorized for call in calls] == [True, False]
    assert calls[1].form == {"key": "ephemeral/9f6a", "policy": "eyJl", "x-amz-signature": "deadbeef"}
    with pytest.raises(UnavailableError, match="Policy expired") as caught:
        drive(RUNWAY.upload(file), replies("runway-uploads", "runway-uploads-form-late"))
    assert caught.value.charged is False


def test_a_refusal_names_the_field() -> None:
    assert "ratio: Invalid option" in str(RUNWAY.explain(sample("runway-error-400").reply))
    error = RUNWAY.explain(sample("runway-error-429").reply)
    assert isinstance(error, RateLimitError)
    assert error.retry_after_s == 7


def test_the_balance_is_told() -> None:
    told = RUNWAY.checked(sample("runway-organization").reply)
    assert told == "the key is good; 1,234 credits are left, 2 jobs at once, 50 jobs a day of a model"


def test_limits_that_depend_on_the_account_are_told() -> None:
    models = {
        "gen4.5": {"maxConcurrentGenerations": 5, "maxDailyGenerations": 1000},
        "kling_4": {"maxConcurrentGenerations": 1, "maxDailyGenerations": 500},
        "odd": {"maxConcurrentGenerations": "many"}, "none": None,
    }  # fmt: skip
    told = RUNWAY.checked(Reply(200, {"creditBalance": 7, "tier": {"models": models}}))
    assert told == (
        "the key is good; 7 credits are left, 1 to 5 jobs at once, 500 to 1,000 jobs a day of a model, "
        "vidnb has 2 at once unless max_in_flight=5 says otherwise"
    )


def test_prices_are_credits_by_the_second_and_sound_makes_veo_dearer() -> None:
    silent, loud = (prices.price(model("veo3.1"), {"duration_s": 8, "audio": audio}) for audio in (False, True))
    assert silent is not None
    assert loud is not None
    assert (silent.amount, loud.amount, loud.unit) == (160, 320, "CREDITS")
    assert prices.price(model("wan3"), {"duration_s": 5}) is None
