"""What a comparison says, in three fixed sentences; each begins with the mean and its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from vidnb.display.grid.words import titles_of
from vidnb.history.statistics.columns import label
from vidnb.media.measures import MEASURES

Effect = Any
"""An `effect.Effect`, which says itself by what stands here and so cannot be imported."""

UNITS: Mapping[str, str] = {"rating": "stars"}
ENDS: Mapping[str, str] = {"_s": "s", "_px": "px", "_usd": "$", "_bytes": "bytes", "_fps": "fps"}
FEWEST_FOR_INTERVAL, FEWEST_FOR_VERDICT = 3, 6
MANY = 1_000
EMULATED = "All of it was made by the emulator: this says nothing of a real model."
MOST_DECIMALS = 12
ROUNDING = 1e-9
"""A difference below this share of the mean comes from how computers round, not from the clips."""


def unit_of(measure: str) -> str:
    """The unit of a measure by its name: "%/s", "s", or "" where it has none."""
    if measure in MEASURES:
        return MEASURES[measure].short_unit
    return UNITS.get(measure) or next((unit for end, unit in ENDS.items() if measure.endswith(end)), "")


def name_of(column: str) -> str:
    """A column's name as words: "motion strength"."""
    if column in MEASURES:
        return MEASURES[column].words
    name = str(column).removeprefix("param_")
    end = next((end for end in ENDS if name.endswith(end)), "")
    return name.removesuffix(end).replace("_", " ")


def whole(effects: Sequence[Effect]) -> str:
    """All that effects say, a line each; what holds for all of them stands once, at the end."""
    found = "\n".join(" ".join(parts(effect)) for effect in effects)
    if not any(effect.emulated for effect in effects):
        return found
    return f"{found}{' ' if len(effects) == 1 else chr(10)}{EMULATED}"


def parts(effect: Effect) -> list[str]:
    """What one effect says, sentence by sentence: the mean first, then what it means."""
    return [part for part in (_first(effect), *_verdict(effect), *effect.notes) if part]


def _first(effect: Effect) -> str:
    if effect.units < FEWEST_FOR_INTERVAL:
        if effect.by_takes:
            return f"{_amount(effect, effect.mean)} {_between(effect)} ({_counted(effect)})."
        listed = [_signed(value, effect) for value in effect.differences["difference"].tolist()]
        if len(listed) > 1 and len(set(listed)) == 1:
            return f"{_amount(effect, effect.mean)} {_between(effect)} ({_counted(effect)}, all alike)."
        seen = f"{', '.join(listed[:-1])} and {listed[-1]}" if len(listed) > 1 else listed[0]
        return f"{_with_unit(seen, effect.unit)} of {name_of(effect.measure)} {_between(effect)} ({_counted(effect)})."
    interval = f"(95 % interval {_signed(effect.low, effect)} to {_signed(effect.high, effect)}; {_counted(effect)})"
    return f"{_amount(effect, effect.mean)} {_between(effect)} {interval}."


def _amount(effect: Effect, value: float) -> str:
    return f"{_with_unit(_signed(value, effect), effect.unit)} of {name_of(effect.measure)}"


def _between(effect: Effect) -> str:
    knob = name_of(effect.knob)
    if effect.is_slope:
        return f"for each 1 more of {knob}"
    if effect.knob == "model":
        titles = titles_of(map(str, (effect.level, effect.base)))
        level, base = (titles.get(str(model), str(model)) for model in (effect.level, effect.base))
        return f"with {level} instead of {base}"
    return f"with {knob} {label(effect.level)} instead of {label(effect.base)}"


def _counted(effect: Effect) -> str:
    if effect.by_takes:
        recipes = "1 recipe" if effect.recipes == 1 else f"{effect.recipes} recipes"
        return f"{effect.clips} takes of {recipes} without a seed, not paired"
    thing = "lines" if effect.is_slope else "pairs"
    pairs = f"1 {thing[:-1]}" if effect.pairs == 1 else f"{effect.pairs} {thing}"
    same = f"of the same {_same(effect)}"
    return f"{pairs} {same}" + (f", {effect.units} seeds" if effect.units != effect.pairs else "")


def _same(effect: Effect) -> str:
    """What the two clips of a pair share."""
    if effect.has_seeds:
        return "seed" if effect.knob == "model" else "model and seed"
    return name_of(effect.same[0]) if len(effect.same) == 1 else "recipe"


def _verdict(effect: Effect) -> list[str]:
    if effect.units >= FEWEST_FOR_VERDICT and effect.low == effect.high == 0:
        return ["No pair differs at all." if not effect.by_takes else "No take differs at all."]
    if effect.is_equal:
        return [f"No difference larger than {_with_unit(_plain(effect.equal or 0.0, effect), effect.unit)}."]
    if effect.is_clear:
        return [_noise(effect), f"This is not {_chance(effect)} ({p_words(effect.p)}{_family_words(effect)})."]
    if effect.units < FEWEST_FOR_INTERVAL:
        return [f"The data cannot say: {_too_few(effect)}."]
    said = [f"The data cannot say whether that is more than {_chance(effect)}{_family_words(effect, ', as')}."]
    if effect.units < FEWEST_FOR_VERDICT:
        said.append(f"{_too_few(effect).capitalize()}.")
    return [*said, *_more(effect)]


def _chance(effect: Effect) -> str:
    return "seed noise" if effect.has_seeds else "chance between takes" if effect.by_takes else "chance"


def _family_words(effect: Effect, comma: str = ",") -> str:
    return f"{comma} one of {effect.questions} questions asked at once" if effect.questions > 1 else ""


def _too_few(effect: Effect) -> str:
    things = "takes at each level" if effect.by_takes else "seeds" if effect.units != effect.pairs else "pairs"
    return f"a verdict needs {FEWEST_FOR_VERDICT} {things} or more"


def _noise(effect: Effect) -> str:
    if math.isnan(effect.noise):
        return ""
    return f"{_noun(effect)} alone differ by {_with_unit(_plain(effect.noise, effect), effect.unit)}."


def _noun(effect: Effect) -> str:
    return "Seeds" if effect.has_seeds else "Takes" if effect.by_takes else "Recipes"


def _more(effect: Effect) -> list[str]:
    if math.isnan(effect.unseen):
        return []
    hidden = f"A difference under {_with_unit(_plain(effect.unseen, effect), effect.unit)} would go unseen"
    wanted = _with_unit(_plain(effect.wanted, effect), effect.unit)
    things = "takes at each level" if effect.by_takes else "seeds" if effect.units != effect.pairs else "pairs"
    if effect.more_units is None or effect.more_units > MANY:
        return [f"{hidden}; one as small as {wanted} would take more than {MANY:,} {things}."]
    if effect.more_units <= 0:
        return [f"{hidden}."]
    money = f" ({effect.more_cost})" if effect.more_cost else ""
    thing = things if effect.more_units > 1 else things.replace("seeds", "seed").replace("pairs", "pair")
    return [f"{hidden}; {effect.more_units} more {thing} would show one of {wanted}{money}."]


def p_words(p: float) -> str:
    """A p value as people read it: "p = 0.002"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def decimals(*values: float) -> int:
    """How many decimals show two digits of the largest of these."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return 0 if largest == 0 else min(MOST_DECIMALS, max(0, 1 - math.floor(math.log10(largest))))


def _plain(value: float, effect: Effect) -> str:
    """A size without its sign, finer where it would come out as 0."""
    places = max(_places(effect), decimals(value)) if 0 < abs(value) < 10.0 ** -_places(effect) else _places(effect)
    text = f"{abs(value):.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _signed(value: float, effect: Effect) -> str:
    text = f"{value:+.{_places(effect)}f}"
    return text[1:] if float(text) == 0 else text


def _places(effect: Effect) -> int:
    values = (effect.mean, effect.low, effect.high, *effect.differences["difference"].tolist())
    if all(float(value).is_integer() for value in values if math.isfinite(value)):
        return 0
    width = effect.high - effect.low
    width = 0.0 if width < ROUNDING * abs(effect.mean) else width
    places = decimals(width if math.isfinite(width) and width > 0 else effect.mean)
    near = min(abs(effect.low), abs(effect.high)) if math.isfinite(width) else 0.0
    # An end that is not 0 must not be shown as 0.
    return places + 1 if near and round(near, places) == 0 else places


def _with_unit(number: str, unit: str) -> str:
    if unit == "$":
        sign = number[0] if number[0] in "+-" else ""
        return f"{sign}${number.removeprefix(sign)}"
    one = unit == "stars" and number.lstrip("+-") == "1"
    return f"{number} {'star' if one else unit}".strip()
