"""Drafts first, then the winners again; and the page that tells the whole sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from fakes import QUICK, emulated
from sweeping import posts, watched

import vidnb
from vidnb.client.verbs import Client
from vidnb.emulator import Emulator
from vidnb.errors import ConfigError
from vidnb.widgets.board import Board

pytestmark = pytest.mark.anyio


async def test_the_best_clips_are_run_again_with_other_values_from_the_same_purse(tmp_path: Path) -> None:
    async with emulated(tmp_path) as client:
        draft = vidnb.sweep(
            "a {animal}", animal=["koala", "heron", "cat", "owl"], **QUICK, budget_jobs=9, client=client
        )
        await draft.run_async()
        with pytest.raises(ConfigError, match="no clip of this sweep has a value for by='rating'"):
            draft.promote()
        jobs = {clip.prompt: clip.job.id for clip in draft.history}
        for prompt, rating in (("a koala", 2), ("a heron", 5), ("a cat", 4)):
            await client.annotate(jobs[prompt], rating=rating)
        best = draft.promote(keep=2, with_={"duration_s": 4})
        assert [job.params["prompt"] for job in best.plan.jobs] == ["a heron", "a cat"]
        assert {job.params["duration_s"] for job in best.plan.jobs} == {4}
        assert best.purse == draft.purse
        await best.run_async()
        frame = best.df
        assert dict(zip(frame.prompt, frame.promoted_from, strict=True)) == {
            "a heron": jobs["a heron"], "a cat": jobs["a cat"],
        }  # fmt: skip
        assert draft.promote(by=lambda clip: len(clip.prompt), keep=0.25).plan.jobs[0].params["prompt"] in jobs
        assert [len(draft.promote(keep=keep).plan.jobs) for keep in (0.5, 1.0, 1, 99)] == [2, 3, 1, 3]
        for keep in (0, 1.5, -1, True, float("nan"), float("inf"), "0.5"):
            with pytest.raises(ConfigError, match=r"give a share such as 0\.25, or how many clips"):
                draft.promote(keep=keep)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="by= gave 'much' for job"):
            draft.promote(by=lambda clip: "much")  # type: ignore[arg-type, return-value]
        with pytest.raises(ConfigError, match="by= gave no number for any clip"):
            draft.promote(by=lambda clip: None)
        assert len(draft.promote(keep=2, with_={"takes": 3}).plan.jobs) == 6
        other = draft.promote(keep=2, with_={"prompt": "an owl", "duration_s": [3, 4]})
        assert [job.params["prompt"] for job in other.plan.jobs] == ["an owl", "an owl"]
        assert set(other._parents().values()) == {jobs["a heron"]}
        parts = draft.promote(keep=2, with_={"prompt": "the {animal} at {time}", "time": "night"}).plan.jobs
        assert [job.params["prompt"] for job in parts] == ["the heron at night", "the cat at night"]
        with pytest.raises(ConfigError, match="no column 'raitng'; did you mean rating"):
            draft.promote(by="raitng")
        assert client.store.measure_names() == []
        (most,) = draft.promote(by="motion", keep=1).plan.jobs  # which is taken of all first
        motion = draft.df.set_index("prompt").motion
        assert (most.params["prompt"], motion.notna().all()) == (motion.idxmax(), True)


async def test_a_knob_that_a_model_lacks_looks_like_no_comparison_in_the_report_and_the_saved_board(
    tmp_path: Path,
) -> None:
    async with emulated(tmp_path) as client:
        sweep = vidnb.sweep("a koala", model=["leonardo/motion_2.0", "1min/pika"], motion_control="Dolly In",
                            motion_control_weight=[0.3, 0.7], unsupported="drop", client=client)  # fmt: skip
        html = sweep.report(tmp_path / "koala.html").read_text(encoding="utf-8")
        assert (html.count(">not sent<"), html.count(">the same clip as weight 0.3 · Pika AI<")) == (3, 1)
        assert Board(sweep).saved_html().count("weight 0.7 · Pika AI: the same clip as another") == 1


async def test_a_clip_comes_from_the_job_that_was_the_best_when_it_was_made(tmp_path: Path) -> None:
    async with emulated(tmp_path) as client:
        draft = vidnb.sweep("a {animal}", animal=["koala", "heron"], **QUICK, client=client)
        await draft.run_async()
        jobs = {clip.prompt: clip.job.id for clip in draft.history}

        def promoted(best: str) -> vidnb.Sweep:
            """The same recipe, whichever is the best."""
            return draft.promote(by=lambda clip: float(clip.prompt == best), keep=1, with_={"prompt": "an owl"})

        assert len(promoted("a koala").history) == 0  # it is looked at, and nothing is made
        await promoted("a heron").run_async()
        assert promoted("a koala").id == promoted("a heron").id
        for best in ("a koala", "a heron"):
            await promoted(best).run_async()
            assert list(promoted(best).df.promoted_from) == [jobs["a heron"]]


async def test_a_report_tells_question_money_grid_failures_and_recipes_and_escapes_prompts(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "emulator", speed=1000.0, faults=["failed:1"])
    async with emulated(tmp_path, emulator) as client:
        sweep = vidnb.sweep("<i>a</i> {animal}", animal=["koala", "heron"], **QUICK, client=client)
        await sweep.run_async()
        html = sweep.report(tmp_path / "out" / "koala.html").read_text(encoding="utf-8")
        assert "<i>a</i>" not in html
        assert "&lt;i&gt;a&lt;/i&gt;" in html
        assert "2 animals = 2 cells, 2 jobs. Budget: at most 100 jobs by default." in html
        parts = ("Question", "Plan", "Money", "Clips", "Not done, by cause", "Recipes", "Made with")
        for part in (*parts, "1 done", "1 failed"):
            assert part in html
        assert html.count("<video") == 1
        assert "../files/" in html
        assert "Not sent along: 1 video in ../files/" in html
        embedded = sweep.report(tmp_path / "all.html", clips="embed").read_text(encoding="utf-8")
        assert "data:video/mp4;base64," in embedded
        assert "<video" not in sweep.report(tmp_path / "posters.html", clips="posters").read_text(encoding="utf-8")


async def test_a_report_shows_what_a_knob_does_as_sentence_and_picture_and_folds_what_it_does_not(
    tmp_path: Path,
) -> None:
    async with emulated(tmp_path) as client:
        varied = {**QUICK, "duration_s": [3, 4], "takes": 3, "animal": ["koala", "heron"]}
        sweep = vidnb.sweep("a {animal}", **varied, client=client)
        await sweep.run_async()
        for clip in sweep.history:
            await client.annotate(clip.job.id, rating=4)
        html = sweep.report(tmp_path / "koala.html").read_text(encoding="utf-8")
        assert "No difference at all: rating (duration), rating (animal)." in html
        assert "image/svg+xml" not in html
        for clip in sweep.history.where(prompt="a koala"):
            await client.annotate(clip.job.id, rating=5 if clip.job.params["duration_s"] == 3 else 4)
        html = sweep.report(tmp_path / "koala.html").read_text(encoding="utf-8")
        assert "No difference at all" not in html
        assert "+0.50 stars of rating with animal koala instead of heron" in html
        assert "-0.50 stars of rating with duration 4 instead of 3" in html
        assert (html.count("image/svg+xml"), html.count("made by the emulator")) == (2, 1)
        assert "+0.50 stars of rating with animal koala" in str(sweep.effect("animal", on="rating"))
        assert "motion" in str(sweep.effect("duration_s", on="motion"))  # which is taken first


def test_each_round_keeps_the_best_of_the_round_before_under_one_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDNB_EMULATOR_SPEED", "1000")
    with vidnb.Client(tmp_path) as client:
        values = {**QUICK, "client": client, "animal": ["koala", "heron", "cat", "owl"]}
        sweep = vidnb.sweep("a {animal}", **values, budget_jobs=7)
        last = sweep.halve({"duration_s": 4}, {"duration_s": 5}, by="sharpness", keep=0.5)
        frame = client.history().df
        assert frame.duration_s.value_counts().to_dict() == {3: 4, 4: 2, 5: 1}
        for before, after in ((3, 4), (4, 5)):
            some = frame[frame.duration_s == before].sort_values("sharpness", ascending=False)
            went_on = some.prompt.tolist()[: (len(some) + 1) // 2]
            assert sorted(frame[frame.duration_s == after].prompt) == sorted(went_on)
        assert (last.purse, len(last.plan.jobs)) == (sweep.purse, 1)
        again = sweep.halve({"duration_s": 4}, {"duration_s": 5}, by="sharpness", keep=0.5)
        assert (again.id, len(client.jobs(limit=None))) == (last.id, 7)
        with pytest.raises(ConfigError, match="rate or measure some first"):
            sweep.halve({"duration_s": 4}, by="rating")
        with pytest.raises(ConfigError, match="one more round"):
            sweep.halve(by="motion")


def test_where_the_budget_ends_the_rounds_end_and_what_was_made_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("VIDNB_EMULATOR_SPEED", "1000")
    with vidnb.Client(tmp_path) as client:
        sweep = vidnb.sweep("a {animal}", animal=["koala", "heron"], **QUICK, budget_jobs=2, client=client)
        last = sweep.halve({"duration_s": 4}, {"duration_s": 5}, by=lambda clip: len(clip.prompt))
        assert {job.state for job in client.jobs(limit=None)} == {vidnb.State.DONE}
        assert len(client.jobs(limit=None)) == 2
        assert {job.params["duration_s"] for job in last.plan.jobs} == {4}
        assert "would pass the cap of 2 jobs" in caplog.text


SEARCHED = {"budget_jobs": 100, "animal": ["koala", "heron", "cat", "owl", "fox", "newt"], "duration_s": [3, 4, 5]}


def length(clip: vidnb.Clip) -> float:
    """The longer the prompt and the clip, the better: "a koala" of 5 seconds."""
    return len(clip.prompt) + 10 * clip.job.params["duration_s"]


def test_optuna_finds_the_best_without_running_all_and_goes_on_in_another_kernel(tmp_path: Path) -> None:
    emulator, recorders = watched(tmp_path)
    values = {name: value for name, value in QUICK.items() if name != "duration_s"} | SEARCHED
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=1, n_startup_trials=3))
    with Client(tmp_path, emulator=emulator) as client:
        sweep = vidnb.sweep("a {animal}", **values, client=client)
        assert sweep.search(study, on=length, rounds=9, at_once=3) is study
        assert study.best_trial.params["duration_s"] == 5
        distribution = study.best_trial.distributions["duration_s"]
        assert (distribution.low, distribution.high, distribution.step) == (3, 5, 1)
        paid = posts(recorders)
        assert paid == 9
        assert len({str(trial.params) for trial in study.trials}) == 9
    with Client(tmp_path, emulator=emulator) as client:  # another kernel, which has lost the study
        again = vidnb.sweep("a {animal}", **values, client=client)
        other = again.search(on=length, rounds=9)
        assert posts(recorders) == paid  # all of it was in the folder
        assert other.best_value == study.best_value
        other.ask(next(iter(other.trials)).distributions)  # and a trial that a killed kernel left is taken up
        again.search(other, on=length, rounds=1)
        assert all(trial.state.is_finished() for trial in other.trials)


def test_a_search_keeps_to_the_budget_and_tells_failed_and_refused_combinations(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "emulator", speed=1000.0, faults=["failed:1"])
    with Client(tmp_path, emulator=emulator) as client:
        values = QUICK | {"animal": ["koala", "heron", "cat"], "client": client}
        sweep = vidnb.sweep("a {animal}", **values, where="animal != 'cat'", takes=2, budget_jobs=3)
        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.GridSampler({"animal": ["cat", "heron", "koala"]}, seed=0)
        )
        sweep.search(study, on=lambda clip: len(clip.prompt), rounds=3, at_once=1)
        states = {trial.params["animal"]: trial.state.name for trial in study.trials}
        assert states.get("cat", "PRUNED") == "PRUNED"
        assert len(sweep.history) == 3  # the fourth job would pass the cap
        assert sorted(states.values())[-1] == "RUNNING"
        sweep.budget(jobs=4)
        sweep.search(study, on=lambda clip: len(clip.prompt), rounds=3, at_once=1)
        assert {trial.state.name for trial in study.trials} <= {"COMPLETE", "PRUNED"}
        assert len(sweep.history) == 4
        refused: dict[str, dict[str, Any]] = {
            "one measure or function": {"on": ["motion", "rating"]},
            "study=3: give": {"study": 3},
            "rounds=2.5, at_once=4: give whole numbers": {"rounds": 2.5},
        }
        for words, wrong in refused.items():
            with pytest.raises(ConfigError, match=words):
                sweep.search(**({"on": "sharpness"} | wrong))
        with pytest.raises(ConfigError, match="a study with one direction"):
            sweep.search(optuna.create_study(directions=["maximize", "minimize"]), on="motion")


def test_a_search_by_rating_waits_for_the_person(tmp_path: Path) -> None:
    with Client(tmp_path, emulator=Emulator(tmp_path / "emulator", speed=1000.0)) as client:
        sweep = vidnb.sweep("a {animal}", animal=["koala", "heron"], **QUICK, client=client)
        study = sweep.search(on="rating", rounds=2, at_once=2)
        assert not any(trial.state.is_finished() for trial in study.trials)
        for clip in sweep.history:
            client.annotate(clip.job.id, rating=5 if clip.prompt == "a heron" else 2)
        sweep.search(study, on="rating", rounds=2)
        assert study.best_params == {"animal": "heron"}
