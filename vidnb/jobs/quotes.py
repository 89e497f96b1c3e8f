"""What a job would cost and how long it will take, from the data folder's own jobs and the catalogue.

Nothing here asks a service: what was charged and how long it took before is known to the store, what a vendor publishes
to the catalogue. Where neither knows, the answer is "unknown", never a guess.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from vidnb import catalog
from vidnb.catalog import MEDIA_KINDS, PRICED_PARAMS, SHAPE_PARAMS, Model, prices
from vidnb.errors import Problem
from vidnb.records import Cost, Expectation, Job, Quote, State

if TYPE_CHECKING:
    from vidnb.store import Charge, Store

NOTHING = Cost(0.0, "USD")
EMULATED = Quote(NOTHING, "exact", "emulated: nothing is charged")
UNKNOWN = Quote(None, "unknown", "no price is published, and nothing like it was charged here before")


def repeated(standing: Job) -> Quote:
    """Return the quote for a recipe and take that already have a job: nothing is charged again."""
    return Quote(NOTHING, "exact", "made before" if standing.state is State.DONE else "already on its way")


def quote(store: Store, model: str, params: Mapping[str, Any], inputs: Mapping[str, int]) -> Quote:
    """What a job with these params would cost at the service: as charged here before, else as the catalogue says.

    Args:
        store: the jobs of the data folder.
        model: id of the model.
        params: canonical ones.
        inputs: how many files go along, by param.
    """
    entry = catalog.load().get(model)
    in_catalogue = published_for(entry, params) if entry is not None else None
    return _as_charged(store, model, params, inputs) or in_catalogue or UNKNOWN


def quote_of(store: Store, job: Job) -> Quote:
    """What a job that was not charged yet is expected to cost; an emulated one costs nothing."""
    return EMULATED if job.emulated else quote(store, job.model, job.params, _counts(job.images))


def wrong(model: Model, problems: Iterable[Problem]) -> Problem | None:
    """Return the first problem that makes a price impossible: a wrong value on which the price depends."""
    priced = {*model.priced_params, *(name for name, param in model.params.items() if param.kind in MEDIA_KINDS)}
    return next((p for p in problems if p.given is not None and priced & {*p.field.split(", ")}), None)


def expectation(store: Store, job: Job) -> Expectation | None:
    """How long other jobs of this model, size and duration took, emulated ones apart; None where there are none."""
    wanted = {name: job.params.get(name) for name in SHAPE_PARAMS}
    taken_s = store.took(job.model, wanted, emulated=job.emulated, but=job.id)
    if not taken_s:
        return None
    return Expectation(statistics.median(taken_s), ninth_decile(taken_s), len(taken_s))


def published(job: Job) -> Quote | None:
    """Return the catalogue's price of a job; None where it has none."""
    entry = catalog.load().get(job.model)
    return None if entry is None else published_for(entry, job.params)


def charges(store: Store, job: Job) -> list[Cost]:
    """Return what the newest jobs like this one were charged in this folder, newest first."""
    return [charge.cost for charge in _charged_like(store, job.model, job.params, _counts(job.images))]


def priced(job: Job) -> list[Any]:
    """Return all of a job's recipe on which its price depends."""
    return [[job.params.get(name) for name in priced_params(job.model)], _counts(job.images)]


def priced_params(model: str) -> tuple[str, ...]:
    """Return the names of the params on which a model's price depends, also of a model that the catalogue lost."""
    entry = catalog.load().get(model)
    return PRICED_PARAMS if entry is None else entry.priced_params


def _as_charged(store: Store, model: str, params: Mapping[str, Any], inputs: Mapping[str, int]) -> Quote | None:
    files = {name: count for name, count in inputs.items() if count}
    charge = next(_charged_like(store, model, params, files), None)
    if charge is None:
        return None
    return Quote(charge.cost, "estimate", f"as charged on {charge.created_at.astimezone():%Y-%m-%d}")


def _charged_like(store: Store, model: str, params: Mapping[str, Any], files: Mapping[str, int]) -> Iterator[Charge]:
    """Yield the newest charges for the same model, priced params and number of files."""
    wanted = {name: params.get(name) for name in priced_params(model)}
    for charge in store.charged_like(model, wanted):
        if all(charge.params.get(name) == value for name, value in wanted.items()) and _counts(charge.images) == files:
            yield charge


def published_for(model: Model, params: Mapping[str, Any]) -> Quote | None:
    """Return the catalogue's price for these values of a model; None where it has none."""
    found = prices.price(model, params)
    if found is None:
        return None
    told = model.price.get("confidence") or "estimate"
    scaled = f", {found.scaled}" if found.scaled else ""
    cost = Cost(found.amount, found.unit)
    return Quote(cost, "exact" if told == "exact" else "estimate", f"the catalogue's price ({told}){scaled}")


def _counts(images: Mapping[str, Any]) -> dict[str, int]:
    return {name: len(items) for name, items in images.items() if items}


def ninth_decile(values: list[float]) -> float:
    """Return the value that nine of ten do not pass."""
    return statistics.quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]
