"""A service may give more than was asked for, or use another seed and prompt: all of it is kept and shown."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from fakes import no_rest
from stranger import KEYS, LEONARDO, Stranger, Work, film
from wire_samples import sample

import vidnb
from vidnb.client.asynchronous import AsyncClient
from vidnb.providers.fal import Fal
from vidnb.providers.openrouter import OpenRouter
from vidnb.providers.replicate import Replicate
from vidnb.providers.runway import Runway
from vidnb.records import Job, Reply, State

pytestmark = pytest.mark.anyio


def entry(stranger: Stranger, name: str) -> dict[str, object]:
    link = f"https://files.example.com/{name}.mp4?X-Amz-Signature=5ec4e7"
    return {"id": f"a-{name}", "motion": True, "motionMP4URL": link, "motionModel": "MOTION2", "imageToVideo": False}


def service_of(*names: str, dead: str = "", **record: object) -> Stranger:
    """A service that makes these clips for every job; each is of another grey."""
    stranger = Stranger()

    def submit(request: httpx.Request, work: Work | None) -> None:
        assert work is not None
        work.record = {"generated_images": [entry(stranger, name) for name in names], **record}

    def download(request: httpx.Request, work: Work | None) -> httpx.Response:
        name = request.url.path.strip("/").removesuffix(".mp4")
        if name == dead:
            return httpx.Response(404)
        content = httpx.ByteStream(film(40 + 40 * names.index(name)))
        return httpx.Response(200, stream=content, headers={"content-type": "video/mp4"})

    stranger.on_submit, stranger.on_download = submit, download
    return stranger


def client_of(home: Path, stranger: Stranger) -> AsyncClient:
    return AsyncClient(home, keys=KEYS, transport=stranger, sleep=no_rest)


async def test_every_clip_of_a_job_is_kept_shown_travels_and_goes_with_its_job(tmp_path: Path) -> None:
    stranger = service_of("one", "two", "three")
    async with client_of(tmp_path / "mine", stranger) as client:
        clip = await client.generate("a koala", **LEONARDO)
        assert clip.read() == film(40)
        assert [output.read() for output in clip.outputs] == [film(80), film(120)]
        assert clip.outputs[0].outputs == []
        assert "2 more of the same job: clip.outputs" in clip._repr_mimebundle_()["text/html"]
        assert (len(stranger.posts), len(stranger.downloads)) == (1, 3)
        client.history().bundle(tmp_path / "x.vidnb")

        clip.outputs[1].path.unlink()
        again = await client.generate("a koala", **LEONARDO)
        assert [output.read() for output in again.outputs] == [film(80), film(120)], "a lost one is fetched again"
        assert len(stranger.posts) == 1

        paths = [clip.path, *(output.path for output in again.outputs)]
        client.history().trash()
        client.history(trashed=True).purge()
        assert not any(path.exists() for path in paths)
    with vidnb.Client(tmp_path / "other") as other:
        (brought,) = other.open_bundle(tmp_path / "x.vidnb")
        assert isinstance(brought, vidnb.Clip)
        assert [output.read() for output in brought.outputs] == [film(80), film(120)]


async def test_a_further_clip_that_cannot_be_had_does_not_hold_up_the_one_that_was_asked_for(tmp_path: Path) -> None:
    async with client_of(tmp_path, service_of("one", "two", "three", dead="two")) as client:
        clip = await client.generate("a koala", **LEONARDO)
        assert (clip.read(), [output.read() for output in clip.outputs]) == (film(40), [film(120)])
        notes = [event.note for event in client.store.events(clip.job.id)]
        assert any(note.startswith("a further clip of this job could not be fetched") for note in notes)


async def test_a_further_clip_is_tried_again_before_it_is_given_up(tmp_path: Path) -> None:
    stranger, asked = service_of("one", "two"), []
    usual = stranger.on_download

    def late(request: httpx.Request, work: Work | None) -> httpx.Response | None:
        asked.append(request.url.path)
        return httpx.Response(503) if asked.count("/two.mp4") == 1 and asked[-1] == "/two.mp4" else usual(request, work)

    stranger.on_download = late
    async with client_of(tmp_path, stranger) as client:
        clip = await client.generate("a koala", **LEONARDO)
    assert [output.read() for output in clip.outputs] == [film(80)]
    assert asked.count("/one.mp4") == 1, "what is there already is not fetched a second time"


async def test_another_seed_and_prompt_than_were_sent_are_said_and_found(tmp_path: Path) -> None:
    async with client_of(tmp_path, service_of("one", seed=424242)) as client:
        clip = await client.generate("a koala", **LEONARDO, seed=7)
        assert (clip.seed, clip.job.used_seed) == (7, 424242)
        assert "the service used seed 424242" in clip._repr_mimebundle_()["text/html"]
        assert len(client.history(used_seed=424242)) == 1
        assert client.history().df["used_seed"].tolist() == [424242]
        client.store.update(clip.job.id, used_prompt="a <koala>, in detail")
        (found,) = client.history(used_prompt="in detail")
        assert isinstance(found, vidnb.Clip)
        html = found._repr_mimebundle_()["text/html"]
        assert "prompt as the service rewrote it" in html
        assert "a &lt;koala&gt;, in detail" in html


async def test_the_seed_that_was_sent_is_not_told_twice(tmp_path: Path) -> None:
    async with client_of(tmp_path, service_of("one", seed=7)) as client:
        clip = await client.generate("a koala", **LEONARDO, seed=7)
    assert clip.job.used_seed == 7
    assert "the service used" not in clip._repr_mimebundle_()["text/html"]


LINKS = ["https://files.example.com/1.mp4?sig=x", "https://files.example.com/2.mp4?sig=y"]
NO_CLIP = "https://files.example.com/poster.jpg"
PATH = "/v1/videos/r-1/content?index="


@pytest.mark.parametrize(
    ("provider", "body", "links"),
    [
        (Runway, {"id": "r-1", "status": "SUCCEEDED", "output": [NO_CLIP, *LINKS, LINKS[0]]}, LINKS),
        (Replicate, {"id": "r-1", "status": "succeeded", "output": LINKS}, LINKS),
        (Replicate, {"id": "r-1", "status": "succeeded", "output": LINKS[0]}, LINKS[:1]),
        (OpenRouter, {"id": "r-1", "status": "completed", "urls": LINKS}, LINKS),
        (OpenRouter, {"id": "r-1", "status": "completed", "unsigned_urls": LINKS}, [f"{PATH}0", f"{PATH}1"]),
    ],
)
def test_each_service_says_where_the_further_clips_are(
    provider: type[Runway | Replicate | OpenRouter], body: object, links: list[str], job_at: Job
) -> None:
    status = provider().polled(Reply(200, body), job_at)
    assert (status.state, [status.video_url, *status.more_urls]) == (State.DOWNLOADING, links)
    assert "sig=" not in repr(status)


def test_fal_and_replicate_tell_the_seed_that_was_used(job_at: Job) -> None:
    status = Fal().resulted(sample("fal-result-seed").reply, job_at)
    assert (status.used_seed, status.used_prompt) == (424242, "a koala, in detail")
    files = {"video": {"url": LINKS[0]}, "videos": [{"url": link} for link in LINKS], "seed": -1}
    status = Fal().resulted(Reply(200, files), job_at)
    assert (status.more_urls, status.used_seed) == ((LINKS[1],), None)
    logs = "Using seed: 31415\n 34%|###   | 17/50\n"
    made = Reply(200, {"id": "r-1", "status": "succeeded", "output": LINKS[0], "logs": logs})
    assert Replicate().polled(made, job_at).used_seed == 31415


@pytest.fixture
def job_at() -> Job:
    from historyjobs import a_job

    return a_job(1, {"prompt": "a koala"}, remote_id="r-1", model="fal/wan-2.5")
