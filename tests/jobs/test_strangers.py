"""Lost replies, late links and typed ids against a service that the client does not know: paid once, never lost."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
import unicodedata
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from clocks import SkippingClock
from fakes import no_rest
from stranger import KEYS, LEONARDO, ONEMIN, Stranger, Work, film, lost

from vidnb.client.asynchronous import AsyncClient
from vidnb.errors import (
    ConfigError,
    JobAmbiguousError,
    JobError,
    JobFailedError,
    RateLimitError,
    StoreError,
    TransportError,
)
from vidnb.jobs.matching import fits, is_sure, unlike
from vidnb.records import RemoteJob, State

pytestmark = pytest.mark.anyio

PICTURE: dict[str, Any] = {
    "generated_images": [{"id": "p", "url": "https://files.example.com/p.jpg", "motion": False, "motionMP4URL": None}]
}


def client_of(home: Path, stranger: Stranger) -> AsyncClient:
    return AsyncClient(home, keys=KEYS, transport=stranger, sleep=no_rest)


async def lost_job(client: AsyncClient, **values: Any) -> JobAmbiguousError:
    with pytest.raises(JobAmbiguousError) as caught:
        await client.generate("a koala", **{**LEONARDO, **values})
    return caught.value


def as_like_as(other: Work) -> Callable[[httpx.Request, Work | None], httpx.Response | None]:
    """Lose the reply to a submit, and let somebody else's work have the seed that was sent."""

    def submitted(request: httpx.Request, work: Work | None) -> httpx.Response | None:
        if work is not None:
            other.record["seed"] = work.body["parameters"].get("seed")
        return lost(request, work)

    return submitted


OTHERS: dict[str, dict[str, Any]] = {
    "a picture": PICTURE,
    "a picture that is not done": {"status": "PENDING", "generated_images": [], "modelId": "aa77f04e"},
    "another model": {"generated_images": [{"id": "p", "motion": True, "motionModel": "KLING3_0"}]},
    "from a picture": {"generated_images": [{"id": "p", "motion": True, "imageToVideo": True}]},
    "another seed": {"seed": 8},
    "another size": {"imageWidth": 64, "imageHeight": 64},
    "a minute earlier": {},
    "with a negative prompt": {"negativePrompt": "rain"},
}


@pytest.mark.parametrize("case", OTHERS)
@pytest.mark.parametrize("hidden", [0, 1, 9])
async def test_a_lost_reply_is_never_matched_with_somebody_elses_work(tmp_path: Path, case: str, hidden: int) -> None:
    stranger = Stranger()
    stranger.other("a koala", ago_s=60 if case == "a minute earlier" else -1, **OTHERS[case])
    stranger.on_submit, stranger.hidden_lists = lost, hidden
    async with client_of(tmp_path, stranger) as client:
        values = {**LEONARDO, "seed": 7, "width_px": 832, "height_px": 480}
        if hidden < 9:
            clip = await client.generate("a koala", **values)
        else:
            job = (await lost_job(client, **values)).job
            assert job.remote_id is None
            stranger.paid[0].hidden_lists = 0
            clip = await client.generate("a koala", **values)  # it is listed by now
        assert clip.path.read_bytes() == film(stranger.paid[0].shade)
    assert len(stranger.posts) == 1


async def test_a_guess_that_turns_out_wrong_becomes_ambiguous_again_and_the_right_one_is_found(tmp_path: Path) -> None:
    stranger = Stranger()
    other = stranger.other("a koala", ago_s=-1, status="PENDING", generated_images=[])
    stranger.on_submit, stranger.hidden_lists = as_like_as(other), 99

    def turns_out(request: httpx.Request, work: Work | None) -> None:
        if work is other and work.polls == 3:
            work.record.update(status="COMPLETE", **PICTURE)
            stranger.paid[0].hidden_lists = 0

    stranger.on_poll = turns_out
    async with client_of(tmp_path, stranger) as client:
        clip = await client.generate("a koala", **LEONARDO)
        assert clip.path.read_bytes() == film(stranger.paid[0].shade)
        notes = [event.note for event in client.store.events(clip.job.id)]
    assert any(note.startswith("in the list, but somebody else's") for note in notes)
    assert len(stranger.posts) == 1


@pytest.mark.parametrize("end", ["FAILED", "CANCELED"])
async def test_a_guess_that_fails_does_not_fail_our_job(tmp_path: Path, end: str) -> None:
    stranger = Stranger()
    other = stranger.other("a koala", ago_s=-1, status=end, generated_images=[])
    stranger.on_submit, stranger.hidden_lists = as_like_as(other), 99
    async with client_of(tmp_path, stranger) as client:
        job = (await lost_job(client)).job
        assert (job.state, job.remote_id) == (State.AMBIGUOUS, None)
        await lost_job(client)
    assert len(stranger.posts) == 1


@pytest.mark.parametrize("prompt", ["une café & un thé", "a koala"])
async def test_an_entry_that_is_listed_twice_or_written_otherwise_is_found(tmp_path: Path, prompt: str) -> None:
    stranger = Stranger()
    stranger.on_submit = lost

    def listed(request: httpx.Request, work: Work | None) -> httpx.Response:
        told = unicodedata.normalize("NFD", prompt).replace("&", "&amp;")
        entries = [{**stranger.generation(work), "prompt": told} for work in stranger.works]
        return httpx.Response(200, json={"generations": 2 * entries})

    stranger.on_list = listed
    async with client_of(tmp_path, stranger) as client:
        assert (await client.generate(prompt, **LEONARDO)).path.read_bytes() == film(stranger.paid[0].shade)
    assert len(stranger.posts) == 1


async def test_a_list_whose_clock_nobody_knows_is_believed_only_from_the_moment_of_the_submit_on(
    tmp_path: Path,
) -> None:
    stranger = Stranger()
    stranger.has_date = False
    stranger.other("a koala", ago_s=60)
    stranger.on_submit, stranger.hidden_lists = lost, 99
    async with client_of(tmp_path, stranger) as client:
        await lost_job(client)


LATE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "no link yet": (LEONARDO, {"generated_images": []}),
    "only the poster yet": (LEONARDO, {"generated_images": [{"id": "a", "url": "https://files.example.com/p.jpg"}]}),
    "an odd end word": (LEONARDO, {"status": "CANCELED", "generated_images": []}),
    "another one's record": (LEONARDO, {"id": "another"}),
    "a word that nobody knows": (LEONARDO, {"status": "MIXING", "generated_images": []}),
    "no link yet, 1min": (ONEMIN, {"temporaryUrl": None}),
    "an odd end word, 1min": (ONEMIN, {"status": "ERROR", "temporaryUrl": None}),
    "another one's record, 1min": (ONEMIN, {"uuid": "another"}),
}


def telling(record: dict[str, Any]) -> Stranger:
    """A service whose record of our job says this from the beginning."""
    stranger = Stranger()

    def begins(request: httpx.Request, work: Work | None) -> None:
        assert work is not None
        work.record = dict(record)

    stranger.on_submit = begins  # type: ignore[assignment]  # None is an answer, too
    return stranger


@pytest.mark.parametrize(
    ("word", "written"), [("PENDING", [None, None, None, "PENDING"]), ("WARMING_UP", [None, *3 * ["WARMING_UP"]])]
)
async def test_a_word_that_says_no_more_than_the_state_is_written_with_the_third_poll(
    tmp_path: Path, word: str, written: list[str | None]
) -> None:
    """The row has it in time for other kernels, and a short job is spared a write; who waits here hears it at once."""
    stranger, seen = Stranger(), list[str | None]()

    def goes_on(request: httpx.Request, work: Work | None) -> None:
        seen.append(client.job(job).wire_status or None)
        if work is not None:
            work.record = {"status": word, "generated_images": []} if len(seen) < 4 else {}

    stranger.on_poll = goes_on  # type: ignore[assignment]  # None is an answer, too
    async with client_of(tmp_path, stranger) as client:
        job = await client.submit("a koala", **LEONARDO)
        said = [row.wire_status async for row in client.watch(job) if row.state is State.RUNNING]
        assert client.job(job).wire_status == "COMPLETE"
    assert seen == written
    assert [text for text in said if text] == [word]


@pytest.mark.parametrize("case", LATE)
@pytest.mark.parametrize("polls", [1, 4])
async def test_a_link_that_comes_late_is_waited_for(tmp_path: Path, case: str, polls: int) -> None:
    values, record = LATE[case]
    stranger = telling(record)

    def goes_on(request: httpx.Request, work: Work | None) -> None:
        if work is not None and work.polls > polls:
            work.record = {}

    stranger.on_poll = goes_on  # type: ignore[assignment]  # None is an answer, too
    async with client_of(tmp_path, stranger) as client:
        clip = await client.generate("a koala", **values)
        assert clip.path.read_bytes() == film(stranger.paid[0].shade)
    assert len(stranger.posts) == 1


@pytest.mark.parametrize(
    ("values", "record"),
    [
        (LEONARDO, {"status": "CANCELED"}), (LEONARDO, {"status": None}), (ONEMIN, {"status": "EXPIRED"}),
        (LEONARDO, {"status": "FAILED"}), (ONEMIN, {"status": "FAILURE"}),
        (LEONARDO, {"status": "PENDING"}), (ONEMIN, {"status": "PROCESSING"}),
    ],
)  # fmt: skip
async def test_a_clip_beside_a_word_that_stays_odd_is_fetched_in_the_end(
    tmp_path: Path, values: dict[str, Any], record: dict[str, Any]
) -> None:
    stranger = telling(record)
    async with client_of(tmp_path, stranger) as client:
        clip = await client.generate("a koala", **values)
        assert clip.path.read_bytes() == film(stranger.paid[0].shade)
    assert len(stranger.posts) == 1


async def test_a_clip_whose_link_is_not_encrypted_is_asked_for_in_the_safe_way(tmp_path: Path) -> None:
    stranger, schemes = Stranger(), []

    def begins(request: httpx.Request, work: Work | None) -> None:
        assert work is not None
        work.record = {"generated_images": [{"motionMP4URL": stranger.link(work).replace("https:", "http:")}]}

    def fetched(request: httpx.Request, work: Work | None) -> None:
        schemes.append(request.url.scheme)

    stranger.on_submit, stranger.on_download = begins, fetched  # type: ignore[assignment]  # None is an answer, too
    async with client_of(tmp_path, stranger) as client:
        await client.generate("a koala", **LEONARDO)
    assert schemes == ["https"]


@pytest.mark.parametrize("case", LATE)
async def test_a_link_that_never_comes_is_left_to_a_person_and_nothing_waits_for_ever(
    tmp_path: Path, case: str
) -> None:
    values, record = LATE[case]
    stranger = telling(record)
    async with client_of(tmp_path, stranger) as client:
        with anyio.fail_after(300):
            job = await client.submit("a koala", **values)
            (row,) = await client.resume()
            assert (row.state, row.remote_id) == (State.AMBIGUOUS, stranger.paid[0].id)
            (row,) = await client.resume()
            assert row.state is State.AMBIGUOUS
            with pytest.raises(JobError, match="sending it again would pay for a second one"):
                await client.settle(job, "send_again")
        stranger.paid[0].record = {}
        clip = await client.wait(job)  # the clip turned up after all
        assert clip.path.read_bytes() == film(stranger.paid[0].shade)
    assert len(stranger.posts) == 1


async def test_a_person_can_end_a_job_that_goes_on_for_ever(tmp_path: Path) -> None:
    stranger = Stranger()
    stranger.on_poll = lambda request, work: httpx.Response(200, json={"generations_by_pk": {"status": "PENDING"}})
    async with AsyncClient(tmp_path, keys=KEYS, transport=stranger, sleep=anyio.sleep) as client:
        job = await client.submit("a koala", **LEONARDO)
        async for row in client.watch(job):
            if row.state is State.RUNNING:
                break
        assert (await client.settle(job, "give_up")).state is State.CANCELLED
        assert not client.is_busy
        assert await client.resume() == []


@pytest.mark.parametrize(
    "form",
    ['"{}"', "<{}>", " {}\n", "{}&amp;x=1", "https:\n//{bare}", "//{bare}", "https:\\/\\/{bare}"],
    ids=["in quotes", "in brackets", "with a line end", "escaped for a page", "wrapped", "no scheme", "escaped twice"],
)
async def test_a_link_counts_however_it_is_written(tmp_path: Path, form: str) -> None:
    stranger = Stranger()

    def begins(request: httpx.Request, work: Work | None) -> None:
        assert work is not None
        link = stranger.link(work)
        work.record = {"temporaryUrl": form.format(link, bare=link.removeprefix("https://"))}

    stranger.on_submit = begins  # type: ignore[assignment]  # None is an answer, too
    async with client_of(tmp_path, stranger) as client:
        clip = await client.generate("a koala", **ONEMIN)
    assert clip.path.read_bytes() == film(stranger.paid[0].shade)
    assert stranger.paid[0].polls == 1
    assert "amp" not in (clip.job.video_url or "")


@pytest.mark.parametrize(
    "record",
    [{"downloadUrl": "{}"}, {"temporaryURL": "{}"}, {"aiRecordDetail": {"temporaryUrl": "{}"}}],
    ids=["downloadUrl", "temporaryURL", "deeper"],
)
async def test_a_link_whose_name_tells_little_is_better_than_none(tmp_path: Path, record: dict[str, Any]) -> None:
    stranger = Stranger()

    def begins(request: httpx.Request, work: Work | None) -> None:
        assert work is not None
        told = json.dumps(record).replace("{}", stranger.link(work).replace(".mp4", ""))
        page = {"resultPage": "https://app.example.com/result/1", "inputUrl": "https://files.example.com/in"}
        work.record = {"temporaryUrl": None, "aiRecordDetail": {}, **page, **json.loads(told)}

    stranger.on_submit = begins  # type: ignore[assignment]  # None is an answer, too
    async with client_of(tmp_path, stranger) as client:
        assert (await client.generate("a koala", **ONEMIN)).path.read_bytes() == film(stranger.paid[0].shade)
    assert len(stranger.downloads) == 1


async def test_the_link_of_an_input_does_not_make_a_failed_job_look_finished(tmp_path: Path) -> None:
    given = "https://files.example.com/in.mp4"
    stranger = telling({"status": "FAILURE", "temporaryUrl": None, "promptObject": {"videoUrl": given}})
    async with client_of(tmp_path, stranger) as client:
        with pytest.raises(JobFailedError):
            await client.generate("a koala", **ONEMIN)
    assert not stranger.downloads


async def test_a_typed_id_counts_where_the_service_does_not_repeat_the_prompt(tmp_path: Path) -> None:
    stranger = telling({"prompt": None})
    stranger.on_submit, stranger.hidden_lists = lost, 99
    async with client_of(tmp_path, stranger) as client:
        job = (await lost_job(client)).job
        await client.settle(job, remote_id=stranger.paid[0].id)
        assert (await client.wait(job)).path.read_bytes() == film(stranger.paid[0].shade)


async def test_an_id_in_capitals_is_the_one_that_another_job_has(tmp_path: Path) -> None:
    stranger = Stranger()

    def answer(request: httpx.Request, work: Work | None) -> httpx.Response | None:
        asked = stranger.work(request.url.path.rsplit("/", 1)[-1].lower())
        return httpx.Response(200, json=stranger.shown(asked, "v1")) if asked is not None else None

    stranger.hidden_lists, stranger.on_poll = 99, answer
    async with client_of(tmp_path, stranger) as client:
        await client.generate("a koala", **LEONARDO)
        stranger.on_submit = lost
        with pytest.raises(JobAmbiguousError) as caught:
            await client.generate("a koala", take=1, **LEONARDO)
        first, second = (work.id.upper() for work in stranger.paid)
        with pytest.raises(JobError, match=r"another job (has|at)"):
            await client.settle(caught.value.job, remote_id=first)
        assert (await client.settle(caught.value.job, remote_id=second)).remote_id == second.lower()


async def test_an_entry_without_our_seed_is_not_believed_to_be_ours(tmp_path: Path) -> None:
    stranger = Stranger()
    stranger.other("a koala", ago_s=-1, seed=None)
    stranger.on_submit, stranger.hidden_lists = lost, 9
    async with client_of(tmp_path, stranger) as client:
        assert (await lost_job(client, seed=7)).job.remote_id is None
        stranger.paid[0].hidden_lists = 0
        stranger.works.pop(0)
        assert (await client.generate("a koala", seed=7, **LEONARDO)).path.read_bytes() == film(stranger.paid[0].shade)
    assert len(stranger.posts) == 1


@pytest.mark.parametrize("values", [LEONARDO, ONEMIN], ids=["leonardo", "1min"])
async def test_a_clip_is_fetched_although_an_error_stands_beside_its_record(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    stranger = Stranger()

    def polled(request: httpx.Request, work: Work | None) -> httpx.Response:
        told = stranger.shown(work, "api" if "api/results" in request.url.path else "v1")
        beside = {"errors": [{"message": "the webhook failed"}], "error": {"message": "the webhook failed"}}
        return httpx.Response(200, json={**told, **beside})

    stranger.on_poll = polled
    async with client_of(tmp_path, stranger) as client:
        assert (await client.generate("a koala", **values)).path.read_bytes() == film(stranger.paid[0].shade)
    assert stranger.paid[0].polls == 1


async def test_a_record_that_names_another_job_in_another_field_is_not_believed(tmp_path: Path) -> None:
    stranger = telling({"id": None, "generationId": "another"})
    async with client_of(tmp_path, stranger) as client:
        with pytest.raises(JobAmbiguousError, match="about another generation"):
            await client.generate("a koala", **LEONARDO)
    assert stranger.downloads == []


IDS: dict[str, Callable[[Stranger], Any]] = {
    "empty": lambda stranger: "",
    "spaces": lambda stranger: "   ",
    "a typing error": lambda stranger: stranger.paid[0].id[:-1] + ("0" if stranger.paid[0].id[-1] != "0" else "1"),
    "a space inside": lambda stranger: stranger.paid[0].id[:8] + " " + stranger.paid[0].id[9:],
    "a path": lambda stranger: "../me",
    "a link": lambda stranger: f"https://app.leonardo.ai/generation/{stranger.paid[0].id}",
    "a picture": lambda stranger: stranger.other("a koala", **PICTURE).id,
    "another prompt": lambda stranger: stranger.other("a cat").id,
    "in quotes": lambda stranger: f'"{stranger.paid[0].id}"',
    "a part": lambda stranger: stranger.paid[0].id[:8],
    "a number": lambda stranger: 12345678,
}


@pytest.mark.parametrize("case", IDS)
async def test_a_typed_id_is_looked_at_before_it_is_believed(tmp_path: Path, case: str) -> None:
    stranger = Stranger()
    stranger.on_submit, stranger.hidden_lists = lost, 99
    async with client_of(tmp_path, stranger) as client:
        job = (await lost_job(client)).job
        with pytest.raises(JobError):
            await client.settle(job, remote_id=IDS[case](stranger))
        assert (client.job(job).state, client.job(job).remote_id) == (State.AMBIGUOUS, None)
        await client.settle(job, remote_id=f"  {stranger.paid[0].id}\n")
        assert (await client.wait(job)).path.read_bytes() == film(stranger.paid[0].shade)
    assert len(stranger.posts) == 1


async def test_an_id_that_the_service_cannot_be_asked_about_changes_nothing(tmp_path: Path) -> None:
    stranger = Stranger()
    stranger.on_submit, stranger.hidden_lists = lost, 99
    async with client_of(tmp_path, stranger) as client:
        job = (await lost_job(client)).job
        stranger.on_poll = lost
        with pytest.raises(TransportError):
            await client.settle(job, remote_id=stranger.paid[0].id)
        assert client.job(job).state is State.AMBIGUOUS


async def test_a_tag_of_ours_makes_an_entry_certain(tmp_path: Path) -> None:
    stranger = Stranger()
    async with client_of(tmp_path, stranger) as client:
        job = (await client.generate("a koala", **LEONARDO)).job
    tagged, foreign = (RemoteJob("r", "other words", None, tag=tag) for tag in (job.id, "another"))
    assert fits(job, tagged, None)
    assert is_sure(job, tagged, None)
    assert unlike(job, foreign)


class Rests:
    """A sleep that takes no time and keeps how long it was to be."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        await anyio.lowlevel.checkpoint()


def busy(retry_after: str | None, times: int) -> Callable[[httpx.Request, Work | None], httpx.Response | None]:
    """Answers 429 so often."""
    left = [times]

    def answer(request: httpx.Request, work: Work | None) -> httpx.Response | None:
        left[0] -= 1
        headers = {"retry-after": retry_after} if retry_after else {}
        return httpx.Response(429, json={"error": "slow down"}, headers=headers) if left[0] >= 0 else None

    return answer


@pytest.mark.parametrize("values", [LEONARDO, ONEMIN], ids=["leonardo", "1min"])
async def test_a_submit_waits_as_long_as_the_service_says(tmp_path: Path, values: dict[str, Any]) -> None:
    stranger, rests = Stranger(), Rests()
    stranger.before_submit = busy("120", 2)
    async with AsyncClient(tmp_path, keys=KEYS, transport=stranger, sleep=rests) as client:
        await client.generate("a koala", **values)
    assert sum(seconds > 119 for seconds in rests.taken) == 2
    assert (len(stranger.posts), len(stranger.paid)) == (3, 1)


async def test_the_submits_of_one_call_are_few_and_counted(tmp_path: Path) -> None:
    stranger = Stranger()
    stranger.before_submit = busy(None, 99)
    async with AsyncClient(tmp_path, keys=KEYS, transport=stranger, clock=SkippingClock(time.time())) as client:
        with pytest.raises(JobFailedError, match=r"429 20 times in a row; nothing was charged"):
            await client.generate("a koala", **LEONARDO)
        assert client.spent() == {}
    assert len(stranger.posts) == 20


async def test_a_sleep_that_does_not_wait_makes_no_endless_row_of_submits(tmp_path: Path) -> None:
    stranger = Stranger()
    stranger.before_submit = busy("120", 10**6)
    async with AsyncClient(tmp_path, keys=KEYS, transport=stranger, sleep=no_rest) as client:
        with pytest.raises(JobFailedError, match=r"429 20 times in a row"):
            await client.generate("a koala", **LEONARDO)
    assert len(stranger.posts) == 20


async def test_a_service_that_wants_an_hour_is_left_alone(tmp_path: Path) -> None:
    stranger = Stranger()
    stranger.before_submit = busy("3600", 99)
    async with client_of(tmp_path, stranger) as client:
        with pytest.raises(RateLimitError, match="60 minutes"):
            await client.generate("a koala", **LEONARDO)
        assert client.jobs()[0].state is State.INTENDED
    assert len(stranger.posts) == 1


IN_VAIN: dict[str, tuple[int, Any]] = {
    "the request that it depends on failed": (424, {"error": "Failed Dependency"}),
    "upstream": (400, {"error": "upstream request timeout"}),
    "deadline": (400, {"message": "context deadline exceeded"}),
    "socket": (422, {"message": "connect ETIMEDOUT 10.0.0.1:443"}),
    "the same request is in hand": (400, {"error": "Your request is already being processed"}),
    "the answer lies elsewhere": (303, {"message": "See other"}),
    "a duplicate": (422, {"message": "duplicate request"}),
    "a gateway's page": (404, "<html><title>upstream request timeout</title></html>"),
    "with the job's id": (400, "its id"),
    "a conflict with the job's id": (409, "its id"),
}


@pytest.mark.parametrize("values", [LEONARDO, ONEMIN], ids=["leonardo", "1min"])
@pytest.mark.parametrize("case", IN_VAIN)
async def test_a_refusal_that_was_waited_for_in_vain_or_names_a_job_may_have_been_charged(
    tmp_path: Path, case: str, values: dict[str, Any]
) -> None:
    stranger = Stranger()
    stranger.hidden_lists = 99
    status, told = IN_VAIN[case]

    def answer(request: httpx.Request, work: Work | None) -> httpx.Response:
        assert work is not None
        made = json.loads(stranger.accepted(work).content)
        if isinstance(told, str) and "<" in told:
            return httpx.Response(status, text=told)
        return httpx.Response(status, json={**made, "error": "refused"} if told == "its id" else told)

    stranger.on_submit = answer
    async with client_of(tmp_path, stranger) as client:
        job = (await lost_job(client, **values)).job
        await client.settle(job, remote_id=stranger.paid[0].id)
        assert (await client.wait(job)).path.read_bytes() == film(stranger.paid[0].shade)
    assert len(stranger.posts) == 1


async def test_an_id_with_spaces_around_it_is_the_jobs_id(tmp_path: Path) -> None:
    stranger = Stranger()
    stranger.on_submit = lambda request, work: httpx.Response(
        200, json={"aiRecord": {"uuid": f" {work.id if work else None}\n", "status": "PROCESSING"}}
    )
    async with client_of(tmp_path, stranger) as client:
        assert (await client.generate("a koala", **ONEMIN)).path.read_bytes() == film(stranger.paid[0].shade)


@pytest.mark.parametrize("values", [LEONARDO, ONEMIN], ids=["leonardo", "1min"])
@pytest.mark.parametrize("status", [303, 408, 409, 425, 499, 500, 502, 520, 524, 599])
async def test_what_a_gateway_says_after_the_work_was_accepted_is_not_taken_for_a_refusal(
    tmp_path: Path, status: int, values: dict[str, Any]
) -> None:
    stranger = Stranger()
    stranger.on_submit = lambda request, work: httpx.Response(status, text="<html><body>nginx</body></html>")
    stranger.hidden_lists = 99
    async with client_of(tmp_path, stranger) as client:
        for _ in range(2):
            with pytest.raises(JobAmbiguousError):
                await client.generate("a koala", **values)
        await client.settle(client.jobs()[0], remote_id=stranger.paid[0].id)
        await client.wait(client.jobs()[0])
    assert len(stranger.posts) == 1


@pytest.mark.parametrize("values", [LEONARDO, ONEMIN], ids=["leonardo", "1min"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_service_that_points_elsewhere_is_not_followed_and_said_to(
    tmp_path: Path, status: int, values: dict[str, Any]
) -> None:
    stranger = Stranger()
    place = "https://api9.example.com/v9?signature=5ec4e75ec4e75ec4e7"
    stranger.on_submit = lambda request, work: httpx.Response(status, headers={"location": place})
    stranger.hidden_lists = 99
    said = f"HTTP {status}\\); it points to api9.example.com, where it may have moved, and nothing was sent there"
    async with client_of(tmp_path, stranger) as client:
        for _ in range(2):
            with pytest.raises(JobAmbiguousError, match=said) as caught:
                await client.generate("a koala", **values)
            assert "5ec4e7" not in str(caught.value)
    assert len(stranger.posts) == 1


@pytest.mark.parametrize("why", ["no folder", "a full disk"])
async def test_nothing_is_paid_where_the_clip_could_not_be_stored(
    tmp_path: Path, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger, place = Stranger(), tmp_path / "place"
    usage = namedtuple("usage", "total used free")
    if why == "no folder":
        place.write_text("in the way")
    async with AsyncClient(
        tmp_path / "home", keys=KEYS, transport=stranger, sleep=no_rest, files_url=str(place / "files")
    ) as client:
        with monkeypatch.context() as patch:
            if why == "a full disk":
                patch.setattr(shutil, "disk_usage", lambda path: usage(10, 10, 5 * 2**20))
            with pytest.raises(StoreError, match=r"Not a directory|only 5 MB are left"):
                await client.generate("a koala", **LEONARDO)
        assert (stranger.posts, client.jobs()[0].state) == ([], State.INTENDED)
        if place.is_file():
            place.unlink()
        await client.generate("a koala", **LEONARDO)
    assert len(stranger.posts) == 1


# decisions beside others


@pytest.mark.parametrize("end", ["stop_waiting", "aclose"])
async def test_a_job_that_is_left_at_once_is_free_for_others_at_once(tmp_path: Path, end: str) -> None:
    async with client_of(tmp_path, Stranger()) as client:
        job = await client.submit("a koala", **LEONARDO)
        await (client.stop_waiting(job) if end == "stop_waiting" else client.aclose())
    async with client_of(tmp_path, Stranger()) as other:
        assert other.job(job).lease_owner is None


@pytest.mark.parametrize("url", ["memory://clips", "simplecache::memory://clips"])
async def test_no_clip_is_paid_for_that_would_be_gone_with_the_process(tmp_path: Path, url: str) -> None:
    stranger = Stranger()
    settings: dict[str, Any] = {"keys": KEYS, "transport": stranger, "sleep": no_rest, "files_url": url}
    async with client_of(tmp_path, stranger) as earlier, AsyncClient(tmp_path, **settings) as client:
        with pytest.raises(ConfigError, match=r"memory of this process, .* nothing was sent, .* folder on the disk"):
            await client.generate("a koala", **LEONARDO)
        assert client.jobs() == []
        left = await earlier.submit("a koala", **LEONARDO)
        await earlier.stop_waiting(left)
        with pytest.raises(ConfigError):
            await client.wait(left)
        assert stranger.posts == []
        await earlier.wait(left)


@pytest.mark.parametrize("end", ["settle", "cancel", "stop_waiting"])
async def test_whoever_waits_while_another_call_ends_the_job_is_told_what_became_of_it(
    tmp_path: Path, end: str
) -> None:
    stranger = Stranger()
    stranger.on_poll = lambda request, work: httpx.Response(
        200, json={"generations_by_pk": {"id": work.id if work else "", "status": "PENDING", "generated_images": []}}
    )
    if end == "cancel":
        stranger.before_submit = lambda request, work: httpx.Response(429, headers={"retry-after": "300"})
    sleep = asyncio.sleep if end == "cancel" else no_rest  # it is ended while it waits to be sent again
    async with AsyncClient(tmp_path, keys=KEYS, transport=stranger, sleep=sleep) as client:
        job = await client.submit("a koala", **LEONARDO)
        told: list[Exception] = []
        seen: list[State] = []

        async def wait() -> None:
            with pytest.raises(JobError) as caught:
                await client.wait(job, quiet=True)
            told.append(caught.value)

        async def watch() -> None:
            async for row in client.watch(job):
                seen.append(row.state)

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            if end == "settle":
                group.start_soon(watch)
            async with asyncio.timeout(30):
                while not stranger.posts or client.job(job).state not in (State.RUNNING, State.INTENDED):
                    await client.clock.wait(0.01)
            if end == "settle":
                await client.settle(job, "give_up")
            else:
                await getattr(client, end)(job)
        assert type(told[0]).__name__ == ("JobTimeoutError" if end == "stop_waiting" else "JobCancelledError")
        if end == "settle":
            assert seen[-1] is State.CANCELLED


async def test_a_person_who_saw_no_id_does_not_throw_away_what_was_found_meanwhile(tmp_path: Path) -> None:
    stranger = Stranger()
    stranger.on_submit, stranger.hidden_lists = lost, 10**6
    async with client_of(tmp_path, stranger) as client:
        seen = (await lost_job(client)).job
        stranger.on_poll = lambda request, work: httpx.Response(
            200, json={"generations_by_pk": {"id": work.id if work else "", "status": "PENDING"}}
        )
        for work in stranger.works:
            work.hidden_lists = 0
        await client.reconcile()
        with pytest.raises(JobError, match="was found at leonardo meanwhile"):
            await client.settle(seen, "give_up")
        assert client.job(seen).state in (State.RUNNING, State.QUEUED)
        stranger.on_poll = lambda request, work: None
        assert (await client.wait(seen)).path.read_bytes() == film(stranger.works[0].shade)


async def test_a_job_that_is_being_sent_is_not_cancelled_under_an_id_that_nobody_knows_yet(tmp_path: Path) -> None:
    stranger, asked = Stranger(), anyio.Event()

    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await stranger.handle_async_request(request)
            if request.method == "POST":
                asked.set()
                await anyio.sleep(0.2)
            return response

    async with AsyncClient(tmp_path, keys=KEYS, transport=Slow(), sleep=no_rest) as client:
        job = await client.submit("a koala", **LEONARDO)
        await asked.wait()
        with pytest.raises(JobError, match="being sent at this moment"):
            await client.cancel(job)
        assert (await client.wait(job)).path.exists()
    assert len(stranger.posts) == 1
