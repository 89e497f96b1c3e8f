"""Axes: what a person gives to a sweep, as lists of values that are combined with each other.

A list, a range, an array or a column of a DataFrame is an axis, and so is a folder of pictures; anything else is one
value for all. For a param that itself takes a list (`styles`, `reference_images`), a list of lists is an axis.
`zipped` links several names, `sampled` draws points instead of combining all.
"""

from __future__ import annotations

import difflib
import itertools
import math
import numbers
import operator
from collections.abc import Collection, Iterable, Iterator, Mapping, MappingView, Sequence, Set
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from enum import Enum, EnumType
from pathlib import Path
from typing import Any, Literal

from vidnb import catalog
from vidnb.catalog import DEFAULT_MODEL, MEDIA_KINDS
from vidnb.clip import Clip
from vidnb.display.page import shortened
from vidnb.errors import ConfigError, MediaError
from vidnb.params import plain
from vidnb.records import MediaFile, RemoteMedia
from vidnb.sweeps import templates
from vidnb.sweeps.seeds import PublishedSeed

LIST_KINDS = {"choices", "elements", "images", "videos", "audios"}
MOST_CELLS = 1_000_000
"""All combinations are validated before anything is sent, which takes a minute or so for as many."""
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
OPTIONS = frozenset(
    {
        "prompt", "model", "seed", "seeds", "take", "takes", "where", "unsupported", "order", "budget_usd",
        "budget_credits", "budget_jobs", "purse", "client", "fresh", "timeout_s", "accept_unknown_price",
    }
)  # fmt: skip
"""Words with a meaning of their own in a call; they are no names for a part of a prompt."""


@dataclass(frozen=True)
class Axis:
    """One direction of a sweep: one name, or several that change together, and the values in their order."""

    names: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    """A tuple a step, with a value for each name."""

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Linked(Axis):
    """Names that change together; made by `zipped` and `sampled`."""


def zipped(**values: Iterable[Any]) -> Linked:
    """Link names that change together: the first value of each, then the second of each, and so on.

    Args:
        **values: names of params or of parts of the prompt, each with a list of the same length.

    Returns:
        What `vidnb.sweep` takes after the prompt.

    Raises:
        ConfigError: the lists differ in length, or there is none.

    Example:
        >>> vidnb.sweep("a {animal} in the {place}", vidnb.zipped(animal=["koala", "heron"], place=["snow", "city"]))
    """
    columns = {templates.spelt(name): _listed(name, column) for name, column in values.items()}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) != 1 or not all(lengths.values()):
        told = ", ".join(f"{name} has {count}" for name, count in lengths.items()) or "nothing was given"
        raise ConfigError(f"zipped links lists of the same length, of one value or more each; {told}")
    return Linked(tuple(columns), tuple(zip(*columns.values(), strict=True)))


def sampled(count: int, how: Literal["sobol", "latin", "random"] = "sobol", *, draw: int = 0, **ranges: Any) -> Linked:
    """Draw points from ranges instead of combining all values: few jobs that cover many knobs evenly.

    Args:
        count: how many points. For `sobol` a power of 2 covers the ranges best.
        how: `sobol` (a scrambled Sobol sequence), `latin` (a Latin hypercube) or `random`.
        draw: another number gives other points; the same number gives the same points everywhere.
        **ranges: for each name a pair `(low, high)` of numbers, or a list to choose from. Two whole numbers give whole
            numbers, both ends included.

    Raises:
        ConfigError: a range is none, or `count` or `how` is wrong.

    Example:
        >>> vidnb.sweep("a koala", vidnb.sampled(16, motion_control_weight=(-1.0, 1.0), styles=[["Clay"], ["Logo"]]))
    """
    try:
        import numpy as np
        from scipy.stats import qmc
    except ModuleNotFoundError as error:
        raise ConfigError("vidnb.sampled needs SciPy: pip install 'vidnb[stats]'") from error

    makers = {"sobol": qmc.Sobol, "latin": qmc.LatinHypercube}
    if how != "random" and how not in makers:
        raise ConfigError(f"how={how!r}: allowed are sobol, latin and random")
    if (wanted := _count(count)) is None or not 1 <= wanted <= 2**20:
        raise ConfigError(f"sampled({count!r}): give a whole number of points from 1 to {2**20}")
    if (drawn := _count(draw)) is None or drawn < 0:
        raise ConfigError(f"draw={draw!r}: give a whole number from 0; another number draws other points")
    if not ranges:
        raise ConfigError("sampled needs at least one range, as in sampled(16, motion_strength=(1, 10))")
    pick = {templates.spelt(name): _picker(name, given) for name, given in ranges.items()}
    generator = np.random.default_rng(drawn)
    if how == "random":
        points = generator.random((wanted, len(pick)))
    elif how == "sobol":
        points = qmc.Sobol(len(pick), rng=generator).random_base2(max(0, math.ceil(math.log2(wanted))))[:wanted]
    else:
        points = qmc.LatinHypercube(len(pick), rng=generator).random(wanted)
    rows = (tuple(choose(float(x)) for choose, x in zip(pick.values(), point, strict=True)) for point in points)
    return Linked(tuple(pick), tuple(rows))


def _picker(name: str, given: Any) -> Any:
    """Return what makes a value of a number from 0 to 1."""
    ends = tuple(map(_end, given)) if isinstance(given, tuple) else ()
    if len(ends) == 2 and all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends):
        low, high = ends
        if not low < high or not math.isfinite(high - low):
            raise ConfigError(f"{name}={given!r}: give two numbers, of which the first is below the second")
        if isinstance(low, int) and isinstance(high, int):
            return lambda x: low + min(int(x * (high - low + 1)), high - low)
        digits = max(6, 6 - math.floor(math.log10(high - low)))  # a range may be a millionth wide
        return lambda x: round(low + x * (high - low), digits)
    choices = _listed(name, given)
    return lambda x: choices[min(int(x * len(choices)), len(choices) - 1)]


def _end(value: Any) -> Any:
    """Return an end of a range as a plain number where it is one: a Decimal, or a number of numpy's."""
    return float(value) if isinstance(value, Decimal) else plain(value)


def read(
    prompt: Any, linked: Sequence[Linked], model: Any, seeds: Any, takes: Any, values: Mapping[str, Any]
) -> tuple[list[Axis], dict[str, Any]]:
    """Return the axes, in the order in which they were given, and what is the same in every cell.

    Args:
        prompt: one, or several.
        linked: names that change together.
        model: id of one model, or several; None for the default, or for those that are linked.
        seeds: how many seeds of the published sequence, or the seeds themselves.
        takes: how many takes, or their indexes.
        values: params and parts of the prompt.

    Raises:
        ConfigError: a name is given twice, means nothing, or may not be used; an axis is empty.
    """
    given: dict[str, Any] = {} if prompt is None else {"prompt": prompt}
    given |= values
    axes: list[Axis] = []
    fixed: dict[str, Any] = {}
    if model is None and not any("model" in axis.names for axis in linked):
        model = DEFAULT_MODEL
    if model is not None:
        given["model"] = model
    for name, value in given.items():
        column = _column(name, value)
        if column is None:
            fixed[name] = _plain(value)
        else:
            axes.append(Axis((name,), tuple((item,) for item in column)))
    axes[:0] = linked
    for axis in axes:
        if "take" in axis.names:
            _takes([row[axis.names.index("take")] for row in axis.rows], "take")
    if "take" in fixed:
        _takes([fixed["take"]], "take")
    if seeds is not None:
        axes.append(Axis(("seed",), tuple((seed,) for seed in _seeds(seeds))))
    if takes is not None:
        axes.append(Axis(("take",), tuple((take,) for take in _takes(takes))))
    _check_names(axes, fixed)
    if (count := math.prod(map(len, axes))) > MOST_CELLS:
        told = " × ".join(map(counted, axes))
        raise ConfigError(
            f"{told} are {count:,} combinations; a sweep has at most {MOST_CELLS:,}. vidnb.sampled draws some of many"
        )
    return [_read_pictures(axis) for axis in axes], fixed


def product(axes: Sequence[Axis]) -> Iterator[tuple[Any, ...]]:
    """Yield every combination: the values of all names, in the order of the axes, the last axis quickest."""
    for rows in itertools.product(*(axis.rows for axis in axes)):
        yield tuple(itertools.chain.from_iterable(rows))


def variables(axes: Sequence[Axis], fixed: Mapping[str, Any]) -> list[str]:
    """Return the names that are parts of a prompt: those that no model has as a param."""
    known = _params()
    names = [*(name for axis in axes for name in axis.names), *fixed]
    return [name for name in names if name not in known and name not in ("model", "take")]


def without(linked: Linked, names: Collection[str]) -> Linked | None:
    """Return linked names without some of them; None where none is left."""
    kept = [place for place, name in enumerate(linked.names) if name not in names]
    if len(kept) == len(linked.names):
        return linked
    rows = tuple(tuple(row[place] for place in kept) for row in linked.rows)
    return Linked(tuple(linked.names[place] for place in kept), rows) if kept else None


def named(prompts: Iterable[Any]) -> set[str]:
    """Return the names in braces of prompts, each of which may be one text or several."""
    texts = (text for given in prompts for text in (given if _is_many(given) else [given]))
    return {name for text in texts if isinstance(text, str) for name in templates.names(text)}


def unfilled(axes: Sequence[Axis], fixed: Mapping[str, Any]) -> list[str]:
    """Return the names in braces that stay in the prompts, as the sweep has nothing of that name."""
    known = variables(axes, fixed)
    found = (name for text in _texts(axes, fixed) for name in templates.names(text))
    return [name for name in dict.fromkeys(found) if name not in known]


def _params() -> set[str]:
    return {name for model in catalog.load().values() for name in model.params}


def _kind(name: str) -> str | None:
    return next((model.params[name].kind for model in catalog.load().values() if name in model.params), None)


def _column(name: str, value: Any) -> list[Any] | None:
    """Return the values of an axis; None where it is one value for all."""
    kind = _kind(name)
    if hasattr(value, "columns") and hasattr(value, "tail"):  # of pandas, polars: what else has both is no value either
        names = list(value.columns)
        shown = next((one for one in (name, "id") if one in names), names[0] if names else name)
        raise ConfigError(f"{name}: a whole table given; give one of its columns, as in {name}=table[{shown!r}]")
    if kind in MEDIA_KINDS and isinstance(value, str | Path) and not _is_address(value) and Path(value).is_dir():
        return _pictures(name, Path(value))
    if isinstance(value, str | bytes | Path | Mapping) or not _is_many(value):
        return None
    if kind in LIST_KINDS:
        items = list(value)
        return items if items and all(isinstance(item, list | tuple) for item in items) else None
    if kind == "image" and _is_array(value) and getattr(value, "ndim", 1) in (2, 3):
        return None  # the pixels of one picture
    return _listed(name, value)


def _is_many(value: Any) -> bool:
    if isinstance(value, str | bytes | bytearray | memoryview):
        return False
    return isinstance(value, Sequence | Set | Iterator | MappingView | EnumType) or _is_array(value)


def _is_array(value: Any) -> bool:
    """Whether it is an array of numpy or a column of pandas; a picture of Pillow has `__array_interface__` only."""
    return hasattr(value, "tolist") and getattr(value, "ndim", 0) >= 1


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and value.lower().startswith(("http://", "https://"))


def _listed(name: str, values: Any) -> list[Any]:
    if isinstance(values, str | bytes) or not (_is_many(values) or isinstance(values, Iterable)):
        raise ConfigError(f"{name}={values!r}: give a list of values")
    found = [_plain(item) for item in few(values)]
    if len(found) > MOST_CELLS:
        raise ConfigError(_too_many(name))
    if isinstance(values, set | frozenset):  # their order differs from one kernel to the next
        found.sort(key=lambda item: (isinstance(item, str), item if isinstance(item, int | float) else 0, str(item)))
    if not found:
        raise ConfigError(f"{name} is empty; a sweep over no values has no jobs")
    return found


def few(values: Iterable[Any]) -> list[Any]:
    """Return values as a list, of which there may be no end: those that are too many by one at most."""
    return list(itertools.islice(values, MOST_CELLS + 1))


def _too_many(name: str) -> str:
    return (
        f"{name}: over {MOST_CELLS:,} values given, and a sweep has at most so many combinations. vidnb.sampled draws "
        "some of many"
    )


def _plain(value: Any) -> Any:
    """Return a value as one would write it: of an enum its value, and 0.3 for 0.1 * 3, which ends in 04."""
    if isinstance(value, Enum):
        value = value.value
    digits = {2: 3, 4: 6}.get(getattr(value, "itemsize", 8), 12)  # numpy's float32 of 0.1 is 0.10000000149 as a float
    value = plain(value)
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def _pictures(name: str, folder: Path) -> list[Any]:
    named = (path for path in folder.iterdir() if not path.name.startswith("."))  # macOS writes "._a.png" beside a.png
    found = sorted(path for path in named if path.suffix.lower() in PICTURES and path.is_file())
    if not found:
        raise ConfigError(f"{name}={str(folder)!r}: there is no picture in that folder")
    return [str(path) for path in found]


def _seeds(seeds: Any) -> list[Any]:
    if (count := _count(seeds)) is not None:
        if not 1 <= count <= 100_000:
            raise ConfigError(f"seeds={count}: give how many seeds, 1 to 100,000; one seed of your own is seed={count}")
        return [PublishedSeed(index) for index in range(count)]
    if not _is_many(seeds):
        raise ConfigError(f"seeds={seeds!r}: give how many seeds, as seeds=8, or a list of seeds")
    return _listed("seeds", seeds)


def _count(value: Any) -> int | None:
    """Return a whole number, numpy's own included; None for anything else."""
    if isinstance(value, bool) or _is_array(value) or not hasattr(value, "__index__"):
        return None
    return operator.index(value)


def _takes(takes: Any, name: str = "takes") -> list[int]:
    count = _count(takes)
    refused = f"{name}={shortened(repr(takes), 60)}: give how many takes, as takes=2, or a list of indexes from 0"
    if count is None and not _is_many(takes):
        raise ConfigError(refused)
    if count is not None and count > MOST_CELLS:
        raise ConfigError(_too_many(name))
    indexes = list(range(count)) if count is not None else _listed(name, takes)
    good = [take for take in indexes if isinstance(take, int) and not isinstance(take, bool) and 0 <= take < 2**31]
    if not indexes or len(good) != len(indexes):
        raise ConfigError(refused)
    return indexes


def _check_names(axes: Sequence[Axis], fixed: Mapping[str, Any]) -> None:
    names = [*(name for axis in axes for name in axis.names), *fixed]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        both = " (seeds= and seed= are the same param)" if "seed" in twice else ""
        raise ConfigError(f"{twice[0]!r} is given twice{both}; give it once")
    if "fresh" in names or "timeout_s" in names:
        raise ConfigError("a sweep takes no fresh= and no timeout_s=; takes=2 makes each recipe twice")
    known = _params()
    texts = _texts(axes, fixed)
    used = {name for text in texts for name in templates.names(text)}
    for name in sorted(used & (known | OPTIONS)):
        if any(templates.is_template(text, names) or name in names for text in texts if f"{{{name}}}" in text):
            raise ConfigError(
                f"the prompt has {{{name}}}, and {name} is a param or an option of vidnb, so it cannot be the name of "
                f"a part of a prompt; choose another name, as in {{my_{name}}}"
            )
    for name in variables(axes, fixed):
        if name in OPTIONS:
            singular = name.removesuffix("s")
            instead = f"; link {singular}=[...] instead" if name in ("seeds", "takes") else ""
            raise ConfigError(f"{name!r} is an option of vidnb.sweep and no name to link or to sample{instead}")
        if name not in used:
            raise ConfigError(f"{name!r} is no param of any model and no {{{name}}} in the prompt; {_hint(name, used)}")
        for axis in axes:
            for row in axis.rows if name in axis.names else ():
                _check_part(name, row[axis.names.index(name)])
        if name in fixed:
            _check_part(name, fixed[name])


def _hint(name: str, parts: Iterable[str]) -> str:
    """Return what a name was perhaps meant to be, or where to look for names."""
    words = {f"{{{part}}}": part for part in parts} | {word: word for word in sorted(_params() | OPTIONS)}
    near = difflib.get_close_matches(name, words.values(), n=1, cutoff=0.75)
    meant = next((word for word in words if words[word] in near), None)
    return f"did you mean {meant}?" if meant else "vidnb.model(id).params lists them"


def _check_part(name: str, value: Any) -> None:
    """Refuse what is no part of a prompt: nobody wants to pay for "a None in the snow"."""
    is_number = isinstance(value, numbers.Real | Decimal) and math.isfinite(value)
    if not (is_number or isinstance(value, str | date | time | Path)):
        raise ConfigError(
            f"{name}={shortened(repr(value), 60)}: a part of the prompt is text or a number; where it is to be left "
            'out, write ""'
        )


def _texts(axes: Sequence[Axis], fixed: Mapping[str, Any]) -> list[str]:
    """Return all prompts, negative ones included."""
    wanted = ("prompt", "negative_prompt")
    found = [fixed[name] for name in wanted if name in fixed]
    for axis in axes:
        for place, name in enumerate(axis.names):
            found += [row[place] for row in axis.rows] if name in wanted else []
    return [text for text in found if isinstance(text, str)]


def _read_pictures(axis: Axis) -> Axis:
    """Return the axis with its pictures read once, however many cells they are in."""
    from vidnb.media import pictures

    def opened(name: str, value: Any) -> Any:
        if (
            _kind(name) != "image"
            or value is None
            or _is_address(value)
            or isinstance(value, Clip | RemoteMedia | Labelled)
        ):
            return value
        try:
            return Labelled(value, pictures.image_file(value))
        except (MediaError, OSError) as error:
            raise ConfigError(f"{name}: {error}") from error

    rows = (tuple(map(opened, axis.names, row)) for row in axis.rows)
    return type(axis)(axis.names, tuple(rows))


class Labelled:
    """An input picture that was read, with what a person calls it."""

    def __init__(self, given: Any, file: MediaFile) -> None:
        self.file = file
        path = Path(given) if isinstance(given, str | Path) else None
        self.label = path.stem if path is not None else f"picture {file.sha256[:6]}"

    def __str__(self) -> str:
        return self.label

    __repr__ = __str__


def counted(axis: Axis) -> str:
    """Return how many steps an axis has, in words: "2 animals", "3 sets of animal, place and seed"."""
    names = [name.replace("_", " ") for name in axis.names]
    if len(names) == 1:
        name = names[0]
        return f"{len(axis):,} {name}{'' if len(axis) == 1 or name.endswith('s') else 's'}"
    kind = "pair" if len(names) == 2 else "set"
    return f"{len(axis):,} {kind}{'' if len(axis) == 1 else 's'} of {', '.join(names[:-1])} and {names[-1]}"


def written(value: Any) -> str:
    """Return a value as it stands in a prompt: numbers in full."""
    return f"{value:.12g}" if isinstance(value, float) else label(value)


def label(value: Any) -> str:
    """Return what a person calls a value of an axis."""
    if isinstance(value, PublishedSeed):
        return str(value)
    if isinstance(value, float):
        return f"{value:,.0f}".replace(",", "") if abs(value) >= 1e6 and value.is_integer() else f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(label, value))
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    return str(value)
