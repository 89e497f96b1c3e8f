"""When to ask again: early enough to be quick, seldom enough to be polite, for as long as it takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vidnb.jobs.schedule import LONGEST_S, NEED, Schedule
from vidnb.records import Rates

ROOMY = Rates(requests_per_minute=2000, submits_per_minute=100, in_flight=10)
TIGHT = Rates(requests_per_minute=180, submits_per_minute=40, in_flight=20)
JITTER = 1.05
latencies = st.lists(st.floats(0.1, 3600), max_size=60)
elapsed = st.floats(-10, 1e6)


def schedule(*seen: float, rates: Rates = ROOMY, emulated: bool = False) -> Schedule:
    return Schedule(seen, rates, emulated=emulated)


@given(latencies, elapsed, st.integers(0, 5000), st.sampled_from([ROOMY, TIGHT]), st.booleans())
def test_every_wait_lies_between_the_floor_and_the_longest(
    seen: list[float], elapsed_s: float, failures: int, rates: Rates, emulated: bool
) -> None:
    found = schedule(*seen, rates=rates, emulated=emulated)
    wait = found.delay(elapsed_s, failures=failures)
    assert found.floor_s / JITTER <= wait <= max(found.floor_s, LONGEST_S) * JITTER


def test_all_jobs_in_flight_together_stay_below_the_published_rate() -> None:
    for rates in (ROOMY, TIGHT):
        assert rates.in_flight * 60 / schedule(rates=rates).floor_s < rates.requests_per_minute


@given(st.floats(0, 1e4))
def test_without_history_an_answer_is_at_most_a_tenth_late(elapsed_s: float) -> None:
    found = schedule()
    assert found.delay(elapsed_s) <= max(found.floor_s, 0.1 * elapsed_s) * JITTER


def test_with_history_the_first_wait_reaches_to_just_before_the_earliest_finish() -> None:
    found = schedule(10, 11, 12)
    assert 9 < found.delay(0) <= 10 * JITTER
    assert found.delay(10.5) < 3, "from then on it asks often"


def test_too_few_finished_jobs_are_no_history() -> None:
    assert schedule(*[10.0] * (NEED - 1)).delay(0) < 9


def test_a_job_that_takes_much_longer_than_usual_is_asked_about_less_often() -> None:
    found = schedule(*[10.0] * NEED)
    assert found.delay(100) > 2 * found.delay(11)


def test_failures_are_asked_about_less_and_less_often() -> None:
    waits = [schedule(emulated=True).delay(0, failures=count) for count in (0, 4, 8)]
    assert waits == sorted(waits)
    assert waits[2] > 10 * waits[0]
