"""The caps of a studio, as they stand in its purse: in the data folder, so that they hold in every kernel."""

from __future__ import annotations

import threading

import traitlets

from vidnb import catalog
from vidnb.client.asynchronous import AsyncClient

CAPS = ("budget_usd", "budget_credits")


class PurseCaps:
    """Keeps the traits `budget_usd` and `budget_credits` of a part and the caps of a purse the same.

    Args:
        client: whose ledger.
        name: of the purse.
        part: has the two traits.
    """

    def __init__(self, client: AsyncClient, name: str, part: traitlets.HasTraits) -> None:
        self._client = client
        self._name = name
        self._part = part
        self._written: dict[str, float | None] = {}
        self._writing = threading.Lock()

    @property
    def is_read(self) -> bool:
        """Whether the caps that the purse already had were read."""
        return bool(self._written)

    def bring_up_to_date(self) -> None:
        """Read the purse's caps once, and write those that were changed in the part since; it reads the database."""
        if not self._written:
            self._read()
        self._write()

    def _read(self) -> None:
        """Take over the caps that the purse has already, where none was given here."""
        standing = {one.unit: one.cap for one in self._client.budget() if one.name == self._name}
        for name, units in self._units().items():
            cap = next((standing[unit] for unit in units if standing.get(unit) is not None), None)
            self._written.setdefault(name, cap)
            if getattr(self._part, name) is None and cap is not None:
                setattr(self._part, name, cap)

    def _write(self) -> None:
        with self._writing:  # whoever submits meanwhile waits until the cap stands in the database
            changed = {name: cap for name in CAPS if (cap := getattr(self._part, name)) != self._written.get(name)}
            if "budget_usd" in changed:
                self._client.budget(self._name, usd=changed["budget_usd"])
            if "budget_credits" in changed:
                providers = [unit.partition(":")[2] for unit in self._units()["budget_credits"]]
                self._client.budget(self._name, credits=dict.fromkeys(providers, changed["budget_credits"]))
            self._written |= changed

    def _units(self) -> dict[str, list[str]]:
        """Return the units of the books behind each cap."""
        providers = sorted({model.provider for model in catalog.load().values()})
        return {"budget_usd": ["USD"], "budget_credits": [f"CREDITS:{provider}" for provider in providers]}
