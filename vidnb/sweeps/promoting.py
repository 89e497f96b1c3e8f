"""Which clips of a sweep are the best, by a person's rating, a measure, or a function."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Protocol

from vidnb.clip import Clip
from vidnb.errors import ConfigError
from vidnb.history.history import History
from vidnb.history.statistics import columns
from vidnb.sweeps.plan import Cell, Plan

Score = Callable[[Clip], float | None]


class Ranked(Protocol):
    """What `best` needs of a sweep: its plan and its jobs."""

    @property
    def plan(self) -> Plan:
        """Its cells and jobs."""

    @property
    def history(self) -> History:
        """Its jobs as rows."""


def best(sweep: Ranked, by: str | Score, keep: float | int) -> list[tuple[Cell, str]]:
    """Return the cells of the best clips, the best first, each with its job.

    Args:
        sweep: to rank.
        by: name of a column of numbers, or a function of the clip.
        keep: a share up to 1.0, or a whole number of clips.

    Raises:
        ConfigError: no clip has a value, or there is no such column.
    """
    is_share = isinstance(keep, float) and 0 < keep <= 1
    is_count = isinstance(keep, int) and not isinstance(keep, bool) and keep > 0
    if not (is_share or is_count):
        raise ConfigError(f"keep={keep!r}: give a share such as 0.25, or how many clips, such as 4")
    found = list(scored(sweep, by))
    if not found and callable(by):
        raise ConfigError("by= gave no number for any clip of this sweep that is done")
    if not found:
        raise ConfigError(f"no clip of this sweep has a value for by={by!r}; rate or measure some first")
    found.sort(key=lambda one: (-one[3], one[0]))
    count = math.ceil(keep * len(found)) if is_share else min(int(keep), len(found))
    return [(cell, job_id) for _, cell, job_id, _ in found[: max(1, count)]]


def scored(sweep: Ranked, by: str | Score) -> Iterator[tuple[int, Cell, str, float]]:
    """Yield each clip of a sweep that has a value: its place in the plan's jobs, its cell, its job, and the value."""
    cells = {}
    for cell in reversed(sweep.plan.cells):
        if cell.job is not None:
            job = sweep.plan.jobs[cell.job]
            cells[job.recipe_hash, job.take] = cell
    for clip, value in _scores(sweep.history.where(state="done"), by):
        hashes = (clip.job.recipe_hash, clip.job.seeded_hash)
        found = next((cells[one, clip.job.take] for one in hashes if one and (one, clip.job.take) in cells), None)
        if found is not None and value is not None and not math.isnan(value):
            yield found.job or 0, found, clip.job.id, value


def _scores(history: History, by: str | Score) -> Iterator[tuple[Clip, float | None]]:
    clips = [item for item in history if isinstance(item, Clip)]
    if callable(by):
        for clip in clips:
            value = by(clip)
            try:
                yield clip, None if value is None else float(value)
            except (TypeError, ValueError):
                job = clip.job.id[:8]
                raise ConfigError(f"by= gave {value!r} for job {job}: a number is needed, or None") from None
        return
    frame = history.df
    columns.checked(frame, [by])
    values = dict(zip(history.ids, frame[by].tolist(), strict=True))
    for clip in clips:
        value = values.get(clip.job.id)
        try:
            yield clip, None if value is None else float(value)
        except (TypeError, ValueError):  # pandas' own "no value" is one of them
            yield clip, None
