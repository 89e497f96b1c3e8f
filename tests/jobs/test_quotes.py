"""A quote says what is known and from where, an expectation what was measured here; nothing is sent for either."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fakes import CANARY, QUICK, Scripted, picture
from hypothesis import given
from hypothesis import strategies as st

import vidnb
from vidnb import catalog, params
from vidnb.catalog import Model
from vidnb.client.verbs import Client
from vidnb.emulator import Emulator
from vidnb.errors import ConfigError, OlderFormWarning
from vidnb.jobs import quotes
from vidnb.jobs.lease import process_name
from vidnb.records import Cost, Expectation, Job, Quote, RemoteMedia, State

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
LIVE = "https://cloud.leonardo.ai/api/rest"
MOTION = "leonardo/motion_2.0"
VEO = "leonardo/veo-3.1-fast-generate-001"
Add = Callable[..., Job]


def nobody(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request.method} {request.url} was sent for a quote")


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Client]:
    """A client with keys, of which every request fails the test."""
    with Client(tmp_path, keys={"leonardo": CANARY, "1min": CANARY}, transport=Scripted(nobody)) as client:
        yield client


@pytest.fixture
def emulated(tmp_path: Path) -> Iterator[Client]:
    with Client(tmp_path, emulator=Emulator(tmp_path / "emulator", latency_s=0.05)) as client:
        yield client


@pytest.fixture
def add(live: Client) -> Add:
    """`add(model, values, ...)`: a job of these values in the data folder, each made an hour after the last."""
    hours = iter(range(10**6))

    def add(
        model: str = MOTION, state: State = State.DONE, *, cost: Cost | None = None, took_s: float | None = None,
        emulated: bool = False, base_url: str = LIVE, **values: Any,
    ) -> Job:  # fmt: skip
        recipe = params.validate(catalog.find(model), {"prompt": "a koala"} | values).recipe
        at = START + timedelta(hours=next(hours))
        job = Job(
            id=uuid.uuid4().hex, provider=model.split("/")[0], model=model, recipe_hash=recipe.recipe_hash, take=0,
            state=state, params=recipe.params, images=recipe.images, emulated=emulated, base_url=base_url,
            created_at=at, cost=cost, submitted_at=at,
            done_at=None if took_s is None else at + timedelta(seconds=took_s),
        )  # fmt: skip
        client = live.asynchronous
        return client.store.intend(job, client.ledger.reservation(job))[0]

    return add


# what it costs


def test_an_emulated_job_costs_exactly_nothing(emulated: Client) -> None:
    expected = Quote(Cost(0, "USD"), "exact", "emulated: nothing is charged")
    assert emulated.quote("a koala", **QUICK) == emulated.quote(model="1min/kling") == expected
    assert emulated.jobs() == []


def test_what_was_made_before_costs_nothing_unless_it_is_to_be_fresh(emulated: Client) -> None:
    emulated.generate("a koala", **QUICK)
    assert emulated.quote("a koala", **QUICK) == Quote(Cost(0, "USD"), "exact", "made before")
    for other in ({"fresh": True}, {"take": 1}, {"seed": 8}):
        assert emulated.quote("a koala", **QUICK | other).why.startswith("emulated: nothing is charged")


@pytest.mark.parametrize("state", [State.RUNNING, State.AMBIGUOUS])
def test_what_is_on_its_way_is_not_paid_again(live: Client, add: Add, state: State) -> None:
    add(state=state, seed=7, start_image=picture())
    again = live.quote("a koala", seed=7, start_image=picture())
    assert again == Quote(Cost(0, "USD"), "exact", "already on its way")
    assert live.quote("a koala", seed=7).cost is None


def test_a_job_that_nobody_is_about_to_send_is_not_free(live: Client, add: Add) -> None:
    job = add(state=State.INTENDED, seed=7)
    request = {"seed": 7}
    asked = live.quote("a koala", **request)
    assert asked == live.quote("a koala", take=1, **request)
    assert live.asynchronous.store.lease(job.id, process_name(), 20)
    assert live.quote("a koala", **request).why == "already on its way"
    live.asynchronous.store.release(job.id, live.asynchronous.store.get(job.id).lease_owner or "")
    assert live.quote("a koala", **request) == asked


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_a_job_that_came_to_nothing_is_no_reason_to_call_the_next_one_free(
    live: Client, add: Add, state: State
) -> None:
    add(state=state, seed=7, cost=Cost(0.5, "USD"))
    assert live.quote("a koala", seed=7).certainty == "unknown"


def test_what_was_charged_last_is_the_estimate(live: Client, add: Add) -> None:
    add(cost=Cost(0.2, "USD"), seed=1)
    newest = add(cost=Cost(0.25, "USD"), seed=2, prompt="a cat", prompt_enhance="on")
    add(cost=Cost(9, "USD"), seed=3, emulated=True)
    add(seed=4)
    told = f"as charged on {newest.created_at.astimezone():%Y-%m-%d}"
    assert live.quote("a dog", seed=5) == Quote(Cost(0.25, "USD"), "estimate", told)


@pytest.mark.parametrize(
    ("model", "charged", "asked"),
    [
        (MOTION, {"resolution": "480p"}, {"resolution": "720p"}),
        (MOTION, {"aspect_ratio": "16:9"}, {"aspect_ratio": "9:16"}),
        (MOTION, {}, {"start_image": picture()}),
        (MOTION, {"frame_interpolation": True}, {}),
        (VEO, {"duration_s": 4}, {"duration_s": 8}),
        (VEO, {"audio": True}, {"audio": False}),
        ("leonardo/hailuo-03", {}, {"reference_images": [picture()]}),
        ("leonardo/kling-video-o-1", {"reference_images": [picture()]}, {"reference_images": [picture()] * 2}),
    ],
)
def test_another_size_length_sound_or_number_of_inputs_is_another_price(
    live: Client, add: Add, model: str, charged: dict[str, Any], asked: dict[str, Any]
) -> None:
    add(model, cost=Cost(0.2, "USD"), **charged)
    assert live.quote("b", model=model, **asked) == quotes.UNKNOWN
    assert live.quote("b", model=model, **charged).cost == Cost(0.2, "USD")


def test_the_catalogues_price_grows_with_the_duration_and_is_an_estimate(live: Client) -> None:
    assert live.quote("x", model="1min/kling", duration_s=5).cost == Cost(780_000, "CREDITS")
    longer = live.quote("x", model="1min/kling", duration_s=10)
    assert longer == Quote(Cost(1_560_000, "CREDITS"), "estimate", "the catalogue's price (estimate), scaled to 10 s")
    of_no_length = live.quote("x", model="1min/skyreels")
    assert of_no_length == Quote(Cost(450_000, "CREDITS"), "estimate", "the catalogue's price (estimate)")


def test_only_the_catalogue_makes_a_price_exact(live: Client) -> None:
    price = {"amount": 0.4, "unit": "USD", "basis": "clip", "confidence": "exact"}
    model = Model("x/y", "x", "y", "v1", "Y", price=price, fixed_duration_s=8)
    assert quotes.published_for(model, {}) == Quote(Cost(0.4, "USD"), "exact", "the catalogue's price (exact)")
    five = Model("x/y", "x", "y", "v1", "Y", price=price | {"basis": "5s"}, fixed_duration_s=8)
    assert quotes.published_for(five, {}) == Quote(
        Cost(0.64, "USD"), "exact", "the catalogue's price (exact), scaled to 8 s"
    )


def test_a_form_that_is_not_filled_in_yet_has_a_price(live: Client, add: Add) -> None:
    add(cost=Cost(0.2, "USD"))
    for values in ({}, {"prompt": ""}, {"prompt": "x" * 99_999}, {"seed": -1}, {"prompt": None}):
        assert live.quote(**values).cost == Cost(0.2, "USD"), values
    assert live.quote(model="1min/hailuo-image").cost == Cost(900_000, "CREDITS")


@pytest.mark.parametrize(
    "values",
    [{"resolution": "8k"}, {"duration_s": 99}, {"width_px": 1, "height_px": 1}, {"start_image": b"no picture"}],
)
def test_a_wrong_value_on_which_the_price_depends_leaves_none(live: Client, add: Add, values: dict[str, Any]) -> None:
    add(cost=Cost(0.2, "USD"))
    told = live.quote("x", **values)
    assert (told.cost, told.certainty) == (None, "unknown")
    assert any(name in told.why for name in values)


@pytest.mark.parametrize(
    ("values", "said"), [({"seed": "x"}, "seed: 'x' given"), ({"nosuch": 1}, "nosuch: 1 given"), ({"seed": -1}, "seed")]
)
def test_a_price_that_does_not_depend_on_a_wrong_value_says_that_it_would_be_refused(
    live: Client, emulated: Client, add: Add, values: dict[str, Any], said: str
) -> None:
    add(cost=Cost(0.2, "USD"))
    for client, amount in ((live, 0.2), (emulated, 0.0)):
        told = client.quote("x", **values)
        assert told.cost == Cost(amount, "USD")
        assert f"; it would be refused as it is: {said}" in told.why
    assert emulated.quote("x", duration_s=99).certainty == "unknown"


def test_a_retired_model_has_no_price(live: Client) -> None:
    retired = next(model.id for model in catalog.load().values() if model.is_retired and model.provider == "leonardo")
    quote = live.quote("x", model=retired)
    assert (quote.cost, quote.certainty) == (None, "unknown")
    assert quote.why.startswith("Out of service since")


@given(st.sampled_from(sorted(catalog.load())))
def test_every_model_has_a_quote_before_anything_is_filled_in(model: str) -> None:
    entry = catalog.find(model)
    request, problems = params.draft(entry, {})
    assert quotes.wrong(entry, problems) is None
    assert set(request.params) <= set(entry.params)


def test_an_address_is_counted_and_not_fetched(live: Client, add: Add) -> None:
    add(cost=Cost(0.3, "USD"), start_image=picture())
    assert live.quote("x", start_image="https://example.com/koala.png").cost == Cost(0.3, "USD")
    add(state=State.RUNNING, start_image=RemoteMedia("leonardo", "a"), prompt="y")
    assert live.quote("y", start_image=RemoteMedia("leonardo", "a")).why == "already on its way"


def test_a_clip_a_path_and_an_array_may_be_inputs(emulated: Client, tmp_path: Path) -> None:
    clip = emulated.generate("a koala", **QUICK)
    path = tmp_path / "start.png"
    clip.last_frame.save(path)
    emulated.generate("it runs", **QUICK, start_image=path)
    for same in (path, str(path), np.asarray(clip.last_frame)):
        assert emulated.quote("it runs", **QUICK, start_image=same).why == "made before"
    assert emulated.quote("it runs", **QUICK, reference_videos=[clip]).certainty == "exact"


def test_a_quote_warns_of_nothing_and_refuses_what_submit_refuses(live: Client, tmp_path: Path) -> None:
    model = catalog.find("leonardo/motion_2.0")
    older = next(iter(model.older_names["styles"]))
    assert live.quote("x", styles=[older]) == quotes.UNKNOWN  # warnings are errors here
    with pytest.warns(OlderFormWarning):
        params.validate(model, {"prompt": "x", "styles": [older]})
    with pytest.raises(ConfigError, match="there is no model"):
        live.quote("x", model="leonardo/motoin")
    with Client(tmp_path / "other", live=True) as keyless, pytest.raises(ConfigError, match="LEONARDO_API_KEY"):
        keyless.quote("x")


def test_a_quote_looks_at_few_rows_of_a_long_history(live: Client, add: Add) -> None:
    """The search is in the index of models, and rows of other sizes are not even parsed."""
    for seed in range(30):
        add(cost=Cost(seed, "USD"), seed=seed, resolution="480p")
    store = live.asynchronous.store
    assert store.charged_like(MOTION, {"resolution": "720p"}) == []
    assert live.quote("x", resolution="720p").cost is None
    assert live.quote("x", resolution="480p").cost == Cost(29, "USD")
    with store.reading() as connection:
        asked = "EXPLAIN QUERY PLAN SELECT id FROM jobs WHERE model = 'x' AND emulated IS 0 ORDER BY created_at DESC"
        plan = " ".join(row[-1] for row in connection.exec_driver_sql(asked))
    assert re.search(r"INDEX ix_jobs_model \(model=\?\)", plan), plan


@pytest.mark.parametrize("name", ["camera_control", "audio"])
def test_what_a_case_of_the_catalogues_price_names_tells_charges_apart(name: str) -> None:
    model = catalog.find(MOTION)
    cases = [{"when": {name: [True]}, "amount": 2.0}]
    priced = replace(model, price={**model.price, "cases": cases})
    assert name in priced.priced_params
    assert set(catalog.PRICED_PARAMS) <= {*priced.priced_params}
    assert len(set(priced.priced_params)) == len(priced.priced_params)


# how long it takes


def test_an_expectation_is_median_and_ninth_decile_of_jobs_like_it(live: Client, add: Add) -> None:
    for took_s in (10, 20, 30, 40, 100):
        add(took_s=took_s, seed=took_s)
    add(took_s=1000, resolution="720p")
    add(took_s=1000, emulated=True, base_url="http://x")
    add(state=State.FAILED, took_s=1000, seed=99)
    job = add(state=State.RUNNING, seed=1)
    assert live.expect(job) == live.expect(job.id[:12]) == Expectation(30, 76, 5)


def test_nothing_like_it_is_no_expectation_and_one_is_one(live: Client, add: Add) -> None:
    first = add(took_s=12.5, seed=1)
    assert live.expect(first) is None  # itself says nothing of how long it will take
    assert live.expect(add(state=State.RUNNING, seed=2)) == Expectation(12.5, 12.5, 1)
    assert live.expect(add(state=State.RUNNING, resolution="720p")) is None
    assert live.expect(add(VEO, State.RUNNING, duration_s=8)) is None
    add(VEO, took_s=60, duration_s=4)
    assert live.expect(add(VEO, State.RUNNING, duration_s=8, seed=3)) is None


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40))
def test_the_ninth_decile_is_that_of_numpy(values: list[float]) -> None:
    assert quotes.ninth_decile(values) == pytest.approx(float(np.quantile(values, 0.9)), abs=1e-6)


# what was spent


def test_spent_adds_up_real_jobs_by_unit_with_those_on_their_way(live: Client, add: Add) -> None:
    assert live.spent() == {}
    add(cost=Cost(0.25, "USD"), seed=1)
    add(cost=Cost(0.25, "USD"), seed=2, state=State.RUNNING)
    add(cost=Cost(9, "USD"), seed=3, emulated=True)
    add("1min/kling", cost=Cost(1000, "CREDITS"), duration_s=5)
    assert live.spent() == {"USD": 0.5, "CREDITS": 1000}
    later = add(seed=4, state=State.AMBIGUOUS)  # as charged before, until the service says
    add("1min/kling", State.RUNNING, duration_s=10)  # one and a half times what the catalogue says, until it is done
    add(VEO, State.RUNNING)  # nobody knows
    add(seed=5, state=State.RUNNING, emulated=True)
    assert live.spent() == {"USD": 0.75, "CREDITS": 2_341_000}
    assert live.spent().reserved == {"CREDITS": 2_340_000}
    assert live.spent().unclear == {"USD": 0.25}
    assert live.spent(since=later.created_at) == {"USD": 0.25, "CREDITS": 2_340_000}
    assert live.spent(since="2999-01-01") == {}
    with pytest.raises(ConfigError, match="is no time"):
        live.spent(since="yesterday")


def test_a_clip_of_which_the_service_said_no_cost_counts_with_its_quote(live: Client, add: Add) -> None:
    add("1min/kling", duration_s=5)
    add("1min/kling", State.FAILED, duration_s=10)
    add("1min/kling", duration_s=10, emulated=True)
    assert live.spent().settled == {"CREDITS": 780_000}
    assert live.spent().unclear == {"CREDITS": 2_340_000}


def test_a_model_that_left_the_catalogue_is_no_obstacle(live: Client, add: Add) -> None:
    job = add(cost=Cost(1, "USD"), state=State.RUNNING)
    store = live.asynchronous.store
    gone = Job(**vars(job) | {"id": "f" * 32, "model": "leonardo/gone", "cost": None, "recipe_hash": "0" * 64})
    store.intend(gone)
    assert live.spent() == {"USD": 1}
    assert live.expect(gone) is None


def test_the_module_has_the_verbs_too() -> None:
    assert vidnb.quote("a koala").cost == Cost(0, "USD")
    assert vidnb.spent() == {}
