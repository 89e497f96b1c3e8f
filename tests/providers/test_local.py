"""The wire format of `vidnb gpu`: what is sent for which values, and what each answer means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from wire_samples import replies, sample

from vidnb import catalog
from vidnb.catalog import Model
from vidnb.errors import AuthError, ParamsError, ProviderError, RejectedError, UnexpectedReplyError
from vidnb.params import validate
from vidnb.providers import Provider
from vidnb.providers.conformance import Conversations, ProviderConformance, Replies, drive
from vidnb.providers.local import Local
from vidnb.records import Cost, Job, RemoteMedia, Reply, State, Status

JOB = "8a1f0c2e5b7d4f6a9c3e1b2d4f6a8c0e"
LOCAL = Local()
NOTHING = Cost(0.0, "USD")

ERRORS: dict[str, type[ProviderError]] = {
    "local-error-401": AuthError,
    "local-error-404": RejectedError,
    "local-error-409": RejectedError,
    "local-error-422": RejectedError,
    "local-error-503": RejectedError,
}


def failed(why: Any, error: str) -> Status:
    return Status(JOB, State.FAILED, "failed", error=f"Own GPU: {error}", why=why, cost=NOTHING, charged=False)


POLLED = {
    "local-get-queued": Status(JOB, State.QUEUED, "queued", ahead=2),
    "local-get-loading": Status(JOB, State.RUNNING, "loading"),
    "local-get-denoising": Status(JOB, State.RUNNING, "denoising, step 10 of 50, about 4 min left", progress=0.17),
    "local-get-decoding": Status(JOB, State.RUNNING, "decoding", progress=0.85),
    "local-get-cancelling": Status(JOB, State.RUNNING, "cancelling", progress=0.17),
    "local-get-done": Status(JOB, State.DOWNLOADING, "done", f"/gpu/jobs/{JOB}/content", cost=NOTHING),
    "local-get-crashed": failed("passing", "the renderer was killed (signal 9)"),
    "local-get-memory": failed("", "this machine's memory is used up"),
    "local-get-gone": failed("gone", "the clip was made, and deleted since"),
}


def model(name: str) -> Model:
    return catalog.find(f"local/{name}")


class TestConformance(ProviderConformance):
    remote_id = JOB

    @pytest.fixture
    def provider(self) -> Provider:
        return Local()

    def submit_replies(self) -> Replies:
        return [
            (sample("local-create").reply, Status(JOB, State.QUEUED, "queued", ahead=0)),
            (sample("local-create-again").reply, Status(JOB, State.RUNNING, "denoising, step 10 of 50", progress=0.17)),
            (Reply(201, {"state": "queued"}), UnexpectedReplyError),
            *((sample(name).reply, error) for name, error in ERRORS.items()),
        ]

    def poll_replies(self) -> Replies:
        return [(sample(name).reply, status) for name, status in POLLED.items()]

    def cancel_replies(self) -> Conversations:
        return [
            (replies("local-cancel"), Status(JOB, State.CANCELLED, "cancelled", cost=NOTHING)),
            (replies("local-get-cancelling"), Status(JOB, State.CANCELLED, "cancelling", cost=NOTHING, progress=0.17)),
            (replies("local-get-done"), POLLED["local-get-done"]),
            (replies("local-error-404"), RejectedError),
        ]

    def error_replies(self) -> Iterable[tuple[Reply, type[ProviderError]]]:
        return [(sample(name).reply, error) for name, error in ERRORS.items()]

    def reply_with_word(self, word: str) -> Reply:
        return Reply(200, {**sample("local-get-loading").reply.json, "id": None, "state": word})

    def check_reply(self) -> Reply:
        return sample("local-health").reply

    def upload_replies(self) -> Iterable[Reply]:
        return replies("local-upload")

    def recent_replies(self) -> Iterable[Reply]:
        return replies("local-list")


@pytest.fixture
def job() -> Job:
    return TestConformance().job(LOCAL, JOB)


def sent(name: str, media: dict[str, list[RemoteMedia]] | None = None, **values: Any) -> dict[str, Any]:
    """The body for these values."""
    request = validate(model(name), {**values, **(media or {})})
    body: dict[str, Any] = LOCAL.submit(model(name), request.params, media or {}).json
    return body


def test_every_value_goes_under_the_name_that_diffusers_has_for_it() -> None:
    picture = {"start_image": [RemoteMedia("local", "ab.png")]}
    assert sent("svd-xt", picture, motion_bucket=180, cond_aug=0.1, seed=3) == {
        "model": "stabilityai/stable-video-diffusion-img2vid-xt",
        "params": {
            "start_image": "ab.png", "motion_bucket_id": 180, "noise_aug_strength": 0.1, "seed": 3, "width": 1024,
            "height": 576, "num_frames": 25, "fps": 7, "num_inference_steps": 25, "max_guidance_scale": 3,
        },
    }  # fmt: skip


def test_a_duration_goes_as_it_is_and_never_beside_a_number_of_frames() -> None:
    params = sent("ltx-video", prompt="a koala", duration_s=2.5)["params"]
    assert (params["duration"], "num_frames" in params) == (2.5, False)
    with pytest.raises(ParamsError, match="turned into frames"):
        validate(model("ltx-video"), {"prompt": "a koala", "duration_s": 2, "num_frames": 49})


@pytest.mark.parametrize(
    ("name", "frames", "nearest"),
    [("ltx-video", 50, 49), ("ltx-video", 254, 257), ("wan2.1-t2v-1.3b", 80, 81), ("cogvideox-2b", 48, 49)],
)
def test_a_count_of_frames_between_two_steps_is_refused_with_the_nearest(name: str, frames: int, nearest: int) -> None:
    with pytest.raises(ParamsError, match=rf"in steps of \d\. The nearest is {nearest}"):
        validate(model(name), {"prompt": "a koala", "num_frames": frames})
    assert validate(model(name), {"prompt": "a koala", "num_frames": nearest}).params["num_frames"] == nearest


def test_a_size_off_the_list_has_sides_that_the_model_can_divide() -> None:
    good = validate(model("ltx-video"), {"prompt": "a koala", "width_px": 320, "height_px": 192})
    assert not good.older, "the vendor takes any such size; nothing is to be warned of"
    with pytest.raises(ParamsError, match="multiples of 32 from 64 to 1280"):
        validate(model("ltx-video"), {"prompt": "a koala", "width_px": 320, "height_px": 200})


def test_our_own_id_goes_along_and_comes_back_as_the_tag(job: Job) -> None:
    call = LOCAL.submit(model("ltx-video"), {"prompt": "a koala"}, {})
    assert LOCAL.tagged(call, job).json == {**call.json, "client_token": job.id}
    exchange = LOCAL.recent(7, [job])
    ours, other = drive(exchange, replies("local-list"))[1]
    assert (ours.tag, ours.models, ours.from_image, ours.seed) == (job.id, {"local/ltx-video"}, False, 7)
    assert ours.status == POLLED["local-get-done"]
    assert other.tag != job.id


def test_a_refusal_says_what_the_server_says_and_a_good_token_which_card_there_is() -> None:
    assert "needs about 24 GB" in str(LOCAL.explain(sample("local-error-422").reply))
    told = LOCAL.checked(sample("local-health").reply)
    assert told == "the token is good; NVIDIA GeForce RTX 4090, 25 GB, 1 model found"


def test_no_job_costs_anything() -> None:
    local = [one for one in catalog.load().values() if one.provider == "local"]
    assert len(local) == 12
    assert all((one.price["amount"], one.price["confidence"]) == (0, "exact") for one in local)
