"""The studio pays once for a recipe, keeps to its cap, shows every job to its end, and never keeps a person waiting."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from clocks import ImpatientClock
from fakes import CANARY, LiveNames, short_rest
from ipywidgets.widgets.widget import _instances
from waiting import PATIENCE_S, until

from vidnb import catalog
from vidnb.client import loop
from vidnb.client.verbs import Client
from vidnb.clip import Clip
from vidnb.emulator import Emulator, Fault, StreamingASGITransport, VirtualClock
from vidnb.errors import BudgetError, ConfigError, ParamsError, UnknownPriceError
from vidnb.records import Cost, Job, Quote, State
from vidnb.widgets import Progress, Studio
from vidnb.widgets.player import Pressed
from vidnb.widgets.prices import total

HOSTILE = "<img src=x onerror=alert(1)>"
MakeClient = Callable[..., Client]


def wait(studio: Studio, job: Job) -> Clip:
    """The job's clip."""
    return loop.run_sync(studio._client.wait(job))


def posts(client: Client) -> int:
    """How many jobs the emulated services were asked to make."""
    return int(client.asynchronous.emulator.stats()["jobs"])


def lines(studio: Studio) -> list[Progress]:
    return list(studio.jobs.children)


def press(studio: Studio, **content: Any) -> None:
    """The page sends what a click on Generate (or `fresh=True`: on Next take) sends."""
    studio.bar._received(studio.bar, {"kind": "generate", **content}, [])


def press_on(line: Progress, kind: str) -> None:
    """A button of a job's line was pressed."""
    line._received(line, {"kind": kind, "id": line._row["id"]}, [])


def with_a_clip(make_client: MakeClient) -> tuple[Studio, Clip]:
    """A studio that has made a clip, and that; the form has the values for another one."""
    studio = Studio(client=make_client(), params={"prompt": "a koala", "seed": 1})
    first = wait(studio, studio.generate())
    until(lambda: studio.clip)
    studio.params = {**studio.params, "seed": 2}
    return studio, first


def act(studio: Studio, name: str) -> None:
    """A button of the player was pressed, on the clip that is seen in it."""
    player = studio.player
    # The player follows the studio a moment later: whoever sets the clip is another thread.
    until(lambda: studio.clip is not None and player.clip == studio.clip)
    clip = player.clip
    assert clip is not None
    player._received(player, {"kind": "action", "name": name, "id": clip.job.id, "time_s": player.time_s}, [])


def about(studio: Studio) -> str:
    return " ".join(line["text"] for line in studio.picker.about)


# -- jobs --------------------------------------------------------------------------------------------------------------


def test_generate_gives_a_job_at_once_and_its_clip_comes_by_itself(make_client: MakeClient) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala", "seed": 7})
    job = studio.generate()
    assert not job.is_terminal
    assert [line.job.id for line in lines(studio)] == [job.id]
    until(lambda: studio.clip)
    assert studio.clip.job.id == studio.player.clip.job.id == studio.clips[0].job.id
    assert (studio.clips[0].job.id, studio.clips[0].seed) == (job.id, 7)
    until(lambda: lines(studio) == [])


def test_clicking_twice_pays_once_and_a_next_take_pays_again(make_client: MakeClient) -> None:
    client = make_client()
    studio = Studio(client=client, params={"prompt": "a koala", "seed": 7})
    press(studio)
    press(studio)
    until(lambda: studio.clips)
    press(studio)
    until(lambda: "made before" in studio.bar.note)
    assert posts(client) == 1
    press(studio, fresh=True)
    until(lambda: len(studio.clips) == 2)
    assert posts(client) == 2
    assert {clip.job.take for clip in studio.clips} == {0, 1}


def test_each_press_with_an_open_seed_is_a_new_clip_and_code_finds_the_first(make_client: MakeClient) -> None:
    client = make_client()
    studio = Studio(client=client, params={"prompt": "a koala"})
    assert studio.bar.makes == "new seed"
    press(studio)
    until(lambda: len(studio.clips) == 1)
    until(lambda: studio.bar.quote is not None and "made before" not in studio.bar.quote.why)
    press(studio)
    until(lambda: len(studio.clips) == 2)
    assert len({clip.seed for clip in studio.clips}) == 2
    assert studio.generate().id in {clip.job.id for clip in studio.clips}
    assert posts(client) == 2
    studio.params = {**studio.params, "seed": studio.clips[0].seed}
    assert studio.bar.makes == f"seed {studio.clips[0].seed}"
    press(studio)
    until(lambda: "made before" in studio.bar.note)
    assert posts(client) == 2


def test_without_a_seed_each_press_is_the_next_take(make_client: MakeClient) -> None:
    studio = Studio("1min/luma", client=make_client(), params={"prompt": "a koala"})
    assert studio.bar.makes == "next take"
    press(studio)
    until(lambda: len(studio.clips) == 1)
    press(studio)
    until(lambda: len(studio.clips) == 2)
    assert {clip.job.take for clip in studio.clips} == {0, 1}


def test_another_value_takes_the_note_on_the_old_recipe_away(make_client: MakeClient) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala"})
    studio.generate()
    until(lambda: studio.clips)
    studio.generate()
    assert "made before" in studio.bar.note
    studio.params = {**studio.params, "seed": 3}
    assert studio.bar.note == ""


def test_many_jobs_run_at_once_and_the_newest_clip_comes_first(make_client: MakeClient) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala"})
    jobs = []
    for seed in range(8):
        studio.params = {**studio.params, "seed": seed}
        jobs.append(studio.generate().id)
    until(lambda: len(studio.clips) == 8)
    assert set(jobs) == {clip.job.id for clip in studio.clips}
    until(lambda: studio.clip.job.id == studio.clips[0].job.id)
    saved = studio.saved_html()
    assert saved.count("<img") + saved.count("<video") == 6


def test_a_clip_that_was_picked_stays_when_another_arrives(make_client: MakeClient) -> None:
    studio, first = with_a_clip(make_client)
    studio.generate()
    studio.recent.clip = first
    until(lambda: len(studio.clips) == 2)
    assert studio.clip is not None
    assert studio.clip.job.id == first.job.id


def test_a_new_clip_takes_no_words_that_are_typed_about_another_one(make_client: MakeClient) -> None:
    studio, first = with_a_clip(make_client)
    studio.player.engaged = True
    studio.generate()
    until(lambda: "first among the recent" in studio.bar.note)
    assert studio.clip is not None
    assert studio.clip.job.id == first.job.id
    assert len(studio.clips) == 2
    studio.player.engaged = False
    assert studio.clip.job.id == studio.clips[0].job.id, "it waited"
    assert studio.player.autoplay
    assert studio.bar.note == ""


def test_a_clip_that_waits_does_not_take_the_place_of_one_that_was_picked_meanwhile(make_client: MakeClient) -> None:
    studio, first = with_a_clip(make_client)
    studio.player.engaged = True
    studio.generate()
    until(lambda: "first among the recent" in studio.bar.note)
    studio.recent.clip = first
    studio.player.engaged = False
    assert studio.clip is not None
    assert studio.clip.job.id == first.job.id


def test_the_strip_marks_the_clip_that_is_in_the_player(make_client: MakeClient) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala", "seed": 1})
    first = wait(studio, studio.generate())
    until(lambda: studio.clip)
    studio.recent.clip = first
    studio.params = {**studio.params, "seed": 2}
    press(studio)
    until(lambda: studio.clip.job.id != first.job.id)
    until(lambda: studio.recent._chosen == studio.clip.job.id)
    assert studio.recent.clip is first


def test_a_new_kernel_shows_the_jobs_of_the_old_one_and_its_clips(make_client: MakeClient) -> None:
    clock = VirtualClock()
    client = make_client(latency_s=100, clock=clock)
    job = client.submit("a koala", seed=1)
    until(lambda: client.job(job).state in (State.QUEUED, State.RUNNING))
    client.stop_waiting(job)
    studio = Studio(client=client)
    until(lambda: [line.job.id for line in lines(studio)] == [job.id])
    clock.advance(200)
    until(lambda: studio.clip is not None and studio.clip.job.id == job.id)
    later = Studio(client=client)
    until(lambda: later.clip is not None and later.clip.job.id == job.id)
    assert later.clips == ()
    assert "koala" in later.saved_html()


def test_what_an_earlier_kernel_never_sent_is_sent_on_a_persons_word_only(
    make_client: MakeClient, tmp_path: Path
) -> None:
    first = make_client(latency_s=100, clock=VirtualClock())
    with Client(tmp_path / "data", emulator=first.asynchronous.emulator, max_in_flight=1) as dead:
        jobs = [dead.submit("a koala", seed=seed) for seed in range(3)]
        until(lambda: posts(first) == 1)
    studio = Studio(client=first, budget_usd=0.01)
    until(lambda: len(lines(studio)) == 3)
    unsent = [line for line in lines(studio) if line.job.state is State.INTENDED]
    assert [line.waiting for line in unsent] == [False, False]
    until(lambda: all(line.waiting for line in lines(studio) if line not in unsent))
    assert posts(first) == 1
    press_on(unsent[0], "follow")
    until(lambda: posts(first) == 2)
    assert {job.id for job in jobs} == {line.job.id for line in lines(studio)}


def test_a_failed_job_becomes_an_error_card_and_leaves_its_take_free(make_client: MakeClient) -> None:
    studio = Studio(client=make_client(faults=["failed:1"]), params={"prompt": HOSTILE})
    job = studio.generate()
    until(lambda: lines(studio) and lines(studio)[0].job.state is State.FAILED)
    assert studio.clips == ()
    assert studio.generate().id != job.id


@pytest.mark.parametrize("name", ["model", "take", "fresh", "unsupported"])
def test_what_submit_takes_besides_params_is_no_param_of_the_form(make_client: MakeClient, name: str) -> None:
    client = make_client()
    studio = Studio(client=client, params={"prompt": "a koala", name: 3})
    with pytest.raises(ParamsError, match=name):
        studio.generate()
    press(studio)
    until(lambda: name in studio.bar.note)
    assert posts(client) == 0


def test_generate_anyway_is_about_the_click_that_was_asked_about(make_paying: MakeClient) -> None:
    client = make_paying()
    studio = Studio(client=client, params={"prompt": "a koala", "seed": 7}, budget_usd=100)
    press(studio, fresh=True)
    until(lambda: studio.bar.ask)
    press(studio, fresh=False, anyway=True)
    until(lambda: studio.clips)
    press(studio, fresh=False)
    until(lambda: "made before" in studio.bar.note)  # costs nothing, so nothing is asked
    assert posts(client) == 1


def test_lines_are_used_again_so_that_many_clips_do_not_fill_the_page(make_client: MakeClient) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala"})
    until(lambda: studio.bar.folder is not None)
    used = set()
    for seed in range(4):
        studio.params = {"prompt": "a koala", "seed": seed}
        studio.generate()
        used |= {line.model_id for line in lines(studio)}
        until(lambda seed=seed: len(studio.clips) == seed + 1 and not lines(studio))
    assert len(used) <= 1


def test_a_failed_take_is_tried_again_as_that_take(make_client: MakeClient) -> None:
    client = make_client(faults=[Fault("failed", after=1, times=1)])
    studio = Studio(client=client, params={"prompt": "a koala", "seed": 7})
    studio.generate()
    until(lambda: len(studio.clips) == 1)
    studio.generate(fresh=True)
    until(lambda: lines(studio) and lines(studio)[0].job.state is State.FAILED)
    line = lines(studio)[0]
    press_on(line, "retry")
    until(lambda: len(studio.clips) == 2)
    assert [clip.job.take for clip in studio.clips] == [1, 0]


def test_a_failed_job_is_tried_again_or_put_away_on_its_card(make_client: MakeClient) -> None:
    client = make_client(faults=["failed:2"])
    studio = Studio(client=client, params={"prompt": "a koala", "seed": 7})
    for gesture in ("dismiss", "retry"):
        studio.generate()
        until(lambda: lines(studio) and lines(studio)[0].job.state is State.FAILED)
        studio.params = {"prompt": "something else"}
        line = lines(studio)[0]
        press_on(line, gesture)
        until(lambda line=line: line not in lines(studio) or line.job.state is not State.FAILED)
        studio.params = {"prompt": "a koala", "seed": 7}
    until(lambda: studio.clips)
    assert studio.clips[0].prompt == "a koala"
    assert posts(client) == 3


def test_a_missing_key_is_said_before_and_after_the_click(tmp_path: Path) -> None:
    with Client(tmp_path, live=True) as client:
        studio = Studio(client=client, params={"prompt": "a koala"})
        assert "LEONARDO_API_KEY" in about(studio)
        press(studio)
        until(lambda: "LEONARDO_API_KEY" in studio.bar.problem)
        with pytest.raises(ConfigError):
            studio.generate()


def test_a_bad_value_is_said_in_the_form_and_nothing_is_sent(make_client: MakeClient) -> None:
    client = make_client()
    studio = Studio(client=client, params={"prompt": "a koala", "seed": HOSTILE})
    press(studio)
    until(lambda: "seed" in studio.bar.note)
    assert posts(client) == 0
    with pytest.raises(ParamsError, match="seed"):
        studio.generate()


def test_a_rating_given_in_the_player_reaches_the_tile_and_the_clips(make_client: MakeClient) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala", "seed": 7})
    studio.generate()
    until(lambda: studio.clip is not None and studio.player.price)
    studio.player.heard_annotate({"id": studio.clip.job.id, "rating": 4}, [])
    until(lambda: [one["rating"] for one in studio.recent._first] == [4])
    assert [clip.rating for clip in studio.clips] == [4]
    assert studio.player.price


def test_a_cell_that_is_run_again_closes_the_studio_it_showed_before(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, at = make_client(), ["", ""]
    monkeypatch.setattr("vidnb.widgets.cells.running_cell", lambda: None if at == ["", ""] else (at[0], at[1]))

    def shown(cell: str, run: str, studio: Studio | None = None) -> Studio:
        at[:] = [cell, run]
        studio = studio or Studio(client=client)
        studio._ipython_display_()
        return studio

    one, two = shown("a", "1"), shown("a", "1")
    other, unknown = shown("b", "2"), shown("", "")
    assert all(studio.comm for studio in (one, two))  # two in one run of a cell
    shown("c", "3", one)
    three = shown("a", "4")
    assert not two.comm
    assert shown("a", "5", three).comm  # the same once more
    made_before = shown("d", "6", three)
    shown("d", "7")
    kept = (one, made_before, other, unknown)  # shown in another cell too, made in another one, or nobody knows where
    assert all(studio.comm for studio in kept)
    for studio in kept:
        studio.close()


def test_closing_frees_all_that_the_studio_made_and_the_job_goes_on(make_client: MakeClient) -> None:
    clock = VirtualClock()
    client = make_client(latency_s=100, clock=clock)
    before = set(_instances)
    studio = Studio(client=client, params={"prompt": "a koala"})
    job = studio.generate()
    line = lines(studio)[0]
    studio.close()
    studio.close()
    assert set(_instances) == before
    until(lambda: not line.waiting)
    until(lambda: client.job(job).state is State.RUNNING)  # a clip is late by the time since its submit
    clock.advance(200)
    assert client.wait(job).job.id == job.id
    assert studio.clips == ()


def test_a_closed_studio_makes_no_line_for_a_job_that_comes_late(make_client: MakeClient) -> None:
    client = make_client(latency_s=100, clock=VirtualClock())
    before = set(_instances)
    studio = Studio(client=client, params={"prompt": "a koala"})
    studio.close()
    studio.generate()
    assert set(_instances) == before


# -- several at once, and in several places ----------------------------------------------------------------------------


def test_one_press_makes_four_seeds_at_one_price(make_client: MakeClient) -> None:
    client = make_client()
    studio = Studio(client=client, params={"prompt": "a koala", "seed": 7})
    studio.bar.count = 4
    until(lambda: studio.bar.quote is not None)
    assert studio.bar.makes == "4 seeds, 7 to 10"
    press(studio, count=4)
    until(lambda: len(studio.clips) == 4)
    assert sorted(clip.seed for clip in studio.clips) == [7, 8, 9, 10]
    studio.params = {"prompt": "a koala"}
    assert studio.bar.makes == "4 new seeds"
    press(studio, count=2)
    until(lambda: len(studio.clips) == 6)
    assert len({clip.seed for clip in studio.clips}) == 6
    assert posts(client) == 6
    studio.params = {"prompt": "a koala", "seed": 2**40}  # it is refused, so the button counts on from none of it
    assert studio.bar.makes == f"seed {2**40}"


def test_the_price_of_several_is_their_sum_and_no_surer_than_the_least_sure() -> None:
    sure, about = Quote(Cost(0.5, "USD"), "exact", "as charged"), Quote(Cost(0.25, "USD"), "estimate", "published")
    assert total([sure, sure]).words == "$1.00"
    assert total([sure, about]).words == "about $0.75"
    assert total([sure, Quote(None, "unknown", "nobody knows")]).words == "price unknown"
    assert total([Quote(Cost(0, "USD"), "exact", "made before"), about]).words == "about $0.25"


def test_a_cap_that_is_reached_among_several_says_how_many_were_sent(paying: Client) -> None:
    client = paying
    studio = Studio(CREDITS, client=client, params={"prompt": "a koala"}, budget_credits=2_500_000)
    until(lambda: studio._caps.is_read)
    press(studio, count=4)
    until(lambda: "clips were sent, and no more" in studio.bar.problem)
    sent = int(studio.bar.problem.split()[0])
    assert 0 < sent < 4
    until(lambda: posts(client) == sent)


def test_a_clip_of_another_kernel_is_offered_here_too(make_client: MakeClient) -> None:
    here, there = make_client(client_clock=ImpatientClock()), make_client()
    studio = Studio(client=here)
    until(lambda: studio.recent._list > 0)
    clip = there.generate("a koala", seed=3)
    until(lambda: studio.recent.count == 1)
    until(lambda: [one.job.id for one in studio.form.clips] == [clip.job.id])
    there.annotate(clip, rating=4)
    until(lambda: studio.recent._first[0]["rating"] == 4)
    studio.close()


def test_a_clip_that_another_kernel_puts_into_the_trash_is_shown_no_more_and_comes_back(
    make_client: MakeClient,
) -> None:
    here, there = make_client(client_clock=ImpatientClock()), make_client()
    clips = [there.generate("a koala", seed=seed) for seed in range(2)]
    studio = Studio(client=here)
    until(lambda: studio.recent.count == 2 and studio.clip is not None)
    studio.recent.selected = tuple(clips)
    there.history(seed=1).trash()  # the one in the player
    until(lambda: studio.recent.count == 1 and studio.clip is not None and studio.clip.seed == 0)
    assert [clip.seed for clip in (*studio.form.clips, *studio.recent.selected)] == [0, 0]
    there.history(trashed=True).restore()
    until(lambda: studio.recent.count == 2 and len(studio.form.clips) == 2)
    assert [one["id"] for one in studio.recent._first] == [clip.job.id for clip in reversed(clips)]
    studio.close()


# -- choosing ----------------------------------------------------------------------------------------------------------


def test_the_emulator_and_retired_models_are_announced(make_client: MakeClient) -> None:
    studio = Studio(client=make_client())
    assert "EMULATED" in about(studio)
    studio.model = "leonardo/VEO3"
    assert "Out of service since 2026-06-29" in about(studio)


def test_studio_picker_and_form_have_one_model(make_client: MakeClient) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala"})
    studio.picker.model = "1min/luma"
    assert studio.model == studio.form.model.id == "1min/luma"
    assert studio.params["prompt"] == "a koala"
    studio.model = "leonardo/motion_2.0"
    assert studio.picker.model == "leonardo/motion_2.0"
    with pytest.raises(ConfigError):
        studio.model = "leonardo/nothing"
    assert studio.model == "leonardo/motion_2.0"


def test_a_model_that_is_set_on_the_form_is_the_one_that_is_paid(make_client: MakeClient) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala"})
    studio.form.model = "1min/luma"
    assert studio.model == studio.picker.model == "1min/luma"
    assert studio.generate().model == "1min/luma"


def test_params_of_studio_and_form_are_one(make_client: MakeClient) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala"})
    heard: list[Any] = []
    studio.observe(lambda change: heard.append(change["new"]), "params")
    assert studio.params == studio.form.params
    studio.form.params = {**studio.form.params, "seed": 7}
    assert studio.params["seed"] == 7
    studio.params = {"prompt": "a cat"}
    assert studio.form.params == studio.params
    assert "seed" not in studio.params
    assert len(heard) == 2


def test_what_an_observer_of_params_assigns_reaches_the_form(make_client: MakeClient) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala"})

    def correct(change: Any) -> None:
        if change["new"]["prompt"] == "a kaola":
            studio.params = {**change["new"], "prompt": "a koala"}

    studio.observe(correct, "params")
    studio.form.params = {"prompt": "a kaola"}
    assert studio.params["prompt"] == studio.form.params["prompt"] == "a koala"


def test_what_another_thread_assigns_while_the_form_changes_is_not_lost(make_client: MakeClient) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala"})

    def assign(_: Any) -> None:
        studio.unobserve(assign, "params")
        other = threading.Thread(target=lambda: setattr(studio, "params", {"prompt": "a cat"}))
        other.start()
        other.join(PATIENCE_S)

    studio.observe(assign, "params")
    studio.form.params = {**studio.form.params, "seed": 7}
    assert studio.params["prompt"] == studio.form.params["prompt"] == "a cat"


def test_an_observer_of_params_may_generate(make_client: MakeClient) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala"})
    studio.observe(lambda _: studio.generate(), "params")
    studio.params = {"prompt": "a cat"}
    studio.form.params = {**studio.form.params, "seed": 7}
    until(lambda: len(studio.clips) == 2)


# -- going on from a clip ----------------------------------------------------------------------------------------------


def test_remix_takes_the_whole_recipe_up_and_generate_then_finds_the_same_job(make_client: MakeClient) -> None:
    client = make_client()
    first = client.generate("a koala", seed=3, resolution="720p", aspect_ratio="9:16", motion_control="Dolly In")
    studio = Studio("1min/luma", client=client)
    until(lambda: studio.clip)
    act(studio, "remix")
    until(lambda: studio.model == first.model)
    until(lambda: studio.params.get("seed") == 3)
    assert studio.generate().id == first.job.id


def test_vary_changes_the_seed_only_and_next_take_the_take_only(make_client: MakeClient) -> None:
    client = make_client()
    first = client.generate("a koala", seed=3)
    studio = Studio(client=client)
    until(lambda: studio.clip)
    act(studio, "vary")
    until(lambda: len(studio.clips) == 1 and studio.clip.job.id == studio.clips[0].job.id)
    varied = studio.clips[0]
    assert varied.seed != 3
    assert {**varied.params, "seed": 3} == first.params
    act(studio, "take")
    until(lambda: len(studio.clips) == 2)
    assert (studio.clips[0].params, studio.clips[0].job.take) == (varied.params, 1)


def test_what_was_pressed_is_done_to_the_clip_that_was_shown_whatever_came_since(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client()
    first, second = (client.generate("a koala", seed=seed) for seed in (3, 4))
    studio = Studio(client=client)
    until(lambda: studio.clip)
    studio.clip = first
    taken: list[int | None] = []

    async def again(wanted: Any) -> None:
        taken.append(wanted.values["seed"] if wanted.fresh else None)

    monkeypatch.setattr(studio, "_again", again)
    monkeypatch.setattr(studio, "remix", lambda clip: taken.append(clip.seed))

    def switch(pressed: Pressed) -> None:
        """As another thread would, between the player's look and the studio's."""
        if studio.clip == first:
            studio.clip = second

    studio.player.on_action(studio._acted, remove=True)
    studio.player.on_action(switch)
    studio.player.on_action(studio._acted)
    for name in ("take", "remix"):
        studio.clip = first
        act(studio, name)
        assert studio.clip == second
    until(lambda: len(taken) == 2)
    assert taken == [3, 3]


def test_a_frame_becomes_the_start_image_where_the_model_takes_one(make_client: MakeClient) -> None:
    client = make_client()
    client.generate("a koala", seed=3)
    studio = Studio("leonardo/grok-imagine-1.5", client=client)
    until(lambda: studio.clip)
    act(studio, "start_frame")
    until(lambda: "start_image" in studio.params)
    [told] = studio.form._given["start_image"][1]
    assert told["name"] == f"frame at 0.00 s of job {studio.clip.job.id[:8]}"


def test_the_player_offers_its_frames_only_as_what_the_forms_model_takes(make_client: MakeClient) -> None:
    client = make_client()
    client.generate("a koala", seed=3)
    studio = Studio("1min/luma", client=client)
    until(lambda: studio.clip)
    assert studio.player.unavailable == {}
    studio.model = "leonardo/VEO3"
    assert set(studio.player.unavailable) == {"end_frame"}
    why = studio.player.unavailable["end_frame"]
    assert why.startswith("Veo 3 takes no end image. These do: Veo 3.1, ")
    act(studio, "end_frame")
    assert studio.player.problem == why
    studio.model = "1min/luma"
    assert studio.player.unavailable == {}


def test_a_frame_that_comes_after_the_model_changed_is_not_taken(make_client: MakeClient) -> None:
    client = make_client()
    clip = client.generate("a koala", seed=3)
    studio = Studio("leonardo/VEO3", client=client)
    studio._acted(Pressed("end_frame", clip, 0.0))
    until(lambda: "takes no end image" in studio.bar.note)
    assert "end_image" not in studio.params


# -- what it costs -----------------------------------------------------------------------------------------------------


@pytest.fixture
def dear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clip of leonardo/motion_2.0 costs exactly 45 cents."""
    own = tmp_path / "dear.toml"
    price = 'price = {amount = 0.45, unit = "USD", basis = "clip", confidence = "exact"}'
    own.write_text(f'provider = "leonardo"\napi = "v2"\n[models."motion_2.0"]\n{price}\n', encoding="utf-8")
    monkeypatch.setenv("VIDNB_CATALOG", str(own))
    catalog.load.cache_clear()
    yield
    monkeypatch.undo()
    catalog.load.cache_clear()


def test_the_price_is_on_the_button_before_anything_is_spent(make_client: MakeClient) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala"})
    until(lambda: studio.bar.quote is not None)
    assert studio.bar.quote.certainty == "exact"
    assert studio.bar._price["text"] == "free"
    assert "emulat" in studio.bar.quote.why


def test_the_price_follows_a_list_of_prices_that_comes_late(tmp_path: Path) -> None:
    listed, sku = threading.Event(), {"duration_seconds": "0.5"}

    class Late(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            assert request.url.path.endswith("/videos/models")
            await asyncio.to_thread(listed.wait)
            return httpx.Response(200, json={"data": [{"id": "x-ai/grok-imagine-video", "pricing_skus": sku}]})

    values = {"resolution": "480p", "duration_s": 4}
    with Client(tmp_path / "own", keys={"openrouter": CANARY}, transport=Late()) as client:
        try:
            params = {"prompt": "a koala", **values}
            studio = Studio("openrouter/x-ai/grok-imagine-video", client=client, params=params)
            until(lambda: studio.bar.quote is not None)
            assert studio.bar.quote.cost == Cost(0.2, "USD")
        finally:
            listed.set()
        until(lambda: studio.bar.quote.cost == Cost(2.0, "USD"))
        assert "its service's list of" in studio.bar.quote.why


@pytest.mark.usefixtures("dear")
def test_the_cap_is_kept_to_the_cent_in_every_kernel(make_client: MakeClient) -> None:
    client = make_client()
    studio = Studio(client=client, params={"prompt": "a koala"}, budget_usd=0.9)
    for _ in range(2):
        studio.generate(fresh=True)
    other = Studio(client=make_client(), params={"prompt": "a cat"})  # as in another kernel
    with pytest.raises(BudgetError, match=r"\$0\.45 more would pass the cap of \$0\.90 of the purse 'studio'"):
        other.generate()
    assert other.budget_usd == 0.9
    press(studio, fresh=True)
    until(lambda: "cap" in studio.bar.problem)
    until(lambda: len(studio.clips) == 2)
    assert posts(client) == 2
    studio.budget_usd = 1.35
    studio.generate(fresh=True)
    until(lambda: len(studio.clips) == 3)
    assert posts(client) == 3


CREDITS = "1min/pika"
"""Its service never says what a clip costs; the catalogue has 600,000 credits."""


@pytest.fixture
def make_paying(tmp_path: Path) -> Iterator[MakeClient]:
    """`make_paying(**settings)`: a client with keys; an emulator of these settings stands in for the live services."""
    made: list[Client] = []
    emulators: list[Emulator] = []

    def make(max_in_flight: int | None = None, **settings: Any) -> Client:
        if settings or not emulators:
            emulators.append(Emulator(tmp_path / "emulator", **{"latency_s": 0.05, **settings}))
        below = LiveNames(StreamingASGITransport(emulators[-1].app))
        client = Client(
            tmp_path / "data", keys={"leonardo": CANARY, "1min": CANARY}, emulator=emulators[-1], transport=below,
            sleep=short_rest, max_in_flight=max_in_flight,
        )  # fmt: skip
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()
    for emulator in emulators:
        emulator.close()


@pytest.fixture
def paying(make_paying: MakeClient) -> Client:
    return make_paying()


def test_trying_a_failed_take_again_does_not_pass_the_cap_and_keeps_its_card(make_paying: MakeClient) -> None:
    client = make_paying(faults=[Fault("failed", after=1, times=1)])
    studio = Studio(CREDITS, client=client, params={"prompt": "a koala"}, budget_credits=1_600_000)
    studio.generate()
    until(lambda: len(studio.clips) == 1)
    studio.generate(fresh=True)
    until(lambda: lines(studio) and lines(studio)[0].job.state is State.FAILED)
    (line,) = lines(studio)  # nobody knows whether it was charged, so it counts
    press_on(line, "retry")
    until(lambda: "cap" in line.problem)
    assert (lines(studio), posts(client)) == ([line], 2)
    studio.budget_credits = 2_400_000
    press_on(line, "retry")
    until(lambda: [clip.job.take for clip in studio.clips] == [1, 0])


def test_generate_anyway_sends_the_job_that_was_asked_about(make_paying: MakeClient) -> None:
    client = make_paying(faults=["failed:1"])
    studio = Studio(client=client, params={"prompt": "a koala", "seed": 7})
    studio.generate()
    until(lambda: lines(studio) and lines(studio)[0].job.state is State.FAILED)
    studio.budget_usd = 1
    studio.params = {"prompt": "something else"}
    (line,) = lines(studio)
    press_on(line, "retry")
    until(lambda: studio.bar.ask.startswith(f"Job {line.job.id[:8]}"))
    press(studio, anyway=True)
    until(lambda: [clip.prompt for clip in studio.clips] == ["a koala"])
    assert client.jobs(prompt="something else") == []


def test_an_unsent_job_from_before_the_ledger_is_paid_within_the_cap(make_paying: MakeClient, tmp_path: Path) -> None:
    client = make_paying(latency_s=100, clock=VirtualClock())
    with make_paying(max_in_flight=1) as dead:
        jobs = [dead.submit(prompt, model=CREDITS) for prompt in ("one", "two")]
        until(lambda: posts(client) == 1)
    with closing(sqlite3.connect(tmp_path / "data/vidnb.db")) as database:  # as an older vidnb wrote it
        database.execute("DELETE FROM reservations WHERE job_id = ?", [jobs[1].id])
        database.commit()
    client.budget(credits={"1min": 1_900_000})  # two reservations are in the folder's purse
    studio = Studio(CREDITS, client=client, params={"prompt": "two"})
    until(lambda: len(lines(studio)) == 2)
    (line,) = (line for line in lines(studio) if line.job.id == jobs[1].id)
    press_on(line, "follow")
    until(lambda: "cap" in line.problem)
    assert posts(client) == 1
    client.budget(credits={"1min": 2_700_000})
    press_on(line, "follow")
    until(lambda: posts(client) == 2)


def test_what_is_set_aside_for_a_job_that_is_dropped_again_is_free_for_others(make_paying: MakeClient) -> None:
    client = make_paying(latency_s=100, clock=VirtualClock(), max_in_flight=1)
    with make_paying(max_in_flight=1) as dead:
        jobs = [dead.submit(prompt, model=CREDITS, purse="studio") for prompt in ("one", "two")]
        until(lambda: posts(client) == 1)
    studio = Studio(CREDITS, client=client, params={"prompt": "three"}, budget_credits=2_500_000)
    until(lambda: len(lines(studio)) == 2)
    (line,) = (line for line in lines(studio) if line.job.id == jobs[1].id)
    with pytest.raises(BudgetError, match="cap"):
        studio.generate()
    press_on(line, "cancel")
    until(lambda: line.job.state is State.CANCELLED)
    assert studio.generate().state is State.INTENDED
    assert posts(client) == 1


def test_generate_anyway_after_the_question_was_taken_back_sends_nothing_else(make_paying: MakeClient) -> None:
    client = make_paying(faults=["failed:1"])
    studio = Studio(client=client, params={"prompt": "a koala", "seed": 7})
    studio.generate()
    until(lambda: lines(studio) and lines(studio)[0].job.state is State.FAILED)
    studio.budget_usd = 1
    press_on(lines(studio)[0], "retry")
    until(lambda: studio.bar.ask)
    studio.params = {"prompt": "something else"}
    press(studio, anyway=True)
    until(lambda: "not about what the form shows" in studio.bar.note)
    assert posts(client) == 1


def test_the_price_comes_back_after_a_switch_to_a_model_of_the_same_params(make_client: MakeClient) -> None:
    studio = Studio("leonardo/motion_2.0", client=make_client(), params={"prompt": "a koala"})
    until(lambda: studio.bar.quote is not None)
    for model in ("leonardo/motion_2.0-fast", "leonardo/motion_2.0"):
        studio.model = model
        until(lambda: studio.bar.quote is not None)


def test_a_clip_picked_after_a_key_was_set_does_not_take_the_warning_away(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client()
    first, second = (client.generate("a koala", seed=seed) for seed in (3, 4))
    studio = Studio(client=client, params={"prompt": "a cat"})
    until(lambda: studio.player.price == "free" and studio.bar._price["text"] == "free")
    monkeypatch.setenv("LEONARDO_API_KEY", CANARY)
    studio.clip = first if studio.clip.job.id == second.job.id else second
    until(lambda: studio.player.price == "price unknown")
    press(studio)
    until(lambda: "there is a key now" in studio.bar.problem)
    assert len(client.jobs()) == 2


def test_a_key_set_since_free_was_said_stops_the_buttons_of_clips_and_cards_too(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(faults=[Fault("failed", after=1, times=1)])
    clip = client.generate("a koala", model="leonardo/seedance-2.0", seed=7)
    studio = Studio(client=client, params={"prompt": "a cat"})
    until(lambda: studio.player.price == "free")
    studio.generate()
    until(lambda: lines(studio) and lines(studio)[0].job.state is State.FAILED)
    monkeypatch.setenv("LEONARDO_API_KEY", CANARY)
    with pytest.raises(BudgetError, match="there is a key now"):
        studio.vary(clip)
    (line,) = lines(studio)
    press_on(line, "retry")
    until(lambda: "there is a key now" in line.problem)
    assert len(client.jobs()) == 2


def test_clicks_in_quick_succession_cannot_pass_the_cap_together(paying: Client) -> None:
    studio = Studio(CREDITS, client=paying, params={"prompt": "a koala"}, budget_credits=1_800_000)
    for _ in range(5):
        press(studio, fresh=True)
    until(lambda: "cap" in studio.bar.problem)
    until(lambda: posts(paying) == 2)
    assert len(paying.jobs()) == 2


def test_a_cap_holds_where_the_service_never_says_what_it_charged(paying: Client) -> None:
    studio = Studio(CREDITS, client=paying, budget_credits=2_000_000)
    for prompt in ("one", "two"):
        studio.params = {"prompt": prompt}
        assert paying.wait(studio.generate()).cost is None
    studio.params = {"prompt": "three"}
    with pytest.raises(BudgetError, match="1,200,000 credits of 1min spent"):
        studio.generate()
    assert posts(paying) == 2


def test_jobs_on_their_way_count_once(paying: Client) -> None:
    studio = Studio(CREDITS, client=paying, budget_credits=2_700_000)
    for prompt in ("one", "two", "three"):
        studio.params = {"prompt": prompt}
        studio.generate()
    assert len(paying.jobs()) == 3


def test_a_cap_in_dollars_asks_before_credits_are_spent(paying: Client) -> None:
    studio = Studio(CREDITS, client=paying, params={"prompt": "a koala"}, budget_usd=5)
    press(studio)
    until(lambda: "600,000 credits" in studio.bar.ask)
    assert paying.jobs() == []
    press(studio, anyway=True)
    until(lambda: len(paying.jobs()) == 1)


def test_a_price_that_was_accepted_holds_for_what_it_was_asked_for(paying: Client) -> None:
    studio = Studio(CREDITS, client=paying, params={"prompt": "a koala"}, budget_usd=5)
    press(studio)
    until(lambda: studio.bar.ask)
    number = studio.form._given["prompt"][0]
    press(studio, anyway=True, form={"edits": {"prompt": [number, "a cat"]}, "edit": "page:1"})
    until(lambda: studio.bar.ask)
    assert paying.jobs() == []
    press(studio, anyway=True)
    until(lambda: [job.params["prompt"] for job in paying.jobs()] == ["a cat"])


@pytest.mark.parametrize("again", ["vary", "next_take"])
def test_going_on_from_a_clip_sends_its_recipe_whatever_is_typed_meanwhile(make_client: MakeClient, again: str) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala", "seed": 7})
    studio.generate()
    until(lambda: studio.clip)
    studio.params = {"prompt": "a koala", "seed": 8}

    def type_at_once(_: Any) -> None:
        number = studio.form._given["prompt"][0]
        content = {"kind": "edit", "edits": {"prompt": [number, "a cat"]}, "edit": "page:1"}
        studio.form.unobserve(type_at_once, "params")
        studio.form._received(studio.form, content, [])

    studio.form.observe(type_at_once, "params")
    job = getattr(studio, again)(studio.clip)
    assert studio.params["prompt"] == "a cat"
    assert job.params["prompt"] == "a koala"
    assert (job.params["seed"] == 7, job.take) == ((False, 0) if again == "vary" else (True, 1))


def test_a_key_that_comes_after_free_was_said_stops_the_next_click(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client()
    studio = Studio(client=client, params={"prompt": "a koala"})
    until(lambda: studio.bar._price["text"] == "free")
    monkeypatch.setenv("LEONARDO_API_KEY", CANARY)
    press(studio)
    until(lambda: "there is a key now" in studio.bar.problem)
    until(lambda: studio.bar._price["text"] == "price unknown")
    assert client.jobs() == []
    assert "EMULATED" not in about(studio)


def test_a_price_of_nothing_is_free_only_where_that_is_sure() -> None:
    assert Quote(Cost(0, "USD"), "exact", "made before").words == "free"
    assert Quote(Cost(0, "USD"), "estimate", "as charged before").words == "about $0.00"


def test_an_unknown_price_under_a_cap_needs_one_more_click(paying: Client) -> None:
    client = paying
    studio = Studio(client=client, params={"prompt": "a koala"}, budget_usd=1.0)
    with pytest.raises(UnknownPriceError):
        studio.generate()
    press(studio)
    until(lambda: studio.bar.ask)
    assert posts(client) == 0
    press(studio, anyway=True)
    until(lambda: studio.clips)
    assert studio.bar.ask == ""


def test_a_cap_that_is_no_sum_is_refused(make_client: MakeClient) -> None:
    studio = Studio(client=make_client())
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(Exception, match="budget_usd"):
            studio.budget_usd = wrong
        assert (studio.budget_usd, studio.bar.budget_usd) == (None, None)
    studio.bar._received(studio.bar, {"kind": "budget", "budget_usd": 5}, [])
    assert studio.budget_usd == 5


# -- what is saved -----------------------------------------------------------------------------------------------------


def test_what_is_shown_is_a_widget_and_below_it_the_clips_as_plain_html(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[Any, str | None]] = []
    monkeypatch.setattr("IPython.display.display", lambda what, display_id=None, **_: shown.append((what, display_id)))
    monkeypatch.setattr("IPython.display.update_display", lambda what, display_id: shown.append((what, display_id)))
    studio = Studio(client=make_client(), params={"prompt": HOSTILE})
    studio._ipython_display_()
    bundle, (nothing, slot) = shown[0][0], shown[1]
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "run the cell again" in bundle["text/plain"]
    assert f'data-vidnb-saved="{studio.picker._instead}"' in nothing.data
    studio.generate()
    until(lambda: "koala" in shown[-1][0].data or "&lt;img" in shown[-1][0].data)
    clips, updated = shown[-1]
    assert updated == slot
    assert HOSTILE not in clips.data


def test_a_job_of_the_studio_can_be_waited_for_with_the_verbs(make_client: MakeClient) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala"})
    job: Job = studio.generate()
    assert wait(studio, job).job.id == job.id
