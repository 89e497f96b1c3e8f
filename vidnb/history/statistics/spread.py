"""Where the differences between clips come from: the seed, the model, the knobs, or none of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vidnb import arguments, shown
from vidnb.errors import ConfigError
from vidnb.history.need import scipy
from vidnb.history.statistics import columns, sentences

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 6
MOST_CLIPS = 1_500
"""All pairs of so many clips are looked at, a fixed sample of as many where there are more."""
REST = "noise"


@dataclass(frozen=True, repr=False)
class Spread:
    """Shares of a measure's variance; `str()` says them in a sentence.

    Example:
        >>> spread = vidnb.history(prompt="lighthouse").spread("motion")
        >>> spread.shares["seed"]
    """

    measure: str
    shares: Mapping[str, float]
    """Column to its share, from 0 to 1, largest first; `noise` is what none of them explains."""
    deviation: float
    """Standard deviation over all clips, in the measure's unit."""
    clips: int
    unit: str = ""
    emulated: bool = False
    seed_is_noise: bool = False
    """True where no clip shares model, prompt and seed with another, so that the two cannot be told apart."""

    @property
    def df(self) -> pd.DataFrame:
        """One row a source: `source`, `share`, and `deviation`, what it alone would make the clips differ by."""
        import pandas as pd

        rows = [(name, share, self.deviation * share**0.5) for name, share in self.shares.items()]
        return pd.DataFrame(rows, columns=["source", "share", "deviation"])

    def __str__(self) -> str:
        size = f"{self.deviation:.{sentences.decimals(self.deviation)}f} {self.unit}".strip()
        parts = ", ".join(f"{self.word(name)} {share * 100:.0f} %" for name, share in self.shares.items())
        said = (
            f"{sentences.name_of(self.measure).capitalize()} differs by {size} between {self.clips} clips "
            f"(standard deviation). Where that comes from, as shares of the variance: {parts}."
        )
        if self.seed_is_noise:
            said += " No two clips have the same model, prompt and seed, so seed and noise cannot be told apart."
        return f"{said} {sentences.EMULATED}" if self.emulated else said

    def word(self, name: str) -> str:
        """A source in words."""
        return "seed and noise" if name == REST and self.seed_is_noise else sentences.name_of(name)

    def __repr__(self) -> str:
        return f"<Spread: {self}>"

    def _repr_html_(self) -> str:
        return shown.html(self)


def spread(
    frame: pd.DataFrame, measure: str, *, recipe: Iterable[str] = (), ignore: Iterable[str] = (), unit: str = ""
) -> Spread:
    """Where the differences of a measure come from, as shares of its variance.

    Two clips that differ in certain columns are as far apart, in the mean of the squares, as the variances of these
    columns and the noise add up to; so the variances are those that fit all pairs best. That needs no complete grid.
    A seed counts within its model and prompt, as seed 7 is another picture elsewhere.

    Args:
        frame: one row a job.
        measure: any column of numbers.
        recipe: the columns that make up the recipe, beside the model.
        ignore: columns that are not to be a source of their own.
        unit: of the measure.

    Raises:
        ConfigError: a name is wrong, there are fewer than 6 clips, or emulated and real rows are mixed.
    """
    measure = arguments.one_name("measure", measure, '"motion"')
    ignored = arguments.names("ignore", ignore, '"duration_s"')
    columns.checked(frame, [measure, *ignored])
    rows = columns.measured(frame, [measure])
    if len(rows) < FEWEST:
        too_few = "1 measured clip is" if len(rows) == 1 else f"{len(rows)} measured clips are"
        raise ConfigError(f"{too_few} too few to say where differences come from; 6 or more are needed")
    sources = columns.paired_columns(rows, measure, recipe, ignored)
    sources = _without_followers(rows, sources)
    if len(rows) > MOST_CLIPS:
        rows = rows.sample(MOST_CLIPS, random_state=0)
    keys = {name: _codes(rows, name, sources) for name in sources}
    values = rows[measure].to_numpy(dtype=float)
    first, second = np.triu_indices(len(values), k=1)
    apart = (values[first] - values[second]) ** 2 / 2
    differ = np.column_stack([codes[first] != codes[second] for codes in keys.values()] + [np.ones(len(first))])
    seed_is_noise = "seed" in keys and bool(differ[:, list(keys).index("seed")].all())
    if seed_is_noise:
        differ = np.delete(differ, list(keys).index("seed"), axis=1)
        del keys["seed"]
    # The normal equations have as many rows as there are sources, and not as there are pairs.
    variances, _ = scipy("optimize").nnls(differ.T @ differ, differ.T @ apart)
    total = float(variances.sum())
    if total == 0:
        raise ConfigError(f"{measure!r} is the same in all {len(rows)} clips: there is no spread")
    shares = dict(zip([*keys, REST], (variances / total).tolist(), strict=True))
    ordered = dict(sorted(shares.items(), key=lambda item: (item[0] == REST, -item[1])))
    return Spread(
        measure, ordered, float(values.std(ddof=1)), len(values), unit or sentences.unit_of(measure),
        columns.is_emulated(rows), seed_is_noise,
    )  # fmt: skip


def _codes(rows: pd.DataFrame, name: str, sources: list[str]) -> Any:
    """A number for each row, the same for the same value; a seed's within its model and prompt."""
    import pandas as pd

    within = [one for one in ("model", "prompt") if name == "seed" and one in sources]
    if not within:
        return pd.factorize(columns.comparable(rows[name]), use_na_sentinel=False)[0]
    keys = [columns.comparable(rows[one]) for one in (*within, name)]
    return rows.groupby(keys, dropna=False, observed=True).ngroup().to_numpy()


def _without_followers(rows: pd.DataFrame, sources: list[str]) -> list[str]:
    """The sources without those that say the same as another: the width of a resolution is no source of its own."""
    kept: list[str] = []
    for name in sources:
        codes = columns.comparable(rows[name])
        if not any(_same(codes, columns.comparable(rows[other])) for other in kept):
            kept.append(name)
    return kept


def _same(one: pd.Series, other: pd.Series) -> bool:
    import pandas as pd

    first, second = (pd.factorize(values, use_na_sentinel=False)[0] for values in (one, other))
    return bool((first == second).all())
