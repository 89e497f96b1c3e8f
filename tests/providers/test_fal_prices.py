"""fal's own list of prices tells one number a model: it confirms the catalogue, or scales all of its prices.

They are never lower than the truth then, and there is no price where something unknown could change it.
"""

from __future__ import annotations

from typing import Any

import pytest

from vidnb import catalog
from vidnb.catalog import Model, prices
from vidnb.emulator.fal.records import listed_price
from vidnb.errors import ProviderError
from vidnb.providers.conformance import drive
from vidnb.providers.fal import Fal
from vidnb.records import Reply

KLING = "fal-ai/kling-video/v3/pro/text-to-video"
SEEDANCE = "bytedance/seedance-2.0/text-to-video"
SILENT = "fal-ai/stable-video"


def models() -> list[Model]:
    return [model for model in catalog.load().values() if model.provider == "fal"]


def page(*entries: dict[str, Any]) -> Reply:
    return Reply(200, {"prices": list(entries), "next_cursor": None, "has_more": False})


def read(name: str, unit_price: Any, unit: str, currency: str = "USD") -> dict[str, Any]:
    """Return what becomes of one entry of the list."""
    entry = {"endpoint_id": name, "unit_price": unit_price, "unit": unit, "currency": currency}
    found = drive(Fal().listed_prices([catalog.find(f"fal/{name}")]), [page(entry)])[1]
    table: dict[str, Any] = found[f"fal/{name}"]
    return table


def dollars(name: str, table: dict[str, Any], **values: Any) -> float | None:
    found = prices.price(catalog.find(f"fal/{name}"), values, None, table)
    return None if found is None else round(found.amount, 6)


def test_all_models_but_guesses_and_retired_ones_are_asked_for_fifty_at_a_time() -> None:
    calls, found = drive(Fal().listed_prices(models()), [page(), page()])
    asked = [one for call in calls for one in call.url.partition("endpoint_id=")[2].split("%2C")]
    assert [call.host for call in calls] == ["api", "api"]
    assert max(call.url.count("%2C") for call in calls) < 50
    assert len(asked) == len({*asked}) == sum(model.status == "active" for model in models())
    assert found == {}


def test_the_emulated_list_says_what_the_catalogue_says() -> None:
    entries = [listed_price(model) for model in models() if model.status == "active"]
    tables = drive(Fal().listed_prices(models()), [page(*entries[:50]), page(*entries[50:])])[1]
    for model in models():
        if model.status == "active":
            table = tables[model.id]
            if "unknown" in table:
                assert not model.price, model.id
            else:
                assert prices.price(model, {}, None, table or None) == prices.price(model, {}), model.id


@pytest.mark.parametrize("listed", [0.112, 0.168])
def test_a_number_that_stands_in_the_catalogue_confirms_it(listed: float) -> None:
    table = read(KLING, listed, "seconds")
    assert dollars(KLING, table, audio=False) == 0.56
    assert dollars(KLING, table, audio=True) == 0.84


def test_another_number_scales_all_prices_so_that_none_is_too_low() -> None:
    table = read(KLING, 0.224, "second")
    assert dollars(KLING, table, audio=False) == 1.12
    assert dollars(KLING, table, audio=True) == 1.68


@pytest.mark.parametrize(("price", "unit"), [(0.014, "1000 tokens"), (14.0, "1m tokens"), (14.0, "million tokens")])
def test_tokens_are_read_by_the_thousand_and_by_the_million(price: float, unit: str) -> None:
    assert dollars(SEEDANCE, read(SEEDANCE, price, unit)) == 1.512


def test_where_the_list_counts_in_other_units_the_catalogue_holds() -> None:
    assert read(KLING, 0.5, "videos") == {}
    assert read(KLING, 0.001, "compute seconds") == {}


@pytest.mark.parametrize(
    ("name", "price", "unit", "currency"),
    [
        ("fal-ai/wan/v2.2-a14b/text-to-video", 0.04, "seconds", "USD"),  # which resolution is that?
        (SILENT, 0.001, "compute seconds", "USD"),
        (SILENT, 0.1, "smiles", "USD"),
        (KLING, 0.112, "seconds", "EUR"),
        (KLING, 0, "seconds", "USD"),
        (KLING, -1, "seconds", "USD"),
        (KLING, "free", "seconds", "USD"),
        (KLING, None, "", ""),
    ],
)
def test_what_is_not_understood_is_an_unknown_price_and_never_a_low_one(
    name: str, price: Any, unit: str, currency: str
) -> None:
    assert read(name, price, unit, currency).keys() == {"unknown"}


@pytest.mark.parametrize("reply", [Reply(200, {"prices": "x"}), Reply(200, []), Reply(500, {}), Reply(404), Reply(200)])
def test_what_is_no_list_is_refused(reply: Reply) -> None:
    with pytest.raises(ProviderError):
        drive(Fal().listed_prices(models()), [reply])
