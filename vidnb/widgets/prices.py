"""What the next clip costs, on the buttons that pay: looked up off the loop once the form is quiet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from vidnb import catalog
from vidnb.client.asynchronous import AsyncClient
from vidnb.clip import Clip
from vidnb.errors import BudgetError, VidnbError
from vidnb.records import Cost, Job, Quote
from vidnb.widgets.generate import GenerateBar
from vidnb.widgets.player import Player
from vidnb.widgets.wanted import Wanted, once_more

QUIET_S = 0.2
"""How long the form must be quiet before its price is looked up."""

Spawn = Callable[[Coroutine[Any, Any, Any]], None]


class Prices:
    """The prices on the bar and on the player's buttons, and the sums spent.

    It also remembers for which services the page said "free, emulated": a key that comes later takes that back before
    anything is paid.

    Args:
        client: who looks prices up.
        wanted: returns what a press on Generate would ask for.
        bar: shows the price of that, and the sums.
        player: shows what one more clip of its recipe costs.
        spawn: runs a coroutine that nobody awaits.
    """

    def __init__(
        self, client: AsyncClient, wanted: Callable[[], list[Wanted]], bar: GenerateBar, player: Player, spawn: Spawn
    ) -> None:
        self._client = client
        self._wanted = wanted
        self._bar = bar
        self._player = player
        self._spawn = spawn
        self._edits = 0
        self._said_emulated: set[str] = set()
        self._since = client.clock.utc()

    def look_up(self) -> None:
        """Look up what the form's values cost, once it is quiet; what an earlier look-up finds is void."""
        self._edits += 1
        self._spawn(self._look_up(self._edits))

    async def _look_up(self, edit: int) -> None:
        await self._client.clock.wait(QUIET_S)
        if edit != self._edits:
            return
        wanted = await self._show(edit)
        if await self._list_came(*(one.model for one in wanted)) and edit == self._edits:
            await self._show(edit)

    async def _show(self, edit: int) -> list[Wanted]:
        """Show on the bar what the form's values cost, unless it was edited since; return what they ask for."""

        def look_up() -> tuple[list[Wanted], Quote]:
            wanted = self._wanted()
            return wanted, total([self.quote(one) for one in wanted])

        wanted, quote = await asyncio.to_thread(look_up)
        if edit == self._edits:
            self._bar.quote = quote
        return wanted

    async def _list_came(self, *models: str) -> bool:
        """Return once no list of prices is being read for these models; whether one was, so that prices may differ."""
        came = False
        with suppress(VidnbError):  # no such model, or no key: the quote says so
            for provider in {catalog.find(model).provider for model in models}:
                came |= await self._client.await_prices(provider, patiently=True)
        return came

    def quote(self, wanted: Wanted) -> Quote:
        """Return what this would cost; where nobody can tell, why not."""
        try:
            return self._client.quote(model=wanted.model, fresh=wanted.fresh, take=wanted.take, **wanted.values)
        except (VidnbError, TypeError) as error:
            return Quote(None, "unknown", str(error))

    def look_up_clip(self, clip: Clip | None) -> None:
        """Say on the player's buttons what one more clip of this recipe costs, once that was looked up."""
        self._player.price = ""
        if clip is not None:
            self._spawn(self._look_up_clip(clip))

    async def _look_up_clip(self, clip: Clip) -> None:
        def look_up() -> Quote:
            try:
                return self.quote(once_more(clip))
            except VidnbError as error:  # an input's file is gone
                return Quote(None, "unknown", str(error))

        self._show_clip(clip, await asyncio.to_thread(look_up))
        if await self._list_came(clip.model):
            self._show_clip(clip, await asyncio.to_thread(look_up))

    def _show_clip(self, clip: Clip, quote: Quote) -> None:
        """Show this price on the player's buttons, if the clip is still there."""
        shown = self._player.clip
        if shown is not None and shown.job.id == clip.job.id:
            self._player.price = quote.words
            provider = catalog.find(clip.model).provider
            with suppress(VidnbError):  # only what draws the bar anew may take back what the bar says
                if self._client.target(provider).emulated:
                    self._said_emulated.add(provider)

    async def sum_up(self) -> None:
        """Bring the sums on the bar up to date."""
        session = await asyncio.to_thread(self._client.spent, self._since)
        folder = await asyncio.to_thread(self._client.spent)
        self._bar.session, self._bar.folder = dict(session), dict(folder)

    # -- free or not -------------------------------------------------------------------------------------------------

    def tell(self, provider: str, emulated: bool) -> None:
        """Remember what the page says of a provider; where there is a key now, take "free" off the player's buttons."""
        if emulated:
            self._said_emulated.add(provider)
        elif provider in self._said_emulated:
            self._said_emulated.discard(provider)
            self.look_up_clip(self._player.clip)

    def would_pay_unawares(self, model: str) -> bool:
        """Return whether the page says "free" although the model's clips cost money since a key was set."""
        provider = catalog.find(model).provider
        return provider in self._said_emulated and not self._client.target(provider).emulated

    def check_still_emulated(self, job: Job) -> None:
        """Return if sending a job again costs what it cost before.

        Raises:
            BudgetError: it was emulated, and would be paid for now.
        """
        if job.emulated and not self._client.target(job.provider).emulated:
            raise BudgetError(
                "Nothing was sent: that job was emulated, and there is a key now, so it would cost money."
            )


def total(quotes: Sequence[Quote]) -> Quote:
    """Return one price for several clips, no surer than the least sure of theirs."""
    if len(quotes) == 1:
        return quotes[0]
    why = "; ".join(dict.fromkeys(quote.why for quote in quotes))
    costs = [quote.cost for quote in quotes if quote.cost is not None and quote.cost.amount]
    if any(quote.cost is None for quote in quotes) or len({cost.unit for cost in costs}) > 1:
        return Quote(None, "unknown", why)
    unit = costs[0].unit if costs else "USD"
    sure = all(quote.certainty == "exact" for quote in quotes)
    return Quote(Cost(sum(cost.amount for cost in costs), unit), "exact" if sure else "estimate", why)
