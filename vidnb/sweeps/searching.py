"""Optuna chooses which combinations of a sweep to run next, by ask and tell; the jobs and the money stay vidnb's.

A trial is one combination of the axes that are no repeats; its value is the mean over its seeds and takes. What the
folder has already is told to the study first, and a trial that was asked for and not told is taken up: so a search goes
on in another kernel, and no recipe is paid twice. Only the jobs' rows say what ran; a study may be kept or thrown away.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from vidnb import display
from vidnb.client.asynchronous import AsyncClient
from vidnb.errors import ConfigError
from vidnb.history.need import needed
from vidnb.media.measures import MEASURES
from vidnb.sweeps.axes import Axis, label
from vidnb.sweeps.grid import REPEATS
from vidnb.sweeps.outlook import Group, Outlook, group_of
from vidnb.sweeps.plan import Cell
from vidnb.sweeps.promoting import Ranked, Score, scored

Steps = tuple[int, ...]
"""A combination: the step on each axis that is searched."""
ASKS = 5
"""After so many asks for each new combination, one that was not tried is chosen for the sampler."""


class Searched(Ranked, Protocol):
    """What a search needs of a sweep."""

    @property
    def id(self) -> str:
        """What it is called."""

    @property
    def client(self) -> AsyncClient:
        """Whose folder it uses."""

    @property
    def outlook(self) -> Outlook:
        """How it stands."""

    @property
    def is_cut_short(self) -> bool:
        """Whether the last run ended before everything was sent."""

    def hold_caps(self) -> None:
        """Write its cells and its caps; nothing is to be sent."""

    def of_cells(self, cells: Sequence[Cell]) -> Searched:
        """Some of its cells as a sweep of their own."""

    def run(self, *, accept_unknown_price: bool = False) -> None:
        """Send what is still to be sent and wait for all of it."""


class Space:
    """The combinations of a sweep as an Optuna study knows them.

    Args:
        sweep: whose axes.
        optuna: the module.
    """

    def __init__(self, sweep: Searched, optuna: Any) -> None:
        axes = sweep.plan.axes
        self._axes = [n for n, axis in enumerate(axes) if axis.names not in REPEATS and len(axis) > 1]
        if not self._axes:
            raise ConfigError("search() needs an axis of two values or more that is neither seeds nor takes")
        self.distributions: dict[str, Any] = {}
        self._steps: list[tuple[str, list[Any]]] = []
        for n in self._axes:
            name = ", ".join(axes[n].names)
            values, self.distributions[name] = _distribution(axes[n], optuna.distributions)
            self._steps.append((name, values))
        self.cells: dict[Steps, list[Cell]] = defaultdict(list)
        for cell in sweep.plan.cells:
            if cell.job is not None:
                self.cells[tuple(cell.at[n] for n in self._axes)].append(cell)

    def at(self, params: Mapping[str, Any]) -> Steps | None:
        """Return the combination of a trial's params; None for a trial of something else."""
        if set(params) != set(self.distributions):
            return None
        places = (_nearest(values, params[name]) for name, values in self._steps)
        return tuple(places)

    def params(self, at: Steps) -> dict[str, Any]:
        """Return a combination as a trial's params."""
        return {name: values[step] for (name, values), step in zip(self._steps, at, strict=True)}

    def values(self, sweep: Searched, on: str | Score) -> dict[Steps, list[float]]:
        """Return the values that the clips of each combination have."""
        found: dict[Steps, list[float]] = defaultdict(list)
        if on in MEASURES and on not in sweep.client.store.measure_names():
            return found
        for _, cell, _, value in scored(sweep, on):
            found[tuple(cell.at[n] for n in self._axes)].append(value)
        return found


def _distribution(axis: Axis, distributions: Any) -> tuple[list[Any], Any]:
    """Return the steps of an axis as Optuna has them: numbers at even distances as such, all else as choices."""
    rows = [row[0] for row in axis.rows] if len(axis.names) == 1 else []
    if rows and all(isinstance(value, int | float) and not isinstance(value, bool) for value in rows):
        ordered = sorted({float(value) for value in rows})
        low, high = ordered[0], ordered[-1]
        step = float(f"{(high - low) / max(len(ordered) - 1, 1):.12g}")
        even = [low + n * step for n in range(len(ordered))]
        is_even = all(itertools.starmap(math.isclose, zip(ordered, even, strict=True)))
        if is_even and len(ordered) == len(rows):
            if all(isinstance(value, int) for value in rows):
                return rows, distributions.IntDistribution(int(low), int(high), step=int(step))
            return [float(value) for value in rows], distributions.FloatDistribution(low, high, step=step)
    labels = [", ".join(map(label, row)) for row in axis.rows]
    if len(set(labels)) < len(labels):
        labels = [f"{n + 1}: {text}" for n, text in enumerate(labels)]
    return labels, distributions.CategoricalDistribution(labels)


def _nearest(values: Sequence[Any], value: Any) -> int:
    if isinstance(value, int | float):
        return min(range(len(values)), key=lambda n: abs(values[n] - value))
    return values.index(value)


def search(
    sweep: Searched, study: Any, on: str | Score, rounds: int, at_once: int, *, accept_unknown_price: bool = False
) -> Any:
    """Return the study once it was told of so many trials, or nothing more can be run; see `Sweep.search`."""
    optuna: Any = needed("optuna", "Searching needs Optuna", "optuna")
    if any(isinstance(count, bool) or not isinstance(count, int) or count < 1 for count in (rounds, at_once)):
        raise ConfigError(f"rounds={rounds!r}, at_once={at_once!r}: give whole numbers, 1 or more of each")
    if study is None:
        sampler = optuna.samplers.TPESampler(seed=int(sweep.id[:8], 16), n_startup_trials=max(2, min(10, rounds // 2)))
        study = optuna.create_study(direction="maximize", sampler=sampler)
    if not isinstance(study, optuna.Study):
        raise ConfigError(f"study={study!r}: give an Optuna study, as optuna.create_study(direction='maximize')")
    if len(study.directions) != 1 or not (isinstance(on, str) or callable(on)):
        raise ConfigError(
            "search() reports one value for each trial: give one measure or function as on=, and a study with one "
            "direction; a function of the clip can weigh several measures against each other"
        )
    space, states = Space(sweep, optuna), optuna.trial.TrialState
    sweep.hold_caps()
    _tell_known(study, space, space.values(sweep, on), optuna)
    while True:
        known = [(trial, space.at(trial.params)) for trial in study.get_trials(deepcopy=False)]
        trials = [(trial, at) for trial, at in known if at is not None]
        begun = [(trial.number, at) for trial, at in trials if trial.state == states.RUNNING]
        told = {at for trial, at in trials if trial.state.is_finished()}
        if not begun and (len(told) >= rounds or told >= set(space.cells)):
            return study
        if not begun:
            begun = _new_trials(study, space, told, min(at_once, rounds - len(told)))
        for number, at in begun:
            if at not in space.cells:  # refused, or left out by where=: nothing is sent
                study.tell(number, state=states.PRUNED, skip_if_finished=True)
        begun = [(number, at) for number, at in begun if at in space.cells]
        if not begun:
            continue
        round_ = sweep.of_cells(list(itertools.chain.from_iterable(space.cells[at] for at in {at for _, at in begun})))
        round_.run(accept_unknown_price=accept_unknown_price)
        if on in MEASURES:
            round_.history.where(state="done").measure()
        if not _tell(study, space, begun, sweep, on, states) or round_.is_cut_short:
            return study


def _new_trials(study: Any, space: Space, told: set[Steps], wanted: int) -> list[tuple[int, Steps]]:
    """Return new trials with so many combinations that were not tried; some may be of combinations that were.

    Samplers repeat themselves, the more the smaller the space is. What was tried costs nothing and is told again.
    """
    asked: dict[int, Steps] = {}
    fresh: set[Steps] = set()
    asks = 0
    while len(fresh) < wanted and (untried := [at for at in space.cells if at not in told | fresh]):
        asks += 1
        if asks > ASKS * wanted:
            study.enqueue_trial(space.params(untried[0]))
        trial = study.ask(space.distributions)
        at = space.at(trial.params)
        if at is not None:
            asked[trial.number] = at
            fresh |= {at} - told
    return list(asked.items())


def _tell_known(study: Any, space: Space, values: Mapping[Steps, list[float]], optuna: Any) -> None:
    """Tell a study of the combinations that the folder has whole and the study does not know."""
    known = {space.at(trial.params) for trial in study.get_trials(deepcopy=False)}
    for at, found in values.items():
        if at not in known and len(found) == len(space.cells[at]):
            made = optuna.trial.create_trial(
                params=space.params(at), distributions=space.distributions, value=sum(found) / len(found)
            )
            study.add_trial(made)


def _tell(
    study: Any, space: Space, begun: Iterable[tuple[int, Steps]], sweep: Searched, on: str | Score, states: Any
) -> bool:
    """Tell a study how its trials went; return whether all could be told.

    A trial without any clip failed. One whose jobs are not all at their end, or whose clips have no value yet, stays
    begun: the next search takes it up.
    """
    values, standings = space.values(sweep, on), sweep.outlook.standings
    left, unrated = 0, 0
    for number, at in begun:
        groups = [group_of(standings[cell.job]) for cell in space.cells[at] if cell.job is not None]
        done = groups.count(Group.DONE)
        if any(group in (Group.NEW, Group.UNFINISHED, Group.OURS) for group in groups):
            left += 1
            continue
        if not done:
            study.tell(number, state=states.FAIL, skip_if_finished=True)
        elif len(values.get(at, ())) < done:
            unrated += done - len(values.get(at, ()))
        else:
            study.tell(number, sum(values[at]) / len(values[at]), skip_if_finished=True)
    if unrated:
        display.say(f"{unrated} clips have no value for {on!r} yet. Give them one and call search() again: it goes on.")
    return not (left or unrated)
