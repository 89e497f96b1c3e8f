"""The one count of money: what a job may cost at most, in which purses that is set aside, and what was spent.

The sums lie in the database (`store.books`) and move with the jobs, in the same transaction. Here are the rules:

- a POST is reserved at the highest price that it can have: an exact price as it is, an estimate at the dearest that
  such a job was ever charged in this folder, else at one and a half times the published price;
- the purse of the folder, a named purse and the purse of a client each hold by themselves;
- a price in another unit than a purse's caps, or none, is refused while a cap in money holds, unless a cap in jobs
  stands beside it or a person accepts it;
- jobs of unknown price go one at a time under a cap in money, where the service says what a job cost: the next is sent
  once the charge for the one before it is known, so that together they pass the cap by the price of one at most;
- emulated jobs have a book of their own, at the catalogue's prices, with the same caps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from vidnb.errors import BudgetError, CapReachedError, UnknownPriceError
from vidnb.jobs import quotes
from vidnb.records import JOBS_UNIT, Booked, Cost, Job, Purse, Reservation, Spent, in_books

if TYPE_CHECKING:
    from vidnb.store import Store

FOLDER = ""
"""The name of the folder's own purse."""
ESTIMATE_FACTOR = 1.5
"""How much dearer than a published estimate a job may turn out."""
PRICE_FOR_S = 2.0
"""How many seconds a price that was looked up serves other jobs like it."""
PROCESS = "process:"
"""How the name of a purse begins that `VIDNB_BUDGET_USD` caps: in dollars, and in nothing else."""
PRIVATE = ("client:", PROCESS)
"""How the names of purses begin that hold for one client or process only."""


class Ledger:
    """The count of one data folder.

    Args:
        store: where the sums lie.
        say: tells the person something, once.
    """

    def __init__(self, store: Store, say: Callable[[str], object] = lambda text: None) -> None:
        self._store = store
        self._say = say
        self._prices: dict[str, tuple[float, Reservation]] = {}
        self._reserved_here: set[str] = set()
        self._lock = threading.Lock()
        for job in store.unpriced():
            cost = quotes.quote_of(store, job).cost
            store.expect_cost(job.id, None if cost is None else in_books(job.provider, cost))

    def reservation(self, job: Job, purses: tuple[str, ...] = (), *, accepted: bool = False) -> Reservation:
        """Return what one POST of the job may cost, in the folder's purse and these.

        Args:
            job: whose POST it is.
            purses: names of more purses.
            accepted: whether a person accepted a price that no cap can be held against.
        """
        alike = repr((job.model, job.emulated, quotes.priced(job)))
        with self._lock:
            looked_up_at, found = self._prices.get(alike, (float("-inf"), Reservation()))
        if self._store.clock.monotonic() - looked_up_at > PRICE_FOR_S:
            found = self._priced(job)
            if found.unit or job.emulated:  # an unknown price may be known with the next charge
                with self._lock:
                    self._prices = {} if len(self._prices) > 1000 else self._prices
                    self._prices[alike] = (self._store.clock.monotonic(), found)
        names = tuple(sorted({FOLDER, *purses}))
        # What is emulated costs nothing, so a price that nobody knows is no reason to refuse it.
        accepted = accepted or (job.emulated and not found.unit)
        return Reservation(names, found.book, found.unit, found.amount, found.expected, accepted, found.known_from)

    def _priced(self, job: Job) -> Reservation:
        """Return what a job like this one may cost, without purses."""
        book: Literal["real", "emulated"] = "emulated" if job.emulated else "real"
        charged = [] if job.emulated else quotes.charges(self._store, job)
        listed = quotes.listed(self._store, job)
        published = listed or quotes.published(job) or quotes.UNKNOWN
        cost = charged[0] if charged else published.cost
        if cost is None:
            telling = quotes.telling()
            return Reservation(book=book, known_from=telling if job.provider in telling else ())
        is_exact = job.emulated or published.certainty == "exact"
        known = [*charged, *([listed.cost] if charged and listed is not None and listed.cost is not None else [])]
        highest = max(
            (one.amount for one in known if one.unit == cost.unit),
            default=cost.amount if is_exact else cost.amount * ESTIMATE_FACTOR,
        )
        cost = in_books(job.provider, cost)
        return Reservation((), book, cost.unit, highest, cost.amount)

    def ensure(self, job: Job, *, accepted: bool = False) -> None:
        """Reserve a POST for a job that was written before there was a ledger.

        Args:
            job: that is not sent yet.
            accepted: whether a person accepted a price that no cap can be held against.

        Raises:
            BudgetError: a purse has no room; nothing is sent.
        """
        if job.id in self._reserved_here:
            self._reserved_here.discard(job.id)  # for its first POST
            return
        if self._store.is_reserved(job.id):
            return
        try:
            self._store.reserve(job.id, self.reservation(job, (job.purse,) if job.purse else (), accepted=accepted))
        except CapReachedError as error:
            raise refusal(error) from None

    def reserved(self, job: Job) -> None:
        """Know that the row of a new job came with its reservation; the database refuses a POST without one anyway."""
        self._reserved_here.add(job.id)

    def look_at_charge(self, job: Job) -> None:
        """Say so where a service charged more than was reserved; it is booked, and the caps count it."""
        over = self._store.overrun(job.id)
        if over is not None and job.cost is not None:
            self._say(
                f"Job {job.id[:8]} was charged {job.cost}, {Cost(over, job.cost.unit)} more than was reserved for it. "
                "It is booked; the caps count it, and what would pass them is not sent."
            )

    def cap(self, name: str, caps: Mapping[str, float | None], *, silent: bool = False) -> None:
        """Give a purse caps by unit; None takes one away. Says so where the purse had another.

        Args:
            name: of the purse.
            caps: by unit.
            silent: whoever asks for it says so.
        """
        before = {purse.unit: purse.cap for purse in self._store.purses([name]) if purse.book == "real"}
        for unit, cap in caps.items():
            old = before.get(unit)
            if cap == old and unit in before:
                continue
            self._store.set_cap(name, unit, cap)
            if old is not None and not silent and not name.startswith(PRIVATE):
                now = "none" if cap is None else str(Cost(cap, unit))
                self._say(f"The cap of {purse_words(name)} was {Cost(old, unit)} and is {now} now.")

    def purse_caps(self, name: str) -> dict[str, float]:
        """Return the caps of one purse, by unit; both books have the same."""
        return {purse.unit: purse.cap for purse in self._store.purses([name]) if purse.cap is not None}

    def purses(self) -> list[Purse]:
        """Return the sums of the folder's purse and of every named one."""
        return [purse for purse in self._store.purses() if not purse.name.startswith(PRIVATE)]

    def forgive(self, name: str) -> None:
        """Let a purse begin anew."""
        self._store.forgive(name)

    def spent(self, since: datetime | None = None, *, emulated: bool = False) -> Spent:
        """Return what the folder's jobs cost, settled, reserved and unclear apart."""
        parts: dict[Booked, dict[str, float]] = {booked: {} for booked in Booked}
        for unit, booked, amount in self._store.sums("emulated" if emulated else "real", since):
            shown = unit.partition(":")[0]
            parts[booked][shown] = parts[booked].get(shown, 0.0) + amount
        return Spent(parts[Booked.SETTLED], parts[Booked.RESERVED], parts[Booked.UNCLEAR])


def refusal(error: CapReachedError) -> BudgetError:
    """Return the refusal in words: what would pass which cap, and what would allow it."""
    purse, where = error.purse, purse_words(error.purse.name)
    if error.ahead is not None and error.is_unclear:
        return BudgetError(
            f"Nothing was sent: nobody knows whether the service has job {error.ahead[:8]}, nor what it would cost, "
            f"and the price of this clip is not known before it is sent. Such jobs go one at a time under the cap of "
            f"{Cost(purse.cap or 0.0, purse.unit)} of {where}. Look for that job at the service, and then say "
            f"vidnb.settle({error.ahead[:8]!r})."
        )
    if error.ahead is not None:
        return BudgetError(
            f"Nothing was sent: nobody knows the price of this clip before it is sent, nor that of job "
            f"{error.ahead[:8]}, which has not ended. Such jobs go one at a time under the cap of "
            f"{Cost(purse.cap or 0.0, purse.unit)} of {where}, so that they pass it by the price of one at most. "
            f"Send it again after that job: vidnb.wait({error.ahead[:8]!r})."
        )
    if error.more is None and error.price is None and not purse.left:
        kind = "usd" if purse.unit == "USD" else "credits"
        return BudgetError(
            f"Nothing was sent: the cap of {Cost(purse.cap or 0.0, purse.unit)} of {where} is used up "
            f"({Cost(purse.used, purse.unit)}). Raise the cap to go on ({advice(purse.name, kind)})."
        )
    if error.more is None:
        priced = "nobody knows the price of this clip before it is sent" if error.price is None else (
            f"this clip costs about {error.price}, and that is another unit than the cap's"
        )  # fmt: skip
        allow = "" if purse.name.startswith(PROCESS) else (
            f"A cap on the number of jobs beside it would allow it ({advice(purse.name, 'jobs')}), and so would "
        )  # fmt: skip
        return UnknownPriceError(
            f"Nothing was sent: {priced}, so the cap of {Cost(purse.cap or 0.0, purse.unit)} of {where} cannot be "
            f"promised to hold. {allow or 'What would allow it is '}accept_unknown_price=True."
        )
    parts = {"spent": purse.settled - purse.forgiven, "reserved": purse.reserved, "unclear": purse.unclear}
    used = ", ".join(f"{Cost(amount, purse.unit)} {name}" for name, amount in parts.items() if amount > 0)
    taken = f" (so far {used})" if used else ""
    more = f"{error.more} more" if purse.unit == JOBS_UNIT else f"up to {error.more} more"
    kind = {"USD": "usd", JOBS_UNIT: "jobs"}.get(purse.unit, "credits")
    return BudgetError(
        f"Nothing was sent: {more} would pass the cap of {Cost(purse.cap or 0.0, purse.unit)} of {where}{taken}. "
        f"Raise the cap to go on ({advice(purse.name, kind)})."
    )


def may_make_room(error: CapReachedError) -> bool:
    """Return whether what was refused would be allowed once jobs on their way gave back all that is held for them."""
    purse, more = error.purse, error.more
    if error.ahead is not None:
        return not error.is_unclear
    if more is None and purse.left:  # the price is the trouble
        return False
    rest = purse.used - purse.reserved + (more.amount if more is not None else 0.0)
    return purse.reserved > 0 and purse.cap is not None and rest <= purse.cap


def awaited(error: CapReachedError, jobs: Sequence[Job]) -> str:
    """Return for which jobs of others a purse without room has to wait, and why, in words.

    Args:
        error: what was refused.
        jobs: the jobs that hold a part of the purse, one at least.
    """
    first, cap = jobs[0], f"the cap of {Cost(error.purse.cap or 0.0, error.purse.unit)} of"
    whose = f" of {purse_words(first.purse)}" if first.purse and first.purse != error.purse.name else ""
    are, it = ("is on its way", "it") if len(jobs) == 1 else (f"and {len(jobs) - 1:,} more are on their way", "them")
    why = (
        "Nobody knows its price before it ends, nor that of the next clip, and such jobs go one at a time under"
        if error.ahead is not None
        else f"What is held for {it} and not charged makes room under"
    )
    return f"Job {first.id[:8]}{whose} {are}. {why} {cap} {purse_words(error.purse.name)}"


def purse_words(name: str) -> str:
    """Return a purse's name for a message."""
    if name == FOLDER:
        return "this data folder"
    if name.startswith(PRIVATE):
        return f"this {name.partition(':')[0]}"
    return f"the purse {name!r}"


def advice(name: str, kind: str) -> str:
    """Return how a cap is set, as one would type it."""
    if name.startswith(PROCESS):
        return "VIDNB_BUDGET_USD=..."
    if name.startswith(PRIVATE):
        return f"budget_{kind}=..."
    return f"vidnb.budget({kind}=...)" if name == FOLDER else f"vidnb.budget({name!r}, {kind}=...)"
