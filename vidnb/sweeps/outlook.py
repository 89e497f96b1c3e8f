"""How a planned sweep stands in this folder now, what the rest of it costs, and how long that takes.

What is done is one query for the whole sweep; prices and times are looked up once for all jobs that are alike.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from vidnb import providers
from vidnb.errors import ConfigError
from vidnb.jobs import quotes
from vidnb.records import Expectation, Job, Quote, State, in_books
from vidnb.store import Store
from vidnb.store.sweeps import Standing
from vidnb.sweeps.plan import Plan, Planned

OURS = frozenset({"key", "credit", "rate"})
"""Kinds of errors that say nothing of the recipe: the next job would fail as well, so a sweep stops instead of failing
them all, and sends these jobs again when it is run again."""


class Group(StrEnum):
    """The state of a job in a sweep, by what the next run does with it."""

    NEW = "to run"
    DONE = "done"
    UNFINISHED = "unfinished"
    """On its way; it is taken up again, and nothing is sent twice."""
    UNCLEAR = "unclear"
    """Nobody knows whether the service has it; a person decides."""
    OURS = "failed by us"
    """Failed for a key, a balance or a pace: the next run sends it again by itself."""
    THEIRS = "failed by them"
    """The service gave up or refused; sent again only when a person says so."""
    CANCELLED = "cancelled"


def group_of(standing: Standing | None) -> Group:
    """Return how a job stands."""
    if standing is None:
        return Group.NEW
    if standing.state is State.FAILED:
        return Group.OURS if (standing.error or {}).get("kind") in OURS else Group.THEIRS
    return {State.DONE: Group.DONE, State.AMBIGUOUS: Group.UNCLEAR, State.CANCELLED: Group.CANCELLED}.get(
        standing.state, Group.UNFINISHED
    )


TO_SEND = frozenset({Group.NEW, Group.OURS})

_VARYING = re.compile(r"[0-9a-f]{8,}(?:-[0-9a-f]+)*|\b\d+(?:\.\d+)?\b|'[^']*'|\"[^\"]*\"", re.IGNORECASE)


@dataclass
class Cause:
    """Jobs that came to no clip, all for the same reason."""

    name: str
    """A short word for `retry(...)`: "service-1"."""
    words: str
    group: Group
    jobs: list[int] = field(default_factory=list)
    """Places in `Plan.jobs`."""
    charged: str = ""
    can_retry: bool = True

    def __str__(self) -> str:
        return f"{len(self.jobs):,} {self.name}: {self.words}"


def causes(plan: Plan, standings: Sequence[Standing | None]) -> list[Cause]:
    """Return the jobs without a clip by their cause, the most frequent first."""
    found: dict[tuple[Group, str], Cause] = {}
    for place, standing in enumerate(standings):
        group = group_of(standing)
        if standing is None or group in (Group.NEW, Group.DONE, Group.UNFINISHED):
            continue
        error = standing.error or {}
        kind = str(error.get("kind") or {Group.UNCLEAR: "unclear", Group.CANCELLED: "cancelled"}.get(group, "service"))
        message = str(error.get("message") or "")
        alike = (group, f"{kind} {_VARYING.sub('~', message)}")
        if alike not in found:
            words = message or {
                Group.UNCLEAR: "Nobody knows whether the service has it: look at the service's page, then vidnb.settle",
                Group.CANCELLED: "cancelled",
            }.get(group, "the service gave no reason")
            found[alike] = Cause(kind, words, group, can_retry=group is not Group.UNCLEAR and kind != "refused")
        found[alike].jobs.append(place)
    ordered = sorted(found.values(), key=lambda cause: -len(cause.jobs))
    numbers: Counter[str] = Counter()
    for cause in ordered:
        cause.charged = _charged(plan, cause, standings)
        numbers[cause.name] += 1
        if numbers[cause.name] > 1:
            cause.name = f"{cause.name}-{numbers[cause.name]}"
    return ordered


def _charged(plan: Plan, cause: Cause, standings: Sequence[Standing | None]) -> str:
    """Return whether the jobs of a cause were charged, in words."""
    if all(plan.jobs[place].emulated for place in cause.jobs):
        return "emulated"
    told = {(standing.error or {}).get("charged") for place in cause.jobs if (standing := standings[place]) is not None}
    if told == {False}:
        return "not charged"
    return "charged" if told == {True} else "whether it was charged is not known"


@dataclass
class Money:
    """What jobs cost, by how sure that is: sums by unit."""

    exact: dict[str, float] = field(default_factory=dict)
    estimate: dict[str, float] = field(default_factory=dict)
    unknown: int = 0
    """Jobs of which nobody knows the price."""
    emulated: dict[str, float] = field(default_factory=dict)
    """What emulated jobs would cost at the catalogue's prices."""
    emulated_unknown: int = 0

    def add(self, job: Planned, quote: Quote, count: int) -> None:
        """Add the cost of several equal jobs."""
        if quote.cost is None or quote.certainty == "unknown":
            if job.emulated:
                self.emulated_unknown += count
            else:
                self.unknown += count
            return
        sums = self.emulated if job.emulated else self.exact if quote.certainty == "exact" else self.estimate
        cost = in_books(job.provider, quote.cost)
        sums[cost.unit] = sums.get(cost.unit, 0.0) + cost.amount * count

    @property
    def charged(self) -> dict[str, float]:
        """What the services will charge as far as that is known, exact or not, by unit."""
        units = dict.fromkeys([*self.exact, *self.estimate])
        return {unit: self.exact.get(unit, 0.0) + self.estimate.get(unit, 0.0) for unit in units}


@dataclass(frozen=True)
class Span:
    """How long the rest takes, in seconds."""

    usual_s: float
    low_s: float
    high_s: float
    at_once: int
    """Jobs that the services work on at once."""
    clip: Expectation | None
    """How long one clip takes; None where the sweep has clips of several kinds."""


@dataclass(frozen=True)
class Outlook:
    """How a plan stands, and what is to come."""

    standings: tuple[Standing | None, ...]
    counts: Mapping[Group, int]
    money: Money
    span: Span | None
    """None where no clip of these models was made here before."""
    causes: tuple[Cause, ...]

    @property
    def to_send(self) -> int:
        """How many jobs are still to be sent."""
        return sum(self.counts.get(group, 0) for group in TO_SEND)


def outlook_of(plan: Plan, store: Store, standings: Sequence[Standing | None], at_once: int | None = None) -> Outlook:
    """Return how a plan stands.

    Args:
        plan: the sweep.
        store: the jobs of the folder.
        standings: how each of its jobs stands.
        at_once: jobs of one account to have at the service at once; None for what the provider publishes.
    """
    counts = Counter(map(group_of, standings))
    to_send = [place for place, standing in enumerate(standings) if group_of(standing) in TO_SEND]
    money = Money()
    loads: dict[str, list[tuple[int, Expectation | None, Planned]]] = {}
    for first, row, count in _alike(plan, store, to_send):
        money.add(first, _quote(store, row), count)
        loads.setdefault(first.base_url, []).append((count, quotes.expectation(store, row), first))
    return Outlook(tuple(standings), counts, money, _span(loads, at_once), tuple(causes(plan, standings)))


def money_of(plan: Plan, store: Store, places: Iterable[int]) -> Money:
    """Return what it costs to send some jobs of a plan."""
    money = Money()
    for first, row, count in _alike(plan, store, places):
        money.add(first, _quote(store, row), count)
    return money


def _alike(plan: Plan, store: Store, places: Iterable[int]) -> Iterator[tuple[Planned, Job, int]]:
    """Yield one of all jobs that cost and take the same, with its row, and how many those are."""
    kinds: dict[tuple[Any, ...], list[Planned]] = {}
    for job in map(plan.jobs.__getitem__, places):
        kinds.setdefault(_kind(job), []).append(job)
    for jobs in kinds.values():
        yield jobs[0], jobs[0].row(None, store.clock.utc()), len(jobs)


def _quote(store: Store, row: Job) -> Quote:
    """Return what one job costs: for an emulated one what the catalogue says that the real one would."""
    return (quotes.published(row) or quotes.UNKNOWN) if row.emulated else quotes.quote_of(store, row)


def _kind(job: Planned) -> tuple[Any, ...]:
    """Return what jobs have in common that cost and take the same."""
    wanted = job.params
    return (
        job.base_url, job.model, *(repr(wanted.get(name)) for name in quotes.priced_params(job.model)),
        *((name, len(items)) for name, items in job.images.items()),
    )  # fmt: skip


def _span(loads: Mapping[str, list[tuple[int, Expectation | None, Planned]]], at_once: int | None) -> Span | None:
    """Return how long the rest takes: the services work side by side, so the slowest one decides."""
    spans: list[tuple[float, float, float]] = []
    slots = 0
    clips: list[Expectation] = []
    for parts in loads.values():
        known = [(count, expected, job) for count, expected, job in parts if expected is not None]
        if not known:
            return None
        try:
            rates = providers.get(known[0][2].provider).rates
        except ConfigError:
            return None
        clips += [expected for _, expected, _ in known]
        total = sum(count for count, _, _ in parts)
        mean = sum(count * expected.median_s for count, expected, _ in known) / sum(count for count, _, _ in known)
        slow = max(expected.p90_s for _, expected, _ in known)
        lanes = min(at_once or rates.in_flight, total)
        slots += lanes
        paced = 0.0 if known[0][2].emulated else 60.0 * total / rates.submits_per_minute
        usual = max(total * mean / lanes, mean, paced)
        spans.append((usual, max(0.9 * usual, mean), max(total * slow / lanes, slow, paced)))
    if not spans:
        return None
    usual, low, high = (max(column) for column in zip(*spans, strict=True))
    return Span(usual, low, high, slots, clips[0] if len(clips) == 1 else None)
