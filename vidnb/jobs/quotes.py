"""What a job would cost and how long it will take, from the data folder's own jobs, the services' lists, the catalogue.

Nothing here asks a service: what was charged and how long it took before is known to the store, and so is a list of
prices that `listed_prices` read; what a vendor publishes elsewhere is known to the catalogue. Where none of them
knows, the answer is "unknown", never a guess.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vidnb import catalog, providers
from vidnb.catalog import MEDIA_KINDS, PRICED_PARAMS, SHAPE_PARAMS, Model, prices
from vidnb.errors import ConfigError, Problem
from vidnb.records import Cost, Expectation, Job, Quote, State

if TYPE_CHECKING:
    from vidnb.store import Charge, Store
    from vidnb.store.kept_prices import KeptPrices

NOTHING = Cost(0.0, "USD")
EMULATED = Quote(NOTHING, "exact", "emulated: nothing is charged")
UNKNOWN = Quote(None, "unknown", "no price is published, and nothing like it was charged here before")


def telling() -> tuple[str, ...]:
    """Return the providers whose services say, at the submit or at the end, what a job cost."""
    return tuple(sorted({model.provider for model in catalog.load().values() if model.tells_cost}))


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
    charged = next(_charged_like(store, model, params, {name: count for name, count in inputs.items() if count}), None)
    if entry is None:
        return UNKNOWN if charged is None else _as_charged(charged)
    kept = _kept(store, entry.provider)
    if charged is not None and (kept is None or charged.created_at >= kept.read_at):
        return _as_charged(charged)
    by_list = None if kept is None else _listed(entry, params, inputs, kept)
    if charged is None:
        return by_list or published_for(entry, params, inputs) or UNKNOWN
    if by_list is None or by_list.cost is None or _is_same(by_list.cost, charged.cost):
        return _as_charged(charged)
    return replace(by_list, why=f"{by_list.why}; {charged.cost} was charged on {_day(charged.created_at)}")


def quote_of(store: Store, job: Job) -> Quote:
    """What a job that was not charged yet is expected to cost; an emulated one costs nothing."""
    return EMULATED if job.emulated else quote(store, job.model, job.params, _counts(job.images))


def wrong(model: Model, problems: Iterable[Problem]) -> Problem | None:
    """Return the first problem that makes a price impossible: a wrong value on which the price depends."""
    priced = {*model.priced_params, *(name for name, param in model.params.items() if param.kind in MEDIA_KINDS)}
    return next((p for p in problems if p.given is not None and priced & {*p.field.split(", ")}), None)


def doubted(quote: Quote, problems: Iterable[Problem]) -> Quote:
    """Return the quote with a remark on the first value that `generate` refuses; the price does not depend on it."""
    problem = next((one for one in problems if one.given is not None), None)
    return quote if problem is None else replace(quote, why=f"{quote.why}; it would be refused as it is: {problem}")


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
    return None if entry is None else published_for(entry, job.params, _counts(job.images))


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


def listed(store: Store, job: Job) -> Quote | None:
    """Return what the service's own list says of a job, where it was read; None where it has no such list here."""
    entry = catalog.load().get(job.model)
    kept = None if entry is None or job.emulated else _kept(store, entry.provider)
    return None if entry is None or kept is None else _listed(entry, job.params, _counts(job.images), kept)


def _kept(store: Store, provider: str) -> KeptPrices | None:
    """Return the list of a provider that was read last; the database is asked only where a provider has such a list."""
    from vidnb.store import kept_prices  # who has a store has paid for the import

    try:
        has_list = providers.get(provider).listed_prices([]) is not None
    except ConfigError:  # a plug-in that is gone or broken
        return None
    return kept_prices.read(store, provider) if has_list else None


def _listed(model: Model, params: Mapping[str, Any], inputs: Mapping[str, int], kept: KeptPrices) -> Quote:
    """Return the price of a service's own list, with what is odd about it; that of the catalogue where it has none."""
    source, before = f"its service's list of {_day(kept.read_at)}", published_for(model, params, inputs)
    table = kept.prices.get(model.id)
    if table is None:
        told = before or UNKNOWN
        return replace(told, why=f"{told.why}; {source} no longer has this model")
    if "unknown" in table:
        return Quote(None, "unknown", f"{source} has a price that vidnb does not understand ({table['unknown']})")
    if not table:
        told = before or UNKNOWN
        return replace(told, why=f"{told.why}; {source} counts in other units")
    found = prices.price(model, params, inputs, table)
    if found is None:
        return Quote(None, "unknown", f"{source} has no price for these values")
    cost, scaled = Cost(found.amount, found.unit), f", {found.scaled}" if found.scaled else ""
    changed = ""
    if before is not None and before.cost is not None and not _is_same(cost, before.cost):
        changed = f"; the catalogue of this vidnb still says {before.cost}"
    return Quote(cost, "estimate", f"{source}{scaled}{changed}")


def _is_same(one: Cost, other: Cost) -> bool:
    """Whether two prices differ by no more than what services round."""
    return one.unit == other.unit and abs(one.amount - other.amount) <= 0.01 * max(one.amount, other.amount)


def _day(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d}"


def _as_charged(charge: Charge) -> Quote:
    return Quote(charge.cost, "estimate", f"as charged on {_day(charge.created_at)}")


def _charged_like(store: Store, model: str, params: Mapping[str, Any], files: Mapping[str, int]) -> Iterator[Charge]:
    """Yield the newest charges for the same model, priced params and number of files.

    A job that was free, in a trial or as a gift, says nothing of what the next one costs.
    """
    wanted = {name: params.get(name) for name in priced_params(model)}
    for charge in store.charged_like(model, wanted):
        is_alike = all(charge.params.get(name) == value for name, value in wanted.items())
        if charge.cost.amount > 0 and is_alike and _counts(charge.images) == files:
            yield charge


def published_for(model: Model, params: Mapping[str, Any], inputs: Mapping[str, int] | None = None) -> Quote | None:
    """Return the catalogue's price for these values of a model and so many input files; None where it has none."""
    found = prices.price(model, params, inputs)
    if found is None:
        return None
    told = model.price.get("confidence") or "estimate"
    scaled = f", {found.scaled}" if found.scaled else ""
    cost = Cost(found.amount, found.unit)
    return Quote(cost, "exact" if told == "exact" else "estimate", f"the catalogue's price ({told}){scaled}")


def _counts(images: Mapping[str, Any]) -> dict[str, int]:
    return {name: len(items) for name, items in images.items() if items}


def ninth_decile(values: list[float]) -> float:
    """Return the 90th percentile: nine of ten values are no larger."""
    return statistics.quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]
