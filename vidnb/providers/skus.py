"""The prices in OpenRouter's public list, `pricing_skus`: seventeen shapes of keys in five units, read into one form.

The shapes are those of captured replies (June to October 2026); the keys that the service's guide names do not occur. A
key says the mode, the resolution and whether there is sound. One for sound holds before any other, as it is the dearer
one; then the one for mode and resolution; and where no key is for a clip, one for another sound counts. A key that
nobody knows may be one that counts, so the whole price is unknown then, never zero.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vidnb.catalog import Model, Param
from vidnb.providers.replies import number_at

SIZE = r"(?:_(?P<size>\d{3,4}p|\dk))?"
SHAPES = (
    (re.compile(rf"(?:(?P<mode>text|image)_to_video_)?duration_seconds(?:_(?P<sound>with|without)_audio)?{SIZE}"), 1.0),
    (re.compile(rf"cents_per_second(?:_output)?{SIZE}"), 0.01),
    (re.compile(rf"cents_per_video_output_second{SIZE}"), 0.01),
)
"""Prices of a second, and what a number there is worth in US dollars."""
TOKENS = re.compile(rf"video_tokens{SIZE}(?:_(?P<sound>without)_audio)?")
EACH, LEAST = "cents_per_image_input", "minimum_cents_per_generation"
NOT_ASKED_FOR = re.compile(
    r"reference_(duration_seconds|images).*|cents_per_second_video_continuation.*|video_tokens.*_with_video_input"
)
"""Prices of what vidnb does not ask this service for: references, and videos to go on from."""
SECOND, THOUSAND_TOKENS = "second", "1000 tokens"


@dataclass(frozen=True)
class Sku:
    """One price and for what it holds.

    Attributes:
        basis: what the amount is for, as in `catalog.prices`.
        amount: in US dollars.
        mode: "text", "image", or "" for both.
        size: as the list writes it, in lower case; "" for all.
        sound: with or without; None for both.
    """

    basis: str
    amount: float
    mode: str = ""
    size: str = ""
    sound: bool | None = None


def table(model: Model, skus: Any) -> dict[str, Any]:
    """Return a model's price in the form of `Model.price`; a dict with `unknown` alone where it is not understood."""
    if not isinstance(skus, Mapping) or not skus:
        return {"unknown": "no price stands there"}
    found: list[Sku] = []
    others: dict[str, Any] = {}
    for key in map(str, skus):
        amount = number_at(skus, key)
        if NOT_ASKED_FOR.fullmatch(key):
            continue
        if amount is None or amount < 0:
            return {"unknown": key[:60]}
        if key == EACH:
            others["each"] = {name: amount / 100 for name in ("start_image", "end_image") if name in model.params}
        elif key == LEAST:
            others["least"] = amount / 100
        elif (sku := _read(key, amount)) is not None:
            found.append(sku)
        else:
            return {"unknown": key[:60]}
    if len({sku.basis for sku in found}) != 1:
        return {"unknown": "no one unit"}
    return {"unit": "USD", "basis": found[0].basis, "confidence": "estimate", "cases": _cases(model, found), **others}


def _read(key: str, amount: float) -> Sku | None:
    if (match := TOKENS.fullmatch(key)) is not None:
        return _sku(THOUSAND_TOKENS, amount * 1000, match)
    for shape, worth in SHAPES:
        if (match := shape.fullmatch(key)) is not None:
            return _sku(SECOND, amount * worth, match)
    return None


def _sku(basis: str, amount: float, match: re.Match[str]) -> Sku:
    told = match.groupdict()
    sound = told["sound"] == "with" if told.get("sound") else None
    return Sku(basis, round(amount, 10), told.get("mode") or "", told["size"] or "", sound)


def _cases(model: Model, skus: list[Sku]) -> list[dict[str, Any]]:
    """Return the prices as cases, the most specific first; then each without its sound, the dearest first."""
    quiet = [Sku(sku.basis, sku.amount, sku.mode, sku.size) for sku in skus if sku.sound is not None]
    exact = sorted(skus, key=lambda sku: (sku.sound is not True, not sku.mode, not sku.size, sku.sound is None))
    loose = sorted(quiet, key=lambda sku: (-(2 * bool(sku.mode) + bool(sku.size)), -sku.amount))
    whens = [(_when(model, sku), sku.amount) for sku in (*exact, *loose)]
    return [{"when": when, "amount": amount} for when, amount in whens if when is not None]


def _when(model: Model, sku: Sku) -> dict[str, list[Any]] | None:
    """Return for which values a price holds; None where it is for what the model does not have here."""
    when: dict[str, list[Any]] = {}
    if sku.mode:
        if sku.mode not in model.modes:
            return None
        when["mode"] = [sku.mode]
    if sku.size:
        param = model.params.get("resolution")
        choices = [] if param is None else [one for one in param.choices if _written(param, one) == sku.size]
        if not choices:
            return None
        when["resolution"] = choices
    if sku.sound is not None:
        if "audio" not in model.params:
            return None
        when["audio"] = [sku.sound]
    return when


def _written(param: Param, choice: Any) -> str:
    """Return a resolution as the list's keys write it: there it is 4k, and 4K everywhere else."""
    return str(param.to_wire(choice)).lower()
