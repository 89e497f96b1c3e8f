"""The prices that services list themselves, as they were read last: a quote needs no network, and says their date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from vidnb.store.tables import PRICE_LISTS

if TYPE_CHECKING:
    from vidnb.store import Store


@dataclass(frozen=True)
class KeptPrices:
    """A service's list as it was read.

    Attributes:
        prices: by id of the model, each in the form of `Model.price`; see `Provider.listed_prices`.
        read_at: when.
    """

    prices: Mapping[str, Mapping[str, Any]]
    read_at: datetime


def read(store: Store, provider: str) -> KeptPrices | None:
    """Return the list of a provider that was read last; None where none was."""
    query = select(PRICE_LISTS.c.prices, PRICE_LISTS.c.read_at).where(PRICE_LISTS.c.provider == provider)
    with store.reading() as connection:
        row = connection.execute(query).first()
    return None if row is None else KeptPrices(row.prices, row.read_at)


def keep(store: Store, provider: str, prices: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep a list that was read now, in place of the one before."""
    row = {"provider": provider, "prices": dict(prices), "read_at": store.clock.utc()}
    with store.writing() as connection:
        connection.execute(delete(PRICE_LISTS).where(PRICE_LISTS.c.provider == provider))
        connection.execute(insert(PRICE_LISTS), row)
