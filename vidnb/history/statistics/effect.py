"""What a knob does to a measure, beyond what seeds do."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vidnb import arguments, shown
from vidnb.errors import ConfigError
from vidnb.history.statistics import columns, estimates, pairing, sentences
from vidnb.params import is_given
from vidnb.records import Cost

if TYPE_CHECKING:
    import pandas as pd

FEWEST_BLOCKS = 6
"""From so many recipes without a seed on, they are pairs themselves; below, their takes are compared."""
ALPHA = 0.05
CHANCE = ("seed", "used_seed", "take")
"""Columns that only say which draw a clip is: seed 8 is not more of anything than seed 7."""
EQUAL = "a number above 0, in the unit of the measure"


@dataclass(frozen=True, repr=False)
class Effect:
    """The difference that one step of a knob makes, with its interval; `str()` says what it means.

    Example:
        >>> effect = vidnb.history(prompt="lighthouse").effect("motion_strength", on="motion", base=5, to=7)
        >>> effect.mean, effect.low, effect.high, effect.pairs
        >>> print(effect)
    """

    knob: str
    measure: str
    base: Any
    """The level that the other one is compared with; of a slope the lowest."""
    level: Any
    """The other level; of a slope the highest."""
    mean: float
    """Mean difference, level less base, in the measure's unit; of a slope for each 1 that the knob rises."""
    low: float
    """Lower end of the 95 % interval; NaN below 3 units."""
    high: float
    pairs: int
    """How many pairs (of a slope: lines; without pairs: takes at the level with fewer of them)."""
    units: int
    """How many of them count as independent: seeds, where one seed gave several pairs."""
    differences: pd.DataFrame = field(compare=False)
    """One row a pair: `unit`, `difference`, and the values at `base` and `level`; without pairs one row a recipe."""
    rank_interval: estimates.Interval | None = None
    """Hodges-Lehmann: a second opinion that a few wild clips move little; None below 6 units and without pairs."""
    unit: str = ""
    noise: float = math.nan
    """How much two clips differ on average that differ in their seed only (in their take, without seeds)."""
    equal: float | None = None
    """Differences up to this are called equal."""
    unseen: float = math.nan
    """A smaller true difference would be missed in at least 2 of 10 experiments."""
    wanted: float = math.nan
    """The difference that `more_units` more units would show: `equal`, else the mean."""
    more_units: int | None = None
    more_cost: str = ""
    """What those would cost at what these clips cost, in words; "" where that is not known, or nothing."""
    has_seeds: bool = True
    is_slope: bool = False
    by_takes: bool = False
    """True where the model takes no seed, so that takes are compared and not pairs."""
    same: tuple[str, ...] = ()
    """The columns that vary between the pairs and are equal in each."""
    recipes: int = 0
    clips: int = 0
    emulated: bool = False
    questions: int = 1
    """How many questions were asked at once; `p` is then Holm's."""
    notes: tuple[str, ...] = ()
    levels: Effects | None = None
    """Of a slope: each level against the base."""
    _test: Callable[[], float] = field(default=lambda: math.nan, compare=False)
    _holm: float | None = None

    @functools.cached_property
    def p(self) -> float:
        """How often chance alone would give as large a difference; NaN below 3 units."""
        if self._holm is not None:
            return self._holm
        return self._test() if self.units >= sentences.FEWEST_FOR_INTERVAL else math.nan

    @property
    def is_clear(self) -> bool:
        """Whether it is more than noise: 6 units or more, an interval without 0, and p below 0.05."""
        return self.units >= sentences.FEWEST_FOR_VERDICT and (self.low > 0 or self.high < 0) and bool(self.p < ALPHA)

    @property
    def is_equal(self) -> bool:
        """Whether the whole interval lies within what is called equal."""
        if self.equal is None or self.units < sentences.FEWEST_FOR_VERDICT:
            return False
        return -self.equal < self.low and self.high < self.equal

    def plot(self, axes: Any = None) -> Any:
        """The pairs as joined dots, drawn by matplotlib (`vidnb[plot]`).

        Args:
            axes: to draw on; default new ones.

        Returns:
            matplotlib's axes.
        """
        from vidnb.history import plots

        return plots.pairs(self, axes)

    def __str__(self) -> str:
        return sentences.whole([self])

    def __repr__(self) -> str:
        return f"<Effect: {self}>"

    def _repr_html_(self) -> str:
        return shown.html(self)


class Effects(Sequence[Effect]):
    """Several effects asked for at once; each `p` is stricter for it, by Holm.

    Example:
        >>> effects = vidnb.history().effect("prompt_enhance", on=["motion", "flicker"])
        >>> effects["flicker"].mean
        >>> effects.df
    """

    def __init__(self, effects: Iterable[Effect]) -> None:
        asked = list(effects)
        strict = estimates.holm([effect.p for effect in asked])
        self._effects = [
            replace(effect, questions=len(asked), _holm=p) for effect, p in zip(asked, strict, strict=True)
        ]

    def __getitem__(self, which: Any) -> Any:
        """One by its place, or by its measure or level."""
        if isinstance(which, int | slice) and not self._named(which):
            return self._effects[which]
        found = self._named(which)
        if not found:
            known = ", ".join(f"{effect.measure}, {columns.label(effect.level)}" for effect in self._effects)
            raise KeyError(f"{which!r}; there are {known}")
        return found[0]

    def _named(self, which: Any) -> list[Effect]:
        return [
            effect
            for effect in self._effects
            if effect.measure == which or (not isinstance(which, slice) and bool(effect.level == which))
        ]

    def __len__(self) -> int:
        return len(self._effects)

    def __iter__(self) -> Iterator[Effect]:
        return iter(self._effects)

    @property
    def df(self) -> pd.DataFrame:
        """One row an effect: measure, base, level, mean, low, high, p, pairs, units, and whether it is clear."""
        import pandas as pd

        names = ("measure", "base", "level", "mean", "low", "high", "p", "pairs", "units", "is_clear")
        return pd.DataFrame([{name: getattr(effect, name) for name in names} for effect in self._effects])

    def __str__(self) -> str:
        return sentences.whole(self._effects)

    def __repr__(self) -> str:
        return f"<Effects: {len(self)}>\n{self}"

    def _repr_html_(self) -> str:
        return shown.html(self)


def effect(
    frame: pd.DataFrame,
    knob: str,
    *,
    on: str | Sequence[str],
    base: Any = None,
    to: Any = None,
    equal: float | None = None,
    ignore: Iterable[str] = (),
    recipe: Iterable[str] = (),
    units: Mapping[str, str] | None = None,
) -> Effect | Effects:
    """What the knob does to a measure, from the rows of a history.

    Rows are paired that differ in the knob only. With more than two levels of a number it is the slope, with each level
    against the base in `levels`; with more than two of anything else, or several measures, several effects.

    Args:
        frame: one row a job.
        knob: the column that was turned: a param, or "model".
        on: a measure, or several: any column of numbers.
        base: the level to compare with; default the lowest.
        to: the only other level to look at; default all.
        equal: differences up to this (in the measure's unit) are called equal.
        ignore: columns in which the two clips of a pair may differ, too.
        recipe: the columns that make up the recipe, beside the model.
        units: unit of each measure, where `sentences.UNITS` does not know it.

    Raises:
        ConfigError: a name is wrong, there is nothing to compare, or emulated and real rows are mixed.
    """
    names = list(dict.fromkeys(arguments.names("on", on, '"motion"')))
    knob = arguments.one_name("knob", knob, '"motion_strength"')
    ignored = arguments.names("ignore", ignore, '"duration_s"')
    if not names:
        raise ConfigError("on=[] names no measure; for example on='motion'")
    if knob in CHANCE:
        raise ConfigError(
            f"{knob!r} is chance, not a knob: h.spread({names[0]!r}) says how much of the measure comes from it"
        )
    columns.checked(frame, [knob, *names, *ignored])
    if knob in names:
        raise ConfigError(f"{knob!r} cannot be both the knob and the measure")
    margin = arguments.number("equal", equal, EQUAL)
    if margin is not None and margin <= 0:
        raise ConfigError(f"equal={equal!r}: give {EQUAL}")
    rows = columns.measured(frame, names)
    known = {name: (units or {}).get(name) or sentences.unit_of(name) for name in names}
    whole = {name: rows[rows[name].notna() & rows[knob].notna()] for name in names}
    found = [
        each
        for name in names
        for each in _of_measure(whole[name], knob, name, base, to, margin, list(recipe), ignored, known[name])
    ]
    return found[0] if len(found) == 1 else Effects(found)


def _of_measure(
    rows: pd.DataFrame, knob: str, measure: str, base: Any, to: Any, equal: float | None,
    recipe: list[str], ignore: list[str], unit: str,
) -> list[Effect]:  # fmt: skip
    others = columns.paired_columns(rows, knob, recipe, ignore)
    rows, notes = _with_seeds(rows, others)
    table = pairing.cells(rows, knob, measure, others)
    levels = _levels(table, knob, base, to)
    about = _About(rows, table, knob, measure, others, equal, unit, notes)
    if len(levels) == 2:
        only = _between(about, levels[0], levels[1])
        if only is None:
            raise ConfigError(_no_pairs(about))
        return [only]
    steps = [_between(about, levels[0], level) for level in levels[1:]]
    made = [step for step in steps if step is not None]
    if not made:
        raise ConfigError(_no_pairs(about))
    if not _is_number(rows[knob]):
        return made
    slope = _slope(about)
    return [slope if len(made) < 2 else replace(slope, levels=Effects(made))]


@dataclass(frozen=True)
class _About:
    """What all effects of one measure share."""

    rows: pd.DataFrame
    table: pd.DataFrame
    knob: str
    measure: str
    others: list[str]
    equal: float | None
    unit: str
    notes: tuple[str, ...]

    @property
    def has_seeds(self) -> bool:
        """Whether the rows differ in their seed."""
        return bool((self.table["seed"] >= 0).any())


def _with_seeds(rows: pd.DataFrame, others: list[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows with a seed where there are any, as only they make pairs, and what is said of the others."""
    if "seed" not in others:
        return rows, ()
    seeded = rows[rows["seed"].notna()]
    left = len(rows) - len(seeded)
    if left == 0 or seeded.empty:
        return rows, ()
    clips = "1 clip of a model without a seed was" if left == 1 else f"{left} clips without a seed were"
    return seeded, (f"{clips} left out.",)


def _levels(table: pd.DataFrame, knob: str, base: Any, to: Any) -> list[Any]:
    """The levels to compare, the base first.

    Raises:
        ConfigError: a level was not made, or there is only one.
    """
    known = sorted(table["level"].unique().tolist(), key=lambda level: (str(type(level)), level))
    for name, given in (("base", base), ("to", to)):
        is_one = is_given(given) and getattr(given, "ndim", 0) == 0
        if given is not None and not (is_one and any(level == given for level in known)):
            listed = ", ".join(columns.label(level) for level in known[:20])
            raise ConfigError(
                f"{name}={arguments.in_short(given)}: no measured clip has that {sentences.name_of(knob)}; "
                f"there are {listed}"
            )
    if len(known) < 2:
        name = sentences.name_of(knob)
        same = f"all that give it have the same {name} ({columns.label(known[0])})" if known else ""
        raise ConfigError(f"of the measured clips {same or f'none gives its {name}'}: there is nothing to compare")
    first = known[0] if base is None else next(level for level in known if level == base)
    if to is None:
        return [first, *(level for level in known if level != first)]
    second = next(level for level in known if level == to)
    if first == second:
        first = next(level for level in known if level != second) if base is None else first
    if first == second:
        raise ConfigError(f"base and to are both {base!r}; name two levels")
    return [first, second]


def _between(about: _About, base: Any, level: Any) -> Effect | None:
    """The effect of one level against the base; None where nothing can be compared."""
    found = pairing.pairs(about.table, base, level)
    groups = [] if about.has_seeds else _groups(about, base, level)
    if groups and len(found) < FEWEST_BLOCKS:
        return _unpaired(about, base, level, groups)
    if found.empty:
        return None
    return _paired(about, base, level, found, is_slope=False)


def _slope(about: _About) -> Effect:
    levels = sorted(about.table["level"].unique().tolist())
    return _paired(about, levels[0], levels[-1], pairing.slopes(about.table), is_slope=True)


def _paired(about: _About, base: Any, level: Any, found: pd.DataFrame, *, is_slope: bool) -> Effect:
    values = pairing.units(found)
    interval = estimates.t_interval(values)
    if len(values) < sentences.FEWEST_FOR_INTERVAL:
        interval = estimates.Interval(interval.mean)
    notes = about.notes
    seeds = about.table["seed"]
    if about.has_seeds and seeds.nunique() < pairing.FEWEST_SEEDS and len(found) > seeds.nunique():
        notes = (f"With only {seeds.nunique()} seeds this holds for those.", *notes)
    effect = Effect(
        about.knob, about.measure, base, level, interval.mean, interval.low, interval.high, len(found), len(values),
        found, estimates.hodges_lehmann(values), about.unit, noise=_noise(about), equal=about.equal,
        has_seeds=about.has_seeds or ("seed" in about.rows and bool(about.rows["seed"].notna().all())),
        is_slope=is_slope, same=tuple(about.others), recipes=about.table["recipe"].nunique(), clips=len(about.rows),
        emulated=columns.is_emulated(about.rows), notes=notes, _test=lambda: estimates.sign_flip(values),
    )  # fmt: skip
    deviation = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    each = len(found) / len(values) * (about.table["level"].nunique() if is_slope else 2)
    return _with_more(effect, about, deviation, each)


def _groups(about: _About, base: Any, level: Any) -> list[estimates.Group]:
    """The recipes with two takes or more at both levels."""
    takes = about.table.set_index(["recipe", "level"])["takes"].unstack()
    if base not in takes or level not in takes:
        return []
    there = takes[(takes[base] >= 2) & (takes[level] >= 2)].index
    keys = {f"key_{place}": columns.comparable(about.rows[name]) for place, name in enumerate(about.others)}
    table = about.rows[[about.measure]].assign(level=columns.comparable(about.rows[about.knob]), **keys)
    by = list(keys)
    number = table.groupby(by, dropna=False, observed=True, sort=False).ngroup() if by else table["level"] * 0
    if not by:
        number[:] = 0
    groups = []
    for recipe in there:
        own = table[number == recipe]
        at = {one: own.loc[own["level"] == one, about.measure].to_numpy(dtype=float) for one in (base, level)}
        groups.append(estimates.Group(at[base], at[level]))
    return groups


def _unpaired(about: _About, base: Any, level: Any, groups: list[estimates.Group]) -> Effect:
    import numpy as np
    import pandas as pd

    interval = estimates.welch(groups)
    fewest = min(sum(len(group.base) for group in groups), sum(len(group.level) for group in groups))
    if fewest < sentences.FEWEST_FOR_INTERVAL:
        interval = estimates.Interval(interval.mean)
    listed = [
        {"base": group.base.mean(), "level": group.level.mean(), "unit": place} for place, group in enumerate(groups)
    ]
    found = pd.DataFrame(listed)
    clips = sum(len(group.base) + len(group.level) for group in groups)
    apart = [np.abs(np.subtract.outer(values, values)) for group in groups for values in (group.base, group.level)]
    noise = sum(part.sum() for part in apart) / sum(part.size - len(part) for part in apart)
    effect = Effect(
        about.knob, about.measure, base, level, interval.mean, interval.low, interval.high, fewest, fewest,
        found.assign(difference=found["level"] - found["base"]), None, about.unit, noise=float(noise),
        equal=about.equal, has_seeds=False, by_takes=True, recipes=len(groups), clips=clips,
        emulated=columns.is_emulated(about.rows), notes=about.notes, _test=lambda: estimates.permute(groups),
    )  # fmt: skip
    spread = np.sqrt(np.mean([np.var(values, ddof=1) for group in groups for values in (group.base, group.level)]))
    return _with_more(effect, about, float(spread) * math.sqrt(2), 2.0)


def _noise(about: _About) -> float:
    """How much clips differ that differ in nothing but the seed."""
    if "seed" not in about.others or not about.has_seeds:
        return math.nan
    rest = [name for name in about.others if name != "seed"]
    keys = about.rows.assign(_recipe=_numbers(about.rows, about.others), _rest=_numbers(about.rows, rest))
    rest_of = keys.groupby("_recipe")["_rest"].first()
    return pairing.noise(about.table, about.table["recipe"].map(rest_of))


def _numbers(rows: pd.DataFrame, names: list[str]) -> Any:
    """A number for each row, the same where all these columns are; numbered as `pairing.cells` does."""
    if not names:
        return 0
    keys = [columns.comparable(rows[name]) for name in names]
    return rows.groupby(keys, dropna=False, observed=True, sort=False).ngroup()


def _with_more(effect: Effect, about: _About, deviation: float, clips_each: float) -> Effect:
    """The effect with what more units would show, and what they would cost."""
    if effect.units < sentences.FEWEST_FOR_INTERVAL or not deviation > sentences.ROUNDING * abs(effect.mean):
        return effect
    wanted = effect.equal or abs(effect.mean)
    needed = estimates.units_for(deviation, wanted)
    more = None if needed is None else max(needed - effect.units, 0)
    cost = "" if not more else _cost(about.rows, math.ceil(more * clips_each))
    return replace(
        effect, unseen=estimates.unseen(deviation, effect.units), wanted=wanted, more_units=more, more_cost=cost
    )


def _cost(rows: pd.DataFrame, clips: int) -> str:
    """What so many more clips would cost at what these cost: "about 950 credits"."""
    if columns.is_emulated(rows) or "cost" not in rows or "cost_unit" not in rows:
        return ""
    paid = rows[rows["cost"].notna() & rows["cost_unit"].notna()]
    if paid.empty:
        return ""
    shares = paid.groupby("cost_unit", observed=True)["cost"].agg(["mean", "size"])
    sums = [
        Cost(float(mean) * clips * size / len(paid), str(unit))
        for unit, mean, size in shares.itertuples(index=True, name=None)
    ]
    return f"about {' + '.join(cost.as_sum for cost in sums)}"


def _no_pairs(about: _About) -> str:
    """Why nothing can be compared, and which column stands in the way."""
    knob = sentences.name_of(about.knob)
    helps = []
    for name in about.others:
        if name == "seed":
            continue
        fewer = [other for other in about.others if other != name]
        levels = pairing.cells(about.rows, about.knob, about.measure, fewer).groupby("recipe")["level"].nunique()
        if (count := int((levels > 1).sum())) > 0:
            helps.append((count, name))
    said = f"no two measured clips differ in {knob} only: they also differ in {', '.join(about.others) or 'nothing'}"
    if not helps:
        return f"{said}. Make the missing ones with the same seeds: vidnb.sweep does"
    count, name = max(helps)
    pairs = "1 pair" if count == 1 else f"{count} pairs"
    return f"{said}. ignore=[{name!r}] would leave {pairs}, if {sentences.name_of(name)} does not matter to you"


def _is_number(values: pd.Series) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_numeric_dtype(values.dtype)) and not pd.api.types.is_bool_dtype(values.dtype)
