"""A history finds what was asked for, and says so where it does not understand."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from databases import database, postgres_server
from historyjobs import MODELS, START, a_job
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vidnb
from vidnb.clip import Clip
from vidnb.errors import ConfigError
from vidnb.files import Files
from vidnb.history.history import History
from vidnb.history.times import span
from vidnb.records import MISSING, ClipInfo, State
from vidnb.store import Store
from vidnb.store.sweeps import SweepRows

__all__ = ["database", "postgres_server"]  # fixtures


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    with closing(Store(database)) as store:
        yield store


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "files")


JOBS = [
    a_job(0, {"prompt": "a Lighthouse in fog", "seed": 1, "motion_strength": 3, "loop": True}),
    a_job(1, {"prompt": "a lighthouse", "seed": 2, "motion_strength": 5.5, "resolution": "720p"}),
    a_job(
        2, {"prompt": "koala", "seed": 3, "motion_strength": 7, "loop": False, "state": "Bavaria"}, id="c0ffee00" * 4
    ),
    a_job(3, {"motion_strength": 9}, model=MODELS[1], emulated=False),
    a_job(4, {"prompt": "", "seed": 5, "resolution": "480p"}, model=MODELS[2], state=State.RUNNING),
]


@pytest.fixture
def history(store: Store, files: Files) -> History:
    for job in JOBS:
        store.intend(job)
    store.update(JOBS[1].id, rating=4, tags=("keeper", "sea"), note="the Light!")
    store.update(JOBS[2].id, rating=2, tags=("sea",))
    return History(store, files)


def places(history: History) -> list[int]:
    """The jobs that were found, by their places in JOBS."""
    ids = [job.id for job in JOBS]
    return sorted(ids.index(found) for found in history.ids)


class Few(Enum):
    """A number with a name, as code keeps its choices."""

    THREE = 3


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"seed": 2}, [1]),
        ({"seed": [1, 3, 99]}, [0, 2]),
        ({"seed": {1, 5}}, [0, 4]),
        ({"seed": range(2, 6)}, [1, 2, 4]),
        ({"seed": np.arange(1, 3)}, [0, 1]),
        ({"seed": np.int64(3)}, [2]),
        ({"seed": np.array(3)}, [2]),
        ({"seed": Decimal(3)}, [2]),
        ({"seed": Few.THREE}, [2]),
        ({"seed": (Decimal(2), Few.THREE)}, [1, 2]),
        ({"seed": (2, 3)}, [1, 2]),
        ({"seed": (None, 2)}, [0, 1]),
        ({"seed": (3, None)}, [2, 4]),
        ({"seed": (None, None)}, [0, 1, 2, 4]),
        ({"seed": None}, [0, 1, 2, 3, 4]),
        ({"seed": MISSING}, [3]),
        ({"seed": [1, MISSING]}, [0, 3]),
        ({"motion_strength": 5.5}, [1]),
        ({"motion_strength": (3, 7)}, [0, 1, 2]),
        ({"loop": True}, [0]),
        ({"loop": False}, [2]),
        ({"loop": MISSING}, [1, 3, 4]),
        ({"resolution": ["720p", "480p"]}, [1, 4]),
        ({"prompt": "LIGHTHOUSE"}, [0, 1]),
        ({"prompt": ["fog", "koala"]}, [0, 2]),
        ({"prompt": MISSING}, [3]),
        ({"prompt": [MISSING, "koala"]}, [2, 3]),
        ({"note": "light"}, [1]),
        ({"tag": "sea"}, [1, 2]),
        ({"tags": ["keeper", "none"]}, [1]),
        ({"tag": MISSING}, [0, 3, 4]),
        ({"tags": [MISSING, "keeper"]}, [0, 1, 3, 4]),
        ({"note": MISSING}, [0, 2, 3, 4]),
        ({"sweep": MISSING}, [0, 1, 2, 3, 4]),
        ({"words": "light fog"}, [0]),
        ({"words": " "}, [0, 1, 2, 3, 4]),
        ({"rating": 3}, [1]),
        ({"rating": (1, 3)}, [2]),
        ({"rating": [2, 4]}, [1, 2]),
        ({"rating": pd.Series([2, 4])}, [1, 2]),
        ({"resolution": {"720p": 1, "480p": 2}.keys()}, [1, 4]),
        ({"rating": MISSING}, [0, 3, 4]),
        ({"model": "luma"}, [3]),
        ({"model": ["Motion_2.0", "1min/luma"]}, [0, 1, 2, 3]),
        ({"provider": "1MIN"}, [3, 4]),
        ({"state": "Running"}, [4]),
        ({"state": [State.RUNNING, "intended"]}, [0, 1, 2, 3, 4]),
        ({"emulated": False}, [3]),
        ({"params": {"state": "Bavaria"}}, [2]),
        ({"param_state": "Bavaria"}, [2]),
        ({"state": "intended", "params": {"state": MISSING}}, [0, 1, 3]),
        ({"since": START + timedelta(hours=3)}, [3, 4]),
        ({"until": START + timedelta(hours=1)}, [0, 1]),
        ({"created_at": (START, START + timedelta(hours=1))}, [0, 1]),
        ({"since": date(2027, 1, 1)}, []),
        ({"since": 2026}, [0, 1, 2, 3, 4]),
        ({"since": np.datetime64("2026-01-01")}, [0, 1, 2, 3, 4]),
        ({"since": np.datetime64("2027-01-01T00:00:00.000000001")}, []),
        ({"since": np.int64(2026)}, [0, 1, 2, 3, 4]),
        ({"since": 2027.0}, []),
        ({"since": pd.Timestamp("2026-01-01")}, [0, 1, 2, 3, 4]),
        ({"since": pd.Timestamp("2027-01-01", tz="Asia/Tokyo")}, []),
        ({"until": "2025"}, []),
        ({"created_at": "2026-11"}, [0, 1, 2, 3, 4]),
        ({"id": JOBS[2].id[:6]}, [2]),
        ({"seed": (1, 5), "motion_strength": (4, None)}, [1, 2]),
    ],
    ids=repr,
)
def test_filters_find_what_they_say(history: History, filters: dict[str, Any], expected: list[int]) -> None:
    assert places(history.where(**filters)) == expected
    assert len(history.where(**filters)) == len(expected)


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"sed": 7}, "no filter 'sed'; did you mean seed"),
        ({"motion_strenght": 7}, "did you mean motion_strength"),
        ({"model": "motion_2.1"}, "no model 'motion_2.1'; did you mean .*leonardo/motion_2.0"),
        ({"model": "zzzzzz"}, "vidnb.models"),
        ({"model": 7}, "model is text"),
        ({"state": "dnoe"}, "did you mean 'done'"),
        ({"state": "finished"}, "did you mean 'done'"),
        ({"state": "canceled"}, "did you mean 'cancelled'"),
        ({"since": 2026.5}, "is no time"),
        ({"since": 26}, "is no time"),
        ({"since": pd.NaT}, "is no time"),
        ({"provider": "leonrado"}, "did you mean 'leonardo'"),
        ({"seed": "7"}, "; did you mean seed=7"),
        ({"seed": True}, "seed is a whole number"),
        ({"seed": (7, 1)}, "ends before it starts"),
        ({"seed": (1, 2, 3)}, "give a list"),
        ({"seed": float("nan")}, "MISSING"),
        ({"seed": [1, pd.NA]}, "MISSING"),
        ({"seed": Decimal("NaN")}, "MISSING"),
        ({"since": "2026-12", "until": "2026-11"}, "ends before it starts"),
        ({"state": ("done", "failed")}, r"give a list: state=\['done', 'failed'\]"),
        ({"loop": "yes"}, "did you mean loop=True"),
        ({"emulated": 1}, "did you mean emulated=True"),
        ({"resolution": 720}, "did you mean resolution='720'"),
        ({"rating": 6}, "1 to 5"),
        ({"since": "yesterday"}, "is no time; write it as 2026-11-21"),
        ({"since": True}, "is no time"),
        ({"words": ["a", "b"]}, "one text"),
        ({"words": MISSING}, "one text"),
        ({"seed": range(0, 10**9, 2)}, "over 10,000 values"),
        ({"seed": pd.DataFrame({"seed": [1]})}, "seed=<DataFrame>: seed is a whole number"),
        ({"rating": np.array([[1, 2], [3, 4]])}, "a number from 1 to 5"),
        ({"trashed": pd.DataFrame()}, "trashed is True or False"),
        ({"params": "x"}, "give a dict"),
        ({"limit": -1}, "whole number of jobs"),
    ],
    ids=repr,
)
def test_what_is_not_understood_is_refused_with_a_suggestion(
    history: History, store: Store, files: Files, filters: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        History(store, files, **filters)


def test_steps_are_chained_and_a_limit_applies_last(history: History) -> None:
    newest = history.newest(2)
    assert places(newest) == [3, 4]
    assert places(newest.where(prompt="lighthouse")) == [0, 1]
    assert [job.params.get("seed") for job in history.sort("-seed")] == [5, 3, 2, 1, None]
    assert [job.params.get("seed") for job in history.sort("seed")] == [1, 2, 3, 5, None]
    assert [job.id for job in history.sort("model", "-motion_strength")] == [JOBS[i].id for i in (4, 3, 2, 1, 0)]
    assert list(history.sort("-seed").newest(1)) == [history[0]]
    assert places(history) == [0, 1, 2, 3, 4]
    with pytest.raises(ConfigError, match="did you mean seed"):
        history.sort("sede")


def test_to_sort_by_what_is_no_column_is_refused(history: History) -> None:
    for wrong in ("nope", "", 3):
        with pytest.raises(ConfigError, match="there is no filter"):
            history.sort(wrong)  # type: ignore[arg-type]  # as a person may write it


@pytest.mark.parametrize("seeds", [(0, 3), [0, 3, 6], (6, None), [6, MISSING]])
def test_the_newest_of_many_are_those_at_the_beginning_of_all(store: Store, files: Files, seeds: Any) -> None:
    """Whether they are found among the newest jobs or, where too few of those fit, in an index."""
    together = START + timedelta(hours=1)  # some have the same time, as jobs of one machine may
    for number in range(90):
        params = {"seed": number % 7} if number % 11 else {}
        store.intend(a_job(number, params, created_at=together) if 40 < number < 60 else a_job(number, params))
    store.trash(History(store, files, seed=seeds).ids[1:3])
    history = History(store, files, seed=seeds)
    every = store.search(history._looked_at)
    for start, count in ((0, 0), (0, 1), (0, 4), (3, 4), (0, 12), (9, 15), (0, 500)):
        assert store.search(history._looked_at, start, count) == every[start : start + count]
    for count in (1, 3, 14, 60):
        assert list(history.newest(count).df.job_id) == every[:count]


def test_a_page_is_read_when_it_is_looked_at_and_no_sooner(store: Store, files: Files) -> None:
    jobs = [a_job(number, {"seed": number}) for number in range(450)]
    for job in jobs:
        store.intend(job)
    read: list[int] = []
    rows_of = store.rows_of
    store.rows_of = lambda ids: read.append(len(ids)) or rows_of(ids)  # type: ignore[method-assign,func-returns-value]
    history = History(store, files)
    assert len(history) == 450
    assert read == []
    assert history[0] == jobs[-1]
    assert history[-1] == jobs[0]
    assert [job.params["seed"] for job in history[198:202]] == [251, 250, 249, 248]
    assert sum(read) < 450
    assert [job.params["seed"] for job in history] == list(range(449, -1, -1))
    assert not any(isinstance(item, Clip) for item in history)
    with pytest.raises(IndexError, match="there is no job 450"):
        history[450]


def test_a_day_a_month_a_year_and_an_age_are_times() -> None:
    day = span("since", "2026-02-28")
    assert (day[1] - day[0]) == timedelta(days=1) - timedelta(microseconds=1)
    assert span("x", "2026-02")[1] == day[1]
    assert span("x", 2026)[0] == span("x", "2026-01-01")[0]
    assert span("x", date(2026, 2, 28)) == day
    now = datetime.now(UTC)
    for age in ("2h", timedelta(hours=2)):
        assert abs(span("x", age)[0] - (now - timedelta(hours=2))) < timedelta(minutes=1)
    assert span("x", "2026-02-28T10:00+02:00")[0] == datetime(2026, 2, 28, 8, tzinfo=UTC)


def test_measures_are_filtered_and_sorted_once_there_are_some(store: Store, files: Files) -> None:
    info = [ClipInfo(sha * 64, 1, 8, 8, 24.0, 5.0, 120, "h264", False) for sha in "abc"]
    jobs = [a_job(number, {"seed": number}, clip=one) for number, one in enumerate(info)]
    for job in jobs:
        store.intend(job)
    history = History(store, files)
    with pytest.raises(ConfigError, match=r"measure 'motion' yet; h.measure\(\)"):
        history.where(motion=(1, None))
    for one, motion in zip(info, (3.0, 1.0, None), strict=True):
        store.keep_measures(one.sha256, {("motion", "1"): 99.0})
        store.keep_measures(one.sha256, {("motion", "2"): motion})
    assert [job.params["seed"] for job in history.where(motion=(2, None))] == [0]
    assert [job.params["seed"] for job in history.where(motion=MISSING)] == [2]
    assert [job.params["seed"] for job in history.sort("motion")] == [1, 0, 2]


# against a plain Python filter

PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "prompt": st.text(st.sampled_from("abÄß %_\\'\"é\0"), max_size=4),
        "seed": st.integers(-3, 3),
        "motion_strength": st.one_of(st.integers(1, 4), st.sampled_from([1.5, 2.0, 2.5])),
        "loop": st.booleans(),
        "resolution": st.sampled_from(["480p", "720p", "a'b", 'q"%']),
    },
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "seed": st.integers(-3, 3),
    "motion_strength": st.sampled_from([1, 1.5, 2, 2.5, 3]),
    "loop": st.booleans(),
    "resolution": st.sampled_from(["480p", "720p", "a'b", 'q"%']),
}


@st.composite
def filters(draw: st.DrawFn) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for name, values in VALUES.items():
        forms: list[st.SearchStrategy[Any]] = [
            st.none(), values, st.just(MISSING), st.lists(st.one_of(values, st.just(MISSING)), max_size=3)
        ]  # fmt: skip
        if name in ("seed", "motion_strength"):
            ends = st.tuples(st.one_of(st.none(), values), st.one_of(st.none(), values))
            forms.append(ends.filter(lambda ends: None in ends or ends[0] <= ends[1]))
        chosen[name] = draw(st.one_of(*forms))
    chosen["prompt"] = draw(st.one_of(st.none(), st.text(st.sampled_from("abÄä %_\\'"), max_size=2)))
    return chosen


def passes(params: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """The same filter in plain Python."""

    def fits(name: str, value: Any) -> bool:
        own = params.get(name)
        if value is MISSING:
            return own is None
        if isinstance(value, list):
            return any(fits(name, one) for one in value)
        if isinstance(value, tuple):
            low, high = value
            return own is not None and (low is None or own >= low) and (high is None or own <= high)
        return bool(own is not None and own == value)

    part = wanted["prompt"]
    has_prompt = part is None or part.casefold() in params.get("prompt", "").replace("\0", "?").casefold()
    return has_prompt and all(fits(name, wanted[name]) for name in VALUES if wanted[name] is not None)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(PARAMS, max_size=6), st.lists(filters(), min_size=1, max_size=6))
def test_filters_are_a_plain_python_filter(
    store: Store, files: Files, recipes: list[dict[str, Any]], several: list[dict[str, Any]]
) -> None:
    run = uuid.uuid4().hex
    jobs = [a_job(number, params, base_url=f"http://{run}", account=run) for number, params in enumerate(recipes)]
    for job in jobs:
        store.intend(job)
    own = {job.id for job in jobs}
    for number, odd in enumerate(("a'b", 'q"%')):  # words that nobody has are refused
        store.intend(a_job(number, {"resolution": odd}, base_url=f"http://odd-{run}", account=run))
    for wanted in several:
        found = [job_id for job_id in History(store, files, **wanted).ids if job_id in own]
        assert found == [job.id for job in reversed(jobs) if passes(dict(job.params), wanted)], wanted


def test_the_public_verb_takes_them(tmp_path: Path) -> None:
    with vidnb.Client(tmp_path) as client:
        assert len(client.history(motion_strength=(3, 7), since="2026-11-01", seed=vidnb.MISSING)) == 0
        with pytest.raises(ConfigError, match="did you mean"):
            client.jobs(promt="koala")


def test_a_word_that_no_model_and_no_job_has_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store:
        store.intend(a_job(1, {"prompt": "a koala", "resolution": "480p"}))
        store.intend(a_job(2, {"prompt": "a koala", "resolution": "of another catalogue"}))
        history = History(store, Files(tmp_path))
        with pytest.raises(ConfigError, match=r"^resolution='480': did you mean '480p' .*\? there are .*720p"):
            history.where(resolution="480")
        with pytest.raises(ConfigError, match=r"resolution='480': did you mean"):
            history.where(resolution=["720p", "480"])
        with pytest.raises(ConfigError, match=r"resolution='480': did you mean"):
            history.where(params={"resolution": "480"})
        assert len(history.where(resolution="480p")) == 1
        assert len(history.where(resolution="1080p")) == 0, "some model has it, and no job yet"
        assert len(history.where(resolution="of another catalogue")) == 1
        assert len(history.where(resolution=["480p", vidnb.MISSING])) == 1


def test_an_id_that_no_job_has_is_refused_and_a_job_stands_for_its_id(history: History, store: Store) -> None:
    job = store.get(JOBS[2].id)
    for asked in (job, "c0ffee", [job, JOBS[1].id]):
        assert job.id in history.where(id=asked).ids
    for wrong in ("c0ffef", ["c0ffee", "%"], job.id + "0"):
        with pytest.raises(ConfigError, match=r"id='.*': no job here has an id that starts so; vidnb\.history"):
            history.where(id=wrong)


def test_a_tag_that_is_most_likely_misspelt_is_refused_and_one_that_nobody_gave_yet_is_not(history: History) -> None:
    with pytest.raises(ConfigError, match="no job has the tag 'Keepr'; did you mean 'keeper'"):
        history.where(tag=["sea", "Keepr"])
    assert len(history.where(tag=["sea", "to be shown"])) == 2


def test_a_sweep_is_found_by_its_id_its_start_its_title_or_itself(history: History, store: Store) -> None:
    with pytest.raises(ConfigError, match="there is no sweep 'a1b2'; none was run in this folder"):
        history.where(sweep="a1b2")
    key = JOBS[1].base_url, JOBS[1].recipe_hash, JOBS[1].take
    rows = SweepRows(store)
    for name, title in (("a1b2c3d4e5f6", "beacons"), ("a1ffffffffff", "")):
        rows.register(name, f"sweep-{name}", title, [(key, 0, False, {"params": {}, "images": {}})])
    itself = SimpleNamespace(id="a1b2c3d4e5f6")
    for asked in ("a1b2c3d4e5f6", "a1b2", "sweep-a1b2c3d4e5f6", "beacons", itself, ["beacons", MISSING]):
        assert JOBS[1].id in history.where(sweep=asked).ids
    refused = {"a1": "sweep='a1' may be 'a1", "beakons": "did you mean 'beacons'", "x": "there are a1"}
    for wrong, says in refused.items():
        with pytest.raises(ConfigError, match=says):
            history.where(sweep=wrong)


def test_a_purse_that_nobody_ever_had_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with vidnb.Client(tmp_path) as client:
        with pytest.raises(ConfigError, match="there is no purse 'lesson'; no job has one"):
            client.history(purse="lesson")
        client.budget("Lesson-3", jobs=3)
        assert len(client.history(purse=["Lesson-3", vidnb.MISSING])) == 0, "it has no job yet"
        with pytest.raises(ConfigError, match="there is no purse 'lesson_3'; did you mean 'Lesson-3'"):
            client.jobs(purse="lesson_3")
        with pytest.raises(ConfigError, match="there is no purse 'zoo'; there are Lesson-3"):
            client.history(purse="zoo")
