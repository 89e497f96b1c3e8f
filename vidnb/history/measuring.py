"""Measures many clips: each file once, side by side in processes, and kept by its content.

What passes through: clips -> what is not yet known of their files -> `media.measures` in worker processes, or an
executor of one's own -> the database -> a DataFrame.
"""

from __future__ import annotations

import concurrent.futures
import functools
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vidnb import display
from vidnb.arguments import in_short
from vidnb.clip import Clip
from vidnb.display.counting import Counting
from vidnb.errors import ConfigError, VidnbError
from vidnb.history.scorers import OwnMeasure
from vidnb.media.measures import MEASURES, NEED_IMAGE, measured, no_measure

if TYPE_CHECKING:
    import pandas as pd

    from vidnb.store import Store

FEW = 4
"""Up to this many files are measured here: worker processes would start too slowly."""
MOST_WORKERS = 8
BAR = "Measured {done} of {total} clips"
OWN_BAR = "Took {done} of {total} measures of your own"
Versioned = tuple[str, str]
"""Name and version of a measure."""
Values = dict[str, float | None]


@dataclass
class _File:
    """One file to measure, and what to measure of it."""

    clip: Clip
    missing: list[Versioned] = field(default_factory=list)

    @property
    def sha256(self) -> str:
        return self.clip.info.sha256


@dataclass
class _Failures:
    """What could not be measured."""

    first: str = ""
    count: int = 0

    def add(self, what: str, error: BaseException) -> None:
        self.count += 1
        self.first = self.first or f"{what}: {type(error).__name__}: {error}"


def measure(
    clips: Iterable[Any],
    store: Store,
    *,
    measures: Sequence[Any] | None = None,
    workers: int | None = None,
    executor: concurrent.futures.Executor | None = None,
    stopped: threading.Event | None = None,
) -> pd.DataFrame:
    """What the clips measure; see `vidnb.measure`.

    Args:
        clips: to measure; jobs without a clip are left out.
        store: keeps the values.
        measures: names and functions; default all of `MEASURES`.
        workers: processes; default by the machine and the number of files, 1 for none beside this one.
        executor: does the work instead.
        stopped: set by another thread to end early.
    """
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise ConfigError(f"workers={workers!r}: give a number of processes, 1 or more")
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ConfigError(f"executor={in_short(executor)}: give a concurrent.futures.Executor")
    names, own = _chosen(measures)
    done = [clip for clip in clips if isinstance(clip, Clip)]
    known = store.measured_versions({clip.info.sha256 for clip in done})
    missing = _missing(done, names, own, set(known))
    _run(missing, own, store, workers, executor, stopped or threading.Event())
    known = store.measured_versions({clip.info.sha256 for clip in done})
    return _frame(done, names, own, known)


def _chosen(measures: Sequence[Any] | None) -> tuple[list[str], list[OwnMeasure]]:
    if isinstance(measures, str) or callable(measures):
        measures = [measures]
    if measures is not None and (isinstance(measures, bytes) or not isinstance(measures, Iterable)):
        raise ConfigError(f"measures={in_short(measures)}: give names, as measures=['motion'], or your functions")
    given = list(MEASURES) if measures is None else list(measures)
    wrong = [item for item in given if isinstance(item, str) and item not in MEASURES]
    if wrong:
        raise ConfigError(f"{no_measure(wrong[0])}; a measure of your own is given as a function")
    own: list[OwnMeasure] = []
    for item in given:
        if not isinstance(item, str):
            own.append(OwnMeasure.of(item, [each.name for each in own]))
    return list(dict.fromkeys(item for item in given if isinstance(item, str))), own


def _missing(
    clips: Sequence[Clip], names: Sequence[str], own: Sequence[OwnMeasure], known: set[tuple[str, str, str]]
) -> list[_File]:
    """What is to be measured: each value of a file once, though several jobs may have the same file."""
    files: dict[tuple[str, ...], _File] = {}
    for clip in clips:
        images = [_image(clip, name) or "" for name in NEED_IMAGE if name in names]
        file = files.setdefault((clip.info.sha256, *images), _File(clip))
        for key in _keys(clip, names, own):
            if (file.sha256, *key) not in known:
                known.add((file.sha256, *key))
                file.missing.append(key)
    return [file for file in files.values() if file.missing]


def _keys(clip: Clip, names: Sequence[str], own: Sequence[OwnMeasure]) -> Iterator[Versioned]:
    """Name and version of each measure that this clip can have."""
    for name in names:
        version = MEASURES[name].version
        if name in NEED_IMAGE:
            sha256 = _image(clip, name)
            if sha256 is None:
                continue
            version = f"{version} {sha256[:16]}"  # the same file may answer to another image
        yield name, version
    for each in own:
        yield each.name, each.version


def _image(clip: Clip, name: str) -> str | None:
    """The hash of the image with which a measure compares; None where the job has none here."""
    items = clip.job.images.get(NEED_IMAGE[name]) or []
    return next((item["sha256"] for item in items if "sha256" in item), None)


def _run(
    files: list[_File],
    own: Sequence[OwnMeasure],
    store: Store,
    workers: int | None,
    executor: concurrent.futures.Executor | None,
    stopped: threading.Event,
) -> None:
    """Measure what is missing of the files; each one's values are kept as soon as they are there."""
    failures = _Failures()
    plain = [file for file in files if any(name in MEASURES for name, _ in file.missing)]
    if plain:
        with Counting(BAR, len(plain)) as bar, _pool(len(plain), workers, executor) as pool:
            for file, values in _plain_values(plain, pool, failures, stopped, elsewhere=executor is not None):
                store.keep_measures(file.sha256, values)
                bar.step()
    if not stopped.is_set():
        _run_own(files, own, store, executor, stopped, failures)
    if failures.count:
        several = "s" if failures.count > 1 else ""
        display.say(f"{failures.count} measurement{several} failed; the first: {failures.first}")


def _plain_values(
    files: Sequence[_File],
    pool: concurrent.futures.Executor | None,
    failures: _Failures,
    stopped: threading.Event,
    *,
    elsewhere: bool,
) -> Iterator[tuple[_File, dict[Versioned, float | None]]]:
    """Take vidnb's own measures of the files, one after the other or in the pool, and yield them as they come."""
    for file, result in _results(files, pool, stopped, elsewhere=elsewhere):
        try:
            values = result()
        except ConfigError:
            raise
        except Exception as error:  # noqa: BLE001  # files are hostile: one that breaks a reader stops no others
            failures.add(f"job {file.clip.job.id[:8]}", error)
            continue
        yield file, {key: values[key[0]] for key in file.missing if key[0] in MEASURES}


def _results(
    files: Sequence[_File], pool: concurrent.futures.Executor | None, stopped: threading.Event, *, elsewhere: bool
) -> Iterator[tuple[_File, Callable[[], Values]]]:
    """Yield each file with what gives its values, or raises; with a pool in the order in which they are ready.

    Args:
        files: to measure.
        pool: where; None for here.
        stopped: set to end early.
        elsewhere: whether the pool may be on another machine, which has other paths; it then finds the clip itself.
    """
    call: Callable[..., Values] = _measured_there if elsewhere else measured
    waiting: dict[concurrent.futures.Future[Values], _File] = {}
    try:
        for file in files:
            if stopped.is_set():
                return
            try:
                task = _wanted(file) | ({"clip": file.clip} if elsewhere else {"path": str(file.clip.path)})
            except VidnbError as error:
                yield file, functools.partial(_raised, error)
                continue
            if pool is None:
                yield file, functools.partial(measured, **task)
            else:
                waiting[pool.submit(call, **task)] = file
        while waiting and not stopped.is_set():
            ready, _ = concurrent.futures.wait(waiting, 0.25, concurrent.futures.FIRST_COMPLETED)
            for future in ready:
                yield waiting.pop(future), future.result
    finally:
        for future in waiting:
            future.cancel()


def _raised(error: BaseException) -> Values:
    raise error


def _measured_there(clip: Clip, **wanted: Any) -> Values:
    """Measure a clip where this runs: from the bucket, or the folder, that its files lie in."""
    return measured(path=str(clip.path), **wanted)


def _wanted(file: _File) -> dict[str, Any]:
    """The arguments of `measured` besides the path: all of it can go to another process."""
    names = [name for name, _ in file.missing if name in MEASURES]
    images = {NEED_IMAGE[name]: _image_bytes(file.clip, name) for name in names if name in NEED_IMAGE}
    return {"names": names, **images}


def _image_bytes(clip: Clip, name: str) -> bytes | None:
    items = [item for item in clip.job.images.get(NEED_IMAGE[name]) or [] if "sha256" in item]
    return clip.input_bytes(items[0]) if items else None


def _run_own(
    files: Sequence[_File],
    own: Sequence[OwnMeasure],
    store: Store,
    executor: concurrent.futures.Executor | None,
    stopped: threading.Event,
    failures: _Failures,
) -> None:
    """Take a person's own measures: in the executor where there is one, else here, as they may hold a model."""
    missing = [(file, each) for file in files for each in own if (each.name, each.version) in file.missing]
    if not missing:
        return
    results: list[Callable[[], Any]]
    if executor is None:
        results = [functools.partial(each.score, file.clip) for file, each in missing]
    else:
        results = [executor.submit(each.score, file.clip).result for file, each in missing]
    with Counting(OWN_BAR, len(missing)) as bar:
        for (file, each), result in zip(missing, results, strict=True):
            if stopped.is_set():
                return
            try:
                score = result()
                value = None if score is None else float(score)
            except Exception as error:  # noqa: BLE001  # a person's code: whatever it raises, the others are measured
                failures.add(f"{each.name} of job {file.clip.job.id[:8]}", error)
                continue
            finally:
                bar.step()
            kept = value if value is not None and math.isfinite(value) else None
            store.keep_measures(file.sha256, {(each.name, each.version): kept})


@contextmanager
def _pool(
    files: int, workers: int | None, executor: concurrent.futures.Executor | None
) -> Iterator[concurrent.futures.Executor | None]:
    """Who measures: the given executor, as many processes as pay, or nobody beside this one."""
    if executor is not None:
        yield executor
        return
    if workers is None:
        workers = 1 if files < FEW else min(os.cpu_count() or 1, MOST_WORKERS)
    workers = min(workers, files)
    if workers < 2:
        yield None
        return
    try:
        from loky import ProcessPoolExecutor
    except ImportError as error:
        raise ConfigError("measuring in processes needs: pip install 'vidnb[measure]', or workers=1") from error
    pool = ProcessPoolExecutor(workers)  # starts new interpreters: nothing of this process is forked or run again
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, kill_workers=False)


def _frame(
    clips: Sequence[Clip],
    names: Sequence[str],
    own: Sequence[OwnMeasure],
    known: Mapping[tuple[str, str, str], float | None],
) -> pd.DataFrame:
    """One row a clip: short id, model, seed, then the measures."""
    import pandas as pd

    found: dict[str, list[float | None]] = {name: [] for name in (*names, *(each.name for each in own))}
    for clip in clips:
        versions = dict(_keys(clip, names, own))
        for name, values in found.items():
            values.append(known.get((clip.info.sha256, name, versions.get(name, ""))))
    columns = {
        "id": pd.array([clip.job.id[:8] for clip in clips], dtype="string"),
        "model": pd.array([clip.model for clip in clips], dtype="string"),
        "seed": pd.array([clip.seed for clip in clips], dtype="Int64"),
    }
    return pd.DataFrame(columns | {name: pd.array(values, dtype="Float64") for name, values in found.items()})


def measures_frame() -> pd.DataFrame:
    """The measures as a DataFrame; see `vidnb.measures`."""
    import pandas as pd

    rows = [(m.name, m.means, m.unit, m.low, m.high, m.better, m.definition, m.source) for m in MEASURES.values()]
    names = ["measure", "means", "unit", "low", "high", "better", "definition", "source"]
    return pd.DataFrame(rows, columns=names).set_index("measure")


def with_measures(frame: pd.DataFrame, store: Store) -> pd.DataFrame:
    """The rows of a history with a column for each measure that any of their clips has."""
    import pandas as pd

    if not len(frame) or not store.measure_names():
        return frame
    hashes = frame["clip_sha256"]
    known = store.measures(hashes.dropna().unique())
    found = {name for values in known.values() for name in values}
    names = [*(name for name in MEASURES if name in found), *sorted(found - set(MEASURES))]
    if not names:
        return frame
    of_row = [known.get(sha256, {}) if isinstance(sha256, str) else {} for sha256 in hashes]
    columns = {
        f"measure_{name}" if name in frame else name: pd.array([row.get(name) for row in of_row], dtype="Float64")
        for name in names
    }
    at = frame.columns.get_loc("cost_unit") + 1
    parts = [frame.iloc[:, :at], pd.DataFrame(columns, index=frame.index), frame.iloc[:, at:]]
    return pd.concat(parts, axis="columns")
