"""The store keeps its promises on both databases, whoever calls and however often."""

from __future__ import annotations

import itertools
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from clocks import TestClock
from databases import database, postgres_server
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import column, func
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.functions import Function

from vidnb.errors import ConfigError, DataMovedError, IllegalTransitionError, StoreError
from vidnb.history.filters import terms
from vidnb.records import TRANSITIONS, Booked, ClipInfo, Cost, Job, RemoteMedia, State
from vidnb.store import Store, books, queries
from vidnb.store import database as opening
from vidnb.store.search import Search
from vidnb.store.sweeps import SweepRows

__all__ = ["database", "postgres_server"]  # fixtures

T = TypeVar("T")
START = datetime(2026, 1, 1, tzinfo=UTC)
CLIP = ClipInfo("c" * 64, 1234, 848, 480, 24.0, 5.0, 120, "h264", has_audio=True)
UPLOAD = ("leonardo", "someone", "https://a.invalid", "d" * 64)


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def store(database: str, clock: TestClock) -> Iterator[Store]:
    with closing(Store(database, clock=clock)) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One database for tests that only look at rows of their own."""
    with closing(Store(tmp_path_factory.mktemp("shared"))) as store:
        yield store


def a_job(**fields: Any) -> Job:
    """A new job of a recipe of its own."""
    job = Job(
        id=uuid.uuid4().hex,
        provider="leonardo",
        model="leonardo/motion_2.0",
        recipe_hash=uuid.uuid4().hex,
        take=0,
        state=State.INTENDED,
        params={"prompt": "a koala", "seed": 7, "motion_strength": 3.5},
        images={"start_image": [{"sha256": "b" * 64, "extension": "png"}]},
        emulated=False,
        base_url="https://a.invalid",
        created_at=START,
    )
    return replace(job, **fields)


def added(store: Store, **fields: Any) -> Job:
    job, created = store.intend(a_job(**fields))
    assert created
    return job


def at_once(call: Callable[[int], T], times: int = 8) -> list[T]:
    """What the calls returned that were made from so many threads at the same moment."""
    barrier = threading.Barrier(times)

    def one(index: int) -> T:
        barrier.wait()
        return call(index)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def ids(jobs: Sequence[Job]) -> list[str]:
    return [job.id for job in jobs]


# Jobs and their takes


def test_a_job_is_read_as_it_was_written(store: Store) -> None:
    job = added(store, account="someone", dropped={"audio": True}, cost=Cost(0.25, "USD"), clip=CLIP, nsfw=False)
    assert store.get(job.id) == job


@given(prompt=st.text(st.characters(exclude_categories=())), seed=st.integers())
def test_no_prompt_and_no_seed_is_refused(shared_store: Store, prompt: str, seed: int) -> None:
    job = added(shared_store, params={"prompt": prompt, "seed": seed})
    assert shared_store.get(job.id).params == {"prompt": prompt, "seed": seed}
    assert job.id in ids(shared_store.jobs(*terms(shared_store, {"prompt": prompt})))


def test_text_that_no_database_takes_is_stored_with_marks(store: Store) -> None:
    job = added(store, params={"prompt": "nul \0 and half a pair \ud800"})
    store.update(job.id, wire_status="ODD\0\udfff")
    store.move(job.id, State.FAILED, error={"message": "\0\ud800"}, note="\0")
    failed = store.get(job.id)
    assert failed.prompt == "nul \0 and half a pair \ud800"
    assert failed.wire_status == "ODD??"
    assert failed.error == {"message": "\0\ud800"}
    assert ids(store.jobs(*terms(store, {"prompt": "\0 and half a pair \ud800"}))) == [job.id]


def test_the_same_recipe_and_take_is_the_same_job(store: Store) -> None:
    first = added(store)
    again, created = store.intend(replace(first, id="another"))
    assert (again, created) == (first, False)
    assert [event.state for event in store.events(first.id)] == [State.INTENDED]


@pytest.mark.parametrize("other", [{"take": 1}, {"base_url": "https://b.invalid"}, {"recipe_hash": "e" * 64}])
def test_another_take_service_or_recipe_is_another_job(store: Store, other: dict[str, Any]) -> None:
    first = added(store)
    _, created = store.intend(replace(first, id="another", **other))
    assert created


@pytest.mark.parametrize("state", list(State))
def test_only_a_failed_or_cancelled_job_leaves_its_take_free(store: Store, state: State) -> None:
    first = added(store, state=state)
    second, created = store.intend(replace(first, id="another", state=State.INTENDED))
    assert created == (state in (State.FAILED, State.CANCELLED))
    third, again = store.intend(replace(first, id="a third", state=State.INTENDED))
    assert (third.id, again) == (second.id, False)


def test_one_of_many_who_intend_the_same_at_once_makes_the_job(database: str, store: Store) -> None:
    job = a_job()
    with closing(Store(database)) as other:
        results = at_once(lambda index: (store, other)[index % 2].intend(replace(job, id=f"job{index}")))
    assert sum(created for _, created in results) == 1
    assert len({found.id for found, _ in results}) == 1
    assert len(store.jobs()) == 1


def test_an_id_is_never_given_twice(store: Store) -> None:
    job = added(store)
    with pytest.raises(StoreError):
        store.intend(replace(job, recipe_hash="another"))


def test_the_next_take_follows_every_earlier_one_failed_ones_too(store: Store) -> None:
    job = a_job()
    assert store.next_take(job.base_url, job.recipe_hash) == 0
    store.intend(job)
    store.intend(replace(job, id="another", take=4, state=State.FAILED))
    assert store.next_take(job.base_url, job.recipe_hash) == 5
    assert store.next_take("https://b.invalid", job.recipe_hash) == 0


# Moves


@pytest.mark.parametrize(("source", "to"), list(itertools.product(State, State)))
def test_a_job_moves_along_the_table_only(shared_store: Store, source: State, to: State) -> None:
    job = added(shared_store, state=source)
    if to in TRANSITIONS[source]:
        assert shared_store.move(job.id, to, note="why").state is to
        assert [(event.state, event.note) for event in shared_store.events(job.id)] == [(source, ""), (to, "why")]
    else:
        with pytest.raises(IllegalTransitionError, match=rf"is {source}, so it cannot become {to}"):
            shared_store.move(job.id, to)
        assert shared_store.get(job.id) == job
        assert len(shared_store.events(job.id)) == 1


@pytest.mark.parametrize("seen", [{"owner": "they"}, {"sent_at": START - timedelta(seconds=1)}], ids=str)
def test_a_move_holds_only_for_the_lease_and_the_post_that_whoever_decides_saw(
    store: Store, seen: dict[str, Any]
) -> None:
    job, _ = store.intend(a_job(lease_owner="we", lease_until=START + timedelta(hours=1)))
    store.move(job.id, State.SUBMITTING, submitted_at=START)
    with pytest.raises(IllegalTransitionError):
        store.move(job.id, State.AMBIGUOUS, **seen)
    assert store.get(job.id).state is State.SUBMITTING
    assert store.move(job.id, State.AMBIGUOUS, owner="we", sent_at=START).state is State.AMBIGUOUS


def test_a_move_sets_fields_and_returns_the_row_as_it_is_now(store: Store) -> None:
    job = added(store, state=State.DOWNLOADING)
    moved = store.move(
        job.id, State.DONE, clip=CLIP, cost=Cost(25, "CREDITS"), asset_id="x", polls=3, finished_at=START
    )
    assert (moved.clip, moved.cost, moved.asset_id, moved.polls) == (CLIP, Cost(25, "CREDITS"), "x", 3)
    assert store.get(job.id) == moved


def test_expect_allows_no_other_state(store: Store) -> None:
    job = added(store, state=State.RUNNING)
    with pytest.raises(IllegalTransitionError):
        store.move(job.id, State.FAILED, expect=State.QUEUED)
    with pytest.raises(IllegalTransitionError):
        store.move(job.id, State.DONE, expect=State.RUNNING)
    assert store.move(job.id, State.FAILED, expect=State.RUNNING).state is State.FAILED


def test_the_end_of_a_job_says_when_and_frees_it(store: Store, clock: TestClock) -> None:
    job = added(store, state=State.RUNNING)
    store.lease(job.id, "me", 60)
    clock.forward(5)
    ended_at = store.utc()  # a server's own time, where there is one
    failed = store.move(job.id, State.FAILED)
    assert abs(failed.done_at - ended_at) < timedelta(minutes=5)  # of a busy machine; the clock's own date is far off
    assert (failed.lease_owner, failed.lease_until) == (None, None)


def test_one_of_many_who_submit_at_once_may(database: str, store: Store) -> None:
    job = added(store)

    def submit(index: int) -> bool:
        try:
            (store, other)[index % 2].move(job.id, State.SUBMITTING)
        except IllegalTransitionError:
            return False
        return True

    with closing(Store(database)) as other:
        assert sum(at_once(submit)) == 1
    assert len(store.events(job.id)) == 2


def test_an_update_leaves_the_state_and_the_events(store: Store) -> None:
    job = added(store, state=State.RUNNING)
    store.update(job.id, polls=9, wire_status="PENDING", cost=None)
    assert store.get(job.id) == replace(job, polls=9, wire_status="PENDING")
    assert len(store.events(job.id)) == 1


def test_an_unknown_job_is_an_error_that_names_it(store: Store) -> None:
    for call in (lambda: store.get("x1"), lambda: store.update("x1", polls=1), lambda: store.move("x1", State.FAILED)):
        with pytest.raises(StoreError, match="no job 'x1'"):
            call()


@pytest.mark.parametrize("name", ["video_url", "state", "pols"])
def test_what_is_no_stored_field_is_refused(store: Store, name: str) -> None:
    job = added(store)
    with pytest.raises(TypeError, match=name):
        store.update(job.id, **{name: "https://cdn.invalid/clip.mp4?signature=secret"})


def test_a_signed_address_never_reaches_the_disk(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store:
        added(store, video_url="https://cdn.invalid/clip.mp4?signature=canary")
        assert not any(b"canary" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


# Leases and wake-up calls


def test_a_lease_has_one_owner_until_it_runs_out(store: Store) -> None:
    job = added(store)
    assert store.lease(job.id, "me", 60)
    assert store.lease(job.id, "me", 60)
    assert not store.lease(job.id, "you", 60)
    store.renew([job.id], "me", -1)
    assert store.lease(job.id, "you", 60)
    assert store.get(job.id).lease_owner == "you"


def test_only_the_owner_releases_a_lease(store: Store) -> None:
    job = added(store)
    store.lease(job.id, "me", 60)
    store.release(job.id, "you")
    assert not store.lease(job.id, "you", 60)
    store.release(job.id, "me")
    assert store.lease(job.id, "you", 60)


def test_renewing_prolongs_what_is_still_held(store: Store) -> None:
    mine = [added(store).id for _ in range(3)]
    for job_id in mine:
        store.lease(job_id, "me", -1)
    store.lease(mine[0], "you", 60)
    assert store.renew([*mine, *(f"none{index}" for index in range(1200))], "me", 60) == set(mine[1:])
    assert [store.lease(job_id, "a third", 60) for job_id in mine] == [False, False, False]


def test_nobody_has_no_lease_on_a_job_that_is_not_there(store: Store) -> None:
    assert not store.lease("x1", "me", 60)
    assert store.renew([], "me", 60) == set()


def test_one_of_many_who_lease_at_once_gets_it(database: str, store: Store, clock: TestClock) -> None:
    job = added(store)
    with closing(Store(database, clock=clock)) as other:
        assert sum(at_once(lambda index: (store, other)[index % 2].lease(job.id, f"owner{index}", 60))) == 1


def test_a_call_wakes_a_job_once(store: Store) -> None:
    job = added(store, state=State.RUNNING, remote_id="r1")
    assert not store.woken(job.id)
    assert store.wake("leonardo", "r1")
    assert [store.woken(job.id), store.woken(job.id)] == [True, False]


def test_a_call_for_a_strange_or_finished_job_wakes_nothing(store: Store) -> None:
    job = added(store, state=State.DONE, remote_id="r1")
    assert not store.wake("leonardo", "r1")
    assert not store.wake("leonardo", "r2")
    assert not store.wake("1min", "r1")
    assert not store.woken(job.id)


# Reading


def test_a_short_id_finds_its_job(store: Store) -> None:
    for job_id in ("abc1", "abc2", "abc", "b_1", "bx1"):
        added(store, id=job_id)
    assert store.find("abc1").id == "abc1"
    assert store.find("abc").id == "abc"
    assert store.find("b_").id == "b_1"
    with pytest.raises(StoreError, match="several jobs start with 'ab': abc, abc1, abc2"):
        store.find("ab")
    for none in ("", "%", "zz", "\0\ud800"):
        with pytest.raises(StoreError, match="no job starts with"):
            store.find(none)


def test_a_remote_id_finds_the_newest_job_of_that_provider(store: Store) -> None:
    added(store, id="old", remote_id="r1")
    added(store, id="new", remote_id="r1", created_at=START + timedelta(seconds=1))
    newest = store.by_remote("leonardo", "r1")
    assert newest is not None
    assert newest.id == "new"
    assert store.by_remote("1min", "r1") is None


def test_unfinished_jobs_come_oldest_first(store: Store) -> None:
    for index, state in enumerate(State):
        added(store, id=state.value, state=state, created_at=START - timedelta(seconds=index))
    added(store, id="other", provider="1min")
    assert ids(store.unfinished("leonardo")) == [
        *("ambiguous", "downloading", "running", "queued", "submitting", "intended"),
    ]
    assert len(store.unfinished()) == 7


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "cba"),
        ({"limit": 2}, "cb"),
        ({"limit": 0}, ""),
        ({"state": State.DONE}, "b"),
        ({"state": ["done", State.FAILED]}, "cb"),
        ({"state": []}, ""),
        ({"model": "1min/luma"}, "c"),
        ({"model": ["1min/luma", "leonardo/SVD"]}, "cb"),
        ({"provider": "leonardo"}, "ba"),
        ({"seed": 7}, "a"),
        ({"seed": range(7, 9)}, "ba"),
        ({"since": START + timedelta(minutes=1)}, "cb"),
        ({"emulated": True}, "c"),
        ({"emulated": False, "limit": 1}, "b"),
        ({"prompt": "KOALA"}, "ba"),
        ({"prompt": "straSSe ÄPFEL"}, "c"),
        ({"prompt": "100%_"}, "b"),
        ({"prompt": "%"}, "b"),
        ({"prompt": "_"}, "b"),
        ({"prompt": "/"}, ""),
        ({"prompt": ""}, "cba"),
    ],
)
def test_jobs_and_ids_and_their_number_are_filtered_alike(store: Store, filters: dict[str, Any], expected: str) -> None:
    minute = timedelta(minutes=1)
    added(store, id="a", params={"prompt": "a koala", "seed": 7})
    params = {"prompt": "the Koala is 100%_ happy", "seed": 8}
    added(store, id="b", model="leonardo/SVD", state=State.DONE, created_at=START + minute, params=params)
    params = {"prompt": "Straße äpfel"}
    more = {"provider": "1min", "model": "1min/luma", "state": State.FAILED, "emulated": True}
    added(store, id="c", created_at=START + 2 * minute, params=params, **more)
    limit = filters.get("limit")
    found = terms(store, {name: value for name, value in filters.items() if name != "limit"})
    assert "".join(ids(store.jobs(*found, limit=limit))) == expected
    assert "".join(store.search(Search(found, limit=limit))) == expected
    assert store.count(Search(found, limit=limit)) == len(expected)


def test_rows_are_plain_values_under_the_names_of_the_columns(store: Store) -> None:
    job = added(store, state=State.DONE, clip=CLIP, cost=Cost(0.5, "USD"))
    (row,) = store.rows_of([job.id])
    assert row["params"] == job.params
    assert (row["actual_width_px"], row["actual_fps"], row["clip_sha256"]) == (848, 24.0, "c" * 64)
    assert (row["cost_amount"], row["cost_unit"], row["created_at"], row["state"]) == (0.5, "USD", START, "done")
    assert "lease_owner" not in row


def test_jobs_of_a_provider_that_is_gone_are_still_read(store: Store) -> None:
    job = added(store, provider="gone", model="gone/for_ever", params={"knob": [1, {"deep": None}]})
    assert store.jobs() == [job]


def test_latencies_are_those_of_the_models_newest_clips(store: Store) -> None:
    def clip(seconds: float, **fields: Any) -> None:
        times = {"submitted_at": START, "finished_at": START + timedelta(seconds=seconds)}
        added(store, **({"state": State.DONE, "created_at": START + timedelta(seconds=seconds)} | times | fields))

    for seconds in (1, 2, 3.5):
        clip(seconds)
    clip(10, emulated=True)
    clip(20, model="leonardo/SVD")
    clip(30, state=State.FAILED)
    clip(40, submitted_at=None)
    assert store.latencies("leonardo/motion_2.0", emulated=False) == [3.5, 2.0, 1.0]
    assert store.latencies("leonardo/motion_2.0", emulated=False, limit=1) == [3.5]
    assert store.latencies("leonardo/motion_2.0", emulated=True) == [10.0]


def test_jobs_of_the_same_params_are_found_by_model_newest_first(store: Store) -> None:
    params = {"prompt": 'a "duration_s":8 100%_', "duration_s": 5, "resolution": "480p", "audio": True}
    times = {"submitted_at": START, "done_at": START + timedelta(seconds=9)}
    for hour, fields in enumerate(
        (
            {}, {"cost": Cost(2, "USD")}, {"cost": Cost(3, "USD"), "emulated": True}, {"model": "leonardo/SVD"},
            {"cost": Cost(4, "USD"), "state": State.FAILED}, {"params": params | {"audio": False}},
            {"params": {**params, "duration_s": 8}}, {"cost": Cost(5, "USD"), "state": State.RUNNING},
        )
    ):  # fmt: skip
        given = {"state": State.DONE, "params": params, "id": str(hour), "created_at": START + timedelta(hours=hour)}
        added(store, **(given | times | fields))  # type: ignore[arg-type]
    wanted = {"duration_s": 5, "resolution": "480p", "audio": True, "width_px": None}
    assert [job.id for job in store.done_like("leonardo/motion_2.0", wanted, emulated=False)] == ["1", "0"]
    assert [job.id for job in store.done_like("leonardo/motion_2.0", wanted, emulated=True)] == ["2"]
    assert [job.id for job in store.charged_like("leonardo/motion_2.0", wanted)] == ["7", "1"]
    assert [job.id for job in store.charged_like("leonardo/motion_2.0", wanted, limit=1)] == ["7"]
    assert store.charged_like("leonardo/motion_2.0", {"resolution": "100%_"}) == []


@pytest.mark.parametrize("query", [queries.SEEDED, queries.REPLAYED, queries.STANDING, queries.NEXT_TAKE])
def test_a_recipe_is_looked_up_by_its_hash_and_not_among_all_jobs_of_an_address(tmp_path: Path, query: Any) -> None:
    with closing(Store(tmp_path)) as store, store.reading() as connection:
        statement = str(query.compile(dialect=connection.dialect))
        plan = connection.connection.cursor().execute(
            f"EXPLAIN QUERY PLAN {statement}", ["x"] * statement.count("?")
        )  # fmt: skip
        steps = [step for *_, step in plan.fetchall() if step.startswith(("SEARCH", "SCAN"))]
    assert steps
    assert all("recipe_hash=?" in step or "seeded_hash=?" in step for step in steps), steps
    if query is not queries.NEXT_TAKE:  # which asks of all takes; the others must not read them
        assert all("AND take=?" in step for step in steps if "recipe_hash=?" in step), steps


def test_what_a_person_said_is_stored_and_found(store: Store) -> None:
    said = {"Cat": 5, "cat": 3, 'c"at': None, "%": 1, "ö": 2}
    for tag, rating in said.items():
        job = added(store, tags=(tag, "all"), rating=rating, note=f"{tag}\0\ud800")
        assert (store.get(job.id).tags, store.get(job.id).note) == ((tag, "all"), f"{tag}??")
    for tag in said:
        assert [job.tags[0] for job in store.jobs(*terms(store, {"tag": tag}))] == [tag]
    assert len(store.jobs(*terms(store, {"tag": ["Cat", "ö", "none"]}))) == 2
    assert len(store.jobs(*terms(store, {"tag": "all", "rating": 3}))) == 2
    assert [job.tags for job in store.jobs(*terms(store, {"rating": 5}))] == [("Cat", "all")]


def test_a_job_stands_for_its_take_until_it_comes_to_nothing(store: Store) -> None:
    job = added(store, state=State.RUNNING)
    key = (job.base_url, job.recipe_hash)
    assert store.standing(*key, 0) == job
    assert store.standing(*key, 1) is None
    store.move(job.id, State.FAILED)
    assert store.standing(*key, 0) is None


@pytest.mark.parametrize(
    ("fields", "stands"),
    [
        ({}, True),
        ({"state": State.AMBIGUOUS}, True),
        ({"state": State.FAILED}, False),
        ({"purged_at": START}, False),
        ({"imported": True}, False),
        ({"imported": True, "replays": True}, True),
        ({"imported": True, "replays": True, "trashed_at": START}, False),
        ({"imported": True, "replays": True, "trashed_at": START, "purged_at": START}, False),
    ],
)
def test_a_sweep_and_a_submit_agree_on_the_job_that_stands_for_a_take(
    store: Store, fields: dict[str, Any], stands: bool
) -> None:
    job = a_job(**{"state": State.DONE, "clip": CLIP, **fields})
    store.merge([job], {})
    key = (job.base_url, job.recipe_hash, job.take)
    assert (store.standing(*key) is not None) == stands
    rows = SweepRows(store)
    at_first, while_it_runs = rows.standings([key])[0], dict(rows.jobs([job.id])).get(key)
    assert at_first == while_it_runs
    assert (at_first is not None and at_first.is_live) == stands


def test_money_is_added_up_by_unit_and_emulated_money_apart(store: Store) -> None:
    later = START + timedelta(days=1)
    added(store, cost=Cost(0.5, "USD"), state=State.DONE)
    added(store, cost=Cost(0.25, "USD"), created_at=later, state=State.FAILED)
    added(store, cost=Cost(300, "CREDITS"), state=State.DONE)
    added(store, cost=Cost(9, "USD"), emulated=True, state=State.DONE)
    added(store)
    assert store.sums() == [
        ("CREDITS:leonardo", Booked.SETTLED, 300.0), ("CREDITS:leonardo", Booked.RESERVED, 0.0),
        ("CREDITS:leonardo", Booked.UNCLEAR, 0.0), ("USD", Booked.SETTLED, 0.5), ("USD", Booked.RESERVED, 0.0),
        ("USD", Booked.UNCLEAR, 0.25),
    ]  # fmt: skip
    assert store.sums(since=later) == [("USD", Booked.UNCLEAR, 0.25)]
    assert ("USD", Booked.SETTLED, 9.0) in store.sums("emulated")


def test_the_last_look_before_a_paid_request_notices_that_another_database_lies_there(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "data")) as store:
        job = added(store)
        assert store.holder(job.id)[0] is job.state
        (tmp_path / "data").rename(tmp_path / "moved")
        with closing(Store(tmp_path / "data")), pytest.raises(DataMovedError, match="Nothing was sent"):
            store.holder(job.id)


def test_what_was_spent_since_a_day_is_summed_from_its_index_alone(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store, store.reading() as connection:
        statement = str(books.SUMS_SINCE.compile(dialect=connection.dialect))
        plan = connection.connection.cursor().execute(
            f"EXPLAIN QUERY PLAN {statement}", ["x"] * statement.count("?")
        )  # fmt: skip
        steps = [step for *_, step in plan.fetchall() if "reservations" in step]
    assert len(steps) == 3
    parts = "(book=? AND unit=? AND booked=? AND at>?)"
    assert all(f"USING COVERING INDEX ix_reservations_sums {parts}" in step for step in steps), steps


def test_an_upload_is_known_to_its_account_and_service_only(store: Store) -> None:
    store.remember_upload(*UPLOAD, RemoteMedia("leonardo", "r1"))
    store.remember_upload(*UPLOAD, RemoteMedia("leonardo", "r2", "GENERATED"))
    assert store.uploaded(*UPLOAD) == RemoteMedia("leonardo", "r2", "GENERATED")
    assert store.uploaded("leonardo", None, *UPLOAD[2:]) is None
    assert store.uploaded("leonardo", "someone", "https://b.invalid", "d" * 64) is None


def test_an_upload_without_an_account_is_known_too(store: Store) -> None:
    key = ("1min", None, *UPLOAD[2:])
    store.remember_upload(*key, RemoteMedia("1min", "images/x.png"))
    assert store.uploaded(*key) == RemoteMedia("1min", "images/x.png")


def test_a_forgotten_upload_is_made_again(store: Store) -> None:
    store.remember_upload(*UPLOAD, RemoteMedia("leonardo", "r1"))
    store.forget_upload("leonardo", RemoteMedia("leonardo", "r1"))
    assert store.uploaded(*UPLOAD) is None


# Many threads, and databases that refuse


def test_threads_share_a_store(store: Store) -> None:
    def life(index: int) -> Job:
        job = added(store)
        for state in (State.SUBMITTING, State.RUNNING, State.DOWNLOADING, State.DONE):
            assert store.lease(job.id, f"owner{index}", 60)
            store.move(job.id, state)
        return store.get(job.id)

    assert {job.state for job in at_once(life, 12)} == {State.DONE}
    assert store.states() == {State.DONE: 12}


def test_reading_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store, closing(sqlite3.connect(tmp_path / "vidnb.db")) as writer:
        job = added(store)
        writer.execute("BEGIN IMMEDIATE")
        assert store.get(job.id) == job


def test_a_database_that_stays_locked_is_said_to_be(tmp_path: Path) -> None:
    with closing(Store(tmp_path, busy_s=0.01)) as store, closing(sqlite3.connect(tmp_path / "vidnb.db")) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process held the database"):
            store.intend(a_job())
        writer.rollback()
        added(store)


def test_a_full_disk_is_said_to_be_full_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Store(tmp_path)) as store:
        job = added(store)
    connect = sqlite3.connect

    def small(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection = connect(*args, **kwargs)
        connection.execute("PRAGMA max_page_count=1")  # SQLite takes the present size instead: no page more
        return connection

    monkeypatch.setattr(sqlite3, "connect", small)
    monkeypatch.setattr(sqlite3.dbapi2, "connect", small)
    with closing(Store(tmp_path)) as store:
        with pytest.raises(StoreError, match="the disk is full"):
            store.intend(a_job(params={"prompt": "x" * 100_000}))
        assert store.jobs() == [job]


def test_a_history_that_may_only_be_read_is_still_read(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store:
        job = added(store)
    with closing(Store(f"sqlite:///file:{tmp_path}/vidnb.db?mode=ro&uri=true")) as store:
        assert store.jobs() == [job]
        with pytest.raises(StoreError, match="read-only: set VIDNB_HOME"):
            store.update(job.id, polls=1)


def test_the_folder_of_a_named_database_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    Store("sqlite:///~/new/folder/mine.db").close()
    assert (tmp_path / "new" / "folder" / "mine.db").is_file()


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "vidnb.db"
    path.write_text("these are my notes\n" * 100)
    with pytest.raises(StoreError, match="no SQLite database"):
        Store(tmp_path)
    assert path.read_text() == "these are my notes\n" * 100


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="VIDNB_HOME"):
        Store(tmp_path / "file" / "home")
    with pytest.raises(StoreError):
        Store(f"sqlite:///{tmp_path}/file/vidnb.db")


@pytest.mark.parametrize(
    ("said", "advised"),
    [
        ("attempt to write a readonly database", "read-only"),
        ("unable to open database file", "VIDNB_HOME"),
        ("could not extend file: No space left on device", "disk is full"),
        ("disk I/O error", "limit on file sizes"),
        ("FATAL:  password authentication failed for user", "password is wrong"),
        ("connection to server at 10.0.0.1 failed: timeout expired", "cannot be reached"),
        ("something new", "something new"),
    ],
)
def test_a_refusal_comes_with_advice(said: str, advised: str) -> None:
    assert advised in opening.explain(said)


def test_a_server_that_is_away_is_an_error_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv("VIDNB_DATABASE_URL", "postgres://me:canary@127.0.0.1:1/vidnb")
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        Store()
    assert "canary" not in f"{caught.value} {caught.value.__cause__!r}"


@pytest.mark.parametrize("url", ["mysql://me:canary@host/x", "sqlite://", "sqlite:///:memory:", "canary"])
def test_an_address_of_nothing_we_know_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigError, match=r"PostgreSQL|postgresql") as caught:
        Store(url)
    assert "canary" not in str(caught.value)


def test_another_driver_for_sqlite_is_not_asked_for(tmp_path: Path) -> None:
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'vidnb.db'}")
    assert store.unfinished() == []
    store.close()


def test_the_database_lies_in_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIDNB_HOME", str(tmp_path / "here"))
    Store().close()
    assert (tmp_path / "here" / "vidnb.db").is_file()


def test_an_entry_of_a_list_is_attached_to_one_job_only(store: Store) -> None:
    first, second = (store.intend(a_job())[0] for _ in range(2))
    for row in (first, second):
        store.move(row.id, State.SUBMITTING)
        store.move(row.id, State.AMBIGUOUS)
    attached = store.attach(first.id, "r1")
    assert attached is not None
    assert (attached.state, attached.remote_id) == (State.RUNNING, "r1")
    assert store.attach(second.id, "r1") is None
    left = store.get(second.id)
    assert (left.state, left.remote_id) == (State.AMBIGUOUS, None)
    other = store.attach(second.id, "r2")
    assert other is not None
    assert (other.id, other.remote_id) == (second.id, "r2")
    with pytest.raises(IllegalTransitionError):
        store.attach(second.id, "r3")
    assert store.get(second.id).remote_id == "r2"


def test_a_connection_that_is_still_used_when_the_store_closes_is_closed_once_it_comes_back(tmp_path: Path) -> None:
    store = Store(tmp_path, busy_s=0.1)
    with store.reading() as connection:
        held = connection.connection.dbapi_connection
        store.close()
        assert held.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        held.execute("SELECT 1")


def test_sqlalchemys_own_function_for_the_place_of_a_text_stays_as_it_is() -> None:
    theirs = func.instr(column("a"), "b")
    assert type(theirs) is Function
    assert str(theirs.compile(dialect=postgresql.dialect())).startswith("instr(")  # type: ignore[no-untyped-call]
