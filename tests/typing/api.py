"""How vidnb is used, for a type checker: `mypy --strict` reads it, nobody runs it (the file's name is no test's)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, assert_type

import httpx
from PIL.Image import Image

import vidnb
from vidnb.catalog import Model
from vidnb.client.asynchronous import Jobs
from vidnb.records import ClipInfo, Cost


def verbs() -> None:
    assert_type(vidnb.generate("a koala", model="leonardo/motion_2.0", seed=7, motion_strength=3), vidnb.Clip)
    assert_type(vidnb.generate("a koala", take=1, fresh=True, timeout_s=None, unsupported="drop"), vidnb.Clip)
    job = vidnb.submit("a koala", start_image=Path("koala.png"))
    assert_type(job, vidnb.Job)
    assert_type(vidnb.wait(job), vidnb.Clip)
    assert_type(vidnb.wait(job.id, timeout_s=60), vidnb.Clip)
    assert_type(vidnb.wait([job, job]), list[vidnb.Clip])
    assert_type(vidnb.wait(vidnb.jobs()), list[vidnb.Clip])
    assert_type(vidnb.wait(["3f2a", "91c0"]), list[vidnb.Clip])
    assert_type(vidnb.cancel([job, job]), Jobs)
    assert_type(vidnb.watch(job), Iterator[vidnb.Job])
    assert_type(vidnb.job("3f2a"), vidnb.Job)
    assert_type(vidnb.clip(job), vidnb.Clip)
    assert_type(vidnb.request(job), dict[str, Any])
    assert_type(vidnb.cancel(job), vidnb.Job)
    assert_type(vidnb.stop_waiting(job), vidnb.Job)
    assert_type(vidnb.settle(job, "give_up"), vidnb.Job)
    assert_type(vidnb.settle(job, remote_id="5f2d"), vidnb.Job)
    assert_type(vidnb.reconcile(), Jobs)
    assert_type(vidnb.resume(wait=False), Jobs)
    assert_type(vidnb.jobs(limit=5, state="done"), Jobs)
    assert_type(vidnb.history(prompt="koala"), vidnb.History)
    assert_type(vidnb.model("leonardo/SVD"), Model)
    assert_type(vidnb.annotate("3f2a", rating=5, tags=["keeper"], note="the light!"), vidnb.Job)
    assert_type(vidnb.annotate(job, rating=None, tags="keeper, koala"), vidnb.Job)
    assert_type(vidnb.quote("a koala", model="1min/kling", duration_s=10), vidnb.Quote)
    assert_type(vidnb.expect(job), vidnb.Expectation | None)
    assert_type(vidnb.spent(since="2026-11-21"), vidnb.Spent)
    assert_type(vidnb.spent().settled, Mapping[str, float])


def wrong_calls() -> None:
    # Each ignore is needed: with `--warn-unused-ignores` a call that became legal fails the check.
    vidnb.generate("a koala", model=7)  # type: ignore[arg-type]
    vidnb.generate("a koala", unsupported="ignore")  # type: ignore[arg-type]
    vidnb.wait()  # type: ignore[call-overload]
    vidnb.settle("3f2a", "forget")  # type: ignore[arg-type]
    vidnb.annotate("3f2a", rating="good")  # type: ignore[arg-type]
    vidnb.generated  # type: ignore[attr-defined]  # noqa: B018


def results(clip: vidnb.Clip, job: vidnb.Job) -> None:
    assert_type(clip.path, Path)
    assert_type(clip.seed, int | None)
    assert_type(clip.cost, Cost | None)
    assert_type(clip.info, ClipInfo)
    assert_type(clip.params, Mapping[str, Any])
    assert_type(clip.last_frame, Image)
    assert_type(clip.frame(0.5), Image)
    assert_type(clip.rating, int | None)
    assert_type(clip.tags, tuple[str, ...])
    assert_type(clip.request, dict[str, Any])
    assert_type(clip.flashes, bool)
    assert_type(job.state, vidnb.State)
    assert_type(job.error, Mapping[str, Any] | None)


def rows() -> None:
    for job in vidnb.jobs():
        assert_type(job, vidnb.Job)


def client(transport: httpx.AsyncBaseTransport) -> None:
    with vidnb.Client("data", live=False, keys={"leonardo": "key"}, max_in_flight=2, transport=transport) as chosen:
        assert_type(chosen.generate("a koala", seed=7), vidnb.Clip)
        assert_type(chosen.submit("a koala"), vidnb.Job)
        assert_type(chosen.watch("3f2a"), Iterator[vidnb.Job])
        assert_type(chosen.history(limit=None), vidnb.History)


async def asynchronous() -> None:
    async with vidnb.AsyncClient(Path("data"), emulator=vidnb.Emulator(speed=100.0)) as client:
        assert_type(await client.generate("a koala", model="1min/luma", duration_s=5), vidnb.Clip)
        job = await client.submit("a koala")
        assert_type(job, vidnb.Job)
        async for row in client.watch(job):
            assert_type(row, vidnb.Job)
        assert_type(await client.wait(job), vidnb.Clip)
        assert_type(await client.resume(), Jobs)
        assert_type(client.job(job), vidnb.Job)
        assert_type(await client.annotate(job, rating=5), vidnb.Job)
        assert_type(client.quote("a koala").cost, Cost | None)


def errors() -> None:
    try:
        vidnb.generate("a koala")
    except vidnb.ParamsError as error:
        assert_type(error.problems, tuple[vidnb.Problem, ...])
    except vidnb.RateLimitError as error:
        assert_type(error.retry_after_s, float | None)
    except vidnb.JobError as error:
        assert_type(error.job, vidnb.Job)


def media() -> None:
    earlier = vidnb.RemoteMedia("leonardo", "5f2d", "GENERATED")
    vidnb.generate(model="leonardo/SVD", start_image=earlier)
    vidnb.generate("it runs away", start_image=vidnb.clip("3f2a").last_frame)


def widgets(clip: vidnb.Clip, job: vidnb.Job) -> None:
    form = vidnb.Form("leonardo/motion_2.0", {"prompt": "a koala"})
    assert_type(form, vidnb.Form)
    assert_type(form.problems(), list[vidnb.Problem])
    form.take_up(clip.request)
    player = vidnb.Player(clip, autoplay=True)
    assert_type(player, vidnb.Player)
    assert_type(player.frame, Image | None)
    assert_type(vidnb.Progress(job), vidnb.Progress)
    assert_type(vidnb.Recent(model="leonardo/SVD"), vidnb.Recent)
    assert_type(vidnb.widgets.ModelPicker(), vidnb.widgets.ModelPicker)
    with_cap = vidnb.Studio("leonardo/SVD", budget_usd=5)
    assert_type(with_cap, vidnb.Studio)
    assert_type(with_cap.generate(fresh=True), vidnb.Job)
    assert_type(with_cap.vary(clip), vidnb.Job)
    assert_type(with_cap.next_take(clip), vidnb.Job)
    with_cap.remix(clip)
    with_cap.close()


def wrong_widgets(job: vidnb.Job) -> None:
    vidnb.Player(job)  # type: ignore[arg-type]
    vidnb.Studio(budget_usd="5")  # type: ignore[arg-type]
    vidnb.widgets.Nothing  # type: ignore[attr-defined]  # noqa: B018


def loops() -> None:
    assert_type(vidnb.allow_nested_loops(), str)
