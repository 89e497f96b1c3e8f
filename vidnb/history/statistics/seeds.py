"""Is the seed honoured? Clips of one recipe and one seed that were made more than once, looked at side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from vidnb.history.statistics import columns

if TYPE_CHECKING:
    import pandas as pd

SAME = "honoured: the same recipe and seed gave the same pixels"
OTHER = "not honoured: the same recipe and seed gave other pixels"
PARTLY = "honoured sometimes: some repeats have the same pixels, some have others"
UNKNOWN = "not known: nothing was made twice with one seed; fresh=True makes a repeat"


def seeds(frame: pd.DataFrame, recipe: Iterable[str], are_same: Callable[[str, str], bool]) -> pd.DataFrame:
    """What repeats say of each model that was given a seed.

    Args:
        frame: one row a job.
        recipe: the columns that make up the recipe, beside the model.
        are_same: whether the clips of two jobs, by their ids, have the same pixels; asked where their files differ.

    Returns:
        One row a model, its id as the index: `repeats` (how many clips repeat an earlier one), `same` (how many of them
        have its pixels), and `says`.
    """
    import pandas as pd

    done = frame[(frame["state"] == "done").fillna(False) & frame["seed"].notna() & frame["clip_sha256"].notna()]
    names = [name for name in dict.fromkeys(("model", "emulated", *recipe)) if name in done.columns]
    keys = [columns.comparable(done[name]) for name in names]
    counts: dict[str, list[int]] = {str(model): [0, 0] for model in done["model"].dropna().unique()}
    for _, part in done.groupby(keys, dropna=False, observed=True, sort=False):
        (job, sha256), *others = part[["job_id", "clip_sha256"]].iloc[::-1].itertuples(index=False, name=None)
        for other_job, other_sha256 in others:
            found = counts[str(part["model"].iloc[0])]
            found[0] += 1
            found[1] += int(sha256 == other_sha256 or are_same(job, other_job))
    rows = [(model, repeats, same, _says(repeats, same)) for model, (repeats, same) in sorted(counts.items())]
    return pd.DataFrame(rows, columns=["model", "repeats", "same", "says"]).set_index("model")


def _says(repeats: int, same: int) -> str:
    if repeats == 0:
        return UNKNOWN
    return SAME if same == repeats else OTHER if same == 0 else PARTLY
