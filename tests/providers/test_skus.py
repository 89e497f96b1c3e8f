"""OpenRouter's own list of prices: every captured one is read as the catalogue has it, and nothing odd is ever free."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from wire_samples import sample

from vidnb import catalog
from vidnb.catalog import Model, prices
from vidnb.errors import ProviderError
from vidnb.providers.conformance import drive
from vidnb.providers.openrouter import OpenRouter
from vidnb.records import Reply

GROK = {"model": "openrouter/x-ai/grok-imagine-video", "resolution": "480p", "duration_s": 4}


def models() -> list[Model]:
    return [model for model in catalog.load().values() if model.provider == "openrouter"]


def read(reply: Reply, wanted: list[Model]) -> dict[str, dict[str, Any]]:
    """Return what the provider reads in such a list."""
    prices: dict[str, dict[str, Any]] = drive(OpenRouter().listed_prices(wanted), [reply])[1]
    return prices


def combinations(model: Model) -> Iterator[dict[str, Any]]:
    """Every resolution with and without sound."""
    sizes = model.params["resolution"].choices if "resolution" in model.params else (None,)
    for size, sound in product(sizes, (True, False) if "audio" in model.params else (None,)):
        given = {"resolution": size, "audio": sound, "aspect_ratio": "16:9"}
        yield {name: value for name, value in given.items() if value is not None}


def test_the_captured_list_and_the_catalogue_say_the_same_of_every_model() -> None:
    tables = read(sample("openrouter-models").reply, models())
    compared = 0
    for model in models():
        for values in combinations(model):
            for mode in model.modes:
                files = {"start_image": int(mode == "image")}
                published = prices.price(model, values, files)
                listed = prices.price(model, values, files, tables[model.id])
                assert published is not None
                assert listed is not None
                assert listed.amount == pytest.approx(published.amount), (model.id, values, mode)
                compared += 1
    assert compared > 100


@pytest.mark.parametrize(
    ("skus", "dollars"),
    [
        ({"duration_seconds": "0.1"}, 0.4),
        ({"duration_seconds": "0.1", "minimum_cents_per_generation": "75"}, 0.75),
        ({"cents_per_second": "10", "cents_per_image_input": "5"}, 0.45),
        ({"duration_seconds_720p": "0.1"}, None),
        ({"text_to_video_duration_seconds": "0.1", "image_to_video_duration_seconds": "0.2"}, 0.8),
        ({"duration_seconds": "0.1", "reference_images": "9"}, 0.4),
        ({"cents_per_megapixel_second_fast": "1"}, "cents_per_megapixel_second_fast"),
        ({"duration_seconds": "0.1", "per_smile": "0"}, "per_smile"),
        ({"duration_seconds": "free"}, "duration_seconds"),
        ({"duration_seconds": "-1"}, "duration_seconds"),
        ({"duration_seconds": "0.1", "video_tokens": "0.1"}, "no one unit"),
        ({}, "no price stands there"),
        (None, "no price stands there"),
    ],
)
def test_a_key_that_nobody_knows_makes_the_price_unknown_and_never_zero(skus: Any, dollars: Any) -> None:
    model = catalog.find(str(GROK["model"]))
    reply = Reply(200, {"data": [{"id": model.wire, "pricing_skus": skus}]})
    table = read(reply, [model])[model.id]
    if isinstance(dollars, str):
        assert table == {"unknown": dollars}
        return
    found = prices.price(model, GROK, {"start_image": 1}, table)
    assert (None if found is None else round(found.amount, 6)) == dollars


@pytest.mark.parametrize("reply", [Reply(200, {"data": []}), Reply(200, {"data": "x"}), Reply(500, {}), Reply(200)])
def test_what_is_no_list_is_refused(reply: Reply) -> None:
    with pytest.raises(ProviderError):
        read(reply, models())
