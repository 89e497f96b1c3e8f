"""An entry of a service's list is a job of ours only where everything that it tells agrees."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vidnb.jobs.matching import CLOCKS_DIFFER_S, LONGEST_SUBMIT_S, SAME_CLOCK_S, fits, is_sure, unlike
from vidnb.records import Job, RemoteJob, State

BEGAN = datetime(2026, 11, 1, 12, tzinfo=UTC)
JOB = Job(
    id="0123456789abcdef", provider="leonardo", model="leonardo/motion_2.0", recipe_hash="e" * 64, take=0,
    state=State.AMBIGUOUS, params={"prompt": "a koala  in a meadow", "seed": 7, "width_px": 832, "height_px": 480},
    images={}, emulated=False, base_url="https://a.invalid", created_at=BEGAN - timedelta(hours=1), submitted_at=BEGAN,
)  # fmt: skip
ENTRY = RemoteJob("r1", "a koala in a meadow", BEGAN)


def entry(**told: Any) -> RemoteJob:
    return replace(ENTRY, **told)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"prompt": " a koala\nin a  meadow "},
        {"is_video": True, "models": frozenset({"leonardo/motion_2.0", "leonardo/SVD"}), "from_image": False},
        {"seed": 7, "width_px": 832, "height_px": 480},
        {"seed": None, "width_px": None, "params": {"resolution": "720", "negative_prompt": ""}},
        {"tag": JOB.id},
        {"tag": JOB.id, "is_video": False, "prompt": "another", "seed": 8},
    ],
)
def test_an_entry_that_agrees_in_all_that_it_tells_can_be_the_job(told: dict[str, Any]) -> None:
    assert unlike(JOB, entry(**told)) == ""


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"tag": "fedcba"}, "it carries another job's tag"),
        ({"is_video": False}, "it is no video"),
        ({"prompt": "a koala"}, "its prompt is another one"),
        ({"models": frozenset({"leonardo/SVD"})}, "its model is another one"),
        ({"models": frozenset()}, "its model is another one"),
        ({"from_image": True}, "its input is another one"),
        ({"seed": 8}, "its seed is another one"),
        ({"width_px": 64}, "its width_px is another one"),
        ({"height_px": 64}, "its height_px is another one"),
        ({"params": {"seed": 8}}, "its seed is another one"),
        ({"params": {"negative_prompt": "rain"}}, "it has a negative prompt"),
    ],
)
def test_one_thing_that_differs_makes_it_another_job(told: dict[str, Any], why: str) -> None:
    assert unlike(JOB, entry(**told)) == why
    assert not fits(JOB, entry(**told), 0.0)


def test_an_entry_without_our_seed_is_no_proof_and_one_without_a_prompt_does_not_fit() -> None:
    assert fits(JOB, entry(), 0.0)
    assert not is_sure(JOB, entry(), 0.0)
    assert is_sure(JOB, entry(seed=7), 0.0)
    assert is_sure(replace(JOB, params={"prompt": JOB.prompt}), entry(), 0.0)
    assert not fits(JOB, entry(prompt="", seed=7), 0.0)
    assert unlike(JOB, entry(prompt="", seed=7)) == ""  # a person names its id, and nothing speaks against it


def test_a_job_that_began_with_a_picture_is_not_an_entry_without_one() -> None:
    job = replace(JOB, images={"start_image": [{"sha256": "b" * 64, "extension": "png"}]})
    assert unlike(job, entry(from_image=True)) == ""
    assert unlike(job, entry(from_image=False)) == "its input is another one"


def test_what_was_not_asked_for_may_be_anything_but_a_negative_prompt() -> None:
    job = replace(JOB, params={"prompt": JOB.prompt, "negative_prompt": "rain"})
    assert unlike(job, entry(seed=8, width_px=64)) == ""
    assert unlike(job, entry(params={"negative_prompt": "rain"})) == ""
    assert unlike(job, entry(params={"negative_prompt": "snow"})) == "its negative_prompt is another one"


@pytest.mark.parametrize(("ahead_s", "slack_s"), [(0.0, SAME_CLOCK_S), (90.0, SAME_CLOCK_S), (None, CLOCKS_DIFFER_S)])
def test_an_entry_was_made_while_the_job_was_being_sent(ahead_s: float | None, slack_s: float) -> None:
    began = BEGAN + timedelta(seconds=ahead_s or 0.0)
    for seconds, fitting in (
        (-slack_s - 1, False), (-slack_s, True), (LONGEST_SUBMIT_S + slack_s, True),
        (LONGEST_SUBMIT_S + slack_s + 1, False),
    ):  # fmt: skip
        made = entry(created_at=began + timedelta(seconds=seconds))
        assert fits(JOB, made, ahead_s) == fitting, seconds


def test_a_job_without_a_time_of_its_submit_counts_from_when_it_was_made() -> None:
    job = replace(JOB, submitted_at=None)
    assert fits(job, entry(created_at=job.created_at), 0.0)
    assert not fits(job, entry(created_at=BEGAN), 0.0)


def test_an_entry_without_a_time_can_be_the_job_and_proves_nothing() -> None:
    assert fits(JOB, entry(created_at=None), 0.0)
    assert not is_sure(JOB, entry(created_at=None), 0.0)


def test_an_entry_is_sure_by_its_tag_or_by_its_time_alone() -> None:
    early = BEGAN - timedelta(seconds=SAME_CLOCK_S + 1)
    assert is_sure(JOB, entry(seed=7, created_at=BEGAN), 0.0)
    assert is_sure(JOB, entry(seed=7, created_at=BEGAN), None)
    assert not is_sure(JOB, entry(seed=7, created_at=early), 0.0)
    assert not is_sure(JOB, entry(seed=7, created_at=early), None), "a clock that nobody knows is taken for ours"
    assert is_sure(JOB, entry(seed=7, created_at=early + timedelta(seconds=1)), None)
    assert is_sure(JOB, entry(created_at=early, tag=JOB.id), 0.0)
    assert is_sure(JOB, entry(created_at=None, tag=JOB.id), None)
    assert fits(JOB, entry(created_at=early, tag=JOB.id), 0.0)


def test_without_a_seed_an_entry_is_sure_only_if_it_was_made_while_the_submit_was_on_its_way() -> None:
    lost_at = BEGAN + timedelta(seconds=2)
    for seconds, sure in ((0, True), (2 + SAME_CLOCK_S, True), (3 + SAME_CLOCK_S, False), (250, False)):
        made = entry(created_at=BEGAN + timedelta(seconds=seconds))
        assert is_sure(replace(JOB, params={"prompt": JOB.prompt}), made, 0.0, lost_at) is sure, seconds
        assert is_sure(JOB, replace(made, seed=7), 0.0, lost_at), "the seed is proof enough"
    late = entry(created_at=BEGAN + timedelta(seconds=90))
    assert is_sure(replace(JOB, params={"prompt": JOB.prompt}), late, 88.0, lost_at), "the service's clock is ahead"
