"""What services and storages tell oddly: a clip beside a failure or at another place, another case, a page."""

from __future__ import annotations

from typing import Any

import pytest

from vidnb.errors import UnavailableError
from vidnb.jobs.recorder import describe
from vidnb.providers import Provider
from vidnb.providers.conformance import ProviderConformance, drive
from vidnb.providers.fal import Fal
from vidnb.providers.leonardo import Leonardo
from vidnb.providers.onemin import OneMin
from vidnb.providers.openrouter import OpenRouter
from vidnb.providers.replicate import Replicate
from vidnb.providers.runway import Runway
from vidnb.records import MediaFile, Reply, State, Status

LINK = "https://files.example.com/clip.mp4"
ID = "5f2d1c0a-1111-4222-8333-444455556666"

SHAPES: dict[type[Provider], tuple[str, str, Any]] = {
    Leonardo: ("COMPLETE", "FAILED", lambda word, link: {
        "generations_by_pk": {"id": ID, "status": word, "generated_images": [{"motionMP4URL": link}]}
    }),
    OneMin: ("SUCCESS", "FAILURE", lambda word, link: {
        "aiRecord": {"uuid": ID, "status": word, "temporaryUrl": link}
    }),
    Replicate: ("succeeded", "failed", lambda word, link: {"id": ID, "status": word, "output": link}),
    Runway: ("SUCCEEDED", "FAILED", lambda word, link: {"id": ID, "status": word, "output": link and [link]}),
    OpenRouter: ("completed", "failed", lambda word, link: {"id": ID, "status": word, "urls": link and [link]}),
}  # fmt: skip
"""Provider -> its words for a good and a bad end, and what it answers with one of them."""


def told(kind: type[Provider], answer: Any) -> Status:
    return kind().polled(Reply(200, answer), ProviderConformance().job(kind(), ID))


@pytest.mark.parametrize("kind", SHAPES)
def test_a_clip_linked_to_beside_a_failure_or_an_odd_word_is_kept(kind: type[Provider]) -> None:
    _, failed, answer = SHAPES[kind]
    status = told(kind, answer(failed, LINK))
    assert (status.state, status.video_url) == (State.FAILED, LINK)
    odd = told(kind, answer("TERMINATED", LINK))
    assert (odd.state, odd.ended, odd.video_url) == (None, True, LINK)
    assert told(kind, answer(failed, None)).link is None


@pytest.mark.parametrize("kind", SHAPES)
def test_a_word_in_another_case_says_the_same(kind: type[Provider]) -> None:
    good, failed, answer = SHAPES[kind]
    for word in (good.upper(), good.lower(), good.title()):
        assert told(kind, answer(word, LINK)).state is State.DOWNLOADING, word
    for word in (failed.upper(), failed.lower(), failed.title()):
        assert told(kind, answer(word, None)).state is State.FAILED, word


@pytest.mark.parametrize("kind", [Replicate, Runway, OpenRouter])
def test_a_link_at_a_place_that_nobody_documented_is_found_and_none_to_an_input(kind: type[Provider]) -> None:
    good, _, answer = SHAPES[kind]
    body = {**answer(good, None), "input": {"video": "https://files.example.com/input.mp4"}}
    assert told(kind, body).link is None
    status = told(kind, {**body, "assets": [{"type": "video", "url": LINK}]})
    assert (status.state, status.video_url) == (State.DOWNLOADING, LINK)


def test_fal_fetches_what_is_linked_to_beside_an_error_of_its_own() -> None:
    job = ProviderConformance().job(Fal(), ID)
    beside = {"detail": [{"msg": "the webhook failed", "input": {"video_url": "https://files.example.com/in.mp4"}}]}
    for answer, link in (({**beside, "video": {"url": LINK}}, LINK), (beside, None)):
        status = Fal().resulted(Reply(422, answer), job)
        assert (status.state, status.video_url) == (State.FAILED, link)
    ended = told(Fal, {"request_id": ID, "status": "COMPLETED", "error": "lost", "video": {"url": LINK}})
    assert (ended.state, ended.video_url) == (State.FAILED, LINK)
    assert told(Fal, {"request_id": ID, "status": "completed"}).state is State.DOWNLOADING
    assert told(Fal, {"request_id": ID, "status": "in_queue"}).state is State.QUEUED


FORMS: dict[type[Provider], Any] = {
    Leonardo: {"uploadInitImage": {"id": ID, "url": LINK, "fields": '{"key": "k"}'}},
    Runway: {"uploadUrl": LINK, "fields": {"key": "k"}, "runwayUri": f"runway://{ID}"},
    Fal: {"upload_url": LINK, "file_url": LINK},
}
"""Provider -> the answer that says where a file is uploaded to."""
FILE = MediaFile("0" * 64, "png", "image/png", b"a picture", 8, 8)


@pytest.mark.parametrize("kind", FORMS)
def test_a_page_in_place_of_the_storage_took_no_file_and_the_same_call_again_is_advised(kind: type[Provider]) -> None:
    for page in (Reply(200, text="<!DOCTYPE html><title>Sign in</title>"), Reply(503, text="<Code>SlowDown</Code>")):
        with pytest.raises(UnavailableError, match=r"upload failed \(HTTP (200\): a web page came|503\))") as caught:
            drive(kind().upload(FILE), [Reply(200, FORMS[kind]), page])
        told = describe(caught.value)
        assert (told["charged"], told["advice"]) == (False, "run the cell again, in a minute")
