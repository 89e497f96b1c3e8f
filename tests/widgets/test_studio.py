"""The studio pays once for a recipe, shows every job to its end, and never keeps a person waiting."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import pytest

from vidnb.emulator import Emulator, VirtualClock
from vidnb.errors import ConfigError, ParamsError
from vidnb.records import Job, State
from vidnb.verbs import Client
from vidnb.widgets import Progress, Studio

HOSTILE = "<img src=x onerror=alert(1)>"
PATIENCE_S = 60


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """`make_client(**settings)`: a client of a folder of its own, with an emulator that has these settings."""
    made: list[Client] = []

    def make(**settings: Any) -> Client:
        emulator = Emulator(tmp_path / "emulator", **{"latency_s": 0.05, **settings})
        made.append(Client(tmp_path / "data", emulator=emulator))
        return made[-1]

    yield make
    for client in made:
        client.close()
        client.asynchronous.emulator.close()


def until(condition: Callable[[], Any]) -> None:
    """Wait until the condition holds; what it waits for happens on the background loop."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


def posts(client: Client) -> int:
    """How many jobs the emulated services were asked to make."""
    return int(client.asynchronous.emulator.stats()["jobs"])


def lines(studio: Studio) -> list[Progress]:
    return list(studio._jobs.children)


def html_of(widget: ipywidgets.Widget) -> str:
    """All HTML that a widget shows, with that of its children."""
    below = "".join(html_of(child) for child in getattr(widget, "children", ()))
    hidden = widget.layout.display == "none"
    return below + (widget.value if isinstance(widget, ipywidgets.HTML) and not hidden else "")


def test_generate_gives_a_job_at_once_and_its_clip_comes_by_itself(make_client: Callable[..., Client]) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala", "seed": 7})
    job = studio.generate()
    assert not job.is_terminal
    assert [line.job.id for line in lines(studio)] == [job.id]
    until(lambda: studio.clips)
    assert studio.clips[0].job.id == job.id
    assert studio.clips[0].seed == 7
    assert lines(studio) == []


def test_clicking_twice_pays_once_and_a_new_take_pays_again(make_client: Callable[..., Client]) -> None:
    client = make_client()
    studio = Studio(client=client, params={"prompt": "a koala", "seed": 7})
    studio._generate.click()
    studio._generate.click()
    until(lambda: studio.clips)
    assert studio._take.layout.display == "none" or "made before" in html_of(studio)
    studio._generate.click()
    until(lambda: "made before" in html_of(studio))
    assert posts(client) == 1
    assert studio._take.layout.display != "none"
    studio._take.click()
    until(lambda: len(studio.clips) == 2)
    assert posts(client) == 2
    assert {clip.job.take for clip in studio.clips} == {0, 1}


def test_another_value_takes_the_note_on_the_old_recipe_away(make_client: Callable[..., Client]) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala"})
    studio.generate()
    until(lambda: studio.clips)
    studio.generate()
    assert "made before" in html_of(studio)
    studio.params = {**studio.params, "seed": 3}
    assert "made before" not in html_of(studio)
    assert studio._take.layout.display == "none"


def test_many_jobs_run_at_once_and_the_newest_clip_comes_first(make_client: Callable[..., Client]) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala"})
    jobs = []
    for seed in range(8):
        studio.params = {**studio.params, "seed": seed}
        jobs.append(studio.generate().id)
    assert len(set(jobs)) == 8
    until(lambda: len(studio.clips) == 8)
    ended = [clip.job.done_at for clip in studio.clips]
    assert set(jobs) == {clip.job.id for clip in studio.clips}
    assert all(moment is not None for moment in ended)
    assert studio._clips_html().count("<img") + studio._clips_html().count("<video") == 6


def test_a_bad_value_is_said_in_the_form_and_nothing_is_sent(make_client: Callable[..., Client]) -> None:
    client = make_client()
    studio = Studio(client=client, params={"prompt": "a koala", "seed": HOSTILE})
    studio._generate.click()
    until(lambda: "whole number" in html_of(studio))
    assert HOSTILE not in html_of(studio)
    assert posts(client) == 0
    with pytest.raises(ParamsError, match="seed"):
        studio.generate()


def test_hostile_prompts_are_text_everywhere(make_client: Callable[..., Client]) -> None:
    studio = Studio(client=make_client(latency_s=1000, clock=VirtualClock()), params={"prompt": HOSTILE})
    studio.generate()
    assert "&lt;img" in html_of(studio)
    assert HOSTILE not in html_of(studio)


def test_a_failed_job_becomes_an_error_card(make_client: Callable[..., Client]) -> None:
    studio = Studio(client=make_client(faults=["failed:1"]), params={"prompt": HOSTILE})
    job = studio.generate()
    until(lambda: lines(studio) and lines(studio)[0].job.state is State.FAILED)
    until(lambda: "Charged" in html_of(studio))
    assert HOSTILE not in html_of(studio)
    assert studio.clips == ()
    assert studio.generate().id != job.id, "a failed job leaves its take free"


def test_an_error_of_the_service_at_the_submit_is_shown_and_not_swallowed(make_client: Callable[..., Client]) -> None:
    studio = Studio(client=make_client(faults=["no_credits:1"]), params={"prompt": "a koala"})
    studio._generate.click()
    until(lambda: lines(studio) and lines(studio)[0].job.state is State.FAILED)
    until(lambda: "credit" in html_of(studio))


def test_a_missing_key_is_said_before_and_after_the_click(tmp_path: Path) -> None:
    with Client(tmp_path, live=True) as client:
        studio = Studio(client=client, params={"prompt": "a koala"})
        assert "LEONARDO_API_KEY" in html_of(studio._about)
        studio._generate.click()
        until(lambda: "ConfigError" in html_of(studio._problem))
        with pytest.raises(ConfigError):
            studio.generate()


def test_the_emulator_and_retired_models_are_announced(make_client: Callable[..., Client]) -> None:
    studio = Studio(client=make_client())
    assert "EMULATED" in html_of(studio._about)
    studio.model = "leonardo/VEO3"
    assert "Out of service since 2026-06-29" in html_of(studio._about)
    labels = [name for name, _ in studio._model.options]
    marked = [name.endswith("(retired)") for name in labels]
    assert marked == sorted(marked), "retired models stand last"


def test_stop_waiting_leaves_the_job_to_the_service_and_wait_again_takes_it_up(
    make_client: Callable[..., Client],
) -> None:
    clock = VirtualClock()
    client = make_client(latency_s=100, clock=clock)
    studio = Studio(client=client, params={"prompt": "a koala"})
    job = studio.generate()
    line = lines(studio)[0]
    until(lambda: line.job.state in (State.QUEUED, State.RUNNING))
    line._button.click()
    until(lambda: not line.waiting)
    assert "not waited for" in html_of(line)
    assert not client.job(job).is_terminal
    clock.advance(200)
    line._button.click()
    until(lambda: studio.clips)
    assert posts(client) == 1


def test_elapsed_time_ticks_while_the_service_works(make_client: Callable[..., Client]) -> None:
    studio = Studio(client=make_client(latency_s=1000, clock=VirtualClock()), params={"prompt": "a koala"})
    studio.generate()
    line = lines(studio)[0]
    until(lambda: ">0 s<" in line._time.value)
    until(lambda: ">1 s<" in line._time.value)
    assert 'data-state="running"' in line._state.value or 'data-state="queued"' in line._state.value


def test_choosing_a_provider_changes_models_and_form(make_client: Callable[..., Client]) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala"})
    studio._provider.value = "1min"
    assert studio.model.startswith("1min/")
    assert studio.form.model.id == studio.model == studio._model.value
    studio._model.value = "1min/luma"
    assert studio.form.model.id == "1min/luma"
    assert studio.params["prompt"] == "a koala"
    studio.model = "leonardo/motion_2.0"
    assert studio._provider.value == "leonardo"
    with pytest.raises(ConfigError):
        studio.model = "leonardo/nothing"
    assert studio.model == "leonardo/motion_2.0"


def test_params_of_studio_and_form_are_one(make_client: Callable[..., Client]) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala"})
    heard: list[Any] = []
    studio.observe(lambda change: heard.append(change["new"]), "params")
    assert studio.params == studio.form.params
    studio.form.field("seed").control.value = "7"
    assert studio.params["seed"] == 7
    studio.params = {"prompt": "a cat"}
    assert studio.form.params == studio.params
    assert studio.params["prompt"] == "a cat"
    assert "seed" not in studio.params
    assert len(heard) == 2


def test_progress_works_alone(make_client: Callable[..., Client]) -> None:
    client = make_client()
    ended: list[Job] = []
    job = client.submit("a koala", seed=1)
    line = Progress(job.id, client, on_end=ended.append)
    until(lambda: ended)
    assert line.job.state is State.DONE
    assert not line.waiting
    assert line._button.layout.display == "none"


def test_an_observer_of_params_may_generate(make_client: Callable[..., Client]) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala"})
    studio.observe(lambda _: studio.generate(), "params")
    studio.params = {"prompt": "a cat"}
    studio.form.field("seed").control.value = "7"
    until(lambda: len(studio.clips) == 2)


def test_lines_of_ended_jobs_leave_nothing_behind(make_client: Callable[..., Client]) -> None:
    studio = Studio(client=make_client(), params={"prompt": "a koala"})
    studio.generate()
    line = lines(studio)[0]
    until(lambda: studio.clips)
    until(lambda: line.comm is None)


def test_what_is_shown_is_a_widget_and_below_it_the_clips_as_plain_html(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[Any, str | None]] = []
    monkeypatch.setattr(
        "IPython.display.display", lambda what, raw=False, display_id=None: shown.append((what, display_id))
    )
    monkeypatch.setattr("IPython.display.update_display", lambda what, display_id: shown.append((what, display_id)))
    studio = Studio(client=make_client(), params={"prompt": HOSTILE})
    studio._ipython_display_()
    (bundle, _), (nothing, slot) = shown
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "run the cell again" in bundle["text/plain"]
    assert "Clips appear here" in nothing.data
    studio.generate()
    until(lambda: len(shown) == 3)
    clips, updated = shown[2]
    assert updated == slot
    assert HOSTILE not in clips.data
    assert "&lt;img" in clips.data
