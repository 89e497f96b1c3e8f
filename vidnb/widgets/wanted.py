"""What somebody wants to have made, as `submit` takes it: from the form, or from a clip once more."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from vidnb import catalog
from vidnb.clip import Clip
from vidnb.errors import ParamsError, Problem
from vidnb.params import seeds
from vidnb.widgets.form import Filled

WAYS = {
    "model": "assign it to studio.model",
    "take": "Next take makes another one of the same recipe",
    "fresh": "Next take makes another one of the same recipe",
    "unsupported": "the form shows what the model takes",
    "purse": "give it to Studio(purse=...)",
    "accept_unknown_price": "the studio asks",
}
"""Arguments of `submit` that are not params, each with what to do in a studio instead."""


@dataclass(frozen=True)
class Wanted:
    """A clip that somebody wants.

    Attributes:
        model: id of the model.
        values: params by vidnb's names.
        fresh: whether the next take is wanted, whatever exists.
        take: the take that is wanted; None for the first, or the next one.
    """

    model: str
    values: Mapping[str, Any]
    fresh: bool = False
    take: int | None = None

    @classmethod
    def pressed(cls, filled: Filled) -> Wanted:
        """Return what a press on Generate asks for: with an open seed, or where the model has none, a new clip."""
        return cls(filled.model.id, filled.params, fresh=filled.params.get("seed") is None)

    def several(self, count: int) -> list[Wanted]:
        """Return `count` clips to ask for, made from this one, in the order in which they are to be submitted.

        With `fresh` they are all equal: each submit draws a new seed or makes the next take. Otherwise they have the
        given seed and those that follow it. Without a seed that can be counted on from, the list holds this one only.
        """
        seed, bounds = self.values.get("seed"), seeds.bounds(catalog.find(self.model))
        if count == 1 or self.fresh or not isinstance(seed, int) or bounds is None:
            return [self] * (count if self.fresh else 1)
        low, high = bounds
        if not low <= seed <= high:  # it is refused, and so would be none of those after it
            return [self]
        following = (low + (seed - low + step) % (high - low + 1) for step in range(1, count))
        return [self, *(replace(self, values={**self.values, "seed": other}) for other in following)]

    def makes(self, count: int = 1) -> str:
        """Return what tells its clips from the earlier ones of the recipe, in words for a button."""
        seed = self.values.get("seed")
        if seed is not None:
            each = [wanted.values["seed"] for wanted in self.several(count)]
            return f"seed {seed}" if len(each) == 1 else f"{count} seeds, {each[0]} to {each[-1]}"
        if seeds.bounds(catalog.find(self.model)) is None:
            return "next take" if count == 1 else f"{count} takes"
        return "new seed" if count == 1 else f"{count} new seeds"

    def check(self) -> None:
        """Return if all values are params.

        Raises:
            ParamsError: one is an argument of `submit` that is no param.
        """
        if clash := WAYS.keys() & self.values:
            problems = [Problem(name, self.values[name], "it is no param", WAYS[name]) for name in sorted(clash)]
            raise ParamsError(self.model, problems)


def once_more(clip: Clip) -> Wanted:
    """Return the next take of a clip's recipe."""
    return Wanted(clip.model, clip.request, fresh=True)


def varied(clip: Clip) -> Wanted:
    """Return a clip's recipe with another seed, or its next take where the model has no seed."""
    bounds = seeds.drawn_from(catalog.find(clip.model))
    if bounds is None:
        return once_more(clip)
    return Wanted(clip.model, {**clip.request, "seed": random.randint(*bounds)})
