"""A lost submit is attached only where the service's list leaves no doubt whose entry it is."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from clocks import SkippingClock
from fakes import CANARY, Scripted

from vidnb import providers
from vidnb.errors import AuthError, JobError
from vidnb.jobs.lanes import Lanes
from vidnb.jobs.ledger import Ledger
from vidnb.jobs.matching import SAME_CLOCK_S
from vidnb.jobs.poll import Poller
from vidnb.jobs.reconcile import LONGEST_APART, LOOK_AGAIN_S, Reconciler
from vidnb.jobs.recorder import CALLED, FOUND, Recorder
from vidnb.net.target import Target, target
from vidnb.net.wire import Wire
from vidnb.providers.leonardo import Leonardo
from vidnb.records import Job, State
from vidnb.store import Store

pytestmark = pytest.mark.anyio

LEONARDO = providers.get("leonardo")
A, B, C = (f"1f1a06db-37cd-6c60-9cac-18271700000{number}" for number in range(3))
ME = {"user_details": [{"user": {"id": "0f5e1d2c-3b4a-4958-8676-a5b4c3d2e1f0"}}]}
SOON = timedelta(seconds=2)


class Place:
    """A data folder and a service whose list holds `entries`: one list, or one for each reading."""

    def __init__(self, home: Path) -> None:
        self.clock = SkippingClock()
        self.store = Store(home, clock=self.clock)
        self.began = self.clock.utc()
        self.lists: list[list[dict[str, Any]]] = [[]]
        self.readings: list[float] = []
        self.limits: list[str] = []
        self.on_reading: Callable[[int], object] = lambda number: None
        self.ahead: timedelta | None = None
        """By how much the service's clock is ahead, as its answers tell; None where they do not."""
        self.changed: list[Job] = []
        self.asked: list[str] = []
        """The ids that the service was asked about, one by one."""
        self.record = httpx.Response(200, json={"generations_by_pk": None})
        self.answers_at(target(LEONARDO, key=CANARY))
        self.recorder = Recorder(self.store, Ledger(self.store), self.changed.append)
        lanes = Lanes(lambda job: self.wire, self.store)
        self.reconciler = Reconciler(self.recorder, lanes, Poller(self.recorder))

    def answers_at(self, where: Target) -> None:
        self.wire = Wire(where, Scripted(self._answer), retries=False)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/me"):
            return httpx.Response(200, json=ME)
        if "/generations/user/" not in request.url.path:
            self.asked.append(request.url.path.rpartition("/")[2])
            return self.record
        self.readings.append(self.clock.monotonic())
        self.limits.append(request.url.params["limit"])
        self.on_reading(len(self.readings))
        told = {} if self.ahead is None else {"date": format_datetime(self.clock.utc() + self.ahead, usegmt=True)}
        entries = self.lists[min(len(self.readings), len(self.lists)) - 1]
        return httpx.Response(200, json={"generations": entries}, headers=told)

    def entry(self, listed_id: str, at: datetime | None = None, **told: Any) -> dict[str, Any]:
        made = (at or self.began + SOON).isoformat()
        return {"id": listed_id, "status": "PENDING", "prompt": "a koala", "seed": 7, "createdAt": made, **told}

    def job(self, state: State = State.AMBIGUOUS, **fields: Any) -> Job:
        given: dict[str, Any] = {
            "id": uuid.uuid4().hex, "recipe_hash": uuid.uuid4().hex, "take": 0, "created_at": self.began,
            "submitted_at": self.began,
            "params": {"prompt": "a koala", "seed": 7, "width_px": 832, "height_px": 480},
        }  # fmt: skip
        return self.store.intend(Job(
            provider="leonardo", model="leonardo/motion_2.0", images={}, emulated=False, state=state,
            base_url=LEONARDO.base_url, **given | fields,
        ))[0]  # fmt: skip

    async def reconciled(self, job: Job) -> tuple[State, str | None]:
        """How the job stands after the look, for whoever asked and in the database."""
        row = await self.reconciler.reconcile(job)
        assert row == self.store.get(job.id)
        return row.state, row.remote_id


class Listless(Leonardo):
    """A service that lists no jobs."""

    def recent(self, limit: int, jobs: Sequence[Job]) -> Any:
        return None


LOST: tuple[State, str | None] = (State.AMBIGUOUS, None)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    with closing(made.store):
        yield made


async def test_the_only_entry_that_fits_twice_in_a_row_is_the_job(place: Place) -> None:
    job = place.job()
    place.lists = [[place.entry(A), place.entry(B, prompt="a cat")]]
    assert await place.reconciled(job) == (State.RUNNING, A)
    assert len(place.readings) == 2
    assert place.readings[1] - place.readings[0] >= LOOK_AGAIN_S[0]
    assert set(place.limits) == {"100"}
    assert [row.remote_id for row in place.changed] == [A]
    assert place.store.events(job.id)[-1].note == FOUND


async def test_an_entry_that_comes_late_is_waited_for(place: Place) -> None:
    job = place.job()
    place.lists = [[], [place.entry(A)], [place.entry(A)]]
    assert await place.reconciled(job) == (State.RUNNING, A)
    assert len(place.readings) == 3
    assert place.readings[2] - place.readings[1] >= LOOK_AGAIN_S[1]


@pytest.mark.parametrize("lists", ["", "A", "AB", "-A", "--A", "A-A", "AA"])
async def test_a_list_that_changes_its_mind_is_not_believed(place: Place, lists: str) -> None:
    job = place.job()
    ids = {"A": A, "B": B}
    place.lists = [[place.entry(ids[one])] if one in ids else [] for one in [*lists, "-"]]
    expected = (State.RUNNING, A) if lists == "AA" else LOST
    assert await place.reconciled(job) == expected


async def test_more_entries_than_lost_jobs_are_left_to_a_person(place: Place) -> None:
    job = place.job()
    place.lists = [[place.entry(A), place.entry(B)]]
    assert await place.reconciled(job) == LOST
    assert len(place.readings) == 1, "another look would tell no more"


async def test_an_entry_whose_time_is_not_told_is_not_sure(place: Place) -> None:
    job = place.job()
    place.lists = [[place.entry(A, createdAt=None)]]
    assert await place.reconciled(job) == LOST


async def test_takes_of_one_recipe_share_their_entries_by_the_time_of_their_submits(place: Place) -> None:
    first = place.job(recipe_hash="r")
    second = place.job(recipe_hash="r", take=1, submitted_at=place.began + 2 * SOON)
    place.lists = [[place.entry(A, place.began), place.entry(B, place.began + 2.5 * SOON)]]
    assert await place.reconciled(second) == (State.RUNNING, B)
    assert await place.reconciled(first) == (State.RUNNING, A)


async def test_two_takes_and_three_entries_are_left_to_a_person(place: Place) -> None:
    first = place.job(recipe_hash="r")
    place.job(recipe_hash="r", take=1)
    place.lists = [[place.entry(one) for one in (A, B, C)]]
    assert await place.reconciled(first) == LOST


@pytest.mark.parametrize(
    "fields",
    [
        {"recipe_hash": "r", "take": 1, "state": State.RUNNING, "remote_id": C},
        {"params": {"prompt": "a cat"}},
    ],
)
async def test_only_lost_jobs_of_the_same_recipe_explain_a_second_entry(place: Place, fields: dict[str, Any]) -> None:
    job = place.job(recipe_hash="r")
    place.job(**fields)
    place.lists = [[place.entry(A), place.entry(B)]]
    assert await place.reconciled(job) == LOST


@pytest.mark.parametrize(("made_s", "fits"), [(92, True), (2, False)])
async def test_the_services_own_clock_dates_its_entries(place: Place, made_s: int, fits: bool) -> None:
    job = place.job()
    place.ahead = timedelta(seconds=90)
    place.lists = [[place.entry(A, place.began + timedelta(seconds=made_s))]]
    assert await place.reconciled(job) == ((State.RUNNING, A) if fits else LOST)


@pytest.mark.parametrize("in_process", [True, False])
async def test_only_a_service_in_this_process_shares_our_clock(place: Place, in_process: bool) -> None:
    job = place.job()
    if in_process:
        place.answers_at(target(LEONARDO, live=False))
    edge, earlier = (place.began - timedelta(seconds=seconds) for seconds in (SAME_CLOCK_S, 60))
    place.lists = [[place.entry(A, edge), place.entry(B, earlier)]]
    assert await place.reconciled(job) == ((State.RUNNING, A) if in_process else LOST)


async def test_a_service_without_a_list_leaves_the_job_to_a_person(place: Place) -> None:
    job = place.job()
    place.answers_at(replace(target(LEONARDO, key=CANARY), provider=Listless()))
    assert await place.reconciled(job) == LOST
    assert place.readings == []


async def test_a_submit_without_a_time_began_when_its_row_was_written(place: Place) -> None:
    job = place.job(submitted_at=None)
    place.lists = [[place.entry(A)]]
    assert await place.reconciled(job) == (State.RUNNING, A)


async def test_one_entry_that_is_not_sure_leaves_all_takes_to_a_person(place: Place) -> None:
    job = place.job(recipe_hash="r")
    place.job(recipe_hash="r", take=1)
    place.lists = [[place.entry(A), place.entry(B, createdAt=None)]]
    assert await place.reconciled(job) == LOST


RIVALS: dict[str, tuple[dict[str, Any], bool]] = {
    "lost": ({"state": State.AMBIGUOUS}, True),
    "being sent": ({"state": State.SUBMITTING}, True),
    "being sent, of the same recipe": ({"state": State.SUBMITTING, "recipe_hash": "r", "take": 1}, True),
    "lost, of the same recipe": ({"state": State.AMBIGUOUS, "recipe_hash": "r", "take": 1}, False),
    "lost ten minutes later": ({"submitted_at": LONGEST_APART}, True),
    "lost more than ten minutes later": ({"submitted_at": LONGEST_APART + timedelta(seconds=1)}, False),
    "lost more than ten minutes earlier": ({"submitted_at": -LONGEST_APART - timedelta(seconds=1)}, False),
    "not sent yet": ({"state": State.INTENDED}, False),
    "at the service": ({"state": State.RUNNING, "remote_id": C}, False),
    "ambiguous with an id": ({"state": State.AMBIGUOUS, "remote_id": C}, False),
    "of another prompt": ({"params": {"prompt": "a cat", "seed": 7, "width_px": 832, "height_px": 480}}, False),
    "of another seed": ({"params": {"prompt": "a koala", "seed": 8, "width_px": 832, "height_px": 480}}, False),
    "of another width": ({"params": {"prompt": "a koala", "seed": 7, "width_px": 480, "height_px": 480}}, False),
    "of another height": ({"params": {"prompt": "a koala", "seed": 7, "width_px": 832, "height_px": 832}}, False),
    "of another service": ({"provider": "1min"}, False),
}


@pytest.mark.parametrize("case", RIVALS)
async def test_another_submit_that_the_entry_may_belong_to_forbids_a_guess(place: Place, case: str) -> None:
    fields, is_rival = RIVALS[case]
    job = place.job(recipe_hash="r")
    if isinstance(fields.get("submitted_at"), timedelta):
        fields = {**fields, "submitted_at": place.began + fields["submitted_at"]}
    if "provider" in fields:
        other = place.store.get(place.job(take=9, state=State.FAILED).id)
        place.store.intend(Job(**{**vars(other), "id": "x", "take": 0, "state": State.AMBIGUOUS, **fields}))
    else:
        place.job(**fields)
    place.lists = [[place.entry(A)]]
    assert await place.reconciled(job) == (LOST if is_rival else (State.RUNNING, A))


@pytest.mark.parametrize("whose", ["its own", "the other's"])
@pytest.mark.parametrize("times", ["written an hour before", "without a submit's time"])
async def test_submits_are_told_apart_by_their_own_times(place: Place, whose: str, times: str) -> None:
    hour_ago = place.began - timedelta(hours=1)
    odd: dict[str, Any] = {"created_at": hour_ago} if times == "written an hour before" else {"submitted_at": None}
    job = place.job(**(odd if whose == "its own" else {}))
    place.job(**(odd if whose == "the other's" else {}))
    place.lists = [[place.entry(A)]]
    assert await place.reconciled(job) == LOST, "both were sent at that time"


async def test_an_entry_that_is_another_jobs_or_was_a_wrong_guess_is_no_candidate(place: Place) -> None:
    job = await place.recorder.detach(place.job(State.RUNNING, remote_id=B), "it failed")
    place.job(State.RUNNING, remote_id=A, params={"prompt": "a cat"})
    place.lists = [[place.entry(A), place.entry(B), place.entry(C)]]
    assert await place.reconciled(job) == (State.RUNNING, C)


@pytest.mark.parametrize("then", [State.CANCELLED, State.INTENDED])
async def test_a_person_who_decides_while_the_list_is_read_was_first(place: Place, then: State) -> None:
    job = place.job()
    place.lists = [[place.entry(A)]]
    place.on_reading = lambda number: number == 1 and place.store.move(job.id, then)
    assert await place.reconciled(job) == (then, None)
    assert len(place.readings) == 1


async def test_a_person_who_decides_just_before_the_job_is_attached_was_first_too(place: Place) -> None:
    job = place.job()
    place.lists = [[place.entry(A)]]
    place.on_reading = lambda number: number == 2 and place.store.move(job.id, State.CANCELLED)
    assert await place.reconciled(job) == (State.CANCELLED, None)
    assert place.changed == []


@pytest.mark.parametrize("state", [State.RUNNING, State.DONE, State.INTENDED])
async def test_a_job_that_is_not_ambiguous_is_not_looked_for(place: Place, state: State) -> None:
    assert await place.reconciled(place.job(state)) == (state, None)
    assert place.readings == []


async def test_a_job_whose_clip_could_not_be_found_is_asked_about_by_its_id(place: Place) -> None:
    job = place.job(remote_id=A)
    place.record = httpx.Response(200, json={"generations_by_pk": place.entry(A)})
    assert await place.reconciled(job) == (State.RUNNING, A)
    assert (place.asked, place.readings) == ([A], [])


async def test_a_callback_names_the_job_without_a_look_into_the_list(place: Place) -> None:
    job = place.job()
    place.store.remark(job.id, CALLED + A)
    assert await place.reconciled(job) == (State.RUNNING, A)
    assert (place.readings, place.store.events(job.id)[-1].note) == ([], CALLED)


async def test_a_callback_that_named_anothers_job_leaves_it_to_a_person(place: Place) -> None:
    job = place.job()
    place.job(State.RUNNING, remote_id=A, params={"prompt": "a cat"})
    place.store.remark(job.id, CALLED + A)
    assert await place.reconciled(job) == LOST
    assert place.readings == []


@pytest.mark.parametrize("typed", [A, f"  {A}\n"])
async def test_an_id_that_a_person_gives_counts_once_the_service_knows_it_as_this_job(place: Place, typed: str) -> None:
    job = place.job()
    place.record = httpx.Response(200, json={"generations_by_pk": place.entry(A)})
    assert await place.reconciler.vouch(job, typed) == A
    assert place.asked == [A], "the service is asked about the id that was given, once"
    assert place.store.get(job.id) == job, "whoever asked attaches it"


@pytest.mark.parametrize("typed", ["", "  ", "../me", f"{A} {B}", "https://example.org/" + "x" * 200, 7, None])
async def test_what_is_no_id_is_not_even_asked_about(place: Place, typed: Any) -> None:
    job = place.job()
    with pytest.raises(JobError, match=r"is no id of a job at leonardo; copy it from the web app, whole") as caught:
        await place.reconciler.vouch(job, typed)
    assert str(caught.value).startswith(repr(typed)[:80] + " is"), "it is repeated, but not at any length"
    assert caught.value.job == job
    assert place.asked == []


WRONG_IDS: dict[str, tuple[Callable[[Place], httpx.Response], str]] = {
    "unknown": (lambda place: place.record, "has no job with the id '.*' on this account; nothing was changed"),
    "refused": (lambda place: httpx.Response(400, json={"error": "no uuid"}), "does not take .* for a job: .*no uuid"),
    "of another prompt": (
        lambda place: httpx.Response(200, json={"generations_by_pk": place.entry(A, prompt="a cat")}),
        "is another job at Leonardo.AI: its prompt is another one; nothing was changed",
    ),
}


@pytest.mark.parametrize("case", WRONG_IDS)
async def test_an_id_that_the_service_does_not_know_as_this_job_is_refused(place: Place, case: str) -> None:
    job = place.job()
    reply, words = WRONG_IDS[case]
    place.record = reply(place)
    with pytest.raises(JobError, match=words) as caught:
        await place.reconciler.vouch(job, A)
    assert A in str(caught.value)
    assert caught.value.job == job
    assert place.store.get(job.id) == job


async def test_a_service_that_cannot_be_asked_about_an_id_says_nothing_against_it(place: Place) -> None:
    place.record = httpx.Response(401, json={"error": "Invalid response from authorization hook"})
    with pytest.raises(AuthError):
        await place.reconciler.vouch(place.job(), A)


@pytest.mark.parametrize("told", [{"status": "DREAMING"}, {"id": None, "prompt": None}])
async def test_a_record_that_tells_little_is_vouched_for(place: Place, told: dict[str, Any]) -> None:
    place.record = httpx.Response(200, json={"generations_by_pk": place.entry(A, **told)})
    assert await place.reconciler.vouch(place.job(), A) == A
