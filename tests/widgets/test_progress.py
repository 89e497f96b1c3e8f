"""A job's line follows the job to its end, says what is known and nothing else, and does what a person asks for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from clocks import ImpatientClock
from waiting import until

from vidnb.client import loop
from vidnb.client.abilities import Abilities, abilities
from vidnb.client.verbs import Client
from vidnb.emulator import VirtualClock
from vidnb.emulator.core import account_id
from vidnb.errors import ConfigError, StoreError, VidnbError
from vidnb.net.target import EMULATOR_KEY
from vidnb.records import Job, State
from vidnb.widgets.progress import Progress

HOSTILE = "<img src=x onerror=alert(1)>"
LOCAL = {"model": "local/ltx-video", "width_px": 128, "height_px": 64, "num_frames": 9, "steps": 10}
ONEMIN = {"model": "1min/damo", "num_frames": 16, "fps": 8, "steps": 10}

MakeClient = Callable[..., Client]


def press(progress: Progress, kind: str, **content: Any) -> None:
    """What the page sends when a button is pressed."""
    progress._received(progress, {"kind": kind, "id": progress._row["id"], **content}, [])


def slow() -> dict[str, Any]:
    """An emulator whose jobs end when the test says so."""
    return {"latency_s": 100, "clock": VirtualClock()}


def posts(client: Client) -> int:
    """How many jobs the emulated services were asked to make."""
    return int(client.asynchronous.emulator.stats()["jobs"])


# -- following ---------------------------------------------------------------------------------------------------------


def test_the_line_follows_a_job_to_its_clip_and_says_so_once(make_client: MakeClient) -> None:
    client = make_client()
    ended: list[Job] = []
    seen: list[str] = []
    progress = Progress(client.submit("a koala", seed=7), client, on_end=ended.append)
    progress.observe(lambda change: seen.append(change["new"]["state"]), "_row")
    until(lambda: ended)
    assert [job.state for job in ended] == [State.DONE]
    assert (progress.job.state, progress.waiting, progress._row["state"]) == (State.DONE, False, "done")
    assert progress._row["card"] is None
    assert seen[-1] == "done"
    assert (progress._row["prompt"], progress._row["seed"], progress._row["emulated"]) == ("a koala", "7", True)


def test_waiting_is_stopped_and_taken_up_again_and_the_job_goes_on(make_client: MakeClient) -> None:
    settings = slow()
    client = make_client(**settings)
    ended: list[Job] = []
    progress = Progress(client.submit("a koala"), client, on_end=ended.append)
    until(lambda: progress.job.state is State.RUNNING)
    press(progress, "stop")
    until(lambda: not progress.waiting)
    assert progress.job.is_moving
    assert ended == []
    settings["clock"].advance(200)
    press(progress, "follow")
    assert progress.waiting
    until(lambda: ended)
    assert progress.job.state is State.DONE
    assert posts(client) == 1


def test_a_finished_job_needs_nobody_to_wait(make_client: MakeClient) -> None:
    client = make_client()
    clip = client.generate("a koala")
    progress = Progress(clip.job.id[:8], client)
    assert not progress.waiting
    assert progress._row["ended_ms"] >= progress._row["sent_ms"] >= progress._row["made_ms"]


def test_where_a_service_shows_how_far_it_is_the_line_shows_that_too(make_client: MakeClient) -> None:
    settings = slow()
    client = make_client(client_clock=ImpatientClock(), **settings)
    look = client.asynchronous.preview
    faults: list[VidnbError] = [StoreError("the database is away"), ConfigError("no key was found")]

    async def looked(job: Job) -> bytes | None:
        if faults:
            raise faults.pop()
        return await look(job)

    client.asynchronous.preview = looked  # type: ignore[method-assign]
    progress = Progress(client.submit("a koala", **LOCAL), client)
    said: list[tuple[str, Any, bytes]] = []
    progress.say = lambda kind, content=None, buffers=(): said.append((kind, content, *buffers))  # type: ignore[method-assign]
    until(lambda: progress.job.state is State.RUNNING)
    press(progress, "look")
    assert said == [], "nothing is to be seen while the model is loaded"
    settings["clock"].advance(50)
    until(lambda: said)
    until(lambda: "step 5 of 10" in progress._row["word"])
    kind, content, picture = said[0]
    assert (kind, content, picture[:2]) == ("preview", {"id": progress._row["id"]}, b"\xff\xd8")
    press(progress, "look")
    assert said[-1] == said[0], "a page that comes later has it at once"
    settings["clock"].advance(20)
    until(lambda: said[-1][-1] != picture)
    settings["clock"].advance(200)
    until(lambda: not progress.waiting)
    assert progress.job.state is State.DONE


def test_a_service_that_shows_nothing_is_not_asked(make_client: MakeClient) -> None:
    client = make_client()
    clip = client.generate("a koala", **ONEMIN)
    assert not client.asynchronous.has_preview(clip.job)
    assert loop.run_sync(client.asynchronous.preview(clip.job)) is None


# -- what to expect ----------------------------------------------------------------------------------------------------


def test_the_expectation_is_that_of_this_folder_and_unknown_without_clips(make_client: MakeClient) -> None:
    client = make_client()
    first = Progress(client.submit("a koala", seed=1), client)
    until(lambda: not first.waiting)
    assert first._row["expected"] is None
    second = Progress(client.submit("a koala", seed=2), client)
    until(lambda: second._row["expected"])
    expected = second._row["expected"]
    assert expected["count"] == 1
    assert expected["median_s"] == expected["p90_s"] > 0


def test_the_place_in_our_own_queue_is_counted_and_the_service_is_never_guessed(make_client: MakeClient) -> None:
    settings = slow()
    client = make_client(max_in_flight=1, **settings)
    lines = []
    for seed in range(4):
        lines.append(Progress(client.submit("a koala", seed=seed), client))
        until(lambda: client.jobs(state=["running", "queued"]))
    until(lambda: [line._row["ahead"] for line in lines[1:]] == [0, 1, 2])
    assert lines[0]._row["ahead"] is None
    press(lines[1], "cancel")
    until(lambda: [line._row["ahead"] for line in lines[2:]] == [0, 1])


# -- cancel ------------------------------------------------------------------------------------------------------------


def test_a_job_that_was_not_sent_is_dropped_for_nothing(make_client: MakeClient) -> None:
    client = make_client(max_in_flight=1, **slow())
    sent = Progress(client.submit("a koala", seed=1), client)
    until(lambda: sent.job.state is State.RUNNING)
    ended: list[Job] = []
    waiting = Progress(client.submit("a koala", seed=2), client, on_end=ended.append)
    assert waiting._row["can_cancel"]
    press(waiting, "cancel")
    until(lambda: waiting._row["state"] == "cancelled")
    until(lambda: not waiting.waiting)
    assert [job.state for job in ended] == [State.CANCELLED]
    assert waiting._row["card"]["headline"] == "Cancelled"
    assert posts(client) == 1


def test_a_sent_job_says_why_it_cannot_be_cancelled_and_goes_on(make_client: MakeClient) -> None:
    client = make_client(**slow())
    progress = Progress(client.submit("a koala"), client)
    until(lambda: progress.job.state is State.RUNNING)
    assert not progress._row["can_cancel"]
    assert "no way to cancel" in progress._row["cancel_note"]
    press(progress, "cancel")
    until(lambda: "cannot be taken back" in progress.problem)
    assert progress.job.state is State.RUNNING


# -- cards -------------------------------------------------------------------------------------------------------------


def test_a_failed_job_becomes_a_card_with_whose_fault_and_whether_it_was_charged(make_client: MakeClient) -> None:
    client = make_client(faults=["failed:1"])
    progress = Progress(client.submit(HOSTILE), client)
    until(lambda: progress._row["card"])
    card = progress._row["card"]
    facts = dict(card["facts"])
    assert (card["headline"], card["tone"]) == ("The service failed", "bad")
    assert {"At fault", "Charged", "What to do"} <= set(facts)
    assert "run the cell" not in str(facts)
    assert HOSTILE not in progress.saved_html()
    assert "Charged" in progress.saved_html()


def test_try_again_is_offered_to_who_asks_and_dismiss_is_heard(make_client: MakeClient) -> None:
    client = make_client(faults=["failed:1"])
    progress = Progress(client.submit("a koala"), client)
    until(lambda: progress.job.state is State.FAILED)
    assert not progress._can_retry
    heard: list[tuple[str, Job]] = []
    progress.on_retry(lambda job: heard.append(("retry", job)))
    progress.on_dismiss(lambda job: heard.append(("dismiss", job)))
    assert progress._can_retry
    press(progress, "retry")
    press(progress, "dismiss")
    assert heard == [("retry", progress.job), ("dismiss", progress.job)]
    assert progress.dismissed


def test_what_a_callback_raises_is_shown(make_client: MakeClient) -> None:
    client = make_client(faults=["failed:1"])
    progress = Progress(client.submit("a koala"), client)
    until(lambda: progress.job.state is State.FAILED)

    def broken(_: Job) -> None:
        raise RuntimeError(HOSTILE)

    progress.on_retry(broken)
    press(progress, "retry")
    assert progress.problem == f"RuntimeError: {HOSTILE}"


# -- another job -------------------------------------------------------------------------------------------------------


def test_another_job_takes_the_line_over_and_nothing_of_the_first_is_left(make_client: MakeClient) -> None:
    client = make_client(faults=["failed:1"])
    ended: list[Job] = []
    progress = Progress(client.submit("a koala"), client, on_end=ended.append)
    until(lambda: ended)  # a line that is given to another job before that hears of the first no more
    press(progress, "dismiss")
    progress.job = second = client.submit("a fox")
    until(lambda: len(ended) == 2)
    assert [job.prompt for job in ended] == ["a koala", "a fox"]
    assert (progress.job.id, progress._row["card"], progress.dismissed) == (second.id, None, False)


def test_a_line_given_to_another_job_no_longer_hears_of_the_first(make_client: MakeClient) -> None:
    client = make_client(latency_s=100, clock=(clock := VirtualClock()))
    ended: list[Job] = []
    progress = Progress(client.submit("a koala"), client, on_end=ended.append)
    first = progress.job
    until(lambda: progress.job.state is State.RUNNING)
    progress.job = second = client.submit("a fox")
    until(lambda: progress.job.state is State.RUNNING and progress.waiting)
    clock.advance(1000)
    until(lambda: client.job(first).is_terminal and ended)
    assert [job.id for job in ended] == [second.id]


def test_a_press_meant_for_the_job_before_does_nothing_to_the_next(make_client: MakeClient) -> None:
    client = make_client(**slow(), max_in_flight=1)
    client.submit("one that runs")
    progress = Progress(client.submit("a koala"), client)
    before = progress._row["id"]
    progress.job = client.submit("a fox")
    press(progress, "cancel", id=before)
    press(progress, "cancel")
    until(lambda: progress.job.state is State.CANCELLED)
    assert [job.prompt for job in client.jobs(state="cancelled")] == ["a fox"]


# -- ambiguous jobs ----------------------------------------------------------------------------------------------------


def ambiguous(client: Client, **values: Any) -> Progress:
    progress = Progress(client.submit("a koala", **values), client)
    until(lambda: progress.job.state is State.AMBIGUOUS and not progress.waiting)
    return progress


def test_an_ambiguous_job_asks_and_a_look_that_finds_nothing_says_so(make_client: MakeClient) -> None:
    progress = ambiguous(make_client(faults=["reset:submit:1"]))
    assert progress._row["card"]["headline"] == "Nobody knows whether the service has this job"
    assert progress._row["has_list"]
    press(progress, "reconcile")
    until(lambda: "does not settle it" in progress._note)
    assert progress.job.state is State.AMBIGUOUS


def test_a_job_that_is_found_in_the_list_goes_on_to_its_clip(make_client: MakeClient) -> None:
    client = make_client(faults=["lost_reply:1", "bad_key:list:1"])  # the engine's own look fails
    job = client.submit("a koala")
    until(lambda: client.job(job).state is State.AMBIGUOUS)
    progress = Progress(job, client, follow=False)  # to wait for it would look once more, and find it
    press(progress, "reconcile")
    until(lambda: progress.job.state is State.DONE)
    assert posts(client) == 1


def test_send_again_posts_once_more_and_give_up_never(make_client: MakeClient) -> None:
    client = make_client(faults=["lost_reply:2"])
    again, lost = ambiguous(client, **ONEMIN), ambiguous(client, **ONEMIN, take=1)
    assert not again._row["has_list"]
    press(again, "settle", how="send_again")
    until(lambda: again.job.state is State.DONE)
    press(lost, "settle", how="give_up")
    until(lambda: lost._row["state"] == "cancelled")
    assert posts(client) == 3


def test_an_id_from_the_web_app_takes_the_job_up(make_client: MakeClient) -> None:
    client = make_client(faults=["lost_reply:1"])
    progress = ambiguous(client, **ONEMIN)
    press(progress, "settle", remote_id="")
    until(lambda: "say either" in progress.problem)
    press(progress, "settle", remote_id=HOSTILE)
    until(lambda: "is no id of a job" in progress.problem)
    assert progress.job.state is State.AMBIGUOUS
    (made,) = client.asynchronous.emulator.state.jobs_of("1min", account_id(f"1min team {EMULATOR_KEY}"))
    press(progress, "settle", remote_id=made.id)
    until(lambda: progress.job.remote_id == made.id)
    assert progress.job.state is not State.AMBIGUOUS


# -- what the page is told ---------------------------------------------------------------------------------------------


def test_only_text_and_numbers_reach_the_page(make_client: MakeClient) -> None:
    client = make_client(**slow())
    progress = Progress(client.submit(HOSTILE * 100, seed=2147483637), client)
    until(lambda: progress.job.state is State.RUNNING)
    row = progress._row
    assert len(row["prompt"]) <= 400
    assert row["seed"] == "2147483637"
    assert row.pop("marks") == ["EMULATED"]
    assert {type(value) for value in row.values()} <= {str, int, bool, dict, type(None)}


def test_a_provider_that_is_not_installed_here_is_no_error(make_client: MakeClient) -> None:
    client = make_client()
    job = client.generate("a koala").job
    gone = replace(job, provider="gone", state=State.RUNNING)
    assert abilities(gone) == Abilities("gone")


def test_the_row_is_sent_again_only_when_it_says_something_new(make_client: MakeClient) -> None:
    client = make_client(**slow())
    progress = Progress(client.submit("a koala"), client)
    until(lambda: progress._row["state"] == "running")  # the row is drawn a moment after the job has moved
    told = progress._row
    time.sleep(0.002)
    progress._draw()
    assert progress._row is told
    progress.job = replace(progress.job, submitted_at=datetime.now(UTC) + timedelta(seconds=1))
    assert progress._row is not told
