"""What a job would cost and how long it will take, from the data folder's own jobs and the catalogue.

Nothing here asks a service: what was charged and how long it took before is known to the store, what a vendor publishes
to the catalogue. Where neither knows, the answer is "unknown", never a guess.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from vidnb import catalog
from vidnb.catalog import MEDIA_KINDS, SIZE_PARAMS, Model
from vidnb.errors import Problem
from vidnb.records import Cost, Expectation, Job, Quote, State
from vidnb.store import Store

SHAPE = (*SIZE_PARAMS, "duration_s", "num_frames", "fps")
"""Params that make a clip larger or longer."""
PRICED = (
    *SHAPE, "quality", "variant", "steps", "audio", "audio_setting", "frame_interpolation", "omni_edit",
)  # fmt: skip
"""Params on which a price depends; a prompt, a seed or a style costs nothing more."""

NOTHING = Cost(0.0, "USD")
EMULATED = Quote(NOTHING, "exact", "emulated: nothing is charged")
UNKNOWN = Quote(None, "unknown", "no price is published, and nothing like it was charged here before")


def repeated(standing: Job) -> Quote:
    """What the same recipe and take costs once more: nothing, as there is a job for it already."""
    return Quote(NOTHING, "exact", "made before" if standing.state is State.DONE else "already on its way")


def price(store: Store, model: str, params: Mapping[str, Any], inputs: Mapping[str, int]) -> Quote:
    """What a job with these params would cost at the service: as charged here before, else as the catalogue says.

    Args:
        store: the jobs of the data folder.
        model: id of the model.
        params: canonical ones.
        inputs: how many files go along, by param.
    """
    entry = catalog.load().get(model)
    published = _as_published(entry, params) if entry is not None else None
    return _as_charged(store, model, params, inputs) or published or UNKNOWN


def price_of(store: Store, job: Job) -> Quote:
    """What a job that was not charged yet is expected to cost; an emulated one costs nothing."""
    return EMULATED if job.emulated else price(store, job.model, job.params, _counts(job.images))


def wrong(model: Model, problems: Iterable[Problem]) -> Problem | None:
    """The first problem that leaves no price: with a value that was given, and on which the price depends."""
    priced = {*PRICED, *(name for name, param in model.params.items() if param.kind in MEDIA_KINDS)}
    return next((p for p in problems if p.given is not None and priced & {*p.field.split(", ")}), None)


def expectation(store: Store, job: Job) -> Expectation | None:
    """How long other jobs of this model, size and duration took, emulated ones apart; None where there are none."""
    wanted = {name: job.params.get(name) for name in SHAPE}
    taken_s = [
        (other.done_at - other.submitted_at).total_seconds()
        for other in store.done_like(job.model, wanted, emulated=job.emulated)
        if other.done_at and other.submitted_at and other.id != job.id and _same(other.params, wanted)
    ]
    if not taken_s:
        return None
    return Expectation(statistics.median(taken_s), _p90(taken_s), len(taken_s))


def spent(store: Store, since: datetime | None = None) -> dict[str, float]:
    """What real jobs cost, by unit; one of which the service says no cost, or not yet, counts with its quote."""
    total = store.spent(since)
    known: dict[str, Cost | None] = {}
    for job in store.uncharged(since):
        alike = repr((job.model, [job.params.get(name) for name in PRICED], _counts(job.images)))
        if alike not in known:
            known[alike] = price_of(store, job).cost
        if (cost := known[alike]) is not None:
            total[cost.unit] = total.get(cost.unit, 0.0) + cost.amount
    return total


def _as_charged(store: Store, model: str, params: Mapping[str, Any], inputs: Mapping[str, int]) -> Quote | None:
    wanted = {name: params.get(name) for name in PRICED}
    files = {name: count for name, count in inputs.items() if count}
    for job in store.charged_like(model, wanted):
        if _same(job.params, wanted) and _counts(job.images) == files:
            return Quote(job.cost, "estimate", f"as charged on {job.created_at.astimezone():%Y-%m-%d}")
    return None


def _as_published(model: Model, params: Mapping[str, Any]) -> Quote | None:
    """The catalogue's price, for the clip's length where it is one for 5 s."""
    amount = model.price.get("amount")
    if amount is None:
        return None
    told = model.price.get("confidence") or "estimate"
    seconds = _duration_s(model, params) if model.price.get("basis") == "5s" else None
    scaled = "" if seconds is None else f", scaled to {seconds:g} s"
    cost = Cost(float(amount) if seconds is None else amount * seconds / 5, str(model.price.get("unit", "CREDITS")))
    return Quote(cost, "exact" if told == "exact" else "estimate", f"the catalogue's price ({told}){scaled}")


def _duration_s(model: Model, params: Mapping[str, Any]) -> float | None:
    """How long the clip will be; None where neither the params nor the catalogue say."""
    param = model.params.get("duration_s")
    given = params.get("duration_s") or (param and (param.default or param.service_default)) or model.fixed_duration_s
    return float(given) if given else None


def _same(params: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(params.get(name) == value for name, value in wanted.items())


def _counts(images: Mapping[str, Any]) -> dict[str, int]:
    return {name: len(items) for name, items in images.items() if items}


def _p90(values: list[float]) -> float:
    return statistics.quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]
