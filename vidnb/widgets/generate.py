"""The button that costs money: what the next clip costs and how sure that is, what was spent, and the cap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from vidnb.records import Cost, Quote, money
from vidnb.widgets.form import NOT_SENT, Form
from vidnb.widgets.live import Live

MOST_AT_ONCE = 16


class GenerateBar(Live, part="generate"):
    """Generate and Next take, with the price on them, the sums spent so far, and the cap.

    Attributes:
        quote: what the next clip would cost; None while that is being looked up.
        count: how many clips a press makes, with one price for all.
        session, folder: what was charged (where the service names no sum, what was expected) since the studio was made,
            and in all in its data folder, by unit.
        budget_usd, budget_credits: the most that this studio may spend; None for no cap.
        note: a line on what happened to the last click.
        makes: what tells the next clip from the earlier ones of its recipe, on the button: "new seed", "next take".
        ask: a question that the person answers with one more click ("Generate anyway"), or "".

    Example:
        >>> form = vidnb.Form("leonardo/motion_2.0", {"prompt": "a koala in a meadow"})
        >>> send = lambda fresh, anyway: vidnb.submit(model=form.model.id, fresh=fresh, **form.params)
        >>> bar = vidnb.widgets.GenerateBar(send)
        >>> bar.quote = vidnb.quote(model=form.model.id, **form.params)
    """

    quote = traitlets.Instance(Quote, allow_none=True)
    session = traitlets.Dict()
    folder = traitlets.Dict()
    count = traitlets.Int(1, min=1, max=MOST_AT_ONCE).tag(sync=True)
    budget_usd = traitlets.Float(None, allow_none=True).tag(sync=True)
    budget_credits = traitlets.Float(None, allow_none=True).tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    makes = traitlets.Unicode("").tag(sync=True)
    ask = traitlets.Unicode("").tag(sync=True)
    _form = traitlets.Unicode("").tag(sync=True)
    """Id of the form whose values are sent; what the page knows of it comes with each click."""
    _price = traitlets.Dict().tag(sync=True)
    _spent = traitlets.Dict().tag(sync=True)

    def __init__(self, on_generate: Callable[..., None], form: Form | None = None) -> None:
        """Make the bar.

        Args:
            on_generate: called with (fresh, anyway): whether the next take is wanted, and whether a price that nobody
                knows was accepted; with a form also with its `model` and `params` (`Filled`) as the page showed them
                at the click. By then the form may have moved on.
            form: whose values it sends, what a person typed just before the click among them.
        """
        super().__init__()
        self._on_generate = on_generate
        self._edited = form
        self._form = form._id if form is not None else ""
        self._draw_price()
        self._draw_spent()

    def heard_generate(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """A button was pressed. The page accepts the next press only after the kernel has confirmed this one."""
        refused, given = "", []
        try:
            self.heard_budget(content.get("budget", {}), [])  # typed before the click, and may be on its way still
            self.count = content.get("count", self.count)
            if self._edited is not None:
                seen = content.get("form")  # missing where the page does not show the form
                filled = self._edited.filled() if seen is None else self._edited.take_edits(seen)
                refused, given = NOT_SENT if filled is None else "", [filled]
        finally:
            self.say("heard", {"refused": refused})
        if not refused:
            self._on_generate(bool(content.get("fresh")), bool(content.get("anyway")), *given)

    def heard_budget(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """A cap was typed; an empty one is none."""
        caps = {name: content[name] for name in ("budget_usd", "budget_credits") if name in content}
        for name, cap in caps.items():
            setattr(self, name, cap)
        if caps:
            self.say("budget", caps)

    def focus(self) -> None:
        """Put the keyboard on Generate."""
        self.say("focus")

    @traitlets.validate("budget_usd", "budget_credits")
    def _valid_budget(self, proposal: Any) -> float | None:
        return valid_cap(proposal)

    @traitlets.observe("quote")
    def _draw_price(self, _: Any = None) -> None:
        quote = self.quote
        self._price = (
            {"text": quote.words, "certainty": quote.certainty, "why": quote.why}
            if quote is not None
            else {"text": "", "certainty": "", "why": ""}
        )

    @traitlets.observe("session", "folder", "budget_usd", "budget_credits")
    def _draw_spent(self, _: Any = None) -> None:
        caps = {"USD": self.budget_usd, "CREDITS": self.budget_credits}
        cap = " + ".join(str(Cost(cap, unit)) for unit, cap in caps.items() if cap is not None)
        self._spent = {"session": money(self.session), "folder": money(self.folder), "cap": cap}


def valid_cap(proposal: Any) -> float | None:
    """The proposed cap of a trait.

    Raises:
        traitlets.TraitError: it is no sum, as NaN, below which everything would stay.
    """
    value: float | None = proposal["value"]
    if value is not None and not 0 <= value < float("inf"):
        raise traitlets.TraitError(f"{proposal['trait'].name}={value!r}: give a number of 0 or more, or None")
    return value
